import { Exactness, FloatLimit } from '../../assembly/shared/float-limit.ts';
import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import type { Helper } from '../../src/isa/isa.ts';
import { all, isBounded, isNormal, multipliesTo, sumsTo } from '../exact.ts';
import { aboveLeast, isZero, isZeroProduct, isZeroQuotient, magnitude } from '../magnitude.ts';
import { fprWord } from './abi.ts';
import { reserved } from './exception.ts';
import { FloatCode } from './float-code.ts';
import type { Meaning, Site } from './row.ts';
import { Mips } from './state.ts';

// WebAssembly's operation gives the result where it is an ordinary number and FCSR asks for no more (Mips.EXACT); else a helper computes the instruction anew. The operation and its operands are kept, so that FCSR.Cause can be
// told when the program reads it.

export const floatHelpers: readonly Helper[] = [
  { name: 'mips_float', params: [], result: Type.I32, state: true, range: [Mips.FCSR, Mips.FLOAT_END], pure: false },
  // (register): its value
  { name: 'mips_cfc1', params: [Type.I32], result: Type.I32, state: true, pure: false },
  // (register, value): 1 for a floating-point exception
  { name: 'mips_ctc1', params: [Type.I32, Type.I32], result: Type.I32, state: true, pure: false },
];

/** A floating-point format (MIPS32 volume I, FPU data formats). */
export interface Format {
  readonly suffix: 's' | 'd';
  readonly wide: boolean;
  /** The fmt field, and fmt3 of COP1X. */
  readonly fmt: string;
  readonly fmt3: string;
  readonly type: Type.F32 | Type.F64;
  /** Op by the name that follows `f32.` or `f64.`. */
  readonly op: (name: string) => number;
}

export const SINGLE: Format = {
  suffix: 's',
  wide: false,
  fmt: '10000',
  fmt3: '000',
  type: Type.F32,
  op: (name) => op(`f32.${name}`),
};
export const DOUBLE: Format = {
  suffix: 'd',
  wide: true,
  fmt: '10001',
  fmt3: '001',
  type: Type.F64,
  op: (name) => op(`f64.${name}`),
};

// Registers

/** State offset of a register that holds 64 bits. */
const long = (register: number): number => Mips.FPR + 8 * register;
const slot = (site: Site, format: Format, register: number): number => (format.wide ? long(register) : fprWord(register, site.wide));

export const fpr = (b: Builder, site: Site, format: Format, register: number): Value => b.get(format.type, slot(site, format, register));
export const setFpr = (b: Builder, site: Site, format: Format, register: number, value: Value): void =>
  b.set(slot(site, format, register), value);
export const word = (b: Builder, site: Site, register: number): Value => b.get(Type.I32, fprWord(register, site.wide));
export const setWord = (b: Builder, site: Site, register: number, value: Value): void => b.set(fprWord(register, site.wide), value);
export const getLong = (b: Builder, register: number): Value => b.get(Type.I64, long(register));
export const setLong = (b: Builder, register: number, value: Value): void => b.set(long(register), value);
/** The word above the one that MTC1 writes (MFHC1, MTHC1). */
export const highWord = (site: Site, register: number): number => (site.wide ? fprWord(register, true) + 4 : fprWord(register | 1, false));

/** Status.FR = 0: a 64-bit operand is an even register and the odd one after it. Fields `letters` hold such operands. */
export function pairs<P extends string>(letters: string, meaning: Meaning<P>): Meaning<P> {
  if (letters === '') return meaning;
  return (fields, b, site) => {
    const values = fields as { readonly [letter: string]: number };
    if (!site.wide) for (const letter of letters) if (values[letter] & 1) return reserved(b, site);
    meaning(fields, b, site);
  };
}

/** UNPREDICTABLE with Status.FR = 0; reserved here. */
export function longOnly<P extends string>(meaning: Meaning<P>): Meaning<P> {
  return (fields, b, site) => (site.wide ? meaning(fields, b, site) : reserved(b, site));
}

