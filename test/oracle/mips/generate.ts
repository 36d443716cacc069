import { encode } from '../../../src/isa/bits.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { CODE, CODE_WORDS, DATA, DATA_BYTES, type Record } from './record.ts';

/** Marsaglia's xorshift32. */
export function makeRandom(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const INTEGERS = [
  0, 1, 2, 3, 7, 31, 32, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
];
const NOP = 0;
const JR_K0 = 0x03400008;
/** $k0 and $k1 are the runner's. */
const GPRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 16, 25, 28, 29, 30, 31];

const GROUPS = new Set([
  'arithmetic',
  'multiply and divide',
  'logical',
  'shift',
  'insert, extract and move',
  'load, store and memory control',
  'trap',
  'floating-point load, store and move',
  'privileged',
]);
/** Rows that are of other groups than those, and no branches. */
const OTHERS = /^(synci|break|rdhwr \$t,\$r)/;
/** What it gives is not to be compared. */
export const TIME = 'rdhwr $t,hwr_cc';
/** Nothing is mapped there. */
const NOWHERE = 0x30000000;

/** By FPU control register: the bits that it has. */
const CONTROL_BITS: { readonly [register: number]: number } = { 25: 0xff, 26: 0x3f07c, 28: 0xf87, 31: 0xff83ffff };

/** All records start from so many states in turn, each code runs from several, and so many codes run at a time. */
export interface Pool {
  readonly states: number;
  readonly perCode: number;
  readonly batch: number;
}

/**
 * Records for every form of every chosen row that ends where it began, floating-point arithmetic aside, and for branches
 * and jumps with their delay slots. `wide`: Status.FR.
 */
