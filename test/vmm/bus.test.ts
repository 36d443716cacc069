import { describe, expect, test } from 'vitest';
import { Layout, PhysicalPage } from '../../assembly/shared/layout.ts';
import { type Device, PhysicalMemoryFault } from '../../src/devices/device.ts';
import { joinLines } from '../../src/devices/lines.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { Bus } from '../../src/vmm/bus.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';

function recorder(widest: 1 | 2 | 4): Device & { log: string[] } {
  const log: string[] = [];
  return {
    name: 'recorder',
    widest,
    log,
    read(offset, bytes) {
      log.push(`r${bytes} ${offset}`);
      return 0x11 * (offset + 1);
    },
    write: (offset, bytes, value) => void log.push(`w${bytes} ${offset} ${value.toString(16)}`),
  };
}

describe('bus', () => {
  test('a wide access to a narrow device is parted, lowest byte first', () => {
    const bus = new Bus('port', () => {}, 0);
    const device = recorder(1);
    bus.map({ at: 0x100, size: 8, device });
    expect(bus.read(0x100, 4)).toBe(0x44332211);
    bus.write(0x102, 2, 0xabcd);
    expect(device.log.slice(4)).toEqual(['w1 2 cd', 'w1 3 ab']);
  });

  test('what nobody answers reads as ones, is ignored when written, and is told once', () => {
    const told: string[] = [];
    const bus = new Bus('port', (text) => told.push(text), 0);
    expect([bus.read(0x80, 1), bus.read(0x80, 2), bus.read(0x80, 4)]).toEqual([0xff, 0xffff, 0xffffffff]);
    bus.write(0x80, 1, 1);
    expect(told).toEqual(['no device answers a 1-byte read at port 0x80']);
  });

  test('the range that was mapped last answers, and the other again when it is gone', () => {
    const bus = new Bus('port', () => {}, 0);
    const [below, above] = [recorder(4), recorder(1)];
    bus.map({ at: 0, size: 16, device: below, offset: 100 });
    expect(bus.read(4, 4)).toBe((0x11 * 105) >>> 0);
    const unmap = bus.map({ at: 5, size: 1, device: above });
    bus.read(4, 4);
    expect(bus.read(5, 1)).toBe(0x11);
    expect(above.log).toContain('r1 0');
    unmap();
    expect(bus.read(5, 1)).toBe((0x11 * 106) & 0xff);
  });

  test('an access over a range’s end reaches both', () => {
    const bus = new Bus('port', () => {}, 0);
    bus.map({ at: 0, size: 2, device: recorder(4) });
    expect(bus.read(0, 4)).toBe(0xffff0011);
  });
});

test('joined lines are high while one of them is', () => {
  const levels: boolean[] = [];
  const line = joinLines((level) => levels.push(level));
  const [a, b] = [line(), line()];
  a(true);
  b(true);
  b(true);
  a(false);
  b(false);
  expect(levels).toEqual([true, true, true, false]);
});

describe('physical memory', () => {
  function made() {
    const memory = new GuestMemory(Layout.FLOOR + 0x20000, 'little');
    const physical = new PhysicalMemory(memory);
    physical.map(0, 0x10000, Layout.WINDOW, true);
    physical.map(0xfffff000, 0x1000, Layout.WINDOW + 0x10000, false);
    return { memory, physical };
  }

  test('copies over pages that are apart in host memory', () => {
    const { memory, physical } = made();
    physical.map(0x8000, 0x1000, Layout.WINDOW + 0x1f000, true);
    physical.write(0x7ffe, Uint8Array.of(1, 2, 3, 4));
    const back = new Uint8Array(4);
    physical.read(0x7ffe, back);
    expect([...back]).toEqual([1, 2, 3, 4]);
    expect(memory.bytes[Layout.WINDOW + 0x1f000]).toBe(3);
  });

  test('nothing is done if not all of it is memory', () => {
    const { physical } = made();
    expect(() => physical.write(0xfffe, Uint8Array.of(1, 2, 3))).toThrow(PhysicalMemoryFault);
    expect(physical.u8(0xfffe)).toBe(0);
    expect(() => physical.u32(0xfffe)).toThrow(PhysicalMemoryFault);
    expect(() => physical.write(0xfffff000, Uint8Array.of(1))).toThrow(PhysicalMemoryFault);
    expect(() => physical.read(0xfffffff0, new Uint8Array(32))).toThrow(PhysicalMemoryFault);
    expect(() => physical.read(-1, new Uint8Array(1))).toThrow(PhysicalMemoryFault);
    expect(() => physical.read(2 ** 33, new Uint8Array(1))).toThrow(PhysicalMemoryFault);
    expect(() => physical.setU16(2 ** 40, 1)).toThrow(PhysicalMemoryFault);
    expect(physical.isMemory(0xfffff000, 0x1000)).toBe(true);
    expect(physical.isMemory(0xf000, 0x1001)).toBe(false);
  });

  test('writes to pages with translated code are told of, and so is a new map', () => {
    const { memory, physical } = made();
    const events: string[] = [];
    physical.listener = {
      written: (at, length) => events.push(`${at.toString(16)}+${length}`),
      remapped: () => events.push('map'),
    };
    const pages = new Uint32Array(memory.memory.buffer, Layout.PHYSICAL, 16);
    pages[2] |= PhysicalPage.Code;
    physical.write(0x1ff0, new Uint8Array(0x20));
    physical.setU32(0x2000, 1);
    physical.setU32(0x3000, 1);
    physical.unmap(0x4000, 0x1000);
    expect(events).toEqual(['2000+16', '2000+4', 'map']);
    expect(() => physical.u8(0x4000)).toThrow(PhysicalMemoryFault);
  });
});
