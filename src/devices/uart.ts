// National Semiconductor PC16550D. Offsets 0…7 are A2…A0 of the data sheet.
import type { Device, InterruptLine, Saved, Stateful } from './device.ts';

const enum Ier {
  Received = 1,
  Empty = 2,
  LineStatus = 4,
  ModemStatus = 8,
}
const enum Iir {
  None = 1,
  ModemStatus = 0,
  Empty = 2,
  Received = 4,
  LineStatus = 6,
  Timeout = 12,
  Fifo = 0xc0,
}
const enum Lsr {
  Ready = 1,
  Overrun = 2,
  Break = 0x10,
  HoldingEmpty = 0x20,
  TransmitterEmpty = 0x40,
}
const enum Mcr {
  Dtr = 1,
  Rts = 2,
  Out1 = 4,
  Out2 = 8,
  Loop = 0x10,
}
const DLAB = 0x80;
const FIFO_SIZE = 16;
/** Trigger levels of the receive FIFO, FCR bits 7…6. */
const TRIGGER = [1, 4, 8, 14];
/** CTS, DSR and DCD: somebody listens. */
const MODEM = 0xb0;

export interface Uart extends Device, Stateful {
  /** Bytes from the other end. What does not fit now is taken over as the guest reads. */
  receive(bytes: Uint8Array): void;
  /** Bytes from the other end that the guest has not read yet. */
  readonly waiting: number;
}

export interface UartOptions {
  readonly name?: string;
  /** log2 of the distance between registers. */
  readonly shift?: number;
  /** A byte that the guest sends. */
  readonly transmit: (byte: number) => void;
  readonly irq: InterruptLine;
  /** The interrupt output is gated by OUT2, as in a PC. */
  readonly gated?: boolean;
}

