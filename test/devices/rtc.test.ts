import { describe, expect, test } from 'vitest';
import { makeRtc } from '../../src/devices/rtc.ts';
import { probe, testClock } from './support.ts';

function made() {
  const clock = testClock();
  const irq = probe();
  const rtc = makeRtc(clock, irq.line);
  const read = (register: number): number => {
    rtc.write(0, 1, register);
    return rtc.read(1, 1);
  };
  const write = (register: number, value: number): void => {
    rtc.write(0, 1, register);
    rtc.write(1, 1, value);
  };
  const time = () => [0x32, 9, 8, 7, 4, 2, 0].map((register) => read(register).toString(16).padStart(2, '0')).join(' ');
  return { clock, irq, rtc, read, write, time };
}

describe('MC146818', () => {
  test('shows the date in BCD, over a leap day', () => {
    const { clock, time, read } = made();
    expect(time()).toBe('20 24 02 29 23 59 58');
    expect(read(6)).toBe(5);
    clock.pass(2e9);
    expect(time()).toBe('20 24 03 01 00 00 00');
  });

  test('binary and twelve hours', () => {
    const { write, read, clock } = made();
    write(11, 4);
    expect([read(9), read(0), read(4)]).toEqual([24, 58, 11 | 0x80]);
    clock.pass(2e9);
    expect(read(4)).toBe(12);
  });

  test('is set while SET holds it, as hwclock does', () => {
    const { clock, read, write, time } = made();
    write(11, 0x82);
    for (const [register, value] of [
      [0, 0x30],
      [2, 0x15],
      [4, 0x07],
      [7, 0x04],
      [8, 0x07],
      [9, 0x99],
      [0x32, 0x19],
    ])
      write(register, value);
    clock.pass(5e9);
    expect(time()).toBe('19 99 07 04 07 15 30');
    write(11, 2);
    clock.pass(1.5e9);
    expect(time()).toBe('19 99 07 04 07 15 31');
    expect(read(13)).toBe(0x80);
  });

  test('update in progress comes before each second', () => {
    const { clock, read } = made();
    clock.pass(0.5e9);
    expect(read(10) & 0x80).toBe(0);
    clock.pass(0.4998e9);
    expect(read(10) & 0x80).toBe(0x80);
    clock.pass(0.01e9);
    expect(read(10) & 0x80).toBe(0);
  });

  test('update, alarm and periodic interrupts; reading C ends them', () => {
    const { clock, irq, read, write } = made();
    write(11, 0x12);
    clock.pass(1.1e9);
    expect(irq.level).toBe(true);
    expect(read(12) & 0xb0).toBe(0x90);
    expect(irq.level).toBe(false);
    write(1, 0x05);
    write(3, 0xc0);
    write(5, 0xc0);
    write(11, 0x22);
    clock.pass(4e9);
    expect(irq.level).toBe(false);
    clock.pass(2e9);
    expect(read(12) & 0xa0).toBe(0xa0);
    write(11, 0x42);
    let ticks = 0;
    for (let i = 0; i < 2048; i++) {
      clock.pass(1e9 / 2048);
      if (irq.level) {
        ticks++;
        expect(read(12) & 0x40).toBe(0x40);
      }
    }
    expect(ticks).toBeGreaterThanOrEqual(1022);
    expect(ticks).toBeLessThanOrEqual(1025);
  });

  test('memory keeps what is written, reset and snapshot too', () => {
    const { rtc, write, read } = made();
    write(0x40, 0xa5);
    rtc.reset!();
    expect(read(0x40)).toBe(0xa5);
    const other = made();
    other.rtc.restore!(rtc.save!());
    expect(other.read(0x40)).toBe(0xa5);
  });
});
