import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../src/linux/errno.ts';
import { type MappableFile, type MapRequest, MemoryBudget, MemoryMap, type MemoryMapOptions } from '../../src/linux/memory-map.ts';
import { sharedMemory } from '../../src/linux/shared-memory.ts';
import { SyscallError } from '../../src/linux/syscall.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';

const TOP = 0x4000_0000;
const MAP_BASE = 0x3000_0000;
const PAGE = 4096;
const [R, W, X] = [1, 2, 4];

let map: MemoryMap;
let invalidated: [number, number][];

let budget: MemoryBudget;
const makeMap = (filled: MemoryMapOptions['filled'] = (from, to) => [[from, to]]): MemoryMap =>
  new MemoryMap(new GuestMemory(TOP, 'little'), {
    top: TOP,
    base: MAP_BASE,
    budget,
    invalidate: (start, length) => invalidated.push([start, length]),
    filled,
  });

beforeEach(() => {
  invalidated = [];
  budget = new MemoryBudget(64 * PAGE);
  map = makeMap();
});

const anonymous = (length: number, more: Partial<MapRequest> = {}): number =>
  map.map({ address: 0, length, permission: R | W, placement: 'hint', ...more });
const areas = (): string[] => [...map.areas].map((a) => `${a.start.toString(16)}-${a.end.toString(16)} ${a.permission}`);

function file(content: number[], writable = true): MappableFile & { bytes: number[]; released: number } {
  const self = {
    name: '/f',
    bytes: content,
    released: 0,
    size: () => self.bytes.length,
    read(into: Uint8Array, position: number) {
      const part = self.bytes.slice(position, position + into.length);
      into.set(part);
      return part.length;
    },
    release: () => {
      self.released++;
    },
    ...(writable && {
      write(from: Uint8Array, position: number) {
        for (const [i, byte] of from.entries()) self.bytes[position + i] = byte;
        return from.length;
      },
    }),
  };
  return self;
}

describe('mmap', () => {
  it('places mappings downwards from the base and joins equal neighbours', () => {
    expect(anonymous(1)).toBe(MAP_BASE - PAGE);
    expect(anonymous(2 * PAGE)).toBe(MAP_BASE - 3 * PAGE);
    expect(areas()).toEqual([`${(MAP_BASE - 3 * PAGE).toString(16)}-${MAP_BASE.toString(16)} 3`]);
    anonymous(PAGE, { permission: R });
    expect(map.areas.count).toBe(2);
  });

  it('fills holes', () => {
    const a = anonymous(4 * PAGE);
    map.unmap(a + PAGE, PAGE);
    expect(anonymous(PAGE)).toBe(a + PAGE);
    expect(anonymous(PAGE)).toBe(a - PAGE);
  });

  it('takes a free hint, rounded up to a page, and not a taken one', () => {
    expect(anonymous(PAGE, { address: 0x20_0001 })).toBe(0x20_1000);
    expect(anonymous(PAGE, { address: 0x20_1000 })).toBe(MAP_BASE - PAGE);
  });

  it('replaces with MAP_FIXED: content is zero again', () => {
    const a = anonymous(3 * PAGE);
    map.memory.setU32(a + PAGE, 7);
    map.memory.setU32(a, 8);
    expect(anonymous(PAGE, { address: a + PAGE, placement: 'fixed', permission: R })).toBe(a + PAGE);
    expect(map.memory.u32(a + PAGE)).toBe(0);
    expect(map.memory.u32(a)).toBe(8);
    expect([...map.areas].map((area) => area.permission)).toEqual([3, 1, 3]);
    expect(invalidated).toContainEqual([a + PAGE, PAGE]);
  });

  it('refuses', () => {
    expect(anonymous(0)).toBe(-Errno.EINVAL);
    expect(anonymous(PAGE, { address: 0x20_0001, placement: 'fixed' })).toBe(-Errno.EINVAL);
    expect(anonymous(PAGE, { address: 0x1000, placement: 'fixed' })).toBe(-Errno.EPERM);
    expect(anonymous(PAGE, { address: TOP, placement: 'fixed' })).toBe(-Errno.ENOMEM);
    expect(anonymous(0xffff_f000)).toBe(-Errno.ENOMEM);
    const a = anonymous(PAGE);
    expect(anonymous(PAGE, { address: a, placement: 'fixed-noreplace' })).toBe(-Errno.EEXIST);
    expect(anonymous(PAGE, { address: a - PAGE, placement: 'fixed-noreplace' })).toBe(a - PAGE);
  });

  it('keeps to the limit, which reservations without permission do not count for', () => {
    expect(anonymous(65 * PAGE)).toBe(-Errno.ENOMEM);
    const reserved = anonymous(1000 * PAGE, { permission: 0 });
    expect(reserved).toBeGreaterThan(0);
    expect(anonymous(60 * PAGE)).toBeGreaterThan(0);
    expect(map.protect(reserved, 5 * PAGE, R)).toBe(-Errno.ENOMEM);
    expect(map.protect(reserved, 4 * PAGE, R)).toBe(0);
    expect(map.used).toBe(64 * PAGE);
    map.unmap(reserved, 1000 * PAGE);
    expect(map.used).toBe(60 * PAGE);
  });
});

