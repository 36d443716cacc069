import type { Runtime } from '../backend/runtime.ts';
import { innerEntries, type Region } from '../backend/wasm/region.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import type { VcpuStats } from './options.ts';

/** What compiling a guest instruction costs, in guest instructions that the interpreter completes in that time; see ARCHITECTURE.md. */
export const COMPILING_COST = 3000;
/** Of a machine's guest: a kernel that boots has much code that is over soon. */
export const COMPILING_COST_IN_MACHINE = 10_000;

/** What a module costs more than its instructions, in such. */
const MODULE_COST = 10;
/** What the first one costs more, for which the compiler has to be loaded: in guest instructions that the interpreter completes. */
const LOADING_COST = 9_000_000;

/** Guest instructions that a region seldom takes for an arrival at the block in it that is come to most. */
const WORK = 600;

/**
 * Where more was compiled than one guest instruction for so many that the guest has completed, compiling counts as dearer in that proportion, up to so
 * many times: a program whose time is spread over much code is mostly interpreted.
 */
const SHARE = 60_000;
const MOST = 10;

/** What it takes to come to the interpreter from compiled code, in guest instructions: more often than not that is how a region's entry is reached. */
const ENTERING = 60;

/** A callee is compiled with its caller if it was interpreted for this part of what compiling it costs already. */
const WARM = 8;

/** Arrivals at hot code after which it asks again, at least. */
export const SOON = 1000;

/**
 * Whether code is worth compiling: once the interpreter has worked on it for about as long as compiling takes, so that both together never take much
 * more than twice what the better of them alone would.
 */
export class Worth {
  /** By address of a block's µops: arrivals that its counter does not have, since it was set back. */
  private readonly setBack = new Map<number, number>();
  /** Arrivals up to which a region was compiled for them. */
  private readonly paid = new Map<number, number>();
  /** By pc: what was not worth compiling when that was asked last, or waits for the compiler. */
  private readonly refused = new Map<number, Region>();
  /** pcs of hot code that nobody has looked at yet: see tooEarly. */
  private readonly early = new Set<number>();
  /** Guest instructions that were compiled. */
  private instructions = 0;
  /** Whether there is a compiler; if not, whether something waits for it. */
  private hasCompiler = false;
  wantsCompiler = false;

  /** `price`: of a guest instruction, as COMPILING_COST. */
  constructor(
    private readonly runtime: Runtime,
    private readonly stats: VcpuStats,
    private readonly cache: CodeCache,
    private readonly price: number,
  ) {}

  private arrivals(address: number): number {
    return this.runtime.heat(address) + (this.setBack.get(address) ?? 0);
  }
  private unpaidArrivals(address: number): number {
    return Math.max(0, this.arrivals(address) - (this.paid.get(address) ?? 0));
  }
  private *addresses({ blocks }: Region): Generator<number> {
    for (const pc of new Set(blocks.filter(({ size }) => size > 0).map((block) => block.pc))) {
      const address = this.cache.block(pc)?.address;
      if (address) yield address;
    }
  }

  /** What the interpreter has done in the region's blocks since something was compiled for it, in guest instructions. */
  private unpaid(region: Region): number {
    const entry = this.cache.block(region.entry)?.address;
    let sum = entry ? this.unpaidArrivals(entry) * ENTERING : 0;
    for (const address of this.addresses(region)) sum += this.unpaidArrivals(address) * this.runtime.instructions(address);
    return sum;
  }
  private cost({ instructions }: Region): number {
    const dear = (this.instructions * SHARE) / Math.max(1, this.stats.instructions);
    const loading = this.hasCompiler || this.price === 0 ? 0 : LOADING_COST;
    return (instructions + MODULE_COST) * this.price * Math.min(Math.max(1, dear), MOST) + loading;
  }

  /** Arrivals at `pc` after which the region may be worth compiling; 0 if it is. */
  private missing(pc: number, region: Region): number {
    const [cost, unpaid] = [this.cost(region), this.unpaid(region)];
    if (unpaid >= cost) return 0;
    const address = this.cache.block(pc)?.address;
    const each = unpaid / (address ? Math.max(1, this.unpaidArrivals(address)) : 1);
    // code gets hotter
    return Math.max(SOON, Math.ceil((cost - unpaid) / Math.max(1, each) / 2));
  }
  private wait(): number {
    this.wantsCompiler = true;
    return Number.POSITIVE_INFINITY;
  }

  /** Arrivals at `pc` after which to ask again, if it is known without the region that begins there. Else 0. */
  askedBefore(pc: number): number {
    const region = this.refused.get(pc);
    return region ? this.missing(pc, region) || (this.hasCompiler ? 0 : this.wait()) : 0;
  }
  /**
   * Arrivals at `pc` before which hardly any region that holds it can be worth loading the compiler, so that none need be formed to ask; 0 if
   * there were so many.
   */
  tooEarly(pc: number): number {
    const address = this.hasCompiler || this.price === 0 ? undefined : this.cache.block(pc)?.address;
    const missing = address ? LOADING_COST / WORK - this.arrivals(address) : 0;
    if (missing <= 0) return 0;
    this.early.add(pc);
    return missing;
  }
  /** Arrivals at `pc` after which to ask again about the region that holds it; 0 if it is to be compiled. */
  ask(pc: number, region: Region): number {
    const missing = this.missing(pc, region);
    if (missing === 0 && this.hasCompiler) return 0;
    // what begins elsewhere in it is not worth it before
    for (const block of region.blocks) if (!this.refused.has(block.pc)) this.refused.set(block.pc, region);
    for (const at of [pc, ...innerEntries(region)]) this.refused.set(at, region);
    return missing || this.wait();
  }
  /** Whether a callee is to be compiled with what calls it. */
  isWarm(region: Region): boolean {
    const unpaid = this.unpaid(region);
    return unpaid > 0 && unpaid * WARM >= this.cost(region);
  }

  /** These regions are compiled. */
  compiled(regions: readonly Region[]): void {
    for (const region of regions) {
      this.instructions += region.instructions;
      for (const { pc } of region.blocks) this.refused.delete(pc);
      for (const address of this.addresses(region)) this.paid.set(address, this.arrivals(address));
    }
  }

  /** The compiler is there: what waits for it, or was not worth loading it, asks again when the guest next comes to it. */
  beginCompiling(threshold: number): void {
    this.hasCompiler = true;
    this.wantsCompiler = false;
    for (const pc of [...this.refused.keys(), ...this.early]) this.rest(pc, 1, threshold);
    this.early.clear();
  }

  /** The block at `pc` is not hot again before so many arrivals. */
  rest(pc: number, arrivals: number, threshold: number): void {
    const address = this.cache.block(pc)?.address;
    if (!address) return;
    const before = this.arrivals(address);
    this.runtime.setHeat(address, threshold - arrivals);
    this.setBack.set(address, before - this.runtime.heat(address));
  }

  clear(): void {
    this.setBack.clear();
    this.paid.clear();
    this.refused.clear();
    this.early.clear();
  }
}
