import { Layout } from '../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { Abi } from './abi.ts';
import { memoryTop } from './address-space.ts';
import { checkPlace, ElfError, type ElfFile, extent, PHDR_SIZE, parseElf, shownPath } from './elf.ts';
import { Errno } from './errno.ts';
import { type MapRequest, type MemoryMap, pageDown, pageUp } from './memory-map.ts';
import { At } from './stack.ts';

/** An ELF file in the guest's memory. */
export interface Image {
  readonly elf: ElfFile;
  /** Guest path. */
  readonly path: string;
  /** What is added to the file's addresses. */
  readonly bias: number;
  readonly start: number;
  readonly end: number;
}

function mapOrThrow(map: MemoryMap, request: MapRequest): number {
  return mappedOrThrow(map, request, map.map(request));
}

function mappedOrThrow(map: MemoryMap, request: MapRequest, address: number): number {
  if (address === -Errno.ENOMEM)
    throw new ElfError(
      `a segment of ${request.length} bytes does not fit the memory limit (${map.options.budget.limit} bytes)`,
      undefined,
      'ENOMEM',
    );
  if (address < 0) throw new ElfError(`a segment of ${request.length} bytes cannot be mapped at 0x${request.address.toString(16)}`);
  return address;
}

/** Maps an ELF file's segments. A position-independent one goes to `base` if there is room, else (0) where mappings go. */
export function loadImage(map: MemoryMap, elf: ElfFile, path: string, base: number): Image {
  const { start, end } = extent(elf);
  let bias = 0;
  if (elf.type === 'dyn') {
    // the hint is kept only where it is free; the reservation is replaced below
    const align = Math.max(PAGE_SIZE, ...elf.segments.map((segment) => Math.min(segment.align, 1 << 24)));
    const place = mapOrThrow(map, { address: base, length: end - start + align, permission: 0, placement: 'hint' });
    map.unmap(place, end - start + align);
    bias = Math.ceil(place / align) * align - start;
  }
  checkPlace(elf, bias, map.options.top);
  for (const segment of elf.segments) {
    const from = pageDown(segment.address);
    const lead = segment.address - from;
    const permission = segment.permission;
    mapOrThrow(map, {
      address: from + bias,
      length: pageUp(lead + segment.memorySize),
      permission,
      placement: 'fixed',
      name: path,
    });
    if (segment.fileSize === 0) continue;
    // whole pages of the file show, as with mmap, up to where zeroed memory begins
    const fileStart = segment.offset - lead;
    const fileEnd = segment.offset + segment.fileSize;
    const shown = segment.memorySize > segment.fileSize ? fileEnd : Math.min(pageUp(fileEnd), elf.bytes.length);
    map.memory.poke(from + bias, elf.bytes.subarray(fileStart, shown));
  }
  return { elf, path, bias, start: start + bias, end: end + bias };
}

/** Where the program headers are in memory, for AT_PHDR. */
function headersAt(image: Image): number {
  const { elf, bias } = image;
  if (elf.headerAddress !== undefined) return elf.headerAddress + bias;
  const size = elf.headerCount * PHDR_SIZE;
  const holder = elf.segments.find((s) => s.offset <= elf.headerOffset && elf.headerOffset + size <= s.offset + s.fileSize);
  return holder ? elf.headerOffset - holder.offset + holder.address + bias : 0;
}

export interface LoadedProgram {
  readonly image: Image;
  readonly interpreter: Image | undefined;
  /** Where it starts: the interpreter's entry, if there is one. */
  readonly entry: number;
  readonly auxiliary: readonly (readonly [At, number])[];
}

/**
 * Loads a program and the interpreter it names. `readFile` gives a guest file's bytes, undefined if it does not exist.
 * Throws ElfError.
 */
export function loadExecutable(
  abi: Abi,
  map: MemoryMap,
  elf: ElfFile,
  path: string,
  readFile: (path: string) => Uint8Array | undefined,
): LoadedProgram {
  const image = loadImage(map, elf, path, elf.interpreter === undefined ? 0 : abi.pieBase);
  let interpreter: Image | undefined;
  if (elf.interpreter !== undefined) {
    const bytes = readFile(elf.interpreter);
    const shown = shownPath(elf.interpreter);
    if (!bytes) throw new ElfError(`its interpreter ${shown} does not exist below the guest's root`, undefined, 'ENOENT');
    const loader = parseInterpreter(bytes, shown);
    if (loader.abi !== elf.abi) throw new ElfError(`its interpreter ${shown} is for ${loader.abi}, the program for ${elf.abi}`);
    if (loader.interpreter !== undefined) throw new ElfError(`its interpreter ${shown} asks for an interpreter itself`);
    interpreter = loadImage(map, loader, elf.interpreter, 0);
  }
  // a static position-independent program lies among the mappings, where the heap could not grow
  map.setBreakStart(elf.type === 'dyn' && !interpreter ? abi.pieBase : image.end);
  const auxiliary: [At, number][] = [
    [At.HwCap, abi.hwcap],
    [At.PageSize, PAGE_SIZE],
    [At.ClockTick, 100],
    [At.Phdr, headersAt(image)],
    [At.Phent, PHDR_SIZE],
    [At.Phnum, elf.headerCount],
    [At.Base, interpreter ? interpreter.bias : 0],
    [At.Flags, 0],
    [At.Entry, elf.entry + image.bias],
    [At.HwCap2, abi.hwcap2],
  ];
  const started = interpreter ?? image;
  return { image, interpreter, entry: (started.elf.entry + started.bias) >>> 0, auxiliary };
}

function parseInterpreter(bytes: Uint8Array, path: string): ElfFile {
  try {
    return parseElf(bytes);
  } catch (error) {
    if (error instanceof ElfError) throw new ElfError(`its interpreter ${path}: ${error.message}`);
    throw error;
  }
}

/** The stack: all of it is mapped, and nothing touched. */
export function mapStack(map: MemoryMap, top: number, size: number, executable: boolean): void {
  const permission = PagePermission.Read | PagePermission.Write | (executable ? PagePermission.Execute : 0);
  const request = { address: top - size, length: size, permission, placement: 'fixed', name: '[stack]' } as const;
  mappedOrThrow(map, request, map.mapStack(request));
}

/** What signal handlers return to. */
export function mapTrampolines(map: MemoryMap, { mapBase: address, trampolines }: Abi): void {
  mapOrThrow(map, { address, length: PAGE_SIZE, permission: 5, placement: 'fixed', name: '[vdso]' });
  map.memory.poke(address, trampolines);
}

export function guestMemoryFor(abi: Abi, reserved?: WebAssembly.Memory): GuestMemory {
  const top = memoryTop(abi.top);
  if (top <= Layout.FLOOR) throw new RangeError('no user space');
  return new GuestMemory(top, abi.isa.endian, reserved);
}
