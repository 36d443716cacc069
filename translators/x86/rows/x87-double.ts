import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper, Register } from '../../../src/isa/isa.ts';
import { contextOf } from '../context.ts';
import { condition, forgetFlags } from '../flags.ts';
import { address, checkWritable, type Insn, load, store } from '../operands.ts';
import type { Meaning, Row } from '../row.ts';
import { X86 } from '../state.ts';

// x87 in double precision, which a user may choose: registers are WebAssembly's f64, counted from the top of the stack, so that a push
// renames them. Instructions that are not here widen the registers, run as else, and round them again (assembly/x86/x87-double.ts).

const helper = (name: string): Helper => ({ name, params: [], result: Type.None, state: true, pure: false });
export const doubleHelpers: readonly Helper[] = [helper('x87_widen'), helper('x87_narrow')];

const offset = (i: number): number => X86.DOUBLES + 8 * i;
const local = { local: true, visible: false };
export const doubleRegisters: readonly Register[] = [
  { name: 'ftop', offset: X86.FTOP, type: Type.I32, ...local },
  { name: 'fsw', offset: X86.FSW, type: Type.I32, ...local },
  ...Array.from({ length: 8 }, (_, i) => ({ name: `st${i}`, offset: offset(i), type: Type.F64, ...local })),
];

const st = (b: Builder, i: number): Value => b.get(Type.F64, offset(i));
const setSt = (b: Builder, i: number, value: Value): void => b.set(offset(i), value);

const f64 = (name: string) => {
  const number = op(`f64.${name}`);
  return (b: Builder, ...operands: Value[]): Value => b.emit(number, ...operands);
};
const [add, sub, mul, div] = ['add', 'sub', 'mul', 'div'].map(f64);
const [neg, abs, sqrt, nearest, floor, ceil, trunc] = ['neg', 'abs', 'sqrt', 'nearest', 'floor', 'ceil', 'trunc'].map(f64);
const [eq, lt, gt, ge] = ['eq', 'lt', 'gt', 'ge'].map(f64);
const double = (b: Builder, value: number): Value => {
  const words = new Int32Array(new Float64Array([value]).buffer);
  return b.f64Bits(words[0], words[1]);
};

// The stack

function rotate(b: Builder, by: 1 | -1): void {
  const values = Array.from({ length: 8 }, (_, i) => st(b, i));
  for (let i = 0; i < 8; i++) setSt(b, i, values[(i + by) & 7]);
  b.set(X86.FTOP, b.and(b.add(b.get(Type.I32, X86.FTOP), b.i32(by)), b.i32(7)));
}
function push(b: Builder, value: Value): void {
  rotate(b, -1);
  setSt(b, 0, value);
}
function pop(b: Builder, times = 1): void {
  for (let n = 0; n < times; n++) rotate(b, 1);
}

// Operands

type Load = (b: Builder, i: Insn) => Value;
const LOAD: Readonly<Record<string, Load>> = {
  Md: (b, i) => b.emit(op('f64.promote_f32'), b.load(op('f32.load'), address(b, i))),
  Mq: (b, i) => b.load(op('f64.load'), address(b, i)),
};
const LOAD_INTEGER: Readonly<Record<string, Load>> = {
  Mw: (b, i) => b.emit(op('f64.convert_i32_s'), b.load(op('i32.load16_s'), address(b, i))),
  Md: (b, i) => b.emit(op('f64.convert_i32_s'), load(b, address(b, i), 4)),
};

/** FISTP may store the integer again: programs copy in this way. */
const loadInteger64: Load = (b, i) => {
  const integer = b.load(op('i64.load'), address(b, i));
  const loaded = b.emit(op('f64.convert_i64_s'), integer);
  Object.assign(contextOf(b), { integer, loaded });
  return loaded;
};

