import type { Program, ProgramOptions } from '../linux/program.ts';
import { loadProgram } from '../linux/program.ts';
import { CheckedVcpu, type CheckOptions } from './checked-vcpu.ts';

export type { CheckOptions } from './checked-vcpu.ts';
export { Divergence } from './divergence.ts';

/** A program whose stays in guest code are checked. */
export interface CheckedProgram extends Program {
  /** Stays that were checked so far, in all processes. */
  readonly checks: number;
}

/**
 * Loads a program as `loadProgram` does, and runs its guest code twice: as `executor` says (default: translate) and in the
 * interpreter, all of it or a sample. Where they differ, `run` rejects with a Divergence, whose `explain` tells where and how.
 * What system calls read (time, random numbers, files) is read once.
 */
export async function loadChecked(elf: Uint8Array, options: ProgramOptions & CheckOptions): Promise<CheckedProgram> {
  let checks = 0;
  const program = await loadProgram(elf, {
    executor: 'translate',
    ...options,
    makeVcpu: (given) => new CheckedVcpu(given, options.runtime, { ...options, onCheck: () => checks++ }),
  });
  return Object.defineProperty(program, 'checks', { get: () => checks }) as CheckedProgram;
}
