import { Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';

/** A block as the interpreter has it. */
export interface CachedBlock {
  readonly block: Block;
  /** Address of its µops, 0 while it is only lifted. */
  address: number;
}

/** A region that was compiled, with the module it belongs to. */
export interface CachedRegion {
  readonly entry: number;
  readonly blocks: readonly Block[];
  readonly module: CompiledModule;
  /** The region that this one took the place of, which code of its module may still call. */
  readonly replaces: CachedRegion | undefined;
}

/** Regions compiled together call each other directly, so they go together. */
export interface CompiledModule {
  readonly regions: CachedRegion[];
}

/** What the cache asks of those who own the µops and the function table. */
export interface CacheHooks {
  /** A block's µops must not be entered again. */
  staleBlock(address: number): void;
  /** A pc is no longer compiled: its table entry becomes the stub. */
  unlink(entry: number): void;
  /** A module has no regions left. */
  dropped(module: CompiledModule): void;
  /** Start of the block at `address` gained or lost a region. */
  hasRegion(address: number, present: boolean): void;
}

const hashIndex = (pc: number): number => ((pc ^ (pc >>> 16)) & Layout.HASH_MASK) * 2;

/**
 * What has been translated, by guest pc, with the two look-up tables that generated code and the interpreter read. Knows
 * on which pages each translation lies, so that a change of code finds what it made stale.
 */
export class CodeCache {
  private readonly blocks = new Map<number, CachedBlock>();
  private readonly regions = new Map<number, CachedRegion>();
  /** By page number: pcs of blocks, entries of regions. */
  private readonly blockPages = new Map<number, Set<number>>();
  private readonly regionPages = new Map<number, Set<number>>();
  private readonly blockHash: Uint32Array;
  private readonly regionHash: Uint32Array;
  private nextUop: number = Layout.UOPS;

  constructor(
    private readonly memory: GuestMemory,
    private readonly hooks: CacheHooks,
  ) {
    const { buffer } = memory.memory;
    this.blockHash = new Uint32Array(buffer, Layout.BLOCK_HASH, 2 * (Layout.HASH_MASK + 1));
    this.regionHash = new Uint32Array(buffer, Layout.REGION_HASH, 2 * (Layout.HASH_MASK + 1));
  }

  get blockCount(): number {
    return this.blocks.size;
  }
  get regionCount(): number {
    return this.regions.size;
  }
  block(pc: number): CachedBlock | undefined {
    return this.blocks.get(pc);
  }
  region(pc: number): CachedRegion | undefined {
    return this.regions.get(pc);
  }
  /** Where the next block's µops go. */
  get uopAddress(): number {
    return this.nextUop;
  }
  set uopAddress(address: number) {
    this.nextUop = address;
  }

  addBlock(cached: CachedBlock): void {
    const { block } = cached;
    this.blocks.set(block.pc, cached);
    this.onPages(this.blockPages, block.pc, block.size, block.pc);
    this.memory.markCode(block.pc, Math.max(1, block.size), true);
  }

  /** Makes the interpreter find the block. Also after its hash entry was taken by another pc. */
  publishBlock(cached: CachedBlock): void {
    const i = hashIndex(cached.block.pc);
    this.blockHash[i] = cached.block.pc;
    this.blockHash[i + 1] = cached.address;
    if (this.regions.has(cached.block.pc)) this.hooks.hasRegion(cached.address, true);
  }

  addRegion(region: CachedRegion, tableIndex: number): void {
    this.regions.set(region.entry, region);
    for (const block of region.blocks) {
      this.onPages(this.regionPages, block.pc, block.size, region.entry);
      this.memory.markCode(block.pc, Math.max(1, block.size), true);
    }
    this.publishRegion(region.entry, tableIndex);
    const cached = this.blocks.get(region.entry);
    if (cached?.address) this.hooks.hasRegion(cached.address, true);
  }
  publishRegion(entry: number, tableIndex: number): void {
    const i = hashIndex(entry);
    this.regionHash[i] = entry;
    this.regionHash[i + 1] = tableIndex;
  }
  private onPages(pages: Map<number, Set<number>>, pc: number, size: number, key: number): void {
    const last = (pc + Math.max(1, size) - 1) >>> 12;
    for (let page = pc >>> 12; page <= last; page++) {
      let set = pages.get(page);
      if (!set) {
        set = new Set();
        pages.set(page, set);
      }
      set.add(key);
    }
  }

  /** Drops everything that was translated from any byte of the pages that the range touches. */
  invalidate(start: number, length: number): void {
    if (length <= 0) return;
    const first = start >>> 12;
    const last = Math.floor((start + length - 1) / PAGE_SIZE);
    // the fewer of: pages in the range, pages with code
    const pages = new Set<number>();
    if (last - first > this.blockPages.size + this.regionPages.size) {
      for (const page of [...this.blockPages.keys(), ...this.regionPages.keys()]) if (page >= first && page <= last) pages.add(page);
    } else for (let page = first; page <= last; page++) pages.add(page);
    for (const page of pages) {
      for (const pc of this.blockPages.get(page) ?? []) this.dropBlock(pc);
      this.blockPages.delete(page);
      for (const entry of [...(this.regionPages.get(page) ?? [])]) this.dropModule(entry);
      this.regionPages.delete(page);
      this.memory.markCode(page * PAGE_SIZE, PAGE_SIZE, false);
    }
  }

  dropBlock(pc: number): void {
    const cached = this.blocks.get(pc);
    if (!cached) return;
    this.blocks.delete(pc);
    if (cached.address) this.hooks.staleBlock(cached.address);
    const i = hashIndex(pc);
    if (this.blockHash[i] === pc) this.blockHash.fill(0, i, i + 2);
  }

  /** Drops the region at this entry, what it replaced, and all that were compiled with them. */
  dropModule(entry: number): void {
    const current = this.regions.get(entry);
    if (!current) return;
    this.dropRegion(entry);
    for (let region: CachedRegion | undefined = current; region; region = region.replaces) {
      this.hooks.dropped(region.module);
      for (const other of region.module.regions) this.dropModule(other.entry);
    }
  }

  private dropRegion(entry: number): void {
    this.regions.delete(entry);
    this.hooks.unlink(entry);
    const i = hashIndex(entry);
    if (this.regionHash[i] === entry) this.regionHash.fill(0, i, i + 2);
    const cached = this.blocks.get(entry);
    if (cached?.address) this.hooks.hasRegion(cached.address, false);
  }

  /** Forgets every translation and starts the µop space anew. Regions' functions stay unlinked. */
  clear(): void {
    for (const entry of [...this.regions.keys()]) this.dropModule(entry);
    this.blocks.clear();
    for (const pages of [this.blockPages, this.regionPages]) {
      for (const page of pages.keys()) this.memory.markCode(page * PAGE_SIZE, PAGE_SIZE, false);
      pages.clear();
    }
    this.blockHash.fill(0);
    this.regionHash.fill(0);
    this.nextUop = Layout.UOPS;
  }
}
