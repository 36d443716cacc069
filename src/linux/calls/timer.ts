import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { Timer } from '../timers.ts';
import {
  clock,
  readTimespec,
  readTimespec64,
  readTimeval,
  TIMER_ABSTIME,
  type WriteTime,
  writeTimespec,
  writeTimespec64,
  writeTimeval,
} from './time.ts';

export type ReadTime = (p: Process, address: number) => number;

/** `value` is 0 for a timer that is only to stop; `passed` of it is over. */
export function setTimer(timer: Timer, value: number, interval: number, passed = 0): void {
  if (value > 0) timer.start(value - passed, interval);
  else timer.stop();
}

/** struct itimerval or itimerspec: interval, value; `size` of each. */
export function writeSetting(p: Process, timer: Timer | undefined, address: number, size: number, write: WriteTime): void {
  [timer?.interval ?? 0, timer?.left ?? 0].forEach((milliseconds, n) => {
    write(p, address + n * size, BigInt(Math.round(milliseconds * 1e6)));
  });
}

/** The other two run on processor time in Linux, here on the clock. */
const INTERVAL_SIGNALS = ['SIGALRM', 'SIGVTALRM', 'SIGPROF'] as const;
const ITIMER_REAL = 0;
const TIMEVAL = 8;

function intervalTimer(p: Process, which: number): Timer {
  const { intervalTimers } = p.group;
  let timer = intervalTimers.get(which);
  if (!timer) {
    timer = new Timer(p, () => void p.signals.raise(INTERVAL_SIGNALS[which]));
    intervalTimers.set(which, timer);
  }
  return timer;
}

function setIntervalTimer(p: Process, which: number, setting: number, before: number): number {
  if (which >= INTERVAL_SIGNALS.length) return -Errno.EINVAL;
  const [interval, value] = setting === 0 ? [0, 0] : [readTimeval(p, setting), readTimeval(p, setting + TIMEVAL)];
  const timer = intervalTimer(p, which);
  if (before !== 0) writeSetting(p, timer, before, TIMEVAL, writeTimeval);
  setTimer(timer, value, interval);
  return 0;
}

function alarm(p: Process, seconds: number): number {
  const timer = intervalTimer(p, ITIMER_REAL);
  const { left } = timer;
  setTimer(timer, seconds * 1000, 0);
  return left === 0 ? 0 : Math.max(1, Math.round(left / 1000));
}

/** sigevent(7): sigev_notify */
const enum Notify {
  Signal = 0,
  None = 1,
  Thread = 2,
  ThreadId = 4,
}
/** SI_TIMER, which MIPS numbers its own way. */
const timerCode = (p: Process): number => (p.abi.name === 'i386' ? -2 : -3);
/** Timers of a process at most (RLIMIT_SIGPENDING bounds them in Linux). */
const MAX_TIMERS = 1024;

/** timer_create(2) */
export interface PosixTimer {
  readonly clock: number;
  readonly timer: Timer;
  overrun: number;
}

function create(p: Process, id: number, event: number, result: number): number {
  const { posixTimers } = p.group;
  if (clock(p, id) === undefined) return -Errno.EINVAL;
  if (posixTimers.size >= MAX_TIMERS) return -Errno.EAGAIN;
  let number = 0;
  while (posixTimers.has(number)) number++;
  const [value, signal, notify, thread] = event === 0 ? [number, p.signals.number('SIGALRM'), Notify.Signal, 0] : readEvent(p, event);
  if (![Notify.Signal, Notify.None, Notify.Thread, Notify.ThreadId].includes(notify)) return -Errno.EINVAL;
  if (notify !== Notify.None && !p.signals.isValid(signal)) return -Errno.EINVAL;
  if (notify === Notify.ThreadId && !p.group.threads.has(thread)) return -Errno.EINVAL;
  p.memory.setU32(result, number);
  const posix: PosixTimer = {
    clock: id,
    overrun: 0,
    timer: new Timer(p, (missed) => {
      posix.overrun = Math.min(missed, 0x7fff_ffff);
      const info = { code: timerCode(p), pid: 0, uid: posix.overrun, value };
      if (notify === Notify.ThreadId) p.group.threads.get(thread)?.signals.raiseHere(signal, info);
      else if (notify !== Notify.None) p.signals.raise(signal, info);
    }),
  };
  posixTimers.set(number, posix);
  return 0;
}
const readEvent = (p: Process, address: number): number[] => [0, 4, 8, 12].map((offset) => p.memory.i32(address + offset));

function set(p: Process, a: readonly number[], size: number, read: ReadTime, write: WriteTime): number {
  const posix = p.group.posixTimers.get(a[0]);
  if (!posix) return -Errno.EINVAL;
  const interval = read(p, a[2]);
  const value = read(p, a[2] + size);
  if (a[3] !== 0) writeSetting(p, posix.timer, a[3], size, write);
  setTimer(posix.timer, value, interval, a[1] & TIMER_ABSTIME ? Number(clock(p, posix.clock)) / 1e6 : 0);
  return 0;
}

function get(p: Process, a: readonly number[], size: number, write: WriteTime): number {
  const posix = p.group.posixTimers.get(a[0]);
  if (!posix) return -Errno.EINVAL;
  writeSetting(p, posix.timer, a[1], size, write);
  return 0;
}

export const timerCalls: Calls = {
  alarm: (p, a) => alarm(p, a[0]),
  getitimer: (p, a) => {
    if (a[0] >= INTERVAL_SIGNALS.length) return -Errno.EINVAL;
    writeSetting(p, p.group.intervalTimers.get(a[0]), a[1], TIMEVAL, writeTimeval);
    return 0;
  },
  setitimer: partial(
    (p, a) => setIntervalTimer(p, a[0], a[1], a[2]),
    'ITIMER_VIRTUAL and ITIMER_PROF run on the clock, not on processor time',
  ),
  timer_create: partial((p, a) => create(p, a[0], a[1], a[2]), 'all run on the host’s monotonic clock'),
  timer_settime: (p, a) => set(p, a, 8, readTimespec, writeTimespec),
  timer_settime64: (p, a) => set(p, a, 16, readTimespec64, writeTimespec64),
  timer_gettime: (p, a) => get(p, a, 8, writeTimespec),
  timer_gettime64: (p, a) => get(p, a, 16, writeTimespec64),
  timer_getoverrun: (p, a) => p.group.posixTimers.get(a[0])?.overrun ?? -Errno.EINVAL,
  timer_delete: (p, a) => {
    p.group.posixTimers.get(a[0])?.timer.stop();
    return p.group.posixTimers.delete(a[0]) ? 0 : -Errno.EINVAL;
  },
};
