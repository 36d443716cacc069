import { cString, EHDR_SIZE, type ElfFile } from './elf.ts';

export interface ElfSymbol {
  readonly name: string;
  /** As in the file. */
  readonly address: number;
  readonly size: number;
}

interface Section {
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

const SHDR_SIZE = 40;
const SYM_SIZE = 16;
const [SHT_PROGBITS, SHT_SYMTAB, SHT_DYNSYM] = [1, 2, 11];
const SHF_EXECINSTR = 4;

/** Bytes of a file; fewer where it ends. */
type Part = (position: number, length: number) => DataView;

/** None if the table is missing or damaged. */
function sectionsOf(part: Part, little: boolean): readonly Section[] {
  const header = part(0, EHDR_SIZE);
  const count = header.getUint16(48, little);
  const table = part(header.getUint32(32, little), count * SHDR_SIZE);
  if (header.getUint16(46, little) !== SHDR_SIZE || table.byteLength < count * SHDR_SIZE) return [];
  return Array.from({ length: count }, (_, index) => {
    const word = (at: number): number => table.getUint32(index * SHDR_SIZE + at, little);
    return { type: word(4), flags: word(8), address: word(12), offset: word(16), size: word(20), link: word(24) };
  });
}
const isLittle = ({ abi }: ElfFile): boolean => abi !== 'mips';
const partOf =
  ({ bytes }: ElfFile): Part =>
  (position, length) => {
    const start = Math.min(position, bytes.length);
    return new DataView(bytes.buffer, bytes.byteOffset + start, Math.min(length, bytes.length - start));
  };

/** Function symbols in the order of their addresses; from .symtab, else .dynsym; none if the tables are damaged. */
export function elfSymbols(elf: ElfFile): readonly ElfSymbol[] {
  const { bytes } = elf;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = isLittle(elf);
  const u16 = (at: number): number => data.getUint16(at, little);
  const u32 = (at: number): number => data.getUint32(at, little);
  const sections = sectionsOf(partOf(elf), little);

  const table = (wanted: number): readonly ElfSymbol[] => {
    for (const { type, offset, size, link } of sections) {
      if (type !== wanted || offset + size > bytes.length || link >= sections.length) continue;
      const strings = sections[link];
      if (strings.offset + strings.size > bytes.length) continue;
      const found: ElfSymbol[] = [];
      for (let symbol = offset; symbol + SYM_SIZE <= offset + size; symbol += SYM_SIZE) {
        const name = u32(symbol);
        const kind = bytes[symbol + 12] & 15;
        const [NOTYPE, FUNC, IFUNC] = [0, 2, 10];
        if ((kind !== FUNC && kind !== NOTYPE && kind !== IFUNC) || u16(symbol + 14) === 0 || name === 0 || name >= strings.size) continue;
        const address = u32(symbol + 4);
        if (address !== 0) found.push({ name: cString(bytes, strings.offset + name), address, size: u32(symbol + 8) });
      }
      if (found.length > 0) return found.sort((a, b) => a.address - b.address || b.size - a.size);
    }
    return [];
  };
  const symbols = table(SHT_SYMTAB);
  return symbols.length > 0 ? symbols : table(SHT_DYNSYM);
}

/** Where sections with code lie. */
export const codeSections = (elf: ElfFile): readonly { readonly start: number; readonly end: number }[] =>
  sectionsOf(partOf(elf), isLittle(elf))
    .filter(({ type, flags }) => type === SHT_PROGBITS && flags & SHF_EXECINSTR)
    .map(({ address, size }) => ({ start: address, end: address + size }))
    .sort((one, other) => one.start - other.start);

export interface ReadableFile {
  /** Bytes. */
  size(): number;
  /** Reads up to `into.length` bytes at `position`; short only at the end of the file. */
  read(into: Uint8Array, position: number): number;
}

/** Which of these names an ELF file's dynamic symbol table has, and whether the file defines them. */
export function dynamicSymbols(file: ReadableFile, names: readonly string[]): ReadonlyMap<string, 'defined' | 'undefined'> {
  const found = new Map<string, 'defined' | 'undefined'>();
  const part: Part = (position, length) => {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, file.size() - position)));
    return new DataView(bytes.buffer, 0, Math.max(0, file.read(bytes, position)));
  };
  const header = part(0, EHDR_SIZE);
  if (header.byteLength < EHDR_SIZE || header.getUint32(0) !== 0x7f454c46) return found;
  const little = header.getUint8(5) === 1;
  const sections = sectionsOf(part, little);
  for (const { type, offset, size, link } of sections) {
    if (type !== SHT_DYNSYM || link >= sections.length) continue;
    const strings = new TextDecoder('latin1').decode(part(sections[link].offset, sections[link].size));
    const wanted = new Map<number, string>();
    for (const name of names)
      for (let at = strings.indexOf(`${name}\0`); at >= 0; at = strings.indexOf(`${name}\0`, at + 1)) wanted.set(at, name);
    if (wanted.size === 0) continue;
    const symbols = part(offset, size);
    for (let at = 0; at + SYM_SIZE <= symbols.byteLength; at += SYM_SIZE) {
      const name = wanted.get(symbols.getUint32(at, little));
      if (name !== undefined) found.set(name, symbols.getUint16(at + 14, little) === 0 ? 'undefined' : 'defined');
    }
  }
  return found;
}

/** The symbol that an address (as in the file) lies in or follows, no further than `reach` bytes where its size is not known. */
export function symbolAt(
  symbols: readonly ElfSymbol[],
  address: number,
  reach = 65536,
): { readonly symbol: ElfSymbol; readonly offset: number } | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  for (let index = low - 1; index >= 0 && index >= low - 8; index--) {
    const symbol = symbols[index];
    const offset = address - symbol.address;
    if (offset < (symbol.size || reach)) return { symbol, offset };
  }
  return undefined;
}
