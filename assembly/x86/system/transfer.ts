// Far jumps, calls and returns, SYSENTER and SYSEXIT (SDM volume 3, 5.8). All return 0, or 1 with an exception recorded and nothing done.

import { Eflags, Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Access, System } from '../../../translators/x86/system/state';
import { cpl, eflags, get, goTo, raise, raiseSelector, set, setEflags } from './core';
import {
  baseOf,
  checkStackSelector,
  dplOf,
  high,
  isCode,
  isConforming,
  isProtected,
  isVirtual,
  limitOf,
  low,
  markDescriptor,
  readDescriptor,
  setFromDescriptor,
  setNullSegment,
  setRealSegment,
  setSegment,
  setVirtualSegment,
  systemType,
  updateMode,
} from './descriptors';
import { canPop, canPush, keepPointer, peek, push, release, releaseCurrent, useCurrentStack, useStack } from './stack';
import { innerStack, innerStackPointer, innerStackSelector, switchTask, TaskSwitch } from './task';

const CS: u32 = Segment.CS;

export function currentEip(pc: u32): u32 {
  return pc - get(X86.ES_BASE + CS * 4);
}
/** Goes to an EIP of the code segment that is loaded. */
export function goToEip(eip: u32): void {
  goTo(eip + get(X86.ES_BASE + CS * 4));
}

/** Real and virtual-8086 mode: any selector will do. */
function setPlainCode(selector: u32): void {
  if (isVirtual()) setVirtualSegment(CS, selector);
  else setRealSegment(CS, selector);
}

/** CS from the descriptor read last, at privilege `level`, which becomes the CPL. */
export function setCode(selector: u32, level: u32): void {
  setFromDescriptor(CS, (selector & 0xfffc) | level);
  set(System.CPL, level);
}

/** Whether the code segment read last can be jumped to without a gate. */
function checkDirectCode(selector: u32): bool {
  const dpl = dplOf(high);
  if (isConforming(high)) {
    if (dpl > cpl()) return raiseSelector(Vector.GP, selector);
  } else if ((selector & 3) > cpl() || dpl !== cpl()) return raiseSelector(Vector.GP, selector);
  return high & Access.PRESENT ? true : raiseSelector(Vector.NP, selector);
}

/** What a call gate holds. */
let gateSelector: u32 = 0;
let gateOffset: u32 = 0;
let gateParameters: u32 = 0;
let gateSize: i32 = 4;

/** Reads the call gate read last, and its code segment's descriptor. */
function enterGate(selector: u32): bool {
  if (dplOf(high) < max(cpl(), selector & 3)) return raiseSelector(Vector.GP, selector);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, selector);
  gateSize = systemType(high) === 12 ? 4 : 2;
  gateSelector = low >>> 16;
  gateOffset = gateSize === 4 ? (low & 0xffff) | (high & 0xffff0000) : low & 0xffff;
  gateParameters = high & 31;
  if (!(gateSelector & 0xfffc)) return raise(Vector.GP, 0);
  if (!readDescriptor(gateSelector, Vector.GP)) return false;
  if (!isCode(high) || dplOf(high) > cpl()) return raiseSelector(Vector.GP, gateSelector);
  return high & Access.PRESENT ? true : raiseSelector(Vector.NP, gateSelector);
}

function toTask(selector: u32, how: TaskSwitch, next: u32): u32 {
  // Linux has no task gates for user code
  if (!PAGED) return fault(raiseSelector(Vector.GP, selector));
  if (dplOf(high) < max(cpl(), selector & 3))
    return u32(raiseSelector(how === TaskSwitch.JUMP || how === TaskSwitch.CALL ? Vector.GP : Vector.TS, selector)) ^ 1;
  if (!(high & Access.PRESENT)) return u32(raiseSelector(Vector.NP, selector)) ^ 1;
  const task = systemType(high) === 5 ? low >>> 16 : selector;
  return u32(!switchTask(task, how, currentEip(next), 0, false));
}

