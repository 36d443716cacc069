import fs from 'node:fs';
import path from 'node:path';
import { Errno, type ErrnoName } from '../linux/errno.ts';
import { fail } from '../linux/fs/fail.ts';
import { compareNames, decodeName, encodeName, isEscaped } from '../linux/fs/names.ts';
import {
  type Access,
  type Attributes,
  type Directory,
  type DirectoryEntry,
  EXT4_MAGIC,
  type FileSystem,
  type FileSystemStatistics,
  type Inode,
  Mode,
  makeDevice,
  type OpenFile,
  type Stat,
  type Symlink,
} from '../linux/fs/vfs.ts';
import { SyscallError } from '../linux/syscall.ts';

const { constants } = fs;
const LINUX = process.platform === 'linux';
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;
/** Linux, not among node's constants. */
const O_PATH = 0x200000;

/** The guest's error for what node:fs threw. */
function rethrow(error: unknown): never {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof SyscallError || code === undefined) throw error;
  fail(code in Errno ? (code as ErrnoName) : 'EIO');
}

function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    return rethrow(error);
  }
}

/** What Node is to be given for a name (src/linux/fs/names.ts). */
export function hostPath(text: string): string | Buffer {
  return isEscaped(text) ? Buffer.from(encodeName(text)) : text;
}

export interface NodeFileSystemOptions {
  readonly readOnly?: boolean;
}

/**
 * A host folder, or a single file, as a file system. The guest gets at nothing outside of it: names are single
 * components, symbolic links are never followed here (the namespace resolves them inside the guest's tree), and each
 * operation is made relative to a directory that was opened and whose real path was then compared with the one expected,
 * so that a link put in the place of a directory meanwhile leads to ENOENT instead of out.
 */
export function nodeFileSystem(folder: string, options: NodeFileSystemOptions = {}): FileSystem {
  return new NodeFileSystem(decodeName(fs.realpathSync.native(hostPath(folder), { encoding: 'buffer' })), options.readOnly ?? false);
}

class NodeFileSystem implements FileSystem {
  readonly type = 'host';
  device = 0;
  readonly root: NodeInode;
  private readonly hostDevice: number;
  private readonly numbers = new Map<string, number>();
  private nextNumber = 0x7000_0000;

  constructor(
    readonly hostRoot: string,
    readonly readOnly: boolean,
  ) {
    const stats = fs.lstatSync(hostPath(hostRoot), { bigint: true });
    this.hostDevice = Number(stats.dev);
    if (stats.isDirectory()) this.root = new NodeDirectory(this, undefined, '');
    else if (stats.isFile()) this.root = new NodeFile(this, new Anchor(path.dirname(hostRoot)), path.basename(hostRoot));
    else throw new RangeError(`${hostRoot}: neither a folder nor a file`);
  }

  writable(): void {
    if (this.readOnly) fail('EROFS');
  }

  /** The host's inode number where it is unambiguous and fits 32 bits, else one of our own that stays the same. */
  inodeNumber(device: number, inode: bigint): number {
    if (device === this.hostDevice && inode < 0x7000_0000n) return Number(inode);
    const key = `${device}:${inode}`;
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.nextNumber++;
      this.numbers.set(key, number);
    }
    return number;
  }

  status(stats: fs.BigIntStats): Stat {
    const rdevice = Number(stats.rdev);
    return {
      device: this.device,
      inode: this.inodeNumber(Number(stats.dev), stats.ino),
      mode: Number(stats.mode),
      links: Number(stats.nlink),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      rdevice: rdevice && makeDevice((rdevice >>> 8) & 0xfff, (rdevice & 0xff) | ((rdevice >>> 12) & 0xfff00)),
      size: Number(stats.size),
      blockSize: Number(stats.blksize),
      blocks: Number(stats.blocks),
      atime: stats.atimeNs,
      mtime: stats.mtimeNs,
      ctime: stats.ctimeNs,
      btime: stats.birthtimeNs,
    };
  }

  statistics(): FileSystemStatistics {
    const found = attempt(() => fs.statfsSync(hostPath(this.hostRoot), { bigint: true }));
    return {
      magic: EXT4_MAGIC,
      blockSize: Number(found.bsize),
      blocks: found.blocks,
      free: found.bfree,
      available: found.bavail,
      files: found.files,
      freeFiles: found.ffree,
    };
  }
}

