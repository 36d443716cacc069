import { describe, expect, test } from 'vitest';
import { makeAcpiPm } from '../../src/devices/acpi-pm.ts';
import type { Device } from '../../src/devices/device.ts';
import { Gt, makeGt64120 } from '../../src/devices/gt64120.ts';
import { makeI440fx, type Shadow } from '../../src/devices/i440fx.ts';
import { makeConfigMechanism, makePciBus, PciFunction } from '../../src/devices/pci.ts';
import { makePiixBridge, makePiixPm } from '../../src/devices/piix.ts';
import { assignPci } from '../../src/vmm/boot/pci-setup.ts';
import { Bus } from '../../src/vmm/bus.ts';
import { probe, testClock } from './support.ts';

const register = (): Device & { value: number } => ({
  name: 'register',
  widest: 4,
  value: 0x1234,
  read() {
    return this.value;
  },
  write(_offset, _bytes, value) {
    this.value = value;
  },
});

function made() {
  const warnings: string[] = [];
  const ports = new Bus('port', (text) => warnings.push(text), 0);
  const memory = new Bus('memory', (text) => warnings.push(text), 12);
  const irqs = Array.from({ length: 16 }, probe);
  const piix = makePiixBridge({ name: 'piix3', device: 0x7000, line: (input) => irqs[input].line });
  const bus = makePciBus({ ports, memory }, (slot) => piix.pirq(slot & 3));
  const bar = register();
  const card = new PciFunction({
    name: 'card',
    vendor: 0x1af4,
    device: 0x1042,
    classCode: 0x018000,
    interrupt: true,
    bars: [
      { index: 0, kind: 'memory', size: 0x1000, device: bar },
      { index: 1, kind: 'io', size: 0x20, device: bar },
    ],
    capabilities: [Uint8Array.of(9, 0, 16, 1), Uint8Array.of(9, 0, 16, 2, 1)],
  });
  bus.add(1, 0, piix.pci);
  bus.add(4, 0, card);
  const config = makeConfigMechanism(bus);
  ports.map({ at: 0xcf8, size: 8, device: config });
  const read = (slot: number, at: number, bytes = 4): number => {
    ports.write(0xcf8, 4, 0x80000000 + (slot << 11) + (at & ~3));
    return ports.read(0xcfc + (at & 3), bytes);
  };
  const write = (slot: number, at: number, value: number, bytes = 4): void => {
    ports.write(0xcf8, 4, 0x80000000 + (slot << 11) + (at & ~3));
    ports.write(0xcfc + (at & 3), bytes, value);
  };
  return { ports, memory, irqs, bus, bar, card, piix, read, write, warnings };
}

describe('PCI', () => {
  test('enumeration by mechanism 1', () => {
    const { read, ports } = made();
    expect(read(4, 0)).toBe(0x10421af4);
    expect(read(4, 2, 2)).toBe(0x1042);
    expect(read(4, 8)).toBe(0x01800000);
    expect(read(1, 0x0e, 1)).toBe(0x80);
    expect(read(5, 0)).toBe(0xffffffff);
    // an address without the enable bit is not a configuration access
    ports.write(0xcf8, 4, 4 << 11);
    expect(ports.read(0xcfc, 4)).toBe(0xffffffff);
    expect(ports.read(0xcf8, 4)).toBe(4 << 11);
  });

  test('BARs are sized, placed, moved and switched off', () => {
    const { read, write, memory, ports, bar } = made();
    write(4, 0x10, 0xffffffff);
    write(4, 0x14, 0xffffffff);
    expect(read(4, 0x10)).toBe(0xfffff000);
    expect(read(4, 0x14)).toBe(0xffffffe1);
    expect(read(4, 0x18)).toBe(0);
    write(4, 0x10, 0xe0001000);
    write(4, 0x14, 0xc001);
    expect(memory.read(0xe0001000, 4)).toBe(0xffffffff);
    write(4, 4, 3, 2);
    expect(memory.read(0xe0001ffc, 4)).toBe(0x1234);
    ports.write(0xc01c, 4, 77);
    expect(bar.value).toBe(77);
    write(4, 0x10, 0xe0100000);
    expect(memory.read(0xe0001000, 4)).toBe(0xffffffff);
    expect(memory.read(0xe0100000, 4)).toBe(77);
    write(4, 4, 1, 2);
    expect(memory.read(0xe0100000, 4)).toBe(0xffffffff);
  });

  test('capabilities are a list', () => {
    const { read } = made();
    expect(read(4, 6, 2) & 0x10).toBe(0x10);
    const first = read(4, 0x34, 1);
    expect(read(4, first, 1)).toBe(9);
    const second = read(4, first + 1, 1);
    expect([read(4, second + 3, 1), read(4, second + 1, 1)]).toEqual([2, 0]);
  });

  test('INTA# goes where the bridge routes it; status and the disable bit', () => {
    const { card, irqs, read, write } = made();
    card.interrupt(true);
    expect(irqs.some(({ level }) => level)).toBe(false);
    write(1, 0x60, 0x0b0a0b0a);
    expect(irqs[10].level).toBe(true);
    expect(read(4, 6, 2) & 8).toBe(8);
    write(1, 0x60, 0x05, 1);
    expect([irqs[10].level, irqs[5].level]).toEqual([false, true]);
    write(4, 4, 0x400, 2);
    expect(irqs[5].level).toBe(false);
    write(4, 4, 0, 2);
    card.interrupt(false);
    expect(irqs[5].level).toBe(false);
  });

  test('the firmware’s assignment', () => {
    const { bus, read, memory } = made();
    assignPci(bus, { ports: 0xc001, memory: 0xe0000001, interrupt: () => 11 });
    expect([read(4, 0x10), read(4, 0x14), read(4, 0x3c, 1)]).toEqual([0xe0001000, 0xc021, 11]);
    expect(memory.read(0xe0001000, 4)).toBe(0x1234);
  });

  test('saved and restored where its BARs lie', () => {
    const one = made();
    assignPci(one.bus, { ports: 0xc000, memory: 0xe0000000, interrupt: () => 11 });
    one.write(1, 0x60, 9, 1);
    one.card.interrupt(true);
    const two = made();
    two.bus.restore!(one.bus.save!());
    expect(two.memory.read(0xe0000000, 4)).toBe(0x1234);
    expect(two.irqs[9].level).toBe(true);
  });
});

