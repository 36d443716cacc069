import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../../src/cli/measure.ts';
import { CORPUS, makeFolder, wasmvisor } from './support.ts';

const TIMEOUT = 300_000;
const { folder } = makeFolder();

describe('disasm', () => {
  test(
    'shows a function with its bytes',
    async () => {
      const { code, stdout } = await wasmvisor('disasm', '--symbol', 'fib', join(CORPUS, 'mipsel/fib'));
      expect(code).toBe(0);
      expect(stdout.split('\n').slice(0, 3)).toEqual([
        '00400174 <fib>:',
        '00400174  27bdffe8  addiu sp,sp,-24',
        '00400178  2c820002  sltiu v0,a0,2',
      ]);
    },
    TIMEOUT,
  );

  test(
    'shows a range',
    async () => {
      const whole = await wasmvisor('disasm', join(CORPUS, 'mips/fib'));
      expect(whole.stdout).toMatch(/^\w+ <\w+>:\n/);
      expect(whole.stdout).not.toContain('.word');
      const { stdout } = await wasmvisor('disasm', '--start', '0x8049000', '--stop', '0x8049004', join(CORPUS, 'x86/fib'));
      expect(stdout).toBe(
        '08049000 <_start>:\n08049000  31 ed                    xor ebp,ebp\n08049002  89 e0                    mov eax,esp\n',
      );
    },
    TIMEOUT,
  );

  test.each([
    [['--symbol', 'absent'], /no symbol absent/],
    [['--symbol', 'fi'], /similar: fib/],
    [['--start', 'here'], /--start here: not a 32-bit address/],
    [['--start', '0x10', '--stop', '0x20'], /no code in that range/],
  ])(
    'refuses %j',
    async (args, message) => {
      const done = await wasmvisor('disasm', ...args, join(CORPUS, 'x86/fib'));
      expect(done).toMatchObject({ code: 2, stdout: '' });
      expect(done.stderr).toMatch(message);
    },
    TIMEOUT,
  );
});

describe('inspect', () => {
  test.each([
    ['mips', /jal 0x400174/],
    ['x86', /call 0x80490a0|call 0x8049/],
  ])(
    'shows assembly, IR and WebAssembly side by side (%s)',
    async (isa, assembly) => {
      const { code, stdout } = await wasmvisor('inspect', '--width', '180', join(CORPUS, isa, 'fib'), 'fib');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^guest +│ IR +│ WebAssembly\n/);
      expect(stdout).toMatch(assembly);
      expect(stdout).toMatch(/block 0x[0-9a-f]+ \(\d+ instructions, \d+ bytes\)/);
      expect(stdout).toMatch(/\(module/);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(180);
    },
    TIMEOUT,
  );

  test(
    'takes an address, and shows one stage',
    async () => {
      const { stdout } = await wasmvisor('inspect', '--stage', 'asm', '--bytes', '8', join(CORPUS, 'mips/fib'), '0x400174');
      expect(stdout).toBe('0x400174  addiu sp,sp,-24\n0x400178  sltiu v0,a0,2\n');
      expect((await wasmvisor('inspect', '--stage', 'ir', join(CORPUS, 'mips/fib'), 'fib')).stdout).toMatch(/^block 0x400174/);
      expect((await wasmvisor('inspect', '--stage', 'wat', join(CORPUS, 'mips/fib'), 'fib')).stdout).toMatch(/^\(module/);
    },
    TIMEOUT,
  );

  test(
    'takes an x86 function at an odd address',
    async () => {
      const { code, stdout } = await wasmvisor('inspect', '--stage', 'ir', join(CORPUS, 'x86-sse2/mandelbrot'), 'run');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^block 0x8049043 /);
    },
    TIMEOUT,
  );

  test(
    'refuses an address without code',
    async () => {
      expect(await wasmvisor('inspect', join(CORPUS, 'mips/fib'), '0x10')).toEqual({
        code: 2,
        stdout: '',
        stderr: 'wasmvisor: no code at 0x10 in this file\n',
      });
    },
    TIMEOUT,
  );
});

