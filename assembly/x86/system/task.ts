// The task state segment: stacks of inner levels, task switches (SDM volume 3, chapter 7).

import { Eflags, Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Access, Cr0, Cr4, Dr6, Raised, System } from '../../../translators/x86/system/state';
import { flushTlb } from '../../paged';
import { Layout } from '../../shared/layout';
import { loadPdptes } from '../mmu';
import { eflags, get, goTo, raise, raiseSelector, set, setEflags, systemCanRead, systemCanWrite, systemLoad, systemStore } from './core';
import {
  baseOf,
  checkStackSelector,
  dplOf,
  high,
  isCode,
  isConforming,
  limitOf,
  loadLdt,
  loadSegment,
  markDescriptor,
  readDescriptor,
  setFromDescriptor,
  setSystemRegister,
  setVirtualSegment,
  systemType,
  updateMode,
} from './descriptors';
import { canPush, keepPointer, push, useCurrentStack } from './stack';

export let innerStackSelector: u32 = 0;
export let innerStackPointer: u32 = 0;

/** Reads SS and ESP of a privilege level from the TSS. */
export function innerStack(level: u32): bool {
  const wide = (get(System.TR + 12) & 0x800) !== 0;
  const offset: u32 = wide ? 4 + level * 8 : 2 + level * 4;
  const size: u32 = wide ? 6 : 4;
  if (offset + size - 1 > get(System.TR + 8)) return raiseSelector(Vector.TS, get(System.TR));
  const at = get(System.TR + 4) + offset;
  if (!systemCanRead(at, size)) return false;
  innerStackPointer = wide ? systemLoad<u32>(at) : systemLoad<u16>(at);
  innerStackSelector = systemLoad<u16>(at + (wide ? 4 : 2));
  return true;
}

export const enum TaskSwitch {
  JUMP = 0,
  CALL = 1,
  /** Through a task gate in the IDT. */
  EVENT = 2,
  /** IRET with NT. */
  RETURN = 3,
}

const BUSY: u32 = 0x200;

/**
 * Switches to a task (for RETURN to the one linked); `eip` is what the old task goes on at. `pushCode`: the event's error code
 * goes onto the new task's stack. An exception that comes up before the new task's state is loaded finds nothing changed; later
 * ones are those of the new task.
 */
export function switchTask(selector: u32, how: TaskSwitch, eip: u32, code: u32, pushCode: bool): bool {
  const oldBase = get(System.TR + 4);
  const oldWide = (get(System.TR + 12) & 0x800) !== 0;
  let task = selector;
  if (how === TaskSwitch.RETURN) {
    if (!systemCanRead(oldBase, 2)) return false;
    task = systemLoad<u16>(oldBase);
  }
  const wrong: u32 = how === TaskSwitch.RETURN || how === TaskSwitch.EVENT ? Vector.TS : Vector.GP;
  if (!(task & 0xfffc)) return raise(wrong, 0);
  if (task & 4) return raiseSelector(wrong, task);
  if (!readDescriptor(task, wrong)) return false;
  const type = systemType(high);
  if (how === TaskSwitch.RETURN ? type !== 3 && type !== 11 : type !== 1 && type !== 9) return raiseSelector(wrong, task);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, task);
  const wide = (high & 0x800) !== 0;
  const base = baseOf();
  const limit = limitOf();
  const access = high;
  const last: u32 = wide ? 0x67 : 0x2b;
  if (limit < last) return raiseSelector(Vector.TS, task);
  if (!systemCanWrite(base, wide ? 0x68 : 0x2c) || !systemCanWrite(oldBase, oldWide ? 0x68 : 0x2c)) return false;
  // the new descriptor becomes busy, the old one's stays so under CALL and EVENT
  if (how !== TaskSwitch.RETURN && !markDescriptor(BUSY)) return false;
  if ((how === TaskSwitch.JUMP || how === TaskSwitch.RETURN) && !clearBusy(get(System.TR))) return false;
  let flags = eflags();
  if (how === TaskSwitch.RETURN) flags &= ~Eflags.NT;
  saveTask(oldBase, oldWide, eip, flags);
  if (how === TaskSwitch.CALL || how === TaskSwitch.EVENT) systemStore<u16>(base, <u16>get(System.TR));
  setSystemRegister(System.TR, task, base, limit, access | BUSY);
  set(System.CR0, get(System.CR0) | Cr0.TS);
  if (!loadTask(base, wide, how === TaskSwitch.CALL || how === TaskSwitch.EVENT, code, pushCode)) {
    store<u32>(Layout.EXIT_ARG1, load<u32>(Layout.EXIT_ARG1) | Raised.NEW_TASK);
    return false;
  }
  // the T flag: #DB before the task's first instruction
  if (wide && systemLoad<u16>(base + 0x64) & 1) {
    set(System.DEBUG_TRAP, get(System.DEBUG_TRAP) | Dr6.BT);
    updateMode();
  }
  return true;
}

