import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as compiler from '../../src/backend/wasm/compile.ts';
import { partsOf } from '../../src/cache/parts.ts';
import { decodeTranslations, encodeTranslations, NO_TRANSLATIONS } from '../../src/cache/persistence.ts';
import { pagePart, SavedBlock } from '../../src/cache/saved-blocks.ts';
import { modulePart, type SavedModule } from '../../src/cache/saved-modules.ts';
import { createMachine, type Machine } from '../../src/vmm/machine.ts';
import type { MachineOptions } from '../../src/vmm/options.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, out } from './kernel.ts';

const SYSTEM = systemModule();
const RULES = readFileSync(new URL('../../corpus/kernels/x86-rules', import.meta.url));

/** To its end, with what an earlier machine left; and what this one leaves. */
async function boot(
  image: Uint8Array,
  saved?: Uint8Array,
  options: Partial<MachineOptions> = {},
): Promise<{ machine: Machine; text: string; code: number | undefined; left: Uint8Array | undefined }> {
  let left: Uint8Array | undefined;
  const machine = await createMachine({
    machine: 'pc',
    runtime: SYSTEM,
    memory: 32 << 20,
    kernel: image,
    clock: 'virtual',
    translations: {
      load: async () => saved,
      save: async (_key, data) => {
        left = data;
      },
    },
    ...options,
  });
  let text = '';
  machine.on('console', (bytes) => {
    text += Buffer.from(bytes).toString('latin1');
  });
  const end = await machine.run();
  return { machine, text, code: end?.code, left };
}

test('the second boot runs the blocks of the first', { timeout: 300_000 }, async () => {
  const first = await boot(RULES);
  expect(first.text).toContain('all rules hold');
  const second = await boot(RULES, first.left);
  expect([second.text, second.code, second.machine.vcpu.retired]).toEqual([first.text, first.code, first.machine.vcpu.retired]);
  const { blocks, restoredBlocks } = second.machine.stats;
  expect(restoredBlocks).toBeGreaterThan(1000);
  expect(blocks).toBeLessThan(restoredBlocks / 10);
  // where another machine has its memory is of no account, nor are blocks that cannot be
  const saved = decodeTranslations(first.left!).blocks!;
  const pages = saved.pages.all().map(([pcs, part]) => {
    const page = part.value()!;
    const uops = page.uops.map((word, i) => (i % 7 === 0 ? 0x7fffff : word));
    for (let i = 0; i < page.index.length - SavedBlock.WORDS; i += SavedBlock.WORDS) uops[page.index[i + SavedBlock.UOPS]] = 1;
    return [pcs, pagePart({ ...page, uops })] as const;
  });
  const wrong = encodeTranslations({ ...NO_TRANSLATIONS, blocks: { ...saved, pages: partsOf(pages) } });
  const third = await boot(RULES, wrong, { memory: 64 << 20 });
  expect([third.text, third.code, third.machine.stats.restoredBlocks]).toEqual([first.text, first.code, 0]);
});

test('the second boot takes compiled modules from the first, where its pages are as they were', { timeout: 300_000 }, async () => {
  // loaded already, so that it is there in time
  const hot = { hotThreshold: 20, loadCompiler: async () => compiler };
  const first = await boot(RULES, undefined, hot);
  const modules = decodeTranslations(first.left!)
    .modules.all()
    .map(([, part]) => part.value()!);
  expect(modules.length).toBeGreaterThan(10);
  const second = await boot(RULES, first.left, hot);
  expect([second.text, second.code, second.machine.vcpu.retired]).toEqual([first.text, first.code, first.machine.vcpu.retired]);
  const { restored } = second.machine.stats;
  expect(restored).toBeGreaterThan(modules.length / 4);
  // pages that were mapped elsewhere, another mode, other code
  for (const change of [
    (m: SavedModule): SavedModule => ({ ...m, pages: m.pages.map(([page, word]) => [page, (word ^ 0x1000) >>> 0]) }),
    (m: SavedModule): SavedModule => ({ ...m, mode: 0 }),
    (m: SavedModule): SavedModule => ({ ...m, code: m.code.map((byte) => byte ^ 1) }),
  ]) {
    const other = await boot(RULES, encodeTranslations({ modules: partsOf(modules.map(change).map(modulePart)), blocks: undefined }), hot);
    expect([other.text, other.code, other.machine.stats.restored]).toEqual([first.text, first.code, 0]);
  }
});

