import { PAGE_SCRIPT, PAGE_STYLE } from './html-style.ts';
import type { PublicSuite } from './public-suites.ts';
import type { Counts, MatrixRow, SuiteResult } from './report.ts';
import { countsOf, matrix, titleOf } from './report.ts';
import type { VectorExecutor } from './run.ts';
import type { Form, Suite } from './vectors.ts';

const text = (plain: string): string =>
  plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const number = (n: number): string => n.toLocaleString('en-US');
const plural = (n: number, one: string): string => `${number(n)} ${one}${n === 1 ? '' : 's'}`;

type Passed = Pick<Counts, 'passed' | 'failed'>;

function cell(counts: Passed | undefined): string {
  if (!counts || counts.passed + counts.failed === 0) return '<td class="n none">–</td>';
  const total = counts.passed + counts.failed;
  if (counts.failed === 0) return `<td class="n good">${number(total)}</td>`;
  return `<td class="n bad">${number(counts.passed)} / ${number(total)}</td>`;
}

const heads = (names: readonly string[], from = 1): string =>
  names.map((name, n) => `<th${n >= from ? ' class="n"' : ''}>${text(name)}</th>`).join('');

/** The matrix: groups under their suites, a column for each executor. */
function matrixTable(results: readonly SuiteResult[], rows: readonly MatrixRow[], executors: readonly VectorExecutor[]): string {
  const suites = [...new Set(results.map((r) => r.suite))];
  const body = suites.map((suite) => {
    const own = results.filter((r) => r.suite === suite);
    const sum = executors.map((e) => cell(countsOf(own.filter((r) => r.executor === e).flatMap((r) => r.forms))));
    const withVectors = suite.forms.filter((f) => f.skipped === undefined).length;
    const head = `<tr class="suite"><th scope="rowgroup"><a href="#${suite.name}">${text(titleOf(suite.name))}</a> <small>oracle: ${text(suite.oracle.name)}</small></th><td class="n">${withVectors} of ${suite.forms.length}</td>${sum.join('')}</tr>`;
    const groups = rows
      .filter((r) => r.suite === suite)
      .map(
        (r) =>
          `<tr><td class="in">${text(r.group)}</td><td class="n">${r.forms - r.skipped}${r.skipped ? ` of ${r.forms}` : ''}</td>${executors.map((e) => cell(r.counts[e])).join('')}</tr>`,
      );
    return `<tbody>${head}${groups.join('')}</tbody>`;
  });
  return `<table class="matrix"><thead><tr>${heads(['instructions', 'forms with vectors', ...executors])}</tr></thead>${body.join('')}</table>`;
}

/** Values by reason, most of them first. */
function byReason<T>(entries: readonly (readonly [reason: string, value: T])[]): (readonly [string, readonly T[]])[] {
  const out = new Map<string, T[]>();
  for (const [reason, value] of entries) out.set(reason, [...(out.get(reason) ?? []), value]);
  return [...out].sort(([, a], [, b]) => b.length - a.length);
}

/** `name` once, with the suites that have it. */
function names(list: readonly (readonly [suite: string, name: string])[]): string {
  const suites = new Map<string, Set<string>>();
  for (const [suite, name] of list) suites.set(suite, (suites.get(suite) ?? new Set()).add(name));
  return [...suites]
    .map(([suite, own]) => `<b>${text(suite)}</b> ${[...own].map((name) => `<code>${text(name)}</code>`).join(' ')}`)
    .join('<br>');
}

const mnemonic = (form: Form): string => form.text.split(' ')[0];

