// Single step and breakpoints (SDM volume 3, chapter 17).

import { Eflags, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { System } from '../../../translators/x86/system/state';
import { Layout } from '../../shared/layout';
import { get, goTo, raise, set } from './core';
import { updateMode } from './descriptors';
import { Delivery, deliverException, finish } from './interrupts';
import { currentEip } from './transfer';

const enum Dr6 {
  BD = 0x2000,
  BS = 0x4000,
  BT = 0x8000,
  /** Bits that are always set. */
  FIXED = 0xffff0ff0,
}
const enum Dr7 {
  GD = 0x2000,
  FIXED = 0x400,
}

function isEnabled(n: u32): bool {
  return ((get(System.DR7) >>> (n * 2)) & 3) !== 0;
}
/** 0 execute, 1 write, 3 read or write. */
function kindOf(n: u32): u32 {
  return (get(System.DR7) >>> (16 + n * 4)) & 3;
}
function lengthOf(n: u32): u32 {
  return ((get(System.DR7) >>> (18 + n * 4)) & 3) + 1;
}

/** Whether `pc` comes right after a load of SS (SDM volume 3, 6.8.3). */
function inShadow(pc: u32): bool {
  const at = get(System.SHADOW);
  return at !== 0 && at === pc;
}
/** The same, and the instruction at `pc` is what runs now. */
function leaveShadow(pc: u32): bool {
  if (!inShadow(pc)) return false;
  set(System.SHADOW, 0);
  return true;
}
/** Before an interrupt is taken: 1 if one more instruction comes first. */
export function x86_hold_interrupt(): u32 {
  const pc = load<u32>(Layout.PC);
  const afterSti = get(System.STI_SHADOW) === pc && pc !== 0;
  set(System.STI_SHADOW, 0);
  return u32(leaveShadow(pc) || afterSti);
}

/** Before the instruction at a linear address: 1 with #DB recorded, or 0. RF holds it off once. */
export function x86_breakpoint(pc: u32): u32 {
  if (leaveShadow(pc)) return 0;
  if (get(X86.OTHER_FLAGS) & Eflags.RF) {
    set(X86.OTHER_FLAGS, get(X86.OTHER_FLAGS) & ~Eflags.RF);
    return 0;
  }
  let met: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) if (isEnabled(n) && kindOf(n) === 0 && get(System.DR0 + n * 4) === pc) met |= 1 << n;
  if (!met) return 0;
  set(System.DR6, (get(System.DR6) & ~15) | Dr6.FIXED | met);
  set(System.DEBUG_TRAP, 0);
  raise(Vector.DB, 0);
  return 1;
}

/** An access: low bits of `what` its bytes, bit 8 for a store. */
export function x86_watch(address: u32, what: u32): void {
  const bytes = what & 0xff;
  for (let n: u32 = 0; n < 4; n++) {
    const kind = kindOf(n);
    if (!isEnabled(n) || (kind !== 3 && (kind !== 1 || !(what & 0x100)))) continue;
    const length = lengthOf(n);
    const first = get(System.DR0 + n * 4) & ~(length - 1);
    if (first < address + bytes && address < first + length) set(System.DEBUG_TRAP, get(System.DEBUG_TRAP) | (1 << n));
  }
}

/** The instruction is done: where it goes on. 1 if a debug trap follows. */
export function x86_stepped(pc: u32): u32 {
  goTo(pc);
  if (inShadow(pc)) return 0;
  if (get(X86.OTHER_FLAGS) & Eflags.TF) set(System.DEBUG_TRAP, get(System.DEBUG_TRAP) | Dr6.BS);
  return get(System.DEBUG_TRAP);
}

/** The same where a helper has said where it goes on. */
export function x86_stepped_on(): u32 {
  return x86_stepped(load<u32>(Layout.NEXT_PC));
}

/** Delivers the trap that the instruction before `pc` has met, if any. */
export function debugTrap(pc: u32): bool {
  const met = get(System.DEBUG_TRAP);
  if (!met) return true;
  set(System.DR6, (get(System.DR6) & ~15) | Dr6.FIXED | met);
  const delivery = deliverException(Vector.DB, 0, currentEip(pc));
  if (delivery === Delivery.DONE) set(System.DEBUG_TRAP, 0);
  return finish(delivery);
}

export function x86_read_debug(number: u32): u32 {
  if (number < 4) return get(System.DR0 + number * 4);
  return number & 1 ? (get(System.DR7) & 0xffff2fff) | Dr7.FIXED : get(System.DR6) | Dr6.FIXED;
}
/** Before a move to or from a debug register: 1 with #DB recorded, if they are guarded. */
export function x86_debug_access(): u32 {
  if (!(get(System.DR7) & Dr7.GD)) return 0;
  set(System.DR6, get(System.DR6) | Dr6.FIXED | Dr6.BD);
  raise(Vector.DB, 0);
  return 1;
}
/** The handler of #DB may use them. */
export function endDebugGuard(): void {
  set(System.DR7, get(System.DR7) & ~Dr7.GD);
}
export function x86_write_debug(number: u32, value: u32): void {
  if (number < 4) set(System.DR0 + number * 4, value);
  else if (number & 1) set(System.DR7, value);
  else set(System.DR6, value);
  updateMode();
}
