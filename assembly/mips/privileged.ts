// MIPS32 volume III: exceptions and interrupts, and the mode that follows from Status.
import { ExcCode } from '../../translators/mips/exception-code';
import { Cause, Mips, Mode, Status } from '../../translators/mips/state';
import { hypercall } from '../env';
import { stopSoon } from '../leave';
import { flushTlb } from '../paged';
import { ExitKind, Fault, FaultAccess } from '../shared/exit';
import { Layout } from '../shared/layout';

export function get(offset: u32): u32 {
  return load<u32>(Layout.STATE + offset);
}
export function set(offset: u32, value: u32): void {
  store<u32>(Layout.STATE + offset, value);
}

/** Kernel mode (4.1): Debug.DM is not there. */
function privileged(status: u32): bool {
  return (status & (Status.EXL | Status.ERL)) !== 0 || ((status >>> Status.KSU_SHIFT) & 3) === 0;
}

/** Layout.MODE as Status wants it. */
function modeOf(status: u32): u32 {
  if (privileged(status)) return Mode.SYSTEM;
  let mode: u32 = Mode.SYSTEM | Mode.USER;
  if (((status >>> Status.KSU_SHIFT) & 3) === 1) mode |= Mode.SUPERVISOR;
  if (status & Status.CU0) mode |= Mode.CU0;
  if (status & Status.CU1) mode |= Mode.CU1 | (status & Status.FR ? Mode.FR : 0);
  return mode;
}

/** Whether an interrupt would be taken (6.2.1). */
function interruptible(): bool {
  const status = get(Mips.STATUS);
  return (status & (Status.IE | Status.EXL | Status.ERL)) === Status.IE && (status & get(Mips.CAUSE) & Cause.IP) !== 0;
}

/** Status or Cause changed. True if code that runs now has to be left. */
export function settle(): bool {
  const before = load<u32>(Layout.MODE);
  const mode = modeOf(get(Mips.STATUS));
  // the pages of supervisor mode are marked as user mode's
  if ((mode ^ before) & Mode.SUPERVISOR) flushTlb(false);
  store<u32>(Layout.MODE, mode);
  const attention = interruptible();
  store<u32>(Layout.ATTENTION, u32(attention));
  return mode !== before || attention;
}

/** Status changes as if MTC0 had written it. True if code that runs now has to be left. */
export function writeStatus(value: u32): bool {
  const before = get(Mips.STATUS);
  // with ERL, kuseg is unmapped (4.6)
  if ((before ^ value) & Status.ERL) flushTlb(false);
  set(Mips.STATUS, value);
  return settle();
}

const BOOT_BASE: u32 = 0xbfc00200;
const enum Vector {
  REFILL = 0,
  GENERAL = 0x180,
  INTERRUPT = 0x200,
}

/**
 * Enters the exception of this code (6.1). In a pc, bit 1 marks a delay slot, and bit 0 alone what is between a branch and its slot;
 * `plain`: it is an address as it stands.
 */
function enter(code: u32, unit: u32, pc: u32, vector: u32, plain: bool): void {
  const status = get(Mips.STATUS);
  let cause = get(Mips.CAUSE) & ~(Cause.EXC_CODE | (3 << Cause.CE_SHIFT));
  let offset = vector;
  if (status & Status.EXL) offset = Vector.GENERAL;
  else {
    const slot = !plain && (pc & 3) !== 0;
    set(Mips.EPC, !slot ? pc : pc & 2 ? (pc & ~3) - 4 : pc & ~3);
    cause = slot ? cause | Cause.BD : cause & ~Cause.BD;
  }
  set(Mips.CAUSE, cause | (code << 2) | (unit << Cause.CE_SHIFT));
  set(Mips.STATUS, status | Status.EXL);
  const base = status & Status.BEV ? BOOT_BASE : get(Mips.EBASE) & 0xfffff000;
  store<u32>(Layout.PC, base + offset);
  settle();
}

