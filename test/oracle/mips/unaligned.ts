import { encode } from '../../../src/isa/bits.ts';
import type { MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { makeRandom } from './generate.ts';
import { DATA, DATA_BYTES, type Record } from './record.ts';

/** Bytes of the access, by mnemonic. */
const BYTES: { readonly [name: string]: number } = {
  lh: 2,
  lhu: 2,
  lw: 4,
  sh: 2,
  sw: 4,
  ll: 4,
  lwc1: 4,
  swc1: 4,
  ldc1: 8,
  sdc1: 8,
  lwxc1: 4,
  swxc1: 4,
  ldxc1: 8,
  sdxc1: 8,
};
/** Linux takes $k0, with which codes else return, when an access is not aligned. */
const BREAK = 0x0000000d;
/** To the instruction behind the delay slot. */
const BRANCH_OVER = 0x10000001;

const bytesOf = ({ text }: MipsRow): number => BYTES[text.split(' ')[0]] ?? 0;

/** Forms that access memory which may not be aligned. */
export const UNALIGNED_ROWS: readonly MipsRow[] = ROWS.filter((row) => bytesOf(row) > 0);

/** Registers that no code here may use: $zero as an address, and those of the runner. */
const address = (register: number): boolean => register !== 0 && register !== 26 && register !== 27;

export interface UnalignedRecord extends Record {
  /** The instruction lies in a delay slot. */
  readonly delayed: boolean;
}

/** `perRow` records of each form, each code for `perCode` of them, on so many states; the access is not aligned. */
export function generateUnaligned(perRow: number, seed: number, perCode: number, states: number): UnalignedRecord[] {
  const random = makeRandom(seed);
  const fresh = () => ({
    gpr: Uint32Array.from({ length: 32 }, (_, i) => (i === 0 || i === 26 || i === 27 ? 0 : random(0x100000000))),
    fpr: Uint32Array.from({ length: 64 }, () => random(0x100000000)),
    data: Uint8Array.from({ length: DATA_BYTES }, () => random(256)),
    hi: random(0x100000000),
    lo: random(0x100000000),
  });
  const pool = Array.from({ length: states }, fresh);
  const records: UnalignedRecord[] = [];
  let slot = 0;
  for (const row of UNALIGNED_ROWS) {
    const bytes = bytesOf(row);
    const paired = bytes === 8;
    for (let n = 0; n < perRow; n += perCode, slot++) {
      const fields: { [letter: string]: number } = {};
      do for (const letter of new Set(row.pattern.replace(/[01 ]/g, ''))) fields[letter] = random(letter === 'i' ? 0x10000 : 32);
      while (
        !address(fields.s) ||
        (fields.t !== undefined && (fields.t === fields.s || !address(fields.t))) ||
        (paired && Object.entries(fields).some(([letter, n]) => /[A-Z]/.test(letter) && n & 1))
      );
      const word = encode(row, fields);
      const delayed = random(3) === 0;
      for (let k = n; k < Math.min(n + perCode, perRow); k++) {
        const state = pool[random(pool.length)];
        const gpr = state.gpr.slice();
        const misaligned = 8 + 8 * random(5) + 1 + random(bytes - 1);
        const offset = fields.i === undefined ? gpr[fields.t] : (fields.i << 16) >> 16;
        gpr[fields.s] = (DATA + misaligned - offset) >>> 0;
        records.push({
          ...state,
          text: row.text,
          code: delayed ? [BRANCH_OVER, word, BREAK] : [word, BREAK],
          gpr,
          fcsr: 0,
          signal: 0,
          slot,
          delayed,
        });
      }
    }
  }
  return records;
}
