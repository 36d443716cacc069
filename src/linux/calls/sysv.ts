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

/** All objects of a kind. */
export interface Objects<T extends Owned, Totals> {
  readonly byId: Map<number, T>;
  readonly byKey: Map<number, T>;
  /** No number below it is free. */
  taken: number;
  /** What they hold together. */
  readonly totals: Totals;
}
export const noObjects = <T extends Owned, Totals>(totals: Totals): Objects<T, Totals> => ({
  byId: new Map(),
  byKey: new Map(),
  taken: 0,
  totals,
});

/** Makes one, the caller's, with the lowest number that none has; gives that. */
export function make<T extends Owned>(
  p: Process,
  objects: Objects<T, unknown>,
  key: number,
  flags: number,
  rest: Omit<T, keyof Owned>,
): number {
  const { byId, byKey } = objects;
  while (byId.has(objects.taken)) objects.taken++;
  const id = objects.taken;
  const { euid, egid } = p.credentials;
  const owned: Owned = { id, key, uid: euid, gid: egid, cuid: euid, cgid: egid, mode: flags & 0o777, changedAt: seconds(p) };
  const one = { ...owned, ...rest } as T;
  byId.set(id, one);
  if (key !== IPC_PRIVATE) byKey.set(key, one);
  return id;
}
/** IPC_RMID */
export function leave<T extends Owned>(objects: Objects<T, unknown>, { id, key }: T): void {
  objects.byId.delete(id);
  objects.byKey.delete(key);
  objects.taken = Math.min(objects.taken, id);
}

/** What a key leads to, if it passes `check`; undefined: it is to be made. */
export function keyed<T extends Owned>(
  p: Process,
  { byKey }: Objects<T, unknown>,
  key: number,
  flags: number,
  check?: (found: T) => void,
): T | undefined {
  const found = byKey.get(key);
  if (found && flags & IPC_CREAT && flags & IPC_EXCL) fail('EEXIST');
  if (!found && key !== IPC_PRIVATE && !(flags & IPC_CREAT)) fail('ENOENT');
  if (found) {
    check?.(found);
    demandUse(p, found, flags);
  }
  return found;
}

/** What …_INFO gives besides what it writes: the highest number in use. */
export function highest<T extends Owned>({ byId }: Objects<T, unknown>): number {
  let id = 0;
  for (const one of byId.keys()) id = Math.max(id, one);
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
