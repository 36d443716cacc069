import type { Region } from '../backend/wasm/region.ts';
import type { Block } from '../ir/block.ts';
import type { JumpSites } from './jump-sites.ts';
import type { VcpuStats } from './options.ts';

interface PartialContext {
  readonly stats: VcpuStats;
  readonly jumpSites: JumpSites;
  /** Whether there is a region with this entry. */
  readonly isCurrent: (entry: number) => boolean;
  /** Compiles it anew, with that patience from then on. */
  readonly compile: (entry: number, patience: number) => void;
}

/** A region that could have more blocks. */
interface Partial {
  readonly region: Region;
  /** Those of its blocks that end in an indirect jump. */
  readonly jumps: readonly Block[];
  /** Times that the guest became hot, or in `translate` came, where it ends. */
  misses: number;
  /** Misses after which it is compiled anew. */
  readonly patience: number;
}

/** Misses after which a region is compiled anew for the first time. */
export const PATIENCE = 4;

/** Guest instructions between two looks at what jumps have noted: at first and after something was found, and at most. */
const LOOK_PERIOD = 2_000_000;
const MOST_LOOK_PERIOD = 64_000_000;

/** Regions that the guest leaves where they could have gone on: such a one is compiled anew, with what has been seen since. */
export class PartialRegions {
  /** By entry. */
  private readonly partial = new Map<number, Partial>();
  private lookPeriod = LOOK_PERIOD;
  private nextLook = LOOK_PERIOD;

  constructor(private readonly context: PartialContext) {}

  note(region: Region, patience: number): void {
    const jumps = region.blocks.filter((block) => block.terminator.kind === 'jump');
    if (jumps.length > 0 || region.outside.size > 0) this.partial.set(region.entry, { region, jumps, misses: 0, patience });
  }
  patience(entry: number): number {
    return this.partial.get(entry)?.patience ?? PATIENCE;
  }
  forget(entry: number): void {
    this.partial.delete(entry);
  }
  clear(): void {
    this.partial.clear();
  }

  /**
   * The guest is at `pc`, where some regions could have gone on. Each time that one is compiled anew it takes twice as many misses, so that
   * code that goes everywhere does not keep us busy.
   */
  missedAt(pc: number): void {
    for (const partial of this.partial.values()) {
      if (this.misses(partial, pc)) this.missed(partial);
    }
  }
  /** A region that could have gone on at `pc`, and has most of the region `own` that begins there. */
  lacking(pc: number, own: Region): number | undefined {
    for (const partial of this.partial.values()) {
      const { region } = partial;
      if (!this.misses(partial, pc) || !this.context.isCurrent(region.entry)) continue;
      const known = new Set(region.blocks.map((block) => block.pc));
      const common = own.blocks.reduce((sum, block) => sum + (known.has(block.pc) ? block.instructions : 0), 0);
      if (2 * common > own.instructions) return region.entry;
    }
    return undefined;
  }
  private misses({ region, jumps }: Partial, pc: number): boolean {
    return (
      region.outside.has(pc) ||
      jumps.some((block) => this.context.jumpSites.saw(block, pc) && !region.jumpTargets.get(block.pc)?.includes(pc))
    );
  }
  private missed(partial: Partial): void {
    if (++partial.misses < partial.patience) return;
    const { entry } = partial.region;
    this.partial.delete(entry);
    if (this.context.isCurrent(entry)) this.context.compile(entry, 2 * partial.patience);
  }
  /**
   * Regions with targets of one jump each may go to each other through the look-up table for ever, which nobody sees: from time to time,
   * what a region's jump has noted counts as a miss, too.
   */
  look(): void {
    const { stats, jumpSites, isCurrent } = this.context;
    const { instructions } = stats;
    if (instructions < this.nextLook) return;
    const sites = new Map([...this.partial.values()].flatMap(({ jumps }) => jumps.map((block) => [block.pc, block])));
    const missed = [...sites.values()].flatMap((block) => {
      const partial = this.partial.get(jumpSites.noted(block) ?? -1);
      const known = partial?.region.jumpTargets.get(block.pc) ?? [];
      const isMissed = partial && isCurrent(partial.region.entry) && jumpSites.seen(block).some((pc) => !known.includes(pc));
      return isMissed ? [partial] : [];
    });
    for (const partial of new Set(missed)) this.missed(partial);
    this.lookPeriod = missed.length > 0 ? LOOK_PERIOD : Math.min(2 * this.lookPeriod, MOST_LOOK_PERIOD);
    this.nextLook = instructions + this.lookPeriod;
  }
}