describe('munmap and mprotect', () => {
  it('divide areas', () => {
    const a = anonymous(4 * PAGE);
    expect(map.protect(a + PAGE, PAGE, R)).toBe(0);
    expect([...map.areas].map((area) => area.permission)).toEqual([3, 1, 3]);
    expect(() => map.memory.setU8(a + PAGE, 1)).toThrow(/cannot be written/);
    expect(map.protect(a + PAGE, PAGE, R | W)).toBe(0);
    expect(map.areas.count).toBe(1);
    expect(map.unmap(a + PAGE, PAGE)).toBe(0);
    expect(map.areas.count).toBe(2);
    expect(() => map.memory.u8(a + PAGE)).toThrow(/cannot be read/);
    expect(map.unmap(a, 4 * PAGE)).toBe(0);
    expect(areas()).toEqual([]);
  });

  it('say what they cannot do', () => {
    const a = anonymous(2 * PAGE);
    expect(map.protect(a + PAGE, 2 * PAGE, R)).toBe(-Errno.ENOMEM);
    expect(map.protect(a + 1, PAGE, R)).toBe(-Errno.EINVAL);
    expect(map.unmap(a + 1, PAGE)).toBe(-Errno.EINVAL);
    expect(map.unmap(a, 0)).toBe(-Errno.EINVAL);
    expect(map.unmap(0x10_0000, PAGE)).toBe(0);
  });

  it('void translations', () => {
    const a = anonymous(2 * PAGE, { permission: R | X });
    invalidated = [];
    map.protect(a, PAGE, R | W);
    map.unmap(a + PAGE, PAGE);
    expect(invalidated).toEqual([
      [a, PAGE],
      [a + PAGE, PAGE],
    ]);
  });
});

