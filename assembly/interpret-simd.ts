// v128 µops.
import { Uop } from './shared/uop';

/** Runs the µop at `ip` and returns the address of the next. */
export function simd(number: i32, ip: usize): usize {
  if (number >= Uop.I8X16_BITMASK) return simdLanes(number, ip);
  const b = <usize>load<u16>(ip, 6);
  const x = load<v128>(load<u16>(ip, 4));
  const y = load<v128>(b);
  let r = x;
  switch (number) {
    case Uop.V128_AND:
      r = v128.and(x, y);
      break;
    case Uop.V128_ANDNOT:
      r = v128.andnot(x, y);
      break;
    case Uop.V128_OR:
      r = v128.or(x, y);
      break;
    case Uop.V128_XOR:
      r = v128.xor(x, y);
      break;
    case Uop.I8X16_ADD:
      r = i8x16.add(x, y);
      break;
    case Uop.I8X16_SUB:
      r = i8x16.sub(x, y);
      break;
    case Uop.I8X16_ADD_SAT_S:
      r = i8x16.add_sat_s(x, y);
      break;
    case Uop.I8X16_ADD_SAT_U:
      r = i8x16.add_sat_u(x, y);
      break;
    case Uop.I8X16_SUB_SAT_S:
      r = i8x16.sub_sat_s(x, y);
      break;
    case Uop.I8X16_SUB_SAT_U:
      r = i8x16.sub_sat_u(x, y);
      break;
    case Uop.I8X16_MIN_S:
      r = i8x16.min_s(x, y);
      break;
    case Uop.I8X16_MIN_U:
      r = i8x16.min_u(x, y);
      break;
    case Uop.I8X16_MAX_S:
      r = i8x16.max_s(x, y);
      break;
    case Uop.I8X16_MAX_U:
      r = i8x16.max_u(x, y);
      break;
    case Uop.I8X16_AVGR_U:
      r = i8x16.avgr_u(x, y);
      break;
    case Uop.I8X16_EQ:
      r = i8x16.eq(x, y);
      break;
    case Uop.I8X16_GT_S:
      r = i8x16.gt_s(x, y);
      break;
    case Uop.I8X16_SWIZZLE:
      r = i8x16.swizzle(x, y);
      break;
    case Uop.I8X16_NARROW_I16X8_S:
      r = i8x16.narrow_i16x8_s(x, y);
      break;
    case Uop.I8X16_NARROW_I16X8_U:
      r = i8x16.narrow_i16x8_u(x, y);
      break;
    case Uop.I16X8_ADD:
      r = i16x8.add(x, y);
      break;
    case Uop.I16X8_SUB:
      r = i16x8.sub(x, y);
      break;
    case Uop.I16X8_MUL:
      r = i16x8.mul(x, y);
      break;
    case Uop.I16X8_ADD_SAT_S:
      r = i16x8.add_sat_s(x, y);
      break;
    case Uop.I16X8_ADD_SAT_U:
      r = i16x8.add_sat_u(x, y);
      break;
    case Uop.I16X8_SUB_SAT_S:
      r = i16x8.sub_sat_s(x, y);
      break;
    case Uop.I16X8_SUB_SAT_U:
      r = i16x8.sub_sat_u(x, y);
      break;
    case Uop.I16X8_MIN_S:
      r = i16x8.min_s(x, y);
      break;
    case Uop.I16X8_MIN_U:
      r = i16x8.min_u(x, y);
      break;
    case Uop.I16X8_MAX_S:
      r = i16x8.max_s(x, y);
      break;
    case Uop.I16X8_MAX_U:
      r = i16x8.max_u(x, y);
      break;
    case Uop.I16X8_AVGR_U:
      r = i16x8.avgr_u(x, y);
      break;
    case Uop.I16X8_EQ:
      r = i16x8.eq(x, y);
      break;
    case Uop.I16X8_GT_S:
      r = i16x8.gt_s(x, y);
      break;
    case Uop.I16X8_NARROW_I32X4_S:
      r = i16x8.narrow_i32x4_s(x, y);
      break;
    case Uop.I16X8_NARROW_I32X4_U:
      r = i16x8.narrow_i32x4_u(x, y);
      break;
    case Uop.I16X8_EXTMUL_LOW_I8X16_S:
      r = i16x8.extmul_low_i8x16_s(x, y);
      break;
    case Uop.I16X8_EXTMUL_HIGH_I8X16_S:
      r = i16x8.extmul_high_i8x16_s(x, y);
      break;
    case Uop.I16X8_EXTMUL_LOW_I8X16_U:
      r = i16x8.extmul_low_i8x16_u(x, y);
      break;
    case Uop.I16X8_EXTMUL_HIGH_I8X16_U:
      r = i16x8.extmul_high_i8x16_u(x, y);
      break;
    case Uop.I16X8_Q15MULR_SAT_S:
      r = i16x8.q15mulr_sat_s(x, y);
      break;
    case Uop.I32X4_ADD:
      r = i32x4.add(x, y);
      break;
    case Uop.I32X4_SUB:
      r = i32x4.sub(x, y);
      break;
    case Uop.I32X4_MUL:
      r = i32x4.mul(x, y);
      break;
    case Uop.I32X4_MIN_S:
      r = i32x4.min_s(x, y);
      break;
    case Uop.I32X4_MIN_U:
      r = i32x4.min_u(x, y);
      break;
    case Uop.I32X4_MAX_S:
      r = i32x4.max_s(x, y);
      break;
    case Uop.I32X4_MAX_U:
      r = i32x4.max_u(x, y);
      break;
    case Uop.I32X4_EQ:
      r = i32x4.eq(x, y);
      break;
    case Uop.I32X4_GT_S:
      r = i32x4.gt_s(x, y);
      break;
    case Uop.I32X4_DOT_I16X8_S:
      r = i32x4.dot_i16x8_s(x, y);
      break;
    case Uop.I32X4_EXTMUL_LOW_I16X8_S:
      r = i32x4.extmul_low_i16x8_s(x, y);
      break;
    case Uop.I32X4_EXTMUL_HIGH_I16X8_S:
      r = i32x4.extmul_high_i16x8_s(x, y);
      break;
    case Uop.I32X4_EXTMUL_LOW_I16X8_U:
      r = i32x4.extmul_low_i16x8_u(x, y);
      break;
    case Uop.I32X4_EXTMUL_HIGH_I16X8_U:
      r = i32x4.extmul_high_i16x8_u(x, y);
      break;
    case Uop.I64X2_ADD:
      r = i64x2.add(x, y);
      break;
    case Uop.I64X2_SUB:
      r = i64x2.sub(x, y);
      break;
    case Uop.I64X2_MUL:
      r = i64x2.mul(x, y);
      break;
    case Uop.I64X2_EQ:
      r = i64x2.eq(x, y);
      break;
    case Uop.I64X2_EXTMUL_LOW_I32X4_S:
      r = i64x2.extmul_low_i32x4_s(x, y);
      break;
    case Uop.I64X2_EXTMUL_LOW_I32X4_U:
      r = i64x2.extmul_low_i32x4_u(x, y);
      break;
    case Uop.F32X4_ADD:
      r = f32x4.add(x, y);
      break;
    case Uop.F32X4_SUB:
      r = f32x4.sub(x, y);
      break;
    case Uop.F32X4_MUL:
      r = f32x4.mul(x, y);
      break;
    case Uop.F32X4_DIV:
      r = f32x4.div(x, y);
      break;
    case Uop.F32X4_MIN:
      r = f32x4.min(x, y);
      break;
    case Uop.F32X4_MAX:
      r = f32x4.max(x, y);
      break;
    case Uop.F32X4_PMIN:
      r = f32x4.pmin(x, y);
      break;
    case Uop.F32X4_PMAX:
      r = f32x4.pmax(x, y);
      break;
    case Uop.F32X4_EQ:
      r = f32x4.eq(x, y);
      break;
    case Uop.F32X4_NE:
      r = f32x4.ne(x, y);
      break;
    case Uop.F32X4_LT:
      r = f32x4.lt(x, y);
      break;
    case Uop.F32X4_LE:
      r = f32x4.le(x, y);
      break;
    case Uop.F64X2_ADD:
      r = f64x2.add(x, y);
      break;
    case Uop.F64X2_SUB:
      r = f64x2.sub(x, y);
      break;
    case Uop.F64X2_MUL:
      r = f64x2.mul(x, y);
      break;
    case Uop.F64X2_DIV:
      r = f64x2.div(x, y);
      break;
    case Uop.F64X2_MIN:
      r = f64x2.min(x, y);
      break;
    case Uop.F64X2_MAX:
      r = f64x2.max(x, y);
      break;
    case Uop.F64X2_PMIN:
      r = f64x2.pmin(x, y);
      break;
    case Uop.F64X2_PMAX:
      r = f64x2.pmax(x, y);
      break;
    case Uop.F64X2_EQ:
      r = f64x2.eq(x, y);
      break;
    case Uop.F64X2_NE:
      r = f64x2.ne(x, y);
      break;
    case Uop.F64X2_LT:
      r = f64x2.lt(x, y);
      break;
    case Uop.F64X2_LE:
      r = f64x2.le(x, y);
      break;
    case Uop.V128_NOT:
      r = v128.not(x);
      break;
    case Uop.I8X16_ABS:
      r = i8x16.abs(x);
      break;
    case Uop.I8X16_NEG:
      r = i8x16.neg(x);
      break;
    case Uop.I16X8_ABS:
      r = i16x8.abs(x);
      break;
    case Uop.I16X8_NEG:
      r = i16x8.neg(x);
      break;
    case Uop.I16X8_EXTEND_LOW_I8X16_S:
      r = i16x8.extend_low_i8x16_s(x);
      break;
    case Uop.I16X8_EXTEND_HIGH_I8X16_S:
      r = i16x8.extend_high_i8x16_s(x);
      break;
    case Uop.I16X8_EXTEND_LOW_I8X16_U:
      r = i16x8.extend_low_i8x16_u(x);
      break;
    case Uop.I16X8_EXTEND_HIGH_I8X16_U:
      r = i16x8.extend_high_i8x16_u(x);
      break;
    case Uop.I32X4_ABS:
      r = i32x4.abs(x);
      break;
    case Uop.I32X4_NEG:
      r = i32x4.neg(x);
      break;
    case Uop.I32X4_EXTEND_LOW_I16X8_S:
      r = i32x4.extend_low_i16x8_s(x);
      break;
    case Uop.I32X4_EXTEND_HIGH_I16X8_S:
      r = i32x4.extend_high_i16x8_s(x);
      break;
    case Uop.I32X4_EXTEND_LOW_I16X8_U:
      r = i32x4.extend_low_i16x8_u(x);
      break;
    case Uop.I32X4_EXTEND_HIGH_I16X8_U:
      r = i32x4.extend_high_i16x8_u(x);
      break;
    case Uop.I32X4_TRUNC_SAT_F32X4_S:
      r = i32x4.trunc_sat_f32x4_s(x);
      break;
    case Uop.I32X4_TRUNC_SAT_F64X2_S_ZERO:
      r = i32x4.trunc_sat_f64x2_s_zero(x);
      break;
    case Uop.F32X4_ABS:
      r = f32x4.abs(x);
      break;
    case Uop.F32X4_NEG:
      r = f32x4.neg(x);
      break;
    case Uop.F32X4_SQRT:
      r = f32x4.sqrt(x);
      break;
    case Uop.F32X4_NEAREST:
      r = f32x4.nearest(x);
      break;
    case Uop.F32X4_FLOOR:
      r = f32x4.floor(x);
      break;
    case Uop.F32X4_CEIL:
      r = f32x4.ceil(x);
      break;
    case Uop.F32X4_TRUNC:
      r = f32x4.trunc(x);
      break;
    case Uop.F32X4_CONVERT_I32X4_S:
      r = f32x4.convert_i32x4_s(x);
      break;
    case Uop.F32X4_DEMOTE_F64X2_ZERO:
      r = f32x4.demote_f64x2_zero(x);
      break;
    case Uop.F64X2_ABS:
      r = f64x2.abs(x);
      break;
    case Uop.F64X2_NEG:
      r = f64x2.neg(x);
      break;
    case Uop.F64X2_SQRT:
      r = f64x2.sqrt(x);
      break;
    case Uop.F64X2_NEAREST:
      r = f64x2.nearest(x);
      break;
    case Uop.F64X2_FLOOR:
      r = f64x2.floor(x);
      break;
    case Uop.F64X2_CEIL:
      r = f64x2.ceil(x);
      break;
    case Uop.F64X2_TRUNC:
      r = f64x2.trunc(x);
      break;
    case Uop.F64X2_CONVERT_LOW_I32X4_S:
      r = f64x2.convert_low_i32x4_s(x);
      break;
    case Uop.F64X2_PROMOTE_LOW_F32X4:
      r = f64x2.promote_low_f32x4(x);
      break;
    case Uop.I8X16_SHL:
      r = i8x16.shl(x, load<i32>(b));
      break;
    case Uop.I8X16_SHR_S:
      r = i8x16.shr_s(x, load<i32>(b));
      break;
    case Uop.I8X16_SHR_U:
      r = i8x16.shr_u(x, load<i32>(b));
      break;
    case Uop.I16X8_SHL:
      r = i16x8.shl(x, load<i32>(b));
      break;
    case Uop.I16X8_SHR_S:
      r = i16x8.shr_s(x, load<i32>(b));
      break;
    case Uop.I16X8_SHR_U:
      r = i16x8.shr_u(x, load<i32>(b));
      break;
    case Uop.I32X4_SHL:
      r = i32x4.shl(x, load<i32>(b));
      break;
    case Uop.I32X4_SHR_S:
      r = i32x4.shr_s(x, load<i32>(b));
      break;
    case Uop.I32X4_SHR_U:
      r = i32x4.shr_u(x, load<i32>(b));
      break;
    case Uop.I64X2_SHL:
      r = i64x2.shl(x, load<i32>(b));
      break;
    case Uop.I64X2_SHR_S:
      r = i64x2.shr_s(x, load<i32>(b));
      break;
    case Uop.I64X2_SHR_U:
      r = i64x2.shr_u(x, load<i32>(b));
      break;
    default:
      unreachable();
  }
  store<v128>(load<u16>(ip, 2), r);
  return ip + 8;
}

