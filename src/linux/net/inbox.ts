import { fail } from '../fs/fail.ts';
import { type Description, release } from '../fs/file-table.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import type { Address } from './address.ts';

/** Who sent something (SO_PEERCRED, SCM_CREDENTIALS). */
export interface Sender {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What comes with a message. */
export interface Enclosed {
  readonly from?: Address | undefined;
  readonly sender?: Sender | undefined;
  /** Open files on their way (SCM_RIGHTS), each of which counts as a reference. */
  readonly files?: readonly Description[] | undefined;
}

export interface Received extends Enclosed {
  readonly count: number;
  /** Of the whole message. */
  readonly length: number;
}

/** net.core.wmem_max: bytes that wait at most, and those of one message. */
export const CAPACITY = 212992;
/** What a message takes besides its bytes; pieces of a stream are no smaller. */
const OVERHEAD = 512;
const SMALLEST_PIECE = 2048;
const BUDGET = 64 << 20;
/** Files on their way at most. */
const MOST_FILES = 1024;

/** What all sockets may hold of the host's memory. */
export class SocketBudget {
  private used = 0;
  private files = 0;
  take(bytes: number, files = 0): void {
    if (this.used + bytes > BUDGET) fail('ENOBUFS');
    if (this.files + files > MOST_FILES) fail('ETOOMANYREFS');
    this.used += bytes;
    this.files += files;
  }
  give(bytes: number, files = 0): void {
    this.used -= bytes;
    this.files -= files;
  }
}

interface Piece extends Enclosed {
  readonly bytes: Uint8Array;
  start: number;
  end: number;
  files?: readonly Description[] | undefined;
}

const costOf = ({ bytes }: Piece): number => bytes.length + OVERHEAD;

/** What a socket has received and nobody has read. */
export class Inbox {
  private readonly pieces: Piece[] = [];
  private bytes = 0;
  private cost = 0;

  constructor(
    private readonly budget: SocketBudget,
    private readonly keepsMessages: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.pieces.length === 0;
  }
  /** Bytes that one read gives. */
  get available(): number {
    return this.keepsMessages ? (this.pieces[0]?.end ?? 0) : this.bytes;
  }
  /** Whether a good part of it is free. */
  get hasRoom(): boolean {
    return (this.keepsMessages ? this.cost : this.bytes) <= CAPACITY / 2;
  }

  /** Bytes taken, or WOULD_BLOCK. */
  put(from: Uint8Array, enclosed: Enclosed = {}): number {
    if (this.keepsMessages) {
      if (from.length > CAPACITY) fail('EMSGSIZE');
      if (this.cost > 0 && this.cost + from.length + OVERHEAD > CAPACITY) return WOULD_BLOCK;
      this.add({ ...enclosed, bytes: from.slice(), start: 0, end: from.length });
      return from.length;
    }
    const count = Math.min(from.length, CAPACITY - this.bytes);
    if (count <= 0) return from.length === 0 ? 0 : WOULD_BLOCK;
    const last = this.pieces.at(-1);
    let done = 0;
    if (last && !last.files && !enclosed.files) {
      done = Math.min(count, last.bytes.length - last.end);
      last.bytes.set(from.subarray(0, done), last.end);
      last.end += done;
      this.bytes += done;
    }
    if (done < count) {
      const bytes = new Uint8Array(Math.max(count - done, SMALLEST_PIECE));
      bytes.set(from.subarray(done, count));
      this.add({ ...enclosed, bytes, start: 0, end: count - done });
    }
    return count;
  }

  private add(piece: Piece): void {
    this.budget.take(costOf(piece), piece.files?.length);
    for (const file of piece.files ?? []) file.references++;
    this.pieces.push(piece);
    this.cost += costOf(piece);
    this.bytes += piece.end;
  }

  private dropFirst(): void {
    const piece = this.pieces.shift()!;
    this.budget.give(costOf(piece));
    this.cost -= costOf(piece);
    this.bytes -= piece.end - piece.start;
  }

  /** A message, or what there is of a stream up to the end of a piece that files came with. Undefined if there is nothing. */
  take(into: Uint8Array, peek = false): Received | undefined {
    const first = this.pieces[0];
    if (!first) return undefined;
    const { from, sender } = first;
    const length = first.end - first.start;
    if (this.keepsMessages) {
      const part = first.bytes.subarray(0, Math.min(into.length, length));
      into.set(part);
      const files = this.filesOf(first, peek);
      if (!peek) this.dropFirst();
      return { count: part.length, length, from, sender, files };
    }
    let count = 0;
    let files: readonly Description[] | undefined;
    for (let index = 0; count < into.length && index < this.pieces.length; ) {
      const piece = this.pieces[index];
      const part = piece.bytes.subarray(piece.start, Math.min(piece.end, piece.start + into.length - count));
      into.set(part, count);
      count += part.length;
      files = this.filesOf(piece, peek);
      if (peek) index++;
      else {
        piece.start += part.length;
        this.bytes -= part.length;
        if (piece.start === piece.end) this.dropFirst();
      }
      if (files) break;
    }
    return { count, length: count, from, sender, files };
  }

  /** With a reference to each, which the receiver gives back. */
  private filesOf(piece: Piece, peek: boolean): readonly Description[] | undefined {
    const { files } = piece;
    if (!files) return undefined;
    if (peek) for (const file of files) file.references++;
    else {
      this.budget.give(0, files.length);
      piece.files = undefined;
    }
    return files;
  }

  clear(): void {
    while (this.pieces.length > 0) {
      for (const file of this.filesOf(this.pieces[0], false) ?? []) release(file);
      this.dropFirst();
    }
  }
}
