import { fail } from './fail.ts';
import { SpecialInode, SyntheticFileSystem } from './synthetic.ts';
import { type Access, type FileSystem, type Inode, Mode, type OpenFile, Poll, WOULD_BLOCK } from './vfs.ts';
import { WaitQueue } from './wait.ts';

/** Writes up to this size are not split (pipe(7)). */
const PIPE_BUF = 4096;
const PAGE = 4096;
const CAPACITY = 65536;
/** Of a new pipe once the others hold as much together as they may (/proc/sys/fs/pipe-user-pages-soft). */
const LEAST_CAPACITY = 2 * PAGE;
const MOST_TOGETHER = 64 << 20;
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

/** What the open pipes of a file system may hold, together. */
const capacities = new WeakMap<FileSystem, number>();
function account(fileSystem: FileSystem, more: number): void {
  capacities.set(fileSystem, (capacities.get(fileSystem) ?? 0) + more);
}
const hasRoom = (fileSystem: FileSystem, more: number): boolean => (capacities.get(fileSystem) ?? 0) + more <= MOST_TOGETHER;

/** What opens ends of a pipe. */
export function makeChannel(): (inode: Inode, access: Access) => OpenFile {
  let buffer = new Uint8Array(0);
  let capacity = 0;
  const queue = new WaitQueue();
  let start = 0;
  let length = 0;
  /** Bytes that were read, and where in the stream packets lie that were not (O_DIRECT). Each takes a page of the capacity. */
  let taken = 0;
  let packets: { readonly from: number; readonly to: number }[] = [];
  let readers = 0;
  let writers = 0;
  /** How often it was opened. */
  let readings = 0;
  let writings = 0;
  const peek = (into: Uint8Array): number => {
    const count = Math.min(into.length, length);
    const first = Math.min(count, buffer.length - start);
    into.set(buffer.subarray(start, start + first));
    into.set(buffer.subarray(0, count - first), first);
    return count;
  };

  const room = (): number => capacity - length - packets.reduce((sum, { from, to }) => sum + PAGE - (to - from), 0);
  /** What the next read can have at most. */
  const readable = (): number =>
    packets.length === 0 ? length : packets[0].from === taken ? packets[0].to - taken : packets[0].from - taken;
  function drop(count: number): void {
    start = (start + count) % buffer.length;
    length -= count;
    taken += count;
  }
  function put(from: Uint8Array): void {
    const count = from.length;
    if (length + count > buffer.length) resize(Math.min(capacity, 2 ** Math.ceil(Math.log2(Math.max(PAGE, length + count)))));
    const end = (start + length) % buffer.length;
    const first = Math.min(count, buffer.length - end);
    buffer.set(from.subarray(0, first), end);
    buffer.set(from.subarray(first), 0);
    length += count;
  }

  /** Makes the buffer one of `size` bytes. */
  function resize(size: number): void {
    const next = new Uint8Array(size);
    peek(next);
    buffer = next;
    start = 0;
  }
  function setCapacity(fileSystem: FileSystem, wanted: number): number {
    if (wanted > 1 << 30) fail('EINVAL');
    const size = 2 ** Math.ceil(Math.log2(Math.max(PAGE, wanted)));
    if (capacity - room() > size) fail('EBUSY');
    if (size > capacity && !hasRoom(fileSystem, size - capacity)) fail('EPERM');
    account(fileSystem, size - capacity);
    capacity = size;
    if (buffer.length > size) resize(size);
    queue.wake();
    return size;
  }

  return (inode, access) => {
    const { fileSystem } = inode;
    if (readers + writers === 0) {
      capacity = hasRoom(fileSystem, CAPACITY) ? CAPACITY : LEAST_CAPACITY;
      account(fileSystem, capacity);
    }
    if (access.read) readers++;
    if (access.write) writers++;
    if (access.read) readings++;
    if (access.write) writings++;
    const before = { readings, writings: writers > 0 ? -1 : writings };
    let open = true;
    let writesPackets = false;
    queue.wake();
    return {
      inode,
      seekable: false,
      get keepsMessages() {
        return access.read && packets[0]?.from === taken;
      },
      setPackets(on) {
        writesPackets = on;
      },
      hasPartner: () =>
        access.read === access.write || (access.read ? writings !== before.writings : readers > 0 || readings !== before.readings),
      peek,
      read(into) {
        if (!access.read) fail('EBADF');
        if (into.length === 0) return 0;
        if (length === 0) return writers === 0 ? 0 : WOULD_BLOCK;
        const wasFull = room() < PIPE_BUF;
        const most = readable();
        const count = peek(into.subarray(0, most));
        // what of a packet does not fit is gone
        if (packets[0]?.from === taken) {
          packets = packets.slice(1);
          drop(most);
        } else drop(count);
        queue.wake(wasFull ? Poll.Out : 0);
        return count;
      },
      write(from) {
        if (!access.write) fail('EBADF');
        if (readers === 0) fail('EPIPE');
        if (from.length === 0) return 0;
        const free = room();
        if (writesPackets ? free < PAGE : free === 0 || (from.length <= PIPE_BUF && free < from.length)) return WOULD_BLOCK;
        let count = 0;
        if (writesPackets)
          for (; count < from.length && room() >= PAGE; ) {
            const packet = from.subarray(count, count + PIPE_BUF);
            packets.push({ from: taken + length, to: taken + length + packet.length });
            put(packet);
            count += packet.length;
          }
        else {
          count = Math.min(from.length, free);
          put(from.subarray(0, count));
        }
        queue.wake(Poll.In | Poll.ReadNormal);
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
          if (room() >= PIPE_BUF) events |= Poll.Out;
          if (readers === 0) events |= Poll.Error;
        }
        return events;
      },
      subscribe: queue.subscribe,
      available: () => length,
      capacity: () => capacity,
      setCapacity: (size) => setCapacity(fileSystem, size),
      close() {
        if (!open) return;
        open = false;
        if (access.read) readers--;
        if (access.write) writers--;
        if (readers + writers === 0) {
          account(fileSystem, -capacity);
          buffer = new Uint8Array(0);
          start = 0;
          length = 0;
          packets = [];
        }
        queue.wake();
      },
    };
  };
}
