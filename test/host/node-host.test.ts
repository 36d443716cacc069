import { expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node-host.ts';

it('fills all of an array with random numbers', () => {
  const [x, y] = [new Uint8Array(100_000), new Uint8Array(100_000)];
  nodeHost.random(x);
  nodeHost.random(y);
  expect(x).not.toEqual(y);
  // the last byte of 400 tails is not always zero
  expect(Array.from({ length: 400 }, (_, i) => x[x.length - 1 - i]).some((byte) => byte !== 0)).toBe(true);
});
