import { Errno } from './errno.ts';
import type { Process } from './process.ts';

/**
 * What a call gives: ≥ 0 (up to 0xffff_ffff: addresses are unsigned) or −errno in the generic numbering. A promise
 * suspends the program; while it is pending, `p.interrupt()` tells the call that a signal wants to be delivered.
 */
export type SyscallResult = number | Promise<number>;

/**
 * A system call. `a` holds the arguments as unsigned 32-bit numbers (`a[0] | 0` is the signed one), always eight of
 * them, zero where the ABI passes fewer. A GuestMemoryFault that it throws (or rejects with) becomes −EFAULT, a
 * SyscallError −errno.
 */
export type Syscall = (p: Process, a: readonly number[]) => SyscallResult;

/** A row of an ABI's table. */
export interface SyscallRow {
  readonly number: number;
  readonly name: string;
  readonly call: Syscall;
  /** What is missing or different from Linux; published with the list. Absent: complete. */
  readonly note?: string;
  /** Answers ENOSYS; in the table so that the warning can say why. */
  readonly missing?: boolean;
}

/** A call that does less than Linux's, with what is missing. */
export interface PartialCall {
  readonly call: Syscall;
  readonly note: string;
}

/** Implementations by the name that Linux's system call tables give. */
export type Calls = Readonly<Record<string, Syscall | PartialCall>>;

export const partial = (call: Syscall, note: string): PartialCall => ({ call, note });

/** Answers ENOSYS, and the user is told once that the program asked. */
export const missing = (note: string): PartialCall => ({ call: NOT_IMPLEMENTED, note });
const NOT_IMPLEMENTED: Syscall = () => -Errno.ENOSYS;

/** Adds what is missing, by name, to calls. */
export function withNotes(calls: Readonly<Record<string, Syscall>>, notes: Readonly<Partial<Record<string, string>>>): Calls {
  return Object.fromEntries(
    Object.entries(calls).map(([name, call]) => {
      const note = notes[name];
      return [name, note === undefined ? call : { call, note }];
    }),
  );
}

/** An ABI's table: its numbers joined with the implementations, of which later ones win. Numbers without one are left out. */
export function makeTable(numbers: Readonly<Record<string, number>>, ...calls: readonly Calls[]): SyscallRow[] {
  // without a copy of some 400 properties, which is a start's slowest statement
  const all = new Map<string, Syscall | PartialCall>();
  for (const each of calls) for (const name in each) all.set(name, each[name]);
  const rows: SyscallRow[] = [];
  for (const name in numbers) {
    const entry = all.get(name);
    const number = numbers[name];
    if (typeof entry === 'function') rows.push({ number, name, call: entry });
    else if (entry?.call === NOT_IMPLEMENTED) rows.push({ number, name, call: entry.call, note: entry.note, missing: true });
    else if (entry) rows.push({ number, name, call: entry.call, note: entry.note });
  }
  return rows.sort((a, b) => a.number - b.number);
}

/** What a call returns that has set the registers itself (sigreturn). */
export const KEEP_REGISTERS = Number.MAX_SAFE_INTEGER;

/** Thrown where returning −errno is inconvenient; the dispatcher turns it into that. `errno` is generic and positive. */
export class SyscallError extends Error {
  override name = 'SyscallError';
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

/**
 * A signed 64-bit argument whose first half is `a[index]`: two words in the order that the ABI passes them; where pairs
 * are aligned (MIPS o32), the next even index is taken. Exact below 2^53.
 */
export function wide(p: Process, a: readonly number[], index: number): number {
  const first = p.abi.alignedPairs ? index + (index & 1) : index;
  const [low, high] = p.abi.isa.endian === 'little' ? [a[first], a[first + 1]] : [a[first + 1], a[first]];
  return (high | 0) * 0x1_0000_0000 + low;
}
