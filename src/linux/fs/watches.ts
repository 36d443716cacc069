import { type Directory, type Inode, identity, isDirectory } from './vfs.ts';

/** inotify(7) */
export const enum FileEvent {
  Access = 1,
  Modify = 2,
  Attributes = 4,
  CloseWrite = 8,
  CloseNoWrite = 0x10,
  Open = 0x20,
  MovedFrom = 0x40,
  MovedTo = 0x80,
  Create = 0x100,
  Delete = 0x200,
  DeleteSelf = 0x400,
  MoveSelf = 0x800,
  Overflow = 0x4000,
  Ignored = 0x8000,
  /** Only for F_NOTIFY: to another name in the directory. */
  MovedWithin = 0x1000_0000,
  Directory = 0x4000_0000,
}

/** A file, and the name that led to it, where one did. */
export interface Spot {
  readonly directory: Directory | undefined;
  readonly name: string;
  readonly inode: Inode | undefined;
}

/** One that exists. */
export type FoundSpot = Spot & { readonly inode: Inode };

/** Told of what happens to a file, or in a directory to the file of that name. */
export interface Watch {
  /** Events that it is told of. */
  mask: number;
  tell(event: number, name: string, cookie: number): void;
  /** The file is no more. */
  end(): void;
}

/** Who wants to be told of what becomes of which files. */
export class Watches {
  private readonly watches = new Map<string, Set<Watch>>();
  private cookies = 0;
  count = 0;
  /** Of inotify that are open. */
  instances = 0;

  add(inode: Inode, watch: Watch): () => void {
    const key = identity(inode);
    const all = this.watches.get(key) ?? new Set();
    this.watches.set(key, all.add(watch));
    this.count++;
    return () => {
      if (all.delete(watch)) this.count--;
      if (all.size === 0) this.watches.delete(key);
    };
  }

  private tellOf(inode: Inode, event: number, name: string, cookie: number): void {
    tellAll(this.watches.get(identity(inode)) ?? [], event, name, cookie);
  }

  /** What happened to a file: its own watches learn of it, and those of its directory. */
  happened(event: FileEvent, { directory, name, inode }: Spot): void {
    if (this.watches.size === 0 || !inode) return;
    const all = isDirectory(inode) ? event | FileEvent.Directory : event;
    const [above, called] = name === '' && isDirectory(inode) ? [inode.parent, inode.name] : [directory, name];
    if (above && called !== '') this.tellOf(above, all, called, 0);
    this.tellOf(inode, all, '', 0);
  }

  /** What happened to a name of a directory. */
  inDirectory(event: FileEvent, { directory, name, inode }: Spot, cookie = 0): void {
    if (this.watches.size === 0 || !directory) return;
    this.tellOf(directory, inode && isDirectory(inode) ? event | FileEvent.Directory : event, name, cookie);
  }

  /** What to call once a file has one name less. */
  unlinking(inode: Inode): () => void {
    if (this.watches.size === 0) return NOTHING;
    const watches = this.watches.get(identity(inode));
    if (!watches) return NOTHING;
    const isLast = isDirectory(inode) || inode.stat().links <= 1;
    return () => {
      if (!isDirectory(inode)) tellAll(watches, FileEvent.Attributes, '', 0);
      if (!isLast) return;
      tellAll(watches, FileEvent.DeleteSelf, '', 0);
      for (const watch of [...watches]) watch.end();
    };
  }

  /** What to call once a file has another name. */
  moving(from: Spot, to: Spot): () => void {
    const { inode } = from;
    if (this.watches.size === 0 || !inode) return NOTHING;
    const watches = this.watches.get(identity(inode));
    const replaced = to.inode ? this.unlinking(to.inode) : NOTHING;
    const cookie = ++this.cookies;
    return () => {
      this.inDirectory(FileEvent.MovedFrom, from, cookie);
      this.inDirectory(FileEvent.MovedTo, { ...to, inode }, cookie);
      if (from.directory === to.directory) this.inDirectory(FileEvent.MovedWithin, from);
      replaced();
      if (watches) tellAll(watches, FileEvent.MoveSelf, '', 0);
    };
  }
}

const NOTHING = (): void => {};

function tellAll(watches: Iterable<Watch>, event: number, name: string, cookie: number): void {
  for (const watch of [...watches]) if (watch.mask & event) watch.tell(event, name, cookie);
}
