import { GuestMemoryFault } from '../../vcpu/guest-memory.ts';
import type { SignalInfo } from '../abi.ts';
import { Cap, capable } from '../capabilities.ts';
import { userSignal } from '../deliver.ts';
import { Errno } from '../errno.ts';
import { onAltStack } from '../frame.ts';
import type { Process, ThreadGroup } from '../process.ts';
import { type Action, SIG_DFL, SIG_IGN, SiCode } from '../signals.ts';
import { type Calls, KEEP_REGISTERS, type Syscall, type SyscallResult } from '../syscall.ts';
import { INIT } from '../system.ts';
import { readTimespec, readTimespec64 } from './time.ts';

const SS_ONSTACK = 1;
const SS_DISABLE = 2;
const SS_AUTODISARM = 0x80000000;
/** MINSIGSTKSZ */
const MINIMAL_STACK = 2048;

/** A sigset_t as both ABIs have it: 32-bit words, the first with the lowest signals. */
export function readSet(p: Process, address: number, size: number): bigint {
  let set = 0n;
  for (let at = 0; at < size; at += 4) set |= BigInt(p.memory.u32(address + at)) << BigInt(at * 8);
  return set;
}
export function writeSet(p: Process, address: number, size: number, set: bigint): void {
  for (let at = 0; at < size; at += 4) p.memory.setU32(address + at, Number((set >> BigInt(at * 8)) & 0xffff_ffffn));
}

function install(p: Process, signal: number, action: Action): void {
  p.signals.setAction(signal, action);
  const name = p.signals.name(signal);
  const handled = action.handler !== SIG_DFL && action.handler !== SIG_IGN;
  // a handler wants to know which access failed
  if (handled && (name === 'SIGSEGV' || name === 'SIGBUS')) p.vcpu.setMemoryModel('checked');
}

/** rt_sigaction and the old sigaction: `read` and `write` know the structure. */
export function sigaction(
  p: Process,
  signal: number,
  action: number,
  old: number,
  read: (p: Process, address: number) => Action,
  write: (p: Process, address: number, action: Action) => void,
): number {
  if (!p.signals.isValid(signal)) return -Errno.EINVAL;
  const before = p.signals.action(signal);
  const next = action === 0 ? undefined : read(p, action);
  if (next && p.signals.isFixed(signal)) return -Errno.EINVAL;
  if (old !== 0) write(p, old, before);
  if (next) install(p, signal, next);
  return 0;
}

function changeMask(p: Process, how: number, set: bigint): number {
  const { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK } = p.abi.maskHow;
  const { signals } = p;
  if (how === SIG_BLOCK) signals.mask |= set;
  else if (how === SIG_UNBLOCK) signals.mask &= ~set;
  else if (how === SIG_SETMASK) signals.mask = set;
  else return -Errno.EINVAL;
  return 0;
}

function sigprocmask(p: Process, how: number, set: number, old: number, size: number): number {
  const before = p.signals.mask;
  const next = set === 0 ? undefined : readSet(p, set, size);
  if (old !== 0) writeSet(p, old, size, before);
  if (next === undefined) return 0;
  // the old call knows only the first 32 signals
  const kept = size < p.abi.sigsetSize && how === p.abi.maskHow.SIG_SETMASK ? before & ~((1n << BigInt(size * 8)) - 1n) : 0n;
  return changeMask(p, how, next | kept);
}

/** Waits until a signal is delivered. */
async function waitForSignal(p: Process): Promise<number> {
  await p.signals.arrival();
  return -Errno.ERESTARTNOHAND;
}

export function sigsuspend(p: Process, mask: bigint): SyscallResult {
  p.signals.suspendMask(mask);
  return waitForSignal(p);
}

function kill(p: Process, target: number, signal: number): number {
  const pid = target | 0;
  if (signal !== 0 && !p.signals.isValid(signal)) return -Errno.EINVAL;
  if (pid === INIT) return -Errno.EPERM;
  const targets = targetsOf(p, pid);
  if (targets.length === 0) return -Errno.ESRCH;
  const allowed = targets.filter((target) => maySignal(p, target, signal));
  if (allowed.length === 0) return -Errno.EPERM;
  if (signal === 0) return 0;
  // others first: the caller may end with it
  const ordered = [...allowed].sort((a, b) => Number(a === p.group) - Number(b === p.group));
  for (const { leader, end } of ordered) if (!end && !leader.signals.raise(signal, userSignal(p)) && pid > 0) return -Errno.EAGAIN;
  return 0;
}

