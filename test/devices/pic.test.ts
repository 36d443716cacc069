import { describe, expect, test } from 'vitest';
import { makePicPair } from '../../src/devices/pic.ts';
import { probe } from './support.ts';

/** As Linux's init_8259A: ICW1…ICW4, vectors 0x30 and 0x38, everything masked. */
function initialised(icw4 = 1) {
  const intr = probe();
  const pic = makePicPair(intr.line);
  for (const [chip, base, wiring] of [
    [pic.master, 0x30, 4],
    [pic.slave, 0x38, 2],
  ] as const) {
    chip.write(0, 1, 0x11);
    chip.write(1, 1, base);
    chip.write(1, 1, wiring);
    chip.write(1, 1, icw4);
    chip.write(1, 1, 0);
  }
  return { intr, pic };
}

describe('8259A pair', () => {
  test('an edge is requested, acknowledged, and ended by a non-specific EOI', () => {
    const { intr, pic } = initialised();
    pic.line(0)(true);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x30);
    expect(intr.level).toBe(false);
    pic.master.write(0, 1, 0x0b);
    expect(pic.master.read(0, 1)).toBe(1);
    pic.master.write(0, 1, 0x20);
    expect(pic.master.read(0, 1)).toBe(0);
    // the level alone asks for nothing more
    expect(intr.level).toBe(false);
    pic.line(0)(false);
    pic.line(0)(true);
    expect(intr.level).toBe(true);
  });

  test('the slave comes through input 2, and both want their EOI', () => {
    const { intr, pic } = initialised();
    pic.line(14)(true);
    expect(pic.acknowledge()).toBe(0x3e);
    pic.line(15)(true);
    expect(intr.level).toBe(false);
    pic.slave.write(0, 1, 0x66);
    pic.master.write(0, 1, 0x62);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x3f);
  });

  test('a more urgent input interrupts the service of a less urgent one, not the other way round', () => {
    const { intr, pic } = initialised();
    pic.line(4)(true);
    expect(pic.acknowledge()).toBe(0x34);
    pic.line(5)(true);
    expect(intr.level).toBe(false);
    pic.line(1)(true);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x31);
    pic.master.write(0, 1, 0x20);
    expect(intr.level).toBe(false);
    pic.master.write(0, 1, 0x20);
    expect(pic.acknowledge()).toBe(0x35);
  });

  test('masked inputs wait', () => {
    const { intr, pic } = initialised();
    pic.master.write(1, 1, 0xff);
    pic.line(3)(true);
    expect(intr.level).toBe(false);
    expect(pic.master.read(1, 1)).toBe(0xff);
    pic.master.write(1, 1, 0xf7);
    expect(intr.level).toBe(true);
  });

  test('an edge that goes away before it is acknowledged is spurious: input 7, not in service', () => {
    const { pic } = initialised();
    pic.line(4)(true);
    pic.line(4)(false);
    expect(pic.acknowledge()).toBe(0x37);
    pic.master.write(0, 1, 0x0b);
    expect(pic.master.read(0, 1)).toBe(0);
  });

  test('inputs that ELCR makes level-triggered ask again while they are high', () => {
    const { intr, pic } = initialised();
    pic.elcr.write(1, 1, 0x0c);
    expect(pic.elcr.read(1, 1)).toBe(0x0c);
    pic.line(10)(true);
    expect(pic.acknowledge()).toBe(0x3a);
    pic.slave.write(0, 1, 0x20);
    pic.master.write(0, 1, 0x20);
    expect(intr.level).toBe(true);
    pic.line(10)(false);
    expect(intr.level).toBe(false);
  });

  test('rotation, special mask, poll', () => {
    const { intr, pic } = initialised();
    // set priority: 3 is the least urgent, so 4 is the most
    pic.master.write(0, 1, 0xc3);
    pic.line(0)(true);
    pic.line(4)(true);
    expect(pic.acknowledge()).toBe(0x34);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.read(0, 1)).toBe(0);
    pic.master.write(0, 1, 0x20);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.read(0, 1)).toBe(0x80);
    // 0 is in service; with special mask mode and 0 masked, what is less urgent passes
    pic.line(1)(true);
    expect(intr.level).toBe(false);
    pic.master.write(1, 1, 1);
    pic.master.write(0, 1, 0x68);
    expect(intr.level).toBe(true);
  });

  test('automatic end of interrupt', () => {
    const { intr, pic } = initialised(3);
    pic.line(5)(true);
    expect(pic.acknowledge()).toBe(0x35);
    pic.line(6)(true);
    expect(intr.level).toBe(true);
  });

  test('state is saved in the midst of a service', () => {
    const { pic } = initialised();
    pic.line(14)(true);
    pic.acknowledge();
    pic.line(4)(true);
    const other = initialised();
    other.pic.restore!(pic.save!());
    expect(other.intr.level).toBe(false);
    other.pic.slave.write(0, 1, 0x20);
    other.pic.master.write(0, 1, 0x20);
    expect(other.pic.acknowledge()).toBe(0x34);
  });
});
