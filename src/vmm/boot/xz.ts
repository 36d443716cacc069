// The .xz file format, version 1.2.1. The library decodes LZMA2 but knows no other filter: each block is given to it as a stream of its own without
// filter and check. Both are done where it comes to lie, in the place of µops (assembly/unpack).
import xz from 'xz-decompress';
import { Layout } from '../../../assembly/shared/layout.ts';
import { UnpackPlace } from '../../../assembly/shared/unpack.ts';
import type { Runtime } from '../../backend/runtime.ts';
import { TooLarge } from '../../snapshot/compression.ts';
import { Bytes } from './bytes.ts';

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];
const HEADER_SIZE = 12;
const FOOTER_SIZE = 12;

const enum Check {
  None = 0,
  Crc32 = 1,
}
const CHECK_SIZE: Readonly<Record<number, number>> = { [Check.None]: 0, [Check.Crc32]: 4 };
const enum Filter {
  X86 = 0x04,
  Lzma2 = 0x21,
}
const enum BlockFlags {
  Filters = 3,
  Reserved = 0x3c,
  CompressedSize = 0x40,
  UncompressedSize = 0x80,
}

const FILE = Layout.UOPS + UnpackPlace.FILE;
const SCRATCH = Layout.UOPS + UnpackPlace.SCRATCH;

type Numbers = (...values: readonly number[]) => number;
interface Functions {
  readonly crc32: Numbers;
  readonly crc32_tables: Numbers;
  readonly unfilter_x86: Numbers;
}

const u32 = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** Reads numbers of seven bits a byte, lowest first. */
function makeReader(bytes: Uint8Array, start: number): { number(): number; take(length: number): Uint8Array } {
  let at = start;
  return {
    number() {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        if (byte === undefined || scale > 2 ** 42) throw new RangeError('a number in it does not end');
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
    },
    take(length) {
      at += length;
      return bytes.subarray(at - length, at);
    },
  };
}

