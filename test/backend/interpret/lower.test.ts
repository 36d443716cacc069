import { expect, test } from 'vitest';
import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import { lowerBlock } from '../../../src/backend/interpret/lower.ts';
import { printUops } from '../../../src/backend/interpret/print.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa, V } from '../../support/toy.ts';

const PC = 0x20000;
const isa = toyIsa([{ name: 'run', params: [Type.I32], result: Type.I32, state: false, pure: false }]);
const machine = makeMachine(isa);
const r = (b: Builder, n: number) => b.get(Type.I32, R(n));
const LOAD = op('i32.load');
const STORE = op('i32.store');

/** The µops of a one-instruction block, without its header and `goto`. */
function uops(fill: (b: Builder) => void, options = {}): string[] {
  const made = block(isa, PC, (b) => {
    b.insn(PC, 4);
    fill(b);
    if (!b.ended) b.goto(PC + 4);
  });
  lowerBlock(made, machine.runtime, Layout.UOPS, options);
  const text = printUops(machine.runtime.words, Layout.UOPS, (offset) => (offset < 128 ? `r${offset / 4}` : undefined));
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim())
    .filter((line) => line !== 'goto 0x20004');
}

test('an operation on registers is one µop', () => {
  expect(uops((b) => b.set(R(1), b.add(r(b, 2), r(b, 3))))).toEqual(['i32_add r1 r2 r3']);
  expect(uops((b) => b.set(R(1), b.add(r(b, 1), b.i32(-4))))).toEqual(['i32_add_imm r1 r1 0xfffffffc']);
  expect(uops((b) => b.set(R(1), b.gtU(r(b, 2), r(b, 3))))).toEqual(['i32_lt_u r1 r3 r2']);
  expect(uops((b) => b.set(R(1), b.i32(0x120000)))).toEqual(['const32 r1 0x120000']);
  expect(uops((b) => b.set(R(1), r(b, 2)))).toEqual(['move32 r1 r2']);
  expect(uops((b) => b.set(V(1), b.emit(op('i32x4.add'), b.get(Type.V128, V(1)), b.get(Type.V128, V(2)))))).toEqual([
    'i32x4_add +272 +272 +288',
  ]);
});

test('a load or store with base and displacement is one µop', () => {
  expect(uops((b) => b.set(R(1), b.load(LOAD, b.add(r(b, 2), b.i32(8)))))).toEqual(['load32 r1 r2 0x8']);
  expect(uops((b) => b.store(STORE, b.add(r(b, 2), b.i32(8)), r(b, 1), true))).toEqual(['store32_be r1 r2 0x8']);
  expect(uops((b) => b.store(STORE, b.add(r(b, 2), b.i32(8)), b.i32(7)))).toEqual(['store32_imm r2 0x8 0x7']);
  expect(uops((b) => b.store(STORE, b.i32(0x30000), r(b, 1)), { checked: true })).toEqual(['store32_checked r1 0 0x30000']);
});

test('a read-modify-write computes its address in each access', () => {
  expect(
    uops((b) => {
      const address = b.add(r(b, 2), b.i32(8));
      b.store(STORE, address, b.add(b.load(LOAD, address), r(b, 1)));
    }),
  ).toEqual(['load32 t0 r2 0x8', 'i32_add t0 t0 r1', 'store32 t0 r2 0x8']);
});

test('PUSH and POP are one µop', () => {
  expect(
    uops((b) => {
      const [value, next] = [b.load(LOAD, r(b, 4)), b.add(r(b, 4), b.i32(4))];
      b.set(R(4), next);
      b.set(R(1), value);
    }),
  ).toEqual(['pop32 r1 r4 0x4']);
  // POP ESP: what is loaded stands
  expect(uops((b) => b.set(R(4), b.load(LOAD, r(b, 4))))).toEqual(['load32 r4 r4 0x0']);
  expect(
    uops((b) => {
      const address = b.add(r(b, 4), b.i32(-4));
      b.store(STORE, address, b.i32(7));
      b.set(R(4), address);
    }),
  ).toEqual(['push32_imm r4 0xfffffffc 0x7']);
  expect(
    uops((b) => {
      const address = b.add(r(b, 4), b.i32(-4));
      b.store(STORE, address, r(b, 1));
      b.set(R(4), address);
    }),
  ).toEqual(['push32 r1 r4 0xfffffffc']);
  expect(
    uops((b) => {
      const address = b.add(r(b, 4), b.i32(-4));
      b.store(STORE, address, r(b, 1));
      b.set(R(5), r(b, 4));
      b.set(R(4), address);
      b.set(R(6), address);
    }),
  ).toEqual(['i32_add_imm t0 r4 0xfffffffc', 'store32 r1 t0 0x0', 'move32 r5 r4', 'move32 r4 t0', 'move32 r6 t0']);
});

test('a comparison is part of the branch on it', () => {
  expect(uops((b) => b.branch(b.ne(r(b, 1), r(b, 2)), PC, PC + 0x40))).toEqual(['branch_ne r1 r2 0x20000 hot 0x20040']);
  expect(uops((b) => b.branch(b.geS(r(b, 1), b.i32(0)), PC + 0x80, PC + 0x40))).toEqual(['branch_le_s 0 r1 0x20080 0x20040']);
  expect(uops((b) => b.branch(b.eq(r(b, 1), b.i32(0)), PC + 0x80, PC + 0x40))).toEqual(['branch_z r1 0x20080 0x20040']);
  expect(uops((b) => b.branch(b.eqz(r(b, 1)), PC + 0x80, PC + 0x40))).toEqual(['branch_z r1 0x20080 0x20040']);
});

test('one value set to several registers is computed once', () => {
  expect(
    uops((b) => {
      const sum = b.add(r(b, 1), r(b, 2));
      b.set(R(10), sum);
      b.set(R(11), sum);
      b.set(R(1), sum);
    }),
  ).toEqual(['i32_add r10 r1 r2', 'move32 r11 r10', 'move32 r1 r10']);
});

test('a register that is overwritten before its last use is copied', () => {
  expect(
    uops((b) => {
      const [x, y] = [r(b, 1), r(b, 2)];
      b.set(R(1), y);
      b.set(R(2), x);
    }),
  ).toEqual(['move32 t0 r1', 'move32 r1 r2', 'move32 r2 t0']);
});

test('state is not written before an access that may fault', () => {
  expect(
    uops((b) => {
      const sum = b.add(r(b, 1), b.i32(4));
      b.set(R(2), b.load(LOAD, r(b, 3)));
      b.set(R(1), sum);
    }),
  ).toEqual(['i32_add_imm t0 r1 0x4', 'load32 r2 r3 0x0', 'move32 r1 t0']);
});

test('what is left prints too', () => {
  expect(
    uops((b) => {
      b.exitIf(r(b, 1), ExitKind.Exception, 6);
      b.set(R(1), b.helper('run', b.i32(77)));
      b.set(R(3), b.select(r(b, 4), r(b, 5), b.i32(-9)));
      b.exit(ExitKind.Syscall, PC + 4, PC);
    }),
  ).toEqual([`exit_if r1 5 0x20000 0x6`, 'helper #1 r1 k77', 'select32 r3 r4 r5 k-9', 'exit 2 0x20004 0x20000']);
});
