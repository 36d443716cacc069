import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ElfError, parseElf } from '../../src/linux/elf.ts';
import type { Output } from '../../src/linux/fs/stdio.ts';
import { defaultHost, type Host } from '../../src/linux/host.ts';
import { type ExitStatus, exitCode, loadProgram, type Program, type ProgramOptions } from '../../src/linux/program.ts';
import { runtimeModule } from '../support/runtime.ts';
import { BASE, i386Program, interpreterSegment, makeElf, mipsProgram } from './make-elf.ts';

interface Ran {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly warnings: string[];
  readonly program: Program;
}

const collect = (into: string[]): Output => ({
  write(bytes) {
    into.push(new TextDecoder().decode(bytes));
    return bytes.length;
  },
});

async function run(elf: Uint8Array, options: Partial<ProgramOptions> = {}, started?: (p: Program) => void): Promise<Ran> {
  const out: string[] = [];
  const warnings: string[] = [];
  const program = await loadProgram(elf, {
    runtime: runtimeModule(),
    executor: 'interpret',
    timeout: 240_000,
    stdout: collect(out),
    onWarning: (text) => warnings.push(text),
    ...options,
  });
  const running = program.run();
  started?.(program);
  const status = await running;
  return { status, stdout: out.join(''), warnings, program };
}

/** `mov eax, n; mov ebx, a; mov ecx, b; mov edx, c; int 0x80` */
const call = (n: number, ...args: number[]): number[] => [
  ...[n, ...args].flatMap((value, i) => [
    [0xb8, 0xbb, 0xb9, 0xba][i],
    value & 255,
    (value >> 8) & 255,
    (value >> 16) & 255,
    (value >>> 24) & 255,
  ]),
  0xcd,
  0x80,
];
const EXIT_EAX = [0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80];
/** mips: `li $v0, n` */
const li = (register: number, value: number): number => 0x24000000 | (register << 16) | (value & 0xffff);
const SYSCALL = 0x0000000c;
const [V0, A0] = [2, 4];

describe('translateFrom', () => {
  it('interprets up to an address and translates from there', async () => {
    // 0: jmp 2; 2: exit(7)
    const elf = i386Program(0xeb, 0x00, ...call(1, 7));
    const regions = async (from?: number): Promise<number> => {
      const { status, program } = await run(elf, { executor: 'translate', ...(from !== undefined && { translateFrom: from }) });
      expect(status).toEqual({ code: 7 });
      return program.stats.regions;
    };
    const { entry } = parseElf(elf);
    expect(await regions()).toBeGreaterThan(0);
    expect(await regions(entry + 2)).toBeGreaterThan(0);
    expect(await regions(entry + 1)).toBe(0);
  }, 300_000);

  it('ends at translateUntil', async () => {
    // 0: jmp 2; 2: exit(7)
    const elf = i386Program(0xeb, 0x00, ...call(1, 7));
    const { entry } = parseElf(elf);
    const { status, program } = await run(elf, { executor: 'translate', translateUntil: entry });
    expect(status).toEqual({ code: 7 });
    expect(program.stats.regions).toBe(0);
  }, 300_000);
});

