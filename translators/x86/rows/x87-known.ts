import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { type Context, contextOf } from '../context.ts';
import type { Insn } from '../operands.ts';
import type { Meaning, Row } from '../row.ts';
import { X86 } from '../state.ts';
import { f32, f64, helper, notePointers } from './x87.ts';

// x87 instructions in a block that is lifted for a top of the register stack (Isa.assumed): registers lie at fixed places. The
// block's first one checks that the top is so, that every exception is masked and none is pending; then the stack moves as the
// instructions say, whatever the numbers are, since the masked response to a full or empty stack moves it, too.

const I = Type.I32;
const L = Type.I64;
/** See assembly/x86/x87-known.ts. */
export const knownHelpers: readonly Helper[] = [
  ...['add', 'mul', 'sub', 'subr', 'div', 'divr'].map((name) => helper(`known_${name}`, Type.None, I)),
  helper('known_arithmetic_f64', Type.None, L, I),
  helper('known_arithmetic_f32', Type.None, I, I),
  helper('known_push_f64', Type.None, L, I),
  helper('known_push_f32', Type.None, I, I),
];

const MASKS = 0x3f;
/** FSW.ES: an unmasked exception is pending. */
const ES = 0x80;

interface Stack extends Context {
  top: number;
}

const sig = (number: number): number => X86.ST + number * 16;
const se = (number: number): number => sig(number) + 8;
const physical = (s: Stack, i: number): number => (s.top + i) & 7;
const leaveIf = (b: Builder, condition: Value): void => b.exitIf(condition, ExitKind.Unexpected, b.start);

function begin(b: Builder, s: Stack): void {
  if (s.masked) return;
  s.masked = true;
  const masks = b.xor(b.and(b.get(I, X86.FCW), b.i32(MASKS)), b.i32(MASKS));
  leaveIf(b, b.or(b.xor(b.get(I, X86.FTOP), b.i32(s.top)), b.or(masks, b.and(b.get(I, X86.FSW), b.i32(ES)))));
}
/** Leaves if one of these registers is empty. */
function needFull(b: Builder, s: Stack, ...numbers: number[]): void {
  for (const n of numbers) {
    if (s.filled & (1 << n)) continue;
    leaveIf(b, b.eq(b.and(b.get(I, X86.FTW), b.i32(3 << (2 * n))), b.i32(3 << (2 * n))));
    setFull(s, n);
  }
}
function needEmpty(b: Builder, s: Stack, n: number): void {
  if (s.emptied & (1 << n)) return;
  leaveIf(b, b.ne(b.and(b.get(I, X86.FTW), b.i32(3 << (2 * n))), b.i32(3 << (2 * n))));
}
function setFull(s: Stack, n: number): void {
  s.filled |= 1 << n;
  s.emptied &= ~(1 << n);
}
function setEmpty(s: Stack, n: number): void {
  s.emptied |= 1 << n;
  s.filled &= ~(1 << n);
}

const clearC1 = (b: Builder): void => b.set(X86.FC1, b.i32(0));
const fill = (b: Builder, s: Stack, n: number): void => {
  if (!(s.filled & (1 << n))) b.set(X86.FTW, b.and(b.get(I, X86.FTW), b.i32(~(3 << (2 * n)))));
  setFull(s, n);
};
function moveTop(b: Builder, s: Stack, top: number): void {
  s.top = top & 7;
  b.set(X86.FTOP, b.i32(s.top));
}
function pop(b: Builder, s: Stack): void {
  b.set(X86.FTW, b.or(b.get(I, X86.FTW), b.i32(3 << (2 * s.top))));
  setEmpty(s, s.top);
  moveTop(b, s, s.top + 1);
}
function copy(b: Builder, from: number, to: number): void {
  if (from === to) return;
  b.set(sig(to), b.get(L, sig(from)));
  b.set(se(to), b.get(I, se(from)));
}

type Known = (b: Builder, i: Insn, s: Stack) => void;

const exchange: Known = (b, i, s) => {
  const [p, q] = [s.top, physical(s, i.rm)];
  needFull(b, s, p, q);
  const [ps, pe, qs, qe] = [b.get(L, sig(p)), b.get(I, se(p)), b.get(L, sig(q)), b.get(I, se(q))];
  b.set(sig(p), qs);
  b.set(se(p), qe);
  b.set(sig(q), ps);
  b.set(se(q), pe);
  clearC1(b);
};
const pushSt: Known = (b, i, s) => {
  const [from, to] = [physical(s, i.rm), physical(s, 7)];
  needFull(b, s, from);
  needEmpty(b, s, to);
  copy(b, from, to);
  fill(b, s, to);
  moveTop(b, s, to);
  clearC1(b);
};
const storeSt =
  (pops: number): Known =>
  (b, i, s) => {
    const [from, to] = [s.top, physical(s, i.rm)];
    needFull(b, s, from);
    copy(b, from, to);
    fill(b, s, to);
    if (pops) pop(b, s);
    clearC1(b);
  };
