import type { Clock, InterruptLine, Stateful } from '../devices/device.ts';
import type { PciBus } from '../devices/pci.ts';
import type { Uart } from '../devices/uart.ts';
import type { Bus, Range } from './bus.ts';
import type { Paravirtual } from './kvm.ts';
import type { PhysicalMemory } from './physical-memory.ts';

/** A line of a machine's memory map. Sizes and places of memory are multiples of 4,096. */
export type MemoryEntry =
  /** RAM from `from` on. */
  | { readonly at: number; readonly size: number; readonly ram: number }
  /** The machine's ROM from `from` on. */
  | { readonly at: number; readonly size: number; readonly rom: number }
  | Range;

/** What a machine is wired to. */
export interface Wiring {
  readonly clock: Clock;
  /** Bytes of RAM. */
  readonly ram: number;
  readonly bigEndian: boolean;
  /** Firmware, if the machine starts with one. Its size is a multiple of 4,096. */
  readonly rom: Uint8Array | undefined;
  readonly memory: PhysicalMemory;
  /** Where ROM, and RAM, start in the WebAssembly memory. */
  readonly ramIndex: number;
  readonly romIndex: number;
  /** Device space of the processor's physical addresses, and its ports. */
  readonly memoryBus: Bus;
  readonly portBus: Bus;
  /** The processor's interrupt inputs, see IsaSystem.setInterrupt. */
  readonly processor: (input: number) => InterruptLine;
  /** A byte from serial port n. */
  readonly transmit: (port: number, byte: number) => void;
  readonly reset: () => void;
  readonly powerOff: (code: number) => void;
}

export interface Board {
  readonly memory: readonly MemoryEntry[];
  readonly ports: readonly Range[];
  /** All that has state, in the order of resets. */
  readonly parts: readonly Stateful[];
  readonly uarts: readonly Uart[];
  readonly pci: PciBus;
  /** Free slots of the PCI bus, in the order of use. */
  readonly slots: readonly number[];
  /** What unmodified guests find beside our own interface. */
  readonly paravirtual?: Paravirtual;
  acknowledge(): number;
  /** The processor reports an error of its x87 (FERR#). */
  coprocessorError?(): void;
  /** Another line to input n of the interrupt controllers. */
  irq(input: number): InterruptLine;
  /** Brings chips into the state in which firmware leaves them, for a kernel that is loaded without. */
  firmware(): void;
}
