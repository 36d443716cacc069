import { fail } from './fail.ts';
import { type Inode, identity } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Of all files. */
const MOST_LOCKS = 8192;

/** A lock of a part of a file; `end` is exclusive. */
export interface Lock {
  /** A process (fcntl), or an open file description (flock). */
  readonly owner: object;
  readonly pid: number;
  readonly isWrite: boolean;
  readonly start: number;
  readonly end: number;
}

/** Locks that processes have on files, to each other's knowledge: fcntl's and flock's do not know of each other. */
export class Locks {
  private readonly files = { fcntl: new Map<string, Lock[]>(), flock: new Map<string, Lock[]>() };
  private readonly queue = new WaitQueue();
  private readonly waiting = new Map<object, { readonly inode: Inode; readonly lock: Lock }>();
  /** Of both kinds and all files. */
  private count = 0;
  /** Called back when some lock has gone. */
  readonly subscribe = this.queue.subscribe;

  get any(): boolean {
    return this.count > 0;
  }

  /** The first lock of somebody else that this one cannot be beside. */
  conflict(kind: 'fcntl' | 'flock', inode: Inode, wanted: Lock): Lock | undefined {
    return this.files[kind]
      .get(identity(inode))
      ?.find(
        (held) => held.owner !== wanted.owner && held.start < wanted.end && wanted.start < held.end && (held.isWrite || wanted.isWrite),
      );
  }

  /** Takes the place of what the owner had of that part. */
  set(kind: 'fcntl' | 'flock', inode: Inode, lock: Lock): void {
    if (this.count >= MOST_LOCKS) fail('ENOLCK');
    const hadOne = this.remove(kind, inode, lock);
    const key = identity(inode);
    const held = this.files[kind].get(key) ?? [];
    const { owner, isWrite } = lock;
    // what lies beside it becomes one with it
    const isLike = (one: Lock): boolean => one.owner === owner && one.isWrite === isWrite;
    const before = held.find((one) => isLike(one) && one.end === lock.start);
    const after = held.find((one) => isLike(one) && one.start === lock.end);
    const whole = { ...lock, start: before?.start ?? lock.start, end: after?.end ?? lock.end };
    const rest = held.filter((one) => one !== before && one !== after);
    // an owner's locks are in their order in the file
    const at = rest.findIndex((one) => one.owner === owner && one.start > whole.start);
    rest.splice(at < 0 ? rest.length : at, 0, whole);
    this.files[kind].set(key, rest);
    this.count += rest.length - held.length;
    // not before: who waits would have had it in between
    if (hadOne) this.queue.wake();
  }

  /** Notes what an owner waits for until the returned function is called; undefined if that would wait for it (EDEADLK). */
  wait(kind: 'fcntl' | 'flock', inode: Inode, lock: Lock): (() => void) | undefined {
    let next: Lock | undefined = this.conflict(kind, inode, lock);
    for (const seen = new Set<object>(); next && !seen.has(next.owner); ) {
      if (next.owner === lock.owner) return undefined;
      seen.add(next.owner);
      const wanted = this.waiting.get(next.owner);
      next = wanted && this.conflict(kind, wanted.inode, wanted.lock);
    }
    this.waiting.set(lock.owner, { inode, lock });
    return () => this.waiting.delete(lock.owner);
  }

  /** The owner has no lock of that part any more. */
  clear(...which: Parameters<Locks['remove']>): void {
    if (this.remove(...which)) this.queue.wake();
  }

  /** False if it had none there. */
  private remove(kind: 'fcntl' | 'flock', inode: Inode, { owner, start, end }: Pick<Lock, 'owner' | 'start' | 'end'>): boolean {
    const files = this.files[kind];
    if (files.size === 0) return false;
    const key = identity(inode);
    const before = files.get(key);
    const concerns = (held: Lock): boolean => held.owner === owner && held.end > start && held.start < end;
    if (!before?.some(concerns)) return false;
    const rest = before.flatMap((held): Lock[] => {
      if (!concerns(held)) return [held];
      return [
        { ...held, end: Math.min(held.end, start) },
        { ...held, start: Math.max(held.start, end) },
      ].filter((part) => part.start < part.end);
    });
    this.replace(files, key, rest);
    return true;
  }

  private replace(files: Map<string, Lock[]>, key: string, rest: Lock[]): void {
    this.count += rest.length - files.get(key)!.length;
    if (rest.length > 0) files.set(key, rest);
    else files.delete(key);
  }

  /** A process has ended. */
  forget(owner: object): void {
    for (const [key, held] of this.files.fcntl) {
      const rest = held.filter((lock) => lock.owner !== owner);
      this.replace(this.files.fcntl, key, rest);
    }
    this.queue.wake();
  }
}

/** All of a file. */
export const WHOLE = { start: 0, end: Number.POSITIVE_INFINITY };
