// What all of the privileged architecture uses: state, exceptions that helpers find, memory as the processor itself accesses it.

import { Eflags } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Raised, System } from '../../../translators/x86/system/state';
import { checkRead, checkWrite, guestLoad, guestStore } from '../../memory';
import { recordFault } from '../../paged';
import { CodeMode, Layout } from '../../shared/layout';

export function get(slot: u32): u32 {
  return load<u32>(Layout.STATE + slot);
}
export function set(slot: u32, value: u32): void {
  store<u32>(Layout.STATE + slot, value);
}

/** EFLAGS bits that X86.OTHER_FLAGS holds. */
export const OTHER: u32 =
  Eflags.TF | Eflags.IF | Eflags.IOPL | Eflags.NT | Eflags.RF | Eflags.VM | Eflags.AC | Eflags.VIF | Eflags.VIP | Eflags.ID;

/** Records an exception with its error code (0 where it has none); false. */
export function raise(vector: u32, code: u32): bool {
  return recordFault(vector, Raised.EXCEPTION, code);
}
/** #GP and the like with a selector: its index and table, and whether it came up while an event was delivered. */
export function raiseSelector(vector: u32, selector: u32): bool {
  return raise(vector, (selector & 0xfffc) | external);
}
/** EXT, bit 0 of error codes: the event being delivered is none of the program's own making. */
export let external: u32 = 0;
export function setExternal(value: u32): void {
  external = value;
}

export function eflags(): u32 {
  let flags: u32 = Eflags.FIXED | (get(X86.CF) & 1) | (get(X86.OTHER_FLAGS) & OTHER);
  if (!(popcnt(get(X86.PF_RESULT) & 0xff) & 1)) flags |= Eflags.PF;
  flags |= get(X86.AF_RESULT) & Eflags.AF;
  if (get(X86.ZF_RESULT) === 0) flags |= Eflags.ZF;
  if (<i32>get(X86.SF_RESULT) < 0) flags |= Eflags.SF;
  if (get(X86.DF)) flags |= Eflags.DF;
  if (<i32>get(X86.OF_RESULT) < 0) flags |= Eflags.OF;
  return flags;
}
export function setEflags(flags: u32): void {
  set(X86.CF, flags & Eflags.CF);
  set(X86.PF_RESULT, flags & Eflags.PF ? 0 : 1);
  set(X86.AF_RESULT, flags & Eflags.AF);
  set(X86.ZF_RESULT, flags & Eflags.ZF ? 0 : 1);
  set(X86.SF_RESULT, flags & Eflags.SF ? 0x80000000 : 0);
  set(X86.DF, u32((flags & Eflags.DF) != 0));
  set(X86.OF_RESULT, flags & Eflags.OF ? 0x80000000 : 0);
  set(X86.OTHER_FLAGS, flags & OTHER);
}

// Accesses with supervisor privilege, whatever CPL is: descriptor tables, TSS, stacks of inner levels.

function asSupervisor(): u32 {
  const mode = load<u32>(Layout.MODE);
  store<u32>(Layout.MODE, mode & ~CodeMode.User);
  return mode;
}
function back(mode: u32): void {
  store<u32>(Layout.MODE, mode);
}
export function systemCanRead(address: u32, bytes: u32): bool {
  const mode = asSupervisor();
  const can = checkRead(address, bytes);
  back(mode);
  return can;
}
export function systemCanWrite(address: u32, bytes: u32): bool {
  const mode = asSupervisor();
  const can = checkWrite(address, bytes);
  back(mode);
  return can;
}
export function systemLoad<T>(address: u32): T {
  const mode = asSupervisor();
  const value = guestLoad<T>(address);
  back(mode);
  return value;
}
export function systemStore<T>(address: u32, value: T): void {
  const mode = asSupervisor();
  guestStore<T>(address, value);
  back(mode);
}

/** Where Resume goes on. */
export function goTo(pc: u32): void {
  store<u32>(Layout.NEXT_PC, pc);
}

export function cpl(): u32 {
  return get(System.CPL);
}
