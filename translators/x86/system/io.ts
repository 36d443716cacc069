import { ExitKind } from '../../../assembly/shared/exit.ts';
import { RepForm, RepPass } from '../../../assembly/shared/rep.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { type Insn, read, register, setRegister, sizeOf } from '../operands.ts';
import { Kind, type Meaning } from '../row.ts';
import { X86 } from '../state.ts';
import { breakOnce, cplOf, exitIfRaised, takeInterrupt } from './privilege.ts';
import { Mode, System } from './state.ts';

const I32 = Type.I32;
const EAX = 0;

export const ioHelpers: readonly Helper[] = [
  { name: 'x86_port_permission', params: [I32, I32], result: I32, state: true, pure: false },
  { name: 'x86_in', params: [I32, I32], result: I32, state: true, pure: false },
  { name: 'x86_out', params: [I32, I32, I32], result: Type.None, state: true, pure: false },
  { name: 'x86_ins', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_outs', params: [I32], result: I32, state: true, pure: false },
];

const port = (b: Builder, i: Insn, n: number): Value => (i.row.operands[n].kind === Kind.I ? b.i32(i.immediate & 0xff) : register(b, 2, 2));

/** #GP(0) unless CPL ≤ IOPL or the TSS's permission bitmap allows all bytes (SDM volume 1, 19.5). Real mode and CPL 0 may. */
function checkPermission(b: Builder, i: Insn, at: Value, size: number): void {
  if (i.mode & Mode.VIRTUAL || cplOf(i) > 0) exitIfRaised(b, b.helper('x86_port_permission', at, b.i32(size)));
}

export const in_: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const at = port(b, i, 1);
  checkPermission(b, i, at, size);
  setRegister(b, EAX, size, b.helper('x86_in', at, b.i32(size)));
  takeInterrupt(b, i);
};
export const out: Meaning = (b, i) => {
  const size = sizeOf(i, 1);
  const at = port(b, i, 0);
  checkPermission(b, i, at, size);
  b.helper('x86_out', at, b.i32(size), read(b, i, 1));
  takeInterrupt(b, i);
};

/** One element, or with a repeat prefix some; see x86_ins. */
const string =
  (name: string, operand: number, source: number): Meaning =>
  (b, i) => {
    const size = sizeOf(i, operand);
    checkPermission(b, i, register(b, 2, 2), size);
    const form =
      size |
      (i.addressSize === 2 ? RepForm.ADDRESS16 : 0) |
      (i.rep ? RepForm.REPNE : 0) |
      (i.mode & Mode.STEP ? RepForm.SINGLE : 0) |
      RepForm.SEGMENTED |
      (source << RepForm.SEGMENT_SHIFT);
    const pass = b.helper(name, b.i32(form));
    exitIfRaised(b, b.eq(pass, b.i32(RepPass.Fault)));
    if (i.mode & Mode.STEP) breakOnce(b, pass);
    b.exitIf(b.eq(pass, b.i32(RepPass.Pause)), ExitKind.Budget);
    if (!(i.mode & Mode.STEP)) takeInterruptAfterPass(b, i, pass);
    b.branch(pass, i.pc, i.next);
  };
/** Between iterations an interrupt would find the instruction itself as the next; it waits for the pass to end. */
function takeInterruptAfterPass(b: Builder, i: Insn, pass: Value): void {
  const pending = b.and(b.get(I32, X86.OTHER_FLAGS), b.get(I32, System.INTERRUPT));
  b.exitIf(b.select(pass, b.i32(0), pending), ExitKind.Next, i.next);
}

export const ins: Meaning = (b, i) => string('x86_ins', 0, 0)(b, i);
export const outs: Meaning = (b, i) => string('x86_outs', 1, i.segment < 0 ? 3 : i.segment)(b, i);
