import type { SlowPaths } from '../backend/wasm/options.ts';
import { type Part, partOf } from './parts.ts';

/** Bytes of guest code: pc and length. */
export type SavedRange = readonly [pc: number, size: number];

export interface SavedRegion {
  readonly entry: number;
  /** Whether its module has the newest region of this entry. */
  readonly live: boolean;
  readonly blocks: readonly SavedRange[];
  readonly headers: readonly number[];
  readonly outside: readonly number[];
  /** Blocks that end in an indirect jump, with the targets that the region holds. */
  readonly jumps: readonly (readonly [pc: number, targets: readonly number[]])[];
  readonly instructions: number;
  readonly patience: number;
  readonly way: SlowPaths;
}

/** One WebAssembly module, and what it was made from. */
export interface SavedModule {
  /** Translator, ISA and options, which all must be the same. */
  readonly options: string;
  readonly regions: readonly SavedRegion[];
  /** pcs whose function table indexes it imports, and pcs of blocks whose jump sites it imports. */
  readonly slots: readonly number[];
  readonly sites: readonly number[];
  /** Guest code that the module depends on beside its blocks. */
  readonly callees: readonly SavedRange[];
  /** Memory model paged: Layout.MODE, and the pages that its code holds, with their TLB words as samePage (assembly/paged.ts) takes them. */
  readonly mode: number;
  readonly pages: readonly (readonly [page: number, word: number])[];
  /** See accessMap in src/backend/wasm/compile.ts. */
  readonly accesses: readonly number[];
  /** The guest's bytes in all blocks, then in all callees. */
  readonly code: Uint8Array;
  readonly wasm: Uint8Array<ArrayBuffer>;
}

export const rangesOf = (module: Pick<SavedModule, 'regions' | 'callees'>): SavedRange[] => [
  ...module.regions.flatMap(({ blocks }) => blocks),
  ...module.callees,
];

type Header = Omit<SavedModule, 'code' | 'wasm'> & { readonly lengths: readonly [code: number, wasm: number] };

export function encodeModule({ code, wasm, ...rest }: SavedModule): Uint8Array {
  const header: Header = { ...rest, lengths: [code.length, wasm.length] };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const size = 4 + text.length + code.length + wasm.length;
  const out = new Uint8Array(Math.ceil(size / 4) * 4);
  new DataView(out.buffer).setUint32(0, text.length, true);
  out.set(text, 4);
  out.set(code, 4 + text.length);
  out.set(wasm, 4 + text.length + code.length);
  return out;
}

/** The module in the data, undefined if it is damaged anywhere. */
export function decodeModule(data: Uint8Array<ArrayBuffer>): SavedModule | undefined {
  try {
    const length = new DataView(data.buffer, data.byteOffset, data.length).getUint32(0, true);
    const { lengths, ...rest } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(4, 4 + length))) as Header;
    const [code, wasm] = lengths;
    const start = 4 + length;
    if (!isCount(code) || !isCount(wasm) || Math.ceil((start + code + wasm) / 4) * 4 !== data.length) return undefined;
    const module = { ...rest, code: data.subarray(start, start + code), wasm: data.subarray(start + code, start + code + wasm) };
    return isModule(module) ? module : undefined;
  } catch (error) {
    // JSON, text or lengths that are none; a shape that nothing can be read from
    if (error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Entries of its regions that are current. */
const liveEntries = ({ regions }: SavedModule): number[] => regions.filter(({ live }) => live).map(({ entry }) => entry);

/** A module that is here, and where it is found. */
export const modulePart = (module: SavedModule): readonly [pcs: readonly number[], part: Part<SavedModule>] => [
  liveEntries(module),
  partOf(module, encodeModule),
];

const isCount = (n: unknown): n is number => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= 0xffffffff;
const isCounts = (list: unknown): boolean => Array.isArray(list) && list.every(isCount);
const isRanges = (list: unknown): boolean =>
  Array.isArray(list) && list.every((range) => isCounts(range) && range.length === 2 && range[1] <= 4096);

function isModule(m: SavedModule): boolean {
  return (
    typeof m.options === 'string' &&
    Array.isArray(m.regions) &&
    m.regions.every(isRegion) &&
    isCounts(m.slots) &&
    isCounts(m.sites) &&
    isRanges(m.callees) &&
    isCount(m.mode) &&
    Array.isArray(m.pages) &&
    m.pages.every((page) => isCounts(page) && page.length === 2 && page[0] < 0x100000) &&
    isCounts(m.accesses) &&
    rangesOf(m).reduce((sum, [, size]) => sum + size, 0) === m.code.length
  );
}

function isRegion(r: SavedRegion): boolean {
  return (
    isRanges(r.blocks) &&
    r.blocks.length > 0 &&
    r.blocks[0][0] === r.entry &&
    isCounts(r.headers) &&
    isCounts(r.outside) &&
    Array.isArray(r.jumps) &&
    r.jumps.every(([pc, targets]) => isCount(pc) && isCounts(targets)) &&
    isCount(r.instructions) &&
    isCount(r.patience) &&
    (r.way === 'leave' || r.way === 'ask' || r.way === 'call')
  );
}
