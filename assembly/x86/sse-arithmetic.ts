/**
 * One lane of SSE floating-point arithmetic as MXCSR says (SDM volume 1, 11.5 and 4.8…4.9): any rounding, DAZ, FZ,
 * exception flags, the processor's NaNs. Values are bits; single precision in the low half.
 */

import { SseCode } from '../../translators/x86/sse-code';
import { X86 } from '../../translators/x86/state';
import { Exactness, FloatLimit } from '../shared/float-limit';
import { Layout } from '../shared/layout';
import { EXTENDED, infinity, isDenormal, isNan, less, operate, setControl, signBit, topFraction, unpack } from '../softfloat/binary';
import { clearFlags, controlWord, Fcw, Rounding, raised, resultSe, resultSig } from '../softfloat/float80';
import { fromI64, toF32, toF64, toInteger } from '../softfloat/float80-convert';
import { storeLimits } from '../softfloat/limits';

const enum Mxcsr {
  IE = 0x01,
  DE = 0x02,
  ZE = 0x04,
  OE = 0x08,
  UE = 0x10,
  PE = 0x20,
  FLAGS = 0x3f,
  DAZ = 0x40,
  MASKS = 0x1f80,
  FZ = 0x8000,
}

let mxcsr: u32 = 0;
let flags: u32 = 0;
let rounding: u32 = 0;
let savedControl: u32 = 0;

/** Call before the first lane: the extended-precision routines take their controls from the x87 control word. */
export function begin(): void {
  mxcsr = load<u32>(Layout.STATE + X86.MXCSR);
  flags = 0;
  rounding = (mxcsr >> 3) & Fcw.ROUNDING;
  savedControl = controlWord();
}

/**
 * Call after the last lane: merges the flags into MXCSR. True if an exception is unmasked: then no result may be
 * delivered (#XM). Exceptions found before the operation keep others from being found (SDM volume 1, 11.5.3).
 */
export function end(): bool {
  setControl(savedControl);
  const unmasked = flags & ~(mxcsr >> 7);
  if ((unmasked & (Mxcsr.IE | Mxcsr.DE | Mxcsr.ZE)) != 0) flags &= Mxcsr.IE | Mxcsr.DE | Mxcsr.ZE;
  setMxcsr(mxcsr | flags);
  return unmasked != 0;
}

/** Stores MXCSR and what follows from it. translators/x86/abi.ts does the same from outside. */
export function setMxcsr(value: u32): void {
  store<u32>(Layout.STATE + X86.MXCSR, value);
  const asAtReset = (value & ~(<u32>Mxcsr.FLAGS)) == Mxcsr.MASKS;
  const tiny = load<u32>(Layout.STATE + X86.SSE_TINY) != 0 && (value & Mxcsr.DE) == 0;
  const exact = !asAtReset || tiny ? Exactness.ALL : (value & Mxcsr.PE) != 0 ? Exactness.NONE : Exactness.FLAG;
  store<u32>(Layout.STATE + X86.SSE_EXACT, exact);
  storeLimits(Layout.STATE + X86.LIMIT_S, exact != Exactness.NONE, FloatLimit.GRID_SPAN_S, FloatLimit.GRID_SPAN_D);
}

/** Not zero, but less than FloatLimit.GRID. */
export function isBelowGrid(bits: u64, wide: bool): bool {
  const doubled = wide ? bits << 1 : bits << 33;
  return doubled != 0 && doubled < u64(wide ? FloatLimit.GRID_D : FloatLimit.GRID_S) << 32;
}

// Formats.

export function defaultNan(wide: bool): u64 {
  return signBit(wide) | infinity(wide) | topFraction(wide);
}
function isSignaling(bits: u64, wide: bool): bool {
  return isNan(bits, wide) && (bits & topFraction(wide)) == 0;
}

/** A source operand with DAZ applied. */
function source(bits: u64, wide: bool): u64 {
  return (mxcsr & Mxcsr.DAZ) != 0 && isDenormal(bits, wide) ? bits & signBit(wide) : bits;
}

/** The extended value (its lowest bit sticky) rounded to the format. */
function pack(sig: u64, se: u32, wide: bool): u64 {
  clearFlags();
  // with underflow unmasked the conversion tells whether the result is tiny
  setControl((EXTENDED & ~(<u32>Mxcsr.UE)) | rounding);
  let bits = wide ? toF64(sig, se) : u64(toF32(sig, se));
  const unmasked = raised() & (Mxcsr.OE | Mxcsr.UE) & ~(mxcsr >> 7);
  if (unmasked != 0) {
    // whether the significand is inexact, wherever the exponent lies (SDM volume 1, 4.9.1.4 and 4.9.1.5)
    flags |= unmasked | (sig << (wide ? 53 : 24) != 0 ? Mxcsr.PE : 0);
    return bits;
  }
  if ((raised() & Mxcsr.UE) != 0) {
    if ((mxcsr & Mxcsr.FZ) != 0) {
      flags |= Mxcsr.UE | Mxcsr.PE;
      return (se & 0x8000) != 0 ? signBit(wide) : 0;
    }
    clearFlags();
    setControl(EXTENDED | rounding);
    bits = wide ? toF64(sig, se) : u64(toF32(sig, se));
  }
  flags |= raised() & Mxcsr.FLAGS;
  return bits;
}

