// Memory model paged: virtual addresses go through the flat table at Layout.TLB. What it does not know, the ISA's walker does
// (assembly/system.ts). A fault is recorded as ExitKind.MemoryFault's arguments; who called then leaves with that kind.
import { busRead, busWrite } from './env';
import { Fault, FaultAccess } from './shared/exit';
import { CodeMode, CodePiece, Layout, PhysicalPage, StalePage, TlbBit } from './shared/layout';
import { walk } from './system';

/** What the walker found: the physical address, and the TlbBits that its page may have. */
let physical: u32 = 0;
let rights: u32 = 0;
export function walked(address: u32, bits: u32): bool {
  physical = address;
  rights = bits;
  return true;
}

function user(): u32 {
  return load<u32>(Layout.MODE) & CodeMode.User;
}
function tlbSlot(address: u32): usize {
  return (address >>> 12) << 2;
}
function pageOf(at: u32): u32 {
  return load<u32>(tlbSlot(at), Layout.PHYSICAL);
}

export function recordFault(address: u32, access: u32, detail: u32): bool {
  store<u32>(Layout.EXIT_ARG0, address);
  store<u32>(Layout.EXIT_ARG1, access);
  store<u32>(Layout.EXIT_ARG2, detail);
  return false;
}

/** Translates and fills; afterwards `physical` is valid. */
function translate(address: u32, access: u32): bool {
  if (!walk(address, access, user() != 0)) return false;
  const page = pageOf(physical);
  if (page & PhysicalPage.Memory) fill(address, page);
  return true;
}

function fill(address: u32, page: u32): void {
  let bits = rights;
  if ((page & (PhysicalPage.Code | PhysicalPage.Writable)) !== PhysicalPage.Writable) bits &= ~(TlbBit.KernelWrite | TlbBit.UserWrite);
  const slot = tlbSlot(address);
  if (load<u32>(slot, Layout.TLB) === 0) {
    let count = load<u32>(Layout.FILLED_COUNT);
    if (count === Layout.FILLED_MAX) {
      flushTlb(false);
      count = 0;
    }
    store<u32>(count << 2, address >>> 12, Layout.FILLED);
    store<u32>(Layout.FILLED_COUNT, count + 1);
  }
  store<u32>(slot, ((page & PhysicalPage.ADDRESS) - (address & TlbBit.ADDRESS)) | bits, Layout.TLB);
}

/** Forgets what was filled, or of it only what is not global. */
export function flushTlb(keepGlobal: bool): void {
  const count = load<u32>(Layout.FILLED_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const page = load<u32>(i << 2, Layout.FILLED);
    const entry = load<u32>(page << 2, Layout.TLB);
    if (keepGlobal && entry & TlbBit.Global) {
      store<u32>(kept << 2, page, Layout.FILLED);
      kept++;
    } else store<u32>(page << 2, 0, Layout.TLB);
  }
  store<u32>(Layout.FILLED_COUNT, kept);
}

/** Forgets the page of a virtual address. */
export function flushPage(address: u32): void {
  store<u32>(tlbSlot(address), 0, Layout.TLB);
}

/** Forgets the pages of a range of virtual addresses. */
export function flushRange(start: u32, pages: u32): void {
  const first = start >>> 12;
  if (pages <= 64) {
    for (let i: u32 = 0; i < pages; i++) store<u32>(((first + i) & 0xfffff) << 2, 0, Layout.TLB);
    return;
  }
  const count = load<u32>(Layout.FILLED_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const page = load<u32>(i << 2, Layout.FILLED);
    if (page - first < pages) store<u32>(page << 2, 0, Layout.TLB);
  }
}

