import { describe, expect, it } from 'vitest';
import type { Block } from '../../../src/ir/block.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { forwardLoads } from '../../../src/ir/passes/loads.ts';
import { verify } from '../../../src/ir/verify.ts';

const LOAD = op('i32.load');
const BYTE = op('i32.load8_u');
const STORE = op('i32.store');
const STORE8 = op('i32.store8');

/** r1 … of the block are set to what `f` gives; the result says which ops these are. */
function run(f: (b: Builder, at: (n: number, offset?: number) => number) => number[]): { block: Block; loads: number; sets: number[] } {
  const b = new Builder([]);
  b.begin(0x1000);
  b.insn(0x1000, 4);
  for (const [i, value] of f(b, (n, offset = 0) => b.add(b.get(Type.I32, 4 * n), b.i32(offset))).entries()) b.set(4 * (i + 8), value);
  b.goto(0x1004);
  const block = forwardLoads(b.finish(0x1004));
  verify(block, 256);
  const all = Array.from(block.op);
  const sets = Array.from(all.keys()).filter((v) => all[v] === op('set.i32'));
  return { block, loads: all.filter((n) => n === LOAD || n === BYTE).length, sets: sets.map((v) => block.b[v]) };
}

describe('loads of what is known', () => {
  it('are removed: loaded before, or stored', () => {
    const { loads, sets } = run((b, at) => {
      const x = b.load(LOAD, at(1, 8));
      b.store(STORE, at(1, 4), b.get(Type.I32, 0));
      return [x, b.load(LOAD, at(1, 8)), b.load(LOAD, at(1, 4)), b.get(Type.I32, 0)];
    });
    expect(loads).toBe(1);
    expect(sets[0]).toBe(sets[1]);
    expect(sets[2]).toBe(sets[3]);
  });
  it('are kept after a store that may reach them', () => {
    const loadsAfter = (store: (b: Builder, at: (n: number, offset?: number) => number) => void): number =>
      run((b, at) => {
        const x = b.load(LOAD, at(1, 8));
        store(b, at);
        return [x, b.load(LOAD, at(1, 8))];
      }).loads;
    expect(loadsAfter((b, at) => b.store(STORE, at(2), b.i32(1)))).toBe(2);
    expect(loadsAfter((b, at) => b.store(STORE8, at(1, 11), b.i32(1)))).toBe(2);
    expect(loadsAfter((b, at) => b.store(STORE, at(1, 5), b.i32(1)))).toBe(2);
    expect(loadsAfter((b, at) => b.store(STORE8, at(1, 12), b.i32(1)))).toBe(1);
    expect(loadsAfter((b, at) => b.store(STORE, at(1, 4), b.i32(1)))).toBe(1);
  });
  it('are kept if they are of another width or byte order', () => {
    expect(run((b, at) => [b.load(LOAD, at(1)), b.load(BYTE, at(1)), b.load(LOAD, at(1), true)]).loads).toBe(3);
    expect(
      run((b, at) => {
        b.store(STORE, at(1), b.get(Type.I32, 0), true);
        b.store(STORE8, at(2), b.get(Type.I32, 0));
        return [b.load(LOAD, at(1)), b.load(BYTE, at(2))];
      }).loads,
    ).toBe(2);
  });
});
