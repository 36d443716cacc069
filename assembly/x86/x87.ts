/**
 * x87 instructions, one helper for each form. Those that wait return a `Status`, but for those with a memory operand
 * that the translation loads or stores: there it has waited before the access. Numbers of operations are the opcode's
 * own bits.
 */
import { checkRead, guestLoad } from '../memory';
import {
  add,
  clearFlags,
  compare,
  controlWord,
  div,
  dropFlags,
  EXPONENT,
  Fcw,
  Fsw,
  INTEGER_BIT,
  isDenormal,
  isInfinity,
  isNan,
  isUnsupported,
  mul,
  QUIET_BIT,
  Rounding,
  raise,
  raised,
  resultSe,
  resultSig,
  SIGN,
  setResult,
  sqrt,
  subtract,
} from '../softfloat/float80';
import {
  fromF32,
  fromF64,
  fromI64,
  isDenormalF32,
  isDenormalF64,
  roundToInteger,
  toF32,
  toF64,
  toInteger,
} from '../softfloat/float80-convert';
import { extract, extractedExponentSe, extractedExponentSig, remainder, scale } from './float80-remainder';
import {
  clearC1,
  Operation,
  quickArithmetic,
  quickArithmeticF32,
  quickArithmeticF64,
  quickCompare,
  quickCopy,
  quickD9,
  quickExchange,
  quickPushF32,
  quickPushF64,
  quickPushSt,
  quickStoreBits,
  quickStoreF64,
  quickStoreFlags,
} from './x87-quick';
import {
  fill,
  free,
  isEmpty,
  pending,
  physical,
  pop,
  push,
  Status,
  seOf,
  setControl,
  setTop,
  settle,
  settleQuiet,
  sigOf,
  stopped,
  underflow,
  write,
  writeIndefinite,
  writeResult,
} from './x87-stack';
import { transcendental } from './x87-transcendental';

function operate(operation: u32, aSig: u64, aSe: u32, bSig: u64, bSe: u32): void {
  switch (operation) {
    case Operation.Add:
      add(aSig, aSe, bSig, bSe);
      return;
    case Operation.Mul:
      mul(aSig, aSe, bSig, bSe);
      return;
    case Operation.Sub:
      subtract(aSig, aSe, bSig, bSe);
      return;
    case Operation.Subr:
      subtract(bSig, bSe, aSig, aSe);
      return;
    case Operation.Div:
      div(aSig, aSe, bSig, bSe);
      return;
    default:
      div(bSig, bSe, aSig, aSe);
  }
}

/** Writes what an operation left, unless an unmasked exception forbids it, and the status. True if it was written. */
function deliver(number: u32): bool {
  if (stopped()) {
    settle(Fsw.C1);
    return false;
  }
  writeResult(number);
  settle(Fsw.C1);
  return true;
}

/** An operand was empty: the masked response is the indefinite in `number`. */
function deliverUnderflow(number: u32): bool {
  const masked = underflow();
  if (masked) {
    writeIndefinite(number);
    fill(number);
  }
  settle(Fsw.C1);
  return masked;
}

/** ST(destination) ← ST(destination) op ST(source); `pops` 0 or 1. */
export function x87_arithmetic(operation: u32, registers: u32, pops: u32): u32 {
  if (quickArithmetic(operation, registers, pops)) return Status.Done;
  if (pending()) return Status.Pending;
  clearFlags();
  const destination = physical(registers & 7);
  const source = physical(registers >> 3);
  let done: bool;
  if (isEmpty(destination) || isEmpty(source)) done = deliverUnderflow(destination);
  else {
    operate(operation, sigOf(destination), seOf(destination), sigOf(source), seOf(source));
    done = deliver(destination);
  }
  if (done && pops != 0) pop();
  return Status.Done;
}

