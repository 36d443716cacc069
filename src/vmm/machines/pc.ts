import { makeAcpiPm } from '../../devices/acpi-pm.ts';
import { makeDebugExit, makeLatch } from '../../devices/debug-exit.ts';
import type { Stateful } from '../../devices/device.ts';
import { makeFwCfg } from '../../devices/fw-cfg.ts';
import { makeI440fx, type Shadow } from '../../devices/i440fx.ts';
import { makeI8042 } from '../../devices/i8042.ts';
import { joinLines } from '../../devices/lines.ts';
import { makeConfigMechanism, makePciBus } from '../../devices/pci.ts';
import { makePicPair } from '../../devices/pic.ts';
import { makePiixBridge, makePiixPm } from '../../devices/piix.ts';
import { makePit } from '../../devices/pit.ts';
import { makeRtc } from '../../devices/rtc.ts';
import { makeCoprocessorError, makePort92, makeResetControl } from '../../devices/system-control.ts';
import { makeUart } from '../../devices/uart.ts';
import type { Board, MemoryEntry, Wiring } from '../board.ts';
import { assignPci } from '../boot/pci-setup.ts';
import { acpiFiles } from '../boot/table-loader.ts';
import { makeKvm } from '../kvm.ts';

/** Where firmware puts things that have no place of their own. */
export const enum PcPlace {
  PmBase = 0x600,
  PciPorts = 0xc000,
  PciMemory = 0xe0000000,
  /** The guest sees no RAM at and above it. */
  TopOfRam = 0xe0000000,
  SciInterrupt = 9,
  /** SLP_TYP of S5. */
  SoftOff = 0,
}

/** INTA# of slots 0, 1, … go to PIRQ (slot − 1) & 3, as on boards with a 440FX. */
export const pirqOfSlot = (slot: number): number => (slot + 3) & 3;
/** Interrupts that the firmware routes PIRQA# … PIRQD# to; SeaBIOS, too. */
export const PIRQ_INTERRUPTS = [10, 10, 11, 11] as const;

const MIB = 1 << 20;

