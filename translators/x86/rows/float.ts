import { Exactness, FloatLimit } from '../../../assembly/shared/float-limit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { all, isBounded, isNormal, isOnGrid, multipliesTo, sumsTo } from '../../exact.ts';
import { aboveGrid, isBelowGrid, isZero, isZeroProduct, isZeroQuotient, magnitude } from '../../magnitude.ts';
import { floatsOf } from '../context.ts';
import { setFloatFlags } from '../flags.ts';
import { address, checkWritable, type Insn } from '../operands.ts';
import { type Meaning, type Row, row } from '../row.ts';
import { SseCode } from '../sse-code.ts';
import { X86 } from '../state.ts';
import { checkAligned, load128, setXmm, vector2, xmm } from '../vector.ts';
import { andNot } from './packed.ts';

// Floating-point instructions that SSE has in single and SSE2 in double precision. WebAssembly's operations give the
// result where it is an ordinary number and MXCSR asks for no more (X86.SSE_EXACT); else the slow path computes it.

const approximates: Helper = {
  name: 'sse_approximate',
  params: [Type.I32, Type.V128, Type.V128],
  result: Type.I32,
  state: true,
  range: [X86.SSE_RESULT, X86.SSE_RESULT + 16],
  pure: false,
};
const slowPath: Helper = { name: 'sse_slow', params: [], result: Type.I32, state: true, range: [X86.MXCSR, X86.SIZE], pure: false };
export const floatHelpers: readonly Helper[] = [approximates, slowPath];

/** One of the two precisions. */
export interface Format {
  readonly wide: boolean;
  /** Suffixes of mnemonics: PS SS, PD SD. */
  readonly letter: 'S' | 'D';
  readonly count: 4 | 2;
  readonly all: number;
  readonly scalar: Type.F32 | Type.F64;
  readonly load: number;
  readonly store: number;
  readonly bitmask: number;
  readonly splat: number;
  readonly extract: number;
  readonly replace: number;
  /** IR ops by name, of a scalar and of a vector. */
  readonly one: (name: string) => number;
  readonly each: (name: string) => number;
  /** Constants in all elements and as a scalar: FloatLimit.GRID's number, infinity, 2^31. */
  readonly constant: (b: Builder, c: keyof (typeof CONSTANTS)['S']) => Value;
  readonly constants: (b: Builder, c: keyof (typeof CONSTANTS)['S']) => Value;
}
/** High words (of double precision; the low words are zero). */
const CONSTANTS = {
  S: { least: FloatLimit.GRID_S >>> 1, infinity: 0x7f800000, limit: 0x4f000000 },
  D: { least: FloatLimit.GRID_D >>> 1, infinity: 0x7ff00000, limit: 0x41e00000 },
} as const;

const single: Format = {
  wide: false,
  letter: 'S',
  count: 4,
  all: 15,
  scalar: Type.F32,
  load: op('f32.load'),
  store: op('f32.store'),
  bitmask: op('i32x4.bitmask'),
  splat: op('f32x4.splat'),
  extract: op('f32x4.extract_lane'),
  replace: op('f32x4.replace_lane'),
  one: (name) => op(`f32.${name}`),
  each: (name) => op(`f32x4.${name}`),
  constant: (b, c) => b.f32Bits(CONSTANTS.S[c]),
  constants: (b, c) => b.v128(CONSTANTS.S[c], CONSTANTS.S[c], CONSTANTS.S[c], CONSTANTS.S[c]),
};
const double: Format = {
  wide: true,
  letter: 'D',
  count: 2,
  all: 3,
  scalar: Type.F64,
  load: op('f64.load'),
  store: op('f64.store'),
  bitmask: op('i64x2.bitmask'),
  splat: op('f64x2.splat'),
  extract: op('f64x2.extract_lane'),
  replace: op('f64x2.replace_lane'),
  one: (name) => op(`f64.${name}`),
  each: (name) => op(`f64x2.${name}`),
  constant: (b, c) => b.f64Bits(0, CONSTANTS.D[c]),
  constants: (b, c) => b.v128(0, CONSTANTS.D[c], 0, CONSTANTS.D[c]),
};

const AND = op('v128.and');
const OR = op('v128.or');
const NOT = op('v128.not');

// Operands

