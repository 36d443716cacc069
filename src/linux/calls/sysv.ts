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
}

export function owner({ credentials: { euid, egid } }: Process, id: number, key: number, flags: number): Owned {
  return { id, key, uid: euid, gid: egid, cuid: euid, cgid: egid, mode: flags & 0o777 };
}

/** What a key leads to; undefined: it is to be made. */
export function keyed<T extends { readonly key: number }>(all: ReadonlyMap<number, T>, key: number, flags: number): T | undefined {
  const found = key === IPC_PRIVATE ? undefined : [...all.values()].find((one) => one.key === key);
  if (found && flags & IPC_CREAT && flags & IPC_EXCL) fail('EEXIST');
  if (!found && key !== IPC_PRIVATE && !(flags & IPC_CREAT)) fail('ENOENT');
  return found;
}

export function freeId(all: ReadonlyMap<number, unknown>): number {
  let id = 0;
  while (all.has(id)) id++;
  return id;
}

/** struct ipc64_perm, the same in all ABIs: key, uid, gid, cuid, cgid, mode. */
export function writeOwner(p: Process, { key, uid, gid, cuid, cgid, mode }: Owned, address: number): void {
  [key, uid, gid, cuid, cgid, mode].forEach((word, n) => {
    p.memory.setU32(address + n * 4, word);
  });
}

/** IPC_SET */
export function setOwner(p: Process, one: Owned, address: number): number {
  const [uid, gid, mode] = [4, 8, 20].map((offset) => p.memory.u32(address + offset));
  Object.assign(one, { uid, gid, mode: mode & 0o777 });
  return 0;
}
