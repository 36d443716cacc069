/**
 * x87 instructions as they usually are: every exception masked and none pending, 64 bits to nearest, registers that are
 * used not empty, normal numbers, a normal result. Each function carries its instruction out and returns true, or has done
 * nothing: then the instruction goes the long way.
 */

import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';
import { divide, EXPONENT, Fcw, Fsw, INTEGER_BIT, isNormal, low, SIGN } from '../softfloat/float80';
import { highProduct } from '../softfloat/high-product';

const FCW: usize = Layout.STATE + X86.FCW;
const FSW: usize = Layout.STATE + X86.FSW;
const FC1: usize = Layout.STATE + X86.FC1;
const FTW: usize = Layout.STATE + X86.FTW;
const FTOP: usize = Layout.STATE + X86.FTOP;
const ST: usize = Layout.STATE + X86.ST;

const ASKED: u32 = Fcw.PRECISION | Fcw.ROUNDING | Fsw.EXCEPTIONS;
const USUAL: u32 = Fcw.PRECISION | Fsw.EXCEPTIONS;

/** ModRM.reg of D8: what an arithmetic instruction does. */
export const enum Operation {
  Add,
  Mul,
  Com,
  Comp,
  Sub,
  Subr,
  Div,
  Divr,
}

// @ts-ignore: decorator
@inline
function usual(): bool {
  // not both at once, since a processor waits long for a load that is wider than the store before it
  return ((load<u32>(FCW) & ASKED) == USUAL) & ((load<u32>(FSW) & Fsw.ES) == 0);
}
// @ts-ignore: decorator
@inline
function full(number: u32): bool {
  return ((load<u32>(FTW) >> (number << 1)) & 3) != 3;
}
// @ts-ignore: decorator
@inline
function place(number: u32): usize {
  return ST + (number << 4);
}
// @ts-ignore: decorator
@inline
export function clearC1(): void {
  store<u32>(FC1, 0);
}
/** `top`: the top that is popped. */
// @ts-ignore: decorator
@inline
function popFrom(top: u32): void {
  store<u32>(FTW, load<u32>(FTW) | (3 << (top << 1)));
  store<u32>(FTOP, (top + 1) & 7);
}
// @ts-ignore: decorator
@inline
function pushTo(number: u32, sig: u64, se: u32): void {
  store<u32>(FTW, load<u32>(FTW) & ~(3 << (number << 1)));
  store<u64>(place(number), sig);
  store<u32>(place(number), se, 8);
  store<u32>(FTOP, number);
  clearC1();
}

/** a op b into the register at `to`. What depends on the operands' bits is computed without branches, which would be mispredicted. */
// @ts-ignore: decorator
@inline
function operate(operation: u32, to: usize, aSig: u64, aSe: u32, bSig: u64, bSe: u32): bool {
  if (!(isNormal(aSig, aSe) & isNormal(bSig, bSe))) return false;
  let sign = (aSe ^ bSe) & SIGN;
  let exponent = i32(aSe & EXPONENT);
  let other = i32(bSe & EXPONENT);
  let sig: u64;
  let lower: u64;
  if (operation == Operation.Mul) {
    sig = highProduct(aSig, bSig);
    lower = aSig * bSig;
    const shift = (sig >> 63) ^ 1;
    sig = (sig << shift) | ((lower >> 1) >> (63 - shift));
    lower <<= shift;
    exponent += other - 0x3ffe - i32(shift);
  } else if (operation < u32(Operation.Div)) {
    const differ = (sign != 0) != (operation != Operation.Add);
    let distance = exponent - other;
    // of a difference with a and b exchanged the sign is the other one
    const swapped = (distance < 0) | ((distance == 0) & (aSig < bSig));
    sign = select<u32>(
      bSe ^ select<u32>(SIGN, 0, operation == Operation.Sub),
      aSe ^ select<u32>(SIGN, 0, operation == Operation.Subr),
      swapped,
    ) & SIGN;
    sig = select<u64>(bSig, aSig, swapped);
    let small = select<u64>(aSig, bSig, swapped);
    exponent = select<i32>(other, exponent, swapped);
    distance = select<i32>(-distance, distance, swapped);
    if (distance > 63) return false;
    lower = (small << 1) << (63 - distance);
    small >>= distance;
    if (differ) {
      sig -= small + u64(lower != 0);
      lower = 0 - lower;
      if (sig == 0) return false;
      const shift = clz<u64>(sig);
      sig = (sig << shift) | ((lower >> 1) >> (63 - shift));
      lower <<= shift;
      exponent -= i32(shift);
    } else {
      sig += small;
      const carry = u64(sig < small);
      lower = (sig << 63 & (0 - carry)) | (lower >> carry) | (lower & carry);
      sig = (sig >> carry) | (carry << 63);
      exponent += i32(carry);
    }
  } else {
    let divisor = bSig;
    sig = aSig;
    if (operation == Operation.Divr) {
      divisor = aSig;
      sig = bSig;
      const swapped = exponent;
      exponent = other;
      other = swapped;
    }
    exponent += 0x3ffe - other;
    lower = 0;
    if (sig >= divisor) {
      lower = sig << 63;
      sig >>= 1;
      exponent++;
    }
    sig = divide(sig, lower, divisor);
    const rest = low();
    const beyond = divisor - rest;
    // the remainder against half the divisor, as the bits that follow the quotient
    lower = rest == 0 ? 0 : rest == beyond ? INTEGER_BIT : rest > beyond ? INTEGER_BIT | 1 : 1;
  }
  if (u32(exponent - 1) >= 0x7ffd) return false;
  const up = (lower >> 63) & (u64(lower << 1 != 0) | sig) & 1;
  sig += up;
  if (up & u64(sig == 0)) {
    sig = INTEGER_BIT;
    exponent++;
  }
  store<u32>(FC1, u32(up) << 9);
  if (lower != 0) {
    const status = load<u32>(FSW);
    if ((status & Fsw.PE) == 0) store<u32>(FSW, status | Fsw.PE);
  }
  store<u64>(to, sig);
  store<u32>(to, sign | u32(exponent), 8);
  return true;
}