/** The low word of `target` is the selector, the high word the operand size. */
export function x86_far_jump(target: u32, offset: u32, next: u32): u32 {
  const selector = target & 0xffff;
  if (!isProtected()) {
    setPlainCode(selector);
    updateMode();
    goToEip(offset);
    return 0;
  }
  if (!(selector & 0xfffc)) return fault(raise(Vector.GP, 0));
  if (!readDescriptor(selector, Vector.GP)) return 1;
  const level = cpl();
  let code = selector;
  let eip = offset;
  if (isCode(high)) {
    if (!checkDirectCode(selector)) return 1;
  } else {
    switch (systemType(high)) {
      case 1:
      case 5:
      case 9:
        return toTask(selector, TaskSwitch.JUMP, next);
      case 4:
      case 12:
        if (!enterGate(selector)) return 1;
        if (!isConforming(high) && dplOf(high) !== level) return fault(raiseSelector(Vector.GP, gateSelector));
        code = gateSelector;
        eip = gateOffset;
        break;
      default:
        return fault(raiseSelector(Vector.GP, selector));
    }
  }
  if (eip > limitOf()) return fault(raise(Vector.GP, 0));
  if (!markDescriptor(Access.ACCESSED)) return 1;
  setCode(code, level);
  updateMode();
  goToEip(eip);
  return 0;
}

function fault(_raised: bool): u32 {
  return 1;
}

export function x86_far_call(target: u32, offset: u32, next: u32): u32 {
  const selector = target & 0xffff;
  const size = <i32>(target >>> 16);
  const back = currentEip(next);
  if (!isProtected()) {
    useCurrentStack();
    if (!canPush(2, size)) return 1;
    if (offset > get(System.LIMIT + CS * 4)) return fault(raise(Vector.GP, 0));
    push(size, get(X86.CS));
    push(size, back);
    keepPointer();
    setPlainCode(selector);
    updateMode();
    goToEip(offset);
    return 0;
  }
  if (!(selector & 0xfffc)) return fault(raise(Vector.GP, 0));
  if (!readDescriptor(selector, Vector.GP)) return 1;
  if (isCode(high)) {
    if (!checkDirectCode(selector)) return 1;
    return callSameLevel(selector, offset, size, back);
  }
  switch (systemType(high)) {
    case 1:
    case 5:
    case 9:
      return toTask(selector, TaskSwitch.CALL, next);
    case 4:
    case 12:
      break;
    default:
      return fault(raiseSelector(Vector.GP, selector));
  }
  if (!enterGate(selector)) return 1;
  if (isConforming(high) || dplOf(high) === cpl()) return callSameLevel(gateSelector, gateOffset, gateSize, back);
  if (!PAGED) return fault(raiseSelector(Vector.GP, selector));
  return callInner(back);
}

function callSameLevel(selector: u32, offset: u32, size: i32, back: u32): u32 {
  if (offset > limitOf()) return fault(raise(Vector.GP, 0));
  useCurrentStack();
  if (!canPush(1, size)) return 1;
  // stays where the second cannot be pushed, as on the processor
  push(size, get(X86.CS));
  if (!canPush(1, size) || !markDescriptor(Access.ACCESSED)) return 1;
  push(size, back);
  keepPointer();
  setCode(selector, cpl());
  updateMode();
  goToEip(offset);
  return 0;
}

/** A call gate to a more privileged level: parameters are copied to its stack. */
function callInner(back: u32): u32 {
  const level = dplOf(high);
  const size = gateSize;
  const codeLow = low;
  const codeHigh = high;
  if (gateOffset > limitOf()) return fault(raise(Vector.GP, 0));
  if (!markDescriptor(Access.ACCESSED)) return 1;
  if (!innerStack(level)) return 1;
  const parameters = <i32>gateParameters;
  useCurrentStack();
  if (!canPop(parameters, size)) return 1;
  for (let n = 0; n < parameters; n++) store<u32>(COPIED + (n << 2), peek(size, n * size));
  if (!checkStackSelector(innerStackSelector, level, Vector.TS)) return 1;
  useStack(innerStackSelector, baseOf(), limitOf(), high, innerStackPointer, level);
  if (!canPush(4 + parameters, size) || !markDescriptor(Access.ACCESSED)) return 1;
  push(size, get(X86.ES + Segment.SS * 4));
  push(size, get(X86.ESP));
  for (let n = parameters - 1; n >= 0; n--) push(size, load<u32>(COPIED + (n << 2)));
  push(size, get(X86.CS));
  push(size, back);
  setFromDescriptor(Segment.SS, innerStackSelector);
  keepPointer();
  setSegmentFrom(CS, (gateSelector & 0xfffc) | level, codeLow, codeHigh);
  set(System.CPL, level);
  updateMode();
  goToEip(gateOffset);
  return 0;
}
/** Parameters of a call gate, at most 31. */
const COPIED: usize = memory.data(128);

