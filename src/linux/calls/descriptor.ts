import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { WHOLE } from '../fs/locks.ts';
import { isDirectory, Mode, type OpenFile } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import { type Syscall, wide } from '../syscall.ts';
import { statSource } from './arguments.ts';
import { setAsynchronous, tellCommand } from './asynchronous.ts';
import { demandSize } from './file-size.ts';
import { ioctl } from './ioctl.ts';
import { getLease, setLease } from './lease.ts';
import { flock, getLock, ownLock, setLock } from './lock.ts';
import { addSeals, sealable } from './seal.ts';

const FD_CLOEXEC = 1;
/** /proc/sys/fs/pipe-max-size */
const PIPE_MAX_SIZE = 1 << 20;

/** EINVAL for descriptors beyond what a process may have, as dup2 and F_DUPFD report. */
function checkMinimum(p: Process, minimum: number, error: 'EINVAL' | 'EBADF'): void {
  if (minimum >= p.limits.nofile.soft) fail(error);
}

/** O_RDONLY, O_WRONLY or O_RDWR with what F_GETFL shows besides. */
function statusFlags(p: Process, fd: number): number {
  const { access, append, nonblock, flags, untell, inode } = p.files.get(fd);
  const mode = access.write ? (access.read ? 2 : 1) : 0;
  return (
    mode |
    flags |
    (append ? p.abi.open.O_APPEND : 0) |
    (nonblock ? p.abi.open.O_NONBLOCK : 0) |
    (untell && !isDirectory(inode) ? p.abi.open.O_ASYNC : 0)
  );
}

const fcntl: Syscall = (p, a) => {
  const [fd, number, argument] = a;
  const descriptor = p.files.descriptor(fd);
  const { description } = descriptor;
  const command = p.abi.fcntl.get(number);
  switch (command) {
    case 'F_DUPFD':
    case 'F_DUPFD_CLOEXEC':
      checkMinimum(p, argument, 'EINVAL');
      return p.files.install(description, p.limits.nofile.soft, command === 'F_DUPFD_CLOEXEC', argument);
    case 'F_GETFD':
      return descriptor.closeOnExec ? FD_CLOEXEC : 0;
    case 'F_SETFD':
      descriptor.closeOnExec = (argument & FD_CLOEXEC) !== 0;
      return 0;
    case 'F_GETFL':
      return statusFlags(p, fd);
    case 'F_SETFL': {
      const { O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME } = p.abi.open;
      const settable = O_DIRECT | O_NOATIME;
      const { format } = description.inode;
      if (argument & O_DIRECT && format !== Mode.Regular && format !== Mode.Fifo) return -Errno.EINVAL;
      const fresh = argument & ~description.flags;
      if (fresh & O_NOATIME && statSource(p, fd).stat().uid !== p.credentials.fsuid && !capable(p, Cap.Fowner)) return -Errno.EPERM;
      description.append = (argument & O_APPEND) !== 0;
      description.nonblock = (argument & O_NONBLOCK) !== 0;
      description.flags = (description.flags & ~settable) | (argument & settable);
      description.file?.setPackets?.((argument & O_DIRECT) !== 0);
      setAsynchronous(p, fd, (argument & p.abi.open.O_ASYNC) !== 0);
      return 0;
    }
    case 'F_GETLK':
    case 'F_GETLK64':
      return getLock(p, description, argument, command === 'F_GETLK64');
    case 'F_SETLK':
    case 'F_SETLKW':
      return setLock(p, description, argument, false, command === 'F_SETLKW');
    case 'F_SETLK64':
    case 'F_SETLKW64':
      return setLock(p, description, argument, true, command === 'F_SETLKW64');
    case 'F_OFD_GETLK':
    case 'F_OFD_SETLK':
    case 'F_OFD_SETLKW':
      return ownLock(p, description, argument, command);
    case 'F_GETLEASE':
      return getLease(p, description);
    case 'F_GETPIPE_SZ':
      return description.file?.capacity?.() ?? -Errno.EBADF;
    case 'F_SETPIPE_SZ':
      if (argument >= 2 ** 31) return -Errno.EINVAL;
      if (argument > PIPE_MAX_SIZE && !capable(p, Cap.SysResource)) return -Errno.EPERM;
      return description.file?.setCapacity?.(argument) ?? -Errno.EBADF;
    case 'F_GET_SEALS':
      return sealable(description).seals ?? 0;
    case 'F_ADD_SEALS':
      return addSeals(p, description, argument);
    case 'F_SETLEASE':
      return setLease(p, fd, argument);
    case undefined:
      return -Errno.EINVAL;
    default:
      return tellCommand(p, fd, command, argument);
  }
};

function sync(p: Process, fd: number): number {
  const { file, inode, pathOnly } = p.files.get(fd);
  if (pathOnly) return -Errno.EBADF;
  if (!file) return isDirectory(inode) ? 0 : -Errno.EBADF;
  if (inode.format !== Mode.Regular) return -Errno.EINVAL;
  file.sync?.();
  return 0;
}