const fromMemory = (i: Insn): boolean => i.mod !== 3;
const packedSource = (b: Builder, i: Insn): Value => {
  if (!fromMemory(i)) return xmm(b, i.rm);
  checkAligned(b, i);
  return load128(b, i);
};
const key = (wide: boolean, v: Value): number => v * 2 + Number(wide);
/** The lowest element of a vector. */
function low(b: Builder, f: Format, vector: Value): Value {
  const { lows, onGrid } = floatsOf(b);
  const k = key(f.wide, vector);
  let x = lows.get(k);
  if (x === undefined) {
    x = b.emit(f.extract, vector, 0);
    lows.set(k, x);
    if (onGrid.has(k)) onGrid.add(key(f.wide, x));
  }
  return x;
}
/** The vector with another lowest element. */
function withLow(b: Builder, f: Format, vector: Value, x: Value): Value {
  const r = b.emit(f.replace, vector, x, 0);
  floatsOf(b).lows.set(key(f.wide, r), x);
  return r;
}
const scalarSource = (b: Builder, f: Format, i: Insn): Value => (fromMemory(i) ? b.load(f.load, address(b, i)) : low(b, f, xmm(b, i.rm)));
const storeScalar = (b: Builder, f: Format, i: Insn, value: Value): void => {
  checkWritable(b, i);
  b.store(f.store, address(b, i), value);
};
/** The scalar operand with something in the other elements. */
const asVector = (b: Builder, f: Format, i: Insn, value: Value): Value => (fromMemory(i) ? b.emit(f.splat, value) : xmm(b, i.rm));

// The slow path

/** What the slow path is to do: an operation, for so many elements. */
interface Request {
  readonly format: Format;
  readonly code: number;
  readonly count: number;
}
/** When it is taken. Each function builds its question anew, since one whose value is used twice is answered on the fast path, too. */
export interface Question {
  readonly special: () => Value;
  /** Asked if `special` (see Builder.slow): whether the fast result will do all the same. */
  readonly harmless?: () => Value;
  /** Operands that raise MXCSR.DE if they are denormal, of this format or of another; those that are certainly not are not asked about. */
  readonly operands: readonly Value[];
  /** A result that is not special tells that they are not. */
  readonly tells?: boolean;
  /** Of no element of the fast result, nor of any sum of such, can it be that it is denormal, if it can be of no operand's. */
  readonly keeps: boolean;
  /** The result's format, if it is another. */
  readonly result?: Format;
}
const MXCSR_DE = 2;

/**
 * `fast`, unless it is special; then what MXCSR says. The operands are those of the instruction; `given` is the second if it is no
 * XMM register.
 */
function settle(b: Builder, i: Insn, { format, code, count }: Request, question: Question, fast: Value, given?: Value): Value {
  const type = given === undefined ? Type.None : b.typeOf(given);
  const place = { [Type.F32]: X86.SSE_SINGLE, [Type.F64]: X86.SSE_DOUBLE, [Type.V128]: X86.SSE_VECTOR }[type as number];
  if (place !== undefined) b.set(place, given as Value);
  const right = place === undefined ? i.rm : type === Type.V128 ? SseCode.VECTOR : SseCode.SCALAR;
  const places = (i.reg << SseCode.LEFT_SHIFT) | (right << SseCode.RIGHT_SHIFT);
  const floats = floatsOf(b);
  const first = floats.settled ? 0 : SseCode.FIRST;
  floats.settled = true;
  b.set(X86.SSE_CODE, b.i32(code | first | (format.wide ? SseCode.WIDE : 0) | (count << SseCode.COUNT_SHIFT) | places));
  const { special, harmless, operands, tells, keeps, result = format } = question;
  const unknown = tells || !i.denormals ? [] : [...new Set(operands)].filter((x) => !floats.onGrid.has(key(format.wide, x)));
  const amiss = (): Value => (harmless ? b.eqz(b.or(b.eqz(special()), harmless())) : special());
  let r: Value;
  if (unknown.length === 0) r = b.slow(slowPath.name, special(), fast, harmless && b.eqz(harmless()));
  else {
    const denormal = (): Value => anyBelowGrid(b, format, unknown, count);
    // the flag is sticky
    const raises = b.and(denormal(), b.eqz(b.and(b.get(Type.I32, X86.MXCSR), b.i32(MXCSR_DE))));
    r = b.slow(slowPath.name, b.or(special(), denormal()), fast, b.or(amiss(), raises));
  }
  // of a vector the other elements were not asked about
  if (count === 1 || count === format.count) {
    for (const x of operands) if (count > 1 || b.typeOf(x) !== Type.V128) floats.onGrid.add(key(format.wide, x));
  }
  if (keeps && (count === 1 || count === result.count)) floats.onGrid.add(key(result.wide, r));
  return r;
}
/** The source operand, where it was read from memory. */
const ifMemory = (i: Insn, y: Value): Value | undefined => (fromMemory(i) ? y : undefined);

