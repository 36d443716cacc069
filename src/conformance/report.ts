import type { InstructionRow } from '../isas.ts';
import type { PublicSuite } from './public-suites.ts';
import type { FormResult, VectorExecutor } from './run.ts';
import type { Suite } from './vectors.ts';

/** One suite on one executor. */
export interface SuiteResult {
  readonly suite: Suite;
  readonly executor: VectorExecutor;
  readonly forms: readonly FormResult[];
}

const ISA_TITLES: { readonly [isa: string]: string } = { x86: 'x86', mips: 'MIPS32 big-endian', mipsel: 'MIPS32 little-endian' };
const PART_TITLES: { readonly [part: string]: string } = {
  mmx: 'MMX',
  sse: 'SSE',
  sse2: 'SSE2',
  sse3: 'SSE3 and SSSE3',
  fpu: 'FPU',
  unaligned: 'unaligned accesses',
};

/** What people call a suite: its name has an ISA and a part. */
export function titleOf(name: string): string {
  const [isa, part = ''] = name.split('-');
  return `${ISA_TITLES[isa] ?? isa} ${PART_TITLES[part] ?? part}`.trim();
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Forms without vectors. */
  readonly skipped: number;
  /** Vectors that this run left out. */
  readonly left: number;
}

export function countsOf(forms: readonly FormResult[]): Counts {
  const sum = (of: (f: FormResult) => number): number => forms.reduce((total, f) => total + of(f), 0);
  return {
    passed: sum((f) => f.passed),
    failed: sum((f) => f.failed),
    skipped: sum((f) => Number(f.form.skipped !== undefined)),
    left: sum((f) => f.left),
  };
}

export interface MatrixRow {
  readonly suite: Suite;
  readonly group: string;
  readonly forms: number;
  readonly skipped: number;
  readonly counts: Readonly<Partial<Record<VectorExecutor, Counts>>>;
}

/** Rows: groups of instructions; columns: executors. */
export function matrix(results: readonly SuiteResult[]): MatrixRow[] {
  const rows: MatrixRow[] = [];
  for (const suite of new Set(results.map((r) => r.suite))) {
    const own = results.filter((r) => r.suite === suite);
    for (const group of new Set(suite.forms.map((f) => f.group))) {
      const forms = suite.forms.filter((f) => f.group === group);
      const counts = Object.fromEntries(own.map((r) => [r.executor, countsOf(r.forms.filter((f) => f.form.group === group))]));
      rows.push({ suite, group, forms: forms.length, skipped: forms.filter((f) => f.skipped !== undefined).length, counts });
    }
  }
  return rows;
}

/** Implemented forms of which the suites hold nothing, not even why: how many, by ISA and group. */
export function uncovered(suites: Iterable<Suite>, rows: readonly InstructionRow[]): Map<string, number> {
  const known = new Map<string, Set<string>>();
  for (const { isa, forms } of suites) {
    const list = known.get(isa) ?? new Set<string>();
    known.set(isa, list);
    for (const f of forms) list.add(`${f.encoding} ${f.text}`);
  }
  const out = new Map<string, number>();
  for (const [isa, forms] of known)
    for (const row of rows)
      if (row.isa === (isa === 'x86' ? 'x86' : 'mips') && !forms.has(`${row.encoding} ${row.text}`))
        out.set(`${isa} ${row.group}`, (out.get(`${isa} ${row.group}`) ?? 0) + 1);
  return out;
}

/** What a program reads: counts by form and executor, and where the vectors come from. */
export function summary(results: readonly SuiteResult[], publicSuites: readonly PublicSuite[] = []): object {
  return {
    suites: [...new Set(results.map((r) => r.suite))].map((suite) => ({
      name: suite.name,
      isa: suite.isa,
      oracle: suite.oracle,
      seed: suite.seed,
      executors: results
        .filter((r) => r.suite === suite)
        .map(({ executor, forms }) => ({
          executor,
          ...countsOf(forms),
          forms: forms.map(({ form, passed, failed, left, failures }) => ({
            group: form.group,
            encoding: form.encoding,
            text: form.text,
            passed,
            failed,
            left,
            ...(form.skipped !== undefined && { skipped: form.skipped }),
            ...(form.omitted && { omitted: form.omitted }),
            ...(form.undefined !== undefined && { undefined: form.undefined }),
            ...(form.tolerance && { tolerance: form.tolerance }),
            ...(failures.length > 0 && { failures }),
          })),
        })),
    })),
    publicSuites,
  };
}

const xml = (text: string): string =>
  text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '�')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** A test case for each failure. */
function publicJunit({ title, isa, source, places, skipped, failures }: PublicSuite): string[] {
  return Object.entries(places).map(([place, { passed, failed }]) => {
    const name = `${title}.${isa}.${place}`;
    const own = failures.filter((f) => !f.where || f.where.includes(place));
    const skips = skipped.map(({ reason, count }) => `${count}: ${reason}`).join('; ');
    return [
      `  <testsuite name="${xml(name)}" tests="${passed + failed}" failures="${failed}" errors="0">`,
      `    <properties><property name="source" value="${xml(source)}"/><property name="skipped" value="${xml(skips)}"/></properties>`,
      ...own.map(
        (f) => `    <testcase classname="${xml(name)}" name="${xml(f.name)}"><failure message="${xml(f.cause ?? 'failed')}"/></testcase>`,
      ),
      '  </testsuite>',
    ].join('\n');
  });
}

/** JUnit XML: a test suite for each suite and executor, a test case for each form. Public suites have their counts and failures. */
export function junit(results: readonly SuiteResult[], publicSuites: readonly PublicSuite[] = []): string {
  const suites = results.map(({ suite, executor, forms }) => {
    const name = `${suite.name}.${executor}`;
    const cases = forms.map(({ form, failed, passed, failures }) => {
      const open = `    <testcase classname="${xml(`${name}.${form.group}`)}" name="${xml(`${form.text} (${form.encoding})`)}"`;
      if (form.skipped !== undefined) return `${open}><skipped message="${xml(form.skipped)}"/></testcase>`;
      if (failed === 0) return `${open}/>`;
      const text = failures.join('\n\n');
      return `${open}><failure message="${failed} of ${failed + passed} vectors">${xml(text)}</failure></testcase>`;
    });
    const failed = forms.filter((f) => f.failed > 0).length;
    const skipped = forms.filter((f) => f.form.skipped !== undefined).length;
    return [
      `  <testsuite name="${xml(name)}" tests="${forms.length}" failures="${failed}" errors="0" skipped="${skipped}">`,
      ...cases,
      '  </testsuite>',
    ].join('\n');
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="wasmvisor conformance">\n${[...suites, ...publicSuites.flatMap(publicJunit)].join('\n')}\n</testsuites>\n`;
}
