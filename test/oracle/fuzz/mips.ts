import { mips, mipsel } from '../../../translators/mips/index.ts';
import { difference } from '../mips/compare.ts';
import { runHere, WAYS } from '../mips/execute.ts';
import { generateFloat } from '../mips/float.ts';
import { generate } from '../mips/generate.ts';
import { FPUS, type Record, runInQemu } from '../mips/record.ts';
import type { Fuzzer, Round } from './index.ts';
import { generateSequences } from './mips-sequence.ts';

const SEQUENCES = 400;
const TRANSLATED_EACH = 25;

/** Records on qemu-user and here; or why there is no qemu-user. */
export function mipsFuzzer(name: 'mips' | 'mipsel'): Fuzzer | { readonly missing: string } {
  const isa = name === 'mips' ? mips : mipsel;
  const there = runInQemu(name, [], FPUS[0]);
  if (typeof there === 'string') return { missing: there };
  return {
    oracle: `qemu-${name}`,
    round: async (seed): Promise<Round> => {
      const fpu = FPUS[seed % FPUS.length];
      // the generators' random numbers start from any number but zero
      const first = (Math.imul(seed + 1, 0x9e3779b1) | 1) >>> 0;
      const records: Record[] = [...generate(3, first, fpu.wide), ...generateFloat(2, 60, first, fpu)];
      records.push(...generateSequences(first, SEQUENCES, fpu.wide, records.length));
      const expected = runInQemu(name, records, fpu);
      if (typeof expected === 'string') throw new Error(expected);
      const counts: { [way: string]: number } = {};
      const differences: string[] = [];
      for (const [n, way] of WAYS.entries()) {
        const all = records.map((_, k) => k);
        const chosen = way.executor === 'interpret' ? all : all.filter((k) => k % TRANSLATED_EACH === (seed + n) % TRANSLATED_EACH);
        counts[way.name] = chosen.length;
        const here = await runHere(isa, records, chosen, fpu, way);
        chosen.forEach((k, i) => {
          const found = difference(records[k], here[i], expected[k], fpu);
          if (found !== undefined && differences.length < 10) differences.push(`${fpu.name}, ${way.name}: ${found}`);
        });
      }
      return { counts, differences };
    },
  };
}
