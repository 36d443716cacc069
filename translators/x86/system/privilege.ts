import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Insn } from '../operands.ts';
import type { Meaning } from '../row.ts';
import { Eflags, Vector } from '../sdm.ts';
import { X86 } from '../state.ts';
import { Mode, Raised, System } from './state.ts';

export const cplOf = (i: Insn): number => (i.mode & Mode.CPL) >>> Mode.CPL_SHIFT;

const generalProtection = (b: Builder, i: Insn): void => b.exit(ExitKind.Exception, i.pc, Vector.GP, 0);

/** #GP(0) beyond CPL 0. */
export const privileged =
  (meaning: Meaning): Meaning =>
  (b, i) => {
    if (cplOf(i) === 0) meaning(b, i);
    else generalProtection(b, i);
  };

/** #UD in real and virtual-8086 mode. */
export const protectedOnly =
  (meaning: Meaning): Meaning =>
  (b, i) => {
    if (i.mode & Mode.PROTECTED) meaning(b, i);
    else b.exit(ExitKind.Illegal, i.pc);
  };

const iopl = (b: Builder): Value => b.and(b.shrU(b.get(Type.I32, X86.OTHER_FLAGS), b.i32(12)), b.i32(3));

/** #GP(0) unless CPL ≤ IOPL: CLI and STI. */
export function checkIopl(b: Builder, i: Insn): void {
  if (cplOf(i) > 0) b.exitIf(b.ltU(iopl(b), b.i32(cplOf(i))), ExitKind.Exception, Vector.GP);
}
/** Virtual-8086 mode: #GP(0) unless IOPL is 3: PUSHF, POPF, INT n, IRET. */
export function checkVirtualIopl(b: Builder, i: Insn): void {
  if (i.mode & Mode.VIRTUAL) b.exitIf(b.ne(iopl(b), b.i32(3)), ExitKind.Exception, Vector.GP);
}
/** User mode: leaves before an instruction that sets TF, unless code is stepped through. */
export function exitIfTraced(b: Builder, i: Insn, flags: Value): void {
  if (!(i.mode & Mode.STEP)) b.exitIf(b.and(flags, b.i32(Eflags.TF)), ExitKind.Exception, Raised.POPF | i.operandSize | (i.length << 16));
}

/** After an instruction that may have let interrupts in: leaves if one is pending. A step leaves by itself, with the debug trap first. */
export function takeInterrupt(b: Builder, i: Insn): void {
  if (i.mode & Mode.STEP) return;
  b.exitIf(b.and(b.get(Type.I32, X86.OTHER_FLAGS), b.get(Type.I32, System.INTERRUPT)), ExitKind.Next, i.next);
}

export const setInterruptFlag = (b: Builder): void => b.set(X86.OTHER_FLAGS, b.or(b.get(Type.I32, X86.OTHER_FLAGS), b.i32(Eflags.IF)));
export const clearInterruptFlag = (b: Builder): void => b.set(X86.OTHER_FLAGS, b.and(b.get(Type.I32, X86.OTHER_FLAGS), b.i32(~Eflags.IF)));

/** After a pass of a repeated string instruction: a breakpoint comes before the first element only (SDM volume 3, 17.3.1.1). */
export function breakOnce(b: Builder, pass: Value): void {
  const rest = b.select(pass, b.i32(Eflags.RF), b.i32(0));
  b.set(X86.OTHER_FLAGS, b.or(b.get(Type.I32, X86.OTHER_FLAGS), rest));
}

/** Leaves with the exception that a helper has recorded, if its status is not 0. */
export const exitIfRaised = (b: Builder, status: Value): void => b.exitIf(status, ExitKind.MemoryFault);

/** After a helper that has moved the guest on, unless it recorded an exception. */
export function transfer(b: Builder, i: Insn, status: Value): void {
  exitIfRaised(b, status);
  b.exit(ExitKind.Resume, i.pc);
}
/** The same at the next instruction. */
export function transferNext(b: Builder, i: Insn): void {
  b.exit(ExitKind.Continue, i.next);
}
