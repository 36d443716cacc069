// Descriptors and segment registers (SDM volume 3, 3.4, 5.2–5.9), and the mode that follows from them.

import { Eflags, Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Access, Cr0, Cr4, Dr6, Mode, System } from '../../../translators/x86/system/state';
import { Layout } from '../../shared/layout';
import { cpl, get, raise, raiseSelector, set, systemCanRead, systemCanWrite, systemLoad, systemStore } from './core';

/** The two words of the descriptor read last, and where they lie. */
export let low: u32 = 0;
export let high: u32 = 0;
let place: u32 = 0;

export function baseOf(): u32 {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
}
export function limitOf(): u32 {
  const limit = (low & 0xffff) | (high & 0xf0000);
  return high & Access.G ? (limit << 12) | 0xfff : limit;
}
export function dplOf(access: u32): u32 {
  return (access & Access.DPL) >>> Access.DPL_SHIFT;
}
export function isCode(access: u32): bool {
  return (access & (Access.S | Access.CODE)) === (Access.S | Access.CODE);
}
export function isConforming(access: u32): bool {
  return (access & (Access.S | Access.CODE | Access.THIRD)) === (Access.S | Access.CODE | Access.THIRD);
}
function isWritableData(access: u32): bool {
  return (access & (Access.S | Access.CODE | Access.SECOND)) === (Access.S | Access.SECOND);
}
function isReadable(access: u32): bool {
  return (access & Access.S) !== 0 && (access & (Access.CODE | Access.SECOND)) !== Access.CODE;
}
/** Type of a system descriptor, 0 for a segment. */
export function systemType(access: u32): u32 {
  return access & Access.S ? 0 : (access >>> 8) & 15;
}

/** Whether a selector lies in its table; where, is in `place`. */
export function inTable(selector: u32): bool {
  let base = get(System.GDTR_BASE);
  let limit = get(System.GDTR_LIMIT);
  if (selector & 4) {
    if (get(System.LDTR + 12) === 0) return false;
    base = get(System.LDTR + 4);
    limit = get(System.LDTR + 8);
  }
  place = base + (selector & 0xfff8);
  return (selector & 0xfff8) + 7 <= limit;
}

/** Reads the descriptor that `inTable` has found. */
export function readPlace(): bool {
  if (!PAGED) {
    // the tables are the operating system's, outside of the guest's memory
    low = load<u32>(place);
    high = load<u32>(place, 4);
    return true;
  }
  if (!systemCanRead(place, 8)) return false;
  low = systemLoad<u32>(place);
  high = systemLoad<u32>(place + 4);
  return true;
}

/** Reads a selector's descriptor; `vector` with the selector if it lies outside its table. */
export function readDescriptor(selector: u32, vector: u32): bool {
  return inTable(selector) ? readPlace() : raiseSelector(vector, selector);
}

/** Sets bits of the second word of the descriptor read last. */
export function markDescriptor(bits: u32): bool {
  if ((high & bits) === bits) return true;
  if (!PAGED) {
    high |= bits;
    store<u32>(place, high, 4);
    return true;
  }
  if (!systemCanWrite(place, 8)) return false;
  high |= bits;
  systemStore<u32>(place + 4, high);
  return true;
}

