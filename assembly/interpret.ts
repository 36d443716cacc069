// The µop interpreter.
import { enter } from './arrive';
import { callFor } from './interpret-calls';
import { CodeMode, Layout, TlbBit } from './shared/layout';
import { BlockHeader, Uop } from './shared/uop';
import { Step, steps } from './steps';

/**
 * Runs a block and those that it leads to, until something other than a block is next: then true, with that pc in
 * the header, or guest code was left: false. `counts`: arriving at the first block counts as heat. `once`: only this block;
 * then false with ExitKind.None.
 */
export function interpret(first: u32, counts: bool, once: bool): bool {
  const limit = load<u32>(Layout.TOP) - Layout.FLOOR;
  const threshold = load<i32>(Layout.HOT_THRESHOLD);
  const privilege = PAGED ? (load<u32>(Layout.MODE) & CodeMode.User) << 1 : 0;
  const read: u32 = TlbBit.KernelRead << privilege;
  const write: u32 = TlbBit.KernelWrite << privilege;
  if (!enter(first, counts, threshold)) return false;
  let ip: usize = steps(first + BlockHeader.SIZE, limit, threshold, read, write, once);
  while (<i32>ip > Step.ELSEWHERE) {
    ip = callFor(ip, limit);
    if (ip && <i32>load<u16>(ip) < Uop.SCALAR) ip = steps(ip, limit, threshold, read, write, once);
  }
  return <i32>ip === Step.ELSEWHERE;
}