export function setSegmentFrom(segment: u32, selector: u32, first: u32, second: u32): void {
  const base = (first >>> 16) | ((second & 0xff) << 16) | (second & 0xff000000);
  const limit = (first & 0xffff) | (second & 0xf0000);
  setSegment(segment, selector, base, second & Access.G ? (limit << 12) | 0xfff : limit, second | Access.ACCESSED);
}

/** Data segments that an outer level may not have become null (SDM volume 3, 5.8.6). */
function clearInner(level: u32): void {
  for (let segment: u32 = 0; segment < 6; segment++) {
    if (segment === CS || segment === Segment.SS) continue;
    const access = get(System.ACCESS + segment * 4);
    if (access !== 0 && !isConforming(access) && dplOf(access) < level) setNullSegment(segment, 0);
  }
}

/** Checks the code selector that RETF or IRET has popped, and reads its descriptor. */
function checkReturnCode(selector: u32): bool {
  if (!(selector & 0xfffc)) return raise(Vector.GP, 0);
  if (!readDescriptor(selector, Vector.GP)) return false;
  const level = selector & 3;
  if (level < cpl() || !isCode(high)) return raiseSelector(Vector.GP, selector);
  if (isConforming(high) ? dplOf(high) > level : dplOf(high) !== level) return raiseSelector(Vector.GP, selector);
  return high & Access.PRESENT ? true : raiseSelector(Vector.NP, selector);
}

/**
 * Goes back to code that has been checked and whose descriptor was read last; on the stack in use, `frame` bytes hold what was
 * pushed, then, for an outer level, ESP and SS. `flags`: EFLAGS to set, or −1.
 */
function returnTo(selector: u32, eip: u32, size: i32, frame: i32, released: i32, flags: i64): u32 {
  const level = selector & 3;
  if (eip > limitOf()) return fault(raise(Vector.GP, 0));
  if (level === cpl()) {
    if (!markDescriptor(Access.ACCESSED)) return 1;
    release(frame + released);
    keepPointer();
    setCode(selector, level);
  } else {
    const codeLow = low;
    const codeHigh = high;
    if (!canPop(2, size, frame + released)) return 1;
    if (!markDescriptor(Access.ACCESSED)) return 1;
    const esp = peek(size, frame + released);
    const stack = peek(size, frame + released + size) & 0xffff;
    if (!checkStackSelector(stack, level, Vector.GP) || !markDescriptor(Access.ACCESSED)) return 1;
    setFromDescriptor(Segment.SS, stack);
    set(X86.ESP, high & Access.DB ? esp : (get(X86.ESP) & 0xffff0000) | (esp & 0xffff));
    releaseCurrent(released);
    setSegmentFrom(CS, selector, codeLow, codeHigh);
    if (flags >= 0) restore(<u32>flags, size);
    set(System.CPL, level);
    clearInner(level);
    updateMode();
    goToEip(eip);
    return 0;
  }
  if (flags >= 0) restore(<u32>flags, size);
  updateMode();
  goToEip(eip);
  return 0;
}

export function x86_far_return(size: i32, released: i32): u32 {
  useCurrentStack();
  if (!canPop(2, size)) return 1;
  const eip = peek(size, 0);
  const selector = peek(size, size) & 0xffff;
  if (!isProtected()) {
    if (eip > get(System.LIMIT + CS * 4)) return fault(raise(Vector.GP, 0));
    release(2 * size + released);
    keepPointer();
    setPlainCode(selector);
    updateMode();
    goToEip(eip);
    return 0;
  }
  if (!checkReturnCode(selector)) return 1;
  return returnTo(selector, eip, size, 2 * size, released, -1);
}

const STATUS: u32 = Eflags.CF | Eflags.PF | Eflags.AF | Eflags.ZF | Eflags.SF | Eflags.OF | Eflags.DF | Eflags.TF | Eflags.NT;
/** What IRET and POPF change of EFLAGS, at the CPL as it is (SDM volume 2, IRET; POPF, table 4-15). VM is the caller's. */
export function changeable(size: i32, resume: bool): u32 {
  const iopl = (get(X86.OTHER_FLAGS) & Eflags.IOPL) >>> 12;
  let bits: u32 = STATUS;
  if (size === 4) bits |= Eflags.AC | Eflags.ID | (resume ? Eflags.RF : 0);
  if (cpl() <= iopl) bits |= Eflags.IF;
  if (cpl() === 0) bits |= Eflags.IOPL;
  return bits;
}
function restore(flags: u32, size: i32): void {
  mergeEflags(flags, changeable(size, true));
}
export function mergeEflags(flags: u32, bits: u32): void {
  setEflags((eflags() & ~bits) | (flags & bits));
}

