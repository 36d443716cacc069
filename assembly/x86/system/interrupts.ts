// Interrupts and exceptions: real mode, gates, tasks; double fault and shutdown (SDM volume 3, chapter 6, 20.1.4, 20.3).

import { Eflags, Segment, Vector } from '../../../translators/x86/sdm';
import { X86 } from '../../../translators/x86/state';
import { Access, Cr0, Cr4, Raised, System } from '../../../translators/x86/system/state';
import { stopSoon } from '../../leave';
import { faultAsWrite, flushTlb, recordFault, setForce } from '../../paged';
import { ExitKind, Fault, FaultAccess } from '../../shared/exit';
import { Layout } from '../../shared/layout';
import { x86_modifies } from '../modifies';
import { cpl, eflags, external, get, raise, raiseSelector, set, setExternal, systemCanRead, systemLoad } from './core';
import { debugTrap, endDebugGuard } from './debug';
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
  updateMode,
} from './descriptors';
import { canPop, canPush, keepPointer, peek, push, release, useCurrentStack, useStack } from './stack';
import { innerStack, innerStackPointer, innerStackSelector, switchTask, TaskSwitch } from './task';
import { changeable, currentEip, goToEip, mergeEflags, setCode, setSegmentFrom } from './transfer';

const CS: u32 = Segment.CS;

/** Vectors that push an error code. */
const WITH_CODE: u32 =
  (1 << Vector.DF) | (1 << Vector.TS) | (1 << Vector.NP) | (1 << Vector.SS) | (1 << Vector.GP) | (1 << Vector.PF) | (1 << Vector.AC);
const CONTRIBUTORY: u32 = (1 << Vector.DE) | (1 << Vector.TS) | (1 << Vector.NP) | (1 << Vector.SS) | (1 << Vector.GP);

/** Enters the handler of a vector. `software`: INT n, INT3 or INTO, which the gate's DPL must allow. False: an exception is recorded. */
function enter(vector: u32, software: bool, hasCode: bool, code: u32, eip: u32, flags: u32): bool {
  return isProtected() || isVirtual() ? throughGate(vector, software, hasCode, code, eip, flags) : realMode(vector, eip, flags);
}

function realMode(vector: u32, eip: u32, flags: u32): bool {
  if (vector * 4 + 3 > get(System.IDTR_LIMIT)) return raise(Vector.GP, 0);
  const at = get(System.IDTR_BASE) + vector * 4;
  if (!systemCanRead(at, 4)) return false;
  const target = systemLoad<u32>(at);
  useCurrentStack();
  if (!canPush(3, 2)) return false;
  push(2, flags);
  push(2, get(X86.CS));
  push(2, eip);
  keepPointer();
  set(X86.OTHER_FLAGS, get(X86.OTHER_FLAGS) & ~(Eflags.IF | Eflags.TF | Eflags.AC | Eflags.RF));
  setRealSegment(CS, target >>> 16);
  updateMode();
  goToEip(target & 0xffff);
  return true;
}

