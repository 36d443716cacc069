import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { parseElf } from '../../src/linux/elf.ts';
import { looksAtMxcsr, programLooksAtMxcsr } from '../../src/linux/i386/mxcsr.ts';
import { lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

const target = TARGETS.find(({ name }) => name === 'i386')!;
const LIBRARIES = '/usr/i686-linux-gnu/lib';
const LOADER = `${LIBRARIES}/ld-linux.so.2`;
const missing = lacks(target) || (existsSync(LOADER) ? '' : ` (skipped: no ${LOADER})`);

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-mxcsr-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = (name: string): string => fileURLToPath(new URL(`./programs/${name}.c`, import.meta.url));
const gcc = (...args: readonly string[]): void => {
  execFileSync(target.compiler, ['-O1', '-w', '-msse2', '-mfpmath=sse', '-fno-math-errno', ...args], { stdio: 'pipe' });
};

function build(name: string, looks: 'in the program' | 'in a library', options: readonly string[]): string {
  const file = join(folder, name);
  if (looks === 'in the program') gcc('-static', '-o', file, source('mxcsr'), source('look'), '-lm', ...options);
  else {
    gcc('-shared', '-fPIC', '-o', join(folder, `lib${name}.so`), source('look'), ...options);
    const paths = [folder, LIBRARIES].map((path) => `-Wl,-rpath,${path}`);
    gcc('-o', file, source('mxcsr'), `-Wl,--dynamic-linker=${LOADER}`, `-L${folder}`, `-l${name}`, '-lm', ...paths);
  }
  return file;
}

describe.skipIf(missing !== '')(`MXCSR’s flags at a program’s first look${missing}`, () => {
  it.each([
    ['the program’s own and fetestexcept', 'static', 'in the program', ['-DFENV']],
    ['a shared library’s', 'own', 'in a library', []],
    ['a shared library’s call of fegetenv', 'fenv', 'in a library', ['-DBY_FENV']],
  ] as const)('are those of the processor: %s', { timeout: 300_000 }, async (_, name, looks, options) => {
    const path = build(name, looks, options);
    const expected = runElsewhere(target, path);
    expect(new Set(expected.stdout.split('\n').map((line) => line.split(' ')[1])).size).toBeGreaterThan(6);
    expect((await runHere(path, { root: nodeFileSystem('/'), path, argv: [path] })).stdout).toBe(expected.stdout);
  });

  it('are no matter for a program only because it has the C library', () => {
    for (const library of ['libc.so.6', 'libm.so.6']) {
      const elf = parseElf(new Uint8Array(readFileSync(join(LIBRARIES, library))));
      expect(Buffer.from(elf.bytes).includes(Buffer.from([0x0f, 0xae]))).toBe(true);
      expect(programLooksAtMxcsr(elf)).toBe(false);
    }
  });

  it('are not what 0F AE in the distance to data tells', () => {
    const NO_FILE = { size: () => 0, read: () => 0 };
    // the thunk: MOV EAX, [ESP]; RET. CALL thunk; ADD EAX, 0xAAE0F, or (not of the call) STMXCSR [ESI]
    const thunk = [0x8b, 0x04, 0x24, 0xc3];
    const code = (distance: number, ...rest: number[]) => new Uint8Array([...thunk, 0xe8, distance, 0xff, 0xff, 0xff, ...rest]);
    expect(looksAtMxcsr(code(0xf7, 0x05, 0x0f, 0xae, 0x0a, 0x00), NO_FILE)).toBe(false);
    expect(looksAtMxcsr(code(0xf7, 0x81, 0xc3, 0x0f, 0xae, 0x0a, 0x00), NO_FILE)).toBe(false);
    expect(looksAtMxcsr(code(0xf6, 0x05, 0x0f, 0xae, 0x0a, 0x00), NO_FILE)).toBe(true);
    expect(looksAtMxcsr(code(0xf7, 0x0f, 0xae, 0x1e), NO_FILE)).toBe(true);
  });
});
