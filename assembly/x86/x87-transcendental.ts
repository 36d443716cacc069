/** The transcendental instructions: special operands (the tables of SDM volume 2) and the register stack around float80-*.ts. */
import {
  EXPONENT,
  Fsw,
  INTEGER_BIT,
  invalid,
  isDenormal,
  isInfinity,
  isNan,
  isSpecial,
  propagate,
  propagateOne,
  raise,
  resultSe,
  resultSig,
  SIGN,
  setResult,
} from '../softfloat/float80';
import { powerMinusOne, yLog2, yLog2Plus1 } from './float80-logarithmic';
import { arctangent, cosine, inRange, quarterPi, sine, tangent } from './float80-trigonometric';
import {
  fill,
  isEmpty,
  physical,
  pop,
  seOf,
  setTop,
  settle,
  sigOf,
  stopped,
  underflow,
  write,
  writeIndefinite,
  writeResult,
} from './x87-stack';

/** ModRM of D9. */
const enum D9 {
  F2xm1 = 0xf0,
  Fyl2x = 0xf1,
  Fptan = 0xf2,
  Fpatan = 0xf3,
  Fyl2xp1 = 0xf9,
  Fsincos = 0xfb,
  Fsin = 0xfe,
  Fcos = 0xff,
}

export function transcendental(number: u32): void {
  const top = physical(0);
  switch (number) {
    case D9.F2xm1:
      if (isEmpty(top)) emptyOperand(top);
      else {
        power(sigOf(top), seOf(top));
        if (!stopped()) writeResult(top);
      }
      settle(Fsw.C1);
      return;
    case D9.Fsin:
    case D9.Fcos:
      if (isEmpty(top)) emptyOperand(top);
      else if (circular(sigOf(top), seOf(top), number == D9.Fcos) && !stopped()) writeResult(top);
      settle(Fsw.C1 | Fsw.C2);
      return;
    case D9.Fsincos:
    case D9.Fptan:
      pushing(top, number == D9.Fptan);
      settle(Fsw.C1 | Fsw.C2);
      return;
    default:
      popping(top, number);
      settle(Fsw.C1);
  }
}

function emptyOperand(number: u32): bool {
  if (!underflow()) return false;
  writeIndefinite(number);
  fill(number);
  return true;
}

/** F2XM1. Outside −1 … +1 the SDM leaves the result open: the operand stays, as on the processor that the tests ran on. */
function power(sig: u64, se: u32): void {
  if (isSpecial(sig, se)) propagateOne(sig, se);
  else if (isInfinity(sig, se)) {
    if ((se & SIGN) != 0) setResult(INTEGER_BIT, SIGN | 0x3fff);
    else setResult(sig, se);
  } else if (sig == 0) setResult(sig, se);
  else if ((se & EXPONENT) > 0x3fff || ((se & EXPONENT) == 0x3fff && sig != INTEGER_BIT)) {
    raise(Fsw.PE);
    setResult(sig, se);
  } else {
    if (isDenormal(sig, se)) raise(Fsw.DE);
    powerMinusOne(sig, se);
  }
}

/** FSIN and FCOS; false, with C2, where the operand is out of range and stays. */
function circular(sig: u64, se: u32, cos: bool): bool {
  if (isSpecial(sig, se)) propagateOne(sig, se);
  else if (isInfinity(sig, se)) invalid();
  else if (!inRange(se)) {
    raise(Fsw.C2);
    return false;
  } else if (sig == 0) {
    if (cos) setResult(INTEGER_BIT, 0x3fff);
    else setResult(sig, se);
  } else {
    if (isDenormal(sig, se)) raise(Fsw.DE);
    if (cos) cosine(sig, se);
    else sine(sig, se);
  }
  return true;
}

/** FSINCOS and FPTAN: one result in place of the operand, a second (cosine or 1) pushed. */
function pushing(top: u32, tan: bool): void {
  const next = physical(7);
  if (isEmpty(top) || !isEmpty(next)) {
    if (!isEmpty(top)) raise(Fsw.C1);
    if (underflow()) {
      writeIndefinite(top);
      fill(top);
      writeIndefinite(next);
      fill(next);
      setTop(next);
    }
    return;
  }
  const sig = sigOf(top);
  const se = seOf(top);
  let firstSig: u64;
  let firstSe: u32;
  if (tan) {
    if (isSpecial(sig, se)) propagateOne(sig, se);
    else if (isInfinity(sig, se)) invalid();
    else if (!inRange(se)) {
      raise(Fsw.C2);
      return;
    } else if (sig == 0) setResult(sig, se);
    else {
      if (isDenormal(sig, se)) raise(Fsw.DE);
      tangent(sig, se);
    }
    firstSig = resultSig();
    firstSe = resultSe();
    if (!isNan(firstSig, firstSe)) setResult(INTEGER_BIT, 0x3fff);
  } else {
    if (!circular(sig, se, false)) return;
    firstSig = resultSig();
    firstSe = resultSe();
    circular(sig, se, true);
  }
  if (stopped()) return;
  write(top, firstSig, firstSe);
  fill(next);
  writeResult(next);
  setTop(next);
}

