import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lane, lookAround, SHORT_PATIENCE } from './execute.ts';
import { type CaseResult, reportOf, type SuiteReport, save, TIMEOUT, table, unexplained } from './results.ts';
import { source } from './source.ts';
import { type Case, PLACES, type Suite, type Where } from './suite.ts';
import { SUITES } from './suites.ts';

const USAGE = `Public test suites, from Debian's source packages, on this machine's processor, qemu-user and wasmvisor.

node test/suites/run.mjs [options] [suite…]
  --list             the suites
  --on <list>        of processor, qemu, interpret, translate (default: all)
  --filter <text>    only cases whose name contains this
  --shard <i/n>      the i-th of n parts of each suite
  --budget <s>       starts nothing new after so many seconds, and nothing that takes minutes; the suites take turns
  --jobs <n>         cases side by side (default: 2)
  --options <flags>  compiler options besides those of each case, which make a suite of its own
  --resume <file>    keeps each result there as it comes, and takes those that are there already
  --json <file>      writes the counts there; suites that are not run keep theirs
  --verbose          says what failed, and why, as it happens
`;

const unit = (text: string): number => createHash('sha256').update(text).digest().readUInt32LE() / 2 ** 32;

interface Chosen {
  readonly suite: Suite;
  readonly version: string;
  readonly whole: number;
  readonly cases: readonly Case[];
}

