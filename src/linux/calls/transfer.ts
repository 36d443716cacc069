import { concat } from '../../isa/bytes.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Description } from '../fs/file-table.ts';
import { identity, isDirectory, Mode, type OpenFile, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { FileEvent } from '../fs/watches.ts';
import { backgroundUse } from '../job-control.ts';
import type { Process } from '../process.ts';
import { type Syscall, SyscallError, type SyscallResult, wide } from '../syscall.ts';
import { buffer, MAX_TRANSFER, type Segment, vector, waitFor } from './arguments.ts';
import { roomAt } from './file-size.ts';

/** Pieces that are written together if they are no longer than this, so that a pipe or terminal sees one write. */
const JOIN_MAX = 65536;
/** Bytes of no message are more. */
const LARGEST_MESSAGE = 1 << 20;

function openFile(description: Description, direction: 'read' | 'write'): OpenFile {
  const { file, access } = description;
  if (file && access[direction]) return file;
  return fail(direction === 'read' && !description.pathOnly && isDirectory(description.inode) ? 'EISDIR' : 'EBADF');
}

function seekable(file: OpenFile, position: number): OpenFile {
  if (!file.seekable) fail('ESPIPE');
  if (position < 0) fail('EINVAL');
  return file;
}

/** One message, shared out among the segments. */
function readMessage(p: Process, file: OpenFile, segments: readonly Segment[]): number {
  const parts = segments
    .filter(({ length }) => length > 0)
    .map(({ address, length }) => buffer(p, address, Math.min(length, MAX_TRANSFER), 'write'));
  if (parts.length === 1) return file.read(parts[0], 0);
  const whole = new Uint8Array(Math.min(total(parts), LARGEST_MESSAGE));
  const count = file.read(whole, 0);
  let done = 0;
  for (const part of parts) {
    if (done >= count) break;
    part.set(whole.subarray(done, Math.min(count, done + part.length)));
    done += part.length;
  }
  return count;
}

const lengthOf = (segments: readonly Segment[]): number => segments.reduce((sum, { length }) => sum + length, 0);
const total = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

function readSegments(p: Process, file: OpenFile, segments: readonly Segment[], position: number): number {
  if (file.keepsMessages) return readMessage(p, file, segments);
  let done = 0;
  for (const { address, length } of segments) {
    if (length === 0) continue;
    let count: number;
    try {
      const into = buffer(p, address, Math.min(length, MAX_TRANSFER), 'write');
      count = file.read(into, position + done);
      if (count === WOULD_BLOCK) return done > 0 ? done : WOULD_BLOCK;
      done += count;
      if (count < length) return done;
    } catch (error) {
      if (done > 0) return done;
      throw error;
    }
  }
  return done;
}

/** What send and recv ask for besides. */
export interface TransferOptions {
  /** Does not wait. */
  readonly now?: boolean;
  /** Without SIGPIPE. */
  readonly quiet?: boolean;
  /** Reads until all segments are full. */
  readonly all?: boolean;
  /** Stands for the descriptor's file. */
  readonly through?: OpenFile;
}

/** What is left of segments after their first bytes. */
function after(segments: readonly Segment[], bytes: number): Segment[] {
  let skipped = bytes;
  return segments.map(({ address, length }) => {
    const skip = Math.min(skipped, length);
    skipped -= skip;
    return { address: address + skip, length: length - skip };
  });
}

/** Waiting that a timeout ends, or a signal: only without a timeout does the call begin anew (socket(7)). */
function waitLimited(
  p: Process,
  file: OpenFile,
  milliseconds: number | undefined,
  attempt: (last: boolean) => number,
  done: () => number,
): SyscallResult {
  return waitFor(p, [file], attempt, {
    milliseconds,
    interrupted: () => done() || (milliseconds === undefined ? -Errno.ERESTARTSYS : -Errno.EINTR),
  });
}

/** For those that watch the file. */
function noteUse(p: Process, event: FileEvent, { spot }: Description): void {
  if (spot) p.files.namespace.watches.happened(event, spot);
}

/** Reads at a position, or at the descriptor's own, which then moves. */
export function read(p: Process, fd: number, segments: readonly Segment[], at?: number, options: TransferOptions = {}): SyscallResult {
  const { now, all, through } = options;
  const description = p.files.get(fd);
  if (at !== undefined && description.file) seekable(description.file, at);
  const file = through ?? openFile(description, 'read');
  const waits = file.subscribe && !description.nonblock && !now;
  let done = 0;
  const once = (): number => {
    const refused = file.terminal ? backgroundUse(p, file.terminal, 'SIGTTIN') : 0;
    if (refused) return refused;
    const position = at ?? description.position;
    if (file.seekable) storeMapped(p, file, position, position + lengthOf(segments));
    const count = readSegments(p, file, done === 0 ? segments : after(segments, done), position);
    if (count > 0) noteUse(p, FileEvent.Access, description);
    if (count > 0 && at === undefined && file.seekable) description.position += count;
    return count;
  };
  const attempt = (last: boolean): number => {
    try {
      for (;;) {
        const count = once();
        if (count === WOULD_BLOCK) return last ? done || -Errno.EAGAIN : WOULD_BLOCK;
        if (!all || count <= 0) return done || count;
        done += count;
        if (after(segments, done).every(({ length }) => length === 0)) return done;
      }
    } catch (error) {
      if (done > 0) return done;
      throw error;
    }
  };
  if (!waits) return attempt(true);
  return waitLimited(p, file, file.timeouts?.read, attempt, () => done);
}

function writeSegments(p: Process, segments: readonly Segment[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const { address, length } of segments) {
    if (length === 0) continue;
    const part = buffer(p, address, Math.min(length, MAX_TRANSFER), 'read');
    parts.push(part);
    if (part.length < length) break;
  }
  return parts;
}

/** What processes have stored to a part of a file through mappings is in it. */
export function storeMapped({ system }: Process, { inode }: OpenFile, from: number, to: number): void {
  for (const { end, leader } of system.processes.values()) if (!end) leader.map.beforeRead(() => identity(inode), from, to);
}

/** Shared mappings show what was written. */
function showWritten({ system }: Process, file: OpenFile, from: number, to: number): void {
  for (const { end, leader } of system.processes.values()) if (!end) leader.map.afterWrite(() => identity(file.inode), from, to);
}

/** Writes all of `parts`; a blocking file is waited for, a signal or error leaves what was written so far. */
function writeAll(
  p: Process,
  description: Description,
  file: OpenFile,
  given: Uint8Array[],
  at?: number,
  { now, quiet }: TransferOptions = {},
): SyscallResult {
  const length = total(given);
  const isOne = file.keepsMessages ? given.length !== 1 : given.length > 1 && length <= JOIN_MAX;
  if (file.keepsMessages && length > LARGEST_MESSAGE) fail('EMSGSIZE');
  const parts = isOne ? [concat(given)] : given;
  let done = 0;
  let part = 0;
  let offset = 0;
  const end = description.append && file.seekable ? file.inode.stat().size : undefined;
  const start = end ?? at ?? description.position;

  const room = file.truncate ? roomAt(p, start, length) : Number.POSITIVE_INFINITY;
  const waits = file.subscribe && !description.nonblock && !now;
  const attempt = (last: boolean): number => {
    try {
      while (part < parts.length && done < room) {
        const piece = parts[part].length > offset + room - done ? parts[part].subarray(0, offset + room - done) : parts[part];
        const count = file.write(offset === 0 ? piece : piece.subarray(offset), start + done);
        if (count === WOULD_BLOCK) return last ? done || -Errno.EAGAIN : WOULD_BLOCK;
        if (count === 0) break;
        done += count;
        offset += count;
        if (offset === piece.length) {
          part++;
          offset = 0;
        }
      }
      return done;
    } catch (error) {
      if (done > 0) return done;
      if (error instanceof SyscallError && error.errno === Errno.EPIPE && !quiet && !file.keepsMessages) p.signals.raiseHere('SIGPIPE');
      throw error;
    } finally {
      if (done > 0) noteUse(p, FileEvent.Modify, description);
      if (done > 0 && file.seekable) showWritten(p, file, start, start + done);
      if (file.seekable && at === undefined) description.position = start + done;
    }
  };
  if (!waits) return attempt(true);
  return waitLimited(p, file, file.timeouts?.write, attempt, () => done);
}

export function write(p: Process, fd: number, segments: readonly Segment[], at?: number, options?: TransferOptions): SyscallResult {
  const description = p.files.get(fd);
  const file = options?.through ?? openFile(description, 'write');
  if (at !== undefined) seekable(file, at);
  return writeAll(p, description, file, writeSegments(p, segments), at, options);
}

const one = (a: readonly number[]): Segment[] => [{ address: a[1], length: Math.min(a[2], MAX_TRANSFER) }];

/** Of preadv2(2); files of the host and in memory never make a call wait. */
const enum Rwf {
  NoWait = 8,
  Append = 16,
  /** RWF_HIPRI, RWF_DSYNC, RWF_SYNC and that. */
  Idle = 7 | NoWait,
}

function checkRwFlags(p: Process, fd: number, flags: number, known: number): void {
  const { inode } = p.files.get(fd);
  if (flags & ~known || (flags & Rwf.NoWait && inode.format !== Mode.Regular)) fail('EOPNOTSUPP');
}

/** The position of preadv and pwritev: low word, then high word, in all ABIs. */
const vectorPosition = (a: readonly number[]): number => (a[4] | 0) * 0x1_0000_0000 + a[3];

const enum Seek {
  Set = 0,
  Current = 1,
  End = 2,
  Data = 3,
  Hole = 4,
}

/** Moves a descriptor's position, and returns it. */
function seek(p: Process, fd: number, offset: number, whence: number): number {
  const description = p.files.get(fd);
  if (description.pathOnly) fail('EBADF');
  const { file } = description;
  if (file && !file.seekable) fail('ESPIPE');
  const size = () => (file?.inode ?? description.inode).stat().size;
  let position = offset;
  if (whence === Seek.Current) position += description.position;
  else if (whence === Seek.End) position += size();
  else if (whence === Seek.Data || whence === Seek.Hole) {
    if (offset < 0 || offset >= size()) fail('ENXIO');
    position = whence === Seek.Data ? offset : size();
  } else if (whence !== Seek.Set) fail('EINVAL');
  if (position < 0 || !Number.isSafeInteger(position)) fail('EINVAL');
  description.position = position;
  // A directory is read anew from its start.
  if (position === 0) delete description.listing;
  return position;
}

/** Copies between two open files through a buffer; positions are the descriptors' unless given. */
function copy(p: Process, from: Description, to: Description, length: number, fromAt?: number, toAt?: number): SyscallResult {
  const source = openFile(from, 'read');
  const target = openFile(to, 'write');
  const count = Math.min(length, MAX_TRANSFER);
  const bytes = new Uint8Array(Math.min(count, 1 << 16));
  let done = 0;

  const step = (): SyscallResult => {
    while (done < count) {
      const at = (fromAt ?? from.position) + (fromAt === undefined ? 0 : done);
      const got = source.read(bytes.subarray(0, Math.min(bytes.length, count - done)), at);
      if (got === WOULD_BLOCK) return done > 0 ? done : -Errno.EAGAIN;
      if (got === 0) return done;
      noteUse(p, FileEvent.Access, from);
      const put = writeAll(p, to, target, [bytes.subarray(0, got)], toAt === undefined ? undefined : toAt + done);
      const take = (written: number): boolean => {
        if (written <= 0) return false;
        done += written;
        if (fromAt === undefined && source.seekable) from.position += written;
        return written === got;
      };
      if (put instanceof Promise) return put.then((written) => (take(written) ? step() : done > 0 ? done : written));
      if (!take(put)) return done > 0 ? done : put;
    }
    return done;
  };
  return step();
}

function sendfile(width: 4 | 8): Syscall {
  return (p, a) => {
    const from = p.files.get(a[1]);
    const to = p.files.get(a[0]);
    if (!from.file?.seekable) fail('EINVAL');
    if (a[2] === 0) return copy(p, from, to, a[3]);
    const at = width === 4 ? p.memory.i32(a[2]) : Number(BigInt.asIntN(64, p.memory.u64(a[2])));
    if (at < 0) fail('EINVAL');
    const done = copy(p, from, to, a[3], at);
    const store = (count: number): number => {
      if (count > 0) {
        if (width === 4) p.memory.setU32(a[2], at + count);
        else p.memory.setU64(a[2], BigInt(at + count));
      }
      return count;
    };
    return done instanceof Promise ? done.then(store) : store(done);
  };
}

const isPipe = ({ inode }: Description): boolean => inode.format === Mode.Fifo;
const SPLICE_F_NONBLOCK = 2;
/** What a pipe holds at most, so that no more is waited for. */
const PIPE_BYTES = 65536;

/** Waits until the pipe has something, or nobody can write to it any more; then goes on. */
function whenReadable(p: Process, from: Description, flags: number, then: () => SyscallResult): SyscallResult {
  const file = openFile(from, 'read');
  const isReady = (): boolean => ((file.poll?.(Poll.In) ?? Poll.In) & (Poll.In | Poll.HangUp)) !== 0;
  if (isReady()) return then();
  if (from.nonblock || flags & SPLICE_F_NONBLOCK) return -Errno.EAGAIN;
  const waited = waitFor(p, [file], () => (isReady() ? 0 : WOULD_BLOCK));
  return waited instanceof Promise ? waited.then((result) => (result < 0 ? result : then())) : then();
}

/** Waits until the pipe has room, or nobody can read from it any more; then goes on. */
function whenWritable(p: Process, to: Description, now: boolean, then: () => SyscallResult): SyscallResult {
  const file = openFile(to, 'write');
  const isReady = (): boolean => ((file.poll?.(Poll.Out) ?? Poll.Out) & (Poll.Out | Poll.Error)) !== 0;
  if (isReady() || to.nonblock || now) return then();
  const waited = waitFor(p, [file], () => (isReady() ? 0 : WOULD_BLOCK));
  return waited instanceof Promise ? waited.then((result) => (result < 0 ? result : then())) : then();
}

/** splice(2): one of the two is a pipe, which has no offset. */
function splice(p: Process, a: readonly number[]): SyscallResult {
  const from = p.files.get(a[0]);
  const to = p.files.get(a[2]);
  if (!isPipe(from) && !isPipe(to)) return -Errno.EINVAL;
  // of timers, events and the like there is nothing to move
  if (from.inode.format === 0 || to.inode.format === 0) return -Errno.EINVAL;
  if ((isPipe(from) && a[1] !== 0) || (isPipe(to) && a[3] !== 0)) return -Errno.ESPIPE;
  openFile(from, 'read');
  openFile(to, 'write');
  if (to.append) return -Errno.EINVAL;
  const length = Math.min(a[4], PIPE_BYTES);
  return whenReadable(p, from, a[5], () => copyRange(p, from, to, length, a[1], a[3]));
}

/** tee(2): what one pipe has comes into the other, too. */
function tee(p: Process, a: readonly number[]): SyscallResult {
  const from = p.files.get(a[0]);
  const to = p.files.get(a[1]);
  const source = openFile(from, 'read');
  const target = openFile(to, 'write');
  if (!isPipe(from) || !isPipe(to) || from.inode === to.inode) return -Errno.EINVAL;
  return whenReadable(p, from, a[3], () => {
    const bytes = new Uint8Array(Math.min(a[2], PIPE_BYTES));
    const count = source.peek?.(bytes) ?? 0;
    return count === 0 ? 0 : writeAll(p, to, target, [bytes.subarray(0, count)]);
  });
}

/** As copy, from and to the offsets at these addresses, if not 0, which move on. */
function copyRange(p: Process, from: Description, to: Description, length: number, fromOffset: number, toOffset: number): SyscallResult {
  const fromAt = offsetAt(p, fromOffset);
  const toAt = offsetAt(p, toOffset);
  const done = copy(p, from, to, length, fromAt, toAt);
  const store = (count: number): number => {
    if (count > 0 && fromAt !== undefined) p.memory.setU64(fromOffset, BigInt(fromAt + count));
    if (count > 0 && toAt !== undefined) p.memory.setU64(toOffset, BigInt(toAt + count));
    return count;
  };
  return done instanceof Promise ? done.then(store) : store(done);
}

function offsetAt(p: Process, address: number): number | undefined {
  return address === 0 ? undefined : Number(BigInt.asIntN(64, p.memory.u64(address)));
}

/** Reading, writing, seeking. */
export const transferCalls = {
  read: (p, a) => read(p, a[0], one(a)),
  write: (p, a) => write(p, a[0], one(a)),
  readv: (p, a) => read(p, a[0], vector(p, a[1], a[2])),
  writev: (p, a) => write(p, a[0], vector(p, a[1], a[2])),
  pread64: (p, a) => read(p, a[0], one(a), wide(p, a, 3)),
  pwrite64: (p, a) => write(p, a[0], one(a), wide(p, a, 3)),
  preadv: (p, a) => read(p, a[0], vector(p, a[1], a[2]), vectorPosition(a)),
  pwritev: (p, a) => write(p, a[0], vector(p, a[1], a[2]), vectorPosition(a)),
  preadv2: (p, a) => {
    checkRwFlags(p, a[0], a[5], Rwf.Idle);
    const at = vectorPosition(a);
    return read(p, a[0], vector(p, a[1], a[2]), at === -1 ? undefined : at);
  },
  pwritev2: (p, a) => {
    checkRwFlags(p, a[0], a[5], Rwf.Idle | Rwf.Append);
    const at = vectorPosition(a);
    const description = p.files.get(a[0]);
    const { append } = description;
    description.append ||= (a[5] & Rwf.Append) !== 0;
    try {
      return write(p, a[0], vector(p, a[1], a[2]), at === -1 ? undefined : at);
    } finally {
      description.append = append;
    }
  },
  lseek: (p, a) => {
    const description = p.files.get(a[0]);
    const before = description.position;
    const position = seek(p, a[0], a[1] | 0, a[2]);
    if (position <= 0x7fffffff) return position;
    description.position = before;
    return -Errno.EOVERFLOW;
  },
  _llseek: (p, a) => {
    const position = seek(p, a[0], (a[1] | 0) * 0x1_0000_0000 + a[2], a[4]);
    p.memory.setU64(a[3], BigInt(position));
    return 0;
  },
  sendfile: sendfile(4),
  sendfile64: sendfile(8),
  copy_file_range: (p, a) => {
    const from = p.files.get(a[0]);
    const to = p.files.get(a[2]);
    if (a[5] !== 0) fail('EINVAL');
    if (!from.file?.seekable || !to.file?.seekable) fail('EINVAL');
    if (to.append) fail('EBADF');
    return copyRange(p, from, to, a[4], a[1], a[3]);
  },
  splice,
  tee,
  vmsplice: (p, a) => {
    const { inode, access } = p.files.get(a[0]);
    if (inode.format !== Mode.Fifo) fail('EBADF');
    const segments = vector(p, a[1], a[2]);
    const now = (a[3] & SPLICE_F_NONBLOCK) !== 0;
    // what there is room for, once there is some
    if (access.write) return whenWritable(p, p.files.get(a[0]), now, () => write(p, a[0], segments, undefined, { now: true }));
    return read(p, a[0], segments, undefined, { now });
  },
} satisfies Record<string, Syscall>;