/** ST(destination) ← ST(destination) op ST(source). */
export function quickArithmetic(operation: u32, registers: u32, pops: u32): bool {
  const top = load<u32>(FTOP);
  const destination = (top + registers) & 7;
  const source = (top + (registers >> 3)) & 7;
  if (!(usual() & full(destination) & full(source))) return false;
  const a = place(destination);
  const b = place(source);
  if (!operate(operation, a, load<u64>(a), load<u16>(a, 8), load<u64>(b), load<u16>(b, 8))) return false;
  if (pops != 0) popFrom(top);
  return true;
}

// For x87-known.ts, which see: of the conditions only the control word and empty registers are left.

// @ts-ignore: decorator
@inline
function toNearest(): bool {
  return (load<u32>(FCW) & (Fcw.PRECISION | Fcw.ROUNDING)) == Fcw.PRECISION;
}
// @ts-ignore: decorator
@inline
export function quickArithmeticAt(operation: u32, destination: u32, source: u32): bool {
  if (!(toNearest() & full(destination) & full(source))) return false;
  const a = place(destination);
  const b = place(source);
  return operate(operation, a, load<u64>(a), load<u16>(a, 8), load<u64>(b), load<u16>(b, 8));
}
// @ts-ignore: decorator
@inline
function withKnownTop(operation: u32, top: u32, sig: u64, se: u32): bool {
  if (!(toNearest() & full(top))) return false;
  const a = place(top);
  return operate(operation, a, load<u64>(a), load<u16>(a, 8), sig, se);
}
export function quickTopF64(bits: u64, operation: u32, top: u32): bool {
  return isNormalF64(bits) && withKnownTop(operation, top, sigOfF64(bits), seOfF64(bits));
}
export function quickTopF32(bits: u32, operation: u32, top: u32): bool {
  return isNormalF32(bits) && withKnownTop(operation, top, sigOfF32(bits), seOfF32(bits));
}
// @ts-ignore: decorator
@inline
function loadInto(number: u32, sig: u64, se: u32): bool {
  store<u64>(place(number), sig);
  store<u32>(place(number), se, 8);
  clearC1();
  return true;
}
export function quickLoadF64(bits: u64, number: u32): bool {
  if (full(number)) return false;
  if (bits << 1 == 0) return loadInto(number, 0, u32(bits >> 48));
  return isNormalF64(bits) && loadInto(number, sigOfF64(bits), seOfF64(bits));
}
export function quickLoadF32(bits: u32, number: u32): bool {
  return !full(number) && isNormalF32(bits) && loadInto(number, sigOfF32(bits), seOfF32(bits));
}

/** ST(0) ← ST(0) op the number. */
// @ts-ignore: decorator
@inline
function withTop(operation: u32, sig: u64, se: u32): bool {
  const top = load<u32>(FTOP);
  if (!(usual() & full(top)) || (operation & ~1) == Operation.Com) return false;
  const a = place(top);
  return operate(operation, a, load<u64>(a), load<u16>(a, 8), sig, se);
}
// @ts-ignore: decorator
@inline
function seOfF64(bits: u64): u32 {
  return (u32(bits >> 48) & SIGN) | ((u32(bits >> 52) & 0x7ff) + 0x3c00);
}
// @ts-ignore: decorator
@inline
function sigOfF64(bits: u64): u64 {
  return INTEGER_BIT | (bits << 11);
}
// @ts-ignore: decorator
@inline
function isNormalF64(bits: u64): bool {
  return (u32(bits >> 52) & 0x7ff) - 1 < 0x7fe;
}
// @ts-ignore: decorator
@inline
function seOfF32(bits: u32): u32 {
  return ((bits >> 16) & SIGN) | (((bits >> 23) & 0xff) + 0x3f80);
}
// @ts-ignore: decorator
@inline
function sigOfF32(bits: u32): u64 {
  return INTEGER_BIT | (u64(bits) << 40);
}
// @ts-ignore: decorator
@inline
function isNormalF32(bits: u32): bool {
  return ((bits >> 23) & 0xff) - 1 < 0xfe;
}

