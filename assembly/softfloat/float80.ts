/**
 * Arithmetic on the double extended-precision format (SDM volume 1, 4.2.2 and chapter 8). An operand is a pair: the
 * 64-bit significand with its explicit integer bit, and the sign (bit 15) with the biased exponent (bits 14…0). A
 * result is left in `zSig` and `zSe`; exception flags and C0…C3 are added to `flags` at their places in the FPU
 * status word. Precision, rounding and masks come from Layout.FLOAT_CONTROL.
 */

import { Layout } from '../shared/layout';
import { highProduct } from './high-product';

export const enum Fsw {
  IE = 0x01,
  DE = 0x02,
  ZE = 0x04,
  OE = 0x08,
  UE = 0x10,
  PE = 0x20,
  SF = 0x40,
  ES = 0x80,
  C0 = 0x100,
  C1 = 0x200,
  C2 = 0x400,
  TOP = 0x3800,
  C3 = 0x4000,
  B = 0x8000,
  CONDITIONS = 0x4700,
  EXCEPTIONS = 0x3f,
}

export const enum Fcw {
  PRECISION = 0x300,
  PRECISION_24 = 0,
  PRECISION_53 = 0x200,
  ROUNDING = 0xc00,
}

/** Rounding control, in place. */
export const enum Rounding {
  NEAREST = 0,
  DOWN = 0x400,
  UP = 0x800,
  ZERO = 0xc00,
}

export const SIGN: u32 = 0x8000;
export const EXPONENT: u32 = 0x7fff;
export const INTEGER_BIT: u64 = 0x8000000000000000;
export const QUIET_BIT: u64 = 0x4000000000000000;
/** Exponent adjustment of an unmasked overflow or underflow (SDM volume 1, 8.5.4 and 8.5.5). */
const BIAS_ADJUST: i32 = 0x6000;

let zSig: u64 = 0;
let zSe: u32 = 0;
let flags: u32 = 0;
/** Second result of `multiply`, `divide` and `shiftRight`. */
let zLow: u64 = 0;

export function resultSig(): u64 {
  return zSig;
}
export function resultSe(): u32 {
  return zSe;
}
export function setResult(sig: u64, se: u32): void {
  zSig = sig;
  zSe = se;
}
export function low(): u64 {
  return zLow;
}
export function raised(): u32 {
  return flags;
}
export function raise(bits: u32): void {
  flags |= bits;
}
export function clearFlags(): void {
  flags = 0;
}
export function dropFlags(bits: u32): void {
  flags &= ~bits;
}
export function controlWord(): u32 {
  return load<u32>(Layout.FLOAT_CONTROL);
}

// Classes of operands.

/** Finite, not zero, with its integer bit set. */
export function isNormal(sig: u64, se: u32): bool {
  return (i64(sig) < 0) & ((se & EXPONENT) - 1 < EXPONENT - 1);
}
/** Pseudo-NaN, pseudo-infinity or unnormal: the 387 and later processors take them for invalid (SDM volume 1, 8.2.2). */
export function isUnsupported(sig: u64, se: u32): bool {
  return (se & EXPONENT) != 0 && i64(sig) >= 0;
}
export function isNan(sig: u64, se: u32): bool {
  return (se & EXPONENT) == EXPONENT && sig << 1 != 0;
}
export function isSignaling(sig: u64, se: u32): bool {
  return isNan(sig, se) && (sig & QUIET_BIT) == 0;
}
export function isInfinity(sig: u64, se: u32): bool {
  return (se & EXPONENT) == EXPONENT && sig == INTEGER_BIT;
}
export function isZero(sig: u64, se: u32): bool {
  return sig == 0 && (se & EXPONENT) == 0;
}
/** Denormal or pseudo-denormal. */
export function isDenormal(sig: u64, se: u32): bool {
  return (se & EXPONENT) == 0 && sig != 0;
}

