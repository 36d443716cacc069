import type { PublicSuite } from '../conformance/public-suites.ts';
import type { MatrixRow } from '../conformance/report.ts';
import type { VectorExecutor } from '../conformance/run.ts';
import type { Suite } from '../conformance/vectors.ts';

const cell = (counts: { readonly passed: number; readonly failed: number } | undefined): string => {
  if (!counts || counts.passed + counts.failed === 0) return '-';
  return counts.failed === 0 ? `${counts.passed}` : `${counts.passed}/${counts.passed + counts.failed}`;
};

/** Columns, the first left-justified; a line of one field is a heading. */
function columns(lines: readonly (readonly string[])[]): string {
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

/** Rows: groups; columns: executors. `passed` where all do, else `passed/all`. */
export function matrixTable(rows: readonly MatrixRow[], executors: readonly VectorExecutor[]): string {
  const lines = [['group', 'forms', 'skipped', ...executors]];
  let suite: Suite | undefined;
  for (const row of rows) {
    if (row.suite !== suite) lines.push([`${row.suite.name} (oracle: ${row.suite.oracle.name})`]);
    suite = row.suite;
    lines.push([`  ${row.group}`, `${row.forms}`, `${row.skipped || ''}`, ...executors.map((e) => cell(row.counts[e]))]);
  }
  return columns(lines);
}

export function publicTable(suites: readonly PublicSuite[]): string {
  const places = [...new Set(suites.flatMap((s) => Object.keys(s.places)))];
  const sum = (list: PublicSuite['skipped']): number => list.reduce((n, { count }) => n + count, 0);
  return columns([
    ['public suite', 'isa', ...places, 'skipped', 'left out'],
    ...suites.map((s) => [s.title, s.isa, ...places.map((p) => cell(s.places[p])), `${sum(s.skipped) || ''}`, `${s.left || ''}`]),
  ]);
}
