import { describe, expect, it } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import * as compile from '../../src/backend/wasm/compile.ts';
import type { IsaName } from '../../src/isas.ts';
import type { BackgroundCompiler, Compiler } from '../../src/vcpu/compiler.ts';
import type { Exit } from '../../src/vcpu/exit.ts';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { corpusGuest, type Guest } from '../support/guest.ts';

const ISA_NAMES: readonly IsaName[] = ['x86', 'mips', 'mipsel'];

async function finish(guest: Guest, slice: number): Promise<void> {
  while (guest.exitCode === undefined) {
    const exit = guest.vcpu.run(slice);
    if (exit.kind === 'syscall') guest.systemCall();
    else if (exit.kind !== 'budget') throw new Error(`unexpected exit ${JSON.stringify(exit)}`);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.each(ISA_NAMES)('the vCPU on %s', { timeout: 300_000 }, (isa) => {
  it('gives the same output and counts the same instructions in every executor', async () => {
    const results: unknown[] = [];
    for (const executor of ['interpret', 'translate', 'tiered'] as Executor[]) {
      const guest = await corpusGuest(isa, 'crc32', ['1'], { executor, hotThreshold: 20 });
      await finish(guest, 100_000);
      results.push([guest.output, guest.exitCode, guest.vcpu.retired]);
      if (executor !== 'interpret') expect(guest.vcpu.stats.regions).toBeGreaterThan(0);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('does not load the compiler for a short program', async () => {
    const guest = await corpusGuest(isa, 'crc32', ['1'], { executor: 'tiered', hotThreshold: 20, compilerAfter: 1e12 });
    await finish(guest, 100_000);
    const { hot, regions, blocks } = guest.vcpu.stats;
    expect([guest.exitCode, regions]).toEqual([0, 0]);
    // what waits for it does not ask twice
    expect(hot).toBeGreaterThan(0);
    expect(hot).toBeLessThanOrEqual(blocks);
  });

  it.each([
    'states',
    'strings',
    'sha256',
    'recursion',
  ])('stops at exactly the same instruction with the same state in every executor: %s', async (program) => {
    const guests = await Promise.all(
      (['interpret', 'translate'] as Executor[]).map((executor) => corpusGuest(isa, program, ['1'], { executor, exactBudget: true })),
    );
    let slices = 0;
    for (let slice = 1; slices < 400 && guests[0].exitCode === undefined; slice = 1 + ((slice * 7) % 4001), slices++) {
      const exits: Exit[] = guests.map((guest) => guest.vcpu.run(slice));
      expect(exits[1], `slice ${slices}`).toEqual(exits[0]);
      expect(guests[1].vcpu.retired).toBe(guests[0].vcpu.retired);
      expect(guests[1].state(), `state after slice ${slices} of ${slice} at 0x${exits[0].pc.toString(16)}`).toEqual(guests[0].state());
      for (const guest of guests) if (exits[0].kind === 'syscall') guest.systemCall();
    }
    expect(slices).toBeGreaterThan(10);
  });

  it.each(['interpret', 'translate', 'tiered'] as Executor[])('gets on however little it may do at once: %s', async (executor) => {
    const guest = await corpusGuest(isa, 'sha256', ['1'], { executor, hotThreshold: 20 });
    // all that is to be compiled is, but for what begins where a run ends
    for (let i = 0; i < 20; i++) if (guest.vcpu.run(20_000).kind === 'syscall') guest.systemCall();
    for (let i = 0; i < 300; i++) {
      const before = guest.vcpu.retired;
      const exit = guest.vcpu.run(1 + (i % 40));
      if (exit.kind === 'syscall') guest.systemCall();
      expect(guest.vcpu.retired, `run ${i} at 0x${exit.pc.toString(16)}`).toBeGreaterThan(before);
    }
  });

  it.each([true, false])('counts the same instructions however its runs are cut, exact budgets: %s', async (exactBudget) => {
    for (const executor of ['interpret', 'translate'] as Executor[]) {
      const whole = await corpusGuest(isa, 'fib', ['8'], { executor, exactBudget });
      await finish(whole, 100_000);
      const cut = await corpusGuest(isa, 'fib', ['8'], { executor, exactBudget });
      for (let i = 0; cut.exitCode === undefined; i++) if (cut.vcpu.run(1 + (i % 7)).kind === 'syscall') cut.systemCall();
      expect(cut.output).toBe(whole.output);
      expect(cut.vcpu.retired).toBe(whole.vcpu.retired);
    }
  });

  it('brings all targets of a jump into one region, though they displace each other where they are noted', async () => {
    const guest = await corpusGuest(isa, 'bytecode', ['500000'], { executor: 'translate' });
    const { data } = guest.vcpu.memory;
    const noted = (): number[] =>
      Array.from({ length: (Layout.UOPS - Layout.JUMP_SITES) / 4 }, (_, i) => Layout.JUMP_SITES + 4 * i).filter(
        (at) => data.getUint32(at, true) !== 0,
      );
    for (let slice = 0; slice < 40; slice++) if (guest.vcpu.run(2_000_000).kind === 'syscall') guest.systemCall();
    expect(noted()).not.toEqual([]);
    for (const at of noted()) data.setUint32(at, 0, true);
    expect(guest.vcpu.run(100_000).kind).toBe('budget');
    expect(noted()).toEqual([]);
  });

  it('is stopped by its budget in an endless loop', async () => {
    for (const executor of ['interpret', 'translate'] as Executor[]) {
      const guest = await corpusGuest(isa, 'hello', [], { executor, exactBudget: true });
      const at = guest.vcpu.pc & ~0xfff;
      // jmp . / b . ; nop
      guest.vcpu.memory.poke(
        at,
        new Uint8Array(
          isa === 'x86' ? [0xeb, 0xfe] : isa === 'mips' ? [0x10, 0, 0xff, 0xff, 0, 0, 0, 0] : [0xff, 0xff, 0, 0x10, 0, 0, 0, 0],
        ),
      );
      guest.vcpu.invalidate(at, 8);
      guest.vcpu.pc = at;
      expect(guest.vcpu.run(1_000_000)).toEqual({ kind: 'budget', pc: at });
      expect(guest.vcpu.retired).toBe(1_000_000);
    }
  });

  it('runs new code after the old was invalidated', async () => {
    for (const executor of ['interpret', 'translate'] as Executor[]) {
      const guest = await corpusGuest(isa, 'hello', [], { executor });
      const at = guest.vcpu.pc & ~0xfff;
      // mov eax, n; int 0x80 / addiu $v0, $zero, n; syscall
      const put = (n: number) => {
        const code =
          isa === 'x86'
            ? [0xb8, n, 0, 0, 0, 0xcd, 0x80]
            : [0x24, 0x02, 0, n, 0, 0, 0, 0x0c].map((_, i, all) => (isa === 'mips' ? all[i] : all[(i & ~3) + 3 - (i & 3)]));
        guest.vcpu.memory.poke(at, new Uint8Array(code));
        guest.vcpu.invalidate(at, 8);
        guest.vcpu.pc = at;
        let { kind } = guest.vcpu.run(100);
        // it also stops where compiling takes long
        while (kind === 'budget') ({ kind } = guest.vcpu.run(100));
        expect(kind).toBe('syscall');
        return guest.vcpu.get32(isa === 'x86' ? 0 : 8);
      };
      expect([put(1), put(2), put(3)]).toEqual([1, 2, 3]);
    }
  });
});

it('jumps to the last address, which no region can return', async () => {
  for (const executor of ['interpret', 'translate'] as Executor[]) {
    const guest = await corpusGuest('x86', 'hello', [], { executor });
    const at = guest.vcpu.pc & ~0xfff;
    // mov edi, -1; jmp edi
    guest.vcpu.memory.poke(at, Uint8Array.of(0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7));
    guest.vcpu.invalidate(at, 8);
    guest.vcpu.pc = at;
    let exit = guest.vcpu.run(100);
    // it also stops where compiling takes long
    while (exit.kind === 'budget') exit = guest.vcpu.run(100);
    expect(exit).toMatchObject({ kind: 'memory-fault', pc: 0xffffffff, access: 'execute' });
  }
});

describe('what comes of compiling once a processor was closed', () => {
  const state = (guest: Guest): Buffer => Buffer.from(guest.vcpu.memory.bytes.slice(Layout.STATE, Layout.UOPS_END));

  it('on another thread: changes nothing', async () => {
    const answers: (() => void)[] = [];
    const late: BackgroundCompiler = {
      compile(regions, options, _, done) {
        const binary = compile.compileRegions(regions, options);
        answers.push(() => done({ module: new WebAssembly.Module(binary), size: binary.length, time: 0 }));
      },
      accessAtOffset: () => undefined,
      close: () => undefined,
    };
    const guest = await corpusGuest('x86', 'bytecode', ['500000'], { executor: 'tiered', hotThreshold: 20, startCompiler: () => late });
    while (answers.length === 0 && guest.exitCode === undefined) if (guest.vcpu.run(100_000).kind === 'syscall') guest.systemCall();
    guest.vcpu.close();
    expect(answers).not.toEqual([]);
    const before = state(guest);
    for (const answer of answers) answer();
    expect([guest.vcpu.stats.regions, state(guest).equals(before)]).toEqual([0, true]);
  });

  it('on this thread, whose code is there only then: changes nothing', async () => {
    let load: (compiler: Compiler) => void = () => undefined;
    const loading = new Promise<Compiler>((resolve) => {
      load = resolve;
    });
    let asked = false;
    const loadCompiler = (): Promise<Compiler> => {
      asked = true;
      return loading;
    };
    const guest = await corpusGuest('x86', 'bytecode', ['500000'], { executor: 'tiered', hotThreshold: 20, loadCompiler });
    while (!asked && guest.exitCode === undefined) if (guest.vcpu.run(100_000).kind === 'syscall') guest.systemCall();
    guest.vcpu.close();
    expect(asked).toBe(true);
    const before = state(guest);
    load(compile);
    await loading;
    await Promise.resolve();
    expect(state(guest).equals(before)).toBe(true);
  });
});