/** What makes a result special: too large or NaN; that, or too small; NaN, of roots and else; an operand NaN. */
type Special = keyof typeof EVER_INEXACT;
const EVER_INEXACT = { overflow: true, range: true, root: true, nan: false, unordered: false } as const;

const exact = (b: Builder): Value => b.get(Type.I32, X86.SSE_EXACT);
const orExact = (b: Builder, special: Value): Value => b.or(exact(b), special);
/** For what is never inexact: Exactness.ALL. */
const exactAll = (b: Builder): Value => b.and(exact(b), b.i32(Exactness.ALL));
/** Exactness.FLAG at most. */
const onlyFlag = (b: Builder): Value => b.eqz(exactAll(b));

const notAll = (b: Builder, f: Format, mask: Value, count: number): Value => {
  const wanted = (1 << count) - 1;
  const bits = b.emit(f.bitmask, mask);
  return b.ne(wanted === f.all ? bits : b.and(bits, b.i32(wanted)), b.i32(wanted));
};
/** Of each element, as a mask: whether it is finite and above FloatLimit.GRID. */
function areOnGrid(b: Builder, f: Format, r: Value): Value {
  const size = b.emit(f.each('abs'), r);
  const finite = b.emit(f.each('lt'), size, f.constants(b, 'infinity'));
  return b.emit(AND, finite, b.emit(f.each('lt'), f.constants(b, 'least'), size));
}
/** Of the first `count` elements of r, the result; x and y are the operands. */
function specialVector(b: Builder, f: Format, kind: Special, r: Value, x: Value, y: Value, count: number = f.count): Value {
  const eq = f.each('eq');
  const fits = (): Value => {
    switch (kind) {
      case 'root':
      case 'nan':
        return b.emit(eq, r, r);
      case 'unordered':
        return b.emit(AND, b.emit(eq, x, x), b.emit(eq, y, y));
      case 'overflow':
        return b.emit(f.each('lt'), b.emit(f.each('abs'), r), f.constants(b, 'infinity'));
      case 'range':
        return areOnGrid(b, f, r);
    }
  };
  const question = notAll(b, f, fits(), count);
  return b.or(EVER_INEXACT[kind] ? exact(b) : exactAll(b), question);
}
/** Whether all elements of a product or quotient are on the grid, or zero because an operand is. */
function zeroOrOnGrid(b: Builder, f: Format, r: Value, factors: readonly Value[]): Value {
  const isZero = (v: Value): Value => b.emit(f.each('eq'), v, b.v128(0, 0, 0, 0));
  const anyZero = factors.map(isZero).reduce((p, q) => b.emit(OR, p, q));
  return b.and(b.eqz(exact(b)), b.eqz(notAll(b, f, b.emit(OR, areOnGrid(b, f, r), b.emit(AND, isZero(r), anyZero)), f.count)));
}

function specialScalar(b: Builder, f: Format, kind: Special, r: Value, x: Value, y: Value): Value {
  const ne = f.one('ne');
  switch (kind) {
    case 'root':
      return orExact(b, b.emit(ne, r, r));
    case 'nan':
      return b.or(exactAll(b), b.emit(ne, r, r));
    case 'unordered':
      return b.or(exactAll(b), x === y ? b.emit(ne, x, x) : b.or(b.emit(ne, x, x), b.emit(ne, y, y)));
    case 'overflow':
      return b.geU(magnitude(b, f.wide, r), b.get(Type.I32, f.wide ? X86.LIMIT_D : X86.LIMIT_S));
    case 'range':
      return b.geU(aboveGrid(b, f.wide, r), b.get(Type.I32, f.wide ? X86.SPAN_D : X86.SPAN_S));
  }
}

