// Single step and breakpoints (SDM volume 3, chapter 17).

import { Eflags, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Cr4, Dr6, Mode, System } from '../../../translators/x86/system/state';
import { Layout } from '../../shared/layout';
import { get, goTo, raise, set } from './core';
import { updateMode } from './descriptors';
import { Delivery, deliverException, finish } from './interrupts';
import { currentEip } from './transfer';

const enum Dr7 {
  GD = 0x2000,
  FIXED = 0x400,
}

function isEnabled(n: u32): bool {
  return ((get(System.DR7) >>> (n * 2)) & 3) !== 0;
}
/** 0 execute, 1 write, 2 with CR4.DE input or output, 3 read or write. */
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
/** The same, and whatever runs now is past it. */
function leaveShadow(pc: u32): bool {
  const held = inShadow(pc);
  set(System.SHADOW, 0);
  return held;
}
/** Before an interrupt is taken: 1 if one more instruction comes first, or the trap of a task's T flag (SDM volume 3, 6.9). */
export function x86_hold_interrupt(): u32 {
  const pc = load<u32>(Layout.PC);
  const afterSti = get(System.STI_SHADOW) === pc && pc !== 0;
  set(System.STI_SHADOW, 0);
  // a step asks for itself, and what the load of SS has met comes after it
  const held = load<u32>(Layout.MODE) & Mode.STEP ? inShadow(pc) : leaveShadow(pc);
  return u32(held || afterSti || (get(System.DEBUG_TRAP) & Dr6.BT) !== 0);
}

/** Before the instruction at a linear address: 1 with #DB recorded, or 0. RF holds it off once. */
export function x86_breakpoint(pc: u32): u32 {
  const held = leaveShadow(pc);
  if (get(System.DEBUG_TRAP) & Dr6.BT) return fault(Dr6.BT);
  if (held) return 0;
  // of an instruction that faulted after an access that is watched
  set(System.DEBUG_TRAP, 0);
  if (get(X86.OTHER_FLAGS) & Eflags.RF) {
    set(X86.OTHER_FLAGS, get(X86.OTHER_FLAGS) & ~Eflags.RF);
    return 0;
  }
  let met: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) if (isEnabled(n) && kindOf(n) === 0 && get(System.DR0 + n * 4) === pc) met |= 1 << n;
  return met ? fault(met) : 0;
}
function fault(met: u32): u32 {
  set(System.DR6, (get(System.DR6) & ~15) | Dr6.FIXED | met);
  set(System.DEBUG_TRAP, 0);
  raise(Vector.DB, 0);
  return 1;
}

/** Bytes from `address` on are touched; `kinds` has a bit for each kind of breakpoint that this meets. */
function meet(address: u32, bytes: u32, kinds: u32): void {
  for (let n: u32 = 0; n < 4; n++) {
    if (!isEnabled(n) || !((kinds >>> kindOf(n)) & 1)) continue;
    const length = lengthOf(n);
    const first = get(System.DR0 + n * 4) & ~(length - 1);
    if (first - address < bytes || address - first < length) set(System.DEBUG_TRAP, get(System.DEBUG_TRAP) | (1 << n));
  }
}
/** In what x86_watch is told, beside the number of bytes. */
export const STORES: u32 = 0x100;
/** An access. */
export function x86_watch(address: u32, what: u32): void {
  meet(address, what & 0xff, what & STORES ? 0b1010 : 0b1000);
}
export function watchPort(port: u32, bytes: u32): void {
  if (get(System.CR4) & Cr4.DE) meet(port & 0xffff, bytes, 0b0100);
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

/** An instruction has entered a handler: what it and a load of SS before it have met comes before the handler's first instruction. */
export function x86_stepped_into(): u32 {
  return get(System.DEBUG_TRAP);
}

/** Delivers the trap that the instruction before `pc` has met, if any. */
export function debugTrap(pc: u32): bool {
  const met = get(System.DEBUG_TRAP);
  if (!met) return true;
  set(System.DR6, (get(System.DR6) & ~15) | Dr6.FIXED | met);
  set(System.DEBUG_TRAP, 0);
  const delivery = deliverException(Vector.DB, 0, currentEip(pc));
  if (delivery !== Delivery.DONE) set(System.DEBUG_TRAP, met);
  return finish(delivery);
}

export function x86_read_debug(number: u32): u32 {
  if (number < 4) return get(System.DR0 + number * 4);
  return number & 1 ? (get(System.DR7) & 0xffff2fff) | Dr7.FIXED : (get(System.DR6) & Dr6.KNOWN) | Dr6.FIXED;
}
/** Before a move to or from a debug register: 1 with #DB recorded, if they are guarded, or with #UD. */
export function x86_debug_access(number: u32): u32 {
  if (get(System.CR4) & Cr4.DE && (number & ~1) === 4) {
    raise(Vector.UD, 0);
    return 1;
  }
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
