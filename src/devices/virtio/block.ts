// Block device (specification 1.1, 5.2).
import type { Saved } from '../device.ts';
import { type VirtioDevice, VirtioType } from './device.ts';
import type { Chain, Queue } from './queue.ts';

export const SECTOR = 512;

/** What a disk lies on. Sectors are whole and in range; errors become I/O errors of the guest. */
export interface Disk {
  readonly sectors: number;
  readonly readOnly: boolean;
  read(sector: number, into: Uint8Array): Promise<void> | void;
  write(sector: number, bytes: Uint8Array): Promise<void> | void;
  flush(): Promise<void> | void;
  /** For a snapshot, if what was written is no file's of the host. */
  save?(): Saved;
  restore?(saved: Saved): void;
}

const enum Request {
  In = 0,
  Out = 1,
  Flush = 4,
  GetId = 8,
  Discard = 11,
  WriteZeroes = 13,
}
const enum Result {
  Ok = 0,
  IoError = 1,
  Unsupported = 2,
}
const enum Feature {
  SegmentMax = 1 << 2,
  ReadOnly = 1 << 5,
  BlockSize = 1 << 6,
  Flush = 1 << 9,
  Discard = 1 << 13,
  WriteZeroes = 1 << 14,
}
const QUEUE = 256;
const HEADER = 16;
const ID_LENGTH = 20;
/** Segments of a request besides header and status. */
const SEGMENTS = 126;
/** Sectors of one discard or write-zeroes request. */
const MOST_ZEROES = 8192;

export interface BlockOptions {
  readonly name?: string;
  readonly disk: Disk;
  /** At most twenty characters. */
  readonly id?: string;
}

export function makeBlock({ name = 'virtio-blk', disk, id = 'wasmvisor' }: BlockOptions): VirtioDevice {
  const under = new Set<Promise<void>>();
  const config = new Uint8Array(60);
  const data = new DataView(config.buffer);
  data.setBigUint64(0, BigInt(disk.sectors), true);
  data.setUint32(12, SEGMENTS, true);
  data.setUint32(20, SECTOR, true);
  // discard: most sectors, most segments, alignment; then the same of write zeroes
  data.setUint32(36, MOST_ZEROES, true);
  data.setUint32(40, 1, true);
  data.setUint32(44, 1, true);
  data.setUint32(48, MOST_ZEROES, true);
  data.setUint32(52, 1, true);

  const inside = (sector: number, sectors: number): boolean => sector + sectors <= disk.sectors;

  /** Runs a request; gives how many bytes of the data part were written. */
  async function run(chain: Chain, queue: Queue): Promise<{ result: Result; written: number }> {
    const header = queue.access(() => chain.read(0, HEADER));
    if (!header || header.length < HEADER) return { result: Result.IoError, written: 0 };
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true);
    const sector = Number(view.getBigUint64(8, true));
    const output = chain.readLength - HEADER;
    const room = chain.writeLength - 1;
    switch (type) {
      case Request.In: {
        if (room % SECTOR || !inside(sector, room / SECTOR)) return { result: Result.IoError, written: 0 };
        const bytes = new Uint8Array(room);
        await disk.read(sector, bytes);
        queue.access(() => chain.write(bytes));
        return { result: Result.Ok, written: room };
      }
      case Request.Out: {
        if (disk.readOnly || output % SECTOR || !inside(sector, output / SECTOR)) return { result: Result.IoError, written: 0 };
        const bytes = queue.access(() => chain.read(HEADER));
        if (bytes) await disk.write(sector, bytes);
        return { result: Result.Ok, written: 0 };
      }
      case Request.Flush:
        // what was asked before it is done before it
        await Promise.all(earlier(queue));
        await disk.flush();
        return { result: Result.Ok, written: 0 };
      case Request.GetId: {
        const bytes = new Uint8Array(ID_LENGTH);
        bytes.set(new TextEncoder().encode(id).subarray(0, ID_LENGTH));
        return { result: Result.Ok, written: queue.access(() => chain.write(bytes.subarray(0, room))) ?? 0 };
      }
      case Request.Discard:
      case Request.WriteZeroes: {
        const segment = queue.access(() => chain.read(HEADER, 16));
        if (!segment || segment.length < 16 || output !== 16 || disk.readOnly) return { result: Result.IoError, written: 0 };
        const range = new DataView(segment.buffer);
        const start = Number(range.getBigUint64(0, true));
        const count = range.getUint32(8, true);
        if (count > MOST_ZEROES || !inside(start, count)) return { result: Result.IoError, written: 0 };
        await disk.write(start, new Uint8Array(count * SECTOR));
        return { result: Result.Ok, written: 0 };
      }
      default:
        return { result: Result.Unsupported, written: 0 };
    }
  }
  const earlier = (_queue: Queue): Promise<void>[] => [...under];

  async function serve(chain: Chain, queue: Queue): Promise<void> {
    let answer: { result: Result; written: number };
    try {
      answer = await run(chain, queue);
    } catch {
      answer = { result: Result.IoError, written: 0 };
    }
    if (chain.writeLength === 0) return queue.push(chain, 0);
    queue.access(() => chain.write(Uint8Array.of(answer.result), chain.writeLength - 1));
    queue.push(chain, answer.written + 1);
  }

  return {
    name,
    type: VirtioType.Block,
    classCode: 0x018000,
    features:
      Feature.SegmentMax | Feature.BlockSize | Feature.Flush | (disk.readOnly ? Feature.ReadOnly : Feature.Discard | Feature.WriteZeroes),
    queues: [QUEUE],
    config: () => config,
    notify(_index, queue) {
      for (const chain of queue.chains()) {
        const done: Promise<void> = serve(chain, queue).finally(() => under.delete(done));
        under.add(done);
      }
    },
    async settled() {
      while (under.size > 0) await Promise.all(under);
    },
  };
}

