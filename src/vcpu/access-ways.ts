import type { VcpuStats } from './options.ts';

interface Window {
  left: number;
  /** Instructions completed when it was first left since this was begun. */
  since: number;
}

/** A region that leaves so often in so few instructions spends much of them in the interpreter. */
const LEFT = 16;
const INSTRUCTIONS = 100_000;

/** Memory model paged: which regions call a helper for accesses that they cannot make themselves, see PagedOptions.calls. */
export class AccessWays {
  /** By the key of a region's entry (CodePlaces). */
  private readonly windows = new Map<number, Window>();
  private readonly calling = new Set<number>();

  constructor(private readonly stats: VcpuStats) {}

  calls(key: number): boolean {
    return this.calling.has(key);
  }
  /** A region left for an access. Whether it is to be compiled anew. */
  left(key: number): boolean {
    const { instructions } = this.stats;
    let window = this.windows.get(key);
    if (!window) {
      window = { left: 0, since: instructions };
      this.windows.set(key, window);
    }
    if (++window.left < LEFT) return false;
    const often = instructions - window.since < INSTRUCTIONS;
    if (often) this.calling.add(key);
    this.windows.delete(key);
    return often;
  }
  clear(): void {
    this.windows.clear();
    this.calling.clear();
  }
}