/** ST(0) with the memory operand in the result registers; `denormal`: it was one in its own format. */
function withMemory(operation: u32, denormal: bool): void {
  const top = physical(0);
  const sig = resultSig();
  const se = resultSe();
  if (operation == Operation.Com || operation == Operation.Comp) {
    compareTop(sig, se, denormal, false, operation - Operation.Com);
    return;
  }
  if (isEmpty(top)) {
    deliverUnderflow(top);
    return;
  }
  operate(operation, sigOf(top), seOf(top), sig, se);
  if (denormal && (raised() & (Fsw.IE | Fsw.ZE)) == 0 && !isNan(resultSig(), resultSe())) raise(Fsw.DE);
  deliver(top);
}

export function x87_arithmetic_f64(bits: u64, operation: u32): void {
  if (quickArithmeticF64(bits, operation)) return;
  clearFlags();
  fromF64(bits);
  withMemory(operation, isDenormalF64(bits));
}
export function x87_arithmetic_f32(bits: u32, operation: u32): void {
  if (quickArithmeticF32(bits, operation)) return;
  clearFlags();
  fromF32(bits);
  withMemory(operation, isDenormalF32(bits));
}
export function x87_arithmetic_i32(value: i32, operation: u32): void {
  clearFlags();
  fromI64(value);
  withMemory(operation, false);
}

// Comparisons.

const CONDITIONS: u32 = Fsw.C0 | Fsw.C1 | Fsw.C2 | Fsw.C3;
const UNORDERED: u32 = Fsw.C0 | Fsw.C2 | Fsw.C3;

function compareTop(sig: u64, se: u32, denormal: bool, quiet: bool, pops: u32): void {
  const top = physical(0);
  let codes: u32 = UNORDERED;
  if (isEmpty(top)) {
    underflow();
  } else {
    codes = compare(sigOf(top), seOf(top), sig, se, quiet);
    if (denormal && codes != UNORDERED) raise(Fsw.DE);
  }
  finishCompare(codes, pops);
}

function finishCompare(codes: u32, pops: u32): void {
  const done = !stopped();
  raise(codes);
  settle(CONDITIONS);
  if (done && pops != 0) {
    pop();
    if (pops == 2) pop();
  }
}

/** FCOM, FUCOM and their popping forms: ST(0) with ST(i). */
export function x87_compare(i: u32, quiet: u32, pops: u32): u32 {
  const found = quickCompare(i, pops);
  if (found >= 0) {
    clearFlags();
    raise(found);
    settle(CONDITIONS);
    return Status.Done;
  }
  if (pending()) return Status.Pending;
  clearFlags();
  const top = physical(0);
  const other = physical(i);
  let codes: u32 = UNORDERED;
  if (isEmpty(top) || isEmpty(other)) underflow();
  else codes = compare(sigOf(top), seOf(top), sigOf(other), seOf(other), quiet != 0);
  finishCompare(codes, pops);
  return Status.Done;
}

/**
 * FCOMI, FUCOMI and their popping forms: ZF, PF and CF at their places in EFLAGS, or bit 16 if an exception is pending.
 * As on the processor that the tests ran on, an unmasked invalid operation sets them, too.
 */
export function x87_compare_flags(i: u32, quiet: u32, pops: u32): u32 {
  const found = quickCompare(i, pops);
  if (found >= 0) {
    clearC1();
    return u32(found) >> 8;
  }
  if (pending()) return 0x10000;
  clearFlags();
  const top = physical(0);
  const other = physical(i);
  let codes: u32 = UNORDERED;
  if (isEmpty(top) || isEmpty(other)) underflow();
  else codes = compare(sigOf(top), seOf(top), sigOf(other), seOf(other), quiet != 0);
  const done = !stopped();
  settle(Fsw.C1);
  if (done && pops != 0) pop();
  return codes >> 8;
}

// Loads.

/** A denormal operand does not keep FLD from loading, not even unmasked. */
function pushResult(): void {
  if ((raised() & Fsw.IE & ~controlWord()) == 0) push(resultSig(), resultSe());
  settle(Fsw.C1);
}

