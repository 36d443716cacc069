/**
 * Arithmetic on single and double precision through the extended format, for results that the caller rounds. Values are
 * bits; single precision in the low half.
 */
import { Layout } from '../shared/layout';
import { add, clearFlags, div, Fcw, Fsw, mul, Rounding, raised, resultSe, resultSig, setResult, sqrt, subtract } from './float80';
import { fromF32, fromF64 } from './float80-convert';

/** The low opcode nibble of x86's 0F 51, 58…5E. */
export const enum Operation {
  /** Of the second operand. */
  SQRT = 0x01,
  ADD = 0x08,
  MUL = 0x09,
  SUB = 0x0c,
  DIV = 0x0e,
}

/** The control word for extended precision with all exceptions masked; rounding control is to be added. */
export const EXTENDED: u32 = 0x33f;

/** What the extended-precision routines go by from here on. */
export function setControl(control: u32): void {
  store<u32>(Layout.FLOAT_CONTROL, control);
}

function magnitudeMask(wide: bool): u64 {
  return wide ? 0x7fffffffffffffff : 0x7fffffff;
}
export function infinity(wide: bool): u64 {
  return wide ? 0x7ff0000000000000 : 0x7f800000;
}
/** The first bit of the fraction. */
export function topFraction(wide: bool): u64 {
  return wide ? 0x8000000000000 : 0x400000;
}
export function signBit(wide: bool): u64 {
  return wide ? 0x8000000000000000 : 0x80000000;
}
export function isNan(bits: u64, wide: bool): bool {
  return (bits & magnitudeMask(wide)) > infinity(wide);
}
export function isDenormal(bits: u64, wide: bool): bool {
  return (bits & infinity(wide)) == 0 && (bits & magnitudeMask(wide)) != 0;
}
/** a < b, neither a NaN. */
export function less(a: u64, b: u64, wide: bool): bool {
  return wide ? reinterpret<f64>(a) < reinterpret<f64>(b) : reinterpret<f32>(u32(a)) < reinterpret<f32>(u32(b));
}

/** The value in extended precision, where the result of the last operation is. */
export function unpack(bits: u64, wide: bool): void {
  if (wide) fromF64(bits);
  else fromF32(u32(bits));
}

/**
 * a op b, neither a NaN, in extended precision: truncated, with what is lost as a sticky lowest bit. Returns IE and ZE at
 * their places in the FPU status word; with IE there is no result. `rounding` decides only the sign of x − x.
 */
export function operate(operation: u32, a: u64, b: u64, wide: bool, rounding: u32): u32 {
  unpack(a, wide);
  const aSig = resultSig();
  const aSe = resultSe();
  unpack(b, wide);
  const bSig = resultSig();
  const bSe = resultSe();
  setControl(EXTENDED | Rounding.ZERO);
  clearFlags();
  switch (operation) {
    case Operation.SQRT:
      sqrt(bSig, bSe);
      break;
    case Operation.ADD:
      add(aSig, aSe, bSig, bSe);
      break;
    case Operation.SUB:
      subtract(aSig, aSe, bSig, bSe);
      break;
    case Operation.MUL:
      mul(aSig, aSe, bSig, bSe);
      break;
    default:
      div(aSig, aSe, bSig, bSe);
  }
  const found = raised();
  const sig = resultSig() | u64((found & Fsw.PE) != 0);
  let se = resultSe();
  if (sig == 0 && (operation == Operation.ADD || operation == Operation.SUB)) {
    const differ = (((aSe ^ bSe) & 0x8000) != 0) != (operation == Operation.SUB);
    if (differ) se = (rounding & Fcw.ROUNDING) == Rounding.DOWN ? 0x8000 : 0;
  }
  setResult(sig, se);
  return found & (Fsw.IE | Fsw.ZE);
}
