import type { Exit } from '../vcpu/exit.ts';
import { Errno } from './errno.ts';
import type { Process, ThreadGroup } from './process.ts';
import { Cld, type Pending, SIG_IGN, SiCode } from './signals.ts';

export type SyscallExit = Extract<Exit, { kind: 'syscall' }>;

/** Options of ptrace(2). An event's option is 1 << its number. */
export const enum TraceOption {
  SysGood = 1,
  ExitKill = 0x100000,
  All = 0x1000ff,
}

export const enum TraceEvent {
  Fork = 1,
  Vfork = 2,
  Clone = 3,
  Exec = 4,
  VforkDone = 5,
  Exit = 6,
  Seccomp = 7,
  Stop = 128,
}

/** A thread that has stopped for its tracer. */
export interface TraceStop {
  /** At a system call, before or after it; with a signal to deliver; stopped by a signal, as the whole process; or told of an event. */
  readonly kind: 'entry' | 'exit' | 'signal' | 'group' | 'event';
  readonly signal: number;
  readonly event: number;
  pending: Pending;
  /** The tracer has asked for it. */
  reported: boolean;
  /** PTRACE_LISTEN */
  listening: boolean;
}

/** How far a thread may go; 'emulate' is up to a call, which then is not made (PTRACE_SYSEMU). */
export type TraceRun = 'on' | 'syscall' | 'step' | 'emulate' | 'emulate-step';

/** A thread that is traced. */
export interface Tracing {
  readonly tracer: ThreadGroup;
  readonly seized: boolean;
  options: number;
  run: TraceRun;
  stop?: TraceStop | undefined;
  /** PTRACE_GETEVENTMSG */
  message: number;
  /** It is to stop as soon as it can: PTRACE_INTERRUPT, or its process was stopped by a signal. */
  wanted?: { readonly signal: number } | undefined;
  /** A system call that it has been stopped before. */
  entered?: SyscallExit | undefined;
  /** The filters of seccomp(2) have left that call to the tracer, who has let it go on. */
  passed?: boolean;
  /** What a call that the tracer has made none of gives. */
  skipped?: number | undefined;
  /** The call that it has been stopped before is left to the tracer. */
  emulated?: boolean;
  /** The number of the call that it is in; none once guest code runs. */
  call?: number | undefined;
  /** What the tracer lets it have of the signal that it stopped with. */
  injected?: Pending | undefined;
  /** How it ends after its last event. */
  ending?: (() => void) | undefined;
  /** Calls that wait for the end of a stop. */
  resumed?: (() => void) | undefined;
}

const SIGTRAP = 5;
const isEmulating = (run: TraceRun): boolean => run === 'emulate' || run === 'emulate-step';
export const isStepping = ({ tracing }: Process): boolean => tracing?.run === 'step' || tracing?.run === 'emulate-step';

/** SIGSTOP or an event will follow. */
export function attach(tracer: ThreadGroup, p: Process, seized: boolean, options = 0): void {
  p.tracing = { tracer, seized, options, run: 'on', message: 0 };
  tracer.tracees.add(p);
  p.signals.traced = true;
}

/** It goes on as if it had never been traced. */
export function detach(p: Process, signal = 0): void {
  const { tracing } = p;
  if (!tracing) return;
  const { stop } = tracing;
  tracing.tracer.tracees.delete(p);
  resume(p, 'on', signal);
  p.tracing = undefined;
  p.signals.traced = false;
  if (tracing.entered) {
    const isMade = !isSkipped(
      tracing,
      p.system.scheduler.as(p, () => p.abi.syscallNumber(p)),
    );
    p.left = { exit: tracing.entered, answer: isMade ? undefined : skippedResult(tracing) };
  }
  if (tracing.injected) p.signals.raiseHere(tracing.injected.signal, tracing.injected.info);
  if (stop?.kind === 'group' && signal !== 0 && !p.group.end) p.system.stop(p.group, stop.signal);
}

/** What a process traced goes on when it ends. */
export function leaveTracees(tracer: ThreadGroup): void {
  for (const p of [...tracer.tracees]) {
    const kills = (p.tracing!.options & TraceOption.ExitKill) !== 0;
    detach(p);
    if (kills && !p.group.end) p.group.leader.signals.raise('SIGKILL');
  }
}

