// Split virtqueues (Virtual I/O Device specification 1.1, 2.6).
import { type Memory, PhysicalMemoryFault } from '../device.ts';

const enum DescriptorFlag {
  Next = 1,
  Write = 2,
  Indirect = 4,
}
const DESCRIPTOR_SIZE = 16;
const NO_INTERRUPT = 1;

/** What a driver may put into one chain; more is an error of the driver's. */
const MOST_BYTES = 16 << 20;
/** Descriptors of an indirect table that are looked at. */
const MOST_INDIRECT = 1024;

/** The driver broke the rules of the ring: the device needs a reset. */
class RingError extends Error {
  override name = 'RingError';
}

interface Piece {
  readonly at: number;
  readonly length: number;
}

/** A chain of buffers that the driver has made available. */
export class Chain {
  readonly readLength: number;
  readonly writeLength: number;
  constructor(
    private readonly memory: Memory,
    readonly head: number,
    private readonly readable: readonly Piece[],
    private readonly writable: readonly Piece[],
    /** Of the ring since its last reset. */
    readonly generation: number,
  ) {
    const sum = (pieces: readonly Piece[]): number => pieces.reduce((total, { length }) => total + length, 0);
    this.readLength = sum(readable);
    this.writeLength = sum(writable);
  }

  /** Bytes that the driver gives, from an offset on; fewer where the chain ends. */
  read(offset = 0, length = this.readLength - offset): Uint8Array {
    const result = new Uint8Array(Math.max(0, Math.min(length, this.readLength - offset)));
    this.each(this.readable, offset, result.length, (at, size, done) => this.memory.read(at, result.subarray(done, done + size)));
    return result;
  }
  /** Fills the driver's buffers, from an offset on. Gives the number of bytes that fit. */
  write(bytes: Uint8Array, offset = 0): number {
    const length = Math.max(0, Math.min(bytes.length, this.writeLength - offset));
    this.each(this.writable, offset, length, (at, size, done) => this.memory.write(at, bytes.subarray(done, done + size)));
    return length;
  }
  private each(pieces: readonly Piece[], offset: number, length: number, part: (at: number, size: number, done: number) => void): void {
    let skip = offset;
    let done = 0;
    for (const piece of pieces) {
      if (done >= length) return;
      if (skip >= piece.length) {
        skip -= piece.length;
        continue;
      }
      const size = Math.min(piece.length - skip, length - done);
      part(piece.at + skip, size, done);
      done += size;
      skip = 0;
    }
  }
}

/** State of a queue, as the transport sets it. */
export interface QueueState {
  size: number;
  enabled: boolean;
  descriptors: number;
  available: number;
  used: number;
  /** Index of the next entry of the available ring, and of the used ring. */
  nextAvailable: number;
  nextUsed: number;
}

const atReset = (size: number): QueueState => ({
  size,
  enabled: false,
  descriptors: 0,
  available: 0,
  used: 0,
  nextAvailable: 0,
  nextUsed: 0,
});

export class Queue {
  readonly state: QueueState;
  eventIndex = false;
  indirect = false;
  private generation = 0;
  /** Index of the used ring when the driver was interrupted last. */
  private signalled = 0;

  constructor(
    private readonly memory: Memory,
    readonly maximum: number,
    private readonly interrupt: () => void,
    /** Called with what the driver did wrong. */
    private readonly broken: (reason: string) => void,
  ) {
    this.state = atReset(maximum);
  }

  reset(): void {
    Object.assign(this.state, atReset(this.maximum));
    this.generation++;
    this.signalled = 0;
  }
  restore(state: QueueState): void {
    Object.assign(this.state, state);
    this.generation++;
    this.signalled = state.nextUsed;
  }

