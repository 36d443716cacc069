import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import { contextOf, type Setter } from './context.ts';
import { signExtend } from './operands.ts';
import { Eflags } from './sdm.ts';
import { X86 } from './state.ts';
import { Mode } from './system/state.ts';

const POPCNT = op('i32.popcnt');

function remember(b: Builder, kind: Setter['kind'], size: number, left: Value, right: Value, result: Value): void {
  contextOf(b).setter = { kind, size, left, right, result };
}

/**
 * Flag state was written by other means than this file. Whoever does that, helpers included, must call this: the
 * conditions that follow would use what they remember.
 */
export function forgetFlags(b: Builder): void {
  contextOf(b).setter = undefined;
}

/** Notes that `sign` is `extended` >> 31, so that a division of the two needs only 32 bits. */
export function rememberSign(b: Builder, sign: Value, extended: Value): void {
  const context = contextOf(b);
  context.sign = sign;
  context.extended = extended;
}
export function isSignOf(b: Builder, sign: Value, extended: Value): boolean {
  const context = contextOf(b);
  return context.sign === sign && context.extended === extended;
}

const get = (b: Builder, offset: X86): Value => b.get(Type.I32, offset);

/** `value`'s low `size` bytes moved to the top, so that bit 31 is its sign. */
function top(b: Builder, value: Value, size: number): Value {
  return size === 4 ? value : b.shl(value, b.i32(32 - size * 8));
}

function setResult(b: Builder, result: Value, size: number): void {
  b.set(X86.ZF_RESULT, result);
  b.set(X86.SF_RESULT, top(b, result, size));
  b.set(X86.PF_RESULT, result);
}

/** All six status flags, once something can see them. */
const setAllLater = (b: Builder, write: () => void): void => b.setLater(X86.CF, X86.DF, write);
/** All but CF. */
const setButCarryLater = (b: Builder, write: () => void): void => b.setLater(X86.ZF_RESULT, X86.DF, write);

/** ZF, SF and PF of a zero-extended result. */
export function setResultFlags(b: Builder, result: Value, size: number): void {
  setResult(b, result, size);
  remember(b, 'result', size, result, result, result);
}

/** All flags but CF of left + right (+ carry), all zero-extended to 32 bits from `size` bytes; `sum` is not truncated. */
function setAddFlags(b: Builder, left: Value, right: Value, sum: Value, result: Value, size: number): void {
  const mixed = b.xor(left, sum);
  b.set(X86.AF_RESULT, b.xor(mixed, right));
  b.set(X86.OF_RESULT, top(b, b.and(mixed, b.xor(right, sum)), size));
  setResult(b, result, size);
}

function truncate(b: Builder, value: Value, size: number): Value {
  return size === 4 ? value : b.and(value, b.i32(size === 2 ? 0xffff : 0xff));
}

/** left + right with all flags; operands zero-extended, as is the result. Flags are set by `flags()`, after the result is stored. */
export interface Outcome {
  readonly result: Value;
  readonly flags: () => void;
}

export function add(b: Builder, left: Value, right: Value, size: number): Outcome {
  const sum = b.add(left, right);
  const result = truncate(b, sum, size);
  return {
    result,
    flags: () => {
      setAllLater(b, () => {
        b.set(X86.CF, size === 4 ? b.ltU(sum, left) : b.shrU(sum, b.i32(size * 8)));
        setAddFlags(b, left, right, sum, result, size);
      });
      remember(b, 'result', size, result, result, result);
    },
  };
}

export function adc(b: Builder, left: Value, right: Value, size: number): Outcome {
  const carry = get(b, X86.CF);
  const partial = b.add(left, right);
  const sum = b.add(partial, carry);
  const result = truncate(b, sum, size);
  return {
    result,
    flags: () => {
      setAllLater(b, () => {
        b.set(X86.CF, size === 4 ? b.or(b.ltU(partial, left), b.ltU(sum, partial)) : b.shrU(sum, b.i32(size * 8)));
        setAddFlags(b, left, right, sum, result, size);
      });
      remember(b, 'result', size, result, result, result);
    },
  };
}