const pushConstant =
  (high: number, exponent: number): Known =>
  (b, _, s) => {
    const to = physical(s, 7);
    needEmpty(b, s, to);
    b.set(sig(to), b.i64(0, high));
    b.set(se(to), b.i32(exponent));
    fill(b, s, to);
    moveTop(b, s, to);
    clearC1(b);
  };
const changeSign =
  (change: (b: Builder, x: Value) => Value): Known =>
  (b, _, s) => {
    needFull(b, s, s.top);
    b.set(se(s.top), change(b, b.get(I, se(s.top))));
    clearC1(b);
  };
const arithmetic =
  (name: string, toTop: boolean, pops: number): Known =>
  (b, i, s) => {
    const [top, other] = [s.top, physical(s, i.rm)];
    const [to, from] = toTop ? [top, other] : [other, top];
    b.helper(`x87_known_${name.toLowerCase()}`, b.i32(to | (from << 3)));
    setFull(s, to);
    if (pops) pop(b, s);
  };
const arithmeticMemory =
  (name: 'f32' | 'f64', operation: number): Known =>
  (b, i, s) => {
    b.helper(`x87_known_arithmetic_${name}`, (name === 'f64' ? f64 : f32)(b, i), b.i32(operation | (s.top << 3)));
    setFull(s, s.top);
  };
const pushMemory =
  (name: 'f32' | 'f64'): Known =>
  (b, i, s) => {
    const to = physical(s, 7);
    b.helper(`x87_known_push_${name}`, (name === 'f64' ? f64 : f32)(b, i), b.i32(to));
    fill(b, s, to);
    moveTop(b, s, to);
  };

/** By assembly text. */
const KNOWN = new Map<string, Known>([
  ['FXCH STi', exchange],
  ['FLD STi', pushSt],
  ['FLD Md', pushMemory('f32')],
  ['FLD Mq', pushMemory('f64')],
  ['FST STi', storeSt(0)],
  ['FSTP STi', storeSt(1)],
  ['FLD1', pushConstant(0x80000000, 0x3fff)],
  ['FLDZ', pushConstant(0, 0)],
  ['FCHS', changeSign((b, x) => b.xor(x, b.i32(0x8000)))],
  ['FABS', changeSign((b, x) => b.and(x, b.i32(0x7fff)))],
  ...['ADD', 'MUL', '', '', 'SUB', 'SUBR', 'DIV', 'DIVR'].flatMap((name, n): [string, Known][] =>
    name === ''
      ? []
      : [
          [`F${name} ST0, STi`, arithmetic(name, true, 0)],
          [`F${name} STi, ST0`, arithmetic(name, false, 0)],
          [`F${name}P STi, ST0`, arithmetic(name, false, 1)],
          [`F${name} Md`, arithmeticMemory('f32', n)],
          [`F${name} Mq`, arithmeticMemory('f64', n)],
        ],
  ),
]);

/** Touch neither data registers nor the stack. */
const APART = /^(FWAIT|FNOP|FNSTCW|FNSTSW|FNCLEX|FNENI|FNDISI|FNSETPM)/;
const PUSHES = /^(FLD M|FILD|FLDL2T|FLDL2E|FLDPI|FLDLG2|FLDLN2)/;
const POPS = /^(FSTP M|FISTP|FISTTP|FU?COMI?PP?\b|FI?COMP )/;
const STAYS = /^(FST M|FIST M|FU?COMI?\b|FICOM |FTST|FXAM|FSQRT|FRNDINT|FCMOV|FI(ADD|SUB|MUL|DIV))/;

function makeMeaning(row: Row): Meaning {
  const { text, meaning } = row;
  if (APART.test(text)) return meaning;
  const known = KNOWN.get(text);
  const pushes = PUSHES.test(text);
  const pops = POPS.test(text) ? (/PP\b/.test(text) ? 2 : 1) : 0;
  const follows = pushes || pops > 0 || STAYS.test(text);
  const isControl = text.startsWith('FLDCW');
  return (b, i) => {
    const context = contextOf(b);
    context.top ??= i.assumed;
    if (context.top < 0 || isControl) {
      meaning(b, i);
      context.masked = false;
      return;
    }
    const s = context as Stack;
    if (!known && !follows) {
      meaning(b, i);
      s.top = -1;
      return;
    }
    begin(b, s);
    if (known) {
      known(b, i, s);
      notePointers(b, i);
      return;
    }
    meaning(b, i);
    if (pushes) {
      s.top = physical(s, 7);
      setFull(s, s.top);
    }
    for (let n = 0; n < pops; n++) {
      setEmpty(s, s.top);
      s.top = physical(s, 1);
    }
  };
}

const meanings = new Map<Row, Meaning>();
/** What a row means in user mode, with all 80 bits. */
export function knownMeaning(row: Row): Meaning {
  if (row.group !== 'x87') return row.meaning;
  let meaning = meanings.get(row);
  if (!meaning) {
    meaning = makeMeaning(row);
    meanings.set(row, meaning);
  }
  return meaning;
}