function notCompared(suites: readonly Suite[], without: ReadonlyMap<string, number>): string {
  const forms = suites.flatMap((suite) => suite.forms.map((form) => ({ suite: titleOf(suite.name), form })));
  const skipped = byReason(
    forms.flatMap(({ suite, form }) => (form.skipped ? [[form.skipped, [suite, form.text] as const] as const] : [])),
  );
  const masked = byReason(
    forms.flatMap(({ suite, form }) => notesOf(form).map((note) => [note, [suite, mnemonic(form)] as const] as const)),
  );
  const omitted = byReason(
    forms.flatMap(({ suite, form }) =>
      (form.omitted ?? []).map(({ reason, count }) => [reason, { suite, name: mnemonic(form), count }] as const),
    ),
  );
  const table = (head: readonly string[], rows: readonly string[]): string =>
    `<table class="why"><thead><tr>${heads(head, 9)}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
  const parts: string[] = [];
  if (skipped.length > 0)
    parts.push(
      `<h3>Forms that are skipped</h3>${table(
        ['why', 'forms'],
        skipped.map(([reason, list]) => `<tr><td>${text(reason)}</td><td>${names(list)}</td></tr>`),
      )}`,
    );
  if (omitted.length > 0)
    parts.push(
      `<h3>Cases that were not recorded</h3><p>For these the oracle does not answer what the manual says, so other cases took their place.</p>${table(
        ['why', 'cases', 'forms'],
        omitted.map(
          ([reason, list]) =>
            `<tr><td>${text(reason)}</td><td class="n">${number(list.reduce((n, o) => n + o.count, 0))}</td><td>${names(list.map((o) => [o.suite, o.name] as const))}</td></tr>`,
        ),
      )}`,
    );
  if (masked.length > 0)
    parts.push(
      `<h3>Results that are not compared, or not to the bit</h3><p>The vectors of these forms run and are compared but for this.</p>${table(
        ['what', 'forms'],
        masked.map(([reason, list]) => `<tr><td>${text(reason)}</td><td>${names(list)}</td></tr>`),
      )}`,
    );
  if (without.size > 0)
    parts.push(`<h3>Forms without vectors</h3><p>${[...without].map(([group, n]) => `${text(group)} (${n})`).join(', ')}</p>`);
  return parts.join('\n');
}

/** What is not compared of a form's results. */
const notesOf = ({ undefined: left, tolerance }: Form): string[] =>
  [
    left,
    tolerance?.ulps && `results may be ${tolerance.ulps} unit in the last place apart (SDM volume 1, 8.3.10)`,
    tolerance?.relative && `results may be ${tolerance.relative.toExponential(1)} apart (SDM volume 2)`,
  ].filter((note) => typeof note === 'string');

function suiteSection(suite: Suite, own: readonly SuiteResult[]): string {
  const details = Object.entries(suite.oracle.details).map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`);
  const [first] = own;
  const { left } = countsOf(first.forms);
  const rows = first.forms.map(({ form }, n) => {
    const omitted = (form.omitted ?? []).map(({ reason, count }) => `${plural(count, 'case')} not recorded: ${reason}`);
    const notes = [form.skipped && `skipped: ${form.skipped}`, ...notesOf(form).map((note) => `not compared: ${note}`), ...omitted].filter(
      (note) => typeof note === 'string',
    );
    const cells = own.map((r) => cell(countsOf([r.forms[n]]))).join('');
    return `<tr><td><code>${text(form.text)}</code></td><td><code>${text(form.encoding)}</code></td><td>${text(form.group)}</td>${cells}<td>${notes.map(text).join('<br>')}</td></tr>`;
  });
  const head = `<thead><tr>${heads(['form', 'encoding', 'group'], 9)}${heads(
    own.map((r) => r.executor),
    0,
  )}<th>notes</th></tr></thead>`;
  return `<section id="${suite.name}"><h3>${text(titleOf(suite.name))}</h3>
<dl><dt>oracle</dt><dd>${text(suite.oracle.name)}</dd>${details.join('')}<dt>seed</dt><dd>${suite.seed}</dd>${left > 0 ? `<dt>left out of this run</dt><dd>${plural(left, 'vector')}</dd>` : ''}</dl>
<details><summary>${plural(rows.length, 'form')}</summary><div class="wide"><table class="forms">${head}<tbody>${rows.join('')}</tbody></table></div></details></section>`;
}

