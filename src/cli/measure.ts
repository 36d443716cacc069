import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import Table from 'cli-table3';
import { Bench } from 'tinybench';
import type { Executor } from '../vcpu/vcpu.ts';
import { type CorpusProgram, type CorpusRun, corpusPath } from './corpus.ts';
import { CliError } from './errors.ts';
import { processorTime } from './processor-time.ts';
import { runQuietly } from './quiet.ts';
import { compileSource } from './source-to-wasm.ts';

/** `source`: the program's source, compiled straight to WebAssembly. */
export type Runner = Executor | 'qemu' | 'processor' | 'source';

export interface MeasureOptions {
  readonly rounds: number;
  readonly short: boolean;
  readonly tiered: boolean;
}

type ByRunner<T> = Readonly<Partial<Record<Runner, T>>>;

export interface Measured {
  readonly file: string;
  readonly args: readonly string[];
  /** Milliseconds of each round, from the program in memory (ours) or the start of the process (qemu, processor) to the end. */
  readonly samples: ByRunner<readonly number[]>;
  readonly median: ByRunner<number>;
  /**
   * Of each round, without --short: milliseconds of processor time that a runner takes longer for the program's longer run than for the
   * shorter one (see bench/README.md), as if it had been as much longer as the translator's. Start, compilation and the engine's own warming
   * up are not in it.
   */
  readonly steadySamples: ByRunner<readonly number[]>;
  readonly steady: ByRunner<number>;
  /** Guest instructions of one run, and by how many the translator's longer run has more than its shorter one. */
  readonly instructions: number;
  readonly steadyInstructions: number;
  /** Why there is nothing of a runner. */
  readonly missing: ByRunner<string>;
}

/** Whether a command can be started here. */
export const available = (command: string, args: readonly string[] = []): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).error === undefined;

