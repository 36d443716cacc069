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
}

/** Thrown where returning −errno is inconvenient; the dispatcher turns it into that. `errno` is generic and positive. */
export class SyscallError extends Error {
  override name = 'SyscallError';
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export const row = (number: number, name: string, call: Syscall, note?: string): SyscallRow => ({ number, name, call, ...(note && { note }) });

/**
 * A signed 64-bit argument whose first half is `a[index]`: two words in the order that the ABI passes them; where pairs
 * are aligned (MIPS o32), the next even index is taken. Exact below 2^53.
 */
export function wide(p: Process, a: readonly number[], index: number): number {
  const first = p.abi.alignedPairs ? index + (index & 1) : index;
  const [low, high] = p.abi.isa.endian === 'little' ? [a[first], a[first + 1]] : [a[first + 1], a[first]];
  return (high | 0) * 0x1_0000_0000 + low;
}
