import { describe, expect, test } from 'vitest';
import type { Runtime } from '../../src/backend/runtime.ts';
import type { Region } from '../../src/backend/wasm/region.ts';
import type { CodeCache } from '../../src/cache/code-cache.ts';
import { noStats } from '../../src/vcpu/options.ts';
import { Worth } from '../../src/vcpu/worth.ts';

const PRICE = 100;

/** Blocks of ten instructions; the address of one's µops is its pc. */
function setting(hasCompiler = true) {
  const heat = new Map<number, number>();
  const runtime = {
    heat: (address: number) => heat.get(address) ?? 0,
    setHeat: (address: number, arrivals: number) => heat.set(address, arrivals),
    instructions: () => 10,
  } as unknown as Runtime;
  const stats = { ...noStats(), instructions: 1e9 };
  const cache = { block: (pc: number) => ({ address: pc }) } as unknown as CodeCache;
  const worth = new Worth(runtime, stats, cache, PRICE);
  if (hasCompiler) worth.beginCompiling(0);
  const region = (...pcs: number[]): Region =>
    ({ entry: pcs[0], blocks: pcs.map((pc) => ({ pc, size: 4 })), instructions: 10 * pcs.length }) as unknown as Region;
  return { heat, stats, worth, region };
}

describe('a region is worth compiling', () => {
  test('once it was interpreted for as long', () => {
    const { heat, worth, region } = setting();
    const loop = region(4, 8);
    heat.set(4, 10).set(8, 10);
    expect(worth.ask(4, loop)).toBeGreaterThan(0);
    expect(worth.askedBefore(8)).toBeGreaterThan(0);
    heat.set(8, 1000);
    expect(worth.askedBefore(8)).toBe(0);
    expect(worth.ask(4, loop)).toBe(0);
  });

  test('again only for what was interpreted since', () => {
    const { heat, worth, region } = setting();
    const loop = region(4, 8);
    heat.set(4, 1000).set(8, 1000);
    worth.compiled([loop]);
    expect(worth.ask(4, loop)).toBeGreaterThan(0);
    // what rests loses none of its arrivals
    worth.rest(8, 500, 3000);
    expect(heat.get(8)).toBe(2500);
    heat.set(8, 3500);
    expect(worth.ask(4, loop)).toBe(0);
  });

  test('and nobody asks before loading the compiler may be', () => {
    const { heat, worth } = setting(false);
    heat.set(4, 3000);
    const arrivals = worth.tooEarly(4);
    expect(arrivals).toBeGreaterThan(0);
    worth.rest(4, arrivals, 3000);
    expect(heat.get(4)).toBe(3000 - arrivals);
    heat.set(4, 3000);
    expect(worth.tooEarly(4)).toBe(0);
  });

  test('and is asked about once the compiler is there', () => {
    const { heat, worth } = setting(false);
    heat.set(4, 3000);
    worth.rest(4, worth.tooEarly(4), 3000);
    worth.beginCompiling(3000);
    expect(heat.get(4)).toBe(2999);
    expect(worth.tooEarly(4)).toBe(0);
  });

  test('later where much was compiled for so few instructions', () => {
    const { heat, stats, worth, region } = setting();
    heat.set(4, 300);
    expect(worth.ask(4, region(4))).toBe(0);
    worth.compiled([region(12, 16, 20)]);
    stats.instructions = 1;
    expect(worth.ask(4, region(4))).toBe(0);
    heat.set(4, 200);
    expect(worth.ask(4, region(4))).toBeGreaterThan(0);
  });
});
