/** SSE instructions where WebAssembly's own operations do not do, and those that access memory in their own way. */

import { Vector } from '../../translators/x86/sdm';
import { SseCode } from '../../translators/x86/sse-code';
import { X86 } from '../../translators/x86/state';
import { Mode } from '../../translators/x86/system/state';
import { checkRead, checkWrite, guestLoad, guestStore } from '../memory';
import { Layout } from '../shared/layout';
import {
  approximate,
  begin,
  compare,
  compareScalars,
  compute,
  convert,
  end,
  extreme,
  fromInt32,
  isBelowGrid,
  setMxcsr,
  toInt32,
} from './sse-arithmetic';
import { setControl, setStatusWord, statusWord } from './x87-stack';

function element(vector: usize, n: u32, wide: bool): u64 {
  return wide ? load<u64>(vector + (n << 3)) : u64(load<u32>(vector + (n << 2)));
}
function setElement(vector: usize, n: u32, wide: bool, bits: u64): void {
  if (wide) store<u64>(vector + (n << 3), bits);
  else store<u32>(vector + (n << 2), u32(bits));
}

/** An element of the result, from both operands' elements of this number. */
function elementOf(code: u32, n: u32, a: u64, b: u64, wide: bool): u64 {
  const operation = code & SseCode.OPERATION;
  switch (operation) {
    case SseCode.MIN:
    case SseCode.MAX:
      return extreme(operation, a, b, wide);
    case SseCode.COMPARE:
      return compare((code >> SseCode.PREDICATE_SHIFT) & 7, a, b, wide) ? ~(<u64>0) : 0;
    case SseCode.COMPARE_SCALARS:
      return compareScalars(a, b, wide, (code & SseCode.QUIET) != 0, (code & SseCode.SECOND) != 0);
    case SseCode.ADD_SUB:
      return compute((n & 1) != 0 ? SseCode.ADD : SseCode.SUB, a, b, wide);
    case SseCode.CONVERT:
      return convert(b, wide);
    case SseCode.TO_INT32:
      return u64(toInt32(b, wide, (code & SseCode.TRUNCATE) != 0));
    case SseCode.FROM_INT32:
      return fromInt32(i32(b));
    default:
      return compute(operation, a, b, wide);
  }
}

/** Where an operand lies, by its place in an SseCode. */
function operand(place: u32, wide: bool): usize {
  if (place < <u32>SseCode.VECTOR) return Layout.STATE + X86.XMM + (place << 4);
  if (place == SseCode.VECTOR) return Layout.STATE + X86.SSE_VECTOR;
  return Layout.STATE + (wide ? X86.SSE_DOUBLE : X86.SSE_SINGLE);
}

function anyBelowGrid(vector: usize, count: u32, wide: bool): bool {
  for (let n: u32 = 0; n < count; n++) if (isBelowGrid(element(vector, n, wide), wide)) return true;
  return false;
}

/** The slow path of the instruction in SSE_CODE: see Helper. 1 for #XM. */
export function sse_slow(): u32 {
  const code = load<u32>(Layout.STATE + X86.SSE_CODE);
  const operation = code & SseCode.OPERATION;
  const wide = (code & SseCode.WIDE) != 0;
  const wideResult = operation == SseCode.TO_INT32 || operation == SseCode.FROM_INT32 ? false : operation == SseCode.CONVERT ? !wide : wide;
  const count = (code >> SseCode.COUNT_SHIFT) & 7;
  const left = operand((code >> SseCode.LEFT_SHIFT) & 7, wide);
  const right = operand((code >> SseCode.RIGHT_SHIFT) & SseCode.PLACE, wide);
  v128.store(Layout.SLOW_RESULT, i64x2.splat(0));
  if ((code & SseCode.FIRST) != 0) store<u32>(Layout.STATE + X86.SSE_TINY, 0);
  begin();
  if ((operation == SseCode.ADD || operation == SseCode.SUB) && (code & SseCode.HORIZONTAL) != 0) {
    for (let n: u32 = 0; n < count; n++) {
      const source = n < count >> 1 ? left : right;
      const first = (n << 1) & (count - 1);
      setElement(Layout.SLOW_RESULT, n, wide, compute(operation, element(source, first, wide), element(source, first + 1, wide), wide));
    }
  } else {
    for (let n: u32 = 0; n < count; n++)
      setElement(Layout.SLOW_RESULT, n, wideResult, elementOf(code, n, element(left, n, wide), element(right, n, wide), wide));
  }
  if (operation != SseCode.TO_INT32 && operation != SseCode.FROM_INT32) {
    const hasLeft = operation != SseCode.SQRT && operation != SseCode.CONVERT;
    const tiny = anyBelowGrid(right, count, wide) || anyBelowGrid(Layout.SLOW_RESULT, count, wideResult);
    if (tiny || (hasLeft && anyBelowGrid(left, count, wide))) store<u32>(Layout.STATE + X86.SSE_TINY, 1);
  }
  if (!end()) return 0;
  store<u32>(Layout.EXIT_ARG0, Vector.XM);
  store<u32>(Layout.EXIT_ARG1, 0);
  return 1;
}

/** RCPPS and RSQRTPS: leaves the result in SSE_RESULT. */
export function sse_approximate(code: u32): u32 {
  const result: usize = Layout.STATE + X86.SSE_RESULT;
  const count = (code >> SseCode.COUNT_SHIFT) & 7;
  const root = (code & SseCode.OPERATION) == SseCode.RECIPROCAL_ROOT;
  v128.store(result, v128.load(Layout.VECTOR_A));
  for (let n: u32 = 0; n < count; n++) setElement(result, n, false, approximate(element(Layout.VECTOR_B, n, false), root));
  return 0;
}

