import { describe, expect, test } from 'vitest';
import { makeBalloon } from '../../src/devices/virtio/balloon.ts';
import { makeBlock, memoryDisk, overlayDisk } from '../../src/devices/virtio/block.ts';
import { makeConsole } from '../../src/devices/virtio/console.ts';
import { Hub, makeNet } from '../../src/devices/virtio/net.ts';
import { makeRng } from '../../src/devices/virtio/rng.ts';
import { flatMemory, makeDriver, turn } from './virtio-driver.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const counting = (at: Uint8Array): void => at.set(at.map((_, i) => i + 1));
const NEEDS_RESET = 0x40;

describe('transport', () => {
  test('identifies itself, offers VERSION_1, and takes no feature that it did not offer', () => {
    const d = makeDriver(makeRng(counting));
    expect(d.pci.read(0, 4)).toBe(0x10441af4);
    d.w(0xe0000000, 1);
    expect(d.r(0xe0000004)).toBe(1);
    d.setUp();
    expect(d.status()).toBe(15);
    d.setUp(1 << 3);
    expect(d.status() & 8).toBe(0);
  });

  test('registers read back; an enabled queue is not changed', () => {
    const d = makeDriver(makeRng(counting));
    d.setUp();
    expect([d.r(0xe0000018, 2), d.r(0xe000001c, 2), d.r(0xe0000020), d.r(0xe0000024)]).toEqual([16, 1, 0x1000, 0]);
    d.w(0xe0000020, 0x5000);
    d.w(0xe0000018, 8, 2);
    expect([d.r(0xe0000020), d.r(0xe0000018, 2)]).toEqual([0x1000, 16]);
    d.w(0xe0000016, 99, 2);
    expect([d.r(0xe0000018, 2), d.r(0xe0000020)]).toEqual([0, 0]);
  });

  test('the BAR is reached through configuration space, too', () => {
    const d = makeDriver(makeRng(counting));
    let at = d.pci.read(0x34, 1);
    while (d.pci.read(at + 3, 1) !== 5) at = d.pci.read(at + 1, 1);
    d.pci.write(at + 4, 1, 0);
    d.pci.write(at + 8, 4, 20);
    d.pci.write(at + 12, 4, 1);
    d.pci.write(at + 16, 1, 3);
    expect(d.status()).toBe(3);
    expect(d.pci.read(at + 16, 1)).toBe(3);
  });
});

