import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import type { Helper } from '../../src/isa/isa.ts';
import { type Insn, nextPc, register, setRegister, targetPc } from './operands.ts';
import { Segment, Vector } from './sdm.ts';
import { X86 } from './state.ts';
import { Mode, System } from './system/state.ts';

const SPLAT32 = op('i32x4.splat');
const ESP = 4;
const EBP = 5;

export const segmentationHelpers: readonly Helper[] = [
  { name: 'x86_segment_fault', params: [Type.I32, Type.V128, Type.V128], result: Type.I32, state: false, pure: false },
];

/** #GP, or #SS for the stack segment. */
const faultOf = (segment: number): Vector => (segment === Segment.SS ? Vector.SS : Vector.GP);

/** The segment of the memory operand: its override, or SS if the base register is ESP or EBP, else DS. */
export function segmentOf(i: Insn): number {
  if (i.segment >= 0) return i.segment;
  return i.base === ESP || i.base === EBP ? Segment.SS : Segment.DS;
}

/** FS and GS of user mode where only their bases count. */
export const isPlain = (i: Insn, segment: number): boolean => segment >= Segment.FS && !(i.mode & (Mode.SYSTEM | Mode.LOOSE));

/** Whether offsets through the segment are linear addresses, and all of them valid. */
export function isFlat(i: Insn, segment: number): boolean {
  if (i.mode === 0) return segment < Segment.FS;
  if (segment === Segment.CS) return (i.mode & Mode.FLAT_CODE) !== 0;
  return segment < Segment.FS && (i.mode & Mode.FLAT_DATA) !== 0;
}

/** Linear address of `offset` in a segment, of which `bytes` are read: leaves with #GP or #SS where they may not be. */
export function linear(b: Builder, i: Insn, segment: number, offset: Value, bytes: number): Value {
  if (isFlat(i, segment)) return offset;
  if (i.mode !== 0 && !isPlain(i, segment)) {
    checkOffset(b, segment, offset, Math.min(bytes, CHECKED));
    if (bytes > CHECKED) checkOffset(b, segment, b.add(offset, b.i32(bytes - CHECKED)), CHECKED);
  }
  return b.add(b.get(Type.I32, X86.ES_BASE + segment * 4), offset);
}

/** System.END holds for so many bytes. */
const CHECKED = 16;

function checkOffset(b: Builder, segment: number, offset: Value, bytes: number): void {
  const beyond = b.geU(offset, b.get(Type.I32, System.END + segment * 4));
  const fault = b.helper('x86_segment_fault', beyond, b.emit(SPLAT32, offset), b.v128(segment, bytes, 0, 0));
  b.exitIf(fault, ExitKind.Exception, faultOf(segment));
}

export function checkSegmentWritable(b: Builder, i: Insn, segment: number, writes = b.i32(1)): void {
  if (segment === Segment.CS && (i.mode === 0 || i.mode & Mode.PROTECTED)) b.exitIf(writes, ExitKind.Exception, Vector.GP);
  else if (i.mode !== 0 && !isFlat(i, segment) && !isPlain(i, segment))
    b.exitIf(b.and(writes, b.eqz(b.get(Type.I32, System.WRITABLE + segment * 4))), ExitKind.Exception, faultOf(segment));
}

/** After a helper that accesses memory: leaves with the fault that it recorded. */
export function exitOnFault(b: Builder, fault: Value): void {
  b.exitIf(fault, ExitKind.MemoryFault);
}

// The stack

const narrow = (i: Insn): boolean => i.mode !== 0 && (i.mode & Mode.STACK32) === 0;

/** ESP or SP, by the stack segment. */
export const stackPointer = (b: Builder, i: Insn): Value => register(b, ESP, narrow(i) ? 2 : 4);
export const setStackPointer = (b: Builder, i: Insn, value: Value): void => setRegister(b, ESP, narrow(i) ? 2 : 4, value);
/** EBP or BP, by the stack segment: where ENTER and LEAVE find a frame. */
export const framePointer = (b: Builder, i: Insn): Value => register(b, EBP, narrow(i) ? 2 : 4);

/** A stack pointer moved by a constant. */
export function moved(b: Builder, i: Insn, pointer: Value, by: number): Value {
  const sum = b.add(pointer, b.i32(by));
  return narrow(i) ? b.and(sum, b.i32(0xffff)) : sum;
}
/** Linear address of `bytes` at a stack pointer. */
export const onStack = (b: Builder, i: Insn, pointer: Value, bytes: number): Value => linear(b, i, Segment.SS, pointer, bytes);

// Instruction pointers: the engine's pc is linear, EIP counts from the code segment's base

/** The EIP of a linear pc. */
export function eipOf(b: Builder, i: Insn, pc: number): Value {
  return isFlat(i, Segment.CS) ? b.i32(pc) : b.sub(b.i32(pc), b.get(Type.I32, X86.ES_BASE + Segment.CS * 4));
}
/** The EIP of the next instruction. */
export const nextEip = (b: Builder, i: Insn): Value => (isFlat(i, Segment.CS) ? nextPc(b, i) : eipOf(b, i, i.next));
/** The pc of an EIP to jump to (if `taken`, 0 or 1); #GP if it lies outside the code segment. */
export function pcOf(b: Builder, i: Insn, eip: Value, taken = b.i32(1)): Value {
  if (isFlat(i, Segment.CS)) return eip;
  b.exitIf(b.and(taken, b.gtU(eip, b.get(Type.I32, System.LIMIT + Segment.CS * 4))), ExitKind.Exception, Vector.GP);
  return b.add(eip, b.get(Type.I32, X86.ES_BASE + Segment.CS * 4));
}

/** Target of a relative jump: a constant where it does not depend on the code segment's base. A 16-bit operand size truncates EIP. */
export function relativeTarget(b: Builder, i: Insn, taken = b.i32(1)): Value {
  if (i.operandSize === 4) {
    if (isFlat(i, Segment.CS)) return targetPc(b, i);
    pcOf(b, i, eipOf(b, i, i.next + i.immediate), taken);
    return b.i32(i.next + i.immediate);
  }
  return pcOf(b, i, b.and(b.add(eipOf(b, i, i.next), b.i32(i.immediate)), b.i32(0xffff)), taken);
}

/** Before each instruction: #GP if its last byte lies outside the code segment. */
export function checkFetch(b: Builder, i: Insn): void {
  if (isFlat(i, Segment.CS)) return;
  b.exitIf(b.gtU(eipOf(b, i, i.next - 1), b.get(Type.I32, System.LIMIT + Segment.CS * 4)), ExitKind.Exception, Vector.GP);
}
