import { Layout } from '../../assembly/shared/layout.ts';
import { BlockHeader } from '../../assembly/shared/uop.ts';
import { attach, detach, move } from '../backend/interpret/relocate.ts';
import { POOL_WORDS, type Runtime } from '../backend/runtime.ts';
import type { CachedBlock, CodeCache } from '../cache/code-cache.ts';
import { blockCount, firstBlockFrom, SavedBlock, type SavedBlocks } from '../cache/saved-blocks.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { type PhysicalPlaces, sameBytes } from './code-places.ts';
import { GuestMemory } from './guest-memory.ts';
import type { JumpSites } from './jump-sites.ts';
import type { VcpuStats } from './options.ts';
import { hasRange, placeOnly } from './saved-code.ts';

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

/** µop words and blocks that are saved at most. */
const MOST_WORDS = 8 << 20;
const MOST_BLOCKS = 1 << 17;

/** Saving is worth its time for one new block in so many. */
const WORTH = 64;

/** Where the µops of saved blocks begin: the first that an empty cache gives. */
const HOME = Layout.UOPS;

/** What is saved of one block. */
interface Kept {
  readonly pc: number;
  readonly mode: number;
  readonly uops: Int32Array;
  /** The address that they are for. */
  readonly address: number;
  readonly code: Uint8Array;
}

/** The interpreter's blocks of an earlier run, and what is kept of this run's for the next. */
export class BlockStore {
  /** Whether µops of `saved` may run: their constants are in the pool. */
  private usable = false;
  /** Pages of which all saved blocks were looked at. */
  private readonly seen = new Set<number>();
  /** By number of a saved block: 1 if it lies at HOME, and was not put in place yet. */
  private atHome = new Uint8Array(0);
  /** By number of a saved block: 1 if it was put in place. */
  private readonly placed: Uint8Array;
  /** Memory model paged: blocks whose code the guest has overwritten since, such as that of a kernel's start. */
  private readonly gone: Kept[] = [];
  private goneWords = 0;

  constructor(
    private readonly context: StoreContext,
    private readonly saved: SavedBlocks | undefined,
  ) {
    this.placed = new Uint8Array(saved ? blockCount(saved) : 0);
    this.begin();
  }

  /** There are no blocks now, and no constants in the pool. */
  begin(): void {
    const { saved, context } = this;
    this.seen.clear();
    this.atHome = new Uint8Array(0);
    this.usable = saved !== undefined && saved.options === context.options() && saved.constants.length <= POOL_WORDS;
    if (!saved || !this.usable) return;
    const { constants, words } = context.runtime;
    constants.set(saved.constants);
    if (context.cache.uopAddress !== HOME || saved.uops.length > MOST_WORDS) return;
    this.atHome = new Uint8Array(blockCount(saved)).fill(1);
    words.set(saved.uops, HOME >>> 2);
    context.cache.uopAddress = HOME + 4 * saved.uops.length;
  }

  /** Puts the block at `pc` in place, with others of its page, if the guest's code is the same. `end`: of the room for µops. */
  restore(pc: number, end: number): boolean {
    const { saved, context } = this;
    if (!saved || !this.usable) return false;
    const page = pc - (pc % PAGE_SIZE);
    const pageKey = context.cache.places.key(page);
    const known = this.seen.has(pageKey);
    this.seen.add(pageKey);
    const mode = context.paged?.mode ?? 0;
    const last = known ? pc : page + PAGE_SIZE - 1;
    for (let n = firstBlockFrom(saved, known ? pc : page), count = blockCount(saved); n < count; n++) {
      const at = saved.index[n * SavedBlock.WORDS + SavedBlock.PC];
      if (at > last) break;
      if (saved.index[n * SavedBlock.WORDS + SavedBlock.MODE] !== mode) continue;
      if ((at === pc || !context.hasSavedRegion(at)) && !context.cache.block(at)) this.place(saved, n, end);
    }
    return context.cache.block(pc) !== undefined;
  }

