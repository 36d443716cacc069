import { writeFileSync } from 'node:fs';
import type { CheckOptions } from '../lockstep/index.ts';
import { ExitCode } from './errors.ts';
import type { RunOptions } from './guest-options.ts';
import { run } from './run-program.ts';

/** Runs a program that is checked, and ends the command with a report if the executors differ. */
export async function runChecked(
  path: string,
  args: readonly string[],
  options: RunOptions,
  check: CheckOptions,
  file?: string,
  after?: Parameters<typeof run>[4],
): Promise<void> {
  const { Divergence, loadChecked } = await import('../lockstep/index.ts');
  try {
    await run(path, args, options, {}, after, (elf, given) => loadChecked(elf, { ...given, ...check }));
  } catch (error) {
    if (!(error instanceof Divergence)) throw error;
    const text = `${await error.explain()}\n`;
    process.stderr.write(`wasmvisor: ${text}`);
    if (file !== undefined) writeFileSync(file, text);
    process.exit(ExitCode.Own);
  }
}
