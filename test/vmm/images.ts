import { Layout } from '../../assembly/shared/layout.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';

export const RAM = 32 << 20;
/** A machine's memory, all RAM. */
export function kernelMemory(): PhysicalMemory {
  const memory = new PhysicalMemory(new GuestMemory(Layout.FLOOR + RAM, 'little'));
  memory.map(0, RAM, Layout.WINDOW, true);
  return memory;
}

/** A bzImage of two setup sectors whose protected-mode code is `code`. */
export function bzImage(code: Uint8Array, version = 0x20f): Uint8Array {
  const bytes = new Uint8Array(3 * 512 + code.length);
  const data = new DataView(bytes.buffer);
  bytes[0x1f1] = 2;
  data.setUint16(0x1fe, 0xaa55, true);
  data.setUint16(0x200, 0x66eb, true);
  data.setUint32(0x202, 0x53726448, true);
  data.setUint16(0x206, version, true);
  bytes[0x211] = 1;
  data.setUint32(0x22c, 0x7fffffff, true);
  data.setUint32(0x238, 255, true);
  data.setUint32(0x258, 0x1000000, true);
  data.setUint32(0x260, 0x100000, true);
  bytes.set(code, 3 * 512);
  return bytes;
}

/** An ELF executable with one segment. */
export function elf(machineNumber: number, little: boolean, at: number, code: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(84 + code.length);
  const data = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, little ? 1 : 2, 1]);
  data.setUint16(16, 2, little);
  data.setUint16(18, machineNumber, little);
  data.setUint32(24, at, little);
  data.setUint32(28, 52, little);
  data.setUint16(42, 32, little);
  data.setUint16(44, 1, little);
  [1, 84, at, at, code.length, code.length + 16, 7, 4].forEach((word, i) => {
    data.setUint32(52 + 4 * i, word, little);
  });
  bytes.set(code, 84);
  return bytes;
}