function throughGate(vector: u32, software: bool, hasCode: bool, code: u32, eip: u32, flags: u32): bool {
  const error = vector * 8 + 2 + external;
  if (vector * 8 + 7 > get(System.IDTR_LIMIT)) return raise(Vector.GP, error);
  const at = get(System.IDTR_BASE) + vector * 8;
  if (!systemCanRead(at, 8)) return false;
  const gateLow = systemLoad<u32>(at);
  const gateHigh = systemLoad<u32>(at + 4);
  const type = (gateHigh >>> 8) & 0x1f;
  if (type !== 5 && (type & 0x16) !== 6) return raise(Vector.GP, error);
  if (software && dplOf(gateHigh) < cpl()) return raise(Vector.GP, error);
  if (!(gateHigh & Access.PRESENT)) return raise(Vector.NP, error);
  const selector = gateLow >>> 16;
  if (type === 5) return switchTask(selector, TaskSwitch.EVENT, eip, code, hasCode);
  const size: i32 = type & 8 ? 4 : 2;
  const offset: u32 = size === 4 ? (gateLow & 0xffff) | (gateHigh & 0xffff0000) : gateLow & 0xffff;
  if (!(selector & 0xfffc)) return raise(Vector.GP, external);
  if (!readDescriptor(selector, Vector.GP)) return false;
  if (!isCode(high) || dplOf(high) > cpl()) return raiseSelector(Vector.GP, selector);
  if (!(high & Access.PRESENT)) return raiseSelector(Vector.NP, selector);
  if (offset > limitOf()) return raise(Vector.GP, external);
  const inner = !isConforming(high) && dplOf(high) < cpl();
  if (isVirtual() && (!inner || dplOf(high) !== 0)) return raiseSelector(Vector.GP, selector);
  if (!markDescriptor(Access.ACCESSED)) return false;
  const cleared: u32 = Eflags.TF | Eflags.NT | Eflags.VM | Eflags.RF | (type & 1 ? 0 : Eflags.IF);
  if (!(inner ? toInner(selector, size, hasCode, code, eip, flags) : toSame(selector, size, hasCode, code, eip, flags))) return false;
  set(X86.OTHER_FLAGS, get(X86.OTHER_FLAGS) & ~cleared);
  updateMode();
  goToEip(offset);
  return true;
}

function toSame(selector: u32, size: i32, hasCode: bool, code: u32, eip: u32, flags: u32): bool {
  useCurrentStack();
  if (!canPush(hasCode ? 4 : 3, size)) return false;
  pushReturn(size, hasCode, code, eip, flags);
  keepPointer();
  setCode(selector, cpl());
  return true;
}
function pushReturn(size: i32, hasCode: bool, code: u32, eip: u32, flags: u32): void {
  push(size, flags);
  push(size, get(X86.CS));
  push(size, eip);
  if (hasCode) push(size, code);
}

function toInner(selector: u32, size: i32, hasCode: bool, code: u32, eip: u32, flags: u32): bool {
  const level = dplOf(high);
  const codeLow = low;
  const codeHigh = high;
  if (!innerStack(level)) return false;
  if (!checkStackSelector(innerStackSelector, level, Vector.TS)) return false;
  const virtual = isVirtual();
  useStack(innerStackSelector, baseOf(), limitOf(), high, innerStackPointer, level);
  if (!canPush((virtual ? 9 : 5) + i32(hasCode), size) || !markDescriptor(Access.ACCESSED)) return false;
  if (virtual) {
    push(size, get(X86.GS));
    push(size, get(X86.FS));
    push(size, get(X86.DS));
    push(size, get(X86.ES));
  }
  push(size, get(X86.SS));
  push(size, get(X86.ESP));
  pushReturn(size, hasCode, code, eip, flags);
  setFromDescriptor(Segment.SS, innerStackSelector);
  keepPointer();
  if (virtual) {
    setNullSegment(Segment.GS, 0);
    setNullSegment(Segment.FS, 0);
    setNullSegment(Segment.DS, 0);
    setNullSegment(Segment.ES, 0);
  }
  setSegmentFrom(CS, (selector & 0xfffc) | level, codeLow, codeHigh);
  set(System.CPL, level);
  return true;
}

/** INT n, INT3, INTO, INT1: `kind` as SoftwareInterrupt, with the vector in its low byte. */
export function x86_software_interrupt(kind: u32, next: u32): u32 {
  const isInt1 = (kind & 0x300) === 0x300;
  setExternal(u32(isInt1));
  const done = enter(kind & 0xff, !isInt1, false, 0, currentEip(next), eflags());
  setExternal(0);
  if (done && isInt1) {
    endDebugGuard();
    // it is that trap
    set(System.DEBUG_TRAP, 0);
  }
  return u32(!done);
}

export const enum Delivery {
  /** The processor shuts down. */
  SHUTDOWN = 0,
  DONE = 1,
  /** Nothing was done: the stack lies on a page that code was translated from, of which the engine has to know (Fault.WRITES_CODE). */
  RETRY = 2,
}