export function makeUart(options: UartOptions): Uart {
  const { irq, transmit } = options;
  const shift = options.shift ?? 0;
  const gated = options.gated ?? true;
  let ier = 0;
  let fcr = 0;
  let lcr = 0;
  let mcr = 0;
  let lsr: number = Lsr.HoldingEmpty | Lsr.TransmitterEmpty;
  let scratch = 0;
  let divisor = 1;
  let modemDelta = 0;
  /** The transmitter has become empty, and nobody was told yet. */
  let emptyPending = false;
  let fifo: number[] = [];
  const pending: Uint8Array[] = [];
  let pendingAt = 0;

  const limit = (): number => (fcr & 1 ? FIFO_SIZE : 1);
  const modem = (): number => {
    if (!(mcr & Mcr.Loop)) return MODEM;
    // loop back: RTS → CTS, DTR → DSR, OUT1 → RI, OUT2 → DCD
    return (mcr & Mcr.Rts ? 0x10 : 0) | (mcr & Mcr.Dtr ? 0x20 : 0) | (mcr & Mcr.Out1 ? 0x40 : 0) | (mcr & Mcr.Out2 ? 0x80 : 0);
  };

  function cause(): number {
    if (ier & Ier.LineStatus && lsr & (Lsr.Overrun | Lsr.Break)) return Iir.LineStatus;
    if (ier & Ier.Received && fifo.length > 0) {
      const level = fcr & 1 ? TRIGGER[fcr >>> 6] : 1;
      // fewer than the level: nothing more comes for now, which is the time-out
      return fifo.length >= level ? Iir.Received : Iir.Timeout;
    }
    if (ier & Ier.Empty && emptyPending) return Iir.Empty;
    if (ier & Ier.ModemStatus && modemDelta) return Iir.ModemStatus;
    return Iir.None;
  }
  const settle = (): void => irq(cause() !== Iir.None && (!gated || (mcr & Mcr.Out2) !== 0) && !(mcr & Mcr.Loop));

  function refill(): void {
    while (fifo.length < limit() && pending.length > 0 && !(mcr & Mcr.Loop)) {
      const first = pending[0];
      fifo.push(first[pendingAt++]);
      if (pendingAt === first.length) {
        pending.shift();
        pendingAt = 0;
      }
    }
    lsr = fifo.length > 0 ? lsr | Lsr.Ready : lsr & ~Lsr.Ready;
    settle();
  }

  function send(byte: number): void {
    emptyPending = true;
    if (mcr & Mcr.Loop) {
      if (fifo.length < limit()) fifo.push(byte);
      else lsr |= Lsr.Overrun;
      refill();
    } else transmit(byte);
    settle();
  }

  function setMcr(value: number): void {
    const before = modem();
    mcr = value & 0x1f;
    const after = modem();
    const changed = (before ^ after) & 0xb0;
    // RI notes its trailing edge
    modemDelta |= (changed >>> 4) | (before & ~after & 0x40 ? 4 : 0);
    refill();
  }

  function read(register: number): number {
    switch (register) {
      case 0: {
        if (lcr & DLAB) return divisor & 0xff;
        const byte = fifo.shift() ?? 0;
        refill();
        return byte;
      }
      case 1:
        return lcr & DLAB ? divisor >>> 8 : ier;
      case 2: {
        const value = cause();
        if (value === Iir.Empty) {
          emptyPending = false;
          settle();
        }
        return value | (fcr & 1 ? Iir.Fifo : 0);
      }
      case 3:
        return lcr;
      case 4:
        return mcr;
      case 5: {
        const value = lsr;
        lsr &= ~(Lsr.Overrun | Lsr.Break);
        settle();
        return value;
      }
      case 6: {
        const value = modem() | modemDelta;
        modemDelta = 0;
        settle();
        return value;
      }
      default:
        return scratch;
    }
  }

  function write(register: number, value: number): void {
    switch (register) {
      case 0:
        if (lcr & DLAB) divisor = (divisor & 0xff00) | value;
        else send(value);
        break;
      case 1:
        if (lcr & DLAB) divisor = (divisor & 0xff) | (value << 8);
        else {
          // enabling it while the transmitter is empty asks at once
          if (value & ~ier & Ier.Empty) emptyPending = true;
          ier = value & 0xf;
          settle();
        }
        break;
      case 2:
        // changing bit 0 clears both FIFOs
        if (value & 2 || (value ^ fcr) & 1) fifo = [];
        fcr = value & 1 ? value & 0xc9 : 0;
        refill();
        break;
      case 3:
        lcr = value;
        break;
      case 4:
        setMcr(value);
        break;
      case 7:
        scratch = value;
        break;
    }
  }

  return {
    name: options.name ?? 'uart',
    widest: 1,
    read: (offset) => (offset & ((1 << shift) - 1) ? 0 : read((offset >>> shift) & 7)),
    write(offset, _bytes, value) {
      if (!(offset & ((1 << shift) - 1))) write((offset >>> shift) & 7, value);
    },
    receive(bytes) {
      if (bytes.length > 0) pending.push(bytes.slice());
      refill();
    },
    get waiting() {
      return fifo.length + pending.reduce((sum, bytes) => sum + bytes.length, 0) - pendingAt;
    },
    reset() {
      ier = fcr = lcr = mcr = 0;
      lsr = Lsr.HoldingEmpty | Lsr.TransmitterEmpty;
      modemDelta = 0;
      emptyPending = false;
      fifo = [];
      refill();
    },
    save: () => ({ registers: [ier, fcr, lcr, mcr, lsr, scratch, divisor, modemDelta, Number(emptyPending)], fifo }),
    restore(saved) {
      const state = saved as { registers: number[]; fifo: number[] };
      [ier, fcr, lcr, mcr, lsr, scratch, divisor, modemDelta] = state.registers;
      emptyPending = state.registers[8] !== 0;
      fifo = Array.from(state.fifo as readonly Saved[], Number);
      refill();
    },
  };
}
