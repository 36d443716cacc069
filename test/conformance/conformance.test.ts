import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import * as compile from '../../src/backend/wasm/compile.ts';
import { formRegion } from '../../src/backend/wasm/region.ts';
import { html } from '../../src/conformance/html.ts';
import { countsOf, junit, matrix, type SuiteResult, summary } from '../../src/conformance/report.ts';
import { type FormResult, makeRunner, type VectorExecutor } from '../../src/conformance/run.ts';
import { decodeSuite, encodeSuite, type Form, type RecordedSuite, type Suite } from '../../src/conformance/vectors.ts';
import type { CodeLimit } from '../../src/vcpu/options.ts';
import { runtimeModule } from '../support/runtime.ts';

const FOLDER = join(import.meta.dirname, '../../corpus/vectors');
const load = (name: string): Suite => decodeSuite(brotliDecompressSync(readFileSync(join(FOLDER, `${name}.bin`))));
const runnerOf = (suite: Suite, executor: VectorExecutor, codeLimit?: CodeLimit) =>
  makeRunner(suite, {
    executor,
    runtime: runtimeModule(),
    loadCompiler: async () => ({ ...compile, formRegion }),
    ...(codeLimit && { codeLimit }),
  });

interface Manifest {
  readonly [suite: string]: { readonly sha256: string; readonly forms: number; readonly vectors: number; readonly skipped: number };
}
const manifest = JSON.parse(readFileSync(join(FOLDER, 'manifest.json'), 'utf8')) as Manifest;

describe('the recorded vectors', () => {
  it('are what the manifest says, and at least 200 for each form that is not skipped', () => {
    expect(readdirSync(FOLDER).filter((name) => name.endsWith('.bin'))).toEqual(Object.keys(manifest).map((name) => `${name}.bin`));
    for (const [name, entry] of Object.entries(manifest)) {
      const bytes = brotliDecompressSync(readFileSync(join(FOLDER, `${name}.bin`)));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(entry.sha256);
      const { forms } = decodeSuite(bytes);
      const skipped = forms.filter((f) => f.skipped !== undefined);
      expect({ forms: forms.length, vectors: forms.reduce((n, f) => n + f.vectors, 0), skipped: skipped.length }).toEqual({
        forms: entry.forms,
        vectors: entry.vectors,
        skipped: entry.skipped,
      });
      expect(forms.filter((f) => f.vectors < 200 && f.skipped === undefined).map((f) => f.text)).toEqual([]);
      expect(skipped.every((f) => f.vectors === 0)).toBe(true);
    }
  }, 300_000);

  // CI runs more of them through the command; here a part that takes seconds
  it.each(Object.keys(manifest).flatMap((name) => (['interpret', 'translate', 'retranslate'] as const).map((e) => [name, e] as const)))(
    '%s %s: a part of each form',
    async (name, executor) => {
      const suite = load(name);
      const runner = await runnerOf(suite, executor);
      const forms = runner.run(suite.forms, { of: 7, every: 25 });
      const failures = forms.flatMap((f) => f.failures);
      expect(failures.slice(0, 3).join('\n\n')).toBe('');
      expect(countsOf(forms)).toMatchObject({ failed: 0, skipped: manifest[name].skipped });
      expect(countsOf(forms).passed).toBeGreaterThan(forms.length / 2);
    },
    300_000,
  );
});

it('codes that wait in one module stay right when others of the vCPU go', async () => {
  const suite = load('mipsel-fpu');
  const runner = await runnerOf(suite, 'translate', { bytes: 24 << 20, modules: 1500, dropped: 3 });
  const forms = runner.run(suite.forms.filter(({ text }) => text.startsWith('cvt.')));
  expect(forms.flatMap((f) => f.failures).slice(0, 1)).toEqual([]);
  expect(countsOf(forms).passed).toBeGreaterThan(1000);
}, 300_000);

/** The suite again, with what the oracle gave for one form changed. */
function withChange(suite: Suite, form: Form, change: (v: RecordedSuite['forms'][0]['vectors'][0]) => object): Suite {
  const templates: Uint8Array[] = [];
  const vectors = [...suite.vectors(form)].slice(0, 4).map((v) => {
    templates.push(Uint8Array.from([...v.before, ...v.memory]));
    return { ...v, template: templates.length - 1 };
  });
  const changed = vectors.map((v, n) => (n === 1 ? { ...v, ...change(v) } : v));
  const { vectors: _count, at: _at, ...rest } = form;
  return decodeSuite(encodeSuite({ ...suite, templates, forms: [{ ...rest, vectors: changed }] }));
}

describe('a wrong result', () => {
  const suite = load('x86-integer');
  const add = suite.forms.find((f) => f.text === 'ADD Gv, Ev')!;
  const resultOf = async (changed: Suite): Promise<FormResult> => (await runnerOf(changed, 'interpret')).run(changed.forms)[0];

  it('is none where nothing was changed', async () => {
    expect(await resultOf(withChange(suite, add, () => ({})))).toMatchObject({ passed: 4, failed: 0, left: 0 });
  });

  it.each<[string, (v: RecordedSuite['forms'][0]['vectors'][0]) => object, string]>([
    ['register', (v) => ({ after: v.after.with(28, v.after[28] ^ 1) }), 'edi: '],
    ['flag', (v) => ({ after: v.after.with(32, v.after[32] ^ 1) }), 'eflags: '],
    ['byte of memory', () => ({ changes: new Map([[0x20000100, 0xff]]) }), '[20000100]: ff | unchanged'],
    ['end', () => ({ end: { kind: 1, number: 6, address: 0 } }), 'end: exception 6'],
    ['pc', (v) => ({ endPc: v.endPc + 1 }), 'end: '],
  ])('in a %s is found and shown', async (_, change, text) => {
    const changed = withChange(suite, add, change);
    const result = await resultOf(changed);
    expect(result).toMatchObject({ passed: 3, failed: 1 });
    const [shown] = result.failures;
    expect(shown).toContain(text);
    expect(shown).toContain('x86-integer interpret: ADD Gv, Ev (03 /r), vector 1');
    expect(shown).toMatch(/code: {3}.*03 .* add /);
    const results: SuiteResult[] = [{ suite: changed, executor: 'interpret', forms: [result] }];
    expect(matrix(results)).toMatchObject([{ group: 'arithmetic', forms: 1, counts: { interpret: { passed: 3, failed: 1 } } }]);
    expect(junit(results)).toContain('<failure message="1 of 4 vectors">');
    expect(html(results, { version: '1.0' })).toContain('<td class="n bad">3 / 4</td>');
    expect(JSON.stringify(summary(results))).toContain('"failed":1');
  });

  it('is not one in a bit that is not compared', async () => {
    const changed = withChange(suite, add, (v) => ({ after: v.after.with(28, v.after[28] ^ 1), ignored: v.ignored.with(28, 1) }));
    expect(await resultOf(changed)).toMatchObject({ passed: 4, failed: 0 });
  });
});

describe('a file of vectors', () => {
  it('that is cut off or something else is refused', () => {
    const bytes = brotliDecompressSync(readFileSync(join(FOLDER, 'x86-mmx.bin')));
    expect(() => decodeSuite(bytes.subarray(0, 7))).toThrow('not a file of test vectors');
    expect(() => decodeSuite(Uint8Array.from(bytes).fill(0, 0, 4))).toThrow('not a file of test vectors');
    const cut = decodeSuite(bytes.subarray(0, bytes.length - 1));
    expect(() => [...cut.vectors(cut.forms[cut.forms.length - 1])]).toThrow('ends too early');
  });
});
