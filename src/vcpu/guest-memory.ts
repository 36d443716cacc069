import { Layout, PagePermission } from '../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../isa/code.ts';

export { PagePermission };

/** An access by the host, on behalf of the guest, to what the guest may not touch. System calls answer it with EFAULT. */
export class GuestMemoryFault extends Error {
  override name = 'GuestMemoryFault';
  constructor(
    readonly address: number,
    readonly access: 'read' | 'write',
  ) {
    super(`guest memory at 0x${address.toString(16).padStart(8, '0')} cannot be ${access === 'read' ? 'read' : 'written'}`);
  }
}

const wasmPages = (top: number): number => (Layout.WINDOW + (top - Layout.FLOOR)) / 65536;

/** A WebAssembly memory for guest addresses below `top`, a multiple of 64 KiB. */
export const makeMemory = (top: number): WebAssembly.Memory => new WebAssembly.Memory({ initial: wasmPages(top), maximum: 65536 });

/** A reservation (no permissions) stays unused: unmapping need not clear it, and the host never backs it. */
const used = (permission: number): number => (permission === 0 ? 0 : permission | PagePermission.Used);

/**
 * A guest's memory: 32-bit guest addresses FLOOR ≤ address < top, 4 KiB pages with permissions. Every access of the
 * host goes through `view`, which checks; multi-byte values are in the guest's byte order.
 */
export class GuestMemory {
  readonly memory: WebAssembly.Memory;
  /** The whole Wasm memory; see Layout. */
  readonly bytes: Uint8Array;
  readonly data: DataView;
  private readonly pages: Uint8Array;
  private readonly fourPages: Int32Array;
  private readonly little: boolean;

  /** `top`: exclusive upper bound of guest addresses, a multiple of 64 KiB. `reserved`: a memory that nobody has used, taken if its size is right. */
  constructor(
    readonly top: number,
    endian: 'little' | 'big',
    reserved?: WebAssembly.Memory,
  ) {
    this.memory = reserved?.buffer.byteLength === 65536 * wasmPages(top) ? reserved : makeMemory(top);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.data = new DataView(this.memory.buffer);
    this.pages = this.bytes.subarray(Layout.PAGES, Layout.PAGES_END);
    this.fourPages = new Int32Array(this.memory.buffer, Layout.PAGES, (Layout.PAGES_END - Layout.PAGES) / 4);
    this.little = endian === 'little';
    this.data.setUint32(Layout.TOP, top, true);
  }

  /** Whether it is one such as the constructor makes with these. */
  suits(top: number, endian: 'little' | 'big'): boolean {
    return top === this.top && (endian === 'little') === this.little;
  }

  /** Index into `bytes` of a guest address. */
  static index(address: number): number {
    return (address >>> 0) - Layout.FLOOR + Layout.WINDOW;
  }

  permission(address: number): number {
    return this.pages[address >>> 12];
  }

  /**
   * Maps pages with new permissions and zero content. Start and length are multiples of 4,096; the caller has checked
   * that they lie inside FLOOR…top.
   */
  map(start: number, length: number, permission: number): void {
    this.unmap(start, length);
    this.pages.fill(used(permission), start / PAGE_SIZE, (start + length) / PAGE_SIZE);
  }

  /** The first page from `page` on, and before `last`, that has this bit; else `last`. */
  private firstWith(bit: PagePermission, page: number, last: number): number {
    const four = bit * 0x01010101;
    let at = page;
    while (at < last) {
      // a short program maps much and is over soon: page by page, this would be what the engine optimises first
      if (at % 4 === 0 && !(this.fourPages[at / 4] & four)) at += 4;
      else if (this.pages[at] & bit) return at;
      else at++;
    }
    return last;
  }

  unmap(start: number, length: number): void {
    const last = (start + length) / PAGE_SIZE;
    for (let page = start / PAGE_SIZE; ; ) {
      const first = this.firstWith(PagePermission.Used, page, last);
      if (first >= last) return;
      page = first;
      while (page < last && this.pages[page] & PagePermission.Used) this.pages[page++] = 0;
      const index = GuestMemory.index(first * PAGE_SIZE);
      this.bytes.fill(0, index, index + (page - first) * PAGE_SIZE);
    }
  }

  /** Bytes were put there whatever the permissions; unmapping is to clear them. */
  use(start: number, length: number): void {
    for (let page = start >>> 12; page * PAGE_SIZE < start + length; page++) this.pages[page] |= PagePermission.Used;
  }

  /** The same is mapped between two addresses as in another memory; of that nothing has been translated here. */
  copyPages(from: GuestMemory, start: number, end: number): void {
    for (let page = start / PAGE_SIZE; page < end / PAGE_SIZE; page++) this.pages[page] = from.pages[page] & ~PagePermission.Code;
  }

