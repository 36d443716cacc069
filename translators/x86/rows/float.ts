import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { forgetFlags } from '../flags.ts';
import { address, type Insn } from '../operands.ts';
import { limited, type Meaning, type Row, row } from '../row.ts';
import { Vector } from '../sdm.ts';
import { SseCode } from '../sse-code.ts';
import { X86 } from '../state.ts';
import { checkAligned, load128, setXmm, vector2, xmm } from '../vector.ts';
import { andNot } from './packed.ts';

// Floating-point instructions that SSE has in single and SSE2 in double precision. WebAssembly's operations give the
// result where it is an ordinary number and MXCSR is as at reset; else a helper computes the instruction anew.

const computes: Helper = {
  name: 'sse_compute',
  params: [Type.I32, Type.V128, Type.V128],
  result: Type.I32,
  state: true,
  range: [X86.MXCSR, X86.SIZE],
  pure: false,
};
export const floatHelpers: readonly Helper[] = [computes];

/** One of the two precisions. */
export interface Format {
  readonly wide: boolean;
  /** Suffixes of mnemonics: PS SS, PD SD. */
  readonly letter: 'S' | 'D';
  readonly count: 4 | 2;
  readonly all: number;
  readonly scalar: Type.F32 | Type.F64;
  readonly load: number;
  readonly bitmask: number;
  readonly splat: number;
  readonly extract: number;
  readonly replace: number;
  /** IR ops by name, of a scalar and of a vector. */
  readonly one: (name: string) => number;
  readonly each: (name: string) => number;
  /** Constants in all elements and as a scalar: the least normal number, infinity, 2^31. */
  readonly constant: (b: Builder, c: keyof (typeof CONSTANTS)['S']) => Value;
  readonly constants: (b: Builder, c: keyof (typeof CONSTANTS)['S']) => Value;
}
/** High words (of double precision; the low words are zero). */
const CONSTANTS = {
  S: { least: 0x00800000, infinity: 0x7f800000, limit: 0x4f000000 },
  D: { least: 0x00100000, infinity: 0x7ff00000, limit: 0x41e00000 },
} as const;