  private place({ index, uops, code }: SavedBlocks, n: number, end: number): void {
    const { runtime, cache, jumpSites, paged } = this.context;
    const i = n * SavedBlock.WORDS;
    const pc = index[i + SavedBlock.PC];
    const size = index[i + SavedBlock.SIZE];
    if (!this.isThere(pc, size, code, index[i + SavedBlock.CODE])) return;
    const from = index[i + SavedBlock.UOPS];
    const length = index[i + SavedBlock.WORDS + SavedBlock.UOPS] - from;
    const home = HOME + 4 * from;
    const first = this.atHome[n] === 1;
    this.atHome[n] = 0;
    const address = first ? home : cache.uopAddress;
    if (!first) {
      if (address + 4 * length > end) return;
      runtime.words.set(uops.subarray(from, from + length), address >>> 2);
    }
    if (!attach(runtime.words, address, length, pc, home, () => jumpSites.at(pc))) return;
    if (!first) cache.uopAddress = address + 4 * length;
    const cached: CachedBlock = { block: placeOnly(pc, size), address, restored: true };
    if (paged) {
      paged.note(cached.block);
      runtime.words[(address + BlockHeader.PAGE) >>> 2] = paged.mappedPages([cached.block])[0].word;
      runtime.words[(address + BlockHeader.NEXT_PAGE) >>> 2] = 0;
    }
    this.placed[n] = 1;
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
    const { pc, size } = cached.block;
    return cached.address !== 0 && size > 0 && !isVerified(cached) && !(paged && (pc % PAGE_SIZE) + size > PAGE_SIZE);
  };
  private own(): CachedBlock[] {
    return [...this.context.cache.allBlocks()].filter(this.mayKeep);
  }
  private kept({ block, address }: CachedBlock): Kept {
    const { runtime, memory, paged, cache } = this.context;
    const { pc, size } = block;
    const start = paged ? paged.indexOf(block) : GuestMemory.index(pc);
    const mode = cache.places.modeOf(block);
    return { pc, mode, uops: detach(runtime.words, address), address: 0, code: memory.bytes.subarray(start, start + size) };
  }
  /** Memory model paged: the guest is about to write to this physical page, which has blocks. */
  leave(page: number): void {
    for (const cached of this.context.cache.blocksOn(page).filter(this.mayKeep)) {
      if (this.goneWords > MOST_WORDS / 2) return;
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

  /** Blocks for the next run. */
  save(): SavedBlocks {
    return this.joined(different([...this.own().map((cached) => this.kept(cached)), ...this.gone, ...this.unused()]));
  }

  /** Saved blocks that this run did not come to. */
  private unused(): Kept[] {
    if (!this.saved || !this.usable) return [];
    const { cache, paged } = this.context;
    const { index, uops, code } = this.saved;
    const out: Kept[] = [];
    for (let i = 0; i < index.length - SavedBlock.WORDS; i += SavedBlock.WORDS) {
      const pc = index[i + SavedBlock.PC];
      const next = i + SavedBlock.WORDS;
      if (paged ? !this.placed[i / SavedBlock.WORDS] : !cache.block(pc)?.address)
        out.push({
          pc,
          mode: index[i + SavedBlock.MODE],
          uops: uops.subarray(index[i + SavedBlock.UOPS], index[next + SavedBlock.UOPS]),
          address: HOME + 4 * index[i + SavedBlock.UOPS],
          code: code.subarray(index[i + SavedBlock.CODE], index[next + SavedBlock.CODE]),
        });
    }
    return out;
  }

  /** The first count most, if there are too many. */
  private joined(blocks: readonly Kept[]): SavedBlocks {
    let words = 0;
    let count = 0;
    while (count < Math.min(blocks.length, MOST_BLOCKS) && words + blocks[count].uops.length <= MOST_WORDS)
      words += blocks[count++].uops.length;
    const kept = blocks.slice(0, count).sort((a, b) => a.pc - b.pc);
    const index = new Uint32Array((count + 1) * SavedBlock.WORDS);
    const uops = new Int32Array(words);
    const code = new Uint8Array(kept.reduce((sum, block) => sum + block.code.length, 0));
    let uopAt = 0;
    let codeAt = 0;
    for (const [n, block] of kept.entries()) {
      index.set([block.pc, block.code.length, uopAt, codeAt, block.mode], n * SavedBlock.WORDS);
      uops.set(block.uops, uopAt);
      move(uops, uopAt, block.uops.length, block.address, HOME + 4 * uopAt);
      code.set(block.code, codeAt);
      uopAt += block.uops.length;
      codeAt += block.code.length;
    }
    index.set([0, 0, uopAt, codeAt, 0], count * SavedBlock.WORDS);
    return { options: this.context.options(), constants: this.context.runtime.constants.words, index, uops, code };
  }
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
