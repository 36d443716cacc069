import { expect, test } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import { CodeCache } from '../../src/cache/code-cache.ts';
import { virtualPlaces } from '../../src/vcpu/code-places.ts';
import { makeMachine } from '../support/machine.ts';
import { block, toyIsa } from '../support/toy.ts';

test('the interpreter has what lies at a retracted region’s entry, until the region is published again', () => {
  const isa = toyIsa();
  const machine = makeMachine(isa);
  const marks: boolean[] = [];
  const places = virtualPlaces(machine.memory);
  const cache = new CodeCache(machine.memory, places, {
    staleBlock() {},
    hasRegion: (_address, present) => marks.push(present),
    unlink() {},
    dropped() {},
  });
  const first = block(isa, 0x1000, (b) => {
    b.insn(0x1000, 4);
    b.goto(0x2000);
  });
  const cached = { place: places.placeOf(first), block: first, address: Layout.UOPS, restored: false };
  const module = { regions: [] };
  const region = { entry: first.pc, blocks: [first], module, replaces: undefined };
  cache.addBlock(cached);
  cache.addRegion(region, 1);
  expect(marks.splice(0)).toEqual([true]);
  cache.publishBlock(cached);
  expect(marks.splice(0)).toEqual([true]);
  cache.retractRegion(region);
  cache.publishBlock(cached);
  expect(marks.splice(0)).toEqual([false]);
  cache.publishRegion(region, 1);
  cache.publishBlock(cached);
  expect(marks).toEqual([true, true]);
});

test('of a block that another takes the place of, or that is stale on one of its pages, nothing is left', () => {
  const isa = toyIsa();
  const machine = makeMachine(isa);
  const places = virtualPlaces(machine.memory);
  const stale: number[] = [];
  const cache = new CodeCache(machine.memory, places, {
    staleBlock: (address) => stale.push(address),
    hasRegion() {},
    unlink() {},
    dropped() {},
  });
  const cached = (address: number) => ({ place: places.placeAt(0x1ffc, 8), block: undefined, address, restored: false });
  const [first, second] = [cached(Layout.UOPS), cached(Layout.UOPS + 0x100)];
  cache.addBlock(first);
  cache.addBlock(second);
  expect([stale, cache.block(0x1ffc), cache.blocksOn(1), cache.blocksOn(2)]).toEqual([[first.address], second, [second], [second]]);
  cache.invalidate(0x2000, 1);
  expect([stale, cache.block(0x1ffc), cache.blocksOn(1), cache.blocksOn(2)]).toEqual([[first.address, second.address], undefined, [], []]);
});
