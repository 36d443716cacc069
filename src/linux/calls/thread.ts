import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { copyThread, forkProcess } from '../fork.ts';
import type { Process } from '../process.ts';
import { TraceEvent, traceChild, traceEvent, wantsEvent } from '../ptrace.ts';
import { type Calls, partial, type SyscallResult } from '../syscall.ts';
import { INIT } from '../system.ts';
import { ignoringFaults } from './arguments.ts';
import { releaseFutexes } from './futex.ts';
import { openProcess } from './pidfd.ts';
import { mayAccess } from './ptrace.ts';
import { threadOf } from './signal.ts';

/** clone(2) */
const enum Clone {
  Vm = 0x100,
  Fs = 0x200,
  Files = 0x400,
  SigHand = 0x800,
  PidFd = 0x1000,
  Ptrace = 0x2000,
  Vfork = 0x4000,
  /** The child of the caller's parent. */
  Parent = 0x8000,
  Thread = 0x10000,
  SysvSem = 0x40000,
  SetTls = 0x80000,
  ParentSetTid = 0x100000,
  ChildClearTid = 0x200000,
  Detached = 0x400000,
  Untraced = 0x800000,
  ChildSetTid = 0x1000000,
  Io = 0x80000000,
  /** What a thread shares with the others. */
  Shared = Vm | Fs | Files | SigHand | Thread,
  /** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET; NEWUSER needs no capability. */
  Spaces = 0x6e02_0000,
  /** What makes no difference here. */
  Idle = Ptrace | SysvSem | Detached | Untraced | Io,
  /** What else a process that is not a thread may ask for. */
  Forks = Vm | Fs | Files | SigHand | Vfork | Parent | PidFd,
  TidFlags = SetTls | ParentSetTid | ChildClearTid | ChildSetTid,
  /** The signal at the end of a process. */
  Signal = 0xff,
}

/** Threads of all processes at most. */
const MAX_THREADS = 4096;

/** struct clone_args, of words of 64 bits. */
const enum CloneArgs {
  Flags = 0,
  PidFd = 8,
  ChildTid = 16,
  ParentTid = 24,
  ExitSignal = 32,
  Stack = 40,
  StackSize = 48,
  Tls = 56,
  /** set_tid, set_tid_size, cgroup: later versions of it. */
  SetTidSize = 72,
  Cgroup = 80,
  Size = 88,
}
const CLONE_ARGS_FIRST = 64;
const PAGE = 4096;

function clone3(p: Process, address: number, size: number): SyscallResult {
  if (size > PAGE) return -Errno.E2BIG;
  if (size < CLONE_ARGS_FIRST) return -Errno.EINVAL;
  // what a later kernel knows must not be asked for
  if (
    p.memory
      .view(address, size, 'read')
      .subarray(CloneArgs.Size)
      .some((byte) => byte !== 0)
  )
    return -Errno.E2BIG;
  const field = (at: CloneArgs): bigint => (at < size ? p.memory.u64(address + at) : 0n);
  const word = (at: CloneArgs): number => Number(field(at) & 0xffff_ffffn);
  const flags = field(CloneArgs.Flags);
  if (flags > 0xffff_ffffn || flags & BigInt(Clone.Signal | Clone.Detached) || field(CloneArgs.ExitSignal) > 64n) return -Errno.EINVAL;
  if (field(CloneArgs.SetTidSize) !== 0n || field(CloneArgs.Cgroup) !== 0n) return -Errno.EINVAL;
  if ((field(CloneArgs.Stack) === 0n) !== (field(CloneArgs.StackSize) === 0n)) return -Errno.EINVAL;
  const forks = !(Number(flags) & Clone.Thread);
  const signal = word(CloneArgs.ExitSignal);
  if (!forks && signal !== 0) return -Errno.EINVAL;
  const stack = word(CloneArgs.Stack);
  if (stack + word(CloneArgs.StackSize) > p.abi.top) return -Errno.EINVAL;
  return clone(
    p,
    Number(flags) | signal,
    stack + word(CloneArgs.StackSize),
    word(CloneArgs.ParentTid),
    word(CloneArgs.Tls),
    word(CloneArgs.ChildTid),
    word(CloneArgs.PidFd),
  );
}

