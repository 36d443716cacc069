// QEMU's firmware configuration device (docs/specs/fw_cfg of QEMU), without DMA: files that a firmware asks for by name.
import type { Device, Stateful } from './device.ts';

const enum Key {
  Signature = 0x00,
  Features = 0x01,
  Directory = 0x19,
  FirstFile = 0x20,
}
const NAME = 56;
/** The traditional interface: selector and data port. */
const TRADITIONAL = 1;

/** Offsets: 0 the selector, 16 bits; 1 the data, byte by byte. What is beyond an item's end, or no item, reads as zeros. */
export function makeFwCfg(files: Readonly<Record<string, Uint8Array>>): Device & Stateful {
  const names = Object.keys(files).sort();
  const directory = new Uint8Array(4 + names.length * (8 + NAME));
  const view = new DataView(directory.buffer);
  view.setUint32(0, names.length);
  names.forEach((name, index) => {
    const at = 4 + index * (8 + NAME);
    view.setUint32(at, files[name].length);
    view.setUint16(at + 4, Key.FirstFile + index);
    directory.set(new TextEncoder().encode(name).subarray(0, NAME - 1), at + 8);
  });
  const items = new Map<number, Uint8Array>([
    [Key.Signature, new TextEncoder().encode('QEMU')],
    [Key.Features, Uint8Array.of(TRADITIONAL, 0, 0, 0)],
    [Key.Directory, directory],
    ...names.map((name, index): [number, Uint8Array] => [Key.FirstFile + index, files[name]]),
  ]);
  let selected = 0;
  let offset = 0;
  return {
    name: 'fw-cfg',
    widest: 2,
    read(at, bytes) {
      if (at !== 1 || bytes !== 1) return 0;
      return items.get(selected)?.[offset++] ?? 0;
    },
    write(at, bytes, value) {
      if (at !== 0 || bytes !== 2) return;
      selected = value;
      offset = 0;
    },
    reset() {
      selected = offset = 0;
    },
    save: () => [selected, offset],
    restore(saved) {
      [selected, offset] = saved as [number, number];
    },
  };
}
