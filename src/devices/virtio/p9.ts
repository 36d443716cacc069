// A folder shared by 9P2000.L over virtio (Virtual I/O Device specification, device type 9; the protocol as in diod's and Linux's documentation).
import { Errno } from '../../linux/errno.ts';
import { fail } from '../../linux/fs/fail.ts';
import { decodeName, encodeName } from '../../linux/fs/names.ts';
import { type Directory, type FileSystem, type Inode, isDirectory, isSymlink, Mode, NAME_MAX, type OpenFile } from '../../linux/fs/vfs.ts';
import { SyscallError } from '../../linux/syscall.ts';
import { type VirtioDevice, VirtioType } from './device.ts';
import type { Chain, Queue } from './queue.ts';

const enum T {
  Lerror = 6,
  Statfs = 8,
  Lopen = 12,
  Lcreate = 14,
  Symlink = 16,
  Mknod = 18,
  Readlink = 22,
  Getattr = 24,
  Setattr = 26,
  Readdir = 40,
  Fsync = 50,
  Lock = 52,
  Getlock = 54,
  Link = 70,
  Mkdir = 72,
  Renameat = 74,
  Unlinkat = 76,
  Version = 100,
  Attach = 104,
  Flush = 108,
  Walk = 110,
  Read = 116,
  Write = 118,
  Clunk = 120,
}
const enum Change {
  Mode = 1,
  Uid = 2,
  Gid = 4,
  Size = 8,
  Atime = 0x10,
  Mtime = 0x20,
  AtimeSet = 0x80,
  MtimeSet = 0x100,
}
/** open(2) flags of the protocol. */
const enum Open {
  AccessMode = 3,
  ReadOnly = 0,
  WriteOnly = 1,
  Truncate = 0o1000,
}
const AT_REMOVEDIR = 0x200;
const UNLOCKED = 2;
/** size[4] type[1] tag[2] */
const HEADER = 7;
const QUEUE = 128;
const LARGEST_MESSAGE = 512 * 1024;
const SMALLEST_MESSAGE = 4096;
const MOST_NAMES = 16;
/** What one guest may hold open. */
const MOST_FIDS = 65536;
const NANO = 1_000_000_000n;

interface Fid {
  readonly inode: Inode;
  /** Names from the root on that it was reached by; for snapshots. */
  readonly path: readonly string[];
  file?: OpenFile | undefined;
  /** It was opened with. */
  flags?: number;
  /** Entries as they were when the listing began. */
  listing?: { readonly name: string; readonly inode: number; readonly format: number }[] | undefined;
}

/** A message's fields in order; reading over its end is an error of the guest's. */
class Reader {
  private at = HEADER;
  private readonly data: DataView;
  constructor(private readonly bytes: Uint8Array) {
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  private take(size: number): number {
    const at = this.at;
    if (at + size > this.bytes.length) fail('EINVAL');
    this.at += size;
    return at;
  }
  u8(): number {
    return this.bytes[this.take(1)];
  }
  u16(): number {
    return this.data.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.data.getUint32(this.take(4), true);
  }
  /** Exact up to 2^53. */
  u64(): number {
    const at = this.take(8);
    return this.data.getUint32(at, true) + this.data.getUint32(at + 4, true) * 2 ** 32;
  }
  big(): bigint {
    return this.data.getBigUint64(this.take(8), true);
  }
  data32(): Uint8Array {
    const length = this.u32();
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }
  string(): string {
    const length = this.u16();
    const at = this.take(length);
    return decodeName(this.bytes.subarray(at, at + length));
  }
  /** A name in a directory. */
  name(): string {
    const name = this.string();
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) fail('EINVAL');
    if (encodeName(name).length > NAME_MAX) fail('ENAMETOOLONG');
    return name;
  }
}

