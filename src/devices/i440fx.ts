// Intel 82441FX (440FX) host bridge: what firmware needs of it, the PAM registers (data sheet 3.2.18).
import { PciFunction } from './pci.ts';

const PAM0 = 0x59;

/** What lies in one of the areas between 0xc0000 and 0xfffff. */
export interface Shadow {
  readonly at: number;
  readonly size: number;
  /** Reads, and writes, go to RAM instead of ROM or the bus. */
  readonly read: boolean;
  readonly write: boolean;
}

/** PAM0's upper half is 0xf0000…0xfffff; PAM1…PAM6 have 16 KiB in each half, from 0xc0000 on. */
function areas(bytes: Uint8Array): Shadow[] {
  const area = (at: number, size: number, bits: number): Shadow => ({ at, size, read: (bits & 1) !== 0, write: (bits & 2) !== 0 });
  const found = [area(0xf0000, 0x10000, bytes[PAM0] >>> 4)];
  for (let i = 0; i < 12; i++) found.push(area(0xc0000 + i * 0x4000, 0x4000, bytes[PAM0 + 1 + (i >>> 1)] >>> (i & 1 ? 4 : 0)));
  return found;
}

export function makeI440fx(changed: (shadows: readonly Shadow[]) => void): PciFunction {
  let last = '';
  const pci: PciFunction = new PciFunction({
    name: 'i440fx',
    vendor: 0x8086,
    device: 0x1237,
    revision: 2,
    classCode: 0x060000,
    registers: [
      { at: 0x04, bytes: 2, value: 6, mask: 0 },
      { at: 0x50, bytes: 4, value: 0, mask: 0xffffffff },
      { at: 0x54, bytes: 4, value: 0, mask: 0xffffffff },
      { at: 0x58, bytes: 4, value: 0, mask: 0x333330ff },
      { at: 0x5c, bytes: 4, value: 0, mask: 0x33333333 },
      { at: 0x60, bytes: 4, value: 0, mask: 0xffffffff },
      { at: 0x64, bytes: 4, value: 0, mask: 0xffffffff },
      { at: 0x72, bytes: 1, value: 2, mask: 0x7f },
    ],
    written() {
      const now = pci.bytes.subarray(PAM0, PAM0 + 7).join();
      if (now === last) return;
      last = now;
      changed(areas(pci.bytes));
    },
  });
  return pci;
}
