// Intel 82371 (PIIX3, PIIX4): PCI-to-ISA bridge with interrupt routing, and the power management function.
import type { Device, InterruptLine } from './device.ts';
import { joinLines } from './lines.ts';
import { PciFunction } from './pci.ts';

/** PIRQRC[A:D]: bit 7 off, bits 3…0 the interrupt. */
const PIRQ_ROUTE = 0x60;
const PIRQ_OFF = 0x80;

export interface PiixBridge {
  readonly pci: PciFunction;
  /** PIRQA# … PIRQD#, 0 … 3, as joined lines: each call gives another input. */
  pirq(index: number): InterruptLine;
}

export interface PiixOptions {
  readonly name: string;
  readonly device: number;
  /** Input n of the interrupt controllers; several may be wired to one. */
  readonly line: (input: number) => InterruptLine;
}

export function makePiixBridge(options: PiixOptions): PiixBridge {
  const held = [false, false, false, false];
  const inputs = Array.from({ length: 16 }, (_, input) => options.line(input));
  const settle = (): void => {
    let high = 0;
    held.forEach((isHeld, index) => {
      const route = pci.bytes[PIRQ_ROUTE + index];
      if (isHeld && !(route & PIRQ_OFF)) high |= 1 << (route & 15);
    });
    inputs.forEach((input, index) => {
      input((high & (1 << index)) !== 0);
    });
  };
  const pci: PciFunction = new PciFunction({
    name: options.name,
    vendor: 0x8086,
    device: options.device,
    classCode: 0x060100,
    multifunction: true,
    registers: [
      { at: 0x04, bytes: 2, value: 7, mask: 0 },
      { at: 0x4c, bytes: 1, value: 0x4d, mask: 0xff },
      { at: 0x4e, bytes: 2, value: 3, mask: 0xffff },
      { at: PIRQ_ROUTE, bytes: 4, value: 0x80808080, mask: 0x8f8f8f8f },
      { at: 0x64, bytes: 1, value: 0x10, mask: 0xff },
      { at: 0x69, bytes: 1, value: 2, mask: 0xff },
      { at: 0x76, bytes: 2, value: 0x0c0c, mask: 0xffff },
      { at: 0xb0, bytes: 4, value: 0, mask: 0xffffffff },
      { at: 0xcb, bytes: 1, value: 0, mask: 0xff },
    ],
    written(at) {
      if (at < PIRQ_ROUTE + 4) settle();
    },
  });
  const pirqs = held.map((_, index) =>
    joinLines((level) => {
      held[index] = level;
      settle();
    }),
  );
  return {
    pci,
    pirq: (index) => pirqs[index](),
  };
}

const PM_BASE = 0x40;
const PM_ENABLE = 0x80;

/** PIIX4 function 3: places the power management ports at PMBA (0x40) while PMREGMISC (0x80) bit 0 is set. */
export function makePiixPm(
  name: string,
  pm: Device,
  ports: { map(range: { at: number; size: number; device: Device }): () => void },
): PciFunction {
  let mapped: { readonly at: number; readonly unmap: () => void } | undefined;
  const pci: PciFunction = new PciFunction({
    name,
    vendor: 0x8086,
    device: 0x7113,
    revision: 3,
    classCode: 0x068000,
    registers: [
      { at: 0x04, bytes: 2, value: 0, mask: 1 },
      { at: 0x3d, bytes: 1, value: 1, mask: 0 },
      { at: 0x3c, bytes: 1, value: 9, mask: 0xff },
      { at: PM_BASE, bytes: 4, value: 1, mask: 0xffc0 },
      { at: 0x48, bytes: 2, value: 0, mask: 0xffff },
      // DEVACTB with APMC_EN: as if SMM had been set up already, since there is none
      { at: 0x58, bytes: 4, value: 0x02000000, mask: 0xffffffff },
      { at: PM_ENABLE, bytes: 1, value: 0, mask: 1 },
      { at: 0x90, bytes: 4, value: 1, mask: 0xfff0 },
      { at: 0xd2, bytes: 4, value: 0, mask: 0xffffffff },
    ],
    written() {
      const at = pci.bytes[PM_ENABLE] & 1 ? pci.get32(PM_BASE) & 0xffc0 : 0;
      if ((mapped?.at ?? 0) === at) return;
      mapped?.unmap();
      mapped = at === 0 ? undefined : { at, unmap: ports.map({ at, size: 64, device: pm }) };
    },
  });
  return pci;
}
