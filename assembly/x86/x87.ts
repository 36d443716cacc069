/**
 * x87 instructions, one helper for each form. Those that wait return a `Status`, but for those with a memory operand
 * that the translation loads or stores: there it has waited before the access. Numbers of operations are the opcode's
 * own bits.
 */
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
import { fromF32, fromF64, fromI64, isDenormalF32, isDenormalF64, roundToInteger } from '../softfloat/float80-convert';
import { extract, extractedExponentSe, extractedExponentSig, remainder, scale } from './float80-remainder';
import { clearC1, Operation, quickArithmetic, quickArithmeticF32, quickArithmeticF64, quickCompare, quickD9 } from './x87-quick';
import {
  deliver,
  deliverUnderflow,
  fill,
  isEmpty,
  pending,
  physical,
  pop,
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
import { pushResult } from './x87-transfer';

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
export * from './x87-transfer';
