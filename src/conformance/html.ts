import type { Counts, MatrixRow, SuiteResult } from './report.ts';
import { countsOf, matrix } from './report.ts';
import type { VectorExecutor } from './run.ts';

const text = (plain: string): string =>
  plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; padding: 0.2rem 0.6rem; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bad { color: #c22; font-weight: 600; }
.none { opacity: 0.5; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.85em; }
pre { overflow-x: auto; padding: 0.6rem; background: color-mix(in srgb, currentColor 7%, transparent); }
td code { white-space: nowrap; }
summary { cursor: pointer; }
`;

function cell(counts: Counts | undefined): string {
  if (!counts || counts.passed + counts.failed === 0) return '<td class="n none">–</td>';
  const total = counts.passed + counts.failed;
  if (counts.failed === 0) return `<td class="n">${total}</td>`;
  return `<td class="n bad">${counts.passed} / ${total}</td>`;
}

function groupTable(rows: readonly MatrixRow[], executors: readonly VectorExecutor[]): string {
  const head = `<tr><th>group</th><th class="n">forms</th><th class="n">skipped</th>${executors.map((e) => `<th class="n">${e}</th>`).join('')}</tr>`;
  const body = rows.map(
    (r) =>
      `<tr><td>${text(r.group)}</td><td class="n">${r.forms}</td><td class="n">${r.skipped || ''}</td>${executors.map((e) => cell(r.counts[e])).join('')}</tr>`,
  );
  return `<table>${head}${body.join('')}</table>`;
}

function formTable(results: readonly SuiteResult[]): string {
  const [first] = results;
  const head = `<tr><th>form</th><th>encoding</th><th>group</th>${results.map((r) => `<th class="n">${r.executor}</th>`).join('')}<th>notes</th></tr>`;
  const rows = first.forms.map(({ form }, n) => {
    const notes = [
      form.skipped && `skipped: ${form.skipped}`,
      form.undefined && `not compared: ${form.undefined}`,
      form.tolerance?.ulps && `results may be ${form.tolerance.ulps} unit in the last place apart (SDM volume 1, 8.3.10)`,
      form.tolerance?.relative && `results may be ${form.tolerance.relative.toExponential(1)} apart (SDM volume 2)`,
    ].filter(Boolean);
    const cells = results.map((r) => cell(countsOf([r.forms[n]]))).join('');
    return `<tr><td><code>${text(form.text)}</code></td><td><code>${text(form.encoding)}</code></td><td>${text(form.group)}</td>${cells}<td>${text(notes.join('; '))}</td></tr>`;
  });
  return `<details><summary>All ${first.forms.length} forms</summary><table>${head}${rows.join('')}</table></details>`;
}

/** A page for people: the matrix, the oracles, every form with what is left out of it and why, and the first failures. */
export function html(results: readonly SuiteResult[], version: string, without: ReadonlyMap<string, number> = new Map()): string {
  const suites = [...new Set(results.map((r) => r.suite))];
  const rows = matrix(results);
  const sections = suites.map((suite) => {
    const own = results.filter((r) => r.suite === suite);
    const failures = own.flatMap((r) => r.forms.flatMap((f) => f.failures));
    const details = Object.entries(suite.oracle.details)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; ');
    const left = countsOf(own[0].forms).left;
    return `<h2>${text(suite.name)}</h2>
<p>Expected states from ${text(suite.oracle.name)} (${text(details)}); seed ${suite.seed}.${left > 0 ? ` This run left out ${left} vectors.` : ''}</p>
${groupTable(
  rows.filter((r) => r.suite === suite),
  own.map((r) => r.executor),
)}
${failures.length > 0 ? `<h3>First failures</h3>${failures.map((failure) => `<pre>${text(failure)}</pre>`).join('')}` : ''}
${formTable(own)}`;
  });
  const total = countsOf(results.flatMap((r) => r.forms));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wasmvisor: conformance</title>
<style>${STYLE}</style>
<h1>Conformance</h1>
<p>wasmvisor ${text(version)}. Each number counts test vectors: a state before, a few instructions, and the state after that an
oracle gave. <b>${total.passed}</b> passed${total.failed > 0 ? `, <b class="bad">${total.failed} failed</b>` : ', none failed'}.
interpret: the µop interpreter; translate: WebAssembly; retranslate: WebAssembly made anew after an invalidation.</p>
${without.size > 0 ? `<p>Forms without vectors: ${[...without].map(([group, n]) => `${text(group)} (${n})`).join(', ')}.</p>` : ''}
${sections.join('\n')}
</html>
`;
}
