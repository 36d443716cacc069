import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import type { Hole } from '../../src/ir/hole.ts';
import { op, Type } from '../../src/ir/ops.ts';
import { contextOf } from './context.ts';
import { Kind, type Row } from './row.ts';
import { checkSegmentWritable, linear, segmentOf } from './segmentation.ts';
import { X86 } from './state.ts';

/** A decoded instruction. The decoder fills one object again and again: nothing may keep it. */
export interface Insn {
  row: Row;
  pc: number;
  /** pc after the instruction, unsigned. */
  next: number;
  length: number;
  /** Last opcode byte: condition codes and registers are in its low bits. */
  opcode: number;
  /** 2 or 4. */
  operandSize: number;
  /** 2 or 4. */
  addressSize: number;
  /** 0, 0xf2 or 0xf3, whichever came last. */
  rep: number;
  lock: boolean;
  /** Segment override in the SDM's order (ES CS SS DS FS GS), or -1. */
  segment: number;
  modrm: number;
  mod: number;
  reg: number;
  rm: number;
  /** Memory operand: register numbers or -1, log2 of the scale, displacement. */
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** Sign-extended to 32 bits; for a far pointer the offset. */
  immediate: number;
  /** Second immediate; for a far pointer the selector. */
  immediate2: number;
  /** Linear address of the memory operand once `address` has made it, else -1. */
  ea: Value;
  /** Added to a memory operand's ESP base: POP computes its address after it has incremented ESP. */
  espBias: number;
  /** Mode without DENORMALS; 0 in user mode. */
  mode: number;
  /** See Isa.assumed: FTOP. */
  assumed: number;
  /** MXCSR.DE is exact. */
  denormals: boolean;
  /** Where a template is lifted: what it may leave open. */
  readonly open: OpenFields | undefined;
}

export interface OpenFields {
  /** The displacement. */
  readonly displacement: Hole | undefined;
  /** The immediate, cut to the low `bits`. */
  immediate(mask: number): Hole | undefined;
  /** pc after the instruction, and this with the immediate added. */
  readonly next: Hole;
  readonly target: Hole;
  /** `Insn.pc` and `Insn.next`, for the pcs of a terminator only. */
  readonly here: number;
  readonly after: number;
}

/** The instruction's pc and the next one's, where a terminator has them. */
export const here = (i: Insn): number => i.open?.here ?? i.pc;
export const after = (i: Insn): number => i.open?.after ?? i.next;
const openOr = (b: Builder, hole: Hole | undefined, number: () => number): Value => (hole ? b.hole(hole) : b.i32(number()));
export const displacement = (b: Builder, i: Insn): Value => openOr(b, i.open?.displacement, () => i.displacement);
export const nextPc = (b: Builder, i: Insn): Value => openOr(b, i.open?.next, () => i.next);
export const targetPc = (b: Builder, i: Insn): Value => openOr(b, i.open?.target, () => i.next + i.immediate);

const LOAD8 = op('i32.load8_u');
const LOAD8S = op('i32.load8_s');
const LOAD16 = op('i32.load16_u');
const LOAD16S = op('i32.load16_s');
const LOAD32 = op('i32.load');
const STORE8 = op('i32.store8');
const STORE16 = op('i32.store16');
const STORE32 = op('i32.store');
const EXTEND8 = op('i32.extend8_s');
const EXTEND16 = op('i32.extend16_s');

/** A general register by number: 0…7, and for `size` 1 the SDM's AL CL DL BL AH CH DH BH. Zero-extended. */
export function register(b: Builder, number: number, size: number): Value {
  if (size === 4) return b.get(Type.I32, number * 4);
  if (size === 2 || number < 4) {
    const full = b.get(Type.I32, number * 4);
    const context = contextOf(b);
    if (context.full[number] === full) {
      const known = context.narrowSize[number];
      const narrow = context.narrow[number];
      if (known === size || (known < size && narrow === full)) return narrow;
    }
    return b.and(full, b.i32(size === 2 ? 0xffff : 0xff));
  }
  return b.and(b.shrU(b.get(Type.I32, (number - 4) * 4), b.i32(8)), b.i32(0xff));
}

