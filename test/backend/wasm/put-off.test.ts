import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExitKind, RegionResult } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import { switchLoops } from '../../../src/backend/wasm/loops.ts';
import { PUT_OFF_REGISTERS, putOffFlags } from '../../../src/backend/wasm/put-off.ts';
import { formRegion } from '../../../src/backend/wasm/region.ts';
import { planSlots, Slots } from '../../../src/backend/wasm/slots.ts';
import type { Block } from '../../../src/ir/block.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { at, FLAGS, isa, type Lift, machine, r, TRANSIENT } from './machine.ts';

/** What a case does to r0, r1 and the two flags before it goes back. */
interface Case {
  readonly build: (b: Builder, back: Back) => void;
  readonly does: (s: State) => void;
}
/** Ways for a case to go back. */
interface Back {
  readonly goes: Lift;
  /** The same as a place. */
  readonly next: number;
  /** Of a block that changes r1 before. */
  readonly aside: number;
}
interface State {
  r0: number;
  r1: number;
  flags: [number, number];
}
const [CARRY, RESULT] = FLAGS;
const TABLE = 0x30000;
const END = at(60);
const SEES_ALL: Helper = { name: 'sees_all', params: [], result: Type.None, state: true, pure: false };

const subtract = (n: number): Case => ({
  build: (b, { goes }) => {
    const result = b.sub(r(b, 0), b.i32(n));
    b.set(CARRY, b.ltU(r(b, 0), b.i32(n)));
    b.set(RESULT, result);
    b.set(0, result);
    goes(b);
  },
  does: (s) => {
    s.flags = [Number(s.r0 >>> 0 < n), (s.r0 - n) | 0];
    [, s.r0] = s.flags;
  },
});
/** Of what has to be loaded. */
const multiply: Case = {
  build: (b, { goes }) => {
    const product = b.mul(b.load(op('i32.load'), b.i32(TABLE - 8)), r(b, 1));
    b.set(CARRY, b.xor(product, r(b, 0)));
    b.set(RESULT, product);
    b.set(4, b.add(product, b.i32(1)));
    goes(b);
  },
  does: (s) => {
    const product = Math.imul(77, s.r1);
    s.flags = [product ^ s.r0, product];
    s.r1 = (product + 1) | 0;
  },
};
/** One flag stays as the case before has left it. */
const increment: Case = {
  build: (b, { goes }) => {
    b.set(0, b.add(r(b, 0), b.i32(1)));
    b.set(RESULT, r(b, 0));
    goes(b);
  },
  does: (s) => {
    s.r0 = (s.r0 + 1) | 0;
    s.flags[1] = s.r0;
  },
};
const move: Case = {
  build: (b, { goes }) => {
    b.set(4, b.add(r(b, 0), b.i32(5)));
    goes(b);
  },
  does: (s) => {
    s.r1 = (s.r0 + 5) | 0;
  },
};
const addCarry: Case = {
  build: (b, { goes }) => {
    b.set(4, b.add(r(b, 1), b.get(Type.I32, CARRY)));
    goes(b);
  },
  does: (s) => {
    s.r1 = (s.r1 + s.flags[0]) | 0;
  },
};
/** Goes back in two ways. */
const compare: Case = {
  build: (b, { next }) => {
    b.set(CARRY, b.i32(1));
    b.set(RESULT, b.xor(r(b, 0), r(b, 1)));
    b.branch(b.ltU(r(b, 0), r(b, 1)), next, next);
  },
  does: (s) => {
    s.flags = [1, s.r0 ^ s.r1];
  },
};
/** Goes back by way of a block of its own, or at once. */
const countDown = (setsCarry: boolean): Case => ({
  build: (b, { aside, next }) => {
    b.set(0, b.sub(r(b, 0), b.i32(1)));
    if (setsCarry) b.set(CARRY, b.xor(r(b, 0), b.i32(7)));
    b.set(RESULT, r(b, 0));
    b.branch(b.and(r(b, 0), b.i32(1)), aside, next);
  },
  does: (s) => {
    s.r0 = (s.r0 - 1) | 0;
    s.flags = [setsCarry ? s.r0 ^ 7 : s.flags[0], s.r0];
    if (s.r0 & 1) s.r1 ^= 3;
  },
});
/** Of more than is kept. */
const mix: Case = {
  build: (b, { goes }) => {
    const loaded = [8, 12].map((k) => b.load(op('i32.load'), b.i32(TABLE - k)));
    b.set(CARRY, b.add(b.add(loaded[0], loaded[1]), b.xor(r(b, 0), r(b, 1))));
    b.set(RESULT, b.xor(loaded[0], b.i32(5)));
    goes(b);
  },
  does: (s) => {
    s.flags = [(77 + 78 + (s.r0 ^ s.r1)) | 0, 77 ^ 5];
  },
};
const CASES: readonly Case[] = [
  subtract(4),
  subtract(4),
  subtract(9),
  multiply,
  compare,
  increment,
  move,
  addCarry,
  countDown(false),
  countDown(true),
  mix,
];

type Form = 'one jump' | 'by way of a block' | 'a jump each';
const step: Lift = (b) => {
  b.set(12, b.add(r(b, 3), b.i32(4)));
  b.jump(b.load(op('i32.load'), r(b, 3)));
};

