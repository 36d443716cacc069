import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { cachedDataVersionTag, setFlagsFromString } from 'node:v8';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { TranslationStore } from '../cache/persistence.ts';
import type { MountPoint } from '../linux/fs/tree.ts';
import type { FileSystem } from '../linux/fs/vfs.ts';
import type { Network } from '../linux/net/outside.ts';
import type { ExitStatus, Program, ProgramOptions } from '../linux/program.ts';
import { CliError, ExitCode } from './errors.ts';
import { allowed, bytes, collect, opened, seconds, type X87Choice, x87Bits, x87Option } from './options.ts';
import { parts } from './parts.ts';
import { reserved } from './reserved.ts';
import { stackBytes } from './stack.ts';

export interface RunOptions {
  readonly root?: string;
  readonly mount: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly argv0?: string;
  readonly interpret?: boolean;
  readonly translate?: boolean;
  readonly strict?: boolean;
  readonly net?: 'user';
  readonly allow: readonly string[];
  readonly publish: readonly string[];
  readonly x87: X87Choice;
  readonly memory?: number;
  readonly timeout?: number;
  readonly strace?: boolean;
  readonly stats?: boolean;
  readonly cache: boolean;
  readonly cacheDir?: string;
}

export function runCommand(): Command {
  return guestOptions(new Command('run'))
    .description('run a Linux program for MIPS or x86; exits as the program does (128 + signal if one killed it)')
    .option('--check-sample <1/n>', 'interpret one of n stays in guest code as well, and stop if the results differ', sample)
    .action(async (path: string, args: readonly string[], options: RunOptions & { readonly checkSample?: number }) => {
      const { checkSample } = options;
      if (checkSample === undefined) return run(path, args, options);
      const { runChecked } = await import('./lockstep.ts');
      return runChecked(path, args, options, { sample: checkSample });
    });
}

/** The n of 1/n. */
function sample(text: string): number {
  const [, n] = /^1\/(\d+)$/.exec(text) ?? [];
  if (!(Number(n) >= 1 && Number(n) <= 1e9)) throw new InvalidArgumentError('One of so many, as in 1/1000.');
  return Number(n);
}

/** What says which program to run, and how. */
export function guestOptions(command: Command): Command {
  return command
    .usage('[options] [--] <elf> [args...]')
    .argument('<elf>', 'executable: a host path, or with --root a path in the guest')
    .argument('[args...]', 'the program’s arguments; options after <elf> are its own')
    .passThroughOptions()
    .option('--root <folder>', 'what the guest sees as /; without it, an empty file system in memory')
    .option('--mount <host:guest[:ro]>', 'show a host file or folder to the guest (repeatable)', collect, [])
    .option('--env <name[=value]>', 'set a variable; without a value, the host’s (repeatable)', collect, [])
    .option('--cwd <folder>', 'working directory in the guest (default: /)')
    .option('--argv0 <name>', 'name that the program is called by')
    .addOption(new Option('--net <kind>', 'a network that has the host’s sockets behind it').choices(['user']))
    .option(
      '--allow <tcp|udp:host:port>',
      'what the program may reach over --net user; it finds this host at 10.0.2.2 (repeatable)',
      collect,
      [],
    )
    .option(
      '--publish <[address:]port:port>',
      'a port of this host (at 127.0.0.1 by default) that leads to one of the program’s (repeatable)',
      collect,
      [],
    )
    .option('--interpret', 'never translate')
    .option('--translate', 'always translate')
    .option('--strict', 'check page permissions at each access, from the start')
    .addOption(x87Option())
    .option('--memory <bytes>', 'what the guest may map, e.g. 256m (default: 1g)', (text) => bytes(text, 2 ** 32, ' up to 4G'))
    .option('--timeout <seconds>', 'kill it after so long; the exit code is then 124', seconds)
    .option('--cache-dir <folder>', 'keep translations for the next run there (default: in the user’s cache folder)')
    .option('--no-cache', 'keep no translations')
    .option('--strace', 'tell each system call on stderr, as strace does: thread, call, result')
    .option('--stats', 'afterwards, tell on stderr what the engine did');
}

