import { FCSR, type Fpu, isLeastNormal, isNanBits, type Record } from './record.ts';

const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');

/** Where QEMU 7.2 does not do what the manual says; ARCHITECTURE.md lists the differences. */
interface Tolerance {
  /** FCSR bits that may differ. */
  readonly fcsr: number;
  /** The whole outcome may. */
  readonly all?: boolean;
}

function tolerance(before: Record, here: Record, there: Record, fpu: Fpu): Tolerance {
  const raised = (here.fcsr & FCSR.CAUSE) >>> FCSR.CAUSE_SHIFT;
  const enables = (before.fcsr & FCSR.ENABLES) >>> FCSR.ENABLES_SHIFT;
  const exceptions = FCSR.CAUSE | FCSR.FLAGS;
  if (!fpu.nan2008 && /^(abs|neg)\./.test(before.text)) {
    // arithmetic, but QEMU leaves FCSR and NaNs alone
    return { fcsr: exceptions, all: (raised & FCSR.V) !== 0 };
  }
  // what is flushed to zero is an underflow, and inexact
  if (before.fcsr & FCSR.FS && (raised & (FCSR.U | FCSR.I)) === (FCSR.U | FCSR.I)) return { fcsr: exceptions, all: here.signal !== 0 };
  // what rounding makes the least normal number is not tiny
  if (before.fcsr & FCSR.FS && raised === FCSR.I) {
    const early = here.fpr.some((_, i) => isFlushedEarly(here, there, i));
    if (early || (here.signal !== 0 && there.signal === 0)) return { fcsr: exceptions, all: here.signal !== 0 };
  }
  // tininess alone is one, where it traps
  if (enables & FCSR.U && raised & FCSR.U) return { fcsr: exceptions, all: there.signal === 0 };
  return { fcsr: 0 };
}

/**
 * Legacy NaNs: a quiet one that comes out of an operation is an operand's, where QEMU has its default NaN or, if the
 * fraction does not fit single precision, an infinity.
 */
function isOwnNan(here: Record, there: Record, i: number): boolean {
  const quiet = (bits: number, wide: boolean): boolean =>
    wide ? (bits & 0x7ff80000) >>> 0 === 0x7ff00000 : (bits & 0x7fc00000) === 0x7f800000;
  const [low, high] = [i & ~1, i | 1];
  if (quiet(here.fpr[high], true) && (there.fpr[high] & 0x7fffffff) === 0x7ff7ffff && there.fpr[low] === 0xffffffff) return true;
  const single = there.fpr[i] & 0x7fffffff;
  return isNanBits(here.fpr[i]) && quiet(here.fpr[i], false) && (single === 0x7fbfffff || single === 0x7f800000);
}

/** With FCSR.FS, the least normal number that rounding gives, and QEMU's zero: it asks before rounding. Words of single and double precision. */
function isFlushedEarly(here: Record, there: Record, i: number): boolean {
  const [low, high] = [i & ~1, i | 1];
  if ((there.fpr[i] & 0x7fffffff) !== 0) return false;
  return isLeastNormal(here.fpr[i], 0, false) || (i === high && isLeastNormal(here.fpr[high], here.fpr[low], true));
}

/** What differs, in words, or nothing. */
export function difference(before: Record, here: Record, there: Record, fpu: Fpu): string | undefined {
  const found: string[] = [];
  const compare = (name: string, was: number, x: number, y: number): void => {
    if (x !== y) found.push(`${name}: was ${hex(was)}, here ${hex(x)}, qemu ${hex(y)}`);
  };
  const tolerated = tolerance(before, here, there, fpu);
  if (tolerated.all) return undefined;
  compare('signal', 0, here.signal, there.signal);
  for (let i = 1; i < 32; i++) if (i !== 26 && i !== 27) compare(`$${i}`, before.gpr[i], here.gpr[i], there.gpr[i]);
  for (let i = 0; i < 64; i++) {
    if ((!fpu.wide && i & 2) || (!fpu.nan2008 && isOwnNan(here, there, i))) continue;
    if (before.fcsr & FCSR.FS && isFlushedEarly(here, there, i)) continue;
    compare(`$f${i >> 1}${i & 1 ? ' high' : ''}`, before.fpr[i], here.fpr[i], there.fpr[i]);
  }
  compare('hi', before.hi, here.hi, there.hi);
  compare('lo', before.lo, here.lo, there.lo);
  const kept = ~tolerated.fcsr;
  compare('fcsr', before.fcsr, (here.fcsr & kept) >>> 0, (there.fcsr & kept) >>> 0);
  if (here.data.some((byte, i) => byte !== there.data[i]))
    found.push(
      `memory: ${Buffer.from(before.data).toString('hex')}\n  here ${Buffer.from(here.data).toString('hex')}\n  qemu ${Buffer.from(there.data).toString('hex')}`,
    );
  if (found.length === 0) return undefined;
  const registers = before.code.length <= 3 ? operandsOf(before) : '';
  return `${before.text} [${before.code.slice(0, -2).map(hex).join(' ')}] fcsr ${hex(before.fcsr)}${registers}\n  ${found.join('\n  ')}`;
}

/** The floating-point registers that the first instruction names, as it found them. */
function operandsOf({ code, fpr }: Record): string {
  const value = (register: number): string => `$f${register} ${hex(fpr[2 * register + 1])}:${hex(fpr[2 * register])}`;
  return ` ${[(code[0] >>> 11) & 31, (code[0] >>> 16) & 31, (code[0] >>> 21) & 31].map(value).join(' ')}`;
}