const single: Format = {
  wide: false,
  letter: 'S',
  count: 4,
  all: 15,
  scalar: Type.F32,
  load: op('f32.load'),
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

/** `code`, completed for a number of elements, if WebAssembly's result does not do; else 0. */
function request(b: Builder, f: Format, code: number, count: number, special: Value): Value {
  const whole = code | (f.wide ? SseCode.WIDE : 0) | (count << SseCode.COUNT_SHIFT);
  const exact = b.get(Type.I32, X86.SSE_EXACT);
  return b.select(special < 0 ? exact : b.or(exact, special), b.i32(whole), b.i32(0));
}
/** Has the helper do what is requested of it. #XM if an exception is unmasked. */
function compute(b: Builder, requested: Value, x: Value, y: Value): void {
  b.exitIf(b.helper(computes.name, requested, x, y), ExitKind.Exception, Vector.XM);
}
/** The vector that the helper has made, or else `fast`. */
function settle(b: Builder, requested: Value, x: Value, y: Value, fast: Value): Value {
  compute(b, requested, x, y);
  return b.select(requested, b.get(Type.V128, X86.SSE_RESULT), fast);
}

// Operands

const fromMemory = (i: Insn): boolean => i.mod !== 3;
const packedSource = (b: Builder, i: Insn): Value => {
  if (!fromMemory(i)) return xmm(b, i.rm);
  checkAligned(b, i);
  return load128(b, i);
};
const scalarSource = (b: Builder, f: Format, i: Insn): Value =>
  fromMemory(i) ? b.load(f.load, address(b, i)) : b.emit(f.extract, xmm(b, i.rm), 0);
/** The scalar operand as the helper takes it. */
const asVector = (b: Builder, f: Format, i: Insn, value: Value): Value => (fromMemory(i) ? b.emit(f.splat, value) : xmm(b, i.rm));

// What needs the helper

type Special = 'overflow' | 'range' | 'nan' | 'unordered';

const notAll = (b: Builder, f: Format, mask: Value, count: number): Value => {
  const wanted = (1 << count) - 1;
  const bits = b.emit(f.bitmask, mask);
  return b.ne(wanted === f.all ? bits : b.and(bits, b.i32(wanted)), b.i32(wanted));
};
/** Of the first `count` elements of r, the result (x and y the operands): too large or NaN; also too small before it was rounded; NaN; an operand NaN. */
function specialVector(b: Builder, f: Format, kind: Special, r: Value, x: Value, y: Value, count: number = f.count): Value {
  const eq = f.each('eq');
  if (kind === 'nan') return notAll(b, f, b.emit(eq, r, r), count);
  if (kind === 'unordered') return notAll(b, f, b.emit(AND, b.emit(eq, x, x), b.emit(eq, y, y)), count);
  const magnitude = b.emit(f.each('abs'), r);
  const finite = b.emit(f.each('lt'), magnitude, f.constants(b, 'infinity'));
  if (kind === 'overflow') return notAll(b, f, finite, count);
  return notAll(b, f, b.emit(AND, finite, b.emit(f.each('lt'), f.constants(b, 'least'), magnitude)), count);
}

const BITS32 = op('i32.reinterpret_f32');
const BITS64 = op('i64.reinterpret_f64');
const SHL64 = op('i64.shl');
const SUB64 = op('i64.sub');
const GE64U = op('i64.ge_u');
/**
 * 1 unless the value is normal and not the least normal number, to which a tiny result may have been rounded: sign away, then one
 * unsigned comparison.
 */
function notNormal(b: Builder, wide: boolean, r: Value): Value {
  if (!wide) {
    const magnitude = b.shl(b.emit(BITS32, r), b.i32(1));
    return b.geU(b.sub(magnitude, b.i32(0x01000002)), b.i32(0xfdfffffe));
  }
  const magnitude = b.emit(SHL64, b.emit(BITS64, r), b.i64(1, 0));
  return b.emit(GE64U, b.emit(SUB64, magnitude, b.i64(2, 0x00200000)), b.i64(0xfffffffe, 0xffbfffff));
}
function specialScalar(b: Builder, f: Format, kind: Special, r: Value, x: Value, y: Value): Value {
  const ne = f.one('ne');
  switch (kind) {
    case 'nan':
      return b.emit(ne, r, r);
    case 'unordered':
      return b.or(b.emit(ne, x, x), b.emit(ne, y, y));
    case 'overflow':
      return b.eqz(b.emit(f.one('lt'), b.emit(f.one('abs'), r), f.constant(b, 'infinity')));
    case 'range':
      return notNormal(b, f.wide, r);
  }
}

// Arithmetic

type Fast = (b: Builder, x: Value, y: Value) => Value;
interface Operation {
  readonly code: SseCode;
  readonly name: string;
  readonly special: Special;
  readonly one: (f: Format) => Fast;
  readonly each: (f: Format) => Fast;
}
const operation = (code: SseCode, name: string, special: Special, ir: string): Operation => ({
  code,
  name,
  special,
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
const OPERATIONS: readonly Operation[] = [
  {
    code: SseCode.SQRT,
    name: 'SQRT',
    special: 'nan',
    one: (f) => (b, _, y) => b.emit(f.one('sqrt'), y),
    each: (f) => (b, _, y) => b.emit(f.each('sqrt'), y),
  },
  operation(SseCode.ADD, 'ADD', 'overflow', 'add'),
  operation(SseCode.MUL, 'MUL', 'range', 'mul'),
  operation(SseCode.SUB, 'SUB', 'overflow', 'sub'),
  extreme(SseCode.MIN, 'MIN', 'lt', 'pmin'),
  operation(SseCode.DIV, 'DIV', 'range', 'div'),
  extreme(SseCode.MAX, 'MAX', 'gt', 'pmax'),
];

const packed =
  (f: Format, o: Operation): Meaning =>
  (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const r = o.each(f)(b, x, y);
    setXmm(b, i.reg, settle(b, request(b, f, o.code, f.count, specialVector(b, f, o.special, r, x, y)), x, y, r));
  };
const scalar =
  (f: Format, o: Operation): Meaning =>
  (b, i) => {
    const y = scalarSource(b, f, i);
    const whole = xmm(b, i.reg);
    const x = b.emit(f.extract, whole, 0);
    const r = o.one(f)(b, x, y);
    const requested = request(b, f, o.code | SseCode.KEEP, 1, specialScalar(b, f, o.special, r, x, y));
    setXmm(b, i.reg, settle(b, requested, whole, asVector(b, f, i, y), b.emit(f.replace, whole, r, 0)));
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
const comparePacked =
  (f: Format): Meaning =>
  (b, i) => {
    const y = packedSource(b, i);
    const x = xmm(b, i.reg);
    const code = SseCode.COMPARE | (predicateOf(i) << SseCode.PREDICATE_SHIFT);
    const r = holds(b, f, predicateOf(i), x, y);
    setXmm(b, i.reg, settle(b, request(b, f, code, f.count, specialVector(b, f, 'unordered', r, x, y)), x, y, r));
  };
const compareScalar =
  (f: Format): Meaning =>
  (b, i) => {
    const y = scalarSource(b, f, i);
    const whole = xmm(b, i.reg);
    const x = b.emit(f.extract, whole, 0);
    const yVector = asVector(b, f, i, y);
    const code = SseCode.COMPARE | SseCode.KEEP | (predicateOf(i) << SseCode.PREDICATE_SHIFT);
    const mask = holds(b, f, predicateOf(i), whole, yVector);
    const fast = b.emit(f.replace, whole, b.emit(f.extract, mask, 0), 0);
    setXmm(b, i.reg, settle(b, request(b, f, code, 1, specialScalar(b, f, 'unordered', x, x, y)), whole, yVector, fast));
  };

/** ZF, PF and CF from the comparison, the other status flags cleared (SDM volume 2, COMISS). */
const compareFlags =
  (f: Format, quiet: boolean): Meaning =>
  (b, i) => {
    const right = scalarSource(b, f, i);
    const whole = xmm(b, i.reg);
    const left = b.emit(f.extract, whole, 0);
    const code = SseCode.COMPARE_SCALARS | (quiet ? SseCode.QUIET : 0);
    const requested = request(b, f, code, 1, specialScalar(b, f, 'unordered', left, left, right));
    compute(b, requested, whole, asVector(b, f, i, right));
    const seen = b.get(Type.V128, X86.SSE_RESULT);
    const x = b.select(requested, b.emit(f.extract, seen, 0), left);
    const y = b.select(requested, b.emit(f.extract, seen, 1), right);
    const zero = b.i32(0);
    b.set(X86.CF, b.eqz(b.emit(f.one('ge'), x, y)));
    b.set(X86.ZF_RESULT, b.or(b.emit(f.one('lt'), x, y), b.emit(f.one('gt'), x, y)));
    // the parity of 0 is even
    b.set(X86.PF_RESULT, b.and(b.emit(f.one('eq'), x, x), b.emit(f.one('eq'), y, y)));
    b.set(X86.SF_RESULT, zero);
    b.set(X86.AF_RESULT, zero);
    b.set(X86.OF_RESULT, zero);
    forgetFlags(b);
  };

// Elements by number

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

/** What X86.SSE_EXACT allows: the rest of MXCSR is exact. */
export const MXCSR_LIMIT =
  'MXCSR.PE is collected once the program has loaded MXCSR; MXCSR.DE is not where MXCSR’s controls are as at reset and PE is set or not collected';

/** The rows of one precision; `NP` and `66` choose between them, or `F3` and `F2` for scalars. */
function floatRows(f: Format, each: string, one: string): readonly Row[] {
  const p = `P${f.letter}`;
  const s = `S${f.letter}`;
  const [vp, wp] = [`V${p.toLowerCase()}`, `W${p.toLowerCase()}`];
  const [vs, ws] = [`V${s.toLowerCase()}`, `W${s.toLowerCase()}`];
  const hex = (code: number): string => (0x50 | code).toString(16).toUpperCase();
  const computing = [
    ...OPERATIONS.flatMap((o) => [
      row(`${each} 0F ${hex(o.code)} /r`, `${o.name}${p} ${vp}, ${wp}`, packed(f, o)),
      row(`${one} 0F ${hex(o.code)} /r`, `${o.name}${s} ${vs}, ${ws}`, scalar(f, o)),
    ]),
    row(`${each} 0F C2 /r ib`, `CMP${p} ${vp}, ${wp}, Ib`, comparePacked(f)),
    row(`${one} 0F C2 /r ib`, `CMP${s} ${vs}, ${ws}, Ib`, compareScalar(f)),
    row(`${each} 0F 2E /r`, `UCOMI${s} ${vs}, ${ws}`, compareFlags(f, true)),
    row(`${each} 0F 2F /r`, `COMI${s} ${vs}, ${ws}`, compareFlags(f, false)),
  ];
  return [
    ...limited(MXCSR_LIMIT, computing),
    row(`${each} 0F 54 /r`, `AND${p} ${vp}, ${wp}`, logic('v128.and')),
    row(`${each} 0F 55 /r`, `ANDN${p} ${vp}, ${wp}`, vector2(andNot)),
    row(`${each} 0F 56 /r`, `OR${p} ${vp}, ${wp}`, logic('v128.or')),
    row(`${each} 0F 57 /r`, `XOR${p} ${vp}, ${wp}`, logic('v128.xor')),
    row(`${each} 0F 14 /r`, `UNPCKL${p} ${vp}, ${wp}`, unpack(f.wide ? elements(8, 0, 2) : elements(4, 0, 4, 1, 5))),
    row(`${each} 0F 15 /r`, `UNPCKH${p} ${vp}, ${wp}`, unpack(f.wide ? elements(8, 1, 3) : elements(4, 2, 6, 3, 7))),
    row(`${each} 0F C6 /r ib`, `SHUF${p} ${vp}, ${wp}, Ib`, f.wide ? shuffleDoubles : shuffleSingles),
  ];
}
export const singleRows: readonly Row[] = floatRows(single, 'NP', 'F3');
export const doubleRows: readonly Row[] = floatRows(double, '66', 'F2');

export { asVector, compute, double, packedSource, request, scalarSource, settle, single, specialScalar, specialVector };