/** An address that a TLB entry was wanted for (6.2.6): EntryHi and Context are for the handler. */
function noteAddress(address: u32): void {
  set(Mips.ENTRYHI, (get(Mips.ENTRYHI) & 0xff) | (address & 0xffffe000));
  set(Mips.CONTEXT, (get(Mips.CONTEXT) & 0xff800000) | ((address >>> 13) << 4));
}

/** In a memory fault's detail: there was no entry at all. */
export const REFILL: u32 = 0x100;

function memoryFault(pc: u32): void {
  const address = load<u32>(Layout.EXIT_ARG0);
  const access = load<u32>(Layout.EXIT_ARG1);
  const detail = load<u32>(Layout.EXIT_ARG2);
  const fetch = access === FaultAccess.Execute;
  if (detail === <u32>Fault.BUS) {
    enter(fetch ? ExcCode.IBE : ExcCode.DBE, 0, pc, Vector.GENERAL, false);
    return;
  }
  // a jump to an address that is not a multiple of four, on a page that cannot be fetched: no delay slot
  if (fetch && pc & 3 && address === pc) {
    set(Mips.BADVADDR, pc);
    enter(ExcCode.AdEL, 0, pc, Vector.GENERAL, true);
    return;
  }
  let code = detail & 0xff;
  if (detail === <u32>Fault.MISALIGNED) code = access === FaultAccess.Write ? ExcCode.AdES : ExcCode.AdEL;
  set(Mips.BADVADDR, address);
  if (code === ExcCode.Mod || code === ExcCode.TLBL || code === ExcCode.TLBS) noteAddress(address);
  // the delay slot is on a page that cannot be fetched
  const slot = fetch && !(pc & 3) && address === pc + 4;
  const refill = (detail & REFILL) !== 0 && detail !== <u32>Fault.MISALIGNED;
  enter(code, 0, slot ? address | 2 : pc, refill ? Vector.REFILL : Vector.GENERAL, false);
}

/** See deliver in assembly/system.ts. */
export function deliverMips(): bool {
  const pc = load<u32>(Layout.PC);
  switch (load<u32>(Layout.EXIT_KIND)) {
    case ExitKind.MemoryFault:
      memoryFault(pc);
      return true;
    case ExitKind.Syscall:
      enter(ExcCode.Sys, 0, load<u32>(Layout.EXIT_ARG0), Vector.GENERAL, false);
      return true;
    case ExitKind.Breakpoint:
      enter(ExcCode.Bp, 0, pc, Vector.GENERAL, false);
      return true;
    case ExitKind.Illegal:
      enter(ExcCode.RI, 0, pc, Vector.GENERAL, false);
      return true;
    case ExitKind.Exception: {
      const code = load<u32>(Layout.EXIT_ARG0) & 0xff;
      // a jump to an address that is not a multiple of four; data is found misaligned elsewhere
      const plain = code === ExcCode.AdEL;
      if (plain) set(Mips.BADVADDR, pc);
      enter(code, load<u32>(Layout.EXIT_ARG0) >>> 8, pc, Vector.GENERAL, plain);
      return true;
    }
    default:
      return false;
  }
}

/** Hardware interrupt `line` (0…5: IP2…IP7). */
export function mips_line(line: u32, level: u32): void {
  const bit: u32 = Cause.IP2 << line;
  const cause = get(Mips.CAUSE);
  set(Mips.CAUSE, level ? cause | bit : cause & ~bit);
  const attention = interruptible();
  store<u32>(Layout.ATTENTION, u32(attention));
  if (attention) stopSoon();
}

export function mips_interrupt_pending(): i32 {
  return i32(interruptible());
}
export function mips_take_interrupt(): void {
  enter(ExcCode.Int, 0, load<u32>(Layout.PC), get(Mips.CAUSE) & Cause.IV ? Vector.INTERRUPT : Vector.GENERAL, false);
}

/** 1: the guest waits, then goes on at `next`, or if that is 0 where mips_next said. */
export function mips_hypercall(next: u32): u32 {
  if (next) store<u32>(Layout.NEXT_PC, next);
  return hypercall();
}
