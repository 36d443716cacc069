import { fail } from './fail.ts';
import { wallClock } from './memory-fs.ts';
import { compareNames, encodeName } from './names.ts';
import {
  type Access,
  type Directory,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemStatistics,
  type Inode,
  Mode,
  type OpenFile,
  type Stat,
  type Symlink,
  TMPFS_MAGIC,
} from './vfs.ts';

/** A file system whose files are computed: /dev, /proc and what has no name at all. Nothing can be created in it. */
export class SyntheticFileSystem implements FileSystem {
  readonly readOnly = false;
  device = 0;
  readonly created = wallClock();
  private nextInode = 1;
  readonly root: SyntheticDirectory;

  constructor(
    readonly type: string,
    private readonly magic: number,
    /** Of the root; see SyntheticDirectory. */
    dynamic?: (known: Map<string, Inode>) => Iterable<string>,
  ) {
    this.root = new SyntheticDirectory(this, undefined, '', dynamic);
  }

  takeInode(): number {
    return this.nextInode++;
  }

  statistics(): FileSystemStatistics {
    return { magic: this.magic, blockSize: 4096, blocks: 0n, free: 0n, available: 0n, files: 0n, freeFiles: 0n };
  }
}

abstract class SyntheticInode implements Inode {
  abstract readonly format: number;
  readonly number: number;
  constructor(
    readonly fileSystem: SyntheticFileSystem,
    protected readonly permissions: number,
    protected readonly rdevice = 0,
    number?: number,
  ) {
    this.number = number ?? fileSystem.takeInode();
  }

  protected get links(): number {
    return 1;
  }

  stat(): Stat {
    const time = this.fileSystem.created;
    return {
      device: this.fileSystem.device,
      inode: this.number,
      mode: this.format | this.permissions,
      links: this.links,
      uid: 0,
      gid: 0,
      rdevice: this.rdevice,
      size: 0,
      blockSize: 4096,
      blocks: 0,
      atime: time,
      mtime: time,
      ctime: time,
      btime: time,
    };
  }

  setAttributes(): void {
    fail('EPERM');
  }
}

/** A device, pipe or terminal: what opening it gives decides everything. */
export class SpecialInode extends SyntheticInode {
  constructor(
    fileSystem: SyntheticFileSystem,
    readonly format: number,
    permissions: number,
    rdevice: number,
    private readonly opener: (inode: SpecialInode, access: Access) => OpenFile,
    number?: number,
  ) {
    super(fileSystem, permissions, rdevice, number);
  }
  open(access: Access): OpenFile {
    return this.opener(this, access);
  }
}

/** A read-only file whose text is made anew each time it is opened. */
export class ComputedFile extends SyntheticInode {
  readonly format = Mode.Regular;
  constructor(
    fileSystem: SyntheticFileSystem,
    private readonly content: () => string | Uint8Array,
    permissions = 0o444,
  ) {
    super(fileSystem, permissions);
  }
  open(access: Access): OpenFile {
    if (access.write) fail('EACCES');
    const made = this.content();
    const bytes = typeof made === 'string' ? encodeName(made) : made;
    return {
      inode: this,
      seekable: true,
      read(into, position) {
        if (position >= bytes.length) return 0;
        const part = bytes.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      write: () => fail('EACCES'),
    };
  }
}

/** A file system that is one such file, to be mounted over a name. */
export function singleFile(type: string, content: string): FileSystem {
  const inner = new SyntheticFileSystem(type, TMPFS_MAGIC);
  const file = new ComputedFile(inner, () => content);
  const fileSystem: FileSystem = {
    type,
    readOnly: true,
    device: 0,
    statistics: () => inner.statistics(),
    root: {
      get fileSystem() {
        return fileSystem;
      },
      format: file.format,
      stat: () => ({ ...file.stat(), device: fileSystem.device, size: content.length }),
      setAttributes: () => fail('EROFS'),
      open: (access) => file.open(access),
    },
  };
  return fileSystem;
}

export class ComputedLink extends SyntheticInode implements Symlink {
  readonly format = Mode.Symlink;
  readonly follow?: () => Inode;
  constructor(
    fileSystem: SyntheticFileSystem,
    private readonly target: () => string,
    follow?: () => Inode,
  ) {
    super(fileSystem, 0o777);
    if (follow) this.follow = follow;
  }
  readlink(): string {
    return this.target();
  }
}

export class SyntheticDirectory extends SyntheticInode implements Directory {
  readonly format = Mode.Directory;
  readonly removed = false;
  private readonly children = new Map<string, Inode>();
  /** Names that come and go; undefined where there are none. */
  private readonly dynamic: ((known: Map<string, Inode>) => Iterable<string>) | undefined;
  private readonly known = new Map<string, Inode>();

  /**
   * `dynamic` gives the names that exist now besides the ones added, and has put an inode for each into `known`, which
   * keeps them for the next time.
   */
  constructor(
    fileSystem: SyntheticFileSystem,
    readonly parent: SyntheticDirectory | undefined,
    readonly name: string,
    dynamic?: (known: Map<string, Inode>) => Iterable<string>,
  ) {
    super(fileSystem, 0o555);
    this.dynamic = dynamic;
  }

  protected override get links(): number {
    return 2;
  }

  add<T extends Inode>(name: string, inode: T): T {
    this.children.set(name, inode);
    return inode;
  }

  addDirectory(name: string, dynamic?: (known: Map<string, Inode>) => Iterable<string>): SyntheticDirectory {
    return this.add(name, new SyntheticDirectory(this.fileSystem, this, name, dynamic));
  }

  lookup(name: string): Inode | undefined {
    const fixed = this.children.get(name);
    if (fixed || !this.dynamic) return fixed;
    for (const present of this.dynamic(this.known)) if (present === name) return this.known.get(name);
    return undefined;
  }

  list(): DirectoryEntry[] {
    const all = new Map(this.children);
    if (this.dynamic) for (const name of this.dynamic(this.known)) all.set(name, this.known.get(name)!);
    return [...all]
      .map(([name, inode]) => ({ name, inode: inode.stat().inode, format: inode.format }))
      .sort((a, b) => compareNames(a.name, b.name));
  }

  // What exists cannot be made, removed or replaced, and nothing else can appear.
  private refuse(name: string): never {
    return fail(this.lookup(name) ? 'EEXIST' : 'EACCES');
  }
  create(name: string): OpenFile {
    return this.refuse(name);
  }
  makeDirectory(name: string): void {
    this.refuse(name);
  }
  makeSymlink(name: string): void {
    this.refuse(name);
  }
  link(name: string): void {
    this.refuse(name);
  }
  unlink(): void {
    fail('EPERM');
  }
  removeDirectory(): void {
    fail('EPERM');
  }
  rename(): void {
    fail('EPERM');
  }
  exchange(): void {
    fail('EPERM');
  }
}
