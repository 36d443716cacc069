import type { Abi, AbiName } from './abi.ts';
import { i386 } from './i386/abi.ts';
import { mips, mipsel } from './mips/abi.ts';

export const ABIS: Readonly<Record<AbiName, Abi>> = { mips, mipsel, i386 };

/** A system call as published: without `note` it is complete. */
export interface ListedSyscall {
  readonly number: number;
  readonly name: string;
  readonly note?: string;
}

/** The system calls of an ABI in the order of their numbers. Calls that only answer ENOSYS are left out. */
export function listSyscalls(name: AbiName): ListedSyscall[] {
  return ABIS[name].table
    .filter((row) => !row.missing)
    .map(({ number, name, note }) => (note === undefined ? { number, name } : { number, name, note }));
}