/** Runs the program and exits as it does. `after` has its turn before that. */
export async function run(
  path: string,
  args: readonly string[],
  options: RunOptions,
  more: Pick<ProgramOptions, 'profileEvery'> = {},
  after?: (program: Program) => Promise<void>,
  load?: (elf: Uint8Array, given: ProgramOptions) => Promise<Program>,
): Promise<void> {
  if (options.interpret && options.translate) throw new CliError('--interpret and --translate exclude each other', ExitCode.Usage);
  if (options.cwd !== undefined && !options.cwd.startsWith('/'))
    throw new CliError(`--cwd ${options.cwd}: not an absolute path`, ExitCode.Usage);
  const [{ loadProgram }, { ElfError }, { WorkingDirectoryError }, node, { fileInGuest }] = await Promise.all([
    import('../linux/program.ts'),
    import('../linux/elf.ts'),
    import('../linux/fs/tree.ts'),
    import('../host/node.ts'),
    import('./guest-file.ts'),
  ]);
  const open = (folder: string, flag: string, readOnly = false): FileSystem =>
    opened(flag, folder, () => node.nodeFileSystem(folder, { readOnly }));
  const root = options.root === undefined ? undefined : open(options.root, '--root');
  const mounts = options.mount.map((text): MountPoint => {
    const match = /^(.+?):(\/[^:]*)(:ro)?$/.exec(text);
    if (!match) throw new CliError(`--mount ${text}: not of the form host:/guest or host:/guest:ro`, ExitCode.Usage);
    return { path: match[2], fileSystem: open(match[1], '--mount', match[3] !== undefined) };
  });
  const { elf, guestPath } = fileInGuest(path, root, mounts, options.cwd ?? '/');

  const network = await hostNetwork(options);
  optimiseLater();
  const runtime = compileLate(node.nodeRuntime);
  const folder = options.cache ? (options.cacheDir ?? cacheFolder()) : undefined;
  let program: Program;
  try {
    program = await (load ?? loadProgram)(elf, {
      runtime,
      ...(reserved.memory && { reserved: reserved.memory }),
      host: node.nodeHost,
      path: guestPath,
      argv: [options.argv0 ?? path, ...args],
      env: options.env.flatMap(variable),
      ...(root && { root }),
      mounts,
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      stdin: node.nodeStdin(),
      stdout: node.nodeStdout(),
      stderr: node.nodeStderr(),
      executor: options.interpret ? 'interpret' : options.translate ? 'translate' : 'tiered',
      x87: x87Bits(options),
      memoryModel: options.strict ? 'checked' : 'direct',
      stackBytes: stackBytes(),
      ...(folder !== undefined && { translations: noting(node.nodeTranslationStore(folder)) }),
      ...(options.memory !== undefined && { memoryLimit: options.memory }),
      ...(options.timeout !== undefined && { timeout: options.timeout * 1000 }),
      ...(network && { network }),
      ...(process.getuid && process.getgid && { uid: process.getuid(), gid: process.getgid() }),
      ...more,
      onStop: () => process.kill(process.pid, 'SIGSTOP'),
      ...(options.strace && { trace: (line) => process.stderr.write(`${line}\n`) }),
      onWarning: (text) => process.stderr.write(`wasmvisor: ${text}\n`),
    });
  } catch (error) {
    if (error instanceof WorkingDirectoryError) throw new CliError(`--cwd ${options.cwd}: no such directory in the guest`, ExitCode.Usage);
    if (error instanceof ElfError) throw new CliError(`${path}: ${error.message}`, ExitCode.NotExecutable);
    // the guest's address space is reserved at once
    if (error instanceof RangeError && /memory/i.test(error.message))
      throw new CliError(`no address space for the guest: ${error.message}`);
    throw error;
  }
  parts.add(program.abi);
  forwardSignals(program);
  let status: ExitStatus;
  try {
    status = await program.run();
  } catch (error) {
    if (error instanceof Error && error.name === 'PublishError') throw new CliError(error.message);
    throw error;
  } finally {
    node.restoreTerminal();
  }
  if ('signal' in status) {
    if (status.reason === 'timeout') process.stderr.write(`wasmvisor: stopped after ${options.timeout} seconds\n`);
    else if (status.report) process.stderr.write(`wasmvisor: ${status.report.text}\n`);
  }
  for (const name of Object.keys(program.stats.syscalls)) parts.add(name);
  if (options.stats) {
    const { describeStats } = await import('./stats.ts');
    process.stderr.write(describeStats(program.stats));
  }
  await after?.(program);
  // what may still be open (standard input) must not keep the process
  process.exit('code' in status ? status.code : status.reason === 'timeout' ? ExitCode.TimedOut : ExitCode.Signal + status.signal);
}