/** Delivers an exception of the instruction at `eip`; what comes up meanwhile, too. */
export function deliverException(first: u32, firstCode: u32, at: u32): Delivery {
  let vector = first;
  let code = firstCode;
  let eip = at;
  while (true) {
    const flags = eflags() | (vector !== Vector.DB && vector !== Vector.DF ? Eflags.RF : 0);
    setExternal(1);
    const real = !isProtected() && !isVirtual();
    const done = enter(vector, false, !real && vector < 32 && ((WITH_CODE >>> vector) & 1) !== 0, code, eip, flags);
    setExternal(0);
    if (done) {
      if (vector === Vector.DB) endDebugGuard();
      return Delivery.DONE;
    }
    // what the delivery itself raised
    const arg1 = load<u32>(Layout.EXIT_ARG1);
    if (arg1 & Fault.WRITES_CODE) return Delivery.RETRY;
    let second = load<u32>(Layout.EXIT_ARG0);
    let secondCode = load<u32>(Layout.EXIT_ARG2);
    if (!(arg1 & Raised.EXCEPTION)) {
      set(System.CR2, second);
      second = Vector.PF;
    }
    if (arg1 & Raised.NEW_TASK) {
      // the switch was made: its exceptions are the new task's own
      eip = currentEip(load<u32>(Layout.NEXT_PC));
    } else {
      const worse = ((CONTRIBUTORY >>> second) & 1) !== 0 || second === Vector.PF;
      if (vector === Vector.DF) return Delivery.SHUTDOWN;
      const contributory = vector < 32 && ((CONTRIBUTORY >>> vector) & 1) !== 0;
      if ((contributory && ((CONTRIBUTORY >>> second) & 1) !== 0) || (vector === Vector.PF && worse)) {
        second = Vector.DF;
        secondCode = 0;
      }
    }
    vector = second;
    code = secondCode;
  }
}

/** What the engine was left with, in the header; see assembly/system.ts. */
export function deliverX86(): bool {
  const pc = load<u32>(Layout.PC);
  const arg0 = load<u32>(Layout.EXIT_ARG0);
  let vector = arg0;
  let code: u32 = 0;
  let eip = currentEip(pc);
  switch (load<u32>(Layout.EXIT_KIND)) {
    case ExitKind.MemoryFault: {
      const arg1 = load<u32>(Layout.EXIT_ARG1);
      code = load<u32>(Layout.EXIT_ARG2);
      if (arg1 === FaultAccess.Read && code !== <u32>Fault.BUS) {
        if (x86_modifies(pc)) faultAsWrite(arg0);
        else recordFault(arg0, arg1, code);
        code = load<u32>(Layout.EXIT_ARG2);
      }
      if (arg1 & Raised.NEW_TASK) eip = currentEip(load<u32>(Layout.NEXT_PC));
      if (arg1 & Raised.EXCEPTION) break;
      if (code === <u32>Fault.BUS) {
        vector = Vector.UD;
        break;
      }
      vector = Vector.PF;
      set(System.CR2, load<u32>(Layout.EXIT_ARG0));
      break;
    }
    case ExitKind.Exception: {
      const length = arg0 >>> 16;
      switch (arg0 & Raised.KIND) {
        case Raised.POPF:
          popf(arg0 & 7);
          store<u32>(Layout.PC, pc + length);
          return debugTrap(pc + length);
        case Raised.INTO:
          setExternal(0);
          if (enter(Vector.OF, true, false, 0, eip + length, eflags())) return finish(Delivery.DONE);
          return intoFailed(eip);
        case Raised.STEP:
          store<u32>(Layout.PC, load<u32>(Layout.NEXT_PC));
          return debugTrap(load<u32>(Layout.NEXT_PC));
      }
      // reported by the board's FERR#, not by #MF (SDM volume 1, 8.7.2)
      if (vector === Vector.MF && !(get(System.CR0) & Cr0.NE)) return false;
      if (vector === Vector.XM && !(get(System.CR4) & Cr4.OSXMMEXCPT)) vector = Vector.UD;
      break;
    }
    case ExitKind.Illegal:
      vector = Vector.UD;
      break;
    default:
      return false;
  }
  return finish(deliverException(vector, code, eip));
}

