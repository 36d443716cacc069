import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('what is reserved shows as a word', () => {
    const code = Code.of(bytesOf([0x0000003f], true), 0);
    expect(mipsel.disassemble(code, 0).text).toBe('.word 0x3f');
  });
});

describe('the disassembler', () => {
  test('agrees with objdump', ({ skip }) => {
    const words: number[] = [];
    for (const row of ROWS) {
      for (let i = 0; i < 8; i++) {
        const values = fields(row);
        if (/^cl[oz]/.test(row.text)) values.t = values.d;
        if (/^ext/.test(row.text)) values.m = random(32 - values.a);
        if (/^ins/.test(row.text)) values.x = values.a + random(32 - values.a);
        // objdump shows these as neg and negu, even without aliases
        if (/^subu? /.test(row.text) && values.s === 0) values.s = 1;
        // objdump has names for some registers with a select; here they keep their numbers
        if (/^m[ft]c0/.test(row.text)) values.e = 0;
        words.push(encode(row, values));
      }
    }
    const folder = mkdtempSync(join(tmpdir(), 'mips-objdump-'));
    const file = join(folder, 'code.bin');
    writeFileSync(file, bytesOf(words, true));
    const args = ['-D', '-b', 'binary', '-m', 'mips:isa32r2', '-EL', '-z', '-M', 'no-aliases', '--adjust-vma=0x400000', file];
    const dump = spawnSync('mipsel-linux-gnu-objdump', args, { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    if (dump.error) return skip(`not run: ${dump.error.message}`);
    const lines = dump.stdout.split('\n').flatMap((line) => {
      const found = /^\s*([0-9a-f]+):\s+([0-9a-f]{8})\s+(.*)$/.exec(line);
      return found
        ? [{ pc: Number.parseInt(found[1], 16), word: found[2], text: found[3].replace(/\s*<.*>$/, '').replace(/\s+/g, ' ') }]
        : [];
    });
    expect(lines.length).toBe(words.length);
    const code = Code.of(bytesOf(words, true), 0x400000);
    const different: string[] = [];
    for (const { pc, word, text } of lines) {
      const ours = mipsel.disassemble(code, pc).text;
      if (ours !== text) different.push(`${word}: ${ours} | ${text}`);
    }
    expect(different).toEqual([]);
  });
});
