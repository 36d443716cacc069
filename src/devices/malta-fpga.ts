// Registers of the Malta board's FPGA (MIPS Malta User's Manual, chapter 4): offsets from 0x1f000000.
import type { Device, Stateful } from './device.ts';

const enum Fpga {
  Switch = 0x200,
  Status = 0x208,
  Jumpers = 0x210,
  LedBar = 0x408,
  AsciiWord = 0x410,
  AsciiPosition0 = 0x418,
  AsciiPosition7 = 0x450,
  SoftReset = 0x500,
  BreakReset = 0x508,
  I2cInput = 0xb00,
  I2cOutputEnable = 0xb08,
  I2cOutput = 0xb10,
  I2cSelect = 0xb18,
}
/** Written to SOFTRES. */
const GO_RESET = 0x42;
const BIG_ENDIAN = 1;
/** STATUS: monitor flash is not write-protected, and the fixed ones. */
const STATUS = 0x12;

export interface FpgaOptions {
  readonly bigEndian: boolean;
  readonly reset: () => void;
  /** The eight characters of the display. */
  readonly display?: (text: string) => void;
}

export function makeMaltaFpga({ bigEndian, reset, display }: FpgaOptions): Device & Stateful {
  const words = new Map<number, number>();
  const characters = new Uint8Array(8).fill(0x20);
  const show = (): void => display?.(String.fromCharCode(...characters));
  return {
    name: 'malta-fpga',
    widest: 4,
    read(offset, bytes) {
      if (offset & 3) return 0;
      const mask = 2 ** (8 * bytes) - 1;
      switch (offset) {
        case Fpga.Status:
          return STATUS | (bigEndian ? BIG_ENDIAN : 0);
        case Fpga.Switch:
        case Fpga.Jumpers:
          return 0;
        case Fpga.I2cInput:
          // nothing pulls the lines low
          return 3;
        default:
          return (words.get(offset) ?? 0) & mask;
      }
    },
    write(offset, _bytes, value) {
      if (offset === Fpga.SoftReset) {
        if (value === GO_RESET) reset();
        return;
      }
      words.set(offset, value);
      if (offset === Fpga.AsciiWord) {
        const text = value.toString(16).padStart(8, '0').toUpperCase();
        for (let i = 0; i < 8; i++) characters[i] = text.charCodeAt(i);
        show();
      } else if (offset >= Fpga.AsciiPosition0 && offset <= Fpga.AsciiPosition7 && offset % 8 === 0) {
        characters[(offset - Fpga.AsciiPosition0) / 8] = value;
        show();
      }
    },
    reset() {
      words.clear();
      characters.fill(0x20);
    },
    save: () => ({ words: [...words].map(([offset, value]) => [offset, value]), characters: characters.slice() }),
    restore(saved) {
      const state = saved as { words: [number, number][]; characters: Uint8Array };
      words.clear();
      for (const [offset, value] of state.words) words.set(offset, value);
      characters.set(state.characters.subarray(0, 8));
    },
  };
}

/** The board's identification in the boot flash: offset 0x10 says a Malta with a CoreLV, whose system controller is a GT-64120. */
export function makeMaltaRevision(): Device {
  return {
    name: 'malta-revision',
    widest: 4,
    read: (offset, bytes) => (offset >>> 2 === 4 ? (0x420 >>> (8 * (offset & 3))) & (2 ** (8 * bytes) - 1) : 0),
    write: () => {},
  };
}
