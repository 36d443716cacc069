// Power management ports of the PIIX4 (data sheet 7.2), which are those of ACPI: PM1 event and control block, power management timer.
import type { Clock, Device, InterruptLine, Stateful } from './device.ts';

/** ACPI 4.8.3.3. */
const PM_TIMER_HERTZ = 3_579_545;
const TIMER_BITS = 24;

const enum Pm1 {
  TimerStatus = 1,
  PowerButton = 0x100,
  /** Control: SCI_EN, and SLP_EN with SLP_TYP in bits 12…10. */
  SciEnable = 1,
  SleepEnable = 0x2000,
}

export interface AcpiPm extends Device, Stateful {
  /** The power button is pressed. */
  pressPower(): void;
}

export interface AcpiPmOptions {
  readonly sci: InterruptLine;
  /** Value of SLP_TYP with which SLP_EN switches off: \_S5 of the tables. */
  readonly softOff: number;
  readonly powerOff: () => void;
  /** The firmware handed over in ACPI mode. */
  readonly acpiMode: boolean;
}

/** Offsets: 0 PM1 status, 2 PM1 enable, 4 PM1 control, 8 timer, 12 GPE status, 14 GPE enable. */
export function makeAcpiPm(clock: Clock, options: AcpiPmOptions): AcpiPm {
  let status = 0;
  let enable = 0;
  let control = options.acpiMode ? Pm1.SciEnable : 0;
  /** Registers that do nothing here keep what is written. */
  const others = new Uint8Array(64);
  /** Half periods of the timer that status bit 0 has been told of. */
  let seen = 0;
  const ticks = (): number => Math.floor((clock.now() * PM_TIMER_HERTZ) / 1e9);
  const halves = (): number => Math.floor(ticks() / 2 ** (TIMER_BITS - 1));
  /** TMR_STS is set as the timer's highest bit changes. */
  const overflow = clock.timer(() => {
    settle();
  });
  function settle(): void {
    const now = halves();
    if (now !== seen) status |= Pm1.TimerStatus;
    seen = now;
    options.sci((status & enable) !== 0 && (control & Pm1.SciEnable) !== 0);
    if (enable & Pm1.TimerStatus && !(status & Pm1.TimerStatus))
      overflow.set(Math.ceil(((now + 1) * 2 ** (TIMER_BITS - 1) * 1e9) / PM_TIMER_HERTZ));
    else overflow.cancel();
  }

  function read16(offset: number): number {
    switch (offset) {
      case 0:
        settle();
        return status;
      case 2:
        return enable;
      case 4:
        return control;
      case 8:
        return ticks() & 0xffff;
      case 10:
        return Math.floor(ticks() / 65536) & 0xff;
      default:
        return others[offset] | (others[offset + 1] << 8);
    }
  }
  function write16(offset: number, value: number): void {
    switch (offset) {
      case 0:
        settle();
        status &= ~value;
        settle();
        break;
      case 2:
        enable = value;
        settle();
        break;
      case 4:
        control = value & 0x1c07;
        settle();
        if (value & Pm1.SleepEnable && ((value >>> 10) & 7) === options.softOff) options.powerOff();
        break;
      case 8:
      case 10:
        break;
      case 12:
        // GPE status: nothing sets it, ones clear it
        break;
      default:
        others[offset] = value;
        others[offset + 1] = value >>> 8;
    }
  }

  return {
    name: 'acpi-pm',
    widest: 4,
    read(offset, bytes) {
      if (bytes === 4) return (read16(offset & ~3) | (read16((offset & ~3) + 2) << 16)) >>> 0;
      const value = read16(offset & ~1);
      return bytes === 2 ? value : (value >>> (8 * (offset & 1))) & 0xff;
    },
    write(offset, bytes, value) {
      if (bytes === 4) {
        write16(offset & ~3, value & 0xffff);
        write16((offset & ~3) + 2, value >>> 16);
      } else if (bytes === 2) write16(offset & ~1, value);
      else {
        // status bits are cleared by ones: the other byte must not be written back
        const other = (offset & ~1) === 0 ? 0 : read16(offset & ~1) & (offset & 1 ? 0xff : 0xff00);
        write16(offset & ~1, other | (value << (8 * (offset & 1))));
      }
    },
    pressPower() {
      status |= Pm1.PowerButton;
      settle();
    },
    reset() {
      status = enable = 0;
      control = options.acpiMode ? Pm1.SciEnable : 0;
      others.fill(0);
      seen = halves();
      settle();
    },
    save: () => ({ status, enable, control, others: others.slice(), seen }),
    restore(saved) {
      const state = saved as { status: number; enable: number; control: number; others: Uint8Array; seen: number };
      ({ status, enable, control, seen } = state);
      others.set(state.others);
      settle();
    },
  };
}
