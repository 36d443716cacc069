// Slots of values while a block is lowered: constants of the pool, and temporaries, which are used again once their value is not needed.
import { BlockInput, Ir, LoweringError } from '../shared/lowering';
import { Slot } from '../shared/uop';
import { input, isConst32, operandA, valueBytes } from './block';
import { home, lastOf, setHome } from './plan';
import { emitConst32 } from './words';

let nextTemp: u32 = 0;
// Temporaries of 4, 8 and 16 bytes that are free, u16 each, and the address after the last.
const FREE4: usize = Ir.FREE;
const FREE8: usize = Ir.FREE + 0x2000;
const FREE16: usize = Ir.FREE + 0x3000;
let free4: usize = FREE4;
let free8: usize = FREE8;
let free16: usize = FREE16;
/** A constant that found no place in the pool lives in a temporary for one µop. */
const BORROWED: usize = Ir.FREE + 0x4000;
let borrowed: usize = BORROWED;

export function beginSlots(): void {
  memory.fill(Ir.TEMPORARY, 0, input(BlockInput.LENGTH));
  nextTemp = Slot.TEMPS;
  free4 = FREE4;
  free8 = FREE8;
  free16 = FREE16;
  borrowed = BORROWED;
}

export function failLowering(error: LoweringError, subject: u32): void {
  if (input(BlockInput.ERROR) !== LoweringError.None) return;
  store<u32>(Ir.INPUT + BlockInput.ERROR, error);
  store<u32>(Ir.INPUT + BlockInput.SUBJECT, subject);
}

function allocate(bytes: u32): u32 {
  if (bytes === 4) {
    if (free4 > FREE4) {
      free4 -= 2;
      return load<u16>(free4);
    }
  } else if (bytes === 8) {
    if (free8 > FREE8) {
      free8 -= 2;
      return load<u16>(free8);
    }
  } else if (free16 > FREE16) {
    free16 -= 2;
    return load<u16>(free16);
  }
  const address = nextTemp;
  if (address + bytes > <u32>Slot.TEMPS_END) {
    failLowering(LoweringError.Temporaries, 0);
    return Slot.DISCARD;
  }
  nextTemp += bytes;
  return address;
}

function putBack(bytes: u32, address: u32): void {
  if (bytes === 4) {
    store<u16>(free4, address);
    free4 += 2;
  } else if (bytes === 8) {
    store<u16>(free8, address);
    free8 += 2;
  } else {
    store<u16>(free16, address);
    free16 += 2;
  }
}

/** The slot of an operand. */
export function slot(x: u32): u32 {
  const address = home(x);
  return address !== 0 ? address : constantSlot(operandA(x), x);
}

function constantSlot(value: u32, x: u32): u32 {
  if (!isConst32(x)) {
    failLowering(LoweringError.Slot, x);
    return Slot.DISCARD;
  }
  if (value === 0) return Slot.ZERO;
  const known = pooled(value);
  if (known !== 0) return known;
  const address = allocate(4);
  store<u16>(borrowed, address);
  borrowed += 2;
  emitConst32(address, value);
  return address;
}
/** Constants were read for the last time. */
export function putBackBorrowed(): void {
  while (borrowed > BORROWED) {
    borrowed -= 2;
    putBack(4, load<u16>(borrowed));
  }
}

/** The operand was read for the last time if the µop at `v` is its last. */
export function release(x: u32, v: u32): void {
  if (load<u8>(Ir.TEMPORARY + x) === 0 || lastOf(x) !== <i32>v) return;
  store<u8>(Ir.TEMPORARY + x, 0);
  putBack(valueBytes(x), home(x));
}

/** Where the op's value goes. Operands may be released before, since a µop reads all of them before it writes. */
export function destination(v: u32): u32 {
  const address = home(v);
  if (address !== 0) return address;
  if (lastOf(v) < 0) return Slot.DISCARD;
  store<u8>(Ir.TEMPORARY + v, 1);
  const fresh = allocate(valueBytes(v));
  setHome(v, fresh);
  return fresh;
}

// The pool of constants

function constantIndex(value: u32): u32 {
  return (value * 0x9e3779b1) >>> 19;
}

/** The entry of a constant in the table, which is 0 if it is not in the pool. */
function constantEntry(value: u32): usize {
  let i = constantIndex(value);
  while (!ends(Ir.CONSTANTS + (i << 1), value)) i = (i + 1) & Ir.CONSTANTS_MASK;
  return Ir.CONSTANTS + (i << 1);
}
/** Whether an entry is this constant's, or empty. */
function ends(entry: usize, value: u32): bool {
  const address: u32 = load<u16>(entry);
  return address === 0 || load<u32>(address) === value;
}

/** The slot of a constant; 0 if there is no room for a new one. */
function pooled(value: u32): u32 {
  const entry = constantEntry(value);
  const known: u32 = load<u16>(entry);
  if (known !== 0) return known;
  const count = input(BlockInput.CONSTANTS);
  const address: u32 = Slot.POOL + (count << 2);
  if (address >= <u32>Slot.POOL_END) return 0;
  store<u32>(Ir.INPUT + BlockInput.CONSTANTS, count + 1);
  store<u16>(entry, address);
  store<u32>(address, value);
  return address;
}

/** The pool's first so many words are its constants, and no others. */
export function setConstants(count: u32): void {
  memory.fill(Ir.CONSTANTS, 0, (Ir.CONSTANTS_MASK + 1) << 1);
  for (let i: u32 = 0; i < count; i++) {
    const address: u32 = Slot.POOL + (i << 2);
    const entry = constantEntry(load<u32>(address));
    if (load<u16>(entry) === 0) store<u16>(entry, address);
  }
  store<u32>(Ir.INPUT + BlockInput.CONSTANTS, count);
}
