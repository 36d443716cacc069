import type { Runtime } from '../backend/runtime.ts';

/** Entries that the function table grows by. */
const STEP = 512;

/** `(param i32 i32) (result i32) local.get 0`: a call slot that lost its code hands its pc to the dispatcher. */
const STUB = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0, 7, 5, 1, 1, 0x73, 0, 0, 10, 6, 1, 4, 0, 0x20, 0, 11,
]);

/**
 * Entries of the function table by key of the code that they call. A key keeps its entry while it has code, or there is code that
 * was compiled with the entry's index.
 */
export class CallSlots {
  private readonly indexes = new Map<number, number>();
  /** By index: how many modules have it in them, and the key. */
  private readonly users = new Map<number, number>();
  private readonly keys = new Map<number, number>();
  private readonly filled = new Set<number>();
  private readonly free: number[] = [];
  /** Of the table. */
  private length = 0;
  private readonly stub = new WebAssembly.Instance(new WebAssembly.Module(STUB)).exports.s as CallableFunction;

  constructor(private readonly runtime: Runtime) {
    // an empty look-up entry seems to be one for pc 0
    runtime.table.set(0, this.stub);
  }

  /** Entries that some key has. */
  get size(): number {
    return this.indexes.size;
  }
  get(key: number): number | undefined {
    return this.indexes.get(key);
  }

  /** The entry of this key; made for a region only, since large tables slow instantiation. */
  of(key: number): number {
    let index = this.indexes.get(key);
    if (index === undefined) {
      if (this.free.length === 0) {
        const first = this.runtime.table.grow(STEP, this.stub) as number;
        this.length = first + STEP;
        for (let i = STEP - 1; i >= 0; i--) this.free.push(first + i);
      }
      index = this.free.pop()!;
      this.indexes.set(key, index);
      this.keys.set(index, key);
    }
    return index;
  }

  /** Gives the entry of this key code to call. */
  fill(key: number, code: CallableFunction): number {
    const index = this.of(key);
    this.runtime.table.set(index, code);
    this.filled.add(index);
    return index;
  }
  /** Takes it away. */
  empty(key: number): void {
    const index = this.indexes.get(key);
    if (index === undefined) return;
    this.runtime.table.set(index, this.stub);
    this.filled.delete(index);
  }

  isFilled(key: number): boolean {
    return this.filled.has(this.indexes.get(key) ?? -1);
  }

  /** The function table is a new one: as long as the old one, and to be filled anew. */
  renew(): void {
    const { table } = this.runtime;
    table.set(0, this.stub);
    if (this.length > table.length) table.grow(this.length - table.length, this.stub);
  }

  /** A module was compiled with these indexes in it. */
  hold(indexes: Iterable<number>): void {
    for (const index of indexes) this.users.set(index, (this.users.get(index) ?? 0) + 1);
  }
  /** It is gone. */
  release(indexes: Iterable<number>): void {
    for (const index of indexes) {
      const left = this.users.get(index)! - 1;
      if (left > 0) this.users.set(index, left);
      else {
        this.users.delete(index);
        this.tidy(index);
      }
    }
  }

  /** Code with this key is gone for good. */
  forget(key: number): void {
    const index = this.indexes.get(key);
    if (index !== undefined) this.tidy(index);
  }
  private tidy(index: number): void {
    const key = this.keys.get(index);
    if (key === undefined || this.filled.has(index) || this.users.has(index)) return;
    this.indexes.delete(key);
    this.keys.delete(index);
    this.free.push(index);
  }
}