describe('the end of a program', () => {
  it('is its exit code', async () => {
    expect((await run(i386Program(...call(1, 7)))).status).toEqual({ code: 7 });
    expect((await run(i386Program(...call(252, 0x1ff)))).status).toEqual({ code: 255 });
    for (const big of [true, false]) expect((await run(mipsProgram(big, li(V0, 4001), li(A0, 9), SYSCALL))).status).toEqual({ code: 9 });
  });

  it('by signal 128 of MIPS is an exit with 0, as waitpid(2) tells it', async () => {
    // kill(getpid(), 128)
    const { status } = await run(mipsProgram(true, li(V0, 4020), SYSCALL, 0x00402025, li(5, 128), li(V0, 4037), SYSCALL));
    expect(status).toMatchObject({ name: 'SIG128', signal: 128 });
    expect(exitCode(status)).toBe(0);
  });

  it('of a child is told by a signal only if there is that signal', async () => {
    // clone(144): the child exits with 0, its parent waits for any child (__WALL) and exits with 7
    const parent = [...call(114, -1, 0, 0x40000000), ...call(1, 7)];
    const elf = i386Program(...call(120, 144, 0, 0), 0x85, 0xc0, 0x74, parent.length, ...parent, ...call(1, 0));
    expect((await run(elf)).status).toEqual({ code: 7 });
  });

  it('is told to who asks for a snapshot meanwhile', async () => {
    let reads = (): void => {};
    const reading = new Promise<void>((resolve) => {
      reads = resolve;
    });
    let goOn = (): void => {};
    const turn = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let turns = defaultHost.turn;
    // read(0, …)
    const program = await loadProgram(i386Program(...call(3, 0, BASE, 1)), {
      runtime: runtimeModule(),
      host: { ...defaultHost, turn: () => turns() },
      stdin: {
        read() {
          reads();
          return new Promise(() => {});
        },
      },
    });
    const running = program.run();
    await reading;
    const asked = new Promise<void>((resolve) => {
      turns = () => {
        turns = defaultHost.turn;
        resolve();
        return turn;
      };
    });
    const snapshot = program.snapshot();
    await asked;
    program.stop('SIGKILL');
    await running;
    goOn();
    await expect(snapshot).rejects.toThrow('the program has ended');
  });

  it('is what went wrong in the host while a call waited', async () => {
    // push 0; push 1000; mov ebx, esp; xor ecx, ecx; mov eax, 162; int 0x80: nanosleep({1000, 0}, 0)
    const elf = i386Program(0x6a, 0, 0x68, 0xe8, 3, 0, 0, 0x89, 0xe3, 0x31, 0xc9, 0xb8, 162, 0, 0, 0, 0xcd, 0x80, ...call(1, 0));
    const sleep: Host['sleep'] = async (milliseconds, abort) => {
      if (milliseconds > 900_000) throw new Error('no clock');
      await defaultHost.sleep(milliseconds, abort);
    };
    await expect(run(elf, { host: { ...defaultHost, sleep } })).rejects.toThrow('no clock');
  });

  it('is told to onExit', async () => {
    const seen: ExitStatus[] = [];
    await run(i386Program(...call(1, 3)), { onExit: (status) => seen.push(status) });
    expect(seen).toEqual([{ code: 3 }]);
  });

  it.each([
    // mov eax, [0]
    ['null pointer', i386Program(0xa1, 0, 0, 0, 0), 'SIGSEGV', 139, BASE],
    ['illegal instruction', i386Program(0x90, 0x0f, 0x0b), 'SIGILL', 132, BASE + 1],
    // xor ecx, ecx; div ecx
    ['division by zero', i386Program(0x31, 0xc9, 0xf7, 0xf1), 'SIGFPE', 136, BASE + 2],
    ['privileged instruction', i386Program(0xf4), 'SIGSEGV', 139, BASE],
    ['breakpoint', i386Program(0xcc), 'SIGTRAP', 133, BASE],
    // jmp 0x1000
    ['wild jump', i386Program(0xb8, 0, 0x10, 0, 0, 0xff, 0xe0), 'SIGSEGV', 139, 0x1000],
    // lw $v0, 0($zero)
    ['null pointer, mips', mipsProgram(true, 0x8c020000), 'SIGSEGV', 139, 0x400000],
    // teq $zero, $zero, 7
    ['division by zero, mips', mipsProgram(false, 0x000001f4), 'SIGFPE', 136, 0x400000],
    // lui $v0, 0x7fff; ori $v0, 0xffff; addi $v0, $v0, 1
    ['overflow, mips', mipsProgram(false, 0x3c027fff, 0x3442ffff, 0x20420001), 'SIGFPE', 136, 0x400008],
    ['break, mips', mipsProgram(true, 0x0000000d), 'SIGTRAP', 133, 0x400000],
    ['privileged instruction, mips', mipsProgram(true, 0x40026000), 'SIGILL', 132, 0x400000],
  ])('by %s is a signal with a report', async (_name, elf, signal, code, pc) => {
    const { status } = await run(elf);
    expect(status).toMatchObject({
      name: signal,
      core: true,
      reason: 'signal',
      report: { location: { pc, file: pc === 0x1000 ? undefined : '/program' } },
    });
    expect(exitCode(status)).toBe(code);
    if ('code' in status) return;
    expect(status.report?.text).toMatch(new RegExp(`^${signal}: .*\n {2}at 0x[0-9a-f]{8}`));
  });

  it('tells the instruction and the registers', async () => {
    const { status } = await run(i386Program(0xb8, 0x78, 0x56, 0x34, 0x12, 0xa3, 4, 0, 0, 0));
    expect(status).toMatchObject({
      report: { instruction: expect.stringMatching(/^mov/), registers: expect.stringContaining('EAX 12345678') },
    });
  });
});

