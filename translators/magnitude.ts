import { FloatLimit } from '../assembly/shared/float-limit.ts';
import type { Value } from '../src/ir/block.ts';
import type { Builder } from '../src/ir/builder.ts';
import { op } from '../src/ir/ops.ts';

const BITS_S = op('i32.reinterpret_f32');
const BITS_D = op('i64.reinterpret_f64');
const SHR_D = op('i64.shr_u');
const WRAP = op('i32.wrap_i64');

/** The high word of a number without its sign, shifted left by one: it tells what kind of number it is. `wide`: an f64, else an f32. */
export function magnitude(b: Builder, wide: boolean, number: Value): Value {
  const high = wide ? b.emit(WRAP, b.emit(SHR_D, b.emit(BITS_D, number), b.i64(32, 0))) : b.emit(BITS_S, number);
  return b.shl(high, b.i32(1));
}
/** The magnitude, counted from that of the least number that was certainly normal before it was rounded. */
export const aboveLeast = (b: Builder, wide: boolean, number: Value): Value =>
  b.sub(magnitude(b, wide, number), b.i32(wide ? FloatLimit.ABOVE_LEAST_D : FloatLimit.ABOVE_LEAST_S));

/** The same, counted from FloatLimit.GRID. */
export const aboveGrid = (b: Builder, wide: boolean, number: Value): Value =>
  b.sub(magnitude(b, wide, number), b.i32(wide ? FloatLimit.GRID_D : FloatLimit.GRID_S));

const SHL_D = op('i64.shl');
const SUB_D = op('i64.sub');
const LT_D = op('i64.lt_u');
/** Whether a number is not zero, but less than FloatLimit.GRID: of zero, one less than its magnitude is the greatest number of all. */
export function isBelowGrid(b: Builder, wide: boolean, x: Value): Value {
  if (!wide) return b.ltU(b.sub(magnitude(b, wide, x), b.i32(1)), b.i32(FloatLimit.GRID_S - 1));
  const doubled = b.emit(SHL_D, b.emit(BITS_D, x), b.i64(1, 0));
  return b.emit(LT_D, b.emit(SUB_D, doubled, b.i64(1, 0)), b.i64(-1, FloatLimit.GRID_D - 1));
}

const EQ_S = op('f32.eq');
const EQ_D = op('f64.eq');
export const isZero = (b: Builder, wide: boolean, x: Value): Value => b.emit(wide ? EQ_D : EQ_S, x, wide ? b.f64Bits(0, 0) : b.f32Bits(0));
/** x y = 0 though nothing became too small. */
export const isZeroProduct = (b: Builder, wide: boolean, product: Value, x: Value, y: Value): Value =>
  b.and(isZero(b, wide, product), b.or(isZero(b, wide, x), isZero(b, wide, y)));
export const isZeroQuotient = (b: Builder, wide: boolean, quotient: Value, x: Value): Value =>
  b.and(isZero(b, wide, quotient), isZero(b, wide, x));
