import { expect, test } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { JumpSites } from '../../src/vcpu/jump-sites.ts';
import { placeOnly } from '../../src/vcpu/saved-code.ts';

test('a guest with more jumps than there are sites: the oldest makes room, and what it noted is gone', () => {
  const memory = new GuestMemory(Layout.FLOOR + (1 << 20), 'little');
  const sites = new JumpSites(memory, true);
  const jump = (n: number) => placeOnly(0x1000 + 16 * n, 2, true);
  const note = (n: number, target: number): void => memory.data.setUint32(sites.of(jump(n))!, target, true);
  note(0, 0x5000);
  note(1, 0x6000);
  expect(sites.seen(jump(0))).toEqual([0x5000]);
  const first = sites.of(jump(0));
  let n = 2;
  while (sites.of(jump(n)) !== first) n++;
  expect(n).toBe(Math.floor((Layout.UOPS - Layout.JUMP_SITES) / 260));
  expect(sites.seen(jump(n))).toEqual([]);
  note(n, 0x7000);
  expect(sites.seen(jump(n))).toEqual([0x7000]);
  expect(sites.seen(jump(1))).toEqual([0x6000]);
  expect(sites.saw(jump(0), 0x5000)).toBe(false);
});
