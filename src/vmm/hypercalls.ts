import { Hypercall, HypercallAbi, HypercallError } from '../../assembly/shared/hypercall.ts';
import { CodeMode } from '../../assembly/shared/layout.ts';
import { type InterruptLine, PhysicalMemoryFault, type Saved, type Stateful } from '../devices/device.ts';
import { type Disk, SECTOR } from '../devices/virtio/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { HypercallRegisters, SystemVcpu } from '../isa/system.ts';
import type { Paravirtual } from './kvm.ts';
import type { PhysicalMemory } from './physical-memory.ts';

/**
 * Types of a call's parameters. `text`, `bytes` and `buffer` take two registers each, address and length: a string and bytes that
 * the guest gives, and memory of its own that the call may fill.
 */
export type ParameterType = 'u32' | 'i32' | 'text' | 'bytes' | 'buffer';

export interface ArgumentTypes {
  readonly u32: number;
  readonly i32: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly buffer: { readonly length: number; write(bytes: Uint8Array, offset?: number): void };
}

/** A call of the embedder's: number Hypercall.USER + `number`. While a promise is pending, the guest's processor waits. */
export interface UserHypercall<P extends readonly ParameterType[] = readonly ParameterType[]> {
  /** 0 … 255. */
  readonly number: number;
  readonly params: P;
  readonly call: (...args: { [I in keyof P]: ArgumentTypes[P[I]] }) => number | Promise<number>;
}

/** Types a call by its parameters. */
export const defineHypercall = <const P extends readonly ParameterType[]>(call: UserHypercall<P>): UserHypercall =>
  call as unknown as UserHypercall;

/** Memory that a guest has granted. Accesses outside of it, or after it was revoked, throw RangeError. */
export interface Grant {
  readonly handle: number;
  readonly length: number;
  readonly writable: boolean;
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
}

/** The host's end of a machine's para-virtual interface. */
export interface Hypercalls extends Stateful {
  /** Raises an event on a channel of the guest's. */
  sendEvent(channel: number): void;
  /** Called when the guest sends one. */
  onEvent: (channel: number) => void;
  /** What the guest has granted under a handle. */
  grant(handle: number): Grant | undefined;
}

export interface HypercallWiring {
  readonly registers: HypercallRegisters;
  /** Offset of a register by name. */
  readonly offset: (name: string) => number;
  readonly bigEndian: boolean;
  readonly memory: PhysicalMemory;
  readonly user: readonly UserHypercall[];
  /** Has the numbers that are not ours. */
  readonly others?: Paravirtual | undefined;
  readonly interrupt: InterruptLine;
  readonly write: (byte: number) => void;
  /** At most so many bytes of console input. */
  readonly read: (most: number) => Uint8Array;
  readonly turn: () => Promise<void>;
  readonly disks: readonly Disk[];
}

const MOST_GRANTS = 1024;
/** Bytes of one argument. */
const MOST_BYTES = 16 << 20;
/** Bytes that calls may take or give before the host has its turn: instructions do not tell how long they take. */
const TURN_BYTES = 1 << 20;

const after = <T>(work: Promise<void> | void, then: () => T): T | Promise<T> => (work instanceof Promise ? work.then(then) : then());

const failed = (error: unknown): number => (error instanceof PhysicalMemoryFault ? HypercallError.FAULT : HypercallError.FAILED);

export interface Dispatcher extends Hypercalls {
  /** Handles a call; a promise if the guest has to wait. */
  dispatch(cpu: SystemVcpu): Promise<void> | undefined;
}