function numberBytes(value: number): number[] {
  const bytes = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
const toFour = (size: number): number => Math.ceil(size / 4) * 4;
const padding = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(toFour(size) - size);

/** A stream of one block that nothing but LZMA2 has packed, without a check. */
function streamOf(dictionary: number, packed: Uint8Array, size: number, crc32: (bytes: Uint8Array) => number): ReadableStream<Uint8Array> {
  const withCrc = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(new Bytes().bytes(bytes).u32(crc32(bytes)).done());
  const flags = Uint8Array.of(0, Check.None);
  const header = withCrc(Uint8Array.of(2, 0, Filter.Lzma2, 1, dictionary, 0, 0, 0));
  const numbers = [0, 1, ...numberBytes(header.length + packed.length), ...numberBytes(size)];
  const index = withCrc(Uint8Array.of(...numbers, ...padding(numbers.length)));
  const footer = new Bytes()
    .u32(index.length / 4 - 1)
    .bytes(flags)
    .done();
  const end = new Bytes()
    .u32(crc32(footer))
    .bytes(footer)
    .u8(...FOOTER_MAGIC)
    .done();
  const parts = [Uint8Array.of(...MAGIC), withCrc(flags), header, packed, padding(packed.length), index, end];
  return new ReadableStream({
    start(controller) {
      // the library takes an empty one for the end
      for (const part of parts) if (part.length > 0) controller.enqueue(part);
      controller.close();
    },
  });
}

interface BlockRecord {
  /** Of header, packed data and check, without padding. */
  readonly size: number;
  readonly unpacked: number;
}

/** The filters of a block; undefined if there is one that is not known here. */
function filtersOf(header: Uint8Array): { readonly dictionary: number; readonly x86: boolean } | undefined {
  const flags = header[1];
  const reader = makeReader(header, 2);
  if (flags & BlockFlags.Reserved) return undefined;
  if (flags & BlockFlags.CompressedSize) reader.number();
  if (flags & BlockFlags.UncompressedSize) reader.number();
  const filters = Array.from({ length: (flags & BlockFlags.Filters) + 1 }, () => ({
    id: reader.number(),
    properties: reader.take(reader.number()),
  }));
  const [last, x86, ...others] = filters.reverse();
  if (last.id !== Filter.Lzma2 || last.properties.length !== 1 || others.length > 0) return undefined;
  // without properties its addresses count from 0
  if (x86 && (x86.id !== Filter.X86 || x86.properties.length !== 0)) return undefined;
  return { dictionary: last.properties[0], x86: x86 !== undefined };
}

/** Whether what the stream unpacks to fills that place. */
async function place(stream: ReadableStream<Uint8Array>, memory: Uint8Array, to: number, end: number): Promise<boolean> {
  let at = to;
  try {
    for await (const chunk of new xz.XzReadableStream(stream)) {
      if (chunk.length > end - at) return false;
      memory.set(chunk, at);
      at += chunk.length;
    }
  } catch {
    // its errors are numbers of its code
    return false;
  }
  return at === end;
}

/**
 * Unpacks a file of one stream; zeros, or four bytes of anything, may follow it. What it gives lies in the runtime's memory, in the place of µops,
 * where there must be none yet. Gives undefined if there is not enough of that, and for what is not known here: filters but x86 and LZMA2, checks but
 * CRC32. Throws RangeError on damage, and TooLarge if it unpacks to more than `limit` bytes.
 */
export async function unxz(packed: Uint8Array, limit: number, runtime: Runtime): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { crc32_tables, unfilter_x86, ...functions } = runtime.exports as unknown as Functions;
  if (FILE + packed.length > Layout.UOPS_END) return undefined;
  crc32_tables();
  runtime.bytes.set(packed, FILE);
  const file = runtime.bytes.subarray(FILE, FILE + packed.length);
  /** Of what lies in the runtime's memory, and of bytes beside it. */
  const crcAt = (from: number, finish: number): number => functions.crc32(from, finish) >>> 0;
  const crcOf = (bytes: Uint8Array): number => {
    runtime.bytes.set(bytes, SCRATCH);
    return crcAt(SCRATCH, SCRATCH + bytes.length);
  };
  const crc32 = (start: number, finish: number): number => crcAt(FILE + start, FILE + finish);
  /** Bytes that end with the CRC32 of those before it. */
  const checked = (start: number, finish: number, what: string): Uint8Array => {
    if (start < 0 || finish - start < 5 || crc32(start, finish - 4) !== u32(file, finish - 4))
      throw new RangeError(`its ${what} is damaged`);
    return file.subarray(start, finish - 4);
  };

  const end = [file.length - 4, file.length].find((at) => FOOTER_MAGIC.every((byte, i) => file[at - 2 + i] === byte));
  if (end === undefined || end < HEADER_SIZE + FOOTER_SIZE) throw new RangeError('it does not end as it should');
  const flags = checked(6, HEADER_SIZE, 'header');
  const check = flags[1];
  const checkSize = CHECK_SIZE[check];
  if (flags[0] !== 0 || checkSize === undefined) return undefined;

  const indexEnd = end - FOOTER_SIZE;
  if (crc32(indexEnd + 4, end - 2) !== u32(file, indexEnd)) throw new RangeError('its footer is damaged');
  const index = checked(indexEnd - (u32(file, indexEnd + 4) + 1) * 4, indexEnd, 'index');
  const reader = makeReader(index, 1);
  const count = reader.number();
  if (index[0] !== 0 || count > index.length) throw new RangeError('its index is damaged');
  const records: BlockRecord[] = Array.from({ length: count }, () => ({ size: reader.number(), unpacked: reader.number() }));
  const size = records.reduce((sum, { unpacked }) => sum + unpacked, 0);
  if (size > limit) throw new TooLarge(`it unpacks to ${size} bytes, more than ${limit}`);
  const start = FILE + toFour(file.length) + UnpackPlace.SLACK;
  if (start + size + UnpackPlace.SLACK > Layout.UOPS_END) return undefined;

  let at = HEADER_SIZE;
  let to = start;
  for (const record of records) {
    const headerSize = (file[at] + 1) * 4;
    const checkAt = at + toFour(record.size - checkSize);
    if (checkAt + checkSize > indexEnd || headerSize > record.size) throw new RangeError('its index is damaged');
    const packedEnd = at + record.size - checkSize;
    if (file.subarray(packedEnd, checkAt).some((byte) => byte !== 0)) throw new RangeError('its padding is damaged');
    const filters = filtersOf(checked(at, at + headerSize, 'block header'));
    if (!filters) return undefined;
    const toEnd = to + record.unpacked;
    const stream = streamOf(filters.dictionary, file.subarray(at + headerSize, packedEnd), record.unpacked, crcOf);
    const whole = await place(stream, runtime.bytes, to, toEnd);
    if (whole && filters.x86) unfilter_x86(to, toEnd);
    if (!whole || (check === Check.Crc32 && crcAt(to, toEnd) !== u32(file, checkAt))) throw new RangeError('its data is damaged');
    at = checkAt + checkSize;
    to = toEnd;
  }
  return runtime.bytes.subarray(start, to) as Uint8Array<ArrayBuffer>;
}