/** The value of the exponent field once the significand is shifted left until its integer bit is set. */
export function normalExponent(sig: u64, se: u32): i32 {
  const exponent = i32(se & EXPONENT);
  return exponent != 0 ? exponent : 1 - i32(clz<u64>(sig));
}
export function normalSignificand(sig: u64): u64 {
  return sig << clz<u64>(sig);
}

/** #IA: the real indefinite QNaN. */
export function invalid(): void {
  flags |= Fsw.IE;
  zSig = INTEGER_BIT | QUIET_BIT;
  zSe = SIGN | EXPONENT;
}

/** The result for two operands of which at least one is a NaN or unsupported (SDM volume 1, table 4-7, x87 FPU). */
export function propagate(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (isUnsupported(aSig, aSe) || isUnsupported(bSig, bSe)) {
    invalid();
    return;
  }
  const aSignaling = isSignaling(aSig, aSe);
  const bSignaling = isSignaling(bSig, bSe);
  if (aSignaling || bSignaling) flags |= Fsw.IE;
  let first: bool;
  if (!isNan(bSig, bSe)) first = true;
  else if (!isNan(aSig, aSe)) first = false;
  else if (aSignaling != bSignaling) first = bSignaling;
  else if (aSig != bSig) first = aSig > bSig;
  else first = aSe < bSe;
  zSig = (first ? aSig : bSig) | QUIET_BIT;
  zSe = first ? aSe : bSe;
}
/** The same for one operand. */
export function propagateOne(sig: u64, se: u32): void {
  if (isUnsupported(sig, se)) {
    invalid();
    return;
  }
  if ((sig & QUIET_BIT) == 0) flags |= Fsw.IE;
  zSig = sig | QUIET_BIT;
  zSe = se;
}
export function isSpecial(sig: u64, se: u32): bool {
  return isNan(sig, se) || isUnsupported(sig, se);
}

// 128-bit pieces.

/** High half of the product; the low half goes to `low()`. */
export function multiply(a: u64, b: u64): u64 {
  zLow = a * b;
  return highProduct(a, b);
}

