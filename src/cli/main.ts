import { Command, CommanderError } from 'commander';
import { benchCommand } from './bench.ts';
import { bootCommand } from './boot.ts';
import { conformanceCommand } from './conformance.ts';
import { demoCommand } from './demo.ts';
import { disasmCommand } from './disasm.ts';
import { flagsOfStart, usualFlags } from './engine-flags.ts';
import { CliError, ExitCode } from './errors.ts';
import { inspectCommand } from './inspect.ts';
import { listCommand } from './list.ts';
import { lockstepCommand } from './lockstep.ts';
import { parts } from './parts.ts';
import { profileCommand } from './profile.ts';
import { reserved } from './reserved.ts';
import { runCommand } from './run.ts';
import { version } from './version.ts';

const COMMANDS: readonly (readonly [name: string, make: () => Command])[] = [
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

/** One line for an error of the user's or of ours; where ours happened with WASMVISOR_DEBUG in the environment. Gives the exit code. */
function explain(error: unknown): number {
  if (error instanceof CliError) {
    process.stderr.write(`wasmvisor: ${error.message}\n`);
    return error.code;
  }
  // nobody reads standard output, or standard error, any more
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE') return ExitCode.Signal + SIGPIPE;
  // a host file or stream that cannot be read or written
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`wasmvisor: ${error.message}\n`);
    return ExitCode.Own;
  }
  const debug = process.env.WASMVISOR_DEBUG !== undefined && error instanceof Error && error.stack;
  process.stderr.write(`wasmvisor: internal error: ${debug || String(error).replaceAll('\n', ' ')}\n`);
  return ExitCode.Own;
}

const SIGPIPE = 13;
/** What Node has for a byte of an argument that is not UTF-8. */
const REPLACED = '\ufffd';
process.on('uncaughtException', (error) => process.exit(explain(error)));

export { flagsOfStart, parts };

export async function main(argv: readonly string[], memory?: WebAssembly.Memory): Promise<void> {
  reserved.memory = memory;
  const program = new Command('wasmvisor')
    .description('Runs MIPS and x86 Linux programs, and whole machines, by translating them into WebAssembly.')
    .helpOption('-h, --help', 'show help')
    .option('-V, --version', 'show the version', () => {
      process.stdout.write(`${version()}\n`);
      process.exit(0);
    })
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'wasmvisor: ')) });
  // only the one that is wanted, if it is known: making all takes longer than hello runs
  const [wanted, make] = COMMANDS.find(([name]) => name === argv[2]) ?? ['usage', undefined];
  parts.add(wanted);
  if (wanted !== 'run') usualFlags();
  for (const command of make ? [make()] : COMMANDS.map(([, each]) => each())) program.addCommand(command.copyInheritedSettings(program));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)]) command.exitOverride();
  try {
    const isExact = !argv.some((word) => word.includes(REPLACED));
    await program.parseAsync(isExact ? argv : (await import('./arguments.ts')).exactArguments(argv));
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : ExitCode.Usage;
      return;
    }
    process.exitCode = explain(error);
  }
}
