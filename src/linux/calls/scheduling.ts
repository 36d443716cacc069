import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { NO_SCHEDULING, type Process, type Scheduling } from '../process.ts';
import type { Calls, Syscall } from '../syscall.ts';
import { INIT } from '../system.ts';
import { threadOf } from './signal.ts';
import { type WriteTime, writeTimespec, writeTimespec64 } from './time.ts';

/** sched(7) */
const enum Policy {
  Other = 0,
  Fifo = 1,
  RoundRobin = 2,
  Batch = 3,
  Idle = 5,
  Deadline = 6,
}
const RESET_ON_FORK = 0x4000_0000;
const isRealtime = (policy: number): boolean => policy === Policy.Fifo || policy === Policy.RoundRobin;
const isKnown = (policy: number): boolean => policy <= Policy.Batch || policy === Policy.Idle || policy === Policy.Deadline;
const HIGHEST = 99;

/** How long a thread runs before another has its turn, whatever its policy. */
const TURN = 10_000_000n;

/** struct sched_attr, the first version. */
const enum Attr {
  Policy = 4,
  Flags = 8,
  Nice = 16,
  Priority = 20,
  Runtime = 24,
  Size = 48,
}
const PAGE = 4096;
/** Nanoseconds. */
const LEAST_RUNTIME = 1024n;

/** Numbers that are negative are invalid, others may be nobody's. */
function target(p: Process, pid: number): Process | number {
  if ((pid | 0) < 0) return -Errno.EINVAL;
  // init is no guest process
  if (pid === INIT) return { ...p.system.first.leader, scheduling: NO_SCHEDULING };
  return pid === 0 ? p : (threadOf(p, pid) ?? p.system.processes.get(pid)?.leader ?? -Errno.ESRCH);
}

/** What is set has no effect: threads take turns. */
function set(p: Process, of: Process, next: Scheduling): number {
  const { policy, priority } = next;
  if (!isKnown(policy)) return -Errno.EINVAL;
  if (isRealtime(policy) ? priority < 1 || priority > HIGHEST : priority !== 0) return -Errno.EINVAL;
  const [runtime, deadline, period] = next.deadline;
  if (policy === Policy.Deadline && (runtime < LEAST_RUNTIME || runtime > deadline || (period !== 0n && deadline > period)))
    return -Errno.EINVAL;
  if (!capable(p, Cap.SysNice)) {
    const mayRaise = !isRealtime(policy) || priority <= of.scheduling.priority || priority <= of.limits.rtprio.soft;
    const { euid } = p.credentials;
    const isOwn = euid === of.credentials.euid || euid === of.credentials.uid;
    if (!mayRaise || !isOwn || policy === Policy.Deadline) return -Errno.EPERM;
  }
  of.scheduling = next;
  return 0;
}

function setScheduler(p: Process, pid: number, policy: number | undefined, address: number): number {
  if (address === 0 || (policy !== undefined && (policy | 0) < 0)) return -Errno.EINVAL;
  if ((pid | 0) < 0) return -Errno.EINVAL;
  const priority = p.memory.i32(address);
  const of = target(p, pid);
  if (typeof of === 'number') return of;
  const wanted = policy === undefined ? of.scheduling.policy : policy & ~RESET_ON_FORK;
  const resets = policy === undefined ? of.scheduling.resets : (policy & RESET_ON_FORK) !== 0;
  return set(p, of, { ...NO_SCHEDULING, policy: wanted, priority, resets });
}

const ask =
  (tell: (p: Process, of: Process, a: readonly number[]) => number): Syscall =>
  (p, a) => {
    const of = target(p, a[0]);
    return typeof of === 'number' ? of : tell(p, of, a);
  };

const roundRobin = (write: WriteTime): Syscall =>
  ask((p, of, a) => {
    write(p, a[1], of.scheduling.policy === Policy.Fifo ? 0n : TURN);
    return 0;
  });

function setAttr(p: Process, a: readonly number[]): number {
  const [pid, address, flags] = a;
  if (address === 0 || (pid | 0) < 0 || flags !== 0) return -Errno.EINVAL;
  const size = p.memory.u32(address);
  if ((size !== 0 && size < Attr.Size) || size > PAGE) {
    p.memory.setU32(address, Attr.Size);
    return -Errno.E2BIG;
  }
  const of = target(p, pid);
  if (typeof of === 'number') return of;
  const time = (n: number): bigint => p.memory.u64(address + Attr.Runtime + n * 8);
  const policy = p.memory.u32(address + Attr.Policy);
  const nice = p.memory.i32(address + Attr.Nice);
  const resets = (p.memory.u32(address + Attr.Flags) & 1) !== 0;
  const error = set(p, of, { policy, priority: p.memory.u32(address + Attr.Priority), deadline: [time(0), time(1), time(2)], resets });
  if (error === 0 && (policy === Policy.Other || policy === Policy.Batch)) of.group.nice = Math.max(-20, Math.min(19, nice));
  return error;
}

function getAttr(p: Process, a: readonly number[]): number {
  const [pid, address, size, flags] = a;
  if (address === 0 || size < Attr.Size || size > PAGE || flags !== 0) return -Errno.EINVAL;
  const of = target(p, pid);
  if (typeof of === 'number') return of;
  const { policy, priority, deadline, resets } = of.scheduling;
  p.memory.view(address, Attr.Size, 'write').fill(0);
  p.memory.setU32(address, Attr.Size);
  p.memory.setU32(address + Attr.Policy, policy);
  p.memory.setU32(address + Attr.Flags, Number(resets));
  p.memory.setU32(address + Attr.Nice, of.group.nice >>> 0);
  p.memory.setU32(address + Attr.Priority, priority);
  deadline.forEach((time, n) => {
    p.memory.setU64(address + Attr.Runtime + n * 8, time);
  });
  return 0;
}

export const schedulingCalls: Calls = {
  sched_setscheduler: (p, a) => setScheduler(p, a[0], a[1], a[2]),
  sched_setparam: (p, a) => setScheduler(p, a[0], undefined, a[1]),
  sched_getscheduler: ask((_p, { scheduling }) => scheduling.policy | (scheduling.resets ? RESET_ON_FORK : 0)),
  sched_getparam: (p, a) => {
    if (a[1] === 0) return -Errno.EINVAL;
    const of = target(p, a[0]);
    if (typeof of === 'number') return of;
    p.memory.setU32(a[1], of.scheduling.priority);
    return 0;
  },
  sched_get_priority_max: (_p, a) => (isKnown(a[0]) ? (isRealtime(a[0]) ? HIGHEST : 0) : -Errno.EINVAL),
  sched_get_priority_min: (_p, a) => (isKnown(a[0]) ? Number(isRealtime(a[0])) : -Errno.EINVAL),
  sched_rr_get_interval: roundRobin(writeTimespec),
  sched_rr_get_interval_time64: roundRobin(writeTimespec64),
  sched_setattr: setAttr,
  sched_getattr: getAttr,
};