/** LDMXCSR; reserved bits are clear. */
export function sse_load_mxcsr(value: u32): void {
  sse_see_mxcsr();
  setMxcsr(value);
}
/** Whoever looks at MXCSR once may do so again. */
export function sse_see_mxcsr(): void {
  if (!PAGED) store<u32>(Layout.STATE + X86.MODE, load<u32>(Layout.STATE + X86.MODE) | Mode.DENORMALS);
}

/**
 * MASKMOVDQU: stores the first `count` bytes of vector A whose byte in B has its top bit set, from the address in
 * SSE_RESULT on. 1 for a memory fault; then nothing was stored.
 */
export function sse_masked_store(count: u32): u32 {
  const address = load<u32>(Layout.STATE + X86.SSE_RESULT);
  for (let n: u32 = 0; n < count; n++) {
    if (load<i8>(Layout.VECTOR_B + n) < 0 && !checkWrite(address + n, 1)) return 1;
  }
  for (let n: u32 = 0; n < count; n++) {
    if (load<i8>(Layout.VECTOR_B + n) < 0) guestStore<u8>(address + n, load<u8>(Layout.VECTOR_A + n));
  }
  return 0;
}

// FXSAVE's image (SDM volume 1, table 10-2).
const enum Image {
  FCW = 0,
  FSW = 2,
  FTW = 4,
  FOP = 6,
  FIP = 8,
  FCS = 12,
  FDP = 16,
  FDS = 20,
  MXCSR = 24,
  MXCSR_MASK = 28,
  ST = 32,
  XMM = 160,
  SIZE = 512,
}
const MXCSR_BITS: u32 = 0xffff;

const enum Status {
  Done = 0,
  MemoryFault = 1,
  /** #GP: MXCSR's reserved bits. */
  Reserved = 2,
}

function slot(offset: u32): usize {
  return Layout.STATE + offset;
}

/** The address is a multiple of sixteen. */
export function sse_fxsave(address: u32): u32 {
  if (!checkWrite(address, Image.SIZE)) return Status.MemoryFault;
  const top = load<u32>(slot(X86.FTOP));
  const tags = load<u32>(slot(X86.FTW));
  let full: u32 = 0;
  for (let r: u32 = 0; r < 8; r++) {
    if (((tags >> (r << 1)) & 3) != 3) full |= 1 << r;
    const from = slot(X86.ST) + (((top + r) & 7) << 4);
    guestStore<u64>(address + Image.ST + (r << 4), load<u64>(from));
    guestStore<u64>(address + Image.ST + (r << 4) + 8, load<u16>(from, 8));
  }
  guestStore<u16>(address + Image.FCW, load<u16>(slot(X86.FCW)));
  guestStore<u16>(address + Image.FSW, u16(statusWord()));
  guestStore<u16>(address + Image.FTW, u16(full));
  guestStore<u16>(address + Image.FOP, u16((load<u32>(slot(X86.FCS)) >> 16) & 0x7ff));
  guestStore<u32>(address + Image.FIP, load<u32>(slot(X86.FIP)));
  guestStore<u32>(address + Image.FCS, load<u16>(slot(X86.FCS)));
  guestStore<u32>(address + Image.FDP, load<u32>(slot(X86.FDP)));
  guestStore<u32>(address + Image.FDS, load<u16>(slot(X86.FDS)));
  guestStore<u32>(address + Image.MXCSR, load<u32>(slot(X86.MXCSR)));
  guestStore<u32>(address + Image.MXCSR_MASK, MXCSR_BITS);
  for (let n: u32 = 0; n < 128; n += 8) guestStore<u64>(address + Image.XMM + n, load<u64>(slot(X86.XMM) + n));
  return Status.Done;
}

/** The address is a multiple of sixteen. */
export function sse_fxrstor(address: u32): u32 {
  if (!checkRead(address, Image.SIZE)) return Status.MemoryFault;
  const mxcsr = guestLoad<u32>(address + Image.MXCSR);
  if ((mxcsr & ~MXCSR_BITS) != 0) return Status.Reserved;
  const status: u32 = guestLoad<u16>(address + Image.FSW);
  const top = (status >> 11) & 7;
  const full: u32 = guestLoad<u8>(address + Image.FTW);
  setStatusWord(status);
  store<u32>(slot(X86.FIP), guestLoad<u32>(address + Image.FIP));
  store<u32>(slot(X86.FCS), u32(guestLoad<u16>(address + Image.FCS)) | ((u32(guestLoad<u16>(address + Image.FOP)) & 0x7ff) << 16));
  store<u32>(slot(X86.FDP), guestLoad<u32>(address + Image.FDP));
  store<u32>(slot(X86.FDS), guestLoad<u16>(address + Image.FDS));
  let tags: u32 = 0;
  for (let r: u32 = 0; r < 8; r++) {
    if (((full >> r) & 1) == 0) tags |= 3 << (r << 1);
    const to = slot(X86.ST) + (((top + r) & 7) << 4);
    store<u64>(to, guestLoad<u64>(address + Image.ST + (r << 4)));
    store<u16>(to, guestLoad<u16>(address + Image.ST + (r << 4) + 8), 8);
  }
  store<u32>(slot(X86.FTW), tags);
  setControl(guestLoad<u16>(address + Image.FCW));
  for (let n: u32 = 0; n < 128; n += 8) store<u64>(slot(X86.XMM) + n, guestLoad<u64>(address + Image.XMM + n));
  sse_load_mxcsr(mxcsr);
  return Status.Done;
}
