/** Repeatable random numbers (mulberry32). */
export interface Random {
  /** 0 … n−1 */
  below(n: number): number;
  chance(p: number): boolean;
  pick<T>(items: readonly T[]): T;
  u32(): number;
  /** A signed 32-bit number, often one at which something changes. */
  interesting(): number;
}

const EDGES = [
  0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
  0x80000001, 0xfffffffe, 0xffffffff, 0xffffff80, 0xffffff7f, 0xffff8000, 0xffff7fff, 0x99, 0x9a, 0x0a, 0x55555555, 0xaaaaaaaa,
];

export function random(seed: number): Random {
  let state = seed | 0;
  const u32 = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (n: number): number => Math.floor((u32() / 2 ** 32) * n);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)];
  return {
    below,
    u32,
    pick,
    chance: (p) => u32() / 2 ** 32 < p,
    interesting: () => {
      const kind = below(8);
      if (kind < 4) return pick(EDGES) | 0;
      if (kind < 5) return below(256);
      if (kind < 6) return (pick(EDGES) & 0xff) * 0x01010101;
      return u32() | 0;
    },
  };
}
