import fs, { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import * as compiler from '../../src/backend/wasm/compile.ts';
import { type KeptBytes, partsOf } from '../../src/cache/parts.ts';
import { decodeTranslations, encodeTranslations, NO_TRANSLATIONS, type TranslationStore } from '../../src/cache/persistence.ts';
import { decodeModule, encodeModule, modulePart, type SavedModule } from '../../src/cache/saved-modules.ts';
import { corpusPath, corpusPrograms } from '../../src/cli/corpus.ts';
import { nodeTranslationStore } from '../../src/host/translation-folder.ts';
import { compile, lacks, TARGETS } from '../linux/compiled.ts';
import { runProgram } from '../support/run-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-translations-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A store in memory; whatever it is asked for, it has what was saved last. */
function oneEntry(): TranslationStore & { data: Uint8Array<ArrayBuffer> | undefined } {
  return {
    data: undefined,
    async load() {
      return this.data;
    },
    async save(_key, data) {
      this.data = data.slice();
    },
  };
}

const modulesOf = (data: Uint8Array): SavedModule[] =>
  decodeTranslations(data)
    .modules.all()
    .map(([, part]) => part.value()!);
const modules = (list: readonly SavedModule[]) => partsOf(list.map(modulePart));

const run = (elf: Uint8Array, args: readonly string[], translations: TranslationStore, mayCompile = true, hotThreshold = 20) =>
  runProgram(elf, {
    argv: ['guest', ...args],
    executor: 'tiered',
    hotThreshold,
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
    const saved = decodeTranslations(store.data!);
    expect([saved.modules.empty, saved.blocks !== undefined]).toEqual([false, true]);
    expect(encodeTranslations(saved)).toEqual(store.data);
    expect(encodeTranslations({ ...saved, modules: modules(modulesOf(store.data!)) })).toEqual(store.data);

    // put in place long before the code would be hot
    const second = await run(elf, expected.args, store, false, 1e9);
    expect([second.stdout, second.stats.compileTime]).toEqual([expected.stdout, 0]);
    expect(second.stats.restored).toBeGreaterThan(0);
    expect(second.stats.instructions).toBe(first.stats.instructions);
    expect(second.stats.restoredBlocks).toBeGreaterThan(0);
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
    const { blocks } = decodeTranslations(store.data!);
    const other = (options: string): string => `${options}x`;
    store.data = encodeTranslations({
      modules: modules(modulesOf(store.data!).map((module) => ({ ...module, options: other(module.options) }))),
      blocks: blocks && { ...blocks, options: other(blocks.options) },
    }).slice();
    const second = await run(elf, expected.args, store);
    expect([second.stdout, second.stats.restored, second.stats.restoredBlocks]).toEqual([expected.stdout, 0, 0]);

    const saved = decodeTranslations(store.data!);
    const older = encodeTranslations({ ...saved, blocks: { ...saved.blocks!, options: 'older x86' } });
    expect([saved.modules.empty, decodeTranslations(older)]).toEqual([false, NO_TRANSLATIONS]);
  });

  it('are ignored where they are cut short or malformed', async () => {
    const { elf, expected } = corpus('mips/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    const saved = decodeTranslations(store.data!);
    const [module, ...rest] = modulesOf(store.data!);
    const data = encodeModule(module) as Uint8Array<ArrayBuffer>;
    expect(decodeModule(data)).toEqual(module);
    for (const length of [0, 3, 4, 100, data.length - 4]) expect(decodeModule(data.slice(0, length))).toBeUndefined();
    for (const wrong of [{ callees: [[0, 4]] }, { sites: [-1] }, { regions: [{}] }])
      expect(decodeModule(encodeModule({ ...module, ...wrong } as SavedModule) as Uint8Array<ArrayBuffer>)).toBeUndefined();
    const broken = { ...module, wasm: module.wasm.slice(0, -1) };
    const whole = encodeTranslations({ ...saved, modules: modules([broken, ...rest]) }).slice();
    store.data = whole;
    expect((await run(elf, expected.args, store)).stdout).toBe(expected.stdout);
    for (const length of [0, 3, 4, 30, 1000, whole.length - 4])
      expect(decodeTranslations(whole.subarray(0, length))).toMatchObject({ modules: { empty: true }, blocks: undefined });
    // each word of what comes before the parts made another
    const words = new Uint32Array(whole.buffer, 0, whole.length / 4);
    for (let i = 0; i < words[0] / 4; i += i < 6 ? 1 : 97)
      for (const wrong of [0, 0xffffffff, words[i] + 4]) {
        const changed = words.slice();
        changed[i] = wrong;
        const { modules: found, blocks } = decodeTranslations(new Uint8Array(changed.buffer));
        for (const parts of [found, blocks?.pages])
          for (const [pcs, part] of parts?.all() ?? []) expect([pcs, part.value()]).toHaveLength(2);
      }
  });

  it('may come in a Buffer, which begins anywhere', async () => {
    const { elf, expected } = corpus('x86/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    const data = Buffer.concat([new Uint8Array(1), store.data!]).subarray(1);
    const second = await run(elf, expected.args, { load: async () => data, save: async () => undefined }, false);
    expect(second.stdout).toBe(expected.stdout);
    expect(second.stats.restoredBlocks).toBeGreaterThan(0);
  });

  it('are read in parts, and no more than are needed', async () => {
    const { elf, expected } = corpus('x86/states');
    const store = oneEntry();
    await run(elf, expected.args, store);
    let read = 0;
    let closed = 0;
    let damaged = false;
    const data = store.data!;
    const source: KeptBytes = {
      length: data.length,
      read(start, end) {
        read += end - start;
        // what is not as it was kept
        return damaged && start > 0 ? undefined : data.slice(start, end);
      },
      close: () => void closed++,
    };
    const parted: TranslationStore = { load: async () => source, save: async () => undefined };
    const second = await run(elf, expected.args, parted, false);
    expect([second.stdout, closed]).toEqual([expected.stdout, 1]);
    const onSyscall = (): never => {
      throw new Error('a fault of its embedder’s');
    };
    await expect(runProgram(elf, { argv: ['program'], translations: parted, onSyscall })).rejects.toThrow('embedder');
    expect(closed).toBe(2);
    expect(second.stats.restored).toBeGreaterThan(0);
    expect(second.stats.restoredBlocks).toBeGreaterThan(second.stats.blocks);
    read = 0;
    const { modules: found, blocks } = decodeTranslations(source);
    const [[pcs]] = found.all();
    expect([found.at(pcs[0]) === undefined, found.at(4), blocks?.pages.at(0)]).toEqual([false, undefined, undefined]);
    expect(read).toBeLessThan(data.length / 2);
    found.at(pcs[0])?.value();
    found.at(pcs[0])?.value();
    expect(read).toBeLessThan(data.length);
    damaged = true;
    const third = await run(elf, expected.args, parted);
    expect([third.stdout, third.stats.restored, third.stats.restoredBlocks]).toEqual([expected.stdout, 0, 0]);
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
  const regions = modulesOf(store.data!).flatMap((module) => module.regions);
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
    expect(await stores[0].load('x')).toEqual(data(3));
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

  it('gives parts of what is large, as it was when it was asked for, and none that are damaged', async () => {
    const place = join(folder, 'parts');
    const store = nodeTranslationStore(place);
    const large = new Uint8Array(1 << 19).map((_, i) => i * 7);
    await store.save('x', large);
    const file = join(place, readdirSync(place)[0]);
    const [old, other] = [(await store.load('x')) as KeptBytes, (await store.load('x')) as KeptBytes];
    await store.save('x', data(1));
    expect(old.length).toBe(large.length);
    expect(old.read(1000, 5000)).toEqual(large.slice(1000, 5000));
    old.close?.();
    old.close?.();
    expect(old.read(1000, 5000)).toBeUndefined();
    expect(other.read(0, 4)).toEqual(large.slice(0, 4));
    other.close?.();
    await store.save('x', large);
    const found = (await store.load('x')) as KeptBytes;
    const bytes = readFileSync(file);
    bytes[4 + 2000] ^= 1;
    writeFileSync(file, bytes);
    expect([found.read(1000, 2004), found.read(0, 2000)]).toEqual([undefined, large.slice(0, 2000)]);
    truncateSync(file, large.length);
    expect(found.read(0, 2000)).toBeUndefined();
    found.close?.();
  });

  it('is used where nothing can be written, and leaves nothing of what it could not write', async () => {
    const place = join(folder, 'full');
    const store = nodeTranslationStore(place);
    await store.save('x', data(1));
    const file = join(place, readdirSync(place)[0]);
    utimesSync(file, 1, 1);
    const fails = (code: string) => (): never => {
      throw Object.assign(new Error(code), { code });
    };
    vi.spyOn(fs, 'futimesSync').mockImplementationOnce(fails('EROFS'));
    expect(await store.load('x')).toEqual(data(1));
    vi.spyOn(fs, 'writeFileSync').mockImplementationOnce(fails('ENOSPC'));
    await expect(store.save('y', data(2))).rejects.toThrow('ENOSPC');
    vi.restoreAllMocks();
    expect(readdirSync(place).map((name) => join(place, name))).toEqual([file]);
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
