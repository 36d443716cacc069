import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runReference } from '../support/elsewhere.ts';
import { runHere } from './compiled.ts';

const SOURCE = fileURLToPath(new URL('./programs/signals.c', import.meta.url));
const TARGETS = [
  { name: 'mips', compiler: 'mips-linux-gnu-gcc', emulator: 'qemu-mips' },
  { name: 'mipsel', compiler: 'mipsel-linux-gnu-gcc', emulator: 'qemu-mipsel' },
  { name: 'i386', compiler: 'i686-linux-gnu-gcc', emulator: 'qemu-i386' },
];
const installed = (command: string): boolean => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error;

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-linux-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs it here; output and exit code as a shell sees them. */
async function run(file: string, args: readonly string[], executor: 'interpret' | 'tiered') {
  const { stdout, code } = await runHere(file, { executor, argv: ['signals', ...args] });
  return { stdout, status: code };
}

describe.each(TARGETS)('signals and memory on $name', ({ name, compiler, emulator }) => {
  const ready = installed(compiler) && installed(emulator);
  const missing = ready ? '' : ` (skipped: needs ${compiler} and ${emulator})`;
  const file = join(folder, name);
  if (ready) execFileSync(compiler, ['-static', '-O1', '-w', '-o', file, SOURCE]);

  it.skipIf(!ready).each([[[]], [['overflow']]])(`are as Linux has them, arguments %j${missing}`, { timeout: 300_000 }, async (args) => {
    const expected = runReference(emulator, [file, ...args], folder);
    expect(expected.stdout).toContain('ignored\n');
    for (const executor of ['interpret', 'tiered'] as const) {
      const ours = await run(file, args, executor);
      expect(ours.stdout).toBe(expected.stdout);
      expect(ours.status).toBe(expected.status);
    }
  });
});
