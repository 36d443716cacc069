import type { MipsRow } from '../../../translators/mips/row.ts';
import { isFloatRow, sourceOf } from './float.ts';
import { TIME } from './generate.ts';
import { FCSR, type Fpu, isLeastNormal, type Record, wordIndex } from './record.ts';

/** What a vector does not compare, since QEMU 7.2 does not do what the manual says. ARCHITECTURE.md lists the differences. */
export interface Departure {
  /** There is no vector, and why. */
  readonly omit?: string;
  /** FCSR bits that are not compared. */
  readonly fcsr: number;
  /** Words of `Record.fpr` that are not compared. */
  readonly fpr: readonly number[];
  /** A general register that is not compared. */
  readonly gpr?: number;
}

export const NONE: Departure = { fcsr: 0, fpr: [] };
const EXCEPTIONS = FCSR.CAUSE | FCSR.FLAGS;
const UI = FCSR.U | FCSR.I;
const UI_BITS = (UI << FCSR.CAUSE_SHIFT) | (UI << 2);

const isQuietLegacy = (high: number, wide: boolean): boolean =>
  wide ? (high & 0x7ff80000) >>> 0 === 0x7ff00000 : (high & 0x7fc00000) === 0x7f800000;

/** Operands of a row with such numbers: format, and the word with sign and exponent; of double precision the low word, too. */
function operands({ code, fpr }: Record, row: MipsRow, fpu: Fpu): { wide: boolean; high: number; low: number }[] {
  const format = sourceOf(row);
  if (format !== 's' && format !== 'd') return [];
  const letters: { readonly [letter: string]: number } = { R: 21, T: 16, S: 11 };
  return row.fields
    .filter(({ letter }) => letter in letters)
    .map(({ letter }) => {
      const register = (code[0] >>> letters[letter]) & 31;
      if (format === 's') return { wide: false, high: fpr[wordIndex(register, fpu.wide)], low: 0 };
      return { wide: true, high: fpr[2 * register + 1], low: fpr[2 * register] };
    });
}

/** Words of the result: none if it is no single or double precision number. */
function resultWords({ code }: Record, row: MipsRow, fpu: Fpu): number[] {
  if (row.text.startsWith('c.')) return [];
  const [, to] = row.text.split(' ')[0].split('.');
  const register = (code[0] >>> 6) & 31;
  if (to === 's') return [wordIndex(register, fpu.wide)];
  return to === 'd' ? [2 * register, 2 * register + 1] : [];
}

const isNan = ({ wide, high, low }: { wide: boolean; high: number; low: number }): boolean =>
  wide ? (high & 0x7fffffff) > 0x7ff00000 || ((high & 0x7fffffff) === 0x7ff00000 && low !== 0) : (high & 0x7fffffff) > 0x7f800000;

const isDenormal = (words: readonly number[], fpr: Uint32Array): boolean => {
  const high = fpr[words[words.length - 1]];
  if (words.length === 2) return (high & 0x7ff00000) === 0 && ((high & 0xfffff) !== 0 || fpr[words[0]] !== 0);
  return (high & 0x7f800000) === 0 && (high & 0x7fffff) !== 0;
};

const isLeast = (words: readonly number[], fpr: Uint32Array): boolean =>
  isLeastNormal(fpr[words[words.length - 1]], words.length === 2 ? fpr[words[0]] : 0, words.length === 2);

/** The record again, so that its exceptions and its denormal result show: no trap, no flag, nothing flushed to zero. */
export const plainly = (record: Record): Record => ({
  ...record,
  fcsr: record.fcsr & ~(EXCEPTIONS | FCSR.ENABLES | FCSR.FS),
});

