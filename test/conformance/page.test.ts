import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsePublicSuites } from '../../src/conformance/public-suites.ts';

const read = (file: string): string => readFileSync(file, 'utf8');
const page = read('corpus/conformance.html');
const number = (n: number): string => n.toLocaleString('en-US');

// Made anew by: node dist/cli.cjs conformance --html corpus/conformance.html --suites corpus/suites
describe('corpus/conformance.html', () => {
  const recorded: Record<string, { readonly vectors: number }> = JSON.parse(read('corpus/vectors/manifest.json'));

  it('has as many vectors as there are, none of them failed', () => {
    const vectors = Object.values(recorded).map((suite) => suite.vectors);
    const all = vectors.reduce((sum, n) => sum + n, 0);
    expect(page).toContain(`<b>${number(all)}</b><span>vectors recorded`);
    expect(page).toContain(`<b>${number(3 * all)}</b><span>runs passed, in 3 executors`);
    expect(page).toContain('<b>0</b><span>runs failed');
    for (const name of Object.keys(recorded)) expect(page).toContain(`<section id="${name}">`);
  });

  it.each(['results', 'encodings'])('has the counts of %s.json', (name) => {
    for (const { title, isa, places } of parsePublicSuites(read(`corpus/suites/${name}.json`))) {
      const rows = page.split('<tr>').filter((row) => row.startsWith(`<td>${title}<br>`) && row.includes(`<td>${isa}</td>`));
      for (const { passed, failed } of Object.values(places)) {
        const shown = failed === 0 ? number(passed) : `${number(passed)} / ${number(passed + failed)}`;
        expect(
          rows.some((row) => row.includes(`>${shown}</td>`)),
          `${title}: ${shown}`,
        ).toBe(true);
      }
    }
  });
});
