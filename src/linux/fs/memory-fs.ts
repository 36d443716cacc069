import { Futexes } from '../futexes.ts';
import { fail } from './fail.ts';
import { compareNames } from './names.ts';
import {
  type Access,
  type Attributes,
  type Directory,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemStatistics,
  type Inode,
  isDirectory,
  Mode,
  type OpenFile,
  type Stat,
  type Symlink,
  TMPFS_MAGIC,
} from './vfs.ts';

const BLOCK = 4096;
/** What a directory entry with its inode takes of the host's memory, its name apart, and what all of them may take. */
const ENTRY_BYTES = 512;
const ENTRIES_LIMIT = 64 << 20;

export interface MemoryFileSystemOptions {
  /** Bytes of file content; beyond them writes fail with ENOSPC. Default MEMORY_LIMIT. */
  readonly limit?: number;
  /** Owner of what is btime. */
  readonly uid?: number;
  readonly gid?: number;
  /** Nanoseconds since 1970. */
  readonly now?: () => bigint;
  readonly readOnly?: boolean;
  /** Inodes at most. */
  readonly mostInodes?: number;
  /** What several file systems hold together. */
  readonly account?: MemoryAccount;
}

/** Bytes that files hold, and that directory entries take of ENTRIES_LIMIT. */
export interface MemoryAccount {
  used: number;
  entries: number;
  /** Bytes that files may hold. */
  readonly limit: number;
  /** Gives up what nobody needs any more. */
  readonly reclaim?: () => void;
}

export const MEMORY_LIMIT = 256 << 20;

export const wallClock = (): bigint => BigInt(Date.now()) * 1_000_000n;

const NONE: ReadonlyMap<string, Uint8Array> = new Map();

/** A file system in memory, like tmpfs. */
export class MemoryFileSystem implements FileSystem {
  readonly type = 'tmpfs';
  device = 0;
  readonly root: MemoryDirectory;
  readOnly: boolean;
  limit: number;
  mostInodes: number;
  readonly uid: number;
  readonly gid: number;
  readonly now: () => bigint;
  inodes = 0;
  /** Bytes that its files hold. */
  used = 0;
  /** Whether its embedder says that nobody may write. */
  readonly staysReadOnly: boolean;
  private readonly account: MemoryAccount;
  private nextInode = 1;

  constructor(options: MemoryFileSystemOptions = {}) {
    this.limit = options.limit ?? MEMORY_LIMIT;
    this.mostInodes = options.mostInodes ?? Number.POSITIVE_INFINITY;
    this.uid = options.uid ?? 0;
    this.gid = options.gid ?? 0;
    this.account = options.account ?? { used: 0, entries: 0, limit: Number.POSITIVE_INFINITY };
    this.now = options.now ?? wallClock;
    this.staysReadOnly = options.readOnly ?? false;
    this.readOnly = this.staysReadOnly;
    this.root = new MemoryDirectory(this, 0o755, undefined, '');
  }

  /** Whether files may hold so many bytes more. */
  hasRoom(bytes: number): boolean {
    return bytes <= this.room(bytes);
  }
  /** How many bytes more files may hold; looks further if that is less than `wanted`. */
  room(wanted: number): number {
    const { account } = this;
    if (account.limit - account.used < wanted) account.reclaim?.();
    return Math.min(this.limit - this.used, account.limit - account.used);
  }
  take(bytes: number): void {
    this.used += bytes;
    this.account.used += bytes;
  }
  get entries(): number {
    return this.account.entries;
  }
  set entries(bytes: number) {
    this.account.entries = bytes;
  }
  /** All names go; what is open stays until it is closed. */
  clear(): void {
    const directories = [this.root];
    for (const directory of directories) for (const below of directory.clear()) directories.push(below);
    this.root.removed = true;
  }

  takeInode(): number {
    this.inodes++;
    return this.nextInode++;
  }

  statistics(): FileSystemStatistics {
    const free = BigInt(Math.floor(this.room(0) / BLOCK));
    const freeFiles = BigInt(Math.min(this.mostInodes - this.inodes, Math.floor((ENTRIES_LIMIT - this.entries) / ENTRY_BYTES)));
    return {
      magic: TMPFS_MAGIC,
      blockSize: BLOCK,
      blocks: BigInt(Math.floor(Math.min(this.limit, this.account.limit) / BLOCK)),
      free,
      available: free,
      files: freeFiles + BigInt(this.inodes),
      freeFiles,
    };
  }