/** Whether one of these scalars, or of the first `count` elements of these vectors, is not zero, but less than FloatLimit.GRID. */
function anyBelowGrid(b: Builder, f: Format, operands: readonly Value[], count: number): Value {
  if (b.typeOf(operands[0]) !== Type.V128) return operands.map((x) => isBelowGrid(b, f.wide, x)).reduce((p, q) => b.or(p, q));
  const masks = operands.map((x) => {
    const small = b.emit(f.each('lt'), b.emit(f.each('abs'), x), f.constants(b, 'least'));
    return b.emit(AND, small, b.emit(f.each('ne'), x, b.v128(0, 0, 0, 0)));
  });
  const bits = b.emit(
    f.bitmask,
    masks.reduce((p, q) => b.emit(OR, p, q)),
  );
  return b.ne(b.and(bits, b.i32((1 << count) - 1)), b.i32(0));
}

// Arithmetic

type Fast = (b: Builder, x: Value, y: Value) => Value;
interface Operation {
  readonly code: SseCode;
  readonly name: string;
  readonly special: Special;
  /** Whether the result of scalars is exact, where MXCSR asks for that at most, or harmless for another reason. */
  readonly harmless?: (b: Builder, wide: boolean, r: Value, x: Value, y: Value) => Value;
  readonly one: (f: Format) => Fast;
  readonly each: (f: Format) => Fast;
}
const operation = (code: SseCode, name: string, special: Special, ir: string, harmless: Operation['harmless']): Operation => ({
  code,
  name,
  special,
  harmless,
  one: (f) => (b, x, y) => b.emit(f.one(ir), x, y),
  each: (f) => (b, x, y) => b.emit(f.each(ir), x, y),
});
/** The second operand unless the first is less (greater): for NaNs and zeros too. */
const extreme = (code: SseCode, name: string, comparison: 'lt' | 'gt', ir: string): Operation => ({
  code,
  name,
  special: 'unordered',
  one: (f) => (b, x, y) => b.select(b.emit(f.one(comparison), x, y), x, y),
  each: (f) => (b, x, y) => b.emit(f.each(ir), y, x),
});
const exactSum =
  (subtract: boolean): Operation['harmless'] =>
  (b, wide, r, x, y) =>
    b.and(isBounded(b, wide, r), sumsTo(b, wide, r, x, y, subtract));
const exactProduct: Operation['harmless'] = (b, wide, r, x, y) =>
  b.or(
    isZeroProduct(b, wide, r, x, y),
    all(b, isOnGrid(b, wide, r), isNormal(b, wide, x), isNormal(b, wide, y), multipliesTo(b, wide, r, x, y)),
  );
const exactQuotient: Operation['harmless'] = (b, wide, r, x, y) =>
  b.or(
    isZeroQuotient(b, wide, r, x),
    all(b, isOnGrid(b, wide, r), isNormal(b, wide, x), isNormal(b, wide, y), multipliesTo(b, wide, x, r, y)),
  );
const exactRoot: Operation['harmless'] = (b, wide, r, _, y) =>
  b.or(isZero(b, wide, y), all(b, isNormal(b, wide, r), isNormal(b, wide, y), multipliesTo(b, wide, y, r, r)));
const OPERATIONS: readonly Operation[] = [
  {
    code: SseCode.SQRT,
    name: 'SQRT',
    special: 'root',
    harmless: exactRoot,
    one: (f) => (b, _, y) => b.emit(f.one('sqrt'), y),
    each: (f) => (b, _, y) => b.emit(f.each('sqrt'), y),
  },
  operation(SseCode.ADD, 'ADD', 'overflow', 'add', exactSum(false)),
  operation(SseCode.MUL, 'MUL', 'range', 'mul', exactProduct),
  operation(SseCode.SUB, 'SUB', 'overflow', 'sub', exactSum(true)),
  extreme(SseCode.MIN, 'MIN', 'lt', 'pmin'),
  operation(SseCode.DIV, 'DIV', 'range', 'div', exactQuotient),
  extreme(SseCode.MAX, 'MAX', 'gt', 'pmax'),
];

/** The factors one of which is zero where a product or quotient is zero and nothing is amiss. */
const factorsOf = ({ code }: Operation, x: Value, y: Value): readonly Value[] | undefined =>
  code === SseCode.MUL ? [x, y] : code === SseCode.DIV ? [x] : undefined;

const operandsOf = ({ code }: Operation, x: Value, y: Value): Pick<Question, 'operands' | 'tells' | 'keeps'> => ({
  operands: code === SseCode.SQRT ? [y] : [x, y],
  // a denormal number's square is too small
  tells: code === SseCode.MUL && x === y,
  keeps: true,
});

