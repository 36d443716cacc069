/** Callbacks of whoever waits for a file to become ready. */
export class WaitQueue {
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    // A wrapper, so that the same function may wait twice.
    const entry = () => listener();
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  };

  wake(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
