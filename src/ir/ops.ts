/**
 * The IR's operations. Names and meanings are WebAssembly's wherever WebAssembly has the operation; the others are
 * described beside their row. Numbers are derived from the order and never stored.
 */
export const enum Type {
  None = 0,
  I32 = 1,
  I64 = 2,
  F32 = 3,
  F64 = 4,
  V128 = 5,
}

export const TYPE_NAMES = ['none', 'i32', 'i64', 'f32', 'f64', 'v128'] as const;
/** Size in bytes, by Type. */
export const TYPE_SIZES = [0, 4, 8, 4, 8, 16] as const;

/** What an op's operand word holds: the index of the op that makes the value (by type), or an immediate. */
export type Operand = Type.I32 | Type.I64 | Type.F32 | Type.F64 | Type.V128 | 'imm';

export interface OpInfo {
  readonly name: string;
  readonly result: Type;
  readonly operands: readonly Operand[];
  /** Removing an unused one changes nothing. */
  readonly pure: boolean;
  readonly memory: 'load' | 'store' | undefined;
  /** Bytes accessed by a load or store. */
  readonly bytes: number;
}

const I = Type.I32;
const L = Type.I64;
const F = Type.F32;
const D = Type.F64;
const V = Type.V128;
const N = Type.None;
type Row = readonly [name: string, result: Type, ...operands: Operand[]];

const int = (t: 'i32' | 'i64', T: Type.I32 | Type.I64): Row[] => [
  ...['add', 'sub', 'mul', 'div_s', 'div_u', 'rem_s', 'rem_u', 'and', 'or', 'xor', 'shl', 'shr_s', 'shr_u', 'rotl', 'rotr'].map(
    (n): Row => [`${t}.${n}`, T, T, T],
  ),
  ...['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'].map((n): Row => [`${t}.${n}`, I, T, T]),
  ...['clz', 'ctz', 'popcnt', 'extend8_s', 'extend16_s'].map((n): Row => [`${t}.${n}`, T, T]),
  [`${t}.eqz`, I, T],
];

const float = (t: 'f32' | 'f64', T: Type.F32 | Type.F64): Row[] => [
  ...['add', 'sub', 'mul', 'div', 'min', 'max', 'copysign'].map((n): Row => [`${t}.${n}`, T, T, T]),
  ...['sqrt', 'abs', 'neg', 'ceil', 'floor', 'trunc', 'nearest'].map((n): Row => [`${t}.${n}`, T, T]),
  ...['eq', 'ne', 'lt', 'gt', 'le', 'ge'].map((n): Row => [`${t}.${n}`, I, T, T]),
];

const lanes = (shape: string, names: string): Row[] => names.split(' ').map((n): Row => [`${shape}.${n}`, V, V, V]);
const unary = (shape: string, names: string): Row[] => names.split(' ').map((n): Row => [`${shape}.${n}`, V, V]);
const shifts = (shape: string): Row[] => ['shl', 'shr_s', 'shr_u'].map((n): Row => [`${shape}.${n}`, V, V, I]);