function setSubFlags(b: Builder, left: Value, right: Value, difference: Value, result: Value, size: number): void {
  const operands = b.xor(left, right);
  const mixed = b.xor(left, difference);
  b.set(X86.AF_RESULT, b.xor(operands, difference));
  b.set(X86.OF_RESULT, top(b, b.and(operands, mixed), size));
  setResult(b, result, size);
}

export function sub(b: Builder, left: Value, right: Value, size: number): Outcome {
  const difference = b.sub(left, right);
  const result = truncate(b, difference, size);
  return {
    result,
    flags: () => {
      setAllLater(b, () => {
        b.set(X86.CF, b.ltU(left, right));
        setSubFlags(b, left, right, difference, result, size);
      });
      remember(b, 'sub', size, left, right, result);
    },
  };
}

export function sbb(b: Builder, left: Value, right: Value, size: number): Outcome {
  const borrow = get(b, X86.CF);
  const difference = b.sub(b.sub(left, right), borrow);
  const result = truncate(b, difference, size);
  return {
    result,
    flags: () => {
      setAllLater(b, () => {
        b.set(X86.CF, b.or(b.ltU(left, right), b.and(b.eq(left, right), borrow)));
        setSubFlags(b, left, right, difference, result, size);
      });
      remember(b, 'result', size, result, result, result);
    },
  };
}

/** INC and DEC leave CF as it was. */
export function inc(b: Builder, left: Value, size: number): Outcome {
  const sum = b.add(left, b.i32(1));
  const result = truncate(b, sum, size);
  return {
    result,
    flags: () => {
      setButCarryLater(b, () => setAddFlags(b, left, b.i32(1), sum, result, size));
      remember(b, 'result', size, result, result, result);
    },
  };
}
export function dec(b: Builder, left: Value, size: number): Outcome {
  const difference = b.sub(left, b.i32(1));
  const result = truncate(b, difference, size);
  return {
    result,
    flags: () => {
      setButCarryLater(b, () => setSubFlags(b, left, b.i32(1), difference, result, size));
      remember(b, 'dec', size, left, b.i32(1), result);
    },
  };
}

/** Flags of AND, OR, XOR and TEST: CF and OF clear. AF is undefined and is cleared, as processors do. */
export function setLogicFlags(b: Builder, result: Value, size: number): void {
  setAllLater(b, () => {
    const zero = b.i32(0);
    b.set(X86.CF, zero);
    b.set(X86.AF_RESULT, zero);
    b.set(X86.OF_RESULT, zero);
    setResult(b, result, size);
  });
  remember(b, 'logic', size, result, result, result);
}

const floatOp = (name: string) => {
  const [narrow, wide] = [op(`f32.${name}`), op(`f64.${name}`)];
  return (b: Builder, size: number, x: Value, y: Value): Value => b.emit(size === 8 ? wide : narrow, x, y);
};
const [floatEq, floatNe, floatLt, floatGt, floatGe] = ['eq', 'ne', 'lt', 'gt', 'ge'].map(floatOp);

/** ZF, PF and CF from the comparison of f32 or f64 (`size` 4 or 8), the other flags cleared (SDM volume 2, COMISS). */
export function setFloatFlags(b: Builder, left: Value, right: Value, size: number): void {
  setAllLater(b, () => {
    const zero = b.i32(0);
    b.set(X86.CF, b.eqz(floatGe(b, size, left, right)));
    b.set(X86.ZF_RESULT, b.or(floatLt(b, size, left, right), floatGt(b, size, left, right)));
    // the parity of 0 is even
    b.set(X86.PF_RESULT, b.and(floatEq(b, size, left, left), floatEq(b, size, right, right)));
    b.set(X86.SF_RESULT, zero);
    b.set(X86.AF_RESULT, zero);
    b.set(X86.OF_RESULT, zero);
  });
  remember(b, 'float', size, left, right, left);
}

