import { CodeMode, CodePiece, Layout, PhysicalPage, TlbBit } from '../../assembly/shared/layout.ts';
import type { Runtime } from '../backend/runtime.ts';
import type { CodePlace, CodePlaces, MappedPage } from '../cache/code-cache.ts';
import { KeyMap } from '../cache/key-map.ts';
import type { Block } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { GuestMemory } from './guest-memory.ts';

/** Whether so many bytes are the same. */
export function sameBytes(a: Uint8Array, atA: number, size: number, b: Uint8Array, atB: number): boolean {
  for (let i = 0; i < size; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

const NO_PAGES: readonly MappedPage[] = [];

/** User mode: a pc means one piece of code, until somebody says that it changed. */
export function virtualPlaces(memory: GuestMemory): CodePlaces {
  // of the block that was asked about last: the next one most often lies there as well
  let page: readonly number[] = [-1];
  const pagesAt = (pc: number, size: number): readonly number[] => {
    const first = pc >>> 12;
    const last = (pc + Math.max(1, size) - 1) >>> 12;
    if (first !== last) return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    if (page[0] !== first) page = [first];
    return page;
  };
  const placeAt = (pc: number, size: number): CodePlace => ({ pc, size, key: pc, mode: 0, pages: pagesAt(pc, size), mapped: NO_PAGES });
  return {
    blockHash: Layout.BLOCK_HASH,
    blockHashMask: Layout.HASH_MASK,
    key: (pc) => pc,
    placeAt,
    placeOf: ({ pc, size }) => placeAt(pc, size),
    cover: ({ pc, size }) => memory.markCode(pc, Math.max(1, size), true),
    uncover: (number) => memory.markCode(number * PAGE_SIZE, PAGE_SIZE, false),
  };
}

/** Pages that a block lies on. Blocks on one page alone have this in common. */
type Pages = Pick<CodePlace, 'pages' | 'mapped'>;

const indexOf = (pc: number, { word }: MappedPage): number => (pc + (word & TlbBit.ADDRESS)) >>> 0;

const NOWHERE: Pages = { pages: [], mapped: NO_PAGES };

/** System mode: what a pc means depends on the mode and on where its page is mapped. Of each block it is known where it came from. */
export class PhysicalPlaces implements CodePlaces {
  readonly blockHash = Layout.PAGED_BLOCK_HASH;
  readonly blockHashMask = Layout.PAGED_HASH_MASK;
  /** Numbers of pairs of page and mode that have code. */
  private readonly contexts = new KeyMap<number>();
  private readonly header: Int32Array;
  private readonly tlb: Int32Array;
  private readonly physical: Uint32Array;
  private readonly pieces: Uint8Array;

  constructor(
    private readonly memory: GuestMemory,
    private readonly runtime: Runtime,
  ) {
    const { buffer } = memory.memory;
    this.header = new Int32Array(buffer, 0, Layout.STATE / 4);
    this.tlb = new Int32Array(buffer, Layout.TLB, (Layout.PHYSICAL - Layout.TLB) / 4);
    this.physical = new Uint32Array(buffer, Layout.PHYSICAL, (Layout.PHYSICAL_END - Layout.PHYSICAL) / 4);
    this.pieces = new Uint8Array(buffer, Layout.CODE_PIECES, Layout.BESIDE_CODE - Layout.CODE_PIECES);
  }

  get mode(): number {
    return this.header[Layout.MODE >>> 2];
  }

  /** The word of a page that can be executed, with that bit only; 0 if it cannot, and the fault is recorded. */
  private word(pc: number): number {
    const bit = TlbBit.KernelExecute << (this.mode & CodeMode.User);
    let entry = this.tlb[pc >>> 12];
    if (!(entry & bit)) entry = (this.runtime.exports.codeEntry as (pc: number) => number)(pc);
    return entry === 0 ? 0 : (entry & TlbBit.ADDRESS) | bit;
  }

  /** The bytes of a page that can be executed. */
  page = (pageNumber: number): Uint8Array | undefined => {
    const start = pageNumber * PAGE_SIZE;
    const word = this.word(start);
    if (word === 0) return undefined;
    const index = (start + (word & TlbBit.ADDRESS)) >>> 0;
    if (index !== this.lastIndex) {
      this.lastIndex = index;
      this.lastBytes = this.memory.bytes.subarray(index, index + PAGE_SIZE);
    }
    return this.lastBytes;
  };
  private lastIndex = -1;
  private lastBytes: Uint8Array | undefined;

  /** −1 if nothing can be fetched there; then the fault is recorded. */
  key(pc: number): number {
    const word = this.word(pc);
    return word === 0 ? -1 : this.contextOf(pc, word) * 0x1_0000_0000 + pc;
  }
  /** What was asked last: most often it is asked again. */
  private lastPage = -1;
  private lastWord = 0;
  private lastMode = 0;
  private lastContext = 0;
  private contextOf(pc: number, word: number): number {
    const { mode } = this;
    const page = pc >>> 12;
    if (page === this.lastPage && word === this.lastWord && mode === this.lastMode) return this.lastContext;
    const host = (((pc & ~(PAGE_SIZE - 1)) + (word & TlbBit.ADDRESS)) >>> 12) & 0xfffff;
    const context = host * 0x10000 + (mode & 0xffff);
    let number = this.contexts.get(context);
    if (number === undefined) {
      number = this.contexts.size + 1;
      this.contexts.set(context, number);
    }
    this.lastPage = page;
    this.lastWord = word;
    this.lastMode = mode;
    this.lastContext = number;
    return number;
  }

  /** Notes where a block that was just lifted came from. */
  note(block: Block): void {
    block.place = this.placeAt(block.pc, block.size);
  }
  placeAt(pc: number, size: number): CodePlace {
    const last = (pc + Math.max(1, size) - 1) >>> 0;
    let { pages, mapped } = this.pagesAt(pc);
    if (pc >>> 12 !== last >>> 12) {
      const next = this.pagesAt(last);
      pages = [...pages, ...next.pages];
      mapped = [...mapped, ...next.mapped];
    }
    return { pc, size, key: this.key(pc), mode: this.mode, pages, mapped };
  }
  private lastPages: Pages = NOWHERE;
  private pagesAt(pc: number): Pages {
    const page = pc >>> 12;
    const word = this.word(pc);
    const [last] = this.lastPages.mapped;
    if (last?.page === page && last.word === word) return this.lastPages;
    const physical = (this.runtime.exports.codePhysical as (pc: number) => number)(pc) >>> 12;
    this.lastPages = { pages: [physical], mapped: [{ page, word }] };
    return this.lastPages;
  }
  /** What lies at physical addresses is other memory than before. */
  remapped(): void {
    this.lastPages = NOWHERE;
  }

  placeOf({ pc, place }: Block): CodePlace {
    if (!place) throw new Error(`it is not known where block 0x${pc.toString(16)} came from`);
    return place;
  }
  /** The guest's bytes that the block was lifted from; they are what they were, unless it was forgotten. */
  bytesOf({ pc, size, mapped }: CodePlace): Uint8Array {
    const start = indexOf(pc, mapped[0]);
    const [, next] = mapped;
    const inFirst = PAGE_SIZE - (pc % PAGE_SIZE);
    const { bytes } = this.memory;
    if (!next || size <= inFirst) return bytes.slice(start, start + size);
    const out = new Uint8Array(size);
    const second = indexOf(next.page * PAGE_SIZE, next);
    out.set(bytes.subarray(start, start + inFirst));
    out.set(bytes.subarray(second, second + size - inFirst), inFirst);
    return out;
  }
  /** Whether these bytes, of at most two pages, are what would be executed at `pc`. */
  hasCode(pc: number, size: number, code: Uint8Array, at: number): boolean {
    const start = pc % PAGE_SIZE;
    const inFirst = Math.min(size, PAGE_SIZE - start);
    const first = this.page(pc >>> 12);
    if (!first || !sameBytes(first, start, inFirst, code, at)) return false;
    if (inFirst === size) return true;
    const second = this.page(((pc + inFirst) >>> 0) >>> 12);
    return second !== undefined && sameBytes(second, 0, size - inFirst, code, at + inFirst);
  }
  /** Where its code lies in the WebAssembly memory. */
  indexOf({ pc, mapped }: CodePlace): number {
    return indexOf(pc, mapped[0]);
  }
  mappedPages(blocks: readonly Block[]): readonly MappedPage[] {
    const pages = new Map<number, MappedPage>();
    for (const block of blocks) for (const mapped of this.placeOf(block).mapped) pages.set(mapped.page, mapped);
    return [...pages.values()];
  }
  /** Whether what begins where its key says goes on in another page than when it was lifted. */
  hasMoved({ mapped }: CodePlace): boolean {
    return mapped.length > 1 && this.word(mapped[1].page * PAGE_SIZE) !== mapped[1].word;
  }
  /** Whether all pages of these blocks are mapped as they were. */
  areMapped(blocks: readonly Block[]): boolean {
    return this.mappedPages(blocks).every(({ page, word }) => this.isMapped(page, word));
  }
  isMapped(page: number, word: number): boolean {
    return this.word(page * PAGE_SIZE) === word;
  }

  /** Whether something is so for a part of the code, start and end of it in physical memory. */
  private somePart({ pc, size, pages }: CodePlace, is: (start: number, end: number) => boolean): boolean {
    const start = pages[0] * PAGE_SIZE + (pc % PAGE_SIZE);
    const end = start + Math.max(1, size);
    const inSecond = end - (pages[0] + 1) * PAGE_SIZE;
    if (inSecond <= 0) return is(start, end);
    return is(start, end - inSecond) || is(pages[1] * PAGE_SIZE, pages[1] * PAGE_SIZE + inSecond);
  }
  private protect = (start: number, end: number): boolean => {
    (this.runtime.exports.protectCode as (address: number, bytes: number) => void)(start, end - start);
    return false;
  };
  cover(place: CodePlace): void {
    this.somePart(place, this.protect);
  }
  uncover(page: number): void {
    this.physical[page] &= ~PhysicalPage.Code;
    const first = page * PIECE_BYTES;
    this.pieces.fill(0, first, first + PIECE_BYTES);
  }
  /** What has bytes of the piece (CodePiece) at a physical address is about to be dropped. Tells that. */
  uncoverPiece(address: number): (place: CodePlace) => boolean {
    const piece = address >>> CodePiece.SHIFT;
    this.pieces[piece >>> 3] &= ~(1 << (piece & 7));
    const from = piece * PIECE_SIZE;
    return (place) => this.somePart(place, (start, end) => start < from + PIECE_SIZE && end > from);
  }
}

const PIECE_SIZE = 1 << CodePiece.SHIFT;
/** Of Layout.CODE_PIECES for a page. */
const PIECE_BYTES = PAGE_SIZE / PIECE_SIZE / 8;