function clone(
  p: Process,
  flags: number,
  stack: number,
  parentTid: number,
  tls: number,
  childTid: number,
  pidFd = parentTid,
): SyscallResult {
  if (flags & Clone.Spaces) return capable(p, Cap.SysAdmin) ? -Errno.EINVAL : -Errno.EPERM;
  if ((flags & Clone.SigHand && !(flags & Clone.Vm)) || (flags & Clone.Thread && !(flags & Clone.SigHand))) return -Errno.EINVAL;
  const prepare = (child: Process): void => {
    if (stack !== 0) p.abi.setStackPointer(child, stack);
    if (flags & Clone.SetTls) p.abi.setThreadPointer(child, tls);
    if (flags & Clone.ChildSetTid) ignoringFaults(() => child.memory.setU32(childTid, child.tid));
  };
  const started = (tid: number): number => {
    if (flags & Clone.ParentSetTid) ignoringFaults(() => p.memory.setU32(parentTid, tid));
    if (flags & Clone.PidFd) p.memory.setU32(pidFd, openProcess(p, p.system.processes.get(tid)!));
    return tid;
  };
  const rest = flags & ~(Clone.Idle | Clone.TidFlags | Clone.Signal);
  if (!(flags & Clone.Thread)) {
    if (rest & ~Clone.Forks || (flags & Clone.PidFd && (flags & Clone.Detached || (flags & Clone.ParentSetTid && pidFd === parentTid))))
      return -Errno.EINVAL;
    return forkProcess(p, {
      sharesMemory: (flags & Clone.Vm) !== 0,
      sharesFiles: (flags & Clone.Files) !== 0,
      sharesHandlers: (flags & Clone.SigHand) !== 0,
      waits: (flags & Clone.Vfork) !== 0,
      isSibling: (flags & Clone.Parent) !== 0,
      signal: flags & Clone.Signal,
      clearTid: flags & Clone.ChildClearTid ? childTid : 0,
      prepare,
      started,
      untraced: (flags & Clone.Untraced) !== 0,
    });
  }
  // what a thread may have for itself it has in common here
  if ((rest | Clone.Fs | Clone.Files) !== Clone.Shared) return -Errno.EINVAL;
  let threads = 0;
  for (const group of p.system.processes.values()) threads += group.threads.size;
  if (threads >= MAX_THREADS) return -Errno.EAGAIN;
  const signals = p.signals.forThread();
  const thread = copyThread(p, {
    tid: p.system.freeNumber(),
    signals,
    clearTid: flags & Clone.ChildClearTid ? childTid : 0,
  });
  try {
    p.system.scheduler.start(thread, p.system.scheduler.registers(p), () => {
      p.abi.setSyscallResult(thread, 0);
      prepare(thread);
    });
    p.group.threads.set(thread.tid, thread);
  } catch (error) {
    signals.leave();
    throw error;
  }
  const tid = started(thread.tid);
  if (!p.tracing || flags & Clone.Untraced) return tid;
  traceChild(p, thread, TraceEvent.Clone);
  return traceEvent(p, TraceEvent.Clone, tid).then(() => tid);
}

/** exit(2): of this thread. The process ends with the last one, with the status of the first. */
function exit(p: Process, status: number): number {
  p.exited = status & 0xff;
  releaseFutexes(p);
  return 0;
}

/** A tracer may look at what is about to end. */
function afterEvent(p: Process, status: number, end: (p: Process, status: number) => number): SyscallResult {
  const { tracing } = p;
  if (!tracing || !wantsEvent(p, TraceEvent.Exit)) return end(p, status);
  // a thread ends when it has its turn
  tracing.ending = () => void end(p, status);
  return traceEvent(p, TraceEvent.Exit, (status & 0xff) << 8).then(() => 0);
}

export const threadCalls: Calls = {
  clone: partial((p, a) => clone(p, a[0], a[1], a[2], a[3], a[4]), 'no name spaces'),
  clone3: partial((p, a) => clone3(p, a[0], a[1]), 'as clone'),
  fork: (p) => forkProcess(p),
  vfork: (p) => forkProcess(p, { sharesMemory: true, waits: true }),
  exit: (p, a) => afterEvent(p, a[0], exit),
  exit_group: (p, a) =>
    afterEvent(p, a[0], ({ group }, status) => {
      group.end = { code: status & 0xff };
      return 0;
    }),
  gettid: (p) => p.tid,
  set_tid_address: (p, a) => {
    p.clearTid = a[0];
    return p.tid;
  },
  set_robust_list: (p, a) => {
    if (a[1] !== ROBUST_HEAD) return -Errno.EINVAL;
    p.robustList = a[0];
    return 0;
  },
  get_robust_list: (p, a) => {
    const thread = a[0] === 0 ? p : threadOf(p, a[0]);
    if (!thread) return a[0] === INIT && !capable(p, Cap.SysPtrace) ? -Errno.EPERM : -Errno.ESRCH;
    if (thread.group !== p.group && !mayAccess(p, thread)) return -Errno.EPERM;
    p.memory.setU32(a[1], thread.robustList);
    p.memory.setU32(a[2], ROBUST_HEAD);
    return 0;
  },
  /** What waits, if only for a moment, lets others run. */
  sched_yield: (p) => (p.system.processes.size + p.group.threads.size > 2 ? Promise.resolve(0) : 0),
};

/** Bytes of struct robust_list_head. */
const ROBUST_HEAD = 12;
