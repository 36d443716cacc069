import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import Table from 'cli-table3';
import { Bench } from 'tinybench';
import type { Executor } from '../vcpu/vcpu.ts';
import { type CorpusProgram, corpusPath } from './corpus.ts';
import { CliError } from './errors.ts';
import { runQuietly } from './quiet.ts';

export type Runner = Executor | 'qemu' | 'processor';

export interface MeasureOptions {
  readonly rounds: number;
  readonly short: boolean;
  readonly tiered: boolean;
}

export interface Measured {
  readonly file: string;
  readonly args: readonly string[];
  /** Milliseconds of each round, from the program in memory (ours) or the start of the process (qemu, processor) to the end. */
  readonly samples: Readonly<Partial<Record<Runner, readonly number[]>>>;
  readonly median: Readonly<Partial<Record<Runner, number>>>;
  /** Guest instructions of one run. */
  readonly instructions: number;
}

/** Whether a command can be started here. */
const available = (command: string, args: readonly string[] = []): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).error === undefined;

const QEMU = { mips: 'qemu-mips', mipsel: 'qemu-mipsel', x86: 'qemu-i386' } as const;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs a program in every way there is, round by round, and checks what it prints each time. */
export async function measure(program: CorpusProgram, options: MeasureOptions): Promise<Measured> {
  const run = program.runs[options.short ? 0 : 1];
  const path = corpusPath(program);
  const elf = new Uint8Array(readFileSync(path));
  let instructions = 0;
  const check = (runner: string, stdout: string): void => {
    if (stdout !== run.stdout)
      throw new CliError(`${program.file} (${runner}) printed ${JSON.stringify(stdout)}, not ${JSON.stringify(run.stdout)}`);
  };
  const ours = (executor: Executor) => async (): Promise<void> => {
    const done = await runQuietly(elf, [program.name, ...run.args], executor);
    instructions = done.stats.instructions;
    check(executor, done.stdout);
  };
  const host = (runner: string, command: string, args: readonly string[]) => (): void => {
    const done = spawnSync(command, args, { encoding: 'utf8' });
    check(runner, done.stdout ?? '');
  };
  const runners: [Runner, () => void | Promise<void>][] = [
    ['interpret', ours('interpret')],
    ['translate', ours('translate')],
  ];
  if (options.tiered) runners.push(['tiered', ours('tiered')]);
  if (available(QEMU[program.isa], ['-version'])) runners.push(['qemu', host('qemu', QEMU[program.isa], [path, ...run.args])]);
  if (program.isa === 'x86' && /^(x64|ia32)$/.test(arch()) && available(path, ['1']))
    runners.push(['processor', host('processor', path, run.args)]);

  const samples: Partial<Record<Runner, number[]>> = {};
  for (let round = 0; round < options.rounds; round++) {
    // one iteration of each, so that a slow moment of the machine hits all alike
    const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
    for (const [name, work] of runners) bench.add(name, work);
    for (const task of await bench.run()) {
      const { result } = task;
      if (result.state !== 'completed') throw new CliError(`${program.file} (${task.name}) ${result.state}`);
      samples[task.name as Runner] = [...(samples[task.name as Runner] ?? []), result.latency.mean];
    }
  }
  return {
    file: program.file,
    args: run.args,
    samples,
    median: Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, median(list)])),
    instructions,
  };
}

const geometricMean = (values: readonly number[]): number => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** `a` took so many times as long as `b`, for the programs that have both. */
function ratios(results: readonly Measured[], a: Runner, b: Runner): number[] {
  return results.flatMap(({ median: m }) => (m[a] !== undefined && m[b] !== undefined ? [m[a] / m[b]] : []));
}

const times = (value: number | undefined): string => (value === undefined ? '' : `${value < 10 ? value.toFixed(2) : value.toFixed(1)}×`);

export function report(results: readonly Measured[]): string {
  const runners = (['interpret', 'translate', 'tiered', 'qemu', 'processor'] as const).filter((r) =>
    results.some((x) => x.median[r] !== undefined),
  );
  const titles = {
    interpret: 'interpreter',
    translate: 'translator',
    tiered: 'tiered',
    qemu: 'qemu-user',
    processor: 'processor',
  } as const;
  const table = new Table({
    head: ['program', 'M insns', ...runners.map((r) => `${titles[r]} ms`), 'MIPS', 'interpreter ÷ translator', 'translator ÷ qemu'],
    colAligns: ['left', ...Array.from({ length: runners.length + 4 }, () => 'right' as const)],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const ratio = (m: Measured['median'], a: Runner, b: Runner): number | undefined => (m[a] && m[b] ? m[a] / m[b] : undefined);
  for (const { file, instructions, median: m } of results) {
    table.push([
      file,
      (instructions / 1e6).toFixed(1),
      ...runners.map((r) => m[r]?.toFixed(1) ?? ''),
      m.translate ? (instructions / m.translate / 1000).toFixed(0) : '',
      times(ratio(m, 'interpret', 'translate')),
      times(ratio(m, 'translate', 'qemu')),
    ]);
  }
  const mean = (a: Runner, b: Runner): string => {
    const list = ratios(results, a, b);
    return list.length > 0 ? times(geometricMean(list)) : '';
  };
  table.push(['geometric mean', '', ...runners.map(() => ''), '', mean('interpret', 'translate'), mean('translate', 'qemu')]);
  return table.toString();
}

/** What the JSON file holds. */
export function summary(results: readonly Measured[]): object {
  const pairs = [
    ['interpret', 'translate'],
    ['translate', 'qemu'],
    ['translate', 'processor'],
    ['tiered', 'qemu'],
  ] as const;
  return {
    node: process.version,
    v8: process.versions.v8,
    processor: cpus()[0]?.model,
    geometricMeans: Object.fromEntries(
      pairs.flatMap(([a, b]) => {
        const list = ratios(results, a, b);
        return list.length > 0 ? [[`${a}/${b}`, geometricMean(list)]] : [];
      }),
    ),
    programs: results,
  };
}
