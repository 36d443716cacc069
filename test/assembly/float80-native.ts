import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Sizes and places in the records of float80-native.c. */
export const IN = { size: 144, code: 0, memory: 16, image: 32, flags: 140 } as const;
export const OUT = { size: 132, image: 0, memory: 108, eax: 124, flags: 128 } as const;
/** Places in a 32-bit FNSAVE image. */
export const IMAGE = { control: 0, status: 4, tags: 8, registers: 28, size: 108 } as const;
/** Where the code sees its 16 bytes of memory. */
export const MEMORY_ADDRESS = 0x20001000;

/** Runs records of IN.size bytes on the processor; undefined where this machine cannot. */
export type Native = (input: Uint8Array) => Buffer;

/** Builds the native program, or says why it cannot run here. */
export function buildNative(): { run: Native } | { reason: string } {
  const folder = mkdtempSync(join(tmpdir(), 'float80-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'native');
  const source = fileURLToPath(new URL('float80-native.c', import.meta.url));
  const built = spawnSync('i686-linux-gnu-gcc', ['-O1', '-static', '-fno-pie', '-no-pie', '-o', program, source], { encoding: 'utf8' });
  if (built.error || built.status !== 0) return { reason: `i686-linux-gnu-gcc: ${built.error?.message ?? built.stderr}` };
  const run: Native = (input) => {
    const result = spawnSync(program, { input, maxBuffer: 1 << 30 });
    if (result.error) throw result.error;
    if (result.status !== 0) throw new Error(`native program ended with ${result.signal ?? result.status}`);
    return result.stdout;
  };
  try {
    run(new Uint8Array(0));
  } catch (error) {
    return { reason: `this machine does not run i386 programs: ${(error as Error).message}` };
  }
  return { run };
}
