import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { Vector } from '../abi.ts';
import { condition, overflowFlag, zeroFlag } from '../flags.ts';
import { address, type Insn, load, read, register, setRegister, signExtend, store } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { X86 } from '../state.ts';

/** Target of a relative jump; a 16-bit operand size truncates EIP. */
const target = (i: Insn): number => (i.operandSize === 4 ? i.next + i.immediate : (i.next + i.immediate) & 0xffff) >>> 0;

const jmp: Meaning = (b, i) => b.goto(target(i));
const jcc: Meaning = (b, i) => b.branch(condition(b, i.opcode & 15), target(i), i.next);

/** ECX or CX, by address size. */
const counter = (b: Builder, i: Insn): Value => register(b, 1, i.addressSize);
const loop =
  (also: (b: Builder) => Value | undefined): Meaning =>
  (b, i) => {
    const left = b.sub(counter(b, i), b.i32(1));
    setRegister(b, 1, i.addressSize, left);
    const again = b.ne(i.addressSize === 4 ? left : b.and(left, b.i32(0xffff)), b.i32(0));
    const and = also(b);
    b.branch(and === undefined ? again : b.and(again, and), target(i), i.next);
  };
const jecxz: Meaning = (b, i) => b.branch(b.eqz(counter(b, i)), target(i), i.next);

function pushReturn(b: Builder, i: Insn): void {
  const esp = b.sub(b.get(Type.I32, X86.ESP), b.i32(i.operandSize));
  store(b, esp, i.operandSize, b.i32(i.next));
  b.set(X86.ESP, esp);
}

/** A call of the next instruction is how position-independent code finds its pc: no return follows. */
const call: Meaning = (b, i) => {
  pushReturn(b, i);
  if (target(i) === i.next) b.goto(i.next);
  else b.call(target(i), i.next);
};
const callIndirect: Meaning = (b, i) => {
  const to = read(b, i, 0);
  pushReturn(b, i);
  b.callIndirect(to, i.next);
};
const jmpIndirect: Meaning = (b, i) => b.jump(read(b, i, 0));

const ret: Meaning = (b, i) => {
  const esp = b.get(Type.I32, X86.ESP);
  const to = load(b, esp, i.operandSize);
  const released = i.row.operands.length === 1 ? i.immediate & 0xffff : 0;
  b.set(X86.ESP, b.add(esp, b.i32(i.operandSize + released)));
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

export const control: readonly Row[] = group('control', [
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
  row('F1', 'INT1', int1),
  row('CC', 'INT3', int3),
  row('CD ib', 'INT Ib', int),
  row('CE', 'INTO', into),
  row('62 /r m', 'BOUND Gv, Ma', bound),
]);