test('blocks of other code are lifted anew; of code that the guest overwrites, both are kept', async () => {
  // call code; then code's mov al,21 becomes mov al,22; call code; out 0xf4,al; hlt. code: mov al,21; ret
  const image = (first: number, second: number): Uint8Array =>
    kernel(
      ...[0xbc, 0, 0, 0x30, 0, 0xe8, 19, 0, 0, 0, 0xc6, 0x05, 0x7e, 0, 0x20, 0, second, 0xe8, 7, 0, 0, 0],
      ...[0x66, 0xba, 0xf4, 0, 0xee, 0xf4],
      ...[0xf4, 0xb0, first, 0xc3],
    );
  const one = await boot(image(21, 22));
  expect(one.code).toBe(45);
  const again = await boot(image(21, 22), one.left);
  expect([again.code, again.machine.stats.blocks, again.left]).toEqual([45, 0, undefined]);
  const other = await boot(image(21, 23), one.left);
  expect([other.code, other.machine.stats.blocks]).toEqual([47, 2]);
  expect((await boot(image(24, 25), other.left)).code).toBe(51);
});

test('a hooked instruction is not passed by', async () => {
  const image = kernel(...out(0xf4, 0), 0xf4);
  const { left } = await boot(image);
  let hooked = 0;
  const second = await boot(image, left, { hooks: { 'OUT DX, AL': () => void hooked++ } });
  expect([hooked, second.left]).toEqual([1, undefined]);
});

test('a machine that is stopped lets go of what was kept, though it never ran', async () => {
  const { left } = await boot(kernel(...out(0xf4, 0), 0xf4));
  let open = 0;
  const load = async () => {
    open++;
    const bytes = left!.slice();
    return { length: bytes.length, read: (start: number, end: number) => bytes.slice(start, end), close: () => void open-- };
  };
  const translations = { load, save: async () => undefined };
  const options = { machine: 'pc', runtime: SYSTEM, memory: 32 << 20, translations, kernel: kernel(...out(0xf4, 0), 0xf4) } as const;
  const never = await createMachine(options);
  const runs = await createMachine(options);
  expect(open).toBe(2);
  never.stop();
  expect(open).toBe(1);
  expect((await never.run())?.reason).toBe('stopped');
  expect((await runs.run())?.code).toBe(1);
  expect(open).toBe(0);
});

test('one that is stopped while it is paused leaves what it has', async () => {
  let left: Uint8Array | undefined;
  let wrote = (): void => {};
  const text = new Promise<void>((resolve) => {
    wrote = resolve;
  });
  const save = async (_key: string, data: Uint8Array): Promise<void> => {
    left = data;
  };
  const image = kernel(...out(0x3f8, 0x48), 0xeb, 0xfe);
  const machine = await createMachine({
    machine: 'pc',
    runtime: SYSTEM,
    memory: 32 << 20,
    kernel: image,
    translations: { load: async () => undefined, save },
  });
  machine.on('console', wrote);
  const running = machine.run();
  await text;
  await machine.pause();
  await running;
  expect(left).toBeUndefined();
  machine.stop();
  await machine.run();
  expect((await boot(kernel(...out(0x3f8, 0x48), ...out(0xf4, 0)), left)).code).toBe(1);
  expect(left).toBeDefined();
});

test('of a machine that cannot be made, none are asked for', async () => {
  let asked = 0;
  const load = async (): Promise<undefined> => void asked++;
  const options = { machine: 'pc', runtime: SYSTEM, memory: 32 << 20, translations: { load, save: async () => undefined } } as const;
  await expect(createMachine({ ...options, kernel: new Uint8Array(4096) })).rejects.toThrow();
  expect(asked).toBe(0);
  await createMachine({ ...options, kernel: RULES });
  expect(asked).toBe(1);
});
