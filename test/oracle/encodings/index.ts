import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { llvmSuite } from '../../suites/llvm.ts';
import { nativeExecutor } from '../x86/native.ts';
import { type SuiteResult, sweep } from './compare.ts';
import { llvmMcSweep } from './llvm-mc.ts';
import { mipsSweep } from './mips.ts';
import { processorSweep } from './processor.ts';
import { x86Sweep } from './x86.ts';

/** By name, random encodings and LLVM's. Each gives its result, or says why it cannot run. */
export const SWEEPS: Readonly<Record<string, (count: number, seed: number) => SuiteResult | { readonly missing: string }>> = {
  x86: (count, seed) => run(x86Sweep(seed), count),
  'x86-16': (count, seed) => run(x86Sweep(seed, 16), count),
  mips: (count, seed) => run(mipsSweep('mips', seed), count),
  mipsel: (count, seed) => run(mipsSweep('mipsel', seed), count),
  'llvm-x86': () => llvmSuite('x86'),
  'llvm-mips': () => llvmSuite('mips'),
  'llvm-mipsel': () => llvmSuite('mipsel'),
  'llvm-mc-x86': (count, seed) => llvmMcSweep('x86', seed, count),
  'llvm-mc-mips': (count, seed) => llvmMcSweep('mips', seed, count),
  'llvm-mc-mipsel': (count, seed) => llvmMcSweep('mipsel', seed, count),
  /** Of all encodings, about `count`. */
  processor: (count, seed) => {
    const processor = nativeExecutor();
    const step = Math.max(1, Math.round(524288 / count) | 1);
    return 'missing' in processor ? processor : processorSweep(processor, step, seed % step);
  },
};

function run(s: ReturnType<typeof x86Sweep>, count: number): SuiteResult | { readonly missing: string } {
  return 'missing' in s ? s : sweep(s, 0, count);
}

/** The command: gives the exit code. */
export function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: { isa: { type: 'string' }, count: { type: 'string' }, seed: { type: 'string' }, json: { type: 'string' } },
  });
  const names = values.isa?.split(',') ?? Object.keys(SWEEPS);
  const count = Number(values.count ?? 1_000_000);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const results: SuiteResult[] = [];
  let failed = 0;
  for (const name of names) {
    const result = SWEEPS[name]?.(count, seed) ?? { missing: `there is no sweep ${name}: choose from ${Object.keys(SWEEPS).join(', ')}` };
    if ('missing' in result) {
      console.error(`${name}: not run: ${result.missing}`);
      failed++;
      continue;
    }
    failed += result.failed;
    results.push(result);
    const seeded = /^llvm-(?!mc)/.test(name) ? '' : `, seed ${seed}`;
    console.log(`${name}${seeded}, against ${result.tool}: ${result.passed} of ${result.cases} agree, ${result.failed} differ`);
    for (const { reason, count: n } of result.skipped) console.log(`  ${String(n).padStart(7)} explained: ${reason}`);
    for (const failure of result.failures) console.log(`  ${failure}`);
  }
  // as `wasmvisor conformance --suites` reads it
  const suites = results.map((result) => ({ ...result, executor: 'decoded' }));
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ suites }, null, 2)}\n`);
  return failed ? 1 : 0;
}