/** A loop that jumps to the case whose address the next word is, to which r3 then points. */
function codeOf(cases: readonly Case[], form: Form) {
  const head = form === 'by way of a block' ? at(50) : at(0);
  const code: Record<number, Lift> = {};
  const put = (pc: number, build: Lift): void => {
    code[pc] = (b) => {
      b.insn(pc, 4);
      build(b);
    };
  };
  put(at(0), step);
  put(at(50), (b) => b.goto(at(0)));
  for (const [k, { build }] of cases.entries()) {
    const next = form === 'a jump each' ? at(k + 30) : head;
    const goes: Lift = form === 'a jump each' ? step : (b) => b.goto(head);
    put(at(k + 1), (b) => build(b, { goes, next, aside: at(k + 20) }));
    put(at(k + 20), (b) => {
      b.set(4, b.xor(r(b, 1), b.i32(3)));
      b.goto(next);
    });
    put(at(k + 30), step);
  }
  const targets = cases.map((_, k) => at(k + 1));
  return { head, code, targets };
}

function loop(cases: readonly Case[], form: Form) {
  const { head, code, targets } = codeOf(cases, form);
  return { head, m: machine(code, [head], false, undefined, false, 0, () => targets) };
}

/** How many switches put flags off, and pcs of cases that do. */
function putOffIn(cases: readonly Case[]) {
  const { head, code, targets } = codeOf(cases, 'one jump');
  const lift = (pc: number): Block | undefined => {
    const b = new Builder([SEES_ALL]);
    b.begin(pc);
    code[pc]?.(b);
    return code[pc] && b.finish(pc + 16);
  };
  const region = formRegion(head, lift, () => targets)!;
  const purposes = { preciseMemory: false, leavesAtEntry: () => false, exactState: false, exactSwitches: false, callee: () => undefined };
  const slots = new Slots([...isa.registers, ...TRANSIENT, ...PUT_OFF_REGISTERS]);
  const all = { ...purposes, readByCalls: undefined, switchLoops: switchLoops(region) };
  const found = putOffFlags(planSlots(region, slots, all).region, slots, all)?.plan.putOff ?? [];
  return [found.length, ...found.flatMap(({ numbers }) => [...numbers.keys()].map((i) => region.blocks[i].pc)).sort()];
}

describe('flags that are put off in a switch loop', () => {
  it('are those that all cases set and none reads', () => {
    expect(putOffIn([subtract(4), multiply, move])).toEqual([1, at(1), at(2)]);
    expect(putOffIn([subtract(4), increment, increment, increment])).toEqual([0]);
    expect(putOffIn([move, move])).toEqual([0]);
    expect(putOffIn([mix, mix])).toEqual([0]);
  });

  it('are not those that a helper may have set after the case', () => {
    const compareString: Case = {
      build(b, { goes }) {
        b.set(CARRY, r(b, 1));
        b.set(RESULT, r(b, 0));
        b.helper(SEES_ALL.name);
        goes(b);
      },
      does: () => undefined,
    };
    expect(putOffIn([subtract(4), subtract(4), subtract(4), subtract(4), compareString])).toEqual([1, at(1), at(2), at(3), at(4)]);
  });

  it('are as they were last set where the budget is spent or a target is new', () => {
    const cases = fc.array(fc.constantFrom(...CASES), { minLength: 1, maxLength: 9 });
    expect(loop([subtract(4), move, countDown(false)], 'a jump each').m.regions[0].dispatches).toBe(true);
    const forms = fc.constantFrom<Form>('one jump', 'by way of a block', 'a jump each');
    fc.assert(
      fc.property(cases, forms, fc.array(fc.nat(8), { maxLength: 12 }), fc.nat(40), (list, form, picks, budget) => {
        const { head, m } = loop(list, form);
        const order = picks.map((k) => k % list.length);
        const s: State = { r0: 100, r1: 3, flags: [-1, -2] };
        const most = Math.floor((budget - 3) / 4);
        m.set(0, s.r0);
        m.set(1, s.r1);
        m.set(3, TABLE - 4);
        for (const [k, offset] of FLAGS.entries()) m.set(offset / 4, s.flags[k]);
        const put = (address: number, word: number): void => m.data.setUint32(Layout.WINDOW + address - Layout.FLOOR, word, true);
        put(TABLE - 8, 77);
        put(TABLE - 12, 78);
        for (const [i, k] of order.entries()) put(TABLE + 4 * i, at(k + 1));
        put(TABLE + 4 * order.length, END);
        m.setBudget(budget);
        const result = m.call(head);
        const isBefore = result === RegionResult.EXIT >>> 0 && m.pc() === head;
        const done = (m.get(3) - TABLE) / 4 + (isBefore ? 1 : 0);
        for (const k of order.slice(0, done)) list[k].does(s);
        const seen = { r0: m.get(0), r1: m.get(1), flags: FLAGS.map((offset) => m.get(offset / 4)) };
        if (result === RegionResult.EXIT >>> 0) expect(m.kind()).toBe(ExitKind.Budget);
        else expect([result, done]).toEqual([END, order.length]);
        // a case at which the budget is spent may set a flag before anybody sees it
        if (result === END || isBefore) expect(seen).toEqual(s);
        expect(done).toBeGreaterThanOrEqual(Math.min(order.length, most - 1));
      }),
      { numRuns: 100 },
    );
  });
});
