import { fail } from './fail.ts';
import { SpecialInode, SyntheticFileSystem } from './synthetic.ts';
import { type Access, type Inode, Mode, type OpenFile, Poll, WOULD_BLOCK } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Writes up to this size are not split (pipe(7)). */
const PIPE_BUF = 4096;
const CAPACITY = 65536;
const PIPEFS_MAGIC = 0x50495045;
const PIPEFS_DEVICE = 0xe;

/** Where pipes have their inodes. */
export function pipeFileSystem(): SyntheticFileSystem {
  const fileSystem = new SyntheticFileSystem('pipefs', PIPEFS_MAGIC);
  fileSystem.device = PIPEFS_DEVICE;
  return fileSystem;
}

/** A pipe as pipe(2) makes it: the inode's open() gives further ends, as opening /proc/self/fd/N does. */
export function makePipe(fileSystem: SyntheticFileSystem): { readonly read: OpenFile; readonly write: OpenFile } {
  const inode = new SpecialInode(fileSystem, Mode.Fifo, 0o600, 0, makeChannel());
  return { read: inode.open({ read: true, write: false }), write: inode.open({ read: false, write: true }) };
}

/** What opens ends of a pipe. */
export function makeChannel(): (inode: Inode, access: Access) => OpenFile {
  const buffer = new Uint8Array(CAPACITY);
  const queue = new WaitQueue();
  let start = 0;
  let length = 0;
  let readers = 0;
  let writers = 0;
  /** How often it was opened. */
  let readings = 0;
  let writings = 0;
  const peek = (into: Uint8Array): number => {
    const count = Math.min(into.length, length);
    const first = Math.min(count, CAPACITY - start);
    into.set(buffer.subarray(start, start + first));
    into.set(buffer.subarray(0, count - first), first);
    return count;
  };

  return (inode, access) => {
    if (access.read) readers++;
    if (access.write) writers++;
    if (access.read) readings++;
    if (access.write) writings++;
    const before = { readings, writings: writers > 0 ? -1 : writings };
    let open = true;
    queue.wake();
    return {
      inode,
      seekable: false,
      hasPartner: () =>
        access.read === access.write || (access.read ? writings !== before.writings : readers > 0 || readings !== before.readings),
      peek,
      read(into) {
        if (!access.read) fail('EBADF');
        if (into.length === 0) return 0;
        if (length === 0) return writers === 0 ? 0 : WOULD_BLOCK;
        const count = peek(into);
        start = (start + count) % CAPACITY;
        length -= count;
        queue.wake();
        return count;
      },
      write(from) {
        if (!access.write) fail('EBADF');
        if (readers === 0) fail('EPIPE');
        if (from.length === 0) return 0;
        const room = CAPACITY - length;
        if (room === 0 || (from.length <= PIPE_BUF && room < from.length)) return WOULD_BLOCK;
        const count = Math.min(from.length, room);
        const end = (start + length) % CAPACITY;
        const first = Math.min(count, CAPACITY - end);
        buffer.set(from.subarray(0, first), end);
        buffer.set(from.subarray(first, count), 0);
        length += count;
        queue.wake();
        return count;
      },
      poll() {
        let events = 0;
        if (access.read) {
          if (length > 0) events |= Poll.In | Poll.ReadNormal;
          // not before somebody could have written
          if (writers === 0 && writings !== before.writings) events |= Poll.HangUp;
        }
        if (access.write) {
          if (CAPACITY - length >= PIPE_BUF) events |= Poll.Out;
          if (readers === 0) events |= Poll.Error;
        }
        return events;
      },
      subscribe: queue.subscribe,
      available: () => length,
      close() {
        if (!open) return;
        open = false;
        if (access.read) readers--;
        if (access.write) writers--;
        queue.wake();
      },
    };
  };
}
