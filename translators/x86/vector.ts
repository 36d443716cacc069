import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { op, Type } from '../../src/ir/ops.ts';
import { contextOf } from './context.ts';
import { address, checkWritable, type Insn, load } from './operands.ts';
import { Kind, type Meaning, type Row, row } from './row.ts';
import { Vector } from './sdm.ts';
import { X86 } from './state.ts';

const LOAD64 = op('i64.load');
const LOAD128 = op('v128.load');
const STORE64 = op('i64.store');
const STORE128 = op('v128.store');
const SPLAT64 = op('i64x2.splat');
const SPLAT32 = op('i32x4.splat');
const EXTRACT64 = op('i64x2.extract_lane');
const REPLACE64 = op('i64x2.replace_lane');

/** FSW.ES: an unmasked x87 exception is pending. */
const ES = 0x80;

export const xmm = (b: Builder, n: number): Value => b.get(Type.V128, X86.XMM + n * 16);
export const setXmm = (b: Builder, n: number, v: Value): void => b.set(X86.XMM + n * 16, v);
export const zero = (b: Builder): Value => b.v128(0, 0, 0, 0);

/** A vector operand is an MMX register (or what may stand for it): 64 bits, carried in both halves of a v128. */
export const isMmx = (i: Insn, n: number): boolean => {
  const { kind } = i.row.operands[n];
  return kind === Kind.P || kind === Kind.Q || kind === Kind.N;
};

/** #MF if an x87 exception is pending: before anything else an MMX instruction does (SDM volume 3, 12.5). */
export const mmxWait = (b: Builder): void => b.exitIf(b.and(b.get(Type.I32, X86.FSW), b.i32(ES)), ExitKind.Exception, Vector.MF);
/** What an MMX instruction does to the x87 stack once nothing can fault (SDM volume 1, 9.5.1): TOP 0, all tags valid. */
export function mmxEnter(b: Builder): void {
  contextOf(b).top = -1;
  b.set(X86.FTOP, b.i32(0));
  b.set(X86.FTW, b.i32(0));
}
/** The 64 bits of an MMX register. */
export const mmx = (b: Builder, n: number): Value => b.get(Type.I64, X86.ST + n * 16);
/** Writing one sets the sign and exponent of the x87 register to ones. */
export function setMmx(b: Builder, n: number, bits: Value): void {
  b.set(X86.ST + n * 16, bits);
  b.set(X86.ST + n * 16 + 8, b.i32(0xffff));
}

export const low64 = (b: Builder, v: Value): Value => b.emit(EXTRACT64, v, 0);
export const high64 = (b: Builder, v: Value): Value => b.emit(EXTRACT64, v, 1);
export const splat64 = (b: Builder, bits: Value): Value => b.emit(SPLAT64, bits);
export const replace64 = (b: Builder, v: Value, bits: Value, lane: number): Value => b.emit(REPLACE64, v, bits, lane);
/** 64 bits, the rest zero. */
export const only64 = (b: Builder, bits: Value): Value => replace64(b, zero(b), bits, 0);

/** #GP unless the memory operand lies at a multiple of sixteen. */
export const checkAligned = (b: Builder, i: Insn): void => b.exitIf(b.and(address(b, i), b.i32(15)), ExitKind.Exception, Vector.GP);

export const load64 = (b: Builder, i: Insn): Value => b.load(LOAD64, address(b, i));
export function store64(b: Builder, i: Insn, bits: Value): void {
  checkWritable(b, i);
  b.store(STORE64, address(b, i), bits);
}
export const load128 = (b: Builder, i: Insn): Value => b.load(LOAD128, address(b, i));
export function store128(b: Builder, i: Insn, v: Value): void {
  checkWritable(b, i);
  b.store(STORE128, address(b, i), v);
}

/**
 * Operand `n` as a vector: XMM or MMX register, or memory (16 bytes aligned; 8 bytes in both halves). See `mmxWait` for
 * what must come before.
 */
export function readVector(b: Builder, i: Insn, n: number): Value {
  const { kind, size } = i.row.operands[n];
  switch (kind) {
    case Kind.V:
      return xmm(b, i.reg);
    case Kind.U:
      return xmm(b, i.rm);
    case Kind.P:
      return splat64(b, mmx(b, i.reg));
    case Kind.N:
      return splat64(b, mmx(b, i.rm));
    case Kind.Q:
      if (i.mod === 3) return splat64(b, mmx(b, i.rm));
      return size === 4 ? b.emit(SPLAT32, load(b, address(b, i), 4)) : splat64(b, load64(b, i));
    default:
      if (kind === Kind.W && i.mod === 3) return xmm(b, i.rm);
      if (size === 8) return splat64(b, load64(b, i));
      checkAligned(b, i);
      return load128(b, i);
  }
}

/** Writes a register operand, V or P; of an MMX register the low half of `v`. */
export function writeVector(b: Builder, i: Insn, n: number, v: Value): void {
  const { kind } = i.row.operands[n];
  if (kind === Kind.V) setXmm(b, i.reg, v);
  else if (kind === Kind.P) setMmx(b, i.reg, low64(b, v));
  else throw new Error(`${i.row.text}: operand ${i.row.operands[n].text} is not written by writeVector`);
}

/** Runs a meaning that uses MMX registers: the wait before it, the change of the x87 stack after its operands are read. */
export function withMmx(b: Builder, uses: boolean, read: () => Value, write: (v: Value) => void): void {
  if (uses) mmxWait(b);
  const v = read();
  if (uses) mmxEnter(b);
  write(v);
}

/** The first operand becomes `f` of the first two, XMM or MMX registers. */
export type Vector2 = (b: Builder, x: Value, y: Value, mmx: boolean) => Value;
export const vector2 =
  (f: Vector2): Meaning =>
  (b, i) => {
    const small = isMmx(i, 0);
    withMmx(
      b,
      small,
      () => f(b, readVector(b, i, 0), readVector(b, i, 1), small),
      (v) => writeVector(b, i, 0, v),
    );
  };

/** An IR op of two vectors. */
export const plain = (name: string): Vector2 => {
  const number = op(name);
  return (b, x, y) => b.emit(number, x, y);
};

/** An integer instruction on MMX registers (NP; `source` Qd if it reads only 32 bits of memory) and on XMM registers (66). */
export interface Both {
  readonly mmx: Row;
  readonly xmm: Row;
}
export const both = (opcode: string, name: string, f: Vector2, source: 'Qq' | 'Qd' = 'Qq'): Both => ({
  mmx: row(`NP 0F ${opcode} /r`, `${name} Pq, ${source}`, vector2(f)),
  xmm: row(`66 0F ${opcode} /r`, `${name} Vdq, Wdq`, vector2(f)),
});
