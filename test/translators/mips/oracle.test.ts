import { describe, expect, test } from 'vitest';
import { mips, mipsel } from '../../../translators/mips/index.ts';
import { difference } from '../../oracle/mips/compare.ts';
import { runHere, WAYS } from '../../oracle/mips/execute.ts';
import { generateFloat } from '../../oracle/mips/float.ts';
import { generate } from '../../oracle/mips/generate.ts';
import { FPUS, type Fpu, type Record, runInQemu } from '../../oracle/mips/record.ts';

// By hand: MIPS_ORACLE_CASES=<cases of each row>, MIPS_ORACLE_SEED=<number or "new">.
const asked = process.env.MIPS_ORACLE_CASES;
const { MIPS_ORACLE_SEED } = process.env;
const seed = MIPS_ORACLE_SEED === 'new' ? (Date.now() & 0x7fffffff) | 1 : Number(MIPS_ORACLE_SEED ?? 20240);
const cases = (usual: number): number => (asked === undefined ? usual : Number(asked));

async function agree(isa: typeof mips, records: readonly Record[], fpu: Fpu, skip: (why: string) => void): Promise<void> {
  const there = runInQemu(isa.name as 'mips' | 'mipsel', records, fpu);
  if (typeof there === 'string') return skip(`not run: ${there}`);
  for (const way of WAYS) {
    // a module for each record takes its time: an eighth of them, unless more were asked for
    const chosen = records.map((_, k) => k).filter((k) => way.executor === 'interpret' || asked !== undefined || k % 8 === seed % 8);
    const here = await runHere(isa, records, chosen, fpu, way);
    const differences = chosen.map((k, i) => difference(records[k], here[i], there[k], fpu)).filter((d) => d !== undefined);
    expect(differences.slice(0, 20), `${way.name}, ${differences.length} of ${chosen.length} differ`).toEqual([]);
  }
}

describe.each([mips, mipsel])(`$name agrees with qemu-user, seed ${seed}`, (isa) => {
  describe.each(FPUS)('$name', (fpu) => {
    test('every instruction form, with edge values', { timeout: 300_000 }, ({ skip }) =>
      agree(isa, generate(cases(fpu.wide ? 4 : 24), seed, fpu.wide), fpu, skip),
    );
    test('floating-point arithmetic', { timeout: 300_000 }, ({ skip }) =>
      agree(isa, generateFloat(cases(24), 10 * cases(24), seed, fpu), fpu, skip),
    );
  });
});
