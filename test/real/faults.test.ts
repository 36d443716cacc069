import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { execute, executorsOf, inTree, wasmvisor } from './execute.ts';
import { have } from './guests.ts';

const COMPILER = 'i686-linux-gnu-gcc';
const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-faults-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const binary = join(folder, 'faults');

/** Why the processor cannot be asked. */
function build(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'not Linux on an x86 processor';
  if (!have(COMPILER)) return `${COMPILER} is not installed`;
  execFileSync(COMPILER, ['-O1', '-static', '-no-pie', '-fno-pic', '-w', '-o', binary, join(import.meta.dirname, 'programs/faults.c')]);
  return spawnSync(binary, ['none']).status === 0 ? undefined : 'this machine does not run i386 programs';
}
const missing = build();
if (missing) console.warn(`what signal handlers are told is not compared: ${missing}`);

describe.skipIf(missing)('signal handlers are told what they are told on the processor', () => {
  test.each(executorsOf(false))('%s', async (executor) => {
    const expected = await inTree((cwd) => execute({ command: binary, args: [], cwd }));
    const actual = await inTree((cwd) => wasmvisor(executor, folder, '/faults', [], cwd));
    expect(actual.stdout.split('\n')).toEqual(expected.stdout.split('\n'));
    expect(actual.status).toBe(expected.status);
  }, 300_000);
});