describe('mremap', () => {
  it('moves what a program has put in the place of what a file shows', () => {
    map = makeMap(() => []);
    for (const shared of [true, false]) {
      const a = anonymous(PAGE, { backing: { file: file([7]), offset: 0 }, shared });
      map.memory.setU8(a, 0);
      expect(map.memory.u8(map.remap(a, PAGE, PAGE, true, 0x40_0000))).toBe(0);
    }
  });

  it('grows where there is room, else moves with its content', () => {
    const a = anonymous(2 * PAGE, { address: 0x10_0000 });
    map.memory.setU32(a + PAGE, 99);
    expect(map.remap(a, 2 * PAGE, 4 * PAGE, false)).toBe(a);
    anonymous(PAGE, { address: a + 4 * PAGE, placement: 'fixed', permission: R });
    expect(map.remap(a, 4 * PAGE, 6 * PAGE, false)).toBe(-Errno.ENOMEM);
    const moved = map.remap(a, 4 * PAGE, 6 * PAGE, true);
    expect(moved).toBe(MAP_BASE - 6 * PAGE);
    expect(map.memory.u32(moved + PAGE)).toBe(99);
    expect(map.areas.at(a)).toBeUndefined();
    expect(map.used).toBe(7 * PAGE);
  });

  it('shrinks', () => {
    const a = anonymous(4 * PAGE);
    expect(map.remap(a, 4 * PAGE, PAGE, false)).toBe(a);
    expect(map.areas.at(a + PAGE)).toBeUndefined();
    expect(map.used).toBe(PAGE);
  });

  it('moves to a fixed address, but not onto itself', () => {
    const a = anonymous(2 * PAGE);
    map.memory.setU8(a, 5);
    expect(map.remap(a, 2 * PAGE, 2 * PAGE, true, a + PAGE)).toBe(-Errno.EINVAL);
    expect(map.remap(a, 2 * PAGE, 2 * PAGE, true, 0x40_0000)).toBe(0x40_0000);
    expect(map.memory.u8(0x40_0000)).toBe(5);
  });

  it('needs a mapping, and memory within the limit', () => {
    expect(map.remap(0x20_0000, PAGE, 2 * PAGE, true)).toBe(-Errno.EFAULT);
    const a = anonymous(40 * PAGE);
    expect(map.remap(a, 40 * PAGE, 65 * PAGE, true)).toBe(-Errno.ENOMEM);
    expect(map.remap(a, 40 * PAGE, 60 * PAGE, true)).toBeGreaterThan(0);
  });
});

describe('brk', () => {
  beforeEach(() => map.setBreakStart(0x100_0001));

  it('grows and shrinks by pages, and remembers bytes', () => {
    expect(map.setBreak(0)).toBe(0x100_1000);
    expect(map.setBreak(0x100_1010)).toBe(0x100_1010);
    map.memory.setU8(0x100_1fff, 1);
    expect(map.setBreak(0x100_3000)).toBe(0x100_3000);
    expect(map.areas.at(0x100_2000)?.name).toBe('[heap]');
    expect(map.setBreak(0x100_1000)).toBe(0x100_1000);
    expect(map.areas.at(0x100_1000)).toBeUndefined();
  });

  it('stays where it cannot grow', () => {
    anonymous(PAGE, { address: 0x100_3000, placement: 'fixed' });
    expect(map.setBreak(0x100_4000)).toBe(0x100_1000);
    expect(map.setBreak(0x100_3000)).toBe(0x100_3000);
    expect(map.setBreak(0x2000_0000)).toBe(0x100_3000);
  });
});

describe('files', () => {
  it('show, and beyond their last page are SIGBUS', () => {
    const f = file([1, 2, 3]);
    const a = anonymous(3 * PAGE, { backing: { file: f, offset: 0 } });
    expect([0, 1, 2, 3].map((i) => map.memory.u8(a + i))).toEqual([1, 2, 3, 0]);
    expect(() => map.memory.u8(a + PAGE)).toThrow();
    expect(map.faultKind(a + PAGE)).toBe('beyond-file');
    expect(map.faultKind(a)).toBe('permission');
    expect(map.faultKind(a + 3 * PAGE)).toBe('unmapped');
  });

  it('do not stay in memory that was never accessible', () => {
    const a = anonymous(PAGE, { backing: { file: file([7]), offset: 0 }, permission: 0 });
    map.unmap(a, PAGE);
    expect(anonymous(PAGE)).toBe(a);
    expect(map.memory.u8(a)).toBe(0);
  });

  it('are written back from shared mappings by msync and munmap, from private ones never', () => {
    const f = file([1, 2, 3]);
    const shared = anonymous(PAGE, { backing: { file: f, offset: 0 }, shared: true });
    map.memory.setU8(shared, 10);
    map.sync(shared, PAGE);
    expect(f.bytes).toEqual([10, 2, 3]);
    map.memory.setU8(shared + 1, 20);
    map.unmap(shared, PAGE);
    expect(f.bytes).toEqual([10, 20, 3]);
    const g = file([1]);
    const own = anonymous(PAGE, { backing: { file: g, offset: 0 } });
    map.memory.setU8(own, 9);
    map.sync();
    map.unmap(own, PAGE);
    expect(g.bytes).toEqual([1]);
  });

  it('are released with the last area that shows them', () => {
    const f = file(new Array(4 * PAGE).fill(1));
    const a = anonymous(4 * PAGE, { backing: { file: f, offset: 0 } });
    map.unmap(a + PAGE, PAGE);
    map.protect(a + 2 * PAGE, PAGE, R);
    map.unmap(a, PAGE);
    expect(f.released).toBe(0);
    map.unmap(a, 4 * PAGE);
    expect(f.released).toBe(1);
  });

  it('read only cannot be made writable where shared', () => {
    const a = anonymous(PAGE, { backing: { file: file([1], false), offset: 0 }, shared: true, permission: R });
    expect(map.protect(a, PAGE, R | W)).toBe(-Errno.EACCES);
  });
});

