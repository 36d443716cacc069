/** No instruction can be fetched from this guest address. */
export class FetchFault extends Error {
  override name = 'FetchFault';
  constructor(readonly address: number) {
    super(`no executable page at 0x${address.toString(16).padStart(8, '0')}`);
  }
}

export const PAGE_SIZE = 4096;

/** Guest code as a lifter reads it: by guest address, page by page. */
export class Code {
  private pageNumber = -1;
  private bytes: Uint8Array = new Uint8Array(0);

  /** `page` gives the 4,096 bytes of an executable page by number, or undefined. */
  constructor(private readonly page: (pageNumber: number) => Uint8Array | undefined) {}

  /** Code over bytes that lie at `pc`; what lies outside them cannot be fetched. */
  static of(bytes: Uint8Array, pc: number): Code {
    const code = new Code(() => undefined);
    code.u8 = (address) => {
      const index = (address >>> 0) - pc;
      if (index < 0 || index >= bytes.length) throw new FetchFault(address >>> 0);
      return bytes[index];
    };
    return code;
  }

  /** Forgets the page read last; call it when permissions or mappings changed. */
  forget(): void {
    this.pageNumber = -1;
  }

  u8(address: number): number {
    if (address >>> 12 !== this.pageNumber && this.place(address) === undefined) throw new FetchFault(address >>> 0);
    return this.bytes[address & (PAGE_SIZE - 1)];
  }

  /** Where the byte lies in the buffer that `page` gives pieces of; undefined if it cannot be fetched. */
  place(address: number): number | undefined {
    const pageNumber = address >>> 12;
    if (pageNumber !== this.pageNumber) {
      const bytes = this.page(pageNumber);
      if (!bytes) return undefined;
      this.bytes = bytes;
      this.pageNumber = pageNumber;
    }
    return this.bytes.byteOffset + (address & (PAGE_SIZE - 1));
  }

  u16le(address: number): number {
    return this.u8(address) | (this.u8(address + 1) << 8);
  }

  /** Signed 32-bit, as JavaScript's operators give it. */
  i32le(address: number): number {
    return this.u8(address) | (this.u8(address + 1) << 8) | (this.u8(address + 2) << 16) | (this.u8(address + 3) << 24);
  }

  i32be(address: number): number {
    return (this.u8(address) << 24) | (this.u8(address + 1) << 16) | (this.u8(address + 2) << 8) | this.u8(address + 3);
  }
}
