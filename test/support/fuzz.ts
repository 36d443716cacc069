import type { Parameters } from 'fast-check';

const { WASMVISOR_FUZZ_SEED: seed, WASMVISOR_FUZZ_RUNS: runs } = process.env;

/**
 * How often a property of fast-check is tried: with WASMVISOR_FUZZ_RUNS in the environment so many times more, and from
 * WASMVISOR_FUZZ_SEED on if that is set. A failure prints its seed.
 */
export function fuzz(numRuns: number): Parameters<unknown> {
  return {
    numRuns: Math.ceil(numRuns * Number(runs ?? 1)),
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(runs === undefined && { interruptAfterTimeLimit: 6_000, markInterruptAsFailure: false }),
  };
}
