import { makeAcpiPm } from '../../devices/acpi-pm.ts';
import { makeLatch } from '../../devices/debug-exit.ts';
import type { Device } from '../../devices/device.ts';
import { Gt, makeGt64120 } from '../../devices/gt64120.ts';
import { makeI8042 } from '../../devices/i8042.ts';
import { joinLines } from '../../devices/lines.ts';
import { makeMaltaFpga, makeMaltaRevision } from '../../devices/malta-fpga.ts';
import { makePciBus } from '../../devices/pci.ts';
import { makePicPair } from '../../devices/pic.ts';
import { makePiixBridge, makePiixPm } from '../../devices/piix.ts';
import { makePit } from '../../devices/pit.ts';
import { makeRtc } from '../../devices/rtc.ts';
import { makeUart } from '../../devices/uart.ts';
import type { Board, Wiring } from '../board.ts';
import { assignPci } from '../boot/pci-setup.ts';
import type { Unmap } from '../bus.ts';

/** Inputs of the processor (Malta User's Manual, table 5.1): hardware interrupts, Cause.IP[n + 2]. */
const enum Hardware {
  SouthBridge = 0,
  CbusUart = 2,
}
const enum MaltaPlace {
  PciMemory = 0x10000000,
  PciPorts = 0x18000000,
  Gt = 0x1be00000,
  Fpga = 0x1f000000,
  CbusUart = 0x1f000900,
  BootFlash = 0x1fc00000,
  /** Ports below it are the south bridge's. */
  FirstFreePort = 0x2000,
  PiixSlot = 10,
}
const GT_UNIT = 21;
const PIRQ_INTERRUPTS = [10, 10, 11, 11] as const;
/** PIRQ that INTA# goes to: slots 18 … 21 are the connectors, 11 and 12 what a real board has Ethernet and sound at. */
const PIRQ_OF_SLOT: Readonly<Record<number, number>> = { 11: 1, 12: 2, 18: 0, 19: 1, 20: 2, 21: 3 };
const MALTA_SLOTS = [18, 19, 20, 21, 11, 12] as const;

