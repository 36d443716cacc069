import type { FileStatus } from '../abi.ts';

/** File type and special bits of st_mode (inode(7)); the permissions are the low nine bits. */
export const enum Mode {
  Format = 0o170000,
  Socket = 0o140000,
  Symlink = 0o120000,
  Regular = 0o100000,
  Block = 0o060000,
  Directory = 0o040000,
  Character = 0o020000,
  Fifo = 0o010000,
  SetUid = 0o4000,
  SetGid = 0o2000,
  Sticky = 0o1000,
  Permissions = 0o7777,
}

/** What inode(7) tells of a file, with the time of its creation. */
export interface Stat extends FileStatus {
  readonly btime: bigint;
}

export interface Attributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly atime?: bigint;
  readonly mtime?: bigint;
}

export interface FileSystemStatistics {
  /** f_type of statfs(2). */
  readonly magic: number;
  readonly blockSize: number;
  readonly blocks: bigint;
  readonly free: bigint;
  readonly available: bigint;
  readonly files: bigint;
  readonly freeFiles: bigint;
}

/** A tree of inodes. All operations are synchronous and throw SyscallError. */
export interface FileSystem {
  /** As in /proc/mounts. */
  readonly type: string;
  readonly readOnly: boolean;
  /** st_dev; a namespace gives each file system it mounts one of its own. */
  device: number;
  readonly root: Inode;
  statistics(): FileSystemStatistics;
}

export interface Inode {
  readonly fileSystem: FileSystem;
  /** One of Mode's formats. */
  readonly format: number;
  stat(): Stat;
  setAttributes(change: Attributes): void;
  /** Extended attributes, by name; absent if the file system has none. */
  readonly extended?: ReadonlyMap<string, Uint8Array>;
  /** Sets one, or removes it. */
  setExtended?(name: string, value: Uint8Array | undefined): void;
  /** Opens a file or device. Directories and symbolic links are not opened this way. */
  open?(access: Access): OpenFile;
}

export interface Access {
  readonly read: boolean;
  readonly write: boolean;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly inode: number;
  /** One of Mode's formats. */
  readonly format: number;
}

export interface Directory extends Inode {
  readonly format: Mode.Directory;
  /** Undefined for the root of a file system. A directory has one object as long as anything refers to it. */
  readonly parent: Directory | undefined;
  readonly name: string;
  /** No longer reachable from the root of its file system. */
  readonly removed: boolean;
  lookup(name: string): Inode | undefined;
  /** Sorted by name, without `.` and `..`. */
  list(): DirectoryEntry[];
  /**
   * Creates and opens a regular file, whatever `mode` would let the owner do; EEXIST if the name is taken by anything, a
   * dangling symbolic link too.
   */
  create(name: string, mode: number, access: Access): OpenFile;
  makeDirectory(name: string, mode: number): void;
  makeSymlink(name: string, target: string): void;
  link(name: string, target: Inode): void;
  unlink(name: string): void;
  removeDirectory(name: string): void;
  /** `to` belongs to the same file system. Replaces as rename(2) does unless `exclusive`. */
  rename(name: string, to: Directory, newName: string, exclusive: boolean): void;
  /** Two names of the same file system change places (RENAME_EXCHANGE). */
  exchange(name: string, to: Directory, other: string): void;
}

export interface Symlink extends Inode {
  readonly format: Mode.Symlink;
  readlink(): string;
  /** Links of /proc that lead to an inode whatever their text says. */
  follow?(): Inode;
}

/** Returned by read and write where a blocking call would wait. */
export const WOULD_BLOCK = -1;

/** Bits of poll(2); the same in all Linux ABIs. */
export const enum Poll {
  In = 1,
  Priority = 2,
  Out = 4,
  Error = 8,
  HangUp = 0x10,
  Invalid = 0x20,
  ReadNormal = 0x40,
  ReadHangUp = 0x2000,
}

/** Milliseconds that a blocking call waits at most. */
export interface Timeouts {
  read?: number | undefined;
  write?: number | undefined;
}

