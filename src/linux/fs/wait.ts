/** Any event. */
const ALL = 0xffff;

/** Callbacks of whoever waits for a file to become ready. */
export class WaitQueue {
  private readonly listeners = new Set<(events: number) => void>();

  subscribe = (listener: (events: number) => void): (() => void) => {
    // A wrapper, so that the same function may wait twice.
    const entry = (events: number) => listener(events);
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  };

  /** `events`: what may have happened anew, as poll(2) has it. */
  wake(events = ALL): void {
    for (const listener of [...this.listeners]) listener(events);
  }
}
