// Accesses at constant distances from one register look into the TLB together: they do what each alone does.
import { describe, expect, test } from 'vitest';
import { groupAccesses } from '../../src/backend/wasm/access-groups.ts';
import { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { mipsel } from '../../translators/mips/index.ts';
import { KERNEL, type MipsSystem, mipsSystem } from '../support/mips-system.ts';

const V = 2;
const D = 4;
const lo = (physical: number, flags: number): number => ((physical >>> 12) << 6) | flags;
const PAGES = [0x40000, 0x50000];
const [PHYSICAL, NEXT] = PAGES;

/** Twice, since the first time fills the TLB of the runtime. */
const CODE = `mtc0 zero,c0_index
  mtc0 zero,c0_pagemask
  mtc0 zero,c0_entryhi
  mtc0 t0,c0_entrylo0
  mtc0 t1,c0_entrylo1
  tlbwi
  addu s0,zero,s1
lw v0,0(a0)
  addu v1,v1,v0
  sw t2,4(a0)
  lhu t3,10(a0)
  sb t3,9(a0)
  addiu s0,s0,-1
  lw t4,4(a0)
  sw t3,12(a0)
  lb t5,9(a0)
  bne s0,zero,0x8000201c
  nop
  wait`;

async function outcome(executor: Executor, base: number, second: number, rounds = 2): Promise<Record<string, number | string>> {
  const system: MipsSystem = await mipsSystem(executor, { [KERNEL]: CODE });
  for (const page of PAGES) for (let i = 0; i < 4096; i += 4) system.physical.setU32(page + i, Math.imul(page + i, 0x9e3779b1) >>> 0);
  const state: Record<string, number> = { a0: base, t0: lo(PHYSICAL, V | D), t1: second, t2: 0x12345678, s1: rounds };
  for (const [name, value] of Object.entries(state)) system.set(name, value);
  const exit = system.run();
  const names = ['v0', 'v1', 't2', 't3', 't4', 't5', 's0', 'c0_cause', 'c0_epc', 'c0_badvaddr'];
  const memory = PAGES.flatMap((page) =>
    [0, 4, 8, 12, 0xff0, 0xff4, 0xff8, 0xffc].map((at) => system.physical.u32(page + at).toString(16)),
  );
  if (rounds > 2) expect(system.vcpu.stats.slow).toBeLessThan(40);
  return { at: exit.pc, ...Object.fromEntries(names.map((name) => [name, system.get(name)])), memory: memory.join() };
}

test.each([
  ['in one page', 0x100, lo(NEXT, V | D), undefined],
  ['in two pages', 0xff8, lo(NEXT, V | D), undefined],
  ['the second page has no valid entry: the third access faults', 0xff8, lo(NEXT, D), KERNEL + 4 * 10],
  ['the second page cannot be written: the fourth faults', 0xff8, lo(NEXT, V), KERNEL + 4 * 11],
  ['not even the first lies in a page that is there', 0x1000, 0, KERNEL + 4 * 7],
  ['not aligned', 0x102, lo(NEXT, V | D), KERNEL + 4 * 7],
])('%s', async (_, base, second, faults) => {
  const expected = await outcome('interpret', base, second);
  expect(await outcome('translate', base, second)).toEqual(expected);
  if (faults === undefined) expect(expected.s0).toBe(0);
  else expect(expected.c0_epc).toBe(faults);
});

describe('what is looked up together', () => {
  const LOAD = op('i32.load');
  const STORE = op('i32.store');
  /** Offset of each access from the first of its group, by what `build` does with a register. */
  function offsets(build: (b: Builder, base: number) => void, aligned = false): (number | undefined)[] {
    const b = new Builder(mipsel.helpers);
    b.begin(KERNEL);
    b.insn(KERNEL, 4);
    build(b, b.get(Type.I32, mipsel.registers.find(({ name }) => name === 'a0')!.offset));
    b.goto(KERNEL + 4);
    const block = b.finish(KERNEL + 4);
    const groups = groupAccesses(block, aligned);
    const accesses = [...Array(block.length).keys()].filter((v) => block.op[v] === LOAD || block.op[v] === STORE);
    return accesses.map((v) => groups.get(v) && groups.get(v)!.offset - groups.get(v)!.group.low);
  }
  const load = (b: Builder, base: number, offset: number): number => b.emit(LOAD, b.add(base, b.i32(offset)), 0);

  test('a load and a store, from the lowest on', () => {
    expect(
      offsets((b, base) => {
        load(b, base, 8);
        b.emit(STORE, b.add(base, b.i32(-4)), base, 0);
        load(b, b.i32(0), 64);
      }),
    ).toEqual([12, 0, undefined]);
  });
  test('no more than so many bytes', () => {
    expect(
      offsets((b, base) => {
        for (const offset of [0, 4, 256, 300]) load(b, base, offset);
      }),
    ).toEqual([0, 4, 0, 44]);
  });
  test('none that cannot be aligned when the others are', () => {
    expect(
      offsets((b, base) => {
        for (const offset of [0, 2, 4]) load(b, base, offset);
      }, true),
    ).toEqual([0, undefined, 4]);
  });
});

// each round crosses the end of a page: the region is left for that, and then compiled anew to make such accesses, too
test('always in two pages', async () => {
  const expected = await outcome('interpret', 0xff8, lo(NEXT, V | D), 500);
  expect(await outcome('translate', 0xff8, lo(NEXT, V | D), 500)).toEqual(expected);
});
