import type { Code } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import type { Block, Terminator, Value } from './block.ts';
import { Builder } from './builder.ts';
import type { Hole } from './hole.ts';
import { op } from './ops.ts';

/** Some bits of an instruction: (bytes >>> shift) & mask. */
export interface Digit {
  readonly offset: number;
  readonly bytes: 1 | 4;
  readonly bigEndian?: boolean;
  readonly shift: number;
  /** 15 at most, unless `zero`. */
  readonly mask: number;
  /** Only whether they are all zero decides. */
  readonly zero?: boolean;
}
export function digitOf({ offset, bytes, bigEndian, shift, mask, zero }: Digit, byteAt: (at: number) => number): number {
  let word = 0;
  for (let i = 0; i < bytes; i++) word |= byteAt(offset + i) << (8 * (bigEndian ? bytes - 1 - i : i));
  const bits = (word >>> shift) & mask;
  return zero ? Number(bits !== 0) : bits;
}

/** The instruction at pc + 4 is executed before the block ends, as part of this one. */
export interface DelaySlot {
  /** It has a block of its own at pc | 1, which goes to where that hole says. */
  readonly target?: number;
  /** The slot's pc has bit 1 set. */
  readonly marked: boolean;
}

/** What of an instruction's bytes its template was lifted for. */
export interface Opened {
  readonly length: number;
  /** What decides what it is, in the order in which it does. */
  readonly key: readonly Digit[];
  readonly slot?: DelaySlot | undefined;
  /** Lifting it by itself is not enough. */
  readonly closed?: boolean;
}

/** How the block ends after an instruction: as Terminator, with numbers of holes in place of pcs. */
export type TemplateEnd =
  | { readonly kind: 'goto'; readonly pc: number }
  | { readonly kind: 'branch'; readonly condition: Value; readonly taken: number; readonly next: number }
  | { readonly kind: 'call'; readonly target: number; readonly next: number }
  | { readonly kind: 'call-indirect'; readonly target: Value; readonly next: number }
  | { readonly kind: 'return' | 'jump'; readonly target: Value };

/** One instruction as it was lifted, by itself. */
export interface Template {
  readonly block: Block;
  /** Ops of the block up to those that nothing but `end` needs. */
  readonly length: number;
  /** By op: the number of the hole that it stands for, or −1. */
  readonly holeOf: readonly number[];
  /** By op: what tells the register that it gets or sets, or −1; see OPEN_STATE. */
  readonly registerOf: readonly number[];
  readonly holes: readonly Hole[];
  readonly end: TemplateEnd | undefined;
}

const SELECT = op('select.i32');
/** So that a block of about BLOCK_OPS has room for one more instruction. */
const MOST_OPS = 500;

/** Lifts single instructions into templates. */
export class TemplateMaker {
  private readonly builder: Builder;

  constructor(private readonly isa: Isa) {
    this.builder = new Builder(isa.helpers);
  }

  /** The instruction at `pc` as it is in any block, unless it is closed. Undefined if nothing is known of its bytes. Throws FetchFault. */
  make(code: Code, pc: number, mode: number): (Opened & { readonly template?: Template }) | undefined {
    const builder = this.builder;
    // what is right there is right where accesses are not precise, too
    builder.begin(pc, true);
    const holes: Hole[] = [];
    builder.holes = holes;
    const opened = this.isa.templates?.open(builder, code, pc, mode);
    if (!opened || opened.closed) return opened;
    const next = (pc + opened.length) >>> 0;
    const ends = builder.ended;
    // what was to be written later is written
    if (!ends) builder.goto(next);
    const block = builder.finish(next);
    const end = ends ? this.endOf(block, holes) : undefined;
    if (ends && !end) return { ...opened, closed: true };
    if (block.length > MOST_OPS) return { ...opened, closed: true };
    const holeOf = Array.from(block.op, (_, v) => builder.holeOf(v));
    const registerOf = Array.from(block.op, (_, v) => builder.openState(v));
    let { length } = block;
    if (end) {
      const { terminator: t } = block;
      if (end.kind === 'branch' && t.kind === 'jump' && t.target === length - 1) length--;
      while (length > 0 && holeOf[length - 1] >= 0) length--;
    }
    return { ...opened, template: { block, length, holeOf, registerOf, holes, end } };
  }

  private endOf(block: Block, holes: Hole[]): TemplateEnd | undefined {
    const builder = this.builder;
    const hole = (v: Value): number | undefined => {
      const number = builder.holeOf(v);
      return number < 0 ? undefined : number;
    };
    /** Of a pc that is the instruction's or the next one's: others an instruction does not know. */
    const place = (pc: number): number | undefined => {
      if (pc !== block.pc && pc !== block.pc + block.size) return undefined;
      return holes.push({ relative: true, constant: pc - block.pc }) - 1;
    };
    const t: Terminator = block.terminator;
    switch (t.kind) {
      case 'return':
        return t;
      case 'jump': {
        const pc = hole(t.target);
        if (pc !== undefined) return { kind: 'goto', pc };
        if (block.op[t.target] !== SELECT) return t;
        const taken = hole(block.b[t.target]);
        const next = hole(block.c[t.target]);
        return taken === undefined || next === undefined ? t : { kind: 'branch', condition: block.a[t.target], taken, next };
      }
      case 'call-indirect': {
        const target = hole(t.target);
        const next = place(t.next);
        if (next === undefined) return undefined;
        return target === undefined ? { ...t, next } : { kind: 'call', target, next };
      }
      case 'branch': {
        const taken = place(t.taken);
        const next = place(t.next);
        return taken === undefined || next === undefined ? undefined : { ...t, taken, next };
      }
      case 'goto': {
        const pc = place(t.pc);
        return pc === undefined ? undefined : { kind: 'goto', pc };
      }
      default:
        return undefined;
    }
  }
}
