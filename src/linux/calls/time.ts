import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, SyscallError, type SyscallResult } from '../syscall.ts';

const BILLION = 1_000_000_000n;
const MILLION = 1_000_000;

/** struct timespec in milliseconds; throws EINVAL as the kernel checks it. */
export function readTimespec(p: Process, address: number): number {
  return milliseconds(p.memory.i32(address), p.memory.u32(address + 4));
}
/** struct __kernel_timespec, of which the high half of tv_nsec is padding. */
export function readTimespec64(p: Process, address: number): number {
  return milliseconds(Number(BigInt.asIntN(64, p.memory.u64(address))), Number(BigInt.asUintN(32, p.memory.u64(address + 8))));
}
function milliseconds(seconds: number, nanoseconds: number): number {
  if (seconds < 0 || nanoseconds >= 1e9) throw new SyscallError(Errno.EINVAL);
  return seconds * 1000 + nanoseconds / MILLION;
}

export type WriteTime = (p: Process, address: number, nanoseconds: bigint) => void;
export const writeTimespec: WriteTime = (p, address, time) => {
  p.memory.setU32(address, Number((time / BILLION) & 0xffff_ffffn));
  p.memory.setU32(address + 4, Number(time % BILLION));
};
export const writeTimespec64: WriteTime = (p, address, time) => {
  p.memory.setU64(address, time / BILLION);
  p.memory.setU64(address + 8, time % BILLION);
};
export const writeTimeval: WriteTime = (p, address, time) => {
  p.memory.setU32(address, Number((time / BILLION) & 0xffff_ffffn));
  p.memory.setU32(address + 4, Number((time % BILLION) / 1000n));
};

/** struct timeval in milliseconds; throws EINVAL as the kernel checks it. */
export function readTimeval(p: Process, address: number): number {
  const [seconds, micro] = [p.memory.i32(address), p.memory.u32(address + 4)];
  if (seconds < 0 || micro >= MILLION) throw new SyscallError(Errno.EINVAL);
  return seconds * 1000 + micro / 1000;
}

/** Time that the process had the processor. */
function processTime(p: Process): bigint {
  p.system.scheduler.account();
  return p.group.processorTime;
}

/** Time since the host's own clock started, a plausible uptime. */
const MILLISECOND_CLOCKS = new Set([5, 6]);

/** clock_gettime(2): nanoseconds; undefined for a clock that does not exist. */
export function clock(p: Process, id: number): bigint | undefined {
  switch (id) {
    case 0:
    case 5:
    case 8:
    case 11:
      return p.host.now();
    case 1:
    case 4:
    case 6:
    case 7:
    case 9:
      return p.host.monotonic();
    case 2:
    case 3:
      return processTime(p);
    default: {
      // CPU clocks of a process or thread: ~pid << 3 | kind
      const pid = ~(id | 0) >> 3;
      const other = p.system.processes.get(pid);
      if (other && (id & 3) !== 3) return processTime(other.leader);
      return (id | 0) < 0 && (pid === 0 || p.group.threads.has(pid)) && (id & 3) !== 3 ? processTime(p) : undefined;
    }
  }
}

function gettime(p: Process, id: number, address: number, write: WriteTime): number {
  const time = clock(p, id);
  if (time === undefined) return -Errno.EINVAL;
  write(p, address, time);
  return 0;
}

function getres(p: Process, id: number, address: number, write: WriteTime): number {
  if (clock(p, id) === undefined) return -Errno.EINVAL;
  if (address !== 0) write(p, address, MILLISECOND_CLOCKS.has(id) ? 4_000_000n : 1n);
  return 0;
}

export const TIMER_ABSTIME = 1;

