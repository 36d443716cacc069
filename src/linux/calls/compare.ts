import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { watched } from './epoll.ts';
import { mayAccess } from './ptrace.ts';
import { threadOf } from './signal.ts';

/** kcmp(2) */
const enum Kind {
  File = 0,
  Memory = 1,
  Files = 2,
  FileSystem = 3,
  Handlers = 4,
  InputOutput = 5,
  Undo = 6,
  Watched = 7,
}

/** Numbers of what is compared, in the order in which they were asked for. */
const numbers = new WeakMap<object, number>();
let last = 0;
function numberOf(object: object | undefined): number {
  if (!object) return 0;
  const number = numbers.get(object) ?? ++last;
  numbers.set(object, number);
  return number;
}

/** What a process has of that kind; undefined for none. */
function partOf({ space, files, signals, group, system }: Process, kind: number): object | undefined {
  switch (kind) {
    case Kind.Memory:
      return space;
    // here who has descriptors in common has the working directory, too
    case Kind.Files:
    case Kind.FileSystem:
      return files;
    case Kind.Handlers:
      return signals.handlers;
    case Kind.InputOutput:
      return undefined;
    case Kind.Undo:
      return [...system.semaphores.byId.values()].some(({ undo }) => undo.has(group)) ? group : undefined;
    default:
      return fail('EINVAL');
  }
}

function compare(p: Process, pids: readonly [number, number], kind: number, first: number, second: number): number {
  const [one, other] = pids.map((pid) => threadOf(p, pid) ?? fail('ESRCH'));
  for (const thread of [one, other]) if (thread.group !== p.group && !mayAccess(p, thread)) return -Errno.EPERM;
  let parts: readonly (object | undefined)[];
  if (kind === Kind.File) parts = [one.files.get(first), other.files.get(second)];
  else if (kind === Kind.Watched) {
    // struct kcmp_epoll_slot: efd, tfd, toff
    const [instance, target, skipped] = [0, 4, 8].map((offset) => p.memory.u32(second + offset));
    parts = [one.files.get(first), watched(other, instance, target, skipped)];
  } else parts = [partOf(one, kind), partOf(other, kind)];
  const [a, b] = parts.map(numberOf);
  return a === b ? 0 : a < b ? 1 : 2;
}

export const compareCalls: Calls = {
  kcmp: partial(
    (p, a) => compare(p, [a[0], a[1]], a[2], a[3], a[4]),
    'nobody has an I/O context, and a list of semaphores to undo who has used SEM_UNDO; order is that of the questions',
  ),
};
