import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TranslationStore } from '../cache/persistence.ts';
import type { MountPoint } from '../linux/fs/tree.ts';
import { type FileSystem, Mode } from '../linux/fs/vfs.ts';
import type { ExitStatus, Program, ProgramOptions } from '../linux/program.ts';
import { cacheFolder } from './cache-folder.ts';
import { compilePatiently, optimiseLater, usualPatience } from './engine-flags.ts';
import { CliError, ExitCode } from './errors.ts';
import { hostNetwork } from './guest-network.ts';
import type { RunOptions } from './guest-options.ts';
import { madeOf, x87Bits } from './options.ts';
import { parts } from './parts.ts';
import { reserved } from './reserved.ts';
import { stackBytes } from './stack.ts';

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
  const snapshot = options.restore === undefined ? undefined : readSnapshot(options.restore, args);
  const [{ loadProgram }, { ElfError }, { WorkingDirectoryError }, node, { fileInGuest }] = await Promise.all([
    import('../linux/program.ts'),
    import('../linux/elf.ts'),
    import('../linux/fs/tree.ts'),
    import('../host/node.ts'),
    import('./guest-file.ts'),
  ]);
  const open = (folder: string, flag: string, readOnly = false): FileSystem =>
    madeOf(`${flag} ${folder}:`, () => node.nodeFileSystem(folder, { readOnly }));
  const root = options.root === undefined ? undefined : open(options.root, '--root');
  if (root && root.root.format !== Mode.Directory) throw new CliError(`--root ${options.root}: not a folder`, ExitCode.Usage);
  const mounts = options.mount.map((text): MountPoint => {
    const match = /^(.+?):(\/[^:]*)(:ro)?$/.exec(text);
    if (!match) throw new CliError(`--mount ${text}: not of the form host:/guest or host:/guest:ro`, ExitCode.Usage);
    return { path: match[2], fileSystem: open(match[1], '--mount', match[3] !== undefined) };
  });
  const { elf, guestPath, before } = fileInGuest(path, root, mounts, options.cwd ?? '/');

  // it finds itself as /proc/self/exe, and may run itself again
  if (!root) mounts.unshift({ path: guestPath, fileSystem: open(path, path, true) });

  const network = await hostNetwork(options);
  optimiseLater();
  const runtime = compilePatiently(node.nodeRuntime);
  const folder = options.cache ? (options.cacheDir ?? translationsFolder()) : undefined;
  let program: Program;
  try {
    program = await (load ?? loadProgram)(elf, {
      runtime,
      ...(reserved.memory && { reserved: reserved.memory }),
      host: node.nodeHost,
      path: guestPath,
      argv: before.length > 0 ? [...before, path, ...args] : [options.argv0 ?? path, ...args],
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
      ...(snapshot && { restore: snapshot }),
      ...(options.memory !== undefined && { memoryLimit: options.memory }),
      ...(options.timeout !== undefined && { timeout: options.timeout * 1000 }),
      ...(network && { network }),
      ...(process.getuid && process.getgid && { uid: process.getuid(), gid: process.getgid() }),
      ...more,
      onStop: () => process.kill(process.pid, 'SIGSTOP'),
      ...(options.strace && { trace: (line) => process.stderr.write(`${line}\n`) }),
      beforeModules: usualPatience,
      onWarning: (text) => process.stderr.write(`wasmvisor: ${text}\n`),
    });
  } catch (error) {
    if (error instanceof Error && error.name === 'SnapshotError')
      throw new CliError(`--restore ${options.restore}: ${error.message}`, ExitCode.NotExecutable);
    if (error instanceof WorkingDirectoryError) throw new CliError(`--cwd ${options.cwd}: no such directory in the guest`, ExitCode.Usage);
    if (error instanceof ElfError) {
      const hint = !root && error.errno === 'ENOENT' ? ', which --root says' : '';
      throw new CliError(`${path}: ${error.message}${hint}`, ExitCode.NotExecutable);
    }
    // the guest's address space is reserved at once
    if (error instanceof RangeError && /memory/i.test(error.message))
      throw new CliError(`no address space for the guest: ${error.message}`);
    throw error;
  }
  parts.add(program.abi);
  forwardSignals(program);
  const saving = options.save === undefined ? undefined : saveOnSignal(program, options.save);
  let status: ExitStatus;
  try {
    status = await program.run();
  } catch (error) {
    if (error instanceof Error && error.name === 'PublishError') throw new CliError(error.message);
    throw error;
  } finally {
    node.restoreTerminal();
  }
  if (saving?.done) process.exit(0);
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

/** Where translations are kept unless the user says where, if there is such a place. */
function translationsFolder(): string | undefined {
  const folder = cacheFolder();
  return folder === undefined ? undefined : join(folder, 'translations');
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
  if (text === '' || text.startsWith('=')) throw new CliError(`--env '${text}': a variable has a name`, ExitCode.Usage);
  if (text.includes('=')) return [text];
  const value = process.env[text];
  return value === undefined ? [] : [`${text}=${value}`];
}

/** A second SIGINT within this time ends a guest that handles the first. */
const IMPATIENT_MS = 1000;

function readSnapshot(file: string, args: readonly string[]): Uint8Array {
  if (args.length > 0) throw new CliError(`--restore ${file}: the program has its arguments already`, ExitCode.Usage);
  return madeOf(`--restore ${file}:`, () => readFileSync(file));
}

/** SIGUSR2 writes the program's state to this file and ends it; what cannot be saved or written is told, and it goes on. */
function saveOnSignal(program: Program, file: string): { readonly done: boolean } {
  const saving = { done: false };
  process.removeAllListeners('SIGUSR2');
  process.on('SIGUSR2', () => {
    const keep = async (bytes: Uint8Array): Promise<boolean> => {
      const { writeSnapshot } = await import('./snapshot-file.ts');
      saving.done = writeSnapshot(file, bytes);
      return !saving.done;
    };
    program.snapshot(keep).catch((error: unknown) => process.stderr.write(`wasmvisor: --save ${file}: ${(error as Error).message}\r\n`));
  });
  return saving;
}

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
