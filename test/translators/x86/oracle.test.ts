import { describe, expect, it } from 'vitest';
import { createRuntime } from '../../../src/backend/runtime.ts';
import type { Row } from '../../../translators/x86/row.ts';
import { disagreements } from '../../oracle/x86/compare.ts';
import { comparableRows, type GeneratedCase, generate } from '../../oracle/x86/generate.ts';
import { nativeExecutor } from '../../oracle/x86/native.ts';
import { random } from '../../oracle/x86/random.ts';
import { vcpuExecutor } from '../../oracle/x86/vcpu-executor.ts';
import { runtimeModule } from '../../support/runtime.ts';

// By hand: ORACLE_SEED=n (or "new"), ORACLE_FILTER=<regular expression on encoding and text>, ORACLE_CASES=<cases a row>
const seed = process.env.ORACLE_SEED === 'new' ? Date.now() & 0x7fffffff : Number(process.env.ORACLE_SEED ?? 1);
const filter = process.env.ORACLE_FILTER ? new RegExp(process.env.ORACLE_FILTER, 'i') : undefined;
const perRow = Number(process.env.ORACLE_CASES ?? 60);

const GROUPS = ['move', 'arithmetic', 'logic', 'shift', 'bit', 'control', 'stack', 'string', 'bcd', 'misc', 'system'];

const processor = nativeExecutor();
const missing = 'missing' in processor ? processor.missing : '';

function casesOf(rows: readonly Row[]): GeneratedCase[] {
  const rnd = random(seed);
  const cases: GeneratedCase[] = [];
  for (const r of rows) {
    for (let made = 0, tries = 0; made < perRow * r.opcodes && tries < perRow * 50; tries++) {
      const c = generate(rnd, r);
      if (!c) continue;
      cases.push(c);
      made++;
    }
  }
  return cases;
}

describe.skipIf(missing !== '')(`x86 instructions on this processor and interpreted, seed ${seed}${missing && `: ${missing}`}`, () => {
  for (const name of GROUPS) {
    const rows = comparableRows(filter, new Set([name]));
    it.skipIf(rows.length === 0)(
      `${name}: ${rows.length} rows`,
      async () => {
        if ('missing' in processor) return;
        const executor = await vcpuExecutor({
          executor: 'interpret',
          createRuntime: (memory) => createRuntime(runtimeModule(), memory),
        });
        const cases = casesOf(rows);
        const reports = disagreements(
          cases,
          processor,
          executor,
          (c) => c,
          (c) => c.row,
        );
        if (reports.length > 0) expect.fail(`seed ${seed}\n${reports.join('\n')}`);
        expect(cases.length).toBeGreaterThan(rows.length * 10);
      },
      30_000,
    );
  }
});
