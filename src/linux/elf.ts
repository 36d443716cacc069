import { Layout } from '../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { AbiName } from './abi.ts';
import type { ErrnoName } from './errno.ts';

/** Not a program that can be run here: what is wrong, and where in the file. */
export class ElfError extends Error {
  override name = 'ElfError';
  constructor(
    message: string,
    /** Byte offset in the file of the field in question. */
    readonly offset?: number,
    /** What execve(2) makes of it. */
    readonly errno: ErrnoName = 'ENOEXEC',
  ) {
    super(offset === undefined ? message : `${message} (at offset 0x${offset.toString(16)} of the file)`);
  }
}

/** A PT_LOAD segment. Addresses are as in the file; a position-independent file's are relative to where it is loaded. */
export interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  /** PagePermission bits: read 1, write 2, execute 4. */
  readonly permission: number;
  readonly align: number;
}

export interface ElfFile {
  readonly bytes: Uint8Array;
  readonly abi: AbiName;
  /** dyn: may be loaded at any page. */
  readonly type: 'exec' | 'dyn';
  readonly entry: number;
  readonly segments: readonly Segment[];
  /** Path of the program interpreter (ld.so), if it wants one. */
  readonly interpreter: string | undefined;
  readonly headerOffset: number;
  readonly headerCount: number;
  /** PT_PHDR's address, if present. */
  readonly headerAddress: number | undefined;
  readonly executableStack: boolean;
  /** Of a MIPS file. */
  readonly mips: MipsFloat | undefined;
}

export interface MipsFloat {
  /** Val_GNU_MIPS_ABI_FP_…, if the file tells. */
  readonly fpAbi: number | undefined;
  /** NaNs as in IEEE 754-2008. */
  readonly nan2008: boolean;
}

export const EHDR_SIZE = 52;
export const PHDR_SIZE = 32;
/** Linux refuses program headers of more than 64 KiB. */
const MAX_HEADERS = 65536 / PHDR_SIZE;
/** PATH_MAX. */
const MAX_INTERPRETER = 4096;

const enum Type {
  Exec = 2,
  Dyn = 3,
}
const enum Machine {
  I386 = 3,
  Mips = 8,
}
const enum Pt {
  Load = 1,
  Interp = 3,
  Phdr = 6,
  GnuStack = 0x6474e551,
  MipsAbiflags = 0x70000003,
}
/** e_flags of MIPS (include/uapi/linux/elf-em, MIPS ELF supplement). */
const enum Ef {
  Abi2 = 0x20,
  Fp64 = 0x200,
  Nan2008 = 0x400,
  AbiMask = 0xf000,
  AbiO32 = 0x1000,
  MicroMips = 0x02000000,
  Mips16 = 0x04000000,
}

/** Val_GNU_MIPS_ABI_FP_OLD_64 */
const FP_OLD_64 = 4;

const MACHINES: Readonly<Record<number, string>> = {
  2: 'SPARC',
  4: 'm68k',
  15: 'PA-RISC',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 's390',
  40: 'ARM',
  42: 'SuperH',
  43: 'SPARC v9',
  50: 'Itanium',
  62: 'x86-64',
  183: 'aarch64',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};
