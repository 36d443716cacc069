/** Conversions between the double extended-precision format and the other formats of the x87 FPU (SDM volume 1, 4.8 and 8.2). */
import {
  controlWord,
  dropFlags,
  EXPONENT,
  Fcw,
  Fsw,
  INTEGER_BIT,
  isDenormal,
  isNan,
  isSpecial,
  normalExponent,
  normalSignificand,
  propagateOne,
  QUIET_BIT,
  Rounding,
  raise,
  raised,
  resultSe,
  resultSig,
  SIGN,
  setResult,
} from './float80';

export function isDenormalF32(bits: u32): bool {
  return (bits & 0x7f800000) == 0 && bits << 1 != 0;
}
export function isDenormalF64(bits: u64): bool {
  return (bits & 0x7ff0000000000000) == 0 && bits << 1 != 0;
}

/** The same value in extended precision, a signaling NaN still signaling. */
export function fromF32(bits: u32): void {
  const sign = (bits >> 16) & SIGN;
  const exponent = (bits >> 23) & 0xff;
  const fraction = (u64(bits) << 41) >> 1;
  if (exponent == 0) {
    const shift = u32(clz<u64>(fraction));
    if (fraction == 0) setResult(0, sign);
    else setResult(fraction << shift, sign | (0x3fff - 126 - shift));
  } else setResult(fraction | INTEGER_BIT, sign | (exponent == 0xff ? EXPONENT : exponent + (0x3fff - 127)));
}

export function fromF64(bits: u64): void {
  const sign = u32(bits >> 48) & SIGN;
  const exponent = u32(bits >> 52) & 0x7ff;
  const fraction = (bits << 12) >> 1;
  if (exponent - 1 < 0x7fe) setResult(fraction | INTEGER_BIT, sign | (exponent + (0x3fff - 1023)));
  else fromF64Special(sign, exponent, fraction);
}
function fromF64Special(sign: u32, exponent: u32, fraction: u64): void {
  if (exponent != 0) setResult(fraction | INTEGER_BIT, sign | EXPONENT);
  else if (fraction == 0) setResult(0, sign);
  else {
    const shift = u32(clz<u64>(fraction));
    setResult(fraction << shift, sign | (0x3fff - 1022 - shift));
  }
}

export function fromI64(value: i64): void {
  if (value == 0) {
    setResult(0, 0);
    return;
  }
  const magnitude = value < 0 ? 0 - u64(value) : u64(value);
  const shift = u32(clz<u64>(magnitude));
  setResult(magnitude << shift, (value < 0 ? SIGN : 0) | (0x3fff + 63 - shift));
}

/** Whether a value with these discarded bits (the point before the top bit) is rounded away from zero. */
function roundsUp(odd: bool, fraction: u64, negative: bool, rounding: u32): bool {
  if (rounding == Rounding.NEAREST) return i64(fraction) < 0 && (fraction << 1 != 0 || odd);
  return fraction != 0 && rounding != Rounding.ZERO && (rounding == Rounding.UP) != negative;
}

/**
 * A binary format of `width` significand bits (integer bit included) and exponents up to `top` (its all-ones value),
 * in the format's bits. An unmasked overflow or underflow only sets its flag.
 */
function toBinary(sig: u64, se: u32, width: u32, top: i32): u64 {
  const control = controlWord();
  const rounding = control & Fcw.ROUNDING;
  const negative = (se & SIGN) != 0;
  const drop = 64 - width;
  const infinity = u64(top) << (width - 1);
  const sign = u64(negative) << (width == 24 ? 31 : 63);
  if ((se & EXPONENT) == EXPONENT || isSpecial(sig, se)) {
    if (isSpecial(sig, se)) {
      if (!isNan(sig, se) || i64(sig) >= 0) {
        raise(Fsw.IE);
        return (width == 24 ? 0x80000000 : INTEGER_BIT) | infinity | ((<u64>1) << (width - 2));
      }
      if ((sig & QUIET_BIT) == 0) raise(Fsw.IE);
      return sign | infinity | (((sig | QUIET_BIT) << 1) >> (drop + 1));
    }
    return sign | infinity;
  }
  if (sig == 0) return sign;
  const exponent = normalExponent(sig, se) - 0x3fff + (top >> 1);
  const s = normalSignificand(sig);
  let kept = s >> drop;
  let fraction = s << width;
  let up = roundsUp((kept & 1) != 0, fraction, negative, rounding);
  const carries = up && kept + 1 == (<u64>1) << width;
  if (exponent + i32(carries) >= top) {
    raise(Fsw.OE);
    if ((control & Fsw.OE) == 0) return 0;
    raise(Fsw.PE);
    if (rounding == Rounding.NEAREST || (rounding == Rounding.UP ? !negative : rounding == Rounding.DOWN && negative)) {
      raise(Fsw.C1);
      return sign | infinity;
    }
    return sign | (infinity - 1);
  }
  let packed: u64;
  if (exponent <= 0) {
    const tiny = exponent + i32(carries) <= 0;
    if (tiny && (control & Fsw.UE) == 0) {
      raise(Fsw.UE);
      return 0;
    }
    const shift = u32(1 - exponent) + drop;
    if (shift < 64) {
      kept = s >> shift;
      fraction = s << (64 - shift);
    } else {
      kept = 0;
      fraction = shift == 64 ? s : 1;
    }
    up = roundsUp((kept & 1) != 0, fraction, negative, rounding);
    if (tiny && fraction != 0) raise(Fsw.UE);
    packed = kept;
  } else packed = (u64(exponent - 1) << (width - 1)) + kept;
  if (fraction != 0) {
    raise(Fsw.PE);
    if (up) {
      raise(Fsw.C1);
      packed++;
    }
  }
  return sign | packed;
}