const X87 = 'WebAssembly has no 80-bit floating point';
const QEMU = { mips: 'qemu-mips', mipsel: 'qemu-mipsel', x86: 'qemu-i386' } as const;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs a program in every way there is, round by round, and checks what it prints each time. */
export async function measure(program: CorpusProgram, options: MeasureOptions): Promise<Measured> {
  const [short, middle] = program.runs;
  const run = options.short ? short : middle;
  // what is slow by comparison, and needs little or no warming up, is measured over a shorter way
  const slow = (runner: Runner): boolean => runner === 'interpret' || (runner === 'qemu' && program.double);
  const runsOf = (runner: Runner): readonly CorpusRun[] =>
    options.short ? [short] : slow(runner) ? [short, middle] : [middle, program.bench];
  const path = corpusPath(program);
  const elf = new Uint8Array(readFileSync(path));
  const instructions = new Map<CorpusRun, number>();
  const check = (runner: string, stdout: string, expected: string): void => {
    if (stdout !== expected)
      throw new CliError(`${program.file} (${runner}) printed ${JSON.stringify(stdout)}, not ${JSON.stringify(expected)}`);
  };
  type Work = (one: CorpusRun) => void | Promise<void>;
  const ours =
    (executor: Executor): Work =>
    async (one) => {
      const done = await runQuietly(elf, [program.name, ...one.args], executor);
      instructions.set(one, done.stats.instructions);
      check(executor, done.stdout, one.stdout);
    };
  const host =
    (runner: string, command: string, args: readonly string[]): Work =>
    (one) =>
      check(runner, spawnSync(command, [...args, ...one.args], { encoding: 'utf8' }).stdout ?? '', one.stdout);
  const runners: [Runner, Work][] = [
    ['interpret', ours('interpret')],
    ['translate', ours('translate')],
  ];
  if (options.tiered) runners.push(['tiered', ours('tiered')]);
  const missing: Partial<Record<Runner, string>> = {};
  if (available(QEMU[program.isa], ['-version'])) runners.push(['qemu', host('qemu', QEMU[program.isa], [path])]);
  else missing.qemu = `${QEMU[program.isa]} is not installed`;
  if (program.isa === 'x86' && /^(x64|ia32)$/.test(arch()) && available(path, ['1']))
    runners.push(['processor', host('processor', path, [])]);
  else if (program.isa === 'x86') missing.processor = 'this host does not run i386 programs';
  const source = program.double && program.file.startsWith('x86/') ? { missing: X87 } : compileSource(program.name);
  if (typeof source === 'function') {
    runners.push(['source', (one) => check('source', source(one.args), one.stdout)]);
  } else missing.source = source.missing;

  type Samples = Map<CorpusRun, Partial<Record<Runner, number[]>>>;
  const samples: Samples = new Map();
  const processor: Samples = new Map();
  const keep = (to: Samples, one: CorpusRun, runner: Runner, ms: number): void => {
    const lists = to.get(one) ?? {};
    to.set(one, { ...lists, [runner]: [...(lists[runner] ?? []), ms] });
  };
  // untimed: loads the Wasm back end
  await ours('translate')(short);
  for (let round = 0; round < options.rounds; round++) {
    // one iteration of each, so that a slow moment of the machine hits all alike
    for (const one of [short, middle, program.bench]) {
      const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
      for (const [name, work] of runners) {
        if (!runsOf(name).includes(one)) continue;
        // an async function: of others, the library first tries by a call what they give
        bench.add(name, async () => {
          const before = processorTime();
          await work(one);
          keep(processor, one, name, processorTime() - before);
        });
      }
      for (const task of await bench.run()) {
        const { result } = task;
        if (result.state !== 'completed') throw new CliError(`${program.file} (${task.name}) ${result.state}`);
        keep(samples, one, task.name as Runner, result.latency.mean);
      }
    }
  }
  const way = ([from, to]: readonly CorpusRun[]): number => instructions.get(to)! - instructions.get(from)!;
  const steadyInstructions = options.short ? 0 : way(runsOf('translate'));
  const steadyOf = (runner: Runner): readonly number[] => {
    const [from, to] = runsOf(runner);
    const scale = steadyInstructions / way([from, to]);
    return processor.get(to)![runner]!.map((ms, round) => Math.max(ms - processor.get(from)![runner]![round], 0.1) * scale);
  };
  const steadySamples: ByRunner<readonly number[]> = options.short
    ? {}
    : Object.fromEntries(runners.map(([runner]) => [runner, steadyOf(runner)]));
  const medians = (lists: ByRunner<readonly number[]>): ByRunner<number> =>
    Object.fromEntries(Object.entries(lists).map(([runner, list]) => [runner, median(list)]));
  return {
    file: program.file,
    args: run.args,
    samples: samples.get(run)!,
    median: medians(samples.get(run)!),
    steadySamples,
    steady: medians(steadySamples),
    instructions: instructions.get(run)!,
    steadyInstructions,
    missing,
  };
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** `a` took so many times as long as `b`, for the programs that have both. */
function ratios(results: readonly Measured[], a: Runner, b: Runner, of: 'median' | 'steady' = 'median'): number[] {
  return results.flatMap(({ [of]: m }) => (m[a] !== undefined && m[b] !== undefined ? [m[a] / m[b]] : []));
}

const times = (value: number | undefined): string => (value === undefined ? '' : `${value < 10 ? value.toFixed(2) : value.toFixed(1)}×`);

export function report(results: readonly Measured[]): string {
  const runners = (['interpret', 'translate', 'tiered', 'qemu', 'processor', 'source'] as const).filter((r) =>
    results.some((x) => x.median[r] !== undefined),
  );
  const titles = {
    interpret: 'interpreter',
    translate: 'translator',
    tiered: 'tiered',
    qemu: 'qemu-user',
    processor: 'processor',
    source: 'source → Wasm',
  } as const;
  const table = new Table({
    head: [
      'program',
      'M insns',
      ...runners.map((r) => `${titles[r]} ms`),
      'interpreter ÷ translator',
      'translator ÷ qemu',
      'steady MIPS',
      'steady i ÷ t',
      'steady t ÷ q',
      'steady t ÷ s',
    ],
    colAligns: ['left', ...Array.from({ length: runners.length + 7 }, () => 'right' as const)],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const ratio = (m: ByRunner<number>, a: Runner, b: Runner): number | undefined => (m[a] && m[b] ? m[a] / m[b] : undefined);
  for (const { file, instructions, median: m, steady, steadyInstructions } of results) {
    table.push([
      file,
      (instructions / 1e6).toFixed(1),
      ...runners.map((r) => m[r]?.toFixed(1) ?? ''),
      times(ratio(m, 'interpret', 'translate')),
      times(ratio(m, 'translate', 'qemu')),
      steady.translate ? (steadyInstructions / steady.translate / 1000).toFixed(0) : '',
      times(ratio(steady, 'interpret', 'translate')),
      times(ratio(steady, 'translate', 'qemu')),
      times(ratio(steady, 'translate', 'source')),
    ]);
  }
  const mean = (a: Runner, b: Runner, of: 'median' | 'steady'): string => {
    const list = ratios(results, a, b, of);
    return list.length > 0 ? times(geometricMean(list)) : '';
  };
  table.push([
    'geometric mean',
    '',
    ...runners.map(() => ''),
    mean('interpret', 'translate', 'median'),
    mean('translate', 'qemu', 'median'),
    '',
    mean('interpret', 'translate', 'steady'),
    mean('translate', 'qemu', 'steady'),
    mean('translate', 'source', 'steady'),
  ]);
  return [table.toString(), ...notRun(results, titles)].join('\n');
}

/** A line for each reason why something was not run. */
function notRun(results: readonly Measured[], titles: Readonly<Record<Runner, string>>): string[] {
  const files = new Map<string, string[]>();
  for (const { file, missing } of results)
    for (const [runner, why] of Object.entries(missing)) {
      const line = `${titles[runner as Runner]} not run: ${why}`;
      files.set(line, [...(files.get(line) ?? []), file]);
    }
  return [...files].map(([line, of]) => `${line} (${of.join(', ')})`);
}

/** What the JSON file holds. */
export function summary(results: readonly Measured[]): object {
  const pairs = [
    ['interpret', 'translate'],
    ['translate', 'qemu'],
    ['translate', 'processor'],
    ['tiered', 'qemu'],
    ['translate', 'source'],
  ] as const;
  return {
    node: process.version,
    v8: process.versions.v8,
    processor: cpus()[0]?.model,
    geometricMeans: Object.fromEntries(
      pairs.flatMap(([a, b]) => {
        return (['median', 'steady'] as const).flatMap((of) => {
          const list = ratios(results, a, b, of);
          return list.length > 0 ? [[`${a}/${b}${of === 'steady' ? ' steady' : ''}`, geometricMean(list)]] : [];
        });
      }),
    ),
    programs: results,
  };
}
