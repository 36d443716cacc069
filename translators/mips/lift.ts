import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { disassembleRow, type Extract, extractor, makeDecoder } from '../../src/isa/bits.ts';
import { type Code, FetchFault } from '../../src/isa/code.ts';
import type { Disassembly, Isa } from '../../src/isa/isa.ts';
import { ExcCode } from './abi.ts';
import { aliasText } from './aliases.ts';
import { BRANCH, FIELDS, type MipsRow, type Site } from './row.ts';
import { PRIVILEGED } from './rows/privileged.ts';
import { CONTINUED } from './rows/system.ts';
import { ROWS } from './rows.ts';
import { Mode } from './state.ts';
import { unusable, unusableFloat } from './system/usable.ts';

/** A row with what lifting asks of it. */
export interface Instruction extends MipsRow {
  readonly extract: Extract;
  readonly delaySlot: boolean;
  readonly continued: boolean;
  /** It is one of coprocessor 1's. */
  readonly float: boolean;
}

/** Whether a word is an instruction of coprocessor 1 (COP1, COP1X, its loads and stores, MOVF and MOVT). */
const isFloat = (opcode: number, special: number): boolean =>
  [0x11, 0x13, 0x31, 0x35, 0x39, 0x3d].includes(opcode) || (opcode === 0 && special === 1);

/** Whether a word is one of coprocessor 2's (COP2, its loads and stores), which is not there: Status.CU2 is 0. */
const isCoprocessor2 = (word: number): boolean => [0x12, 0x32, 0x36, 0x3a, 0x3e].includes(word >>> 26);

let decoder: ((word: number) => Instruction | undefined) | undefined;
/** The row of an instruction word, or undefined for a reserved one. */
export function decode(word: number): Instruction | undefined {
  decoder ??= makeDecoder(
    ROWS.map(
      (row): Instruction => ({
        ...row,
        extract: extractor(row, FIELDS),
        delaySlot: row.group === BRANCH,
        continued: row.group === CONTINUED || row.group === PRIVILEGED,
        float: isFloat(Number.parseInt(row.pattern.slice(0, 6), 2), Number.parseInt(row.pattern.slice(-6), 2)),
      }),
    ),
  );
  return decoder(word);
}

export const branchTarget = (pc: number, word: number): number => (pc + 4 + ((word << 16) >> 14)) >>> 0;

/**
 * Lifts instructions of one byte order. Bit 0 of a pc is not the guest's: at `pc | 1` stands the delay slot of the branch
 * at pc, then the branch's target. Taken branches whose slot cannot be part of their block go there.
 */
class Lifter implements Site {
  pc = 0;
  next = 0;
  wide = false;
  nan2008 = false;
  aligned = false;
  system = false;
  mode = 0;
  /** The instruction's own. */
  private word = 0;
  /** The delay slot of the branch at pc, decoded before the branch. */
  private slotWord = 0;
  private slot: Instruction | undefined;

  constructor(readonly bigEndian: boolean) {}

  private fetch(code: Code, pc: number): number {
    return this.bigEndian ? code.i32be(pc) : code.i32le(pc);
  }

  lift(b: Builder, code: Code, at: number, mode: number): number {
    this.mode = mode;
    this.system = (mode & Mode.SYSTEM) !== 0;
    this.wide = (mode & Mode.FR) !== 0;
    this.nan2008 = (mode & Mode.NAN2008) !== 0;
    this.aligned = (mode & Mode.ALIGNED) !== 0;
    if ((at & 3) === 1) return this.liftSlot(b, code, at - 1);
    if (at & 3) return this.misaligned(b, at);
    const word = this.fetch(code, at);
    const instruction = decode(word);
    this.pc = at;
    if (instruction?.delaySlot) {
      this.slotWord = this.fetch(code, at + 4);
      this.slot = decode(this.slotWord);
    }
    this.next = at + 4;
    this.execute(b, instruction, word);
    return instruction?.delaySlot ? at + 8 : at + 4;
  }

  private misaligned(b: Builder, at: number): number {
    b.insn(at, 4);
    b.exit(ExitKind.Exception, at, ExcCode.AdEL, 0);
    return at + 4;
  }

