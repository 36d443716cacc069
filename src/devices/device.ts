import type { Saved } from '../snapshot/saved-bytes.ts';

export type { Saved };

/**
 * A device knows offsets, never addresses: the machine says where it lies. Values are unsigned, little-endian. A device never
 * throws at what a guest does; what it does not decode reads as the real one's does, zeros or ones.
 */
export interface Device {
  readonly name: string;
  /** The widest access it decodes; the bus parts wider ones. */
  readonly widest: 1 | 2 | 4;
  read(offset: number, bytes: number): number;
  write(offset: number, bytes: number, value: number): void;
}

/** What has state beyond its registers' wiring: part of resets and snapshots, under a name that is unique in its machine. */
export interface Stateful {
  readonly name: string;
  reset?(): void;
  save?(): Saved;
  /** Takes what `save` gave, of this version of the device. May throw on data of another form. */
  restore?(saved: Saved): void;
}

/** An interrupt input of whatever the device is wired to. Setting the same level twice does nothing. */
export type InterruptLine = (level: boolean) => void;

/** A point in guest time at which something is done. */
export interface Timer {
  /** Nanoseconds of guest time, Infinity while it is not set. */
  readonly due: number;
  /** Sets it anew; what is past is due at once. */
  set(due: number): void;
  cancel(): void;
}

/** Guest time. It stands still while the machine is paused. */
export interface Clock {
  /** Nanoseconds since the machine was switched on. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC, as the guest's clock on the wall shows. */
  date(): number;
  /** A timer that calls `fire` between two runs of the processor, with the time at which it was due. */
  timer(fire: (due: number) => void): Timer;
}

/** Guest-physical memory as devices see it. Ranges outside of RAM throw PhysicalMemoryFault. */
export interface Memory {
  read(address: number, target: Uint8Array): void;
  write(address: number, source: Uint8Array): void;
  u8(address: number): number;
  u16(address: number): number;
  u32(address: number): number;
  setU8(address: number, value: number): void;
  setU16(address: number, value: number): void;
  setU32(address: number, value: number): void;
}

/** A guest pointer that does not lie in RAM, or not with all its bytes. */
export class PhysicalMemoryFault extends Error {
  override name = 'PhysicalMemoryFault';
  constructor(
    readonly address: number,
    readonly length: number,
  ) {
    super(`${length} bytes at physical address 0x${address.toString(16)} are not all RAM`);
  }
}
