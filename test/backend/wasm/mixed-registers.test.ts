import { describe, expect, it } from 'vitest';
import { RegionResult } from '../../../assembly/shared/exit.ts';
import { settleTypes } from '../../../src/backend/wasm/mixed-registers.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { at, F, isa, type Lift, machine, r } from './machine.ts';

describe('a register that is accessed as numbers of several types', () => {
  it('is in a local of the type that the loops of a region use', () => {
    const code = (value: (b: Builder) => void): Record<number, Lift> => ({
      [at(0)]: (b) => {
        b.insn(at(0), 4);
        b.set(F, b.i32(0));
        b.set(F + 4, b.i32(0x3ff00000));
        b.goto(at(1));
      },
      [at(1)]: (b) => {
        b.insn(at(1), 4);
        const n = b.sub(r(b, 0), b.i32(1));
        b.set(0, n);
        value(b);
        b.branch(n, at(1), at(2));
      },
      [at(2)]: (b) => {
        b.insn(at(2), 4);
        b.set(4, b.get(Type.I32, F + 4));
        b.set(F, b.emit(op('f32.reinterpret_i32'), b.i32(0x7fa00001)));
        b.set(8, b.emit(op('i32.wrap_i64'), b.emit(op('i64.shr_u'), b.get(Type.I64, F), b.i64(29, 0))));
        b.return(b.i32(at(9)));
      },
    });
    const doubled = code((b) => b.set(F, b.emit(op('f64.add'), b.get(Type.F64, F), b.get(Type.F64, F))));
    const high = code((b) => b.set(F + 4, b.add(b.get(Type.I32, F + 4), b.i32(0x100000))));
    for (const [words, types] of [
      [doubled, [Type.F64]],
      [high, []],
    ] as const) {
      const m = machine(words, [at(0)]);
      const { registers } = settleTypes(m.regions[0], isa.registers);
      expect(registers.filter(({ offset, local }) => local && offset >= F).map(({ type }) => type)).toEqual(types);
      m.set(0, 5);
      expect(m.call(at(0))).toBe(at(9));
      expect([m.get(1), m.get(2), m.get(4), m.get(5)]).toEqual([0x40400000, 0x02000003, 0x7fa00001, 0x40400000]);
      // a budget exit shows it
      m.set(0, 100);
      m.setBudget(4);
      expect(m.call(at(0))).toBe(RegionResult.EXIT >>> 0);
      const rounds = 100 - m.get(0);
      expect([m.get(4), m.get(5)]).toEqual([0, 0x3ff00000 + rounds * 0x100000]);
    }
  });
});