/** Blocks were translated from these bytes of one physical page: stores to it are to be noticed. */
export function protectCode(address: u32, bytes: u32): void {
  for (let piece = address >>> CodePiece.SHIFT, last = (address + bytes - 1) >>> CodePiece.SHIFT; piece <= last; piece++) {
    const at = piece >>> 3;
    const bit: u32 = 1 << (piece & 7);
    store<u8>(at, <u8>(load<u8>(at, Layout.CODE_PIECES) | bit), Layout.CODE_PIECES);
  }
  const slot = tlbSlot(address);
  const page = load<u32>(slot, Layout.PHYSICAL);
  if (page & PhysicalPage.Code) return;
  store<u32>(slot, page | PhysicalPage.Code, Layout.PHYSICAL);
  const host = page & PhysicalPage.ADDRESS;
  const count = load<u32>(Layout.FILLED_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const number = load<u32>(i << 2, Layout.FILLED);
    const entry = load<u32>(number << 2, Layout.TLB);
    if (entry !== 0 && (number << 12) + (entry & TlbBit.ADDRESS) === host)
      store<u32>(number << 2, entry & ~(TlbBit.KernelWrite | TlbBit.UserWrite), Layout.TLB);
  }
}

/** The TLB word of the page that a pc lies on, with the bit to execute there; 0 if there is none, and the fault is recorded. */
export function codeEntry(pc: u32): u32 {
  const bit: u32 = TlbBit.KernelExecute << user();
  const entry = load<u32>(tlbSlot(pc), Layout.TLB);
  if (entry & bit) return entry;
  if (!translate(pc, FaultAccess.Execute)) return 0;
  const filled = load<u32>(tlbSlot(pc), Layout.TLB);
  if (filled & bit) return filled;
  recordFault(pc, FaultAccess.Execute, Fault.BUS);
  return 0;
}

/** Whether the page of an address is filled as the one that code was translated from: `expected` is its TLB word then, one execute bit only. */
export function isFilled(address: u32, expected: u32): bool {
  return (load<u32>(tlbSlot(address), Layout.TLB) & (TlbBit.ADDRESS | expected)) === expected;
}
/** Whether it is that page. */
export function samePage(address: u32, expected: u32): bool {
  return isFilled(address, expected) || (codeEntry(address) & (TlbBit.ADDRESS | expected)) === expected;
}

/** The byte at a pc, of code that was executed just now. */
export function codeByte(pc: u32): u32 {
  const entry = codeEntry(pc);
  return entry ? load<u8>(pc + (entry & TlbBit.ADDRESS)) : 0;
}

/** The physical address of a pc that codeEntry has found. */
export function codePhysical(pc: u32): u32 {
  walk(pc, FaultAccess.Execute, user() != 0);
  return physical;
}

/** Accesses of devices, each of which takes as long as moving so many bytes (Layout.REP_WORK). */
export function busWork(accesses: u32): void {
  store<u32>(Layout.REP_WORK, load<u32>(Layout.REP_WORK) + (accesses << 6));
}

function fromBus(to: usize, at: u32, bytes: u32): void {
  busWork(1);
  if (bytes === 1) store<u8>(to, <u8>busRead(at, 1));
  else if (bytes === 2) store<u16>(to, <u16>busRead(at, 2));
  else if (bytes & 3) for (let i: u32 = 0; i < bytes; i++) store<u8>(to + i, <u8>busRead(at + i, 1));
  else for (let i: u32 = 0; i < bytes; i += 4) store<u32>(to + i, busRead(at + i, 4));
}

function toBus(from: usize, at: u32, bytes: u32): void {
  busWork(1);
  if (bytes === 1) busWrite(at, 1, load<u8>(from));
  else if (bytes === 2) busWrite(at, 2, load<u16>(from));
  else if (bytes & 3) for (let i: u32 = 0; i < bytes; i++) busWrite(at + i, 1, load<u8>(from + i));
  else for (let i: u32 = 0; i < bytes; i += 4) busWrite(at + i, 4, load<u32>(from + i));
}

function readTo(to: usize, at: u32, bytes: u32): void {
  const page = pageOf(at);
  if (page & PhysicalPage.Memory) memory.copy(to, (page & PhysicalPage.ADDRESS) | (at & 0xfff), bytes);
  else fromBus(to, at, bytes);
}

function writeFrom(from: usize, at: u32, bytes: u32): void {
  const page = pageOf(at);
  if (page & PhysicalPage.Code) countStore(at);
  if ((page & (PhysicalPage.Memory | PhysicalPage.Writable)) === (PhysicalPage.Memory | PhysicalPage.Writable))
    memory.copy((page & PhysicalPage.ADDRESS) | (at & 0xfff), from, bytes);
  else toBus(from, at, bytes);
}

