import type { ExitKind } from '../../assembly/shared/exit.ts';
import type { CodePlace } from '../cache/code-cache.ts';
import type { Helper } from '../isa/isa.ts';
import { OPS, op, type Type, VALUE_MASKS } from './ops.ts';

/** Index of the op that makes the value, in its block. */
export type Value = number;

/** How a block ends. Program counters are unsigned 32-bit numbers. */
export type Terminator =
  | { readonly kind: 'goto'; readonly pc: number }
  | { readonly kind: 'branch'; readonly condition: Value; readonly taken: number; readonly next: number }
  /** A guest call of a known target; the callee is expected to come back to `next`. */
  | { readonly kind: 'call'; readonly target: number; readonly next: number }
  | { readonly kind: 'call-indirect'; readonly target: Value; readonly next: number }
  | { readonly kind: 'return'; readonly target: Value }
  | { readonly kind: 'jump'; readonly target: Value }
  /** Leave with `exit`; the vCPU's pc becomes `pc`. Up to three arguments; those not given stay as a helper left them. */
  | { readonly kind: 'exit'; readonly exit: ExitKind; readonly pc: number; readonly args: readonly number[] };

const HELPER = op('helper');
/** By number of parameters; the helper's number is operand 0. */
const HELPER_MASKS = [0, 0b10, 0b110, 0b1110];

/** A plain array, or the builder's own. */
type Words = ArrayLike<number> & Iterable<number>;

function operandOf(t: Terminator): Value {
  if (t.kind === 'branch') return t.condition;
  return t.kind === 'call-indirect' || t.kind === 'return' || t.kind === 'jump' ? t.target : -1;
}

/** A basic block: ops in order, each with up to four operand words, then one terminator. */
export class Block {
  /** The terminator's value operand, or -1. A field of its own, since terminators have many shapes. */
  readonly terminatorValue: Value;
  /** Noted by those who lift it in system mode. */
  place: CodePlace | undefined = undefined;
  constructor(
    readonly pc: number,
    /** Guest bytes covered, from pc on. */
    readonly size: number,
    /** Guest instructions, what the block costs of the budget. */
    readonly instructions: number,
    readonly length: number,
    readonly op: Words,
    readonly a: Words,
    readonly b: Words,
    readonly c: Words,
    readonly d: Words,
    readonly terminator: Terminator,
    readonly shuffles: readonly (readonly number[])[],
    readonly helpers: readonly Helper[],
  ) {
    this.terminatorValue = operandOf(terminator);
  }

  typeOf(value: Value): Type {
    const number = this.op[value];
    return number === HELPER ? this.helpers[this.a[value]].result : OPS[number].result;
  }

  operand(value: Value, index: number): number {
    return index === 0 ? this.a[value] : index === 1 ? this.b[value] : index === 2 ? this.c[value] : this.d[value];
  }

  /** How many operand words of the op are values or immediates that count. */
  operandCount(value: Value): number {
    const number = this.op[value];
    return number === HELPER ? 1 + this.helpers[this.a[value]].params.length : OPS[number].operands.length;
  }

  /** Bit i is set if operand i is a value. */
  valueMask(v: Value): number {
    const number = this.op[v];
    return number === HELPER ? HELPER_MASKS[this.helpers[this.a[v]].params.length] : VALUE_MASKS[number];
  }

  /** Type of an operand that is a value, or 'imm'. */
  operandType(value: Value, index: number): Type | 'imm' {
    const number = this.op[value];
    return number === HELPER && index > 0 ? this.helpers[this.a[value]].params[index - 1] : OPS[number].operands[index];
  }
}