describe('queue', () => {
  test('buffers come back with what was written, and an interrupt that reading ISR ends', () => {
    const d = makeDriver(makeRng(counting));
    d.setUp();
    const { head, at } = d.offer(0, [{ room: 5 }, { room: 3 }]);
    d.notify(0);
    expect(d.used(0)).toEqual({ head, length: 8 });
    expect([...d.memory.bytes.subarray(at[0], at[0] + 5), ...d.memory.bytes.subarray(at[1], at[1] + 3)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(d.irq.level).toBe(true);
    expect(d.isr()).toBe(1);
    expect(d.irq.level).toBe(false);
  });

  test('a driver that does not want interrupts gets none', () => {
    const d = makeDriver(makeRng(counting));
    d.setUp();
    d.memory.setU16(d.rings[0].available, 1);
    d.offer(0, [{ room: 1 }]);
    d.notify(0);
    expect(d.irq.level).toBe(false);
    expect(d.used(0)?.length).toBe(1);
  });

  test('event indices: an interrupt only when used passes the driver’s, notification where asked', () => {
    const d = makeDriver(makeRng(counting), { features: 1 << 29 });
    d.setUp();
    d.memory.setU16(d.rings[0].available + 4 + 32, 1);
    d.offer(0, [{ room: 1 }]);
    d.notify(0);
    expect(d.irq.level).toBe(false);
    expect(d.memory.u16(d.rings[0].used + 4 + 128)).toBe(1);
    d.offer(0, [{ room: 1 }]);
    d.notify(0);
    expect(d.irq.level).toBe(true);
  });

  test('indirect tables', () => {
    const d = makeDriver(makeRng(counting), { features: 1 << 28 });
    d.setUp();
    const buffer = d.allocate(4);
    const table = new Uint8Array(16);
    new DataView(table.buffer).setUint32(0, buffer, true);
    table[8] = 4;
    table[12] = 2;
    d.offer(0, [{ bytes: table }]);
    d.memory.setU16(d.rings[0].descriptors + 12, 4);
    d.notify(0);
    expect(d.used(0)?.length).toBe(4);
    expect(d.memory.u32(buffer)).toBe(0x04030201);
  });

  const broken: readonly (readonly [string, (d: ReturnType<typeof makeDriver>) => void])[] = [
    ['a loop', (d) => d.memory.setU16(d.rings[0].descriptors + 14, 0)],
    ['a descriptor outside of the table', (d) => d.memory.setU16(d.rings[0].descriptors + 14, 16)],
    ['a head outside of the table', (d) => d.memory.setU16(d.rings[0].available + 4, 0xffff)],
    ['a buffer outside of memory', (d) => d.memory.setU32(d.rings[0].descriptors, 0xfffffff0)],
    ['a buffer above 4 GiB', (d) => d.memory.setU32(d.rings[0].descriptors + 4, 1)],
    ['more than 16 MiB', (d) => d.memory.setU32(d.rings[0].descriptors + 8, 0xffffffff)],
    ['more chains than entries', (d) => d.memory.setU16(d.rings[0].available + 2, 17)],
    ['an indirect table that was not agreed', (d) => d.memory.setU16(d.rings[0].descriptors + 12, 4)],
    [
      'a ring outside of memory',
      (d) => {
        d.w(0xe0000014, 0, 1);
        d.setUp();
        d.core.queues[0].state.available = 0x7fffffff;
      },
    ],
  ];
  test.each(broken)('%s breaks the device until its reset, and nothing else', (_name, spoil) => {
    const d = makeDriver(makeRng(counting));
    d.setUp();
    d.offer(0, [{ room: 4 }, { room: 4 }]);
    spoil(d);
    d.notify(0);
    expect(d.status() & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(d.isr() & 2).toBe(2);
    expect(d.warnings).toHaveLength(1);
    d.notify(0);
    d.setUp();
    expect(d.status()).toBe(15);
    d.rings[0].free = 0;
    d.offer(0, [{ room: 4 }]);
    d.notify(0);
    expect(d.used(0)?.length).toBe(4);
  });

  test('a queue is saved with what waits in it', () => {
    const c = makeConsole(() => {});
    const d = makeDriver(c);
    d.setUp();
    d.offer(0, [{ room: 8 }]);
    d.notify(0);
    const other = makeConsole(() => {});
    const e = makeDriver(other, { memory: d.memory });
    e.core.restore(d.core.save());
    e.pci.restore(d.pci.save());
    e.rings[0].lastUsed = 0;
    other.receive(bytes('hello'));
    expect(e.used(0)?.length).toBe(5);
    expect(e.irq.level).toBe(true);
  });
});

function request(type: number, sector: number): Uint8Array {
  const header = new Uint8Array(16);
  const data = new DataView(header.buffer);
  data.setUint32(0, type, true);
  data.setBigUint64(8, BigInt(sector), true);
  return header;
}

describe('block', () => {
  test('capacity, reads, writes, flush, identification', async () => {
    const disk = memoryDisk(new Uint8Array(64 * 512).map((_, i) => i >> 9));
    const d = makeDriver(makeBlock({ disk, id: 'disk-1' }));
    d.setUp();
    expect(d.config(0)).toBe(64);
    const read = d.offer(0, [{ bytes: request(0, 3) }, { room: 1024 }, { room: 1 }]);
    d.notify(0);
    await turn();
    expect(d.used(0)).toEqual({ head: read.head, length: 1025 });
    expect([d.memory.u8(read.at[1]), d.memory.u8(read.at[1] + 512), d.memory.u8(read.at[2])]).toEqual([3, 4, 0]);
    const write = d.offer(0, [{ bytes: request(1, 9) }, { bytes: new Uint8Array(512).fill(0xab) }, { room: 1 }]);
    const flush = d.offer(0, [{ bytes: request(4, 0) }, { room: 1 }]);
    const id = d.offer(0, [{ bytes: request(8, 0) }, { room: 20 }, { room: 1 }]);
    d.notify(0);
    await turn();
    expect(new Set([d.used(0)?.head, d.used(0)?.head, d.used(0)?.head])).toEqual(new Set([write.head, flush.head, id.head]));
    expect(disk.bytes[9 * 512]).toBe(0xab);
    expect(String.fromCharCode(...d.memory.bytes.subarray(id.at[1], id.at[1] + 6))).toBe('disk-1');
  });

  test.each([
    ['beyond the end', request(0, 64), 512, 1],
    ['of half a sector', request(0, 0), 100, 1],
    ['far beyond', request(0, 2 ** 53), 512, 1],
    ['that is not known', request(77, 0), 512, 2],
  ])('a request %s is refused', async (_name, header, room, status) => {
    const d = makeDriver(makeBlock({ disk: memoryDisk(new Uint8Array(64 * 512)) }));
    d.setUp();
    const { at } = d.offer(0, [{ bytes: header }, { room }, { room: 1 }]);
    d.memory.setU8(at[2], 0xff);
    d.notify(0);
    await turn();
    expect(d.used(0)?.length).toBe(1);
    expect(d.memory.u8(at[2])).toBe(status);
  });

  test('a read-only disk says so and refuses writes; a failing one is an I/O error', async () => {
    const failing = { ...memoryDisk(new Uint8Array(512), true), read: () => Promise.reject(new Error('bad sector')) };
    const d = makeDriver(makeBlock({ disk: failing }));
    d.setUp();
    expect(d.r(0xe0000004) & 32).toBe(32);
    const write = d.offer(0, [{ bytes: request(1, 0) }, { bytes: new Uint8Array(512) }, { room: 1 }]);
    const read = d.offer(0, [{ bytes: request(0, 0) }, { room: 512 }, { room: 1 }]);
    d.notify(0);
    await turn();
    expect([d.memory.u8(write.at[2]), d.memory.u8(read.at[2])]).toEqual([1, 1]);
  });

  test('an answer that comes after a reset is forgotten', async () => {
    let finish = (): void => {};
    const slow = { ...memoryDisk(new Uint8Array(512)), read: () => new Promise<void>((resolve) => (finish = resolve)) };
    const device = makeBlock({ disk: slow });
    const d = makeDriver(device);
    d.setUp();
    d.offer(0, [{ bytes: request(0, 0) }, { room: 512 }, { room: 1 }]);
    d.notify(0);
    d.setUp();
    finish();
    await device.settled!();
    expect(d.used(0)).toBeUndefined();
    expect(d.irq.level).toBe(false);
  });

  test('an overlay keeps what is written and leaves its base', async () => {
    const base = memoryDisk(new Uint8Array(300 * 512).fill(1));
    const overlay = overlayDisk(base);
    await overlay.write(127, new Uint8Array(3 * 512).fill(2));
    const back = new Uint8Array(5 * 512);
    await overlay.read(126, back);
    expect([0, 512, 1536, 2048].map((at) => back[at])).toEqual([1, 2, 2, 1]);
    expect(base.bytes.every((byte) => byte === 1)).toBe(true);
    const kept = overlay.save!();
    await overlay.write(0, new Uint8Array(128 * 512).fill(3));
    overlay.restore!(kept);
    await overlay.read(126, back);
    expect([back[0], back[512]]).toEqual([1, 2]);
  });
});

test('console: both ways, input waits for buffers', () => {
  const sent: string[] = [];
  const device = makeConsole((b) => sent.push(String.fromCharCode(...b)));
  const d = makeDriver(device);
  d.setUp();
  d.offer(1, [{ bytes: bytes('from guest') }]);
  d.notify(1);
  expect(sent).toEqual(['from guest']);
  device.receive(bytes('to guest'));
  const { at } = d.offer(0, [{ room: 3 }]);
  d.offer(0, [{ room: 30 }]);
  d.notify(0);
  expect([d.used(0)?.length, d.used(0)?.length]).toEqual([3, 5]);
  expect(String.fromCharCode(...d.memory.bytes.subarray(at[0], at[0] + 3))).toBe('to ');
  expect([d.config(0, 2), d.config(2, 2)]).toEqual([80, 25]);
});

test('balloon: given pages are zeroed, the target is told', () => {
  const memory = flatMemory(1 << 20);
  let changed = 0;
  const device = makeBalloon(memory, () => changed++);
  const d = makeDriver(device, { memory });
  d.setUp();
  device.setTarget(7);
  expect([changed, d.config(0)]).toEqual([1, 7]);
  memory.bytes.fill(9, 0xf0000, 0xf2000);
  d.offer(0, [{ bytes: Uint8Array.of(0xf0, 0, 0, 0) }]);
  d.notify(0);
  expect([memory.u8(0xf0000), memory.u8(0xf0fff), memory.u8(0xf1000)]).toEqual([0, 0, 9]);
  d.w(0xe0002004, 1);
  expect(device.actual).toBe(1);
  d.offer(0, [{ bytes: Uint8Array.of(0, 0, 0xff, 0xff) }]);
  d.notify(0);
  expect(d.status() & NEEDS_RESET).toBe(NEEDS_RESET);
});

test('net: frames between guests through a hub, which learns', async () => {
  const hub = new Hub();
  const guests = [1, 2, 3].map((n) => {
    const mac = Uint8Array.of(2, 0, 0, 0, 0, n);
    const d = makeDriver(makeNet({ mac, port: hub.connect() }));
    d.setUp();
    for (let i = 0; i < 4; i++) d.offer(0, [{ room: 1600 }]);
    d.notify(0);
    return d;
  });
  const frame = (to: number, from: number): Uint8Array => {
    const f = new Uint8Array(12 + 60);
    f.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0, 0x42], 12);
    return f;
  };
  const send = async (from: number, to: number) => {
    guests[from].offer(1, [{ bytes: frame(to + 1, from + 1) }]);
    guests[from].notify(1);
    await turn();
    return guests.map((g) => g.used(0)?.length ?? 0);
  };
  expect(await send(0, 1)).toEqual([0, 72, 72]);
  expect(await send(1, 0)).toEqual([72, 0, 0]);
  expect(await send(0, 1)).toEqual([0, 72, 0]);
  expect(guests[1].config(5, 1)).toBe(2);
});
