// Paging (SDM volume 3, chapter 4): 32-bit, with 4 MiB pages, and PAE.
import { Vector } from '../../translators/x86/sdm';
import { Cr0, Cr4, Efer, System } from '../../translators/x86/system/state';
import { physicalRead32, physicalWrite32, recordFault, walked } from '../paged';
import { FaultAccess } from '../shared/exit';
import { TlbBit } from '../shared/layout';
import { get, raise, set } from './system/core';

const enum Entry {
  P = 1,
  RW = 2,
  US = 4,
  A = 0x20,
  D = 0x40,
  PS = 0x80,
  G = 0x100,
  ADDRESS = -4096,
}

/** Error code of a page fault. */
const enum Code {
  P = 1,
  W = 2,
  U = 4,
  RSVD = 8,
  ID = 16,
}

const ALL: u32 = TlbBit.KernelRead | TlbBit.KernelWrite | TlbBit.UserRead | TlbBit.UserWrite | TlbBit.KernelExecute | TlbBit.UserExecute;
/** CPUID announces 36 physical address bits with PAE; what lies above is reserved, but for XD while EFER.NXE is set. */
const RESERVED_HIGH: u32 = 0xfffffff0;
const XD: u32 = 0x80000000;

/** Whether pages may be marked as data. */
function hasXd(): bool {
  return (get(System.EFER) & Efer.NXE) !== 0 && (get(System.CR4) & Cr4.PAE) !== 0;
}
function fail(address: u32, access: u32, user: bool, code: u32): bool {
  const kind = access === FaultAccess.Write ? Code.W : access === FaultAccess.Execute && hasXd() ? Code.ID : 0;
  return recordFault(address, access, code | kind | (user ? Code.U : 0));
}

/** What an address becomes outside of the processor. */
function outside(physical: u32): u32 {
  return physical & ~get(System.MASKED);
}
function read(at: u32): u32 {
  return physicalRead32(outside(at));
}
function touch(at: u32, entry: u32, bits: u32): void {
  if ((entry & bits) !== bits) physicalWrite32(outside(at), entry | bits);
}

/** Whether the rights of all levels allow an access. `combined`: RW and US of all levels; `data`: XD of one. */
function allowed(address: u32, access: u32, user: bool, combined: u32, data: bool): bool {
  if (user && !(combined & Entry.US)) return fail(address, access, user, Code.P);
  if (access === FaultAccess.Write && !(combined & Entry.RW) && (user || get(System.CR0) & Cr0.WP))
    return fail(address, access, user, Code.P);
  if (data && access === FaultAccess.Execute) return fail(address, access, user, Code.P);
  return true;
}

/** Marks the entry of an allowed access accessed and dirty, and says what was found. */
function finish(access: u32, physical: u32, at: u32, entry: u32, combined: u32, data: bool): bool {
  const writable = (combined & Entry.RW) !== 0;
  const cr0 = get(System.CR0);
  const bits: u32 = access === FaultAccess.Write ? Entry.A | Entry.D : Entry.A;
  touch(at, entry, bits);
  let rights: u32 = TlbBit.KernelRead | TlbBit.KernelExecute;
  const dirty = ((entry | bits) & Entry.D) !== 0;
  if (dirty && (writable || !(cr0 & Cr0.WP))) rights |= TlbBit.KernelWrite;
  if (combined & Entry.US) {
    rights |= TlbBit.UserRead | TlbBit.UserExecute;
    if (dirty && writable) rights |= TlbBit.UserWrite;
  }
  if (data) rights &= ~(TlbBit.KernelExecute | TlbBit.UserExecute);
  if (entry & Entry.G && get(System.CR4) & Cr4.PGE) rights |= TlbBit.Global;
  return walked(outside(physical), rights);
}

export function walkX86(address: u32, access: u32, user: bool): bool {
  if (!(get(System.CR0) & Cr0.PG)) return walked(outside(address), ALL);
  const cr4 = get(System.CR4);
  if (cr4 & Cr4.PAE) return walkPae(address, access, user);
  const pdeAt = (get(System.CR3) & Entry.ADDRESS) | ((address >>> 20) & 0xffc);
  const pde = read(pdeAt);
  if (!(pde & Entry.P)) return fail(address, access, user, 0);
  if (pde & Entry.PS && cr4 & Cr4.PSE) {
    if (pde & 0x003fe000) return fail(address, access, user, Code.P | Code.RSVD);
    if (!allowed(address, access, user, pde, false)) return false;
    return finish(access, (pde & 0xffc00000) | (address & 0x3fffff), pdeAt, pde, pde, false);
  }
  const pteAt = (pde & Entry.ADDRESS) | ((address >>> 10) & 0xffc);
  const pte = read(pteAt);
  if (!(pte & Entry.P)) return fail(address, access, user, 0);
  if (!allowed(address, access, user, pde & pte, false)) return false;
  // no level is marked accessed for an access that faults
  touch(pdeAt, pde, Entry.A);
  return finish(access, (pte & Entry.ADDRESS) | (address & 0xfff), pteAt, pte, pde & pte, false);
}

function walkPae(address: u32, access: u32, user: bool): bool {
  const pdpte = get(System.PDPTE + ((address >>> 30) << 3));
  if (!(pdpte & Entry.P)) return fail(address, access, user, 0);
  const pdeAt = (pdpte & Entry.ADDRESS) | ((address >>> 18) & 0xff8);
  const pde = read(pdeAt);
  if (!(pde & Entry.P)) return fail(address, access, user, 0);
  const reserved = hasXd() ? RESERVED_HIGH & ~XD : RESERVED_HIGH;
  const pdeHigh = read(pdeAt + 4);
  if (pdeHigh & reserved) return fail(address, access, user, Code.P | Code.RSVD);
  if (pde & Entry.PS) {
    if (pde & 0x001fe000) return fail(address, access, user, Code.P | Code.RSVD);
    const data = (pdeHigh & XD) !== 0;
    if (!allowed(address, access, user, pde, data)) return false;
    return finish(access, (pde & 0xffe00000) | (address & 0x1fffff), pdeAt, pde, pde, data);
  }
  const pteAt = (pde & Entry.ADDRESS) | ((address >>> 9) & 0xff8);
  const pte = read(pteAt);
  if (!(pte & Entry.P)) return fail(address, access, user, 0);
  const pteHigh = read(pteAt + 4);
  if (pteHigh & reserved) return fail(address, access, user, Code.P | Code.RSVD);
  const data = ((pdeHigh | pteHigh) & XD) !== 0;
  if (!allowed(address, access, user, pde & pte, data)) return false;
  touch(pdeAt, pde, Entry.A);
  return finish(access, (pte & Entry.ADDRESS) | (address & 0xfff), pteAt, pte, pde & pte, data);
}

/** Loads the page-directory-pointer registers for a value of CR3 (SDM volume 3, 4.4.1): #GP(0) if reserved bits are set. */
export function loadPdptes(cr3: u32): bool {
  const table = cr3 & 0xffffffe0;
  for (let n: u32 = 0; n < 4; n++) {
    const entry = read(table + n * 8);
    if (entry & Entry.P && (entry & 0x1e6 || read(table + n * 8 + 4) & RESERVED_HIGH)) return raise(Vector.GP, 0);
  }
  for (let n: u32 = 0; n < 4; n++) {
    set(System.PDPTE + n * 8, read(table + n * 8));
    set(System.PDPTE + n * 8 + 4, read(table + n * 8 + 4));
  }
  return true;
}
