/** FPREM, FPREM1, FSCALE and FXTRACT (SDM volume 2). */
import {
  divide,
  EXPONENT,
  Fsw,
  finish64,
  INTEGER_BIT,
  invalid,
  isDenormal,
  isInfinity,
  isSpecial,
  low,
  normalExponent,
  normalSignificand,
  propagate,
  propagateOne,
  raise,
  resultSe,
  resultSig,
  SIGN,
  setResult,
} from '../softfloat/float80';

/**
 * a − b · Q, Q the quotient rounded to zero (FPREM) or to nearest (FPREM1, `nearest`), with Q's low bits in C0, C3, C1;
 * a partial remainder with C2 set where the exponents differ by 64 or more. False where the operands have no remainder.
 */
export function remainder(aSig: u64, aSe: u32, bSig: u64, bSe: u32, nearest: bool): bool {
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    propagate(aSig, aSe, bSig, bSe);
    return false;
  }
  if (isInfinity(aSig, aSe) || bSig == 0) {
    invalid();
    return false;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) raise(Fsw.DE);
  if (aSig == 0) {
    setResult(aSig, aSe);
    return true;
  }
  if (isInfinity(bSig, bSe)) {
    setResult(aSig, aSe);
    if (isDenormal(aSig, aSe)) exact(aSe & SIGN, normalExponent(aSig, aSe), normalSignificand(aSig));
    return true;
  }
  const sign = aSe & SIGN;
  const aExponent = normalExponent(aSig, aSe);
  const bExponent = normalExponent(bSig, bSe);
  const dividend = normalSignificand(aSig);
  const divisor = normalSignificand(bSig);
  const distance = aExponent - bExponent;
  if (distance < -1 || (distance < 0 && !nearest)) {
    exact(sign, aExponent, dividend);
    return true;
  }
  if (distance >= 64) {
    const shift = 32 + (distance & 31);
    reduce(dividend, divisor, shift);
    exact(sign, aExponent - shift, rest);
    raise(Fsw.C2);
    return true;
  }
  let resultSign = sign;
  let q: u64 = 0;
  let r = dividend;
  let rExponent = aExponent;
  if (distance >= 0) {
    q = reduce(dividend, divisor, distance);
    r = rest;
    rExponent = bExponent;
  }
  if (nearest && r != 0) {
    // r against half of b; at distance −1 r counts in halves of b's unit.
    const above = distance < 0 ? r > divisor : r > divisor - r;
    const tie = distance < 0 ? r == divisor : r == divisor - r;
    if (above || (tie && (q & 1) != 0)) {
      q++;
      resultSign ^= SIGN;
      r = distance < 0 ? (divisor << 1) - r : divisor - r;
    }
  }
  if (r == 0) setResult(0, sign);
  else exact(resultSign, rExponent, r);
  if ((q & 1) != 0) raise(Fsw.C1);
  if ((q & 2) != 0) raise(Fsw.C3);
  if ((q & 4) != 0) raise(Fsw.C0);
  return true;
}

let rest: u64 = 0;
/** Quotient (its low 64 bits) and `rest` of dividend · 2^shift by divisor, both with their top bit set; shift < 64. */
function reduce(dividend: u64, divisor: u64, shift: i32): u64 {
  const one = dividend >= divisor;
  const top = one ? dividend - divisor : dividend;
  if (shift == 0) {
    rest = top;
    return u64(one);
  }
  const q = divide(top >> (64 - shift), top << shift, divisor);
  rest = low();
  return q + (u64(one) << shift);
}

/** sig · 2^(exponent − 16446), sig not zero; exact, so at most an unmasked underflow happens. */
function exact(sign: u32, exponent: i32, sig: u64): void {
  if (sig == 0) {
    setResult(0, sign);
    return;
  }
  const shift = i32(clz<u64>(sig));
  finish64(sign, exponent - shift, sig << shift, 0);
}

/** a · 2^trunc(b) */
export function scale(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    propagate(aSig, aSe, bSig, bSe);
    return;
  }
  if (isInfinity(bSig, bSe)) {
    const down = (bSe & SIGN) != 0;
    if (down ? isInfinity(aSig, aSe) : aSig == 0) {
      invalid();
      return;
    }
    if (isDenormal(aSig, aSe)) raise(Fsw.DE);
    if (down || aSig == 0) setResult(0, aSe & SIGN);
    else setResult(INTEGER_BIT, (aSe & SIGN) | EXPONENT);
    return;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) raise(Fsw.DE);
  if (aSig == 0 || isInfinity(aSig, aSe)) {
    setResult(aSig, aSe);
    return;
  }
  const bExponent = i32(bSe & EXPONENT) - 0x3fff;
  let n: i32 = 0;
  if (bExponent >= 16) n = 0x10000;
  else if (bExponent >= 0) n = i32(bSig >> (63 - bExponent));
  const sign = aSe & SIGN;
  const exponent = normalExponent(aSig, aSe) + ((bSe & SIGN) != 0 ? -n : n);
  finish64(sign, exponent, normalSignificand(aSig), 0);
}

let exponentSig: u64 = 0;
let exponentSe: u32 = 0;
export function extractedExponentSig(): u64 {
  return exponentSig;
}
export function extractedExponentSe(): u32 {
  return exponentSe;
}

/** The significand as a number in the result, the unbiased exponent in `extractedExponent…`. */
export function extract(sig: u64, se: u32): void {
  if (isSpecial(sig, se)) {
    propagateOne(sig, se);
    exponentSig = resultSig();
    exponentSe = resultSe();
    return;
  }
  if (isInfinity(sig, se)) {
    setResult(sig, se);
    exponentSig = sig;
    exponentSe = EXPONENT;
    return;
  }
  if (sig == 0) {
    raise(Fsw.ZE);
    setResult(sig, se);
    exponentSig = INTEGER_BIT;
    exponentSe = SIGN | EXPONENT;
    return;
  }
  if (isDenormal(sig, se)) raise(Fsw.DE);
  const exponent = normalExponent(sig, se) - 0x3fff;
  const size = u64(exponent < 0 ? -exponent : exponent);
  if (size == 0) {
    exponentSig = 0;
    exponentSe = 0;
  } else {
    const shift = u32(clz<u64>(size));
    exponentSig = size << shift;
    exponentSe = (exponent < 0 ? SIGN : 0) | (0x3fff + 63 - shift);
  }
  setResult(normalSignificand(sig), (se & SIGN) | 0x3fff);
}
