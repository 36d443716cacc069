/** FSIN, FCOS, FPTAN and FPATAN for operands that are numbers. */
import { EXPONENT, normalExponent, normalSignificand, SIGN } from '../softfloat/float80';
import { ATAN, COS, ODD, PI, SIN } from './float80-constants';
import {
  decrease,
  divideNumbers,
  finishNumber,
  increase,
  mExponent,
  mHigh,
  mLow,
  multiplyWide,
  series,
  setNormalized,
  setNumber,
  toFraction,
  toQuarter,
  wideHigh,
  wideLow,
} from './float80-wide';

/** The processor's π of 66 bits (SDM volume 1, 8.3.8), in units of 2^-64: 3 and this. */
const PI_LOW: u64 = 0x243f6a8885a308d3;

let quadrant: u32 = 0;
let negative: bool = false;
let rHigh: u64 = 0;
let rLow: u64 = 0;
let rExponent: i32 = 0;
let zHigh: u64 = 0;
let zLow: u64 = 0;

/** |x| = quadrant · π/2 ± r, r ≤ π/4; exact with the π of 66 bits. |x| < 2^63. */
function reduce(sig: u64, se: u32): void {
  const exponent = normalExponent(sig, se) - 0x3fff;
  const x = normalSignificand(sig);
  quadrant = 0;
  negative = false;
  if (exponent < -2) setNumber(x, 0, exponent + 0x3fff);
  else {
    // In units of 2^-65, of which π/2 has 3 · 2^64 + PI_LOW.
    let h: u64 = 0;
    let l = x;
    let q: u32 = 0;
    for (let i = exponent + 2; i > 0; i--) {
      h = (h << 1) | (l >> 63);
      l <<= 1;
      q <<= 1;
      if (h > 3 || (h == 3 && l >= PI_LOW)) {
        h -= 3 + u64(l < PI_LOW);
        l -= PI_LOW;
        q |= 1;
      }
    }
    const twiceHigh = (h << 1) | (l >> 63);
    if (twiceHigh > 3 || (twiceHigh == 3 && l << 1 > PI_LOW)) {
      h = 3 - h - u64(PI_LOW < l);
      l = PI_LOW - l;
      q++;
      negative = true;
    }
    quadrant = q & 3;
    setNormalized(h, l, 0x3fff + 127 - 65);
  }
  rHigh = mHigh;
  rLow = mLow;
  rExponent = mExponent;
  toFraction();
  multiplyWide(wideHigh(), wideLow(), wideHigh(), wideLow());
  zHigh = wideHigh();
  zLow = wideLow();
}

/** sin r as the number. */
function sineOfRest(): void {
  setNumber(rHigh, rLow, rExponent);
  series(SIN, 14, zHigh, zLow, true);
  decrease();
}
function cosineOfRest(): void {
  series(COS, 15, zHigh, zLow, true);
  const h = wideHigh();
  const l = wideLow();
  if ((h | l) == 0) setNumber(~(<u64>0), ~(<u64>0), 0x3ffe);
  else setNormalized(~h + u64(l == 0), 0 - l, 0x3ffe);
}

export function sine(sig: u64, se: u32): void {
  reduce(sig, se);
  const odd = (quadrant & 1) != 0;
  if (odd) cosineOfRest();
  else sineOfRest();
  finishNumber((se & SIGN) ^ (((quadrant & 2) != 0) != (!odd && negative) ? SIGN : 0));
}
export function cosine(sig: u64, se: u32): void {
  reduce(sig, se);
  const odd = (quadrant & 1) != 0;
  if (odd) sineOfRest();
  else cosineOfRest();
  finishNumber((((quadrant + 1) & 2) != 0) != (odd && negative) ? SIGN : 0);
}
export function tangent(sig: u64, se: u32): void {
  reduce(sig, se);
  const odd = (quadrant & 1) != 0;
  if (zHigh == 0 && !odd) {
    // r + r³/3
    setNumber(rHigh, rLow, rExponent);
    series(ODD, 1, zHigh, zLow, false);
    increase();
  } else {
    cosineOfRest();
    const cHigh = mHigh;
    const cLow = mLow;
    const cExponent = mExponent;
    sineOfRest();
    if (odd) divideNumbers(cHigh, cLow, cExponent, mHigh, mLow, mExponent);
    else divideNumbers(mHigh, mLow, mExponent, cHigh, cLow, cExponent);
  }
  finishNumber((se & SIGN) ^ (odd != negative ? SIGN : 0));
}