const packed =
  (format: Format, o: Operation): Meaning =>
  (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const r = o.each(format)(b, x, y);
    const factors = factorsOf(o, x, y);
    const { harmless } = o;
    const element = (v: Value, n: number): Value => b.emit(format.extract, v, n);
    const exactAt = (n: number): Value => harmless!(b, format.wide, element(r, n), element(x, n), element(y, n));
    const exactThroughout = (): Value => b.and(onlyFlag(b), all(b, ...Array.from({ length: format.count }, (_, n) => exactAt(n))));
    const question: Question = {
      special: () => specialVector(b, format, o.special, r, x, y),
      ...operandsOf(o, x, y),
      ...(harmless && {
        harmless: () => (factors ? b.or(zeroOrOnGrid(b, format, r, factors), exactThroughout()) : exactThroughout()),
      }),
    };
    setXmm(b, i.reg, settle(b, i, { format, code: o.code, count: format.count }, question, r, ifMemory(i, y)));
  };
const scalar =
  (format: Format, o: Operation): Meaning =>
  (b, i) => {
    const y = scalarSource(b, format, i);
    const whole = xmm(b, i.reg);
    const x = low(b, format, whole);
    const r = o.one(format)(b, x, y);
    const { harmless } = o;
    const question: Question = {
      special: () => specialScalar(b, format, o.special, r, x, y),
      ...operandsOf(o, x, y),
      ...(harmless && { harmless: () => b.and(onlyFlag(b), harmless(b, format.wide, r, x, y)) }),
    };
    const result = settle(b, i, { format, code: o.code, count: 1 }, question, r, ifMemory(i, y));
    setXmm(b, i.reg, withLow(b, format, whole, result));
  };

// Comparisons

/** CMPPS's predicates EQ LT LE UNORD NEQ NLT NLE ORD as masks. */
function holds(b: Builder, f: Format, predicate: number, x: Value, y: Value): Value {
  const emit = (name: string, p: Value, q: Value): Value => b.emit(f.each(name), p, q);
  switch (predicate) {
    case 0:
      return emit('eq', x, y);
    case 1:
      return emit('lt', x, y);
    case 2:
      return emit('le', x, y);
    case 3:
      return b.emit(OR, emit('ne', x, x), emit('ne', y, y));
    case 4:
      return emit('ne', x, y);
    case 7:
      return b.emit(AND, emit('eq', x, x), emit('eq', y, y));
    default:
      return b.emit(NOT, emit(predicate === 5 ? 'lt' : 'le', x, y));
  }
}
const predicateOf = (i: Insn): number => i.immediate & 7;
const compareCode = (i: Insn): number => SseCode.COMPARE | (predicateOf(i) << SseCode.PREDICATE_SHIFT);
const comparePacked =
  (format: Format): Meaning =>
  (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const r = holds(b, format, predicateOf(i), x, y);
    const question: Question = { special: () => specialVector(b, format, 'unordered', r, x, y), operands: [x, y], keeps: false };
    setXmm(b, i.reg, settle(b, i, { format, code: compareCode(i), count: format.count }, question, r, ifMemory(i, y)));
  };
const compareScalar =
  (format: Format): Meaning =>
  (b, i) => {
    const y = scalarSource(b, format, i);
    const whole = xmm(b, i.reg);
    const x = low(b, format, whole);
    const mask = holds(b, format, predicateOf(i), whole, asVector(b, format, i, y));
    const question: Question = { special: () => specialScalar(b, format, 'unordered', x, x, y), operands: [x, y], keeps: false };
    const r = settle(b, i, { format, code: compareCode(i), count: 1 }, question, b.emit(format.extract, mask, 0), ifMemory(i, y));
    setXmm(b, i.reg, withLow(b, format, whole, r));
  };

/** ZF, PF and CF from the comparison, the other status flags cleared (SDM volume 2, COMISS). */
const compareFlags =
  (format: Format, quiet: boolean): Meaning =>
  (b, i) => {
    const right = scalarSource(b, format, i);
    const left = low(b, format, xmm(b, i.reg));
    const code = SseCode.COMPARE_SCALARS | (quiet ? SseCode.QUIET : 0);
    const question: Question = {
      special: () => specialScalar(b, format, 'unordered', left, left, right),
      operands: [left, right],
      keeps: false,
    };
    const given = ifMemory(i, right);
    const x = settle(b, i, { format, code, count: 1 }, question, left, given);
    // only where denormal operands count as zero is it another
    const y = settle(
      b,
      i,
      { format, code: code | SseCode.SECOND, count: 1 },
      { special: () => exactAll(b), operands: [], keeps: false },
      right,
      given,
    );
    setFloatFlags(b, x, y, format.wide ? 8 : 4);
  };