  /** Changes permissions of mapped pages; content stays. */
  protect(start: number, length: number, permission: number): void {
    for (let page = start / PAGE_SIZE, last = (start + length) / PAGE_SIZE; page < last; page++) {
      this.pages[page] = (this.pages[page] & (PagePermission.Used | PagePermission.Code)) | used(permission);
    }
  }

  /** Notes that blocks were (or no longer are) translated from these pages. */
  markCode(start: number, length: number, code: boolean): void {
    const last = (start + length - 1) >>> 12;
    for (let page = start >>> 12; page <= last; page++) {
      if (code) this.pages[page] |= PagePermission.Code;
      else this.pages[page] &= ~PagePermission.Code;
    }
  }
  hasCode(start: number, length: number): boolean {
    const end = ((start + length - 1) >>> 12) + 1;
    return this.firstWith(PagePermission.Code, start >>> 12, end) < end;
  }

  /** A page's bytes if it is executable. */
  codePage = (pageNumber: number): Uint8Array | undefined => {
    if (!(this.pages[pageNumber] & PagePermission.Execute)) return undefined;
    const index = GuestMemory.index(pageNumber * PAGE_SIZE);
    return this.bytes.subarray(index, index + PAGE_SIZE);
  };

  /** How many of `length` bytes from `address` on the guest may access, up to the first page that it may not. */
  accessible(address: number, length: number, need: number): number {
    const start = address >>> 0;
    const limit = Math.min(start + length, this.top);
    let end = start;
    while (end < limit && (this.pages[end >>> 12] & need) === need) end = (Math.floor(end / PAGE_SIZE) + 1) * PAGE_SIZE;
    return Math.max(0, Math.min(end, limit) - start);
  }

  private check(address: number, length: number, access: 'read' | 'write'): number {
    const start = address >>> 0;
    const need = access === 'read' ? PagePermission.Read : PagePermission.Write;
    const end = start + length;
    if (end > this.top) throw new GuestMemoryFault(start < this.top && start >= Layout.FLOOR ? this.top : start, access);
    for (let page = Math.floor(start / PAGE_SIZE); page * PAGE_SIZE < end; page++) {
      if (!(this.pages[page] & need)) throw new GuestMemoryFault(Math.max(start, page * PAGE_SIZE), access);
    }
    return GuestMemory.index(start);
  }

  /** The guest's bytes themselves, not a copy; valid until the next mapping change. */
  view(address: number, length: number, access: 'read' | 'write'): Uint8Array {
    if (length === 0) return this.bytes.subarray(0, 0);
    const index = this.check(address, length, access);
    return this.bytes.subarray(index, index + length);
  }

  /** Host writes that ignore write permission (the loader, the debugger). */
  poke(address: number, source: Uint8Array): void {
    const start = address >>> 0;
    if (start < Layout.FLOOR || start + source.length > this.top) throw new GuestMemoryFault(start, 'write');
    this.bytes.set(source, GuestMemory.index(start));
    this.use(start, source.length);
  }
  write(address: number, source: Uint8Array): void {
    this.view(address, source.length, 'write').set(source);
  }
  u8(address: number): number {
    return this.bytes[this.check(address, 1, 'read')];
  }
  u16(address: number): number {
    return this.data.getUint16(this.check(address, 2, 'read'), this.little);
  }
  u32(address: number): number {
    return this.data.getUint32(this.check(address, 4, 'read'), this.little);
  }
  i32(address: number): number {
    return this.u32(address) | 0;
  }
  u64(address: number): bigint {
    return this.data.getBigUint64(this.check(address, 8, 'read'), this.little);
  }
  setU8(address: number, value: number): void {
    this.bytes[this.check(address, 1, 'write')] = value;
  }
  setU16(address: number, value: number): void {
    this.data.setUint16(this.check(address, 2, 'write'), value, this.little);
  }
  setU32(address: number, value: number): void {
    this.data.setUint32(this.check(address, 4, 'write'), value, this.little);
  }
  setU64(address: number, value: bigint): void {
    this.data.setBigUint64(this.check(address, 8, 'write'), value, this.little);
  }

  /** Bytes up to (not including) the next zero byte. Throws GuestMemoryFault if the string runs into what cannot be read. */
  cString(address: number, limit = 1 << 20): Uint8Array {
    const start = address >>> 0;
    for (let at = start; at < start + limit; ) {
      const pageEnd = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE;
      const chunk = this.view(at, pageEnd - at, 'read');
      const end = chunk.indexOf(0);
      if (end >= 0) return this.view(start, at - start + end, 'read');
      at = pageEnd;
    }
    return this.view(start, limit, 'read');
  }
}
