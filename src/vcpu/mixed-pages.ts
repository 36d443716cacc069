import { Layout, StalePage } from '../../assembly/shared/layout.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { BlockTier } from './block-tier.ts';
import type { PhysicalPlaces } from './code-places.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { Header } from './header.ts';
import type { VcpuStats } from './options.ts';

interface MixedContext {
  readonly memory: GuestMemory;
  readonly header: Header;
  readonly stats: VcpuStats;
  readonly cache: CodeCache;
  readonly paged: PhysicalPlaces;
  readonly blocks: BlockTier;
}

interface Window {
  drops: number;
  /** Instructions completed when its code was first dropped since this was begun. */
  since: number;
}

/** A page whose code is dropped so often in so few instructions holds data, too. */
const DROPS = 4;
const INSTRUCTIONS = 1_000_000;

/** Stores beside its code, each a slow one, after which all of that is dropped: it may be data alone by then. Overwriting code counts as so many. */
const STORES = 1 << 16;
const OVERWRITING = 1 << 9;

/** Memory model paged: stores of the guest to pages that hold code. Where they hold data, too, as in real mode, only what is overwritten is dropped. */
export class MixedPages {
  /** By number of the physical page. */
  private readonly windows = new Map<number, Window>();
  private readonly left: Uint32Array;

  constructor(private readonly context: MixedContext) {
    const { buffer } = context.memory.memory;
    this.left = new Uint32Array(buffer, Layout.BESIDE_CODE, (Layout.BESIDE_CODE_END - Layout.BESIDE_CODE) / 4);
  }

  /** A store waits to overwrite code at a physical address; or beside it, where no data is known to be. */
  written(address: number): void {
    const page = address >>> 12;
    const left = this.left[page];
    if (left > OVERWRITING) {
      this.left[page] = left - OVERWRITING;
      this.context.stats.invalidations++;
      this.context.cache.invalidateWhere(page, this.context.paged.uncoverPiece(address));
      return;
    }
    this.context.blocks.store?.leave(page);
    this.drop(page);
    if (left === 0) this.dropped(page);
  }
  private dropped(page: number): void {
    const { instructions } = this.context.stats;
    let window = this.windows.get(page);
    if (!window || instructions - window.since > INSTRUCTIONS) {
      window = { drops: 0, since: instructions };
      this.windows.set(page, window);
    }
    if (++window.drops < DROPS) return;
    this.windows.delete(page);
    this.left[page] = STORES;
  }
  private drop(page: number): void {
    this.left[page] = 0;
    this.invalidate(page * PAGE_SIZE, PAGE_SIZE);
  }
  private invalidate(start: number, length: number): void {
    this.context.stats.invalidations++;
    this.context.cache.invalidate(start, length);
  }

  /** Before guest code runs, or is kept for the next run: what is known to be stale goes, see Layout.STALE_PAGE. */
  dropStale(): void {
    const { header } = this.context;
    const stale = header.get(Layout.STALE_PAGE) >>> 0;
    if (stale === 0) return;
    header.set(Layout.STALE_PAGE, 0);
    if (stale === StalePage.All) this.invalidate(0, 2 ** 32);
    else this.drop(stale - 1);
  }
}
