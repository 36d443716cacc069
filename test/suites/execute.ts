import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Job, JobResult } from './guest.ts';
import { ROOT } from './paths.ts';
import type { Arch, Case, Outcome, Where } from './suite.ts';

const COMPILERS: Readonly<Record<Arch, string>> = {
  i386: 'i686-linux-gnu-gcc',
  mips: 'mips-linux-gnu-gcc',
  mipsel: 'mipsel-linux-gnu-gcc',
};

/** Milliseconds for one program: elsewhere, and here; here in a run with a time limit, which leaves out what takes long. */
const PATIENCE = 120_000;
const OUR_PATIENCE = 1_200_000;
export const SHORT_PATIENCE = 240_000;
/** A thread that has run so many programs is replaced, so that their memories go. */
const PROGRAMS_PER_THREAD = 100;

const found = (command: string, args: readonly string[] = ['--version']): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** What this machine can do; the reasons are shown. */
export interface Machine {
  readonly missing: Readonly<Partial<Record<Where | Arch, string>>>;
}

export function lookAround(arches: readonly Arch[]): Machine {
  const missing: Partial<Record<Where | Arch, string>> = {};
  for (const arch of arches) if (!found(COMPILERS[arch])) missing[arch] = `${COMPILERS[arch]} is not installed`;
  if (!found('qemu-i386')) missing.qemu = 'qemu-user is not installed';
  if (process.arch !== 'x64' && process.arch !== 'ia32') missing.processor = 'not an x86 machine';
  return { missing };
}

interface Ended extends Outcome {
  readonly stderr: string;
}

function execute(command: string, args: readonly string[], cwd: string, patience: number): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { PATH: process.env.PATH ?? '', HOME: '/', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let timeout = false;
    // what it started goes with it
    const kill = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // gone already
      }
    };
    const timer = setTimeout(() => {
      timeout = true;
      kill();
    }, patience);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ stdout: '', stderr: error.message, status: 127 });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      kill();
      const status = code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
      const [stdout, stderr] = [out, err].map((chunks) => Buffer.concat(chunks).toString('latin1'));
      resolve({ stdout, stderr, status, ...(timeout && { timeout }) });
    });
  });
}

/** One case after another: compiles it, runs it, deletes it. Several of these work side by side. */
export class Lane {
  private worker: Worker | undefined;
  private programs = 0;
  private readonly folder = mkdtempSync(join(tmpdir(), 'wasmvisor-suites-'));

  constructor(
    private readonly guestModule: string,
    private readonly patience = OUR_PATIENCE,
  ) {}

  /** The program, or why there is none. */
  async build(arch: Arch, item: Case): Promise<{ readonly file: string } | { readonly failed: string }> {
    const file = join(this.folder, basename(item.name));
    const sources: string[] = [];
    for (const source of item.sources) sources.push(source.endsWith('.def') ? await this.generate(source) : source);
    if (item.without) sources[0] = this.reduce(sources[0], item.without);
    const result = await execute(COMPILERS[arch], ['-static', ...item.flags, '-o', file, ...sources, '-lm'], item.folder, PATIENCE);
    if (result.status === 0) return { file };
    const line = result.stderr.split('\n').find((l) => /error|undefined|cannot/i.test(l)) ?? result.stderr.split('\n')[0];
    return { failed: line.replaceAll(/\S*\/(?=[^/]*$)/g, '').slice(0, 160) };
  }

  /** Valgrind’s generator makes C of a list of instructions with operands and results. */
  private async generate(definition: string): Promise<string> {
    const script = join(definition, '../gen_insn_test.pl');
    const { stdout } = await execute('sh', ['-c', 'exec perl "$0" < "$1"', script, definition], this.folder, PATIENCE);
    const file = join(this.folder, basename(definition).replace('.def', '.c'));
    writeFileSync(file, stdout, 'latin1');
    return file;
  }

  private reduce(source: string, without: RegExp): string {
    const file = join(this.folder, `reduced-${basename(source)}`);
    writeFileSync(file, readFileSync(source, 'latin1').replace(without, ''), 'latin1');
    return file;
  }

  async run(
    where: Where,
    arch: Arch,
    file: string,
    args: readonly string[],
    patience = PATIENCE,
  ): Promise<Outcome & { readonly warnings?: readonly string[] }> {
    if (where === 'interpret' || where === 'translate') return this.here({ file, args, executor: where, timeout: this.patience });
    const cwd = join(this.folder, 'cwd');
    rmSync(cwd, { recursive: true, force: true });
    mkdirSync(cwd);
    return where === 'processor' ? execute(file, args, cwd, patience) : execute(`qemu-${arch}`, [file, ...args], cwd, patience);
  }

  private async here(job: Job): Promise<JobResult> {
    if (this.programs++ % PROGRAMS_PER_THREAD === 0) await this.retire();
    const worker =
      this.worker ??
      new Worker(this.guestModule, {
        workerData: { library: pathToFileURL(join(ROOT, 'dist')).href },
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      });
    this.worker = worker;
    return new Promise((resolve) => {
      const finish = (value: JobResult): void => {
        clearTimeout(timer);
        worker.off('message', finish).off('error', failed).off('exit', ended);
        resolve(value);
      };
      const lost = (why: string, timeout = false): void => {
        this.worker = undefined;
        finish({ stdout: '', status: 125, timeout, warnings: [why] });
        void worker.terminate();
      };
      const failed = (error: Error): void => lost(`${error.stack}`);
      const ended = (): void => lost('the thread ended');
      const timer = setTimeout(() => lost('hangs', true), job.timeout + 15_000);
      worker.on('message', finish).on('error', failed).on('exit', ended);
      worker.postMessage(job);
    });
  }

  private async retire(): Promise<void> {
    await this.worker?.terminate();
    this.worker = undefined;
  }

  remove(file: string): void {
    rmSync(file, { force: true });
  }

  async close(): Promise<void> {
    await this.retire();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
