import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import type { Values } from '../../src/isa/bits.ts';
import { reserved } from './exception.ts';
import type { Meaning } from './row.ts';
import { Mips } from './state.ts';

/** A floating-point format (MIPS32 volume I, FPU data formats). */
export interface Format {
  readonly suffix: 's' | 'd';
  /** The fmt field, and fmt3 of COP1X. */
  readonly fmt: string;
  readonly fmt3: string;
  readonly type: Type.F32 | Type.F64;
  /** Op by the name that follows `f32.` or `f64.`. */
  readonly op: (name: string) => number;
}

export const SINGLE: Format = { suffix: 's', fmt: '10000', fmt3: '000', type: Type.F32, op: (name) => op(`f32.${name}`) };
export const DOUBLE: Format = { suffix: 'd', fmt: '10001', fmt3: '001', type: Type.F64, op: (name) => op(`f64.${name}`) };

const slot = (register: number): number => Mips.FPR + 4 * register;

export const fpr = (b: Builder, format: Format, register: number): Value => b.get(format.type, slot(register));
export const fprWord = (b: Builder, register: number): Value => b.get(Type.I32, slot(register));
export const fprLong = (b: Builder, register: number): Value => b.get(Type.I64, slot(register));
export const setFpr = (b: Builder, register: number, value: Value): void => b.set(slot(register), value);

const EQ32 = op('f32.eq');
const EQ64 = op('f64.eq');

/** Any NaN that arithmetic gives becomes the default quiet NaN, which has its first fraction bit clear (FCSR.NAN2008 = 0). */
export function quiet(b: Builder, format: Format, value: Value): Value {
  const single = format.type === Type.F32;
  const nan = single ? b.f32Bits(0x7fbfffff) : b.f64Bits(-1, 0x7ff7ffff);
  return b.select(b.emit(single ? EQ32 : EQ64, value, value), value, nan);
}

/** Writes the result of arithmetic. */
export const result = (b: Builder, format: Format, register: number, value: Value): void => setFpr(b, register, quiet(b, format, value));

/** Status.FR = 0: a 64-bit operand is an even register and the odd one after it. Fields `letters` hold such operands. */
export function pairs<P extends string>(letters: string, meaning: Meaning<P>): Meaning<P> {
  if (letters === '') return meaning;
  return (fields, b, site) => {
    const values = fields as Values;
    for (const letter of letters) if (values[letter] & 1) return reserved(b, site);
    meaning(fields, b, site);
  };
}
