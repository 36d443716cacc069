// Multiboot Specification 0.6.96.
import type { PhysicalMemory } from '../physical-memory.ts';
import { placeAcpiTables } from './acpi.ts';
import { Bytes, cString } from './bytes.ts';
import { isElf, loadSegments, parseKernelElf } from './elf.ts';
import { BootError } from './error.ts';
import { type Entry, e820, type KernelOptions, LowPlace, placeInitrd } from './linux-x86.ts';

const HEADER_MAGIC = 0x1badb002;
const BOOT_MAGIC = 0x2badb002;
const SEARCH = 8192;

const enum Wants {
  PageAlign = 1,
  Memory = 2,
  /** Bits 0…15 that we do not know must not be set. */
  Required = 0xffff,
  Addresses = 0x10000,
}
const enum Info {
  Memory = 1,
  CommandLine = 4,
  Modules = 8,
  Map = 0x40,
  LoaderName = 0x200,
}

/** Offset of the header, undefined without one. */
export function multibootHeader(bytes: Uint8Array): number | undefined {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= Math.min(bytes.length, SEARCH); at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    if ((HEADER_MAGIC + data.getUint32(at + 4, true) + data.getUint32(at + 8, true)) >>> 0 === 0) return at;
  }
  return undefined;
}

export function loadMultiboot(memory: PhysicalMemory, { kernel, initrd, commandLine, ram }: KernelOptions): Entry {
  const header = multibootHeader(kernel);
  if (header === undefined) throw new BootError('the kernel has no multiboot header');
  const data = new DataView(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const u32 = (at: number): number => data.getUint32(at, true);
  const flags = u32(header + 4);
  const unknown = flags & Wants.Required & ~(Wants.PageAlign | Wants.Memory);
  if (unknown) throw new BootError(`the kernel asks of multiboot what is not there (flags 0x${unknown.toString(16)})`);
  let pc: number;
  let end: number;
  if (flags & Wants.Addresses) {
    if (header + 32 > kernel.length) throw new BootError('the multiboot header ends beyond the file');
    const [headerAt, loadAt, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((offset) => u32(header + offset));
    const from = header - (headerAt - loadAt);
    const size = loadEnd ? loadEnd - loadAt : kernel.length - from;
    end = Math.max(loadAt + size, bssEnd);
    if (from < 0 || size < 0 || from + size > kernel.length || !memory.isMemory(loadAt, end - loadAt))
      throw new BootError('the addresses in the multiboot header do not fit the file or the memory');
    memory.fill(loadAt, end - loadAt, 0);
    memory.write(loadAt, kernel.subarray(from, from + size));
    pc = entry;
  } else {
    if (!isElf(kernel)) throw new BootError('a multiboot kernel that is not ELF must give its addresses');
    const elf = parseKernelElf(kernel);
    end = loadSegments(memory, kernel, elf, ({ physical }) => physical);
    pc = elf.entry;
  }

  // all that the information structure points to lies behind it
  const at = LowPlace.Parameters;
  const line = cString(commandLine);
  const loader = cString('wasmvisor');
  const map = new Bytes();
  for (const [start, size, type] of e820(ram)) map.u32(20, start, 0, size, 0, type);
  const lineAt = at + 128;
  const loaderAt = lineAt + line.length;
  const moduleAt = (loaderAt + loader.length + 15) & ~15;
  const mapAt = moduleAt + 16;
  if (mapAt + map.length > LowPlace.EndOfBase) throw new BootError('the command line is too long');
  const modules = new Bytes();
  if (initrd) {
    const place = placeInitrd(initrd, end, ram);
    memory.write(place, initrd);
    modules.u32(place, place + initrd.length, lineAt, 0);
  }
  const info = new Bytes()
    .u32(Info.Memory | Info.CommandLine | Info.Map | Info.LoaderName | (initrd ? Info.Modules : 0))
    .u32(LowPlace.EndOfBase >>> 10, (ram - (1 << 20)) >>> 10)
    .u32(0, lineAt, initrd ? 1 : 0, moduleAt)
    .u32(0, 0, 0, 0)
    .u32(map.length, mapAt, 0, 0, 0, loaderAt);
  memory.write(at, info.done());
  memory.write(lineAt, line);
  memory.write(loaderAt, loader);
  memory.write(moduleAt, modules.done());
  memory.write(mapAt, map.done());
  memory.write(LowPlace.Gdt, new Bytes().u32(0, 0, 0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300).done());
  memory.write(LowPlace.Tables, placeAcpiTables(LowPlace.Tables));
  return { pc, registers: { eax: BOOT_MAGIC, ebx: at, gdtr_base: LowPlace.Gdt, gdtr_limit: 0x1f } };
}
