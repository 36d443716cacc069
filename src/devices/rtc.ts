// Motorola MC146818: real-time clock with CMOS memory. Offset 0 is the address latch, 1 the data.
import type { Clock, Device, InterruptLine, Stateful } from './device.ts';

const enum Register {
  Seconds = 0,
  SecondsAlarm = 1,
  Minutes = 2,
  MinutesAlarm = 3,
  Hours = 4,
  HoursAlarm = 5,
  WeekDay = 6,
  Day = 7,
  Month = 8,
  Year = 9,
  A = 10,
  B = 11,
  C = 12,
  D = 13,
  /** By convention of the PC. */
  Century = 0x32,
}
const enum B {
  Set = 0x80,
  Periodic = 0x40,
  Alarm = 0x20,
  Update = 0x10,
  Binary = 4,
  Hours24 = 2,
}
const UPDATE_IN_PROGRESS = 0x80;
/** Register A as the PC's firmware leaves it: 32,768 Hz, periodic rate 1,024 Hz. */
const DEFAULT_A = 0x26;
const VALID = 0x80;
/** Update-in-progress is set so long before an update (data sheet: tBUC) and while it lasts (tUC at 32,768 Hz). */
const BEFORE_UPDATE_MS = 0.244;
const UPDATE_MS = 1.984;
const SECOND_NS = 1e9;

export interface Rtc extends Device, Stateful {
  /** Sets a byte of CMOS memory, as firmware would. */
  set(index: number, value: number): void;
}

export interface RtcOptions {
  /** Bytes of memory, registers included. */
  readonly size?: number;
}

