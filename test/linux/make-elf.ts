/** Builds small ELF files, right or wrong, field by field. */

export interface SegmentSpec {
  readonly type?: number;
  readonly address?: number;
  readonly offset?: number;
  readonly bytes?: Uint8Array;
  readonly fileSize?: number;
  readonly memorySize?: number;
  readonly flags?: number;
  readonly align?: number;
}

export interface ElfSpec {
  readonly big?: boolean;
  readonly machine?: number;
  readonly type?: number;
  readonly entry?: number;
  readonly flags?: number;
  readonly class?: number;
  readonly headerCount?: number;
  readonly headerOffset?: number;
  readonly headerSize?: number;
  readonly segments: readonly SegmentSpec[];
}

export const I386 = 3;
export const MIPS = 8;
export const BASE = 0x0804_8000;

/** Segment contents follow the headers at page boundaries, in order. */
export function makeElf(spec: ElfSpec): Uint8Array {
  const pages = spec.segments.map((s) => Math.ceil(((s.bytes?.length ?? 0) + 1) / 4096));
  const file = new Uint8Array(4096 * (1 + pages.reduce((sum, n) => sum + n, 0)));
  const view = new DataView(file.buffer);
  const little = !spec.big;
  const u16 = (at: number, value: number): void => view.setUint16(at, value, little);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, little);
  file.set([0x7f, 0x45, 0x4c, 0x46, spec.class ?? 1, little ? 1 : 2, 1]);
  u16(16, spec.type ?? 2);
  u16(18, spec.machine ?? I386);
  u32(20, 1);
  u32(24, spec.entry ?? BASE);
  u32(28, spec.headerOffset ?? 52);
  u32(36, spec.flags ?? 0);
  u16(40, 52);
  u16(42, spec.headerSize ?? 32);
  u16(44, spec.headerCount ?? spec.segments.length);
  let place = 4096;
  spec.segments.forEach((segment, index) => {
    const at = 52 + index * 32;
    const bytes = segment.bytes ?? new Uint8Array(0);
    u32(at, segment.type ?? 1);
    u32(at + 4, segment.offset ?? place);
    u32(at + 8, segment.address ?? BASE);
    u32(at + 12, segment.address ?? BASE);
    u32(at + 16, segment.fileSize ?? bytes.length);
    u32(at + 20, segment.memorySize ?? Math.max(bytes.length, segment.fileSize ?? 0));
    u32(at + 24, segment.flags ?? 7);
    u32(at + 28, segment.align ?? 4096);
    file.set(bytes, place);
    place += 4096 * pages[index];
  });
  return file;
}

/** An i386 program of these code bytes at BASE. */
export const i386Program = (...code: number[]): Uint8Array => makeElf({ segments: [{ bytes: Uint8Array.from(code) }] });

/** A MIPS program of these instruction words at 0x400000. */
export function mipsProgram(big: boolean, ...words: number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => {
    view.setUint32(index * 4, word >>> 0, !big);
  });
  return makeElf({ big, machine: MIPS, entry: 0x400000, flags: 0x70001000, segments: [{ bytes, address: 0x400000 }] });
}

/** PT_INTERP with this path. */
export const interpreterSegment = (path: string): SegmentSpec => ({ type: 3, bytes: new TextEncoder().encode(`${path}\0`) });
