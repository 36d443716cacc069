import { createRuntime } from '../../../src/backend/runtime.ts';
import * as compile from '../../../src/backend/wasm/compile.ts';
import type { Row } from '../../../translators/x86/row.ts';
import { runtimeModule } from '../../support/runtime.ts';
import type { Executor } from './case.ts';
import { type Comparison, disagreements } from './compare.ts';
import { comparableRows, type GeneratedCase } from './generate.ts';
import { nativeExecutor } from './native.ts';
import { type Random, random } from './random.ts';
import { vcpuExecutor } from './vcpu-executor.ts';

// By hand: ORACLE_SEED=<number or "new">, ORACLE_FILTER=<regular expression on a row's encoding and text>,
// ORACLE_CASES=<cases of each opcode of a row>.
export const seed = process.env.ORACLE_SEED === 'new' ? Date.now() & 0x7fffffff : Number(process.env.ORACLE_SEED ?? 1);
const filter = process.env.ORACLE_FILTER ? new RegExp(process.env.ORACLE_FILTER, 'i') : undefined;
const casesAsked = process.env.ORACLE_CASES ? Number(process.env.ORACLE_CASES) : undefined;

const found = nativeExecutor();
/** Why the processor cannot be asked, or ''. */
export const missing = 'missing' in found ? found.missing : '';
export const processor: Executor | undefined = 'missing' in found ? undefined : found;

export function executorOf(executor: 'interpret' | 'translate'): Promise<Executor> {
  return vcpuExecutor({
    executor,
    createRuntime: (memory) => createRuntime(runtimeModule(), memory),
    loadCompiler: async () => compile,
  });
}

export const rowsOf = (...groups: readonly string[]): readonly Row[] => comparableRows(filter, new Set(groups));

/** `count` cases of each opcode of each row (fewer where few of those tried can be compared). */
export function casesOf<C extends GeneratedCase>(
  rows: readonly Row[],
  make: (rnd: Random, r: Row) => C | undefined,
  count: number,
): readonly C[] {
  const rnd = random(seed);
  const cases: C[] = [];
  const wanted = casesAsked ?? count;
  for (const r of rows) {
    for (let made = 0, tries = 0; made < wanted * r.opcodes && tries < wanted * r.opcodes * 20; tries++) {
      const c = make(rnd, r);
      if (!c) continue;
      cases.push(c);
      made++;
    }
  }
  return cases;
}

/** Throws with what is different, if anything is. */
export function agree(cases: readonly (GeneratedCase & Comparison)[], executor: Executor): void {
  if (!processor) throw new Error(missing);
  if (cases.length === 0) throw new Error('there are no cases');
  const reports = disagreements(
    cases,
    processor,
    executor,
    (c) => c,
    (c) => c.row,
  );
  if (reports.length > 0) throw new Error(`${reports.length} kinds of difference, seed ${seed}\n${reports.join('\n')}`);
}
