/**
 * Fixed-width instructions as rows: a bit pattern, the assembly text and a meaning. Makes the decoder, the encoder, the
 * disassembler and the checks of the table. Instruction words are 32 bits; a pattern has one symbol a bit, high bit
 * first: 0 and 1 are fixed, a run of one letter is the field of that name. Spaces do not count.
 */

/** What all fields with one letter are. */
export interface FieldKind {
  /** The value is sign-extended. */
  readonly signed?: boolean;
  /** How the assembly text shows it; `word` is the whole instruction. */
  readonly text: (value: number, pc: number, word: number) => string;
}

export type FieldKinds = Readonly<Record<string, FieldKind>>;

/** The letters of a pattern; `string` for one that is not a literal. */
export type Letters<P extends string, Found extends string = never> = string extends P
  ? string
  : P extends `${infer C}${infer Rest}`
    ? Letters<Rest, C extends '0' | '1' | ' ' ? Found : Found | C>
    : Found;

export type Values<P extends string = string> = Readonly<Record<Letters<P>, number>>;

interface Field {
  readonly letter: string;
  readonly shift: number;
  readonly width: number;
}

export interface Row<Meaning> {
  readonly pattern: string;
  /** Assembly text; `$x` stands for the field x. */
  readonly text: string;
  readonly group: string;
  readonly meaning: Meaning;
  /** It takes words from a more general row. */
  readonly special: boolean;
  /** A word is this instruction if `(word & mask) === value`; both signed 32-bit. */
  readonly mask: number;
  readonly value: number;
  readonly fields: readonly Field[];
}

export class TableError extends Error {
  override name = 'TableError';
}

const isLetter = (c: string): boolean => (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

/** A row. Throws TableError if the pattern does not claim each of 32 bits once or the text names no field of it. */
export function makeRow<Meaning>(group: string, pattern: string, text: string, meaning: Meaning, special = false): Row<Meaning> {
  const bits = pattern.replaceAll(' ', '');
  const fail = (message: string): never => {
    throw new TableError(`${text}: ${message} (${pattern})`);
  };
  if (bits.length !== 32) fail(`the pattern has ${bits.length} bits`);
  let mask = 0;
  let value = 0;
  const fields: Field[] = [];
  for (let i = 0; i < 32; ) {
    const symbol = bits[i];
    if (symbol === '0' || symbol === '1') {
      mask |= 1 << (31 - i);
      if (symbol === '1') value |= 1 << (31 - i);
      i++;
      continue;
    }
    if (!isLetter(symbol)) fail(`'${symbol}' is neither a bit nor a field`);
    const start = i;
    while (bits[i] === symbol) i++;
    if (fields.some((field) => field.letter === symbol)) fail(`field ${symbol} is in two pieces`);
    fields.push({ letter: symbol, shift: 32 - i, width: i - start });
  }
  for (let at = text.indexOf('$'); at >= 0; at = text.indexOf('$', at + 1)) {
    const letter = text[at + 1] ?? '';
    if (isLetter(letter) && !fields.some((field) => field.letter === letter)) fail(`the pattern has no field ${letter}`);
  }
  return { pattern, text, group, meaning, special, mask, value, fields };
}

/** The fields of an instruction word, in one object that the next call fills anew. */
export type Extract = (word: number) => Record<string, number>;

/** An extractor for the row; `kinds` says which fields are signed. */
export function extractor(row: Row<unknown>, kinds: FieldKinds): Extract {
  const letters = row.fields.map((field) => field.letter);
  const left = row.fields.map((field) => 32 - field.shift - field.width);
  const right = row.fields.map((field) => 32 - field.width);
  const signed = row.fields.map((field) => kinds[field.letter]?.signed === true);
  const values: Record<string, number> = Object.fromEntries(letters.map((letter) => [letter, 0]));
  return (word) => {
    for (let i = 0; i < letters.length; i++) {
      const top = word << left[i];
      values[letters[i]] = signed[i] ? top >> right[i] : top >>> right[i];
    }
    return values;
  };
}

/** The word of a row with these field values, signed 32-bit. Bits of a value outside its field are dropped. */
export function encode(row: Row<unknown>, values: Readonly<Record<string, number>>): number {
  let word = row.value;
  for (const { letter, shift, width } of row.fields) word |= ((values[letter] << (32 - width)) >>> (32 - width)) << shift;
  return word;
}

interface Branch<R> {
  readonly shift: number;
  readonly mask: number;
  readonly children: readonly (Node<R> | undefined)[];
}
type Node<R> = Branch<R> | readonly R[];

const isLeaf = <R>(node: Node<R>): node is readonly R[] => Array.isArray(node);
const bitCount = (n: number): number => {
  let count = 0;
  for (let m = n; m !== 0; m &= m - 1) count++;
  return count;
};

/** A tree that tests one run of bits a level, which all rows below it fix; a leaf tries its rows, special ones first. */
function makeTree<R extends Row<unknown>>(rows: readonly R[], free: number): Node<R> {
  const common = rows.reduce((mask, row) => mask & row.mask, free);
  if (rows.length === 1 || common === 0) return [...rows].sort((x, y) => bitCount(y.mask) - bitCount(x.mask));
  const high = 31 - Math.clz32(common);
  let shift = high;
  while (shift > 0 && common & (1 << (shift - 1)) && high - shift < 7) shift--;
  const mask = 2 ** (high - shift + 1) - 1;
  const buckets: R[][] = [];
  for (const row of rows) {
    const index = (row.value >>> shift) & mask;
    buckets[index] ??= [];
    buckets[index].push(row);
  }
  return { shift, mask, children: Array.from({ length: mask + 1 }, (_, i) => buckets[i] && makeTree(buckets[i], free & ~(mask << shift))) };
}

/** The row that a word is an instruction of, or undefined. */
export function makeDecoder<R extends Row<unknown>>(rows: readonly R[]): (word: number) => R | undefined {
  const root = makeTree(rows, -1);
  return (word) => {
    let node: Node<R> | undefined = root;
    while (node !== undefined && !isLeaf<R>(node)) node = node.children[(word >>> node.shift) & node.mask];
    if (node === undefined) return undefined;
    for (const row of node) if ((word & row.mask) === row.value) return row;
    return undefined;
  };
}

/** A row's assembly text for a word. */
export function disassembleRow(
  row: Row<unknown>,
  values: Readonly<Record<string, number>>,
  kinds: FieldKinds,
  pc: number,
  word: number,
): string {
  return row.text.replaceAll(/\$([a-zA-Z])/g, (_, letter: string) => kinds[letter].text(values[letter], pc, word)).trimEnd();
}

/**
 * Throws TableError if two rows could be the same word, unless one is declared special and all its words are the
 * other's, or if a field's letter has no kind.
 */
export function checkRows(rows: readonly Row<unknown>[], kinds: FieldKinds): void {
  for (const row of rows)
    for (const { letter } of row.fields) if (!kinds[letter]) throw new TableError(`${row.text}: field ${letter} has no kind`);
  for (let i = 0; i < rows.length; i++) {
    for (let k = i + 1; k < rows.length; k++) {
      const x = rows[i];
      const y = rows[k];
      if ((x.value ^ y.value) & x.mask & y.mask) continue;
      const inside = (inner: Row<unknown>, outer: Row<unknown>): boolean =>
        inner.special && (inner.mask & outer.mask) === outer.mask && inner.mask !== outer.mask;
      if (!inside(x, y) && !inside(y, x)) throw new TableError(`rows overlap: ${x.text} and ${y.text}`);
    }
  }
}
