import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Arch, have, makeTree, ROOT } from './guests.ts';

/** How a command's standard error ends if it was killed for not ending. */
const LATE = 'killed by the test: it did not end in';

export interface Outcome {
  /** latin1, so that every byte is kept. */
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + signal if it was killed. */
  readonly status: number;
}

export interface Execution {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Name that the program is called by (argv[0]), if not `command`. */
  readonly argv0?: string;
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

export const ENV: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin', HOME: '/', LC_ALL: 'C', TZ: 'UTC', TERM: 'dumb' };

/** Within the time that a test may take, so that what a command has printed is told. */
const PATIENCE_MS = 240_000;
/** qemu-user 7.2 sometimes waits for itself for ever; a busy host is slow. */
const QEMU_PATIENCE_MS = [20_000, 60_000, 140_000];

/** Runs a host command to its end, or for `timeout` milliseconds: then its standard error says so, and its status is 137. */
export function execute({ command, args, cwd, stdin = '', env = {}, argv0 }: Execution, timeout = PATIENCE_MS): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: 'pipe', ...(argv0 === undefined ? {} : { argv0 }) });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => {
      err.push(Buffer.from(`\n${LATE} ${timeout / 1000} s`));
      child.kill('SIGKILL');
      // processes that it has started may hold them open
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeout);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const status = code ?? 128 + (SIGNALS[signal as string] ?? 0);
      resolve({ stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString('latin1'), status });
    });
  });
}

/** A fresh copy of the test files for one execution. */
export async function inTree<T>(work: (cwd: string) => Promise<T>): Promise<T> {
  const cwd = mkdtempSync(join(tmpdir(), 'wasmvisor-real-'));
  makeTree(join(cwd, 'tree'));
  try {
    return await work(join(cwd, 'tree'));
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

export type Executor = 'interpret' | 'translate' | 'tiered';
/** All of them, or what WASMVISOR_EXECUTORS names. */
const EXECUTORS = (process.env.WASMVISOR_EXECUTORS ?? 'interpret,translate,tiered').split(',') as readonly Executor[];

/**
 * The executors of one test. `translate` compiles every function that is ever reached, seconds for each run of a dynamic
 * program: it takes its turn in a few tests, and in all if WASMVISOR_EXECUTORS says so.
 */
export const executorsOf = (isFirst: boolean): readonly Executor[] =>
  EXECUTORS.filter((executor) => executor !== 'translate' || isFirst || process.env.WASMVISOR_EXECUTORS !== undefined);

export const CLI = join(ROOT, 'dist/cli.cjs');

/** `wasmvisor run` of a guest path below `root`, with `cwd` mounted at /tree as working directory. */
export function wasmvisor(
  executor: Executor,
  root: string,
  path: string,
  args: readonly string[],
  cwd: string,
  stdin?: string,
): Promise<Outcome> {
  const options = executor === 'tiered' ? [] : [`--${executor}`];
  const env = Object.entries(ENV).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  return execute({
    command: process.execPath,
    args: [
      CLI,
      'run',
      ...options,
      '--root',
      root,
      '--mount',
      `${cwd}:/tree`,
      '--cwd',
      '/tree',
      '--timeout',
      '230',
      ...env,
      '--',
      path,
      ...args,
    ],
    cwd,
    env: { PATH: process.env.PATH ?? '' },
    ...(stdin === undefined ? {} : { stdin }),
  });
}

/** A program of `root` under qemu-user. */
export const qemuCommand = (
  arch: Arch | 'mips',
  root: string,
  path: string,
  args: readonly string[],
): Pick<Execution, 'command' | 'args'> => ({
  command: `qemu-${arch}`,
  args: ['-L', root, '-0', path, join(root, path), ...args],
});

/** The same program under qemu-user, in a tree of inTree; again, on the tree as it was, if it does not end. */
export async function qemu(
  arch: Arch | 'mips',
  root: string,
  path: string,
  args: readonly string[],
  cwd: string,
  stdin?: string,
): Promise<Outcome> {
  for (const [i, patience] of QEMU_PATIENCE_MS.entries()) {
    const execution = { ...qemuCommand(arch, root, path, args), cwd, env: ENV, ...(stdin === undefined ? {} : { stdin }) };
    const outcome = await execute(execution, patience);
    if (!outcome.stderr.includes(LATE)) return outcome;
    if (i < QEMU_PATIENCE_MS.length - 1) makeTree(cwd);
  }
  throw new Error(`qemu-${arch} ${path} ${args.join(' ')} does not end`);
}

/** An i386 program of `root` on this machine's processor, without a chroot: through its own ld.so if it is dynamic. */
export function nativeCommand(root: string, path: string, args: readonly string[]): Pick<Execution, 'command' | 'args' | 'argv0'> {
  const program = join(root, path);
  if (path.endsWith('busybox')) return { command: program, args, argv0: path };
  const libraries = `${root}/lib/i386-linux-gnu:${root}/usr/lib/i386-linux-gnu`;
  return { command: join(root, 'lib/ld-linux.so.2'), args: ['--library-path', libraries, '--argv0', path, program, ...args] };
}

/** The same i386 program on this machine's processor. */
export function native(root: string, path: string, args: readonly string[], cwd: string, stdin?: string): Promise<Outcome> {
  return execute({ ...nativeCommand(root, path, args), cwd, env: ENV, ...(stdin === undefined ? {} : { stdin }) });
}

/** Whether this machine runs i386 programs itself. */
export const runsNatively = (arch: Arch, root: string): boolean =>
  arch === 'i386' && spawnSync(join(root, 'bin/busybox'), ['true']).status === 0;

export const haveQemu = (arch: Arch | 'mips'): boolean => have(`qemu-${arch}`);
