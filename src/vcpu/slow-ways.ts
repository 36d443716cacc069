import type { SlowPaths } from '../backend/wasm/options.ts';
import type { VcpuStats } from './options.ts';

interface History {
  way: SlowPaths;
  /** Times that it left since that changed. */
  left: number;
  /** Times that it went back to leaving at once. */
  relaxed: number;
}

/** A region that left for slow paths so often asks first, then calls them; */
const SLOW_PATIENCE = 8;
/** if it asks and leaves all the same, it does not ask from then on, so many times. */
const SLOW_RELAXATIONS = 3;
/** New regions call slow paths after so many that were no more instructions apart than this. */
const SLOW_USUAL = 64;
const SLOW_PERIOD = 1_000_000;

/** What regions do about slow paths, as shows to be best. */
export class SlowWays {
  /** By entry of a region that left for a slow path. */
  private readonly histories = new Map<number, History>();
  private recent = 0;
  private last = 0;

  constructor(
    private readonly stats: VcpuStats,
    private readonly choice: SlowPaths | 'adapt',
  ) {}

  /** For a region with this entry that is compiled now. */
  of(entry: number): SlowPaths {
    if (this.choice !== 'adapt') return this.choice;
    const usual = this.recent >= SLOW_USUAL && this.stats.instructions - this.last <= SLOW_PERIOD;
    return this.histories.get(entry)?.way ?? (usual ? 'call' : 'leave');
  }
  set(entry: number, way: SlowPaths): void {
    this.histories.set(entry, { way, left: 0, relaxed: 0 });
  }

  /** A region left for the slow path of an instruction. Whether it is to be compiled anew. */
  left(entry: number): boolean {
    const now = this.stats.instructions;
    if (now - this.last > SLOW_PERIOD) this.recent = 0;
    this.last = now;
    this.recent++;
    let history = this.histories.get(entry);
    if (!history) {
      history = { way: this.of(entry), left: 0, relaxed: 0 };
      this.histories.set(entry, history);
    }
    history.left++;
    if (history.way === 'ask' && history.relaxed < SLOW_RELAXATIONS) {
      // what made slow paths usual may be over
      history.way = 'leave';
      history.relaxed++;
    } else if (history.left < SLOW_PATIENCE) return false;
    else history.way = history.way === 'leave' ? 'ask' : 'call';
    history.left = 0;
    return this.choice === 'adapt';
  }

  forget(entry: number): void {
    this.histories.delete(entry);
  }
  clear(): void {
    this.histories.clear();
  }
}