function clearBusy(selector: u32): bool {
  const at = get(System.GDTR_BASE) + (selector & 0xfff8) + 4;
  if (!systemCanWrite(at, 4)) return false;
  systemStore<u32>(at, systemLoad<u32>(at) & ~BUSY);
  return true;
}

function saveTask(base: u32, wide: bool, eip: u32, flags: u32): void {
  if (wide) {
    systemStore<u32>(base + 0x20, eip);
    systemStore<u32>(base + 0x24, flags);
    for (let n: u32 = 0; n < 8; n++) systemStore<u32>(base + 0x28 + n * 4, get(n * 4));
    for (let n: u32 = 0; n < 6; n++) systemStore<u32>(base + 0x48 + n * 4, get(X86.ES + n * 4));
  } else {
    systemStore<u16>(base + 0x0e, <u16>eip);
    systemStore<u16>(base + 0x10, <u16>flags);
    for (let n: u32 = 0; n < 8; n++) systemStore<u16>(base + 0x12 + n * 2, <u16>get(n * 4));
    for (let n: u32 = 0; n < 4; n++) systemStore<u16>(base + 0x22 + n * 2, <u16>get(X86.ES + n * 4));
  }
}

const SELECTORS: usize = memory.data(24);

function loadTask(base: u32, wide: bool, nested: bool, code: u32, pushCode: bool): bool {
  if (wide && get(System.CR0) & Cr0.PG) {
    const cr3 = systemLoad<u32>(base + 0x1c);
    if (get(System.CR4) & Cr4.PAE && !loadPdptes(cr3)) return false;
    set(System.CR3, cr3);
    flushTlb((get(System.CR4) & Cr4.PGE) !== 0);
  }
  const eip: u32 = wide ? systemLoad<u32>(base + 0x20) : systemLoad<u16>(base + 0x0e);
  let flags: u32 = wide ? systemLoad<u32>(base + 0x24) : systemLoad<u16>(base + 0x10);
  if (nested) flags |= Eflags.NT;
  // a 16-bit TSS leaves ones in the upper halves (80386; undefined in SDM volume 3, 7.6)
  for (let n: u32 = 0; n < 8; n++)
    set(n * 4, wide ? systemLoad<u32>(base + 0x28 + n * 4) : 0xffff0000 | systemLoad<u16>(base + 0x12 + n * 2));
  for (let n: u32 = 0; n < 6; n++) {
    const selector: u32 = wide ? systemLoad<u16>(base + 0x48 + n * 4) : n < 4 ? systemLoad<u16>(base + 0x22 + n * 2) : 0;
    store<u32>(SELECTORS + (n << 2), selector);
  }
  const ldt: u32 = systemLoad<u16>(base + (wide ? 0x60 : 0x2a));
  setEflags(flags & (wide ? 0x003f7fd7 : 0x7fd7));
  set(System.DR7, get(System.DR7) & ~0x155);
  goTo(eip);
  if (flags & Eflags.VM && wide) {
    set(System.CPL, 3);
    for (let n: u32 = 0; n < 6; n++) setVirtualSegment(n, load<u32>(SELECTORS + (n << 2)));
    updateMode();
    goTo(eip + get(X86.ES_BASE + Segment.CS * 4));
    return true;
  }
  if (!loadLdt(ldt, Vector.TS)) return false;
  const cs = load<u32>(SELECTORS + 4);
  if (!(cs & 0xfffc)) return raiseSelector(Vector.TS, cs);
  if (!readDescriptor(cs, Vector.TS)) return false;
  const level = cs & 3;
  if (!isCode(high) || (isConforming(high) ? dplOf(high) > level : dplOf(high) !== level)) return raiseSelector(Vector.TS, cs);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, cs);
  setFromDescriptor(Segment.CS, cs);
  set(System.CPL, level);
  updateMode();
  goTo(eip + get(X86.ES_BASE + Segment.CS * 4));
  const ss = load<u32>(SELECTORS + 8);
  if (!checkStackSelector(ss, level, Vector.TS) || !markDescriptor(Access.ACCESSED)) return false;
  setFromDescriptor(Segment.SS, ss);
  for (let n: u32 = 0; n < 6; n++) {
    if (n === Segment.CS || n === Segment.SS) continue;
    if (!loadSegment(n, load<u32>(SELECTORS + (n << 2)))) return false;
  }
  updateMode();
  if (pushCode) {
    useCurrentStack();
    const size = wide ? 4 : 2;
    if (!canPush(1, size)) return false;
    push(size, code);
    keepPointer();
  }
  if (eip > get(System.LIMIT + Segment.CS * 4)) return raise(Vector.GP, 0);
  return true;
}
