import type { Process } from './process.ts';

const now = (p: Process): number => Number(p.host.monotonic()) / 1e6;

/** What is left of a timer that is armed is never said to be nothing. */
const LEAST = 0.001;

/** A timer of the guest's, on the host's monotonic clock. Times in milliseconds. */
export class Timer {
  interval = 0;
  private due = 0;
  private armed: AbortController | undefined;

  /** `expired` is told how many periods went by beside the one that ends. */
  constructor(
    private readonly p: Process,
    private readonly expired: (missed: number) => void,
  ) {}

  /** Until it expires; 0 if it is not armed. */
  get left(): number {
    return this.armed ? Math.max(LEAST, this.due - now(this.p)) : 0;
  }

  /** It expires after so long (at once if that is over), and each `interval` (if not 0) from then on. */
  start(after: number, interval: number): void {
    this.stop();
    this.due = now(this.p) + after;
    this.interval = interval;
    this.armed = new AbortController();
    this.p.group.timers.add(this);
    void this.run(this.armed.signal);
  }

  stop(): void {
    this.armed?.abort();
    this.armed = undefined;
    this.interval = 0;
    this.p.group.timers.delete(this);
  }

  private async run(stopped: AbortSignal): Promise<void> {
    const { p } = this;
    for (;;) {
      // others have a turn between, however short the interval is
      do await p.host.sleep(Math.max(LEAST, this.due - now(p)), stopped);
      while (now(p) < this.due && !stopped.aborted);
      if (stopped.aborted || p.group.end) return;
      const missed = this.interval > 0 ? Math.floor((now(p) - this.due) / this.interval) : 0;
      this.expired(missed);
      if (this.interval <= 0) return this.stop();
      this.due += this.interval * (missed + 1);
    }
  }
}
