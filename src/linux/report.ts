import { Code } from '../isa/code.ts';
import { ElfError, type ElfFile, parseElf } from './elf.ts';
import { type ElfSymbol, elfSymbols, symbolAt } from './elf-symbols.ts';
import { readWhole } from './fs/tree.ts';
import type { Image } from './load.ts';
import type { Process } from './process.ts';
import { SyscallError } from './syscall.ts';

/** Where a guest address is: the function and how far into it, and the file that is mapped there. */
export interface Location {
  readonly pc: number;
  readonly file: string | undefined;
  readonly symbol: string | undefined;
  readonly offset: number;
}

/** What is known of a program's end by a fault. */
export interface FaultReport {
  readonly location: Location;
  /** Assembly text of the instruction, if there is one. */
  readonly instruction: string | undefined;
  readonly registers: string;
  /** What happened, in a line. */
  readonly reason: string;
  /** All of it, several lines. */
  readonly text: string;
}

export const hex = (address: number): string => `0x${(address >>> 0).toString(16).padStart(8, '0')}`;

const tables = new WeakMap<ElfFile, readonly ElfSymbol[]>();
export function symbolsOf(elf: ElfFile): readonly ElfSymbol[] {
  let table = tables.get(elf);
  if (!table) {
    table = elfSymbols(elf);
    tables.set(elf, table);
  }
  return table;
}

export type MappedElf = Pick<Image, 'elf' | 'bias' | 'path'>;

/** The ELF file behind a mapping, and what to subtract from its addresses. */
export function mappedElf(p: Process, address: number): MappedElf | undefined {
  const area = p.map.areas.at(address);
  if (!area?.backing || !area.name.startsWith('/')) return undefined;
  try {
    const elf = parseElf(readWhole(p.files.namespace, area.name));
    const position = address - area.start + area.backing.offset;
    const segment = elf.segments.find((s) => position >= s.offset && position < s.offset + s.fileSize);
    return segment && { elf, bias: address - (position - segment.offset + segment.address), path: area.name };
  } catch (error) {
    if (error instanceof ElfError || error instanceof SyscallError) return undefined;
    throw error;
  }
}

export function locate(p: Process, images: readonly Image[], pc: number): Location {
  const image = images.find((candidate) => pc >= candidate.start && pc < candidate.end);
  const found = image ?? mappedElf(p, pc);
  if (!found) return { pc, file: p.map.areas.at(pc)?.name || undefined, symbol: undefined, offset: 0 };
  const hit = symbolAt(symbolsOf(found.elf), pc - found.bias);
  return { pc, file: found.path, symbol: hit?.symbol.name, offset: hit?.offset ?? 0 };
}

/** "0x08049196 main+0x10 (/bin/program)" */
function printLocation(location: Location): string {
  const { pc, symbol, offset, file } = location;
  return `${hex(pc)}${symbol ? ` ${symbol}${offset ? `+0x${offset.toString(16)}` : ''}` : ''}${file ? ` (${file})` : ''}`;
}

function instructionAt(p: Process, pc: number): string | undefined {
  try {
    return p.abi.isa.disassemble(new Code(p.memory.codePage), pc).text;
  } catch {
    return undefined;
  }
}

export function makeReport(p: Process, images: readonly Image[], signal: string, reason: string, pc: number): FaultReport {
  const location = locate(p, images, pc);
  const instruction = instructionAt(p, pc);
  const registers = p.abi.printRegisters(p);
  const lines = [`${signal}: ${reason}`, `  at ${printLocation(location)}`];
  if (instruction !== undefined) lines.push(`     ${instruction}`);
  lines.push(...registers.split('\n').map((line) => `  ${line}`));
  return { location, instruction, registers, reason, text: lines.join('\n') };
}
