import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type Description, describe } from '../fs/file-table.ts';
import { SpecialInode } from '../fs/synthetic.ts';
import { type OpenFile, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process } from '../process.ts';
import type { Syscall, SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import { ready, timespec64, withMask } from './poll.ts';

const enum Control {
  Add = 1,
  Delete = 2,
  Modify = 3,
}

const EPOLLONESHOT = 1 << 30;
const EPOLLET = 0x8000_0000;

interface Interest {
  readonly description: Description;
  events: number;
  data: bigint;
  /** Edge-triggered: what was ready at the last report, unless something has happened since. */
  reported: number;
  /** Ends that what happens is noted. */
  unsubscribe?: (() => void) | undefined;
}

/** What has happened may be reported though it is what was reported before. */
function watchEdges(interest: Interest): void {
  interest.unsubscribe?.();
  const isEdge = (interest.events & EPOLLET) !== 0;
  interest.unsubscribe = isEdge ? interest.description.file?.subscribe?.((events) => (interest.reported &= ~events)) : undefined;
}

/** An epoll instance: interests by descriptor number. */
class Interests extends Map<number, Interest> {
  /** There is another one, or one has changed. */
  readonly changed = new WaitQueue();
}

const instances = new WeakMap<OpenFile, Interests>();

/** The instances that have been told to watch this one. */
const watchedBy = new WeakMap<Interests, Set<Interests>>();

/** Instances above each other at most (EP_MAX_NESTS and the lowest), and ways from one down to those that it watches. */
const MOST_LEVELS = 5;
const MOST_WAYS = 1000;

/** How many instances lie in a chain from this one down, and how many ways there are; ELOOP if `forbidden` is among them. */
function below(map: Interests, forbidden?: Interests): { levels: number; ways: number } {
  if (map === forbidden) fail('ELOOP');
  let levels = 1;
  let ways = 1;
  for (const { description } of map.values()) {
    const nested = description.references > 0 && description.file && instances.get(description.file);
    if (!nested) continue;
    const found = below(nested, forbidden);
    levels = Math.max(levels, found.levels + 1);
    ways += found.ways;
  }
  return { levels, ways };
}

/** The instances that watch this one, however far above, itself included. */
function above(map: Interests, watchers = new Set([map])): Set<Interests> {
  for (const watcher of watchedBy.get(map) ?? []) if (!watchers.has(watcher)) above(watcher, watchers.add(watcher));
  return watchers;
}
function remove(map: Interests, target: number): void {
  const { unsubscribe, description } = map.get(target)!;
  unsubscribe?.();
  map.delete(target);
  const nested = description.file && instances.get(description.file);
  if (nested && ![...map.values()].some(({ description: { file } }) => file === description.file)) watchedBy.get(nested)?.delete(map);
}

/** ELOOP for what would watch itself or lies too deep, EINVAL for too many ways (epoll_ctl(2)). */
function nest(map: Interests, nested: Interests, add: () => void, takeBack: () => void): void {
  below(nested, map);
  add();
  watchedBy.set(nested, (watchedBy.get(nested) ?? new Set()).add(map));
  for (const watcher of above(map)) {
    const { levels, ways } = below(watcher);
    if (levels <= MOST_LEVELS && ways <= MOST_WAYS) continue;
    takeBack();
    fail(levels > MOST_LEVELS ? 'ELOOP' : 'EINVAL');
  }
}

function interests(p: Process, fd: number): Interests {
  const { file } = p.files.get(fd);
  return (file && instances.get(file)) ?? fail('EINVAL');
}

function create(p: Process, closeOnExec: boolean): number {
  const map = new Interests();
  const inode = new SpecialInode(p.files.pipes, 0, 0o600, 0, () => fail('ENXIO'));
  const file: OpenFile = {
    inode,
    seekable: false,
    read: () => fail('EINVAL'),
    write: () => fail('EINVAL'),
    poll: () => ([...map.values()].some((interest) => ready(interest.description.file, interest.events & 0xffff)) ? Poll.In : 0),
    subscribe(listener) {
      const toAll = () => [...map.values()].flatMap(({ description }) => description.file?.subscribe?.(listener) ?? []);
      let ends = toAll();
      const stop = (): void => {
        for (const end of ends) end();
      };
      const endChanges = map.changed.subscribe((events) => {
        stop();
        ends = toAll();
        listener(events);
      });
      return () => {
        endChanges();
        stop();
      };
    },
    close() {
      for (const target of [...map.keys()]) remove(map, target);
    },
  };
  instances.set(file, map);
  const description = describe(inode, file, { read: true, write: true }, 'anon_inode:[eventpoll]');
  return p.files.install(description, p.limits.nofile.soft, closeOnExec);
}

function control(p: Process, fd: number, operation: number, target: number, address: number): number {
  const map = interests(p, fd);
  const description = p.files.get(target);
  if (fd === target) return -Errno.EINVAL;
  if (description.pathOnly) return -Errno.EBADF;
  // Files that are always ready cannot be waited for.
  if (!description.file?.poll) return -Errno.EPERM;
  const known = map.get(target);
  const current = known?.description === description ? known : undefined;
  if (operation === Control.Delete) {
    if (!current) return -Errno.ENOENT;
    remove(map, target);
    return 0;
  }
  const events = p.memory.u32(address);
  const data = p.memory.u64(address + p.abi.epollData);
  if (operation === Control.Add) {
    if (current) return -Errno.EEXIST;
    if (known) remove(map, target);
    const interest: Interest = { description, events, data, reported: 0 };
    const add = (): void => void map.set(target, interest);
    const nested = instances.get(description.file);
    if (nested) nest(map, nested, add, () => remove(map, target));
    else add();
    watchEdges(interest);
    map.changed.wake();
    return 0;
  }
  if (operation !== Control.Modify) return -Errno.EINVAL;
  if (!current) return -Errno.ENOENT;
  Object.assign(current, { events, data, reported: 0 });
  watchEdges(current);
  map.changed.wake();
  return 0;
}

function wait(p: Process, fd: number, address: number, most: number, timeout: number): SyscallResult {
  const map = interests(p, fd);
  if ((most | 0) <= 0) return -Errno.EINVAL;
  const size = p.abi.epollData + 8;
  // closing the last descriptor takes a file out of the set
  for (const [target, { description }] of map) if (description.references === 0) remove(map, target);
  const attempt = (last: boolean): number => {
    let found = 0;
    for (const [target, interest] of [...map]) {
      if (found === most) break;
      if (interest.events === EPOLLONESHOT) continue;
      const events = ready(interest.description.file, interest.events & 0xffff);
      const fresh = interest.events & EPOLLET ? events & ~interest.reported : events;
      interest.reported = events;
      if (!fresh) continue;
      const at = address + found * size;
      p.memory.setU32(at, events);
      p.memory.setU64(at + p.abi.epollData, interest.data);
      if (interest.events & EPOLLONESHOT) interest.events = EPOLLONESHOT;
      found++;
      // the others come before it the next time
      map.delete(target);
      map.set(target, interest);
    }
    return found > 0 || last ? found : WOULD_BLOCK;
  };
  const milliseconds = (timeout | 0) < 0 ? undefined : timeout;
  return waitFor(p, [p.files.get(fd).file!], attempt, { milliseconds, interrupted: () => -Errno.EINTR });
}

/** What an instance has been told to watch under a descriptor's number, after `skipped` others of that number (kcmp(2)). */
export function watched(p: Process, fd: number, target: number, skipped: number): Description {
  const { file } = p.files.get(fd);
  const interest = instances.get(file ?? fail('EINVAL')) ?? fail('EINVAL');
  return (skipped === 0 ? interest.get(target)?.description : undefined) ?? fail('ENOENT');
}

/** epoll over what has poll(). */
export const epollCalls = {
  epoll_create: (p, a) => ((a[0] | 0) <= 0 ? -Errno.EINVAL : create(p, false)),
  epoll_create1: (p, a) => (a[0] & ~p.abi.open.O_CLOEXEC ? -Errno.EINVAL : create(p, a[0] !== 0)),
  epoll_ctl: (p, a) => control(p, a[0], a[1], a[2], a[3]),
  epoll_wait: (p, a) => wait(p, a[0], a[1], a[2], a[3]),
  epoll_pwait2: (p, a) => {
    const timeout = a[3] === 0 ? -1 : Math.ceil(timespec64(p, a[3]));
    return withMask(p, a[4], a[5], () => wait(p, a[0], a[1], a[2], timeout));
  },
  epoll_pwait: (p, a) => withMask(p, a[4], a[5], () => wait(p, a[0], a[1], a[2], a[3])),
} satisfies Record<string, Syscall>;