class Writer {
  private bytes = new Uint8Array(256);
  private data = new DataView(this.bytes.buffer);
  length = HEADER;
  private take(size: number): number {
    const at = this.length;
    this.length += size;
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
      this.data = new DataView(larger.buffer);
    }
    return at;
  }
  u8(value: number): this {
    const at = this.take(1);
    this.bytes[at] = value;
    return this;
  }
  u16(value: number): this {
    const at = this.take(2);
    this.data.setUint16(at, value, true);
    return this;
  }
  u32(value: number): this {
    const at = this.take(4);
    this.data.setUint32(at, value, true);
    return this;
  }
  u64(value: number | bigint): this {
    const at = this.take(8);
    this.data.setBigUint64(at, BigInt(value), true);
    return this;
  }
  raw(bytes: Uint8Array): this {
    const at = this.take(bytes.length);
    this.bytes.set(bytes, at);
    return this;
  }
  string(text: string): this {
    const bytes = encodeName(text);
    return this.u16(bytes.length).raw(bytes);
  }
  qid(format: number, inode: number): this {
    return this.u8(format === Mode.Directory ? 0x80 : format === Mode.Symlink ? 2 : 0)
      .u32(0)
      .u64(inode);
  }
  done(type: number, tag: number): Uint8Array {
    this.data.setUint32(0, this.length, true);
    this.bytes[4] = type;
    this.data.setUint16(5, tag, true);
    return this.bytes.subarray(0, this.length);
  }
}

export interface P9Options {
  readonly fileSystem: FileSystem;
  /** The name that the guest mounts it by. */
  readonly tag: string;
  /** The guest's number of a Linux error, where its ABI has others than the generic ones. */
  readonly errorNumber?: (errno: number) => number;
}

