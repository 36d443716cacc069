import { Command, InvalidArgumentError } from 'commander';
import type { CheckedProgram } from '../lockstep/index.ts';
import { guestOptions, type RunOptions } from './guest-options.ts';
import { writableFile } from './options.ts';
import { runChecked } from './run-checked.ts';

interface LockstepOptions extends RunOptions {
  readonly slice?: number;
  readonly tiered?: boolean;
  readonly report?: string;
}

function instructions(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1e9) throw new InvalidArgumentError('A number of instructions.');
  return value;
}

export function lockstepCommand(): Command {
  return guestOptions(new Command('lockstep'))
    .description('run a program translated and, beside it, interpreted; stop at the first difference and tell where it comes from')
    .option('--slice <n>', 'compare after so many instructions at most, and at each system call (default: 100000)', instructions)
    .option('--tiered', 'start in the interpreter and translate what is hot, as `run` does')
    .option('--report <file>', 'write the report of a difference there, too', writableFile)
    .action((path: string, args: readonly string[], options: LockstepOptions) => {
      // what an earlier run translated would hide where a difference comes from
      const own = { ...options, cache: false, translate: !options.tiered };
      const check = options.slice === undefined ? {} : { slice: options.slice };
      return runChecked(path, args, own, check, options.report, async (program) => {
        const { stats, checks } = program as CheckedProgram;
        process.stderr.write(`wasmvisor: no difference in ${stats.instructions} instructions, compared ${checks} times\n`);
      });
    });
}
