import type { Parameters } from 'fast-check';

const { WASMVISOR_FUZZ_SEED, WASMVISOR_FUZZ_RUNS: runs, CI } = process.env;

/** What fast-check begins with: WASMVISOR_FUZZ_SEED, in CI always the same, so that no run fails that another passes, else anything. */
export const SEED: { readonly seed?: number } = WASMVISOR_FUZZ_SEED || CI ? { seed: Number(WASMVISOR_FUZZ_SEED || 1) } : {};

/**
 * How often a property of fast-check is tried, with WASMVISOR_FUZZ_RUNS in the environment so many times more, and its seed, which a failure prints.
 */
export function fuzz(numRuns: number): Parameters<unknown> {
  return {
    numRuns: Math.ceil(numRuns * Number(runs ?? 1)),
    ...SEED,
    ...(runs === undefined && { interruptAfterTimeLimit: 6_000, markInterruptAsFailure: false }),
  };
}