/** INTO could not enter its handler: what it raised is a fault of INTO itself. */
function intoFailed(eip: u32): bool {
  if (load<u32>(Layout.EXIT_ARG1) & Fault.WRITES_CODE) return finish(Delivery.RETRY);
  let vector = load<u32>(Layout.EXIT_ARG0);
  if (!(load<u32>(Layout.EXIT_ARG1) & Raised.EXCEPTION)) {
    set(System.CR2, vector);
    vector = Vector.PF;
  }
  return finish(deliverException(vector, load<u32>(Layout.EXIT_ARG2), eip));
}

/** Whether the guest goes on. */
export function finish(delivery: Delivery): bool {
  if (delivery === Delivery.DONE) {
    arrive();
    return true;
  }
  store<u32>(Layout.EXIT_KIND, delivery === Delivery.RETRY ? ExitKind.MemoryFault : ExitKind.Shutdown);
  return false;
}
function arrive(): void {
  store<u32>(Layout.PC, load<u32>(Layout.NEXT_PC));
}

/** POPF where the mode may change; its stack was read before without a fault. */
function popf(size: i32): void {
  const stepped = (get(X86.OTHER_FLAGS) & Eflags.TF) !== 0;
  useCurrentStack();
  if (!canPop(1, size)) return;
  const flags = peek(size, 0);
  release(size);
  keepPointer();
  mergeEflags(flags, changeable(size, false));
  if (stepped) set(System.DEBUG_TRAP, get(System.DEBUG_TRAP) | 0x4000);
  updateMode();
}

// Interrupts from outside

/** INTR is 0, NMI 1, A20 (not its masking) 2. */
export function x86_line(line: u32, level: u32): void {
  if (line === 2) {
    set(System.MASKED, level ? 0 : 1 << 20);
    flushTlb(false);
    return;
  }
  if (line === 0) set(System.INTERRUPT, level ? Eflags.IF : 0);
  else if (level) set(System.NMI, 1);
  if (attend()) stopSoon();
}
/** Whether an interrupt would be taken now; Layout.ATTENTION says so to the dispatcher. */
export function attend(): bool {
  const now = wanted();
  store<u32>(Layout.ATTENTION, u32(now));
  return now;
}
export function x86_interrupt_pending(): u32 {
  return u32(attend());
}
function wanted(): bool {
  return (get(System.INTERRUPT) & get(X86.OTHER_FLAGS)) !== 0 || (get(System.NMI) !== 0 && get(System.NMI_BLOCKED) === 0);
}

/** Takes NMI, if one waits, else the external interrupt `vector`: 0, or 1 if the processor shuts down. */
export function x86_take_interrupt(vector: u32): u32 {
  let number = vector;
  if (get(System.NMI) && !get(System.NMI_BLOCKED)) {
    set(System.NMI, 0);
    set(System.NMI_BLOCKED, 1);
    number = Vector.NMI;
  }
  const eip = currentEip(load<u32>(Layout.PC));
  setExternal(1);
  setForce(true);
  const done = enter(number, false, false, 0, eip, eflags());
  setExternal(0);
  if (done) arrive();
  else {
    let raised = load<u32>(Layout.EXIT_ARG0);
    if (!(load<u32>(Layout.EXIT_ARG1) & Raised.EXCEPTION)) {
      set(System.CR2, raised);
      raised = Vector.PF;
    }
    const delivery = deliverException(raised, load<u32>(Layout.EXIT_ARG2), eip);
    if (delivery !== Delivery.DONE) {
      setForce(false);
      return 1;
    }
    arrive();
  }
  setForce(false);
  attend();
  return 0;
}

/** An exception of the instruction at PC: 0, or 1 if the processor shuts down. */
export function x86_deliver(vector: u32, code: u32): u32 {
  setForce(true);
  const done = deliverException(vector, code, currentEip(load<u32>(Layout.PC))) === Delivery.DONE;
  setForce(false);
  if (done) arrive();
  return u32(!done);
}

/** Whether NMI is what would be taken next: then the interrupt controller is not asked. */
export function x86_nmi_pending(): u32 {
  return u32(get(System.NMI) !== 0 && get(System.NMI_BLOCKED) === 0);
}