/** Sets a segment register with its hidden part. */
export function setSegment(segment: u32, selector: u32, base: u32, limit: u32, access: u32): void {
  set(X86.ES + segment * 4, selector & 0xffff);
  set(X86.ES_BASE + segment * 4, base);
  set(System.LIMIT + segment * 4, limit);
  set(System.ACCESS + segment * 4, access & Access.KEPT);
  const grows = isReadable(access) && (access & (Access.CODE | Access.THIRD)) !== Access.THIRD;
  set(System.END + segment * 4, grows && limit > 14 ? limit - 14 : 0);
  set(System.WRITABLE + segment * 4, u32(isWritableData(access)));
}
/** The same from the descriptor read last. */
export function setFromDescriptor(segment: u32, selector: u32): void {
  setSegment(segment, selector, baseOf(), limitOf(), high | Access.ACCESSED);
}
/** Real mode: only selector and base change (SDM volume 3, 20.1.1). */
export function setRealSegment(segment: u32, selector: u32): void {
  const access = get(System.ACCESS + segment * 4);
  setSegment(segment, selector, (selector & 0xffff) << 4, get(System.LIMIT + segment * 4), access);
  if (segment === Segment.CS) set(System.WRITABLE + segment * 4, 1);
}
const VIRTUAL_ACCESS: u32 = Access.PRESENT | Access.DPL | Access.S | Access.SECOND | Access.ACCESSED;
/** Virtual-8086 mode: 64 KiB at sixteen times the selector. */
export function setVirtualSegment(segment: u32, selector: u32): void {
  setSegment(segment, selector, (selector & 0xffff) << 4, 0xffff, VIRTUAL_ACCESS);
}
export function setNullSegment(segment: u32, selector: u32): void {
  setSegment(segment, selector, 0, 0, 0);
}

export function isProtected(): bool {
  return (get(System.CR0) & Cr0.PE) !== 0 && (get(X86.OTHER_FLAGS) & Eflags.VM) === 0;
}
export function isVirtual(): bool {
  return (get(X86.OTHER_FLAGS) & Eflags.VM) !== 0;
}

function isFlat(segment: u32): bool {
  return get(X86.ES_BASE + segment * 4) === 0 && get(System.LIMIT + segment * 4) === 0xffffffff && get(System.END + segment * 4) !== 0;
}

/** What code is lifted for: call it after any change of CR0, CR4, CPL, EFLAGS.VM, TF or AC, DR7, a task's T flag, CS, SS, DS or ES. */
export function updateMode(): void {
  if (!PAGED) {
    updateUserMode();
    return;
  }
  const cr0 = get(System.CR0);
  const flags = get(X86.OTHER_FLAGS);
  const level = cpl();
  let mode: u32 = Mode.SYSTEM | (level << Mode.CPL_SHIFT);
  if (level === 3) mode |= Mode.USER;
  if (flags & Eflags.VM) mode |= Mode.VIRTUAL;
  else if (cr0 & Cr0.PE) mode |= Mode.PROTECTED;
  if (get(System.ACCESS + Segment.CS * 4) & Access.DB) mode |= Mode.CODE32;
  if (get(System.ACCESS + Segment.SS * 4) & Access.DB) mode |= Mode.STACK32;
  if (isFlat(Segment.CS)) mode |= Mode.FLAT_CODE;
  if (isFlatData()) mode |= Mode.FLAT_DATA;
  if (flags & Eflags.TF || get(System.DR7) & 0xff || get(System.DEBUG_TRAP) & Dr6.BT) mode |= Mode.STEP;
  if (cr0 & Cr0.TS) mode |= Mode.TS;
  if (cr0 & Cr0.EM) mode |= Mode.EM;
  if (cr0 & Cr0.MP) mode |= Mode.MP;
  if (get(System.CR4) & Cr4.OSFXSR) mode |= Mode.FXSR;
  if (level === 3 && cr0 & Cr0.AM && flags & Eflags.AC) mode |= Mode.ALIGN;
  // what was left there while nobody looked
  if (mode & Mode.STEP && !(load<u32>(Layout.MODE) & Mode.STEP)) set(System.SHADOW, 0);
  // the next instruction clears it, which without breakpoints nothing else shows
  if (!(mode & Mode.STEP)) set(X86.OTHER_FLAGS, flags & ~Eflags.RF);
  store<u32>(Layout.MODE, mode);
}