export function makeP9({ fileSystem, tag, errorNumber = (errno) => errno }: P9Options): VirtioDevice {
  const name = encodeName(tag);
  const config = new Uint8Array(2 + name.length);
  config[0] = name.length & 0xff;
  config[1] = name.length >>> 8;
  config.set(name, 2);
  const fids = new Map<number, Fid>();
  let messageSize = LARGEST_MESSAGE;

  const get = (id: number): Fid => fids.get(id) ?? fail('EBADF');
  const directory = (id: number): Directory => {
    const { inode } = get(id);
    return isDirectory(inode) ? inode : fail('ENOTDIR');
  };
  function put(id: number, inode: Inode, path: readonly string[]): void {
    if (fids.has(id)) fail('EBADF');
    if (fids.size >= MOST_FIDS) fail('ENFILE');
    fids.set(id, { inode, path });
  }
  function drop(id: number): void {
    const fid = fids.get(id);
    fids.delete(id);
    fid?.file?.close?.();
  }
  const dropAll = (): void => {
    for (const id of [...fids.keys()]) drop(id);
  };
  const qid = (w: Writer, inode: Inode): Writer => w.qid(inode.format, inode.stat().inode);
  /** The entry that a request has just made. */
  const made = (w: Writer, parent: Directory, entry: string): Writer => qid(w, parent.lookup(entry) ?? fail('ENOENT'));
  const fileOf = (id: number): OpenFile => get(id).file ?? fail('EBADF');
  const access = (flags: number) => ({
    read: (flags & Open.AccessMode) !== Open.WriteOnly,
    write: (flags & Open.AccessMode) !== Open.ReadOnly,
  });

  function step(inode: Inode, entry: string): Inode {
    if (!isDirectory(inode)) return fail('ENOTDIR');
    if (entry === '.') return inode;
    if (entry === '..') return inode.parent ?? inode;
    return inode.lookup(entry) ?? fail('ENOENT');
  }

  function setAttributes(inode: Inode, r: Reader): void {
    const valid = r.u32();
    const [mode, uid, gid] = [r.u32(), r.u32(), r.u32()];
    const size = r.u64();
    const atime = r.big() * NANO + r.big();
    const mtime = r.big() * NANO + r.big();
    const now = BigInt(Date.now()) * 1_000_000n;
    if (valid & Change.Size) {
      const file = inode.open?.({ read: false, write: true }) ?? fail('EINVAL');
      try {
        (file.truncate ?? fail('EINVAL')).call(file, size);
      } finally {
        file.close?.();
      }
    }
    inode.setAttributes({
      ...(valid & Change.Mode && { mode: mode & Mode.Permissions }),
      ...(valid & Change.Uid && { uid }),
      ...(valid & Change.Gid && { gid }),
      ...(valid & Change.Atime && { atime: valid & Change.AtimeSet ? atime : now }),
      ...(valid & Change.Mtime && { mtime: valid & Change.MtimeSet ? mtime : now }),
    });
  }

  function readDirectory(id: number, offset: number, count: number, w: Writer): void {
    const fid = get(id);
    const folder = directory(id);
    if (offset === 0 || !fid.listing) {
      const parent = folder.parent ?? folder;
      fid.listing = [
        { name: '.', inode: folder.stat().inode, format: Mode.Directory },
        { name: '..', inode: parent.stat().inode, format: Mode.Directory },
        ...folder.list(),
      ];
    }
    const entries = new Writer();
    for (let index = offset; index < fid.listing.length; index++) {
      const entry = fid.listing[index];
      const size = 13 + 8 + 1 + 2 + encodeName(entry.name).length;
      if (entries.length - HEADER + size > count) break;
      entries
        .qid(entry.format, entry.inode)
        .u64(index + 1)
        .u8(entry.format >>> 12)
        .string(entry.name);
    }
    const bytes = entries.done(0, 0).subarray(HEADER);
    w.u32(bytes.length).raw(bytes);
  }

  /** Handles a request, and fills what the answer holds. */
  function handle(type: number, r: Reader, w: Writer): void {
    switch (type) {
      case T.Version: {
        messageSize = Math.max(SMALLEST_MESSAGE, Math.min(r.u32(), LARGEST_MESSAGE));
        dropAll();
        const version = r.string();
        w.u32(messageSize).string(version === '9P2000.L' ? version : 'unknown');
        break;
      }
      case T.Attach:
        put(r.u32(), fileSystem.root, []);
        qid(w, fileSystem.root);
        break;
      case T.Flush:
        // requests are done in order, each before the next is looked at
        break;
      case T.Walk: {
        const [from, to, count] = [r.u32(), r.u32(), r.u16()];
        if (count > MOST_NAMES) fail('EINVAL');
        let { inode } = get(from);
        const path = [...get(from).path];
        const found: Inode[] = [];
        for (let i = 0; i < count; i++) {
          try {
            const entry = r.string();
            inode = step(inode, entry);
            if (entry === '..') path.pop();
            else if (entry !== '.') path.push(entry);
          } catch (error) {
            if (i === 0) throw error;
            break;
          }
          found.push(inode);
        }
        if (found.length === count) {
          if (to === from) drop(from);
          put(to, inode, path);
        }
        w.u16(found.length);
        for (const each of found) qid(w, each);
        break;
      }
      case T.Clunk:
        drop(r.u32());
        break;
      case T.Lopen: {
        const fid = get(r.u32());
        const flags = r.u32();
        if (!isDirectory(fid.inode)) {
          if (isSymlink(fid.inode)) fail('ELOOP');
          fid.file?.close?.();
          fid.file = (fid.inode.open ?? fail('EOPNOTSUPP')).call(fid.inode, access(flags));
          fid.flags = flags;
          if (flags & Open.Truncate) fid.file.truncate?.(0);
        }
        qid(w, fid.inode).u32(0);
        break;
      }
      case T.Lcreate: {
        const id = r.u32();
        const parent = directory(id);
        const entry = r.name();
        const flags = r.u32();
        const file = parent.create(entry, r.u32() & Mode.Permissions, access(flags));
        fids.set(id, { inode: file.inode, path: [...get(id).path, entry], file, flags });
        qid(w, file.inode).u32(0);
        break;
      }
      case T.Read: {
        const file = fileOf(r.u32());
        const offset = r.u64();
        const bytes = new Uint8Array(Math.min(r.u32(), messageSize - HEADER - 4));
        const count = Math.max(0, file.read(bytes, offset));
        w.u32(count).raw(bytes.subarray(0, count));
        break;
      }
      case T.Write: {
        const file = fileOf(r.u32());
        const offset = r.u64();
        w.u32(Math.max(0, file.write(r.data32(), offset)));
        break;
      }
      case T.Readdir: {
        const [id, offset, count] = [r.u32(), r.u64(), r.u32()];
        readDirectory(id, offset, Math.min(count, messageSize - HEADER - 4), w);
        break;
      }
      case T.Getattr: {
        const { inode } = get(r.u32());
        const s = inode.stat();
        w.u64(0x7ff);
        qid(w, inode).u32(s.mode).u32(s.uid).u32(s.gid);
        w.u64(s.links).u64(s.rdevice).u64(s.size).u64(s.blockSize).u64(s.blocks);
        for (const time of [s.atime, s.mtime, s.ctime, s.btime]) w.u64(time / NANO).u64(time % NANO);
        w.u64(0).u64(0);
        break;
      }
      case T.Setattr:
        setAttributes(get(r.u32()).inode, r);
        break;
      case T.Statfs: {
        get(r.u32());
        const s = fileSystem.statistics();
        w.u32(s.magic).u32(s.blockSize).u64(s.blocks).u64(s.free).u64(s.available).u64(s.files).u64(s.freeFiles).u64(0).u32(NAME_MAX);
        break;
      }
      case T.Fsync:
        get(r.u32()).file?.sync?.();
        break;
      case T.Mkdir: {
        const parent = directory(r.u32());
        const entry = r.name();
        parent.makeDirectory(entry, r.u32() & Mode.Permissions);
        made(w, parent, entry);
        break;
      }
      case T.Symlink: {
        const parent = directory(r.u32());
        const entry = r.name();
        parent.makeSymlink(entry, r.string());
        made(w, parent, entry);
        break;
      }
      case T.Readlink: {
        const { inode } = get(r.u32());
        w.string(isSymlink(inode) ? inode.readlink() : fail('EINVAL'));
        break;
      }
      case T.Link: {
        const parent = directory(r.u32());
        const { inode } = get(r.u32());
        parent.link(r.name(), inode);
        break;
      }
      case T.Renameat: {
        const from = directory(r.u32());
        const old = r.name();
        const to = directory(r.u32());
        from.rename(old, to, r.name(), false);
        break;
      }
      case T.Unlinkat: {
        const parent = directory(r.u32());
        const entry = r.name();
        if (r.u32() & AT_REMOVEDIR) parent.removeDirectory(entry);
        else parent.unlink(entry);
        break;
      }
      case T.Lock:
        // one guest has it, whose kernel keeps its locks
        get(r.u32());
        w.u8(0);
        break;
      case T.Getlock: {
        get(r.u32());
        r.u8();
        w.u8(UNLOCKED).u64(r.u64()).u64(r.u64()).u32(r.u32()).string(r.string());
        break;
      }
      default:
        fail('EOPNOTSUPP');
    }
  }

  function answer(request: Uint8Array): Uint8Array {
    const type = request[4];
    const tagOf = request[5] | (request[6] << 8);
    const w = new Writer();
    try {
      handle(type, new Reader(request), w);
      return w.done(type + 1, tagOf);
    } catch (error) {
      const errno = error instanceof SyscallError ? error.errno : Errno.EIO;
      return new Writer().u32(errorNumber(errno)).done(T.Lerror + 1, tagOf);
    }
  }

  function serve(chain: Chain, queue: Queue): void {
    const request = queue.access(() => chain.read());
    if (!request) return;
    const size = request.length >= HEADER ? new DataView(request.buffer).getUint32(0, true) : 0;
    if (size < HEADER || size > request.length) {
      queue.push(chain, 0);
      return;
    }
    let bytes = answer(request.subarray(0, size));
    if (bytes.length > chain.writeLength)
      bytes = new Writer().u32(errorNumber(Errno.ENOBUFS)).done(T.Lerror + 1, request[5] | (request[6] << 8));
    queue.push(chain, queue.access(() => chain.write(bytes)) ?? 0);
  }

  return {
    name: `virtio-9p-${tag}`,
    type: VirtioType.P9,
    classCode: 0x018000,
    features: 1,
    queues: [QUEUE],
    config: () => config,
    notify(_index, queue) {
      for (const chain of queue.chains()) serve(chain, queue);
    },
    reset: dropAll,
    save: () => ({
      messageSize,
      fids: [...fids].map(([id, { path, file, flags }]) => ({ id, path, flags: file ? (flags ?? 0) : -1 })),
    }),
    restore(saved) {
      const state = saved as unknown as { messageSize: number; fids: { id: number; path: string[]; flags: number }[] };
      ({ messageSize } = state);
      for (const { id, path, flags } of state.fids) {
        try {
          const inode = path.reduce(step, fileSystem.root);
          fids.set(id, { inode, path, ...(flags >= 0 && { file: inode.open!(access(flags)), flags }) });
        } catch (error) {
          // what is no longer there is a bad descriptor to the guest
          if (!(error instanceof SyscallError)) throw error;
        }
      }
    },
  };
}