  /** Makes a file that no directory names (memfd_create, O_TMPFILE). */
  anonymous(mode: number): MemoryFile {
    if (this.inodes >= this.mostInodes) fail('ENOSPC');
    const file = new MemoryFile(this, mode);
    file.links = 0;
    return file;
  }
}

export abstract class MemoryInode implements Inode {
  abstract readonly format: number;
  readonly number: number;
  links = 1;
  uid: number;
  gid: number;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
  readonly btime: bigint;

  constructor(
    readonly fileSystem: MemoryFileSystem,
    public permissions: number,
  ) {
    this.number = fileSystem.takeInode();
    this.uid = fileSystem.uid;
    this.gid = fileSystem.gid;
    this.btime = fileSystem.now();
    this.atime = this.btime;
    this.mtime = this.btime;
    this.ctime = this.btime;
  }

  private attributes: Map<string, Uint8Array> | undefined;

  abstract length(): number;

  get extended(): ReadonlyMap<string, Uint8Array> {
    return this.attributes ?? NONE;
  }

  setExtended(name: string, value: Uint8Array | undefined): void {
    const { fileSystem } = this;
    const before = this.extended.get(name);
    const entry = ENTRY_BYTES + name.length;
    const taken = (value ? value.length + entry : 0) - (before ? before.length + entry : 0);
    if (taken > 0 && fileSystem.entries + taken > ENTRIES_LIMIT) fail('ENOSPC');
    this.attributes ??= new Map();
    if (value) this.attributes.set(name, value);
    else this.attributes.delete(name);
    fileSystem.entries += taken;
    this.ctime = fileSystem.now();
  }

  /** Neither a name nor a descriptor is left. */
  gone(): void {
    this.fileSystem.inodes--;
    for (const name of [...this.extended.keys()]) this.setExtended(name, undefined);
  }

  stat(): Stat {
    const size = this.length();
    return {
      device: this.fileSystem.device,
      inode: this.number,
      mode: this.format | this.permissions,
      links: this.links,
      uid: this.uid,
      gid: this.gid,
      rdevice: 0,
      size,
      blockSize: BLOCK,
      blocks: this.format === Mode.Regular ? Math.ceil(size / BLOCK) * 8 : 0,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
      btime: this.btime,
    };
  }

  setAttributes(change: Attributes): void {
    if (this.fileSystem.readOnly) fail('EROFS');
    if (change.mode !== undefined) this.permissions = change.mode & Mode.Permissions;
    this.uid = change.uid ?? this.uid;
    this.gid = change.gid ?? this.gid;
    this.atime = change.atime ?? this.atime;
    this.mtime = change.mtime ?? this.mtime;
    this.ctime = this.fileSystem.now();
  }

  touch(): void {
    this.mtime = this.fileSystem.now();
    this.ctime = this.mtime;
  }
}

/** F_SEAL_… (fcntl(2)) */
export const enum Seal {
  Seal = 1,
  Shrink = 2,
  Grow = 4,
  Write = 8,
  FutureWrite = 0x10,
  All = 0x1f,
}

export class MemoryFile extends MemoryInode {
  readonly format = Mode.Regular;
  /** What may not be done any more; undefined if it cannot be sealed. */
  seals: number | undefined;
  /** Without a name, it may get one (O_TMPFILE). */
  isLinkable = false;
  /** Of its shared mappings. */
  readonly futexes = new Futexes();
  private content = new Uint8Array(0);
  private size = 0;
  private opened = 0;

  override length(): number {
    return this.size;
  }

  /** The file's bytes; valid until the next write. */
  bytes(): Uint8Array {
    return this.content.subarray(0, this.size);
  }

  resize(size: number): void {
    if (size > this.content.length) {
      const capacity = Math.max(size, Math.min(this.content.length * 2, this.content.length + (1 << 24)));
      const fileSystem = this.fileSystem;
      if (!fileSystem.hasRoom(size - this.content.length)) fail('ENOSPC');
      const take = fileSystem.hasRoom(capacity - this.content.length) ? capacity : size;
      const content = new Uint8Array(take);
      content.set(this.bytes());
      fileSystem.take(take - this.content.length);
      this.content = content;
    } else if (size < this.size) {
      if (size <= this.content.length / 4) {
        const content = this.content.slice(0, size);
        this.fileSystem.take(content.length - this.content.length);
        this.content = content;
      } else this.content.fill(0, size, this.size);
    }
    this.size = size;
  }

