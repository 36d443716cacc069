// System control port A (0x92) of the PS/2, and of the PIIX the reset control register (0xcf9) and the coprocessor error register (0xf0).
import type { Device, InterruptLine } from './device.ts';

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

/** PIIX data sheet: a write ends the interrupt that an error of the x87 has raised. IGNNE# is not there: a handler uses FNCLEX and the like. */
export function makeCoprocessorError(irq13: InterruptLine): Device {
  return {
    name: 'coprocessor-error',
    widest: 1,
    read: () => 0xff,
    write(offset) {
      if (offset === 0) irq13(false);
    },
  };
}