describe('list', () => {
  test(
    'instructions come from the rows',
    async () => {
      const { code, stdout } = await wasmvisor('list', 'instructions');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^mips +000000 sssss ttttt ddddd 00000 100001 +addu/m);
      expect(stdout).toMatch(/^x86 +01 \/r +ADD Ev, Gv$/m);
      expect(stdout).toMatch(/^\d{3,} in all$/m);
      expect(stdout).toMatch(/^mips .*DSP module.* Config3\.DSPP is 0$/m);
      expect(stdout).toMatch(/^not implemented:$[\s\S]*^mips +011101 j{26} +jalx \$j +no MIPS16/m);
    },
    TIMEOUT,
  );

  test(
    'system calls say what is partial',
    async () => {
      const { stdout } = await wasmvisor('list', 'syscalls', '--json');
      const rows = JSON.parse(stdout) as { abi: string; number: number; name: string; note?: string }[];
      expect(rows).toContainEqual({ abi: 'i386', number: 4, name: 'write' });
      expect(rows).toContainEqual({ abi: 'mips', number: 4004, name: 'write' });
      expect(rows.some((row) => row.note)).toBe(true);
    },
    TIMEOUT,
  );
});

describe('bench', () => {
  test(
    'times both executors and checks what they print',
    async () => {
      const json = join(folder, 'bench.json');
      const { code, stdout } = await wasmvisor('bench', 'fib', 'crc32', '--short', '--rounds', '2', '--isa', 'mips,x86', '--json', json);
      expect(code).toBe(0);
      expect(stdout).toMatch(/mips\/fib[\s\S]*x86\/crc32[\s\S]*geometric mean/);
      const result = JSON.parse(readFileSync(json, 'utf8')) as {
        programs: { file: string; instructions: number; samples: Record<string, number[]>; missing: Record<string, string> }[];
      };
      expect(result.programs.map((p) => p.file)).toEqual(['mips/fib', 'mips/crc32', 'x86/fib', 'x86/crc32']);
      const clang = available('clang', ['--version']);
      for (const { samples, instructions, missing } of result.programs) {
        // the same source compiled to WebAssembly printed the same, or the table says why it was not run
        expect(samples.source?.length ?? 0).toBe(missing.source ? 0 : 2);
        if (missing.source) expect(stdout).toContain(`source → Wasm not run: ${missing.source}`);
        else expect(clang).toBe(true);
        expect(samples.interpret).toHaveLength(2);
        expect(samples.translate).toHaveLength(2);
        expect(instructions).toBeGreaterThan(1000);
      }
    },
    TIMEOUT,
  );

  test.each([
    [['absent'], /no corpus program absent/],
    [['--isa', 'arm'], /--isa arm/],
    [['--rounds', '0'], /--rounds 0/],
  ])(
    'refuses %j',
    async (args, message) => {
      const done = await wasmvisor('bench', ...args);
      expect(done.code).toBe(2);
      expect(done.stderr).toMatch(message);
    },
    TIMEOUT,
  );
});

test(
  'demo runs guests of both ISAs in both executors',
  async () => {
    const { code, stdout } = await wasmvisor('demo', 'hello', 'crc32');
    expect(code).toBe(0);
    expect(stdout).toContain('mipsel/hello: hello 1: Hello from a guest! 68656c6c');
    expect(stdout).toContain('x86/crc32: crc32 1000: 8d5c7c2c');
    expect(stdout).toMatch(/speed-up/);
    expect(stdout).not.toMatch(/interpreted, it printed/);
    expect(await wasmvisor('demo', 'frob')).toMatchObject({ code: 2, stderr: 'wasmvisor: no corpus program frob\n' });
  },
  TIMEOUT,
);

test(
  'files that cannot be written are told before the run',
  async () => {
    for (const args of [
      ['conformance', '--json', '/nowhere/x'],
      ['profile', '--output', '/', 'nothing'],
      ['boot', '--save', '/nowhere/x'],
    ])
      expect(await wasmvisor(...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('cannot be written') });
  },
  TIMEOUT,
);

test(
  '--version and --help',
  async () => {
    const { version } = JSON.parse(readFileSync(join(CORPUS, '../../package.json'), 'utf8')) as { version: string };
    expect(await wasmvisor('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const help = await wasmvisor('--help');
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['run', 'disasm', 'inspect', 'bench', 'demo', 'list'])
      expect(help.stdout).toMatch(new RegExp(`^ +${command}\\b`, 'm'));
  },
  TIMEOUT,
);