/** FYL2X, FYL2XP1 and FPATAN: the result replaces ST(1), and the stack is popped. */
function popping(top: u32, number: u32): void {
  const other = physical(1);
  if (isEmpty(top) || isEmpty(other)) {
    if (emptyOperand(other)) pop();
    return;
  }
  const ySig = sigOf(other);
  const ySe = seOf(other);
  const xSig = sigOf(top);
  const xSe = seOf(top);
  if (isSpecial(xSig, xSe) || isSpecial(ySig, ySe)) propagate(ySig, ySe, xSig, xSe);
  else if (number == D9.Fpatan) fpatan(ySig, ySe, xSig, xSe);
  else if (number == D9.Fyl2x) fyl2x(ySig, ySe, xSig, xSe);
  else fyl2xp1(ySig, ySe, xSig, xSe);
  if (stopped()) return;
  writeResult(other);
  pop();
}

function denormals(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) raise(Fsw.DE);
}

function fpatan(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const sign = ySe & SIGN;
  const left = (xSe & SIGN) != 0;
  denormals(ySig, ySe, xSig, xSe);
  if (isInfinity(ySig, ySe)) quarterPi(sign, isInfinity(xSig, xSe) ? (left ? 3 : 1) : 2);
  else if (ySig == 0 || isInfinity(xSig, xSe)) {
    if (left) quarterPi(sign, 4);
    else setResult(0, sign);
  } else if (xSig == 0) quarterPi(sign, 2);
  else arctangent(ySig, ySe, xSig, xSe);
}

/** `logSign`: log2 is infinite or known only by its sign. */
function infiniteOrZero(ySig: u64, ySe: u32, logSign: u32): void {
  const sign = (ySe ^ logSign) & SIGN;
  if (ySig == 0) setResult(0, sign);
  else setResult(INTEGER_BIT, sign | EXPONENT);
}

function fyl2x(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const yInfinite = isInfinity(ySig, ySe);
  if (xSig == 0) {
    if (ySig == 0) invalid();
    else {
      if (yInfinite) setResult(ySig, ySe ^ SIGN);
      else {
        raise(Fsw.ZE);
        setResult(INTEGER_BIT, (ySe & SIGN) ^ (SIGN | EXPONENT));
      }
    }
    return;
  }
  if ((xSe & SIGN) != 0) {
    invalid();
    return;
  }
  const one = xSig == INTEGER_BIT && xSe == 0x3fff;
  if (isInfinity(xSig, xSe)) {
    if (ySig == 0) invalid();
    else {
      denormals(ySig, ySe, xSig, xSe);
      infiniteOrZero(ySig, ySe, 0);
    }
    return;
  }
  if (yInfinite && one) {
    invalid();
    return;
  }
  denormals(ySig, ySe, xSig, xSe);
  if (yInfinite || ySig == 0) infiniteOrZero(ySig, ySe, xSe < 0x3fff ? SIGN : 0);
  else yLog2(ySig, ySe, xSig, xSe);
}

function fyl2xp1(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const yInfinite = isInfinity(ySig, ySe);
  if (xSig == 0) {
    if (yInfinite) invalid();
    else {
      denormals(ySig, ySe, xSig, xSe);
      setResult(0, (xSe ^ ySe) & SIGN);
    }
    return;
  }
  const minus = (xSe & SIGN) != 0;
  if (isInfinity(xSig, xSe)) {
    if (ySig == 0 || minus) invalid();
    else {
      denormals(ySig, ySe, xSig, xSe);
      infiniteOrZero(ySig, ySe, 0);
    }
    return;
  }
  denormals(ySig, ySe, xSig, xSe);
  if (yInfinite || ySig == 0) infiniteOrZero(ySig, ySe, xSe);
  else if (minus && (xSe & EXPONENT) >= 0x3fff) {
    // x ≤ −1, which the SDM leaves open: as on the processor that the tests ran on
    raise(Fsw.PE);
    setResult(xSig, xSe);
  } else yLog2Plus1(ySig, ySe, xSig, xSe);
}
