import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRows, disassembleRow, encode, extractor, type FieldKinds, makeDecoder, makeRow, TableError } from '../../src/isa/bits.ts';

const number = { text: String };
const KINDS: FieldKinds = { a: number, b: number, i: { signed: true, text: String } };
const row = (pattern: string, text: string, special = false) => makeRow('test', pattern, text, undefined, special);

const ADD = row('000001 aaaaa bbbbb iiiiiiiiiiiiiiii', 'add $a,$b,$i');
const SUB = row('000010 aaaaa bbbbb iiiiiiiiiiiiiiii', 'sub $a,$b,$i');
const NOT = row('000010 aaaaa 00000 0000000000000000', 'not $a', true);
const ROWS = [ADD, SUB, NOT];

describe('a row', () => {
  test('claims 32 bits', () => {
    expect(() => row('000001 aaaaa', 'short $a')).toThrow(TableError);
    expect(() => row('000001 aaaaa bbbbb iiiiiiiiiiiiiii-', 'hole')).toThrow(/'-' is neither/);
  });
  test('has each field in one piece', () => {
    expect(() => row('000001 aaaaa bbbbb iiiiiiiiiiiaaaaa', 'split $a')).toThrow(/two pieces/);
  });
  test('shows only fields that it has', () => {
    expect(() => row('000001 aaaaa bbbbb 0000000000000000', 'add $a,$c')).toThrow(/no field c/);
  });
  test('gives its mask and value', () => {
    expect(NOT.mask >>> 0).toBe(0xfc1fffff);
    expect(NOT.value >>> 0).toBe(0x08000000);
  });
});

describe('a table', () => {
  test('may hold no two rows for one word', () => {
    expect(() => checkRows([ADD, SUB], KINDS)).not.toThrow();
    expect(() => checkRows([SUB, row('000010 aaaaa 00000 0000000000000000', 'not $a')], KINDS)).toThrow(/overlap: sub .* not/);
  });
  test('may hold a declared special case of a row, but only a real one', () => {
    expect(() => checkRows(ROWS, KINDS)).not.toThrow();
    expect(() => checkRows([row('00001 a bbbbb iiiiiiiiiiiiiiiiiiiii', 'x $a'), SUB], KINDS)).toThrow(/overlap/);
    const across = row('000010 00000 bbbbb iiiiiiiiiiiiiiii', 'x $b', true);
    expect(() => checkRows([NOT, across], KINDS)).toThrow(/overlap/);
  });
  test('knows the kind of each field', () => {
    expect(() => checkRows([row('000001 zzzzz bbbbb iiiiiiiiiiiiiiii', 'x $z')], KINDS)).toThrow(/field z has no kind/);
  });
});

describe('decoding', () => {
  const decode = makeDecoder(ROWS);
  test('finds the row, the special case first', () => {
    expect(decode(0x04000000)).toBe(ADD);
    expect(decode(0x08000001)).toBe(SUB);
    expect(decode(0x08200000)).toBe(NOT);
    expect(decode(0x0c000000)).toBeUndefined();
    expect(decode(-1)).toBeUndefined();
  });
  test('undoes encoding, and nothing but the fields is left out', () => {
    fc.assert(
      fc.property(fc.nat(31), fc.integer({ min: 1, max: 31 }), fc.integer({ min: -32768, max: 32767 }), (a, b, i) => {
        const word = encode(SUB, { a, b, i });
        expect(decode(word)).toBe(SUB);
        expect(extractor(SUB, KINDS)(word)).toEqual({ a, b, i });
      }),
    );
  });
  test('agrees with trying every row, for any word', () => {
    fc.assert(
      fc.property(fc.integer(), (word) => {
        const matching = ROWS.filter((r) => (word & r.mask) === r.value);
        expect(decode(word)).toBe(matching.find((r) => r.special) ?? matching[0]);
      }),
    );
  });
  test('shows the text', () => {
    const word = encode(ADD, { a: 1, b: 2, i: -3 });
    expect(disassembleRow(ADD, extractor(ADD, KINDS)(word), KINDS, 0, word)).toBe('add 1,2,-3');
  });
});
