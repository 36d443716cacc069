/** Little-endian bytes that grow. */
export class Bytes {
  private readonly list: number[] = [];
  get length(): number {
    return this.list.length;
  }
  u8(...values: readonly number[]): this {
    for (const value of values) this.list.push(value & 0xff);
    return this;
  }
  u16(...values: readonly number[]): this {
    for (const value of values) this.u8(value, value >>> 8);
    return this;
  }
  u32(...values: readonly number[]): this {
    for (const value of values) this.u16(value & 0xffff, value >>> 16);
    return this;
  }
  text(value: string, length = value.length): this {
    for (let i = 0; i < length; i++) this.u8(i < value.length ? value.charCodeAt(i) : 0);
    return this;
  }
  bytes(value: Iterable<number>): this {
    for (const byte of value) this.u8(byte);
    return this;
  }
  done(): Uint8Array {
    return Uint8Array.from(this.list);
  }
}

export const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0) & 0xff);

/** UTF-8 with a zero byte after it. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);
