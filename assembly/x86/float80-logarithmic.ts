/** F2XM1, FYL2X and FYL2XP1 for operands that are numbers. */
import {
  EXPONENT,
  Fsw,
  finish64,
  INTEGER_BIT,
  multiply,
  normalExponent,
  normalSignificand,
  raise,
  resultSe,
  resultSig,
  SIGN,
  setResult,
} from '../softfloat/float80';
import { fromI64 } from '../softfloat/float80-convert';
import { EXP, LN2, LOG, ODD, POWER, RECIPROCAL, TWO_LOG2_E } from './float80-constants';
import {
  decrease,
  divideNumbers,
  finishNumber,
  increase,
  mExponent,
  mHigh,
  mLow,
  multiplyNumber,
  multiplyWide,
  series,
  setNormalized,
  setNumber,
  toFraction,
  toQuarter,
  wideHigh,
  wideLow,
} from './float80-wide';

/** 2^x − 1 for 0 < |x| ≤ 1. */
export function powerMinusOne(sig: u64, se: u32): void {
  const exponent = normalExponent(sig, se);
  const x = normalSignificand(sig);
  const minus = (se & SIGN) != 0;
  // |x| = k/32 + r, |r| ≤ 1/64
  const shift = 0x3fff - exponent;
  let k: u32 = 0;
  let rNegative = false;
  let r = x;
  let rExponent = exponent;
  if (shift <= 6) {
    const nearest = ((x >> (57 + shift)) + 1) >> 1;
    const grid = shift == 6 ? 0 : nearest << (58 + shift);
    k = u32(nearest);
    // zero stands for 2^64
    rNegative = nearest != 0 && (grid == 0 || grid > x);
    r = rNegative ? grid - x : x - grid;
    if (r == 0) rNegative = false;
    else {
      const up = i32(clz<u64>(r));
      r <<= up;
      rExponent -= up;
    }
  }
  const at = POWER + (usize(minus ? 32 - k : 32 + k) << 4);
  const pNegative = minus != rNegative;
  if (r != 0) {
    setNumber(r, 0, rExponent);
    multiplyNumber(load<u64>(LN2), load<u64>(LN2, 8), 0x3ffe);
    toFraction();
    series(EXP, 13, wideHigh(), wideLow(), pNegative);
    // e^y − 1 = y (1 + y/2 + …)
    if (pNegative) decrease();
    else increase();
    if (k == 0) {
      finishNumber(se & SIGN);
      return;
    }
    multiplyNumber(load<u64>(at), load<u64>(at, 8), 0x4000);
    toQuarter();
  }
  // 2^(k/32) (e^y − 1) + 2^(k/32) − 1, in units of 2^-126
  let h = load<u64>(at) - (INTEGER_BIT >> 1);
  let l = load<u64>(at, 8);
  if (r != 0) {
    if (pNegative) {
      const borrow = u64(l < wideLow());
      l -= wideLow();
      h -= wideHigh() + borrow;
    } else {
      l += wideLow();
      h += wideHigh() + u64(l < wideLow());
    }
  } else if ((k & 31) == 0) {
    // exact, but the processor that the tests ran on calls it inexact
    raise(Fsw.PE);
    setResult(INTEGER_BIT, minus ? SIGN | 0x3ffe : 0x3fff);
    return;
  }
  if (minus) {
    h = ~h + u64(l == 0);
    l = 0 - l;
  }
  setNormalized(h, l, 0x4000);
  finishNumber(se & SIGN);
}

