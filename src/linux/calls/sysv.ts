import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Process } from '../process.ts';

const IPC_PRIVATE = 0;
const IPC_CREAT = 0o1000;
const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
/** Of a command: structures are those ending in 64, which are all there are. */
export const IPC_64 = 0x100;

export const enum IpcCommand {
  Remove = 0,
  Set = 1,
  Status = 2,
  Info = 3,
}

/** What a call does with it, as permission bits of all kinds of users. */
export const enum Use {
  Read = 0o444,
  Write = 0o222,
}

/** What has a number and perhaps a key instead of a name (sysvipc(7)). */
export interface Owned {
  readonly id: number;
  readonly key: number;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  /** Seconds since 1970. */
  changedAt: number;
}

export const seconds = (p: Process): number => Number(p.host.now() / 1_000_000_000n);

/** EACCES if the caller may not use it so. */
export function demandUse(p: Process, one: Owned, use: number): void {
  const { euid, egid, groups } = p.credentials;
  const wanted = ((use >> 6) | (use >> 3) | use) & 7;
  const isOwner = euid === one.uid || euid === one.cuid;
  const isInGroup = [one.gid, one.cgid].some((gid) => gid === egid || groups.includes(gid));
  const granted = one.mode >> (isOwner ? 6 : isInGroup ? 3 : 0);
  if (wanted & ~granted && !capable(p, Cap.IpcOwner)) fail('EACCES');
}

/** EPERM if it is neither the caller's nor was made by it. */
export function demandOwner(p: Process, { uid, cuid }: Owned): void {
  const { euid } = p.credentials;
  if (euid !== uid && euid !== cuid && !capable(p, Cap.SysAdmin)) fail('EPERM');
}

/** By key, and the number below which none is free. */
const indexes = new WeakMap<ReadonlyMap<number, Owned>, { readonly byKey: Map<number, Owned>; taken: number }>();
function indexOf(all: ReadonlyMap<number, Owned>): { readonly byKey: Map<number, Owned>; taken: number } {
  const found = indexes.get(all) ?? { byKey: new Map<number, Owned>(), taken: 0 };
  indexes.set(all, found);
  return found;
}

/** Makes one, the caller's, with the lowest number that none has; gives that. */
export function make<T extends Owned>(p: Process, all: Map<number, T>, key: number, flags: number, rest: Omit<T, keyof Owned>): number {
  const index = indexOf(all);
  while (all.has(index.taken)) index.taken++;
  const id = index.taken;
  const { euid, egid } = p.credentials;
  const owned: Owned = { id, key, uid: euid, gid: egid, cuid: euid, cgid: egid, mode: flags & 0o777, changedAt: seconds(p) };
  const one = { ...owned, ...rest } as T;
  all.set(id, one);
  if (key !== IPC_PRIVATE) index.byKey.set(key, one);
  return id;
}
/** IPC_RMID */
export function leave<T extends Owned>(all: Map<number, T>, { id, key }: T): void {
  const index = indexOf(all);
  all.delete(id);
  index.byKey.delete(key);
  index.taken = Math.min(index.taken, id);
}

/** What a key leads to, if it passes `check`; undefined: it is to be made. */
export function keyed<T extends Owned>(
  p: Process,
  all: ReadonlyMap<number, T>,
  key: number,
  flags: number,
  check?: (found: T) => void,
): T | undefined {
  const found = indexOf(all).byKey.get(key) as T | undefined;
  if (found && flags & IPC_CREAT && flags & IPC_EXCL) fail('EEXIST');
  if (!found && key !== IPC_PRIVATE && !(flags & IPC_CREAT)) fail('ENOENT');
  if (found) {
    check?.(found);
    demandUse(p, found, flags);
  }
  return found;
}

/** What …_INFO gives besides what it writes: the highest number in use. */
export function highest(all: ReadonlyMap<number, unknown>): number {
  let id = 0;
  for (const one of all.keys()) id = Math.max(id, one);
  return id;
}

/** struct ipc64_perm, the same in all ABIs: key, uid, gid, cuid, cgid, mode. */
export function writeOwner(p: Process, { key, uid, gid, cuid, cgid, mode }: Owned, address: number): void {
  writeWords(p, address, [key, uid, gid, cuid, cgid, mode]);
}

export function writeWords(p: Process, address: number, words: readonly number[]): void {
  words.forEach((word, n) => {
    p.memory.setU32(address + n * 4, word >>> 0);
  });
}

/** IPC_SET */
export function setOwner(p: Process, one: Owned, address: number): number {
  const [uid, gid, mode] = [4, 8, 20].map((offset) => p.memory.u32(address + offset));
  demandOwner(p, one);
  if (uid === 0xffff_ffff || gid === 0xffff_ffff) return -Errno.EINVAL;
  Object.assign(one, { uid, gid, mode: mode & 0o777, changedAt: seconds(p) });
  return 0;
}
