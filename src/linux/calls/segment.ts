import { PAGE_SIZE } from '../../isa/code.ts';
import { PagePermission } from '../../vcpu/guest-memory.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type Description, describe, release } from '../fs/file-table.ts';
import { mappable } from '../fs/mappable.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { isPageAligned, pageUp } from '../memory-map.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';

const IPC_PRIVATE = 0;
const IPC_CREAT = 0o1000;
const IPC_EXCL = 0o2000;
const IPC_RMID = 0;
const IPC_STAT = 2;
/** Of the last argument of shmctl: struct shmid64_ds, which is all there is. */
const IPC_64 = 0x100;
const SHM_RDONLY = 0o10000;
const SHM_RND = 0o20000;
const SHM_REMAP = 0o40000;

/** kernel.shmmni */
const MOST_SEGMENTS = 4096;
/** Of all segments that have a number. */
const MOST_BYTES = 128 << 20;
/** Operations of ipc(2). */
const enum Ipc {
  SHMAT = 21,
  SHMDT = 22,
  SHMGET = 23,
  SHMCTL = 24,
}

/** A segment of shared memory (System V): a file in memory that has a number instead of a name. */
export interface Segment {
  readonly id: number;
  readonly key: number;
  readonly size: number;
  /** A reference of it is the system's, until it is removed. */
  readonly description: Description;
  readonly creator: number;
}

function segmentOf(p: Process, id: number): Segment {
  return p.system.segments.get(id) ?? fail('EINVAL');
}

function shmget(p: Process, key: number, size: number, flags: number): number {
  const { segments } = p.system;
  const found = key === IPC_PRIVATE ? undefined : [...segments.values()].find((segment) => segment.key === key);
  if (found) {
    if (flags & IPC_CREAT && flags & IPC_EXCL) return -Errno.EEXIST;
    return size > found.size ? -Errno.EINVAL : found.id;
  }
  if (key !== IPC_PRIVATE && !(flags & IPC_CREAT)) return -Errno.ENOENT;
  if (size === 0) return -Errno.EINVAL;
  if (segments.size >= MOST_SEGMENTS) return -Errno.ENOSPC;
  const total = [...segments.values()].reduce((sum, segment) => sum + pageUp(segment.size), 0);
  if (total + pageUp(size) > MOST_BYTES) return -Errno.ENOMEM;
  const file = new MemoryFileSystem({ uid: p.credentials.euid, gid: p.credentials.egid }).anonymous(flags & 0o777);
  const description = describe(
    file,
    file.open({ read: true, write: true }),
    { read: true, write: true },
    `/SYSV${key.toString(16).padStart(8, '0')} (deleted)`,
  );
  file.resize(pageUp(size));
  description.references++;
  let id = 0;
  while (segments.has(id)) id++;
  segments.set(id, { id, key, size, description, creator: p.pid });
  return id;
}

function shmat(p: Process, id: number, address: number, flags: number): number {
  const { description } = segmentOf(p, id);
  const start = flags & SHM_RND ? address - (address % PAGE_SIZE) : address;
  if (!isPageAligned(start) || (flags & SHM_REMAP && start === 0)) return -Errno.EINVAL;
  const backing = { file: mappable(description), offset: 0 };
  const result = p.map.map({
    address: start,
    length: description.inode.stat().size,
    permission: PagePermission.Read | (flags & SHM_RDONLY ? 0 : PagePermission.Write),
    shared: true,
    placement: start === 0 ? 'hint' : flags & SHM_REMAP ? 'fixed' : 'fixed-noreplace',
    backing,
  });
  if (result < 0) backing.file.release?.();
  return result === -Errno.EEXIST ? -Errno.EINVAL : result;
}

/** What begins at the address, if that is a segment. */
function shmdt(p: Process, address: number): number {
  const area = p.map.areas.at(address);
  if (!area || area.start !== address || !area.name.startsWith('/SYSV') || area.backing?.offset !== 0) return -Errno.EINVAL;
  return p.map.unmap(address, area.end - address);
}

function shmctl(p: Process, id: number, command: number, address: number): number {
  const segment = segmentOf(p, id);
  switch (command & ~IPC_64) {
    case IPC_RMID:
      // it stays for those who have attached it
      p.system.segments.delete(id);
      release(segment.description);
      return 0;
    case IPC_STAT:
      writeStatus(p, segment, address);
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

/** struct shmid64_ds: struct ipc64_perm and the size are the same in all ABIs. Times are not told. */
function writeStatus(p: Process, { key, size, description, creator }: Segment, address: number): void {
  const { uid, gid, mode } = description.inode.stat();
  const { creatorAt, bytes } = p.abi.segments;
  p.memory.view(address, bytes, 'write').fill(0);
  [key, uid, gid, uid, gid, mode & 0o777].forEach((word, n) => {
    p.memory.setU32(address + n * 4, word);
  });
  p.memory.setU32(address + 36, size);
  p.memory.setU32(address + creatorAt, creator);
  p.memory.setU32(address + creatorAt + 8, description.references - 1);
}

/** ipc(2), of which only shared memory is here. */
function ipc(p: Process, a: readonly number[]): number {
  const [call, first, second, third, pointer] = a;
  switch (call & 0xffff) {
    case Ipc.SHMGET:
      return shmget(p, first, second, third);
    case Ipc.SHMAT: {
      const address = shmat(p, first, pointer, second);
      if (address < 0) return address;
      p.memory.setU32(third, address);
      return 0;
    }
    case Ipc.SHMDT:
      return shmdt(p, pointer);
    case Ipc.SHMCTL:
      return shmctl(p, first, second, pointer);
    default:
      p.warn('ipc', 'of System V there is shared memory only: no semaphores, no message queues');
      return -Errno.ENOSYS;
  }
}

export const segmentCalls: Calls = {
  shmget: (p, a) => shmget(p, a[0], a[1], a[2]),
  shmat: (p, a) => shmat(p, a[0], a[1], a[2]),
  shmdt: (p, a) => shmdt(p, a[0]),
  shmctl: partial((p, a) => shmctl(p, a[0], a[1], a[2]), 'IPC_RMID, IPC_STAT without times'),
  ipc: partial(ipc, 'shared memory only'),
};
