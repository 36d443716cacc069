import { describe, expect, test } from 'vitest';
import { makeUart } from '../../src/devices/uart.ts';
import { probe } from './support.ts';

function made(options: { shift?: number } = {}) {
  const irq = probe();
  const sent: number[] = [];
  const uart = makeUart({ irq: irq.line, transmit: (byte) => sent.push(byte), ...options });
  return {
    irq,
    sent,
    uart,
    r: (n: number) => uart.read(n << (options.shift ?? 0), 1),
    w: (n: number, v: number) => uart.write(n << (options.shift ?? 0), 1, v),
  };
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('PC16550D', () => {
  test('Linux’s probe: scratch, IER, loop back, FIFO', () => {
    const { r, w } = made();
    w(1, 0x0f);
    expect(r(1)).toBe(0x0f);
    w(1, 0);
    w(4, 0x1a);
    expect(r(6) & 0xf0).toBe(0x90);
    w(4, 0);
    w(2, 1);
    expect(r(2) >> 6).toBe(3);
    w(7, 0xae);
    expect(r(7)).toBe(0xae);
  });

  test('the divisor latch is behind DLAB', () => {
    const { r, w, sent } = made();
    w(3, 0x83);
    w(0, 0x0c);
    w(1, 0);
    w(3, 3);
    w(0, 0x41);
    expect(sent).toEqual([0x41]);
    w(3, 0x83);
    expect([r(0), r(1), r(3)]).toEqual([0x0c, 0, 0x83]);
  });

  test('the transmitter’s interrupt: on enabling, ended by reading IIR, again after a byte', () => {
    const { irq, r, w, sent } = made();
    w(4, 8);
    w(1, 2);
    expect(irq.level).toBe(true);
    expect(r(2) & 0xf).toBe(2);
    expect(irq.level).toBe(false);
    expect(r(2) & 0xf).toBe(1);
    w(0, 0x42);
    expect(irq.level).toBe(true);
    expect(sent).toEqual([0x42]);
    expect(r(5) & 0x60).toBe(0x60);
  });

  test('OUT2 gates the interrupt', () => {
    const { irq, w } = made();
    w(1, 2);
    expect(irq.level).toBe(false);
    w(4, 8);
    expect(irq.level).toBe(true);
  });

  test('receives through the FIFO with trigger level and time-out; what does not fit waits', () => {
    const { irq, r, w, uart } = made();
    w(2, 0x81);
    w(4, 8);
    w(1, 1);
    uart.receive(bytes('0123456789abcdefghij'));
    expect(irq.level).toBe(true);
    expect(r(2) & 0xf).toBe(4);
    expect(uart.waiting).toBe(20);
    let got = '';
    while (r(5) & 1) {
      if (got.length === 15) expect(r(2) & 0xf).toBe(12);
      got += String.fromCharCode(r(0));
    }
    expect(got).toBe('0123456789abcdefghij');
    expect(irq.level).toBe(false);
    expect(r(2) & 0xf).toBe(1);
  });

  test('loops back', () => {
    const { r, w, sent } = made();
    w(4, 0x10);
    w(0, 0x5a);
    expect(r(5) & 1).toBe(1);
    expect(r(0)).toBe(0x5a);
    w(0, 1);
    w(0, 2);
    expect(r(5) & 2).toBe(2);
    expect(r(5) & 2).toBe(0);
    expect(sent).toEqual([]);
  });

  test('registers eight bytes apart, as at Malta’s CBUS', () => {
    const { uart, sent } = made({ shift: 3 });
    uart.write(0, 1, 0x43);
    expect(sent).toEqual([0x43]);
    expect(uart.read(5 << 3, 1) & 0x60).toBe(0x60);
    expect(uart.read(1, 1)).toBe(0);
  });

  test('restores with unread input', () => {
    const { uart, w } = made();
    w(2, 1);
    w(4, 8);
    w(1, 1);
    uart.receive(bytes('xy'));
    const other = made();
    other.uart.restore!(uart.save!());
    expect(other.irq.level).toBe(true);
    expect([other.r(0), other.r(0), other.r(5) & 1]).toEqual([0x78, 0x79, 0]);
  });
});
