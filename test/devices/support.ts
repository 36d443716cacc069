import { type MachineClock, makeClock } from '../../src/vmm/clock.ts';

/** A clock that stands still until the test lets time pass. */
export interface TestClock extends MachineClock {
  /** Lets nanoseconds pass, firing each timer at its time. */
  pass(nanoseconds: number): void;
}

export function testClock(date = Date.UTC(2024, 1, 29, 23, 59, 58)): TestClock {
  const clock = makeClock({ kind: 'virtual', nanosecondsPerInstruction: 1, date });
  return {
    ...clock,
    pass(nanoseconds) {
      const end = clock.now() + nanoseconds;
      while (clock.next() <= end) {
        clock.skip(Math.max(clock.next(), clock.now()));
        clock.fireDue();
      }
      clock.skip(end);
    },
  };
}

/** An interrupt line that remembers. */
export function probe(): { line: (level: boolean) => void; readonly level: boolean; readonly rises: number } {
  let level = false;
  let rises = 0;
  return {
    line(high) {
      if (high && !level) rises++;
      level = high;
    },
    get level() {
      return level;
    },
    get rises() {
      return rises;
    },
  };
}
