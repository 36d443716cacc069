import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { ignoringFaults } from './arguments.ts';
import { releaseFutexes } from './futex.ts';

/** clone(2) */
const enum Clone {
  Vm = 0x100,
  Fs = 0x200,
  Files = 0x400,
  SigHand = 0x800,
  Ptrace = 0x2000,
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
  TidFlags = SetTls | ParentSetTid | ChildClearTid | ChildSetTid,
  /** The signal at the end of a process. */
  Signal = 0xff,
}

/** Threads of a process at most. */
const MAX_THREADS = 4096;
/** pid_max */
const MAX_TID = 1 << 22;

function freeTid(p: Process): number {
  let tid = Math.max(...p.group.threads.keys()) + 1;
  if (tid < MAX_TID) return tid;
  for (tid = p.pid + 1; p.group.threads.has(tid); ) tid++;
  return tid;
}

function clone(p: Process, flags: number, stack: number, parentTid: number, tls: number, childTid: number): number {
  if ((flags & Clone.SigHand && !(flags & Clone.Vm)) || (flags & Clone.Thread && !(flags & Clone.SigHand))) return -Errno.EINVAL;
  if ((flags & Clone.Shared) !== Clone.Shared || flags & ~(Clone.Shared | Clone.Idle | Clone.TidFlags | Clone.Signal)) {
    p.warn('syscall clone', 'system call clone is not implemented for what is not a thread (one process)');
    return -Errno.ENOSYS;
  }
  if (p.group.threads.size >= MAX_THREADS) return -Errno.EAGAIN;
  const { exited: _, interrupted: __, ...shared } = p;
  const signals = p.signals.forThread();
  const thread: Process = {
    ...shared,
    tid: freeTid(p),
    signals,
    clearTid: flags & Clone.ChildClearTid ? childTid : 0,
    robustList: 0,
    interrupt: () => signals.interrupt(),
  };
  try {
    if (flags & Clone.ParentSetTid) ignoringFaults(() => p.memory.setU32(parentTid, thread.tid));
    p.group.start(thread, () => {
      p.abi.setSyscallResult(thread, 0);
      if (stack !== 0) p.abi.setStackPointer(thread, stack);
      if (flags & Clone.SetTls) p.abi.setThreadPointer(thread, tls);
      if (flags & Clone.ChildSetTid) ignoringFaults(() => p.memory.setU32(childTid, thread.tid));
    });
  } catch (error) {
    signals.leave();
    throw error;
  }
  return thread.tid;
}

/** exit(2): of this thread. The process ends with the last one, with the status of the first. */
function exit(p: Process, status: number): number {
  p.exited = status & 0xff;
  releaseFutexes(p);
  return 0;
}

export const threadCalls: Calls = {
  clone: partial((p, a) => clone(p, a[0], a[1], a[2], a[3], a[4]), 'threads only: a process of its own is ENOSYS'),
  exit: (p, a) => exit(p, a[0]),
  exit_group: (p, a) => {
    p.group.end = { code: a[0] & 0xff };
    return 0;
  },
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
  sched_yield: (p) => (p.group.threads.size > 1 ? Promise.resolve(0) : 0),
};

/** Bytes of struct robust_list_head. */
const ROBUST_HEAD = 12;
