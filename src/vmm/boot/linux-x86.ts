// The Linux/x86 boot protocol (Documentation/arch/x86/boot.rst, zero-page.rst), 32-bit entry.
import type { PhysicalMemory } from '../physical-memory.ts';
import { placeAcpiTables } from './acpi.ts';
import { Bytes, cString } from './bytes.ts';
import { loadSegments, parseKernelElf } from './elf.ts';
import { BootError } from './error.ts';

const enum Header {
  SetupSectors = 0x1f1,
  BootFlag = 0x1fe,
  Jump = 0x201,
  Magic = 0x202,
  Version = 0x206,
  Loader = 0x210,
  LoadFlags = 0x211,
  RamdiskImage = 0x218,
  RamdiskSize = 0x21c,
  CommandLine = 0x228,
  InitrdMax = 0x22c,
  CommandLineSize = 0x238,
  PayloadOffset = 0x248,
  PayloadLength = 0x24c,
  SetupData = 0x250,
  PreferredAddress = 0x258,
  InitSize = 0x260,
}
/** Offsets in struct boot_params. */
const enum Zero {
  AcpiRoot = 0x70,
  E820Entries = 0x1e8,
  E820Table = 0x2d0,
}
const enum E820 {
  Ram = 1,
  Reserved = 2,
}
/** setup_data.type (uapi/asm/setup_data.h): numbers for the kernel's random number generator to begin with. */
const RNG_SEED = 9;
const MAGIC = 0x53726448;
const LOADED_HIGH = 1;
const UNDEFINED_LOADER = 0xff;

/** Where things are put below 1 MiB. */
export const enum LowPlace {
  SetupData = 0x8e000,
  Gdt = 0x8f000,
  Parameters = 0x90000,
  CommandLine = 0x91000,
  EndOfBase = 0x9fc00,
  Tables = 0xf0000,
}
const MIB = 1 << 20;
/** First version with what is relied on: a size of the command line, relocatable kernels. */
const OLDEST = 0x206;
/** First version that says where the packed kernel lies. */
const WITH_PAYLOAD = 0x208;
/** First version with a list of setup_data. */
const WITH_SETUP_DATA = 0x209;
/** First version with a preferred address and a size in memory; before, kernels lie at 1 MiB. */
const WITH_PLACE = 0x20a;

export interface KernelOptions {
  readonly kernel: Uint8Array;
  /** The vmlinux that was packed in a bzImage: it is started instead of the code that would unpack it. */
  readonly unpacked?: Uint8Array | undefined;
  readonly initrd?: Uint8Array | undefined;
  readonly commandLine: string;
  /** Bytes of RAM below the PCI window. */
  readonly ram: number;
  /** Random bytes for the kernel: Linux takes them as entropy unless told random.trust_bootloader=off. */
  readonly seed?: Uint8Array | undefined;
}

/** Where the processor starts, and with what. */
export interface Entry {
  readonly pc: number;
  readonly registers: Readonly<Record<string, number>>;
}

export function isBzImage(kernel: Uint8Array): boolean {
  return (
    kernel.length > 0x264 && kernel[Header.BootFlag] === 0x55 && kernel[Header.BootFlag + 1] === 0xaa && u32(kernel, Header.Magic) === MAGIC
  );
}
const u16 = (bytes: Uint8Array, at: number): number => bytes[at] | (bytes[at + 1] << 8);
const u32 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;

/** Where the kernel proper begins, after the setup code. */
const setupSize = (kernel: Uint8Array): number => ((kernel[Header.SetupSectors] || 4) + 1) * 512;

/** The packed vmlinux of a bzImage. */
export function bzImagePayload(kernel: Uint8Array): Uint8Array | undefined {
  if (!isBzImage(kernel) || u16(kernel, Header.Version) < WITH_PAYLOAD) return undefined;
  const at = setupSize(kernel) + u32(kernel, Header.PayloadOffset);
  return kernel.subarray(at, at + u32(kernel, Header.PayloadLength));
}

/** Flat segments: 0x10 code, 0x18 data. */
function gdt(): Uint8Array {
  return new Bytes().u32(0, 0, 0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300).done();
}

