// PCI Local Bus Specification 2.2, chapter 6: configuration space of a device with a type 0 header, and configuration mechanism #1.
import type { Device, InterruptLine, Saved, Stateful } from './device.ts';

export const enum PciRegister {
  VendorId = 0,
  DeviceId = 2,
  Command = 4,
  Status = 6,
  Revision = 8,
  ClassCode = 9,
  HeaderType = 0x0e,
  Bar0 = 0x10,
  SubsystemVendorId = 0x2c,
  SubsystemId = 0x2e,
  Capabilities = 0x34,
  InterruptLine = 0x3c,
  InterruptPin = 0x3d,
}
export const enum PciCommand {
  Io = 1,
  Memory = 2,
  Master = 4,
  InterruptOff = 0x400,
}
const STATUS_INTERRUPT = 8;

/** The two address spaces of a PCI bus. Mapping answers with how to take it away again. */
export interface PciSpaces {
  readonly ports: { map(range: { at: number; size: number; device: Device }): () => void };
  readonly memory: { map(range: { at: number; size: number; device: Device }): () => void };
}

export interface PciBar {
  /** 0 … 5. */
  readonly index: number;
  readonly kind: 'io' | 'memory';
  /** A power of two, at least 16 (memory) or 4 (ports). */
  readonly size: number;
  readonly device: Device;
}

export interface PciFunctionOptions {
  readonly name: string;
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Class, subclass and interface: 0x060000 is a host bridge. */
  readonly classCode: number;
  readonly subsystem?: { readonly vendor: number; readonly device: number };
  readonly bars?: readonly PciBar[];
  /** Uses INTA#. */
  readonly interrupt?: boolean;
  readonly multifunction?: boolean;
  /** Initial bytes beyond the header, and which bits of them the guest may write. */
  readonly registers?: readonly { readonly at: number; readonly value: number; readonly mask: number; readonly bytes: 1 | 2 | 4 }[];
  /** Capabilities: their bytes from the id on; the link is filled in. */
  readonly capabilities?: readonly Uint8Array[];
  /** After a write to configuration space, from `at` on. */
  readonly written?: (at: number, bytes: number) => void;
  /** Registers of its own: undefined is left to configuration space. */
  readonly readOwn?: (at: number, bytes: number) => number | undefined;
}

/** Where a capability starts. */
const FIRST_CAPABILITY = 0x40;

/** One function's configuration space; maps its BARs as the guest says. */
export class PciFunction implements Stateful {
  readonly name: string;
  readonly bytes = new Uint8Array(256);
  private readonly initial = new Uint8Array(256);
  private readonly mask = new Uint8Array(256);
  private readonly mapped = new Map<number, { readonly at: number; readonly unmap: () => void }>();
  private spaces: PciSpaces | undefined;
  private line: InterruptLine = () => {};
  private asserted = false;

  constructor(readonly options: PciFunctionOptions) {
    this.name = options.name;
    const put = (at: number, bytes: number, value: number, mask = 0): void => {
      for (let i = 0; i < bytes; i++) {
        this.initial[at + i] = value >>> (8 * i);
        this.mask[at + i] = mask >>> (8 * i);
      }
    };
    const { bars = [] } = options;
    const command =
      PciCommand.Master |
      PciCommand.InterruptOff |
      (bars.some(({ kind }) => kind === 'io') ? PciCommand.Io : 0) |
      (bars.some(({ kind }) => kind === 'memory') ? PciCommand.Memory : 0);
    put(PciRegister.VendorId, 2, options.vendor);
    put(PciRegister.DeviceId, 2, options.device);
    put(PciRegister.Command, 2, 0, command);
    put(PciRegister.Revision, 1, options.revision ?? 0);
    put(PciRegister.ClassCode, 1, options.classCode);
    put(PciRegister.ClassCode + 1, 2, options.classCode >>> 8);
    put(PciRegister.HeaderType, 1, options.multifunction ? 0x80 : 0);
    if (options.subsystem) {
      put(PciRegister.SubsystemVendorId, 2, options.subsystem.vendor);
      put(PciRegister.SubsystemId, 2, options.subsystem.device);
    }
    for (const { index, kind, size } of bars) put(PciRegister.Bar0 + 4 * index, 4, kind === 'io' ? 1 : 0, ~(size - 1));
    if (options.interrupt) {
      put(PciRegister.InterruptLine, 1, 0xff, 0xff);
      put(PciRegister.InterruptPin, 1, 1);
    }
    for (const { at, value, mask, bytes } of options.registers ?? []) put(at, bytes, value, mask);
    let at = FIRST_CAPABILITY;
    let link: number = PciRegister.Capabilities;
    for (const capability of options.capabilities ?? []) {
      put(PciRegister.Status, 1, 0x10);
      this.initial[link] = at;
      this.initial.set(capability, at);
      this.initial[at + 1] = 0;
      link = at + 1;
      at = (at + capability.length + 3) & ~3;
    }
    this.bytes.set(this.initial);
  }

  /** Puts it on a bus. */
  attach(spaces: PciSpaces, line: InterruptLine): void {
    this.spaces = spaces;
    this.line = line;
  }

  /** INTA#. */
  readonly interrupt: InterruptLine = (level) => {
    this.asserted = level;
    this.settleInterrupt();
  };
  private settleInterrupt(): void {
    this.line(this.asserted && !(this.get16(PciRegister.Command) & PciCommand.InterruptOff));
  }