/** Before a call is made: at its entry, or as a filter of seccomp(2) wants it. */
export const isBeforeCall = (stop: TraceStop | undefined): boolean =>
  stop?.kind === 'entry' || (stop?.kind === 'event' && stop.event === TraceEvent.Seccomp);

/** Of a thread that has stopped, as wait(2) gives it. */
export const stopStatus = ({ signal, event }: TraceStop): number => ((event << 16) | (signal << 8) | 0x7f) >>> 0;

export function tellTracer(p: Process, code: Cld, value: number): void {
  const { tracer } = p.tracing!;
  if (tracer.end) return;
  const { signals, abi } = tracer.leader;
  const number = signals.number('SIGCHLD');
  const { handler, flags } = signals.action(number);
  if (handler !== SIG_IGN && !(flags & abi.actionFlags.SA_NOCLDSTOP))
    signals.raise(number, { code, pid: p.tid, uid: p.credentials.uid, value });
  tracer.childEvents.wake();
}

function stopFor(p: Process, kind: TraceStop['kind'], signal: number, event = 0, pending?: Pending): void {
  const tracing = p.tracing!;
  const info = { code: signal | (event << 8), pid: p.tid, uid: p.credentials.uid };
  tracing.stop = { kind, signal, event, pending: pending ?? { signal, info }, reported: false, listening: false };
  tellTracer(p, Cld.Trapped, signal);
}

/** Ends a stop. `signal` is delivered, if not 0. */
export function resume(p: Process, run: TraceRun, signal: number): void {
  const tracing = p.tracing!;
  const { stop } = tracing;
  tracing.run = run;
  if (!stop) return;
  tracing.stop = undefined;
  const info = { code: SiCode.User, pid: tracing.tracer.pid, uid: tracing.tracer.leader.credentials.uid };
  if (signal !== 0 && p.signals.isValid(signal)) {
    if (stop.kind === 'signal') tracing.injected = stop.pending.signal === signal ? stop.pending : { signal, info };
    else if (stop.kind !== 'group' && stop.event !== TraceEvent.Stop) p.signals.raiseHere(signal, info);
  }
  p.signals.poke();
  tracing.resumed?.();
  tracing.resumed = undefined;
  p.system.scheduler.wake();
}

/** Stops with a signal that is about to be delivered. False if it is to be delivered at once. */
export function stopsWithSignal(p: Process, pending: Pending): boolean {
  if (!p.tracing || p.signals.name(pending.signal) === 'SIGKILL') return false;
  stopFor(p, 'signal', pending.signal, 0, pending);
  return true;
}

/** What is wanted of a thread before signals: true if it has stopped. */
export function stopsBeforeSignals(p: Process): boolean {
  const { tracing } = p;
  if (!tracing) return false;
  if (tracing.stop) return true;
  const { wanted } = tracing;
  if (!wanted || tracing.injected) return false;
  tracing.wanted = undefined;
  stopFor(p, wanted.signal === SIGTRAP ? 'event' : 'group', wanted.signal, tracing.seized ? TraceEvent.Stop : 0);
  return true;
}

/** The signal that the tracer lets it have. */
export function takeInjected(p: Process): Pending | undefined {
  const { tracing } = p;
  const injected = tracing?.injected;
  if (tracing) tracing.injected = undefined;
  return injected;
}

/** It stops as soon as it can. */
export function wantStop(p: Process, signal = SIGTRAP): void {
  p.tracing!.wanted = { signal };
  p.signals.poke();
}

/** A signal stops the process of a traced thread, with all that are traced of it. */
export function stopTracedGroup(p: Process, signal: number): void {
  for (const thread of p.group.threads.values()) if (thread.tracing && !thread.tracing.stop && thread !== p) wantStop(thread, signal);
  stopFor(p, 'group', signal, p.tracing!.seized ? TraceEvent.Stop : 0);
}

