import type { Device } from '../devices/device.ts';

/** A device's place in an address space; `offset` is the device's own at `at`. */
export interface Range {
  readonly at: number;
  readonly size: number;
  readonly device: Device;
  readonly offset?: number;
}

/** Takes a range away again; twice does nothing. */
export type Unmap = () => void;

const ONES = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;
type Bytes = 1 | 2 | 4;

/**
 * An address space of devices: memory or ports. What no device answers reads as all ones, and is told once for each page (or
 * port) through `unanswered`. Of overlapping ranges the one that was mapped last answers.
 */
export class Bus {
  private ranges: Range[] = [];
  private last: Range | undefined;
  private readonly told = new Set<number>();

  constructor(
    private readonly name: string,
    private readonly unanswered: (text: string) => void,
    /** Addresses that are told together: log2 of their number. */
    private readonly tellShift: number,
  ) {}

  map(range: Range): Unmap {
    this.ranges.unshift(range);
    this.last = undefined;
    return () => {
      this.ranges = this.ranges.filter((other) => other !== range);
      this.last = undefined;
    };
  }

  private find(address: number): Range | undefined {
    const last = this.last;
    if (last && address >= last.at && address - last.at < last.size) return last;
    const found = this.ranges.find(({ at, size }) => address >= at && address - at < size);
    // of overlapping ranges, the one below must not hide the one above
    this.last = found && this.ranges.every((other) => other === found || !overlap(other, found)) ? found : undefined;
    return found;
  }

  read(at: number, bytes: number): number {
    const address = at >>> 0;
    const range = this.find(address);
    const size = bytes as Bytes;
    if (range && bytes <= range.device.widest && address - range.at + bytes <= range.size)
      return (range.device.read(address - range.at + (range.offset ?? 0), bytes) & ONES[size]) >>> 0;
    if (bytes === 1 || !range) {
      this.tell(address, `${bytes}-byte read`);
      return ONES[size];
    }
    const half = bytes >>> 1;
    return (this.read(address, half) | (this.read(address + half, half) << (half * 8))) >>> 0;
  }

  write(at: number, bytes: number, value: number): void {
    const address = at >>> 0;
    const range = this.find(address);
    const half = (bytes >>> 1) as Bytes;
    if (range && bytes <= range.device.widest && address - range.at + bytes <= range.size) {
      range.device.write(address - range.at + (range.offset ?? 0), bytes, (value & ONES[bytes as Bytes]) >>> 0);
    } else if (bytes === 1 || !range) {
      this.tell(address, `${bytes}-byte write`);
    } else {
      this.write(address, half, value & ONES[half]);
      this.write(address + half, half, value >>> (half * 8));
    }
  }

  private tell(address: number, what: string): void {
    const key = address >>> this.tellShift;
    if (this.told.has(key) || this.told.size >= MOST_TOLD) return;
    this.told.add(key);
    this.unanswered(`no device answers a ${what} at ${this.name} 0x${address.toString(16)}`);
  }
}

const MOST_TOLD = 64;

const overlap = (a: Range, b: Range): boolean => a.at < b.at + b.size && b.at < a.at + a.size;
