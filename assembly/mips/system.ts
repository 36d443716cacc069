// Helpers that MIPS rows call; see Isa.helpers of translators/mips.
import { Layout } from '../shared/layout';

/** SYNCI: what the exit that follows reports as changed. */
export function mips_synci(address: i32, bytes: i32): void {
  store<i32>(Layout.EXIT_ARG0, address);
  store<i32>(Layout.EXIT_ARG1, bytes);
}

/** RDHWR CC: guest instructions completed, this one included, modulo 2³². The block ends with it. */
export function mips_cycles(): i32 {
  return <i32>load<i64>(Layout.RETIRED) - load<i32>(Layout.BUDGET);
}