export function generate(
  perRow: number,
  seed: number,
  wide: boolean,
  chosen: (row: MipsRow) => boolean = () => true,
  pool?: Pool,
): Record[] {
  const random = makeRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const integer = (): number => (random(2) ? pick(INTEGERS) : random(0x100000000));

  const fresh = (): Omit<Record, 'text' | 'code'> => {
    const fpr = Uint32Array.from({ length: 64 }, integer);
    return {
      gpr: Uint32Array.from({ length: 32 }, (_, i) => (i === 0 || i === 26 || i === 27 ? 0 : integer())),
      fpr,
      data: Uint8Array.from({ length: DATA_BYTES }, () => random(256)),
      hi: integer(),
      lo: integer(),
      fcsr: pick([0, 0x00800000, 0xfe800000, 0x2a000000]),
      signal: 0,
      userLocal: pool ? integer() : 0,
    };
  };
  const states = pool && Array.from({ length: pool.states }, fresh);
  let next = 0;
  const blank = (text: string, code: readonly number[]): Record => {
    return { text, code: [...code, JR_K0, NOP], ...(states ? copyOf(states[next++ % states.length]) : fresh()) };
  };
  const copyOf = (state: ReturnType<typeof fresh>): ReturnType<typeof fresh> => ({
    ...state,
    gpr: state.gpr.slice(),
    fpr: state.fpr.slice(),
    data: state.data.slice(),
  });
  /** The same code on another state, but for registers that it needs as they are. */
  const again = (record: Record, kept: readonly number[]): Record => {
    const other = { ...record, ...copyOf(states![next++ % states!.length]) };
    for (const r of kept) other.gpr[r] = record.gpr[r];
    return other;
  };

  const fill = (row: MipsRow): { [letter: string]: number } => {
    const values: { [letter: string]: number } = {};
    for (const { letter, width } of row.fields) {
      const any = random(2 ** width);
      if ('std'.includes(letter)) values[letter] = pick(GPRS);
      else if ('STDR'.includes(letter)) values[letter] = wide || (row.text.includes('.s') && !row.text.includes('.d')) ? any : any & 30;
      else values[letter] = letter === 'u' || letter === 'i' ? (random(2) ? pick(INTEGERS) : any) & 0xffff : any;
    }
    return values;
  };

  const single = (row: MipsRow): Record => {
    const values = fill(row);
    if (row.text.startsWith('ctc1')) values.f = pick([25, 26, 28, 31]);
    if (row.text.startsWith('cfc1')) values.f = pick([25, 26, 28, 31]);
    // Unpredictable otherwise
    if (/^cl[oz]/.test(row.text)) values.t = values.d;
    if (row.text.startsWith('rdhwr')) values.r = random(2) ? 29 : pick([0, 4, 5, 28, 30, 31]);
    // those that compilers use have a meaning of their own
    if (random(2) && 'w' in values) values.w = pick([0, 6, 7]);
    if (random(2) && 'q' in values)
      [values.c, values.q] = pick([
        [6, 0],
        [7, 0],
        [0, 6],
        [0, 7],
        [0, 0],
      ] as const);
    const memory = /\((\$s)\)/.test(row.text);
    let base = 0;
    if (memory) {
      values.s = pick(GPRS.slice(1));
      const bytes =
        /^(l[dub]|s[db])/.test(row.text) && /d.*c1|u.*c1/.test(row.text)
          ? 8
          : /^[ls]h/.test(row.text)
            ? 2
            : /^([ls]b|[ls]w[lr])/.test(row.text)
              ? 1
              : 4;
      base = DATA + bytes * random(Math.floor(DATA_BYTES / bytes));
      if ('i' in values) {
        values.i = (random(64) - 32) & 0xffff;
        base -= (values.i << 16) >> 16;
      }
      if (pool && random(10) === 0 && !/^(pref|synci)/.test(row.text)) base += NOWHERE - DATA;
    }
    const word = encode(row, values);
    const record = blank(row.text, [word]);
    if (memory) {
      record.gpr[values.s] = base;
      if (/x\w*c1|prefx/.test(row.text)) {
        const index = random(100) - 50;
        if (values.t === values.s) values.t = values.s === 5 ? 6 : 5;
        record.gpr[values.s] = base - (values.t === 0 ? 0 : index);
        if (values.t !== 0) record.gpr[values.t] = index;
        return { ...record, code: [encode(row, values), JR_K0, NOP] };
      }
    }
    if (/^ctc1/.test(row.text)) record.gpr[values.t] &= CONTROL_BITS[values.f];
    return record;
  };

  const find = (text: string): MipsRow => ROWS.find((row) => row.text === text)!;
  const addiu = (t: number, i: number): number => encode(find('addiu $t,$s,$i'), { s: t, t, i });
  const branchRecord = (row: MipsRow): Record => {
    const values = fill(row);
    if (random(2) && 't' in values) values.t = values.s;
    values.o = 3;
    // slot counts in v0 and reads ra; the way not taken counts in v1
    const record = blank(row.text, [
      encode(row, values),
      random(2) ? addiu(2, 1) : encode(find('addu $d,$s,$t'), { s: 31, t: 2, d: 2 }),
      addiu(3, 1),
      addiu(3, 0x100),
      addiu(8, 5),
    ]);
    // a call wants a stack
    record.gpr[29] = DATA;
    return record;
  };
  /** Jumps over two instructions. JR and JALR take their target from the link of a branch before them. */
  const jumpRecord = (row: MipsRow): Record => {
    const k = pool ? codes % pool.batch : records.length;
    const target = CODE + 4 * CODE_WORDS * k + 4 * 7;
    const values = fill(row);
    if ('s' in values) values.s = pick(GPRS.slice(1));
    // Unpredictable otherwise
    if (values.l === values.s || values.l === 26 || values.l === 27) values.l = values.s === 31 ? 2 : 31;
    if ('j' in values) values.j = (target >>> 2) & 0x3ffffff;
    const ra = { s: 31, t: values.s ?? 0, i: 4 * 5 };
    const record = blank(row.text, [
      encode(find('bgezal $s,$o'), { s: 0, o: 1 }),
      NOP,
      encode(find('addiu $t,$s,$i'), ra),
      encode(row, values),
      random(2) ? addiu(2, 1) : encode(find('addu $d,$s,$t'), { s: values.l ?? 31, t: 2, d: 2 }),
      addiu(3, 1),
      addiu(3, 0x100),
      addiu(8, 5),
    ]);
    // a call wants a stack
    if (values.s !== 29) record.gpr[29] = DATA;
    return record;
  };
  const llsc = (text: string): Record => {
    const at = DATA + 4 * random(8);
    const record = blank(text, [
      encode(find('ll $t,$i($s)'), { s: 4, t: 2, i: 8 }),
      addiu(2, 3),
      encode(find('sc $t,$i($s)'), { s: random(4) ? 4 : 5, t: 2, i: 8 }),
      encode(find('addu $d,$s,$t'), { s: 2, t: 0, d: 6 }),
    ]);
    record.gpr[4] = at;
    record.gpr[5] = at + 4;
    return record;
  };

  const records: Record[] = [];
  let codes = 0;
  /** Records of one row. `kept`: registers that other states of a code must have, too; without it, each code has one state. */
  const add = (make: () => Record, kept?: (record: Record) => readonly number[]): void => {
    for (let i = 0; i < perRow; ) {
      const record = pool ? { ...make(), slot: codes++ } : make();
      records.push(record);
      i++;
      if (pool && kept) for (let k = 1; k < pool.perCode && i < perRow; k++, i++) records.push(again(record, kept(record)));
    }
  };
  const [sOf, tOf] = [21, 16].map((shift) => (record: Record) => (record.code[0] >>> shift) & 31);
  for (const row of ROWS.filter(chosen)) {
    const { text, group } = row;
    if (text === 'll $t,$i($s)' || text.startsWith('sc '))
      add(
        () => llsc(text),
        () => [4, 5],
      );
    else if (GROUPS.has(group) || OTHERS.test(text)) {
      const indexed = /x\w*c1|prefx/.test(text);
      add(
        () => single(row),
        text.startsWith('ctc1')
          ? undefined
          : (record) => (!text.includes('($s)') ? [] : indexed ? [sOf(record), tOf(record)] : [sOf(record)]),
      );
    } else if (/^(j|jal|jr|jalr)(\.hb)? /.test(text)) add(() => jumpRecord(row));
    else if (row.fields.some(({ letter }) => letter === 'o'))
      add(
        () => branchRecord(row),
        () => [29],
      );
  }
  // last, so that those before it stay as they are
  const timed = pool ? ROWS.filter((row) => row.text === TIME && chosen(row)) : [];
  for (const row of timed)
    add(
      () => single(row),
      () => [],
    );
  for (const record of records) if (record.code.length > CODE_WORDS) throw new Error(`${record.text} has too much code`);
  return records;
}
