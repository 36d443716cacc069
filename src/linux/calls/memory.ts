import { Layout } from '../../../assembly/shared/layout.ts';
import { PAGE_SIZE } from '../../isa/code.ts';
import { GuestMemory, PagePermission } from '../../vcpu/guest-memory.ts';
import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { mappable } from '../fs/mappable.ts';
import { isPageAligned, type MappableFile, pageUp } from '../memory-map.ts';
import type { Process } from '../process.ts';
import { sharedMemory } from '../shared-memory.ts';
import { type Calls, partial } from '../syscall.ts';
import { isSealed } from './seal.ts';

const PROT_MASK = PagePermission.Read | PagePermission.Write | PagePermission.Execute;
/** Hints that are accepted and mean nothing here: PROT_SEM, PROT_GROWSDOWN, PROT_GROWSUP. */
const PROT_KNOWN = PROT_MASK | 0x8 | 0x01000000 | 0x02000000;
const MAP_TYPE = 0xf;
/** MAP_SHARED with flags checked. */
const MAP_SHARED_VALIDATE = 3;

const MREMAP_MAYMOVE = 1;
const MREMAP_FIXED = 2;

const permissionOf = (prot: number): number => prot & PROT_MASK;

/** `position` in bytes. */
function mmap(p: Process, address: number, length: number, prot: number, flags: number, fd: number, position: number): number {
  const { MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_LOCKED, MAP_FIXED_NOREPLACE } = p.abi.mmap;
  const type = flags & MAP_TYPE;
  if (!isPageAligned(position)) return -Errno.EINVAL;
  if (!(flags & MAP_ANONYMOUS)) p.files.get(fd);
  if (length === 0 || (type !== MAP_PRIVATE && type !== MAP_SHARED && type !== MAP_SHARED_VALIDATE)) return -Errno.EINVAL;
  const shared = type !== MAP_PRIVATE;
  const locked = (flags & MAP_LOCKED) !== 0;
  if (locked && p.limits.memlock.soft === 0 && !capable(p, Cap.IpcLock)) return -Errno.EPERM;
  if ((locked || p.map.locksNew) && !mayLock(p, pageUp(length))) return -Errno.EAGAIN;
  let backing: { file: MappableFile; offset: number } | undefined;
  if (!(flags & MAP_ANONYMOUS)) {
    const description = p.files.get(fd);
    if (description.pathOnly) return -Errno.EBADF;
    if (shared && prot & PagePermission.Write && !description.access.write) return -Errno.EACCES;
    if (shared && prot & PagePermission.Write && isSealed(description.inode)) return -Errno.EPERM;
    backing = { file: mappable(description), offset: position };
  } else if (shared) {
    const file = sharedMemory(pageUp(length), p.system.spaces.budget);
    if (!file) return -Errno.ENOMEM;
    backing = { file, offset: 0 };
  }
  const result = p.map.map({
    address,
    length,
    permission: permissionOf(prot),
    shared,
    locked,
    placement: flags & MAP_FIXED_NOREPLACE ? 'fixed-noreplace' : flags & MAP_FIXED ? 'fixed' : 'hint',
    ...(backing && { backing }),
  });
  if (result < 0) backing?.file.release?.();
  else if (backing && prot & PagePermission.Execute) {
    const code = GuestMemory.index(result);
    p.abi.mapsCode?.(p, p.memory.bytes.subarray(code, code + pageUp(length)), backing.file);
    p.system.hooks.mapped(p, result);
  }
  return result;
}

/** remap_file_pages(2): a part of a shared mapping shows another part of its file. */
function remapFilePages(p: Process, at: number, bytes: number, prot: number, page: number): number {
  if (prot !== 0) return -Errno.EINVAL;
  const address = at - (at % PAGE_SIZE);
  const length = bytes - (bytes % PAGE_SIZE);
  const area = p.map.areas.at(address);
  if (length === 0 || !area?.shared || !area.backing) return -Errno.EINVAL;
  const { permission, name, backing } = area;
  const { file } = backing;
  const parts = p.map.areas.within(address, address + length);
  const isOne = parts.every((one) => one.backing?.file === file && one.permission === permission);
  if (!isOne || !p.map.areas.covers(address, address + length)) return -Errno.EINVAL;
  for (const one of p.map.areas) if (one.backing?.file === file) p.map.sync(one.start, one.end - one.start);
  const mapped = { file, offset: page * PAGE_SIZE };
  const result = p.map.map({ address, length, permission, shared: true, name, placement: 'fixed', backing: mapped });
  return Math.min(result, 0);
}

