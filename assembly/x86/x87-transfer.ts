/** Loads, stores and moves between registers (SDM volume 1, 8.3.3). A helper answers as those of x87.ts. */
import { checkRead, guestLoad } from '../memory';
import {
  clearFlags,
  controlWord,
  EXPONENT,
  Fcw,
  Fsw,
  isNan,
  QUIET_BIT,
  Rounding,
  raise,
  raised,
  resultSe,
  resultSig,
  setResult,
} from '../softfloat/float80';
import { fromF32, fromF64, fromI64, isDenormalF32, isDenormalF64, toF32, toF64, toInteger } from '../softfloat/float80-convert';
import {
  quickCopy,
  quickExchange,
  quickPushF32,
  quickPushF64,
  quickPushSt,
  quickStoreBits,
  quickStoreF64,
  quickStoreFlags,
} from './x87-quick';
import {
  deliverUnderflow,
  fill,
  free,
  isEmpty,
  pending,
  physical,
  pop,
  push,
  Status,
  seOf,
  setTop,
  settle,
  settleQuiet,
  sigOf,
  underflow,
  write,
  writeIndefinite,
} from './x87-stack';

/** A denormal operand does not keep FLD from loading, not even unmasked. */
export function pushResult(): void {
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
