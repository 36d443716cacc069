import { type Memory, PhysicalMemoryFault } from '../../src/devices/device.ts';
import { VirtioCore, type VirtioDevice } from '../../src/devices/virtio/device.ts';
import { makeVirtioPci } from '../../src/devices/virtio/pci.ts';
import { Bus } from '../../src/vmm/bus.ts';
import { probe } from './support.ts';

/** RAM of a size, from address 0. */
export function flatMemory(size: number): Memory & { readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(size);
  const data = new DataView(bytes.buffer);
  const check = (at: number, length: number): number => {
    if (!(at >= 0 && at + length <= size)) throw new PhysicalMemoryFault(at, length);
    return at;
  };
  return {
    bytes,
    read: (at, target) => target.set(bytes.subarray(check(at, target.length), at + target.length)),
    write: (at, source) => bytes.set(source, check(at, source.length)),
    u8: (at) => bytes[check(at, 1)],
    u16: (at) => data.getUint16(check(at, 2), true),
    u32: (at) => data.getUint32(check(at, 4), true),
    setU8: (at, value) => data.setUint8(check(at, 1), value),
    setU16: (at, value) => data.setUint16(check(at, 2), value, true),
    setU32: (at, value) => data.setUint32(check(at, 4), value, true),
  };
}

const BAR = 0xe0000000;
const COMMON = BAR;
const ISR = BAR + 0x1000;
const CONFIG = BAR + 0x2000;
const NOTIFY = BAR + 0x3000;
const RING = 16;

export interface Part {
  readonly bytes?: Uint8Array;
  /** A buffer for the device of so many bytes. */
  readonly room?: number;
}

/** A driver of one device, as the specification's 3.1 says: through the registers and rings alone. */
export function makeDriver(device: VirtioDevice, options: { features?: number; memory?: ReturnType<typeof flatMemory> } = {}) {
  const memory = options.memory ?? flatMemory(1 << 20);
  const irq = probe();
  const warnings: string[] = [];
  const core: VirtioCore = new VirtioCore(
    device,
    memory,
    (level) => pci.interrupt(level),
    (text) => warnings.push(text),
  );
  const pci = makeVirtioPci(core);
  const bus = new Bus('memory', () => {}, 12);
  pci.attach({ memory: bus, ports: bus }, irq.line);
  pci.write(0x10, 4, BAR);
  pci.write(4, 2, 6);
  let next = 0x40000;
  const allocate = (size: number): number => {
    const at = next;
    next = (next + size + 15) & ~15;
    return at;
  };
  const r = (at: number, bytes = 4): number => bus.read(at, bytes);
  const w = (at: number, value: number, bytes = 4): void => bus.write(at, bytes, value);
  const rings = device.queues.map((_, index) => ({
    descriptors: 0x1000 + index * 0x3000,
    available: 0x2000 + index * 0x3000,
    used: 0x3000 + index * 0x3000,
    lastUsed: 0,
    free: 0,
  }));

  function setUp(features = options.features ?? 0): void {
    w(COMMON + 20, 0, 1);
    w(COMMON + 20, 1, 1);
    w(COMMON + 20, 3, 1);
    w(COMMON + 8, 0);
    w(COMMON + 12, features);
    w(COMMON + 8, 1);
    w(COMMON + 12, 1);
    w(COMMON + 20, 11, 1);
    rings.forEach((ring, index) => {
      w(COMMON + 22, index, 2);
      w(COMMON + 24, RING, 2);
      for (const [offset, at] of [
        [32, ring.descriptors],
        [40, ring.available],
        [48, ring.used],
      ]) {
        w(COMMON + offset, at);
        w(COMMON + offset + 4, 0);
      }
      memory.bytes.fill(0, ring.descriptors, ring.used + 0x1000);
      ring.lastUsed = 0;
      w(COMMON + 28, 1, 2);
    });
    w(COMMON + 20, 15, 1);
  }

  return {
    core,
    pci,
    bus,
    irq,
    memory,
    warnings,
    rings,
    r,
    w,
    setUp,
    allocate,
    status: () => r(COMMON + 20, 1),
    isr: () => r(ISR, 1),
    config: (at: number, bytes = 4) => r(CONFIG + at, bytes),
    notify: (index: number) => w(NOTIFY + 4 * index, index, 2),
    /** Makes a chain available without telling; gives where its buffers lie. */
    offer(index: number, parts: readonly Part[]): { readonly head: number; readonly at: readonly number[] } {
      const ring = rings[index];
      const head = ring.free;
      const at = parts.map(({ bytes, room }, i) => {
        const place = allocate(bytes?.length ?? room!);
        if (bytes) memory.write(place, bytes);
        const descriptor = ring.descriptors + 16 * ((head + i) % RING);
        memory.setU32(descriptor, place);
        memory.setU32(descriptor + 4, 0);
        memory.setU32(descriptor + 8, bytes?.length ?? room!);
        memory.setU16(descriptor + 12, (bytes ? 0 : 2) | (i + 1 < parts.length ? 1 : 0));
        memory.setU16(descriptor + 14, (head + i + 1) % RING);
        return place;
      });
      ring.free = (head + parts.length) % RING;
      const index16 = memory.u16(ring.available + 2);
      memory.setU16(ring.available + 4 + 2 * (index16 % RING), head);
      memory.setU16(ring.available + 2, (index16 + 1) & 0xffff);
      return { head, at };
    },
    /** The next entry of the used ring. */
    used(index: number): { readonly head: number; readonly length: number } | undefined {
      const ring = rings[index];
      if (memory.u16(ring.used + 2) === ring.lastUsed) return undefined;
      const at = ring.used + 4 + 8 * (ring.lastUsed % RING);
      ring.lastUsed = (ring.lastUsed + 1) & 0xffff;
      return { head: memory.u32(at), length: memory.u32(at + 4) };
    },
  };
}

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
