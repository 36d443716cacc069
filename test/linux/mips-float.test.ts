import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ElfFile } from '../../src/linux/elf.ts';
import { startMode } from '../../src/linux/mips/fp-mode.ts';
import { Mode } from '../../translators/mips/state.ts';
import { runReference } from '../support/elsewhere.ts';
import { runHere } from './compiled.ts';

const SOURCE = fileURLToPath(new URL('./programs/float.c', import.meta.url));
const NAN_SOURCE = fileURLToPath(new URL('./programs/nan.c', import.meta.url));
const TARGETS = [
  { name: 'mipsel', flag: '-mfpxx', fr: 1 },
  { name: 'mips', flag: '-mfp32', fr: 0 },
  { name: 'mips', flag: '-mfp64', fr: 1 },
];
const installed = (command: string): boolean => !spawnSync(command, ['--version'], { stdio: 'ignore' }).error;

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-float-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const EXECUTORS = ['interpret', 'translate', 'tiered'] as const;
async function run(file: string, args: readonly string[], executor: (typeof EXECUTORS)[number]) {
  const { stdout, code } = await runHere(file, { executor, argv: ['float', ...args] });
  return { stdout, status: code };
}

/** sysmips(MIPS_FIXADE) as Linux has it; qemu-user takes every access that is not aligned for an address error. */
const unaligned = (big: boolean): string => `fix 1: 0
lw 0 ${big ? '02030405' : '05040302'}
sh 0 00001234
ldc1 0 1
ll 10128
fix 0: 0
lw 10128 00000000
sh 10128 00000000
ldc1 10128 0
ll 10128
`;

describe.each(TARGETS)('floating point of C programs on $name $flag', ({ name, flag, fr }) => {
  const compiler = `${name}-linux-gnu-gcc`;
  const emulator = `qemu-${name}`;
  const ready = installed(compiler) && installed(emulator);
  const missing = ready ? '' : ` (skipped: needs ${compiler} and ${emulator})`;
  const file = join(folder, name + flag);
  // translate compiles every function that is ever reached, seconds for each run
  const executors = EXECUTORS.filter((executor) => executor !== 'translate' || flag === '-mfpxx');
  if (ready) execFileSync(compiler, ['-static', '-O1', '-frounding-math', '-fsignaling-nans', flag, '-o', file, SOURCE, '-lm']);

  it.skipIf(!ready)(`rounds, raises and traps as under qemu${missing}`, { timeout: 300_000 }, async () => {
    const expected = runReference(emulator, [file]);
    expect(expected.stdout).toContain('trap 4');
    for (const executor of executors)
      expect({ executor, ...(await run(file, [], executor)) }).toEqual({ executor, stdout: expected.stdout, status: 0 });
  });
  it.skipIf(!ready)(`accesses what is not aligned${missing}`, { timeout: 300_000 }, async () => {
    for (const executor of executors)
      expect({ executor, ...(await run(file, ['linux'], executor)) }).toEqual({ executor, stdout: unaligned(name === 'mips'), status: 0 });
  });
  it.skipIf(!ready)(`starts with FR=${fr}, changes it, and counts instructions${missing}`, { timeout: 300_000 }, async () => {
    const changed = flag === '-mfpxx' ? `changed 0 to ${fr ^ 1}: 1\n` : '';
    const stdout = `FIR 00730000, hardware 0 32 1, 4 instructions\nmode ${fr}, same 0, FRE -1 1, unknown -1 1\n${changed}`;
    for (const executor of executors)
      expect({ executor, ...(await run(file, ['mode'], executor)) }).toEqual({ executor, stdout, status: 0 });
  });
});

describe.each(['mips', 'mipsel'])('2008 NaNs on %s', (name) => {
  const ready = installed(`${name}-linux-gnu-gcc`) && installed(`qemu-${name}`);
  it.skipIf(!ready).each(['legacy', '2008'])('a program built with -mnan=%s', { timeout: 300_000 }, async (nan) => {
    const file = join(folder, `nan-${name}-${nan}`);
    // the assembler wants headers that say so; the C library has none for 2008
    const flags = '-static -O1 -nostdlib -ffreestanding -fno-pic -mno-abicalls -mips32r2 -mfp64 -fsignaling-nans'.split(' ');
    execFileSync(`${name}-linux-gnu-gcc`, [...flags, `-mnan=${nan}`, '-o', file, NAN_SOURCE]);
    const expected = runReference(`qemu-${name}`, [file]);
    expect(expected.stdout.split('\n').length).toBeGreaterThan(10);
    for (const executor of EXECUTORS)
      expect({ executor, ...(await run(file, [], executor)) }).toEqual({ executor, stdout: expected.stdout, status: 0 });
  });
});

describe('the mode that a program starts in', () => {
  const elf = (fpAbi: number | undefined, nan2008 = false) => ({ mips: { fpAbi, nan2008 } }) as ElfFile;
  // Val_GNU_MIPS_ABI_FP_: ANY 0, DOUBLE 1, SINGLE 2, SOFT 3, OLD_64 4, XX 5, 64 6, 64A 7
  it.each([
    [undefined, undefined, 0],
    [0, undefined, Mode.FR],
    [1, undefined, 0],
    [2, undefined, Mode.FR],
    [3, undefined, 0],
    [5, undefined, Mode.FR],
    [6, undefined, Mode.FR],
    [1, 5, 0],
    [5, 5, Mode.FR],
    [6, 5, Mode.FR],
    [7, 6, Mode.FR],
  ])('of floating-point ABI %s with an interpreter of %s is %s', (program, interpreter, mode) => {
    expect(startMode(elf(program), interpreter === undefined ? undefined : elf(interpreter))).toBe(mode);
  });
  it('refuses what no mode runs', () => {
    expect(() => startMode(elf(4), undefined)).toThrow('MIPS floating-point ABI old 64: no mode of the FPU runs it');
    expect(() => startMode(elf(1), elf(6))).toThrow('MIPS floating-point ABI double and 64: no mode of the FPU runs it');
    expect(() => startMode(elf(7), elf(1))).toThrow('MIPS floating-point ABI 64A and double: needs Config5.FRE');
    expect(() => startMode(elf(5, true), elf(5))).toThrow('the program has 2008 NaNs, its interpreter has not');
    expect(() => startMode(elf(9), undefined)).toThrow('MIPS floating-point ABI 9, which is not known');
  });
  it('takes the NaNs from the program', () => expect(startMode(elf(6, true), undefined)).toBe(Mode.FR | Mode.NAN2008));
});
