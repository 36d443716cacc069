import { Code, PAGE_SIZE } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { ISAS } from '../isas.ts';
import { ElfError, type ElfFile, parseElf } from '../linux/elf.ts';
import { type ElfSymbol, elfSymbols } from '../linux/elf-symbols.ts';
import { readProgram } from './elf-file.ts';
import { CliError, ExitCode } from './errors.ts';

export interface Executable {
  readonly elf: ElfFile;
  readonly isa: Isa;
  readonly code: Code;
  readonly symbols: readonly ElfSymbol[];
}

/** An ELF file's code at the addresses that the file gives. */
export function openExecutable(path: string): Executable {
  let elf: ElfFile;
  try {
    elf = parseElf(readProgram(path));
  } catch (error) {
    if (error instanceof ElfError) throw new CliError(`${path}: ${error.message}`, ExitCode.NotExecutable);
    throw error;
  }
  return { elf, isa: ISAS[elf.abi === 'i386' ? 'x86' : elf.abi], code: new Code((page) => codePage(elf, page)), symbols: elfSymbols(elf) };
}

function codePage(elf: ElfFile, pageNumber: number): Uint8Array | undefined {
  const EXECUTE = 4;
  const start = pageNumber * PAGE_SIZE;
  let page: Uint8Array | undefined;
  for (const s of elf.segments) {
    if (!(s.permission & EXECUTE) || s.address >= start + PAGE_SIZE || s.address + s.memorySize <= start) continue;
    page ??= new Uint8Array(PAGE_SIZE);
    const from = Math.max(start, s.address);
    const to = Math.min(start + PAGE_SIZE, s.address + s.fileSize);
    if (to > from) page.set(elf.bytes.subarray(s.offset + from - s.address, s.offset + to - s.address), from - start);
  }
  return page;
}

export interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly symbol: string | undefined;
}

/** A number in hexadecimal (0x…) or decimal; undefined if it is neither. */
export function parseAddress(text: string): number | undefined {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffff_ffff ? value : undefined;
}

/** Where the executable segment that holds an address ends; CliError if none does. */
function segmentEnd({ elf }: Executable, address: number): number {
  const EXECUTE = 4;
  const segment = elf.segments.find((s) => s.permission & EXECUTE && address >= s.address && address < s.address + s.fileSize);
  if (!segment) throw new CliError(`no code at 0x${address.toString(16)} in this file`, ExitCode.Usage);
  return segment.address + segment.fileSize;
}

/** The code of a symbol, or from an address to the end of the symbol that it lies in. */
export function rangeOf(executable: Executable, where: string): Range {
  const { symbols } = executable;
  const address = parseAddress(where);
  const symbol = address === undefined ? symbols.find((s) => s.name === where) : undefined;
  if (address === undefined && !symbol) {
    const near = symbols.filter((s) => s.name.toLowerCase().includes(where.toLowerCase())).slice(0, 5);
    const hint =
      near.length > 0 ? `; similar: ${near.map((s) => s.name).join(', ')}` : symbols.length === 0 ? '; the file has no symbols' : '';
    throw new CliError(`no symbol ${where}${hint}`, ExitCode.Usage);
  }
  const from = symbol ? symbol.address : (address as number);
  const limit = segmentEnd(executable, from);
  const inside = symbols.findLast((s) => s.address <= from && (s.size === 0 ? s.address === from : from < s.address + s.size)) ?? symbol;
  const next = symbols.find((s) => s.address > from);
  const end = inside?.size ? inside.address + inside.size : next ? next.address : limit;
  return { start: from, end: Math.min(end, limit), symbol: inside?.name };
}
