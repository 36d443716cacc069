import { describe, expect, test } from 'vitest';
import { makeI8042 } from '../../src/devices/i8042.ts';
import { probe } from './support.ts';

function made() {
  const irq1 = probe();
  const irq12 = probe();
  const events: string[] = [];
  const i8042 = makeI8042({
    irq1: irq1.line,
    irq12: irq12.line,
    reset: () => events.push('reset'),
    a20: (on) => events.push(on ? 'a20 on' : 'a20 off'),
  });
  i8042.reset!();
  const command = (value: number): void => i8042.write(4, 1, value);
  const data = (value: number): void => i8042.write(0, 1, value);
  const replies = (): number[] => {
    const got = [];
    while (i8042.read(4, 1) & 1) got.push(i8042.read(0, 1));
    return got;
  };
  return { i8042, irq1, irq12, events, command, data, replies };
}

describe('8042', () => {
  test('self test, interface test, configuration byte', () => {
    const { command, data, replies, i8042 } = made();
    command(0xaa);
    expect(replies()).toEqual([0x55]);
    command(0xab);
    expect(replies()).toEqual([0]);
    command(0x60);
    expect(i8042.read(4, 1) & 8).toBe(8);
    data(0x65);
    command(0x20);
    expect(replies()).toEqual([0x65]);
  });

  test('the keyboard identifies itself, and interrupts for each byte', () => {
    const { command, data, replies, irq1, i8042 } = made();
    command(0x60);
    data(1);
    data(0xf2);
    expect(irq1.level).toBe(true);
    expect(replies()).toEqual([0xfa, 0xab, 0x83]);
    expect(irq1.rises).toBe(3);
    data(0xff);
    expect(replies()).toEqual([0xfa, 0xaa]);
    data(0xed);
    data(7);
    expect(replies()).toEqual([0xfa, 0xfa]);
    data(0x00);
    expect(replies()).toEqual([0xfe]);
    i8042.press([0x1e, 0x9e]);
    expect(replies()).toEqual([0x1e, 0x9e]);
  });

  test('keeps no more than a keyboard does for a guest that never reads', () => {
    const { data, replies, i8042 } = made();
    for (let n = 0; n < 1000; n++) data(0xf4);
    i8042.press([0x1e, 0x9e]);
    expect(replies()).toEqual(Array(16).fill(0xfa));
    i8042.press([0x1e]);
    expect(replies()).toEqual([0x1e]);
  });

  test('nothing is at the auxiliary port', () => {
    const { command, data, replies, i8042, irq12 } = made();
    command(0xd4);
    data(0xf2);
    expect(replies()).toEqual([]);
    // what Linux uses to see whether there is one: loop back
    command(0x60);
    data(2);
    command(0xd3);
    data(0x5a);
    expect(i8042.read(4, 1) & 0x21).toBe(0x21);
    expect(irq12.level).toBe(true);
    expect(replies()).toEqual([0x5a]);
  });

  test('A20 and reset by the output port, reset by a pulse', () => {
    const { command, data, events } = made();
    command(0xd1);
    data(0xdd);
    command(0xd1);
    data(0xdf);
    expect(events).toEqual(['a20 off', 'a20 on']);
    command(0xff);
    expect(events).toHaveLength(2);
    command(0xfe);
    expect(events.at(-1)).toBe('reset');
  });
});
