// Intel 8254 programmable interval timer. Offsets 0…2 the counters, 3 the control word; and the PC's port 0x61 (gate and output of counter 2).
import type { Clock, Device, InterruptLine, Saved, Stateful, Timer } from './device.ts';

/** 1.193182 MHz: a twelfth of the colour burst's quadruple. */
export const PIT_HERTZ = 14_318_180 / 12;
const TICKS_PER_NS = PIT_HERTZ / 1e9;
/** More periods at a time are lost: some seconds of Linux'. */
const MOST_OWED = 1000;

const enum Access {
  Latch = 0,
  Low = 1,
  High = 2,
  Both = 3,
}

class Counter {
  mode = 0;
  bcd = false;
  access: number = Access.Both;
  /** The count register (1…65536), as the counting element takes it. */
  reload = 65536;
  gate = true;
  /** Time at which counting started from `reload`; undefined while it has no count, or waits for its gate. */
  started: number | undefined;
  /** A count was loaded, or has been since the control word. */
  loaded = false;
  /** Modes 4 and 5: the strobe of this count is still to come. */
  private strobes = false;
  /** Periods that went by unseen, since the host was busy or slept on: a guest counts them, so each interrupts late. */
  private owed = 0;
  private frozen = 0;
  private writeLow: number | undefined;
  private readHigh = false;
  private latched: number | undefined;
  private latchedStatus: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly output: InterruptLine | undefined,
    private readonly timer: Timer | undefined,
  ) {}

  save(): Saved {
    const { mode, bcd, access, reload, gate, started, loaded, frozen, writeLow, readHigh, latched, latchedStatus, strobes, owed } = this;
    return [
      mode,
      bcd,
      access,
      reload,
      gate,
      started ?? null,
      loaded,
      frozen,
      writeLow ?? null,
      readHigh,
      latched ?? null,
      latchedStatus ?? null,
      strobes,
      owed,
    ];
  }
  restore(saved: Saved): void {
    const v = saved as (number | boolean | null)[];
    const number = (i: number): number => Number(v[i]);
    const maybe = (i: number): number | undefined => (v[i] === null ? undefined : Number(v[i]));
    this.mode = number(0);
    this.bcd = Boolean(v[1]);
    this.access = number(2);
    this.reload = number(3);
    this.gate = Boolean(v[4]);
    this.started = maybe(5);
    this.loaded = Boolean(v[6]);
    this.frozen = number(7);
    this.writeLow = maybe(8);
    this.readHigh = Boolean(v[9]);
    this.latched = maybe(10);
    this.latchedStatus = maybe(11);
    this.strobes = Boolean(v[12]);
    this.owed = number(13);
    // a periodic output stays high until its next period, which `out` does not tell; the interrupt controller knows
    if (this.periodic) this.setTimer(this.ticks());
    else this.settle();
  }

  private get periodic(): boolean {
    return this.mode === 2 || this.mode === 3;
  }
  private ticks(): number {
    return this.started === undefined ? 0 : Math.floor((this.clock.now() - this.started) * TICKS_PER_NS);
  }

  out(t = this.ticks()): boolean {
    if (!this.loaded) return this.mode !== 0;
    const n = this.reload;
    const running = this.started !== undefined;
    switch (this.mode) {
      case 0:
        return running ? t >= n : this.frozen <= 0;
      case 1:
        return !running || t >= n;
      case 2:
        return !running || t % n !== n - 1;
      case 3:
        return !running || t % n < Math.ceil(n / 2);
      default:
        // 4 and 5: low for the one clock at the end, see `fired`
        return true;
    }
  }

  private count(): number {
    const n = this.reload;
    const t = this.ticks();
    let value: number;
    if (this.started === undefined) value = this.mode === 0 ? this.frozen : n;
    else if (this.mode === 3) {
      const phase = t % n;
      const half = Math.ceil(n / 2);
      value = n - (n & 1) - 2 * (phase < half ? phase : phase - half);
    } else if (this.mode === 2) value = n - (t % n);
    else value = n - t;
    const wrap = this.bcd ? 10000 : 65536;
    value = ((value % wrap) + wrap) % wrap;
    return this.bcd ? toBcd(value) : value;
  }

  control(value: number): void {
    const access = (value >>> 4) & 3;
    if (access === Access.Latch) {
      this.latched ??= this.count();
      return;
    }
    this.access = access;
    const mode = (value >>> 1) & 7;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.bcd = (value & 1) !== 0;
    this.writeLow = undefined;
    this.readHigh = false;
    this.latched = undefined;
    this.latchedStatus = undefined;
    this.loaded = false;
    this.started = undefined;
    this.frozen = 0;
    this.owed = 0;
    this.settle();
  }

  /** Read-back command: `value` as written to the control word, for this counter. */
  readBack(value: number): void {
    if (!(value & 0x20)) this.latched ??= this.count();
    if (!(value & 0x10))
      this.latchedStatus ??=
        (this.out() ? 0x80 : 0) | (this.loaded ? 0 : 0x40) | (this.access << 4) | (this.mode << 1) | (this.bcd ? 1 : 0);
  }

  read(): number {
    if (this.latchedStatus !== undefined) {
      const status = this.latchedStatus;
      this.latchedStatus = undefined;
      return status;
    }
    const value = this.latched ?? this.count();
    const high = this.access === Access.High || (this.access === Access.Both && this.readHigh);
    if (this.access === Access.Both) this.readHigh = !this.readHigh;
    if (this.access !== Access.Both || high) this.latched = undefined;
    return high ? value >>> 8 : value & 0xff;
  }

  write(value: number): void {
    if (this.access === Access.Both && this.writeLow === undefined) {
      this.writeLow = value;
      // mode 0: the first byte stops the counter
      if (this.mode === 0) {
        this.started = undefined;
        this.settle();
      }
      return;
    }
    const low = this.access === Access.High ? 0 : this.access === Access.Both ? this.writeLow! : value;
    const word = (this.access === Access.Low ? 0 : value << 8) | low;
    this.writeLow = undefined;
    this.load(this.bcd ? fromBcd(word) || 10000 : word || 65536);
  }

  private load(count: number): void {
    const now = this.clock.now();
    // modes 2 and 3 go on with the present period and take the new count after it; so short a difference is not modelled
    this.reload = count;
    this.loaded = true;
    this.frozen = count;
    this.strobes = this.mode === 4 || this.mode === 5;
    const triggered = this.mode === 1 || this.mode === 5;
    if (!triggered) this.started = this.gate ? now : undefined;
    this.settle();
  }

  setGate(gate: boolean): void {
    if (gate === this.gate) return;
    const now = this.clock.now();
    if (gate) {
      if (this.loaded && (this.mode === 0 || this.mode === 4)) this.started = now - (this.reload - this.frozen) / TICKS_PER_NS;
      else if (this.loaded) this.started = now;
    } else if (this.mode === 0 || this.mode === 4) {
      this.frozen = this.reload - this.ticks();
      this.started = undefined;
    } else if (this.periodic) this.started = undefined;
    this.gate = gate;
    this.settle();
  }

  /** Drives the output and sets the timer for its next edge, both as of one time: no edge may fall between. */
  settle(): void {
    if (!this.output) return;
    const t = this.ticks();
    this.output(this.out(t));
    this.setTimer(t);
  }
  private setTimer(t: number): void {
    if (!this.timer) return;
    const next = this.nextEdge(t);
    if (next === undefined) this.timer.cancel();
    else this.timer.set(next);
  }
  private nextEdge(t: number): number | undefined {
    if (this.started === undefined || !this.loaded) return undefined;
    const n = this.reload;
    const at = (tick: number): number => Math.ceil(this.started! + tick / TICKS_PER_NS);
    if (this.periodic) return at((Math.floor(t / n) + 1) * n);
    // what is overdue, since the host was busy, is due at once
    return t < n || this.strobes ? at(n) : undefined;
  }

  /** The timer was due. What it shows for one clock only would be missed by who looks later: a new period, the strobe of modes 4 and 5. */
  fired(due: number): void {
    const strobe = this.strobes;
    this.strobes = false;
    if (this.periodic) this.owed = Math.min(MOST_OWED, this.owed + Math.floor(((this.clock.now() - due) * TICKS_PER_NS) / this.reload));
    if ((this.periodic || strobe) && this.started !== undefined) this.pulse();
    this.settle();
  }
  private pulse(): void {
    this.output?.(false);
    this.output?.(true);
  }
  /** The interrupt controller has taken the last edge. */
  taken(): void {
    if (this.owed === 0 || !this.periodic || this.started === undefined) return;
    this.owed--;
    this.pulse();
  }
}

