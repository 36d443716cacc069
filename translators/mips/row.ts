import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { Type } from '../../src/ir/ops.ts';
import { type FieldKinds, makeRow, type Row, type Values } from '../../src/isa/bits.ts';
import { selectedName } from './aliases.ts';
import { ExcCode } from './exception-code.ts';
import { Mips } from './state.ts';

/** Where an instruction stands, and what its meaning needs to know besides its fields. */
export interface Site {
  /** Byte order of data. */
  readonly bigEndian: boolean;
  /** Status.FR. */
  readonly wide: boolean;
  /** FCSR.NAN2008 and ABS2008. */
  readonly nan2008: boolean;
  /** Accesses that are not naturally aligned are address errors. */
  readonly aligned: boolean;
  /** System mode; the bits of `Mode` then tell what may be used. */
  readonly system: boolean;
  readonly mode: number;
  /** The instruction's own pc. In system mode, bit 1 marks a delay slot. */
  readonly pc: number;
  /**
   * pc at which execution goes on after it, if it leaves the block: not the next word in a taken branch's delay slot. 0 in
   * system mode if it is known only at run time: then it is at Layout.NEXT_PC.
   */
  readonly next: number;
  // What templates leave open (src/ir/template.ts); a field that a meaning takes itself decides which template it is.
  /** The instruction's low 16 bits, sign-extended. */
  immediate(b: Builder): Value;
  /** The same, zero-extended. */
  unsigned(b: Builder): Value;
  /** The same as the upper half of a word. */
  upper(b: Builder): Value;
  /** pc + offset */
  place(b: Builder, offset: number): Value;
  /** Where a branch goes to, and a jump. */
  branchTarget(b: Builder): Value;
  jumpTarget(b: Builder): Value;

  /** pc after a branch and its delay slot. */
  readonly afterPair: number;
  /** Goes to the branch's target if the condition holds, after the slot in any case. */
  branch(b: Builder, condition: Value): void;
  /** The same, but the delay slot is executed only if the condition holds. */
  branchLikely(b: Builder, condition: Value): void;
  /** Lifts the delay slot, then ends the block so, unless the slot has ended it. `target`: where `end` goes, if that is known, else `dynamic`. */
  afterSlot(b: Builder, end: () => void, target?: number, dynamic?: Value): void;
}

/** Address error if the access of so many bytes is not naturally aligned and the mode asks for it. In system mode, the access itself finds out. */
export function checkAligned(b: Builder, site: { readonly aligned: boolean }, address: Value, bytes: number, store: boolean): void {
  if (site.aligned && bytes > 1) b.exitIf(b.and(address, b.i32(bytes - 1)), ExitKind.Exception, store ? ExcCode.AdES : ExcCode.AdEL);
}

/** Builds the IR of an instruction. A meaning that ends the block does so last. */
export type Meaning<P extends string = string> = (fields: Values<P>, b: Builder, site: Site) => void;
export type MipsRow = Row<Meaning>;

export interface RowOptions {
  /** A declared special case of a more general row. */
  readonly special?: boolean;
}

type RowMaker = <const P extends string>(pattern: P, text: string, meaning: Meaning<P>, options?: RowOptions) => MipsRow;

/** The rows of one group of instructions, in the manual's division (MIPS32 volume II, chapter 3). */
export function group(name: string, rows: (row: RowMaker) => MipsRow[]): MipsRow[] {
  // the extractor gives exactly the pattern's letters, which is what the meaning was typed with
  return rows((pattern, text, meaning, options) => makeRow(name, pattern, text, meaning as Meaning, options?.special ?? false));
}

/** The group whose rows have a delay slot. */
export const BRANCH = 'jump and branch';

export const gpr = (b: Builder, register: number): Value => (register === 0 ? b.i32(0) : b.get(Type.I32, Mips.GPR + 4 * register));

export function setGpr(b: Builder, register: number, value: Value): void {
  if (register !== 0) b.set(Mips.GPR + 4 * register, value);
}

export const GPR_NAMES = 'zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 s0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp s8 ra'.split(' ');

const CONDITIONS = 'f un eq ueq olt ult ole ule sf ngle seq ngl lt nge le ngt'.split(' ');
/** CP0 registers with select 0, as assemblers name them. */
const CP0_NAMES = (
  'index random entrylo0 entrylo1 context pagemask wired hwrena badvaddr count entryhi compare status cause epc prid config lladdr ' +
  'watchlo watchhi xcontext $21 $22 debug depc perfcnt errctl cacheerr taglo taghi errorepc desave'
)
  .split(' ')
  .map((name) => (name.startsWith('$') ? name : `c0_${name}`));

const CP1_NAMES: Readonly<Record<number, string>> = {
  0: 'c1_fir',
  1: 'c1_ufr',
  4: 'c1_unfr',
  25: 'c1_fccr',
  26: 'c1_fexr',
  28: 'c1_fenr',
  31: 'c1_fcsr',
};

const HWR_NAMES = ['hwr_cpunum', 'hwr_synci_step', 'hwr_cc', 'hwr_ccres'];

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const register = { text: (value: number): string => GPR_NAMES[value] };
const fpr = { text: (value: number): string => `$f${value}` };
const hexadecimal = { text: hex };
const optional = { text: (value: number): string => (value === 0 ? '' : hex(value)) };

/** What each letter of a pattern means, in all rows. Operand syntax is GNU's. */
export const FIELDS: FieldKinds = {
  s: register,
  t: register,
  d: register,
  // fs, ft, fd, fr
  S: fpr,
  T: fpr,
  D: fpr,
  R: fpr,
  a: hexadecimal,
  i: { signed: true, text: String },
  u: hexadecimal,
  o: { signed: true, text: (value, pc) => hex(pc + 4 + 4 * value) },
  j: { text: (value, pc) => hex(((pc + 4) & 0xf0000000) | (value << 2)) },
  // the link register of JALR, which is not shown if it is ra
  l: { text: (value) => (value === 31 ? '' : `${GPR_NAMES[value]},`) },
  // EXT: msbd; INS: msb
  m: { text: (value) => hex(value + 1) },
  x: { text: (value, _, word) => hex(value - ((word >>> 6) & 31) + 1) },
  // codes of SYSCALL, BREAK, traps, SYNC, WAIT
  k: optional,
  c: { text: (value, _, word) => (value === 0 && ((word >>> 6) & 0x3ff) === 0 ? '' : hex(value)) },
  q: { text: (value) => (value === 0 ? '' : `,${hex(value)}`) },
  h: hexadecimal,
  r: { text: (value) => HWR_NAMES[value] ?? `$${value}` },
  // shown with the register that it selects from
  e: { text: () => '' },
  z: { text: (value, _, word) => ((word & 7) === 0 ? CP0_NAMES[value] : selectedName(value, word & 7)) },
  // FPU condition: number and flag
  C: { text: (value) => CONDITIONS[value] },
  n: { text: (value) => (value === 0 ? '' : `$fcc${value},`) },
  N: { text: (value) => `$fcc${value}` },
  // FPU control register
  f: { text: (value) => CP1_NAMES[value] ?? `$${value}` },
  // a trap's code
  w: { text: (value) => (value === 0 ? '' : `,${hex(value)}`) },
};
