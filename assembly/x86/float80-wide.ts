/** 128-bit pieces of the transcendental instructions: enough bits beyond 64 that a result is nearly always rounded correctly. */
import { divide, finish64, INTEGER_BIT, low, multiply } from '../softfloat/float80';

let high: u64 = 0;
let lower: u64 = 0;
export function wideHigh(): u64 {
  return high;
}
export function wideLow(): u64 {
  return lower;
}

/** High half of the 256-bit product, a few units of its last place too small. */
export function multiplyWide(aHigh: u64, aLow: u64, bHigh: u64, bLow: u64): void {
  const first = multiply(aHigh, bLow);
  const second = multiply(aLow, bHigh);
  let h = multiply(aHigh, bHigh);
  const l = low();
  const sum = l + first;
  h += u64(sum < l);
  lower = sum + second;
  high = h + u64(lower < second);
}

/** c0 ± z (c1 ± z (c2 …)) over `count` entries of a table, all in units of 2^-128, then times z. */
export function series(table: usize, count: i32, zHigh: u64, zLow: u64, alternating: bool): void {
  let at = table + ((count - 1) << 4);
  let h = load<u64>(at);
  let l = load<u64>(at, 8);
  while (at != table) {
    at -= 16;
    multiplyWide(h, l, zHigh, zLow);
    const cHigh = load<u64>(at);
    const cLow = load<u64>(at, 8);
    if (alternating) {
      l = cLow - lower;
      h = cHigh - high - u64(cLow < lower);
    } else {
      l = cLow + lower;
      h = cHigh + high + u64(l < cLow);
    }
  }
  multiplyWide(h, l, zHigh, zLow);
}

// A number: (mHigh:mLow) with its top bit set, times 2^(mExponent − 16383 − 127).
export let mHigh: u64 = 0;
export let mLow: u64 = 0;
export let mExponent: i32 = 0;

export function setNumber(h: u64, l: u64, exponent: i32): void {
  mHigh = h;
  mLow = l;
  mExponent = exponent;
}
/** The same from a value that is not zero and may need shifting left. */
export function setNormalized(h: u64, l: u64, exponent: i32): void {
  if (h == 0) {
    h = l;
    l = 0;
    exponent -= 64;
  }
  const shift = i32(clz<u64>(h));
  if (shift != 0) {
    h = (h << shift) | (l >> (64 - shift));
    l <<= shift;
  }
  setNumber(h, l, exponent - shift);
}

/** The number, less than 1, in units of 2^-128 as the wide result. */
export function toFraction(): void {
  const shift = 0x3ffe - mExponent;
  if (shift == 0) {
    high = mHigh;
    lower = mLow;
  } else if (shift < 64) {
    high = mHigh >> shift;
    lower = (mLow >> shift) | (mHigh << (64 - shift));
  } else {
    high = 0;
    lower = shift < 128 ? mHigh >> (shift - 64) : 0;
  }
}
/** The number, less than 4, in units of 2^-126 as the wide result. */
export function toQuarter(): void {
  mExponent -= 2;
  toFraction();
  mExponent += 2;
}

/** Number · (1 − the wide result), less than the number even where that is below its last place. */
export function decrease(): void {
  multiplyWide(mHigh, mLow, high, lower);
  if ((high | lower) == 0) lower = 1;
  const l = mLow - lower;
  setNormalized(mHigh - high - u64(mLow < lower), l, mExponent);
}
/** Number · (1 + the wide result). */
export function increase(): void {
  multiplyWide(mHigh, mLow, high, lower);
  const l = mLow + lower;
  const carry = u64(l < mLow);
  const h = mHigh + high + carry;
  if (h < mHigh || (carry != 0 && h == mHigh)) setNumber((h >> 1) | INTEGER_BIT, (h << 63) | (l >> 1), mExponent + 1);
  else setNumber(h, l, mExponent);
}
/** Number · (h:l) · 2^(exponent − 16383 − 127), normalized. */
export function multiplyNumber(h: u64, l: u64, exponent: i32): void {
  multiplyWide(mHigh, mLow, h, l);
  setNormalized(high, lower, mExponent + exponent - 0x3ffe);
}

/** Number a / number b, both normalized. */
export function divideNumbers(aHigh: u64, aLow: u64, aExponent: i32, bHigh: u64, bLow: u64, bExponent: i32): void {
  let exponent = aExponent - bExponent + 0x3ffe;
  let h = aHigh;
  let l = aLow;
  let tail: u64 = 0;
  if (h > bHigh || (h == bHigh && l >= bLow)) {
    tail = l << 63;
    l = (l >> 1) | (h << 63);
    h >>= 1;
    exponent++;
  }
  // Two digits of 64 bits; the first is corrected, as it is estimated with the divisor's high word alone.
  let first: u64;
  let restHigh: u64;
  let restLow: u64;
  if (h >= bHigh) {
    first = u64.MAX_VALUE;
    // (h:l) − first · bHigh = l + bHigh, as h = bHigh
    restHigh = l + bHigh;
    restLow = tail;
    const overflow = restHigh < l;
    const productHigh = multiply(first, bLow);
    const productLow = low();
    let borrow = i64(overflow) - i64(restHigh < productHigh);
    restHigh -= productHigh;
    borrow -= i64(restLow < productLow && restHigh == 0);
    restHigh -= u64(restLow < productLow);
    restLow -= productLow;
    while (borrow < 0) {
      first--;
      const sum = restLow + bLow;
      const carry = u64(sum < restLow);
      restLow = sum;
      const before = restHigh;
      restHigh += bHigh;
      const overflows = restHigh < before;
      restHigh += carry;
      if (overflows || (carry != 0 && restHigh == 0)) borrow++;
    }
  } else {
    first = divide(h, l, bHigh);
    restHigh = low();
    restLow = tail;
    const productHigh = multiply(first, bLow);
    const productLow = low();
    let negative = restHigh < productHigh || (restHigh == productHigh && restLow < productLow);
    restHigh -= productHigh + u64(restLow < productLow);
    restLow -= productLow;
    while (negative) {
      first--;
      const sum = restLow + bLow;
      const carry = u64(sum < restLow);
      restLow = sum;
      const before = restHigh;
      restHigh += bHigh;
      const overflows = restHigh < before;
      restHigh += carry;
      if (overflows || (carry != 0 && restHigh == 0)) negative = false;
    }
  }
  const second = restHigh >= bHigh ? u64.MAX_VALUE : divide(restHigh, restLow, bHigh);
  setNormalized(first, second, exponent);
}

/** Rounds the number, which is never exact, into the result. */
export function finishNumber(sign: u32): void {
  finish64(sign, mExponent, mHigh, mLow | 1);
}