/** SIGCONT has come. */
export function continueListeners({ threads }: ThreadGroup): void {
  for (const thread of threads.values()) if (thread.tracing?.stop?.listening) stopFor(thread, 'event', SIGTRAP, TraceEvent.Stop);
}

/** True if the thread stops before the call that it has asked for. */
export function stopsAtCall(p: Process, exit: SyscallExit): boolean {
  const tracing = p.tracing!;
  const isNew = tracing.entered === undefined;
  tracing.entered = undefined;
  tracing.call = p.abi.syscallNumber(p);
  if (!isNew) return false;
  tracing.skipped = undefined;
  tracing.emulated = isEmulating(tracing.run);
  if (tracing.run !== 'syscall' && !tracing.emulated) return false;
  tracing.entered = exit;
  stopFor(p, 'entry', SIGTRAP | (tracing.options & TraceOption.SysGood ? 0x80 : 0));
  return true;
}

/** True if it stops after its call. */
export function stopsAfterCall(p: Process): boolean {
  const { run, options } = p.tracing!;
  if (run === 'syscall') stopFor(p, 'exit', SIGTRAP | (options & TraceOption.SysGood ? 0x80 : 0));
  else if (run === 'step') stopFor(p, 'event', SIGTRAP);
  return run === 'syscall' || run === 'step';
}

/** After a handler's frame has been made: stepping stops at its first instruction. */
export function stopsAtHandler(p: Process): boolean {
  if (!isStepping(p)) return false;
  stopFor(p, 'event', SIGTRAP);
  return true;
}

export const wantsEvent = ({ tracing }: Process, event: TraceEvent): boolean => ((tracing?.options ?? 0) & (1 << event)) !== 0;

/** Stops with an event, if the tracer wants to know of it. Resolves when the thread may go on. */
export async function traceEvent(p: Process, event: TraceEvent, message: number): Promise<void> {
  const { tracing } = p;
  if (!tracing || !wantsEvent(p, event) || p.group.end) return;
  tracing.message = message;
  stopFor(p, 'event', SIGTRAP, event);
  await new Promise<void>((resolve) => {
    tracing.resumed = resolve;
  });
}

/** A filter leaves the call to the tracer, before it is made. False if there is none who wants to know. */
export function seccompEvent(p: Process, exit: SyscallExit, message: number): boolean {
  const { tracing } = p;
  if (!tracing || !wantsEvent(p, TraceEvent.Seccomp)) return false;
  tracing.entered = exit;
  tracing.passed = true;
  tracing.message = message;
  stopFor(p, 'event', SIGTRAP, TraceEvent.Seccomp);
  return true;
}

/** Whether the tracer has let that call go on, once. */
export function takePassed({ tracing }: Process): boolean {
  const passed = tracing?.passed ?? false;
  if (tracing) tracing.passed = false;
  return passed;
}

/** A new process or thread of a traced one is traced, too, if its tracer wants to. */
export function traceChild(p: Process, child: Process, event: TraceEvent): void {
  const { tracing } = p;
  if (!tracing || !wantsEvent(p, event)) return;
  attach(tracing.tracer, child, tracing.seized, tracing.options);
  if (tracing.seized) wantStop(child);
  else child.signals.raiseHere('SIGSTOP', { code: SiCode.User, pid: 0, uid: 0 });
}

/** Whether it has been stopped before a call that it has not made yet. */
export const hasEntered = ({ tracing, left }: Process): boolean => tracing?.entered !== undefined || left !== undefined;
/** The call that a thread is about to make, since its tracer has let it go on before that. */
export function enteredCall(p: Process): Process['left'] {
  const { tracing, left } = p;
  p.left = undefined;
  if (tracing?.entered) return { exit: tracing.entered };
  if (tracing) tracing.call = undefined;
  return left;
}

/** As whose number a tracer has none made. */
export const NO_CALL = 0xffff_ffff;
/** Whether the call that a thread asks for is not made, since its tracer emulates it or has replaced it by none. */
export const isSkipped = ({ emulated }: Tracing, number: number): boolean => emulated === true || number === NO_CALL;
/** The result of such a call. */
export const skippedResult = ({ skipped }: Tracing): number => skipped ?? -Errno.ENOSYS;
