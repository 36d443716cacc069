/** What the personality asks of the machine it runs on. Everything else it does itself. */
export interface Host {
  /** Nanoseconds since 1970-01-01 UTC. */
  now(): bigint;
  /** Nanoseconds since an arbitrary point, never going back. */
  monotonic(): bigint;
  /** Fills `bytes` with random numbers fit for keys. */
  random(bytes: Uint8Array<ArrayBuffer>): void;
  /** Resolves after at least `milliseconds`, or as soon as `abort` fires. */
  sleep(milliseconds: number, abort?: AbortSignal): Promise<void>;
  /** Sleeps right here, for whole milliseconds or parts of one; absent where the thread must not. */
  pause?(milliseconds: number): void;
  /** Bytes of physical memory that this process holds, if the host tells. */
  resident?(): number;
  /** Lets timers, streams and signals of the host have their turn. */
  turn(): Promise<void>;
}

const MILLION = 1_000_000;
/** setTimeout takes no longer delay. */
export const LONGEST_TIMER = 0x7fffffff;

/** Made of what every JavaScript host has. */
export const defaultHost: Host = {
  now: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  monotonic: () => BigInt(Math.round(performance.now() * MILLION)),
  random(bytes) {
    for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  },
  sleep(milliseconds, abort) {
    return new Promise((resolve) => {
      if (abort?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        abort?.removeEventListener('abort', end);
        resolve();
      };
      const due = performance.now() + milliseconds;
      // timers count whole milliseconds and may be early by a part of one
      const arm = (left: number) =>
        setTimeout(
          () => {
            const rest = due - performance.now();
            if (rest > 0) timer = arm(rest);
            else end();
          },
          Math.min(left, LONGEST_TIMER),
        );
      let timer = arm(milliseconds);
      abort?.addEventListener('abort', end, { once: true });
    });
  },
  turn() {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    });
  },
};

/** A generator of reproducible numbers (xorshift128+ seeded by splitmix64), for tests and replays: not fit for keys. */
export function seededRandom(seed: number): (bytes: Uint8Array) => void {
  const MASK = 0xffff_ffff_ffff_ffffn;
  let state = BigInt(Math.trunc(seed)) & MASK;
  const split = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    return z ^ (z >> 31n);
  };
  let [a, b] = [split(), split()];
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += 8) {
      const sum = (a + b) & MASK;
      let x = a;
      a = b;
      x = (x ^ (x << 23n)) & MASK;
      b = x ^ b ^ (x >> 17n) ^ (b >> 26n);
      for (let i = 0; i < 8 && at + i < bytes.length; i++) bytes[at + i] = Number((sum >> BigInt(i * 8)) & 0xffn);
    }
  };
}