/** A disk in memory; `bytes` is filled up to whole sectors. */
export function memoryDisk(bytes: Uint8Array, readOnly = false): Disk & { readonly bytes: Uint8Array } {
  const sectors = Math.ceil(bytes.length / SECTOR);
  const content = new Uint8Array(sectors * SECTOR);
  content.set(bytes);
  return {
    bytes: content,
    sectors,
    readOnly,
    read: (sector, into) => into.set(content.subarray(sector * SECTOR, sector * SECTOR + into.length)),
    write: (sector, from) => content.set(from, sector * SECTOR),
    flush: () => {},
    save: () => content.slice(),
    restore: (saved) => content.set((saved as Uint8Array).subarray(0, content.length)),
  };
}

/** Sectors that are copied together. */
const CLUSTER = 128;

/** A disk that keeps what is written in memory and leaves its base as it is. */
export function overlayDisk(base: Disk): Disk {
  const clusters = new Map<number, Uint8Array>();
  /** Clusters that are being copied. */
  const copying = new Map<number, Promise<Uint8Array>>();

  function own(index: number): Promise<Uint8Array> | Uint8Array {
    const present = clusters.get(index);
    if (present) return present;
    let copy = copying.get(index);
    if (!copy) {
      copy = (async () => {
        const bytes = new Uint8Array(CLUSTER * SECTOR);
        const start = index * CLUSTER;
        await base.read(start, bytes.subarray(0, Math.min(CLUSTER, base.sectors - start) * SECTOR));
        clusters.set(index, bytes);
        copying.delete(index);
        return bytes;
      })();
      copying.set(index, copy);
    }
    return copy;
  }
  /** The parts of a range, by cluster. */
  function* parts(sector: number, length: number): Generator<{ index: number; at: number; from: number; to: number }> {
    for (let done = 0; done < length; ) {
      const at = sector * SECTOR + done;
      const index = Math.floor(at / (CLUSTER * SECTOR));
      const offset = at - index * CLUSTER * SECTOR;
      const size = Math.min(length - done, CLUSTER * SECTOR - offset);
      yield { index, at: offset, from: done, to: done + size };
      done += size;
    }
  }
  return {
    sectors: base.sectors,
    readOnly: false,
    async read(sector, into) {
      for (const { index, at, from, to } of parts(sector, into.length)) {
        const bytes = clusters.get(index) ?? (await copying.get(index));
        if (bytes) into.set(bytes.subarray(at, at + to - from), from);
        else await base.read(sector + from / SECTOR, into.subarray(from, to));
      }
    },
    async write(sector, bytes) {
      for (const { index, at, from, to } of parts(sector, bytes.length)) {
        // a whole cluster needs nothing of the base
        if (to - from === CLUSTER * SECTOR && !copying.has(index)) clusters.set(index, bytes.slice(from, to));
        else (await own(index)).set(bytes.subarray(from, to), at);
      }
    },
    flush: () => {},
    save: () => Object.fromEntries([...clusters].map(([index, bytes]) => [index, bytes.slice()])),
    restore(saved) {
      clusters.clear();
      for (const [index, bytes] of Object.entries(saved as Record<string, Uint8Array>)) {
        if (bytes.length !== CLUSTER * SECTOR) throw new RangeError('a cluster of another size');
        clusters.set(Number(index), bytes.slice());
      }
    },
  };
}