/** A MIPS Malta board with a GT-64120 and a PIIX4. */
export function makeMalta(w: Wiring): Board {
  const { clock } = w;
  const pic = makePicPair(w.processor(Hardware.SouthBridge), (input) => {
    if (input === 0) pit.taken();
  });
  const joined = Array.from({ length: 16 }, (_, input) => joinLines(pic.line(input)));
  const irq = (input: number) => joined[input]();
  const pit = makePit(clock, irq(0));
  const rtc = makeRtc(clock, irq(8));
  const i8042 = makeI8042({ irq1: irq(1), irq12: irq(12), reset: w.reset, a20: () => {} });
  const uarts = [
    makeUart({ name: 'com1', irq: irq(4), transmit: (byte) => w.transmit(0, byte) }),
    makeUart({ name: 'com2', irq: irq(3), transmit: (byte) => w.transmit(1, byte) }),
    makeUart({
      name: 'cbus-uart',
      shift: 3,
      gated: false,
      irq: w.processor(Hardware.CbusUart),
      transmit: (byte) => w.transmit(2, byte),
    }),
  ];
  const piix = makePiixBridge({ name: 'piix4', device: 0x7110, line: irq });
  const pm = makeAcpiPm(clock, { sci: irq(9), softOff: 0, powerOff: () => w.powerOff(0), acpiMode: false });
  const pci = makePciBus({ ports: w.portBus, memory: w.memoryBus }, (slot) => piix.pirq(PIRQ_OF_SLOT[slot] ?? 0));
  const fpga = makeMaltaFpga({ bigEndian: w.bigEndian, reset: w.reset });

  // the window that shows PCI ports to the processor
  const window: Device = {
    name: 'pci-ports',
    widest: 4,
    read: (offset, bytes) => (offset < 0x10000 ? w.portBus.read(offset, bytes) : 2 ** (8 * bytes) - 1),
    write(offset, bytes, value) {
      if (offset < 0x10000) w.portBus.write(offset, bytes, value);
    },
  };
  const mapped = new Map<string, Unmap>();
  const gt = makeGt64120({
    bus: pci,
    acknowledge: () => pic.acknowledge(),
    moved(name, at, size) {
      mapped.get(name)?.();
      mapped.delete(name);
      if (size > 0 && at + size <= 0x1_0000_0000) mapped.set(name, w.memoryBus.map({ at, size, device: name === 'ports' ? window : gt }));
    },
  });
  pci.add(0, 0, gt.pci);
  pci.add(MaltaPlace.PiixSlot, 0, piix.pci);
  // function 1 would be IDE and 2 USB: without, the kernel's probing of functions goes on to 3
  const pmFunction = makePiixPm('piix4-pm', pm, w.portBus);
  pci.add(MaltaPlace.PiixSlot, 3, pmFunction);

  const most = Math.min(w.ram, 0x10000000);
  return {
    memory: [
      { at: 0x00000000, size: most, ram: 0 },
      // 0x10000000 PCI memory, 0x18000000 PCI ports, 0x1be00000 the GT-64120: it places them itself
      { at: MaltaPlace.Fpga, size: 0x900, device: fpga },
      { at: MaltaPlace.CbusUart, size: 0x40, device: uarts[2] },
      { at: MaltaPlace.Fpga + 0x940, size: 0xff6c0, device: fpga, offset: 0x940 },
      { at: MaltaPlace.BootFlash, size: 0x400000, device: makeMaltaRevision() },
      { at: 0x80000000, size: most, ram: 0 },
    ],
    ports: [
      { at: 0x0000, size: 0x20, device: makeLatch('dma1', 0x20) },
      { at: 0x0020, size: 2, device: pic.master },
      { at: 0x0040, size: 4, device: pit },
      // 0x60 and 0x64, with 0x61 between them
      { at: 0x0060, size: 5, device: i8042 },
      { at: 0x0061, size: 1, device: pit.port61 },
      { at: 0x0070, size: 2, device: rtc },
      { at: 0x0080, size: 0x10, device: makeLatch('dma-page', 0x10) },
      { at: 0x00a0, size: 2, device: pic.slave },
      { at: 0x00c0, size: 0x20, device: makeLatch('dma2', 0x20) },
      { at: 0x02f8, size: 8, device: uarts[1] },
      { at: 0x03f8, size: 8, device: uarts[0] },
      { at: 0x04d0, size: 2, device: pic.elcr },
    ],
    parts: [pic, pit, rtc, i8042, ...uarts, fpga, pci, gt, pm],
    uarts,
    pci,
    slots: MALTA_SLOTS,
    acknowledge: () => pic.acknowledge(),
    irq,
    firmware() {
      // as YAMON programs it (Malta User's Manual, 3.1)
      gt.write(Gt.InternalSpace, 4, MaltaPlace.Gt >>> GT_UNIT);
      const place = (low: Gt, high: Gt, start: number, end: number): void => {
        gt.write(low, 4, start >>> GT_UNIT);
        gt.write(high, 4, (end >>> GT_UNIT) & 0x7f);
      };
      place(Gt.Pci0IoLow, Gt.Pci0IoHigh, MaltaPlace.PciPorts, MaltaPlace.PciPorts + 0x1fffff);
      place(Gt.Pci0Memory0Low, Gt.Pci0Memory0High, MaltaPlace.PciMemory, MaltaPlace.PciPorts - 1);
      place(Gt.Pci0Memory1Low, Gt.Pci0Memory1High, MaltaPlace.PciPorts + 0x200000, MaltaPlace.Gt - 1);
      PIRQ_INTERRUPTS.forEach((input, index) => {
        piix.pci.write(0x60 + index, 1, input);
      });
      pic.elcr.write(1, 1, 0x0c);
      assignPci(pci, {
        ports: MaltaPlace.FirstFreePort,
        memory: MaltaPlace.PciMemory,
        interrupt: (slot) => PIRQ_INTERRUPTS[PIRQ_OF_SLOT[slot] ?? 0],
      });
    },
  };
}
