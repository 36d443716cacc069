import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';
import { exitCode, loadProgram } from '../../src/linux/program.ts';
import { fuzz } from '../support/fuzz.ts';
import { runtimeModule } from '../support/runtime.ts';
import { BASE, I386, MIPS, makeElf } from './make-elf.ts';

const MODES = [
  { executor: 'interpret' },
  { executor: 'translate' },
  { executor: 'tiered', hotThreshold: 2 },
  { executor: 'interpret', memoryModel: 'checked' },
  { executor: 'translate', memoryModel: 'checked' },
] as const;

/** Bytes that lead further into the tables than chance does: prefixes, opcode maps, branches back. */
const x86 = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 6 }) },
    { weight: 2, arbitrary: fc.constantFrom([0x0f], [0x66], [0xf3], [0xf2], [0x64], [0xd9], [0xdd], [0xcd, 0x80], [0xe8, 0, 0, 0, 0]) },
    { weight: 2, arbitrary: fc.integer({ min: 0x80, max: 0xff }).map((back) => [0x75, back]) },
    {
      weight: 1,
      arbitrary: fc.constantFrom([0x89, 0xe0], [0x50], [0x58], [0xc3], [0xbf, 0, 0x90, 4, 8], [0xbe, 0, 0x90, 4, 8], [0xf3, 0xa4]),
    },
  ),
  { minLength: 1, maxLength: 40 },
);
/** Major opcodes with random fields. */
const mips = fc.array(
  fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 63 }), fc.nat(0x3ffffff)).map(([opcode, rest]) => ((opcode << 26) | rest) >>> 0),
    fc.tuple(fc.nat(63), fc.nat(0xfffff)).map(([operation, fields]) => ((fields << 6) | operation) >>> 0),
    fc.constantFrom(0x1000fffc, 0x1440fff8, 0x0000000c, 0x03e00008, 0x27a40000, 0x3c080040),
  ),
  { minLength: 1, maxLength: 60 },
);

describe.each([
  {
    name: 'x86',
    big: false,
    machine: I386,
    address: BASE,
    flags: 0,
    code: x86.map((parts) => Uint8Array.from(parts.flatMap((part) => [...part]))),
  },
  ...[true, false].map((big) => ({
    name: big ? 'mips' : 'mipsel',
    big,
    machine: MIPS,
    address: 0x400000,
    flags: 0x70001000,
    code: mips.map((words) => {
      const bytes = new Uint8Array(words.length * 4);
      words.forEach((word, index) => {
        new DataView(bytes.buffer).setUint32(index * 4, word, !big);
      });
      return bytes;
    }),
  })),
])('random $name programs', ({ big, machine, address, flags, code }) => {
  test('end as guests do, in every executor', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(code, fc.constantFrom(...MODES), async (bytes, mode) => {
        const elf = makeElf({ big, machine, flags, entry: address, segments: [{ bytes, address, memorySize: 0x4000 }] });
        const program = await loadProgram(elf, {
          runtime: runtimeModule(),
          host: nodeHost,
          memoryLimit: 64 << 20,
          stackSize: 1 << 20,
          maxInstructions: 20_000,
          timeout: 3000,
          seed: 1,
          ...mode,
        });
        const code = exitCode(await program.run());
        expect(code).toBeGreaterThanOrEqual(0);
        expect(code).toBeLessThan(256);
      }),
      fuzz(100),
    );
  });
});