export async function main(args: readonly string[], guestModule: string): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      list: { type: 'boolean' },
      on: { type: 'string', default: PLACES.join(',') },
      filter: { type: 'string', default: '' },
      shard: { type: 'string', default: '1/1' },
      budget: { type: 'string', default: 'Infinity' },
      jobs: { type: 'string', default: '2' },
      options: { type: 'string', default: '' },
      resume: { type: 'string' },
      json: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  if (values.list) return print(SUITES.map(({ id, title }) => `${id.padEnd(24)} ${title}\n`).join(''));
  const wrong = positionals.find((name) => !SUITES.some(({ id }) => id.startsWith(name)));
  const places = PLACES.filter((place) => values.on.split(',').includes(place));
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(values.shard) ?? [];
  const [budget, jobs] = [Number(values.budget), Number(values.jobs)];
  if (wrong !== undefined) throw new Error(`no suite ${wrong}; --list names them`);
  if (places.length !== values.on.split(',').length) throw new Error(`--on ${values.on}: choose from ${PLACES.join(', ')}`);
  if (!(Number(index) >= 1 && Number(index) <= Number(of))) throw new Error(`--shard ${values.shard}: not of the form i/n with 1 ≤ i ≤ n`);
  if (!(budget > 0 && jobs >= 1)) throw new Error('--budget and --jobs are positive numbers');

  const options = values.options.split(' ').filter(Boolean);
  const wanted = SUITES.filter(({ id }) => positionals.length === 0 || positionals.some((name) => id.startsWith(name))).map((suite) =>
    options.length > 0 ? withOptions(suite, options) : suite,
  );
  const { missing } = lookAround([...new Set(wanted.map(({ arch }) => arch))]);
  for (const place of places) if (missing[place]) process.stdout.write(`not run on ${place}: ${missing[place]}\n`);
  const usable = places.filter((place) => missing[place] === undefined);
  const chosen: Chosen[] = [];
  for (const suite of wanted) {
    const from = source(suite.package);
    const why = missing[suite.arch] ?? ('missing' in from ? from.missing : undefined);
    if (why !== undefined) process.stdout.write(`${suite.title}: skipped, ${why}\n`);
    if ('missing' in from || why !== undefined) continue;
    const all = suite.cases(from.root);
    const cases = all
      .filter(({ name }) => name.includes(values.filter))
      .map((item) => ({ item, place: unit(`${suite.id}/${item.name}`) }))
      .filter(({ place }) => Math.floor(place * Number(of)) === Number(index) - 1)
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
    chosen.push({ suite, version: from.version, whole: all.length, cases });
  }

  const kept = values.resume === undefined ? undefined : new Kept(values.resume, usable);
  const results: CaseResult[] = [];
  const queue = byTurns(chosen, Number.isFinite(budget)).filter(({ suite, item }) => {
    const before = kept?.find(suite, item);
    if (before) results.push(before);
    return before === undefined;
  });
  const start = performance.now();
  let stopped = false;
  process.once('SIGINT', () => {
    stopped = true;
  });
  const inTime = (): boolean => !stopped && performance.now() - start < budget * 1000;
  let next = 0;
  const work = async (): Promise<void> => {
    const lane = new Lane(guestModule, Number.isFinite(budget) ? SHORT_PATIENCE : undefined);
    try {
      while (next < queue.length && inTime()) {
        const { suite, item } = queue[next++];
        const result = await runCase(lane, suite, item, usable);
        results.push(result);
        kept?.add(result);
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${next} of ${queue.length}: ${suite.id} ${item.name}`);
        if (values.verbose) process.stdout.write(result.notes.map((note) => `${suite.id} ${item.name}: ${note}\n`).join(''));
      }
    } finally {
      await lane.close();
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return conclude(chosen, results, values.json);
}

const withOptions = (suite: Suite, options: readonly string[]): Suite => ({
  ...suite,
  id: `${suite.id}${options.join('')}`,
  title: `${suite.title} ${options.join(' ')}`,
  cases: (root) => suite.cases(root).map((item) => ({ ...item, flags: [...item.flags, ...options] })),
});

/** Results of earlier runs, one JSON text a line. */
class Kept {
  private readonly found = new Map<string, CaseResult>();

  constructor(
    private readonly file: string,
    private readonly places: readonly Where[],
  ) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    for (const line of lines) {
      const { id, places: at, checks, ...result } = JSON.parse(line);
      if (places.every((place) => at.includes(place))) this.found.set(`${id} ${result.name}`, { ...result, checks: new Map(checks) });
    }
  }

  find(suite: Suite, { name }: Case): CaseResult | undefined {
    const result = this.found.get(`${suite.id} ${name}`);
    return result && { ...result, suite };
  }

  add({ suite, checks, ...result }: CaseResult): void {
    appendFileSync(this.file, `${JSON.stringify({ id: suite.id, places: this.places, ...result, checks: [...checks] })}\n`);
  }
}

/** First the first case of each suite, then the second of each, and so on. */
function byTurns(all: readonly Chosen[], quick: boolean): { readonly suite: Suite; readonly item: Case }[] {
  const chosen = quick ? all.map((c) => ({ ...c, cases: c.cases.filter(({ slow }) => !slow) })) : all;
  const longest = Math.max(0, ...chosen.map(({ cases }) => cases.length));
  return Array.from({ length: longest }, (_, turn) =>
    chosen.flatMap(({ suite, cases }) => (turn < cases.length ? [{ suite, item: cases[turn] }] : [])),
  ).flat();
}

async function runCase(lane: Lane, suite: Suite, item: Case, usable: readonly Where[]): Promise<CaseResult> {
  const { name, needsProcessor, args = [] } = item;
  const skip = (why: string): CaseResult => ({ suite, name, skipped: why, checks: new Map(), timeouts: [], notes: [] });
  if (item.skip !== undefined) return skip(item.skip);
  const built = await lane.build(suite.arch, item);
  if ('failed' in built) return { ...skip('does not compile here'), notes: [`does not compile here: ${built.failed}`] };
  const checks = new Map<string, Partial<Record<Where, boolean>>>();
  const notes: string[] = [];
  const timeouts: Where[] = [];
  try {
    const native = suite.arch === 'i386' && (usable.includes('processor') || needsProcessor);
    const processor = native ? await lane.run('processor', suite.arch, built.file, args) : undefined;
    if (needsProcessor && !processor) return skip('the processor’s output is its reference');
    for (const place of usable) {
      if (place === 'processor' && !processor) continue;
      const outcome = place === 'processor' ? processor! : await lane.run(place, suite.arch, built.file, args);
      if (outcome.timeout) {
        timeouts.push(place);
        notes.push(`${place}: ${TIMEOUT}`);
        continue;
      }
      const failed: string[] = [];
      for (const [check, holds] of item.check(outcome, processor)) {
        checks.set(check, { ...checks.get(check), [place]: holds });
        if (!holds) failed.push(check);
      }
      const warnings = 'warnings' in outcome && outcome.warnings ? outcome.warnings : [];
      if (failed.length > 0) notes.push([`${place}: status ${outcome.status}`, failed.join(' ').slice(0, 400), ...warnings].join('; '));
    }
  } finally {
    lane.remove(built.file);
  }
  return { suite, name, checks, timeouts, notes };
}

function conclude(chosen: readonly Chosen[], results: readonly CaseResult[], json: string | undefined): number {
  const reports = chosen.map(({ suite, version, whole }): SuiteReport => {
    const own = results.filter((result) => result.suite === suite);
    return reportOf(suite, version, own, whole - own.length);
  });
  print(table(reports));
  for (const report of reports) {
    for (const [why, count] of Object.entries(report.skipped)) print(`${report.title}: ${count} skipped, ${why}\n`);
    for (const { check, places, cause } of report.failures)
      if (cause !== undefined) print(`${report.title}: ${check} fails (${places.join(', ')}): ${cause}\n`);
  }
  if (json !== undefined) save(json, reports);
  const wrong = reports.flatMap((report) => unexplained(report).map((check) => `${report.id} ${check}`));
  for (const failure of wrong) print(`FAILED ${failure}\n`);
  const left = reports.reduce((sum, report) => sum + report.left, 0);
  print(`${results.length} cases run, ${left} left out, ${wrong.length} unexplained failures\n`);
  return wrong.length > 0 ? 1 : 0;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}
