import type { FileStatus } from '../abi.ts';
import { Cap, capabilityBit, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { demand, type Identity, permits, Want } from '../fs/namespace.ts';
import { type Attributes, deviceMajor, deviceMinor, type Inode, isDirectory, isSymlink, Mode, WOULD_BLOCK } from '../fs/vfs.ts';
import { FileEvent, type FoundSpot } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import { type Syscall, type SyscallResult, wide } from '../syscall.ts';
import { At, effective, inodeAt, spotAt, spotOf, statSource } from './arguments.ts';
import { nanoseconds, SECOND } from './file-abi.ts';
import { demandSize } from './file-size.ts';
import { afterLeases } from './lease.ts';

type WriteStatus = (p: Process, address: number, status: FileStatus) => void;

const narrow: WriteStatus = (p, address, status) => p.abi.writeStat(p, address, status);
const large: WriteStatus = (p, address, status) => p.abi.writeStat64(p, address, status);

function stat(write: WriteStatus, flags: number): Syscall {
  return (p, a) => {
    write(p, a[1], inodeAt(p, At.FDCWD, a[0], flags).stat());
    return 0;
  };
}

function fstat(write: WriteStatus): Syscall {
  return (p, a) => {
    write(p, a[1], statSource(p, a[0]).stat());
    return 0;
  };
}

const AT_EACCESS = At.REMOVEDIR;
const STAT_FLAGS = At.SYMLINK_NOFOLLOW | At.NO_AUTOMOUNT | At.EMPTY_PATH;
/** STATX_BASIC_STATS | STATX_BTIME */
const STATX_MASK = 0xfff;

/** struct statx, the same in all ABIs (include/uapi/linux/stat.h). */
function writeStatx({ memory }: Process, address: number, inode: Inode): void {
  const status = inode.stat();
  memory.view(address, 256, 'write').fill(0);
  memory.setU32(address, STATX_MASK);
  memory.setU32(address + 4, status.blockSize);
  memory.setU32(address + 16, status.links);
  memory.setU32(address + 20, status.uid);
  memory.setU32(address + 24, status.gid);
  memory.setU16(address + 28, status.mode);
  memory.setU64(address + 32, BigInt(status.inode));
  memory.setU64(address + 40, BigInt(status.size));
  memory.setU64(address + 48, BigInt(status.blocks));
  [status.atime, status.btime, status.ctime, status.mtime].forEach((time, i) => {
    const at = address + 64 + i * 16;
    const fraction = nanoseconds(time);
    memory.setU64(at, BigInt.asUintN(64, (time - BigInt(fraction)) / SECOND));
    memory.setU32(at + 8, fraction);
  });
  memory.setU32(address + 128, deviceMajor(status.rdevice));
  memory.setU32(address + 132, deviceMinor(status.rdevice));
  memory.setU32(address + 136, deviceMajor(status.device));
  memory.setU32(address + 140, deviceMinor(status.device));
}

function access(p: Process, fd: number, address: number, mode: number, flags: number): number {
  if (mode & ~7 || flags & ~(AT_EACCESS | At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) return -Errno.EINVAL;
  const { credentials } = p;
  const { uid, gid, groups, capabilities } = credentials;
  // as if a program of the real user asked: root has what is permitted, others nothing
  const has = (cap: Cap): boolean => uid === 0 && (capabilities.permitted & capabilityBit(cap)) !== 0n;
  const real: Identity = { uid, gid, groups, overrides: has(Cap.DacOverride), searches: has(Cap.DacReadSearch) };
  const who = flags & AT_EACCESS ? effective(p) : real;
  const inode = inodeAt(p, fd, address, flags);
  if (mode & Want.Write && inode.fileSystem.readOnly && (inode.format === Mode.Regular || isDirectory(inode) || isSymlink(inode)))
    return -Errno.EROFS;
  return permits(inode, mode, who) ? 0 : -Errno.EACCES;
}

/** Only the owner may change a file's mode or set its times to arbitrary values. */
function owned(p: Process, inode: Inode): void {
  if (inode.stat().uid !== p.credentials.fsuid && !capable(p, Cap.Fowner)) fail('EPERM');
}

function change(p: Process, spot: FoundSpot, attributes: Attributes): number {
  spot.inode.setAttributes(attributes);
  p.files.namespace.watches.happened(FileEvent.Attributes, spot);
  return 0;
}

const isInGroup = ({ credentials: { fsgid, groups } }: Process, gid: number): boolean => gid === fsgid || groups.includes(gid);

function chmod(p: Process, spot: FoundSpot, mode: number): number {
  const { inode } = spot;
  if (inode.fileSystem.readOnly) return -Errno.EROFS;
  owned(p, inode);
  const foreign = !isInGroup(p, inode.stat().gid) && !capable(p, Cap.Fsetid);
  return change(p, spot, { mode: mode & Mode.Permissions & ~(foreign ? Mode.SetGid : 0) });
}

function chown(p: Process, spot: FoundSpot, uid: number, gid: number): number {
  const none = 0xffffffff;
  if (spot.inode.fileSystem.readOnly) return -Errno.EROFS;
  const now = spot.inode.stat();
  const { mode } = now;
  if (!capable(p, Cap.Chown) && (uid !== none || gid !== none)) {
    const isOwner = now.uid === p.credentials.fsuid;
    if (!isOwner || (uid !== none && uid !== now.uid) || (gid !== none && gid !== now.gid && !isInGroup(p, gid))) return -Errno.EPERM;
  }
  // nobody runs a program with the rights of an owner who did not say so
  const lost = isDirectory(spot.inode) ? 0 : mode & (Mode.SetUid | (mode & 0o010 ? Mode.SetGid : 0));
  return change(p, spot, {
    ...(lost !== 0 && { mode: mode & Mode.Permissions & ~lost }),
    ...(uid !== none && { uid }),
    ...(gid !== none && { gid }),
  });
}

/** Of a descriptor that O_PATH has not made. */
const openSpot = (p: Process, fd: number): FoundSpot => (p.files.get(fd).pathOnly ? fail('EBADF') : spotOf(p, fd));

/** A 16-bit id of the old calls, whose −1 leaves the owner as it is. */
const id16 = (id: number): number => ((id & 0xffff) === 0xffff ? 0xffffffff : id & 0xffff);

const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

/** Sets times; `times` undefined means now, an undefined time in it stays. */
function setTimes(p: Process, spot: FoundSpot, times: readonly [bigint | undefined, bigint | undefined] | undefined): number {
  const { inode } = spot;
  const { watches } = p.files.namespace;
  if (inode.fileSystem.readOnly) return -Errno.EROFS;
  if (times) {
    owned(p, inode);
    inode.setAttributes({ ...(times[0] !== undefined && { atime: times[0] }), ...(times[1] !== undefined && { mtime: times[1] }) });
    const [atime, mtime] = times;
    if (atime === undefined && mtime === undefined) return 0;
    const event = atime === undefined ? FileEvent.Modify : mtime === undefined ? FileEvent.Access : FileEvent.Attributes;
    watches.happened(event, spot);
    return 0;
  }
  const who = effective(p);
  if (inode.stat().uid !== who.uid) demand(inode, Want.Write, who);
  const now = p.host.now();
  inode.setAttributes({ atime: now, mtime: now });
  watches.happened(FileEvent.Attributes, spot);
  return 0;
}

function utimensat(readTime: (p: Process, address: number) => [bigint, number], size: number): Syscall {
  return (p, a) => {
    const [fd, path, address, flags] = a;
    if (flags & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) return -Errno.EINVAL;
    const time = (at: number): bigint | undefined => {
      const [whole, fraction] = readTime(p, at);
      if (fraction === UTIME_OMIT) return undefined;
      if (fraction === UTIME_NOW) return p.host.now();
      if (fraction >= 1e9) fail('EINVAL');
      return whole * SECOND + BigInt(fraction);
    };
    const times = address === 0 ? undefined : ([time(address), time(address + size)] as const);
    return setTimes(p, path === 0 ? spotOf(p, fd) : spotAt(p, fd, path, flags), times);
  };
}

/** struct timeval[2] */
function timevals(p: Process, address: number): readonly [bigint, bigint] | undefined {
  if (address === 0) return undefined;
  const time = (at: number): bigint => {
    const micro = p.memory.u32(at + 4);
    if (micro >= 1e6) fail('EINVAL');
    return BigInt(p.memory.i32(at)) * SECOND + BigInt(micro) * 1000n;
  };
  return [time(address), time(address + 8)];
}

const truncate = (p: Process, address: number, size: number): SyscallResult =>
  size < 0 ? -Errno.EINVAL : afterLeases(p, false, (expired) => truncateAt(p, address, size, expired));

function truncateAt(p: Process, address: number, size: number, expired: boolean): number {
  const { leases } = p.files.namespace;
  const spot = spotAt(p, At.FDCWD, address, 0);
  const { inode } = spot;
  if (isDirectory(inode)) return -Errno.EISDIR;
  if (inode.format !== Mode.Regular) return -Errno.EINVAL;
  demand(inode, Want.Write, effective(p));
  if (expired) leases.expire(inode);
  else if (leases.inTheWay(inode, true)) return WOULD_BLOCK;
  const written = p.files.namespace.busy.write(inode);
  const file = inode.open!({ read: false, write: true });
  try {
    if (!file.truncate) return -Errno.EINVAL;
    demandSize(p, size);
    file.truncate(size);
  } finally {
    file.close?.();
    written();
  }
  p.files.namespace.watches.happened(FileEvent.Modify, spot);
  return 0;
}

function ftruncate(p: Process, fd: number, size: number): number {
  const { file, access: may } = p.files.get(fd);
  if (size < 0 || !file) return file ? -Errno.EINVAL : -Errno.EBADF;
  if (!may.write || !file.truncate) return -Errno.EINVAL;
  demandSize(p, size);
  file.truncate(size);
  p.files.namespace.watches.happened(FileEvent.Modify, spotOf(p, fd));
  return 0;
}

function statfs(write: 'writeStatfs' | 'writeStatfs64', p: Process, inode: Inode, address: number): number {
  const { fileSystem } = inode;
  p.abi[write](p, address, { ...fileSystem.statistics(), device: fileSystem.device, readOnly: fileSystem.readOnly });
  return 0;
}

/** statfs64 and fstatfs64 tell the size of the guest's structure; glibc's i386 headers pad it. */
function checkStatfs64(size: number): void {
  if (size < 84 || size > 96) fail('EINVAL');
}

/** What calls tell of files and change about them, other than their names and content. */
export const statusCalls = {
  stat: stat(narrow, 0),
  lstat: stat(narrow, At.SYMLINK_NOFOLLOW),
  fstat: fstat(narrow),
  stat64: stat(large, 0),
  lstat64: stat(large, At.SYMLINK_NOFOLLOW),
  fstat64: fstat(large),
  fstatat64: (p, a) => {
    if (a[3] & ~STAT_FLAGS) return -Errno.EINVAL;
    large(p, a[2], inodeAt(p, a[0], a[1], a[3]).stat());
    return 0;
  },
  statx: (p, a) => {
    // both ways of asking for what is in sync, and what is reserved of the mask
    if (a[2] & ~(STAT_FLAGS | At.STATX_SYNC) || (a[2] & At.STATX_SYNC) === At.STATX_SYNC || a[3] & 0x8000_0000) return -Errno.EINVAL;
    writeStatx(p, a[4], inodeAt(p, a[0], a[1], a[2]));
    return 0;
  },
  access: (p, a) => access(p, At.FDCWD, a[0], a[1], 0),
  faccessat: (p, a) => access(p, a[0], a[1], a[2], 0),
  faccessat2: (p, a) => access(p, a[0], a[1], a[2], a[3]),
  chmod: (p, a) => chmod(p, spotAt(p, At.FDCWD, a[0], 0), a[1]),
  fchmod: (p, a) => chmod(p, openSpot(p, a[0]), a[1]),
  fchmodat: (p, a) => chmod(p, spotAt(p, a[0], a[1], 0), a[2]),
  fchmodat2: (p, a) => (a[3] & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH) ? -Errno.EINVAL : chmod(p, spotAt(p, a[0], a[1], a[3]), a[2])),
  chown: (p, a) => chown(p, spotAt(p, At.FDCWD, a[0], 0), a[1], a[2]),
  lchown: (p, a) => chown(p, spotAt(p, At.FDCWD, a[0], At.SYMLINK_NOFOLLOW), a[1], a[2]),
  fchown: (p, a) => chown(p, openSpot(p, a[0]), a[1], a[2]),
  fchownat: (p, a) => {
    if (a[4] & ~(At.SYMLINK_NOFOLLOW | At.EMPTY_PATH)) return -Errno.EINVAL;
    return chown(p, spotAt(p, a[0], a[1], a[4]), a[2], a[3]);
  },
  chown16: (p, a) => chown(p, spotAt(p, At.FDCWD, a[0], 0), id16(a[1]), id16(a[2])),
  lchown16: (p, a) => chown(p, spotAt(p, At.FDCWD, a[0], At.SYMLINK_NOFOLLOW), id16(a[1]), id16(a[2])),
  fchown16: (p, a) => chown(p, openSpot(p, a[0]), id16(a[1]), id16(a[2])),
  utime: (p, a) => {
    const times = a[1] === 0 ? undefined : ([BigInt(p.memory.i32(a[1])) * SECOND, BigInt(p.memory.i32(a[1] + 4)) * SECOND] as const);
    return setTimes(p, spotAt(p, At.FDCWD, a[0], 0), times);
  },
  utimes: (p, a) => setTimes(p, spotAt(p, At.FDCWD, a[0], 0), timevals(p, a[1])),
  futimesat: (p, a) => setTimes(p, a[1] === 0 ? spotOf(p, a[0]) : spotAt(p, a[0], a[1], 0), timevals(p, a[2])),
  utimensat: utimensat((p, at) => [BigInt(p.memory.i32(at)), p.memory.u32(at + 4)], 8),
  utimensat_time64: utimensat((p, at) => [BigInt.asIntN(64, p.memory.u64(at)), Number(BigInt.asUintN(32, p.memory.u64(at + 8)))], 16),
  truncate: (p, a) => truncate(p, a[0], a[1] | 0),
  ftruncate: (p, a) => ftruncate(p, a[0], a[1] | 0),
  truncate64: (p, a) => truncate(p, a[0], wide(p, a, 1)),
  ftruncate64: (p, a) => ftruncate(p, a[0], wide(p, a, 1)),
  statfs: (p, a) => statfs('writeStatfs', p, inodeAt(p, At.FDCWD, a[0], 0), a[1]),
  fstatfs: (p, a) => statfs('writeStatfs', p, statSource(p, a[0]), a[1]),
  statfs64: (p, a) => {
    checkStatfs64(a[1]);
    return statfs('writeStatfs64', p, inodeAt(p, At.FDCWD, a[0], 0), a[2]);
  },
  fstatfs64: (p, a) => {
    checkStatfs64(a[1]);
    return statfs('writeStatfs64', p, statSource(p, a[0]), a[2]);
  },
  umask: (p, a) => {
    const old = p.files.umask;
    p.files.umask = a[0] & 0o777;
    return old;
  },
} satisfies Record<string, Syscall>;
