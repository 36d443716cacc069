import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { composeFlags, restoreFlags } from '../flags.ts';
import { type Insn, inMemory, load, read, register, setRegister, store, write } from '../operands.ts';
import { group, type Meaning, type Row, row, sensitive } from '../row.ts';
import { Eflags, Segment } from '../sdm.ts';
import { checkSegmentWritable, exitOnFault, framePointer, moved, onStack, setStackPointer, stackPointer } from '../segmentation.ts';
import { X86 } from '../state.ts';
import { checkVirtualIopl, exitIfTraced, takeInterrupt } from '../system/privilege.ts';
import { Mode, Raised } from '../system/state.ts';

const ESP = 4;
const EBP = 5;

/** Stores before ESP changes: an instruction that faults can be restarted. */
export function pushValue(b: Builder, i: Insn, size: number, value: Value): void {
  const top = moved(b, i, stackPointer(b, i), -size);
  store(b, pushAt(b, i, top, size), size, value);
  setStackPointer(b, i, top);
}
/** Linear address to write at a stack pointer. */
function pushAt(b: Builder, i: Insn, pointer: Value, size: number): Value {
  const at = onStack(b, i, pointer, size);
  checkSegmentWritable(b, i, Segment.SS);
  return at;
}
const push: Meaning = (b, i) => pushValue(b, i, i.operandSize, read(b, i, 0));

const pop: Meaning = (b, i) => {
  const pointer = stackPointer(b, i);
  const value = load(b, onStack(b, i, pointer, i.operandSize), i.operandSize);
  const after = moved(b, i, pointer, i.operandSize);
  i.espBias = i.operandSize;
  if (inMemory(i, 0)) {
    write(b, i, 0, value, true);
    setStackPointer(b, i, after);
  } else {
    setStackPointer(b, i, after);
    write(b, i, 0, value, true);
  }
};

const pusha: Meaning = (b, i) => {
  const pointer = stackPointer(b, i);
  const size = i.operandSize;
  for (let n = 0; n < 8; n++) store(b, pushAt(b, i, moved(b, i, pointer, -(n + 1) * size), size), size, register(b, n, size));
  setStackPointer(b, i, moved(b, i, pointer, -8 * size));
};
/** Skips what PUSHA stored for ESP. */
const popa: Meaning = (b, i) => {
  const pointer = stackPointer(b, i);
  const size = i.operandSize;
  // what is popped before one that faults stays
  for (let n = 7; n >= 0; n--)
    if (n !== ESP) setRegister(b, n, size, load(b, onStack(b, i, moved(b, i, pointer, (7 - n) * size), size), size), true);
  setStackPointer(b, i, moved(b, i, pointer, 8 * size));
};

const pushf: Meaning = (b, i) => {
  checkVirtualIopl(b, i);
  const flags = b.and(composeFlags(b), b.i32(~(Eflags.VM | Eflags.RF)));
  pushValue(b, i, i.operandSize, flags);
};

const popf: Meaning = (b, i) => {
  checkVirtualIopl(b, i);
  const pointer = stackPointer(b, i);
  const flags = load(b, onStack(b, i, pointer, i.operandSize), i.operandSize);
  if (!(i.mode & Mode.SYSTEM)) exitIfTraced(b, i, flags);
  else {
    // the mode changes with TF
    const trap = i.mode & Mode.STEP ? b.i32(1) : b.and(flags, b.i32(Eflags.TF));
    const align =
      i.operandSize === 4 && i.mode & Mode.USER ? b.and(b.xor(flags, b.get(Type.I32, X86.OTHER_FLAGS)), b.i32(Eflags.AC)) : b.i32(0);
    b.exitIf(b.or(trap, align), ExitKind.Exception, Raised.POPF | i.operandSize | (i.length << 16));
  }
  setStackPointer(b, i, moved(b, i, pointer, i.operandSize));
  restoreFlags(b, flags, i.operandSize, i.mode);
  if (i.mode & Mode.SYSTEM) takeInterrupt(b, i);
};

/** SDM volume 2, ENTER: the level is modulo 32. */
const enter: Meaning = (b, i) => {
  const size = i.operandSize;
  const level = i.immediate2 & 31;
  const pointer = stackPointer(b, i);
  const ebp = framePointer(b, i);
  let top = moved(b, i, pointer, -size);
  store(b, pushAt(b, i, top, size), size, register(b, EBP, size));
  // all of ESP, also where the stack segment has it wrap at 64 KiB
  const frame = i.mode & Mode.STACK32 || i.mode === 0 ? top : b.or(b.and(b.get(Type.I32, X86.ESP), b.i32(~0xffff)), top);
  for (let n = 1; n < level; n++) {
    const outer = load(b, onStack(b, i, moved(b, i, ebp, -n * size), size), size);
    top = moved(b, i, top, -size);
    store(b, pushAt(b, i, top, size), size, outer);
  }
  if (level > 0) {
    top = moved(b, i, top, -size);
    store(b, pushAt(b, i, top, size), size, frame);
  }
  top = moved(b, i, top, -(i.immediate & 0xffff));
  // it faults if a write to the new top of the stack would (SDM volume 2, ENTER)
  exitOnFault(b, b.helper('x86_probe_write', pushAt(b, i, top, size), b.i32(size)));
  setRegister(b, EBP, size, frame);
  setStackPointer(b, i, top);
};
const leave: Meaning = (b, i) => {
  const ebp = framePointer(b, i);
  const saved = load(b, onStack(b, i, ebp, i.operandSize), i.operandSize);
  setRegister(b, EBP, i.operandSize, saved, true);
  setStackPointer(b, i, moved(b, i, ebp, i.operandSize));
};

export const stack = (): readonly Row[] =>
  group('stack', [
    row('50+r', 'PUSH Zv', push),
    row('58+r', 'POP Zv', pop),
    row('FF /6', 'PUSH Ev', push),
    row('8F /0', 'POP Ev', pop),
    row('68 iz', 'PUSH Iz', push),
    row('6A ib', 'PUSH Ibs', push),
    sensitive('behaviour-sensitive', push, row('06', 'PUSH ES', push)),
    sensitive('behaviour-sensitive', push, row('0E', 'PUSH CS', push)),
    sensitive('behaviour-sensitive', push, row('16', 'PUSH SS', push)),
    sensitive('behaviour-sensitive', push, row('1E', 'PUSH DS', push)),
    sensitive('behaviour-sensitive', push, row('0F A0', 'PUSH FS', push)),
    sensitive('behaviour-sensitive', push, row('0F A8', 'PUSH GS', push)),
    row('60', 'PUSHAW/PUSHA', pusha),
    row('61', 'POPAW/POPA', popa),
    sensitive('behaviour-sensitive', pushf, row('9C', 'PUSHFW/PUSHF', pushf)),
    sensitive('control-sensitive', popf, row('9D', 'POPFW/POPF', popf)),
    row('C8 iw ib', 'ENTER Iw, Ib', enter),
    row('C9', 'LEAVEW/LEAVE', leave),
  ]);