export function x86_iret(size: i32, next: u32): u32 {
  set(System.NMI_BLOCKED, 0);
  if (isProtected() && get(X86.OTHER_FLAGS) & Eflags.NT) {
    if (!PAGED) return fault(raise(Vector.GP, 0));
    return u32(!switchTask(0, TaskSwitch.RETURN, currentEip(next), 0, false));
  }
  useCurrentStack();
  if (!canPop(3, size)) return 1;
  const eip = peek(size, 0);
  const selector = peek(size, size) & 0xffff;
  const flags = peek(size, 2 * size);
  if (!isProtected()) {
    if (eip > get(System.LIMIT + CS * 4)) return fault(raise(Vector.GP, 0));
    release(3 * size);
    keepPointer();
    // in virtual-8086 mode IOPL is 3 here, and IOPL and VM stay
    restore(flags, size);
    setPlainCode(selector);
    updateMode();
    goToEip(eip);
    return 0;
  }
  if (PAGED) {
    if (size === 4 && flags & Eflags.VM && cpl() === 0) return toVirtual(eip, selector, flags);
  }
  if (!checkReturnCode(selector)) return 1;
  return returnTo(selector, eip, size, 3 * size, 0, flags);
}

/** IRET to virtual-8086 mode: nine dwords on the stack. */
function toVirtual(eip: u32, selector: u32, flags: u32): u32 {
  if (!canPop(9, 4)) return 1;
  const esp = peek(4, 12);
  const ss = peek(4, 16);
  const es = peek(4, 20);
  const ds = peek(4, 24);
  const fs = peek(4, 28);
  const gs = peek(4, 32);
  setEflags((flags & 0x003f7fd7) | Eflags.FIXED);
  set(System.CPL, 3);
  setVirtualSegment(CS, selector);
  setVirtualSegment(Segment.SS, ss);
  setVirtualSegment(Segment.ES, es);
  setVirtualSegment(Segment.DS, ds);
  setVirtualSegment(Segment.FS, fs);
  setVirtualSegment(Segment.GS, gs);
  set(X86.ESP, esp);
  updateMode();
  goToEip(eip & 0xffff);
  return 0;
}

const FLAT_CODE: u32 = Access.G | Access.DB | Access.PRESENT | Access.S | Access.CODE | Access.SECOND | Access.ACCESSED;
const FLAT_DATA: u32 = Access.G | Access.DB | Access.PRESENT | Access.S | Access.SECOND | Access.ACCESSED;

/** SDM volume 2, SYSENTER */
export function x86_sysenter(): u32 {
  const selector = get(System.SYSENTER_CS) & 0xffff;
  if (!(selector & 0xfffc)) return fault(raise(Vector.GP, 0));
  set(X86.OTHER_FLAGS, get(X86.OTHER_FLAGS) & ~(Eflags.VM | Eflags.IF | Eflags.RF));
  setSegment(CS, selector & 0xfffc, 0, 0xffffffff, FLAT_CODE);
  setSegment(Segment.SS, (selector & 0xfffc) + 8, 0, 0xffffffff, FLAT_DATA);
  set(System.CPL, 0);
  set(X86.ESP, get(System.SYSENTER_ESP));
  updateMode();
  goTo(get(System.SYSENTER_EIP));
  return 0;
}
/** SDM volume 2, SYSEXIT */
export function x86_sysexit(): u32 {
  const selector = get(System.SYSENTER_CS) & 0xffff;
  if (!(selector & 0xfffc)) return fault(raise(Vector.GP, 0));
  setSegment(CS, (selector + 16) | 3, 0, 0xffffffff, FLAT_CODE | Access.DPL);
  setSegment(Segment.SS, (selector + 24) | 3, 0, 0xffffffff, FLAT_DATA | Access.DPL);
  set(System.CPL, 3);
  set(X86.ESP, get(X86.ECX));
  updateMode();
  goTo(get(X86.EDX));
  return 0;
}
