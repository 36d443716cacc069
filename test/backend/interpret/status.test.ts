import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../../assembly/shared/layout.ts';
import { lowerBlock } from '../../../src/backend/interpret/lower.ts';
import { printUops } from '../../../src/backend/interpret/print.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { SEED } from '../../support/fuzz.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa } from '../../support/toy.ts';

// Six words that an operation sets are one µop. What it writes is compared with the same sets in an order that is none of a group.

const PC = 0x20000;
const [CF, ZF, SF, PF, AF, OF] = [10, 11, 12, 13, 14, 15].map(R);
const FLAGS = [CF, ZF, SF, PF, AF, OF];
const isa = toyIsa();
const machine = makeMachine(isa);
const r = (b: Builder, n: number): Value => b.get(Type.I32, R(n));

type Sets = readonly (readonly [offset: number, value: Value])[];
const top = (b: Builder, x: Value, bits: number): Value => (bits === 32 ? x : b.shl(x, b.i32(32 - bits)));
const result = (b: Builder, x: Value, bits: number): Sets => [
  [ZF, x],
  [SF, top(b, x, bits)],
  [PF, x],
];
const arithmetic = (b: Builder, carry: Value | undefined, adjust: Value, overflow: Value, x: Value, bits = 32): Sets => [
  ...(carry === undefined ? [] : ([[CF, carry]] as Sets)),
  [AF, adjust],
  [OF, top(b, overflow, bits)],
  ...result(b, x, bits),
];

function sum(b: Builder, x: Value, y: Value, carries: boolean): Sets {
  const s = b.add(x, y);
  b.set(R(1), s);
  const mixed = b.xor(x, s);
  return arithmetic(b, carries ? b.ltU(s, x) : undefined, b.xor(mixed, y), b.and(mixed, b.xor(y, s)), s);
}
function difference(b: Builder, x: Value, y: Value, { carries = true, kept = false, bits = 32 } = {}): Sets {
  const d = b.sub(x, y);
  const low = bits === 32 ? d : b.and(d, b.i32(2 ** bits - 1));
  if (kept) b.set(R(1), low);
  const operands = b.xor(x, y);
  const overflow = b.and(operands, b.xor(x, d));
  return arithmetic(b, carries ? b.ltU(x, y) : undefined, b.xor(operands, d), overflow, low, bits);
}
function logic(b: Builder, x: Value, y: Value, bits = 32): Sets {
  const zero = b.i32(0);
  return [[CF, zero], [AF, zero], [OF, zero], ...result(b, b.and(x, y), bits)];
}

const OPERATIONS: Readonly<Record<string, readonly [(b: Builder) => Sets, readonly string[]]>> = {
  ADD: [(b) => sum(b, r(b, 1), r(b, 2), true), ['i32_add r1 r1 r2', 'status_add r10 r1 r2']],
  'ADD with a constant': [(b) => sum(b, r(b, 1), b.i32(12), true), ['i32_add_imm r1 r1 0xc', 'status_add r10 r1 k12']],
  INC: [(b) => sum(b, r(b, 1), b.i32(1), false), ['i32_add_imm r1 r1 0x1', 'status_inc r10 r1 k1']],
  SUB: [(b) => difference(b, r(b, 1), r(b, 2), { kept: true }), ['i32_sub r1 r1 r2', 'status_sub r10 r1 r2']],
  DEC: [(b) => difference(b, r(b, 1), b.i32(1), { carries: false, kept: true }), ['i32_add_imm r1 r1 0xffffffff', 'status_dec r10 r1 k1']],
  CMP: [(b) => difference(b, r(b, 1), r(b, 2)), ['status_cmp32 r10 r1 r2']],
  'CMP with a constant': [(b) => difference(b, r(b, 1), b.i32(5)), ['status_cmp32 r10 r1 k5']],
  'CMP with itself': [(b) => difference(b, r(b, 1), r(b, 1)), []],
  'CMP of 16 bits': [(b) => difference(b, r(b, 3), r(b, 4), { bits: 16 }), ['status_cmp16 r10 r3 r4']],
  'CMP of 8 bits': [(b) => difference(b, r(b, 5), r(b, 6), { bits: 8 }), ['status_cmp8 r10 r5 r6']],
  TEST: [(b) => logic(b, r(b, 1), r(b, 2)), ['i32_and t0 r1 r2', 'status_logic r10 t0 t0']],
  'TEST of 8 bits': [(b) => logic(b, r(b, 5), r(b, 6), 8), ['i32_and t0 r5 r6', 'i32_shl_imm t1 t0 0x18', 'status_logic r10 t0 t1']],
};

const setAll = (b: Builder, sets: Sets): void => {
  for (const [offset, value] of sets) b.set(offset, value);
};
const blockOf = (fill: (b: Builder) => void) =>
  block(isa, PC, (b) => {
    b.insn(PC, 4);
    fill(b);
    b.goto(PC + 4);
  });
function uops(fill: (b: Builder) => void): string[] {
  lowerBlock(blockOf(fill), machine.runtime, Layout.UOPS);
  const text = printUops(machine.runtime.words, Layout.UOPS, (offset) => (offset < 128 ? `r${offset / 4}` : undefined));
  return text
    .trim()
    .split('\n')
    .slice(1, -1)
    .map((line) => line.trim());
}

/** The flags after the block has run with these registers. */
function flags(fill: (b: Builder) => void, registers: readonly number[]): number[] {
  machine.install(blockOf(fill));
  registers.forEach((value, n) => {
    machine.setWord(R(n + 1), value);
  });
  for (const offset of FLAGS) machine.setWord(offset, 0x55);
  machine.pc = PC;
  machine.enter(1);
  return FLAGS.map((offset) => machine.word(offset));
}

describe('status flags', () => {
  test.each(Object.entries(OPERATIONS).filter(([, [, text]]) => text.length > 0))('of %s are one µop', (_, [make, text]) => {
    expect(uops((b) => setAll(b, make(b)))).toEqual(text);
  });

  test.each(Object.entries(OPERATIONS))('of %s are what each by itself is', (_, [make]) => {
    const word = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
    const half = fc.oneof(fc.constantFrom(0, 1, 0x7fff, 0x8000, 0xffff), fc.integer({ min: 0, max: 0xffff }));
    const byte = fc.integer({ min: 0, max: 0xff });
    fc.assert(
      fc.property(fc.tuple(word, word, half, half, byte, byte), (registers) => {
        expect(flags((b) => setAll(b, make(b)), registers)).toEqual(flags((b) => setAll(b, make(b).toReversed()), registers));
      }),
      { ...SEED, numRuns: 60 },
    );
  });

  test('of which one is seen are not', () => {
    const text = uops((b) => {
      setAll(b, difference(b, r(b, 1), r(b, 2)));
      for (const offset of FLAGS) if (offset !== ZF) b.set(offset, b.i32(7));
    });
    expect(text.filter((line) => line.startsWith('status'))).toEqual([]);
    expect(text).toContain('i32_sub r11 r1 r2');
  });

  test('that nobody sees are not written', () => {
    const text = uops((b) => {
      setAll(b, difference(b, r(b, 1), r(b, 2)));
      setAll(b, difference(b, r(b, 3), r(b, 4)));
    });
    expect(text).toEqual(['status_cmp32 r10 r3 r4']);
  });
});
