import { encode } from '../../../src/isa/bits.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { makeRandom, type Pool } from './generate.ts';
import { CODE_WORDS, DATA_BYTES, FCSR, type Fpu, type Record, wordIndex } from './record.ts';

/** Bits of single precision: zeros, denormals, the ends of each range, ties, infinities, NaNs of either kind. */
const SINGLES = [
  ...[0, 1, 2, 3, 0x7fffff, 0x400000, 0x800000, 0x800001, 0xffffff, 0x1000000, 0x7f7fffff, 0x7f7ffffe, 0x7f000000, 0x7f800000],
  ...[0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0x7fa00000, 0x7fe12345, 0x3f800000, 0x3f800001, 0x3f7fffff, 0x40000000],
  ...[0x3f000000, 0x3fc00000, 0x40200000, 0x33800000, 0x33800001, 0x34000000, 0x4b7fffff, 0x4b800000, 0x4b800001, 0x4effffff],
  ...[0x4f000000, 0x4f000001, 0x5effffff, 0x5f000000, 0x5f000001, 0x3dcccccd, 0x40490fdb, 0x20000000, 0x1f800000, 0x5f7fffff],
  ...[0x00ffffff, 0x3effffff, 0x477fe000, 0x38800000, 0x40400000, 0x41200000],
];
/** High and low words of double precision. */
const DOUBLES: readonly (readonly [high: number, low: number])[] = [
  ...[0, 0x100000, 0x80000, 0x7fe00000, 0x7ff00000, 0x7ff80000, 0x3ff00000, 0x40000000, 0x3fe00000, 0x3ff80000, 0x40040000].map(
    (high) => [high, 0] as const,
  ),
  ...[0x43300000, 0x43400000, 0x41e00000, 0x43e00000, 0x3ca00000, 0x36a00000, 0x36900000, 0x38000000, 0x380fffff, 0x47f00000].map(
    (high) => [high, 0] as const,
  ),
  ...[0x40240000, 0x40080000, 0x20000000, 0x1ff00000, 0x5fe00000, 0x7fd00000, 0x3fd00000, 0x7ff00000, 0x41dfffff].map(
    (high) => [high, 0] as const,
  ),
  ...[0, 0x100000, 0x7ff00000, 0x3ff00000, 0x7ff80000, 0x3ca00000, 0x43400000, 0x36a00000].map((high) => [high, 1] as const),
  ...[0xfffff, 0x1fffff, 0x7fefffff, 0x7ff7ffff, 0x7fffffff, 0x3fefffff, 0x43dfffff, 0x432fffff, 0x433fffff].map(
    (high) => [high, 0xffffffff] as const,
  ),
  [0x41dfffff, 0xffc00000],
  [0x41dfffff, 0xffe00000],
  [0x41e00000, 0x00200000],
  [0x41dfffff, 0xffa00000],
  [0x47efffff, 0xe0000000],
  [0x47efffff, 0xf0000000],
  [0x47efffff, 0xefffffff],
  [0x36a00000, 0x10000000],
  [0x380fffff, 0xe0000000],
  [0x380fffff, 0xf0000000],
  [0x3ff00000, 0x10000000],
  [0x3ff00000, 0x30000000],
  [0x3fb99999, 0x9999999a],
  [0x400921fb, 0x54442d18],
  [0x7ff00000, 0x10000000],
  [0x7ff12345, 0x60000000],
  [0x7ff92345, 0x67890abc],
];
const WORDS = [0, 1, 2, 7, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x1000001, 0x1000003, 0xfeffffff, 0x7fffffbf, 0x7fffffc0];

const NOP = 0;
const JR_K0 = 0x03400008;
const GROUPS = new Set(['floating-point arithmetic', 'floating-point convert']);
const FLOAT_ROWS = ROWS.filter((row) => GROUPS.has(row.group));
const find = (text: string): MipsRow => ROWS.find((row) => row.text === text)!;
const CFC1 = find('cfc1 $t,$f');
const BC1 = ['bc1t $n$o', 'bc1f $n$o', 'bc1tl $n$o', 'bc1fl $n$o'].map(find);

/** In sequences: the first of the four even registers of a format, which no other format reads or writes. */
const PLACES: { readonly [format: string]: number } = { d: 0, s: 8, w: 16 };

/** The format of a row's operands: s, d, w or l. */
const sourceOf = (row: MipsRow): string => /\.([sdwl])$/.exec(row.text.split(' ')[0])![1];

/** Rows of floating-point arithmetic, compares and conversions, and the format of a row's operands. */
export const isFloatRow = (row: MipsRow): boolean => GROUPS.has(row.group);
export { sourceOf };