/** Writes the low `size` bytes of a general register and keeps the rest. `zeroExtended`: the value has no bits beyond `size`. */
export function setRegister(b: Builder, number: number, size: number, value: Value, zeroExtended = false): void {
  if (size === 4) {
    b.set(number * 4, value);
    return;
  }
  const low = zeroExtended ? value : zeroExtend(b, value, size);
  if (size === 2 || number < 4) {
    const full = b.or(b.and(b.get(Type.I32, number * 4), b.i32(size === 2 ? ~0xffff : ~0xff)), low);
    b.set(number * 4, full);
    noteNarrow(b, number, size, full, low);
    return;
  }
  const offset = (number & 3) * 4;
  b.set(offset, b.or(b.and(b.get(Type.I32, offset), b.i32(~0xff00)), b.shl(low, b.i32(8))));
}

/** Notes that the low `size` bytes of `full`, which a general register now holds, are `narrow` when zero-extended. */
export function noteNarrow(b: Builder, number: number, size: number, full: Value, narrow: Value): void {
  const context = contextOf(b);
  context.full[number] = full;
  context.narrowSize[number] = size;
  context.narrow[number] = narrow;
}

/** Guest memory, `size` 1, 2 or 4, zero-extended. */
export function load(b: Builder, address: Value, size: number): Value {
  return b.load(size === 4 ? LOAD32 : size === 2 ? LOAD16 : LOAD8, address);
}
export function store(b: Builder, address: Value, size: number, value: Value): void {
  b.store(size === 4 ? STORE32 : size === 2 ? STORE16 : STORE8, address, value);
}

/** The low `size` bytes, zero-extended. */
function zeroExtend(b: Builder, value: Value, size: number): Value {
  return size === 4 ? value : b.and(value, b.i32(size === 2 ? 0xffff : 0xff));
}
export function signExtend(b: Builder, value: Value, size: number): Value {
  return size === 4 ? value : b.emit(size === 2 ? EXTEND16 : EXTEND8, value);
}

/** The offset part of the memory operand: what LEA gives. */
export function effectiveAddress(b: Builder, i: Insn): Value {
  let address = -1;
  if (i.base >= 0) {
    address = b.get(Type.I32, i.base * 4);
    if (i.espBias !== 0 && i.base === 4) address = b.add(address, b.i32(i.espBias));
  }
  if (i.index >= 0) {
    const index = b.shl(b.get(Type.I32, i.index * 4), b.i32(i.scale));
    address = address < 0 ? index : b.add(address, index);
  }
  const offset = displacement(b, i);
  address = address < 0 ? offset : b.add(address, offset);
  return i.addressSize === 2 ? b.and(address, b.i32(0xffff)) : address;
}

/** Linear address of the memory operand (ModRM or Kind.O), segment base included. Made once an instruction. */
export function address(b: Builder, i: Insn): Value {
  if (i.ea < 0) i.ea = linear(b, i, segmentOf(i), effectiveAddress(b, i), memoryBytes(i));
  return i.ea;
}

/** Bytes of memory operands without a size, by operand size: FLDENV, FNSTENV; FRSTOR, FNSAVE; FXSAVE, FXRSTOR; LGDT, SGDT and the like. */
const LONG_OPERANDS: readonly (readonly [name: RegExp, size2: number, size4: number])[] = [
  [/^F(LD|NST)ENV /, 14, 28],
  [/^F(RSTOR|NSAVE) /, 94, 108],
  [/^FX(SAVE|RSTOR) /, 512, 512],
  [/^[LS][GI]DT /, 6, 6],
];