const toBcd = (value: number): number => {
  let result = 0;
  for (let shift = 0, rest = value; shift < 16; shift += 4, rest = Math.floor(rest / 10)) result |= (rest % 10) << shift;
  return result;
};
const fromBcd = (value: number): number =>
  (value & 15) + ((value >>> 4) & 15) * 10 + ((value >>> 8) & 15) * 100 + ((value >>> 12) & 15) * 1000;

export interface Pit extends Device, Stateful {
  /** Port 0x61: bit 0 gates counter 2, bit 1 the speaker; bit 4 toggles, bit 5 is counter 2's output. */
  readonly port61: Device;
  /** The processor has taken the interrupt of counter 0. */
  taken(): void;
}

/** `irq0` is counter 0's output. */
export function makePit(clock: Clock, irq0: InterruptLine): Pit {
  const timer = clock.timer((due) => counters[0].fired(due));
  const counters = [new Counter(clock, irq0, timer), new Counter(clock, undefined, undefined), new Counter(clock, undefined, undefined)];
  let speaker = 0;
  counters[2].gate = false;
  return {
    name: 'pit',
    widest: 1,
    read: (offset) => (offset === 3 ? 0xff : counters[offset].read()),
    write(offset, _bytes, value) {
      if (offset < 3) counters[offset].write(value);
      else if (value >>> 6 < 3) counters[value >>> 6].control(value);
      else
        for (const index of [0, 1, 2]) {
          if (value & (2 << index)) counters[index].readBack(value);
        }
    },
    port61: {
      name: 'port61',
      widest: 1,
      // bit 4: refresh, toggles every 15 µs
      read: () => speaker | ((Math.floor(clock.now() / 15_085) & 1) << 4) | (counters[2].out() ? 0x20 : 0),
      write(_offset, _bytes, value) {
        speaker = value & 0xf;
        counters[2].setGate((value & 1) !== 0);
      },
    },
    taken: () => counters[0].taken(),
    reset() {
      for (const counter of counters) counter.control(0x30);
      speaker = 0;
      counters[2].setGate(false);
    },
    save: () => [speaker, ...counters.map((counter) => counter.save())],
    restore(saved) {
      const [port, ...rest] = saved as readonly Saved[];
      speaker = Number(port);
      counters.forEach((counter, index) => {
        counter.restore(rest[index]);
      });
    },
  };
}
