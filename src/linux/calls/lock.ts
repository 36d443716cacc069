import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Description } from '../fs/file-table.ts';
import { type Lock, WHOLE } from '../fs/locks.ts';
import { type Inode, WOULD_BLOCK } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import type { SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import type { LockLayout } from './file-abi.ts';

const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN */
const enum Flock {
  Shared = 1,
  Exclusive = 2,
  NoBlock = 4,
  Unlock = 8,
}

/** What tells which file it is, whatever has become of its name. */
export const lockable = ({ file, inode }: Description): Inode => file?.inode ?? inode;

function readLock(
  p: Process,
  description: Description,
  address: number,
  layout: LockLayout,
  owner: { readonly owner: object; readonly pid: number } = { owner: p.group, pid: p.pid },
): Lock & { readonly type: number } {
  const number = (at: number): number => (layout.isWide ? Number(BigInt.asIntN(64, p.memory.u64(at))) : p.memory.i32(at));
  const type = p.memory.u16(address);
  const whence = p.memory.u16(address + 2);
  if (type > F_UNLCK || whence > 2) fail('EINVAL');
  const from = whence === 0 ? 0 : whence === 1 ? description.position : lockable(description).stat().size;
  const first = from + number(address + layout.start);
  const length = number(address + layout.length);
  const start = Math.min(first, first + length);
  if (start < 0) fail('EINVAL');
  const end = length === 0 ? WHOLE.end : Math.max(first, first + length);
  return { ...owner, isWrite: type === F_WRLCK, start, end, type };
}

function take(p: Process, kind: 'fcntl' | 'flock', description: Description, lock: Lock, waits: boolean): SyscallResult {
  const { locks } = p.files.namespace;
  const inode = lockable(description);
  const attempt = (): number => {
    if (locks.conflict(kind, inode, lock)) return WOULD_BLOCK;
    locks.set(kind, inode, lock);
    return 0;
  };
  if (attempt() !== WOULD_BLOCK) return 0;
  if (!waits) return -Errno.EAGAIN;
  // only processes are looked at, as Linux does
  const leave = lock.owner === p.group ? locks.wait(kind, inode, lock) : () => {};
  if (!leave) return -Errno.EDEADLK;
  const result = waitFor(p, [locks], attempt);
  if (result instanceof Promise) return result.finally(leave);
  leave();
  return result;
}

/** F_SETLK and F_SETLKW, and their wide forms. */
export function setLock(p: Process, description: Description, address: number, wide: boolean, waits: boolean): SyscallResult {
  return place(p, description, readLock(p, description, address, p.abi.locks[wide ? 'wide' : 'narrow']), waits);
}

/** F_OFD_GETLK, F_OFD_SETLK and F_OFD_SETLKW: the open file has the lock, not the process. */
export function ownLock(
  p: Process,
  description: Description,
  address: number,
  command: 'F_OFD_GETLK' | 'F_OFD_SETLK' | 'F_OFD_SETLKW',
): SyscallResult {
  const layout = p.abi.locks.wide;
  if (p.memory.u32(address + layout.pid) !== 0) return -Errno.EINVAL;
  const lock = readLock(p, description, address, layout, { owner: description, pid: -1 });
  if (command === 'F_OFD_GETLK') return tellLock(p, description, address, true, lock);
  description.unlock = () => unlockAll(p, description);
  return place(p, description, lock, command === 'F_OFD_SETLKW');
}

function place(p: Process, description: Description, { type, ...lock }: Lock & { readonly type: number }, waits: boolean): SyscallResult {
  if (type === F_UNLCK) {
    p.files.namespace.locks.clear('fcntl', lockable(description), lock);
    return 0;
  }
  if (!description.access[type === F_RDLCK ? 'read' : 'write']) return -Errno.EBADF;
  return take(p, 'fcntl', description, lock, waits);
}

/** F_GETLK: what would be in the way. */
export function getLock(p: Process, description: Description, address: number, wide: boolean): number {
  return tellLock(p, description, address, wide, readLock(p, description, address, p.abi.locks[wide ? 'wide' : 'narrow']));
}

function tellLock(
  p: Process,
  description: Description,
  address: number,
  wide: boolean,
  { type, ...lock }: Lock & { readonly type: number },
): number {
  const layout = p.abi.locks[wide ? 'wide' : 'narrow'];
  if (type === F_UNLCK) return -Errno.EINVAL;
  const held = p.files.namespace.locks.conflict('fcntl', lockable(description), lock);
  p.memory.setU16(address, held ? (held.isWrite ? F_WRLCK : F_RDLCK) : F_UNLCK);
  if (!held) return 0;
  const put = (at: number, value: number): void => (wide ? p.memory.setU64(at, BigInt(value)) : p.memory.setU32(at, value));
  p.memory.setU16(address + 2, 0);
  put(address + layout.start, held.start);
  put(address + layout.length, held.end === WHOLE.end ? 0 : held.end - held.start);
  p.memory.setU32(address + layout.pid, held.pid);
  return 0;
}

const clearAll = (p: Process, kind: 'fcntl' | 'flock', description: Description): void =>
  p.files.namespace.locks.clear(kind, lockable(description), { owner: description, ...WHOLE });

/** What the end of an open file does. */
export function unlockAll(p: Process, description: Description): void {
  p.files.namespace.leases.clear(lockable(description), description);
  clearAll(p, 'flock', description);
  clearAll(p, 'fcntl', description);
}

export function flock(p: Process, fd: number, operation: number): SyscallResult {
  const description = p.files.get(fd);
  const wanted = operation & ~Flock.NoBlock;
  if (description.pathOnly) return -Errno.EBADF;
  if (wanted === Flock.Unlock) {
    clearAll(p, 'flock', description);
    return 0;
  }
  if (wanted !== Flock.Shared && wanted !== Flock.Exclusive) return -Errno.EINVAL;
  description.unlock = () => unlockAll(p, description);
  const lock = { owner: description, pid: p.pid, isWrite: wanted === Flock.Exclusive, ...WHOLE };
  return take(p, 'flock', description, lock, !(operation & Flock.NoBlock));
}
