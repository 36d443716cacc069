import { PAGE_SIZE } from '../../isa/code.ts';
import { PagePermission } from '../../vcpu/guest-memory.ts';
import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type Description, describe, release } from '../fs/file-table.ts';
import { mappable } from '../fs/mappable.ts';
import { isPageAligned, pageUp } from '../memory-map.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type SyscallResult } from '../syscall.ts';
import { anonymousFile } from './anonymous.ts';
import { mailboxCalls } from './mailbox.ts';
import { semaphoreCalls } from './semaphore.ts';
import {
  demandOwner,
  demandUse,
  highest,
  IPC_64,
  IpcCommand,
  keyed,
  leave,
  make,
  type Owned,
  seconds,
  setOwner,
  Use,
  writeOwner,
  writeWords,
} from './sysv.ts';

const SHM_RDONLY = 0o10000;
const SHM_RND = 0o20000;
const SHM_REMAP = 0o40000;

/** kernel.shmmni */
const MOST_SEGMENTS = 4096;
/** Of all segments that have a number. */
const MOST_BYTES = 128 << 20;
/** Operations of ipc(2). */
const enum Ipc {
  SEMOP = 1,
  SEMGET = 2,
  SEMCTL = 3,
  SEMTIMEDOP = 4,
  MSGSND = 11,
  MSGRCV = 12,
  MSGGET = 13,
  MSGCTL = 14,
  SHMAT = 21,
  SHMDT = 22,
  SHMGET = 23,
  SHMCTL = 24,
}

/** A segment of shared memory (System V): a file in memory that has a number instead of a name. */
export interface Segment extends Owned {
  readonly size: number;
  /** A reference of it is the system's, until it is removed. */
  readonly description: Description;
  readonly creator: number;
  /** Who attached or detached it last, and when. */
  last: number;
  attachedAt: number;
  detachedAt: number;
}

function segmentOf(p: Process, id: number): Segment {
  return p.system.segments.byId.get(id) ?? fail('EINVAL');
}

function shmget(p: Process, key: number, size: number, flags: number): number {
  const { segments } = p.system;
  const found = keyed(p, segments, key, flags, (segment) => {
    if (size > segment.size) fail('EINVAL');
  });
  if (found) return found.id;
  if (size === 0) return -Errno.EINVAL;
  if (segments.byId.size >= MOST_SEGMENTS) return -Errno.ENOSPC;
  if (segments.totals.bytes + pageUp(size) > MOST_BYTES) return -Errno.ENOMEM;
  const file = anonymousFile(p, flags & 0o777);
  const description = describe(
    file,
    file.open({ read: true, write: true }),
    { read: true, write: true },
    `/SYSV${key.toString(16).padStart(8, '0')} (deleted)`,
  );
  try {
    file.resize(pageUp(size));
  } catch {
    return -Errno.ENOMEM;
  }
  description.references++;
  segments.totals.bytes += pageUp(size);
  return make(p, segments, key, flags, { size, description, creator: p.pid, last: 0, attachedAt: 0, detachedAt: 0 });
}

function shmat(p: Process, id: number, address: number, flags: number): number {
  const segment = segmentOf(p, id);
  const { description } = segment;
  const start = flags & SHM_RND ? address - (address % PAGE_SIZE) : address;
  if (!isPageAligned(start) || (flags & SHM_REMAP && start === 0)) return -Errno.EINVAL;
  demandUse(p, segment, flags & SHM_RDONLY ? Use.Read : Use.Read | Use.Write);
  const backing = { file: mappable(description, true), offset: 0 };
  const result = p.map.map({
    address: start,
    length: description.inode.stat().size,
    permission: PagePermission.Read | (flags & SHM_RDONLY ? 0 : PagePermission.Write),
    shared: true,
    placement: start === 0 ? 'hint' : flags & SHM_REMAP ? 'fixed' : 'fixed-noreplace',
    backing,
  });
  if (result < 0) backing.file.release?.();
  else Object.assign(segment, { last: p.pid, attachedAt: seconds(p) });
  return result === -Errno.EEXIST ? -Errno.EINVAL : result;
}

/** The segment that begins at the address, in all its parts. */
function shmdt(p: Process, address: number): number {
  const area = p.map.areas.at(address);
  if (!area || area.start !== address || !area.name.startsWith('/SYSV') || area.backing?.offset !== 0) return -Errno.EINVAL;
  const segment = [...p.system.segments.byId.values()].find(({ description: { path } }) => path === area.name);
  if (segment) Object.assign(segment, { last: p.pid, detachedAt: seconds(p) });
  const { file } = area.backing;
  const parts = [...p.map.areas].filter(({ start, backing }) => backing?.file === file && start - backing.offset === address);
  for (const { start, end } of parts) p.map.unmap(start, end - start);
  return 0;
}

