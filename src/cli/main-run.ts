import { perform } from './command-line.ts';
import { runCommand } from './run.ts';

export { flagsOfStart } from './engine-flags.ts';
export { parts } from './parts.ts';

/** The command with nothing but `run`. */
export const main = (argv: readonly string[], memory?: WebAssembly.Memory): Promise<void> => perform([['run', runCommand]], argv, memory);
