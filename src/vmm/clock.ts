import type { Clock, Timer } from '../devices/device.ts';

interface Entry extends Timer {
  due: number;
  readonly fire: (due: number) => void;
}

/** The clock as the machine drives it. */
export interface MachineClock extends Clock {
  /** When the next timer is due, Infinity if none is set. */
  next(): number;
  /** Fires what is due, in order. */
  fireDue(): void;
  /** Called when a timer is set that is the next to be due. */
  onNext: (due: number) => void;
  /** Virtual time: so many instructions were completed. Host time: nothing. */
  completed(instructions: number): void;
  /** Whether somebody asked for the time since this was last set to false. */
  asked: boolean;
  /** Virtual time: instructions that take so many nanoseconds, rounded up. */
  instructionsIn(nanoseconds: number): number;
  /** Virtual time: idle up to `due`. Host time: nothing, the machine sleeps. */
  skip(due: number): void;
  /**
   * Host time: nothing happens in the guest for so long, so its clock goes on by as much of that as it is behind the host's. Gives how much, in
   * nanoseconds.
   */
  makeUp(nanoseconds: number): number;
  /** Whether an idle machine must sleep until a timer is due. */
  readonly sleeps: boolean;
  /** Time stands still from `stop` to `start`. */
  start(): void;
  stop(): void;
  /** Sets it, for a restored snapshot. */
  set(now: number, date: number): void;
}

export type TimeSource =
  /** The host's time passes in the guest, but for `away`, nanoseconds so far in which the engine kept it from running: those are made up for later. */
  | { readonly kind: 'host'; readonly monotonic: () => number; readonly date: () => number; readonly away: () => number }
  /** Each instruction takes so many nanoseconds, idle time takes none: runs repeat exactly. */
  | { readonly kind: 'virtual'; readonly nanosecondsPerInstruction: number; readonly date: number };

/** Nanoseconds that a guest's clock may be behind the host's. */
const MOST_BEHIND = 1e9;

export function makeClock(source: TimeSource): MachineClock {
  const timers = new Set<Entry>();
  let next = Number.POSITIVE_INFINITY;
  let base = 0;
  let startedAt: number | undefined;
  /** date() − now(), in milliseconds. */
  let epoch = source.kind === 'host' ? source.date() : source.date;

  let madeUp = 0;
  let latest = 0;

  function behind(): number {
    if (source.kind === 'virtual') return 0;
    const away = source.away();
    madeUp = Math.max(madeUp, away - MOST_BEHIND);
    return away - madeUp;
  }
  const passed = (): number => (source.kind === 'host' && startedAt !== undefined ? source.monotonic() - startedAt : 0);
  const now = (): number => {
    clock.asked = true;
    latest = Math.max(latest, base + Math.floor(passed() - behind()));
    return latest;
  };
  const findNext = (): void => {
    next = Number.POSITIVE_INFINITY;
    for (const { due } of timers) if (due < next) next = due;
  };

  const clock: MachineClock = {
    onNext: () => {},
    asked: false,
    sleeps: source.kind === 'host',
    now,
    date: () => epoch + now() / 1e6,
    timer(fire) {
      const entry: Entry = {
        due: Number.POSITIVE_INFINITY,
        fire,
        set(due) {
          const was = entry.due;
          entry.due = due;
          if (due < next) {
            next = due;
            clock.onNext(due);
          } else if (was === next) findNext();
        },
        cancel: () => entry.set(Number.POSITIVE_INFINITY),
      };
      timers.add(entry);
      return entry;
    },
    next: () => next,
    fireDue() {
      const time = now();
      while (next <= time) {
        let first: Entry | undefined;
        for (const entry of timers) if (entry.due === next) first ??= entry;
        if (!first) return findNext();
        const due = first.due;
        first.set(Number.POSITIVE_INFINITY);
        first.fire(due);
      }
    },
    completed(instructions) {
      if (source.kind === 'virtual') base += instructions * source.nanosecondsPerInstruction;
    },
    instructionsIn: (nanoseconds) =>
      source.kind === 'virtual' ? Math.ceil(nanoseconds / source.nanosecondsPerInstruction) : Number.POSITIVE_INFINITY,
    skip(due) {
      if (source.kind === 'virtual' && due > base) base = due;
    },
    start() {
      if (source.kind === 'host') startedAt ??= source.monotonic();
    },
    stop() {
      base += Math.floor(passed());
      startedAt = undefined;
    },
    makeUp(nanoseconds) {
      const made = Math.max(0, Math.min(nanoseconds, behind()));
      madeUp += made;
      return made;
    },
    set(time, date) {
      clock.makeUp(Number.POSITIVE_INFINITY);
      base = time;
      latest = time;
      if (startedAt !== undefined && source.kind === 'host') startedAt = source.monotonic();
      epoch = date - time / 1e6;
    },
  };
  return clock;
}