/** A host directory in which names can be used safely. */
interface Place {
  /** Calls back with the host path of `name` that cannot be made to lead elsewhere. */
  at<T>(name: string, use: (host: string | Buffer) => T): T;
}

/** Opens `real`, makes sure that it is still that very directory, and hands out paths relative to it. */
function relative<T>(real: string, name: string, use: (host: string | Buffer) => T): T {
  return attempt(() => {
    if (!LINUX) {
      if (fs.realpathSync.native(real) !== real) fail('ENOENT');
      return use(hostPath(path.join(real, name)));
    }
    const fd = fs.openSync(hostPath(real), constants.O_RDONLY | constants.O_DIRECTORY | NOFOLLOW);
    try {
      const base = `/proc/self/fd/${fd}`;
      if (decodeName(fs.readlinkSync(base, { encoding: 'buffer' })) !== real) fail('ENOENT');
      return use(hostPath(`${base}/${name}`));
    } finally {
      fs.closeSync(fd);
    }
  });
}

/** Where a single mounted file lies. */
class Anchor implements Place {
  constructor(private readonly folder: string) {}
  at<T>(name: string, use: (host: string | Buffer) => T): T {
    return relative(this.folder, name, use);
  }
}

function openFlags(access: Access): number {
  const mode = access.write ? (access.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  // Never waits for the other end of a FIFO.
  return mode | NOFOLLOW | (constants.O_NONBLOCK ?? 0);
}

function chownMode(change: Attributes): boolean {
  return change.uid !== undefined || change.gid !== undefined;
}

const NO_ID = 0xffffffff;
/** As a string: node:fs takes a negative number for the present. Exact to about 200 ns. */
const seconds = (time: bigint): string => String(Number(time) / 1e9);

abstract class NodeInode implements Inode {
  abstract readonly format: number;
  constructor(
    readonly fileSystem: NodeFileSystem,
    readonly place: Place | undefined,
    public name: string,
  ) {}

  /** Calls back with this file's host path. */
  use<T>(operation: (host: string | Buffer) => T): T {
    return this.place ? this.place.at(this.name, operation) : relative(this.fileSystem.hostRoot, '.', operation);
  }

  stat(): Stat {
    return this.use((host) => this.fileSystem.status(fs.lstatSync(host, { bigint: true })));
  }

  setAttributes(change: Attributes): void {
    this.fileSystem.writable();
    this.use((host) => {
      if (chownMode(change)) fs.lchownSync(host, change.uid ?? NO_ID, change.gid ?? NO_ID);
      if (change.mode !== undefined) this.chmod(host, change.mode);
      if (change.atime !== undefined || change.mtime !== undefined) {
        const now = fs.lstatSync(host, { bigint: true });
        fs.lutimesSync(host, seconds(change.atime ?? now.atimeNs), seconds(change.mtime ?? now.mtimeNs));
      }
    });
  }

  /** There is no chmod that does not follow links, so it goes through a descriptor, on Linux one that needs no permission. */
  protected chmod(host: string | Buffer, mode: number): void {
    const fd = fs.openSync(host, LINUX ? O_PATH | NOFOLLOW : constants.O_RDONLY | NOFOLLOW | (constants.O_NONBLOCK ?? 0));
    try {
      if (LINUX) fs.chmodSync(`/proc/self/fd/${fd}`, mode);
      else fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** An open file's own view of itself, which holds whatever becomes of its name. */
class OpenInode implements Inode {
  readonly format = Mode.Regular;
  constructor(
    readonly fileSystem: NodeFileSystem,
    private readonly fd: number,
    private readonly named: NodeFile,
  ) {}
  stat(): Stat {
    return attempt(() => this.fileSystem.status(fs.fstatSync(this.fd, { bigint: true })));
  }
  setAttributes(change: Attributes): void {
    this.fileSystem.writable();
    attempt(() => {
      if (chownMode(change)) fs.fchownSync(this.fd, change.uid ?? NO_ID, change.gid ?? NO_ID);
      if (change.mode !== undefined) fs.fchmodSync(this.fd, change.mode);
      if (change.atime !== undefined || change.mtime !== undefined) {
        const now = this.stat();
        fs.futimesSync(this.fd, seconds(change.atime ?? now.atime), seconds(change.mtime ?? now.mtime));
      }
    });
  }
  open(access: Access): OpenFile {
    return this.named.open(access);
  }
}

function openedFile(inode: NodeFile, fd: number): OpenFile {
  let open = true;
  const { fileSystem } = inode;
  return {
    inode: new OpenInode(fileSystem, fd, inode),
    seekable: true,
    read: (into, position) => (into.length === 0 ? 0 : attempt(() => fs.readSync(fd, into, 0, into.length, position))),
    write: (from, position) => (from.length === 0 ? 0 : attempt(() => fs.writeSync(fd, from, 0, from.length, position))),
    truncate: (size) => attempt(() => fs.ftruncateSync(fd, size)),
    sync: () => attempt(() => fs.fsyncSync(fd)),
    close() {
      if (open) fs.closeSync(fd);
      open = false;
    },
  };
}

class NodeFile extends NodeInode {
  readonly format = Mode.Regular;
  open(access: Access): OpenFile {
    if (access.write) this.fileSystem.writable();
    return this.use((host) => {
      const fd = fs.openSync(host, openFlags(access));
      // Something else may have taken the name meanwhile.
      if (fs.fstatSync(fd).isFile()) return openedFile(this, fd);
      fs.closeSync(fd);
      return fail('ENXIO');
    });
  }
}

/** A host's device, socket or FIFO: it shows, and cannot be opened. */
class NodeSpecial extends NodeInode {
  constructor(
    fileSystem: NodeFileSystem,
    place: Place,
    name: string,
    readonly format: number,
  ) {
    super(fileSystem, place, name);
  }
  protected override chmod(): void {
    fail('EPERM');
  }
}

class NodeSymlink extends NodeInode implements Symlink {
  readonly format = Mode.Symlink;
  readlink(): string {
    return this.use((host) => decodeName(fs.readlinkSync(host, { encoding: 'buffer' })));
  }
  protected override chmod(): void {
    fail('EOPNOTSUPP');
  }
}

class NodeDirectory extends NodeInode implements Directory, Place {
  readonly format = Mode.Directory;
  removed = false;
  /** Directories below that something may refer to: each has one object. */
  private readonly directories = new Map<string, NodeDirectory>();

  constructor(
    fileSystem: NodeFileSystem,
    public parent: NodeDirectory | undefined,
    name: string,
  ) {
    super(fileSystem, parent, name);
  }

  private hostPath(): string {
    return this.parent ? path.join(this.parent.hostPath(), this.name) : this.fileSystem.hostRoot;
  }

  override use<T>(operation: (host: string | Buffer) => T): T {
    if (this.removed) fail('ENOENT');
    return this.parent ? this.parent.at(this.name, operation) : this.at('.', operation);
  }

  at<T>(name: string, use: (host: string | Buffer) => T): T {
    if (this.removed) fail('ENOENT');
    if (name === '' || name === '..' || name.includes('/') || name.includes('\0')) fail('EINVAL');
    return relative(this.hostPath(), name, use);
  }

  lookup(name: string): Inode | undefined {
    return this.at(name, (host) => {
      const stats = fs.lstatSync(host, { throwIfNoEntry: false });
      if (!stats?.isDirectory()) this.forget(name);
      return stats && this.inode(name, stats.mode & Mode.Format);
    });
  }

  private inode(name: string, format: number): Inode {
    if (format === Mode.Directory) {
      let directory = this.directories.get(name);
      if (!directory) {
        directory = new NodeDirectory(this.fileSystem, this, name);
        this.directories.set(name, directory);
      }
      return directory;
    }
    if (format === Mode.Regular) return new NodeFile(this.fileSystem, this, name);
    if (format === Mode.Symlink) return new NodeSymlink(this.fileSystem, this, name);
    return new NodeSpecial(this.fileSystem, this, name, format);
  }

  private forget(name: string): void {
    const directory = this.directories.get(name);
    if (directory) directory.removed = true;
    this.directories.delete(name);
  }

  list(): DirectoryEntry[] {
    return this.at('.', (host) => {
      const entries: DirectoryEntry[] = [];
      for (const bytes of fs.readdirSync(host, { encoding: 'buffer' })) {
        const name = decodeName(bytes);
        const prefix = typeof host === 'string' ? Buffer.from(`${host}/`) : Buffer.concat([host, Buffer.from('/')]);
        const stats = fs.lstatSync(Buffer.concat([prefix, bytes]), { bigint: true, throwIfNoEntry: false });
        if (!stats) continue;
        entries.push({
          name,
          inode: this.fileSystem.inodeNumber(Number(stats.dev), stats.ino),
          format: Number(stats.mode) & Mode.Format,
        });
      }
      return entries.sort((a, b) => compareNames(a.name, b.name));
    });
  }

  create(name: string, mode: number, access: Access): OpenFile {
    this.fileSystem.writable();
    return this.at(name, (host) => {
      const fd = fs.openSync(host, openFlags(access) | constants.O_CREAT | constants.O_EXCL, mode);
      // The host's umask is not the guest's.
      fs.fchmodSync(fd, mode);
      return openedFile(new NodeFile(this.fileSystem, this, name), fd);
    });
  }

  makeDirectory(name: string, mode: number): void {
    this.fileSystem.writable();
    this.at(name, (host) => {
      fs.mkdirSync(host, mode);
      this.chmod(host, mode);
    });
  }

  makeSymlink(name: string, target: string): void {
    this.fileSystem.writable();
    this.at(name, (host) => fs.symlinkSync(hostPath(target), host));
  }

  link(name: string, target: Inode): void {
    this.fileSystem.writable();
    const source = target instanceof OpenInode ? fail('EXDEV') : target;
    if (!(source instanceof NodeInode) || source.fileSystem !== this.fileSystem) fail('EXDEV');
    this.at(name, (host) => source.use((from) => fs.linkSync(from, host)));
  }

  unlink(name: string): void {
    this.fileSystem.writable();
    this.at(name, (host) => {
      if (fs.lstatSync(host).isDirectory()) fail('EISDIR');
      fs.unlinkSync(host);
    });
  }

  removeDirectory(name: string): void {
    this.fileSystem.writable();
    this.at(name, (host) => fs.rmdirSync(host));
    this.forget(name);
  }

  rename(name: string, to: Directory, newName: string, exclusive: boolean): void {
    this.fileSystem.writable();
    if (!(to instanceof NodeDirectory) || to.fileSystem !== this.fileSystem) fail('EXDEV');
    this.at(name, (from) =>
      to.at(newName, (host) => {
        if (exclusive && fs.lstatSync(host, { throwIfNoEntry: false })) fail('EEXIST');
        fs.renameSync(from, host);
      }),
    );
    if (to === this && name === newName) return;
    to.forget(newName);
    const moved = this.take(name);
    if (moved) to.put(newName, moved);
  }

  /** By way of a third name, since Node has no such call: on the host it is not done at once. */
  exchange(name: string, to: Directory, other: string): void {
    this.fileSystem.writable();
    if (!(to instanceof NodeDirectory) || to.fileSystem !== this.fileSystem) fail('EXDEV');
    const aside = `.exchange-${process.pid}-${name}`.slice(0, 80);
    this.at(name, (first) =>
      to.at(other, (second) =>
        this.at(aside, (third) => {
          if (fs.lstatSync(third, { throwIfNoEntry: false })) fail('EEXIST');
          fs.lstatSync(second);
          fs.renameSync(first, third);
          try {
            fs.renameSync(second, first);
          } catch (error) {
            fs.renameSync(third, first);
            throw error;
          }
          try {
            fs.renameSync(third, second);
          } catch (error) {
            fs.renameSync(first, second);
            fs.renameSync(third, first);
            throw error;
          }
        }),
      ),
    );
    const [ours, theirs] = [this.take(name), to.take(other)];
    if (ours) to.put(other, ours);
    if (theirs) this.put(name, theirs);
  }

  private take(name: string): NodeDirectory | undefined {
    const directory = this.directories.get(name);
    this.directories.delete(name);
    return directory;
  }

  private put(name: string, directory: NodeDirectory): void {
    directory.parent = this;
    directory.name = name;
    this.directories.set(name, directory);
  }
}
