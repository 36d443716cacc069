import { createRuntime } from '../backend/runtime.ts';
import type { Exit } from '../vcpu/exit.ts';
import { GuestMemory } from '../vcpu/guest-memory.ts';
import { type MemoryModel, Vcpu, type VcpuOptions } from '../vcpu/vcpu.ts';
import { differences } from './compare.ts';
import { Divergence } from './divergence.ts';
import { restore, type Snapshot, takeSnapshot } from './snapshot.ts';

export interface CheckOptions {
  /** One of so many stays in guest code is checked, chosen at random. Default: every one. */
  readonly sample?: number;
  /** Guest instructions of a checked stay at most. Default: 100,000. */
  readonly slice?: number;
  /** Random numbers in 0 … 1. Default: Math.random. */
  readonly random?: () => number;
  /** A stay was checked. */
  readonly onCheck?: () => void;
}

const SLICE = 100_000;
/** Instructions that the interpreter may run on to the exit of the other. */
const SLACK = 1000;

/**
 * A vCPU whose stays in guest code are run a second time in an interpreter that has memory of its own, from a copy of the
 * state. Both must come to the same exit after the same number of instructions with the same state and memory; else `run` throws
 * a Divergence. What happens between stays (system calls, signals) happens once and is copied.
 */
export class CheckedVcpu extends Vcpu {
  private readonly reference: Vcpu;
  private model: MemoryModel;
  private last: Snapshot | undefined;

  constructor(
    private readonly given: VcpuOptions,
    private readonly engine: WebAssembly.Module | Uint8Array<ArrayBuffer>,
    private readonly check: CheckOptions = {},
  ) {
    // else a loop header holds only what is read after it
    super({ ...given, exactBudget: true });
    this.model = given.memoryModel ?? 'direct';
    const memory = new GuestMemory(given.memory.top, given.isa.endian);
    const { startCompiler: _, ...options } = given;
    this.reference = new Vcpu({
      ...options,
      memory,
      runtime: createRuntime(engine, memory),
      executor: 'interpret',
      exactBudget: true,
    });
  }

  override run(budget: number): Exit {
    const { sample = 1, slice = SLICE, random = Math.random } = this.check;
    if (sample > 1 && random() * sample >= 1) return super.run(budget);
    const before = takeSnapshot(this, this.last);
    this.last = before;
    const exit = super.run(Math.min(budget, slice));
    const retired = this.retired - before.instructions;
    // a repeated string instruction lets others have their turn
    if (exit.kind === 'budget' && retired === 0) return exit;
    const { reference } = this;
    restore(reference, before);
    const there = reference.run(exit.kind === 'budget' ? retired : retired + SLACK);
    this.check.onCheck?.();
    const stopped = { vcpu: this, exit, retired };
    const expected = { vcpu: reference, exit: there, retired: reference.retired - before.instructions };
    const found = differences(stopped, expected);
    if (found.length > 0) throw new Divergence(before, stopped, expected, found, { ...this.given, memoryModel: this.model }, this.engine);
    return exit;
  }

  override invalidate(start: number, length: number): void {
    super.invalidate(start, length);
    this.reference.invalidate(start, length);
  }
  override writeTable(offset: number, bytes: Uint8Array): void {
    super.writeTable(offset, bytes);
    this.reference.writeTable(offset, bytes);
  }
  override hookPlaces(places: ReadonlySet<number>): void {
    super.hookPlaces(places);
    this.reference.hookPlaces(places);
  }
  override setMemoryModel(model: MemoryModel): void {
    super.setMemoryModel(model);
    this.model = model;
    this.reference.setMemoryModel(model);
  }
}