test('440FX: PAM registers tell what is RAM', () => {
  let shadows: readonly Shadow[] = [];
  const pci = makeI440fx((now) => {
    shadows = now;
  });
  pci.write(0x59, 1, 0x30);
  pci.write(0x5a, 1, 0x21);
  expect(shadows[0]).toEqual({ at: 0xf0000, size: 0x10000, read: true, write: true });
  expect(shadows[1]).toEqual({ at: 0xc0000, size: 0x4000, read: true, write: false });
  expect(shadows[2]).toEqual({ at: 0xc4000, size: 0x4000, read: false, write: true });
  expect(shadows).toHaveLength(13);
});

describe('PIIX4 power management', () => {
  function pm() {
    const clock = testClock();
    const sci = probe();
    let off = 0;
    const device = makeAcpiPm(clock, { sci: sci.line, softOff: 0, powerOff: () => off++, acpiMode: true });
    const ports = new Bus('port', () => {}, 0);
    const pci = makePiixPm('pm', device, ports);
    pci.write(0x40, 4, 0xb001);
    pci.write(0x80, 1, 1);
    return { clock, sci, device, ports, pci, off: () => off };
  }

  test('SLP_EN with the value of S5 switches off, others do not', () => {
    const { ports, off } = pm();
    expect(ports.read(0xb004, 2) & 1).toBe(1);
    ports.write(0xb004, 2, 0x2401);
    expect(off()).toBe(0);
    ports.write(0xb004, 2, 0x2001);
    expect(off()).toBe(1);
  });

  test('the timer runs at 3.579545 MHz and wraps at 24 bits', () => {
    const { clock, ports, sci } = pm();
    const before = ports.read(0xb008, 4);
    clock.pass(1e9);
    expect(ports.read(0xb008, 4) - before).toBe(3579545);
    ports.write(0xb002, 2, 1);
    clock.pass(4e9);
    expect(sci.level).toBe(true);
    expect(ports.read(0xb000, 2) & 1).toBe(1);
    ports.write(0xb000, 2, 1);
    expect(sci.level).toBe(false);
    expect(ports.read(0xb008, 4)).toBeLessThan(2 ** 24);
  });

  test('the power button is an event', () => {
    const { ports, sci, device } = pm();
    device.pressPower();
    expect(sci.level).toBe(false);
    ports.write(0xb002, 2, 0x100);
    expect(sci.level).toBe(true);
    ports.write(0xb001, 1, 1);
    expect(sci.level).toBe(false);
  });

  test('ports move and go with PMBA and PMREGMISC', () => {
    const { ports, pci } = pm();
    pci.write(0x40, 4, 0x1001);
    expect(ports.read(0xb004, 2)).toBe(0xffff);
    expect(ports.read(0x1004, 2) & 1).toBe(1);
    pci.write(0x80, 1, 0);
    expect(ports.read(0x1004, 2)).toBe(0xffff);
  });
});

describe('GT-64120', () => {
  function gt() {
    const space = { map: () => () => {} };
    const bus = makePciBus({ ports: space, memory: space }, () => () => {});
    const windows = new Map<string, [number, number]>();
    const device = makeGt64120({ bus, acknowledge: () => 0x24, moved: (name, at, size) => windows.set(name, [at, size]) });
    bus.add(0, 0, device.pci);
    device.reset!();
    return { device, windows };
  }

  test('the windows follow the decode registers, as a Malta’s firmware sets them', () => {
    const { device, windows } = gt();
    expect(windows.get('registers')).toEqual([0x14000000, 0x1000]);
    device.write(Gt.InternalSpace, 4, 0xdf);
    device.write(Gt.Pci0IoLow, 4, 0xc0);
    device.write(Gt.Pci0IoHigh, 4, 0x40);
    expect(windows.get('registers')?.[0]).toBe(0x1be00000);
    expect(windows.get('ports')).toEqual([0x18000000, 0x200000]);
    expect(device.read(Gt.Pci0IoRemap, 4)).toBe(0xc0);
  });

  test('configuration and interrupt acknowledge cycles', () => {
    const { device } = gt();
    device.write(Gt.ConfigAddress, 4, 0x80000000);
    expect(device.read(Gt.ConfigData, 4)).toBe(0x462011ab);
    expect(device.read(Gt.ConfigData + 2, 2)).toBe(0x4620);
    expect(device.read(Gt.Pci0Acknowledge, 4)).toBe(0x24);
    device.write(Gt.InterruptMask, 4, 0xffff);
    expect(device.read(Gt.InterruptMask, 4)).toBe(0xffff);
  });
});
