import { FloatLimit } from '../shared/float-limit';

/** Four words of state: limits of single and double precision, then spans (FloatLimit); zeros where WebAssembly's results are not to be taken. */
export function storeLimits(place: usize, exact: bool): void {
  store<u32>(place, exact ? 0 : FloatLimit.LIMIT_S);
  store<u32>(place, exact ? 0 : FloatLimit.LIMIT_D, 4);
  store<u32>(place, exact ? 0 : FloatLimit.SPAN_S, 8);
  store<u32>(place, exact ? 0 : FloatLimit.SPAN_D, 12);
}
