import { BlockHeader } from '../../assembly/shared/uop.ts';
import { attach, detach } from '../backend/interpret/relocate.ts';
import { POOL_WORDS, type Runtime } from '../backend/runtime.ts';
import type { CachedBlock, CodeCache } from '../cache/code-cache.ts';
import { partsOf } from '../cache/parts.ts';
import {
  blockCount,
  firstBlockFrom,
  isBlock,
  pageOf,
  pagePart,
  SavedBlock,
  type SavedBlocks,
  type SavedPage,
} from '../cache/saved-blocks.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { type PhysicalPlaces, sameBytes } from './code-places.ts';
import { GuestMemory } from './guest-memory.ts';
import type { JumpSites } from './jump-sites.ts';
import type { VcpuStats } from './options.ts';
import { hasRange } from './saved-code.ts';

interface StoreContext {
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly cache: CodeCache;
  readonly stats: Pick<VcpuStats, 'blocks' | 'restoredBlocks'>;
  readonly coherentCode: boolean;
  /** What saved blocks must agree in with this run. */
  readonly options: () => string;
  readonly jumpSites: JumpSites;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  /** Whether the block's bytes are compared each time it is entered. */
  readonly isVerified: (cached: CachedBlock) => boolean;
  /** A region of an earlier run begins at this pc, which is better than a block. */
  readonly hasSavedRegion: (pc: number) => boolean;
}

/** µop words of overwritten code that are saved at most. */
const MOST_GONE = 4 << 20;

/** Saving is worth its time for one new block in so many. */
const WORTH = 64;

/** Bytes of guest code of which all saved blocks are put in place where the guest first comes to one. */
const NEAR = 512;

/** What is saved of one block. */
interface Kept {
  readonly pc: number;
  readonly mode: number;
  /** As they would be at address 0. */
  readonly uops: Int32Array;
  readonly code: Uint8Array;
}

/** A page of an earlier run, of which blocks were asked for. */
interface OpenPage {
  readonly saved: SavedPage;
  /** By number of a block: 1 if it was put in place. */
  readonly placed: Uint8Array;
  /** Where its µops were copied, if they were: as they are kept, but for those that were put in place. */
  address: number | undefined;
}

/** The interpreter's blocks of an earlier run, and what is kept of this run's for the next. */
export class BlockStore {
  /** Whether µops of `saved` may run: their constants are in the pool. */
  private usable = false;
  /** By the pc that they begin at. */
  private readonly pages = new Map<number, OpenPage | undefined>();
  /** Where all saved blocks were looked at, by the pc that so many bytes begin at. */
  private readonly seen = new Set<number>();
  /** Memory model paged: blocks whose code the guest has overwritten since, such as that of a kernel's start. */
  private readonly gone: Kept[] = [];
  private goneWords = 0;

  constructor(
    private readonly context: StoreContext,
    private readonly saved: SavedBlocks | undefined,
  ) {
    this.begin();
  }

  /** There are no blocks now, and no constants in the pool. */
  begin(): void {
    const { saved, context } = this;
    this.seen.clear();
    for (const page of this.pages.values()) if (page) page.address = undefined;
    this.usable = saved !== undefined && saved.options === context.options() && saved.constants.length <= POOL_WORDS;
    if (saved && this.usable) context.runtime.constants.set(saved.constants);
  }

  private page(pc: number): OpenPage | undefined {
    const start = pageOf(pc);
    if (!this.usable) return undefined;
    if (!this.pages.has(start)) {
      const saved = this.saved?.pages.at(start)?.value();
      this.pages.set(start, saved && { saved, placed: new Uint8Array(blockCount(saved)), address: undefined });
    }
    return this.pages.get(start);
  }

