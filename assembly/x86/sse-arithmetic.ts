/**
 * One lane of SSE floating-point arithmetic as MXCSR says (SDM volume 1, 11.5 and 4.8…4.9): any rounding, DAZ, FZ,
 * exception flags, the processor's NaNs. Values are bits; single precision in the low half.
 */
import { SseCode } from '../../translators/x86/sse-code';
import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';
import { add, clearFlags, div, Fcw, mul, Rounding, raised, resultSe, resultSig, sqrt, subtract } from './float80';
import { fromF32, fromF64, fromI64, toF32, toF64, toInteger } from './float80-convert';

export const enum Mxcsr {
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

const FCW: usize = Layout.STATE + X86.FCW;
/** x87 control: extended precision, all exceptions masked. */
const EXTENDED: u32 = 0x33f;

let mxcsr: u32 = 0;
let flags: u32 = 0;
let rounding: u32 = 0;
let savedControl: u32 = 0;

/** Call before the first lane: the extended-precision routines take their controls from the x87 control word. */
export function begin(): void {
  mxcsr = load<u32>(Layout.STATE + X86.MXCSR);
  flags = 0;
  rounding = (mxcsr >> 3) & Fcw.ROUNDING;
  savedControl = load<u32>(FCW);
}

/**
 * Call after the last lane: merges the flags into MXCSR. True if an exception is unmasked: then no result may be
 * delivered (#XM). Exceptions found before the operation keep others from being found (SDM volume 1, 11.5.3).
 */
export function end(): bool {
  store<u32>(FCW, savedControl);
  const unmasked = flags & ~(mxcsr >> 7);
  if ((unmasked & (Mxcsr.IE | Mxcsr.DE | Mxcsr.ZE)) != 0) flags &= Mxcsr.IE | Mxcsr.DE | Mxcsr.ZE;
  setMxcsr(mxcsr | flags);
  return unmasked != 0;
}

/** Stores MXCSR and what follows from it. translators/x86/abi.ts does the same from outside. */
export function setMxcsr(value: u32): void {
  store<u32>(Layout.STATE + X86.MXCSR, value);
  const asAtReset = (value & ~(<u32>Mxcsr.FLAGS)) == Mxcsr.MASKS;
  const collected = (value & Mxcsr.PE) != 0 || load<u32>(Layout.STATE + X86.MXCSR_LOADED) == 0;
  store<u32>(Layout.STATE + X86.SSE_EXACT, u32(!(asAtReset && collected)));
}

// Formats.

function magnitudeMask(wide: bool): u64 {
  return wide ? 0x7fffffffffffffff : 0x7fffffff;
}
function infinity(wide: bool): u64 {
  return wide ? 0x7ff0000000000000 : 0x7f800000;
}
function quietBit(wide: bool): u64 {
  return wide ? 0x8000000000000 : 0x400000;
}
function signBit(wide: bool): u64 {
  return wide ? 0x8000000000000000 : 0x80000000;
}
export function defaultNan(wide: bool): u64 {
  return signBit(wide) | infinity(wide) | quietBit(wide);
}
export function isNan(bits: u64, wide: bool): bool {
  return (bits & magnitudeMask(wide)) > infinity(wide);
}
function isSignaling(bits: u64, wide: bool): bool {
  return isNan(bits, wide) && (bits & quietBit(wide)) == 0;
}
function isDenormal(bits: u64, wide: bool): bool {
  return (bits & infinity(wide)) == 0 && (bits & magnitudeMask(wide)) != 0;
}
function negative(bits: u64, wide: bool): bool {
  return (bits & signBit(wide)) != 0;
}

/** A source operand with DAZ applied. */
function source(bits: u64, wide: bool): u64 {
  return (mxcsr & Mxcsr.DAZ) != 0 && isDenormal(bits, wide) ? bits & signBit(wide) : bits;
}

function unpack(bits: u64, wide: bool): void {
  if (wide) fromF64(bits);
  else fromF32(u32(bits));
}

/** The extended value (its lowest bit sticky) rounded to the format. */
function pack(sig: u64, se: u32, wide: bool): u64 {
  clearFlags();
  // with underflow unmasked the conversion tells whether the result is tiny
  store<u32>(FCW, (EXTENDED & ~(<u32>Mxcsr.UE)) | rounding);
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
    store<u32>(FCW, EXTENDED | rounding);
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
    return (isNan(a, wide) ? a : b) | quietBit(wide);
  }
  unpack(a, wide);
  const aSig = resultSig();
  const aSe = resultSe();
  unpack(b, wide);
  const bSig = resultSig();
  const bSe = resultSe();
  // truncated, so that what is lost can stay as a sticky bit
  store<u32>(FCW, EXTENDED | Rounding.ZERO);
  clearFlags();
  switch (operation) {
    case SseCode.SQRT:
      sqrt(bSig, bSe);
      break;
    case SseCode.ADD:
      add(aSig, aSe, bSig, bSe);
      break;
    case SseCode.SUB:
      subtract(aSig, aSe, bSig, bSe);
      break;
    case SseCode.MUL:
      mul(aSig, aSe, bSig, bSe);
      break;
    default:
      div(aSig, aSe, bSig, bSe);
  }
  const found = raised();
  if ((found & Mxcsr.IE) != 0) {
    flags |= Mxcsr.IE;
    return defaultNan(wide);
  }
  flags |= found & Mxcsr.ZE;
  if ((found & Mxcsr.ZE) == 0 && (isDenormal(a, wide) || isDenormal(b, wide))) flags |= Mxcsr.DE;
  const sig = resultSig() | u64((found & Mxcsr.PE) != 0);
  let se = resultSe();
  if (sig == 0 && (operation == SseCode.ADD || operation == SseCode.SUB)) {
    const differ = (((aSe ^ bSe) & 0x8000) != 0) != (operation == SseCode.SUB);
    if (differ) se = rounding == Rounding.DOWN ? 0x8000 : 0;
  }
  return pack(sig, se, wide);
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

/** a < b, neither a NaN. */
function less(a: u64, b: u64, wide: bool): bool {
  return wide ? reinterpret<f64>(a) < reinterpret<f64>(b) : reinterpret<f32>(u32(a)) < reinterpret<f32>(u32(b));
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

/** Flags of COMISS (`quiet` 0) and UCOMISS; leaves the operands with DAZ applied in `comparedA` and `comparedB`. */
export function compareScalars(first: u64, second: u64, wide: bool, quiet: bool): void {
  compare(quiet ? 0 : 1, first, second, wide);
  comparedA = source(first, wide);
  comparedB = source(second, wide);
}
let comparedA: u64 = 0;
let comparedB: u64 = 0;
export function leftCompared(): u64 {
  return comparedA;
}
export function rightCompared(): u64 {
  return comparedB;
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
  if (isNan(a, false)) return a | quietBit(false);
  if (isDenormal(a, false)) a &= 0x80000000;
  if (root && negative(a, false) && a != 0x80000000) return defaultNan(false);
  const x = reinterpret<f32>(a);
  const result = reinterpret<u32>(root && a != 0x80000000 ? f32(1 / NativeMath.sqrt(f64(x))) : f32(1) / x);
  return isDenormal(result, false) ? result & 0x80000000 : result;
}