/** The address operand of a load or store is a guest address; the last immediate is 1 for big-endian data, else 0. */
const rows: readonly Row[] = [
  // constants: the value's bits, low word first
  ['i32.const', I, 'imm'],
  ['i64.const', L, 'imm', 'imm'],
  ['f32.const', F, 'imm'],
  ['f64.const', D, 'imm', 'imm'],
  ['v128.const', V, 'imm', 'imm', 'imm', 'imm'],

  // guest state: the immediate is a byte offset from Layout.STATE
  ['get.i32', I, 'imm'],
  ['get.i64', L, 'imm'],
  ['get.f32', F, 'imm'],
  ['get.f64', D, 'imm'],
  ['get.v128', V, 'imm'],
  ['set.i32', N, 'imm', I],
  ['set.i64', N, 'imm', L],
  ['set.f32', N, 'imm', F],
  ['set.f64', N, 'imm', D],
  ['set.v128', N, 'imm', V],

  // guest memory
  ['i32.load8_s', I, I, 'imm'],
  ['i32.load8_u', I, I, 'imm'],
  ['i32.load16_s', I, I, 'imm'],
  ['i32.load16_u', I, I, 'imm'],
  ['i32.load', I, I, 'imm'],
  ['i64.load', L, I, 'imm'],
  ['f32.load', F, I, 'imm'],
  ['f64.load', D, I, 'imm'],
  ['v128.load', V, I, 'imm'],
  ['i32.store8', N, I, I, 'imm'],
  ['i32.store16', N, I, I, 'imm'],
  ['i32.store', N, I, I, 'imm'],
  ['i64.store', N, I, L, 'imm'],
  ['f32.store', N, I, F, 'imm'],
  ['f64.store', N, I, D, 'imm'],
  ['v128.store', N, I, V, 'imm'],

  ...int('i32', I),
  ...int('i64', L),
  ['i64.extend_i32_s', L, I],
  ['i64.extend_i32_u', L, I],
  ['i64.extend32_s', L, L],
  ['i32.wrap_i64', I, L],
  // operands: condition, value if it is not zero, value if it is zero
  ['select.i32', I, I, I, I],
  ['select.i64', L, I, L, L],
  ['select.f32', F, I, F, F],
  ['select.f64', D, I, D, D],
  ['select.v128', V, I, V, V],

  ...float('f32', F),
  ...float('f64', D),
  ['f32.convert_i32_s', F, I],
  ['f32.convert_i32_u', F, I],
  ['f32.convert_i64_s', F, L],
  ['f64.convert_i32_s', D, I],
  ['f64.convert_i32_u', D, I],
  ['f64.convert_i64_s', D, L],
  ['f32.demote_f64', F, D],
  ['f64.promote_f32', D, F],
  ['i32.reinterpret_f32', I, F],
  ['f32.reinterpret_i32', F, I],
  ['i64.reinterpret_f64', L, D],
  ['f64.reinterpret_i64', D, L],
  ['i32.trunc_sat_f32_s', I, F],
  ['i32.trunc_sat_f64_s', I, D],
  ['i64.trunc_sat_f32_s', L, F],
  ['i64.trunc_sat_f64_s', L, D],

  ...lanes('v128', 'and andnot or xor'),
  ...unary('v128', 'not'),
  ...lanes(
    'i8x16',
    'add sub add_sat_s add_sat_u sub_sat_s sub_sat_u min_s min_u max_s max_u avgr_u eq gt_s swizzle narrow_i16x8_s narrow_i16x8_u',
  ),
  ...lanes(
    'i16x8',
    'add sub mul add_sat_s add_sat_u sub_sat_s sub_sat_u min_s min_u max_s max_u avgr_u eq gt_s narrow_i32x4_s narrow_i32x4_u',
  ),
  ...lanes('i16x8', 'extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u q15mulr_sat_s'),
  ...lanes(
    'i32x4',
    'add sub mul min_s min_u max_s max_u eq gt_s dot_i16x8_s extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u',
  ),
  ...lanes('i64x2', 'add sub mul eq extmul_low_i32x4_s extmul_low_i32x4_u'),
  ...lanes('f32x4', 'add sub mul div min max pmin pmax eq ne lt le'),
  ...lanes('f64x2', 'add sub mul div min max pmin pmax eq ne lt le'),
  ...unary('i8x16', 'abs neg'),
  ...unary('i16x8', 'abs neg extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u'),
  ...unary(
    'i32x4',
    'abs neg extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u trunc_sat_f32x4_s trunc_sat_f64x2_s_zero',
  ),
  ...unary('f32x4', 'abs neg sqrt nearest floor ceil trunc convert_i32x4_s demote_f64x2_zero'),
  ...unary('f64x2', 'abs neg sqrt nearest floor ceil trunc convert_low_i32x4_s promote_low_f32x4'),
  ...['i8x16', 'i16x8', 'i32x4', 'i64x2'].flatMap(shifts),
  ['i8x16.bitmask', I, V],
  ['i16x8.bitmask', I, V],
  ['i32x4.bitmask', I, V],
  ['i64x2.bitmask', I, V],
  ['v128.any_true', I, V],
  ['i8x16.splat', V, I],
  ['i16x8.splat', V, I],
  ['i32x4.splat', V, I],
  ['i64x2.splat', V, L],
  ['f32x4.splat', V, F],
  ['f64x2.splat', V, D],
  // the last immediate is the lane
  ['i8x16.extract_lane_u', I, V, 'imm'],
  ['i16x8.extract_lane_u', I, V, 'imm'],
  ['i32x4.extract_lane', I, V, 'imm'],
  ['i64x2.extract_lane', L, V, 'imm'],
  ['f32x4.extract_lane', F, V, 'imm'],
  ['f64x2.extract_lane', D, V, 'imm'],
  ['i8x16.replace_lane', V, V, I, 'imm'],
  ['i16x8.replace_lane', V, V, I, 'imm'],
  ['i32x4.replace_lane', V, V, I, 'imm'],
  ['i64x2.replace_lane', V, V, L, 'imm'],
  ['f32x4.replace_lane', V, V, F, 'imm'],
  ['f64x2.replace_lane', V, V, D, 'imm'],
  // the immediate is an index into Block.shuffles (16 lane numbers, 0…31)
  ['i8x16.shuffle', V, V, V, 'imm'],

  // A call of a helper in the runtime: the first immediate is an index into Isa.helpers; its signature says which of
  // the three operands are used and what the result is (Block.typeOf knows). Never pure in this table.
  ['helper', N, 'imm', I, I, I],
  // Leave with ExitKind (2nd) and arg0 (3rd) at the current instruction's pc if the condition is not zero.
  ['exit.if', N, I, 'imm', 'imm'],
  // The second operand, unless the first and the third are not zero: then the helper (an index into Isa.helpers) computes
  // the instruction anew. The third only saves time where it is zero: it may be taken for not zero. See Helper in src/isa/isa.ts.
  ['slow.i32', I, I, I, I, 'imm'],
  ['slow.i64', L, I, L, I, 'imm'],
  ['slow.f32', F, I, F, I, 'imm'],
  ['slow.f64', D, I, D, I, 'imm'],
  ['slow.v128', V, I, V, I, 'imm'],
  // A guest instruction begins: pc, length in bytes, pc where execution goes on if the instruction is to be executed anew.
  ['insn', N, 'imm', 'imm', 'imm'],
];