describe('madvise(MADV_DONTNEED)', () => {
  it('zeroes anonymous memory and shows files anew', () => {
    const a = anonymous(2 * PAGE);
    map.memory.setU8(a, 1);
    map.memory.setU8(a + PAGE, 2);
    expect(map.discard(a, PAGE)).toBe(0);
    expect([map.memory.u8(a), map.memory.u8(a + PAGE)]).toEqual([0, 2]);
    const b = anonymous(PAGE, { backing: { file: file([7]), offset: 0 } });
    map.memory.setU8(b, 8);
    map.discard(b, PAGE);
    expect(map.memory.u8(b)).toBe(7);
    expect(map.discard(0x20_0000, PAGE)).toBe(-Errno.ENOMEM);
  });
});

it('what is mapped after the end of a file is left alone when the rest of that mapping is filled anew', () => {
  const start = 0x10_0000;
  map.map({ address: start, length: 4 * PAGE, permission: R, placement: 'fixed', backing: { file: file([1]), offset: 0 } });
  anonymous(PAGE, { address: start + PAGE, placement: 'fixed' });
  map.discard(start + 2 * PAGE, 2 * PAGE);
  expect([0, 1, 2, 3].map((page) => map.memory.permission(start + page * PAGE) & (R | W))).toEqual([R, R | W, 0, 0]);
});

describe('another process', () => {
  it('does not see what a tracer has stored beyond the end of memory in common', () => {
    const a = anonymous(3 * PAGE, { shared: true, backing: { file: sharedMemory(PAGE, budget)!, offset: 0 } });
    map.enter();
    const child = makeMap();
    child.copyFrom(map, () => {});
    for (const at of [a, a + 2 * PAGE]) map.memory.bytes[GuestMemory.index(at)] = 7;
    map.leave();
    expect(child.enter()).toBe(true);
    expect([a, a + 2 * PAGE].map((at) => child.memory.bytes[GuestMemory.index(at)])).toEqual([7, 0]);
  });

  it('has its turn though a file does not take what was stored', () => {
    const full = { ...file([1, 2]), isCommon: () => true };
    full.write = () => {
      throw new SyscallError(Errno.ENOSPC);
    };
    const a = anonymous(PAGE, { shared: true, backing: { file: full, offset: 0 } });
    map.enter();
    map.memory.setU8(a, 5);
    expect(() => map.sync(a, PAGE)).toThrow(SyscallError);
    map.leave();
    map.enter();
    expect(map.memory.u8(a)).toBe(1);
    map.memory.setU8(a, 5);
    expect(map.unmap(a, PAGE)).toBe(0);
  });

  it('is not charged less for a stack that it does not get than its parent was charged for it', () => {
    map.mapStack({ address: MAP_BASE, length: 64 * PAGE, permission: R | W, placement: 'fixed' });
    anonymous(PAGE);
    map.mark(MAP_BASE, MAP_BASE + 64 * PAGE, { inChild: 'nothing' });
    const child = makeMap();
    child.copyFrom(map, () => {});
    expect([map.used, child.used]).toEqual([33 * PAGE, PAGE]);
  });
});
