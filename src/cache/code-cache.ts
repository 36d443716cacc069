import { Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { KeyMap } from './key-map.ts';

/** A virtual page that code lies on, and its TLB word as samePage (assembly/paged.ts) takes it. */
export interface MappedPage {
  readonly page: number;
  readonly word: number;
}

/** Where the code of a block lies, as it was when that was translated. */
export interface CodePlace {
  readonly pc: number;
  /** Guest bytes, from pc on. */
  readonly size: number;
  /** See CodePlaces. */
  readonly key: number;
  /** What is mixed into the index of the look-up tables: Layout.MODE, for which the block was lifted; 0 in user mode. */
  readonly mode: number;
  /** Numbers of the pages, as `CodeCache.invalidate` counts them: virtual, or physical in system mode. */
  readonly pages: readonly number[];
  /** System mode: the virtual pages. */
  readonly mapped: readonly MappedPage[];
}

/** Which code a pc means, and where it lies. */
export interface CodePlaces {
  /** Where the look-up table of the interpreter's blocks is, and the bits of its index. */
  readonly blockHash: number;
  readonly blockHashMask: number;
  /** A number for what would be executed at a pc now: another one where the pc means other code (mode, mapping). */
  key(pc: number): number;
  /** The place of so many bytes at a pc now. */
  placeAt(pc: number, size: number): CodePlace;
  /** Where the block was lifted. */
  placeOf(block: Block): CodePlace;
  /** Code was translated from there: stores to it are to be noticed. */
  cover(place: CodePlace): void;
  /** Nothing that was translated lies on this page any more. */
  uncover(page: number): void;
}

/** A block as the interpreter has it. */
export interface CachedBlock {
  readonly place: CodePlace;
  /** With its ops, if somebody asked for them. */
  block: Block | undefined;
  /** Address of its µops, 0 while it is only lifted. */
  address: number;
  /** Its µops are an earlier run's. */
  readonly restored: boolean;
}

/** A region that was compiled, with the module it belongs to. */
export interface CachedRegion {
  readonly entry: number;
  readonly blocks: readonly Block[];
  /** The entry of the region whose code this is, if that is entered elsewhere here. */
  readonly within?: number;
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
  /** The code with this key is no longer compiled: its table entry becomes the stub. */
  unlink(key: number): void;
  /** A module has no regions left. */
  dropped(module: CompiledModule): void;
  /** Start of the block at `address` gained or lost a region. */
  hasRegion(address: number, present: boolean): void;
}

const hashIndex = (pc: number, mode: number, mask: number): number => ((pc ^ (pc >>> 16) ^ mode) & mask) * 2;
const regionIndex = (pc: number, mode: number): number => hashIndex(pc, mode, Layout.HASH_MASK);

/**
 * What has been translated, by guest pc, with the two look-up tables that generated code and the interpreter read. Knows
 * on which pages each translation lies, so that a change of code finds what it made stale.
 */
export class CodeCache {
  private readonly blocks = new KeyMap<CachedBlock>();
  private readonly regions = new KeyMap<CachedRegion>();
  /** Those that the interpreter goes on without for now. */
  private readonly retracted = new WeakSet<CachedRegion>();
  /** By page number: blocks, and keys of regions' entries. */
  private readonly blockPages = new Map<number, CachedBlock[]>();
  private readonly regionPages = new Map<number, Set<number>>();
  private readonly blockHash: Uint32Array;
  private readonly regionHash: Uint32Array;
  private nextUop: number = Layout.UOPS;

  constructor(
    memory: { readonly memory: WebAssembly.Memory },
    readonly places: CodePlaces,
    private readonly hooks: CacheHooks,
  ) {
    const { buffer } = memory.memory;
    this.blockHash = new Uint32Array(buffer, places.blockHash, 2 * (places.blockHashMask + 1));
    this.regionHash = new Uint32Array(buffer, Layout.REGION_HASH, 2 * (Layout.HASH_MASK + 1));
  }

  get blockCount(): number {
    return this.blocks.size;
  }
  /** The block that is at a pc now. */
  block(pc: number): CachedBlock | undefined {
    return this.blocks.get(this.places.key(pc));
  }
  allBlocks(): readonly CachedBlock[] {
    return this.blocks.values();
  }
  /** Those that touch this page, by its number as CodePlace.pages has it. */
  blocksOn(page: number): readonly CachedBlock[] {
    return this.blockPages.get(page) ?? [];
  }
  region(pc: number): CachedRegion | undefined {
    return this.regions.get(this.places.key(pc));
  }
  /** The region that begins with this block. */
  regionOf(block: Block): CachedRegion | undefined {
    return this.regions.get(this.places.placeOf(block).key);
  }
  /** Whether this very block is still what its pc means where it means that. */
  holds(block: Block): boolean {
    return this.blocks.get(this.places.placeOf(block).key)?.block === block;
  }
  /** Where the next block's µops go. */
  get uopAddress(): number {
    return this.nextUop;
  }
  set uopAddress(address: number) {
    this.nextUop = address;
  }

  /** The block that had its place is dropped. */
  addBlock(cached: CachedBlock): void {
    const { key, pages } = cached.place;
    const before = this.blocks.get(key);
    if (before) {
      this.dropBlock(before);
      this.leavePages(before);
    }
    this.blocks.set(key, cached);
    for (const page of pages) {
      const there = this.blockPages.get(page);
      if (there) there.push(cached);
      else this.blockPages.set(page, [cached]);
    }
    this.places.cover(cached.place);
  }

  private blockIndex({ pc, mode }: CodePlace): number {
    return hashIndex(pc, mode, this.places.blockHashMask);
  }
  /** Makes the interpreter find the block. Also after its hash entry was taken by another pc. */
  publishBlock({ place, address }: CachedBlock): void {
    const i = this.blockIndex(place);
    this.blockHash[i] = place.pc;
    this.blockHash[i + 1] = address;
    const region = this.regions.size > 0 ? this.regions.get(place.key) : undefined;
    if (region && !this.retracted.has(region)) this.hooks.hasRegion(address, true);
  }

  private placeOf({ blocks }: CachedRegion): CodePlace {
    return this.places.placeOf(blocks[0]);
  }
  keyOf(region: CachedRegion): number {
    return this.placeOf(region).key;
  }
  addRegion(region: CachedRegion, tableIndex: number): void {
    const key = this.keyOf(region);
    this.regions.set(key, region);
    for (const block of region.blocks) {
      const place = this.places.placeOf(block);
      for (const page of place.pages) {
        const there = this.regionPages.get(page) ?? new Set();
        this.regionPages.set(page, there.add(key));
      }
      this.places.cover(place);
    }
    this.publishRegion(region, tableIndex);
  }
  publishRegion(region: CachedRegion, tableIndex: number): void {
    const i = regionIndex(region.entry, this.placeOf(region).mode);
    this.regionHash[i] = region.entry;
    this.regionHash[i + 1] = tableIndex;
    this.retracted.delete(region);
    this.markEntry(region, true);
  }
  /** A region will be missed where the guest comes to its entry, until it is published again. */
  hideRegion(region: CachedRegion): void {
    this.hideRegionAt(region.entry, this.placeOf(region).mode);
  }
  /** The same for whichever region is found at a pc in a mode: it may be of other code, that was mapped there. */
  hideRegionAt(pc: number, mode: number): void {
    const i = regionIndex(pc, mode);
    if (this.regionHash[i] === pc) this.regionHash.fill(0, i, i + 2);
  }
  /** Has the interpreter run what lies at a region's entry, until the region is published again. */
  retractRegion(region: CachedRegion): void {
    this.hideRegion(region);
    this.retracted.add(region);
    this.markEntry(region, false);
  }
  private markEntry(region: CachedRegion, hasRegion: boolean): void {
    const cached = this.blocks.get(this.keyOf(region));
    if (cached?.address) this.hooks.hasRegion(cached.address, hasRegion);
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
      for (const cached of this.blockPages.get(page) ?? []) this.dropBlock(cached);
      this.blockPages.delete(page);
      for (const key of [...(this.regionPages.get(page) ?? [])]) this.dropModule(key);
      this.regionPages.delete(page);
      this.places.uncover(page);
    }
  }
  /** Of what was translated from a page, drops only that of which a block is stale. */
  invalidateWhere(page: number, isStale: (place: CodePlace) => boolean): void {
    const blocks = (this.blockPages.get(page) ?? []).filter((cached) => {
      const stays = !isStale(cached.place);
      if (!stays) this.dropBlock(cached);
      return stays;
    });
    const regions = this.regionPages.get(page) ?? new Set();
    for (const key of [...regions]) {
      let region = this.regions.get(key);
      while (region && !region.blocks.some((block) => isStale(this.places.placeOf(block)))) region = region.replaces;
      if (region) this.dropModule(key);
      if (!this.regions.get(key)) regions.delete(key);
    }
    if (blocks.length > 0) this.blockPages.set(page, blocks);
    else this.blockPages.delete(page);
    if (blocks.length + regions.size === 0) this.places.uncover(page);
  }

  /** Of a block on one page, the caller sees to that. */
  private dropBlock(cached: CachedBlock): void {
    const { place, address } = cached;
    if (place.pages.length > 1) this.leavePages(cached);
    this.blocks.delete(place.key);
    if (address) this.hooks.staleBlock(address);
    const i = this.blockIndex(place);
    if (this.blockHash[i] === place.pc && this.blockHash[i + 1] === address) this.blockHash.fill(0, i, i + 2);
  }
  private leavePages(cached: CachedBlock): void {
    for (const page of cached.place.pages) {
      const there = this.blockPages.get(page) ?? [];
      const others = there.filter((other) => other !== cached);
      this.blockPages.set(page, others);
    }
  }

  /** Drops the region with this key, what it replaced, and all that were compiled with them. */
  private dropModule(key: number): void {
    const current = this.regions.get(key);
    if (!current) return;
    this.forgetRegion(key, current);
    for (let region: CachedRegion | undefined = current; region; region = region.replaces) {
      this.hooks.dropped(region.module);
      for (const other of region.module.regions) this.dropModule(this.keyOf(other));
    }
  }
  /** The same for a region that is current. */
  dropRegion(region: CachedRegion): void {
    this.dropModule(this.keyOf(region));
  }
  /** The same by the pc of its entry, where that means this region now. */
  dropRegionAt(entry: number): void {
    this.dropModule(this.places.key(entry));
  }

  private forgetRegion(key: number, region: CachedRegion): void {
    this.regions.delete(key);
    this.hooks.unlink(key);
    this.retractRegion(region);
  }

  /** Forgets every translation and starts the µop space anew. Regions' functions stay unlinked. */
  clear(): void {
    for (const key of this.regions.allKeys()) this.dropModule(key);
    this.blocks.clear();
    for (const pages of [this.blockPages, this.regionPages]) {
      for (const page of pages.keys()) this.places.uncover(page);
      pages.clear();
    }
    this.blockHash.fill(0);
    this.regionHash.fill(0);
    this.nextUop = Layout.UOPS;
  }
}
