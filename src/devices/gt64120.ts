// Galileo GT-64120 system controller: what a Malta board's firmware and Linux use of it. Registers are little-endian words.
import type { Device, Saved, Stateful } from './device.ts';
import { makeConfigMechanism, type PciBus, PciFunction } from './pci.ts';

export const enum Gt {
  Pci0IoLow = 0x48,
  Pci0IoHigh = 0x50,
  Pci0Memory0Low = 0x58,
  Pci0Memory0High = 0x60,
  InternalSpace = 0x68,
  Pci0Memory1Low = 0x80,
  Pci0Memory1High = 0x88,
  Pci0IoRemap = 0xf0,
  Pci0Memory0Remap = 0xf8,
  Pci0Memory1Remap = 0x100,
  Pci0Command = 0xc00,
  InterruptCause = 0xc18,
  InterruptMask = 0xc1c,
  Pci0Acknowledge = 0xc34,
  ConfigAddress = 0xcf8,
  ConfigData = 0xcfc,
}

/** Bytes of its internal registers. */
const GT_SIZE = 0x1000;

/** Values after reset that are not zero (data sheet, section 17). */
const AFTER_RESET: readonly (readonly [number, number])[] = [
  [Gt.Pci0IoLow, 0x80],
  [Gt.Pci0IoHigh, 0x0f],
  [Gt.Pci0Memory0Low, 0x90],
  [Gt.Pci0Memory0High, 0x1f],
  [Gt.InternalSpace, 0xa0],
  [Gt.Pci0Memory1Low, 0x790],
  [Gt.Pci0Memory1High, 0x1f],
  [Gt.Pci0IoRemap, 0x80],
  [Gt.Pci0Memory0Remap, 0x90],
  [Gt.Pci0Memory1Remap, 0x790],
  [0xc04, 0x00000707],
];

/** Registers of address bits 35…21 that are copied to a remap register when they are written. */
const REMAPPED: Readonly<Record<number, number>> = {
  [Gt.Pci0IoLow]: Gt.Pci0IoRemap,
  [Gt.Pci0Memory0Low]: Gt.Pci0Memory0Remap,
  [Gt.Pci0Memory1Low]: Gt.Pci0Memory1Remap,
};

export interface GtOptions {
  readonly bus: PciBus;
  /** The interrupt acknowledge cycle on PCI bus 0: the 8259's vector. */
  readonly acknowledge: () => number;
  /** Start and size of a window have changed. */
  readonly moved: (window: 'registers' | 'ports', at: number, size: number) => void;
}

export interface Gt64120 extends Device, Stateful {
  readonly pci: PciFunction;
}

export function makeGt64120({ bus, acknowledge, moved }: GtOptions): Gt64120 {
  const words = new Uint32Array(GT_SIZE / 4);
  const config = makeConfigMechanism(bus);
  const pci = new PciFunction({
    name: 'gt64120-pci',
    vendor: 0x11ab,
    device: 0x4620,
    revision: 0x10,
    classCode: 0x060000,
    registers: [{ at: 0x04, bytes: 2, value: 0, mask: 0x147 }],
  });
  const at = (register: number): number => words[register >>> 2];

  function tell(register: number): void {
    if (register === Gt.InternalSpace) moved('registers', (at(Gt.InternalSpace) & 0x7ff) * 2 ** 21, GT_SIZE);
    if (register === Gt.Pci0IoLow || register === Gt.Pci0IoHigh) {
      const low = at(Gt.Pci0IoLow) & 0x7ff;
      const size = (at(Gt.Pci0IoHigh) & 0x7f) + 1 - (low & 0x7f);
      moved('ports', low * 2 ** 21, Math.max(0, size) * 2 ** 21);
    }
  }

  function write(register: number, value: number): void {
    if (register === Gt.InterruptCause) {
      // zeros clear
      words[register >>> 2] &= value;
      return;
    }
    words[register >>> 2] = value;
    const remap = REMAPPED[register];
    if (remap !== undefined) words[remap >>> 2] = value & 0x7ff;
    tell(register);
  }

  const isConfig = (offset: number): boolean => offset >= Gt.ConfigAddress && offset < Gt.ConfigData + 4;
  return {
    name: 'gt64120',
    widest: 4,
    pci,
    read(offset, bytes) {
      if (isConfig(offset)) return config.read(offset - Gt.ConfigAddress, bytes);
      const register = offset & ~3;
      const word = register === Gt.Pci0Acknowledge ? acknowledge() : at(register);
      return word >>> (8 * (offset & 3));
    },
    write(offset, bytes, value) {
      if (isConfig(offset)) config.write(offset - Gt.ConfigAddress, bytes, value);
      // narrower ones are not defined
      else if (bytes === 4) write(offset & ~3, value);
    },
    reset() {
      words.fill(0);
      for (const [register, value] of AFTER_RESET) words[register >>> 2] = value;
      config.reset?.();
      tell(Gt.InternalSpace);
      tell(Gt.Pci0IoLow);
    },
    save: () => ({ words: new Uint8Array(words.buffer.slice(0)), config: config.save!() }),
    restore(saved) {
      const state = saved as { words: Uint8Array; config: Saved };
      new Uint8Array(words.buffer).set(state.words.subarray(0, GT_SIZE));
      config.restore!(state.config);
      tell(Gt.InternalSpace);
      tell(Gt.Pci0IoLow);
    },
  };
}
