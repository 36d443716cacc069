import { describe, expect, it } from 'vitest';
import { coldRegisters, sortLatches } from '../../../src/backend/wasm/loops.ts';
import { formRegion } from '../../../src/backend/wasm/region.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';

const registers = Array.from({ length: 16 }, (_, i) => ({ name: `r${i}`, offset: 4 * i, type: Type.I32, local: true, visible: true }));

/** Blocks of 16 bytes that read registers, and where they go on. */
function region(code: Record<number, { reads: readonly number[]; to: readonly [number] | readonly [number, number] }>, entry: number) {
  return formRegion(entry, (pc) => {
    const { reads, to } = code[pc] ?? {};
    if (!reads || !to) return undefined;
    const b = new Builder([]);
    b.begin(pc);
    b.insn(pc, 16);
    for (const r of reads) b.set(4 * r, b.add(b.get(Type.I32, 4 * r), b.i32(1)));
    if (to[1] === undefined) b.goto(to[0]);
    else b.branch(b.get(Type.I32, 0), to[0], to[1]);
    return b.finish(pc + 16);
  })!;
}

describe('loops that share a header', () => {
  it('a block that jumps to itself is the inner one', () => {
    const latches = sortLatches(
      region({ 16: { reads: [], to: [16, 32] }, 32: { reads: [], to: [16, 48] }, 48: { reads: [], to: [64] } }, 16),
    );
    expect(latches[0]).toEqual({ inner: [0], outer: [1] });
  });
  it('else that of the jumps backward', () => {
    const code = { 16: { reads: [], to: [32] }, 32: { reads: [], to: [48] }, 48: { reads: [], to: [32, 16] } } as const;
    const { blocks, ...entered } = region(code, 32);
    const at = (pc: number) => blocks.findIndex((block) => block.pc === pc);
    expect(sortLatches({ blocks, ...entered })[at(32)]).toEqual({ inner: [at(48)], outer: [at(16)] });
  });
});

describe('registers that stay in memory', () => {
  const names = (found: ReadonlySet<{ name: string }>) => [...found].map(({ name }) => name).sort();
  const loop = (inner: readonly number[], outer: readonly number[]) =>
    region({ 16: { reads: inner, to: [16, 32] }, 32: { reads: outer, to: [16, 48] }, 48: { reads: [], to: [64] } }, 16);
  it('are those that the innermost loop does not use, if there are more than an engine has', () => {
    expect(names(coldRegisters(loop([0, 1, 2, 3, 4, 5], [6, 7, 8, 9]), registers))).toEqual(['r6', 'r7']);
    expect(names(coldRegisters(loop([0, 1, 2, 3, 4, 5, 6, 7, 8], [9]), registers))).toEqual(['r9']);
  });
  it('are none where there are enough, and none without a loop', () => {
    expect(names(coldRegisters(loop([0, 1, 2], [3, 4, 5]), registers))).toEqual([]);
    const straight = region({ 16: { reads: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], to: [32] }, 32: { reads: [0], to: [64] } }, 16);
    expect(names(coldRegisters(straight, registers))).toEqual([]);
  });
});