const enum Command {
  Lock = 11,
  Unlock = 12,
  Status = 13,
  Info = 14,
  StatusAny = 15,
}
/** In a segment's mode. */
const SHM_LOCKED = 0o2000;

function writeInfo(p: Process, address: number, inUse: boolean): number {
  const { segments } = p.system;
  const pages = segments.totals.bytes / PAGE_SIZE;
  // struct shm_info: ids, pages, resident and swapped ones; struct shminfo64: max, min, mni, seg, all
  if (inUse) writeWords(p, address, [segments.byId.size, pages, pages, 0, 0, 0]);
  else writeWords(p, address, [MOST_BYTES, 1, MOST_SEGMENTS, MOST_SEGMENTS, MOST_BYTES / PAGE_SIZE, 0, 0, 0, 0]);
  return highest(segments);
}

function shmctl(p: Process, id: number, command: number, address: number): number {
  const kind = command & ~IPC_64;
  if (kind === IpcCommand.Info || kind === Command.Info) return writeInfo(p, address, kind === Command.Info);
  const segment = segmentOf(p, id);
  switch (kind) {
    case IpcCommand.Remove:
      demandOwner(p, segment);
      // it stays for those who have attached it
      leave(p.system.segments, segment);
      p.system.segments.totals.bytes -= pageUp(segment.size);
      release(segment.description);
      return 0;
    case IpcCommand.Set:
      return setOwner(p, segment, address);
    case Command.Lock:
    case Command.Unlock:
      if (!capable(p, Cap.IpcLock)) demandOwner(p, segment);
      segment.mode = kind === Command.Lock ? segment.mode | SHM_LOCKED : segment.mode & ~SHM_LOCKED;
      return 0;
    case IpcCommand.Status:
    case Command.Status:
    case Command.StatusAny:
      if (kind !== Command.StatusAny) demandUse(p, segment, Use.Read);
      writeStatus(p, segment, address);
      return kind === IpcCommand.Status ? 0 : id;
    default:
      return -Errno.EINVAL;
  }
}

/** struct shmid64_ds: struct ipc64_perm and the size are the same in all ABIs. */
function writeStatus(p: Process, segment: Segment, address: number): void {
  const { size, description, creator, last, attachedAt, detachedAt, changedAt } = segment;
  const { creatorAt, bytes, times } = p.abi.segments;
  p.memory.view(address, bytes, 'write').fill(0);
  writeOwner(p, segment, address);
  p.memory.setU32(address + 36, size);
  writeWords(p, address + creatorAt, [creator, last, description.references - 1]);
  [attachedAt, detachedAt, changedAt].forEach((time, n) => {
    p.memory.setU32(address + times[n], time);
  });
}

/** ipc(2) */
function ipc(p: Process, a: readonly number[]): SyscallResult {
  const [call, first, second, third, pointer, fifth] = a;
  const { semop, semtimedop, semget, semctl } = semaphoreCalls;
  const { msgsnd, msgrcv, msgget, msgctl } = mailboxCalls;
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
    case Ipc.SEMOP:
      return semop(p, [first, pointer, second]);
    case Ipc.SEMTIMEDOP:
      return semtimedop(p, [first, pointer, second, fifth]);
    case Ipc.SEMGET:
      return semget(p, [first, second, third]);
    case Ipc.SEMCTL:
      return semctl(p, [first, second, third, p.memory.u32(pointer)]);
    case Ipc.MSGSND:
      return msgsnd(p, [first, pointer, second, third]);
    case Ipc.MSGRCV: {
      // the old way has the type in memory
      const isOld = call >>> 16 === 0;
      const message = isOld ? p.memory.u32(pointer) : pointer;
      return msgrcv(p, [first, message, second, isOld ? p.memory.u32(pointer + 4) : fifth, third]);
    }
    case Ipc.MSGGET:
      return msgget(p, [first, second]);
    case Ipc.MSGCTL:
      return msgctl(p, [first, second, pointer]);
    default:
      return -Errno.ENOSYS;
  }
}

export const segmentCalls: Calls = {
  shmget: (p, a) => shmget(p, a[0], a[1], a[2]),
  shmat: (p, a) => shmat(p, a[0], a[1], a[2]),
  shmdt: (p, a) => shmdt(p, a[0]),
  shmctl: partial((p, a) => shmctl(p, a[0], a[1], a[2]), 'none of those that are removed and still attached'),
  ...semaphoreCalls,
  ...mailboxCalls,
  ipc: partial(ipc, 'as the calls that it makes'),
};