  /** Puts the block at `pc` in place, with others near to it, if the guest's code is the same. `end`: of the room for µops. */
  restore(pc: number, end: number): boolean {
    const { context } = this;
    const { cache, runtime } = context;
    const page = this.page(pc);
    if (!page) return false;
    const { index, uops } = page.saved;
    const near = pc - (pc % NEAR);
    const nearKey = cache.places.key(near);
    const known = this.seen.has(nearKey);
    this.seen.add(nearKey);
    // a program's page most often has this code, so all is copied at once
    if (page.address === undefined && !context.paged && cache.uopAddress + 4 * uops.length <= end) {
      page.address = cache.uopAddress;
      runtime.words.set(uops, page.address >>> 2);
      cache.uopAddress += 4 * uops.length;
    }
    const mode = context.paged?.mode ?? 0;
    const last = known ? pc : near + NEAR - 1;
    for (let n = firstBlockFrom(page.saved, known ? pc : near), count = blockCount(page.saved); n < count; n++) {
      const i = n * SavedBlock.WORDS;
      const at = index[i + SavedBlock.PC];
      if (at > last) break;
      if (index[i + SavedBlock.MODE] !== mode) continue;
      if ((at === pc || !context.hasSavedRegion(at)) && !cache.block(at)) this.place(page, n, end);
    }
    return cache.block(pc) !== undefined;
  }

  private place({ saved, placed, address: copied }: OpenPage, n: number, end: number): void {
    const { runtime, cache, jumpSites, paged } = this.context;
    const { index, uops, code } = saved;
    const i = n * SavedBlock.WORDS;
    const pc = index[i + SavedBlock.PC];
    const size = index[i + SavedBlock.SIZE];
    if (!isBlock(saved, n) || !this.isThere(pc, size, code, index[i + SavedBlock.CODE])) return;
    const from = index[i + SavedBlock.UOPS];
    const length = index[i + SavedBlock.WORDS + SavedBlock.UOPS] - from;
    const isCopied = copied !== undefined && !placed[n];
    const address = isCopied ? copied + 4 * from : cache.uopAddress;
    if (!isCopied) {
      if (address + 4 * length > end) return;
      runtime.words.set(uops.subarray(from, from + length), address >>> 2);
    }
    if (!attach(runtime.words, address, length, pc, 0, () => jumpSites.at(pc))) return;
    if (!isCopied) cache.uopAddress = address + 4 * length;
    const cached: CachedBlock = { place: cache.places.placeAt(pc, size), block: undefined, address, restored: true };
    if (paged) {
      runtime.words[(address + BlockHeader.PAGE) >>> 2] = cached.place.mapped[0].word;
      runtime.words[(address + BlockHeader.NEXT_PAGE) >>> 2] = 0;
    }
    placed[n] = 1;
    cache.addBlock(cached);
    cache.publishBlock(cached);
    this.context.stats.restoredBlocks++;
  }

  /** Whether the guest has this code now. */
  private isThere(pc: number, size: number, code: Uint8Array, at: number): boolean {
    const { memory, coherentCode, paged } = this.context;
    if (!paged) return hasRange(pc, size, memory, coherentCode, code, at);
    return (pc % PAGE_SIZE) + size <= PAGE_SIZE && paged.hasCode(pc, size, code, at);
  }

  /** Of blocks on two pages of physical memory it would have to be asked where the second is mapped: they are lifted. */
  private mayKeep = (cached: CachedBlock): boolean => {
    const { paged, isVerified } = this.context;
    const { pc, size } = cached.place;
    return cached.address !== 0 && size > 0 && !isVerified(cached) && !(paged && (pc % PAGE_SIZE) + size > PAGE_SIZE);
  };
  private own(): CachedBlock[] {
    return this.context.cache.allBlocks().filter(this.mayKeep);
  }
  private kept({ place, address }: CachedBlock): Kept {
    const { runtime, memory, paged } = this.context;
    const { pc, size, mode } = place;
    const start = paged ? paged.indexOf(place) : GuestMemory.index(pc);
    return { pc, mode, uops: detach(runtime.words, address), code: memory.bytes.subarray(start, start + size) };
  }
  /** Memory model paged: the guest is about to write to this physical page, which has blocks. */
  leave(page: number): void {
    for (const cached of this.context.cache.blocksOn(page).filter(this.mayKeep)) {
      if (this.goneWords > MOST_GONE) return;
      const kept = this.kept(cached);
      this.goneWords += kept.uops.length;
      this.gone.push({ ...kept, code: kept.code.slice() });
    }
  }