  get16(at: number): number {
    return this.bytes[at] | (this.bytes[at + 1] << 8);
  }
  get32(at: number): number {
    return (this.get16(at) | (this.get16(at + 2) << 16)) >>> 0;
  }
  /** Sets bytes whatever the guest may write. */
  set(at: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.bytes[at + i] = value >>> (8 * i);
  }
  /** Bits 31…0 that the guest may write at `at`. */
  setMask(at: number, bytes: number, mask: number): void {
    for (let i = 0; i < bytes; i++) this.mask[at + i] = mask >>> (8 * i);
  }

  read(at: number, bytes: number): number {
    const own = this.options.readOwn?.(at, bytes);
    if (own !== undefined) return own;
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.readByte(at + i) << (8 * i);
    return value >>> 0;
  }
  private readByte(at: number): number {
    return at === PciRegister.Status && this.asserted ? this.bytes[at] | STATUS_INTERRUPT : this.bytes[at];
  }

  write(at: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) {
      const mask = this.mask[at + i];
      this.bytes[at + i] = (this.bytes[at + i] & ~mask) | ((value >>> (8 * i)) & mask);
    }
    if (at < PciRegister.Bar0 + 24) this.place();
    this.settleInterrupt();
    this.options.written?.(at, bytes);
  }

  /** BARs answer where they lie, if they are enabled. */
  private place(): void {
    const command = this.get16(PciRegister.Command);
    for (const bar of this.options.bars ?? []) {
      const enabled = command & (bar.kind === 'io' ? PciCommand.Io : PciCommand.Memory);
      const value = this.get32(PciRegister.Bar0 + 4 * bar.index);
      const at = (bar.kind === 'io' ? value & 0xfffc : value & ~0xf) >>> 0;
      // all ones is what sizing writes, and 0 is unset
      const wanted = enabled && at !== 0 && at + bar.size <= 0x1_0000_0000 - 4096 ? at : undefined;
      const now = this.mapped.get(bar.index);
      if (now?.at === wanted) continue;
      now?.unmap();
      this.mapped.delete(bar.index);
      if (wanted === undefined || !this.spaces) continue;
      const space = bar.kind === 'io' ? this.spaces.ports : this.spaces.memory;
      this.mapped.set(bar.index, { at: wanted, unmap: space.map({ at: wanted, size: bar.size, device: bar.device }) });
    }
  }

  reset(): void {
    this.asserted = false;
    this.bytes.set(this.initial);
    this.place();
    this.settleInterrupt();
    this.options.written?.(0, 256);
  }
  save(): Saved {
    return { bytes: this.bytes.slice(), asserted: this.asserted };
  }
  restore(saved: Saved): void {
    const { bytes, asserted } = saved as { bytes: Uint8Array; asserted: boolean };
    this.bytes.set(bytes.subarray(0, 256));
    this.place();
    this.options.written?.(0, 256);
    this.asserted = asserted;
    this.settleInterrupt();
  }
}

export interface PciBus extends Stateful {
  add(slot: number, index: number, pci: PciFunction): void;
  readonly functions: readonly { readonly slot: number; readonly index: number; readonly pci: PciFunction }[];
  read(address: number, bytes: number): number;
  write(address: number, bytes: number, value: number): void;
  /** Special cycles: a write to device 31, function 7, register 0 of mechanism #1. */
  onSpecialCycle: (data: number) => void;
}

/** `line` gives the interrupt input that INTA# of a slot goes to. */
export function makePciBus(spaces: PciSpaces, line: (slot: number) => InterruptLine): PciBus {
  const functions: { slot: number; index: number; pci: PciFunction }[] = [];
  const find = (address: number): PciFunction | undefined => {
    // bus 0 alone is there
    if (address & 0xff0000) return undefined;
    const slot = (address >>> 11) & 31;
    const index = (address >>> 8) & 7;
    return functions.find((entry) => entry.slot === slot && entry.index === index)?.pci;
  };
  const bus: PciBus = {
    name: 'pci',
    functions,
    onSpecialCycle: () => {},
    add(slot, index, pci) {
      functions.push({ slot, index, pci });
      pci.attach(spaces, line(slot));
    },
    read(address, bytes) {
      const register = address & 0xff;
      const pci = find(address);
      if (!pci || register + bytes > 256) return 2 ** (8 * bytes) - 1;
      return pci.read(register, bytes);
    },
    write(address, bytes, value) {
      const register = address & 0xff;
      if ((address & 0xffffff) === 0xff00) bus.onSpecialCycle(value);
      else if (register + bytes <= 256) find(address)?.write(register, bytes, value);
    },
    reset() {
      for (const { pci } of functions) pci.reset();
    },
    save: () => Object.fromEntries(functions.map(({ pci }) => [pci.name, pci.save()])),
    restore(saved) {
      for (const { pci } of functions) pci.restore((saved as Record<string, Saved>)[pci.name]);
    },
  };
  return bus;
}

const ENABLE = 0x80000000;

/** CONFIG_ADDRESS at offset 0 (only as four bytes) and CONFIG_DATA at 4 (3.2.2.3.2). */
export function makeConfigMechanism(bus: PciBus): Device & Stateful {
  let address = 0;
  return {
    name: 'pci-config',
    widest: 4,
    read(offset, bytes) {
      if (offset < 4) return bytes === 4 ? address : 2 ** (8 * bytes) - 1;
      return address & ENABLE ? bus.read((address & 0xfffffc) + (offset & 3), bytes) : 2 ** (8 * bytes) - 1;
    },
    write(offset, bytes, value) {
      if (offset === 0 && bytes === 4) address = (value & 0x80fffffc) >>> 0;
      else if (offset >= 4 && address & ENABLE) bus.write((address & 0xfffffc) + (offset & 3), bytes, value);
    },
    reset() {
      address = 0;
    },
    save: () => address,
    restore(saved) {
      address = Number(saved);
    },
  };
}
