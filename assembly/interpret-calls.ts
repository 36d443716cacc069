// The µops that are done by calling a function.
import { unchanged } from './arrive';
import { helper } from './interpret-helper';
import { memory, pagedMemory } from './interpret-memory';
import { slowAccess } from './interpret-paged';
import { scalar } from './interpret-scalar';
import { simd } from './interpret-simd';
import { leave, refund } from './leave';
import { ExitKind } from './shared/exit';
import { Layout } from './shared/layout';
import { BlockHeader, Uop } from './shared/uop';

/** Runs the µop at `ip` and returns the address of the next, or 0 if it left. `limit`: bytes in the window. */
export function callFor(ip: usize, limit: u32): usize {
  const number = <i32>load<u16>(ip);
  if (number >= Uop.SIMD) return simd(number, ip);
  if (number >= Uop.HELPER) return helper(number, ip);
  if (number >= Uop.MEMORY) return PAGED ? pagedMemory(number, ip) : memory(number, ip, limit);
  if (number >= Uop.SCALAR) return scalar(number, ip);
  switch (number) {
    case Uop.SLOW32:
      if (!slowPath(ip)) return 0;
      store<i32>(load<u16>(ip, 2), load<i32>(Layout.SLOW_RESULT));
      return ip + 20;
    case Uop.SLOW64:
      if (!slowPath(ip)) return 0;
      store<i64>(load<u16>(ip, 2), load<i64>(Layout.SLOW_RESULT));
      return ip + 20;
    case Uop.SLOW128:
      if (!slowPath(ip)) return 0;
      v128.store(load<u16>(ip, 2), v128.load(Layout.SLOW_RESULT));
      return ip + 20;
    case Uop.VERIFY: {
      if (unchanged(ip)) return ip + 4 + ((load<u16>(ip, 2) + 3) & ~3);
      const stale = load<u32>(Layout.CURRENT_BLOCK);
      refund(load<u32>(stale, BlockHeader.INSTRUCTIONS));
      leave(ExitKind.Stale, load<u32>(stale, BlockHeader.PC));
      return 0;
    }
    default:
      if (!PAGED) unreachable();
      return slowAccess(number, ip);
  }
}

/** Calls the slow path of the µop at `ip`; leaves with the exception that it has found: false. */
function slowPath(ip: usize): bool {
  if (call_indirect<i32>(load<u32>(ip, 8)) == 0) return true;
  refund(load<u32>(ip, 12));
  return leave(ExitKind.Exception, load<u32>(ip, 16));
}
