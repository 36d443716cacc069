import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import type { PublicSuite } from '../conformance/public-suites.ts';
import type { SuiteResult } from '../conformance/report.ts';
import type { Shard, VectorExecutor } from '../conformance/run.ts';
import type { Suite } from '../conformance/vectors.ts';
import type { FormCounts, Task } from './conformance-pool.ts';
import { CliError, ExitCode } from './errors.ts';
import { writableFile } from './options.ts';

interface ConformanceOptions {
  readonly isa?: string;
  readonly suite?: string;
  readonly executor?: string;
  readonly filter?: string;
  readonly seed?: string;
  readonly count: string;
  readonly shard: string;
  readonly jobs?: string;
  readonly resume?: string;
  readonly suites?: readonly string[];
  readonly json?: string;
  readonly junit?: string;
  readonly html?: string;
}

const ISA_NAMES = ['x86', 'mips', 'mipsel'];
const EXECUTORS: readonly VectorExecutor[] = ['interpret', 'translate', 'retranslate'];
/** Failures shown. */
const SHOWN = 5;
/** Forms that a thread takes at a time. */
const FORMS = 12;

export function conformanceCommand(): Command {
  return new Command('conformance')
    .description('run the test vectors that the processor (x86) and qemu-user (MIPS) gave, and print what passes by instruction group')
    .option('--isa <list>', 'of these ISAs only: x86, mips, mipsel (comma-separated)')
    .option('--suite <list>', 'these suites only: x86-integer, x86-x87, … (comma-separated)')
    .option('--executor <list>', 'interpret, translate, retranslate (default: all three)')
    .option('--filter <text>', 'only forms whose text or encoding contains this')
    .option('--seed <n>', 'vectors made anew from this seed; needs the source tree and the oracle')
    .option('--count <n>', 'with --seed: vectors of each form', '40')
    .option('--shard <i/n>', 'the i-th of n parts of each form’s vectors, from 1 on', '1/1')
    .option('--jobs <n>', 'threads (default: as many as there are processors)')
    .option('--resume <file>', 'note there what is done; if the file is there already, go on after it', writableFile)
    .option('--suites <paths...>', 'results of public suites to show as well: JSON files, or folders of them')
    .option('--json <file>', 'write all counts there', writableFile)
    .option('--junit <file>', 'write JUnit XML there', writableFile)
    .option('--html <file>', 'write a page to read there', writableFile)
    .action(conformance);
}

function chosen<T extends string>(flag: string, text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  const names = text.split(',');
  const wrong = names.find((name) => !all.includes(name as T));
  if (wrong !== undefined) throw new CliError(`${flag} ${wrong}: choose from ${all.join(', ')}`, ExitCode.Usage);
  return all.filter((name) => names.includes(name));
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new CliError(`${flag} ${text}: not a positive number`, ExitCode.Usage);
  return value;
}

function shardOf(text: string): Shard {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [of, every] = [Number(i) - 1, Number(n)];
  if (!(of >= 0 && of < every)) throw new CliError(`--shard ${text}: not of the form i/n with 1 ≤ i ≤ n`, ExitCode.Usage);
  return { of, every };
}

/** What one suite has on one executor. */
interface Part {
  readonly suite: Suite;
  readonly name: string;
  readonly file: string;
  readonly executor: VectorExecutor;
  /** Positions among the suite's forms. */
  readonly forms: readonly number[];
  /** By position in `forms`. */
  readonly counts: (FormCounts | undefined)[];
}

