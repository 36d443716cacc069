import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileRegions } from '../../src/backend/wasm/compile.ts';
import { formRegion } from '../../src/backend/wasm/region.ts';
import type { Block } from '../../src/ir/block.ts';
import { Builder } from '../../src/ir/builder.ts';
import { liftBlock } from '../../src/ir/lift.ts';
import { deadcode } from '../../src/ir/passes/deadcode.ts';
import { verify } from '../../src/ir/verify.ts';
import { Code, FetchFault } from '../../src/isa/code.ts';
import { ISAS } from '../../src/isas.ts';
import { ElfError, parseElf } from '../../src/linux/elf.ts';
import { elfSymbols } from '../../src/linux/elf-symbols.ts';
import { SEED } from '../support/fuzz.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
const PC = 0x400000;
const SECONDS = 20;
const limits = { ...SEED, interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false };

describe.each(Object.values(ISAS))('random bytes as $name code', (isa) => {
  test('are disassembled, or end before the instruction does', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        try {
          const { text, length } = isa.disassemble(Code.of(data, PC), PC);
          expect(text).not.toBe('');
          expect(length).toBeGreaterThan(0);
          expect(length).toBeLessThanOrEqual(15);
        } catch (error) {
          expect(error).toBeInstanceOf(FetchFault);
        }
      }),
      { ...limits, numRuns: 5000 },
    );
  });

  test('are lifted into IR that verifies, before and after passes', () => {
    const builder = new Builder(isa.helpers);
    fc.assert(
      fc.property(bytes, (data) => {
        const block = liftBlock(isa, builder, Code.of(data, PC), PC);
        verify(block, isa.stateSize);
        verify(deadcode(block, { preciseMemory: true }), isa.stateSize);
        verify(deadcode(block, { preciseMemory: false }), isa.stateSize);
      }),
      { ...limits, numRuns: 3000 },
    );
  });

  test.each([true, false])('compile into valid WebAssembly, checked memory %s', (checked) => {
    const builder = new Builder(isa.helpers);
    fc.assert(
      fc.property(bytes, (data) => {
        const code = Code.of(data, PC);
        const lift = (pc: number): Block | undefined =>
          pc >= PC && pc < PC + data.length ? deadcode(liftBlock(isa, builder, code, pc), { preciseMemory: checked }) : undefined;
        const region = formRegion(PC, lift);
        if (!region) return;
        const wasm = compileRegions([region], {
          isa,
          checked,
          memoryPages: 65536,
        });
        expect(WebAssembly.validate(wasm)).toBe(true);
      }),
      { ...limits, numRuns: 150 },
    );
  });
});

/** An ELF header that gets past the first checks, with everything after it at random. */
const nearlyElf = fc
  .tuple(
    fc.constantFrom([3, 1], [8, 1], [8, 2], [62, 1], [3, 2]),
    fc.constantFrom(1, 2, 3),
    fc.uint8Array({ minLength: 60, maxLength: 400 }),
  )
  .map(([[machine, order], type, rest]) => {
    const file = new Uint8Array(52 + rest.length);
    const data = new DataView(file.buffer);
    const little = order === 1;
    file.set([0x7f, 0x45, 0x4c, 0x46, 1, order, 1]);
    file.set(rest, 52);
    data.setUint16(16, type, little);
    data.setUint16(18, machine, little);
    data.setUint32(20, 1, little);
    data.setUint32(24, data.getUint32(52, little), little);
    data.setUint32(28, 52, little);
    data.setUint32(32, data.getUint32(56, little) % 512, little);
    data.setUint16(42, 32, little);
    data.setUint16(44, file[60] % 8, little);
    data.setUint16(46, 40, little);
    data.setUint16(48, file[61] % 8, little);
    // segment types that mean something
    for (let at = 52; at + 32 <= file.length; at += 32) data.setUint32(at, [1, 1, 3, 6, 0x6474e551, 0x70000003][file[at + 1] % 6], little);
    return file;
  });

describe('random bytes as ELF file', () => {
  test.each([
    ['any bytes', fc.uint8Array({ maxLength: 200 })],
    ['an ELF header and any bytes', nearlyElf],
  ])('%s: an ElfError or a program', (_, files) => {
    fc.assert(
      fc.property(files, (file) => {
        try {
          const elf = parseElf(file);
          expect(elf.segments.length).toBeGreaterThan(0);
          elfSymbols(elf);
        } catch (error) {
          expect(error).toBeInstanceOf(ElfError);
        }
      }),
      { ...limits, numRuns: 5000 },
    );
  });
});
