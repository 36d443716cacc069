import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HookedCode } from '../../src/linux/hooks.ts';
import { loadProgram, type Program, type ProgramOptions } from '../../src/linux/program.ts';
import { loadChecked } from '../../src/lockstep/index.ts';
import { runtimeModule } from '../support/runtime.ts';
import { compile, lacks, TARGETS } from './compiled.ts';
import { i386Program } from './make-elf.ts';

const EXECUTORS: readonly Partial<ProgramOptions>[] = [
  { executor: 'interpret' },
  { executor: 'translate' },
  { executor: 'tiered', hotThreshold: 2 },
  { executor: 'translate', memoryModel: 'checked' },
];

const corpus = (isa: string): Uint8Array => readFileSync(`corpus/programs/${isa}/fib`);

async function run(elf: Uint8Array, options: Partial<ProgramOptions>, prepare: (p: Program) => void, load = loadProgram) {
  let stdout = '';
  const warnings: string[] = [];
  const program = await load(elf, {
    runtime: runtimeModule(),
    timeout: 240_000,
    argv: ['fib', '12'],
    stdout: {
      write(bytes) {
        stdout += Buffer.from(bytes).toString('latin1');
        return bytes.length;
      },
    },
    onWarning: (text) => warnings.push(text),
    ...options,
  });
  prepare(program);
  const status = await program.run();
  return { stdout, status, warnings, program };
}

describe.each(['mips', 'x86'])('hooks on %s', (isa) => {
  // gcc passes the argument of a static function in EAX
  const first = (code: HookedCode): number => (isa === 'x86' ? code.get('eax') : code.argument(0));

  it.each(EXECUTORS)('sees each call of a function, with its arguments: %o', async (options) => {
    const plain = await run(corpus(isa), options, () => {});
    const seen: number[] = [];
    const hooked = await run(corpus(isa), options, (program) => {
      program.hook('fib', (code) => {
        expect(code.assembly).not.toBe('');
        seen.push(first(code));
      });
    });
    expect(hooked.stdout).toBe(plain.stdout);
    expect(hooked.program.stats.instructions).toBe(plain.program.stats.instructions);
    // 2 fib(n+1) - 1 calls
    expect(seen).toHaveLength(2 * 233 - 1);
    expect(Math.max(...seen)).toBe(12);
    expect(seen.filter((n) => n === 11)).toHaveLength(1);
  });

  it('returns in place of a function', async () => {
    const { stdout } = await run(corpus(isa), { executor: 'tiered', hotThreshold: 2 }, (program) => {
      program.hook('program:fib', async (code) => (first(code) < 10 ? { returns: 1000 } : 'execute'));
    });
    // fib(12) = fib(11) + fib(10), down to the three calls of 9 and two of 8
    expect(Number(`0x${stdout.split(' ')[2]}`)).toBe(5000);
  });

  it('removes hooks while the program runs', async () => {
    let calls = 0;
    await run(corpus(isa), {}, (program) => {
      const remove = program.hook('fib', () => {
        if (++calls === 5) remove();
      });
    });
    expect(calls).toBe(5);
  });

  it.runIf(isa === 'x86')('works with both executors side by side', async () => {
    let calls = 0;
    const load = (elf: Uint8Array, options: ProgramOptions) => loadChecked(elf, { ...options, runtime: runtimeModule() });
    const { stdout } = await run(corpus(isa), { argv: ['fib', '3'] }, (program) => void program.hook('fib', () => void calls++), load);
    expect(calls).toBe(5);
    expect(stdout).toBe('fib 3: 00000002\n');
  });

  it('looks at system calls, changes what they get, and answers them', async () => {
    const texts: string[] = [];
    const { stdout, status } = await run(corpus(isa), {}, (program) => {
      program.hookSyscall('write', async ({ name, args, memory, text }) => {
        const shown = text(args[1]);
        texts.push(`${name} ${args[0]} ${shown}`);
        if (shown.startsWith('0')) memory.write(args[1], new TextEncoder().encode('00c0ffee'));
        return shown === ' ' ? args[2] : undefined;
      });
    });
    expect(texts.slice(0, 2)).toEqual(['write 1 fib', 'write 1  ']);
    expect(stdout).toMatch(/^fib12: 00c0ffee/);
    expect(status).toEqual({ code: 0 });
  });
});