/** An access that must be naturally aligned is not: recorded. */
function misaligned(address: u32, bytes: u32, access: u32): bool {
  if (!(address & load<u32>(Layout.ALIGNED) & (bytes - 1))) return false;
  recordFault(address, access, Fault.MISALIGNED);
  return true;
}

/** Where the last read of slowRead began. */
let readFrom: u32 = 0;
/** A read was refused at `address` to who writes there, too: the fault is that which its store meets first. */
export function faultAsWrite(address: u32): void {
  const isUser = user() != 0;
  // on the page before, it may be
  if (address - readFrom < 16 && !walk(readFrom, FaultAccess.Write, isUser)) return;
  walk(address, FaultAccess.Write, isUser);
}

/** Where the bytes of a read lie in this memory: the page itself, or SCRATCH with a copy. 0: the fault is recorded. */
export function slowRead(address: u32, bytes: u32): usize {
  readFrom = address;
  if (misaligned(address, bytes, FaultAccess.Read)) return 0;
  if (!translate(address, FaultAccess.Read)) return 0;
  const at = physical;
  const inFirst: u32 = 0x1000 - (address & 0xfff);
  if (bytes > inFirst) {
    // both pages are asked before a device is read
    if (!translate(address + inFirst, FaultAccess.Read)) return 0;
    const next = physical;
    readTo(Layout.SCRATCH, at, inFirst);
    readTo(Layout.SCRATCH + inFirst, next, bytes - inFirst);
    return Layout.SCRATCH;
  }
  const page = pageOf(at);
  if (page & PhysicalPage.Memory) return (page & PhysicalPage.ADDRESS) | (at & 0xfff);
  fromBus(Layout.SCRATCH, at, bytes);
  return Layout.SCRATCH;
}

/** Before it runs guest code again, the engine drops what was translated from this physical page. */
function dropLater(page: u32): void {
  const other = load<u32>(Layout.STALE_PAGE);
  store<u32>(Layout.STALE_PAGE, other === 0 || other === page + 1 ? page + 1 : StalePage.All);
}

/** Stores are made, and then code is dropped: between two instructions, while an interrupt is delivered, nothing could be executed anew. */
let force: bool = false;
export function setForce(on: bool): void {
  force = on;
}

/** Whether a store may go to so many bytes of one physical page: not to code, nor beside it unless the engine knows that data lies there, too. */
function mayStore(address: u32, at: u32, bytes: u32): bool {
  if (!(pageOf(at) & PhysicalPage.Code)) return true;
  if (!force && load<u32>(tlbSlot(at), Layout.BESIDE_CODE) === 0) return recordFault(address, FaultAccess.Write | Fault.WRITES_CODE, at);
  for (let piece = at >>> CodePiece.SHIFT, last = (at + bytes - 1) >>> CodePiece.SHIFT; piece <= last; piece++) {
    const bit: u32 = 1 << (piece & 7);
    if (!(load<u8>(piece >>> 3, Layout.CODE_PIECES) & bit)) continue;
    if (!force) return recordFault(address, FaultAccess.Write | Fault.WRITES_CODE, piece << CodePiece.SHIFT);
    dropLater(at >>> 12);
  }
  return true;
}
/** A store goes to a page with code. After so many it is found out whether that is still executed. */
function countStore(at: u32): void {
  const left = load<u32>(tlbSlot(at), Layout.BESIDE_CODE);
  if (left > 1) store<u32>(tlbSlot(at), left - 1, Layout.BESIDE_CODE);
  else if (left) dropLater(at >>> 12);
}

/** Writes what lies at SCRATCH: 0, or 1 and the fault is recorded. */
export function slowWrite(address: u32, bytes: u32): i32 {
  if (misaligned(address, bytes, FaultAccess.Write)) return 1;
  if (!translate(address, FaultAccess.Write)) return 1;
  const at = physical;
  const inFirst: u32 = 0x1000 - (address & 0xfff);
  if (!mayStore(address, at, min(bytes, inFirst))) return 1;
  if (bytes > inFirst) {
    if (!translate(address + inFirst, FaultAccess.Write)) return 1;
    const next = physical;
    if (!mayStore(address + inFirst, next, bytes - inFirst)) return 1;
    writeFrom(Layout.SCRATCH, at, inFirst);
    writeFrom(Layout.SCRATCH + inFirst, next, bytes - inFirst);
    return 0;
  }
  writeFrom(Layout.SCRATCH, at, bytes);
  return 0;
}

