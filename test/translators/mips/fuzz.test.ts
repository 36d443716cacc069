import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Builder } from '../../../src/ir/builder.ts';
import { liftBlock } from '../../../src/ir/lift.ts';
import { deadcode } from '../../../src/ir/passes/deadcode.ts';
import { verify } from '../../../src/ir/verify.ts';
import { encode } from '../../../src/isa/bits.ts';
import { Code } from '../../../src/isa/code.ts';
import { mips, mipsel } from '../../../translators/mips/index.ts';
import { ROWS } from '../../../translators/mips/rows.ts';

/** Any word, and words of rows with any fields: random words are mostly reserved. */
const word = fc.oneof(
  fc.integer(),
  fc.tuple(fc.nat(ROWS.length - 1), fc.integer()).map(([row, bits]) => ROWS[row].value | (bits & ~ROWS[row].mask) | 0),
);

test.each([mips, mipsel])('$name: any words lift to a valid block, or end at what cannot be fetched', (isa) => {
  const builder = new Builder(isa.helpers);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 40 }), fc.nat(3), (words, low) => {
      const view = new DataView(new ArrayBuffer(4 * words.length));
      words.forEach((w, i) => {
        view.setInt32(4 * i, w, isa.endian === 'little');
      });
      const code = Code.of(new Uint8Array(view.buffer), 0xfffffff0 - 4 * words.length);
      const start = 0xfffffff0 - 4 * words.length + low;
      const block = liftBlock(isa, builder, code, start);
      verify(block, isa.stateSize);
      verify(deadcode(block, { preciseMemory: true }), isa.stateSize);
      expect(block.pc).toBe(start);
      expect(isa.disassemble(code, start - low).length).toBe(4);
    }),
    { numRuns: 2000 },
  );
});

test('a block of the longest instructions fits the builder', () => {
  const builder = new Builder(mipsel.helpers);
  for (const row of ROWS) {
    const values = Object.fromEntries(row.fields.map(({ letter }, i) => [letter, 4 + 2 * i]));
    const words = new Int32Array(80).fill(encode(row, values));
    const block = liftBlock(mipsel, builder, Code.of(new Uint8Array(words.buffer), 0x1000), 0x1000);
    verify(block, mipsel.stateSize);
  }
});
