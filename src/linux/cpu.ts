import type { Isa } from '../isa/isa.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';

/** What the personality needs of a vCPU. */
export interface Cpu {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  /** Unsigned. */
  pc: number;
  /** A word of guest state, signed; `offset` from Layout.STATE. */
  get32(offset: number): number;
  set32(offset: number, value: number): void;
  /** The ISA's state, live. */
  readonly state: DataView;
  /** The word at Isa.mode. */
  mode: number;
  /** After a load or store that met a memory fault with an address: where that access began. */
  readonly accessStart: number;
  callHelper(name: string, ...args: number[]): number;
  run(budget: number): Exit;
  /** One instruction; exit `budget` if nothing else happened. */
  step(): Exit;
  /** The ISA's own table (Layout.USER_TABLE). */
  readonly table: Uint8Array;
  writeTable(offset: number, bytes: Uint8Array): void;
  /** Code in this range of guest addresses changed. */
  invalidate(start: number, length: number): void;
  readonly memoryModel: 'direct' | 'checked';
  setMemoryModel(model: 'direct' | 'checked'): void;
  /** Guest instructions completed. */
  readonly retired: number;
}