/** Whether the access lies in one page, and is aligned where it must be. */
export function fits(address: u32, bytes: u32): bool {
  return (address & 0xfff) <= 0x1000 - bytes && !(address & load<u32>(Layout.ALIGNED) & (bytes - 1));
}

/** As slowRead, for who has not looked into the table. */
export function readPlace(address: u32, bytes: u32): usize {
  const entry = load<u32>(tlbSlot(address), Layout.TLB);
  if (entry & (TlbBit.KernelRead << (user() << 1)) && fits(address, bytes)) return address + (entry & TlbBit.ADDRESS);
  return slowRead(address, bytes);
}

/** Where so many bytes may be stored straight away in this memory; 0 if not: then what is at SCRATCH goes through slowWrite. */
export function writePlace(address: u32, bytes: u32): usize {
  const entry = load<u32>(tlbSlot(address), Layout.TLB);
  if (entry & (TlbBit.KernelWrite << (user() << 1)) && fits(address, bytes)) return address + (entry & TlbBit.ADDRESS);
  return 0;
}

/**
 * Where the bytes of a read lie, for a region, which has so much of its budget left: as readPlace. It may not have looked into the table for
 * this access alone.
 */
export function regionRead(address: u32, bytes: u32, budget: i32): usize {
  store<i32>(Layout.BUDGET, budget);
  return readPlace(address, bytes);
}
/** Writes what lies at SCRATCH, as slowWrite. */
export function regionWrite(address: u32, bytes: u32, budget: i32): i32 {
  store<i32>(Layout.BUDGET, budget);
  const place = writePlace(address, bytes);
  if (place === 0) return slowWrite(address, bytes);
  if (bytes === 4) store<u32>(place, load<u32>(Layout.SCRATCH));
  else memory.copy(place, Layout.SCRATCH, bytes);
  return 0;
}

/** Whether the guest may access all of a range; if not, the fault is recorded. */
export function pagedCheck(address: u32, bytes: u32, access: u32): bool {
  const last = (address + bytes - 1) >>> 12;
  let at = address;
  while (true) {
    if (!translate(at, access)) return false;
    const isLast = at >>> 12 === last;
    const bytesHere = isLast ? address + bytes - at : 0x1000 - (at & 0xfff);
    if (access === FaultAccess.Write && !mayStore(at, physical, bytesHere)) return false;
    if (isLast) return true;
    at = (at | 0xfff) + 1;
  }
}

/** How many of `bytes` from `address` on lie in one page of memory that the guest may access so; 0 if it is none. */
export function pagedAccessible(address: u32, bytes: u32, access: u32): u32 {
  const shift = user() << 1;
  const bit: u32 = access === FaultAccess.Write ? TlbBit.KernelWrite << shift : TlbBit.KernelRead << shift;
  if (!(load<u32>(tlbSlot(address), Layout.TLB) & bit)) {
    const arg0 = load<u32>(Layout.EXIT_ARG0);
    const arg1 = load<u32>(Layout.EXIT_ARG1);
    const arg2 = load<u32>(Layout.EXIT_ARG2);
    const found = translate(address, access) && load<u32>(tlbSlot(address), Layout.TLB) & bit;
    recordFault(arg0, arg1, arg2);
    if (!found) return 0;
  }
  return min<u32>(bytes, 0x1000 - (address & 0xfff));
}

// Physical addresses, for walkers.

export function physicalRead32(at: u32): u32 {
  const page = pageOf(at);
  return page & PhysicalPage.Memory ? load<u32>((page & PhysicalPage.ADDRESS) | (at & 0xfff)) : busRead(at, 4);
}
export function physicalWrite32(at: u32, value: u32): void {
  const page = pageOf(at);
  if ((page & (PhysicalPage.Memory | PhysicalPage.Writable)) === (PhysicalPage.Memory | PhysicalPage.Writable))
    store<u32>((page & PhysicalPage.ADDRESS) | (at & 0xfff), value);
  else busWrite(at, 4, value);
}
