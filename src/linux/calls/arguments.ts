import { GuestMemoryFault, PagePermission } from '../../vcpu/guest-memory.ts';
import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { decodeName } from '../fs/names.ts';
import type { Final, Identity, Place } from '../fs/namespace.ts';
import { type Directory, type Inode, isDirectory, Mode, type OpenFile, PATH_MAX, WOULD_BLOCK } from '../fs/vfs.ts';
import type { FoundSpot } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import { inMemoryOf } from '../shared-memory.ts';
import { SyscallError, type SyscallResult } from '../syscall.ts';

/** fcntl.h */
export const enum At {
  FDCWD = -100,
  SYMLINK_NOFOLLOW = 0x100,
  /** Of unlinkat; of faccessat2 it is AT_EACCESS. */
  REMOVEDIR = 0x200,

  SYMLINK_FOLLOW = 0x400,
  NO_AUTOMOUNT = 0x800,
  EMPTY_PATH = 0x1000,
  STATX_SYNC = 0x6000,
}

export function pathArgument(p: Process, address: number): string {
  const bytes = p.memory.cString(address, PATH_MAX);
  if (bytes.length >= PATH_MAX) fail('ENAMETOOLONG');
  return decodeName(bytes);
}

/** Who file permissions are checked for. */
export function effective(p: Process): Identity {
  const { fsuid, fsgid, groups } = p.credentials;
  return { uid: fsuid, gid: fsgid, groups, overrides: capable(p, Cap.DacOverride), searches: capable(p, Cap.DacReadSearch) };
}

/** A new file is its maker's; its group is the directory's where that has a set-group-ID bit. A host that does not allow it keeps its own user's. */
export function own(p: Process, directory: Directory, inode: Inode | undefined): void {
  // the host may have removed it
  if (!inode) return;
  const { fsuid, fsgid } = p.credentials;
  try {
    const above = directory.stat();
    const inherits = (above.mode & Mode.SetGid) !== 0;
    const [uid, gid] = [fsuid, inherits ? above.gid : fsgid];
    const now = inode.stat();
    const mode = now.mode & Mode.Permissions;
    const setsGroup = inherits && isDirectory(inode);
    if (now.uid === uid && now.gid === gid && !setsGroup) return;
    if (now.uid !== uid || now.gid !== gid) inode.setAttributes({ uid, gid });
    if (setsGroup || mode & (Mode.SetUid | Mode.SetGid)) inode.setAttributes({ mode: mode | (setsGroup ? Mode.SetGid : 0) });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

/** The directory that a path relative to `fd` starts from; EBADF and ENOTDIR only if the path is relative. */
export function startAt(p: Process, fd: number, path: string): Directory {
  if ((fd | 0) === At.FDCWD || path.startsWith('/') || path === '') return p.files.cwd;
  const { inode } = p.files.get(fd);
  return isDirectory(inode) ? inode : fail('ENOTDIR');
}

export function resolveAt(p: Process, fd: number, address: number, final: Final): Place {
  const path = pathArgument(p, address);
  return p.files.namespace.resolve(startAt(p, fd, path), path, final, effective(p));
}

/** What exists at a path, and where; with AT_EMPTY_PATH in `flags` and an empty path, the descriptor's own file. */
export function spotAt(p: Process, fd: number, address: number, flags: number): FoundSpot {
  if (flags & At.EMPTY_PATH) {
    const path = pathArgument(p, address);
    if (path === '') return (fd | 0) === At.FDCWD ? { directory: undefined, name: '', inode: p.files.cwd } : spotOf(p, fd);
  }
  const place = resolveAt(p, fd, address, flags & At.SYMLINK_NOFOLLOW ? 'nofollow' : 'follow');
  return { ...place, inode: place.inode ?? fail('ENOENT') };
}
export const inodeAt = (...at: Parameters<typeof spotAt>): Inode => spotAt(...at).inode;

/** A descriptor's file, and where it was when it was opened. */
export function spotOf(p: Process, fd: number): FoundSpot {
  const { spot } = p.files.get(fd);
  return { directory: spot?.directory, name: spot?.name ?? '', inode: statSource(p, fd) };
}

/** The inode that tells about an open file. */
export function statSource(p: Process, fd: number): Inode {
  const { file, inode } = p.files.get(fd);
  return file?.inode ?? inode;
}

/**
 * The guest's bytes from `address` on, as many of `length` as it may access in one piece: Linux transfers up to the
 * first bad page. EFAULT if there is none.
 */
export function buffer(p: Process, address: number, length: number, access: 'read' | 'write'): Uint8Array {
  const need = access === 'read' ? PagePermission.Read : PagePermission.Write;
  const usable = p.memory.accessible(address, length, need);
  if (usable === 0 && length > 0) fail('EFAULT');
  return p.memory.view(address, usable, access);
}

/** What the kernel writes or reads at the end and does not mind if it cannot. */
export function ignoringFaults(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof GuestMemoryFault)) throw error;
  }
}