// Elements by number

/** Byte numbers of these elements of `size` bytes; those of the second vector follow those of the first. */
const elements = (size: number, ...numbers: number[]): readonly number[] =>
  numbers.flatMap((n) => Array.from({ length: size }, (_, k) => n * size + k));
const unpack =
  (pattern: readonly number[]): Meaning =>
  (b, i) =>
    vector2((builder, x, y) => builder.shuffle(x, y, pattern))(b, i);
const shuffleSingles: Meaning = (b, i) => {
  const n = (k: number): number => (i.immediate >>> (2 * k)) & 3;
  unpack(elements(4, n(0), n(1), 4 + n(2), 4 + n(3)))(b, i);
};
const shuffleDoubles: Meaning = (b, i) => unpack(elements(8, i.immediate & 1, 2 + ((i.immediate >>> 1) & 1)))(b, i);

const logic = (name: string): Meaning => vector2((b, x, y) => b.emit(op(name), x, y));

/** The rows of one precision; `NP` and `66` choose between them, or `F3` and `F2` for scalars. */
function floatRows(f: Format, each: string, one: string): readonly Row[] {
  const p = `P${f.letter}`;
  const s = `S${f.letter}`;
  const [vp, wp] = [`V${p.toLowerCase()}`, `W${p.toLowerCase()}`];
  const [vs, ws] = [`V${s.toLowerCase()}`, `W${s.toLowerCase()}`];
  const hex = (code: number): string => (0x50 | code).toString(16).toUpperCase();
  return [
    ...OPERATIONS.flatMap((o) => [
      row(`${each} 0F ${hex(o.code)} /r`, `${o.name}${p} ${vp}, ${wp}`, packed(f, o)),
      row(`${one} 0F ${hex(o.code)} /r`, `${o.name}${s} ${vs}, ${ws}`, scalar(f, o)),
    ]),
    row(`${each} 0F C2 /r ib`, `CMP${p} ${vp}, ${wp}, Ib`, comparePacked(f)),
    row(`${one} 0F C2 /r ib`, `CMP${s} ${vs}, ${ws}, Ib`, compareScalar(f)),
    row(`${each} 0F 2E /r`, `UCOMI${s} ${vs}, ${ws}`, compareFlags(f, true)),
    row(`${each} 0F 2F /r`, `COMI${s} ${vs}, ${ws}`, compareFlags(f, false)),
    row(`${each} 0F 54 /r`, `AND${p} ${vp}, ${wp}`, logic('v128.and')),
    row(`${each} 0F 55 /r`, `ANDN${p} ${vp}, ${wp}`, vector2(andNot)),
    row(`${each} 0F 56 /r`, `OR${p} ${vp}, ${wp}`, logic('v128.or')),
    row(`${each} 0F 57 /r`, `XOR${p} ${vp}, ${wp}`, logic('v128.xor')),
    row(`${each} 0F 14 /r`, `UNPCKL${p} ${vp}, ${wp}`, unpack(f.wide ? elements(8, 0, 2) : elements(4, 0, 4, 1, 5))),
    row(`${each} 0F 15 /r`, `UNPCKH${p} ${vp}, ${wp}`, unpack(f.wide ? elements(8, 1, 3) : elements(4, 2, 6, 3, 7))),
    row(`${each} 0F C6 /r ib`, `SHUF${p} ${vp}, ${wp}, Ib`, f.wide ? shuffleDoubles : shuffleSingles),
  ];
}
export const singleRows = (): readonly Row[] => floatRows(single, 'NP', 'F3');
export const doubleRows = (): readonly Row[] => floatRows(double, '66', 'F2');

export {
  approximates,
  asVector,
  double,
  elements,
  exact,
  exactAll,
  ifMemory,
  key,
  low,
  notAll,
  onlyFlag,
  orExact,
  packedSource,
  scalarSource,
  settle,
  single,
  specialScalar,
  specialVector,
  storeScalar,
  withLow,
};
