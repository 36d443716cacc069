// Far transfers, interrupts and segment loads: helpers that find the next pc themselves.
import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { overflowFlag, setZero } from '../flags.ts';
import { address, type Insn, load, read, write } from '../operands.ts';
import type { Meaning } from '../row.ts';
import { Segment } from '../sdm.ts';
import { moved, onStack, setStackPointer, stackPointer } from '../segmentation.ts';
import { X86 } from '../state.ts';
import { checkVirtualIopl, exitIfRaised, exitIfTraced, privileged, protectedOnly, transfer } from './privilege.ts';
import { Mode, Raised, System } from './state.ts';

const I32 = Type.I32;
const helper = (name: string, parameters: number): Helper => ({
  name: `x86_${name}`,
  params: new Array<Type>(parameters).fill(I32),
  result: I32,
  state: true,
  pure: false,
});

/** All return 0, or 1 with an exception recorded; those that transfer leave the next pc as the exit's argument. */
export const transferHelpers: readonly Helper[] = [
  helper('set_segment', 2),
  helper('far_jump', 3),
  helper('far_call', 3),
  helper('far_return', 2),
  helper('iret', 2),
  helper('software_interrupt', 2),
  helper('sysenter', 0),
  helper('sysexit', 0),
  helper('lldt', 1),
  helper('ltr', 1),
  helper('descriptor_rights', 2),
  helper('descriptor_limit', 1),
  helper('verify_descriptor', 2),
  helper('restore_code', 1),
];

// Segment registers

/** x86_set_segment's status: the mode has changed. */
const MODE_CHANGED = 2;

/** Loads a segment register. `rest` is done after it; what follows is lifted anew if the mode has changed. */
function loadSegment(b: Builder, i: Insn, segment: number, selector: Value, rest: () => void = () => undefined): void {
  const status = b.helper('x86_set_segment', b.i32(segment), selector);
  exitIfRaised(b, b.eq(status, b.i32(1)));
  rest();
  if (segment === Segment.SS && i.mode & Mode.SYSTEM) b.set(System.SHADOW, b.i32(i.next));
  // in system mode FS and GS are always looked at
  if (segment < Segment.FS || !(i.mode & Mode.SYSTEM)) b.exitIf(b.eq(status, b.i32(MODE_CHANGED)), ExitKind.Next, i.next);
}

export const movToSegment: Meaning = (b, i) => loadSegment(b, i, i.reg, read(b, i, 1));

/** The new stack segment is what decides how ESP counts; POP SS leaves it to the old. */
export const popSegment: Meaning = (b, i) => {
  const pointer = stackPointer(b, i);
  const selector = b.and(load(b, onStack(b, i, pointer, i.operandSize), i.operandSize), b.i32(0xffff));
  loadSegment(b, i, i.row.operands[0].number, selector, () => setStackPointer(b, i, moved(b, i, stackPointer(b, i), i.operandSize)));
};

const farSelector = (b: Builder, i: Insn): Value => load(b, b.add(address(b, i), b.i32(i.operandSize)), 2);

export const loadFar =
  (segment: number): Meaning =>
  (b, i) => {
    const offset = load(b, address(b, i), i.operandSize);
    loadSegment(b, i, segment, farSelector(b, i), () => write(b, i, 0, offset, true));
  };

// Far transfers

const directOffset = (b: Builder, i: Insn): Value => b.i32(i.operandSize === 4 ? i.immediate : i.immediate & 0xffff);

/** CS, offset and the operand size of a far jump or call. */
const far =
  (name: string, indirect: boolean): Meaning =>
  (b, i) => {
    const offset = indirect ? load(b, address(b, i), i.operandSize) : directOffset(b, i);
    const selector = indirect ? farSelector(b, i) : b.i32(i.immediate2 & 0xffff);
    transfer(b, i, b.helper(name, b.or(selector, b.i32(i.operandSize << 16)), offset, b.i32(i.next)));
  };
export const farJump = far('x86_far_jump', false);
export const farCall = far('x86_far_call', false);
export const farJumpIndirect = far('x86_far_jump', true);
export const farCallIndirect = far('x86_far_call', true);