/** A PC of 1998 without graphics: 440FX, PIIX3 with the power management of the PIIX4, one serial port or four. */
export function makePc(w: Wiring): Board {
  const { clock } = w;
  const pic = makePicPair(w.processor(0), (input) => {
    if (input === 0) pit.taken();
  });
  const joined = Array.from({ length: 16 }, (_, input) => joinLines(pic.line(input)));
  const irq = (input: number) => joined[input]();
  const pit = makePit(clock, irq(0));
  const rtc = makeRtc(clock, irq(8));
  let a20 = true;
  const line20 = w.processor(2);
  const setA20 = (on: boolean): void => {
    if (on !== a20) line20(on);
    a20 = on;
  };
  // what it does lies in the processor's state
  const gate20: Stateful = {
    name: 'a20',
    reset: () => {
      a20 = true;
    },
    save: () => a20,
    restore: (saved) => {
      a20 = saved === true;
    },
  };
  const i8042 = makeI8042({ irq1: irq(1), irq12: irq(12), reset: w.reset, a20: setA20 });
  const uart = (port: number, input: number) =>
    makeUart({ name: `com${port + 1}`, irq: irq(input), transmit: (byte) => w.transmit(port, byte) });
  const uarts = [uart(0, 4), uart(1, 3)];

  const coprocessor = irq(13);
  const piix = makePiixBridge({ name: 'piix3', device: 0x7000, line: irq });
  const pm = makeAcpiPm(clock, {
    sci: irq(PcPlace.SciInterrupt),
    softOff: PcPlace.SoftOff,
    powerOff: () => w.powerOff(0),
    acpiMode: true,
  });
  // SeaBIOS's screen and keyboard are the serial port
  const fwCfg = w.rom && makeFwCfg({ ...acpiFiles(), 'etc/sercon-port': Uint8Array.of(0xf8, 3), 'etc/show-boot-menu': Uint8Array.of(0) });
  const northbridge = makeI440fx((shadows) => {
    if (w.rom) for (const shadow of shadows) placeShadow(w, shadow);
  });
  const pci = makePciBus({ ports: w.portBus, memory: w.memoryBus }, (slot) => piix.pirq(pirqOfSlot(slot)));
  const pmFunction = makePiixPm('piix4-pm', pm, w.portBus);
  pci.add(0, 0, northbridge);
  pci.add(1, 0, piix.pci);
  pci.add(1, 3, pmFunction);
  const config = makeConfigMechanism(pci);

  setCmos(rtc, w.ram);

  const ports = [
    { at: 0x0000, size: 0x20, device: makeLatch('dma1', 0x20) },
    { at: 0x0020, size: 2, device: pic.master },
    { at: 0x0040, size: 4, device: pit },
    // 0x60 and 0x64, with 0x61 between them
    { at: 0x0060, size: 5, device: i8042 },
    { at: 0x0061, size: 1, device: pit.port61 },
    { at: 0x0070, size: 2, device: rtc },
    { at: 0x0080, size: 0x10, device: makeLatch('dma-page', 0x10) },
    { at: 0x0092, size: 1, device: makePort92({ reset: w.reset, a20: setA20, a20State: () => a20 }) },
    { at: 0x00a0, size: 2, device: pic.slave },
    { at: 0x00c0, size: 0x20, device: makeLatch('dma2', 0x20) },
    { at: 0x00ed, size: 1, device: makeLatch('delay', 1) },
    { at: 0x00f0, size: 2, device: makeCoprocessorError(coprocessor) },
    { at: 0x00f4, size: 4, device: makeDebugExit(w.powerOff) },
    { at: 0x02f8, size: 8, device: uarts[1] },
    { at: 0x03f8, size: 8, device: uarts[0] },
    { at: 0x04d0, size: 2, device: pic.elcr },
    ...(fwCfg
      ? [
          // of SeaBIOS's log nothing is kept
          { at: 0x0402, size: 1, device: makeLatch('debug-console', 1) },
          { at: 0x0510, size: 2, device: fwCfg },
        ]
      : []),
    { at: 0x0cf8, size: 8, device: config },
    { at: 0x0cf9, size: 1, device: makeResetControl(w.reset) },
  ];

  const low: MemoryEntry[] = [
    { at: 0x00000000, size: 0x000a0000, ram: 0 },
    // 0x000a0000 … 0x000bffff: graphics memory, absent
  ];
  const high: MemoryEntry = { at: 0x00100000, size: w.ram - MIB, ram: MIB };
  const { rom } = w;
  const memory: MemoryEntry[] = rom
    ? [
        ...low,
        { at: 0x000c0000, size: 0x20000, ram: 0xc0000 },
        { at: 0x000e0000, size: 0x20000, rom: rom.length - 0x20000 },
        high,
        { at: 0x100000000 - rom.length, size: rom.length, rom: 0 },
      ]
    : [...low, { at: 0x000c0000, size: 0x40000, ram: 0xc0000 }, high];

  return {
    memory,
    ports,
    parts: [pic, pit, rtc, i8042, gate20, ...uarts, pci, config, pm, ...(fwCfg ? [fwCfg] : [])],
    uarts,
    pci,
    slots: Array.from({ length: 30 }, (_, index) => index + 2),
    paravirtual: makeKvm(clock, w.memory),
    acknowledge: () => pic.acknowledge(),
    coprocessorError: () => coprocessor(true),
    irq,
    firmware() {
      PIRQ_INTERRUPTS.forEach((input, index) => {
        piix.pci.write(0x60 + index, 1, input);
      });
      pic.elcr.write(1, 1, 0x0e);
      pmFunction.write(0x40, 4, PcPlace.PmBase);
      pmFunction.write(0x80, 1, 1);
      pmFunction.write(4, 2, 1);
      assignPci(pci, { ports: PcPlace.PciPorts, memory: PcPlace.PciMemory, interrupt: (slot) => PIRQ_INTERRUPTS[pirqOfSlot(slot)] });
    },
  };
}

function placeShadow(w: Wiring, { at, size, read, write }: Shadow): void {
  const rom = w.rom!;
  const romAt = 0x100000 - at;
  if (read || romAt > 0x20000) w.memory.map(at, size, w.ramIndex + at, write || romAt > 0x20000);
  else w.memory.map(at, size, w.romIndex + rom.length - romAt, false);
}

/** Memory size and floppies as the AT's firmware notes them. */
function setCmos(rtc: { set(index: number, value: number): void }, ram: number): void {
  const put16 = (at: number, value: number): void => {
    rtc.set(at, value & 0xff);
    rtc.set(at + 1, value >>> 8);
  };
  put16(0x15, 640);
  const extended = Math.min((ram - MIB) >>> 10, 0xffff);
  put16(0x17, extended);
  put16(0x30, Math.min(extended, 0xfc00));
  put16(0x34, ram > 16 * MIB ? Math.min((ram - 16 * MIB) >>> 16, 0xffff) : 0);
  // the coprocessor is there
  rtc.set(0x14, 2);
  // boot order for SeaBIOS: first disk, no floppy check
  rtc.set(0x3d, 2);
  rtc.set(0x38, 1);
}