  /** Writes and grows as needed; what does not fit the file system's limit is not written, ENOSPC if nothing is. */
  writeAt(from: Uint8Array, position: number): number {
    if (this.fileSystem.readOnly) fail('EROFS');
    if (from.length === 0) return 0;
    const end = position + from.length;
    let count = from.length;
    if (end > this.size) {
      const room = this.fileSystem.room(end - this.content.length) + this.content.length - position;
      if (room <= 0) fail('ENOSPC');
      count = Math.min(count, room);
      if (position + count > this.size) this.resize(position + count);
    }
    this.content.set(count < from.length ? from.subarray(0, count) : from, position);
    this.touch();
    return count;
  }

  private checkSeals(seals: number): void {
    if ((this.seals ?? 0) & seals) fail('EPERM');
  }

  open(access: Access): OpenFile {
    if (access.write && this.fileSystem.readOnly) fail('EROFS');
    this.opened++;
    let open = true;
    return {
      inode: this,
      seekable: true,
      read: (into, position) => {
        if (position >= this.size) return 0;
        const count = Math.min(into.length, this.size - position);
        into.set(this.content.subarray(position, position + count));
        this.atime = this.fileSystem.now();
        return count;
      },
      write: (from, position) => {
        this.checkSeals(Seal.Write | Seal.FutureWrite);
        if (position + from.length > this.size) this.checkSeals(Seal.Grow);
        return this.writeAt(from, position);
      },
      truncate: (size) => {
        if (size !== this.size) this.checkSeals(size < this.size ? Seal.Shrink : Seal.Grow);
        this.resize(size);
        this.touch();
      },
      close: () => {
        if (!open) return;
        open = false;
        this.opened--;
        this.releaseIfGone();
      },
    };
  }

  /** Gives the content back once no name and no descriptor is left. */
  releaseIfGone(): void {
    if (this.links > 0 || this.opened > 0) return;
    this.fileSystem.take(-this.content.length);
    this.content = new Uint8Array(0);
    this.size = 0;
    this.gone();
  }
}

class MemorySymlink extends MemoryInode implements Symlink {
  readonly format = Mode.Symlink;
  constructor(
    fileSystem: MemoryFileSystem,
    private readonly target: string,
  ) {
    super(fileSystem, 0o777);
  }
  override length(): number {
    return new TextEncoder().encode(this.target).length;
  }
  readlink(): string {
    return this.target;
  }
}

/** The name of a socket in a file tree; `bound` is what it belongs to, while that is open. */
export class MemorySocket<Bound extends object> extends MemoryInode {
  readonly format = Mode.Socket;
  constructor(
    fileSystem: MemoryFileSystem,
    mode: number,
    public bound: Bound | undefined,
  ) {
    super(fileSystem, mode);
  }
  override length(): number {
    return 0;
  }
}

export class MemoryDirectory extends MemoryInode implements Directory {
  readonly format = Mode.Directory;
  private readonly children = new Map<string, MemoryInode>();
  removed = false;

  constructor(
    fileSystem: MemoryFileSystem,
    permissions: number,
    public parent: MemoryDirectory | undefined,
    public name: string,
  ) {
    super(fileSystem, permissions);
    this.links = 2;
  }

  override length(): number {
    return this.children.size * 20 + 40;
  }

  lookup(name: string): Inode | undefined {
    return this.children.get(name);
  }

  list(): DirectoryEntry[] {
    return [...this.children]
      .map(([name, inode]) => ({ name, inode: inode.number, format: inode.format }))
      .sort((a, b) => compareNames(a.name, b.name));
  }

  /** What the entry takes of ENTRIES_LIMIT. */
  private cost(name: string, target = ''): number {
    return ENTRY_BYTES + 2 * (name.length + target.length);
  }

  private add(name: string, inode: MemoryInode): void {
    this.children.set(name, inode);
    this.fileSystem.entries += this.cost(name, inode instanceof MemorySymlink ? inode.readlink() : '');
    this.touch();
  }

  private remove(name: string, inode: MemoryInode): void {
    this.children.delete(name);
    this.fileSystem.entries -= this.cost(name, inode instanceof MemorySymlink ? inode.readlink() : '');
    this.touch();
  }

  private checkNew(name: string, target?: string): void {
    if (this.children.has(name)) fail('EEXIST');
    this.checkWritable();
    if (this.removed) fail('ENOENT');
    const { entries, inodes, mostInodes } = this.fileSystem;
    if (inodes >= mostInodes || entries + this.cost(name, target) > ENTRIES_LIMIT) fail('ENOSPC');
  }

  private checkWritable(): void {
    if (this.fileSystem.readOnly) fail('EROFS');
  }

  makeFile(name: string, mode: number): MemoryFile {
    this.checkNew(name);
    const file = new MemoryFile(this.fileSystem, mode & Mode.Permissions);
    this.add(name, file);
    return file;
  }