/** Whether only the base of FS or GS counts. */
function isPlain(segment: u32): bool {
  return get(System.LIMIT + segment * 4) === 0xffffffff && get(System.END + segment * 4) !== 0 && get(System.WRITABLE + segment * 4) !== 0;
}
function updateUserMode(): void {
  let mode: u32 = Mode.USER | Mode.CPL | Mode.PROTECTED;
  if (get(System.ACCESS + Segment.CS * 4) & Access.DB) mode |= Mode.CODE32;
  if (get(System.ACCESS + Segment.SS * 4) & Access.DB) mode |= Mode.STACK32;
  if (isFlat(Segment.CS)) mode |= Mode.FLAT_CODE;
  if (isFlatData()) mode |= Mode.FLAT_DATA;
  if (!isPlain(Segment.FS) || !isPlain(Segment.GS)) mode |= Mode.LOOSE;
  if (mode === Mode.ORDINARY) mode = 0;
  set(X86.MODE, mode | (get(X86.MODE) & Mode.DENORMALS));
}
function isFlatData(): bool {
  return (
    isFlat(Segment.DS) &&
    isFlat(Segment.ES) &&
    isFlat(Segment.SS) &&
    (get(System.WRITABLE + Segment.DS * 4) & get(System.WRITABLE + Segment.ES * 4) & get(System.WRITABLE + Segment.SS * 4)) !== 0
  );
}

export function x86_update_mode(): void {
  updateMode();
}

/** What a data segment register may be loaded with, at this privilege. */
function loadData(segment: u32, selector: u32): bool {
  if (!(selector & 0xfffc)) {
    setNullSegment(segment, selector);
    return true;
  }
  if (!readDescriptor(selector, Vector.GP)) return false;
  if (!isReadable(high)) return raiseSelector(Vector.GP, selector);
  if (!isConforming(high) && dplOf(high) < max(selector & 3, cpl())) return raiseSelector(Vector.GP, selector);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, selector);
  if (!markDescriptor(Access.ACCESSED)) return false;
  setFromDescriptor(segment, selector);
  return true;
}

/** Checks a selector for SS at privilege `level` and reads its descriptor. `vector` is #GP, or #TS while a TSS gives the stack. */
export function checkStackSelector(selector: u32, level: u32, vector: u32): bool {
  if (!(selector & 0xfffc)) return raise(vector, vector === Vector.GP ? 0 : selector & 0xfffc);
  if (!readDescriptor(selector, vector)) return false;
  if ((selector & 3) !== level || dplOf(high) !== level || !isWritableData(high)) return raiseSelector(vector, selector);
  return high & Access.PRESENT ? true : raiseSelector(Vector.SS, selector);
}

/** Loads a segment register other than CS, as MOV does. */
export function loadSegment(segment: u32, selector: u32): bool {
  if (isVirtual()) setVirtualSegment(segment, selector);
  else if (!isProtected()) setRealSegment(segment, selector);
  else if (segment === Segment.SS) {
    if (!checkStackSelector(selector & 0xffff, cpl(), Vector.GP) || !markDescriptor(Access.ACCESSED)) return false;
    setFromDescriptor(segment, selector);
  } else return loadData(segment, selector & 0xffff);
  return true;
}

/** 0, 1 with an exception recorded, or 2 if code is to be lifted for another mode. */
export function x86_set_segment(segment: u32, selector: u32): u32 {
  if (!loadSegment(segment, selector)) return 1;
  const place: usize = PAGED ? Layout.MODE : Layout.STATE + X86.MODE;
  const before = load<u32>(place);
  updateMode();
  return load<u32>(place) === before ? 0 : 2;
}

/** What a return to user code does with CS: 0, or 1 with an exception recorded. */
export function x86_restore_code(selector: u32): u32 {
  if (!(selector & 0xfffc)) return u32(!raise(Vector.GP, 0));
  if (!readDescriptor(selector, Vector.GP)) return 1;
  if (!isCode(high) || (!isConforming(high) && dplOf(high) !== 3)) return u32(!raiseSelector(Vector.GP, selector));
  if (!(high & Access.PRESENT)) return u32(!raiseSelector(Vector.NP, selector));
  setFromDescriptor(Segment.CS, selector | 3);
  updateMode();
  return 0;
}

/**
 * Whether an access that END does not cover is beyond the segment; the offset is the first lane of VECTOR_A, segment and bytes
 * those of VECTOR_B.
 */