/** `there`: the outcome under QEMU; `plain`: that of `plainly`. */
export function departure(before: Record, there: Record, plain: Record, row: MipsRow, fpu: Fpu): Departure {
  if (row.text === TIME) return { ...NONE, gpr: (before.code[0] >>> 16) & 31 };
  if (!isFloatRow(row) || there.signal === SIGILL) return NONE;
  const mnemonic = row.text.split(' ')[0];
  const numbers = operands(before, row, fpu);
  const result = resultWords(before, row, fpu);
  const enables = (before.fcsr & FCSR.ENABLES) >>> FCSR.ENABLES_SHIFT;
  if (!fpu.nan2008 && /^(abs|neg)\./.test(mnemonic)) {
    if (numbers.some(isNan)) return { ...NONE, omit: REASONS.sign };
    return { fcsr: FCSR.CAUSE, fpr: [] };
  }
  if (/^mov/.test(mnemonic)) return NONE;
  let out = NONE;
  const quiet = !fpu.nan2008 && numbers.some(({ wide, high, low }) => isQuietLegacy(high, wide) && isNan({ wide, high, low }));
  if (quiet) out = { ...out, fpr: result };
  if (result.length === 0) return out;
  // what comes between a product and a sum does not show
  const two = /^n?m(add|sub)\./.test(mnemonic);
  const raised = (plain.fcsr & FCSR.CAUSE) >>> FCSR.CAUSE_SHIFT;
  const tiny = (raised & FCSR.U) !== 0 || isDenormal(result, plain.fpr);
  if (before.fcsr & FCSR.FS && raised & FCSR.I && isLeast(result, plain.fpr)) return { ...NONE, omit: REASONS.least };
  if (before.fcsr & FCSR.FS && (tiny || two)) {
    if (enables & UI) return { ...NONE, omit: REASONS.flush };
    return { ...out, fcsr: out.fcsr | UI_BITS };
  }
  if (enables & FCSR.U && ((tiny && !(raised & FCSR.I)) || two)) return { ...NONE, omit: REASONS.underflow };
  return out;
}

const SIGILL = 4;

const REASONS = {
  sign: 'ABS.fmt and NEG.fmt of a NaN are invalid operations unless FCSR.ABS2008 (MIPS32 volume II, ABS.fmt, NEG.fmt); QEMU changes the sign only',
  flush:
    'FCSR.FS with a trap on Underflow or Inexact: what is flushed to zero raises both (MIPS32 volume I, FCSR, FS); QEMU raises neither',
  least:
    'FCSR.FS where rounding gives the least normal number: tininess is detected after rounding (MIPS32 volume I, Underflow Exception), by QEMU before',
  underflow: 'a trap on Underflow: tininess alone takes it (MIPS32 volume I, Underflow Exception); QEMU wants inexactness, too',
} as const;

/** What vectors of a form do not compare, and why. */
export function undefinedText(row: MipsRow): string | undefined {
  if (row.text === 'rdhwr $t,$r')
    return 'hardware registers 1 (SYNCI_Step) and 3 (CCRes), which tell of the machine (MIPS32 volume II, RDHWR)';
  if (row.text === TIME) return 'the time, in its destination (MIPS32 volume II, RDHWR)';
  if (!isFloatRow(row)) return undefined;
  const mnemonic = row.text.split(' ')[0];
  if (/^(abs|neg)\./.test(mnemonic))
    return 'FCSR.Cause, with legacy NaNs, which arithmetic clears unless FCSR.ABS2008 (MIPS32 volume II, ABS.fmt, NEG.fmt); QEMU leaves it';
  if (/^(mov|c\.)/.test(mnemonic) || !/^\w+\.[sd]\b/.test(mnemonic.replace(/\.fmt/, ''))) return undefined;
  return [
    'FCSR.FS: Underflow and Inexact of what is flushed to zero, which QEMU does not raise (MIPS32 volume I, FCSR, FS)',
    'legacy NaNs: the result if an operand is a quiet NaN, which comes out as it is (MIPS32 volume I, Invalid Operation Exception); QEMU has its default NaN',
  ].join('; ');
}