export interface Segment {
  readonly address: number;
  readonly length: number;
}

const IOV_MAX = 1024;
/** Most bytes that one call transfers (MAX_RW_COUNT). */
export const MAX_TRANSFER = 0x7ffff000;

/** struct iovec[count] */
export function vector(p: Process, address: number, count: number): Segment[] {
  if (count > IOV_MAX) fail('EINVAL');
  const segments: Segment[] = [];
  let room = MAX_TRANSFER;
  for (let i = 0; i < count; i++) {
    const at = address + i * 8;
    const length = p.memory.u32(at + 4);
    if (length > 0x7fffffff) fail('EINVAL');
    segments.push({ address: p.memory.u32(at), length: Math.min(length, room) });
    room -= Math.min(length, room);
  }
  return segments;
}

/**
 * Repeats `attempt` until it no longer answers WOULD_BLOCK, each time one of the files wakes, and after `milliseconds`,
 * if given, once more with `last` set. A signal ends it with `interrupted()`, by default −ERESTARTSYS.
 */
export function waitFor(
  p: Process,
  files: readonly Pick<OpenFile, 'subscribe'>[],
  attempt: (last: boolean) => number,
  options: { readonly milliseconds?: number | undefined; readonly interrupted?: () => number } = {},
): SyscallResult {
  const first = attempt(options.milliseconds === 0);
  if (first !== WOULD_BLOCK) return first;
  return new Promise<number>((resolve, reject) => {
    const signal = p.interrupt();
    const timer = new AbortController();
    const ends: (() => void)[] = [];
    let settled = false;
    let attempting = false;
    const finish = (settle: () => void) => {
      if (settled) return;
      settled = true;
      for (const end of ends) end();
      settle();
    };
    const check = (last: boolean) => {
      // An attempt may itself wake the file's waiters.
      if (settled || attempting) return;
      // the process has ended, and its memory may be another's
      if (p.group.end) {
        finish(() => resolve(-Errno.EINTR));
        return;
      }
      attempting = true;
      try {
        const result = inMemoryOf(p, () => attempt(last));
        if (result !== WOULD_BLOCK) finish(() => resolve(result));
      } catch (error) {
        finish(() => reject(error));
      } finally {
        attempting = false;
      }
    };
    const interrupt = () => finish(() => resolve(options.interrupted?.() ?? -Errno.ERESTARTSYS));
    if (signal.aborted) return interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    ends.push(() => signal.removeEventListener('abort', interrupt));
    for (const file of files) if (file.subscribe) ends.push(file.subscribe(() => check(false)));
    if (options.milliseconds !== undefined) {
      ends.push(() => timer.abort());
      void p.host.sleep(options.milliseconds, timer.signal).then(() => {
        if (!timer.signal.aborted) check(true);
      });
    }
  });
}
