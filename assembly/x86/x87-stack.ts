/** The x87 register stack and the exception rules that all instructions share (SDM volume 1, 8.1 and 8.4…8.6). */

import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';
import {
  clearFlags,
  controlWord,
  dropFlags,
  EXPONENT,
  Fsw,
  INTEGER_BIT,
  QUIET_BIT,
  raise,
  raised,
  resultSe,
  resultSig,
  SIGN,
} from '../softfloat/float80';

const FCW: usize = Layout.STATE + X86.FCW;
const FSW: usize = Layout.STATE + X86.FSW;
const FC1: usize = Layout.STATE + X86.FC1;
const FTW: usize = Layout.STATE + X86.FTW;
const FTOP: usize = Layout.STATE + X86.FTOP;
const ST: usize = Layout.STATE + X86.ST;

/** What an instruction's helper answers. */
export const enum Status {
  Done = 0,
  /** An unmasked exception is pending: #MF, nothing was done. */
  Pending = 1,
  /** The memory operand faults, nothing was done. */
  MemoryFault = 2,
}

export function pending(): bool {
  return (load<u32>(FSW) & Fsw.ES) != 0;
}

/** Physical number of ST(i). */
export function physical(i: u32): u32 {
  return (load<u32>(FTOP) + i) & 7;
}
export function isEmpty(number: u32): bool {
  return ((load<u32>(FTW) >> (number << 1)) & 3) == 3;
}
export function sigOf(number: u32): u64 {
  return load<u64>(ST + (number << 4));
}
export function seOf(number: u32): u32 {
  return load<u16>(ST + (number << 4), 8);
}
export function write(number: u32, sig: u64, se: u32): void {
  store<u64>(ST + (number << 4), sig);
  store<u32>(ST + (number << 4), se, 8);
}
export function writeResult(number: u32): void {
  write(number, resultSig(), resultSe());
}
export function writeIndefinite(number: u32): void {
  write(number, INTEGER_BIT | QUIET_BIT, SIGN | EXPONENT);
}
export function fill(number: u32): void {
  store<u32>(FTW, load<u32>(FTW) & ~(3 << (number << 1)));
}
export function free(number: u32): void {
  store<u32>(FTW, load<u32>(FTW) | (3 << (number << 1)));
}
export function setTop(number: u32): void {
  store<u32>(FTOP, number & 7);
}
export function pop(): void {
  const top = load<u32>(FTOP);
  free(top);
  setTop(top + 1);
}

/** Merges what the instruction raised into the status word; `cleared`: condition codes that it writes, C1 always among them. */
export function settle(cleared: u32): void {
  const bits = raised();
  const before = load<u32>(FSW);
  let status = (before & ~cleared) | (bits & ~Fsw.C1);
  if ((bits & Fsw.EXCEPTIONS & ~controlWord()) != 0) status |= Fsw.ES | Fsw.B;
  // what is not stored need not be waited for
  if (status != before) store<u32>(FSW, status);
  store<u32>(FC1, bits & Fsw.C1);
}

/** The status word with TOP and C1. */
export function statusWord(): u32 {
  return (load<u32>(FSW) & ~(Fsw.TOP | Fsw.C1)) | load<u32>(FC1) | (load<u32>(FTOP) << 11);
}
export function setStatusWord(status: u32): void {
  store<u32>(FTOP, (status >> 11) & 7);
  store<u32>(FC1, status & Fsw.C1);
  store<u32>(FSW, status & ~(Fsw.TOP | Fsw.C1));
}

/**
 * Whether an exception that is found before the operation is unmasked: then the operation does not take place
 * (SDM volume 1, 8.5.1…8.5.3), and what it would have raised later is not raised.
 */
export function stopped(): bool {
  if ((raised() & (Fsw.IE | Fsw.DE | Fsw.ZE) & ~controlWord()) == 0) return false;
  dropFlags(Fsw.OE | Fsw.UE | Fsw.PE | ((raised() & Fsw.SF) != 0 ? 0 : Fsw.C1));
  return true;
}

/** #IS for an empty register. True if it is masked. */
export function underflow(): bool {
  raise(Fsw.IE | Fsw.SF);
  return (controlWord() & Fsw.IE) != 0;
}

/** Pushes a value; #IS where the stack is full. */
export function push(sig: u64, se: u32): void {
  const number = physical(7);
  if (!isEmpty(number)) {
    raise(Fsw.IE | Fsw.SF | Fsw.C1);
    if ((controlWord() & Fsw.IE) == 0) return;
    writeIndefinite(number);
  } else {
    fill(number);
    write(number, sig, se);
  }
  setTop(number);
}

/** Writes what an operation left, unless an unmasked exception forbids it, and the status. True if it was written. */
export function deliver(number: u32): bool {
  if (stopped()) {
    settle(Fsw.C1);
    return false;
  }
  writeResult(number);
  settle(Fsw.C1);
  return true;
}

/** An operand was empty: the masked response is the indefinite in `number`. */
export function deliverUnderflow(number: u32): bool {
  const masked = underflow();
  if (masked) {
    writeIndefinite(number);
    fill(number);
  }
  settle(Fsw.C1);
  return masked;
}

/** Ends an instruction that only clears C1. */
export function settleQuiet(): void {
  clearFlags();
  settle(Fsw.C1);
}

/** Sets the control word; whether an exception is pending follows from the new masks. */
export function setControl(value: u32): void {
  const control = (value & 0x1f7f) | 0x40;
  store<u32>(FCW, control);
  const status = load<u32>(FSW) & ~(Fsw.ES | Fsw.B);
  store<u32>(FSW, (status & Fsw.EXCEPTIONS & ~control) != 0 ? status | Fsw.ES | Fsw.B : status);
}
