import type { Process } from './process.ts';
import { isBeforeCall } from './ptrace.ts';

/** NT_ numbers of sets of registers (include/uapi/linux/elf.h). */
export const enum RegisterSet {
  General = 1,
  Float = 2,
  /** NT_PRXFPREG: what FXSAVE stores. */
  Extended = 0x46e62b7f,
  /** What MIPS's PTRACE_GETREGS has. */
  Wide = -1,
}

/** What ptrace(2) shows of registers. The processor has those of the thread. */
export interface TraceAbi {
  /** AUDIT_ARCH_… */
  readonly architecture: number;
  /** Whether there are PTRACE_SINGLESTEP, PTRACE_SYSEMU and PTRACE_SYSEMU_SINGLESTEP. */
  readonly canStep: boolean;
  /** What the last call gave: ≥ 0 or −errno. */
  callResult(p: Process): number;
  /** Requests for a whole set at `data`. */
  readonly requests: Readonly<Record<number, { readonly set: number; readonly writes: boolean }>>;
  /** Undefined: there is no such set. */
  registers(p: Process, set: number): Uint8Array | undefined;
  /** Throws SyscallError if these cannot be. */
  setRegisters(p: Process, set: number, bytes: Uint8Array): void;
  /** PTRACE_PEEKUSER, PTRACE_POKEUSER; undefined or false: no such place. */
  userWord(p: Process, offset: number): number | undefined;
  setUserWord(p: Process, offset: number, value: number): boolean;
  /** Further requests; undefined: no such. `p` is the tracer. */
  request?(p: Process, thread: Process, request: number, address: number, data: number): number | undefined;
}

/** What registers show of a call: the number that a thread entered it with, and its result, where the registers do not have that. */
export function shownCall(p: Process): { readonly number: number; readonly result: number | undefined; readonly isEntry: boolean } {
  const { tracing, interrupted } = p;
  const isEntry = isBeforeCall(tracing?.stop);
  return { number: (isEntry ? p.abi.syscallNumber(p) : tracing?.call) ?? -1, result: interrupted && -interrupted.errno, isEntry };
}

/**
 * The tracer sets the number and the result of a call. True if the result is to be put into its register: before a call it is what
 * that gives if the number is −1, and a call that would be made again is so unless the tracer changes one of them.
 */
export function changeCall(p: Process, number: number, result: number): boolean {
  const { tracing, interrupted } = p;
  if (!tracing) return true;
  if (isBeforeCall(tracing.stop)) {
    tracing.skipped = result | 0;
    return false;
  }
  if (interrupted && (number | 0) !== -1 && (result | 0) === -interrupted.errno) return false;
  p.interrupted = undefined;
  tracing.call = (number | 0) === -1 ? undefined : number;
  return true;
}