const enum Madvise {
  Dontneed = 4,
  Free = 8,
}
/** Advice that Linux knows and that changes nothing a program can see. */
const HARMLESS_ADVICE = new Set([0, 1, 2, 3, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);

/** The range must lie in user space and be mapped; 0 or −ENOMEM. */
function checkMapped(p: Process, address: number, length: number): number {
  const start = address - (address % PAGE_SIZE);
  const end = pageUp(address + length);
  return end <= p.map.options.top && p.map.areas.covers(start, end) ? 0 : -Errno.ENOMEM;
}

/** Whether so many bytes more may be locked (RLIMIT_MEMLOCK). */
const mayLock = (p: Process, bytes: number): boolean => capable(p, Cap.IpcLock) || p.map.lockedWithin() + bytes <= p.limits.memlock.soft;

function lock(p: Process, address: number, length: number, locked: boolean): number {
  const start = address - (address % PAGE_SIZE);
  const end = pageUp(address + length);
  if (end > 2 ** 32) return -Errno.EINVAL;
  if (locked && p.limits.memlock.soft === 0 && !capable(p, Cap.IpcLock)) return -Errno.EPERM;
  if (locked && !mayLock(p, end - start - p.map.lockedWithin(start, end))) return -Errno.ENOMEM;
  const error = checkMapped(p, address, length);
  if (error === 0 && end > start) p.map.lock(start, end, locked);
  return error;
}

const enum LockAll {
  Current = 1,
  Future = 2,
  OnFault = 4,
}

function lockAll(p: Process, flags: number): number {
  if (flags & ~(LockAll.Current | LockAll.Future | LockAll.OnFault) || flags === 0 || flags === LockAll.OnFault) return -Errno.EINVAL;
  if (p.limits.memlock.soft === 0 && !capable(p, Cap.IpcLock)) return -Errno.EPERM;
  if (flags & LockAll.Current && !mayLock(p, p.map.used - p.map.lockedWithin())) return -Errno.ENOMEM;
  p.map.locksNew = (flags & LockAll.Future) !== 0;
  if (flags & LockAll.Current) p.map.lock(0, p.map.options.top, true);
  return 0;
}

export const memoryCalls: Calls = {
  brk: (p, a) => p.map.setBreak(a[0]),
  mmap2: partial(
    (p, a) => mmap(p, a[0], a[1], a[2], a[3], a[4], a[5] * 4096),
    'a shared mapping of a host file shows what the guest has written to it, not what the host does, and is written back on msync, munmap and exit, and before the process reads it',
  ),
  mmap: partial((p, a) => mmap(p, a[0], a[1], a[2], a[3], a[4], a[5]), 'as mmap2'),
  /** i386: one argument, a pointer to six. */
  old_mmap: partial((p, a) => {
    const word = (index: number): number => p.memory.u32(a[0] + index * 4);
    return mmap(p, word(0), word(1), word(2), word(3), word(4), word(5));
  }, 'as mmap2'),
  munmap: (p, a) => p.map.unmap(a[0], a[1]),
  mprotect: partial((p, a) => {
    if (a[2] & ~PROT_KNOWN) return -Errno.EINVAL;
    return p.map.protect(a[0], a[1], permissionOf(a[2]));
  }, 'read and write permissions are enforced once the program handles SIGSEGV, or with checked memory'),
  mremap: partial((p, a) => {
    const [address, oldLength, newLength, flags] = a;
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) return -Errno.EINVAL;
    return p.map.remap(address, oldLength, newLength, (flags & MREMAP_MAYMOVE) !== 0, flags & MREMAP_FIXED ? a[4] : undefined);
  }, 'no MREMAP_DONTUNMAP'),
  remap_file_pages: (p, a) => remapFilePages(p, a[0], a[1], a[2], a[3]),
  madvise: (p, a) => {
    if (a[2] === Madvise.Dontneed) return p.map.discard(a[0], a[1]);
    if (!isPageAligned(a[0]) || !HARMLESS_ADVICE.has(a[2])) return -Errno.EINVAL;
    return a[1] === 0 ? 0 : checkMapped(p, a[0], a[1]);
  },
  mincore: (p, a) => {
    if (!isPageAligned(a[0])) return -Errno.EINVAL;
    if (a[1] === 0) return 0;
    if (a[0] < Layout.FLOOR) return -Errno.ENOMEM;
    const error = checkMapped(p, a[0], a[1]);
    if (error) return error;
    p.memory.view(a[2], pageUp(a[1]) / PAGE_SIZE, 'write').fill(1);
    return 0;
  },
  msync: (p, a) => (a[2] & ~7 || (a[2] & 5) === 5 ? -Errno.EINVAL : p.map.sync(a[0], a[1])),
  mlock: (p, a) => lock(p, a[0], a[1], true),
  // MLOCK_ONFAULT
  mlock2: (p, a) => (a[2] & ~1 ? -Errno.EINVAL : lock(p, a[0], a[1], true)),
  munlock: (p, a) => lock(p, a[0], a[1], false),
  mlockall: (p, a) => lockAll(p, a[0]),
  munlockall: (p) => {
    p.map.locksNew = false;
    p.map.lock(0, p.map.options.top, false);
    return 0;
  },
};