/** As the rounding control says. */
function rounded(b: Builder, x: Value): Value {
  const control = b.get(Type.I32, X86.FCW);
  const is = (rounding: number): Value => b.eq(b.and(control, b.i32(0xc00)), b.i32(rounding));
  return b.select(is(0), nearest(b, x), b.select(is(0x400), floor(b, x), b.select(is(0x800), ceil(b, x), trunc(b, x))));
}
/** The integer of `bits` that a rounded value is, or the indefinite one. */
function integerOf(b: Builder, x: Value, bits: 16 | 32 | 64): Value {
  const limit = 2 ** (bits - 1);
  const fits = b.and(ge(b, x, double(b, -limit)), lt(b, x, double(b, limit)));
  if (bits === 64) return b.select(fits, b.emit(op('i64.trunc_sat_f64_s'), x), b.i64(0, 0x80000000));
  return b.select(fits, b.emit(op('i32.trunc_sat_f64_s'), x), b.i32(-limit));
}
const storeInteger =
  (bits: 16 | 32 | 64, pops: number, round: (b: Builder, x: Value) => Value): Meaning =>
  (b, i) => {
    const x = st(b, 0);
    const { integer, loaded } = contextOf(b);
    const value = bits === 64 && x === loaded ? integer : integerOf(b, round(b, x), bits);
    checkWritable(b, i);
    if (bits === 64) b.store(op('i64.store'), address(b, i), value);
    else store(b, address(b, i), bits / 8, value);
    pop(b, pops);
  };
const storeDouble =
  (pops: number): Meaning =>
  (b, i) => {
    checkWritable(b, i);
    b.store(op('f64.store'), address(b, i), st(b, 0));
    pop(b, pops);
  };
const storeSingle =
  (pops: number): Meaning =>
  (b, i) => {
    checkWritable(b, i);
    b.store(op('f32.store'), address(b, i), b.emit(op('f32.demote_f64'), st(b, 0)));
    pop(b, pops);
  };

// Comparisons

/** What CF, ZF and PF become, or C0, C3 and C2: less, equal, unordered; each of them set if unordered. */
function compared(b: Builder, x: Value, y: Value): { less: Value; notEqual: Value; ordered: Value } {
  return {
    less: b.eqz(ge(b, x, y)),
    notEqual: b.or(lt(b, x, y), gt(b, x, y)),
    ordered: b.and(eq(b, x, x), eq(b, y, y)),
  };
}
function compare(b: Builder, y: Value, pops: number): void {
  const { less, notEqual, ordered } = compared(b, st(b, 0), y);
  const codes = b.or(b.shl(less, b.i32(8)), b.or(b.shl(b.eqz(ordered), b.i32(10)), b.shl(b.eqz(notEqual), b.i32(14))));
  b.set(X86.FSW, b.or(b.and(b.get(Type.I32, X86.FSW), b.i32(~0x4700)), codes));
  b.set(X86.FC1, b.i32(0));
  pop(b, pops);
}
const compareFlags =
  (pops: number): Meaning =>
  (b, i) => {
    const { less, notEqual, ordered } = compared(b, st(b, 0), st(b, i.rm));
    const zero = b.i32(0);
    b.set(X86.CF, less);
    b.set(X86.ZF_RESULT, notEqual);
    // the parity of 0 is even
    b.set(X86.PF_RESULT, ordered);
    b.set(X86.SF_RESULT, zero);
    b.set(X86.AF_RESULT, zero);
    b.set(X86.OF_RESULT, zero);
    forgetFlags(b);
    pop(b, pops);
  };

const compareSt =
  (pops: number): Meaning =>
  (b, i) =>
    compare(b, st(b, i.rm), pops);
const unary =
  (f: (b: Builder, x: Value) => Value): Meaning =>
  (b) =>
    setSt(b, 0, f(b, st(b, 0)));
const nothing: Meaning = () => undefined;