/** (high:lower) / d for high < d and d's top bit set; the remainder goes to `low()`. */
export function divide(high: u64, lower: u64, d: u64): u64 {
  const d1 = d >> 32;
  const d0 = d & 0xffffffff;
  let q1 = high / d1;
  let r = high - q1 * d1;
  while (q1 >> 32 != 0 || q1 * d0 > ((r << 32) | (lower >> 32))) {
    q1--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  const middle = ((high << 32) | (lower >> 32)) - q1 * d;
  let q0 = middle / d1;
  r = middle - q0 * d1;
  while (q0 >> 32 != 0 || q0 * d0 > ((r << 32) | (lower & 0xffffffff))) {
    q0--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  zLow = ((middle << 32) | (lower & 0xffffffff)) - q0 * d;
  return (q1 << 32) | q0;
}

/** (sig:lower) shifted right by `count` ≥ 1; what is lost is kept as a sticky lowest bit of `low()`. */
function shiftRight(sig: u64, lower: u64, count: i32): u64 {
  if (count < 64) {
    zLow = (sig << (64 - count)) | (lower >> count) | u64(lower << (64 - count) != 0);
    return sig >> count;
  }
  if (count == 64) zLow = sig | u64(lower != 0);
  else if (count < 128) zLow = (sig >> (count - 64)) | u64(sig << (128 - count) != 0 || lower != 0);
  else zLow = u64((sig | lower) != 0);
  return 0;
}

// Rounding.

/** Bits of the significand that precision control drops. */
function droppedBits(control: u32): u32 {
  const precision = control & Fcw.PRECISION;
  return precision == Fcw.PRECISION_24 ? 40 : precision == Fcw.PRECISION_53 ? 11 : 0;
}

let roundInexact: bool = false;
let roundUp: bool = false;

/**
 * `sig` with its lowest `drop` bits and `lower` rounded away; says in `roundInexact` and `roundUp` what happened. A
 * carry out of the top leaves zero.
 */
function roundAt(sig: u64, lower: u64, drop: u32, sign: u32, rounding: u32): u64 {
  const mask: u64 = drop != 0 ? ((<u64>1) << drop) - 1 : 0;
  const fraction = drop != 0 ? ((sig & mask) << (64 - drop)) | (lower >> drop) | u64(lower << (64 - drop) != 0) : lower;
  const kept = sig & ~mask;
  roundInexact = fraction != 0;
  if (rounding == Rounding.NEAREST) roundUp = i64(fraction) < 0 && (fraction << 1 != 0 || ((kept >> drop) & 1) != 0);
  else roundUp = fraction != 0 && rounding != Rounding.ZERO && (rounding == Rounding.UP) == (sign == 0);
  return roundUp ? kept + mask + 1 : kept;
}

/**
 * The result sign · (sig:lower) · 2^(exponent − 16383 − 63), rounded as the control word says. `sig` has its integer
 * bit set; `lower` holds what follows it, its lowest bit sticky; `exponent` may be any value.
 */
export function finish(sign: u32, exponent: i32, sig: u64, lower: u64): void {
  if ((controlWord() & (Fcw.PRECISION | Fcw.ROUNDING)) == Fcw.PRECISION && u32(exponent - 1) < 0x7ffd) {
    let s = sig;
    let e = exponent;
    if (lower != 0) {
      flags |= Fsw.PE;
      if (i64(lower) < 0 && (lower << 1 != 0 || (s & 1) != 0)) {
        flags |= Fsw.C1;
        if (++s == 0) {
          s = INTEGER_BIT;
          e++;
        }
      }
    }
    zSig = s;
    zSe = sign | u32(e);
  } else finishSlow(sign, exponent, sig, lower, droppedBits(controlWord()));
}

/** The same at 64 bits whatever precision control says. */
export function finish64(sign: u32, exponent: i32, sig: u64, lower: u64): void {
  finishSlow(sign, exponent, sig, lower, 0);
}

function finishSlow(sign: u32, exponent: i32, sig: u64, lower: u64, drop: u32): void {
  const control = controlWord();
  const rounding = control & Fcw.ROUNDING;
  let s = roundAt(sig, lower, drop, sign, rounding);
  let e = exponent;
  if (s == 0) {
    s = INTEGER_BIT;
    e++;
  }
  if (e <= 0) {
    // Tiny after rounding (SDM volume 1, 4.9.1.5).
    if ((control & Fsw.UE) == 0) {
      flags |= Fsw.UE;
      e += BIAS_ADJUST;
      if (e <= 0) {
        // FSCALE goes beyond what the adjustment covers.
        flags |= Fsw.PE;
        setResult(0, sign);
        return;
      }
    } else {
      s = roundAt(shiftRight(sig, lower, 1 - exponent), zLow, drop, sign, rounding);
      e = i64(s) < 0 ? 1 : 0;
      if (roundInexact) flags |= Fsw.UE;
    }
  } else if (e >= 0x7fff) {
    flags |= Fsw.OE;
    if ((control & Fsw.OE) == 0) {
      e -= BIAS_ADJUST;
      if (e >= 0x7fff) {
        flags |= Fsw.PE | Fsw.C1;
        setResult(INTEGER_BIT, sign | EXPONENT);
        return;
      }
    } else {
      const infinite = rounding == Rounding.NEAREST || (rounding == Rounding.UP ? sign == 0 : rounding == Rounding.DOWN && sign != 0);
      s = infinite ? INTEGER_BIT : ~(<u64>0) << drop;
      e = infinite ? 0x7fff : 0x7ffe;
      roundInexact = true;
      roundUp = infinite;
    }
  }
  if (roundInexact) flags |= Fsw.PE;
  if (roundUp) flags |= Fsw.C1;
  zSig = s;
  zSe = sign | u32(e);
}

// Addition and subtraction.

function addMagnitudes(sign: u32, aExponent: i32, aSig: u64, bExponent: i32, bSig: u64): void {
  let exponent = aExponent;
  let big = aSig;
  let small = bSig;
  let distance = aExponent - bExponent;
  if (distance < 0) {
    exponent = bExponent;
    big = bSig;
    small = aSig;
    distance = -distance;
  }
  let lower: u64 = 0;
  if (distance != 0) {
    if (distance < 64) {
      lower = small << (64 - distance);
      small >>= distance;
    } else {
      lower = distance == 64 ? small : 1;
      small = 0;
    }
  }
  let sum = big + small;
  if (sum < big) {
    lower = (sum << 63) | (lower >> 1) | (lower & 1);
    sum = (sum >> 1) | INTEGER_BIT;
    exponent++;
  }
  finish(sign, exponent, sum, lower);
}

function subtractMagnitudes(sign: u32, aExponent: i32, aSig: u64, bExponent: i32, bSig: u64): void {
  let exponent = aExponent;
  let big = aSig;
  let small = bSig;
  let resultSign = sign;
  let distance = aExponent - bExponent;
  if (distance < 0 || (distance == 0 && aSig < bSig)) {
    exponent = bExponent;
    big = bSig;
    small = aSig;
    resultSign ^= SIGN;
    distance = -distance;
  }
  let lower: u64 = 0;
  if (distance != 0) {
    if (distance < 64) {
      lower = small << (64 - distance);
      small >>= distance;
    } else {
      // One bit more than sums need: a difference may lose its top bit.
      lower = distance == 64 ? small : distance == 65 ? (small >> 1) | (small & 1) : 1;
      small = 0;
    }
  }
  let difference = big - small - u64(lower != 0);
  lower = 0 - lower;
  if (i64(difference) >= 0) {
    if (difference == 0) {
      if (lower == 0) {
        zeroSum();
        return;
      }
      difference = lower;
      lower = 0;
      exponent -= 64;
    }
    const shift = i32(clz<u64>(difference));
    if (shift != 0) {
      difference = (difference << shift) | (lower >> (64 - shift));
      lower <<= shift;
      exponent -= shift;
    }
  }
  finish(resultSign, exponent, difference, lower);
}

/** x − x: −0 when rounding down, else +0. */
function zeroSum(): void {
  zSig = 0;
  zSe = (controlWord() & Fcw.ROUNDING) == Rounding.DOWN ? SIGN : 0;
}

export function add(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (isNormal(aSig, aSe) & isNormal(bSig, bSe)) {
    if (((aSe ^ bSe) & SIGN) == 0) addMagnitudes(aSe & SIGN, aSe & EXPONENT, aSig, bSe & EXPONENT, bSig);
    else subtractMagnitudes(aSe & SIGN, aSe & EXPONENT, aSig, bSe & EXPONENT, bSig);
  } else addSpecial(aSig, aSe, bSig, bSe, bSe);
}

export function subtract(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  if (isNormal(aSig, aSe) & isNormal(bSig, bSe)) {
    if (((aSe ^ bSe) & SIGN) != 0) addMagnitudes(aSe & SIGN, aSe & EXPONENT, aSig, bSe & EXPONENT, bSig);
    else subtractMagnitudes(aSe & SIGN, aSe & EXPONENT, aSig, bSe & EXPONENT, bSig);
  } else addSpecial(aSig, aSe, bSig, bSe, bSe ^ SIGN);
}

/** `signed` is b's sign and exponent with the sign that it is added with. */
function addSpecial(aSig: u64, aSe: u32, bSig: u64, bSe: u32, signed: u32): void {
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    propagate(aSig, aSe, bSig, bSe);
    return;
  }
  const differ = ((aSe ^ signed) & SIGN) != 0;
  const aInfinite = isInfinity(aSig, aSe);
  const bInfinite = isInfinity(bSig, bSe);
  if (aInfinite && bInfinite && differ) {
    invalid();
    return;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) flags |= Fsw.DE;
  if (aInfinite) setResult(aSig, aSe);
  else if (bInfinite) setResult(bSig, signed);
  else if (aSig == 0) {
    if (bSig != 0) finish(signed & SIGN, normalExponent(bSig, bSe), normalSignificand(bSig), 0);
    else if (differ) zeroSum();
    else setResult(0, aSe);
  } else if (bSig == 0) finish(aSe & SIGN, normalExponent(aSig, aSe), normalSignificand(aSig), 0);
  else if (differ)
    subtractMagnitudes(aSe & SIGN, normalExponent(aSig, aSe), normalSignificand(aSig), normalExponent(bSig, bSe), normalSignificand(bSig));
  else addMagnitudes(aSe & SIGN, normalExponent(aSig, aSe), normalSignificand(aSig), normalExponent(bSig, bSe), normalSignificand(bSig));
}

// Multiplication, division, square root.

function multiplyMagnitudes(sign: u32, exponent: i32, aSig: u64, bSig: u64): void {
  let high = multiply(aSig, bSig);
  let lower = zLow;
  let e = exponent - 0x3ffe;
  if (i64(high) >= 0) {
    high = (high << 1) | (lower >> 63);
    lower <<= 1;
    e--;
  }
  finish(sign, e, high, lower);
}

export function mul(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  const sign = (aSe ^ bSe) & SIGN;
  if (isNormal(aSig, aSe) & isNormal(bSig, bSe)) {
    multiplyMagnitudes(sign, i32(aSe & EXPONENT) + i32(bSe & EXPONENT), aSig, bSig);
    return;
  }
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    propagate(aSig, aSe, bSig, bSe);
    return;
  }
  const aInfinite = isInfinity(aSig, aSe);
  const bInfinite = isInfinity(bSig, bSe);
  if ((aInfinite && bSig == 0) || (bInfinite && aSig == 0)) {
    invalid();
    return;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) flags |= Fsw.DE;
  if (aInfinite || bInfinite) setResult(INTEGER_BIT, sign | EXPONENT);
  else if (aSig == 0 || bSig == 0) setResult(0, sign);
  else multiplyMagnitudes(sign, normalExponent(aSig, aSe) + normalExponent(bSig, bSe), normalSignificand(aSig), normalSignificand(bSig));
}