async function conformance(options: ConformanceOptions): Promise<void> {
  const isas = chosen('--isa', options.isa, ISA_NAMES);
  const executors = chosen('--executor', options.executor, EXECUTORS);
  const shard = shardOf(options.shard);
  const jobs = options.jobs === undefined ? availableParallelism() : positive('--jobs', options.jobs);
  const count = positive('--count', options.count);
  const [{ vectorFiles, freshVectors, readSuite }, report, { instructionRows }, tables] = await Promise.all([
    import('./vectors.ts'),
    import('../conformance/report.ts'),
    import('../isas.ts'),
    import('./conformance-table.ts'),
  ]);
  const suites = await publicSuites(options.suites ?? []);
  const inIsas = (name: string): boolean => isas.includes(name.split('-')[0]);
  const recorded = vectorFiles().map((f) => f.name);
  const names = chosen('--suite', options.suite, options.suite === undefined ? recorded.filter(inIsas) : recorded);
  const files = options.seed === undefined ? vectorFiles() : freshVectors(options.seed, count, names.filter(inIsas));
  const filter = options.filter?.toLowerCase();
  const matches = (text: string): boolean => filter === undefined || text.toLowerCase().includes(filter);
  const parts = files
    .filter((f) => names.includes(f.name) && inIsas(f.name))
    .flatMap(({ name, file }): Part[] => {
      const suite = readSuite(file);
      const forms = [...suite.forms.keys()].filter((n) => matches(suite.forms[n].text) || matches(suite.forms[n].encoding));
      if (forms.length === 0) return [];
      return executors.map((executor) => ({ suite, name, file, executor, forms, counts: forms.map(() => undefined) }));
    });
  if (parts.length === 0)
    throw new CliError(
      filter === undefined ? 'no vectors are chosen' : `--filter ${options.filter}: no form contains this`,
      ExitCode.Usage,
    );

  await runParts(parts, shard, jobs, options);

  const results = parts.map(({ suite, executor, forms, counts }): SuiteResult => {
    const done = forms.map((n, k) => ({ form: suite.forms[n], ...counts[k]! }));
    return { suite, executor, forms: done };
  });
  process.stdout.write(tables.matrixTable(report.matrix(results), executors));
  if (suites.length > 0) process.stdout.write(`\n${tables.publicTable(suites)}`);
  const failures = results.flatMap((r) => r.forms.flatMap((f) => f.failures));
  if (failures.length > 0) process.stdout.write(`\n${failures.slice(0, SHOWN).join('\n\n')}\n`);
  const everything = options.suite === undefined && filter === undefined;
  const without = everything ? report.uncovered(new Set(results.map((r) => r.suite)), instructionRows()) : new Map<string, number>();
  if (without.size > 0) process.stdout.write(`\nforms without vectors: ${[...without].map(([group, n]) => `${group} ${n}`).join(', ')}\n`);
  const { passed, failed, left } = report.countsOf(results.flatMap((r) => r.forms));
  const skipped = new Set(results.flatMap((r) => r.suite.forms.filter((f) => f.skipped !== undefined))).size;
  const notes = [
    skipped > 0 && `${skipped} ${skipped === 1 ? 'form' : 'forms'} skipped`,
    left > 0 && `${left} vectors left out by --shard`,
  ].filter(Boolean);
  process.stdout.write(`\n${passed} passed, ${failed} failed${notes.length > 0 ? `; ${notes.join(', ')}` : ''}\n`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report.summary(results, suites), null, 2)}\n`);
  if (options.junit) writeFileSync(options.junit, report.junit(results, suites));
  if (options.html) {
    const [{ html }, { version }] = await Promise.all([import('../conformance/html.ts'), import('./version.ts')]);
    writeFileSync(options.html, html(results, { version: version(), without, suites }));
  }
  if (failed > 0) process.exitCode = 1;
}

/** Fills in the counts of the parts' forms, from the journal and by running them. */
async function runParts(parts: readonly Part[], shard: Shard, jobs: number, options: ConformanceOptions): Promise<void> {
  const [{ runTasks }, { openJournal }, { digestOf }] = await Promise.all([
    import('./conformance-pool.ts'),
    import('./conformance-journal.ts'),
    import('./vectors.ts'),
  ]);
  const run = JSON.stringify({ shard: options.shard, vectors: Object.fromEntries(parts.map(({ name, file }) => [name, digestOf(file)])) });
  const journal = options.resume === undefined ? undefined : openJournal(options.resume, run);
  for (const { suite, executor, form, counts } of journal?.entries ?? []) {
    const part = parts.find((p) => p.name === suite && p.executor === executor);
    const at = part?.forms.indexOf(form) ?? -1;
    if (part && at >= 0) part.counts[at] = counts;
  }
  const places: { readonly part: Part; readonly at: readonly number[] }[] = [];
  const tasks: Task[] = [];
  for (const part of parts) {
    const open = [...part.forms.keys()].filter((at) => part.counts[at] === undefined);
    for (let k = 0; k < open.length; k += FORMS) {
      const at = open.slice(k, k + FORMS);
      const forms = at.map((n) => part.forms[n]);
      tasks.push({ id: places.push({ part, at }) - 1, file: part.file, executor: part.executor, forms, shard });
    }
  }
  const vectors = ({ forms, suite }: Part): number => forms.reduce((sum, n) => sum + suite.forms[n].vectors, 0);
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} vectors | {failed} failed | {suite} {executor} | {eta_formatted}',
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  const doneOf = (counts: FormCounts | undefined): number => (counts ? counts.passed + counts.failed + counts.left : 0);
  const known = parts.flatMap((p) => p.counts);
  let failed = known.reduce((sum, counts) => sum + (counts?.failed ?? 0), 0);
  bar.start(
    parts.reduce((sum, part) => sum + vectors(part), 0),
    known.reduce((sum, counts) => sum + doneOf(counts), 0),
    { failed, suite: '', executor: '' },
  );
  try {
    await runTasks(tasks, jobs, ({ id, forms }) => {
      const { part, at } = places[id];
      for (const [k, counts] of forms.entries()) {
        part.counts[at[k]] = counts;
        failed += counts.failed;
      }
      const { name, executor } = part;
      journal?.note(forms.map((counts, k) => ({ suite: name, executor, form: part.forms[at[k]], counts })));
      bar.increment(
        forms.reduce((sum, counts) => sum + doneOf(counts), 0),
        { failed, suite: name, executor },
      );
    });
  } finally {
    bar.stop();
  }
}

async function publicSuites(paths: readonly string[]): Promise<PublicSuite[]> {
  const { parsePublicSuites } = await import('../conformance/public-suites.ts');
  const files = paths.flatMap((path) => {
    if (!existsSync(path)) throw new CliError(`--suites ${path}: no such file or folder`, ExitCode.Usage);
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(path, name));
  });
  return files.flatMap((file) => {
    try {
      return parsePublicSuites(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new CliError(`--suites ${file}: not the results of a suite: ${(error as Error).message}`, ExitCode.Usage);
    }
  });
}
