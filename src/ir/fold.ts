import { OPS, op } from './ops.ts';

/** Constant folding of the binary i32 operations: the value as a signed 32-bit number, or undefined where it traps. */
const FOLD = new Map<number, (a: number, b: number) => number>([
  [op('i32.add'), (a, b) => (a + b) | 0],
  [op('i32.sub'), (a, b) => (a - b) | 0],
  [op('i32.mul'), (a, b) => Math.imul(a, b)],
  [op('i32.and'), (a, b) => a & b],
  [op('i32.or'), (a, b) => a | b],
  [op('i32.xor'), (a, b) => a ^ b],
  [op('i32.shl'), (a, b) => a << b],
  [op('i32.shr_s'), (a, b) => a >> b],
  [op('i32.shr_u'), (a, b) => (a >>> b) | 0],
  [op('i32.rotl'), (a, b) => (a << b) | (a >>> (32 - (b & 31)))],
  [op('i32.rotr'), (a, b) => (a >>> b) | (a << (32 - (b & 31)))],
  [op('i32.eq'), (a, b) => Number(a === b)],
  [op('i32.ne'), (a, b) => Number(a !== b)],
  [op('i32.lt_s'), (a, b) => Number(a < b)],
  [op('i32.lt_u'), (a, b) => Number(a >>> 0 < b >>> 0)],
  [op('i32.gt_s'), (a, b) => Number(a > b)],
  [op('i32.gt_u'), (a, b) => Number(a >>> 0 > b >>> 0)],
  [op('i32.le_s'), (a, b) => Number(a <= b)],
  [op('i32.le_u'), (a, b) => Number(a >>> 0 <= b >>> 0)],
  [op('i32.ge_s'), (a, b) => Number(a >= b)],
  [op('i32.ge_u'), (a, b) => Number(a >>> 0 >= b >>> 0)],
]);

const FOLD_UNARY = new Map<number, (a: number) => number>([
  [op('i32.eqz'), (a) => Number(a === 0)],
  [op('i32.clz'), (a) => Math.clz32(a)],
  [op('i32.ctz'), (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a))],
  [op('i32.extend8_s'), (a) => (a << 24) >> 24],
  [op('i32.extend16_s'), (a) => (a << 16) >> 16],
]);

const foldBinary: (((a: number, b: number) => number) | undefined)[] = [];
for (const [number, f] of FOLD) foldBinary[number] = f;
const foldUnary: (((a: number) => number) | undefined)[] = [];
for (const [number, f] of FOLD_UNARY) foldUnary[number] = f;

export { foldBinary, foldUnary };

/** By op number. */
const marked = (names: string[]): readonly boolean[] => OPS.map(({ name }) => names.includes(name));
/** x op 0 = x */
export const ZERO_RIGHT = marked(['i32.add', 'i32.sub', 'i32.or', 'i32.xor', 'i32.shl', 'i32.shr_s', 'i32.shr_u', 'i32.rotl', 'i32.rotr']);
export const COMMUTATIVE = marked([
  'i32.add',
  'i32.mul',
  'i32.and',
  'i32.or',
  'i32.xor',
  'i32.eq',
  'i32.ne',
  'i64.add',
  'i64.mul',
  'i64.and',
  'i64.or',
  'i64.xor',
]);
