/**
 * Floating-point instructions where WebAssembly's own operations do not do (MIPS32 volume I, chapters 5 and 6): rounding
 * modes, flush to zero, exceptions, NaNs of either kind. Values are bits; single precision in the low half.
 */
import { ExcCode } from '../../translators/mips/exception-code';
import { FloatCode } from '../../translators/mips/float-code';
import { Mips, Mode } from '../../translators/mips/state';
import { Layout } from '../shared/layout';
import { EXTENDED, infinity, isNan, less, Operation, operate, setControl, signBit, topFraction, unpack } from '../softfloat/binary';
import { clearFlags, Fsw, Rounding, raised, resultSe, resultSig } from '../softfloat/float80';
import { fromI64, toF32, toF64, toInteger } from '../softfloat/float80-convert';
import { Fcsr, fcsr, setCause, setFcsr } from './fcsr';
import { quickInexact, quickly, quickResult } from './float-quick';

/** Exceptions of the operation under way, Fcsr.I…V. */
let raisedNow: u32 = 0;
let rounding: u32 = 0;
let nan2008: bool = false;

/** The x87's rounding control for FCSR.RM. */
function roundingOf(mode: u32): u32 {
  return mode == 0 ? Rounding.NEAREST : mode == 1 ? Rounding.ZERO : mode == 2 ? Rounding.UP : Rounding.DOWN;
}

// NaNs: which value of the first fraction bit is the signaling one depends on FCSR.NAN2008.

function isSignaling(bits: u64, wide: bool): bool {
  return isNan(bits, wide) && ((bits & topFraction(wide)) != 0) != nan2008;
}
function defaultNan(wide: bool): u64 {
  return nan2008 ? infinity(wide) | topFraction(wide) : infinity(wide) | (topFraction(wide) - 1);
}
function invalid(wide: bool): u64 {
  raisedNow |= Fcsr.V;
  return defaultNan(wide);
}
/** A quiet NaN for a signaling one: the same with NAN2008, else a new one. */
function quieted(bits: u64, wide: bool): u64 {
  const fresh = invalid(wide);
  return nan2008 ? bits | topFraction(wide) : fresh;
}
/** The result for operands of which one is a NaN: the first signaling one's, else the first. */
function propagate(a: u64, b: u64, wide: bool): u64 {
  if (isSignaling(a, wide)) return quieted(a, wide);
  if (isSignaling(b, wide)) return quieted(b, wide);
  return isNan(a, wide) ? a : b;
}

// Rounding.

function toFormat(wide: bool): u64 {
  return wide ? toF64(resultSig(), resultSe()) : u64(toF32(resultSig(), resultSe()));
}

/** The extended value (its lowest bit sticky) rounded to the format. */
function pack(wide: bool): u64 {
  const control = fcsr();
  const traps = (control & (Fcsr.U << Fcsr.ENABLES_SHIFT)) != 0;
  if (traps || (control & Fcsr.FS) != 0) {
    // Underflow is signaled by tininess alone if it is trapped; what is flushed to zero is tiny after rounding
    setControl((EXTENDED & ~(<u32>Fsw.UE)) | rounding);
    clearFlags();
    toFormat(wide);
    if ((raised() & Fsw.UE) != 0) {
      raisedNow |= Fcsr.U;
      if ((control & Fcsr.FS) != 0) {
        raisedNow |= Fcsr.I;
        return (resultSe() & 0x8000) != 0 ? signBit(wide) : 0;
      }
    }
  }
  setControl(EXTENDED | rounding);
  clearFlags();
  const bits = toFormat(wide);
  const found = raised();
  if ((found & Fsw.OE) != 0) raisedNow |= Fcsr.O;
  if ((found & Fsw.UE) != 0) raisedNow |= Fcsr.U;
  if ((found & Fsw.PE) != 0) raisedNow |= Fcsr.I;
  return bits;
}

// Operations.

function combine(operation: u32, a: u64, b: u64, wide: bool): u64 {
  if (isNan(a, wide) || isNan(b, wide)) return propagate(a, b, wide);
  const found = operate(operation, a, b, wide, rounding);
  if ((found & Fsw.IE) != 0) return invalid(wide);
  if ((found & Fsw.ZE) != 0) raisedNow |= Fcsr.Z;
  return pack(wide);
}

function one(wide: bool): u64 {
  return wide ? 0x3ff0000000000000 : 0x3f800000;
}
function squareRoot(a: u64, wide: bool): u64 {
  return combine(Operation.SQRT, 0, a, wide);
}

function compare(condition: u32, a: u64, b: u64, wide: bool): u64 {
  if (isNan(a, wide) || isNan(b, wide)) {
    if ((condition & 8) != 0 || isSignaling(a, wide) || isSignaling(b, wide)) raisedNow |= Fcsr.V;
    return condition & 1;
  }
  if (less(a, b, wide)) return (condition >> 2) & 1;
  return less(b, a, wide) ? 0 : (condition >> 1) & 1;
}

/** To the other floating-point format; `wide` is the source's. */
function convert(a: u64, wide: bool): u64 {
  if (!isNan(a, wide)) {
    unpack(a, wide);
    return pack(!wide);
  }
  if (isSignaling(a, wide)) {
    raisedNow |= Fcsr.V;
    if (!nan2008) return defaultNan(!wide);
  }
  const sign = (a & signBit(wide)) != 0 ? signBit(!wide) : 0;
  const fraction = wide ? (a & 0xfffffffffffff) >> 29 : (a & 0x7fffff) << 29;
  if (nan2008) return sign | infinity(!wide) | topFraction(!wide) | fraction;
  // what is left of the fraction may be nothing
  return fraction == 0 ? defaultNan(!wide) : sign | infinity(!wide) | fraction;
}

