import { describe, expect, test } from 'vitest';
import { makePit, PIT_HERTZ } from '../../src/devices/pit.ts';
import { probe, testClock } from './support.ts';

const TICK = 1e9 / PIT_HERTZ;

function made() {
  const clock = testClock();
  const irq = probe();
  return { clock, irq, pit: makePit(clock, irq.line) };
}
const count = (pit: ReturnType<typeof makePit>, counter: number): number => {
  pit.write(3, 1, counter << 6);
  return pit.read(counter, 1) | (pit.read(counter, 1) << 8);
};

describe('8254', () => {
  test('mode 2 at 100 Hz interrupts a hundred times a second', () => {
    const { clock, irq, pit } = made();
    pit.write(3, 1, 0x34);
    pit.write(0, 1, 11932 & 0xff);
    pit.write(0, 1, 11932 >> 8);
    const before = irq.rises;
    clock.pass(1e9);
    expect(irq.rises - before).toBe(99);
    clock.pass(1e9);
    expect(irq.rises - before).toBe(199);
  });

  test('periods that nobody looked at interrupt one after the other, each when the one before was taken', () => {
    const { clock, irq, pit } = made();
    pit.write(3, 1, 0x34);
    pit.write(0, 1, 11932 & 0xff);
    pit.write(0, 1, 11932 >> 8);
    const before = irq.rises;
    clock.skip(clock.now() + 55e6);
    clock.fireDue();
    expect(irq.rises - before).toBe(1);
    for (let n = 2; n <= 5; n++) {
      pit.taken();
      expect(irq.rises - before).toBe(n);
    }
    pit.taken();
    expect(irq.rises - before).toBe(5);
    clock.pass(10e6);
    expect(irq.rises - before).toBe(6);
    // a new count owes nothing
    clock.skip(clock.now() + 1e9);
    clock.fireDue();
    pit.write(3, 1, 0x34);
    const after = irq.rises;
    pit.taken();
    expect(irq.rises).toBe(after);
  });

  test('mode 0 raises its output though it comes to its end while it is set', () => {
    for (let late = 1; late < 8; late++) {
      const clock = testClock();
      let asked = 0;
      const irq = probe();
      // the host is late when the time is asked for the n-th time
      const now = (): number => {
        if (asked++ === late) clock.skip(clock.now() + 10 * TICK);
        return clock.now();
      };
      const pit = makePit({ ...clock, now }, irq.line);
      pit.write(3, 1, 0x30);
      pit.write(0, 1, 5);
      pit.write(0, 1, 0);
      clock.pass(1e6);
      expect([irq.rises, irq.level]).toEqual([1, true]);
    }
  });

  test('mode 0 raises its output once, at the terminal count', () => {
    const { clock, irq, pit } = made();
    pit.write(3, 1, 0x30);
    expect(irq.level).toBe(false);
    pit.write(0, 1, 1000 & 0xff);
    pit.write(0, 1, 1000 >> 8);
    clock.pass(TICK * 990);
    expect(irq.level).toBe(false);
    clock.pass(TICK * 20);
    expect(irq.level).toBe(true);
    clock.pass(1e9);
    expect(irq.rises).toBe(1);
  });

  test('mode 4 interrupts once for each count, however late somebody looks', () => {
    const { clock, irq, pit } = made();
    pit.write(3, 1, 0x38);
    const before = irq.rises;
    for (let n = 1; n <= 3; n++) {
      pit.write(0, 1, 1000 & 0xff);
      pit.write(0, 1, 1000 >> 8);
      expect(irq.rises - before).toBe(n - 1);
      // the machine was busy: the timer fires long after the one clock of the strobe
      clock.skip(clock.now() + TICK * 5000);
      clock.fireDue();
      expect(irq.rises - before).toBe(n);
    }
    clock.pass(1e9);
    expect(irq.rises - before).toBe(3);
  });

  test('counts down in each mode’s way; latched values stand still', () => {
    const { clock, pit } = made();
    pit.write(3, 1, 0x34);
    pit.write(0, 1, 0);
    pit.write(0, 1, 0x10);
    clock.pass(TICK * 100.5);
    expect(count(pit, 0)).toBe(0x1000 - 100);
    pit.write(3, 1, 0);
    clock.pass(TICK * 50);
    expect(pit.read(0, 1) | (pit.read(0, 1) << 8)).toBe(0x1000 - 100);
    // mode 3 counts by two
    pit.write(3, 1, 0x36);
    pit.write(0, 1, 0);
    pit.write(0, 1, 0x10);
    clock.pass(TICK * 100.5);
    expect(count(pit, 0)).toBe(0x1000 - 200);
    clock.pass(TICK * 0x800);
    expect(count(pit, 0)).toBe(0x1000 - 200);
    // BCD
    pit.write(3, 1, 0x31);
    pit.write(0, 1, 0x00);
    pit.write(0, 1, 0x10);
    clock.pass(TICK * 1.5);
    expect(count(pit, 0)).toBe(0x0999);
  });

  test('Linux measures the processor with counter 2: gate and output are bits of port 0x61', () => {
    const { clock, pit } = made();
    pit.port61.write(0, 1, 1);
    pit.write(3, 1, 0xb0);
    const latch = Math.round(PIT_HERTZ / 20);
    pit.write(2, 1, latch & 0xff);
    pit.write(2, 1, latch >> 8);
    expect(pit.port61.read(0, 1) & 0x20).toBe(0);
    clock.pass(49.9e6);
    expect(pit.port61.read(0, 1) & 0x20).toBe(0);
    clock.pass(0.2e6);
    expect(pit.port61.read(0, 1) & 0x20).toBe(0x20);
  });

  test('the gate holds a count', () => {
    const { clock, pit } = made();
    pit.port61.write(0, 1, 1);
    pit.write(3, 1, 0xb0);
    pit.write(2, 1, 0xff);
    pit.write(2, 1, 0xff);
    clock.pass(TICK * 1000.5);
    pit.port61.write(0, 1, 0);
    const held = count(pit, 2);
    clock.pass(TICK * 1000);
    expect(count(pit, 2)).toBe(held);
    pit.port61.write(0, 1, 1);
    clock.pass(TICK * 1000);
    expect(held - count(pit, 2)).toBeGreaterThanOrEqual(999);
  });

  test('read-back gives the status: output, null count, access, mode', () => {
    const { pit } = made();
    pit.write(3, 1, 0x34);
    pit.write(3, 1, 0xe2);
    expect(pit.read(0, 1)).toBe(0x80 | 0x40 | 0x34);
    pit.write(0, 1, 1);
    pit.write(0, 1, 1);
    pit.write(3, 1, 0xe2);
    expect(pit.read(0, 1) & 0x40).toBe(0);
  });

  test('goes on after a restore', () => {
    const { clock, pit } = made();
    pit.write(3, 1, 0x34);
    pit.write(0, 1, 0x9c);
    pit.write(0, 1, 0x2e);
    clock.pass(3e6);
    const other = made();
    other.clock.set(clock.now(), clock.date());
    other.pit.restore!(pit.save!());
    expect(count(other.pit, 0)).toBe(count(pit, 0));
    const before = other.irq.rises;
    other.clock.pass(1e9);
    expect(other.irq.rises - before).toBeGreaterThanOrEqual(99);
  });

  test.each([0x34, 0x36])('a restore in the midst of a period takes back no interrupt (control word %d)', (control) => {
    const { clock, irq, pit } = made();
    pit.write(3, 1, control);
    pit.write(0, 1, 0x9c);
    pit.write(0, 1, 0x2e);
    const period = (0x2e9c * TICK) | 0;
    for (const late of [0.1, 0.6, 0.9999]) {
      clock.pass(period * (1 + late));
      const { level, rises } = irq;
      pit.restore!(pit.save!());
      expect([irq.level, irq.rises]).toEqual([level, rises]);
    }
    const before = irq.rises;
    clock.pass(1e9);
    expect(irq.rises - before).toBeGreaterThanOrEqual(99);
  });
});