/** The processes that kill(2) means. −1 does not reach the caller itself. */
function targetsOf(p: Process, pid: number): ThreadGroup[] {
  const { processes } = p.system;
  if (pid > 0) {
    const found = processes.get(pid) ?? threadOf(p, pid)?.group;
    return found ? [found] : [];
  }
  const pgid = pid === 0 ? p.group.pgid : -pid;
  return [...processes.values()].filter((group) => (pid === -1 ? group !== p.group : group.pgid === pgid));
}

export function maySignal(p: Process, target: ThreadGroup, signal: number): boolean {
  const { euid, uid } = p.credentials;
  const to = target.leader.credentials;
  if (capable(p, Cap.Kill) || [to.uid, to.suid].some((id) => id === euid || id === uid)) return true;
  return p.signals.name(signal) === 'SIGCONT' && target.sid === p.group.sid;
}

export function threadOf(p: Process, tid: number): Process | undefined {
  const own = p.group.threads.get(tid);
  if (own) return own;
  for (const group of p.system.processes.values()) {
    const thread = group.end ? undefined : group.threads.get(tid);
    if (thread) return thread;
  }
  return undefined;
}

function tkill(p: Process, thread: number, signal: number): number {
  if ((thread | 0) <= 0 || (signal !== 0 && !p.signals.isValid(signal))) return -Errno.EINVAL;
  const target = threadOf(p, thread);
  if (!target) return -Errno.ESRCH;
  if (!maySignal(p, target.group, signal)) return -Errno.EPERM;
  if (signal !== 0 && !target.signals.raiseHere(signal, { ...userSignal(p), code: SiCode.Tkill })) return -Errno.EAGAIN;
  return 0;
}

/** siginfo_t of a signal that a program sends. */
export function readSignalInfo({ abi, memory }: Process, at: number): SignalInfo {
  const swapped = abi.name !== 'i386';
  return { code: memory.i32(at + (swapped ? 4 : 8)), pid: memory.u32(at + 12), uid: memory.u32(at + 16), value: memory.u32(at + 20) };
}

function queueInfo(p: Process, pid: number, thread: number | undefined, signal: number, info: number): number {
  if (thread !== undefined && ((pid | 0) <= 0 || (thread | 0) <= 0)) return -Errno.EINVAL;
  const group = p.system.processes.get(pid);
  const target = thread === undefined ? (group?.leader ?? threadOf(p, pid)) : group?.threads.get(thread);
  if (!target) return -Errno.ESRCH;
  if (!p.signals.isValid(signal)) return -Errno.EINVAL;
  const told = readSignalInfo(p, info);
  // nobody may look like the kernel or kill(2)
  if (target.group !== p.group && (told.code >= 0 || told.code === SiCode.Tkill)) return -Errno.EPERM;
  if (thread === undefined) return signalProcess(p, target.group, signal, told);
  return target.signals.raiseHere(signal, told) ? 0 : -Errno.EAGAIN;
}

/** A signal to a process, if not 0. */
export function signalProcess(p: Process, { leader, end }: ThreadGroup, signal: number, info: SignalInfo = userSignal(p)): number {
  return signal === 0 || end || leader.signals.raise(signal, info) ? 0 : -Errno.EAGAIN;
}

async function sigtimedwait(p: Process, set: bigint, info: number, milliseconds: number | undefined): Promise<number> {
  const { signals } = p;
  const end = milliseconds === undefined ? undefined : p.host.monotonic() + BigInt(Math.round(milliseconds * 1e6));
  signals.awaited = set;
  try {
    for (;;) {
      const found = signals.take(set);
      if (found) {
        if (info !== 0) p.abi.writeSignalInfo(p, info, found.signal, found.info);
        return found.signal;
      }
      const interrupt = p.interrupt();
      if (interrupt.aborted) return -Errno.EINTR;
      if (end === undefined) await signals.arrival();
      else {
        const left = Number(end - p.host.monotonic()) / 1e6;
        if (left <= 0) return -Errno.EAGAIN;
        await p.host.sleep(left, interrupt);
      }
    }
  } finally {
    signals.awaited = 0n;
  }
}

