// MIPS32 volume III, chapter 4: segments and the TLB.
import { ExcCode } from '../../translators/mips/exception-code';
import { Mips, Mode, Status, Tlb, TlbEntry } from '../../translators/mips/state';
import { flushRange, flushTlb, pagedCheck, recordFault, walked, writePlace } from '../paged';
import { Fault, FaultAccess } from '../shared/exit';
import { Layout, PhysicalPage, TlbBit } from '../shared/layout';
import { get, REFILL, set } from './privileged';

const ALL: u32 = TlbBit.KernelRead | TlbBit.KernelWrite | TlbBit.KernelExecute | TlbBit.UserRead | TlbBit.UserWrite | TlbBit.UserExecute;
const KERNEL: u32 = TlbBit.KernelRead | TlbBit.KernelWrite | TlbBit.KernelExecute;
const WRITE: u32 = TlbBit.KernelWrite | TlbBit.UserWrite;

const ENTRIES: u32 = Tlb.ENTRIES;

const enum Lo {
  G = 1,
  V = 2,
  D = 4,
}

/** Address of a TLB entry, for load and store. */
function entryAt(index: u32): usize {
  return Layout.STATE + Mips.TLB + index * TlbEntry.SIZE;
}

/** The entry that matches an address and the current ASID, or 0. */
function find(address: u32, asid: u32): usize {
  for (let i: u32 = 0; i < ENTRIES; i++) {
    const entry = entryAt(i);
    const hi = load<u32>(entry, TlbEntry.HI);
    if ((hi ^ address) & ~(load<u32>(entry, TlbEntry.MASK) | 0x1fff)) continue;
    if (load<u32>(entry, TlbEntry.LO0) & Lo.G || (hi & 0xff) === asid) return entry;
  }
  return 0;
}

/** See walk in assembly/system.ts. */
export function walkMips(address: u32, access: u32, user: bool): bool {
  const store = access === FaultAccess.Write;
  let rights = ALL;
  if (address >= 0x80000000) {
    const supervisor = user && (load<u32>(Layout.MODE) & Mode.SUPERVISOR) !== 0 && address >>> 29 === 6;
    if (user && !supervisor) return recordFault(address, access, store ? ExcCode.AdES : ExcCode.AdEL);
    // kseg0 and kseg1
    if (address < 0xc0000000) return walked(address & 0x1fffffff, KERNEL | TlbBit.Global);
    if (!supervisor) rights = KERNEL;
  } else if (get(Mips.STATUS) & Status.ERL) return walked(address, ALL);
  const entry = find(address, get(Mips.ENTRYHI) & 0xff);
  const code: u32 = store ? ExcCode.TLBS : ExcCode.TLBL;
  if (!entry) return recordFault(address, access, code | REFILL);
  // bits of an address within one of the two pages
  const offset = (load<u32>(entry, TlbEntry.MASK) | 0x1fff) >>> 1;
  const lo = address & (offset + 1) ? load<u32>(entry, TlbEntry.LO1) : load<u32>(entry, TlbEntry.LO0);
  if (!(lo & Lo.V)) return recordFault(address, access, code);
  if (!(lo & Lo.D)) {
    if (store) return recordFault(address, access, ExcCode.Mod);
    rights &= ~WRITE;
  }
  if (lo & Lo.G) rights |= TlbBit.Global;
  return walked((((lo >>> 6) << 12) & ~offset) | (address & offset), rights);
}

/** Forgets what was filled from an entry. Whether code was translated from one of its pages. */
function forget(entry: usize): bool {
  if (!((load<u32>(entry, TlbEntry.LO0) | load<u32>(entry, TlbEntry.LO1)) & Lo.V)) return false;
  const mask = load<u32>(entry, TlbEntry.MASK) | 0x1fff;
  const start = load<u32>(entry, TlbEntry.HI) & ~mask;
  let code = mask > 0x1fff;
  for (let page: u32 = 0; page < 2 && !code; page++) {
    const word = load<u32>(((start >>> 12) + page) << 2, Layout.TLB);
    if (!word) continue;
    const lo = page ? load<u32>(entry, TlbEntry.LO1) : load<u32>(entry, TlbEntry.LO0);
    code = (load<u32>(((lo >>> 6) & 0xfffff) << 2, Layout.PHYSICAL) & PhysicalPage.Code) !== 0;
  }
  flushRange(start, (mask + 1) >>> 12);
  return code;
}

function write(index: u32): i32 {
  const entry = entryAt(index);
  const code = forget(entry);
  const mask = get(Mips.PAGEMASK);
  const global = get(Mips.ENTRYLO0) & get(Mips.ENTRYLO1) & Lo.G;
  store<u32>(entry, get(Mips.ENTRYHI) & ~mask, TlbEntry.HI);
  store<u32>(entry, mask, TlbEntry.MASK);
  store<u32>(entry, (get(Mips.ENTRYLO0) & ~Lo.G) | global, TlbEntry.LO0);
  store<u32>(entry, (get(Mips.ENTRYLO1) & ~Lo.G) | global, TlbEntry.LO1);
  // what the new entry covers may be filled from another one, which it then contradicts (UNDEFINED), or as unmapped with ERL
  forget(entry);
  return i32(code);
}

/** Random goes down from the last entry to Wired (9.6 leaves the order open); here by a generator, so that loops cannot resonate with it. */
export function mips_random(): u32 {
  const wired = get(Mips.WIRED);
  const next = get(Mips.RANDOM) * 1664525 + 1013904223;
  set(Mips.RANDOM, next);
  const range = ENTRIES - wired;
  return wired >= ENTRIES ? ENTRIES - 1 : wired + ((next >>> 16) % range);
}

/** TLBWI and TLBWR: 1 if code that runs now has to be left. */
export function mips_tlbwi(next: u32): i32 {
  return leaveIf(write(get(Mips.INDEX) & (ENTRIES - 1)), next);
}
export function mips_tlbwr(next: u32): i32 {
  return leaveIf(write(mips_random()), next);
}

/** If code has to be left: where it goes on, unless a branch has said that. */
export function leaveIf(leave: i32, next: u32): i32 {
  if (leave && next) store<u32>(Layout.NEXT_PC, next);
  return leave;
}

/** 1 if code that runs now has to be left: the ASID is another one. */
export function mips_tlbr(next: u32): i32 {
  const entry = entryAt(get(Mips.INDEX) & (ENTRIES - 1));
  const before = get(Mips.ENTRYHI);
  const hi = load<u32>(entry, TlbEntry.HI);
  set(Mips.ENTRYHI, hi);
  set(Mips.PAGEMASK, load<u32>(entry, TlbEntry.MASK));
  set(Mips.ENTRYLO0, load<u32>(entry, TlbEntry.LO0));
  set(Mips.ENTRYLO1, load<u32>(entry, TlbEntry.LO1));
  if (!((before ^ hi) & 0xff)) return 0;
  flushTlb(true);
  return leaveIf(1, next);
}

export function mips_tlbp(): void {
  const hi = get(Mips.ENTRYHI);
  const entry = find(hi, hi & 0xff);
  set(Mips.INDEX, entry ? (<u32>entry - Layout.STATE - Mips.TLB) / TlbEntry.SIZE : 0x80000000);
}

/** Whether a store to this address, of which the first byte is asked, would fault: recorded as one. */
export function mips_check_store(address: u32, bytes: u32): i32 {
  if (address & (bytes - 1)) {
    recordFault(address, FaultAccess.Write, Fault.MISALIGNED);
    return 1;
  }
  if (writePlace(address, 1)) return 0;
  return i32(!pagedCheck(address, 1, FaultAccess.Write));
}