describe('code that can only be executed', () => {
  it.each([
    ['illegal', 0x4c00003f, 'SIGILL'],
    ['a trap', 0x00000034, 'SIGTRAP'],
    // lw $t0, 0($zero)
    ['a null pointer', 0x8c080000, 'SIGSEGV'],
  ])('faults as other code does, mips: %s', async (_name, word, signal) => {
    const bytes = Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word);
    const elf = makeElf({ big: true, machine: 8, entry: 0x400000, flags: 0x70001000, segments: [{ bytes, address: 0x400000, flags: 1 }] });
    for (const executor of ['interpret', 'translate'] as const)
      for (const memoryModel of ['direct', 'checked'] as const)
        expect((await run(elf, { executor, memoryModel })).status).toMatchObject({ name: signal });
  });
});

describe('memory faults in checked memory', () => {
  it('tell address and reason', async () => {
    const elf = makeElf({
      segments: [
        // mov [0x8050000], eax
        { bytes: Uint8Array.of(0xa3, 0, 0, 0x05, 0x08), flags: 5 },
        { address: 0x8050000, bytes: Uint8Array.of(1), flags: 4 },
      ],
    });
    const { status } = await run(elf, { memoryModel: 'checked' });
    expect(status).toMatchObject({ name: 'SIGSEGV', report: { reason: 'write to 0x08050000, which its page does not permit' } });
    const unmapped = await run(i386Program(0xa1, 0, 0, 0, 0x30), { memoryModel: 'checked' });
    expect(unmapped.status).toMatchObject({ report: { reason: 'read from 0x30000000, which is not mapped' } });
  });
});

it('unaligned access is put right, as Linux does on MIPS', async () => {
  // lui $t0, 0x40; lw $v0, 1($t0); srl $a0, $v0, 24: the second byte of the program
  const words = [0x3c080040, 0x8d020001, 0x00022602, li(V0, 4001), SYSCALL];
  expect((await run(mipsProgram(true, ...words))).status).toEqual({ code: 0x08 });
});

describe('endless things end', () => {
  const loop = i386Program(0xeb, 0xfe);

  it('with the timeout', async () => {
    const { status } = await run(loop, { timeout: 50 });
    expect(status).toMatchObject({ name: 'SIGKILL', reason: 'timeout' });
    expect(exitCode(status)).toBe(137);
  });

  it('with the instruction count', async () => {
    const { status, program } = await run(loop, { maxInstructions: 12345 });
    expect(status).toMatchObject({ name: 'SIGKILL', reason: 'instructions' });
    expect(program.stats.instructions).toBe(12345);
  });

  it('with stop()', async () => {
    const { status } = await run(loop, {}, (program) => setTimeout(() => program.stop('SIGINT'), 20));
    expect(status).toMatchObject({ name: 'SIGINT', core: false });
    expect(exitCode(status)).toBe(130);
  });

  it('also while a call waits, and one that the program ignores with SIGKILL', async () => {
    // signal(SIGINT, SIG_IGN); pause()
    const pause = i386Program(...call(48, 2, 1), ...call(29));
    const { status } = await run(pause, {}, (program) => {
      setTimeout(() => program.stop('SIGINT'), 10);
      setTimeout(() => program.stop('SIGKILL'), 60);
    });
    expect(status).toMatchObject({ name: 'SIGKILL' });
  });

  it('recursion with SIGSEGV, memory bounded', async () => {
    // call self
    const { status } = await run(i386Program(0xe8, 0xfb, 0xff, 0xff, 0xff));
    expect(status).toMatchObject({ name: 'SIGSEGV', report: { reason: expect.stringMatching(/^stack overflow/) } });
  });
});

