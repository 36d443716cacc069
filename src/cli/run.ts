import { Command, InvalidArgumentError } from 'commander';
import { guestOptions, type RunOptions } from './guest-options.ts';
import { writableFile } from './options.ts';
import { run } from './run-program.ts';

export function runCommand(): Command {
  return guestOptions(new Command('run'))
    .description('run a Linux program for MIPS or x86; exits as the program does (128 + signal if one killed it)')
    .option('--save <file>', 'where SIGUSR2 writes the program’s state; it then ends, and the exit code is 0', writableFile)
    .option('--restore <file>', 'go on from such a file, with the same <elf> and files')
    .option('--check-sample <1/n>', 'interpret one of n stays in guest code as well, and stop if the results differ', sample)
    .action(async (path: string, args: readonly string[], options: RunOptions & { readonly checkSample?: number }) => {
      const { checkSample } = options;
      if (checkSample === undefined) return run(path, args, options);
      const { runChecked } = await import('./run-checked.ts');
      return runChecked(path, args, options, { sample: checkSample });
    });
}

/** The n of 1/n. */
function sample(text: string): number {
  const [, n] = /^1\/(\d+)$/.exec(text) ?? [];
  if (!(Number(n) >= 1 && Number(n) <= 1e9)) throw new InvalidArgumentError('One of so many, as in 1/1000.');
  return Number(n);
}
