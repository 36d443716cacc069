import { describe, expect, it } from 'vitest';
import { FUZZERS, fuzz } from '../oracle/fuzz/index.ts';

// By hand, for as long as wanted and with fresh seeds: node test/oracle/fuzz.mjs. A difference is reported with its seed.
const { WASMVISOR_FUZZ_SEED, WASMVISOR_FUZZ_RUNS } = process.env;
const seed = Number(WASMVISOR_FUZZ_SEED ?? 20261);
const seconds = 8 * Number(WASMVISOR_FUZZ_RUNS ?? 1);

describe(`random programs, from seed ${seed}`, () => {
  it.for(Object.keys(FUZZERS))(
    '%s: end as on the processor or under qemu-user',
    { timeout: seconds * 1000 + 300_000 },
    async (name, { skip }) => {
      const fuzzer = await FUZZERS[name]();
      if ('missing' in fuzzer) return skip(fuzzer.missing);
      const { counts, differences } = await fuzz(fuzzer, { seed, seconds, limit: 5 });
      expect(differences.map((d) => `seed ${d.seed}: ${d.report}`)).toEqual([]);
      expect(Math.min(...Object.values(counts))).toBeGreaterThan(20);
    },
  );
});
