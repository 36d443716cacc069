import { concat } from '../isa/bytes.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export class TooLarge extends RangeError {}

/** All that comes out of a stream. Throws TooLarge if that is more than `limit` bytes. */
export async function collect(stream: ReadableStream<Uint8Array>, limit = Number.POSITIVE_INFINITY): Promise<Bytes> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new TooLarge(`it unpacks to more than ${limit} bytes`);
    }
    pieces.push(value);
  }
  return concat(pieces);
}

/** The bytes after `stream` has packed or unpacked them. Rejects if they cannot be, or make more than `limit`. */
export const through = (bytes: Bytes, stream: CompressionStream | DecompressionStream, limit?: number): Promise<Bytes> =>
  collect(new Blob([bytes]).stream().pipeThrough(stream), limit);
