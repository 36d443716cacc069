import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExitKind, RegionResult } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import { switchLoops } from '../../../src/backend/wasm/loops.ts';
import { PUT_OFF_REGISTERS, putOffFlags } from '../../../src/backend/wasm/put-off.ts';
import { planSlots, Slots } from '../../../src/backend/wasm/slots.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { at, FLAGS, isa, type Lift, machine, r, TRANSIENT } from './machine.ts';

/** What a case does to r0, r1 and the two flags before it goes back. */
interface Case {
  readonly build: (b: Builder, next: number) => void;
  readonly does: (s: State) => void;
}
interface State {
  r0: number;
  r1: number;
  flags: [number, number];
}
const [CARRY, RESULT] = FLAGS;
const TABLE = 0x30000;
const END = at(60);

const subtract = (n: number): Case => ({
  build: (b, next) => {
    const result = b.sub(r(b, 0), b.i32(n));
    b.set(CARRY, b.ltU(r(b, 0), b.i32(n)));
    b.set(RESULT, result);
    b.set(0, result);
    b.goto(next);
  },
  does: (s) => {
    s.flags = [Number(s.r0 >>> 0 < n), (s.r0 - n) | 0];
    [, s.r0] = s.flags;
  },
});
/** Of what has to be loaded. */
const multiply: Case = {
  build: (b, next) => {
    const product = b.mul(b.load(op('i32.load'), b.i32(TABLE - 8)), r(b, 1));
    b.set(CARRY, b.xor(product, r(b, 0)));
    b.set(RESULT, product);
    b.set(4, b.add(product, b.i32(1)));
    b.goto(next);
  },
  does: (s) => {
    const product = Math.imul(77, s.r1);
    s.flags = [product ^ s.r0, product];
    s.r1 = (product + 1) | 0;
  },
};
/** One flag stays as the case before has left it. */
const increment: Case = {
  build: (b, next) => {
    b.set(0, b.add(r(b, 0), b.i32(1)));
    b.set(RESULT, r(b, 0));
    b.goto(next);
  },
  does: (s) => {
    s.r0 = (s.r0 + 1) | 0;
    s.flags[1] = s.r0;
  },
};
const move: Case = {
  build: (b, next) => {
    b.set(4, b.add(r(b, 0), b.i32(5)));
    b.goto(next);
  },
  does: (s) => {
    s.r1 = (s.r0 + 5) | 0;
  },
};
const addCarry: Case = {
  build: (b, next) => {
    b.set(4, b.add(r(b, 1), b.get(Type.I32, CARRY)));
    b.goto(next);
  },
  does: (s) => {
    s.r1 = (s.r1 + s.flags[0]) | 0;
  },
};
/** Goes back in two ways. */
const compare: Case = {
  build: (b, next) => {
    b.set(CARRY, b.i32(1));
    b.set(RESULT, b.xor(r(b, 0), r(b, 1)));
    b.branch(b.ltU(r(b, 0), r(b, 1)), next, next);
  },
  does: (s) => {
    s.flags = [1, s.r0 ^ s.r1];
  },
};
const CASES: readonly Case[] = [subtract(4), subtract(4), subtract(9), multiply, compare, increment, move, addCarry];

/** A loop that jumps to the case whose address the next word is, to which r3 then points; with `first`, by way of a block before the jump. */
function loop(cases: readonly Case[], first: boolean) {
  const head = first ? at(50) : at(0);
  const code: Record<number, Lift> = {
    [at(0)]: (b) => {
      b.insn(at(0), 4);
      b.set(12, b.add(r(b, 3), b.i32(4)));
      b.jump(b.load(op('i32.load'), r(b, 3)));
    },
    [at(50)]: (b) => {
      b.insn(at(50), 4);
      b.goto(at(0));
    },
  };
  for (const [k, { build }] of cases.entries())
    code[at(k + 1)] = (b) => {
      b.insn(at(k + 1), 4);
      build(b, head);
    };
  const targets = cases.map((_, k) => at(k + 1));
  return { head, m: machine(code, [head], false, undefined, false, 0, () => targets) };
}

const putOffIn = (cases: readonly Case[]): number => {
  const { m } = loop(cases, false);
  const [region] = m.regions;
  const purposes = { preciseMemory: false, leavesAtEntry: () => false, exactState: false, exactSwitches: false, callee: () => undefined };
  const slots = new Slots([...isa.registers, ...TRANSIENT, ...PUT_OFF_REGISTERS]);
  const all = { ...purposes, readByCalls: undefined, switchLoops: switchLoops(region) };
  return putOffFlags(planSlots(region, slots, all).region, slots, all)?.plan.putOff.length ?? 0;
};

describe('flags that are put off in a switch loop', () => {
  it('are those that all cases set and none reads', () => {
    expect(putOffIn([subtract(4), multiply, move])).toBe(1);
    expect(putOffIn([subtract(4), increment, increment, increment])).toBe(0);
    expect(putOffIn([move, move])).toBe(0);
  });

  it('are as they were last set where the budget is spent or a target is new', () => {
    const cases = fc.array(fc.constantFrom(...CASES), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(cases, fc.boolean(), fc.array(fc.nat(8), { maxLength: 12 }), fc.nat(40), (list, first, picks, budget) => {
        const { head, m } = loop(list, first);
        const order = picks.map((k) => k % list.length);
        const s: State = { r0: 100, r1: 3, flags: [-1, -2] };
        const cost = first ? 3 : 2;
        const most = Math.floor((budget - (cost - 1)) / cost);
        m.set(0, s.r0);
        m.set(1, s.r1);
        m.set(3, TABLE - 4);
        for (const [k, offset] of FLAGS.entries()) m.set(offset / 4, s.flags[k]);
        const put = (address: number, word: number): void => m.data.setUint32(Layout.WINDOW + address - Layout.FLOOR, word, true);
        put(TABLE - 8, 77);
        for (const [i, k] of order.entries()) put(TABLE + 4 * i, at(k + 1));
        put(TABLE + 4 * order.length, END);
        m.setBudget(budget);
        const result = m.call(head);
        const done = (m.get(3) - TABLE) / 4 + (result === END ? 0 : 1);
        for (const k of order.slice(0, done)) list[k].does(s);
        const seen = { r0: m.get(0), r1: m.get(1), flags: FLAGS.map((offset) => m.get(offset / 4)) };
        if (result === RegionResult.EXIT >>> 0) expect(m.kind()).toBe(ExitKind.Budget);
        else expect([result, done]).toEqual([END, order.length]);
        expect(seen).toEqual(s);
        expect(done).toBeGreaterThanOrEqual(Math.min(order.length, most - 1));
      }),
      { numRuns: 60 },
    );
  });
});
