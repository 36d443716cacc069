import { describe, expect, test } from 'vitest';
import { checkRows, encode, extractor } from '../../../src/isa/bits.ts';
import { Code } from '../../../src/isa/code.ts';
import { hasDelaySlot } from '../../../translators/mips/abi.ts';
import { mips, mipsel } from '../../../translators/mips/index.ts';
import { decode } from '../../../translators/mips/lift.ts';
import { BRANCH, FIELDS, type MipsRow } from '../../../translators/mips/row.ts';
import { ROWS } from '../../../translators/mips/rows.ts';
import { makeRandom } from '../../oracle/mips/generate.ts';

const random = makeRandom(7);
/** Special cases of a more general row. */
const SPECIALS = ROWS.filter((row) =>
  ROWS.some((other) => other !== row && (other.mask & row.mask) === other.mask && ((row.value ^ other.value) & other.mask) === 0),
);
const fields = (row: MipsRow): { [letter: string]: number } => {
  for (;;) {
    const values = anyFields(row);
    const word = encode(row, values);
    if (!SPECIALS.some((special) => special !== row && ((word ^ special.value) & special.mask) === 0)) return values;
  }
};
const anyFields = (row: MipsRow): { [letter: string]: number } =>
  Object.fromEntries(
    row.fields.map(({ letter, width }) => {
      const value = random(2 ** width);
      return [letter, FIELDS[letter].signed ? (value << (32 - width)) >> (32 - width) : value];
    }),
  );

const bytesOf = (words: readonly number[], little: boolean): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, i) => {
    view.setInt32(4 * i, word, little);
  });
  return new Uint8Array(view.buffer);
};

describe('the table', () => {
  test('has no two rows for one word, and kinds for all fields', () => {
    expect(() => checkRows(ROWS, FIELDS)).not.toThrow();
  });

  test.each(ROWS.map((row) => [row.text, row] as const))('%s: decoding undoes encoding', (_, row) => {
    for (let i = 0; i < 20; i++) {
      const values = fields(row);
      const word = encode(row, values);
      expect(decode(word)?.text).toBe(row.text);
      expect(extractor(row, FIELDS)(word)).toEqual(values);
    }
  });

  test('abi.hasDelaySlot knows exactly the branches', () => {
    for (const row of ROWS)
      for (let i = 0; i < 8; i++) expect([row.text, hasDelaySlot(encode(row, fields(row)))]).toEqual([row.text, row.group === BRANCH]);
  });

  test('both byte orders read the same instruction', () => {
    const word = encode(ROWS[0], { s: 4, t: 5, d: 2 });
    for (const isa of [mips, mipsel]) {
      const code = Code.of(bytesOf([word], isa.endian === 'little'), 0x1000);
      expect(isa.disassemble(code, 0x1000)).toEqual({ text: 'add v0,a0,a1', length: 4 });
    }
  });

  test.each([
    [0x00000000, 'nop'],
    [0x00000140, 'pause'],
    [0x00851025, 'or v0,a0,a1'],
    [0x00801025, 'move v0,a0'],
    [0x2402ffff, 'li v0,-1'],
    [0x10000003, 'b 0x1010'],
    [0x0000044d, 'break 0x0,0x11'],
    [0x40029801, 'mfc0 v0,c0_watchhi,1'],
    [0x40026005, 'mfc0 v0,$12,5'],
  ])('%i is %s', (word, text) => expect(mips.disassemble(Code.of(bytesOf([word], false), 0x1000), 0x1000).text).toBe(text));

  test('what is reserved shows as a word', () => {
    const code = Code.of(bytesOf([0x0000003f], true), 0);
    expect(mipsel.disassemble(code, 0).text).toBe('.word 0x3f');
  });
});