async function hostNetwork({ net, allow, publish }: RunOptions): Promise<Network | undefined> {
  if (net === undefined) {
    if (allow.length + publish.length > 0) throw new CliError('--allow and --publish need --net user', ExitCode.Usage);
    return undefined;
  }
  const [{ makeHostNetwork, parsePublished }, { nodeNatHost }] = await Promise.all([
    import('../devices/net/host-network.ts'),
    import('../host/node.ts'),
  ]);
  const published = publish.map((text) => {
    const found = parsePublished(text);
    if (!found) throw new CliError(`--publish ${text}: not [hostAddress:]hostPort:guestPort`, ExitCode.Usage);
    return found;
  });
  return makeHostNetwork({ allow: allowed(allow), publish: published, host: nodeNatHost });
}

/** Where translations are kept unless the user says where, if there is such a place. */
function cacheFolder(): string | undefined {
  const folder = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return isAbsolute(folder) ? join(folder, 'wasmvisor', 'translations') : undefined;
}

/** Of processor time. */
const SETTLED_MS = 300;

/**
 * V8 begins to optimise the translator's functions at once, which takes a short program's time twice over; until things have
 * settled it must not. It compiles WebAssembly as always.
 */
function optimiseLater(): void {
  setFlagsFromString('--no-opt');
  const start = process.cpuUsage();
  const look = (): void => {
    const { user, system } = process.cpuUsage(start);
    const left = SETTLED_MS - (user + system) / 1000;
    if (left > 0) setTimeout(look, left).unref();
    else setFlagsFromString('--opt');
  };
  look();
}

/**
 * V8 optimises a WebAssembly function once this many bytes of its code have run, as it counts: for the interpreter, which is one large loop,
 * that is after some hundred µops, and takes as long as all that a short program does. So our own WebAssembly is given more.
 */
const PATIENT_BUDGET = 200_000_000;
/** Its own numbers: of V8 11 and of V8 12 to 13. Which one it is shows in what kept code is compared with. */
const USUAL_BUDGETS = [1_800_000, 13_000_000];

function compileLate(compile: () => WebAssembly.Module): WebAssembly.Module {
  const usual = cachedDataVersionTag();
  setFlagsFromString(`--wasm-tiering-budget=${PATIENT_BUDGET}`);
  const module = compile();
  for (const budget of USUAL_BUDGETS) {
    setFlagsFromString(`--wasm-tiering-budget=${budget}`);
    if (cachedDataVersionTag() === usual) break;
  }
  return module;
}

/** What a start with translations of an earlier run uses is not what the first one does. */
function noting(store: TranslationStore): TranslationStore {
  return {
    ...store,
    async load(key) {
      const data = await store.load(key);
      if (data) parts.add('kept');
      return data;
    },
  };
}

function variable(text: string): string[] {
  if (text.includes('=')) return text.startsWith('=') ? [] : [text];
  const value = process.env[text];
  return value === undefined ? [] : [`${text}=${value}`];
}

/** A second SIGINT within this time ends a guest that handles the first. */
const IMPATIENT_MS = 1000;

function forwardSignals(program: Program): void {
  let last = Number.NEGATIVE_INFINITY;
  process.on('SIGINT', () => {
    const now = performance.now();
    if (now - last < IMPATIENT_MS) process.exit(ExitCode.Signal + 2);
    last = now;
    program.stop('SIGINT');
  });
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGWINCH', 'SIGUSR2', 'SIGTSTP', 'SIGCONT'] as const)
    process.on(name, () => program.stop(name));
}