export function quickArithmeticF64(bits: u64, operation: u32): bool {
  return isNormalF64(bits) && withTop(operation, sigOfF64(bits), seOfF64(bits));
}
export function quickArithmeticF32(bits: u32, operation: u32): bool {
  return isNormalF32(bits) && withTop(operation, sigOfF32(bits), seOfF32(bits));
}

// @ts-ignore: decorator
@inline
function push(sig: u64, se: u32): bool {
  const number = (load<u32>(FTOP) + 7) & 7;
  if (full(number)) return false;
  pushTo(number, sig, se);
  return true;
}
export function quickPushF64(bits: u64): bool {
  if (bits << 1 == 0) return push(0, u32(bits >> 48));
  return isNormalF64(bits) && push(sigOfF64(bits), seOfF64(bits));
}
export function quickPushF32(bits: u32): bool {
  return isNormalF32(bits) && push(sigOfF32(bits), seOfF32(bits));
}
export function quickPushSt(i: u32): bool {
  const source = (load<u32>(FTOP) + i) & 7;
  if (!(usual() & full(source))) return false;
  return push(load<u64>(place(source)), load<u16>(place(source), 8));
}

/** FST ST(i) and FSTP ST(i) */
export function quickCopy(i: u32, pops: u32): bool {
  const top = load<u32>(FTOP);
  const to = (top + i) & 7;
  if (!(usual() & full(top))) return false;
  store<u64>(place(to), load<u64>(place(top)));
  store<u32>(place(to), load<u16>(place(top), 8), 8);
  store<u32>(FTW, load<u32>(FTW) & ~(3 << (to << 1)));
  clearC1();
  if (pops != 0) popFrom(top);
  return true;
}

export function quickExchange(i: u32): bool {
  const top = load<u32>(FTOP);
  const other = (top + i) & 7;
  if (!(usual() & full(top) & full(other))) return false;
  const sig = load<u64>(place(top));
  const se = load<u16>(place(top), 8);
  store<u64>(place(top), load<u64>(place(other)));
  store<u32>(place(top), load<u16>(place(other), 8), 8);
  store<u64>(place(other), sig);
  store<u32>(place(other), se, 8);
  clearC1();
  return true;
}

/** C3 and C0 of comparing ST(0) with ST(i), −1 if it is not done; pops, but leaves the status word. */
export function quickCompare(i: u32, pops: u32): i32 {
  const top = load<u32>(FTOP);
  const other = (top + i) & 7;
  if (!(usual() & full(top) & full(other))) return -1;
  const aSig = load<u64>(place(top));
  const bSig = load<u64>(place(other));
  const aSe = load<u16>(place(top), 8);
  const bSe = load<u16>(place(other), 8);
  if (!(isNormal(aSig, aSe) & isNormal(bSig, bSe))) return -1;
  const negative = (aSe & SIGN) != 0;
  let codes: i32;
  if (aSe == bSe) codes = aSig == bSig ? Fsw.C3 : aSig < bSig != negative ? Fsw.C0 : 0;
  else codes = ((aSe ^ bSe) & SIGN) == 0 ? (aSe < bSe != negative ? Fsw.C0 : 0) : negative ? Fsw.C0 : 0;
  if (pops != 0) {
    popFrom(top);
    if (pops == 2) popFrom((top + 1) & 7);
  }
  return codes;
}

/** Flags that quickStoreF64 found, to be merged into the status word once the value is stored. */
let storeFlags: u32 = 0;
export function quickStoreFlags(): u32 {
  return storeFlags;
}
let storeBits: u64 = 0;
export function quickStoreBits(): u64 {
  return storeBits;
}
/** ST(0) as a double. */
export function quickStoreF64(): bool {
  const top = load<u32>(FTOP);
  if (!(usual() & full(top))) return false;
  const sig = load<u64>(place(top));
  const se = load<u16>(place(top), 8);
  const exponent = (se & EXPONENT) - 0x3c00;
  if (i64(sig) >= 0 || exponent - 1 >= 0x7fd) return false;
  const fraction = sig & 0x7ff;
  let bits = (u64(exponent) << 52) | ((sig >> 11) & 0xfffffffffffff);
  storeFlags = fraction != 0 ? Fsw.PE : 0;
  if (fraction > 0x400 - (bits & 1)) {
    bits++;
    storeFlags = Fsw.PE | Fsw.C1;
  }
  storeBits = bits | (u64(se & SIGN) << 48);
  return true;
}

/** FCHS, FABS, FLD1 and FLDZ: those of D9 E0…EF that are usual. */
export function quickD9(number: u32): bool {
  if (!usual()) return false;
  if (number == 0xe8) return push(INTEGER_BIT, 0x3fff);
  if (number == 0xee) return push(0, 0);
  const top = load<u32>(FTOP);
  if (number > 0xe1 || number < 0xe0 || !full(top)) return false;
  const se = load<u16>(place(top), 8);
  store<u32>(place(top), number == 0xe0 ? se ^ SIGN : se & EXPONENT, 8);
  clearC1();
  return true;
}