export const farReturn: Meaning = (b, i) => {
  const released = i.row.operands.length === 1 ? i.immediate & 0xffff : 0;
  transfer(b, i, b.helper('x86_far_return', b.i32(i.operandSize), b.i32(released)));
};
export const iret: Meaning = (b, i) => {
  checkVirtualIopl(b, i);
  if (!(i.mode & Mode.SYSTEM))
    exitIfTraced(b, i, load(b, onStack(b, i, moved(b, i, stackPointer(b, i), 2 * i.operandSize), i.operandSize), i.operandSize));
  transfer(b, i, b.helper('x86_iret', b.i32(i.operandSize), b.i32(i.next)));
};

export const sysenter: Meaning = protectedOnly((b, i) => transfer(b, i, b.helper('x86_sysenter')));
export const sysexit: Meaning = protectedOnly(privileged((b, i) => transfer(b, i, b.helper('x86_sysexit'))));

/** How a software interrupt came to be: bits 9…8 of the helper's argument. */
export const enum SoftwareInterrupt {
  /** INT n: the gate's DPL counts, and in virtual-8086 mode IOPL. */
  INT = 0x000,
  INT3 = 0x100,
  INTO = 0x200,
  /** The gate's DPL does not count. */
  INT1 = 0x300,
}

export const softwareInterrupt =
  (kind: SoftwareInterrupt): Meaning =>
  (b, i) => {
    if (kind === SoftwareInterrupt.INT) checkVirtualIopl(b, i);
    const vector = {
      [SoftwareInterrupt.INT]: i.immediate & 0xff,
      [SoftwareInterrupt.INT3]: 3,
      [SoftwareInterrupt.INTO]: 4,
      [SoftwareInterrupt.INT1]: 1,
    };
    transfer(b, i, b.helper('x86_software_interrupt', b.i32(kind | vector[kind]), b.i32(i.next)));
  };
export const interruptOnOverflow: Meaning = (b, i) => b.exitIf(overflowFlag(b), ExitKind.Exception, Raised.INTO | (i.length << 16));

// Descriptors that may be asked about

export const lldt: Meaning = protectedOnly(privileged((b, i) => exitIfRaised(b, b.helper('x86_lldt', read(b, i, 0)))));
export const ltr: Meaning = protectedOnly(privileged((b, i) => exitIfRaised(b, b.helper('x86_ltr', read(b, i, 0)))));

/** x86_descriptor_rights: the access rights; 0 if the selector names nothing that may be seen; 1 if reading it faulted. */
function rightsOf(b: Builder, selector: Value, forLimit: boolean): Value {
  const rights = b.helper('x86_descriptor_rights', selector, b.i32(Number(forLimit)));
  exitIfRaised(b, b.eq(rights, b.i32(1)));
  return rights;
}
export const lar: Meaning = protectedOnly((b, i) => {
  const rights = rightsOf(b, read(b, i, 1), false);
  write(b, i, 0, b.select(rights, rights, read(b, i, 0)));
  setZero(b, b.eqz(rights));
});
export const lsl: Meaning = protectedOnly((b, i) => {
  const selector = read(b, i, 1);
  const rights = rightsOf(b, selector, true);
  const limit = b.helper('x86_descriptor_limit', selector);
  write(b, i, 0, b.select(rights, limit, read(b, i, 0)));
  setZero(b, b.eqz(rights));
});
/** VERR, and with `writing` VERW. */
export const verify = (writing: 0 | 1): Meaning =>
  protectedOnly((b, i) => {
    const status = b.helper('x86_verify_descriptor', read(b, i, 0), b.i32(writing));
    exitIfRaised(b, b.eq(status, b.i32(1)));
    setZero(b, b.eqz(status));
  });

/** Selector of LDTR or TR; a register gets it zero-extended. */
export const storeSelector = (name: 'LDTR' | 'TR'): Meaning =>
  protectedOnly((b, i) => storeWord(b, i, b.get(I32, name === 'LDTR' ? System.LDTR : System.TR)));

/** A 16-bit store to memory, or to a register of the operand size. */
export function storeWord(b: Builder, i: Insn, value: Value): void {
  if (i.mod === 3 && i.operandSize === 4) b.set(X86.EAX + i.rm * 4, value);
  else write(b, i, 0, b.and(value, b.i32(0xffff)));
}