function sigaltstack(p: Process, next: number, old: number): number {
  const { signals } = p;
  const { start, flags, size } = p.abi.stackFields;
  const onStack = onAltStack(p, p.abi.stackPointer(p));
  const before = signals.altStack;
  if (next !== 0) {
    const mode = p.memory.u32(next + flags);
    const stack = { start: p.memory.u32(next + start), size: p.memory.u32(next + size), disabled: (mode & SS_DISABLE) !== 0 };
    if (onStack) return -Errno.EPERM;
    if ((mode & ~(SS_DISABLE | SS_ONSTACK | SS_AUTODISARM)) >>> 0) return -Errno.EINVAL;
    if (!stack.disabled && stack.size < MINIMAL_STACK) return -Errno.ENOMEM;
    signals.altStack = stack.disabled ? { start: 0, size: 0, disabled: true } : stack;
  }
  if (old !== 0) {
    p.memory.setU32(old + start, before.start);
    p.memory.setU32(old + flags, before.disabled ? SS_DISABLE : onStack ? SS_ONSTACK : 0);
    p.memory.setU32(old + size, before.size);
  }
  return 0;
}

/** sigreturn; a frame that cannot be read is the program's end, as a fault in its own code. */
export const sigreturn =
  (popFrame: (p: Process) => void): Syscall =>
  (p) => {
    try {
      popFrame(p);
    } catch (error) {
      if (!(error instanceof GuestMemoryFault)) throw error;
      p.group.fault = { signal: p.signals.number('SIGSEGV'), pc: p.vcpu.pc, text: `no signal frame to return from: ${error.message}` };
      p.signals.setAction(p.signals.number('SIGSEGV'), { handler: SIG_DFL, flags: 0, mask: 0n, restorer: 0 });
      p.signals.mask = 0n;
      p.signals.raiseHere('SIGSEGV', { code: SiCode.Kernel });
    }
    return KEEP_REGISTERS;
  };

export const signalCalls: Calls = {
  rt_sigaction: (p, a) => {
    if (a[3] !== p.abi.sigsetSize) return -Errno.EINVAL;
    return sigaction(p, a[0], a[1], a[2], p.abi.readAction, p.abi.writeAction);
  },
  rt_sigprocmask: (p, a) => (a[3] === p.abi.sigsetSize ? sigprocmask(p, a[0], a[1], a[2], a[3]) : -Errno.EINVAL),
  sigprocmask: (p, a) => sigprocmask(p, a[0], a[1], a[2], 4),
  rt_sigpending: (p, a) => {
    if (a[1] > p.abi.sigsetSize) return -Errno.EINVAL;
    writeSet(p, a[0], a[1], p.signals.pending & p.signals.mask);
    return 0;
  },
  sigpending: (p, a) => {
    writeSet(p, a[0], 4, p.signals.pending & p.signals.mask);
    return 0;
  },
  rt_sigsuspend: (p, a) => (a[1] === p.abi.sigsetSize ? sigsuspend(p, readSet(p, a[0], a[1])) : -Errno.EINVAL),
  pause: (p) => waitForSignal(p),
  signal: (p, a) => {
    if (!p.signals.isValid(a[0]) || p.signals.isFixed(a[0])) return -Errno.EINVAL;
    const { handler } = p.signals.action(a[0]);
    const { SA_RESETHAND, SA_NODEFER } = p.abi.actionFlags;
    install(p, a[0], { handler: a[1], flags: (SA_RESETHAND | SA_NODEFER) >>> 0, mask: 0n, restorer: 0 });
    return handler;
  },
  ssetmask: (p, a) => {
    const before = Number(p.signals.mask & 0xffff_ffffn);
    p.signals.mask = BigInt(a[0]);
    return before;
  },
  sgetmask: (p) => Number(p.signals.mask & 0xffff_ffffn),
  rt_sigtimedwait: (p, a) => {
    if (a[3] !== p.abi.sigsetSize) return -Errno.EINVAL;
    return sigtimedwait(p, readSet(p, a[0], a[3]), a[1], a[2] === 0 ? undefined : readTimespec(p, a[2]));
  },
  rt_sigtimedwait_time64: (p, a) => {
    if (a[3] !== p.abi.sigsetSize) return -Errno.EINVAL;
    return sigtimedwait(p, readSet(p, a[0], a[3]), a[1], a[2] === 0 ? undefined : readTimespec64(p, a[2]));
  },
  sigaltstack: (p, a) => sigaltstack(p, a[0], a[1]),
  kill: (p, a) => kill(p, a[0], a[1]),
  tkill: (p, a) => tkill(p, a[0], a[1]),
  tgkill: (p, a) =>
    (a[0] | 0) <= 0 || (a[1] | 0) <= 0 ? -Errno.EINVAL : threadOf(p, a[1])?.pid === a[0] ? tkill(p, a[1], a[2]) : -Errno.ESRCH,
  rt_sigqueueinfo: (p, a) => queueInfo(p, a[0], undefined, a[1], a[2]),
  rt_tgsigqueueinfo: (p, a) => queueInfo(p, a[0], a[1], a[2], a[3]),
};
