import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { encodeName } from '../fs/names.ts';
import { demand, Want } from '../fs/namespace.ts';
import { type Inode, identity, isDirectory, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import { FileEvent, type Watch } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { anonymousOf, installAnonymous } from './anonymous.ts';
import { At, effective, inodeAt } from './arguments.ts';

/** Flags of inotify_add_watch(2) besides the events, all of which are below Overflow. */
const enum Flag {
  OnlyDirectory = 0x100_0000,
  DontFollow = 0x200_0000,
  ExclUnlink = 0x400_0000,
  MaskCreate = 0x1000_0000,
  MaskAdd = 0x2000_0000,
  OneShot = 0x8000_0000,
}
const EVENTS = 0xfff;
const FLAGS = Flag.OnlyDirectory | Flag.DontFollow | Flag.ExclUnlink | Flag.MaskCreate | Flag.MaskAdd | Flag.OneShot;

/** Bytes of struct inotify_event without its name, which is padded to a multiple of as many. */
const HEADER = 16;
/** /proc/sys/fs/inotify/max_queued_events, and max_user_watches, which all instances have together. */
const MOST_EVENTS = 16384;
const MOST_WATCHES = 65536;
/** max_user_instances */
const MOST_INSTANCES = 128;

interface Happened {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
}

interface Registered extends Watch {
  readonly wd: number;
  /** Ends it without a word. */
  remove(): void;
}

interface Instance {
  add(inode: Inode, mask: number): number;
  remove(wd: number): number;
}
const instances = new WeakMap<object, Instance>();

const sizeOf = ({ name }: Happened): number => HEADER + (name === '' ? 0 : Math.ceil((encodeName(name).length + 1) / HEADER) * HEADER);

/** inotify_init1(2): what happens to files is read as struct inotify_event. */
function create(p: Process, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -Errno.EINVAL;
  const { watches } = p.files.namespace;
  const little = p.abi.isa.endian === 'little';
  if (watches.instances >= MOST_INSTANCES) return -Errno.EMFILE;
  const queue = new WaitQueue();
  const byFile = new Map<string, Registered>();
  let events: Happened[] = [];
  let last = 0;

  function put(event: Happened): void {
    const before = events.at(-1);
    const { wd, mask, cookie, name } = event;
    if (before?.wd === wd && before.mask === mask && before.cookie === cookie && before.name === name) return;
    if (events.length < MOST_EVENTS) events.push(event);
    else if (before?.mask !== FileEvent.Overflow) events.push({ wd: -1, mask: FileEvent.Overflow, cookie: 0, name: '' });
    queue.wake();
  }

  function register(inode: Inode, mask: number): Registered {
    const key = identity(inode);
    const wd = ++last;
    const watch: Registered = {
      wd,
      mask,
      tell(event, name, cookie) {
        put({ wd, mask: event >>> 0, cookie, name });
        if (watch.mask & Flag.OneShot) watch.end();
      },
      end() {
        watch.remove();
        put({ wd, mask: FileEvent.Ignored, cookie: 0, name: '' });
      },
      remove() {
        forget();
        byFile.delete(key);
      },
    };
    const forget = watches.add(inode, watch);
    byFile.set(key, watch);
    return watch;
  }

  const read = (into: Uint8Array): number => {
    if (events.length === 0) return WOULD_BLOCK;
    let at = 0;
    let taken = 0;
    const view = new DataView(into.buffer, into.byteOffset, into.length);
    for (const event of events) {
      const size = sizeOf(event);
      if (at + size > into.length) break;
      const words = [event.wd, event.mask, event.cookie, size - HEADER];
      words.forEach((word, index) => {
        view.setUint32(at + index * 4, word, little);
      });
      into.fill(0, at + HEADER, at + size);
      into.set(encodeName(event.name), at + HEADER);
      at += size;
      taken++;
    }
    if (taken === 0) fail('EINVAL');
    events = events.slice(taken);
    return at;
  };
  instances.set(read, {
    add(inode, flagged) {
      const mask = flagged & (EVENTS | Flag.OneShot);
      const known = byFile.get(identity(inode));
      if (!known) return watches.count < MOST_WATCHES ? register(inode, mask).wd : -Errno.ENOSPC;
      if (flagged & Flag.MaskCreate) return -Errno.EEXIST;
      known.mask = flagged & Flag.MaskAdd ? known.mask | mask : mask;
      return known.wd;
    },
    remove(wd) {
      const watch = [...byFile.values()].find((one) => one.wd === wd);
      watch?.end();
      return watch ? 0 : -Errno.EINVAL;
    },
  });
  const file = {
    read,
    write: () => fail('EBADF'),
    poll: () => (events.length > 0 ? Poll.In | Poll.ReadNormal : 0),
    subscribe: queue.subscribe,
    available: () => events.reduce((sum, event) => sum + sizeOf(event), 0),
    close() {
      watches.instances--;
      for (const watch of [...byFile.values()]) watch.remove();
    },
  };
  watches.instances++;
  return installAnonymous(p, 'inotify', file, flags);
}

function addWatch(p: Process, fd: number, path: number, mask: number): number {
  if (!(mask & EVENTS) || mask & ~(EVENTS | FLAGS | 0x6000)) return -Errno.EINVAL;
  p.files.get(fd);
  if (mask & Flag.MaskAdd && mask & Flag.MaskCreate) return -Errno.EINVAL;
  const instance = anonymousOf(p, fd, instances);
  const inode = inodeAt(p, At.FDCWD, path, mask & Flag.DontFollow ? At.SYMLINK_NOFOLLOW : 0);
  if (mask & Flag.OnlyDirectory && !isDirectory(inode)) return -Errno.ENOTDIR;
  demand(inode, Want.Read, effective(p));
  return instance.add(inode, mask);
}

export const inotifyCalls: Calls = {
  inotify_init: (p) => create(p, 0),
  inotify_init1: (p, a) => create(p, a[0]),
  inotify_add_watch: partial(
    (p, a) => addWatch(p, a[0], a[1], a[2]),
    'tells what the guest does, not the host; a file that is open and removed is gone at once; not of execve; IN_EXCL_UNLINK has no effect',
  ),
  inotify_rm_watch: (p, a) => anonymousOf(p, a[0], instances).remove(a[1] | 0),
};