/** fallocate(2) */
const enum Fallocate {
  KeepSize = 1,
  PunchHole = 2,
  ZeroRange = 0x10,
}
/** What can be asked for. */
const ALLOCATIONS: readonly number[] = [
  0,
  Fallocate.KeepSize,
  Fallocate.KeepSize | Fallocate.PunchHole,
  Fallocate.ZeroRange,
  Fallocate.KeepSize | Fallocate.ZeroRange,
];

function zero(file: OpenFile, start: number, end: number): void {
  const zeros = new Uint8Array(Math.min(1 << 16, Math.max(0, end - start)));
  for (let at = start; at < end; ) at += file.write(zeros.subarray(0, Math.min(zeros.length, end - at)), at);
}

/** A call that only hints; the descriptor must be a file's. */
function hint(p: Process, fd: number): number {
  return p.files.get(fd).inode.format === Mode.Fifo ? -Errno.ESPIPE : 0;
}

/** sync_file_range(2), of which only its errors show. */
function syncRange(p: Process, fd: number, offset: number, length: number, flags: number): number {
  const { inode } = p.files.get(fd);
  if (flags & ~7 || offset < 0 || length < 0 || offset + length >= 2 ** 63) return -Errno.EINVAL;
  return inode.format === Mode.Regular || inode.format === Mode.Block || isDirectory(inode) ? 0 : -Errno.ESPIPE;
}

/** The last of POSIX_FADV_… */
const LAST_ADVICE = 5;
/** A process that had its descriptors in common with others has its own from now on. */
export function unshareFiles(p: Process): void {
  const { files } = p;
  const own = files.copy();
  for (const thread of p.group.threads.values()) if (thread.files === files) thread.files = own;
  files.leave();
}

function advise(p: Process, fd: number, advice: number): number {
  const result = hint(p, fd);
  return result === 0 && advice > LAST_ADVICE ? -Errno.EINVAL : result;
}

/** Calls on descriptors as such. */
export const descriptorCalls = {
  close: (p, a) => {
    // of all that the process has of that file (fcntl(2)); once it is closed, it may not tell which it was
    p.files.namespace.locks.clear('fcntl', statSource(p, a[0]), { owner: p.group, ...WHOLE });
    p.files.close(a[0]);
    return 0;
  },
  close_range: (p, a) => {
    const [first, last, flags] = a;
    // CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC
    if (first > last || flags & ~6) return -Errno.EINVAL;
    if (flags & 2) unshareFiles(p);
    for (const fd of p.files.list()) {
      if (fd < first || fd > last) continue;
      if (flags & 4) p.files.descriptor(fd).closeOnExec = true;
      else p.files.close(fd);
    }
    return 0;
  },
  dup: (p, a) => p.files.install(p.files.get(a[0]), p.limits.nofile.soft),
  dup2: (p, a) => {
    const description = p.files.get(a[0]);
    checkMinimum(p, a[1], 'EBADF');
    if (a[0] !== a[1]) p.files.replace(a[1], description);
    return a[1];
  },
  dup3: (p, a) => {
    const { O_CLOEXEC } = p.abi.open;
    if (a[2] & ~O_CLOEXEC || a[0] === a[1]) return -Errno.EINVAL;
    const description = p.files.get(a[0]);
    checkMinimum(p, a[1], 'EBADF');
    p.files.replace(a[1], description, (a[2] & O_CLOEXEC) !== 0);
    return a[1];
  },
  fcntl,
  fcntl64: fcntl,
  flock: (p, a) => flock(p, a[0], a[1]),
  ioctl,
  fsync: (p, a) => sync(p, a[0]),
  fdatasync: (p, a) => sync(p, a[0]),
  sync: () => 0,
  syncfs: (p, a) => {
    p.files.get(a[0]);
    return 0;
  },
  sync_file_range: (p, a) => syncRange(p, a[0], wide(p, a, 1), wide(p, a, p.abi.alignedPairs ? 4 : 3), a[p.abi.alignedPairs ? 6 : 5]),
  readahead: (p, a) => {
    const { access, inode } = p.files.get(a[0]);
    if (!access.read) return -Errno.EBADF;
    return inode.format === Mode.Regular ? 0 : -Errno.EINVAL;
  },
  fadvise64: (p, a) => advise(p, a[0], a[p.abi.alignedPairs ? 6 : 4]),
  fadvise64_64: (p, a) => advise(p, a[0], a[p.abi.alignedPairs ? 6 : 5]),
  fallocate: (p, a) => {
    const { file, access, inode } = p.files.get(a[0]);
    const offset = wide(p, a, 2);
    const length = wide(p, a, 4);
    if (offset < 0 || length <= 0) return -Errno.EINVAL;
    const mode = a[1];
    if (!ALLOCATIONS.includes(mode)) return -Errno.EOPNOTSUPP;
    if (!access.write || !file) return -Errno.EBADF;
    if (inode.format === Mode.Fifo) return -Errno.ESPIPE;
    if (!file.truncate) return -Errno.ENODEV;
    const { size } = statSource(p, a[0]).stat();
    if (!(mode & Fallocate.PunchHole)) demandSize(p, offset + length);
    if (mode & (Fallocate.PunchHole | Fallocate.ZeroRange)) zero(file, offset, Math.min(offset + length, size));
    if (!(mode & Fallocate.KeepSize) && offset + length > size) file.truncate(offset + length);
    return 0;
  },
} satisfies Record<string, Syscall>;