const TYPES: Readonly<Record<number, string>> = { 0: 'no type', 1: 'an object file that is not linked', 4: 'a core dump' };
/** Bits 28–31 of e_flags. */
const MIPS_LEVELS = ['I', 'II', 'III', 'IV', 'V', '32', '64', '32R2', '64R2', '32R6', '64R6'];
const MIPS_ABIS: Readonly<Record<number, string>> = { 8192: 'o64', 12288: 'EABI32', 16384: 'EABI64' };

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Checks the headers of a 32-bit ELF executable for MIPS or i386. `top` of user space is checked when it is loaded. Throws ElfError. */
export function parseElf(bytes: Uint8Array): ElfFile {
  const isElf = bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!isElf) throw new ElfError(describeForeign(bytes));
  if (bytes.length < EHDR_SIZE) throw new ElfError(`ELF file of ${bytes.length} bytes ends within its header`);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[5] !== 1 && bytes[5] !== 2) throw new ElfError(`ELF byte order ${bytes[5]} is neither little (1) nor big (2) endian`, 5);
  const little = bytes[5] === 1;
  const u16 = (at: number): number => data.getUint16(at, little);
  const u32 = (at: number): number => data.getUint32(at, little);

  const machine = u16(18);
  const machineName = MACHINES[machine] ?? (machine === Machine.Mips ? 'MIPS' : machine === Machine.I386 ? 'x86' : `machine ${machine}`);
  if (machine !== Machine.Mips && machine !== Machine.I386) throw new ElfError(`ELF for ${machineName}, not for MIPS or x86`, 18);
  if (bytes[4] !== 1) throw new ElfError(`${bytes[4] === 2 ? '64-bit' : `class ${bytes[4]}`} ELF for ${machineName}, not 32-bit`, 4);
  if (machine === Machine.I386 && !little) throw new ElfError('ELF for x86 with big-endian byte order', 5);
  if (bytes[6] !== 1 || u32(20) !== 1) throw new ElfError('ELF version is not 1', bytes[6] !== 1 ? 6 : 20);
  const type = u16(16);
  if (type !== Type.Exec && type !== Type.Dyn) throw new ElfError(`ELF file is ${TYPES[type] ?? `of type ${type}`}, not an executable`, 16);

  const headerOffset = u32(28);
  const headerCount = u16(44);
  if (u16(42) !== PHDR_SIZE) throw new ElfError(`program headers of ${u16(42)} bytes each, not ${PHDR_SIZE}`, 42);
  if (headerCount === 0) throw new ElfError('no program headers', 44);
  if (headerCount > MAX_HEADERS) throw new ElfError(`${headerCount} program headers, more than ${MAX_HEADERS}`, 44);
  if (headerOffset + headerCount * PHDR_SIZE > bytes.length)
    throw new ElfError(`program headers at ${hex(headerOffset)} lie beyond the end of the file`, 28);

  const segments: Segment[] = [];
  let interpreter: string | undefined;
  let headerAddress: number | undefined;
  let executableStack = true;
  let fpAbi = machine === Machine.Mips && u32(36) & Ef.Fp64 ? FP_OLD_64 : undefined;
  for (let index = 0; index < headerCount; index++) {
    const at = headerOffset + index * PHDR_SIZE;
    const offset = u32(at + 4);
    const fileSize = u32(at + 16);
    const inFile = offset + fileSize <= bytes.length;
    switch (u32(at)) {
      case Pt.Load: {
        const segment = {
          offset,
          address: u32(at + 8),
          fileSize,
          memorySize: u32(at + 20),
          permission: permissionOf(u32(at + 24)),
          align: u32(at + 28),
        };
        if (segment.memorySize === 0 && fileSize === 0) break;
        checkSegment(segment, inFile, at);
        const previous = segments.at(-1);
        if (previous && segment.address < previous.address + previous.memorySize)
          throw new ElfError(`segment at ${hex(segment.address)} overlaps or precedes the one at ${hex(previous.address)}`, at);
        segments.push(segment);
        break;
      }
      case Pt.Interp:
        if (interpreter !== undefined) throw new ElfError('more than one interpreter', at);
        if (fileSize < 2 || fileSize > MAX_INTERPRETER) throw new ElfError(`interpreter's path of ${fileSize} bytes`, at + 16);
        if (!inFile) throw new ElfError("interpreter's path lies beyond the end of the file", at + 4);
        if (bytes[offset + fileSize - 1] !== 0) throw new ElfError("interpreter's path does not end in a zero byte", at + 4);
        interpreter = cString(bytes, offset);
        break;
      case Pt.Phdr:
        headerAddress = u32(at + 8);
        break;
      case Pt.GnuStack:
        executableStack = (u32(at + 24) & 1) !== 0;
        break;
      case Pt.MipsAbiflags:
        if (machine === Machine.Mips && inFile && fileSize >= 24) fpAbi = checkAbiFlags(bytes, offset);
        break;
    }
  }
  if (segments.length === 0) throw new ElfError('no segment to load', headerOffset);
  if (machine === Machine.Mips) checkMipsFlags(u32(36), u32(24));
  return {
    bytes,
    abi: machine === Machine.I386 ? 'i386' : little ? 'mipsel' : 'mips',
    type: type === Type.Exec ? 'exec' : 'dyn',
    entry: u32(24),
    segments,
    interpreter,
    headerOffset,
    headerCount,
    headerAddress,
    executableStack,
    mips: machine === Machine.Mips ? { fpAbi, nan2008: (u32(36) & Ef.Nan2008) !== 0 } : undefined,
  };
}

