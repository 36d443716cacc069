import { concat } from '../isa/bytes.ts';

/** What a part of a machine or a program is saved as. */
export type Saved = number | string | boolean | null | Uint8Array | readonly Saved[] | { readonly [name: string]: Saved };

const enum Tag {
  Null = 0,
  False = 1,
  True = 2,
  Number = 3,
  String = 4,
  Bytes = 5,
  Array = 6,
  Object = 7,
}

/** Saved data as bytes: a tag, then a double, or a 32-bit length with text, bytes, elements or pairs. */
export function encodeSaved(value: Saved): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  const text = new TextEncoder();
  const head = (tag: Tag, size: number): void => {
    const bytes = new Uint8Array(5);
    bytes[0] = tag;
    new DataView(bytes.buffer).setUint32(1, size, true);
    chunks.push(bytes);
  };
  const string = (value: string): void => {
    const bytes = text.encode(value);
    head(Tag.String, bytes.length);
    chunks.push(bytes);
  };
  const put = (v: Saved): void => {
    if (v === null) chunks.push(Uint8Array.of(Tag.Null));
    else if (typeof v === 'boolean') chunks.push(Uint8Array.of(v ? Tag.True : Tag.False));
    else if (typeof v === 'number') {
      const bytes = new Uint8Array(9);
      bytes[0] = Tag.Number;
      new DataView(bytes.buffer).setFloat64(1, v, true);
      chunks.push(bytes);
    } else if (typeof v === 'string') string(v);
    else if (v instanceof Uint8Array) {
      head(Tag.Bytes, v.length);
      chunks.push(v);
    } else if (Array.isArray(v)) {
      head(Tag.Array, v.length);
      v.forEach(put);
    } else {
      const pairs = Object.entries(v);
      head(Tag.Object, pairs.length);
      for (const [key, item] of pairs) {
        string(key);
        put(item);
      }
    }
  };
  put(value);
  return concat(chunks);
}

/** What encodeSaved made. Throws RangeError on anything else. */
export function decodeSaved(bytes: Uint8Array): Saved {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = new TextDecoder('utf-8', { fatal: true });
  let at = 0;
  const size = (): number => {
    const value = data.getUint32(at, true);
    at += 4;
    if (value > bytes.length - at) throw new RangeError('a length beyond the end');
    return value;
  };
  const take = (depth: number): Saved => {
    if (depth > MOST_DEPTH) throw new RangeError('nested too deep');
    const tag = data.getUint8(at++);
    switch (tag) {
      case Tag.Null:
        return null;
      case Tag.False:
        return false;
      case Tag.True:
        return true;
      case Tag.Number:
        at += 8;
        return data.getFloat64(at - 8, true);
      case Tag.String: {
        const length = size();
        at += length;
        return text.decode(bytes.subarray(at - length, at));
      }
      case Tag.Bytes: {
        const length = size();
        at += length;
        return bytes.subarray(at - length, at);
      }
      case Tag.Array:
        return Array.from({ length: size() }, () => take(depth + 1));
      case Tag.Object: {
        const result: Record<string, Saved> = Object.create(null);
        for (let left = size(); left > 0; left--) {
          const key = take(depth + 1);
          if (typeof key !== 'string') throw new RangeError('a key that is no text');
          result[key] = take(depth + 1);
        }
        return result;
      }
      default:
        throw new RangeError(`tag ${tag}`);
    }
  };
  const value = take(0);
  if (at !== bytes.length) throw new RangeError('bytes behind the end');
  return value;
}

/** Arrays and objects in one another. */
const MOST_DEPTH = 1024;