/** Records of floating-point instructions: single ones, and sequences with FCSR read and branches between. */
export function generateFloat(perRow: number, sequences: number, seed: number, fpu: Fpu, pool?: Pool): Record[] {
  const random = makeRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const word = (): number => random(0x100000000);
  const register = (): number => (fpu.wide ? random(32) : 2 * random(16));
  const single = (): number => (random(4) ? (pick(SINGLES) | (random(2) << 31)) >>> 0 : random(3) ? ordinarySingle() : word());
  const ordinarySingle = (): number => ((random(2) << 31) | ((100 + random(56)) << 23) | random(0x800000)) >>> 0;
  const double = (): readonly [number, number] => {
    if (random(4)) {
      const [high, low] = pick(DOUBLES);
      return [(high | (random(2) << 31)) >>> 0, low];
    }
    if (random(3) === 0) return [word(), word()];
    return [((random(2) << 31) | ((900 + random(240)) << 20) | random(0x100000)) >>> 0, random(3) ? word() : 0];
  };

  const setOperand = (record: Record, source: string, at: number): void => {
    switch (source) {
      case 's':
        record.fpr[wordIndex(at, fpu.wide)] = single();
        return;
      case 'w':
        record.fpr[wordIndex(at, fpu.wide)] = random(3) ? pick(WORDS) : word();
        return;
      case 'd': {
        const [high, low] = double();
        record.fpr[2 * at] = low;
        record.fpr[2 * at + 1] = high;
        return;
      }
      default:
        record.fpr[2 * at] = random(2) ? word() : pick(WORDS);
        record.fpr[2 * at + 1] = random(2) ? pick([0, 0, 0xffffffff, 0x7fffffff, 0x80000000, 0x200000]) : word() >> random(32);
    }
  };
  /** As programs have it, or any rounding mode, FS, enables and flags. Cause bits only where they raise nothing. */
  const control = (): number => {
    const conditions = pick([0, 0, 0x00800000, 0xfe800000]);
    if (random(4) === 0) return (conditions | (random(2) << 2)) >>> 0;
    const flags = (random(32) & random(32)) << 2;
    const enables = (random(3) ? 0 : random(2) ? 1 << random(5) : random(32)) << FCSR.ENABLES_SHIFT;
    const cause = enables ? 0 : random(32) << FCSR.CAUSE_SHIFT;
    return (conditions | random(4) | flags | enables | cause | (random(5) ? 0 : FCSR.FS)) >>> 0;
  };
  const fprs = pool && Array.from({ length: pool.states }, () => Uint32Array.from({ length: 64 }, word));
  let next = 0;
  const blank = (text: string): Record => {
    const record: Record = {
      text,
      code: [],
      gpr: new Uint32Array(32),
      fpr: fprs ? fprs[next++ % fprs.length].slice() : Uint32Array.from({ length: 64 }, word),
      data: new Uint8Array(DATA_BYTES),
      hi: 0,
      lo: 0,
      fcsr: control(),
      signal: 0,
    };
    // what the registers hold between the named ones does not matter
    return record;
  };
  const fields = (row: MipsRow): { [letter: string]: number } =>
    Object.fromEntries(row.fields.map(({ letter, width }) => [letter, 'STDR'.includes(letter) ? register() : random(2 ** width)]));

  const one = (row: MipsRow, values = fields(row)): Record => {
    const record = blank(row.text);
    for (const letter of 'RTS') if (letter in values) setOperand(record, sourceOf(row), values[letter]);
    return { ...record, code: [encode(row, values), JR_K0, NOP] };
  };

  /** Rows that QEMU agrees on (see compare.ts), without 64-bit fixed point; registers few enough that results are operands again. */
  const rows = FLOAT_ROWS.filter((row) => !/\.l[. ]/.test(row.text) && (fpu.nan2008 || !/^(abs|neg)\./.test(row.text)));
  const sequence = (): Record => {
    const record = blank('sequence');
    for (const [format, first] of Object.entries(PLACES)) for (let n = 0; n < 4; n++) setOperand(record, format, first + 2 * n);
    // where QEMU differs, what follows would differ, too
    record.fcsr &= ~(FCSR.FS | (FCSR.U << FCSR.ENABLES_SHIFT));
    if (random(2)) record.fcsr &= ~(FCSR.ENABLES | 3);
    const any = (): number => {
      const row = pick(rows);
      const values = fields(row);
      const [to, from = to] = row.text
        .split(' ')[0]
        .split('.')
        .slice(row.text.startsWith('c.') ? 2 : 1);
      for (const letter of 'RTSD') if (letter in values) values[letter] = PLACES[letter === 'D' ? to : from] + 2 * random(4);
      return encode(row, values);
    };
    const code: number[] = [];
    let result = 2;
    while (code.length < CODE_WORDS - 6) {
      const kind = random(8);
      if (kind === 0) code.push(encode(CFC1, { t: result++, f: 31 }));
      // over one instruction, with one in the delay slot
      else if (kind === 1) code.push(encode(pick(BC1), { n: random(8) ? 0 : random(8), o: 2 }), any(), any());
      else code.push(any());
    }
    return { ...record, code: [...code, JR_K0, NOP] };
  };

  const records: Record[] = [];
  let codes = 0;
  for (const row of FLOAT_ROWS)
    for (let i = 0; i < perRow; ) {
      const values = fields(row);
      for (let k = 0; k < (pool?.perCode ?? 1) && i < perRow; k++, i++) records.push({ ...one(row, values), ...(pool && { slot: codes }) });
      codes++;
    }
  for (let i = 0; i < sequences; i++) records.push(sequence());
  return records;
}