export function e820(ram: number): readonly (readonly [at: number, size: number, type: number])[] {
  return [
    [0, LowPlace.EndOfBase, E820.Ram],
    [LowPlace.EndOfBase, 0xa0000 - LowPlace.EndOfBase, E820.Reserved],
    [LowPlace.Tables, MIB - LowPlace.Tables, E820.Reserved],
    [MIB, ram - MIB, E820.Ram],
  ];
}

/** Puts an initrd as high as it may lie, on a page. */
export function placeInitrd(initrd: Uint8Array, lowest: number, limit: number): number {
  const at = Math.floor((limit - initrd.length) / 4096) * 4096;
  if (at < lowest)
    throw new BootError(`the initrd of ${initrd.length} bytes does not fit into memory beside the kernel; give the machine more`);
  return at;
}

/** Loads a bzImage and what it is told; `memory` is as after power-on. */
export function loadLinuxX86(memory: PhysicalMemory, { kernel, unpacked, initrd, commandLine, ram, seed }: KernelOptions): Entry {
  const version = u16(kernel, Header.Version);
  if (version < OLDEST || !(kernel[Header.LoadFlags] & LOADED_HIGH))
    throw new BootError(
      `a Linux kernel of boot protocol ${version >>> 8}.${String(version & 0xff).padStart(2, '0')}; 2.06 and a bzImage are needed`,
    );
  const setup = setupSize(kernel);
  const image = kernel.subarray(setup);
  const placed = version >= WITH_PLACE;
  const at = (placed && u32(kernel, Header.PreferredAddress)) || MIB;
  let end = at + Math.max(image.length, placed ? u32(kernel, Header.InitSize) : 0);
  if (setup >= kernel.length) throw new BootError('the kernel file ends within its setup code');
  if (at < MIB) throw new BootError(`the kernel is to lie at 0x${at.toString(16)}, below 1 MiB`);
  if (end > ram) throw new BootError(`the kernel needs memory up to 0x${end.toString(16)}, more than the machine has`);
  const line = cString(commandLine);
  const longest = Math.min(u32(kernel, Header.CommandLineSize), LowPlace.EndOfBase - LowPlace.CommandLine - 1);
  if (line.length - 1 > longest)
    throw new BootError(`the kernel takes a command line of ${longest} bytes at most; this one has ${line.length - 1}`);

  let pc = at;
  if (unpacked) {
    const elf = parseKernelElf(unpacked);
    end = Math.max(
      end,
      loadSegments(memory, unpacked, elf, ({ physical }) => physical),
    );
    pc = elf.entry;
  } else memory.write(at, image);

  const zero = new Uint8Array(4096);
  const data = new DataView(zero.buffer);
  // the header ends at 0x202 + the byte at 0x201
  zero.set(kernel.subarray(Header.SetupSectors, Header.Magic + kernel[Header.Jump]), Header.SetupSectors);
  zero[Header.Loader] = UNDEFINED_LOADER;
  data.setUint32(Header.CommandLine, LowPlace.CommandLine, true);
  data.setUint32(Zero.AcpiRoot, LowPlace.Tables, true);
  const map = e820(ram);
  zero[Zero.E820Entries] = map.length;
  map.forEach(([start, size, type], index) => {
    const entry = Zero.E820Table + 20 * index;
    data.setUint32(entry, start, true);
    data.setUint32(entry + 8, size, true);
    data.setUint32(entry + 16, type, true);
  });
  if (initrd) {
    const limit = Math.min(ram, u32(kernel, Header.InitrdMax) + 1 || ram);
    const place = placeInitrd(initrd, end, limit);
    memory.write(place, initrd);
    data.setUint32(Header.RamdiskImage, place, true);
    data.setUint32(Header.RamdiskSize, initrd.length, true);
  }
  if (seed && version >= WITH_SETUP_DATA) {
    data.setUint32(Header.SetupData, LowPlace.SetupData, true);
    // no next one, in 64 bits
    memory.write(LowPlace.SetupData, new Bytes().u32(0, 0, RNG_SEED, seed.length).done());
    memory.write(LowPlace.SetupData + 16, seed);
  }
  memory.write(LowPlace.Parameters, zero);
  memory.write(LowPlace.CommandLine, line);
  memory.write(LowPlace.Gdt, gdt());
  memory.write(LowPlace.Tables, placeAcpiTables(LowPlace.Tables));
  return { pc, registers: { esi: LowPlace.Parameters, gdtr_base: LowPlace.Gdt, gdtr_limit: 0x1f } };
}
