import { createRuntime, type Runtime } from '../backend/runtime.ts';
import { noStats } from '../vcpu/options.ts';
import type { Vcpu, VcpuStats } from '../vcpu/vcpu.ts';
import type { Abi } from './abi.ts';
import { memoryTop } from './address-space.ts';
import { fail } from './fs/fail.ts';
import { guestMemoryFor } from './load.ts';
import { MemoryBudget, MemoryMap } from './memory-map.ts';
import type { SharedTranslations } from './shared-translations.ts';
import type { Thread } from './threads.ts';

type Memory = ReturnType<typeof guestMemoryFor>;

/** An address space with the processor that runs in it. Processes share one only between vfork (or clone with CLONE_VM) and execve. */
export interface Space {
  readonly abi: Abi;
  /** Of its program, among translations. */
  readonly key: string;
  readonly vcpu: Vcpu;
  readonly memory: Memory;
  readonly map: MemoryMap;
  readonly runtime: Runtime;
  /** Processes in it. */
  users: number;
  /** Whose registers the processor has. */
  holder: Thread | undefined;
}

export interface SpacesOptions {
  readonly runtime: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  readonly makeVcpu: (abi: Abi, memory: Memory, runtime: Runtime) => Vcpu;
  readonly translations: SharedTranslations;
  /** Bytes that all together may map. */
  readonly memoryLimit: number;
  /** See ProgramOptions. */
  readonly reserved?: WebAssembly.Memory | undefined;
}

/** Memories that wait for a new process, and the most that one of these may have been filled with, since its pages stay with the host. */
const SPARE = 8;
const SPARE_BYTES = 32 << 20;

/** The address spaces of all processes. Memories are used again: the engine collects garbage for each that is made. */
export class Spaces {
  readonly budget: MemoryBudget;
  private readonly live = new Set<Space>();
  private readonly spare: { readonly memory: Memory; readonly runtime: Runtime }[] = [];
  private readonly ended = noStats();
  private readonly module: WebAssembly.Module;
  private reserved: WebAssembly.Memory | undefined;

  constructor(private readonly options: SpacesOptions) {
    this.reserved = options.reserved;
    this.budget = new MemoryBudget(options.memoryLimit);
    this.module = options.runtime instanceof WebAssembly.Module ? options.runtime : new WebAssembly.Module(options.runtime);
  }

  /** An empty one, for one process. ENOMEM if the host has no address space left. */
  make(abi: Abi, key: string): Space {
    const { memory, runtime } = this.take(abi);
    const vcpu = this.options.makeVcpu(abi, memory, runtime);
    const map = new MemoryMap(memory, {
      top: abi.top,
      base: abi.mapBase,
      budget: this.budget,
      invalidate: (start, length) => vcpu.invalidate(start, length),
      filled: (from, to) => runtime.dirtyPages(from, to),
    });
    const space: Space = { abi, key, vcpu, memory, map, runtime, users: 1, holder: undefined };
    this.live.add(space);
    return space;
  }

  private take(abi: Abi): { readonly memory: Memory; readonly runtime: Runtime } {
    const index = this.spare.findIndex(({ memory }) => memory.suits(memoryTop(abi.top), abi.isa.endian));
    if (index >= 0) {
      const [taken] = this.spare.splice(index, 1);
      taken.runtime.renew();
      return taken;
    }
    try {
      const memory = guestMemoryFor(abi, this.reserved);
      this.reserved = undefined;
      return { memory, runtime: createRuntime(this.module, memory) };
    } catch (error) {
      if (error instanceof RangeError && this.live.size > 0) fail('ENOMEM');
      throw error;
    }
  }

  /** One with the same content and mappings. ENOMEM if that is more than there may be. */
  async copy(from: Space): Promise<Space> {
    this.publish(from);
    const space = this.make(from.abi, from.key);
    try {
      space.map.copyFrom(from.map, (start, end) => this.copyPages(from, space, start, end));
    } catch (error) {
      this.release(space);
      throw error;
    }
    const { vcpu } = space;
    vcpu.setMemoryModel(from.vcpu.memoryModel);
    vcpu.writeTable(0, from.vcpu.table);
    if (from.vcpu.hookedPlaces) vcpu.hookPlaces(from.vcpu.hookedPlaces);
    vcpu.persist(this.options.translations.known(from.key), true);
    await vcpu.prepare();
    return space;
  }
  private copyPages(from: Space, to: Space, start: number, end: number): void {
    for (const [first, last] of from.runtime.dirtyPages(start, end)) to.memory.bytes.set(from.memory.bytes.subarray(first, last), first);
  }

  /** Translations for other processes with the same program. */
  private publish({ vcpu, key }: Space): void {
    const found = vcpu.newTranslations();
    if (found) this.options.translations.keep(key, found);
  }

  /** A process left it. */
  release(space: Space): void {
    if (--space.users > 0) return;
    this.publish(space);
    const { vcpu, map, memory, runtime } = space;
    addStats(this.ended, vcpu.stats);
    vcpu.close();
    this.live.delete(space);
    const filled = map.peak;
    map.clear((start, end) => {
      if (filled <= SPARE_BYTES) for (const [first, last] of runtime.dirtyPages(start, end)) memory.bytes.fill(0, first, last);
    });
    if (filled > SPARE_BYTES || this.spare.length >= SPARE) return;
    vcpu.scrub();
    this.spare.push({ memory, runtime });
  }

  /** What all processors did. */
  get stats(): VcpuStats {
    const all = noStats();
    addStats(all, this.ended);
    for (const { vcpu } of this.live) addStats(all, vcpu.stats);
    return all;
  }
  /** Guest instructions completed. */
  get retired(): number {
    let retired = this.ended.instructions;
    for (const { vcpu } of this.live) retired += vcpu.retired;
    return retired;
  }
  get count(): number {
    return this.live.size;
  }

  close(): void {
    for (const space of this.live) {
      this.publish(space);
      space.vcpu.close();
    }
  }
}

function addStats(sum: VcpuStats, more: VcpuStats): void {
  const { exits, ...counts } = more;
  for (const [name, count] of Object.entries(counts) as [Exclude<keyof VcpuStats, 'exits'>, number][]) sum[name] += count;
  for (const [kind, count] of Object.entries(exits) as [keyof typeof exits, number][]) sum.exits[kind] = (sum.exits[kind] ?? 0) + count;
}