// Operations

/** An operation that will be settled from its operands (their bits, single ones as f32, all others as f64). */
export function remember(b: Builder, code: number, ...operands: Value[]): void {
  b.set(Mips.LAST, b.i32(code));
  for (const [n, operand] of operands.entries()) b.set(b.typeOf(operand) === Type.F32 ? Mips.LAST_S + 4 * n : Mips.LAST_D + 8 * n, operand);
}
/** One that cannot raise an exception. */
export const clear = (b: Builder): void => remember(b, FloatCode.CLEAR);

export const codeOf = (format: Format, operation: FloatCode, detail = 0): number =>
  operation | (format.wide ? FloatCode.WIDE : 0) | (detail << FloatCode.DETAIL_SHIFT);

/** `fast`, or the slow path of what was remembered; `harmless`: see there. */
export const settle = (b: Builder, special: Value, fast: Value, harmless?: Value): Value =>
  b.slow('mips_float', special, fast, harmless === undefined ? undefined : b.eqz(harmless));

export const exact = (b: Builder): Value => b.get(Type.I32, Mips.EXACT);
export const isNan = (b: Builder, format: Format, x: Value): Value => b.emit(format.op('ne'), x, x);

/** 1 if a result is not finite, or EXACT. */
export const unlimited = (b: Builder, format: Format, result: Value): Value =>
  b.geU(magnitude(b, format.wide, result), b.get(Type.I32, format.wide ? Mips.LIMIT_D : Mips.LIMIT_S));
/** 1 unless a result is normal and was before it was rounded, or EXACT. */
export const notNormal = (b: Builder, format: Format, result: Value): Value =>
  b.geU(aboveLeast(b, format.wide, result), b.get(Type.I32, format.wide ? Mips.SPAN_D : Mips.SPAN_S));

// Whether WebAssembly's result will do although it is special: it is exact, and nothing but the sticky Inexact flag makes
// it special; or it is a zero product. Asked only of special results, so that no value is shared with the fast path.

/** A result that was normal before it was rounded. */
const wasNormal = (b: Builder, format: Format, x: Value): Value =>
  b.ltU(aboveLeast(b, format.wide, x), b.i32(format.wide ? FloatLimit.SPAN_D : FloatLimit.SPAN_S));
/** EXACT is Exactness.FLAG at most. */
export const onlyFlag = (b: Builder): Value => b.ltU(exact(b), b.i32(Exactness.FLAG + 1));

export const exactSum = (b: Builder, { wide }: Format, sum: Value, x: Value, y: Value, subtract: boolean): Value =>
  all(b, onlyFlag(b), isBounded(b, wide, sum), sumsTo(b, wide, sum, x, y, subtract));
export function exactProduct(b: Builder, format: Format, product: Value, x: Value, y: Value): Value {
  const { wide } = format;
  const normal = all(b, onlyFlag(b), wasNormal(b, format, product), isNormal(b, wide, x), isNormal(b, wide, y));
  return b.or(isZeroProduct(b, wide, product, x, y), all(b, normal, multipliesTo(b, wide, product, x, y)));
}
export function exactQuotient(b: Builder, { wide }: Format, quotient: Value, x: Value, y: Value): Value {
  const normal = all(b, onlyFlag(b), isNormal(b, wide, quotient), isNormal(b, wide, x), isNormal(b, wide, y));
  return b.or(isZeroQuotient(b, wide, quotient, x), all(b, normal, multipliesTo(b, wide, x, quotient, y)));
}
export const exactRoot = (b: Builder, { wide }: Format, root: Value, x: Value): Value =>
  b.or(isZero(b, wide, x), all(b, onlyFlag(b), isNormal(b, wide, x), isNormal(b, wide, root), multipliesTo(b, wide, x, root, root)));

export const FORMATS = [SINGLE, DOUBLE];
/** The letters of registers that hold an operand of this format, if they must be pairs. */
export const wide = (format: Format, letters: string): string => (format.wide ? letters : '');
