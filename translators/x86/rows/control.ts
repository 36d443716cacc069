import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { condition, overflowFlag, zeroFlag } from '../flags.ts';
import { address, after, type Insn, load, nextPc, read, register, setRegister, signExtend } from '../operands.ts';
import { group, type Meaning, type Row, row, sensitive } from '../row.ts';
import { Vector } from '../sdm.ts';
import { moved, nextEip, onStack, pcOf, relativeTarget, setStackPointer, stackPointer } from '../segmentation.ts';
import { interruptOnOverflow, SoftwareInterrupt, softwareInterrupt } from '../system/transfer.ts';
import { pushValue } from './stack.ts';

/** Goes to the target of a relative jump. */
const jmp: Meaning = (b, i) => {
  const to = relativeTarget(b, i);
  const pc = b.constantOf(to);
  if (pc === undefined) b.jump(to);
  else b.goto(pc);
};
/** The same if the condition, 0 or 1, holds. */
function jumpIf(b: Builder, i: Insn, holds: Value): void {
  const to = relativeTarget(b, i, holds);
  const pc = b.constantOf(to);
  if (pc === undefined) b.jump(b.select(holds, to, nextPc(b, i)));
  else b.branch(holds, pc, i.next);
}
const jcc: Meaning = (b, i) => jumpIf(b, i, condition(b, i.opcode & 15));

/** ECX or CX, by address size. */
const counter = (b: Builder, i: Insn): Value => register(b, 1, i.addressSize);
const loop =
  (also: (b: Builder) => Value | undefined): Meaning =>
  (b, i) => {
    const left = b.sub(counter(b, i), b.i32(1));
    setRegister(b, 1, i.addressSize, left);
    const again = b.ne(i.addressSize === 4 ? left : b.and(left, b.i32(0xffff)), b.i32(0));
    const and = also(b);
    jumpIf(b, i, and === undefined ? again : b.and(again, and));
  };
const jecxz: Meaning = (b, i) => jumpIf(b, i, b.eqz(counter(b, i)));

const pushReturn = (b: Builder, i: Insn): void => pushValue(b, i, i.operandSize, nextEip(b, i));

/** A call of the next instruction is how position-independent code finds its pc: no return follows. */
const call: Meaning = (b, i) => {
  const to = relativeTarget(b, i);
  pushReturn(b, i);
  const pc = b.constantOf(to);
  if (pc === undefined) b.callIndirect(to, after(i));
  else if (pc >>> 0 === i.next) b.goto(i.next);
  else b.call(pc, i.next);
};
const callIndirect: Meaning = (b, i) => {
  const to = pcOf(b, i, read(b, i, 0));
  pushReturn(b, i);
  b.callIndirect(to, after(i));
};
const jmpIndirect: Meaning = (b, i) => b.jump(pcOf(b, i, read(b, i, 0)));

const ret: Meaning = (b, i) => {
  const pointer = stackPointer(b, i);
  const to = pcOf(b, i, load(b, onStack(b, i, pointer, i.operandSize), i.operandSize));
  const released = i.row.operands.length === 1 ? i.immediate & 0xffff : 0;
  setStackPointer(b, i, moved(b, i, pointer, i.operandSize + released));
  b.return(to);
};

/**
 * Linux's gate is 0x80. INT 3 and INT 4 are gates that user code may use; the other vectors are not, and raise
 * #GP with the gate's selector as error code (SDM volume 3, 6.12.1.2).
 */
const int: Meaning = (b, i) => {
  const vector = i.immediate & 0xff;
  if (vector === 0x80) b.exit(ExitKind.Syscall, i.next, i.pc);
  else if (vector === Vector.BP || vector === Vector.OF) b.exit(ExitKind.Exception, i.pc, vector, 0);
  else b.exit(ExitKind.Exception, i.pc, Vector.GP, (vector << 3) | 2);
};
const int3: Meaning = (b, i) => b.exit(ExitKind.Breakpoint, i.pc, Vector.BP);
/** A debug trap, whatever DR7 says (SDM volume 3, 17.3.1.6). */
const int1: Meaning = (b, i) => b.exit(ExitKind.Exception, i.pc, Vector.DB, 0);
const into: Meaning = (b) => b.exitIf(overflowFlag(b), ExitKind.Exception, Vector.OF);

const bound: Meaning = (b, i) => {
  const size = i.operandSize;
  const at = address(b, i);
  const lower = signExtend(b, load(b, at, size), size);
  const upper = signExtend(b, load(b, b.add(at, b.i32(size)), size), size);
  const index = signExtend(b, read(b, i, 0), size);
  b.exitIf(b.or(b.ltS(index, lower), b.gtS(index, upper)), ExitKind.Exception, Vector.BR);
};

export const control = (): readonly Row[] =>
  group('control', [
    row('70+cc cb', 'Jcc Jb', jcc),
    row('0F 80+cc cz', 'Jcc Jz', jcc),
    row('EB cb', 'JMP Jb', jmp),
    row('E9 cz', 'JMP Jz', jmp),
    row('FF /4', 'JMP Ev', jmpIndirect),
    row(
      'E0 cb',
      'LOOPNE Jb',
      loop((b) => b.eqz(zeroFlag(b))),
    ),
    row('E1 cb', 'LOOPE Jb', loop(zeroFlag)),
    row(
      'E2 cb',
      'LOOP Jb',
      loop(() => undefined),
    ),
    row('E3 cb', 'JECXZ Jb', jecxz),
    row('E8 cz', 'CALL Jz', call),
    row('FF /2', 'CALL Ev', callIndirect),
    row('C3', 'RET', ret),
    row('C2 iw', 'RET Iw', ret),
    sensitive('control-sensitive', softwareInterrupt(SoftwareInterrupt.INT1), row('F1', 'INT1', int1)),
    sensitive('control-sensitive', softwareInterrupt(SoftwareInterrupt.INT3), row('CC', 'INT3', int3)),
    sensitive('control-sensitive', softwareInterrupt(SoftwareInterrupt.INT), row('CD ib', 'INT Ib', int)),
    sensitive('control-sensitive', interruptOnOverflow, row('CE', 'INTO', into)),
    row('62 /r m', 'BOUND Gv, Ma', bound),
  ]);