const TYPE_BYTES: Readonly<Record<string, number>> = { i32: 4, f32: 4, i64: 8, f64: 8, v128: 16 };
/** The width in the name, else the type's. */
const accessBytes = (type: string, what: string): number => (Number.parseInt(what.replace(/^\D+/, ''), 10) || TYPE_BYTES[type] * 8) / 8;
const EFFECTS = new Set(['helper', 'exit', 'insn', 'set', 'slow']);
const TRAPS = new Set(['div_s', 'div_u', 'rem_s', 'rem_u']);

export const OPS: readonly OpInfo[] = rows.map(([name, result, ...operands]) => {
  const dot = name.indexOf('.');
  const type = dot < 0 ? name : name.slice(0, dot);
  const what = name.slice(dot + 1);
  const memory = dot < 0 ? undefined : what.startsWith('load') ? 'load' : what.startsWith('store') ? 'store' : undefined;
  const pure = memory === undefined && !EFFECTS.has(type) && !((type === 'i32' || type === 'i64') && TRAPS.has(what));
  return { name, result, operands, pure, memory, bytes: memory ? accessBytes(type, what) : 0 };
});

const numbers = new Map(OPS.map((info, number) => [info.name, number]));
if (numbers.size !== OPS.length) throw new Error('an IR op has two rows');

/** The number of the op with this name. Resolve once, at module level. */
export function op(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw new Error(`there is no IR op ${name}`);
  return number;
}

/** By op number: bit i is set if operand i is a value. A helper's are as its signature says; see Block.valueMask. */
export const VALUE_MASKS: readonly number[] = OPS.map(({ operands }) =>
  operands.reduce((mask: number, type, i) => (type === 'imm' ? mask : mask | (1 << i)), 0),
);

/** Guest state is tracked in granules of four bytes; an ISA has no more than these in reach of get and set. */
export const STATE_GRANULES = 512;
