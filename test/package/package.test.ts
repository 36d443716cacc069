import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-package-'));
/** Within the time that a test may take, so that what a command has printed is told. */
const PATIENCE_MS = 240_000;
const installed = join(folder, 'node_modules/wasmvisor');

interface Done {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}
function run(command: string, args: readonly string[], cwd: string): Promise<Done> {
  return new Promise((done) =>
    execFile(command, args, { cwd, maxBuffer: 1 << 26, timeout: PATIENCE_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      done({
        status: error ? Number(error.code ?? 1) : 0,
        stdout,
        stderr: error?.killed ? `${stderr}\nkilled by the test: it did not end` : stderr,
      }),
    ),
  );
}

let offline: string | undefined;

beforeAll(async () => {
  const packed = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], ROOT);
  expect(packed, packed.stderr).toMatchObject({ status: 0 });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }');
  const install = await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`], folder);
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH/.test(install.stderr)) {
    offline = 'the npm registry cannot be reached';
    console.warn(`the packed package is not tested: ${offline}`);
    return;
  }
  expect(install, install.stderr).toMatchObject({ status: 0 });
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inPackage = (name: string, work: () => Promise<void>): void =>
  test(name, async (context) => {
    context.skip(offline !== undefined, offline);
    await work();
  }, 300_000);

describe('the packed package, installed into an empty folder', () => {
  inPackage('holds what it needs and nothing else', async () => {
    expect(
      readdirSync(installed)
        .filter((name) => name !== 'node_modules')
        .sort(),
    ).toEqual(['LICENSE', 'README.md', 'corpus', 'dist', 'package.json']);
    expect(existsSync(join(installed, 'dist/runtime.wasm'))).toBe(true);
  });

  inPackage('runs a guest through its bin', async () => {
    for (const isa of ['mips', 'mipsel', 'x86']) {
      const done = await run(
        join(folder, 'node_modules/.bin/wasmvisor'),
        ['run', join(installed, 'corpus/programs', isa, 'hello'), '2'],
        folder,
      );
      expect(done).toEqual({ status: 0, stdout: 'hello 2: Hello from a guest! Hello from a guest! 68656c6c\n', stderr: '' });
    }
  });

  inPackage('runs its test vectors', async () => {
    const done = await run(join(folder, 'node_modules/.bin/wasmvisor'), ['conformance', '--suite', 'x86-mmx', '--shard', '1/25'], folder);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toMatch(/\n\d+ passed, 0 failed; /);
  });

  inPackage('translates through its API', async () => {
    writeFileSync(
      join(folder, 'use.js'),
      `import { translate } from 'wasmvisor';
       const { ir, wasm } = await translate(new Uint8Array([0x8d, 0x04, 0x37, 0xc3]), { isa: 'x86', pc: 0x10000 });
       console.log(WebAssembly.validate(wasm), /i32\\.add/.test(ir));`,
    );
    expect(await run(process.execPath, ['use.js'], folder)).toEqual({ status: 0, stdout: 'true true\n', stderr: '' });
  });

  inPackage('has types that a strict program can use', async () => {
    writeFileSync(
      join(folder, 'use.ts'),
      `import { loadProgram, translate, listInstructions, listSyscalls, type Translation } from 'wasmvisor';
       import * as node from 'wasmvisor/node';
       const translation: Promise<Translation> = translate(new Uint8Array(4), { isa: 'mips' });
       const wrong: number = translate;
       export { translation, wrong, loadProgram, listInstructions, listSyscalls, node };`,
    );
    const args = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2023,dom',
      '--types',
      'node',
      '--typeRoots',
      join(ROOT, 'node_modules/@types'),
      'use.ts',
    ];
    const done = await run(join(ROOT, 'node_modules/.bin/tsc'), args, folder);
    expect(
      done.stdout
        .trim()
        .split('\n')
        .filter((line) => /error TS/.test(line)),
    ).toEqual([expect.stringMatching(/^use\.ts\(4,\d+\): error TS2322/)]);
  });
});
