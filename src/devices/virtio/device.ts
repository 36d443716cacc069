// What all virtio devices share (Virtual I/O Device specification 1.1, chapter 2): status, features, queues.
import type { Memory, Saved, Stateful } from '../device.ts';
import { Queue, type QueueState } from './queue.ts';

export const enum Status {
  Acknowledge = 1,
  Driver = 2,
  DriverOk = 4,
  FeaturesOk = 8,
  NeedsReset = 0x40,
  Failed = 0x80,
}
const enum Feature {
  IndirectDescriptors = 28,
  EventIndex = 29,
  /** Bit 32. */
  Version1 = 0,
}
/** Interrupt status. */
export const enum Isr {
  Queue = 1,
  Config = 2,
}

export const enum VirtioType {
  Net = 1,
  Block = 2,
  Console = 3,
  Rng = 4,
  Balloon = 5,
  P9 = 9,
}

/** A kind of device: what it does with its queues. */
export interface VirtioDevice {
  readonly name: string;
  readonly type: VirtioType;
  /** Class code of PCI. */
  readonly classCode: number;
  /** Feature bits 31…0 of its own. */
  readonly features: number;
  /** Most entries of each queue, powers of two. */
  readonly queues: readonly number[];
  /** Configuration space; what is beyond its end reads as zero. */
  readonly config?: () => Uint8Array;
  writeConfig?(offset: number, value: number): void;
  /** The driver has put something into a queue. */
  notify(index: number, queue: Queue): void;
  /** The driver is there (again): `features` are those that it took. */
  start?(queues: readonly Queue[], features: number): void;
  /** Everything that is under way is forgotten. */
  reset?(): void;
  /** Resolves when nothing is under way. */
  settled?(): Promise<void>;
  save?(): Saved;
  restore?(saved: Saved): void;
}

/** The part of a device that its transport shows to the driver. */
export class VirtioCore implements Stateful {
  readonly name: string;
  readonly queues: readonly Queue[];
  status = 0;
  isr = 0;
  generation = 0;
  /** Feature words that the driver took. */
  readonly driverFeatures = [0, 0];
  private started = false;

  constructor(
    readonly device: VirtioDevice,
    memory: Memory,
    private readonly interrupt: (level: boolean) => void,
    private readonly warn: (text: string) => void = () => {},
  ) {
    this.name = device.name;
    this.queues = device.queues.map(
      (maximum) =>
        new Queue(
          memory,
          maximum,
          () => this.raise(Isr.Queue),
          (reason) => this.broken(reason),
        ),
    );
  }

  features(word: number): number {
    if (word === 0) return (this.device.features | (1 << Feature.IndirectDescriptors) | (1 << Feature.EventIndex)) >>> 0;
    return word === 1 ? 1 << Feature.Version1 : 0;
  }

  private raise(bits: number): void {
    this.isr |= bits;
    this.interrupt(true);
  }
  /** Reading the interrupt status ends the interrupt. */
  readIsr(): number {
    const value = this.isr;
    this.isr = 0;
    this.interrupt(false);
    return value;
  }
  configChanged(): void {
    this.generation = (this.generation + 1) & 0xff;
    if (this.status & Status.DriverOk) this.raise(Isr.Config);
  }

  private told = false;
  private broken(reason: string): void {
    if (this.status & Status.NeedsReset) return;
    this.status |= Status.NeedsReset;
    for (const queue of this.queues) queue.state.enabled = false;
    if (!this.told) this.warn(`${this.name}: the driver's queue is broken (${reason})`);
    this.told = true;
    if (this.status & Status.DriverOk) this.raise(Isr.Config);
  }

  writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let next = value & (Status.Acknowledge | Status.Driver | Status.DriverOk | Status.FeaturesOk | Status.Failed);
    const offered = this.driverFeatures.every((word, index) => (word & ~this.features(index)) === 0);
    // without VERSION_1 it would be a legacy driver
    if (!offered || !(this.driverFeatures[1] & (1 << Feature.Version1))) next &= ~Status.FeaturesOk;
    this.status = next | (this.status & Status.NeedsReset);
    if (this.live && !this.started) this.start();
  }
  private start(): void {
    this.started = true;
    for (const queue of this.queues) {
      queue.indirect = (this.driverFeatures[0] & (1 << Feature.IndirectDescriptors)) !== 0;
      queue.eventIndex = (this.driverFeatures[0] & (1 << Feature.EventIndex)) !== 0;
    }
    this.device.start?.(this.queues, this.driverFeatures[0]);
  }

  notify(index: number): void {
    const queue = this.queues[index];
    if (queue && this.live) this.device.notify(index, queue);
  }
  /** Whether the device may use its queues. */
  get live(): boolean {
    return (this.status & (Status.DriverOk | Status.NeedsReset)) === Status.DriverOk && (this.status & Status.FeaturesOk) !== 0;
  }

  readConfig(offset: number, bytes: number): number {
    const config = this.device.config?.();
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= (config?.[offset + i] ?? 0) << (8 * i);
    return value >>> 0;
  }
  writeConfig(offset: number, bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.device.writeConfig?.(offset + i, (value >>> (8 * i)) & 0xff);
  }

  reset(): void {
    this.status = 0;
    this.isr = 0;
    this.started = false;
    this.driverFeatures.fill(0);
    for (const queue of this.queues) queue.reset();
    this.device.reset?.();
    this.interrupt(false);
  }
  settled(): Promise<void> {
    return this.device.settled?.() ?? Promise.resolve();
  }
  save(): Saved {
    return {
      status: this.status,
      isr: this.isr,
      generation: this.generation,
      driverFeatures: [...this.driverFeatures],
      queues: this.queues.map(({ state }) => ({ ...state })),
      device: this.device.save?.() ?? null,
    };
  }
  restore(saved: Saved): void {
    const state = saved as unknown as {
      status: number;
      isr: number;
      generation: number;
      driverFeatures: number[];
      queues: QueueState[];
      device: Saved;
    };
    this.status = state.status;
    this.isr = state.isr;
    this.generation = state.generation;
    state.driverFeatures.forEach((word, index) => {
      this.driverFeatures[index] = word;
    });
    this.queues.forEach((queue, index) => {
      queue.restore(state.queues[index]);
    });
    this.device.reset?.();
    this.device.restore?.(state.device);
    this.started = false;
    if (this.live) this.start();
    this.interrupt(this.isr !== 0);
    // what the driver put there before the snapshot, and nobody had looked at yet
    if (this.live) for (const index of this.queues.keys()) this.notify(index);
  }
}
