import { expect, test } from 'vitest';
import { KeyMap } from '../../src/cache/key-map.ts';

test('a map by key has what V8’s own has', () => {
  const map = new KeyMap<number>();
  const same = new Map<number, number>();
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let i = 0; i < 30_000; i++) {
    // pcs of some contexts, many of them the same
    const key = random(5) * 2 ** 32 + 0xffff_f000 * random(2) + random(1000);
    if (random(3) === 0) {
      map.delete(key);
      same.delete(key);
    } else {
      map.set(key, i);
      same.set(key, i);
    }
    expect(map.get(key)).toBe(same.get(key));
  }
  expect(map.size).toBe(same.size);
  expect(map.allKeys().sort()).toEqual([...same.keys()].sort());
  expect(map.values().sort()).toEqual([...same.values()].sort());
  for (const [key, value] of same) expect(map.get(key)).toBe(value);
  // CodePlaces.key where nothing can be fetched
  expect(map.get(-1)).toBeUndefined();
  map.clear();
  expect(map.size).toBe(0);
  expect(map.values()).toEqual([]);
});