export function makeRtc(clock: Clock, irq8: InterruptLine, options: RtcOptions = {}): Rtc {
  const size = options.size ?? 128;
  const memory = new Uint8Array(size);
  let index = 0;
  /** What the guest set the clock ahead, in milliseconds. */
  let offset = 0;
  /** The time that is being set while B.Set holds the clock. */
  let held: Uint8Array | undefined;
  let flags = 0;
  /** Time from which the periodic interrupt is counted. */
  let periodicBase = 0;
  /** The second of date() that alarm and update were checked for last. */
  let second = Math.floor(clock.date() / 1000);

  const binary = (): boolean => (memory[Register.B] & B.Binary) !== 0;
  const encode = (value: number): number => (binary() ? value : ((Math.floor(value / 10) % 10) << 4) | (value % 10));
  const decode = (value: number): number => (binary() ? value : (value >>> 4) * 10 + (value & 15));
  const date = (): number => clock.date() + offset;
  const hours = (value: number): number => {
    if (memory[Register.B] & B.Hours24) return encode(value);
    return encode(value % 12 || 12) | (value >= 12 ? 0x80 : 0);
  };

  function field(register: number, at: number): number {
    const d = new Date(at);
    switch (register) {
      case Register.Seconds:
        return encode(d.getUTCSeconds());
      case Register.Minutes:
        return encode(d.getUTCMinutes());
      case Register.Hours:
        return hours(d.getUTCHours());
      case Register.WeekDay:
        return encode(d.getUTCDay() + 1);
      case Register.Day:
        return encode(d.getUTCDate());
      case Register.Month:
        return encode(d.getUTCMonth() + 1);
      case Register.Year:
        return encode(d.getUTCFullYear() % 100);
      default:
        return encode(Math.floor(d.getUTCFullYear() / 100));
    }
  }
  const isTime = (register: number): boolean =>
    register === Register.Century ||
    (register <= Register.Year &&
      register !== Register.SecondsAlarm &&
      register !== Register.MinutesAlarm &&
      register !== Register.HoursAlarm);
  const TIME = [0, 2, 4, 6, 7, 8, 9, Register.Century];

  function writeTime(register: number, value: number): void {
    const now = date();
    const bytes = held ?? Uint8Array.from(memory);
    if (!held) for (const r of TIME) bytes[r] = field(r, now);
    bytes[register] = value;
    if (!held) apply(bytes, now);
  }
  /** The clock goes on from these registers. */
  function apply(bytes: Uint8Array, now: number): void {
    const hourByte = bytes[Register.Hours];
    const hour = memory[Register.B] & B.Hours24 ? decode(hourByte) : (decode(hourByte & 0x7f) % 12) + (hourByte & 0x80 ? 12 : 0);
    const year = decode(bytes[Register.Century]) * 100 + decode(bytes[Register.Year]);
    const set = Date.UTC(
      year,
      decode(bytes[Register.Month]) - 1,
      decode(bytes[Register.Day]),
      hour,
      decode(bytes[Register.Minutes]),
      decode(bytes[Register.Seconds]),
    );
    // years below 100 are 19xx to Date.UTC; NaN cannot come, decoded bytes are numbers
    offset += set - Math.floor(now / 1000) * 1000;
    second = Math.floor(date() / 1000);
    arm();
  }

  const periodicRate = (): number => {
    const rate = memory[Register.A] & 15;
    return rate === 0 ? 0 : rate < 3 ? 256 >>> (rate - 1) : 65536 >>> rate;
  };
  const raise = (bits: number): void => {
    flags |= bits;
    irq8((flags & memory[Register.B] & 0x70) !== 0);
  };
  const matches = (register: number, value: number): boolean => (memory[register] & 0xc0) === 0xc0 || memory[register] === value;

  function passSecond(): void {
    const at = Math.floor(date() / 1000) * 1000;
    const alarm =
      matches(Register.SecondsAlarm, field(Register.Seconds, at)) &&
      matches(Register.MinutesAlarm, field(Register.Minutes, at)) &&
      matches(Register.HoursAlarm, field(Register.Hours, at));
    raise(B.Update | (alarm ? B.Alarm : 0));
  }
  /** A second passed of which nobody was told by a timer, since nobody had asked for interrupts. */
  function catchUp(): void {
    if (memory[Register.B] & B.Set) return;
    const current = Math.floor(date() / 1000);
    if (current === second) return;
    second = current;
    passSecond();
  }

  const secondTimer = clock.timer(() => {
    catchUp();
    arm();
  });
  const periodicTimer = clock.timer((due) => {
    raise(B.Periodic);
    const rate = periodicRate();
    // what was missed is not made up for
    if (rate && memory[Register.B] & B.Periodic) periodicTimer.set(Math.max(due, clock.now() - SECOND_NS) + SECOND_NS / rate);
  });
  function arm(): void {
    const b = memory[Register.B];
    if (b & (B.Alarm | B.Update) && !(b & B.Set)) {
      const now = date();
      secondTimer.set(clock.now() + Math.ceil((Math.floor(now / 1000) * 1000 + 1000 - now) * 1e6));
    } else secondTimer.cancel();
    const rate = periodicRate();
    if (b & B.Periodic && rate) {
      if (periodicTimer.due === Number.POSITIVE_INFINITY) {
        periodicBase = clock.now();
        periodicTimer.set(periodicBase + SECOND_NS / rate);
      }
    } else periodicTimer.cancel();
  }

  function read(register: number): number {
    if (held && isTime(register)) return held[register];
    if (isTime(register)) return field(register, date());
    switch (register) {
      case Register.A: {
        const phase = date() % 1000;
        const updates = !held && (phase >= 1000 - BEFORE_UPDATE_MS || phase < UPDATE_MS);
        return memory[Register.A] | (updates ? UPDATE_IN_PROGRESS : 0);
      }
      case Register.C: {
        catchUp();
        if (periodicRate() && !(memory[Register.B] & B.Periodic)) flags |= B.Periodic;
        const value = flags | (flags & memory[Register.B] & 0x70 ? 0x80 : 0);
        flags = 0;
        irq8(false);
        return value;
      }
      case Register.D:
        return VALID;
      default:
        return memory[register];
    }
  }

  function write(register: number, value: number): void {
    if (isTime(register)) {
      writeTime(register, value);
      return;
    }
    switch (register) {
      case Register.A: {
        const changes = (memory[Register.A] ^ value) & 15;
        memory[Register.A] = value & 0x7f;
        if (changes) periodicTimer.cancel();
        arm();
        break;
      }
      case Register.B: {
        const now = date();
        const holds = (value & B.Set) !== 0;
        if (holds && !held) {
          held = new Uint8Array(Math.max(size, Register.Century + 1));
          for (const r of TIME) held[r] = field(r, now);
        }
        memory[Register.B] = holds ? value & ~B.Update : value;
        if (!holds && held) {
          const bytes = held;
          held = undefined;
          apply(bytes, now);
        }
        irq8((flags & memory[Register.B] & 0x70) !== 0);
        arm();
        break;
      }
      case Register.C:
      case Register.D:
        return;
      default:
        memory[register] = value;
    }
  }

  function reset(): void {
    // RESET clears interrupt enables and flags; time and memory are on the battery
    memory[Register.B] &= ~(B.Periodic | B.Alarm | B.Update);
    flags = 0;
    irq8(false);
    arm();
  }
  memory[Register.A] = DEFAULT_A;
  memory[Register.B] = B.Hours24;

  return {
    name: 'rtc',
    widest: 1,
    read: (at) => (at & 1 ? read(index) : index),
    write(at, _bytes, value) {
      if (at & 1) write(index, value);
      else index = value & (size - 1);
    },
    set(at, value) {
      memory[at] = value;
    },
    reset,
    save: () => ({ memory: memory.slice(), index, offset, held: held ?? null, flags, periodicDue: saveDue(periodicTimer.due) }),
    restore(saved) {
      const state = saved as {
        memory: Uint8Array;
        index: number;
        offset: number;
        held: Uint8Array | null;
        flags: number;
        periodicDue: number | null;
      };
      memory.set(state.memory);
      index = state.index & (size - 1);
      offset = state.offset;
      held = state.held ?? undefined;
      flags = state.flags;
      second = Math.floor(date() / 1000);
      periodicTimer.cancel();
      arm();
      if (state.periodicDue !== null) periodicTimer.set(state.periodicDue);
      irq8((flags & memory[Register.B] & 0x70) !== 0);
    },
  };
}

const saveDue = (due: number): number | null => (due === Number.POSITIVE_INFINITY ? null : due);