/** Sets CF to a value that is 0 or 1; the other flags stay. */
export function setCarry(b: Builder, carry: Value): void {
  b.set(X86.CF, carry);
  if (contextOf(b).setter?.kind !== 'dec') forgetFlags(b);
}

/** Sets CF and OF to a value that is 0 or 1; the other flags stay. */
export function setCarryOverflow(b: Builder, carry: Value): void {
  b.set(X86.CF, carry);
  b.set(X86.OF_RESULT, b.shl(carry, b.i32(31)));
  forgetFlags(b);
}

/** 1 if PF is set, else 0. */
export function parity(b: Builder): Value {
  const ones = b.emit(POPCNT, b.and(get(b, X86.PF_RESULT), b.i32(0xff)));
  return b.xor(b.and(ones, b.i32(1)), b.i32(1));
}

const bit = (b: Builder, value: Value, n: number): Value => b.and(b.shrU(value, b.i32(n)), b.i32(1));
export const carryFlag = (b: Builder): Value => get(b, X86.CF);
export const zeroFlag = (b: Builder): Value => b.eqz(get(b, X86.ZF_RESULT));
const signFlag = (b: Builder): Value => b.shrU(get(b, X86.SF_RESULT), b.i32(31));
export const overflowFlag = (b: Builder): Value => b.shrU(get(b, X86.OF_RESULT), b.i32(31));
export const adjustFlag = (b: Builder): Value => bit(b, get(b, X86.AF_RESULT), 4);

/** 0 or 1: whether condition `cc` (the low four opcode bits, SDM volume 1 appendix B) holds. */
export function condition(b: Builder, cc: number): Value {
  const { setter } = contextOf(b);
  const negate = (cc & 1) === 1;
  const zero = b.i32(0);
  const kind = setter?.kind;
  switch (cc >>> 1) {
    case 0: {
      const overflow = get(b, X86.OF_RESULT);
      return negate ? b.geS(overflow, zero) : b.ltS(overflow, zero);
    }
    case 1:
      if (setter && kind === 'sub') return negate ? b.geU(setter.left, setter.right) : b.ltU(setter.left, setter.right);
      return negate ? b.eqz(carryFlag(b)) : carryFlag(b);
    case 2: {
      if (setter && kind === 'sub') return negate ? b.ne(setter.left, setter.right) : b.eq(setter.left, setter.right);
      const result = get(b, X86.ZF_RESULT);
      return negate ? b.ne(result, zero) : b.eqz(result);
    }
    case 3: {
      if (setter && kind === 'sub') return negate ? b.gtU(setter.left, setter.right) : b.leU(setter.left, setter.right);
      if (setter && kind === 'logic') return negate ? b.ne(setter.result, zero) : b.eqz(setter.result);
      if (setter && kind === 'float') {
        const above = floatGt(b, setter.size, setter.left, setter.right);
        return negate ? above : b.eqz(above);
      }
      const below = b.or(carryFlag(b), zeroFlag(b));
      return negate ? b.eqz(below) : below;
    }
    case 4: {
      const sign = get(b, X86.SF_RESULT);
      return negate ? b.geS(sign, zero) : b.ltS(sign, zero);
    }
    case 5:
      if (setter && kind === 'float') {
        const { size, left, right } = setter;
        const unordered = b.or(floatNe(b, size, left, left), floatNe(b, size, right, right));
        return negate ? b.eqz(unordered) : unordered;
      }
      return negate ? b.xor(parity(b), b.i32(1)) : parity(b);
    case 6: {
      if (setter && (kind === 'sub' || kind === 'dec')) {
        const left = signExtend(b, setter.left, setter.size);
        const right = signExtend(b, setter.right, setter.size);
        return negate ? b.geS(left, right) : b.ltS(left, right);
      }
      const sign = get(b, X86.SF_RESULT);
      const less = kind === 'logic' ? sign : b.xor(sign, get(b, X86.OF_RESULT));
      return negate ? b.geS(less, zero) : b.ltS(less, zero);
    }
    default: {
      if (setter && (kind === 'sub' || kind === 'dec')) {
        const left = signExtend(b, setter.left, setter.size);
        const right = signExtend(b, setter.right, setter.size);
        return negate ? b.gtS(left, right) : b.leS(left, right);
      }
      const sign = get(b, X86.SF_RESULT);
      if (kind === 'logic') return negate ? b.gtS(sign, zero) : b.leS(sign, zero);
      const less = b.or(b.ltS(b.xor(sign, get(b, X86.OF_RESULT)), zero), zeroFlag(b));
      return negate ? b.eqz(less) : less;
    }
  }
}

