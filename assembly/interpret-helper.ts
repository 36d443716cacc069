// Calls of helpers: number d a b c 0 table-index32. The switch is over parameters * 3 + result.
import { Layout } from './shared/layout';
import { Uop } from './shared/uop';

/** Runs the µop at `ip` and returns the address of the next. */
export function helper(number: i32, ip: usize): usize {
  const d = <usize>load<u16>(ip, 2);
  const a = <usize>load<u16>(ip, 4);
  const b = <usize>load<u16>(ip, 6);
  const c = <usize>load<u16>(ip, 8);
  const f = load<u32>(ip, 12);
  switch (number - Uop.HELPER) {
    case 0:
      call_indirect<void>(f);
      break;
    case 1:
      store<i32>(d, call_indirect<i32>(f));
      break;
    case 2:
      store<i64>(d, call_indirect<i64>(f));
      break;
    case 3:
      call_indirect<void>(f, load<i32>(a));
      break;
    case 4:
      store<i32>(d, call_indirect<i32>(f, load<i32>(a)));
      break;
    case 5:
      store<i64>(d, call_indirect<i64>(f, load<i32>(a)));
      break;
    case 6:
      call_indirect<void>(f, load<i32>(a), load<i32>(b));
      break;
    case 7:
      store<i32>(d, call_indirect<i32>(f, load<i32>(a), load<i32>(b)));
      break;
    case 8:
      store<i64>(d, call_indirect<i64>(f, load<i32>(a), load<i32>(b)));
      break;
    case 9:
      call_indirect<void>(f, load<i32>(a), load<i32>(b), load<i32>(c));
      break;
    case 10:
      store<i32>(d, call_indirect<i32>(f, load<i32>(a), load<i32>(b), load<i32>(c)));
      break;
    case 11:
      store<i64>(d, call_indirect<i64>(f, load<i32>(a), load<i32>(b), load<i32>(c)));
      break;
    case 12:
      call_indirect<void>(f, load<i64>(a));
      break;
    case 13:
      store<i32>(d, call_indirect<i32>(f, load<i64>(a)));
      break;
    case 14:
      store<i64>(d, call_indirect<i64>(f, load<i64>(a)));
      break;
    case 15:
      call_indirect<void>(f, load<i64>(a), load<i32>(b));
      break;
    case 16:
      store<i32>(d, call_indirect<i32>(f, load<i64>(a), load<i32>(b)));
      break;
    case 17:
      store<i64>(d, call_indirect<i64>(f, load<i64>(a), load<i32>(b)));
      break;
    case 18:
      call_indirect<void>(f, load<i64>(a), load<i32>(b), load<i32>(c));
      break;
    case 19:
      store<i32>(d, call_indirect<i32>(f, load<i64>(a), load<i32>(b), load<i32>(c)));
      break;
    case 20:
      store<i64>(d, call_indirect<i64>(f, load<i64>(a), load<i32>(b), load<i32>(c)));
      break;
    case Uop.HELPER_IF - Uop.HELPER: {
      const condition = load<i32>(a);
      if (condition == 0) store<i32>(d, 0);
      else {
        v128.store(Layout.VECTOR_A, v128.load(b));
        v128.store(Layout.VECTOR_B, v128.load(c));
        store<i32>(d, call_indirect<i32>(f, condition));
      }
      break;
    }
    default:
      unreachable();
  }
  return ip + 16;
}
