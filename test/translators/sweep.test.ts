import { describe, expect, it } from 'vitest';
import { SWEEPS } from '../oracle/encodings/index.ts';

// By hand, more of them and with other seeds: node test/oracle/sweep.mjs.
const { WASMVISOR_FUZZ_SEED, WASMVISOR_FUZZ_RUNS } = process.env;
const seed = Number(WASMVISOR_FUZZ_SEED ?? 20261);
const count = Math.ceil(30_000 * Number(WASMVISOR_FUZZ_RUNS ?? 1));

/** Less than 0.8 of all. LLVM refuses prefixes that have no meaning, which a third of random x86 code has. */
const AGREE: Readonly<Record<string, number>> = { 'llvm-mc-x86': 0.65 };

describe(`encodings, random ones from seed ${seed}, and LLVM's`, () => {
  it.for(Object.keys(SWEEPS))('%s: agree, or differ for a known cause', { timeout: 300_000 }, (name, { skip }) => {
    const result = SWEEPS[name](count, seed);
    if ('missing' in result) return skip(result.missing);
    expect(result.failures).toEqual([]);
    expect(result.failed).toBe(0);
    expect(result.passed).toBeGreaterThan((AGREE[name] ?? 0.8) * result.cases);
  });
});
