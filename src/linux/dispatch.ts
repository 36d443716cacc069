import type { Exit } from '../vcpu/exit.ts';
import { GuestMemoryFault } from '../vcpu/guest-memory.ts';
import type { Abi } from './abi.ts';
import { restrict } from './calls/seccomp.ts';
import { deliverSignals } from './deliver.ts';
import { Errno } from './errno.ts';
import type { Process } from './process.ts';
import { isSkipped, NO_CALL, skippedResult, stopsAfterCall, stopsAtCall, takePassed } from './ptrace.ts';
import { KEEP_REGISTERS, SyscallError, type SyscallRow } from './syscall.ts';
import { describeCall, describeResult } from './trace.ts';

/** Told of each call after it: for tracing. `result` is −errno (generic) on failure. */
export type OnSyscall = (name: string, args: readonly number[], result: number) => void;

/** Takes a line for each call, as strace(1) shows it. */
export type Trace = (line: string) => void;

export interface Dispatcher {
  /**
   * Makes the call that the thread asked for. The promise, if any, settles when it is done; what it gives is to be called once the
   * processor has that thread's registers. `answer`: its result, and it is not made.
   */
  dispatch(p: Process, exit: Extract<Exit, { kind: 'syscall' }>, answer?: number): undefined | Promise<() => void>;
  /** Which call that is. */
  asked(p: Process): { readonly number: number; readonly name: string; readonly args: readonly number[] };
}

/** Programs are prepared for these not to exist, and nothing is lost. */
const QUIET = new Set(['rseq', 'clone3', 'faccessat2', 'openat2', 'statx', 'futex_waitv', 'set_robust_list', 'map_shadow_stack']);

function errorResult(error: unknown): number {
  if (error instanceof GuestMemoryFault) return -Errno.EFAULT;
  if (error instanceof SyscallError) return -error.errno;
  throw error;
}

const isRestart = (result: number): boolean => result <= -Errno.ERESTARTSYS && result >= -Errno.ERESTARTNOHAND;

export function makeDispatcher(abi: Abi, onSyscall?: OnSyscall, trace?: Trace): Dispatcher {
  const rows = new Map<number, SyscallRow>(abi.table.map((row) => [row.number, row]));
  const names = new Map<number, string>(Object.entries(abi.numbers).map(([name, number]) => [number, name]));

  function notImplemented(p: Process, number: number, row: SyscallRow | undefined): number {
    const name = names.get(number) ?? `number ${number}`;
    if (!QUIET.has(name)) p.warn(`syscall ${name}`, `system call ${name} is not implemented${row?.note ? ` (${row.note})` : ''}`);
    return -Errno.ENOSYS;
  }

  function finish(p: Process, result: number, at: number): void {
    p.tracing?.ending?.();
    if (p.group.end) return;
    if (isRestart(result)) p.interrupted = { at, errno: -result };
    else if (result !== KEEP_REGISTERS) abi.setSyscallResult(p, result);
    if (p.tracing && stopsAfterCall(p)) return;
    if (p.interrupted || p.signals.mustDeliver) deliverSignals(p);
  }

  function asked(p: Process): ReturnType<Dispatcher['asked']> {
    let number = abi.syscallNumber(p);
    let args = abi.syscallArguments(p);
    if (number === abi.indirect) {
      [number, ...args] = args;
      args.push(0);
    }
    return { number, name: names.get(number) ?? `${number}`, args };
  }

  return {
    asked,
    dispatch(p, exit, answer) {
      if (p.tracing && stopsAtCall(p, exit)) return undefined;
      const { number, name, args } = asked(p);
      const row = rows.get(number);
      const text = trace && describeCall(p, name, args);
      const note = (given: number): void => {
        onSyscall?.(name, args, given);
        trace?.(`${p.tid} ${text} = ${describeResult(p, name, given)}`);
      };
      let result: number | Promise<number>;
      const passed = takePassed(p);
      const isFiltered = answer === undefined && !p.tracing?.emulated && !(passed && number === NO_CALL);
      const instead = p.seccomp && isFiltered ? restrict(p, p.seccomp, { number, name, args }, exit, passed) : answer;
      if (instead === 'stopped') return undefined;
      if (instead !== undefined) result = instead;
      else if (p.tracing && isSkipped(p.tracing, number)) result = skippedResult(p.tracing);
      else if (!row || row.missing) result = notImplemented(p, number, row);
      else {
        try {
          result = row.call(p, args);
        } catch (error) {
          result = errorResult(error);
        }
      }
      if (typeof result === 'number') {
        note(result);
        finish(p, result, exit.at);
        return undefined;
      }
      return result.catch(errorResult).then((settled) => () => {
        note(settled);
        finish(p, settled, exit.at);
      });
    },
  };
}
