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
import { storeMapped } from './transfer.ts';

const PROT_MASK = PagePermission.Read | PagePermission.Write | PagePermission.Execute;
/** Hints that are accepted and mean nothing here: PROT_SEM, PROT_GROWSDOWN, PROT_GROWSUP. */
const PROT_KNOWN = PROT_MASK | 0x8 | 0x01000000 | 0x02000000;
const MAP_TYPE = 0xf;
/** MAP_SHARED with flags checked. */
const MAP_SHARED_VALIDATE = 3;
/** For files on persistent memory; with MAP_SHARED it is taken no notice of. */
const MAP_SYNC = 0x80000;

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
  if (type === MAP_SHARED_VALIDATE && flags & MAP_SYNC) return -Errno.EOPNOTSUPP;
  if (p.map.used + length > p.limits.as.soft) return -Errno.ENOMEM;
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
    // who shares it finds all of it there
    if (description.file) storeMapped(p, description.file, shared ? 0 : position, shared ? Infinity : position + length);
    backing = { file: mappable(description, shared), offset: position };
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
  file.common?.settle(p.map);
  for (const one of p.map.areas) if (one.backing?.file === file) p.map.sync(one.start, one.end - one.start);
  const mapped = { file, offset: page * PAGE_SIZE };
  const result = p.map.map({ address, length, permission, shared: true, name, placement: 'fixed', backing: mapped });
  return Math.min(result, 0);
}

const enum Madvise {
  Dontneed = 4,
  Free = 8,
  Dontfork = 10,
  Dofork = 11,
  WipeOnFork = 18,
  KeepOnFork = 19,
}
/** Advice that Linux knows and that changes nothing a program can see; the last two have pages made at once. */
const HARMLESS_ADVICE = new Set([0, 1, 2, 3, 8, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23]);
const IN_CHILD: ReadonlyMap<number, 'nothing' | 'zeros' | undefined> = new Map([
  [Madvise.Dontfork, 'nothing'],
  [Madvise.Dofork, undefined],
  [Madvise.WipeOnFork, 'zeros'],
  [Madvise.KeepOnFork, undefined],
]);

/** madvise(2) */
function advise(p: Process, address: number, bytes: number, advice: number): number {
  if (!isPageAligned(address)) return -Errno.EINVAL;
  const end = address + pageUp(bytes);
  const areas = end <= p.map.options.top ? p.map.areas.within(address, end) : [];
  if (advice === Madvise.Dontneed) return areas.some(({ locked }) => locked) ? -Errno.EINVAL : p.map.discard(address, bytes);
  if (!HARMLESS_ADVICE.has(advice) && !IN_CHILD.has(advice)) return -Errno.EINVAL;
  if (bytes === 0) return 0;
  const needsOwn = advice === Madvise.Free || advice === Madvise.WipeOnFork;
  if (needsOwn && areas.some(({ shared, backing }) => shared || backing)) return -Errno.EINVAL;
  if (IN_CHILD.has(advice)) p.map.mark(address, end, { inChild: IN_CHILD.get(advice) });
  return checkMapped(p, address, bytes);
}

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
  if (error === 0 && end > start) p.map.mark(start, end, { locked });
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
  if (flags & LockAll.Current) p.map.mark(0, p.map.options.top, { locked: true });
  return 0;
}

export const memoryCalls: Calls = {
  brk: (p, a) => {
    const { end } = p.map.heap;
    return p.map.setBreak(p.map.used + Math.max(0, a[0] - end) > p.limits.as.soft ? end : a[0]);
  },
  mmap2: partial(
    (p, a) => mmap(p, a[0], a[1], a[2], a[3], a[4], a[5] * 4096),
    'a shared mapping of a host file shows what the guest has written to it, not what the host does, and is written back on msync, munmap and exit, before the guest reads or maps it, and when another process that shares it has its turn',
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
    if (p.map.used + Math.max(0, newLength - oldLength) > p.limits.as.soft) return -Errno.ENOMEM;
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) return -Errno.EINVAL;
    return p.map.remap(address, oldLength, newLength, (flags & MREMAP_MAYMOVE) !== 0, flags & MREMAP_FIXED ? a[4] : undefined);
  }, 'no MREMAP_DONTUNMAP'),
  remap_file_pages: (p, a) => remapFilePages(p, a[0], a[1], a[2], a[3]),
  madvise: (p, a) => advise(p, a[0], a[1], a[2]),
  mincore: (p, a) => {
    if (!isPageAligned(a[0])) return -Errno.EINVAL;
    if (a[1] === 0) return 0;
    if (a[0] < Layout.FLOOR) return -Errno.ENOMEM;
    const error = checkMapped(p, a[0], a[1]);
    if (error) return error;
    p.memory.view(a[2], pageUp(a[1]) / PAGE_SIZE, 'write').fill(1);
    return 0;
  },
  msync: (p, a) => {
    const [address, length, flags] = a;
    if (flags & ~7 || (flags & 5) === 5) return -Errno.EINVAL;
    // MS_INVALIDATE
    if (flags & 2 && p.map.lockedWithin(address, address + length) > 0) return -Errno.EBUSY;
    return p.map.sync(address, length);
  },
  mlock: (p, a) => lock(p, a[0], a[1], true),
  // MLOCK_ONFAULT
  mlock2: (p, a) => (a[2] & ~1 ? -Errno.EINVAL : lock(p, a[0], a[1], true)),
  munlock: (p, a) => lock(p, a[0], a[1], false),
  mlockall: (p, a) => lockAll(p, a[0]),
  munlockall: (p) => {
    p.map.locksNew = false;
    p.map.mark(0, p.map.options.top, { locked: false });
    return 0;
  },
};