export function makeHypercalls(w: HypercallWiring): Dispatcher {
  const { memory } = w;
  const numberAt = w.offset(w.registers.number);
  const argsAt = w.registers.args.map(w.offset);
  const resultAt = w.offset(w.registers.result);
  const user = new Map<number, UserHypercall>();
  for (const call of w.user) {
    const number = Hypercall.USER + call.number;
    if (!(call.number >= 0 && number < Hypercall.USER_END && Number.isInteger(call.number)) || user.has(number))
      throw new RangeError(`hypercall ${call.number} is taken, or not one of 0 … 255`);
    const registers = call.params.reduce((sum, type) => sum + (type === 'u32' || type === 'i32' ? 1 : 2), 0);
    if (registers > 4) throw new RangeError(`hypercall ${call.number} takes ${registers} registers; there are four`);
    user.set(number, call);
  }
  let pending = 0;
  let enabled = 0;
  let next = 1;
  /** Bytes since calls last let the host have its turn. */
  let moved = 0;
  const grants = new Map<number, { readonly address: number; readonly length: number; readonly writable: boolean }>();
  const settle = (): void => w.interrupt((pending & enabled) !== 0);

  const bytesAt = (address: number, length: number): Uint8Array => {
    if (length > MOST_BYTES) throw new PhysicalMemoryFault(address, length);
    const bytes = new Uint8Array(length);
    memory.read(address, bytes);
    return bytes;
  };
  const check = (address: number, length: number): void => {
    if (!memory.isMemory(address, length)) throw new PhysicalMemoryFault(address, length);
  };

  function callUser({ params, call }: UserHypercall, a: readonly number[]): number | Promise<number> {
    let at = 0;
    const args = params.map((type) => {
      const first = a[at++];
      if (type === 'u32') return first;
      if (type === 'i32') return first | 0;
      const length = a[at++];
      moved += length;
      if (type === 'bytes') return bytesAt(first, length);
      if (type === 'text') return new TextDecoder().decode(bytesAt(first, length));
      check(first, length);
      return {
        length,
        write(bytes: Uint8Array, offset = 0) {
          if (!(offset >= 0 && offset + bytes.length <= length))
            throw new RangeError(`${bytes.length} bytes at ${offset} of a buffer of ${length}`);
          memory.write(first + offset, bytes);
        },
      };
    });
    return (call as (...args: unknown[]) => number | Promise<number>)(...args);
  }

  const words = (...values: readonly number[]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((value, index) => {
      view.setUint32(4 * index, value, !w.bigEndian);
    });
    return new Uint8Array(view.buffer);
  };

  function block(number: number, disk: Disk | undefined, [, sector, address, count]: readonly number[]): number | Promise<number> {
    if (!disk) return HypercallError.INVALID;
    if (number === Hypercall.BLOCK_FLUSH) return after(disk.flush(), () => 0);
    if (number === Hypercall.BLOCK_INFO) {
      memory.write(sector, words(disk.sectors, Math.floor(disk.sectors / 2 ** 32), Number(disk.readOnly), SECTOR));
      return 0;
    }
    if (sector + count > disk.sectors || count * SECTOR > MOST_BYTES) return HypercallError.INVALID;
    moved += count * SECTOR;
    if (number === Hypercall.BLOCK_WRITE) {
      if (disk.readOnly) return HypercallError.NOT_PERMITTED;
      return after(disk.write(sector, bytesAt(address, count * SECTOR)), () => count);
    }
    check(address, count * SECTOR);
    const bytes = new Uint8Array(count * SECTOR);
    return after(disk.read(sector, bytes), () => {
      memory.write(address, bytes);
      return count;
    });
  }

  function perform(number: number, a: readonly number[], inBatch: boolean): number | Promise<number> {
    switch (number) {
      case Hypercall.VERSION:
        return HypercallAbi.VERSION;
      case Hypercall.CONSOLE_WRITE:
        if (a[1] > MOST_BYTES) throw new PhysicalMemoryFault(a[0], a[1]);
        check(a[0], a[1]);
        moved += a[1];
        for (let i = 0; i < a[1]; i++) w.write(memory.u8(a[0] + i));
        return a[1];
      case Hypercall.CONSOLE_READ: {
        check(a[0], a[1]);
        const bytes = w.read(Math.min(a[1], MOST_BYTES));
        memory.write(a[0], bytes);
        return bytes.length;
      }
      case Hypercall.YIELD:
        return w.turn().then(() => 0);
      case Hypercall.EVENT_SEND:
        if (a[0] >= HypercallAbi.CHANNELS) return HypercallError.INVALID;
        hypercalls.onEvent(a[0]);
        return 0;
      case Hypercall.EVENT_TAKE: {
        const taken = pending;
        pending = 0;
        settle();
        return taken;
      }
      case Hypercall.EVENT_ENABLE:
        enabled = a[0];
        settle();
        return 0;
      case Hypercall.GRANT: {
        if (grants.size >= MOST_GRANTS) return HypercallError.NO_SPACE;
        if (a[1] === 0) return HypercallError.INVALID;
        check(a[0], a[1]);
        grants.set(next, { address: a[0], length: a[1], writable: a[2] !== 0 });
        return next++;
      }
      case Hypercall.REVOKE:
        return grants.delete(a[0]) ? 0 : HypercallError.INVALID;
      case Hypercall.BATCH:
        if (inBatch || a[1] > HypercallAbi.BATCH_MOST) return HypercallError.INVALID;
        check(a[0], a[1] * HypercallAbi.BATCH_ENTRY);
        return batch(a[0], a[1]);
      case Hypercall.BLOCK_INFO:
      case Hypercall.BLOCK_READ:
      case Hypercall.BLOCK_WRITE:
      case Hypercall.BLOCK_FLUSH:
        return block(number, w.disks[a[0]], a);
      default: {
        const call = user.get(number);
        if (call) return callUser(call, a);
        const ours = number >= Hypercall.VERSION && number < Hypercall.USER_END;
        return ours || !w.others ? HypercallError.UNKNOWN : w.others.hypercall(number);
      }
    }
  }

  /** A call's result as 32 bits, whatever happens in it. */
  function result(number: number, a: readonly number[], inBatch: boolean): number | Promise<number> {
    try {
      const value = perform(number, a, inBatch);
      if (typeof value !== 'number') return value.catch(failed);
      return moved < TURN_BYTES ? value : afterTurn(value);
    } catch (error) {
      return failed(error);
    }
  }

  async function afterTurn(value: number): Promise<number> {
    moved = 0;
    await w.turn();
    return value;
  }

  // made once, as there is one batch at a time: making them takes as long as some ten calls
  const entries = new DataView(new ArrayBuffer(HypercallAbi.BATCH_MOST * HypercallAbi.BATCH_ENTRY));
  const entryBytes = new Uint8Array(entries.buffer);
  const args = [0, 0, 0, 0];
  const word = new DataView(new ArrayBuffer(4));
  const wordBytes = new Uint8Array(word.buffer);

  function batch(address: number, count: number): number | Promise<number> {
    memory.read(address, entryBytes.subarray(0, count * HypercallAbi.BATCH_ENTRY));
    const store = (index: number, value: number): void => {
      const at = address + index * HypercallAbi.BATCH_ENTRY + 20;
      if (!w.bigEndian && (at & (PAGE_SIZE - 1)) <= PAGE_SIZE - 4) {
        memory.setU32(at, value);
        return;
      }
      word.setUint32(0, value, !w.bigEndian);
      memory.write(at, wordBytes);
    };
    const one = (index: number): number | Promise<number> => {
      const at = (i: number): number => entries.getUint32(index * HypercallAbi.BATCH_ENTRY + 4 * i, !w.bigEndian);
      for (let i = 0; i < args.length; i++) args[i] = at(1 + i);
      return result(at(0), args, true);
    };
    const from = async (start: number, waiting: Promise<number>): Promise<number> => {
      store(start, await waiting);
      for (let i = start + 1; i < count; i++) store(i, await one(i));
      return count;
    };
    for (let i = 0; i < count; i++) {
      const value = one(i);
      if (typeof value !== 'number') return from(i, value);
      store(i, value);
    }
    return count;
  }

  const hypercalls: Dispatcher = {
    name: 'hypercalls',
    onEvent: () => {},
    sendEvent(channel) {
      if (!(channel >= 0 && channel < HypercallAbi.CHANNELS)) throw new RangeError(`no event channel ${channel}`);
      pending |= 1 << channel;
      settle();
    },
    grant(handle) {
      const known = grants.get(handle);
      if (!known) return undefined;
      const inside = (offset: number, length: number): void => {
        if (grants.get(handle) !== known) throw new RangeError(`grant ${handle} was revoked`);
        if (!(offset >= 0 && length >= 0 && offset + length <= known.length))
          throw new RangeError(`${length} bytes at ${offset} of a grant of ${known.length}`);
      };
      return {
        handle,
        length: known.length,
        writable: known.writable,
        read(offset, length) {
          inside(offset, length);
          return bytesAt(known.address + offset, length);
        },
        write(offset, bytes) {
          inside(offset, bytes.length);
          if (!known.writable) throw new RangeError(`grant ${handle} is not writable`);
          memory.write(known.address + offset, bytes);
        },
      };
    },
    dispatch(cpu) {
      const get = (offset: number): number => cpu.get32(offset) >>> 0;
      const done = (value: number): void => cpu.set32(resultAt, value | 0);
      if (cpu.mode & CodeMode.User) return void done(HypercallError.NOT_PERMITTED);
      const value = result(get(numberAt), argsAt.map(get), false);
      if (typeof value !== 'number') return value.then(done);
      done(value);
      return undefined;
    },
    reset() {
      pending = enabled = moved = 0;
      grants.clear();
      settle();
    },
    save: () => ({
      pending,
      enabled,
      next,
      moved,
      grants: [...grants].map(([handle, { address, length, writable }]) => [handle, address, length, writable]),
    }),
    restore(saved: Saved) {
      const state = saved as unknown as {
        pending: number;
        enabled: number;
        next: number;
        moved?: number;
        grants: [number, number, number, boolean][];
      };
      ({ pending, enabled, next, moved = 0 } = state);
      grants.clear();
      for (const [handle, address, length, writable] of state.grants) grants.set(handle, { address, length, writable });
      settle();
    },
  };
  return hypercalls;
}