function divideMagnitudes(sign: u32, exponent: i32, aSig: u64, bSig: u64): void {
  let e = exponent + 0x3ffe;
  let high = aSig;
  let lower: u64 = 0;
  if (aSig >= bSig) {
    lower = aSig << 63;
    high = aSig >> 1;
    e++;
  }
  const quotient = divide(high, lower, bSig);
  const rest = zLow;
  // The remainder against half the divisor, as the bits that follow the quotient.
  let fraction: u64 = 0;
  if (rest != 0) {
    const other = bSig - rest;
    fraction = rest == other ? INTEGER_BIT : rest > other ? INTEGER_BIT | 1 : 1;
  }
  finish(sign, e, quotient, fraction);
}

export function div(aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  const sign = (aSe ^ bSe) & SIGN;
  if (isNormal(aSig, aSe) & isNormal(bSig, bSe)) {
    divideMagnitudes(sign, i32(aSe & EXPONENT) - i32(bSe & EXPONENT), aSig, bSig);
    return;
  }
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    propagate(aSig, aSe, bSig, bSe);
    return;
  }
  const aInfinite = isInfinity(aSig, aSe);
  const bInfinite = isInfinity(bSig, bSe);
  if ((aInfinite && bInfinite) || (aSig == 0 && bSig == 0)) {
    invalid();
    return;
  }
  if (bSig == 0 && !aInfinite) {
    flags |= Fsw.ZE;
    setResult(INTEGER_BIT, sign | EXPONENT);
    return;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) flags |= Fsw.DE;
  if (aInfinite) setResult(INTEGER_BIT, sign | EXPONENT);
  else if (bInfinite || aSig == 0) setResult(0, sign);
  else divideMagnitudes(sign, normalExponent(aSig, aSe) - normalExponent(bSig, bSe), normalSignificand(aSig), normalSignificand(bSig));
}