/** Those that have a scalar operand or result, or immediates. Slots lie in memory, so a lane is a place. */
function simdLanes(number: i32, ip: usize): usize {
  const d = <usize>load<u16>(ip, 2);
  const a = <usize>load<u16>(ip, 4);
  const b = <usize>load<u16>(ip, 6);
  const x = load<v128>(a);
  switch (number) {
    case Uop.I8X16_BITMASK:
      store<i32>(d, i8x16.bitmask(x));
      return ip + 8;
    case Uop.I16X8_BITMASK:
      store<i32>(d, i16x8.bitmask(x));
      return ip + 8;
    case Uop.I32X4_BITMASK:
      store<i32>(d, i32x4.bitmask(x));
      return ip + 8;
    case Uop.I64X2_BITMASK:
      store<i32>(d, i64x2.bitmask(x));
      return ip + 8;
    case Uop.V128_ANY_TRUE:
      store<i32>(d, i32(v128.any_true(x)));
      return ip + 8;
    case Uop.I8X16_SPLAT:
      store<v128>(d, i8x16.splat(load<i8>(a)));
      return ip + 8;
    case Uop.I16X8_SPLAT:
      store<v128>(d, i16x8.splat(load<i16>(a)));
      return ip + 8;
    case Uop.I32X4_SPLAT:
      store<v128>(d, i32x4.splat(load<i32>(a)));
      return ip + 8;
    case Uop.I64X2_SPLAT:
      store<v128>(d, i64x2.splat(load<i64>(a)));
      return ip + 8;
    case Uop.F32X4_SPLAT:
      store<v128>(d, f32x4.splat(load<f32>(a)));
      return ip + 8;
    case Uop.F64X2_SPLAT:
      store<v128>(d, f64x2.splat(load<f64>(a)));
      return ip + 8;
    case Uop.I8X16_EXTRACT_LANE_U:
      store<i32>(d, load<u8>(a + load<u32>(ip, 8)));
      return ip + 12;
    case Uop.I16X8_EXTRACT_LANE_U:
      store<i32>(d, load<u16>(a + (load<u32>(ip, 8) << 1)));
      return ip + 12;
    case Uop.I8X16_REPLACE_LANE: {
      const value = load<u8>(b);
      store<v128>(d, x);
      store<u8>(d + load<u32>(ip, 8), value);
      return ip + 12;
    }
    case Uop.I16X8_REPLACE_LANE: {
      const value = load<u16>(b);
      store<v128>(d, x);
      store<u16>(d + (load<u32>(ip, 8) << 1), value);
      return ip + 12;
    }
    case Uop.I32X4_REPLACE_LANE: {
      const value = load<i32>(b);
      store<v128>(d, x);
      store<i32>(d + (load<u32>(ip, 8) << 2), value);
      return ip + 12;
    }
    case Uop.I64X2_REPLACE_LANE: {
      const value = load<i64>(b);
      store<v128>(d, x);
      store<i64>(d + (load<u32>(ip, 8) << 3), value);
      return ip + 12;
    }
    case Uop.I8X16_SHUFFLE: {
      // swizzle gives 0 for indexes from 16 on, so each half picks its own lanes
      const lanes = load<v128>(ip, 8);
      const y = load<v128>(b);
      store<v128>(d, v128.or(i8x16.swizzle(x, lanes), i8x16.swizzle(y, i8x16.sub(lanes, i8x16.splat(16)))));
      return ip + 24;
    }
    default:
      unreachable();
  }
  return 0;
}