function publicTable(suites: readonly PublicSuite[]): string {
  const places = [...new Set(suites.flatMap((s) => Object.keys(s.places)))];
  const rows = suites.map((s) => {
    const skips: string[] = [];
    if (s.skipped.length > 0) {
      const total = s.skipped.reduce((sum, { count }) => sum + count, 0);
      const reasons = s.skipped.map(({ reason, count }) => `${number(count)}: ${text(reason)}`);
      skips.push(`<details><summary>${plural(total, 'case')} skipped</summary>${reasons.join('<br>')}</details>`);
    }
    if (s.left > 0) skips.push(`${plural(s.left, 'case')} left out of this run`);
    return `<tr><td>${text(s.title)}<br><small>${text(s.source)}</small></td><td>${text(s.isa)}</td>${places.map((p) => cell(s.places[p])).join('')}<td>${skips.join('<br>')}</td></tr>`;
  });
  const failures = suites.flatMap((s) =>
    s.failures.map(
      (f) =>
        `<tr><td>${text(s.title)}</td><td><code>${text(f.name)}</code></td><td>${text(f.where?.join(', ') ?? '')}</td><td>${text(f.cause ?? '')}</td></tr>`,
    ),
  );
  const list =
    failures.length > 0
      ? `<details><summary>${plural(failures.length, 'failure')}, of every place</summary><div class="wide"><table class="forms"><thead><tr>${heads(['suite', 'case', 'fails', 'why'], 9)}</tr></thead><tbody>${failures.join('')}</tbody></table></div></details>`
      : '';
  return `<h2 id="public">Public suites</h2>
<p>Tests that others wrote, fetched when they run. Each number counts cases; where some fail, passed / all.</p>
<table><thead><tr>${heads(['suite', 'ISA'], 9)}${heads(places, 0)}<th>not run</th></tr></thead><tbody>${rows.join('')}</tbody></table>${list}`;
}

export interface PageOptions {
  readonly version: string;
  /** Forms that no suite mentions: how many, by group. */
  readonly without?: ReadonlyMap<string, number>;
  readonly suites?: readonly PublicSuite[];
}

/** A page for people: the matrix, the oracles, what is left out and why, every form, and the first failures. */
export function html(results: readonly SuiteResult[], { version, without = new Map(), suites: others = [] }: PageOptions): string {
  const suites = [...new Set(results.map((r) => r.suite))];
  const executors = [...new Set(results.map((r) => r.executor))];
  const total = countsOf(results.flatMap((r) => r.forms));
  const recorded = suites.reduce((sum, s) => sum + s.forms.reduce((n, f) => n + f.vectors, 0), 0);
  const all = suites.reduce((sum, s) => sum + s.forms.length, 0);
  const tested = suites.reduce((sum, s) => sum + s.forms.filter((f) => f.skipped === undefined).length, 0);
  const missing = [...without.values()].reduce((sum, n) => sum + n, 0);
  const failures = results.flatMap((r) => r.forms.flatMap((f) => f.failures));
  const card = (value: string, label: string, kind = ''): string => `<div class="card ${kind}"><b>${value}</b><span>${label}</span></div>`;
  const rows = matrix(results);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wasmvisor: conformance</title>
<style>${PAGE_STYLE}</style>
<header><h1>Conformance</h1>
<p>wasmvisor ${text(version)} runs test vectors: a state before, an instruction, and the state after that an outside oracle gave, which is the
processor itself for x86 and QEMU for MIPS. Registers, flags, memory, exceptions and their addresses are compared, to the bit.</p></header>
<div class="cards">${card(number(recorded), 'vectors recorded')}${card(number(total.passed), `runs passed, in ${plural(executors.length, 'executor')}`, 'good')}${card(number(total.failed), 'runs failed', total.failed > 0 ? 'bad' : 'good')}${card(`${number(tested)} of ${number(all + missing)}`, 'instruction forms have vectors')}</div>
${total.left > 0 ? `<p class="note">This run left out ${plural(total.left, 'run')}.</p>` : ''}
${
  failures.length > 0
    ? `<h2>First failures</h2>${failures
        .slice(0, 20)
        .map((failure) => `<pre>${text(failure)}</pre>`)
        .join('')}`
    : ''
}
<h2 id="matrix">By instruction group</h2>
<p>Each number counts vectors that passed; where some failed, passed / all. <b>interpret</b> is the µop interpreter, <b>translate</b> WebAssembly, and
<b>retranslate</b> WebAssembly made anew after an invalidation, with slow paths called instead of left for.</p>
${matrixTable(results, rows, executors)}
${others.length > 0 ? publicTable(others) : ''}
<h2 id="left-out">What is left out, and why</h2>
${notCompared(suites, without)}
<h2 id="forms">Every form</h2>
<p><label>Show only forms with <input type="search" id="filter" placeholder="add, 0F 58, c.lt.d, …"></label></p>
${suites
  .map((suite) =>
    suiteSection(
      suite,
      results.filter((r) => r.suite === suite),
    ),
  )
  .join('\n')}
<footer><p>Repeat it with <code>wasmvisor conformance --html page.html</code>.</p></footer>
<script>${PAGE_SCRIPT}</script>
</html>
`;
}