export function x87_push_f64(bits: u64): void {
  if (quickPushF64(bits)) return;
  clearFlags();
  fromF64(bits);
  if (resultSe() << 17 == EXPONENT << 17 || isDenormalF64(bits)) pushChecked(isDenormalF64(bits));
  else pushResult();
}
export function x87_push_f32(bits: u32): void {
  if (quickPushF32(bits)) return;
  clearFlags();
  fromF32(bits);
  pushChecked(isDenormalF32(bits));
}
/** A full stack comes before a signaling NaN or a denormal. */
function pushChecked(denormal: bool): void {
  const sig = resultSig();
  const se = resultSe();
  if (isEmpty(physical(7))) {
    if (denormal) raise(Fsw.DE);
    if (isNan(sig, se) && (sig & QUIET_BIT) == 0) {
      raise(Fsw.IE);
      setResult(sig | QUIET_BIT, se);
    }
  }
  pushResult();
}
export function x87_push_i32(value: i32): void {
  x87_push_i64(value);
}
export function x87_push_i64(value: i64): void {
  clearFlags();
  fromI64(value);
  pushResult();
}
export function x87_push_f80(sig: u64, se: u32): void {
  clearFlags();
  setResult(sig, se);
  pushResult();
}
/** FLD ST(i) */
export function x87_push_st(i: u32): u32 {
  if (quickPushSt(i)) return Status.Done;
  if (pending()) return Status.Pending;
  clearFlags();
  const source = physical(i);
  if (isEmpty(source)) {
    const destination = physical(7);
    if (deliverUnderflow(destination)) setTop(destination);
    return Status.Done;
  }
  setResult(sigOf(source), seOf(source));
  pushResult();
  return Status.Done;
}

// Stores: `x87_store_…` gives what is to be stored, then, once it is, `x87_stored` changes status and stack.

/** An unmasked exception: memory keeps what it holds, and nothing is popped. */
let kept: bool = false;

/** The memory operand as it is, 0 where it cannot be read: the store will fault then. */
function keep<T>(address: u32): T {
  kept = true;
  return checkRead(address, sizeof<T>()) ? guestLoad<T>(address) : 0;
}

function unmasked(bits: u32): bool {
  return (raised() & bits & ~controlWord()) != 0;
}
const NO_STORE: u32 = Fsw.IE | Fsw.OE | Fsw.UE;

export function x87_store_f64(address: u32): u64 {
  clearFlags();
  kept = false;
  if (quickStoreF64()) {
    raise(quickStoreFlags());
    return quickStoreBits();
  }
  const top = physical(0);
  let bits: u64 = 0xfff8000000000000;
  if (isEmpty(top)) underflow();
  else bits = toF64(sigOf(top), seOf(top));
  return unmasked(NO_STORE) ? keep<u64>(address) : bits;
}
export function x87_store_f32(address: u32): u32 {
  clearFlags();
  kept = false;
  const top = physical(0);
  let bits: u32 = 0xffc00000;
  if (isEmpty(top)) underflow();
  else bits = toF32(sigOf(top), seOf(top));
  return unmasked(NO_STORE) ? keep<u32>(address) : bits;
}
/** As the control word says, or towards zero. */
function roundingOf(truncate: u32): u32 {
  return truncate != 0 ? Rounding.ZERO : controlWord() & Fcw.ROUNDING;
}
/** FIST, FISTP and (`truncate`) FISTTP with `size` 2 or 4. */
export function x87_store_i32(address: u32, size: u32, truncate: u32): i32 {
  clearFlags();
  kept = false;
  const top = physical(0);
  const bits: i32 = size == 2 ? 16 : 32;
  let value: i32 = size == 2 ? -0x8000 : i32.MIN_VALUE;
  if (isEmpty(top)) underflow();
  else value = i32(toInteger(sigOf(top), seOf(top), bits, roundingOf(truncate)));
  if (!unmasked(NO_STORE)) return value;
  return size == 4 ? keep<i32>(address) : keep<i16>(address);
}
export function x87_store_i64(address: u32, truncate: u32): i64 {
  clearFlags();
  kept = false;
  const top = physical(0);
  let value: i64 = i64.MIN_VALUE;
  if (isEmpty(top)) underflow();
  else value = toInteger(sigOf(top), seOf(top), 64, roundingOf(truncate));
  return unmasked(NO_STORE) ? keep<u64>(address) : value;
}
export function x87_stored(pops: u32): void {
  settle(Fsw.C1);
  if (pops != 0 && !kept) pop();
}

