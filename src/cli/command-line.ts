import { Command, CommanderError } from 'commander';
import { usualFlags } from './engine-flags.ts';
import { CliError, ExitCode } from './errors.ts';
import { parts } from './parts.ts';
import { plainRun } from './plain-run.ts';
import { reserved } from './reserved.ts';
import { run } from './run-program.ts';
import { version } from './version.ts';

export type Commands = readonly (readonly [name: string, make: () => Command])[];

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

/** What a command line of these commands says. */
export async function perform(commands: Commands, argv: readonly string[], memory?: WebAssembly.Memory): Promise<void> {
  reserved.memory = memory;
  const isExact = !argv.some((word) => word.includes(REPLACED));
  const [wanted, make] = commands.find(([name]) => name === argv[2]) ?? ['usage', undefined];
  parts.add(wanted);
  if (wanted !== 'run') usualFlags();
  const plain = wanted === 'run' && isExact ? plainRun(argv.slice(3)) : undefined;
  try {
    if (plain) return await run(plain.path, plain.args, plain.options);
    parts.add('options');
    // only the one that is wanted, if it is known: making all takes longer than hello runs
    const program = programOf(make ? [make] : commands.map(([, each]) => each));
    await program.parseAsync(isExact ? argv : (await import('./arguments.ts')).exactArguments(argv));
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : ExitCode.Usage;
      return;
    }
    process.exitCode = explain(error);
  }
}

function programOf(makers: readonly (() => Command)[]): Command {
  const program = new Command('wasmvisor')
    .description('Runs MIPS and x86 Linux programs, and whole machines, by translating them into WebAssembly.')
    .helpOption('-h, --help', 'show help')
    .option('-V, --version', 'show the version', () => {
      process.stdout.write(`${version()}\n`);
      process.exit(0);
    })
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'wasmvisor: ')) });
  for (const make of makers) program.addCommand(make().copyInheritedSettings(program));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)]) command.exitOverride();
  return program;
}
