/** A thread that waits at a futex. */
export interface Waiter {
  address: number;
  readonly bitset: number;
  /** Of FUTEX_LOCK_PI: the thread that gets the lock. */
  readonly owner?: number;
  wake(): void;
}

/** Who waits at which futex, in the order that they came. */
export class Futexes {
  private readonly queues = new Map<number, Set<Waiter>>();

  add(waiter: Waiter): void {
    let queue = this.queues.get(waiter.address);
    if (!queue) {
      queue = new Set();
      this.queues.set(waiter.address, queue);
    }
    queue.add(waiter);
  }

  remove(waiter: Waiter): void {
    const queue = this.queues.get(waiter.address);
    if (!queue?.delete(waiter) || queue.size > 0) return;
    this.queues.delete(waiter.address);
  }

  /** The first that waits for the lock at an address. */
  firstOwner(address: number): Waiter | undefined {
    for (const waiter of this.queues.get(address) ?? []) if (waiter.owner !== undefined) return waiter;
    return undefined;
  }

  /** Wakes up to `most` that wait for any of the bits; returns how many. */
  wake(address: number, most: number, bitset = 0xffff_ffff): number {
    let woken = 0;
    for (const waiter of this.queues.get(address) ?? []) {
      if (woken >= most) break;
      if (waiter.owner !== undefined || !(waiter.bitset & bitset)) continue;
      this.remove(waiter);
      waiter.wake();
      woken++;
    }
    return woken;
  }

  /** Has up to `most` wait at another address; returns how many. */
  move(from: number, to: number, most: number): number {
    let moved = 0;
    for (const waiter of [...(this.queues.get(from) ?? [])]) {
      if (moved >= most) break;
      if (waiter.owner !== undefined) continue;
      if (from !== to) {
        this.remove(waiter);
        waiter.address = to;
        this.add(waiter);
      }
      moved++;
    }
    return moved;
  }
}
