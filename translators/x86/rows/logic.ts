import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { setLogicFlags } from '../flags.ts';
import { read, sizeOf, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { twoOperand } from './arithmetic.ts';

const logical =
  (f: (b: Builder, left: Value, right: Value) => Value): Meaning =>
  (b, i) => {
    const result = f(b, read(b, i, 0), read(b, i, 1));
    write(b, i, 0, result, true);
    setLogicFlags(b, result, sizeOf(i, 0));
  };
const xorMeaning = logical((b, left, right) => (left === right ? b.i32(0) : b.xor(left, right)));
const sameMeaning =
  (f: 'and' | 'or'): Meaning =>
  (b, i) =>
    logical((_, left, right) => (left === right ? left : b[f](left, right)))(b, i);

const test: Meaning = (b, i) => {
  const left = read(b, i, 0);
  const right = read(b, i, 1);
  setLogicFlags(b, left === right ? left : b.and(left, right), sizeOf(i, 0));
};
const not: Meaning = (b, i) => write(b, i, 0, b.not(read(b, i, 0)));

export const logic = (): readonly Row[] =>
  group('logic', [
    ...twoOperand('OR', 1, sameMeaning('or')),
    ...twoOperand('AND', 4, sameMeaning('and')),
    ...twoOperand('XOR', 6, xorMeaning),
    row('84 /r', 'TEST Eb, Gb', test),
    row('85 /r', 'TEST Ev, Gv', test),
    row('A8 ib', 'TEST AL, Ib', test),
    row('A9 iz', 'TEST eAX, Iz', test),
    row('F6 /0 ib', 'TEST Eb, Ib', test),
    row('F6 /1 ib', 'TEST Eb, Ib', test),
    row('F7 /0 iz', 'TEST Ev, Iz', test),
    row('F7 /1 iz', 'TEST Ev, Iz', test),
    row('F6 /2', 'NOT Eb', not),
    row('F7 /2', 'NOT Ev', not),
  ]);
