import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { Eflags } from '../abi.ts';
import { composeFlags, restoreFlags } from '../flags.ts';
import { inMemory, load, read, register, setRegister, store, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { X86 } from '../state.ts';

const ESP = 4;
const EBP = 5;

/** Stores before ESP changes: an instruction that faults can be restarted. */
function pushValue(b: Builder, size: number, value: Value): void {
  const esp = b.sub(b.get(Type.I32, X86.ESP), b.i32(size));
  store(b, esp, size, value);
  b.set(X86.ESP, esp);
}
const push: Meaning = (b, i) => pushValue(b, i.operandSize, read(b, i, 0));

const pop: Meaning = (b, i) => {
  const esp = b.get(Type.I32, X86.ESP);
  const value = load(b, esp, i.operandSize);
  const after = b.add(esp, b.i32(i.operandSize));
  i.espBias = i.operandSize;
  if (inMemory(i, 0)) {
    write(b, i, 0, value, true);
    b.set(X86.ESP, after);
  } else {
    b.set(X86.ESP, after);
    write(b, i, 0, value, true);
  }
};

const pusha: Meaning = (b, i) => {
  const esp = b.get(Type.I32, X86.ESP);
  const size = i.operandSize;
  for (let n = 0; n < 8; n++) store(b, b.sub(esp, b.i32((n + 1) * size)), size, register(b, n, size));
  b.set(X86.ESP, b.sub(esp, b.i32(8 * size)));
};
/** Skips what PUSHA stored for ESP. */
const popa: Meaning = (b, i) => {
  const esp = b.get(Type.I32, X86.ESP);
  const size = i.operandSize;
  const values: Value[] = [];
  for (let n = 0; n < 8; n++) values.push(n === ESP ? -1 : load(b, b.add(esp, b.i32((7 - n) * size)), size));
  for (let n = 0; n < 8; n++) if (n !== ESP) setRegister(b, n, size, values[n], true);
  b.set(X86.ESP, b.add(esp, b.i32(8 * size)));
};

const pushf: Meaning = (b, i) => {
  const flags = b.and(composeFlags(b), b.i32(~(Eflags.VM | Eflags.RF)));
  pushValue(b, i.operandSize, flags);
};

const popf: Meaning = (b, i) => {
  const esp = b.get(Type.I32, X86.ESP);
  const flags = load(b, esp, i.operandSize);
  b.set(X86.ESP, b.add(esp, b.i32(i.operandSize)));
  restoreFlags(b, flags, i.operandSize);
};

/** SDM volume 2, ENTER: the level is modulo 32. */
const enter: Meaning = (b, i) => {
  const size = i.operandSize;
  const level = i.immediate2 & 31;
  const esp = b.get(Type.I32, X86.ESP);
  const ebp = b.get(Type.I32, X86.EBP);
  let top = b.sub(esp, b.i32(size));
  store(b, top, size, ebp);
  const frame = top;
  for (let n = 1; n < level; n++) {
    const pointer = load(b, b.sub(ebp, b.i32(n * size)), size);
    top = b.sub(top, b.i32(size));
    store(b, top, size, pointer);
  }
  if (level > 0) {
    top = b.sub(top, b.i32(size));
    store(b, top, size, frame);
  }
  setRegister(b, EBP, size, frame);
  b.set(X86.ESP, b.sub(top, b.i32(i.immediate & 0xffff)));
};
const leave: Meaning = (b, i) => {
  const ebp = b.get(Type.I32, X86.EBP);
  const saved = load(b, ebp, i.operandSize);
  setRegister(b, EBP, i.operandSize, saved, true);
  b.set(X86.ESP, b.add(ebp, b.i32(i.operandSize)));
};

export const stack: readonly Row[] = group('stack', [
  row('50+r', 'PUSH Zv', push),
  row('58+r', 'POP Zv', pop),
  row('FF /6', 'PUSH Ev', push),
  row('8F /0', 'POP Ev', pop),
  row('68 iz', 'PUSH Iz', push),
  row('6A ib', 'PUSH Ibs', push),
  row('06', 'PUSH ES', push),
  row('0E', 'PUSH CS', push),
  row('16', 'PUSH SS', push),
  row('1E', 'PUSH DS', push),
  row('0F A0', 'PUSH FS', push),
  row('0F A8', 'PUSH GS', push),
  row('60', 'PUSHAW/PUSHA', pusha),
  row('61', 'POPAW/POPA', popa),
  row('9C', 'PUSHFW/PUSHF', pushf),
  row('9D', 'POPFW/POPF', popf),
  row('C8 iw ib', 'ENTER Iw, Ib', enter),
  row('C9', 'LEAVEW/LEAVE', leave),
]);
