import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestResult } from './page.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** For what the browser does in a moment on a host that is not busy. */
const PATIENCE_MS = 240_000;
const BROWSER = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  // containers have little of it
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Entry {
  readonly name: string;
  readonly file: string;
  readonly runs: readonly { readonly args: readonly string[]; readonly stdout: string }[];
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'corpus/programs/manifest.json'), 'utf8')) as { programs: Entry[] };

const [, example] = /```html\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))!;

const missing = !existsSync(BROWSER);
if (missing) console.warn(`the browser is not tested: there is no ${BROWSER} (set CHROMIUM)`);

describe.skipIf(missing)('in headless Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-browser-'));
  let server: Server | undefined;
  let browser: BrowserContext | undefined;
  let page: Page;
  const errors: string[] = [];

  beforeAll(async () => {
    const bundle = await build({
      entryPoints: [join(import.meta.dirname, 'page.ts')],
      outdir: join(folder, 'bundle'),
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      // as a user bundles the package
      plugins: [
        {
          name: 'package',
          setup: ({ onResolve }) => onResolve({ filter: /\/src\/index\.ts$/ }, () => ({ path: join(ROOT, 'dist/index.js') })),
        },
      ],
      write: false,
      logLevel: 'error',
    });
    const files = new Map<string, { readonly type: string; readonly body: Uint8Array | string }>([
      ['/', { type: 'text/html', body: '<!doctype html><script type="module" src="/page.js"></script>' }],
      ['/runtime.wasm', { type: 'application/wasm', body: readFileSync(join(ROOT, 'dist/runtime.wasm')) }],
      ['/binaryen.wasm', { type: 'application/wasm', body: readFileSync(join(ROOT, 'dist/binaryen.wasm')) }],
      ['/readme', { type: 'text/html', body: example }],
    ]);
    const types = { '.js': 'text/javascript', '.wasm': 'application/wasm' };
    for (const name of readdirSync(join(ROOT, 'dist'))) {
      const type = types[extname(name) as keyof typeof types];
      if (type) files.set(`/node_modules/wasmvisor/dist/${name}`, { type, body: readFileSync(join(ROOT, 'dist', name)) });
    }
    for (const { path, contents } of bundle.outputFiles)
      files.set(path.slice(join(folder, 'bundle').length), { type: 'text/javascript', body: contents });
    for (const { file } of manifest.programs)
      for (const place of ['/guests', '/node_modules/wasmvisor/corpus/programs'])
        files.set(`${place}/${file}`, { type: 'application/octet-stream', body: readFileSync(join(ROOT, 'corpus/programs', file)) });
    server = createServer((request, response) => {
      const file = files.get(request.url ?? '');
      if (file) response.setHeader('Content-Type', file.type);
      else response.statusCode = 404;
      response.end(file?.body);
    });
    await new Promise<void>((ready) => server?.listen(0, '127.0.0.1', ready));
    browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: BROWSER,
      headless: true,
      args: FLAGS,
      timeout: PATIENCE_MS,
    });
    browser.setDefaultTimeout(PATIENCE_MS);
    page = await browser.newPage();
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => 'runGuest' in globalThis);
  }, 300_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    // its processes may write for a moment longer
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  test.each(manifest.programs.map(({ file, runs }) => ({ file, run: runs[0] })))('$file prints what it prints elsewhere', async ({
    file,
    run,
  }) => {
    for (const executor of ['interpret', 'translate', 'tiered']) {
      const result = await page.evaluate(
        ([name, args, how]) => (globalThis as unknown as { runGuest: (...a: unknown[]) => Promise<GuestResult> }).runGuest(name, args, how),
        [file, run.args, executor] as const,
      );
      expect(result).toMatchObject({ stdout: run.stdout, code: 0 });
      expect(result.instructions).toBeGreaterThan(100);
      if (executor === 'translate') expect(result.regions).toBeGreaterThan(0);
    }
    expect(errors).toEqual([]);
  }, 300_000);

  test('translates a function, through wabt', async () => {
    const wat = await page.evaluate(() => (globalThis as unknown as { watOf: (code: number[]) => Promise<string> }).watOf([0xc3]));
    expect(wat).toMatch(/^\(module/);
  });

  test('the page of the README runs without a bundler', async () => {
    const own = await browser!.newPage();
    own.on('pageerror', (error) => errors.push(String(error)));
    await own.goto(new URL('/readme', page.url()).href);
    await own
      .getByText('exit code 0')
      .waitFor()
      .catch(async (late: Error) => {
        throw new Error(`${late.message}; errors: ${errors.join(', ')}; the page: ${await own.locator('body').innerText()}`);
      });
    const run = await own.locator('pre').innerText();
    expect(run).toMatch(/^sha256 20: [0-9a-f]{64} [0-9a-f]{8}\nexit code 0$/);
    expect(errors).toEqual([]);
    await own.close();
  }, 300_000);
});