export function sqrt(sig: u64, se: u32): void {
  if (isSpecial(sig, se)) {
    propagateOne(sig, se);
    return;
  }
  if (sig == 0) {
    setResult(0, se);
    return;
  }
  if ((se & SIGN) != 0) {
    invalid();
    return;
  }
  if (isInfinity(sig, se)) {
    setResult(sig, se);
    return;
  }
  if (isDenormal(sig, se)) flags |= Fsw.DE;
  const exponent = normalExponent(sig, se) - 0x3fff;
  let high = normalSignificand(sig);
  let lower: u64 = 0;
  // The radicand has 128 bits and an even exponent.
  if ((exponent & 1) == 0) {
    lower = high << 63;
    high >>= 1;
  }
  // The root of the high half, then 32 more bits by one division by twice that root.
  let root = u64(NativeMath.sqrt(f64(high)));
  if (root > 0xffffffff) root = 0xffffffff;
  while (root * root > high) root--;
  while (root < 0xffffffff && (root + 1) * (root + 1) <= high) root++;
  const rest = high - root * root;
  const half = (rest << 31) | (lower >> 33);
  const q = half / root;
  const u = ((half - q * root) << 1) | ((lower >> 32) & 1);
  let restHigh = i64(u >> 32);
  let restLow = (u << 32) | (lower & 0xffffffff);
  const qHigh = q >> 32;
  const qLow = q * q;
  restHigh -= i64(qHigh) + i64(restLow < qLow);
  restLow -= qLow;
  let s = (root << 32) + q;
  if (restHigh < 0) {
    // one too large
    s--;
    const sum = restLow + ((s << 1) | 1);
    restHigh += i64(s >> 63) + i64(sum < restLow);
    restLow = sum;
  }
  const fraction: u64 = restHigh != 0 || restLow > s ? INTEGER_BIT | 1 : u64(restLow != 0);
  finish(0, (exponent >> 1) + 0x3fff, s, fraction);
}