  create(name: string, mode: number, access: Access): OpenFile {
    return this.makeFile(name, mode).open(access);
  }

  makeDirectory(name: string, mode: number): MemoryDirectory {
    this.checkNew(name);
    const directory = new MemoryDirectory(this.fileSystem, mode & Mode.Permissions, this, name);
    this.add(name, directory);
    this.links++;
    return directory;
  }

  makeSymlink(name: string, target: string): void {
    this.checkNew(name, target);
    this.add(name, new MemorySymlink(this.fileSystem, target));
  }

  link(name: string, target: Inode): void {
    this.checkNew(name);
    if (!(target instanceof MemoryInode) || target.fileSystem !== this.fileSystem) fail('EXDEV');
    if (isDirectory(target)) fail('EPERM');
    if (target.links === 0 && !(target instanceof MemoryFile && target.isLinkable)) fail('ENOENT');
    // each further name counts as one, as in tmpfs
    if (target.links > 0) this.fileSystem.inodes++;
    target.links++;
    target.ctime = this.fileSystem.now();
    this.add(name, target);
  }

  unlink(name: string): void {
    const inode = this.children.get(name) ?? fail('ENOENT');
    if (isDirectory(inode)) fail('EISDIR');
    this.checkWritable();
    this.drop(name, inode);
  }

  removeDirectory(name: string): void {
    const inode = this.children.get(name) ?? fail('ENOENT');
    if (!(inode instanceof MemoryDirectory)) fail('ENOTDIR');
    if (inode.children.size > 0) fail('ENOTEMPTY');
    this.checkWritable();
    this.drop(name, inode);
  }

  /** Takes all names away. Gives the directories that had one, which have their content still. */
  clear(): MemoryDirectory[] {
    const below: MemoryDirectory[] = [];
    for (const [name, inode] of [...this.children]) {
      if (inode instanceof MemoryDirectory) below.push(inode);
      this.drop(name, inode);
    }
    return below;
  }

  private drop(name: string, inode: MemoryInode): void {
    this.remove(name, inode);
    inode.ctime = this.mtime;
    if (inode instanceof MemoryDirectory) {
      this.links--;
      inode.removed = true;
      inode.links = 0;
      inode.gone();
      return;
    }
    inode.links--;
    if (inode.links > 0) this.fileSystem.inodes--;
    if (inode instanceof MemoryFile) inode.releaseIfGone();
    else if (inode.links === 0) inode.gone();
  }

  rename(name: string, to: Directory, newName: string, exclusive: boolean): void {
    const inode = this.children.get(name) ?? fail('ENOENT');
    if (!(to instanceof MemoryDirectory) || to.fileSystem !== this.fileSystem) fail('EXDEV');
    this.checkWritable();
    const old = to.children.get(newName);
    if (old && exclusive) fail('EEXIST');
    if (old === inode) return;
    if (to.removed) fail('ENOENT');
    if (inode instanceof MemoryDirectory) {
      if (to.isBelow(inode)) fail('EINVAL');
      if (old && !(old instanceof MemoryDirectory)) fail('ENOTDIR');
    }
    if (old instanceof MemoryDirectory) {
      if (!(inode instanceof MemoryDirectory)) fail('EISDIR');
      if (old.children.size > 0) fail('ENOTEMPTY');
    }
    if (old) to.drop(newName, old);
    this.remove(name, inode);
    this.give(inode, to, newName);
  }

  exchange(name: string, to: Directory, other: string): void {
    const inode = this.children.get(name) ?? fail('ENOENT');
    if (!(to instanceof MemoryDirectory) || to.fileSystem !== this.fileSystem) fail('EXDEV');
    const second = to.children.get(other) ?? fail('ENOENT');
    this.checkWritable();
    if (inode === second) return;
    if (to.isBelow(inode) || this.isBelow(second)) fail('EINVAL');
    this.remove(name, inode);
    to.remove(other, second);
    this.give(inode, to, other);
    to.give(second, this, name);
  }

  private isBelow(inode: MemoryInode): boolean {
    for (let at: MemoryDirectory | undefined = this; at; at = at.parent) if (at === inode) return true;
    return false;
  }

  /** What had a name here has one there. */
  private give(inode: MemoryInode, to: MemoryDirectory, name: string): void {
    to.add(name, inode);
    inode.ctime = to.ctime;
    if (!(inode instanceof MemoryDirectory)) return;
    this.links--;
    to.links++;
    inode.parent = to;
    inode.name = name;
  }
}
