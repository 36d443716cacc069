import { parseArgs } from 'node:util';
import { mipsFuzzer } from './mips.ts';
import { x86Fuzzer } from './x86.ts';
import { edgeCase } from './x86-edges.ts';

/** What one seed gave: how many cases each executor ran, and a report of each difference. */
export interface Round {
  readonly counts: Readonly<Record<string, number>>;
  readonly differences: readonly string[];
}

export interface Fuzzer {
  readonly oracle: string;
  round(seed: number): Promise<Round>;
}

export const FUZZERS: Readonly<Record<string, () => Promise<Fuzzer | { readonly missing: string }>>> = {
  x86: () => x86Fuzzer(),
  'x86-edges': () => x86Fuzzer(edgeCase),
  mips: async () => mipsFuzzer('mips'),
  mipsel: async () => mipsFuzzer('mipsel'),
};

export interface Fuzzed {
  readonly counts: Readonly<Record<string, number>>;
  readonly rounds: number;
  /** With the seed of its round. */
  readonly differences: readonly { readonly seed: number; readonly report: string }[];
}

/** Rounds with seeds from `seed` on, until so many seconds have passed or there are so many differences. */
export async function fuzz(
  fuzzer: Fuzzer,
  options: { readonly seed: number; readonly seconds: number; readonly limit: number; readonly progress?: (f: Fuzzed) => void },
): Promise<Fuzzed> {
  const counts: Record<string, number> = {};
  const differences: { seed: number; report: string }[] = [];
  const end = performance.now() + options.seconds * 1000;
  let rounds = 0;
  do {
    const seed = (options.seed + rounds) >>> 0;
    const round = await fuzzer.round(seed);
    for (const [name, n] of Object.entries(round.counts)) counts[name] = (counts[name] ?? 0) + n;
    for (const report of round.differences) differences.push({ seed, report });
    rounds++;
    options.progress?.({ counts, rounds, differences });
  } while (performance.now() < end && differences.length < options.limit);
  return { counts, rounds, differences };
}

const countText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, n]) => `${n} ${name}`)
    .join(', ');

/** The command: gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { isa: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' }, limit: { type: 'string' } },
  });
  const names = values.isa?.split(',') ?? Object.keys(FUZZERS);
  const seconds = Number(values.seconds ?? 60);
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  let failed = 0;
  for (const name of names) {
    const fuzzer = (await FUZZERS[name]?.()) ?? { missing: `there is none of this name: choose from ${Object.keys(FUZZERS).join(', ')}` };
    if ('missing' in fuzzer) {
      console.error(`${name}: not run: ${fuzzer.missing}`);
      failed++;
      continue;
    }
    let shown = 0;
    const result = await fuzz(fuzzer, {
      seed,
      seconds,
      limit: Number(values.limit ?? 10),
      progress: ({ differences }) => {
        for (const d of differences.slice(shown)) console.log(`--- seed ${d.seed}\n${d.report}`);
        shown = differences.length;
      },
    });
    failed += result.differences.length;
    console.log(
      `${name}: ${countText(result.counts)} cases against ${fuzzer.oracle} in ${result.rounds} rounds from seed ${seed}: ${result.differences.length} differ`,
    );
  }
  return failed ? 1 : 0;
}