/** π · n / 4 as the result, n 1 … 4. */
export function quarterPi(sign: u32, n: u32): void {
  const piHigh = load<u64>(PI);
  const piLow = load<u64>(PI, 8);
  if (n != 3) setNumber(piHigh, piLow, n == 1 ? 0x3ffe : n == 2 ? 0x3fff : 0x4000);
  else {
    // 3π/4 = π/2 + π/4, in units of 2^-126
    const l = (piHigh << 62) | (piLow >> 2);
    const sum = load<u64>(PI, 24) + l;
    setNormalized(load<u64>(PI, 16) + (piHigh >> 2) + u64(sum < l), sum, 0x4000);
  }
  finishNumber(sign);
}

/** atan2(y, x) for finite numbers that are not zero. */
export function arctangent(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const sign = ySe & SIGN;
  const left = (xSe & SIGN) != 0;
  let n = normalSignificand(ySig);
  let nExponent = normalExponent(ySig, ySe);
  let d = normalSignificand(xSig);
  let dExponent = normalExponent(xSig, xSe);
  const swapped = nExponent > dExponent || (nExponent == dExponent && n > d);
  if (swapped) {
    const sig = n;
    n = d;
    d = sig;
    const exponent = nExponent;
    nExponent = dExponent;
    dExponent = exponent;
  }
  const distance = dExponent - nExponent;
  // k/32 is near n/d; atan n/d = atan k/32 + atan (n − d k/32) / (d + n k/32)
  let k: i32 = 0;
  if (distance < 7) k = i32((((n >> 32) << 6) / ((d >> 32) << distance) + 1) >> 1);
  let below = false;
  if (k == 0) {
    divideNumbers(n, 0, nExponent, d, 0, dExponent);
  } else {
    // All times 32, in units of n's last place; d · 2^distance · 32 has up to 75 bits.
    const dShift = distance + 5;
    const factor = u64(k);
    let aHigh = n >> 59;
    let aLow = n << 5;
    const bHigh = multiply64High(d, factor, distance);
    const bLow = (d * factor) << distance;
    below = aHigh < bHigh || (aHigh == bHigh && aLow < bLow);
    if (below) {
      const borrow = u64(bLow < aLow);
      aLow = bLow - aLow;
      aHigh = bHigh - aHigh - borrow;
    } else {
      const borrow = u64(aLow < bLow);
      aLow -= bLow;
      aHigh -= bHigh + borrow;
    }
    let eHigh = d >> (64 - dShift);
    let eLow = d << dShift;
    const product = n * factor;
    eLow += product;
    eHigh += multiply64High(n, factor, 0) + u64(eLow < product);
    if ((aHigh | aLow) == 0) setNumber(0, 0, 0);
    else {
      setNormalized(eHigh, eLow, 0);
      const h = mHigh;
      const l = mLow;
      const e = mExponent;
      setNormalized(aHigh, aLow, 0);
      divideNumbers(mHigh, mLow, mExponent + 0x3fff, h, l, e + 0x3fff);
    }
  }
  // atan u = u (1 − u²/3 + u⁴/5 …)
  let uHigh: u64 = 0;
  let uLow: u64 = 0;
  if (mHigh != 0) {
    toFraction();
    multiplyWide(wideHigh(), wideLow(), wideHigh(), wideLow());
    series(ODD, 10, wideHigh(), wideLow(), true);
    decrease();
    if (k == 0 && !swapped && !left) {
      finishNumber(sign);
      return;
    }
    toQuarter();
    uHigh = wideHigh();
    uLow = wideLow();
  }
  const at = ATAN + (usize(k) << 4);
  let h = load<u64>(at);
  let l = load<u64>(at, 8);
  if (below) {
    const borrow = u64(l < uLow);
    l -= uLow;
    h -= uHigh + borrow;
  } else {
    l += uLow;
    h += uHigh + u64(l < uLow);
  }
  if (swapped || left) {
    const base = swapped ? PI + 16 : PI;
    const baseHigh = load<u64>(base);
    const baseLow = load<u64>(base, 8);
    if (swapped && left) {
      l += baseLow;
      h += baseHigh + u64(l < baseLow);
    } else {
      const borrow = u64(baseLow < l);
      l = baseLow - l;
      h = baseHigh - h - borrow;
    }
  }
  setNormalized(h, l, 0x4000);
  finishNumber(sign);
}

/** Bits from 64 on of a · factor · 2^shift, factor ≤ 32, shift < 7. */
function multiply64High(a: u64, factor: u64, shift: i32): u64 {
  const product = (a >> 32) * factor + (((a & 0xffffffff) * factor) >> 32);
  const high = product >> 32;
  return shift == 0 ? high : (high << shift) | ((a * factor) >> (64 - shift));
}

/** Whether FSIN and the others can reduce the operand: |x| < 2^63. */
export function inRange(se: u32): bool {
  return (se & EXPONENT) < 0x3fff + 63;
}