/** y · log2(m · 2^k), m = (high:lower) / 2^127 with its top bit set and its lowest 16 bits zero. */
function multiplyLog(high: u64, lower: u64, k: i32, ySig: u64, ySe: u32): void {
  const j = u32(high >> 57) & 63;
  const reciprocal = u64(load<u16>(RECIPROCAL + (j << 1)));
  // m · reciprocal in units of 2^-115, where the reciprocal's 1 is 256
  const mLower = (lower >> 12) | (high << 52);
  const mHigher = high >> 12;
  const pLow = mLower * reciprocal;
  const pHigh = mHigher * reciprocal + multiply(mLower, reciprocal);
  const one: u64 = (<u64>1) << (115 + 8 - 64);
  const zNegative = pHigh < one;
  let zHigh = pHigh - one;
  let zLow = pLow;
  if (zNegative) {
    zHigh = ~zHigh + u64(zLow == 0);
    zLow = 0 - zLow;
  }
  const zero = (zHigh | zLow) == 0;
  const whole = k + i32(j == 63);
  const exactTable = j == 0 || j == 63;
  if (zero && exactTable) {
    // a power of two; the processor that the tests ran on calls the exact result inexact, too
    if (whole != 0) raise(Fsw.PE);
    const sign = ySe & SIGN;
    if (whole == 0) setResult(0, sign);
    else {
      fromI64(whole);
      const sig = resultSig();
      const se = resultSe();
      finishProduct(sig, 0, se & EXPONENT, se & SIGN, ySig, ySe, true);
      if ((resultSe() & EXPONENT) == 0) raise(Fsw.UE);
    }
    return;
  }
  if (!zero) {
    // log2(1 + z) = 2/ln 2 · (s + s³/3 + s⁵/5 …), s = z / (2 + z)
    const dHigh = pHigh + one;
    setNormalized(dHigh, pLow, 0);
    const h = mHigh;
    const l = mLow;
    const e = mExponent;
    setNormalized(zHigh, zLow, 0);
    divideNumbers(mHigh, mLow, mExponent + 0x3fff, h, l, e + 0x3fff);
    finishSeries();
  }
  if (whole == 0 && exactTable) {
    finishProduct(mHigh, mLow, mExponent, zNegative ? SIGN : 0, ySig, ySe, false);
    return;
  }
  // k + table + series, in units of 2^-112 as a signed number
  const at = LOG + (usize(j) << 4);
  let l = load<u64>(at, 8);
  let h = load<u64>(at) + (u64(i64(k)) << 48);
  if (!zero) {
    toFraction();
    const vLow = (wideLow() >> 16) | (wideHigh() << 48);
    const vHigh = wideHigh() >> 16;
    if (zNegative) {
      const borrow = u64(l < vLow);
      l -= vLow;
      h -= vHigh + borrow;
    } else {
      l += vLow;
      h += vHigh + u64(l < vLow);
    }
  }
  const logNegative = i64(h) < 0;
  if (logNegative) {
    h = ~h + u64(l == 0);
    l = 0 - l;
  }
  setNormalized(h, l, 0x3fff + 127 - 112);
  finishProduct(mHigh, mLow, mExponent, logNegative ? SIGN : 0, ySig, ySe, false);
}

/** Number s ← 2/ln 2 · (s + s³/3 + …) */
function finishSeries(): void {
  toFraction();
  multiplyWide(wideHigh(), wideLow(), wideHigh(), wideLow());
  series(ODD, 10, wideHigh(), wideLow(), false);
  increase();
  multiplyNumber(load<u64>(TWO_LOG2_E), load<u64>(TWO_LOG2_E, 8), 0x4000);
}

/** The result (high:lower) · y. */
function finishProduct(high: u64, lower: u64, exponent: i32, sign: u32, ySig: u64, ySe: u32, exact: bool): void {
  const y = normalSignificand(ySig);
  multiplyWide(high, lower, y, 0);
  setNormalized(wideHigh(), wideLow(), exponent + normalExponent(ySig, ySe) - 0x3ffe);
  if (exact) finish64((ySe & SIGN) ^ sign, mExponent, mHigh, mLow);
  else finishNumber((ySe & SIGN) ^ sign);
}

/** y · log2(x), x > 0, y ≠ 0, both finite. */
export function yLog2(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  multiplyLog(normalSignificand(xSig), 0, normalExponent(xSig, xSe) - 0x3fff, ySig, ySe);
}

/** y · log2(x + 1), x > −1, neither zero, both finite. */
export function yLog2Plus1(ySig: u64, ySe: u32, xSig: u64, xSe: u32): void {
  const exponent = normalExponent(xSig, xSe) - 0x3fff;
  const x = normalSignificand(xSig);
  const minus = (xSe & SIGN) != 0;
  if (exponent < -6) {
    // s = x / (2 + x)
    const shift = -exponent;
    let h: u64 = 0;
    let l: u64 = 0;
    if (shift < 64) {
      h = x >> shift;
      l = x << (64 - shift);
    } else if (shift < 128) l = x >> (shift - 64);
    // 2 + x in units of 2^-127, at half its size
    l = (l >> 1) | (h << 63);
    h >>= 1;
    if (minus) {
      const borrow = u64(l != 0);
      setNormalized(INTEGER_BIT - h - borrow, 0 - l, 0x4000);
    } else setNumber(INTEGER_BIT + h, l, 0x4000);
    divideNumbers(x, 0, exponent + 0x3fff, mHigh, mLow, mExponent);
    finishSeries();
    finishProduct(mHigh, mLow, mExponent, minus ? SIGN : 0, ySig, ySe, false);
    return;
  }
  if (exponent > 63) {
    multiplyLog(x, exponent < 116 ? (<u64>1) << (127 - exponent) : 0, exponent, ySig, ySe);
    return;
  }
  let h = x;
  let l: u64 = 0;
  let e: i32;
  if (exponent >= 0) {
    // 1 at bit 63 − exponent
    h = x + (INTEGER_BIT >> exponent);
    e = exponent;
    if (h < x) {
      l = h << 63;
      h = (h >> 1) | INTEGER_BIT;
      e++;
    }
    multiplyLog(h, l, e, ySig, ySe);
    return;
  }
  h = x >> -exponent;
  l = x << (64 + exponent);
  if (minus) {
    const borrow = u64(l != 0);
    setNormalized(INTEGER_BIT - h - borrow, 0 - l, 0);
  } else setNumber(INTEGER_BIT + h, l, 0);
  multiplyLog(mHigh, mLow, mExponent, ySig, ySe);
}
