import { Layout, PhysicalPage } from '../../assembly/shared/layout.ts';
import { type Memory, PhysicalMemoryFault } from '../devices/device.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';

/** Bytes that are copied one by one: a view of them takes longer to make. */
const SMALL = 64;
// for addresses of 32 bits: engines divide larger numbers by calling a function
const pageOf = (address: number): number => address >>> 12;
const offsetIn = (address: number): number => address & (PAGE_SIZE - 1);
const isAddress = (address: number): boolean => address === address >>> 0;
const isSmall = (address: number, length: number): boolean =>
  isAddress(address) && length > 0 && length <= SMALL && offsetIn(address) + length <= PAGE_SIZE;

/** What the engine must be told of. */
export interface MemoryListener {
  /** The host or a device wrote to a page that blocks were translated from. */
  written(address: number, length: number): void;
  /** What lies at some physical addresses has changed. */
  remapped(): void;
}

/**
 * Guest-physical memory: the table at Layout.PHYSICAL, and the one checked conversion of guest-physical addresses for all that
 * is not the processor: loaders, devices' DMA, hypercalls.
 */
export class PhysicalMemory implements Memory {
  readonly bytes: Uint8Array;
  private readonly data: DataView;
  private readonly pages: Uint32Array;
  listener: MemoryListener | undefined;

  constructor(memory: GuestMemory) {
    this.bytes = memory.bytes;
    this.data = memory.data;
    this.pages = new Uint32Array(memory.memory.buffer, Layout.PHYSICAL, (Layout.PHYSICAL_END - Layout.PHYSICAL) / 4);
  }

  /** Puts the memory at index `from` of the WebAssembly memory at a physical address. All are multiples of 4,096. */
  map(address: number, size: number, from: number, writable: boolean): void {
    const bits = PhysicalPage.Memory | (writable ? PhysicalPage.Writable : 0);
    for (let offset = 0; offset < size; offset += PAGE_SIZE) {
      const page = (address + offset) / PAGE_SIZE;
      this.pages[page] = (from + offset) | bits | (this.sameMemory(page, from + offset) & PhysicalPage.Code);
    }
    this.listener?.remapped();
  }
  private sameMemory(page: number, index: number): number {
    const entry = this.pages[page];
    return (entry & ~(PAGE_SIZE - 1)) >>> 0 === index ? entry : 0;
  }

  /** Leaves these addresses to the bus. */
  unmap(address: number, size: number): void {
    this.pages.fill(0, address / PAGE_SIZE, (address + size) / PAGE_SIZE);
    this.listener?.remapped();
  }

  /** Calls `part` for each piece that is contiguous in the WebAssembly memory; throws before the first if not all is memory. */
  private pieces(address: number, length: number, need: number, part: (index: number, length: number, done: number) => void): void {
    const start = address;
    if (!(start >= 0 && length >= 0 && start + length <= 0x1_0000_0000)) throw new PhysicalMemoryFault(address, length);
    for (let page = Math.floor(start / PAGE_SIZE); page * PAGE_SIZE < start + length; page++)
      if ((this.pages[page] & need) !== need) throw new PhysicalMemoryFault(address, length);
    for (let done = 0; done < length; ) {
      const at = start + done;
      const page = Math.floor(at / PAGE_SIZE);
      const place = this.place(page);
      let next = page + 1;
      while (next * PAGE_SIZE < start + length && this.place(next) === place + (next - page) * PAGE_SIZE) next++;
      const size = Math.min(start + length, next * PAGE_SIZE) - at;
      part(place + (at % PAGE_SIZE), size, done);
      done += size;
    }
  }

  private place(page: number): number {
    return (this.pages[page] & ~(PAGE_SIZE - 1)) >>> 0;
  }

  /** Whether all of a range is RAM or ROM. */
  isMemory(address: number, length: number): boolean {
    if (isSmall(address, length)) return (this.pages[pageOf(address)] & PhysicalPage.Memory) !== 0;
    try {
      this.pieces(address, length, PhysicalPage.Memory, () => {});
      return true;
    } catch {
      return false;
    }
  }

  read(address: number, target: Uint8Array): void {
    const { length } = target;
    if (isSmall(address, length)) {
      const index = this.single(address, length, PhysicalPage.Memory);
      for (let i = 0; i < length; i++) target[i] = this.bytes[index + i];
      return;
    }
    this.pieces(address, target.length, PhysicalPage.Memory, (index, length, done) =>
      target.set(this.bytes.subarray(index, index + length), done),
    );
  }
  write(address: number, source: Uint8Array): void {
    const { length } = source;
    if (isSmall(address, length)) {
      const index = this.single(address, length, PhysicalPage.Memory | PhysicalPage.Writable);
      for (let i = 0; i < length; i++) this.bytes[index + i] = source[i];
      this.tell(address, length);
      return;
    }
    this.pieces(address, source.length, PhysicalPage.Memory | PhysicalPage.Writable, (index, length, done) => {
      this.bytes.set(source.subarray(done, done + length), index);
      this.tell(address + done, length);
    });
  }
  fill(address: number, length: number, value: number): void {
    this.pieces(address, length, PhysicalPage.Memory | PhysicalPage.Writable, (index, size, done) => {
      this.bytes.fill(value, index, index + size);
      this.tell(address + done, size);
    });
  }
  private tell(address: number, length: number): void {
    for (let page = pageOf(address); page * PAGE_SIZE < address + length; page++) {
      if (!(this.pages[page] & PhysicalPage.Code)) continue;
      const start = Math.max(address, page * PAGE_SIZE);
      this.listener?.written(start, Math.min(address + length, (page + 1) * PAGE_SIZE) - start);
    }
  }

  /** Index into `bytes` of an access that lies in one page. */
  private single(address: number, length: number, need: number): number {
    const entry = this.pages[pageOf(address)];
    if (!isAddress(address) || offsetIn(address) + length > PAGE_SIZE || (entry & need) !== need)
      throw new PhysicalMemoryFault(address, length);
    return ((entry & ~(PAGE_SIZE - 1)) >>> 0) + offsetIn(address);
  }
  u8(address: number): number {
    return this.bytes[this.single(address, 1, PhysicalPage.Memory)];
  }
  u16(address: number): number {
    return this.data.getUint16(this.single(address, 2, PhysicalPage.Memory), true);
  }
  u32(address: number): number {
    return this.data.getUint32(this.single(address, 4, PhysicalPage.Memory), true);
  }
  setU8(address: number, value: number): void {
    this.bytes[this.single(address, 1, PhysicalPage.Memory | PhysicalPage.Writable)] = value;
    this.tell(address, 1);
  }
  setU16(address: number, value: number): void {
    this.data.setUint16(this.single(address, 2, PhysicalPage.Memory | PhysicalPage.Writable), value, true);
    this.tell(address, 2);
  }
  setU32(address: number, value: number): void {
    this.data.setUint32(this.single(address, 4, PhysicalPage.Memory | PhysicalPage.Writable), value, true);
    this.tell(address, 4);
  }
}
