/** The counts of a run, as text and as the JSON file that `wasmvisor conformance --suites` reads. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { causeOf } from './known.ts';
import { PLACES, type Suite, type Where } from './suite.ts';

/** What became of one case: its checks in each place, or why it has none. */
export interface CaseResult {
  readonly suite: Suite;
  readonly name: string;
  readonly skipped?: string;
  /** Holds, for each check and place. */
  readonly checks: ReadonlyMap<string, Readonly<Partial<Record<Where, boolean>>>>;
  /** Where it took longer than it was given: no check of it counts there. */
  readonly timeouts: readonly Where[];
  readonly notes: readonly string[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Cases that were not run in this place. */
  readonly left: number;
}

export interface SuiteReport {
  readonly id: string;
  readonly title: string;
  readonly arch: string;
  /** Debian source package and its version. */
  readonly source: string;
  readonly places: Readonly<Partial<Record<Where, Counts>>>;
  /** Cases that cannot be run, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Cases that were run in no place. */
  readonly left: number;
  readonly failures: readonly { readonly check: string; readonly places: readonly Where[]; readonly cause?: string }[];
}

export interface SuitesFile {
  readonly made: string;
  readonly processor: string;
  readonly qemu: string;
  readonly suites: readonly SuiteReport[];
}

export const TIMEOUT = 'took longer than it was given';

const OURS: readonly Where[] = ['interpret', 'translate'];

export function reportOf(suite: Suite, version: string, results: readonly CaseResult[], left: number): SuiteReport {
  const checks = results.flatMap((result) => [...result.checks]);
  const places: Partial<Record<Where, Counts>> = {};
  for (const place of PLACES) {
    const held = checks.flatMap(([, places]) => places[place] ?? []);
    if (held.length > 0) places[place] = { passed: held.filter(Boolean).length, failed: held.filter((ok) => !ok).length, left };
  }
  const skipped: Record<string, number> = {};
  for (const { skipped: why } of results) if (why !== undefined) skipped[why] = (skipped[why] ?? 0) + 1;
  const failures = checks.flatMap(([check, held]) => {
    const failing = PLACES.filter((place) => held[place] === false);
    const cause = failing.some((place) => OURS.includes(place)) ? causeOf(suite.id, check) : undefined;
    return failing.length > 0 ? [{ check, places: failing, ...(cause !== undefined && { cause }) }] : [];
  });
  const { id, title, arch } = suite;
  for (const { name, timeouts: failing } of results)
    if (failing.length > 0) failures.push({ check: name, places: [...failing], cause: TIMEOUT });
  const order = <T>(a: [string, T], b: [string, T]): number => (a[0] < b[0] ? -1 : 1);
  return {
    id,
    title,
    arch,
    source: `${suite.package} ${version}`,
    places,
    skipped: Object.fromEntries(Object.entries(skipped).sort(order)),
    left,
    failures: failures.sort((a, b) => (a.check < b.check ? -1 : 1)),
  };
}

/** Failures of ours that `known.ts` does not explain. */
export const unexplained = (report: SuiteReport): readonly string[] =>
  report.failures
    .filter((f) => f.places.some((place) => OURS.includes(place)) && (f.cause === undefined || f.cause === TIMEOUT))
    .map((f) => f.check);

export function table(reports: readonly SuiteReport[]): string {
  const lines = [['suite', ...PLACES, 'skipped', 'left out']];
  for (const { title, places, skipped, left } of reports) {
    const counts = PLACES.map((place) => {
      const c = places[place];
      if (!c) return '';
      return c.failed === 0 ? `${c.passed}` : `${c.passed}/${c.passed + c.failed}`;
    });
    const skips = Object.values(skipped).reduce((sum, n) => sum + n, 0);
    lines.push([title, ...counts, `${skips || ''}`, `${left || ''}`]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((text, n) => (n === 0 ? text.padEnd(widths[0]) : text.padStart(widths[n] + 2)))
        .join('')
        .trimEnd(),
    )
    .join('\n')
    .concat('\n');
}

/** What one run says of some places and another of others. */
function merge(old: SuiteReport, now: SuiteReport): SuiteReport {
  const failures = new Map(old.failures.map((failure) => [failure.check, failure]));
  for (const [check, failure] of failures) {
    const places = failure.places.filter((place) => now.places[place] === undefined);
    if (places.length > 0) failures.set(check, { ...failure, places });
    else failures.delete(check);
  }
  for (const failure of now.failures) {
    const before = failures.get(failure.check);
    const cause = failure.cause ?? before?.cause;
    const failing = PLACES.filter((place) => failure.places.includes(place) || before?.places.includes(place));
    failures.set(failure.check, { check: failure.check, places: failing, ...(cause !== undefined && { cause }) });
  }
  return {
    ...now,
    places: { ...old.places, ...now.places },
    skipped: now.left <= old.left ? now.skipped : old.skipped,
    left: Math.min(old.left, now.left),
    failures: [...failures.values()].sort((a, b) => (a.check < b.check ? -1 : 1)),
  };
}

/** Writes the reports; what the file says of other suites, and of places that this run did not go to, stays. */
export function save(file: string, reports: readonly SuiteReport[]): void {
  const before: readonly SuiteReport[] = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SuitesFile).suites : [];
  const kept = before.filter((old) => reports.every((report) => report.id !== old.id));
  const merged = reports.map((report) => {
    const old = before.find(({ id }) => id === report.id);
    return old ? merge(old, report) : report;
  });
  const content: SuitesFile = {
    made: new Date().toISOString().slice(0, 10),
    processor: cpus()[0].model.trim(),
    qemu: execFileSync('qemu-i386', ['--version'], { encoding: 'utf8' }).split('\n')[0],
    suites: [...kept, ...merged].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
  writeFileSync(file, `${JSON.stringify(content, null, 1)}\n`);
}