/** SF ZF AF PF CF in place, and bit 1, which is always set: what LAHF gives. */
export function lowFlags(b: Builder): Value {
  let flags = b.or(carryFlag(b), b.i32(2));
  flags = b.or(flags, b.shl(parity(b), b.i32(2)));
  flags = b.or(flags, b.and(get(b, X86.AF_RESULT), b.i32(0x10)));
  flags = b.or(flags, b.shl(zeroFlag(b), b.i32(6)));
  return b.or(flags, b.shl(signFlag(b), b.i32(7)));
}

/** EFLAGS as PUSHF stores it, in 32 bits. */
export function composeFlags(b: Builder): Value {
  const flags = b.or(lowFlags(b), b.or(b.shl(get(b, X86.DF), b.i32(10)), b.shl(overflowFlag(b), b.i32(11))));
  return b.or(flags, get(b, X86.OTHER_FLAGS));
}

/** Sets SF ZF AF PF CF from the low byte of `flags`: SAHF. */
export function setLowFlags(b: Builder, flags: Value): void {
  b.set(X86.CF, b.and(flags, b.i32(1)));
  // PF set is an even number of ones: 0, else 1
  b.set(X86.PF_RESULT, b.xor(bit(b, flags, 2), b.i32(1)));
  b.set(X86.AF_RESULT, flags);
  b.set(X86.ZF_RESULT, b.and(b.not(flags), b.i32(0x40)));
  b.set(X86.SF_RESULT, b.shl(flags, b.i32(24)));
  forgetFlags(b);
}

/** Sets ZF iff `result` is zero; the other flags stay. */
export function setZero(b: Builder, result: Value): void {
  b.set(X86.ZF_RESULT, result);
  forgetFlags(b);
}

/**
 * What POPF changes (SDM volume 2, POPF, table 4-15), from 2 or 4 bytes. TF only in user mode while code is stepped through: else
 * the instruction is left before if it sets TF, and in system mode a helper does.
 */
export function restoreFlags(b: Builder, flags: Value, size: number, mode: number): void {
  const kept = get(b, X86.OTHER_FLAGS);
  let changed = b.i32((size === 4 ? RESTORED : RESTORED & 0xffff) | privilegedFlags(mode) | stepFlag(mode));
  // at IOPL ≥ CPL, IF too; beyond CPL 0 that is asked
  if (mode !== 0 && privilegedFlags(mode) === 0) {
    const iopl = b.and(b.shrU(kept, b.i32(12)), b.i32(3));
    changed = b.or(changed, b.shl(b.geU(iopl, b.i32((mode & Mode.CPL) >>> Mode.CPL_SHIFT)), b.i32(9)));
  }
  b.set(X86.OTHER_FLAGS, b.or(b.and(kept, b.not(changed)), b.and(flags, changed)));
  b.set(X86.DF, bit(b, flags, 10));
  b.set(X86.OF_RESULT, b.shl(flags, b.i32(20)));
  setLowFlags(b, flags);
}
const RESTORED = Eflags.NT | Eflags.AC | Eflags.ID;
const stepFlag = (mode: number): number => ((mode & (Mode.SYSTEM | Mode.STEP)) === Mode.STEP ? Eflags.TF : 0);
/** What only CPL 0 changes. */
const privilegedFlags = (mode: number): number => (mode !== 0 && (mode & Mode.CPL) === 0 ? Eflags.IF | Eflags.IOPL : 0);