/** What an inode gives when it is opened; positions are the caller's. */
export interface OpenFile {
  readonly inode: Inode;
  readonly seekable: boolean;
  /** A read takes one message or what fits of it, and each write makes one. */
  readonly keepsMessages?: boolean;
  readonly timeouts?: Timeouts;
  /** Bytes read, 0 at the end, WOULD_BLOCK where there are none yet. */
  read(into: Uint8Array, position: number): number;
  /** Bytes written, possibly fewer than given, or WOULD_BLOCK. */
  write(from: Uint8Array, position: number): number;
  truncate?(size: number): void;
  sync?(): void;
  /** Ready events, at least those of `interest` that are; a file without it is always ready. */
  poll?(interest: number): number;
  /** Calls back, once or more, when poll() may have changed, with the events that may have happened anew; returns what ends that. */
  subscribe?(listener: (events: number) => void): () => void;
  /** Of a pipe: whether its other end is open, or was since. A FIFO's open(2) waits for that. */
  hasPartner?(): boolean;
  /** Of a pipe: reads what stays there. */
  peek?(into: Uint8Array): number;
  /** Of a pipe: bytes that it holds at most; sets that, rounded up. */
  capacity?(): number;
  setCapacity?(size: number): number;
  /** Of a pipe: whether what is written from now on is read as it was written (O_DIRECT). */
  setPackets?(on: boolean): void;
  /** Bytes that can be read without waiting (FIONREAD). */
  available?(): number;
  readonly terminal?: Terminal;
  /** The other side of a terminal: what its program shows and is typed. */
  readonly master?: Pseudoterminal;
  close?(): void;
}

/** Whose a terminal is: a session's, and of that the group of processes in the foreground; 0 for nobody's (credentials(7)). */
export interface TerminalOwner {
  session: number;
  foreground: number;
}

/** A terminal of an embedder, or one that the guest made, with what the guest has set it to. */
export interface Terminal {
  readonly owner: TerminalOwner;
  /** struct termios as the guest's ABI lays it out; undefined before the first TCSETS. */
  settings: Uint8Array | undefined;
  columns(): number;
  rows(): number;
  setMode(mode: TerminalMode): void;
  /** Absent if its window has the size that it has. */
  setSize?(rows: number, columns: number): void;
  /** Drops what was typed and not read yet. */
  dropInput?(): void;
}

/** pty(7) */
export interface Pseudoterminal {
  readonly number: number;
  readonly terminal: Terminal;
  /** Opens only once it is unlocked. */
  readonly slave: Inode;
  locked: boolean;
}

/** What of the settings has an effect (termios(3)). */
export interface TerminalMode {
  /** ICANON */
  readonly canonical: boolean;
  /** ECHO */
  readonly echo: boolean;
  /** ISIG */
  readonly signals: boolean;
  /** ICRNL */
  readonly mapReturn: boolean;
  /** OPOST and ONLCR */
  readonly mapNewline: boolean;
  /** Without ICANON: VMIN is 0, so that read does not wait. */
  readonly isPolled: boolean;
  /** c_cc; 0 disables. */
  readonly interrupt: number;
  readonly quit: number;
  readonly erase: number;
  readonly kill: number;
  readonly endOfFile: number;
  readonly suspend: number;
}

/** What is the same for all ways to a file, and for no two files. */
export function identity(inode: Inode): string {
  const { device, inode: number } = inode.stat();
  return `${device}:${number}`;
}

export function isDirectory(inode: Inode): inode is Directory {
  return inode.format === Mode.Directory;
}

export function isSymlink(inode: Inode): inode is Symlink {
  return inode.format === Mode.Symlink;
}

/** Device number as struct stat64 carries it: minor 0–7, major 8–19, the rest of minor 20–31. */
export function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
export function deviceMajor(device: number): number {
  return (device >>> 8) & 0xfff;
}
export function deviceMinor(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}

export const NAME_MAX = 255;
export const PATH_MAX = 4096;
/** What statfs(2) says of file systems. */
export const TMPFS_MAGIC = 0x01021994;
export const PROC_MAGIC = 0x9fa0;
export const DEVPTS_MAGIC = 0x1cd1;
export const EXT4_MAGIC = 0xef53;
