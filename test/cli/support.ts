import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll } from 'vitest';

export const ROOT = resolve(import.meta.dirname, '../..');
export const CLI = join(ROOT, 'dist/cli.cjs');
export const CORPUS = join(ROOT, 'corpus/programs');

/** Within the time that a test may take, so that what the command has printed is told. */
export const PATIENCE_MS = 240_000;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly done: Promise<Finished>;
  /** Resolves when it prints more; with what it has printed in an error, if it ends instead. */
  says(stream: 'stdout' | 'stderr'): Promise<string>;
}

const alive = new Set<ChildProcess>();
afterAll(() => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Kills a child that takes too long, or that a failed test leaves behind; gives what is to be told of the former. */
export function attend(child: ChildProcess): () => string {
  let late = '';
  const timer = setTimeout(() => {
    late = `\nkilled by the test: it did not end in ${PATIENCE_MS / 1000} s`;
    child.kill('SIGKILL');
  }, PATIENCE_MS);
  alive.add(child);
  child.on('close', () => {
    clearTimeout(timer);
    alive.delete(child);
  });
  return () => late;
}

/** Starts the built command. */
export function start(...args: string[]): Started {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: 'pipe', env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined } });
  const late = attend(child);
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      printed[stream] += text;
    });
  child.stdin.on('error', () => undefined);
  child.stdin.end();
  const done = new Promise<Finished>((end, fail) => {
    child.on('error', fail);
    child.on('close', (code) => end({ code, stdout: printed.stdout, stderr: printed.stderr + late() }));
  });
  const says = (stream: 'stdout' | 'stderr'): Promise<string> =>
    Promise.race([
      new Promise<string>((resolve) => child[stream].once('data', resolve)),
      done.then(({ code, ...rest }) => {
        throw new Error(`it ended with ${code} and says no more on ${stream}: ${JSON.stringify(rest).slice(0, 2000)}`);
      }),
    ]);
  return { child, done, says };
}

/** Runs the built command to its end. */
export const wasmvisor = (...args: string[]): Promise<Finished> => start(...args).done;

/** A folder of this test file's own, with a function that writes into it. */
export function makeFolder(): { readonly folder: string; readonly put: (name: string, content: Uint8Array | string) => string } {
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    put(name, content) {
      const path = join(folder, name);
      writeFileSync(path, content, { mode: 0o755 });
      return path;
    },
  };
}
