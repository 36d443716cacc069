// i64 and floating-point µops: number d a b.
import { Uop } from './shared/uop';

/** Runs the µop at `ip` and returns the address of the next. */
export function scalar(number: i32, ip: usize): usize {
  const d = <usize>load<u16>(ip, 2);
  const a = <usize>load<u16>(ip, 4);
  const b = <usize>load<u16>(ip, 6);
  switch (number) {
    case Uop.I64_ADD:
      store<i64>(d, load<i64>(a) + load<i64>(b));
      break;
    case Uop.I64_SUB:
      store<i64>(d, load<i64>(a) - load<i64>(b));
      break;
    case Uop.I64_MUL:
      store<i64>(d, load<i64>(a) * load<i64>(b));
      break;
    case Uop.I64_DIV_S:
      store<i64>(d, load<i64>(a) / load<i64>(b));
      break;
    case Uop.I64_DIV_U:
      store<u64>(d, load<u64>(a) / load<u64>(b));
      break;
    case Uop.I64_REM_S:
      store<i64>(d, load<i64>(a) % load<i64>(b));
      break;
    case Uop.I64_REM_U:
      store<u64>(d, load<u64>(a) % load<u64>(b));
      break;
    case Uop.I64_AND:
      store<i64>(d, load<i64>(a) & load<i64>(b));
      break;
    case Uop.I64_OR:
      store<i64>(d, load<i64>(a) | load<i64>(b));
      break;
    case Uop.I64_XOR:
      store<i64>(d, load<i64>(a) ^ load<i64>(b));
      break;
    case Uop.I64_SHL:
      store<i64>(d, load<i64>(a) << load<i64>(b));
      break;
    case Uop.I64_SHR_S:
      store<i64>(d, load<i64>(a) >> load<i64>(b));
      break;
    case Uop.I64_SHR_U:
      store<u64>(d, load<u64>(a) >> load<u64>(b));
      break;
    case Uop.I64_ROTL:
      store<i64>(d, rotl<i64>(load<i64>(a), load<i64>(b)));
      break;
    case Uop.I64_ROTR:
      store<i64>(d, rotr<i64>(load<i64>(a), load<i64>(b)));
      break;
    case Uop.I64_EQ:
      store<i32>(d, i32(load<i64>(a) === load<i64>(b)));
      break;
    case Uop.I64_NE:
      store<i32>(d, i32(load<i64>(a) !== load<i64>(b)));
      break;
    case Uop.I64_LT_S:
      store<i32>(d, i32(load<i64>(a) < load<i64>(b)));
      break;
    case Uop.I64_LT_U:
      store<i32>(d, i32(load<u64>(a) < load<u64>(b)));
      break;
    case Uop.I64_LE_S:
      store<i32>(d, i32(load<i64>(a) <= load<i64>(b)));
      break;
    case Uop.I64_LE_U:
      store<i32>(d, i32(load<u64>(a) <= load<u64>(b)));
      break;
    case Uop.I64_CLZ:
      store<i64>(d, clz<i64>(load<i64>(a)));
      break;
    case Uop.I64_CTZ:
      store<i64>(d, ctz<i64>(load<i64>(a)));
      break;
    case Uop.I64_POPCNT:
      store<i64>(d, popcnt<i64>(load<i64>(a)));
      break;
    case Uop.I64_EXTEND8_S:
      store<i64>(d, i64(load<i8>(a)));
      break;
    case Uop.I64_EXTEND16_S:
      store<i64>(d, i64(load<i16>(a)));
      break;
    case Uop.I64_EQZ:
      store<i32>(d, i32(load<i64>(a) === 0));
      break;
    case Uop.I64_EXTEND_I32_S:
      store<i64>(d, i64(load<i32>(a)));
      break;
    case Uop.I64_EXTEND_I32_U:
      store<u64>(d, u64(load<u32>(a)));
      break;
    case Uop.F32_ADD:
      store<f32>(d, load<f32>(a) + load<f32>(b));
      break;
    case Uop.F32_SUB:
      store<f32>(d, load<f32>(a) - load<f32>(b));
      break;
    case Uop.F32_MUL:
      store<f32>(d, load<f32>(a) * load<f32>(b));
      break;
    case Uop.F32_DIV:
      store<f32>(d, load<f32>(a) / load<f32>(b));
      break;
    case Uop.F32_MIN:
      store<f32>(d, min<f32>(load<f32>(a), load<f32>(b)));
      break;
    case Uop.F32_MAX:
      store<f32>(d, max<f32>(load<f32>(a), load<f32>(b)));
      break;
    case Uop.F32_COPYSIGN:
      store<f32>(d, copysign<f32>(load<f32>(a), load<f32>(b)));
      break;
    case Uop.F32_SQRT:
      store<f32>(d, sqrt<f32>(load<f32>(a)));
      break;
    case Uop.F32_ABS:
      store<f32>(d, abs<f32>(load<f32>(a)));
      break;
    case Uop.F32_NEG:
      store<f32>(d, -load<f32>(a));
      break;
    case Uop.F32_CEIL:
      store<f32>(d, ceil<f32>(load<f32>(a)));
      break;
    case Uop.F32_FLOOR:
      store<f32>(d, floor<f32>(load<f32>(a)));
      break;
    case Uop.F32_TRUNC:
      store<f32>(d, trunc<f32>(load<f32>(a)));
      break;
    case Uop.F32_NEAREST:
      store<f32>(d, nearest<f32>(load<f32>(a)));
      break;
    case Uop.F32_EQ:
      store<i32>(d, i32(load<f32>(a) === load<f32>(b)));
      break;
    case Uop.F32_NE:
      store<i32>(d, i32(load<f32>(a) !== load<f32>(b)));
      break;
    case Uop.F32_LT:
      store<i32>(d, i32(load<f32>(a) < load<f32>(b)));
      break;
    case Uop.F32_LE:
      store<i32>(d, i32(load<f32>(a) <= load<f32>(b)));
      break;
    case Uop.F64_ADD:
      store<f64>(d, load<f64>(a) + load<f64>(b));
      break;
    case Uop.F64_SUB:
      store<f64>(d, load<f64>(a) - load<f64>(b));
      break;
    case Uop.F64_MUL:
      store<f64>(d, load<f64>(a) * load<f64>(b));
      break;
    case Uop.F64_DIV:
      store<f64>(d, load<f64>(a) / load<f64>(b));
      break;
    case Uop.F64_MIN:
      store<f64>(d, min<f64>(load<f64>(a), load<f64>(b)));
      break;
    case Uop.F64_MAX:
      store<f64>(d, max<f64>(load<f64>(a), load<f64>(b)));
      break;
    case Uop.F64_COPYSIGN:
      store<f64>(d, copysign<f64>(load<f64>(a), load<f64>(b)));
      break;
    case Uop.F64_SQRT:
      store<f64>(d, sqrt<f64>(load<f64>(a)));
      break;
    case Uop.F64_ABS:
      store<f64>(d, abs<f64>(load<f64>(a)));
      break;
    case Uop.F64_NEG:
      store<f64>(d, -load<f64>(a));
      break;
    case Uop.F64_CEIL:
      store<f64>(d, ceil<f64>(load<f64>(a)));
      break;
    case Uop.F64_FLOOR:
      store<f64>(d, floor<f64>(load<f64>(a)));
      break;
    case Uop.F64_TRUNC:
      store<f64>(d, trunc<f64>(load<f64>(a)));
      break;
    case Uop.F64_NEAREST:
      store<f64>(d, nearest<f64>(load<f64>(a)));
      break;
    case Uop.F64_EQ:
      store<i32>(d, i32(load<f64>(a) === load<f64>(b)));
      break;
    case Uop.F64_NE:
      store<i32>(d, i32(load<f64>(a) !== load<f64>(b)));
      break;
    case Uop.F64_LT:
      store<i32>(d, i32(load<f64>(a) < load<f64>(b)));
      break;
    case Uop.F64_LE:
      store<i32>(d, i32(load<f64>(a) <= load<f64>(b)));
      break;
    case Uop.F32_CONVERT_I32_S:
      store<f32>(d, f32(load<i32>(a)));
      break;
    case Uop.F32_CONVERT_I32_U:
      store<f32>(d, f32(load<u32>(a)));
      break;
    case Uop.F32_CONVERT_I64_S:
      store<f32>(d, f32(load<i64>(a)));
      break;
    case Uop.F64_CONVERT_I32_S:
      store<f64>(d, f64(load<i32>(a)));
      break;
    case Uop.F64_CONVERT_I32_U:
      store<f64>(d, f64(load<u32>(a)));
      break;
    case Uop.F64_CONVERT_I64_S:
      store<f64>(d, f64(load<i64>(a)));
      break;
    case Uop.F32_DEMOTE_F64:
      store<f32>(d, f32(load<f64>(a)));
      break;
    case Uop.F64_PROMOTE_F32:
      store<f64>(d, f64(load<f32>(a)));
      break;
    case Uop.I32_TRUNC_SAT_F32_S:
      store<i32>(d, i32(load<f32>(a)));
      break;
    case Uop.I32_TRUNC_SAT_F64_S:
      store<i32>(d, i32(load<f64>(a)));
      break;
    case Uop.I64_TRUNC_SAT_F32_S:
      store<i64>(d, i64(load<f32>(a)));
      break;
    case Uop.I64_TRUNC_SAT_F64_S:
      store<i64>(d, i64(load<f64>(a)));
      break;
    default:
      unreachable();
  }
  return ip + 8;
}