function toFixed(a: u64, wide: bool, bits: i32, mode: u32): u64 {
  const largest = bits == 32 ? 0x7fffffff : 0x7fffffffffffffff;
  if (isNan(a, wide)) {
    raisedNow |= Fcsr.V;
    return nan2008 ? 0 : largest;
  }
  unpack(a, wide);
  clearFlags();
  const result = toInteger(resultSig(), resultSe(), bits, mode == FloatCode.BY_MODE ? rounding : roundingOf(mode));
  if ((raised() & Fsw.IE) != 0) {
    raisedNow |= Fcsr.V;
    return nan2008 && (a & signBit(wide)) != 0 ? largest + 1 : largest;
  }
  if ((raised() & Fsw.PE) != 0) raisedNow |= Fcsr.I;
  return u64(result);
}

function fromFixed(value: i64, wide: bool): u64 {
  fromI64(value);
  return pack(wide);
}

/** ABS and NEG are arithmetic: any NaN is an invalid operation. */
function invalidSign(a: u64, wide: bool): u64 {
  if (isSignaling(a, wide)) return quieted(a, wide);
  raisedNow |= Fcsr.V;
  return a;
}

function multiplyAdd(operation: u32, a: u64, b: u64, c: u64, wide: bool): u64 {
  const subtracts = operation == FloatCode.MSUB || operation == FloatCode.NMSUB;
  const sum = combine(subtracts ? Operation.SUB : Operation.ADD, combine(Operation.MUL, a, b, wide), c, wide);
  return operation == FloatCode.NMADD || operation == FloatCode.NMSUB ? sum ^ signBit(wide) : sum;
}

function operand(n: u32, wide: bool): u64 {
  return wide ? load<u64>(Layout.STATE + Mips.LAST_D + (n << 3)) : u64(load<u32>(Layout.STATE + Mips.LAST_S + (n << 2)));
}

/** The result of the last operation; its exceptions go to `raisedNow`. */
function compute(code: u32): u64 {
  raisedNow = 0;
  const control = fcsr();
  const wide = (code & FloatCode.WIDE) != 0;
  const operation = code & FloatCode.OPERATION;
  const detail = code >> FloatCode.DETAIL_SHIFT;
  const a = operand(0, wide || operation == FloatCode.FROM_LONG);
  const b = operand(1, wide);
  const c = operand(2, wide);
  if ((control & (Fcsr.RM | Fcsr.FS | (Fcsr.U << Fcsr.ENABLES_SHIFT))) == 0 && quickly(code, a, b, c)) {
    raisedNow = quickInexact() ? Fcsr.I : 0;
    return quickResult();
  }
  rounding = roundingOf(control & Fcsr.RM);
  nan2008 = (load<u32>(Layout.STATE + Mips.MODE) & Mode.NAN2008) != 0;
  switch (operation) {
    case FloatCode.ADD:
      return combine(Operation.ADD, a, b, wide);
    case FloatCode.SUB:
      return combine(Operation.SUB, a, b, wide);
    case FloatCode.MUL:
      return combine(Operation.MUL, a, b, wide);
    case FloatCode.DIV:
      return combine(Operation.DIV, a, b, wide);
    case FloatCode.SQRT:
      return squareRoot(a, wide);
    case FloatCode.RECIP:
      return combine(Operation.DIV, one(wide), a, wide);
    case FloatCode.RSQRT:
      return combine(Operation.DIV, one(wide), squareRoot(a, wide), wide);
    case FloatCode.ABS:
      return isNan(a, wide) ? invalidSign(a, wide) : a & ~signBit(wide);
    case FloatCode.NEG:
      return isNan(a, wide) ? invalidSign(a, wide) : a ^ signBit(wide);
    case FloatCode.COMPARE:
      return compare(detail, a, b, wide);
    case FloatCode.CONVERT:
      return convert(a, wide);
    case FloatCode.TO_WORD:
      return toFixed(a, wide, 32, detail);
    case FloatCode.TO_LONG:
      return toFixed(a, wide, 64, detail);
    case FloatCode.FROM_WORD:
      return fromFixed(i64(i32(a)), false);
    case FloatCode.FROM_LONG:
      return fromFixed(i64(a), wide);
    default:
      return multiplyAdd(operation, a, b, c, wide);
  }
}

/** The exceptions of the operation in LAST, with FCSR as it was then. */
export function causesOf(code: u32): u32 {
  compute(code);
  return raisedNow;
}

/** The slow path of the operation in LAST: see Helper. */
export function mips_float(): u32 {
  const code = load<u32>(Layout.STATE + Mips.LAST);
  const result = compute(code);
  setCause(raisedNow);
  const control = fcsr();
  if ((raisedNow & (control >> Fcsr.ENABLES_SHIFT)) != 0) {
    store<u32>(Layout.EXIT_ARG0, ExcCode.FPE);
    store<u32>(Layout.EXIT_ARG1, 0);
    return 1;
  }
  const flags = raisedNow << Fcsr.FLAGS_SHIFT;
  if ((control & flags) != flags) setFcsr(control | flags);
  store<u64>(Layout.SLOW_RESULT, result);
  return 0;
}