  /** The taken way of the branch at `pc`. */
  private liftSlot(b: Builder, code: Code, pc: number): number {
    let word: number;
    try {
      word = this.fetch(code, pc);
    } catch (error) {
      // nothing executed there, so it is no slot but a jump to an odd address
      if (error instanceof FetchFault) return this.misaligned(b, pc + 1);
      throw error;
    }
    const branch = decode(word);
    if (!branch?.delaySlot || branch.extract(word).o === undefined) return this.misaligned(b, pc + 1);
    const target = branchTarget(pc, word);
    this.slotWord = this.fetch(code, pc + 4);
    this.slot = decode(this.slotWord);
    this.pc = pc;
    this.executeSlot(b, target, pc | 1);
    if (!b.ended) b.goto(target);
    return pc + 8;
  }

  private execute(b: Builder, instruction: Instruction | undefined, word: number, restart = this.pc): void {
    b.insn(this.pc, 4, restart);
    this.word = word;
    if (this.system && instruction?.float && !(this.mode & Mode.CU1)) unusableFloat(b, this, restart);
    else if (instruction) instruction.meaning(instruction.extract(word), b, this);
    else if (this.system && isCoprocessor2(word)) b.exit(ExitKind.Exception, this.pc, unusable(2));
    else b.exit(ExitKind.Illegal, this.pc);
  }

  /** A slot is executed anew from its branch on, or from `pc | 1` if the block begins there. */
  private executeSlot(b: Builder, next: number, restart = this.pc): void {
    this.pc = this.system ? (this.pc + 4) | 2 : this.pc + 4;
    this.next = next;
    // a branch in a delay slot is UNPREDICTABLE
    this.execute(b, this.slot?.delaySlot ? undefined : this.slot, this.slotWord, restart);
  }

  immediate(b: Builder): Value {
    return b.i32((this.word << 16) >> 16);
  }
  unsigned(b: Builder): Value {
    return b.i32(this.word & 0xffff);
  }
  upper(b: Builder): Value {
    return b.i32(this.word << 16);
  }
  place(b: Builder, offset: number): Value {
    return b.i32(this.pc + offset);
  }
  branchTarget(b: Builder): Value {
    return b.i32(branchTarget(this.pc, this.word));
  }
  jumpTarget(b: Builder): Value {
    return b.i32(((this.pc + 4) & 0xf0000000) | ((this.word << 2) & 0x0fffffff));
  }
  get afterPair(): number {
    return (this.pc + 8) >>> 0;
  }

  branch(b: Builder, condition: Value): void {
    const { pc, afterPair: next } = this;
    const target = branchTarget(pc, this.word);
    if (b.constantOf(condition) === 0) this.afterSlot(b, () => b.goto(next), next);
    else if (b.constantOf(condition) !== undefined || target === next) this.afterSlot(b, () => b.goto(target), target);
    else if (this.slot?.continued) b.branch(condition, pc | 1, pc + 4);
    else this.afterSlot(b, () => b.branch(condition, target, next));
  }

  branchLikely(b: Builder, condition: Value): void {
    b.branch(condition, this.pc | 1, this.pc + 8);
  }

  afterSlot(b: Builder, end: () => void, target?: number, dynamic?: Value): void {
    const { pc } = this;
    const leaves = target === undefined && this.slot?.continued;
    if (leaves && this.system && dynamic !== undefined) b.helper('mips_next', dynamic);
    // where it goes on is not known here
    else if (leaves) this.slot = undefined;
    this.executeSlot(b, target ?? (leaves && this.system ? 0 : pc + 8));
    this.pc = pc;
    if (!b.ended) end();
  }
}

export function makeLift(bigEndian: boolean): Isa['lift'] {
  const lifter = new Lifter(bigEndian);
  return (b, code, pc, mode) => lifter.lift(b, code, pc >>> 0, mode);
}

export function makeDisassemble(bigEndian: boolean): (code: Code, pc: number) => Disassembly {
  return (code, pc) => {
    const word = bigEndian ? code.i32be(pc) : code.i32le(pc);
    const row = decode(word);
    const fields = row?.extract(word);
    const text =
      row && fields
        ? disassembleRow({ ...row, text: aliasText(row, fields) }, fields, FIELDS, pc >>> 0, word)
        : `.word 0x${(word >>> 0).toString(16)}`;
    return { text, length: 4 };
  };
}
