// ACPI Machine Language (ACPI 4.0, chapter 19), as much as a fixed description of a machine takes.
import { Bytes } from './bytes.ts';

/** Length of what follows, its own bytes included (19.2.4). */
function packageLength(length: number): number[] {
  if (length + 1 < 0x40) return [length + 1];
  if (length + 2 < 0x1000) return [0x40 | ((length + 2) & 15), (length + 2) >>> 4];
  return [0x80 | ((length + 3) & 15), ((length + 3) >>> 4) & 0xff, (length + 3) >>> 12];
}
const sized = (opcode: readonly number[], content: Uint8Array): Uint8Array =>
  new Bytes()
    .u8(...opcode, ...packageLength(content.length))
    .bytes(content)
    .done();
const join = (parts: readonly Uint8Array[]): Uint8Array => parts.reduce((all, part) => all.bytes(part), new Bytes()).done();
const text = (value: string): Uint8Array => new Bytes().text(value).done();

/** Names are four characters; `\` before one is the root. */
export const scope = (name: string, ...terms: readonly Uint8Array[]): Uint8Array => sized([0x10], join([text(name), ...terms]));
export const device = (name: string, ...terms: readonly Uint8Array[]): Uint8Array => sized([0x5b, 0x82], join([text(name), ...terms]));
export const name = (id: string, value: Uint8Array): Uint8Array => join([new Bytes().u8(8).text(id).done(), value]);
export const integer = (value: number): Uint8Array =>
  value < 2
    ? new Bytes().u8(value).done()
    : value < 256
      ? new Bytes().u8(0x0a, value).done()
      : value < 65536
        ? new Bytes().u8(0x0b).u16(value).done()
        : new Bytes().u8(0x0c).u32(value).done();
export const pack = (...elements: readonly Uint8Array[]): Uint8Array =>
  sized([0x12], join([new Bytes().u8(elements.length).done(), ...elements]));
export const buffer = (content: Uint8Array): Uint8Array => sized([0x11], join([integer(content.length), content]));

/** A compressed EISA identifier such as PNP0A03 (19.5.35). */
export function eisaId(id: string): Uint8Array {
  const letters = [0, 1, 2].reduce((sum, i) => (sum << 5) | (id.charCodeAt(i) - 0x40), 0);
  const digits = Number.parseInt(id.slice(3), 16);
  return new Bytes().u8(0x0c, letters >>> 8, letters, digits >>> 8, digits).done();
}

/** Resource descriptors (6.4). `range` covers min … max of a bridge's window. */
export const resources = (...descriptors: readonly Uint8Array[]): Uint8Array => buffer(join([...descriptors, Uint8Array.of(0x79, 0)]));
const FIXED = 0x0c;
export const busRange = (min: number, max: number): Uint8Array =>
  new Bytes()
    .u8(0x88)
    .u16(13)
    .u8(2, FIXED, 0)
    .u16(0, min, max, 0, max - min + 1)
    .done();
export const portRange = (min: number, max: number): Uint8Array =>
  new Bytes()
    .u8(0x88)
    .u16(13)
    .u8(1, FIXED, 3)
    .u16(0, min, max, 0, max - min + 1)
    .done();
export const memoryRange = (min: number, max: number): Uint8Array =>
  new Bytes()
    .u8(0x87)
    .u16(23)
    .u8(0, FIXED, 1)
    .u32(0, min, max, 0, max - min + 1)
    .done();
export const ports = (at: number, size: number): Uint8Array => new Bytes().u8(0x47, 1).u16(at, at).u8(1, size).done();
export const interrupt = (input: number): Uint8Array =>
  new Bytes()
    .u8(0x22)
    .u16(1 << input)
    .done();