/** By assembly text. */
const MEANINGS = new Map<string, Meaning>([
  ['FLD STi', (b, i) => push(b, st(b, i.rm))],
  ['FILD Mq', (b, i) => push(b, loadInteger64(b, i))],
  ['FST Md', storeSingle(0)],
  ['FSTP Md', storeSingle(1)],
  ['FST Mq', storeDouble(0)],
  ['FSTP Mq', storeDouble(1)],
  ['FST STi', (b, i) => setSt(b, i.rm, st(b, 0))],
  [
    'FSTP STi',
    (b, i) => {
      setSt(b, i.rm, st(b, 0));
      pop(b);
    },
  ],
  ['FIST Mw', storeInteger(16, 0, rounded)],
  ['FISTP Mw', storeInteger(16, 1, rounded)],
  ['FIST Md', storeInteger(32, 0, rounded)],
  ['FISTP Md', storeInteger(32, 1, rounded)],
  ['FISTP Mq', storeInteger(64, 1, rounded)],
  ['FISTTP Mw', storeInteger(16, 1, trunc)],
  ['FISTTP Md', storeInteger(32, 1, trunc)],
  ['FISTTP Mq', storeInteger(64, 1, trunc)],
  [
    'FXCH STi',
    (b, i) => {
      const [top, other] = [st(b, 0), st(b, i.rm)];
      setSt(b, 0, other);
      setSt(b, i.rm, top);
    },
  ],
  ['FUCOM STi', compareSt(0)],
  ['FCOM STi', compareSt(0)],
  ['FUCOMP STi', compareSt(1)],
  ['FCOMP STi', compareSt(1)],
  ['FUCOMPP', compareSt(2)],
  ['FCOMPP', compareSt(2)],
  ['FTST', (b) => compare(b, double(b, 0), 0)],
  ['FCOMI ST0, STi', compareFlags(0)],
  ['FUCOMI ST0, STi', compareFlags(0)],
  ['FCOMIP ST0, STi', compareFlags(1)],
  ['FUCOMIP ST0, STi', compareFlags(1)],
  ['FCHS', unary(neg)],
  ['FABS', unary(abs)],
  ['FSQRT', unary(sqrt)],
  ['FRNDINT', unary(rounded)],
  ['FINCSTP', (b) => rotate(b, 1)],
  ['FDECSTP', (b) => rotate(b, -1)],
  ['FFREE STi', nothing],
  ['FFREEP STi', (b) => pop(b)],
  ...Object.entries(LOAD).map(([text, from]): [string, Meaning] => [`FLD ${text}`, (b, i) => push(b, from(b, i))]),
  ...Object.entries(LOAD_INTEGER).map(([text, from]): [string, Meaning] => [`FILD ${text}`, (b, i) => push(b, from(b, i))]),
  ...[1, Math.log2(10), Math.LOG2E, Math.PI, Math.log10(2), Math.LN2, 0].map((value, n): [string, Meaning] => [
    ['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'][n],
    (b) => push(b, double(b, value)),
  ]),
  ...['B', 'E', 'BE', 'U'].flatMap((name, n) =>
    [0, 1].map((not): [string, Meaning] => [
      `FCMOV${not ? 'N' : ''}${name} ST0, STi`,
      (b, i) => setSt(b, 0, b.select(condition(b, [2, 4, 6, 10][n] + not), st(b, i.rm), st(b, 0))),
    ]),
  ),
  ...Object.entries({ ADD: add, MUL: mul, SUB: sub, SUBR: sub, DIV: div, DIVR: div }).flatMap(([name, f]): [string, Meaning][] => {
    const compute = (b: Builder, x: Value, y: Value): Value => (name.endsWith('R') ? f(b, y, x) : f(b, x, y));
    const withTop = (b: Builder, i: Insn): void => setSt(b, i.rm, compute(b, st(b, i.rm), st(b, 0)));
    const memory = (prefix: string, loads: Readonly<Record<string, Load>>): [string, Meaning][] =>
      Object.entries(loads).map(([text, from]) => [`${prefix}${name} ${text}`, (b, i) => setSt(b, 0, compute(b, st(b, 0), from(b, i)))]);
    return [
      ...memory('F', LOAD),
      ...memory('FI', LOAD_INTEGER),
      [`F${name} ST0, STi`, (b, i) => setSt(b, 0, compute(b, st(b, 0), st(b, i.rm)))],
      [`F${name} STi, ST0`, withTop],
      [
        `F${name}P STi, ST0`,
        (b, i) => {
          withTop(b, i);
          pop(b);
        },
      ],
    ];
  }),
  ...['COM', 'COMP'].flatMap((name, pops) =>
    Object.entries({ F: LOAD, FI: LOAD_INTEGER }).flatMap(([prefix, loads]) =>
      Object.entries(loads).map(([text, from]): [string, Meaning] => [`${prefix}${name} ${text}`, (b, i) => compare(b, from(b, i), pops)]),
    ),
  ),
]);

/** Of the x87, but touch none of its data registers. */
const APART = /^(FWAIT|FNOP|FLDCW|FNSTCW|FNSTSW|FNCLEX|FNINIT|FNENI|FNDISI|FNSETPM)/;

/** The instruction as it is else, with all registers in 80 bits. */
const wide =
  (meaning: Meaning): Meaning =>
  (b, i) => {
    b.helper('x87_widen');
    meaning(b, i);
    if (!b.ended) b.helper('x87_narrow');
  };

/** What a row means where the x87 computes in double precision. */
export function doubleMeaning(row: Row): Meaning {
  if (/^FX(SAVE|RSTOR)/.test(row.text)) return wide(row.meaning);
  if (row.group !== 'x87' || APART.test(row.text)) return row.meaning;
  return MEANINGS.get(row.text) ?? wide(row.meaning);
}
