// System control port A (0x92) of the PS/2, and the reset control register (0xcf9) of the PIIX.
import type { Device } from './device.ts';

/** Bit 0: a fast reset, on its rising edge. Bit 1: address line 20. */
export function makePort92(options: {
  readonly reset: () => void;
  readonly a20: (on: boolean) => void;
  readonly a20State: () => boolean;
}): Device {
  return {
    name: 'port92',
    widest: 1,
    read: () => (options.a20State() ? 2 : 0),
    write(_offset, _bytes, value) {
      options.a20((value & 2) !== 0);
      if (value & 1) options.reset();
    },
  };
}

/** PIIX data sheet, reset control register: bit 2 on its rising edge resets the processor, with bit 1 the whole board. */
export function makeResetControl(reset: () => void): Device {
  let value = 0;
  return {
    name: 'reset-control',
    widest: 1,
    read: () => value,
    write(_offset, _bytes, written) {
      const rises = written & ~value & 4;
      value = written & 2;
      if (rises) reset();
    },
  };
}
