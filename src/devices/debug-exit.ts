import type { Device } from './device.ts';

/** A port for test kernels: the value v that is written ends the machine with code 2v + 1, as with QEMU's isa-debug-exit. */
export function makeDebugExit(powerOff: (code: number) => void): Device {
  return {
    name: 'debug-exit',
    widest: 4,
    read: () => 0,
    write: (_offset, _bytes, value) => powerOff(((value << 1) | 1) & 0xff),
  };
}

/** Takes and ignores what is written; reads as `value`. For what guests touch and nothing hangs on: POST codes, DMA pages. */
export function makeLatch(name: string, size: number, value = 0): Device {
  const bytes = new Uint8Array(size).fill(value);
  return {
    name,
    widest: 1,
    read: (offset) => bytes[offset],
    write(offset, _bytes, written) {
      bytes[offset] = written;
    },
  };
}
