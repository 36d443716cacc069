import { RegisterField } from '../../assembly/shared/template.ts';
import type { Value } from '../../src/ir/block.ts';
import { type Builder, OPEN_STATE } from '../../src/ir/builder.ts';
import type { Field, Hole } from '../../src/ir/hole.ts';
import type { DelaySlot, Digit, Opened } from '../../src/ir/template.ts';
import type { Values } from '../../src/isa/bits.ts';
import type { Code } from '../../src/isa/code.ts';
import type { IsaTemplates } from '../../src/isa/isa.ts';
import { decode, type Instruction } from './lift.ts';
import type { Site } from './row.ts';
import { PRIVILEGED } from './rows/privileged.ts';
import { CONTINUED, SYSTEM } from './rows/system.ts';
import { Mips, Mode } from './state.ts';

/** Fields that meanings leave to their Site. */
const LEFT = ['i', 'u', 'o', 'j'];

/** Lifts instructions by themselves: what their Site tells stays open, and it notes what no template can be lifted for. */
class OpenSite implements Site {
  wide = false;
  nan2008 = false;
  aligned = false;
  system = false;
  afterPair = 0;
  slot: DelaySlot | undefined;
  /** A field was taken that could have stayed open. */
  takesField = false;
  /** Where it stands was asked, or what else no template knows. */
  asked = false;
  private readonly half: Field;
  private readonly whole: Field;

  constructor(readonly bigEndian: boolean) {
    this.half = bigEndian ? { offset: 2, bytes: 2, bigEndian } : { offset: 0, bytes: 2 };
    this.whole = bigEndian ? { offset: 0, bytes: 4, bigEndian } : { offset: 0, bytes: 4 };
  }

  private ask(): number {
    this.asked = true;
    return 0;
  }
  get pc(): number {
    return this.ask();
  }
  get next(): number {
    return this.ask();
  }
  get mode(): number {
    return this.ask();
  }

  immediate(b: Builder): Value {
    return b.hole({ field: this.half });
  }
  unsigned(b: Builder): Value {
    return b.hole({ field: this.half, mask: 0xffff });
  }
  upper(b: Builder): Value {
    return b.hole({ field: this.half, shift: 16 });
  }
  place(b: Builder, constant: number): Value {
    return b.hole({ relative: true, constant });
  }
  private get target(): Hole {
    return { field: this.half, shift: 2, relative: true, constant: 4 };
  }
  branchTarget(b: Builder): Value {
    return b.hole(this.target);
  }
  jumpTarget(b: Builder): Value {
    return b.hole({ field: this.whole, shift: 2, mask: 0x0fffffff, region: true });
  }

  branch(b: Builder, condition: Value): void {
    const known = b.constantOf(condition);
    if (known === 0) this.afterSlot(b, () => b.goto(this.afterPair));
    else if (known !== undefined) this.afterSlot(b, () => b.jump(this.branchTarget(b)));
    else this.afterSlot(b, () => b.jump(b.select(condition, this.branchTarget(b), this.place(b, 8))));
  }
  branchLikely(b: Builder, condition: Value): void {
    const known = b.constantOf(condition);
    this.slot = { target: (b.holes?.push(this.target) ?? 0) - 1, marked: this.system };
    if (known === undefined) b.jump(b.select(condition, this.place(b, 1), this.place(b, 8)));
    else b.jump(this.place(b, known === 0 ? 8 : 1));
  }
  afterSlot(_b: Builder, end: () => void): void {
    this.slot = { marked: this.system };
    end();
  }

  /** The instruction's fields, which it is noted of whether those are taken that may stay open. */
  noted(fields: Values): Values {
    const out = { ...fields };
    for (const letter of LEFT.filter((name) => name in fields))
      Object.defineProperty(out, letter, {
        get: () => {
          this.takesField = true;
          return fields[letter];
        },
      });
    return out;
  }
}

/** By opcode: bits that tell rows apart, lowest and how many, so that they are looked at first. */
const FIXED_FIRST = new Map<number, readonly (readonly [shift: number, width: number])[]>([
  // SPECIAL: function; REGIMM: rt; COP0, COP1: rs, function; COP1X, SPECIAL2, SPECIAL3: function
  [0x00, [[0, 6]]],
  [0x01, [[16, 5]]],
  [
    0x10,
    [
      [21, 5],
      [0, 6],
    ],
  ],
  [
    0x11,
    [
      [21, 5],
      [0, 6],
    ],
  ],
  [0x13, [[0, 6]]],
  [0x1c, [[0, 6]]],
  [0x1f, [[0, 6]]],
]);
/** In place of a register's number: its word is then at OPEN_STATE. */
const OPEN_REGISTER = (OPEN_STATE - Mips.GPR) / 4;