export function x86_segment_fault(_beyond: u32): u32 {
  return segmentFault(load<u32>(Layout.VECTOR_B), load<u32>(Layout.VECTOR_A), load<u32>(Layout.VECTOR_B, 4));
}
export function segmentFault(segment: u32, offset: u32, bytes: u32): u32 {
  const access = get(System.ACCESS + segment * 4);
  const limit = get(System.LIMIT + segment * 4);
  const last = offset + bytes - 1;
  if (!isReadable(access) || last < offset) return 1;
  if ((access & (Access.CODE | Access.THIRD)) === Access.THIRD)
    return u32(offset <= limit || last > (access & Access.DB ? 0xffffffff : 0xffff));
  return u32(last > limit);
}

// LAR, LSL, VERR, VERW

/** Whether a selector's descriptor, which has been read, may be seen at this privilege. */
function isVisible(selector: u32): bool {
  return isConforming(high) || dplOf(high) >= max(selector & 3, cpl());
}
/** 0 nothing, 1 a page fault, 2 read. */
function look(selector: u32): u32 {
  if (!(selector & 0xfffc) || !inTable(selector)) return 0;
  return readPlace() ? 2 : 1;
}
/** System descriptor types that LAR knows: all TSSs, the LDT, call gates, the task gate; LSL only those with limits. */
const FOR_RIGHTS: u32 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 11) | (1 << 12);
const FOR_LIMIT: u32 = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11);

/** The access rights; 0 if there are none to be seen, 1 with a fault recorded. */
export function x86_descriptor_rights(selector: u32, forLimit: u32): u32 {
  const found = look(selector);
  if (found < 2) return found;
  if (!(high & Access.S) && !(((forLimit ? FOR_LIMIT : FOR_RIGHTS) >>> systemType(high)) & 1)) return 0;
  // never 0 or 1: a readable descriptor has a type
  return isVisible(selector) ? high & 0x00ffff00 : 0;
}
export function x86_descriptor_limit(_selector: u32): u32 {
  return limitOf();
}
/** 0 not, 1 a fault recorded, 2 may be read (or with `writing` written). */
export function x86_verify_descriptor(selector: u32, writing: u32): u32 {
  const found = look(selector);
  if (found < 2) return found;
  if (!(high & Access.S) || !isVisible(selector)) return 0;
  return (writing ? isWritableData(high) : isReadable(high)) ? 2 : 0;
}

// LDTR and TR

export function x86_lldt(selector: u32): u32 {
  return u32(!loadLdt(selector, Vector.GP));
}
export function loadLdt(selector: u32, vector: u32): bool {
  if (!(selector & 0xfffc)) {
    setSystemRegister(System.LDTR, selector, 0, 0, 0);
    return true;
  }
  if (selector & 4) return raiseSelector(vector, selector);
  if (!readDescriptor(selector, vector)) return false;
  if (systemType(high) !== 2) return raiseSelector(vector, selector);
  if (!(high & Access.PRESENT)) return raiseSelector(vector === Vector.TS ? Vector.TS : Vector.NP, selector);
  setSystemRegister(System.LDTR, selector, baseOf(), limitOf(), high);
  return true;
}
export function setSystemRegister(register: u32, selector: u32, base: u32, limit: u32, access: u32): void {
  set(register, selector & 0xffff);
  set(register + 4, base);
  set(register + 8, limit);
  set(register + 12, access & Access.KEPT);
}

const BUSY: u32 = 0x200;
export function x86_ltr(selector: u32): u32 {
  return u32(!loadTask(selector));
}
function loadTask(selector: u32): bool {
  if (!(selector & 0xfffc)) return raise(Vector.GP, 0);
  if (selector & 4) return raiseSelector(Vector.GP, selector);
  if (!readDescriptor(selector, Vector.GP)) return false;
  const type = systemType(high);
  if (type !== 1 && type !== 9) return raiseSelector(Vector.GP, selector);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, selector);
  if (!markDescriptor(BUSY)) return false;
  setSystemRegister(System.TR, selector, baseOf(), limitOf(), high);
  return true;
}
