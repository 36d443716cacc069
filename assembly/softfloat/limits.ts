import { FloatLimit } from '../shared/float-limit';

/** Four words of state: limits of single and double precision, then spans (FloatLimit); zeros where WebAssembly's results are not to be taken. */
export function storeLimits(place: usize, exact: bool, spanS: i32, spanD: i32): void {
  store<i32>(place, exact ? 0 : FloatLimit.LIMIT_S);
  store<i32>(place, exact ? 0 : FloatLimit.LIMIT_D, 4);
  store<i32>(place, exact ? 0 : spanS, 8);
  store<i32>(place, exact ? 0 : spanD, 12);
}
