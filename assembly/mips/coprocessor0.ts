// MIPS32 volume III, chapter 9: registers of coprocessor 0 whose reads or writes do more than move a value.
import { Cause, Cp0, Mips, Mode, Status } from '../../translators/mips/state';
import { now } from '../env';
import { stopSoon } from '../leave';
import { flushTlb } from '../paged';
import { Layout } from '../shared/layout';
import { get, set, settle, writeStatus } from './privileged';
import { leaveIf } from './tlb';

/** Nanoseconds of one step of Count. */
const STEP: f64 = 10;
const WRAP: f64 = 4294967296;

// Count and Compare

function since(): f64 {
  return load<f64>(Layout.STATE + Mips.COUNT_SINCE);
}
function countAt(time: f64): u32 {
  if (get(Mips.CAUSE) & Cause.DC) return get(Mips.COUNT);
  return get(Mips.COUNT) + <u32>(<u64>((time - since()) / STEP));
}
function setCount(value: u32, time: f64): void {
  set(Mips.COUNT, value);
  store<f64>(Layout.STATE + Mips.COUNT_SINCE, time);
}
/** Finds out when Count will be Compare. */
function aim(time: f64): void {
  let due: f64 = Infinity;
  if (!(get(Mips.CAUSE) & Cause.DC)) {
    const begun = Math.floor((time - since()) / STEP) * STEP + since();
    const steps = <f64>(get(Mips.COMPARE) - countAt(time));
    due = begun + (steps === 0 ? WRAP : steps) * STEP;
  }
  store<f64>(Layout.STATE + Mips.COMPARE_DUE, due);
  if (due < time + 1e9) stopSoon();
}

export function mips_count(): i32 {
  return countAt(now());
}

/** Guest time at which the timer next interrupts. */
export function mips_timer_next(): f64 {
  return load<f64>(Layout.STATE + Mips.COMPARE_DUE);
}
export function mips_timer_tick(): void {
  const time = now();
  const due = load<f64>(Layout.STATE + Mips.COMPARE_DUE);
  if (time < due) return;
  store<f64>(Layout.STATE + Mips.COMPARE_DUE, due + WRAP * STEP);
  // IntCtl.IPTI = 7
  set(Mips.CAUSE, get(Mips.CAUSE) | Cause.TI | Cause.IP7);
  settle();
}

/** MTC0 to Count, Compare and Cause, whose DC stops Count. 1 if code that runs now has to be left. */
export function mips_mtc0_time(value: u32, register: u32, next: u32): i32 {
  const time = now();
  switch (register) {
    case Cp0.COUNT:
      setCount(value, time);
      aim(time);
      return 0;
    case Cp0.COMPARE:
      set(Mips.COMPARE, value);
      set(Mips.CAUSE, get(Mips.CAUSE) & ~(Cause.TI | Cause.IP7));
      aim(time);
      return leaveIf(i32(settle()), next);
    default: {
      const before = get(Mips.CAUSE);
      if ((before ^ value) & Cause.DC) setCount(countAt(time), time);
      set(Mips.CAUSE, (before & ~Cause.WRITABLE) | (value & Cause.WRITABLE));
      if ((before ^ value) & Cause.DC) aim(time);
      return leaveIf(i32(settle()), next);
    }
  }
}

/** MTC0 to registers that change more than themselves. 1 if code that runs now has to be left. */
export function mips_mtc0(value: u32, register: u32, next: u32): i32 {
  switch (register) {
    case Cp0.ENTRYHI: {
      const before = get(Mips.ENTRYHI);
      set(Mips.ENTRYHI, value & 0xffffe0ff);
      if (!((before ^ value) & 0xff)) return 0;
      flushTlb(true);
      return leaveIf(1, next);
    }
    case Cp0.PAGEMASK: {
      // pairs of bits, from the right: 4 KiB to 256 MiB; what is not such a mask is as the one below it
      let mask: u32 = 0;
      while (mask < 0x1fffe000 && (value & ((mask << 2) | 0x6000)) === ((mask << 2) | 0x6000)) mask = (mask << 2) | 0x6000;
      set(Mips.PAGEMASK, mask);
      return 0;
    }
    case Cp0.STATUS:
      return leaveIf(i32(writeStatus((get(Mips.STATUS) & ~Status.WRITABLE) | (value & Status.WRITABLE))), next);
    default:
      return 0;
  }
}

/** EI and DI. 1 if code that runs now has to be left. */
export function mips_enable(enable: u32, next: u32): i32 {
  const status = get(Mips.STATUS);
  return leaveIf(i32(writeStatus(enable ? status | Status.IE : status & ~Status.IE)), next);
}

/** ERET (volume II): goes on at NEXT_PC. */
export function mips_eret(): void {
  const status = get(Mips.STATUS);
  store<u32>(Layout.NEXT_PC, status & Status.ERL ? get(Mips.ERROREPC) : get(Mips.EPC));
  set(Mips.LLBIT, 0);
  writeStatus(status & ~(status & Status.ERL ? Status.ERL : Status.EXL));
}

/** Where a branch goes whose delay slot may have to leave. */
export function mips_next(target: u32): void {
  store<u32>(Layout.NEXT_PC, target);
}

/** An instruction of coprocessor 1 in kernel mode, to be lifted anew for it at `pc`: 0; or 1 if it is not usable. */
export function mips_kernel_float(pc: u32): i32 {
  const status = get(Mips.STATUS);
  if (!(status & Status.CU1)) return 1;
  store<u32>(Layout.NEXT_PC, pc);
  store<u32>(Layout.MODE, Mode.SYSTEM | Mode.KERNEL_FLOAT | Mode.CU1 | (status & Status.FR ? Mode.FR : 0));
  return 0;
}