/**
 * C3, C2 and C0 of a comparison; a zero equals a zero of the other sign. `quiet`: a QNaN is no invalid operation
 * (FUCOM).
 */
export function compare(aSig: u64, aSe: u32, bSig: u64, bSe: u32, quiet: bool): u32 {
  if (isSpecial(aSig, aSe) || isSpecial(bSig, bSe)) {
    if (!quiet || isUnsupported(aSig, aSe) || isUnsupported(bSig, bSe) || isSignaling(aSig, aSe) || isSignaling(bSig, bSe)) flags |= Fsw.IE;
    return Fsw.C3 | Fsw.C2 | Fsw.C0;
  }
  if (isDenormal(aSig, aSe) || isDenormal(bSig, bSe)) flags |= Fsw.DE;
  if (aSig == 0 && bSig == 0) return Fsw.C3;
  if (((aSe ^ bSe) & SIGN) != 0) return (aSe & SIGN) != 0 ? Fsw.C0 : 0;
  // A pseudo-denormal has the value of exponent 1.
  const aExponent = max<u32>(aSe & EXPONENT, u32(aSig >> 63));
  const bExponent = max<u32>(bSe & EXPONENT, u32(bSig >> 63));
  if (aExponent == bExponent && aSig == bSig) return Fsw.C3;
  const less = aExponent != bExponent ? aExponent < bExponent : aSig < bSig;
  return less != ((aSe & SIGN) != 0) ? Fsw.C0 : 0;
}
