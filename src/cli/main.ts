import { benchCommand } from './bench.ts';
import { bootCommand } from './boot.ts';
import { type Commands, perform } from './command-line.ts';
import { conformanceCommand } from './conformance.ts';
import { demoCommand } from './demo.ts';
import { disasmCommand } from './disasm.ts';
import { inspectCommand } from './inspect.ts';
import { listCommand } from './list.ts';
import { lockstepCommand } from './lockstep.ts';
import { profileCommand } from './profile.ts';
import { runCommand } from './run.ts';

export { flagsOfStart } from './engine-flags.ts';
export { parts } from './parts.ts';

const COMMANDS: Commands = [
  ['run', runCommand],
  ['boot', bootCommand],
  ['disasm', disasmCommand],
  ['inspect', inspectCommand],
  ['profile', profileCommand],
  ['bench', benchCommand],
  ['demo', demoCommand],
  ['list', listCommand],
  ['conformance', conformanceCommand],
  ['lockstep', lockstepCommand],
];

export const main = (argv: readonly string[], memory?: WebAssembly.Memory): Promise<void> => perform(COMMANDS, argv, memory);