/** Bytes of the memory operand; of one that has none, such as INVLPG's, the first. */
export function memoryBytes(i: Insn): number {
  for (const { kind, size, text } of i.row.operands) {
    if (kind !== Kind.E && kind !== Kind.M && kind !== Kind.O && kind !== Kind.Q && kind !== Kind.W) continue;
    if (size >= 0) return size || i.operandSize;
    if (text !== 'M') return text === 'Mp' ? i.operandSize + 2 : text === 'Ma' ? 2 * i.operandSize : 1;
    const [, size2, size4] = LONG_OPERANDS.find(([name]) => name.test(i.row.text)) ?? ['', 1, 1];
    return i.operandSize === 2 ? size2 : size4;
  }
  return 1;
}

/** Bytes of operand `n`. */
export function sizeOf(i: Insn, n: number): number {
  return i.row.operands[n].size || i.operandSize;
}

/** Whether operand `n` (E, M, O, Q, W) is in memory. */
export function inMemory(i: Insn, n: number): boolean {
  const kind = i.row.operands[n].kind;
  if (kind === Kind.E || kind === Kind.Q || kind === Kind.W) return i.mod !== 3;
  return kind === Kind.M || kind === Kind.O;
}

/** Operand `n`, 1, 2 or 4 bytes, zero-extended. Segment registers give their selector. */
export function read(b: Builder, i: Insn, n: number): Value {
  const operand = i.row.operands[n];
  const size = operand.size || i.operandSize;
  switch (operand.kind) {
    case Kind.E:
      return i.mod === 3 ? register(b, i.rm, size) : load(b, address(b, i), size);
    case Kind.R:
      return register(b, i.rm, size);
    case Kind.M:
    case Kind.O:
      return load(b, address(b, i), size);
    case Kind.G:
      return register(b, i.reg, size);
    case Kind.Z:
      return register(b, i.opcode & 7, size);
    case Kind.Register:
      return register(b, operand.number, size);
    case Kind.Segment:
      return b.get(Type.I32, X86.ES + operand.number * 4);
    case Kind.S:
      return b.get(Type.I32, X86.ES + i.reg * 4);
    case Kind.One:
      return b.i32(1);
    case Kind.I: {
      const width = operand.signed ? i.operandSize : size;
      const mask = width === 4 ? -1 : width === 2 ? 0xffff : 0xff;
      return openOr(b, i.open?.immediate(mask), () => i.immediate & mask);
    }
    default:
      throw new Error(`${i.row.text}: operand ${operand.text} is not read by operands.read`);
  }
}

/** Operand `n` sign-extended to 32 bits. */
export function readSigned(b: Builder, i: Insn, n: number): Value {
  const size = sizeOf(i, n);
  if (size === 4) return read(b, i, n);
  if (inMemory(i, n)) return b.load(size === 2 ? LOAD16S : LOAD8S, address(b, i));
  return signExtend(b, read(b, i, n), size);
}

/** Call before a store to the memory operand (if it `writes`, 0 or 1): its segment may not be written (#GP). */
export function checkWritable(b: Builder, i: Insn, writes?: Value): void {
  checkSegmentWritable(b, i, segmentOf(i), writes);
}

/** Writes the low bytes of `value` to operand `n`, a general register or memory. See `setRegister` for `zeroExtended`. */
export function write(b: Builder, i: Insn, n: number, value: Value, zeroExtended = false): void {
  const operand = i.row.operands[n];
  const size = operand.size || i.operandSize;
  switch (operand.kind) {
    case Kind.E:
      if (i.mod === 3) setRegister(b, i.rm, size, value, zeroExtended);
      else {
        checkWritable(b, i);
        store(b, address(b, i), size, value);
      }
      return;
    case Kind.R:
      setRegister(b, i.rm, size, value, zeroExtended);
      return;
    case Kind.M:
    case Kind.O:
      checkWritable(b, i);
      store(b, address(b, i), size, value);
      return;
    case Kind.G:
      setRegister(b, i.reg, size, value, zeroExtended);
      return;
    case Kind.Z:
      setRegister(b, i.opcode & 7, size, value, zeroExtended);
      return;
    case Kind.Register:
      setRegister(b, operand.number, size, value, zeroExtended);
      return;
    default:
      throw new Error(`${i.row.text}: operand ${operand.text} is not written by operands.write`);
  }
}
