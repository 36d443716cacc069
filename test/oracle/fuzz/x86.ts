import { createRuntime } from '../../../src/backend/runtime.ts';
import * as compile from '../../../src/backend/wasm/compile.ts';
import { formRegion } from '../../../src/backend/wasm/region.ts';
import { Raised } from '../../../translators/x86/system/state.ts';
import { runtimeModule } from '../../support/runtime.ts';
import { encoding } from '../encodings/x86.ts';
import type { Executor, Outcome } from '../x86/case.ts';
import { differences, minimise, report } from '../x86/compare.ts';
import { generateFpu } from '../x86/fpu.ts';
import { comparableRows, decodeOne, generate } from '../x86/generate.ts';
import { nativeExecutor } from '../x86/native.ts';
import { type Random, random } from '../x86/random.ts';
import { generateSequence as generateFlags } from '../x86/sequence.ts';
import { generateSse } from '../x86/sse.ts';
import { vcpuExecutor } from '../x86/vcpu-executor.ts';
import type { Fuzzer, Round } from './index.ts';
import { type FuzzCase, fromEncoding, generateSequence } from './x86-sequence.ts';

const GROUPS = 'move arithmetic logic shift bit control stack string bcd misc system x87 mmx sse sse2'.split(' ');
const ROWS = comparableRows(undefined, new Set(GROUPS));
const SETS_FLAGS = new Set(['arithmetic', 'logic', 'shift', 'bit', 'bcd', 'string']);
const CASES = 4000;
/** A translated case is a module of its own: some of the cases. */
const TRANSLATED = 150;
const NOP = 0x90;

function one(rnd: Random, number: number): FuzzCase | undefined {
  const kind = rnd.below(10);
  if (kind < 5) return generateSequence(rnd);
  if (kind < 7) return fromEncoding(rnd, encoding(rnd.u32(), number));
  const row = rnd.pick(ROWS);
  if (row.group === 'x87') return generateFpu(rnd, row);
  if (/^(sse|mmx)/.test(row.group)) return generateSse(rnd, row);
  return kind === 7 && SETS_FLAGS.has(row.group) ? generateFlags(rnd, row) : generate(rnd, row);
}

type Generate = (rnd: Random, number: number) => FuzzCase | undefined;

function casesOf(rnd: Random, generate: Generate): FuzzCase[] {
  const cases: FuzzCase[] = [];
  for (let n = 0; cases.length < CASES; n++) {
    const c = generate(rnd, n);
    if (c) cases.push(c);
  }
  return cases;
}

const executor = (kind: 'interpret' | 'translate'): Promise<Executor> =>
  vcpuExecutor({
    executor: kind,
    createRuntime: (memory) => createRuntime(runtimeModule(), memory),
    loadCompiler: async () => ({ ...compile, formRegion }),
  });

/** Each case twice: its code is written anew, and so translated anew. */
const again = (translated: Executor): Executor => ({
  name: 'retranslate',
  run: (cases) => {
    translated.run(cases);
    return translated.run(cases);
  },
});

/** The case without those of its instructions that the difference does not need. */
function withoutInstructions(c: FuzzCase, first: string, processor: Executor, here: Executor): FuzzCase {
  const name = first.slice(0, first.indexOf(':'));
  const differs = (candidate: FuzzCase): boolean =>
    differences(processor.run([candidate])[0], here.run([candidate])[0], candidate).some((line) => line.startsWith(`${name}:`));
  let best = c;
  for (let at = 0; at < c.code.length; ) {
    const length = [...Array(16).keys()].slice(1).find((n) => decodeOne(c.code.subarray(at, at + n))) ?? c.code.length;
    const code = best.code.slice();
    code.fill(NOP, at, at + length);
    if (length < c.code.length && differs({ ...best, code })) best = { ...best, code };
    at += length;
  }
  return best;
}

/** Cases on the processor and here; or why there is no processor to ask. */
export async function x86Fuzzer(generate: Generate = one): Promise<Fuzzer | { readonly missing: string }> {
  const processor = nativeExecutor();
  if ('missing' in processor) return processor;
  const interpreter = await executor('interpret');
  return {
    oracle: 'the processor',
    round: async (seed): Promise<Round> => {
      const rnd = random(seed);
      const cases = casesOf(rnd, generate);
      const expected = processor.run(cases);
      // engines keep modules as long as the table lives that they import
      const translator = await executor('translate');
      const chosen = cases.map((_, n) => n).filter((n) => n % Math.ceil(CASES / TRANSLATED) === seed % Math.ceil(CASES / TRANSLATED));
      const runs: readonly [Executor, readonly number[]][] = [
        [interpreter, cases.map((_, n) => n)],
        [translator, chosen],
        [again(translator), chosen.slice(0, TRANSLATED / 3)],
      ];
      const counts: Record<string, number> = {};
      const found: string[] = [];
      for (const [here, numbers] of runs) {
        counts[here.name] = numbers.length;
        const actual = here.run(numbers.map((n) => cases[n]));
        numbers.forEach((n, k) => {
          const lines = lineOf(expected[n], actual[k], cases[n]);
          if (lines.length === 0 || found.length >= 10) return;
          const shorter = withoutInstructions(cases[n], lines[0], processor, here);
          const small = minimise(shorter, lines[0], processor, here, shorter);
          const last = lineOf(processor.run([small])[0], here.run([small])[0], small);
          found.push(last.length > 0 ? report(small, last, here.name) : report(cases[n], [...lines, 'only after other cases'], here.name));
        });
      }
      return { counts, differences: found };
    },
  };
}

/** Where the process that runs the cases has memory of its own: the program, the vDSO, the stack, and the code once more to write it. */
const isRunners = (address: number): boolean =>
  address >= 0xf7000000 || (address >= 0x08048000 && address < 0x09000000) || (address >= 0x2f000000 && address < 0x2f002000);

function lineOf(expected: Outcome, actual: Outcome, c: FuzzCase): string[] {
  // where a loop that does not end was stopped is chance
  if (expected.end.kind === 'endless' || actual.end.kind === 'endless') return [];
  if (actual.end.vector === 14 && isRunners(actual.end.address >>> 0)) return [];
  // POPF sets TF: single steps are made by who runs the program
  if (actual.end.kind === 'exception' && (actual.end.vector & Raised.KIND) === Raised.POPF) return [];
  // an access over the end of a segment with a base: segments have no limits here
  if (c.threadSegment && [12, 13].includes(expected.end.vector) && actual.end.vector === 14 && expected.eip === actual.eip) return [];
  return differences(expected, actual, c);
}