describe('hooks', () => {
  it('says which functions no file had, and what is no place', async () => {
    const { warnings } = await run(corpus('x86'), {}, (program) => {
      program.hook('nowhere', () => {});
      program.hook('libc.so.6:fib', () => {});
      expect(() => program.hook('', () => {})).toThrow(RangeError);
      expect(() => program.hook('0x8049060', () => {})).toThrow(/with the file/);
      expect(() => program.hook(-1, () => {})).toThrow(RangeError);
      expect(() => program.hookSyscall('frob', () => {})).toThrow('i386 has no system call frob');
    });
    expect(warnings).toEqual([
      "hook nowhere: no file of the program's has that function",
      "hook libc.so.6:fib: no file of the program's has that function",
    ]);
  });

  it('passes over an instruction, goes elsewhere, sets registers and memory', async () => {
    // mov eax,1; mov ebx,3; int 0x80; at 0x0c: mov ebx,5; jmp to int 0x80
    const code = [0xb8, 1, 0, 0, 0, 0xbb, 3, 0, 0, 0, 0xcd, 0x80, 0xbb, 5, 0, 0, 0, 0xeb, 0xf7];
    const start = async (hook: (program: Program, base: number) => void) => {
      const { status } = await run(i386Program(...code), { argv: ['x'] }, (program) => hook(program, program.process.vcpu.pc));
      return status;
    };
    expect(await start((program, base) => program.hook(base + 5, () => 'skip'))).toEqual({ code: 0 });
    expect(await start((program, base) => program.hook(base + 5, () => ({ goto: base + 12 })))).toEqual({ code: 5 });
    expect(await start((program, base) => program.hook(base + 10, (at) => at.set('ebx', at.get('ebx') + 4)))).toEqual({ code: 7 });
    const allocate = (program: Program, base: number) =>
      program.hook(base + 10, (at) => {
        const place = at.allocate(5000);
        at.memory.setU32(place + 4996, 9);
        at.set('ebx', at.memory.u32(place + 4996));
        expect(() => at.get('nix')).toThrow(RangeError);
        expect(() => at.memory.u32(0)).toThrow();
      });
    expect(await start(allocate)).toEqual({ code: 9 });
    // push 5; call f; mov ebx,eax; pop eax; mov al,1; int 0x80; f: ret
    const caller = i386Program(0x6a, 5, 0xe8, 7, 0, 0, 0, 0x89, 0xc3, 0x58, 0xb0, 1, 0xcd, 0x80, 0xc3);
    const { status } = await run(caller, { argv: ['x'] }, (program) => {
      program.hook(program.process.vcpu.pc + 14, ({ argument }) => ({ returns: argument(0) + 3 }));
    });
    expect(status).toEqual({ code: 8 });
  });

  it('ends a run with what a handler throws, and does not wait for one that never settles', async () => {
    const failing = run(corpus('mips'), {}, (program) => {
      program.hook('fib', () => {
        throw new Error('enough');
      });
    });
    await expect(failing).rejects.toThrow('enough');
    const { status } = await run(corpus('mips'), { timeout: 200 }, (program) => void program.hook('fib', () => new Promise(() => {})));
    expect(status).toMatchObject({ reason: 'timeout' });
    const endless = await run(corpus('mips'), { timeout: 200 }, (program) => {
      program.hook('fib', ({ pc }) => ({ goto: pc }));
    });
    expect(endless.status).toMatchObject({ reason: 'timeout' });
  });

  it.each(
    EXECUTORS,
  )('leaves the guest to its fault where there is no instruction to skip, or nothing to return by: %s', async (options) => {
    const skipped = await run(i386Program(0xb8, 0, 0, 0, 0x20, 0xff, 0xe0), options, (program) => {
      program.hook(0x2000_0000, ({ assembly }) => (assembly === '' ? 'skip' : undefined));
    });
    expect(skipped.status).toMatchObject({ report: { reason: 'execution at 0x20000000, which is not mapped' } });
    // mov esp, 16
    const { status } = await run(i386Program(0xbc, 16, 0, 0, 0, 0x90), options, (program) => {
      program.hook(program.process.vcpu.pc + 5, () => ({ returns: 1 }));
    });
    expect(status).toMatchObject({ report: { reason: 'read from 0x00000010, which is not mapped' } });
  });

  describe.each(TARGETS.slice(0, 1))('in $name processes', (target) => {
    const missing = lacks(target);
    it.skipIf(missing !== '')(`holds in forked processes${missing}`, async () => {
      const elf = readFileSync(compile(target, 'processes', true));
      const pids = new Set<number>();
      const plain = await run(elf, { argv: ['/program', 'many', '2'] }, () => {});
      const { stdout } = await run(elf, { argv: ['/program', 'many', '2'] }, (program) => {
        program.hook('_exit', ({ pid }) => void pids.add(pid));
      });
      expect(stdout).toBe(plain.stdout);
      // two children, and the program itself
      expect(pids.size).toBe(3);
    });
  });
});
