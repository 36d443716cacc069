import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as compiler from '../../src/backend/wasm/compile.ts';
import { decodeTranslations, encodeTranslations, type TranslationStore } from '../../src/cache/persistence.ts';
import { decodeModules, encodeModules, type SavedModule } from '../../src/cache/saved-modules.ts';
import { corpusPath, corpusPrograms } from '../../src/cli/corpus.ts';
import { nodeTranslationStore } from '../../src/host/translation-folder.ts';
import { compile, lacks, TARGETS } from '../linux/compiled.ts';
import { runProgram } from '../support/run-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-translations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A store in memory; whatever it is asked for, it has what was saved last. */
function oneEntry(): TranslationStore & { data: Uint8Array | undefined } {
  return {
    data: undefined,
    async load() {
      return this.data;
    },
    async save(_key, data) {
      this.data = data;
    },
  };
}

const run = (elf: Uint8Array, args: readonly string[], translations: TranslationStore, mayCompile = true) =>
  runProgram(elf, {
    argv: ['guest', ...args],
    executor: 'tiered',
    hotThreshold: 20,
    translations,
    // loaded already, so that it is there in time
    loadCompiler: () => (mayCompile ? Promise.resolve(compiler) : new Promise(() => undefined)),
  });

const corpus = (file: string) => {
  const program = corpusPrograms().find((p) => p.file === file)!;
  return { elf: new Uint8Array(readFileSync(corpusPath(program))), expected: program.runs[1] };
};