export function toF32(sig: u64, se: u32): u32 {
  return u32(toBinary(sig, se, 24, 0xff));
}
export function toF64(sig: u64, se: u32): u64 {
  return toBinary(sig, se, 53, 0x7ff);
}

let rounded: u64 = 0;
/**
 * Rounds |x| < 2^64 to an integer in `rounded` and raises PE and C1. False where the magnitude needs more than 64 bits
 * or x is no number; then nothing is raised.
 */
function magnitude(sig: u64, se: u32, rounding: u32): bool {
  const exponent = i32(se & EXPONENT) - 0x3fff;
  if (exponent > 63 || isSpecial(sig, se)) return false;
  let kept = sig;
  let fraction: u64 = 0;
  if (exponent < 63) {
    if (exponent >= 0) {
      kept = sig >> (63 - exponent);
      fraction = sig << (exponent + 1);
    } else {
      kept = 0;
      fraction = exponent == -1 ? sig : u64(sig != 0);
    }
  }
  if (fraction != 0 && roundsUp((kept & 1) != 0, fraction, (se & SIGN) != 0, rounding)) {
    if (++kept == 0) return false;
    rounded = kept;
    raise(Fsw.PE | Fsw.C1);
  } else {
    rounded = kept;
    if (fraction != 0) raise(Fsw.PE);
  }
  return true;
}

/** Signed integer of `bits` bits; the integer indefinite (only the top bit set) and IE where it does not fit. */
export function toInteger(sig: u64, se: u32, bits: i32, rounding: u32): i64 {
  const limit = (<u64>1) << (bits - 1);
  const before = raised();
  const negative = (se & SIGN) != 0;
  if (!magnitude(sig, se, rounding) || rounded > (negative ? limit : limit - 1)) {
    restoreInexact(before);
    raise(Fsw.IE);
    return -i64(limit);
  }
  return negative ? 0 - i64(rounded) : i64(rounded);
}
function restoreInexact(before: u32): void {
  dropFlags((Fsw.PE | Fsw.C1) & ~before);
}

const BCD_LIMIT: u64 = 1000000000000000000;
/** Packed BCD: low eight bytes of the magnitude here, sign and the two high digits in `bcdHigh()`. */
export function toBcd(sig: u64, se: u32, rounding: u32): u64 {
  const before = raised();
  if (!magnitude(sig, se, rounding) || rounded >= BCD_LIMIT) {
    restoreInexact(before);
    raise(Fsw.IE);
    highDigits = 0xffff;
    return 0xc000000000000000;
  }
  let rest = rounded;
  let digits: u64 = 0;
  for (let i: u32 = 0; i < 64; i += 4) {
    digits |= (rest % 10) << i;
    rest /= 10;
  }
  highDigits = (se & SIGN) | (u32(rest / 10) << 4) | u32(rest % 10);
  return digits;
}
let highDigits: u32 = 0;
export function bcdHigh(): u32 {
  return highDigits;
}
export function fromBcd(digits: u64, high: u32): void {
  let value: u64 = ((high >> 4) & 15) * 10 + (high & 15);
  for (let i: i32 = 60; i >= 0; i -= 4) value = value * 10 + ((digits >> i) & 15);
  fromI64(i64(value));
  if ((high & SIGN) != 0) setResult(resultSig(), resultSe() | SIGN);
}

/** FRNDINT */
export function roundToInteger(sig: u64, se: u32): void {
  if (isSpecial(sig, se)) {
    propagateOne(sig, se);
    return;
  }
  const exponent = i32(se & EXPONENT) - 0x3fff;
  if (exponent >= 63 || sig == 0) {
    setResult(sig, se);
    return;
  }
  if (isDenormal(sig, se)) raise(Fsw.DE);
  magnitude(sig, se, controlWord() & Fcw.ROUNDING);
  if (rounded == 0) setResult(0, se & SIGN);
  else {
    const shift = u32(clz<u64>(rounded));
    setResult(rounded << shift, (se & SIGN) | (0x3fff + 63 - shift));
  }
}
