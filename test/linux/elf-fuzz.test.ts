import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';
import { ElfError } from '../../src/linux/elf.ts';
import { MemoryFileSystem } from '../../src/linux/fs/memory-fs.ts';
import { loadProgram } from '../../src/linux/program.ts';
import { fuzz } from '../support/fuzz.ts';
import { runtimeModule } from '../support/runtime.ts';

const EXECUTORS = ['interpret', 'translate', 'tiered'] as const;
const corpus = (isa: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../../corpus/programs/${isa}/hello`, import.meta.url)));

interface Change {
  readonly at: number;
  readonly value: number;
  readonly bytes: 1 | 2 | 4;
}

/** Values at which fields of an ELF file go wrong. */
const value = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 6, 7, 8, 0x20, 0x34, 0xff, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x400000, 0x8048000),
  fc.constantFrom(0x6474e551, 0x70000003, 0x7fff7000, 0x7fffffff, 0x80000000, 0xbffff000, 0xc0000000, 0xfffff000, 0xfffffffc, 0xffffffff),
  fc.bigInt({ min: 0n, max: 0xffffffffn }).map(Number),
);
const size = fc.constantFrom<(1 | 2 | 4)[]>(1, 2, 4, 4);
/** Fields of the headers (each at a multiple of two), and bytes anywhere. */
const inHeaders = fc.record({ at: fc.integer({ min: 2, max: 105 }).map((n) => n * 2), value, bytes: size });
const anywhere = fc.record({ at: fc.nat(1 << 14), value, bytes: size });

function mutate(file: Uint8Array, little: boolean, changes: readonly Change[], cut: number | undefined): Uint8Array {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  for (const { at: place, value, bytes: width } of changes) {
    const at = place % (bytes.length - 4);
    if (width === 4) view.setUint32(at, value, little);
    else if (width === 2) view.setUint16(at, value & 0xffff, little);
    else view.setUint8(at, value & 0xff);
  }
  return cut === undefined ? bytes : bytes.subarray(0, cut % bytes.length);
}

/** Loads and runs it; whatever else than an ElfError or the end of the guest escapes. */
async function survives(elf: Uint8Array, executor: (typeof EXECUTORS)[number], root?: MemoryFileSystem): Promise<boolean> {
  const before = process.cpuUsage();
  try {
    const program = await loadProgram(elf, {
      runtime: runtimeModule(),
      host: nodeHost,
      executor,
      hotThreshold: 5,
      argv: ['hello', '1'],
      memoryLimit: 256 << 20,
      maxInstructions: 300_000,
      timeout: 5000,
      ...(root && { root }),
    });
    await program.run();
    return true;
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    expect(error.message).toMatch(/^.{10,200}$/);
    return false;
  } finally {
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(10e6);
  }
}

describe.each(['mips', 'mipsel', 'x86'])('%s programs with errors', (isa) => {
  const hello = corpus(isa);
  const little = isa !== 'mips';

  test('are refused or end, whatever is changed', { timeout: 300_000 }, async () => {
    let tried = 0;
    let ran = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          { weight: 3, arbitrary: fc.array(inHeaders, { minLength: 1, maxLength: 4 }) },
          { weight: 2, arbitrary: fc.array(anywhere, { minLength: 1, maxLength: 40 }) },
        ),
        fc.option(fc.nat(), { nil: undefined, freq: 2 }),
        fc.constantFrom(...EXECUTORS),
        async (changes, cut, executor) => {
          tried++;
          if (await survives(mutate(hello, little, changes, cut), executor)) ran++;
        },
      ),
      fuzz(100),
    );
    // not all are stopped at the door; a busy host tries few
    if (tried >= 100) expect(ran).toBeGreaterThan(5);
  });

  test('are refused when cut off at any length of their headers and segments', async () => {
    const headers = 52 + 32 * new DataView(hello.buffer).getUint16(44, little);
    for (let length = 0; length < headers; length++) await expect(survives(hello.subarray(0, length), 'interpret')).resolves.toBe(false);
  });

  test('and interpreters with errors', { timeout: 300_000 }, async () => {
    const at = 52;
    const path = new TextEncoder().encode('/ld.so\0');
    const program = new Uint8Array(hello.length + path.length);
    program.set(hello);
    program.set(path, hello.length);
    const view = new DataView(program.buffer);
    // the last program header becomes PT_INTERP
    const last = at + 32 * (view.getUint16(44, little) - 1);
    [3, hello.length, 0, 0, path.length, path.length, 4, 1].forEach((word, index) => {
      view.setUint32(last + index * 4, word, little);
    });
    const withInterpreter = async (bytes: Uint8Array, executor: (typeof EXECUTORS)[number]): Promise<boolean> => {
      const root = new MemoryFileSystem();
      root.root.create('ld.so', 0o755, { read: false, write: true }).write(bytes, 0);
      return survives(program, executor, root);
    };
    await expect(survives(program, 'interpret')).resolves.toBe(false);
    await expect(withInterpreter(program, 'interpret')).resolves.toBe(false);
    // x86: its second segment over the stack
    await withInterpreter(mutate(hello, little, [{ at: 124, value: 0xbffff000, bytes: 4 }], undefined), 'interpret');
    await fc.assert(
      fc.asyncProperty(fc.array(inHeaders, { maxLength: 3 }), fc.constantFrom(...EXECUTORS), async (changes, executor) => {
        await withInterpreter(mutate(hello, little, changes, undefined), executor);
      }),
      fuzz(25),
    );
  });
});
