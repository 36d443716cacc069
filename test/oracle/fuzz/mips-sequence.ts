import { encode } from '../../../src/isa/bits.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { makeRandom } from '../mips/generate.ts';
import { CODE, CODE_WORDS, DATA, DATA_BYTES, type Record } from '../mips/record.ts';

const NOP = 0;
const JR_K0 = 0x03400008;
/** The base of all accesses; nothing writes it, nor $sp, since a call wants a stack. $k0 and $k1 are the runner's. */
const BASE = 4;
const GPRS = [0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 25, 30, 31];
const INTEGERS = [0, 1, 2, 31, 32, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff];
/** Words that are left for the jump back. */
const LAST = CODE_WORDS - 2;

const GROUPS = new Set([
  'arithmetic',
  'multiply and divide',
  'logical',
  'shift',
  'insert, extract and move',
  'load, store and memory control',
  'floating-point load, store and move',
  'trap',
]);
/** LL and SC have cases of their own; FCSR's conditions and indexed addresses, too. */
const PLAIN = ROWS.filter((row) => GROUPS.has(row.group) && !/^(ll|sc|ctc1|cfc1|prefx?|sync) |x\w*c1 |^t/.test(row.text));
const TRAPS = ROWS.filter((row) => row.group === 'trap');
const BRANCHES = ROWS.filter((row) => row.group === 'jump and branch' && row.fields.some(({ letter }) => letter === 'o'));
const find = (text: string): MipsRow => ROWS.find((row) => row.text === text)!;
const ADDIU = find('addiu $t,$s,$i');
const BNE = find('bne $s,$t,$o');
/** The count of a loop. */
const COUNT = 17;

/** Short programs on integers and memory: branches forward with anything in their delay slots, loops around some of them. */
export function generateSequences(seed: number, count: number, wide: boolean, first: number): Record[] {
  const random = makeRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const integer = (): number => (random(2) ? pick(INTEGERS) : random(0x100000000));

  const plain = (): number => {
    const row = random(40) ? pick(PLAIN) : pick(TRAPS);
    const values: { [letter: string]: number } = {};
    for (const { letter, width } of row.fields) {
      const any = random(2 ** width);
      if ('std'.includes(letter)) values[letter] = pick(GPRS);
      else if ('STDR'.includes(letter)) values[letter] = wide || (row.text.includes('.s') && !row.text.includes('.d')) ? any : any & 30;
      else values[letter] = letter === 'u' || letter === 'i' ? (random(2) ? pick(INTEGERS) : any) & 0xffff : any;
    }
    if (/^cl[oz]/.test(row.text)) values.t = values.d;
    // a field of no more bits than there are
    if ('m' in values) values.m = random(32 - values.a);
    if ('x' in values) values.x = values.a + random(32 - values.a);
    if (row.text.includes('($s)')) {
      const bytes = /^[ls]dc1/.test(row.text) ? 8 : /^[ls]wc?1? /.test(row.text) ? 4 : /^[ls]h/.test(row.text) ? 2 : 1;
      // qemu-user does not make unaligned accesses good
      values.s = BASE;
      values.i = (bytes * random(DATA_BYTES / bytes) - DATA_BYTES / 2) & 0xffff;
    }
    return encode(row, values);
  };
  const branch = (): number => {
    const row = pick(BRANCHES);
    const values: { [letter: string]: number } = { o: 2 + random(2) };
    for (const { letter, width } of row.fields)
      if (letter !== 'o') values[letter] = 'st'.includes(letter) ? pick(GPRS) : random(2 ** width);
    if ('t' in values && random(2)) values.t = values.s;
    return encode(row, values);
  };

  return Array.from({ length: count }, (_, k) => {
    const code: number[] = [];
    const loop = random(3) === 0;
    const end = loop ? LAST - 3 : LAST - random(6);
    while (code.length < end) {
      // over one or two instructions, after one in the delay slot
      if (random(5) === 0 && code.length + 4 < end) code.push(branch(), plain(), plain(), plain());
      else code.push(plain());
    }
    if (loop) {
      code.push(encode(ADDIU, { s: COUNT, t: COUNT, i: 0xffff }));
      code.push(encode(BNE, { s: COUNT, t: 0, o: (-code.length - 1) & 0xffff }), plain());
    }
    const gpr = Uint32Array.from({ length: 32 }, (_, i) => (i === 0 || i === 26 || i === 27 ? 0 : integer()));
    gpr[BASE] = DATA + DATA_BYTES / 2;
    gpr[COUNT] = 1 + random(random(4) ? 4 : 60);
    // a call wants a stack
    gpr[29] = DATA;
    if (CODE + 4 * CODE_WORDS * (first + k) >= DATA) throw new Error('too much code');
    return {
      text: 'sequence',
      code: [...code, JR_K0, NOP],
      gpr,
      fpr: Uint32Array.from({ length: 64 }, integer),
      data: Uint8Array.from({ length: DATA_BYTES }, () => random(256)),
      hi: integer(),
      lo: integer(),
      fcsr: pick([0, 0x00800000, 0xfe800000, 0x2a000000]),
      signal: 0,
    };
  });
}