/** FST ST(i) and FSTP ST(i) */
export function x87_copy(i: u32, pops: u32): u32 {
  if (quickCopy(i, pops)) return Status.Done;
  if (pending()) return Status.Pending;
  clearFlags();
  const top = physical(0);
  const destination = physical(i);
  let done = true;
  if (isEmpty(top)) done = deliverUnderflow(destination);
  else {
    write(destination, sigOf(top), seOf(top));
    fill(destination);
    settle(Fsw.C1);
  }
  if (done && pops != 0) pop();
  return Status.Done;
}

export function x87_exchange(i: u32): u32 {
  if (quickExchange(i)) return Status.Done;
  if (pending()) return Status.Pending;
  clearFlags();
  const top = physical(0);
  const other = physical(i);
  if (isEmpty(top) || isEmpty(other)) {
    if (!underflow()) {
      settle(Fsw.C1);
      return Status.Done;
    }
    if (isEmpty(top)) {
      writeIndefinite(top);
      fill(top);
    }
    if (isEmpty(other)) {
      writeIndefinite(other);
      fill(other);
    }
  }
  const sig = sigOf(top);
  const se = seOf(top);
  write(top, sigOf(other), seOf(other));
  write(other, sig, se);
  settle(Fsw.C1);
  return Status.Done;
}

/** FCMOVcc: ST(0) ← ST(i) if `condition` is not zero. */
export function x87_move_if(condition: u32, i: u32): u32 {
  if (pending()) return Status.Pending;
  clearFlags();
  const top = physical(0);
  const source = physical(i);
  if (isEmpty(top) || isEmpty(source)) deliverUnderflow(top);
  else {
    if (condition != 0) write(top, sigOf(source), seOf(source));
  }
  return Status.Done;
}

/** FFREE; `pops` 1 for FFREEP. */
export function x87_free(i: u32, pops: u32): u32 {
  if (pending()) return Status.Pending;
  free(physical(i));
  if (pops != 0) pop();
  settleQuiet();
  return Status.Done;
}

// D9 E0…FF: one operand or none.

export function x87_d9(number: u32): u32 {
  if (quickD9(number)) return Status.Done;
  if (pending()) return Status.Pending;
  clearFlags();
  const top = physical(0);
  if (number >= 0xe8 && number <= 0xee) {
    setConstant(number);
    pushResult();
    return Status.Done;
  }
  switch (number) {
    case 0xe5:
      raise(examine(top));
      settle(CONDITIONS);
      return Status.Done;
    case 0xf6:
      setTop(top - 1);
      settleQuiet();
      return Status.Done;
    case 0xf7:
      setTop(top + 1);
      settleQuiet();
      return Status.Done;
    case 0xe4:
      compareTop(0, 0, false, false, 0);
      return Status.Done;
    case 0xf5:
    case 0xf8:
    case 0xfd:
      binary(number, top);
      return Status.Done;
    case 0xf4:
      extractTop(top);
      return Status.Done;
    case 0xf0:
    case 0xf1:
    case 0xf2:
    case 0xf3:
    case 0xf9:
    case 0xfb:
    case 0xfe:
    case 0xff:
      transcendental(number);
      return Status.Done;
  }
  if (isEmpty(top)) {
    deliverUnderflow(top);
    return Status.Done;
  }
  const sig = sigOf(top);
  const se = seOf(top);
  if (number == 0xe0) setResult(sig, se ^ SIGN);
  else if (number == 0xe1) setResult(sig, se & EXPONENT);
  else if (number == 0xfa) sqrt(sig, se);
  else roundToInteger(sig, se);
  deliver(top);
  return Status.Done;
}

