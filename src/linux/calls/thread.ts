import { Errno } from '../errno.ts';
import { copyThread, forkProcess } from '../fork.ts';
import type { Process } from '../process.ts';
import { TraceEvent, traceChild, traceEvent, wantsEvent } from '../ptrace.ts';
import { type Calls, partial, type SyscallResult } from '../syscall.ts';
import { ignoringFaults } from './arguments.ts';
import { releaseFutexes } from './futex.ts';
import { openProcess } from './pidfd.ts';

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

function clone(p: Process, flags: number, stack: number, parentTid: number, tls: number, childTid: number): SyscallResult {
  if ((flags & Clone.SigHand && !(flags & Clone.Vm)) || (flags & Clone.Thread && !(flags & Clone.SigHand))) return -Errno.EINVAL;
  const prepare = (child: Process): void => {
    if (stack !== 0) p.abi.setStackPointer(child, stack);
    if (flags & Clone.SetTls) p.abi.setThreadPointer(child, tls);
    if (flags & Clone.ChildSetTid) ignoringFaults(() => child.memory.setU32(childTid, child.tid));
  };
  const started = (tid: number): number => {
    if (flags & Clone.ParentSetTid) ignoringFaults(() => p.memory.setU32(parentTid, tid));
    if (flags & Clone.PidFd) p.memory.setU32(parentTid, openProcess(p, p.system.processes.get(tid)!));
    return tid;
  };
  const rest = flags & ~(Clone.Idle | Clone.TidFlags | Clone.Signal);
  if (!(flags & Clone.Thread)) {
    if (rest & ~Clone.Forks || (flags & Clone.PidFd && flags & (Clone.ParentSetTid | Clone.Detached))) return -Errno.EINVAL;
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
  if (rest !== Clone.Shared) return -Errno.EINVAL;
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
    const thread = a[0] === 0 ? p : p.group.threads.get(a[0]);
    if (!thread) return -Errno.ESRCH;
    p.memory.setU32(a[1], thread.robustList);
    p.memory.setU32(a[2], ROBUST_HEAD);
    return 0;
  },
  /** What waits, if only for a moment, lets others run. */
  sched_yield: (p) => (p.system.processes.size + p.group.threads.size > 2 ? Promise.resolve(0) : 0),
};

/** Bytes of struct robust_list_head. */
const ROBUST_HEAD = 12;
