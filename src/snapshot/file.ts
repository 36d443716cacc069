import { through } from './compression.ts';
import { decodeSaved, encodeSaved, type Saved } from './saved-bytes.ts';

export type { Saved };

/** A snapshot that cannot be made or restored: what is wrong. */
export class SnapshotError extends Error {
  override name = 'SnapshotError';
}

/** What a snapshot is of. */
export interface SnapshotKind {
  /** Eight characters that the file begins with. */
  readonly magic: string;
  /** Goes up with each change of what is saved. */
  readonly version: number;
  /** As in "not a snapshot of". */
  readonly of: string;
}

export type SavedFields = Readonly<Record<string, Saved>>;

/** File: magic, version, length of the body; SHA-256 of all else; the body, compressed. */
const VERSION_AT = 8;
const LENGTH_AT = 12;
const HASH_AT = 16;
const BODY_AT = 48;
/** Of a body: lengths in it have 32 bits. */
const MOST_BYTES = 2 ** 32;

async function digest(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const covered = file.slice();
  covered.fill(0, HASH_AT, BODY_AT);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', covered));
}

/** The body is taken before this gives its promise. */
export async function snapshotFile({ magic, version }: SnapshotKind, body: SavedFields): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = encodeSaved(body);
  if (bytes.length > MOST_BYTES) throw new SnapshotError('it cannot be saved: there are more than 4 GiB of it');
  const packed = await through(bytes, new CompressionStream('gzip'));
  const file = new Uint8Array(BODY_AT + packed.length);
  const head = new DataView(file.buffer);
  for (let i = 0; i < magic.length; i++) file[i] = magic.charCodeAt(i);
  head.setUint32(VERSION_AT, version, true);
  head.setUint32(LENGTH_AT, packed.length, true);
  file.set(packed, BODY_AT);
  file.set(await digest(file), HASH_AT);
  return file;
}

/** The body of such a file, if it is whole. Throws SnapshotError. */
export async function snapshotBody(kind: SnapshotKind, given: Uint8Array): Promise<SavedFields> {
  const file = new Uint8Array(given);
  const magic = String.fromCharCode(...file.subarray(0, VERSION_AT));
  if (magic !== kind.magic) throw new SnapshotError(`not a snapshot of ${kind.of}`);
  const damaged = (): SnapshotError => new SnapshotError('the snapshot is damaged');
  if (file.length < BODY_AT) throw damaged();
  const head = new DataView(file.buffer);
  const version = head.getUint32(VERSION_AT, true);
  if (version !== kind.version) throw new SnapshotError(`a snapshot of version ${version}; this program has version ${kind.version}`);
  if (head.getUint32(LENGTH_AT, true) !== file.length - BODY_AT) throw damaged();
  const sum = await digest(file);
  if (sum.some((byte, index) => byte !== file[HASH_AT + index])) throw damaged();
  try {
    const body = decodeSaved(await through(file.slice(BODY_AT), new DecompressionStream('gzip'), MOST_BYTES));
    if (typeof body !== 'object' || body === null) throw damaged();
    return body as SavedFields;
  } catch {
    throw damaged();
  }
}
