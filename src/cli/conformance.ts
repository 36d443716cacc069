import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import type { SuiteResult } from '../conformance/report.ts';
import type { VectorExecutor } from '../conformance/run.ts';
import type { Suite } from '../conformance/vectors.ts';
import { CliError, ExitCode } from './errors.ts';

interface ConformanceOptions {
  readonly isa?: string;
  readonly suite?: string;
  readonly executor?: string;
  readonly filter?: string;
  readonly seed?: string;
  readonly shard: string;
  readonly json?: string;
  readonly junit?: string;
  readonly html?: string;
}

const ISA_NAMES = ['x86', 'mips', 'mipsel'];
const EXECUTORS: readonly VectorExecutor[] = ['interpret', 'translate', 'retranslate'];
/** A runner that has made so many is replaced. */
const MANY_MODULES = 2000;
/** Failures shown. */
const SHOWN = 5;

export function conformanceCommand(): Command {
  return new Command('conformance')
    .description('run the test vectors that the processor (x86) and qemu-user (MIPS) gave, and print what passes by instruction group')
    .option('--isa <list>', 'of these ISAs only: x86, mips, mipsel (comma-separated)')
    .option('--suite <list>', 'these suites only: x86-integer, x86-x87, … (comma-separated)')
    .option('--executor <list>', 'interpret, translate, retranslate (default: all three)')
    .option('--filter <text>', 'only forms whose text or encoding contains this')
    .option('--seed <n>', 'vectors made anew from this seed; needs the source tree and the oracle')
    .option('--shard <i/n>', 'the i-th of n parts of each form’s vectors, from 1 on', '1/1')
    .option('--json <file>', 'write all counts there')
    .option('--junit <file>', 'write JUnit XML there')
    .option('--html <file>', 'write a page to read there')
    .action(conformance);
}

function chosen<T extends string>(flag: string, text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  const names = text.split(',');
  const wrong = names.find((name) => !all.includes(name as T));
  if (wrong !== undefined) throw new CliError(`${flag} ${wrong}: choose from ${all.join(', ')}`, ExitCode.Usage);
  return all.filter((name) => names.includes(name));
}

async function conformance(options: ConformanceOptions): Promise<void> {
  const isas = chosen('--isa', options.isa, ISA_NAMES);
  const executors = chosen('--executor', options.executor, EXECUTORS);
  const shard = /^(\d+)\/(\d+)$/.exec(options.shard);
  const [of, every] = shard ? [Number(shard[1]) - 1, Number(shard[2])] : [-1, 0];
  if (of < 0 || of >= every) throw new CliError(`--shard ${options.shard}: not of the form i/n with 1 ≤ i ≤ n`, ExitCode.Usage);
  const [{ vectorFiles, freshVectors, readSuite }, { makeRunner }, report, { instructionRows }, node, { version }] = await Promise.all([
    import('./vectors.ts'),
    import('../conformance/run.ts'),
    import('../conformance/report.ts'),
    import('../isas.ts'),
    import('../host/node.ts'),
    import('./version.ts'),
  ]);
  const files = options.seed === undefined ? vectorFiles() : freshVectors(options.seed, options.suite);
  const names = chosen(
    '--suite',
    options.suite,
    files.map((f) => f.name).filter((name) => options.suite !== undefined || isas.includes(name.split('-')[0])),
  );
  const filter = options.filter?.toLowerCase();
  const results: SuiteResult[] = [];
  const runtime = node.nodeRuntime();
  const loadCompiler = async () => {
    const [compile, { formRegion }] = await Promise.all([import('../backend/wasm/compile.ts'), import('../backend/wasm/region.ts')]);
    return { ...compile, formRegion };
  };
  const progress = (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  for (const { name, file } of files.filter((f) => names.includes(f.name) && isas.includes(f.name.split('-')[0]))) {
    const whole = readSuite(file);
    const matches = (text: string): boolean => filter === undefined || text.toLowerCase().includes(filter);
    const suite: Suite = { ...whole, forms: whole.forms.filter((f) => matches(f.text) || matches(f.encoding)) };
    if (suite.forms.length === 0) continue;
    for (const executor of executors) {
      let runner = await makeRunner(suite, { executor, runtime, loadCompiler });
      const forms = [];
      for (let n = 0; n < suite.forms.length; n += 8) {
        progress(`${name} ${executor}: ${forms.length} of ${suite.forms.length} forms`);
        forms.push(...runner.run(suite.forms.slice(n, n + 8), { of, every }));
        if (runner.modules > MANY_MODULES) runner = await makeRunner(suite, { executor, runtime, loadCompiler });
        // lets a Ctrl-C in
        if (forms.length % 16 === 0) await new Promise(setImmediate);
      }
      results.push({ suite, executor, forms });
    }
  }
  progress('');
  if (results.length === 0) throw new CliError('no vectors are chosen', ExitCode.Usage);
  process.stdout.write(table(report.matrix(results), executors));
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
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report.summary(results), null, 2)}\n`);
  if (options.junit) writeFileSync(options.junit, report.junit(results));
  if (options.html) writeFileSync(options.html, (await import('../conformance/html.ts')).html(results, version(), without));
  if (failed > 0) process.exitCode = 1;
}

/** Rows: groups; columns: executors. `passed` where all do, else `passed/all`. */
function table(rows: ReturnType<typeof import('../conformance/report.ts').matrix>, executors: readonly VectorExecutor[]): string {
  const lines = [['group', 'forms', 'skipped', ...executors]];
  let suite: Suite | undefined;
  for (const row of rows) {
    if (row.suite !== suite) lines.push([`${row.suite.name} (oracle: ${row.suite.oracle.name})`]);
    suite = row.suite;
    const counts = executors.map((e) => {
      const c = row.counts[e];
      if (!c || c.passed + c.failed === 0) return '-';
      return c.failed === 0 ? `${c.passed}` : `${c.passed}/${c.passed + c.failed}`;
    });
    lines.push([`  ${row.group}`, `${row.forms}`, `${row.skipped || ''}`, ...counts]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.filter((l) => l.length > 1).map((l) => l[column].length)));
  return lines
    .map((l) =>
      l
        .map((text, n) => (n === 0 ? text.padEnd(widths[0]) : text.padStart(widths[n] + 2)))
        .join('')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}
