/**
 * Segment registers as user mode uses them (SDM volume 3, 3.4 and 5): the selectors of flat user code and data, the
 * thread-local entries that set_thread_area fills, and null. There is no LDT, and no other descriptor that privilege
 * level 3 may see.
 */
import { Segment } from '../../translators/x86/sdm';
import { UserSegment } from '../../translators/x86/segments';
import { X86 } from '../../translators/x86/state';
import { Layout } from '../shared/layout';

// @ts-ignore: decorator
@inline
function get(slot: u32): u32 {
  return load<u32>(Layout.STATE + slot);
}
// @ts-ignore: decorator
@inline
function set(slot: u32, value: u32): void {
  store<u32>(Layout.STATE + slot, value);
}

/** Bits of struct user_desc after the limit, as set_thread_area(2) stores them in TLS_DESCRIPTORS. */
const enum UserDesc {
  SEG_32BIT = 1,
  CODE = 4,
  EXPAND_DOWN = 2,
  READ_EXEC_ONLY = 8,
  LIMIT_IN_PAGES = 16,
  NOT_PRESENT = 32,
  USEABLE = 64,
}

/** The second word of a descriptor, limit and base left out (SDM volume 3, figure 3-8). */
const enum Access {
  ACCESSED = 1 << 8,
  /** Data: writable; code: readable. */
  WRITABLE = 1 << 9,
  EXPAND_DOWN = 1 << 10,
  CODE = 1 << 11,
  USER = 0xf << 12,
  PRESENT = 1 << 15,
  AVL = 1 << 20,
  DB = 1 << 22,
  G = 1 << 23,
}
/** With S = 1 and DPL = 3, not present. */
const USER_SEGMENT: u32 = 0x7000;
const FLAT: u32 = 0xc00000 | USER_SEGMENT | Access.PRESENT | Access.ACCESSED | Access.WRITABLE;

/** Address of a selector's thread-local descriptor, or 0. */
function tlsDescriptor(selector: u32): usize {
  const entry = <i32>((selector & 0xffff) >>> 3);
  if (selector & 4 || entry < UserSegment.FIRST_TLS || entry >= UserSegment.FIRST_TLS + UserSegment.TLS_ENTRIES) return 0;
  const address: usize = Layout.STATE + X86.TLS_DESCRIPTORS + (entry - UserSegment.FIRST_TLS) * 12;
  return load<u32>(address + 8) == 0 ? 0 : address;
}

/** Access word of the descriptor that a selector names, its base and limit zero; 0 if there is none. */
function access(selector: u32): u32 {
  const index = selector & 0xfffc;
  if (index == (UserSegment.CODE & 0xfffc)) return FLAT | Access.CODE;
  if (index == (UserSegment.DATA & 0xfffc)) return FLAT;
  const address = tlsDescriptor(selector);
  if (address == 0) return 0;
  const flags = load<u32>(address + 8);
  let word: u32 = USER_SEGMENT | Access.ACCESSED;
  if (!(flags & UserDesc.READ_EXEC_ONLY)) word |= Access.WRITABLE;
  if (flags & UserDesc.EXPAND_DOWN) word |= Access.EXPAND_DOWN;
  if (flags & UserDesc.CODE) word |= Access.CODE;
  if (!(flags & UserDesc.NOT_PRESENT)) word |= Access.PRESENT;
  if (flags & UserDesc.USEABLE) word |= Access.AVL;
  if (flags & UserDesc.SEG_32BIT) word |= Access.DB;
  if (flags & UserDesc.LIMIT_IN_PAGES) word |= Access.G;
  return word;
}

/**
 * Loads ES, SS, DS, FS or GS (`segment` in the SDM's order). 0, or the vector of the exception and nothing is loaded:
 * 13 general protection, 12 stack, 11 not present, 6 where the segment exists but needs what is not implemented, a
 * base other than zero in ES, SS or DS.
 */
export function x86_load_segment(segment: u32, selector: u32): u32 {
  let base: u32 = 0;
  if ((selector & 0xfffc) == 0) {
    if (segment == Segment.SS) return 13;
  } else {
    const word = access(selector);
    if (word == 0) return 13;
    const code = (word & Access.CODE) != 0;
    const second = (word & Access.WRITABLE) != 0;
    if (segment == Segment.SS) {
      if ((selector & 3) != 3 || code || !second) return 13;
      if (!(word & Access.PRESENT)) return 12;
    } else {
      if (code && !second) return 13;
      if (!(word & Access.PRESENT)) return 11;
    }
    const address = tlsDescriptor(selector);
    if (address) base = load<u32>(address);
    if (base != 0 && segment < <u32>Segment.FS) return 6;
  }
  set(X86.ES + segment * 4, selector & 0xffff);
  set(X86.ES_BASE + segment * 4, base);
  return 0;
}

/** What LAR gives, in all 32 bits; 0 if the selector names nothing that user mode may see. */
export function x86_access_rights(selector: u32): u32 {
  const word = access(selector);
  if (word == 0) return 0;
  const address = tlsDescriptor(selector);
  const limit: u32 = address ? load<u32>(address + 4) : 0xfffff;
  return word | (limit & 0xf0000);
}

/** What LSL gives, for a selector that `x86_access_rights` knows. */
export function x86_segment_limit(selector: u32): u32 {
  const address = tlsDescriptor(selector);
  if (address == 0) return 0xffffffff;
  const limit = load<u32>(address + 4) & 0xfffff;
  return load<u32>(address + 8) & UserDesc.LIMIT_IN_PAGES ? (limit << 12) | 0xfff : limit;
}
