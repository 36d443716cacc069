import { FloatLimit } from '../assembly/shared/float-limit.ts';
import type { Value } from '../src/ir/block.ts';
import type { Builder } from '../src/ir/builder.ts';
import { op } from '../src/ir/ops.ts';
import { magnitude } from './magnitude.ts';

// Whether an operation's result is exact, found from its operands. `wide`: f64s, else f32s.

export const all = (b: Builder, ...conditions: Value[]): Value => conditions.reduce((x, y) => b.and(x, y));

/** Neither infinite nor a NaN. */
export const isBounded = (b: Builder, wide: boolean, x: Value): Value =>
  b.ltU(magnitude(b, wide, x), b.i32(wide ? FloatLimit.LIMIT_D : FloatLimit.LIMIT_S));
const isBetween = (b: Builder, wide: boolean, x: Value, least: number, span: number): Value =>
  b.ltU(b.sub(magnitude(b, wide, x), b.i32(least)), b.i32(span));
export function isNormal(b: Builder, wide: boolean, x: Value): Value {
  const [least, limit] = wide ? [FloatLimit.LEAST_D, FloatLimit.LIMIT_D] : [FloatLimit.LEAST_S, FloatLimit.LIMIT_S];
  return isBetween(b, wide, x, least, limit - least);
}
/** Finite, and no less than FloatLimit.GRID. */
export const isOnGrid = (b: Builder, wide: boolean, x: Value): Value =>
  wide
    ? isBetween(b, wide, x, FloatLimit.GRID_D, FloatLimit.GRID_SPAN_D)
    : isBetween(b, wide, x, FloatLimit.GRID_S, FloatLimit.GRID_SPAN_S);

const named =
  (name: string) =>
  (b: Builder, wide: boolean, x: Value, y: Value): Value =>
    b.emit(wide ? D[name] : S[name], x, y);
const ops = (format: string): Readonly<Record<string, number>> =>
  Object.fromEntries(['add', 'sub', 'mul', 'eq'].map((name) => [name, op(`${format}.${name}`)]));
const S = ops('f32');
const D = ops('f64');
const [add, sub, mul, eq] = ['add', 'sub', 'mul', 'eq'].map(named);

/** x + y (or −) = sum, which is finite: what was rounded away is itself a number, which these steps find (Knuth, TAOCP 2, 4.2.2). */
export function sumsTo(b: Builder, wide: boolean, sum: Value, x: Value, y: Value, subtract: boolean): Value {
  const part = (): Value => sub(b, wide, sum, x);
  const lostX = sub(b, wide, x, sub(b, wide, sum, part()));
  const rest = subtract ? add(b, wide, y, part()) : sub(b, wide, part(), y);
  // x − (sum − part) = ±rest
  return eq(b, wide, lostX, rest);
}

const BITS_D = op('i64.reinterpret_f64');
const WRAP = op('i32.wrap_i64');
const CTZ_D = op('i64.ctz');
const ADD_L = op('i64.add');
const PROMOTE = op('f64.promote_f32');

/** Whether x y has no more bits than a double holds, by the zeros at their ends. False for some that have not. */
const productFits = (b: Builder, x: Value, y: Value): Value =>
  b.geU(b.emit(WRAP, b.emit(ADD_L, b.emit(CTZ_D, b.emit(BITS_D, x)), b.emit(CTZ_D, b.emit(BITS_D, y)))), b.i32(53));
/** x y = product, all of them normal; single-precision operands have an exact product in double precision. */
export function multipliesTo(b: Builder, wide: boolean, product: Value, x: Value, y: Value): Value {
  if (wide) return b.and(productFits(b, x, y), eq(b, wide, mul(b, wide, x, y), product));
  return eq(b, true, mul(b, true, b.emit(PROMOTE, x), b.emit(PROMOTE, y)), b.emit(PROMOTE, product));
}