/** a op b, not Min and Max; Sqrt of b. */
export function compute(operation: u32, first: u64, second: u64, wide: bool): u64 {
  const a = operation == SseCode.SQRT ? 0 : source(first, wide);
  const b = source(second, wide);
  if (isNan(a, wide) || isNan(b, wide)) {
    if (isSignaling(a, wide) || isSignaling(b, wide)) flags |= Mxcsr.IE;
    return (isNan(a, wide) ? a : b) | topFraction(wide);
  }
  const found = operate(operation, a, b, wide, rounding);
  if ((found & Mxcsr.IE) != 0) {
    flags |= Mxcsr.IE;
    return defaultNan(wide);
  }
  flags |= found & Mxcsr.ZE;
  if ((found & Mxcsr.ZE) == 0 && (isDenormal(a, wide) || isDenormal(b, wide))) flags |= Mxcsr.DE;
  return pack(resultSig(), resultSe(), wide);
}

/** MINPS and its family: the second operand if either is a NaN or both are zero. */
export function extreme(operation: u32, first: u64, second: u64, wide: bool): u64 {
  const a = source(first, wide);
  const b = source(second, wide);
  if (isNan(a, wide) || isNan(b, wide)) {
    flags |= Mxcsr.IE;
    return b;
  }
  if (isDenormal(a, wide) || isDenormal(b, wide)) flags |= Mxcsr.DE;
  const takeFirst = operation == SseCode.MIN ? less(a, b, wide) : less(b, a, wide);
  return takeFirst ? a : b;
}

/** Whether CMPPS's predicate holds: its low two bits EQ LT LE UNORD, bit 2 negates. */
export function compare(predicate: u32, first: u64, second: u64, wide: bool): bool {
  const a = source(first, wide);
  const b = source(second, wide);
  const kind = predicate & 3;
  let holds: bool;
  if (isNan(a, wide) || isNan(b, wide)) {
    if (kind == 1 || kind == 2 || isSignaling(a, wide) || isSignaling(b, wide)) flags |= Mxcsr.IE;
    holds = kind == 3;
  } else {
    if (isDenormal(a, wide) || isDenormal(b, wide)) flags |= Mxcsr.DE;
    if (kind == 0) holds = !less(a, b, wide) && !less(b, a, wide);
    else if (kind == 1) holds = less(a, b, wide);
    else if (kind == 2) holds = !less(b, a, wide);
    else holds = false;
  }
  return holds != ((predicate & 4) != 0);
}

/** Flags of COMISS and, `quiet`, UCOMISS; an operand as it is compared. */
export function compareScalars(first: u64, second: u64, wide: bool, quiet: bool, takeSecond: bool): u64 {
  compare(quiet ? 0 : 1, first, second, wide);
  return source(takeSecond ? second : first, wide);
}

// Conversions.

/** Between the two formats; `wide` is the source's. */
export function convert(bits: u64, wide: bool): u64 {
  const a = source(bits, wide);
  if (isNan(a, wide) && isSignaling(a, wide)) flags |= Mxcsr.IE;
  if (isDenormal(a, wide)) flags |= Mxcsr.DE;
  if (isNan(a, wide)) {
    // the top bits of the significand, quieted
    if (wide) return u64((u32(a >> 32) & 0x80000000) | 0x7fc00000 | (u32(a >> 29) & 0x3fffff));
    return ((a & 0x80000000) << 32) | 0x7ff8000000000000 | ((a & 0x3fffff) << 29);
  }
  unpack(a, wide);
  return pack(resultSig(), resultSe(), !wide);
}

/** `truncate` or as MXCSR rounds; the integer indefinite where the result does not fit. */
export function toInt32(bits: u64, wide: bool, truncate: bool): u32 {
  const a = source(bits, wide);
  if (isNan(a, wide)) {
    flags |= Mxcsr.IE;
    return 0x80000000;
  }
  unpack(a, wide);
  clearFlags();
  const result = toInteger(resultSig(), resultSe(), 32, truncate ? Rounding.ZERO : rounding);
  flags |= raised() & (Mxcsr.IE | Mxcsr.PE);
  return u32(result);
}

/** Single precision. */
export function fromInt32(value: i32): u64 {
  fromI64(i64(value));
  return pack(resultSig(), resultSe(), false);
}

/**
 * RCPPS and RSQRTPS: denormal sources are zeros, denormal results are flushed, no exception is raised (SDM volume 2). The
 * value is correctly rounded to 24 bits for RCP, and within one unit of the last place for RSQRT; the SDM asks for a
 * relative error of at most 1.5 · 2^−12.
 */
export function approximate(bits: u64, root: bool): u64 {
  let a = u32(bits);
  if (isNan(a, false)) return a | topFraction(false);
  if (isDenormal(a, false)) a &= 0x80000000;
  if (root && (a & 0x80000000) != 0 && a != 0x80000000) return defaultNan(false);
  const x = reinterpret<f32>(a);
  const result = reinterpret<u32>(root && a != 0x80000000 ? f32(1 / NativeMath.sqrt(f64(x))) : f32(1) / x);
  return isDenormal(result, false) ? result & 0x80000000 : result;
}
