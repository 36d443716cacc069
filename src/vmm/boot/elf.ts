import type { PhysicalMemory } from '../physical-memory.ts';
import { BootError } from './error.ts';

const enum Machine {
  I386 = 3,
  Mips = 8,
}
const PT_LOAD = 1;
const PHDR_SIZE = 32;

export interface KernelElf {
  readonly machine: 'x86' | 'mips' | 'mipsel';
  readonly entry: number;
  readonly segments: readonly {
    readonly offset: number;
    readonly virtual: number;
    readonly physical: number;
    readonly fileSize: number;
    readonly size: number;
  }[];
}

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 52 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** The loadable segments of a 32-bit executable. Throws BootError. */
export function parseKernelElf(bytes: Uint8Array): KernelElf {
  if (!isElf(bytes)) throw new BootError('the kernel is not an ELF file');
  if (bytes[4] !== 1) throw new BootError('the kernel is a 64-bit ELF file; these machines are 32-bit');
  const little = bytes[5] === 1;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at: number): number => data.getUint16(at, little);
  const u32 = (at: number): number => data.getUint32(at, little);
  const type = u16(18);
  if (type !== Machine.I386 && type !== Machine.Mips)
    throw new BootError(`the kernel is an ELF file for machine ${type}, neither x86 nor MIPS`);
  if (type === Machine.I386 && !little) throw new BootError('the kernel is a big-endian ELF file for x86');
  const start = u32(28);
  const count = u16(44);
  if (u16(42) !== PHDR_SIZE || start + count * PHDR_SIZE > bytes.length)
    throw new BootError('the kernel’s program headers lie beyond its end');
  const segments = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * PHDR_SIZE;
    if (u32(at) !== PT_LOAD) continue;
    const [offset, virtual, physical, fileSize, size] = [u32(at + 4), u32(at + 8), u32(at + 12), u32(at + 16), u32(at + 20)];
    if (offset + fileSize > bytes.length || fileSize > size)
      throw new BootError(`the kernel’s segment ${index} lies beyond the file’s end`);
    if (size > 0) segments.push({ offset, virtual, physical, fileSize, size });
  }
  if (segments.length === 0) throw new BootError('the kernel has nothing to load');
  return { machine: type === Machine.I386 ? 'x86' : little ? 'mipsel' : 'mips', entry: u32(24), segments };
}

/** Copies the segments to where `place` says, and gives the end of the highest. */
export function loadSegments(
  memory: PhysicalMemory,
  bytes: Uint8Array,
  elf: KernelElf,
  place: (segment: KernelElf['segments'][number]) => number,
): number {
  let end = 0;
  for (const segment of elf.segments) {
    const at = place(segment);
    if (!memory.isMemory(at, segment.size))
      throw new BootError(`the kernel’s segment at 0x${at.toString(16)} (${segment.size} bytes) lies outside of the machine’s memory`);
    memory.write(at, bytes.subarray(segment.offset, segment.offset + segment.fileSize));
    memory.fill(at + segment.fileSize, segment.size - segment.fileSize, 0);
    end = Math.max(end, at + segment.size);
  }
  return end;
}
