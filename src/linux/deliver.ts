import { GuestMemoryFault } from '../vcpu/guest-memory.ts';
import type { SignalInfo } from './abi.ts';
import { Errno } from './errno.ts';
import type { Process } from './process.ts';
import { hasEntered, stopsAtHandler, stopsBeforeSignals, stopsWithSignal, stopTracedGroup, takeInjected } from './ptrace.ts';
import { type Action, type Pending, SIG_DFL, SIG_IGN, SiCode, type SignalName, signalBit } from './signals.ts';

/** Delivers what is pending and not blocked, and settles how an interrupted call goes on. Called before guest code runs. */
export function deliverSignals(p: Process): void {
  const { signals } = p;
  signals.takePoke();
  if (hasEntered(p)) {
    // the call comes first: it ends at once if it would wait
    if (p.tracing?.wanted) signals.poke();
    return;
  }
  if (stopsBeforeSignals(p)) return;
  const injected = takeInjected(p);
  if (injected) deliver(p, injected);
  for (let next = signals.next(); next && !p.group.end && !p.tracing?.stop; next = signals.next())
    if (!stopsWithSignal(p, next)) deliver(p, next);
  if (p.group.end || p.tracing?.stop) return;
  if (p.interrupted) {
    // no handler ran: the call is made again
    p.vcpu.pc = p.interrupted.at;
    p.interrupted = undefined;
  }
  const saved = signals.takeSavedMask();
  if (saved !== undefined) {
    signals.mask = saved;
    if (signals.deliverable) deliverSignals(p);
  }
}

function deliver(p: Process, pending: Pending): void {
  const { signals } = p;
  const { signal } = pending;
  const action = signals.action(signal);
  if (action.handler === SIG_IGN) return;
  if (action.handler === SIG_DFL) {
    byDefault(p, signal);
    return;
  }
  if (p.interrupted) settleInterrupted(p, action);
  const mask = signals.takeSavedMask() ?? signals.mask;
  try {
    p.abi.pushFrame(p, { signal, info: pending.info, action, mask });
  } catch (error) {
    if (!(error instanceof GuestMemoryFault)) throw error;
    // no room for the frame
    signals.setAction(signals.number('SIGSEGV'), { ...action, handler: SIG_DFL });
    p.group.fault ??= {
      signal: signals.number('SIGSEGV'),
      pc: p.vcpu.pc,
      text: `no stack for the handler of ${signals.name(signal)}: ${error.message}`,
    };
    p.group.end = { signal: signals.number('SIGSEGV'), core: true };
    return;
  }
  const { SA_NODEFER, SA_RESETHAND } = p.abi.actionFlags;
  if (action.flags & SA_RESETHAND) signals.setAction(signal, { ...action, handler: SIG_DFL });
  // the interrupted mask is in the frame; while the handler runs, its own signals are added to what is blocked now
  signals.mask |= action.mask | (action.flags & SA_NODEFER ? 0n : signalBit(signal));
  stopsAtHandler(p);
}

/** A handler will run: the call ends with EINTR, or is made again after it. */
function settleInterrupted(p: Process, action: Action): void {
  const { at, errno } = p.interrupted!;
  p.interrupted = undefined;
  const again = errno === Errno.ERESTARTNOINTR || (errno === Errno.ERESTARTSYS && action.flags & p.abi.actionFlags.SA_RESTART);
  if (again) p.vcpu.pc = at;
  else p.abi.setSyscallResult(p, -Errno.EINTR);
}

function byDefault(p: Process, signal: number): void {
  switch (p.signals.defaultAction(signal)) {
    case 'ignore':
    case 'continue':
      return;
    case 'stop':
      if (p.tracing) stopTracedGroup(p, signal);
      else p.system.stop(p.group, signal);
      return;
    case 'core':
      p.group.end = { signal, core: true };
      return;
    case 'terminate':
      p.group.end = { signal, core: false };
      return;
  }
}

/**
 * Raises a signal that the instruction at `pc` caused. If the program blocks or ignores it, it ends, as Linux has it.
 * `text` says what happened, for the report. `next`: where the program stands, if not at that instruction.
 */
export function fault(p: Process, name: SignalName, info: SignalInfo, pc: number, text: string, next = pc): void {
  const { signals } = p;
  const signal = signals.number(name);
  const action = signals.action(signal);
  const blocked = (signals.mask & signalBit(signal)) !== 0n;
  p.group.fault = { signal, pc, text };
  if (blocked || action.handler === SIG_IGN) {
    signals.setAction(signal, { ...action, handler: SIG_DFL });
    signals.mask &= ~signalBit(signal);
  }
  p.vcpu.pc = next === pc ? p.abi.faultPc(p, pc) : next;
  // a synchronous signal comes before whatever else is pending
  if (!stopsWithSignal(p, { signal, info })) deliver(p, { signal, info });
}

export const userSignal = (p: Process): SignalInfo => ({ code: SiCode.User, pid: p.pid, uid: p.credentials.uid });