function describeForeign(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'not an ELF file: it is empty';
  if (bytes[0] === 0x23 && bytes[1] === 0x21) return 'not an ELF file: a script (#!); run its interpreter with the script as argument';
  if (bytes[0] === 0x4d && bytes[1] === 0x5a) return 'not an ELF file: a Windows or DOS program';
  return 'not an ELF file';
}

const permissionOf = (flags: number): number => ((flags & 4) >> 2) | (flags & 2) | ((flags & 1) << 2);

function checkSegment(s: Segment, inFile: boolean, at: number): void {
  if (s.fileSize > s.memorySize)
    throw new ElfError(`segment with more bytes in the file (${s.fileSize}) than in memory (${s.memorySize})`, at + 16);
  if (!inFile) throw new ElfError(`segment at ${hex(s.address)} lies beyond the end of the file`, at + 4);
  if (s.address + s.memorySize > 0xffff_ffff)
    throw new ElfError(`segment at ${hex(s.address)} wraps around the end of the address space`, at + 8);
  if (s.align > 1 && (s.align & (s.align - 1)) !== 0) throw new ElfError(`segment alignment ${s.align} is not a power of two`, at + 28);
  if (s.fileSize > 0 && (s.address - s.offset) % PAGE_SIZE !== 0)
    throw new ElfError(`segment at ${hex(s.address)} and its file offset ${hex(s.offset)} differ in their place within a page`, at + 8);
}

function checkMipsFlags(flags: number, entry: number): void {
  const at = 36;
  if (flags & Ef.Abi2) throw new ElfError('MIPS ELF for the n32 ABI, not o32', at);
  const abi = flags & Ef.AbiMask;
  if (abi !== 0 && abi !== Ef.AbiO32) throw new ElfError(`MIPS ELF for the ${MIPS_ABIS[abi] ?? hex(abi)} ABI, not o32`, at);
  if (flags & Ef.MicroMips) throw new ElfError('microMIPS code, which is not supported', at);
  if (flags & Ef.Mips16 && entry & 1) throw new ElfError('MIPS16 code, which is not supported', at);
  const level = MIPS_LEVELS[flags >>> 28] ?? `level ${flags >>> 28}`;
  if (!['I', 'II', '32', '32R2'].includes(level)) throw new ElfError(`MIPS ${level} code; MIPS32 up to release 2 is supported`, at);
}

/** .MIPS.abiflags version 0; returns the floating-point ABI. */
function checkAbiFlags(bytes: Uint8Array, at: number): number {
  const [isaLevel, isaRevision, gprSize] = [bytes[at + 2], bytes[at + 3], bytes[at + 4]];
  if (isaRevision > 5) throw new ElfError(`MIPS${isaLevel}R${isaRevision} code; release 2 is supported`, at + 3);
  if (gprSize > 1) throw new ElfError('MIPS code for 64-bit registers', at + 4);
  return bytes[at + 7];
}

/** Lowest and highest (exclusive) page addresses of all segments. */
export function extent(elf: ElfFile): { readonly start: number; readonly end: number } {
  const last = elf.segments.at(-1)!;
  const start = elf.segments[0].address;
  return { start: start - (start % PAGE_SIZE), end: Math.ceil((last.address + last.memorySize) / PAGE_SIZE) * PAGE_SIZE };
}

/** Throws ElfError if the file loaded at `bias` would not lie in user space. */
export function checkPlace(elf: ElfFile, bias: number, top: number): void {
  for (const segment of elf.segments) {
    const start = segment.address + bias;
    if (start < Layout.FLOOR) throw new ElfError(`segment at ${hex(start)} lies below ${hex(Layout.FLOOR)}`);
    if (start + segment.memorySize > top)
      throw new ElfError(`segment at ${hex(start)} of ${segment.memorySize} bytes ends above user space (${hex(top)})`);
  }
}

const SHOWN = 60;
/** A path that a file gives, as messages show it. */
export function shownPath(path: string): string {
  const text = path.replace(/\p{Cc}/gu, '?');
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** Up to its zero byte, or the end. */
export function cString(bytes: Uint8Array, at: number): string {
  let end = at;
  while (end < bytes.length && bytes[end] !== 0) end++;
  return new TextDecoder().decode(bytes.subarray(at, end));
}