  /** Runs what touches the ring or a chain: errors of the driver's end here. */
  private guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof RingError || error instanceof PhysicalMemoryFault)) throw error;
      this.broken(error.message);
      return undefined;
    }
  }

  /** The chains that wait, each taken when it is its turn. */
  *chains(): Generator<Chain> {
    for (let chain = this.pop(); chain; chain = this.pop()) yield chain;
  }

  /** The next chain, or undefined if there is none or the ring is broken. */
  pop(): Chain | undefined {
    if (!this.state.enabled) return undefined;
    return this.guarded(() => {
      const { state, memory } = this;
      const waiting = (memory.u16(state.available + 2) - state.nextAvailable) & 0xffff;
      if (waiting === 0) {
        this.wantNotification();
        // one that came just now is not notified of
        if (memory.u16(state.available + 2) === state.nextAvailable) return undefined;
      }
      if (waiting > state.size) throw new RingError(`${waiting} chains are available in a ring of ${state.size}`);
      const head = memory.u16(state.available + 4 + 2 * (state.nextAvailable % state.size));
      const chain = this.chain(head);
      state.nextAvailable = (state.nextAvailable + 1) & 0xffff;
      return chain;
    });
  }
  /** Whether `pop` would give something. */
  get waiting(): boolean {
    if (!this.state.enabled) return false;
    return this.guarded(() => this.memory.u16(this.state.available + 2) !== this.state.nextAvailable) ?? false;
  }
  private wantNotification(): void {
    const { state } = this;
    if (this.eventIndex) this.memory.setU16(state.used + 4 + 8 * state.size, state.nextAvailable);
  }

  private chain(head: number): Chain {
    const { memory, state } = this;
    const readable: Piece[] = [];
    const writable: Piece[] = [];
    let bytes = 0;
    let table = state.descriptors;
    let size = state.size;
    let index = head;
    let seen = 0;
    let inTable = false;
    for (;;) {
      if (index >= size) throw new RingError(`descriptor ${index} of a table of ${size}`);
      if (++seen > size) throw new RingError('a chain of descriptors that is a loop');
      const at = table + DESCRIPTOR_SIZE * index;
      const address = memory.u32(at) + memory.u32(at + 4) * 2 ** 32;
      const length = memory.u32(at + 8);
      const flags = memory.u16(at + 12);
      const next = memory.u16(at + 14);
      if (flags & DescriptorFlag.Indirect) {
        if (!this.indirect || inTable || flags & DescriptorFlag.Next) throw new RingError('an indirect table where none may be');
        if (length % DESCRIPTOR_SIZE || length === 0 || length > MOST_INDIRECT * DESCRIPTOR_SIZE)
          throw new RingError(`an indirect table of ${length} bytes`);
        table = address;
        size = length / DESCRIPTOR_SIZE;
        index = 0;
        seen = 0;
        inTable = true;
        continue;
      }
      bytes += length;
      if (bytes > MOST_BYTES) throw new RingError(`a chain of more than ${MOST_BYTES} bytes`);
      if (flags & DescriptorFlag.Write) writable.push({ at: address, length });
      else if (writable.length > 0) throw new RingError('a readable buffer behind a writable one');
      else readable.push({ at: address, length });
      if (!(flags & DescriptorFlag.Next)) break;
      index = next;
    }
    return new Chain(memory, head, readable, writable, this.generation);
  }

  /** Gives a chain back, with the number of bytes that were written to it. A chain from before a reset is forgotten. */
  push(chain: Chain, written: number): void {
    if (chain.generation !== this.generation || !this.state.enabled) return;
    this.guarded(() => {
      const { memory, state } = this;
      const at = state.used + 4 + 8 * (state.nextUsed % state.size);
      memory.setU32(at, chain.head);
      memory.setU32(at + 4, written);
      state.nextUsed = (state.nextUsed + 1) & 0xffff;
      memory.setU16(state.used + 2, state.nextUsed);
      this.signal();
    });
  }
  private signal(): void {
    const { memory, state } = this;
    if (this.eventIndex) {
      const event = memory.u16(state.available + 4 + 2 * state.size);
      const since = (state.nextUsed - this.signalled) & 0xffff;
      if (((state.nextUsed - event - 1) & 0xffff) >= since) return;
    } else if (memory.u16(state.available) & NO_INTERRUPT) return;
    this.signalled = state.nextUsed;
    this.interrupt();
  }

  /** Runs what reads or writes a chain's buffers; undefined if they are not in memory (the ring is then broken). */
  access<T>(work: () => T): T | undefined {
    return this.guarded(work);
  }
}
