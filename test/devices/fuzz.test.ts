import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import { makeBalloon } from '../../src/devices/virtio/balloon.ts';
import { makeBlock, memoryDisk } from '../../src/devices/virtio/block.ts';
import { makeConsole } from '../../src/devices/virtio/console.ts';
import { Hub, makeNet } from '../../src/devices/virtio/net.ts';
import { makeP9 } from '../../src/devices/virtio/p9.ts';
import { makeRng } from '../../src/devices/virtio/rng.ts';
import { MemoryFileSystem } from '../../src/linux/fs/memory-fs.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { Bus } from '../../src/vmm/bus.ts';
import { MACHINES } from '../../src/vmm/machines/index.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { fuzz } from '../support/fuzz.ts';
import { testClock } from './support.ts';
import { flatMemory, makeDriver, turn } from './virtio-driver.ts';

const access = fc.record({
  write: fc.boolean(),
  bytes: fc.constantFrom(1, 2, 4),
  value: fc.oneof(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffffffff)),
  place: fc.nat(),
});

/** All devices of a machine, at every port and in all of its device memory. */
describe.each([
  ['pc', 0],
  ['pc', 0x40000],
  ['malta', 0],
] as const)('a hostile guest of a %s with %i bytes of firmware', (name, firmware) => {
  test('no access to a register throws, hangs or gives more bits than were asked', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ access, pass: fc.nat(20_000) }), { minLength: 20, maxLength: 120 }), (steps) => {
        const ram = 4 << 20;
        const memory = new GuestMemory(Layout.FLOOR + ram + firmware, 'little');
        const clock = testClock();
        const memoryBus = new Bus('memory', () => {}, 12);
        const portBus = new Bus('port', () => {}, 0);
        const board = MACHINES[name].make({
          clock,
          ram,
          bigEndian: false,
          rom: firmware ? new Uint8Array(firmware) : undefined,
          memory: new PhysicalMemory(memory),
          ramIndex: Layout.WINDOW,
          romIndex: Layout.WINDOW + ram,
          memoryBus,
          portBus,
          processor: () => () => {},
          transmit: () => {},
          reset: () => {},
          powerOff: () => {},
        });
        const places: { bus: Bus; at: number; size: number }[] = [];
        for (const entry of board.memory)
          if ('device' in entry) {
            memoryBus.map(entry);
            places.push({ bus: memoryBus, ...entry });
          }
        for (const range of board.ports) {
          portBus.map(range);
          places.push({ bus: portBus, ...range });
        }
        for (const part of board.parts) part.reset?.();
        board.firmware();
        if (name === 'malta') places.push({ bus: memoryBus, at: 0x1be00000, size: 0x1000 });
        for (const { access: a, pass } of steps) {
          const { bus, at, size } = places[a.place % places.length];
          const where = at + (Math.floor(a.place / places.length) % size);
          if (a.write) bus.write(where, a.bytes, a.value);
          else {
            const value = bus.read(where, a.bytes);
            expect(value).toBeGreaterThanOrEqual(0);
            expect(value).toBeLessThan(2 ** (8 * a.bytes));
          }
          clock.pass(pass);
          board.acknowledge();
        }
        const saved = board.parts.map((part) => part.save?.());
        board.parts.forEach((part, index) => {
          if (saved[index] !== undefined) part.restore!(saved[index]!);
        });
        expect(board.parts.map((part) => part.save?.())).toEqual(saved);
      }),
      fuzz(25),
    );
  });
});

const RAM = 1 << 16;
const DEVICES = {
  rng: () => makeRng((bytes) => bytes.fill(7)),
  block: () => makeBlock({ disk: memoryDisk(new Uint8Array(64 * 512)) }),
  console: () => makeConsole(() => {}),
  net: () => makeNet({ mac: new Uint8Array(6), port: new Hub().connect() }),
  '9p': () => makeP9({ fileSystem: new MemoryFileSystem(), tag: 'x' }),
};

describe.each([...Object.keys(DEVICES), 'balloon'])('a hostile driver of virtio %s', (name) => {
  test('random rings and registers break at most the device', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 512, maxLength: 512 }),
        fc.array(access, { maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(31), fc.constantFrom(0, 2, 8, 12, 14), fc.oneof(fc.nat(20), fc.nat(0xffff))), { maxLength: 20 }),
        fc.constantFrom(0, 1 << 28, 1 << 29, 3 << 28),
        async (noise, accesses, words, features) => {
          const memory = flatMemory(RAM);
          const device = name === 'balloon' ? makeBalloon(memory, () => {}) : DEVICES[name as keyof typeof DEVICES]();
          const d = makeDriver(device, { memory, features });
          d.setUp();
          for (const [index, ring] of d.rings.entries()) {
            // descriptors that nearly make sense: small lengths and addresses, flags and links of few values
            for (let i = 0; i < 16; i++) {
              const at = ring.descriptors + 16 * i;
              memory.setU32(at, noise[i * 8] << 8);
              memory.setU32(at + 8, noise[i * 8 + 1] * (noise[i * 8 + 2] & 7));
              memory.setU16(at + 12, noise[i * 8 + 3] & 7);
              memory.setU16(at + 14, noise[i * 8 + 4] & 15);
              memory.setU16(ring.available + 4 + 2 * i, noise[i * 8 + 5] & 15);
            }
            for (const [i, offset, value] of words) memory.setU16(ring.descriptors + ((16 * i + offset) % 0x2000), value);
            memory.setU16(ring.available + 2, noise[400 + index] & 31);
            d.notify(index);
          }
          for (const a of accesses) {
            const at = 0xe0000000 + [0, 0x1000, 0x2000, 0x3000][a.place & 3] + ((a.place >>> 2) & 0x3f);
            if (a.write) d.w(at, a.value, a.bytes);
            else expect(d.r(at, a.bytes)).toBeLessThan(2 ** (8 * a.bytes));
          }
          await device.settled?.();
          await turn();
          // after a reset it works as before
          d.setUp();
          expect(d.status()).toBe(15);
        },
      ),
      fuzz(50),
    );
  });
});