/** FXAM (SDM volume 2): the class in C3, C2, C0 and the sign in C1. */
function examine(top: u32): u32 {
  const sig = sigOf(top);
  const se = seOf(top);
  const sign: u32 = (se & SIGN) != 0 ? Fsw.C1 : 0;
  if (isEmpty(top)) return sign | Fsw.C3 | Fsw.C0;
  if (isUnsupported(sig, se)) return sign;
  if (isNan(sig, se)) return sign | Fsw.C0;
  if (isInfinity(sig, se)) return sign | Fsw.C2 | Fsw.C0;
  if (sig == 0) return sign | Fsw.C3;
  if (isDenormal(sig, se)) return sign | Fsw.C3 | Fsw.C2;
  return sign | Fsw.C2;
}

/** FLD1 … FLDZ. The exact values lie beyond 64 bits, so rounding control decides on the last one. */
function setConstant(number: u32): void {
  const rounding = controlWord() & Fcw.ROUNDING;
  const up = u64(rounding == Rounding.UP);
  const down = u64(rounding == Rounding.DOWN || rounding == Rounding.ZERO);
  switch (number) {
    case 0xe8:
      setResult(INTEGER_BIT, 0x3fff);
      return;
    case 0xe9: // log2 10
      setResult(0xd49a784bcd1b8afe + up, 0x4000);
      return;
    case 0xea: // log2 e
      setResult(0xb8aa3b295c17f0bc - down, 0x3fff);
      return;
    case 0xeb: // pi
      setResult(0xc90fdaa22168c235 - down, 0x4000);
      return;
    case 0xec: // log10 2
      setResult(0x9a209a84fbcff799 - down, 0x3ffd);
      return;
    case 0xed: // ln 2
      setResult(0xb17217f7d1cf79ac - down, 0x3ffe);
      return;
    default:
      setResult(0, 0);
  }
}

/** FPREM1, FPREM and FSCALE: ST(0) with ST(1). */
function binary(number: u32, top: u32): void {
  const other = physical(1);
  let cleared: u32 = number == 0xfd ? Fsw.C1 : Fsw.C1 | Fsw.C2;
  if (isEmpty(top) || isEmpty(other)) {
    if (underflow()) {
      writeIndefinite(top);
      fill(top);
    }
  } else {
    if (number == 0xfd) scale(sigOf(top), seOf(top), sigOf(other), seOf(other));
    else if (remainder(sigOf(top), seOf(top), sigOf(other), seOf(other), number == 0xf5)) cleared = CONDITIONS;
    if (!stopped()) writeResult(top);
    else if (number != 0xfd) {
      dropFlags(CONDITIONS);
      cleared = Fsw.C1 | Fsw.C2;
    }
  }
  settle(cleared);
}

function extractTop(top: u32): void {
  const next = physical(7);
  if (isEmpty(top)) {
    if (underflow()) {
      writeIndefinite(top);
      fill(top);
      writeIndefinite(next);
      fill(next);
      setTop(next);
    }
  } else if (!isEmpty(next)) {
    raise(Fsw.IE | Fsw.SF | Fsw.C1);
    if ((controlWord() & Fsw.IE) != 0) {
      writeIndefinite(top);
      writeIndefinite(next);
      setTop(next);
    }
  } else {
    extract(sigOf(top), seOf(top));
    if (!stopped()) {
      write(top, extractedExponentSig(), extractedExponentSe());
      fill(next);
      writeResult(next);
      setTop(next);
    }
  }
  settle(Fsw.C1);
}

// Control.

/** FLDCW; `value` 16 bits. */
export function x87_load_control(value: u32): void {
  setControl(value);
}

export {
  x87_initialize,
  x87_load_bcd,
  x87_load_environment,
  x87_restore,
  x87_save,
  x87_store_bcd,
  x87_store_environment,
  x87_store_f80,
} from './x87-environment';