/** General registers, which templates leave open but for whether they are r0. */
const REGISTERS = ['s', 't', 'd'];
/** Their meaning asks which register it is. */
const isConcrete = ({ text }: Instruction): boolean => /^j/.test(text);

/** In system mode, what instructions of these groups do hangs on more than the templates' mode. */
const CLOSED_IN_SYSTEM = new Set([PRIVILEGED, SYSTEM]);

function makeOpen(bigEndian: boolean): IsaTemplates['open'] {
  const site = new OpenSite(bigEndian);
  const digit = (shift: number, mask: number): Digit => ({ offset: 0, bytes: 4, bigEndian, shift, mask });
  /** The opcode, what else is fixed in all rows of it, then the rest. */
  function keyOf(row: Instruction, takesField: boolean): Digit[] {
    const out: Digit[] = [digit(28, 15), digit(26, 3)];
    const opcode = row.value >>> 26;
    let rest = 0x03ffffff;
    const take = (shift: number, width: number): void => {
      for (let at = shift; at < shift + width; at += 4) out.push(digit(at, (1 << Math.min(4, shift + width - at)) - 1));
      rest &= ~(((1 << width) - 1) << shift);
    };
    const left = row.fields.filter(({ letter }) => LEFT.includes(letter) && !takesField);
    for (const [shift, width] of FIXED_FIRST.get(opcode) ?? [])
      if (!left.some((field) => field.shift < shift + width && shift < field.shift + field.width)) take(shift, width);
    for (const { letter, shift, width } of row.fields) {
      const bits = ((1 << width) - 1) << shift;
      if ((rest & bits) !== bits) continue;
      if (left.some((field) => field.letter === letter)) rest &= ~bits;
      else if (REGISTERS.includes(letter) && !isConcrete(row)) {
        out.push({ ...digit(shift, 31), zero: true });
        rest &= ~bits;
      }
    }
    for (let shift = 24; shift >= 0; shift -= 4) {
      const mask = (rest >>> shift) & 15;
      if (mask !== 0) out.push(digit(shift, mask));
    }
    return out;
  }
  const fieldOf = (shift: number): number => OPEN_REGISTER + (bigEndian ? shift | RegisterField.BIG_ENDIAN : shift);
  return (b: Builder, code: Code, pc: number, mode: number): Opened | undefined => {
    const word = bigEndian ? code.i32be(pc) : code.i32le(pc);
    const row = decode(word);
    if (!row) return undefined;
    site.system = (mode & Mode.SYSTEM) !== 0;
    site.wide = (mode & Mode.FR) !== 0;
    site.nan2008 = (mode & Mode.NAN2008) !== 0;
    site.aligned = (mode & Mode.ALIGNED) !== 0;
    site.afterPair = (pc + 8) >>> 0;
    site.slot = undefined;
    site.takesField = false;
    site.asked = false;
    const length = row.delaySlot ? 8 : 4;
    const isClosed = row.group === CONTINUED || (site.system && (row.float || CLOSED_IN_SYSTEM.has(row.group)));
    if (isClosed) return { length, key: keyOf(row, false), closed: true };
    b.insn(pc, 4);
    const fields = { ...row.extract(word) };
    if (!isConcrete(row))
      for (const { letter, shift } of row.fields) if (REGISTERS.includes(letter) && fields[letter] !== 0) fields[letter] = fieldOf(shift);
    row.meaning(site.noted(fields), b, site);
    return { length, key: keyOf(row, site.takesField), slot: site.slot, closed: site.asked };
  };
}

export const makeTemplates = (bigEndian: boolean): IsaTemplates => ({
  open: makeOpen(bigEndian),
  modeOf: (mode) => (mode & Mode.SYSTEM ? Mode.SYSTEM : mode),
  first: { offset: 0, bytes: 4, bigEndian, shift: 28, mask: 15 },
  // a branch and its delay slot
  longest: 8,
  delaySlots: true,
});
