import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultHost } from '../../src/linux/host.ts';
import { loadProgram, type Program } from '../../src/linux/program.ts';
import { SiCode } from '../../src/linux/signals.ts';
import { KEEP_REGISTERS, SyscallError } from '../../src/linux/syscall.ts';
import { GuestMemoryFault, PagePermission } from '../../src/vcpu/guest-memory.ts';
import { fuzz } from '../support/fuzz.ts';
import { runtimeModule } from '../support/runtime.ts';
import { i386Program, mipsProgram } from './make-elf.ts';

const [READ, WRITE] = [PagePermission.Read, PagePermission.Write];
/** Two pages that can be read and written, with nothing behind them; one that can only be read; one that cannot be touched. */
const PAGES = 0x1000_0000;
const EDGE = PAGES + 0x2000;
const CONSTANT = 0x2000_0000;
const CLOSED = 0x2001_0000;
/** Paths, NUL-terminated, 16 bytes apart. */
const TEXTS = PAGES + 0x400;
const PATHS = [
  '/',
  '.',
  '/tmp/file',
  '/tmp/dir',
  '/proc/self/mem',
  '/dev/zero',
  '/tmp/new',
  '/dev/tty',
  '',
  '/proc/self/fd/3',
  '/dev/full',
];

/** What makes sense as an argument of some call, or to none. */
const argument = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 64, 128, 4096, 8192) },
  { weight: 3, arbitrary: fc.constantFrom(-1, -2, -100, 0x7fffffff, 0x80000000, 0x7ffff000, 0x40000000, 0x10000, 0xfff, 0xfffff000) },
  { weight: 4, arbitrary: fc.constantFrom(PAGES, PAGES + 1, PAGES + 0x100, PAGES + 0x200, PAGES + 0x1000, CONSTANT) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: PATHS.length - 1 }).map((index) => TEXTS + index * 16) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 64 }).map((bytes) => EDGE - bytes) },
  { weight: 3, arbitrary: fc.constantFrom(EDGE, CLOSED, CLOSED - 4, 0x30000000, 0xd0000000, 0xfffffff0, 0xffffffff, 0x7fff7ffc, 0x1234) },
  { weight: 2, arbitrary: fc.bigInt({ min: 0n, max: 0xffffffffn }).map(Number) },
);
const call = fc.record({
  row: fc.nat(),
  args: fc.array(argument, { minLength: 8, maxLength: 8 }),
  // words of structures that the arguments may point to
  words: fc.array(fc.oneof(argument, fc.constantFrom(0, 1, 2, 999_999_999)), { minLength: 16, maxLength: 16 }),
});

/** Sleeps take no time, so that nothing is waited for. */
const host = { ...defaultHost, sleep: () => defaultHost.turn() };

async function victim(elf: Uint8Array): Promise<Program> {
  const program = await loadProgram(elf, { runtime: runtimeModule(), host, memoryLimit: 64 << 20, stackSize: 1 << 20, seed: 1 });
  const p = program.process;
  const map = (address: number, length: number, permission: number): void => {
    expect(p.map.map({ address, length, permission, placement: 'fixed' })).toBe(address);
  };
  map(PAGES, EDGE - PAGES, READ | WRITE);
  map(CONSTANT, 4096, READ);
  map(CLOSED, 4096, 0);
  p.memory.poke(CONSTANT, new Uint8Array(4096).fill(0x2f));
  PATHS.forEach((path, index) => {
    p.memory.poke(TEXTS + index * 16, new TextEncoder().encode(`${path}\0`));
  });
  return program;
}

/** Calls one system call; what it throws that a guest cannot be told of escapes. */
async function make({ process: p }: Program, { row, args, words }: { row: number; args: readonly number[]; words: readonly number[] }) {
  const { table } = p.abi;
  const { name, call } = table[row % table.length];
  // what makes or ends processes and programs needs them to run
  if (/^(exit|exit_group|execve|execveat|fork|vfork|clone)$/.test(name)) return;
  if (p.memory.accessible(PAGES, 64, WRITE) === 64) words.forEach((word, index) => void p.memory.setU32(PAGES + index * 4, word >>> 0));
  const context = `${name}(${args.map((value) => `0x${(value >>> 0).toString(16)}`).join(', ')})`;
  const before = process.cpuUsage();
  let result: number;
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = call(
      p,
      args.map((value) => value >>> 0),
    );
    if (typeof answer !== 'number') p.signals.raise('SIGKILL', { code: SiCode.User });
    const stuck = new Promise<'stuck'>((resolve) => {
      timer = setTimeout(() => resolve('stuck'), 60_000);
    });
    const settled = await Promise.race([answer, stuck]);
    if (settled === 'stuck') throw new Error(`${context} does not end when a signal arrives`);
    result = settled;
  } catch (error) {
    if (error instanceof GuestMemoryFault || error instanceof SyscallError) return;
    throw new Error(`${context}: ${error instanceof Error ? error.stack : error}`);
  } finally {
    clearTimeout(timer);
    p.signals.take(~0n);
  }
  const { user, system } = process.cpuUsage(before);
  if (user + system > 3e6) throw new Error(`${context} takes ${Math.round((user + system) / 1000)} ms of a processor`);
  if (result === KEEP_REGISTERS) return;
  expect(Number.isInteger(result) && result >= -4095 && result <= 0xffffffff, `${context} gives ${result}`).toBe(true);
}

describe.each([
  ['mips', mipsProgram(true, 0)],
  ['mipsel', mipsProgram(false, 0)],
  ['i386', i386Program(0x90)],
])('system calls of %s with hostile arguments', (_, elf) => {
  test('answer or fail as a guest can be told', { timeout: 300_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 200, maxLength: 200 }), async (calls) => {
        const program = await victim(elf);
        for (const one of calls) await make(program, one);
      }),
      fuzz(20),
    );
  });
});