describe('system calls', () => {
  it('with pointers outside memory are EFAULT', async () => {
    for (const address of [0, 0x1000, 0x3000_0000, 0xbfff_fff0 + 0x10, 0xffff_fff0]) {
      const { status } = await run(i386Program(...call(4, 1, address, 4), 0xf7, 0xd8, ...EXIT_EAX));
      expect(status).toEqual({ code: 14 });
    }
    // write(1, 0, 4) = EFAULT: exit($v0 + $a3 * 100)
    const words = [li(V0, 4004), li(A0, 1), li(5, 0), li(6, 4), SYSCALL, li(8, 100), 0x71074002, 0x00482021, li(V0, 4001), SYSCALL];
    expect((await run(mipsProgram(true, ...words))).status).toEqual({ code: 114 });
  });

  it('that do not exist are ENOSYS, in the ABI’s number, with one warning', async () => {
    // vm86 twice
    const twice = await run(i386Program(...call(166), ...call(166), 0xf7, 0xd8, ...EXIT_EAX));
    expect(twice.status).toEqual({ code: 38 });
    expect(twice.warnings).toEqual(['system call vm86 is not implemented (no virtual-8086 mode)']);
    const mips = await run(mipsProgram(false, li(V0, 4999), SYSCALL, 0x00402021, li(V0, 4001), SYSCALL));
    expect(mips.status).toEqual({ code: 89 });
    expect(mips.warnings).toEqual(['system call number 4999 is not implemented']);
  });

  it('go through syscall(2) of MIPS', async () => {
    const { status } = await run(mipsProgram(true, li(V0, 4000), li(A0, 4001), li(5, 33), SYSCALL));
    expect(status).toEqual({ code: 33 });
  });

  it('are counted and traced', async () => {
    const seen: string[] = [];
    const { program } = await run(i386Program(...call(20), ...call(1, 0)), {
      onSyscall: (name, _args, result) => seen.push(`${name}=${result}`),
    });
    expect(seen).toEqual(['getpid=100', 'exit=0']);
    expect(program.stats.syscalls).toEqual({ getpid: 1, exit: 1 });
  });
});

describe('programs that cannot be loaded', () => {
  const code = { bytes: Uint8Array.of(0x90) };
  it.each<[string, Uint8Array, RegExp, Partial<ProgramOptions>?]>([
    ['segment at 0x1000 of 1 bytes cannot be mapped', makeElf({ segments: [{ ...code, address: 0x1000 }] }), /0x1000/],
    ['above user space', makeElf({ segments: [{ ...code, address: 0xd000_0000 }] }), /above user space/],
    ['huge', makeElf({ segments: [{ ...code, memorySize: 0x7000_0000 }] }), /memory limit/],
    ['without its interpreter', makeElf({ segments: [interpreterSegment('/lib/ld.so.1'), code] }), /\/lib\/ld\.so\.1 does not exist/],
    // there is no process yet whose /proc/self that is
    ['with what is no file', makeElf({ segments: [interpreterSegment('/dev/stdin'), code] }), /\/dev\/stdin cannot be read/],
    ['with what belongs to nobody', makeElf({ segments: [interpreterSegment('/proc/self/exe'), code] }), /exe does not exist/],
    [
      'with a path of many lines',
      makeElf({ segments: [interpreterSegment('\x1b[2J\n'.repeat(99)), code] }),
      /^its interpreter \?\[2J.{1,100}$/,
    ],
    ['without room for signals', i386Program(0x90), /4096 bytes does not fit the memory limit/, { memoryLimit: 33 * 4096 }],
  ])('%s', async (_name, elf, message, options = {}) => {
    const load = loadProgram(elf, { runtime: runtimeModule(), ...options });
    await expect(load).rejects.toThrow(ElfError);
    await expect(load).rejects.toThrow(message);
  });
});

describe.each(['mips', 'mipsel', 'x86'])('a program of the corpus on %s', (isa) => {
  it.each(['interpret', 'translate', 'tiered'] as const)('prints with executor %s', async (executor) => {
    const elf = new Uint8Array(readFileSync(new URL(`../../corpus/programs/${isa}/hello`, import.meta.url)));
    const { status, stdout } = await run(elf, { executor, argv: ['hello'] });
    expect(status).toEqual({ code: 0 });
    expect(stdout).toMatch(/hello/i);
  });
});

describe('seed', () => {
  it('makes what is random the same', async () => {
    const randoms: string[] = [];
    // getrandom(0x8048800, 16, 0); write(1, 0x8048800, 16)
    const elf = makeElf({
      segments: [
        { bytes: Uint8Array.from([...call(355, 0x8048800, 16, 0), ...call(4, 1, 0x8048800, 16), ...call(1, 0)]), memorySize: 4096 },
      ],
    });
    for (const seed of [1, 1, 2]) {
      const bytes: number[] = [];
      const stdout: Output = { write: (chunk) => bytes.push(...chunk) && chunk.length };
      await run(elf, { seed, stdout });
      expect(bytes).toHaveLength(16);
      randoms.push(bytes.join());
    }
    expect(randoms[1]).toBe(randoms[0]);
    expect(randoms[2]).not.toBe(randoms[0]);
  });
});
