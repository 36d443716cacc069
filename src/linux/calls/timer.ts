import { Errno } from '../errno.ts';
import type { Process, ThreadGroup } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { clock, readTimespec, readTimespec64, type WriteTime, writeTimespec, writeTimespec64 } from './time.ts';

const MILLION = 1_000_000;
/** sigevent(7): sigev_notify */
const enum Notify {
  Signal = 0,
  None = 1,
  Thread = 2,
  ThreadId = 4,
}
const TIMER_ABSTIME = 1;
/** SI_TIMER, which MIPS numbers its own way. */
const timerCode = (p: Process): number => (p.abi.name === 'i386' ? -2 : -3);
/** Timers of a process at most (RLIMIT_SIGPENDING bounds them in Linux). */
const MAX_TIMERS = 1024;

/** Times in milliseconds of the monotonic clock. */
interface Timer {
  readonly clock: number;
  readonly notify: number;
  readonly signal: number;
  readonly value: number;
  readonly thread: number;
  due: number;
  interval: number;
  overrun: number;
  /** Undefined while it is not armed. */
  stop: AbortController | undefined;
}

const timers = new WeakMap<ThreadGroup, Map<number, Timer>>();
function timersOf({ group }: Process): Map<number, Timer> {
  let map = timers.get(group);
  if (!map) {
    map = new Map();
    timers.set(group, map);
  }
  return map;
}
const now = (p: Process): number => Number(p.host.monotonic()) / MILLION;

function create(p: Process, id: number, event: number, result: number): number {
  const map = timersOf(p);
  if (clock(p, id) === undefined) return -Errno.EINVAL;
  if (map.size >= MAX_TIMERS) return -Errno.EAGAIN;
  let number = 0;
  while (map.has(number)) number++;
  const [value, signal, notify, thread] = event === 0 ? [number, p.signals.number('SIGALRM'), Notify.Signal, 0] : readEvent(p, event);
  if (![Notify.Signal, Notify.None, Notify.Thread, Notify.ThreadId].includes(notify)) return -Errno.EINVAL;
  if (notify !== Notify.None && !p.signals.isValid(signal)) return -Errno.EINVAL;
  if (notify === Notify.ThreadId && !p.group.threads.has(thread)) return -Errno.EINVAL;
  p.memory.setU32(result, number);
  map.set(number, { clock: id, notify, signal, value, thread, due: 0, interval: 0, overrun: 0, stop: undefined });
  return 0;
}
const readEvent = (p: Process, address: number): number[] => [0, 4, 8, 12].map((offset) => p.memory.i32(address + offset));

function expire(p: Process, timer: Timer): void {
  if (timer.notify === Notify.None) return;
  const target = timer.notify === Notify.ThreadId ? p.group.threads.get(timer.thread)?.signals : p.signals;
  if (!target) return;
  const info = { code: timerCode(p), pid: 0, uid: timer.overrun, value: timer.value };
  if (timer.notify === Notify.ThreadId) target.raiseHere(timer.signal, info);
  else target.raise(timer.signal, info);
}

async function run(p: Process, timer: Timer, stop: AbortSignal): Promise<void> {
  for (;;) {
    while (now(p) < timer.due && !stop.aborted) await p.host.sleep(timer.due - now(p), stop);
    if (stop.aborted || p.group.end) return;
    const missed = timer.interval > 0 ? Math.floor((now(p) - timer.due) / timer.interval) : 0;
    timer.overrun = missed;
    expire(p, timer);
    if (timer.interval <= 0) {
      timer.stop = undefined;
      return;
    }
    timer.due += timer.interval * (missed + 1);
  }
}

type Read = (p: Process, address: number) => number;
const toNanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * MILLION));

function writeSetting(p: Process, timer: Timer, address: number, size: number, write: WriteTime): void {
  write(p, address, toNanoseconds(timer.interval));
  write(p, address + size, toNanoseconds(timer.stop ? Math.max(0.001, timer.due - now(p)) : 0));
}

/** struct itimerspec: interval, value; `size` of each. */
function set(p: Process, a: readonly number[], size: number, read: Read, write: WriteTime): number {
  const timer = timersOf(p).get(a[0]);
  if (!timer) return -Errno.EINVAL;
  const interval = read(p, a[2]);
  const value = read(p, a[2] + size);
  if (a[3] !== 0) writeSetting(p, timer, a[3], size, write);
  timer.stop?.abort();
  timer.stop = undefined;
  if (value <= 0) return 0;
  const passed = a[1] & TIMER_ABSTIME ? Number(clock(p, timer.clock)) / MILLION : 0;
  Object.assign(timer, { due: now(p) + value - passed, interval, stop: new AbortController() });
  void run(p, timer, timer.stop!.signal);
  return 0;
}

function get(p: Process, a: readonly number[], size: number, write: WriteTime): number {
  const timer = timersOf(p).get(a[0]);
  if (!timer) return -Errno.EINVAL;
  writeSetting(p, timer, a[1], size, write);
  return 0;
}

/** The end of the program stops its timers. */
export function stopPosixTimers(p: Process): void {
  for (const timer of timersOf(p).values()) timer.stop?.abort();
}

export const timerCalls: Calls = {
  timer_create: partial((p, a) => create(p, a[0], a[1], a[2]), 'all run on the host’s monotonic clock'),
  timer_settime: (p, a) => set(p, a, 8, readTimespec, writeTimespec),
  timer_settime64: (p, a) => set(p, a, 16, readTimespec64, writeTimespec64),
  timer_gettime: (p, a) => get(p, a, 8, writeTimespec),
  timer_gettime64: (p, a) => get(p, a, 16, writeTimespec64),
  timer_getoverrun: (p, a) => timersOf(p).get(a[0])?.overrun ?? -Errno.EINVAL,
  timer_delete: (p, a) => {
    timersOf(p).get(a[0])?.stop?.abort();
    return timersOf(p).delete(a[0]) ? 0 : -Errno.EINVAL;
  },
};