  /** Whether enough blocks are new to be worth the time that saving takes. */
  get worthSaving(): boolean {
    const { blocks, restoredBlocks } = this.context.stats;
    if (blocks * WORTH <= restoredBlocks) return false;
    const own = this.own();
    return own.filter(({ restored }) => !restored).length * WORTH > own.length;
  }

  /** Blocks for the next run: first the pages that this one has been to, then the others as they are. */
  save(): SavedBlocks {
    const own = new Map<number, Kept[]>();
    for (const block of [...this.own().map((cached) => this.kept(cached)), ...this.gone]) {
      const page = pageOf(block.pc);
      own.set(page, [...(own.get(page) ?? []), block]);
    }
    const pages = [...own].map(([pc, blocks]) => [[pc], pagePart(joined(different([...blocks, ...this.unused(pc)])))] as const);
    const others = this.usable ? this.saved!.pages.all().filter(([[pc]]) => !own.has(pc)) : [];
    return { options: this.context.options(), constants: this.context.runtime.constants.words, pages: partsOf([...pages, ...others]) };
  }

  /** Saved blocks of a page that this run did not come to. */
  private unused(page: number): Kept[] {
    const found = this.page(page);
    if (!found) return [];
    const { cache, paged } = this.context;
    const { index, uops, code } = found.saved;
    const out: Kept[] = [];
    for (let n = 0; n < blockCount(found.saved); n++) {
      const i = n * SavedBlock.WORDS;
      const next = i + SavedBlock.WORDS;
      const pc = index[i + SavedBlock.PC];
      if (isBlock(found.saved, n) && (paged ? !found.placed[n] : !cache.block(pc)?.address))
        out.push({
          pc,
          mode: index[i + SavedBlock.MODE],
          uops: uops.subarray(index[i + SavedBlock.UOPS], index[next + SavedBlock.UOPS]),
          code: code.subarray(index[i + SavedBlock.CODE], index[i + SavedBlock.CODE] + index[i + SavedBlock.SIZE]),
        });
    }
    return out;
  }
}

/** Blocks of one page. */
function joined(blocks: Kept[]): SavedPage {
  const size = (of: (block: Kept) => ArrayLike<number>): number => blocks.reduce((sum, block) => sum + of(block).length, 0);
  const index = new Uint32Array((blocks.length + 1) * SavedBlock.WORDS);
  const uops = new Int32Array(size((block) => block.uops));
  const code = new Uint8Array(size((block) => block.code));
  let uopAt = 0;
  let codeAt = 0;
  for (const [n, block] of blocks.sort((a, b) => a.pc - b.pc).entries()) {
    index.set([block.pc, block.code.length, uopAt, codeAt, block.mode], n * SavedBlock.WORDS);
    uops.set(block.uops, uopAt);
    code.set(block.code, codeAt);
    uopAt += block.uops.length;
    codeAt += block.code.length;
  }
  index.set([0, 0, uopAt, codeAt, 0], blocks.length * SavedBlock.WORDS);
  return { index, uops, code };
}

/** Without blocks that an earlier one is the same as. */
function different(blocks: readonly Kept[]): Kept[] {
  const seen = new Map<number, Kept[]>();
  return blocks.filter((block) => {
    const same = seen.get(block.pc) ?? [];
    const { mode, code } = block;
    if (same.some((other) => other.mode === mode && other.code.length === code.length && sameBytes(other.code, 0, code.length, code, 0)))
      return false;
    seen.set(block.pc, [...same, block]);
    return true;
  });
}
