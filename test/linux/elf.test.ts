import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ElfError, parseElf } from '../../src/linux/elf.ts';
import { symbolAt } from '../../src/linux/elf-symbols.ts';
import { SEED } from '../support/fuzz.ts';
import { BASE, I386, interpreterSegment, MIPS, makeElf, type SegmentSpec } from './make-elf.ts';

const code: SegmentSpec = { bytes: Uint8Array.of(0x90) };
const message = (bytes: Uint8Array): string => {
  try {
    parseElf(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ElfError);
    return (error as Error).message;
  }
  return 'accepted';
};

describe('parseElf', () => {
  it('reads headers of each ABI', () => {
    expect(parseElf(makeElf({ segments: [code] }))).toMatchObject({ abi: 'i386', type: 'exec', entry: BASE, interpreter: undefined });
    expect(parseElf(makeElf({ machine: MIPS, big: true, segments: [code] })).abi).toBe('mips');
    expect(parseElf(makeElf({ machine: MIPS, segments: [code] })).abi).toBe('mipsel');
  });

  it('reads segments, interpreter and stack permission', () => {
    const elf = parseElf(
      makeElf({
        type: 3,
        segments: [
          interpreterSegment('/lib/ld.so.1'),
          { ...code, address: 0, flags: 5 },
          { address: 0x3000, bytes: Uint8Array.of(1, 2), memorySize: 0x100, flags: 6 },
          { type: 0x6474e551, flags: 6 },
        ],
      }),
    );
    expect(elf.interpreter).toBe('/lib/ld.so.1');
    expect(elf.executableStack).toBe(false);
    expect(elf.segments).toMatchObject([
      { address: 0, permission: 5 },
      { address: 0x3000, permission: 3, fileSize: 2, memorySize: 0x100 },
    ]);
  });

  it.each<[string, Uint8Array]>([
    ['not an ELF file: it is empty', new Uint8Array(0)],
    ['not an ELF file', new TextEncoder().encode('hello world')],
    ['not an ELF file: a script (#!); run its interpreter with the script as argument', new TextEncoder().encode('#!/bin/sh\n')],
    ['not an ELF file: a Windows or DOS program', new TextEncoder().encode('MZ......')],
    ['ELF file of 51 bytes ends within its header', makeElf({ segments: [code] }).subarray(0, 51)],
    ['ELF for aarch64, not for MIPS or x86 (at offset 0x12 of the file)', makeElf({ machine: 183, class: 2, segments: [code] })],
    ['ELF for x86-64, not for MIPS or x86 (at offset 0x12 of the file)', makeElf({ machine: 62, class: 2, segments: [code] })],
    ['64-bit ELF for MIPS, not 32-bit (at offset 0x4 of the file)', makeElf({ machine: MIPS, class: 2, segments: [code] })],
    ['ELF for x86 with big-endian byte order (at offset 0x5 of the file)', makeElf({ big: true, segments: [code] })],
    [
      'ELF file is an object file that is not linked, not an executable (at offset 0x10 of the file)',
      makeElf({ type: 1, segments: [code] }),
    ],
    ['ELF file is a core dump, not an executable (at offset 0x10 of the file)', makeElf({ type: 4, segments: [code] })],
    ['no program headers (at offset 0x2c of the file)', makeElf({ segments: [] })],
    ['65535 program headers, more than 2048 (at offset 0x2c of the file)', makeElf({ headerCount: 65535, segments: [code] })],
    [
      'program headers at 0xfffffff0 lie beyond the end of the file (at offset 0x1c of the file)',
      makeElf({ headerOffset: 0xfffffff0, segments: [code] }),
    ],
    ['program headers of 56 bytes each, not 32 (at offset 0x2a of the file)', makeElf({ headerSize: 56, segments: [code] })],
    [
      'segment with more bytes in the file (16) than in memory (8) (at offset 0x44 of the file)',
      makeElf({ segments: [{ fileSize: 16, memorySize: 8 }] }),
    ],
    [
      'segment at 0x8048000 lies beyond the end of the file (at offset 0x38 of the file)',
      makeElf({ segments: [{ fileSize: 0x7fffffff }] }),
    ],
    [
      'segment at 0xffffe000 wraps around the end of the address space (at offset 0x3c of the file)',
      makeElf({ segments: [{ ...code, address: 0xffffe000, memorySize: 0x4000 }] }),
    ],
    ['segment alignment 48 is not a power of two (at offset 0x50 of the file)', makeElf({ segments: [{ ...code, align: 48 }] })],
    [
      'segment at 0x8048010 and its file offset 0x1000 differ in their place within a page (at offset 0x3c of the file)',
      makeElf({ segments: [{ ...code, address: BASE + 16 }] }),
    ],
    [
      'segment at 0x8048000 overlaps or precedes the one at 0x8048000 (at offset 0x54 of the file)',
      makeElf({ segments: [{ ...code, memorySize: 0x2000 }, code] }),
    ],
    ['no segment to load (at offset 0x34 of the file)', makeElf({ segments: [interpreterSegment('/ld.so')] })],
    [
      'more than one interpreter (at offset 0x54 of the file)',
      makeElf({ segments: [interpreterSegment('/a'), interpreterSegment('/b'), code] }),
    ],
    [
      "interpreter's path does not end in a zero byte (at offset 0x38 of the file)",
      makeElf({ segments: [{ type: 3, bytes: Uint8Array.of(47, 47) }] }),
    ],
    ["interpreter's path of 5000 bytes (at offset 0x44 of the file)", makeElf({ segments: [{ type: 3, bytes: new Uint8Array(5000) }] })],
    ['MIPS ELF for the n32 ABI, not o32 (at offset 0x24 of the file)', makeElf({ machine: MIPS, flags: 0x70000020, segments: [code] })],
    ['MIPS ELF for the EABI32 ABI, not o32 (at offset 0x24 of the file)', makeElf({ machine: MIPS, flags: 0x50003000, segments: [code] })],
    [
      'microMIPS code, which is not supported (at offset 0x24 of the file)',
      makeElf({ machine: MIPS, flags: 0x72001000, segments: [code] }),
    ],
    [
      'MIPS16 code, which is not supported (at offset 0x24 of the file)',
      makeElf({ machine: MIPS, flags: 0x74001000, entry: BASE + 1, segments: [code] }),
    ],
    [
      'MIPS 32R6 code; MIPS32 up to release 2 is supported (at offset 0x24 of the file)',
      makeElf({ machine: MIPS, flags: 0x90001000, segments: [code] }),
    ],
  ])('%s', (expected, bytes) => {
    expect(message(bytes)).toBe(expected);
  });

  it('reads which NaNs and which floating-point ABI a MIPS file has', () => {
    const float = (flags: number, fpAbi?: number) => {
      const abiFlags = { type: 0x70000003, bytes: Uint8Array.from({ length: 24 }, (_, i) => (i === 7 ? fpAbi! : i === 2 ? 32 : 0)) };
      return parseElf(makeElf({ machine: MIPS, flags, segments: fpAbi === undefined ? [code] : [code, abiFlags] })).mips;
    };
    expect(float(0x70001000)).toEqual({ fpAbi: undefined, nan2008: false });
    expect(float(0x70001400)).toEqual({ fpAbi: undefined, nan2008: true });
    // EF_MIPS_FP64 is the old 64-bit ABI, unless .MIPS.abiflags tell
    expect(float(0x70001200)).toEqual({ fpAbi: 4, nan2008: false });
    expect(float(0x70001600, 6)).toEqual({ fpAbi: 6, nan2008: true });
  });

  it('throws nothing but ElfError, whatever the bytes', () => {
    const valid = makeElf({ machine: I386, segments: [interpreterSegment('/ld.so'), code, { address: BASE + 0x10000, memorySize: 64 }] });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(180), fc.nat(255)), { maxLength: 12 }), fc.nat(valid.length), (changes, cut) => {
        const bytes = valid.slice(0, Math.max(cut, 60));
        for (const [at, value] of changes) if (at >= 4 && at < bytes.length) bytes[at] = value;
        message(bytes);
      }),
      { ...SEED, numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        message(bytes);
      }),
      SEED,
    );
  });
});

describe('symbolAt', () => {
  const symbols = [
    { name: 'start', address: 0x1000, size: 0x20 },
    { name: 'label', address: 0x1080, size: 0 },
    { name: 'main', address: 0x2000, size: 0x100 },
  ];
  it('finds the function that an address lies in', () => {
    expect(symbolAt(symbols, 0x101f)).toMatchObject({ symbol: { name: 'start' }, offset: 0x1f });
    expect(symbolAt(symbols, 0x20ff)?.symbol.name).toBe('main');
    expect(symbolAt(symbols, 0x1fff)?.symbol.name).toBe('label');
  });
  it('finds none outside', () => {
    expect(symbolAt(symbols, 0xfff)).toBeUndefined();
    expect(symbolAt(symbols, 0x1020)).toBeUndefined();
    expect(symbolAt([], 0x1000)).toBeUndefined();
  });
});