/** `duration` in milliseconds; `remaining` is where to write what a signal left of it. */
async function sleepFor(p: Process, duration: number, remaining: number, write: WriteTime): Promise<number> {
  const end = p.host.monotonic() + BigInt(Math.round(duration * MILLION));
  for (;;) {
    const left = end - p.host.monotonic();
    if (left <= 0n) return 0;
    const abort = p.interrupt();
    if (abort.aborted) {
      if (remaining !== 0) write(p, remaining, left);
      return -Errno.EINTR;
    }
    await p.host.sleep(Number(left) / MILLION, abort);
  }
}

function sleepOn(p: Process, id: number, flags: number, duration: number, remaining: number, write: WriteTime): SyscallResult {
  const now = clock(p, id);
  if (now === undefined) return -Errno.EINVAL;
  // of a thread's time, and those that are read only
  if (id >= 3 && id <= 6) return -Errno.EOPNOTSUPP;
  if (!(flags & TIMER_ABSTIME)) return sleepFor(p, duration, remaining, write);
  return sleepFor(p, duration - Number(now) / MILLION, 0, write);
}

/** Ticks of AT_CLKTCK: 100 a second. */
const ticks = (nanoseconds: bigint): number => Number((nanoseconds / 10_000_000n) & 0x7fff_ffffn);

const RUSAGE_CHILDREN = -1;

/** struct rusage with this user time. */
export function writeUsage(p: Process, address: number, time: bigint): void {
  p.memory.view(address, 72, 'write').fill(0);
  writeTimeval(p, address, time);
}

function getrusage(p: Process, who: number, address: number): number {
  if ((who | 0) > 1 || (who | 0) < RUSAGE_CHILDREN) return -Errno.EINVAL;
  if ((who | 0) === RUSAGE_CHILDREN) {
    writeUsage(p, address, p.group.childrenTime);
    return 0;
  }
  writeUsage(p, address, processTime(p));
  // ru_maxrss, KiB
  p.memory.setU32(address + 16, p.map.peak / 1024);
  return 0;
}

const clockNote = 'all sleeping clocks run on the host’s monotonic clock';

export const timeCalls: Calls = {
  time: (p, a) => {
    const seconds = Number(p.host.now() / BILLION) >>> 0;
    if (a[0] !== 0) p.memory.setU32(a[0], seconds);
    return seconds;
  },
  stime: () => -Errno.EPERM,
  gettimeofday: (p, a) => {
    if (a[0] !== 0) writeTimeval(p, a[0], p.host.now());
    if (a[1] !== 0) p.memory.setU64(a[1], 0n);
    return 0;
  },
  settimeofday: () => -Errno.EPERM,
  clock_gettime: (p, a) => gettime(p, a[0], a[1], writeTimespec),
  clock_gettime64: (p, a) => gettime(p, a[0], a[1], writeTimespec64),
  clock_settime: () => -Errno.EPERM,
  clock_settime64: () => -Errno.EPERM,
  clock_adjtime: () => -Errno.EPERM,
  clock_adjtime64: () => -Errno.EPERM,
  adjtimex: () => -Errno.EPERM,
  clock_getres: (p, a) => getres(p, a[0], a[1], writeTimespec),
  clock_getres_time64: (p, a) => getres(p, a[0], a[1], writeTimespec64),
  nanosleep: (p, a) => sleepFor(p, readTimespec(p, a[0]), a[1], writeTimespec),
  clock_nanosleep: partial((p, a) => sleepOn(p, a[0], a[1], readTimespec(p, a[2]), a[3], writeTimespec), clockNote),
  clock_nanosleep_time64: partial((p, a) => sleepOn(p, a[0], a[1], readTimespec64(p, a[2]), a[3], writeTimespec64), clockNote),
  times: (p, a) => {
    if (a[0] !== 0) {
      p.memory.view(a[0], 16, 'write').fill(0);
      p.memory.setU32(a[0], ticks(processTime(p)));
      // tms_cutime
      p.memory.setU32(a[0] + 8, ticks(p.group.childrenTime));
    }
    return ticks(p.host.monotonic());
  },
  getrusage: partial((p, a) => getrusage(p, a[0], a[1]), 'user time and largest memory only'),
};
