import { fail } from './fail.ts';
import type { Namespace } from './namespace.ts';
import { pipeFileSystem } from './pipe.ts';
import type { Access, Directory, DirectoryEntry, Inode, OpenFile } from './vfs.ts';
import type { Spot } from './watches.ts';

/** An open file description (open(2)): what duplicated descriptors share. */
export interface Description {
  readonly inode: Inode;
  /** Undefined for directories and for O_PATH, which cannot be read or written. */
  readonly file: OpenFile | undefined;
  readonly access: Access;
  /** Opened with O_PATH. */
  readonly pathOnly: boolean;
  append: boolean;
  nonblock: boolean;
  /** Further flags that F_GETFL shows, in the guest's numbering. */
  flags: number;
  /** Guest path at the time of opening, or as `pipe:[3]`. */
  readonly path: string;
  position: number;
  /** Gives back the lock of flock(2). */
  unlock?: () => void;
  /** How it was found, if it has a name. */
  readonly spot?: Spot;
  /** Ends that signals tell of it (O_ASYNC, F_NOTIFY). */
  untell?: (() => void) | undefined;
  /** The last descriptor is gone. */
  closed?: () => void;
  /** What getdents goes through, taken when it starts. */
  listing?: DirectoryEntry[];
  /** Descriptors (and mappings, which the memory map counts) that refer to it. */
  references: number;
  /** Where it counts, while it is open. */
  counted?: OpenFiles | undefined;
}

/** Open file descriptions of all processes. */
export interface OpenFiles {
  count: number;
}
/** /proc/sys/fs/file-max */
const MOST_OPEN = 32768;

/** si_code of a signal that tells of a file (fcntl(2)): POLL_IN, POLL_OUT, POLL_MSG. */
export const enum PollCode {
  In = 1,
  Out = 2,
  Message = 3,
}

export interface Descriptor {
  readonly description: Description;
  closeOnExec: boolean;
}

/** Makes a description that nothing refers to yet. */
export function describe(
  inode: Inode,
  file: OpenFile | undefined,
  access: Access,
  path: string,
  options: { append?: boolean; nonblock?: boolean; flags?: number; pathOnly?: boolean; spot?: Spot } = {},
): Description {
  return {
    inode,
    file,
    access,
    path,
    ...(options.spot && { spot: options.spot }),
    pathOnly: options.pathOnly ?? false,
    append: options.append ?? false,
    nonblock: options.nonblock ?? false,
    flags: options.flags ?? 0,
    position: 0,
    references: 0,
  };
}

/** Counts one reference less and closes with the last. */
export function release(description: Description): void {
  if (--description.references > 0) return;
  if (description.counted) description.counted.count--;
  description.counted = undefined;
  description.unlock?.();
  description.untell?.();
  description.closed?.();
  description.file?.close?.();
}

/** The most descriptors there can be, whatever the limit is set to. */
const MAX_DESCRIPTORS = 1 << 20;

/** A process's view of files: its descriptors, its directory tree, working directory and umask. */
export class FileTable {
  private readonly slots: (Descriptor | undefined)[] = [];
  /** All numbers below it are taken. */
  private taken = 0;
  cwd: Directory;
  umask: number;
  /** Processes that use it. */
  private users = 1;

  constructor(
    public namespace: Namespace,
    options: { readonly cwd?: string | Directory; readonly umask?: number } = {},
    /** Where pipes and the like have their inodes. */
    readonly pipes = pipeFileSystem(),
    private readonly opened: OpenFiles = { count: 0 },
  ) {
    const { cwd = '/' } = options;
    this.cwd = typeof cwd === 'string' ? namespace.directory(namespace.resolve(namespace.root, cwd, 'follow')) : cwd;
    this.umask = options.umask ?? 0o022;
  }

  /** That of a new process: the same descriptors, which share their positions with these. */
  copy(): FileTable {
    const { namespace, cwd, umask, pipes, opened } = this;
    const copy = new FileTable(namespace, { cwd, umask }, pipes, opened);
    this.slots.forEach((slot, fd) => {
      if (slot) copy.replace(fd, slot.description, slot.closeOnExec);
    });
    return copy;
  }
  /** Another process uses it, too. */
  join(): FileTable {
    this.users++;
    return this;
  }
  /** One does so no more. */
  leave(): void {
    if (--this.users === 0) this.closeAll();
  }

  /** EBADF if closed. */
  get(fd: number): Description {
    return this.descriptor(fd).description;
  }

  descriptor(fd: number): Descriptor {
    return this.slots[fd >>> 0] ?? fail('EBADF');
  }

  has(fd: number): boolean {
    return this.slots[fd] !== undefined;
  }

  /** Open descriptors, ascending. */
  list(): number[] {
    const numbers: number[] = [];
    this.slots.forEach((slot, fd) => {
      if (slot) numbers.push(fd);
    });
    return numbers;
  }

  /** Puts a description at the lowest free number from `minimum` on; EMFILE if that is `limit` or more. */
  install(description: Description, limit: number, closeOnExec = false, minimum = 0): number {
    let fd = Math.max(minimum, this.taken);
    while (this.slots[fd]) fd++;
    if (minimum <= this.taken) this.taken = fd;
    const isFull = !description.counted && this.opened.count >= MOST_OPEN;
    if (isFull || fd >= Math.min(limit, MAX_DESCRIPTORS)) {
      if (description.references++ === 0) release(description);
      fail(isFull ? 'ENFILE' : 'EMFILE');
    }
    if (!description.counted) {
      description.counted = this.opened;
      this.opened.count++;
    }
    this.slots[fd] = { description, closeOnExec };
    description.references++;
    return fd;
  }

  /** Puts a description at a number, closing what was there. */
  replace(fd: number, description: Description, closeOnExec = false): void {
    description.references++;
    const old = this.slots[fd];
    this.slots[fd] = { description, closeOnExec };
    if (old) release(old.description);
  }

  close(fd: number): void {
    const { description } = this.descriptor(fd);
    this.slots[fd >>> 0] = undefined;
    this.taken = Math.min(this.taken, fd >>> 0);
    release(description);
  }

  /** What execve does. */
  closeOnExec(): void {
    for (const fd of this.list()) if (this.slots[fd]?.closeOnExec) this.close(fd);
  }

  /** What the end of the process does. */
  closeAll(): void {
    for (const fd of this.list()) this.close(fd);
  }
}