describe('kept translations', { timeout: 300_000 }, () => {
  it.each(['mips/states', 'x86/bytecode'])('serve the next run of %s without the compiler', async (file) => {
    const { elf, expected } = corpus(file);
    const store = oneEntry();
    const first = await run(elf, expected.args, store);
    expect([first.stdout, first.stats.restored]).toEqual([expected.stdout, 0]);
    const { modules, blocks } = decodeTranslations(store.data!);
    expect([modules.length > 0, blocks !== undefined]).toEqual([true, true]);
    expect(encodeTranslations({ modules, blocks })).toEqual(store.data);

    const second = await run(elf, expected.args, store, false);
    expect([second.stdout, second.stats.compileTime]).toEqual([expected.stdout, 0]);
    expect(second.stats.restored).toBeGreaterThan(0);
    expect(second.stats.instructions).toBe(first.stats.instructions);
    expect(second.stats.restoredBlocks).toBeGreaterThan(0);
    // translated from near the start on, not when hot
    expect(second.stats.blocks + second.stats.restoredBlocks).toBeLessThan(first.stats.blocks);
  });

  it('are not used where the guest has other code, and the guest is right', async () => {
    const { elf, expected } = corpus('mipsel/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    const other = corpus('mipsel/bytecode');
    const mixed = await run(other.elf, other.expected.args, store);
    expect([mixed.stdout, mixed.stats.restored]).toEqual([other.expected.stdout, 0]);
    // what is the same in both, they have both
    expect(mixed.stats.restoredBlocks).toBeLessThan(mixed.stats.blocks);
  });

  it('are not used under other options', async () => {
    const { elf, expected } = corpus('mips/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    const { modules, blocks } = decodeTranslations(store.data!);
    const other = (options: string): string => `${options}x`;
    store.data = encodeTranslations({
      modules: modules.map((module) => ({ ...module, options: other(module.options) })),
      blocks: blocks && { ...blocks, options: other(blocks.options) },
    });
    const second = await run(elf, expected.args, store);
    expect([second.stdout, second.stats.restored, second.stats.restoredBlocks]).toEqual([expected.stdout, 0, 0]);
  });

  it('are ignored where they are cut short or malformed', async () => {
    const { elf, expected } = corpus('mips/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    const saved = decodeTranslations(store.data!);
    const data = encodeModules(saved.modules);
    for (const length of [0, 3, 4, 100, data.length - 1]) expect(decodeModules(data.subarray(0, length))).toEqual([]);
    expect(decodeModules(new Uint8Array([...data, 0]))).toEqual([]);
    const [module, ...rest] = saved.modules;
    const broken = { ...module, wasm: module.wasm.slice(0, -1) };
    store.data = encodeTranslations({ ...saved, modules: [broken, ...rest] });
    const second = await run(elf, expected.args, store);
    expect(second.stdout).toBe(expected.stdout);
    for (const wrong of [{ callees: [[0, 4]] }, { sites: [-1] }, { regions: [{}] }])
      expect(decodeModules(encodeModules([{ ...module, ...wrong } as SavedModule]))).toEqual([]);
    for (const length of [0, 3, 4, 30, 1000])
      expect(decodeTranslations(store.data.subarray(0, length))).toEqual({ modules: [], blocks: undefined });
  });

  const [target] = TARGETS;
  it(`tell where they trapped${lacks(target)}`, async () => {
    if (lacks(target)) return;
    const elf = new Uint8Array(readFileSync(compile(target, 'hot_fault')));
    const store = oneEntry();
    const [first, second] = [await run(elf, [], store), await run(elf, [], store, false)];
    expect(second.stats.restored).toBeGreaterThan(0);
    expect(second.status).toMatchObject({ name: 'SIGSEGV', report: { location: { pc: expect.any(Number) } } });
    expect('report' in second.status && second.status.report?.location).toEqual('report' in first.status && first.status.report?.location);
  });
});

it(`hold no region that another took the place of${lacks(TARGETS[0])}`, { timeout: 300_000 }, async () => {
  const [target] = TARGETS;
  if (lacks(target)) return;
  const store = oneEntry();
  const { status } = await run(new Uint8Array(readFileSync(compile(target, 'widened'))), [], store);
  expect(status).toMatchObject({ name: 'SIGSEGV' });
  const { modules } = decodeTranslations(store.data!);
  const regions = modules.flatMap((module) => module.regions);
  expect(regions.length).toBeGreaterThan(1);
  expect(regions.filter(({ live }) => !live)).toEqual([]);
});

describe('a folder of translations', () => {
  const data = (n: number, size = 1000): Uint8Array => new Uint8Array(size).fill(n);

  it('gives what was saved, by whichever process, and nothing that is damaged', async () => {
    const place = join(folder, 'a');
    const stores = [nodeTranslationStore(place), nodeTranslationStore(place)];
    await Promise.all([stores[0].save('x', data(1)), stores[1].save('y', data(2))]);
    await stores[1].save('x', data(3));
    expect(new Uint8Array((await stores[0].load('x'))!)).toEqual(data(3));
    const [file] = readdirSync(place).map((name) => join(place, name));
    const bytes = readFileSync(file);
    bytes[500] ^= 1;
    writeFileSync(file, bytes);
    expect(await stores[0].load('x')).toBeUndefined();
    for (const length of [700, 10, 0]) {
      truncateSync(file, length);
      expect(await stores[0].load('x')).toBeUndefined();
    }
    await expect(stores[0].load('never')).rejects.toThrow('ENOENT');
  });

  it('is not used if others can write to it', async () => {
    const place = join(folder, 'b');
    // where no folders are made; Node's own mkdir with `recursive` does not come back from there
    await expect(nodeTranslationStore('/proc/wasmvisor').save('k', new Uint8Array(4))).rejects.toThrow();
    const store = nodeTranslationStore(place);
    await store.save('x', data(1));
    chmodSync(place, 0o777);
    expect(await store.load('x')).toBeUndefined();
    await store.save('y', data(1));
    expect(readdirSync(place)).toHaveLength(1);
  });

  it('stays within its limit; what was used last stays', async () => {
    const place = join(folder, 'c');
    const store = nodeTranslationStore(place, { limit: 5000 });
    await store.save('old', data(1));
    for (const name of readdirSync(place)) utimesSync(join(place, name), 1000, 1000);
    await store.save('x', data(2));
    await store.load('old');
    for (const name of readdirSync(place)) if (name.endsWith('x')) utimesSync(join(place, name), 2000, 2000);
    await store.save('y', data(3));
    expect(readdirSync(place).sort()).toEqual(['translations-old', 'translations-y']);
    await store.save('large', data(4, 3000));
    expect(readdirSync(place)).toHaveLength(2);
  });
});
