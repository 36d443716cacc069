import { Layout } from '../shared/layout';

/** RDTSC: guest instructions completed. The vCPU keeps RETIRED at what it will be when the budget is spent. */
export function x86_rdtsc(): u64 {
  return load<u64>(Layout.RETIRED) - <u64>load<u32>(Layout.BUDGET);
}
