import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Place } from '../fs/namespace.ts';
import { type Inode, identity, isDirectory } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, SyscallError, type SyscallResult } from '../syscall.ts';
import { At, spotAt } from './arguments.ts';
import { openInode } from './open.ts';

/** struct file_handle: bytes of the handle, its type, the handle. */
const enum Handle {
  Bytes = 0,
  Type = 4,
  Data = 8,
}
/** Ours: numbers of the file and of its file system; MAX_HANDLE_SZ. */
const SIZE = 8;
const TYPE = 1;
const MOST_BYTES = 128;

/** Where a file was when it was asked for. */
export type HandlePlace = Place & { readonly inode: Inode };
/** Files that were asked for, the first one's handle is stale once there are more. */
const MOST_KNOWN = 4096;

function nameToHandle(p: Process, fd: number, path: number, handle: number, mountId: number, flags: number): number {
  if (flags & ~(At.SYMLINK_FOLLOW | At.EMPTY_PATH)) return -Errno.EINVAL;
  const { directory, name, inode } = spotAt(p, fd, path, (flags & At.EMPTY_PATH) | (flags & At.SYMLINK_FOLLOW ? 0 : At.SYMLINK_NOFOLLOW));
  const bytes = p.memory.u32(handle + Handle.Bytes);
  if (bytes > MOST_BYTES) return -Errno.EINVAL;
  const { namespace } = p.files;
  const { fileSystem } = inode;
  const mount = namespace.mounts.findIndex((one) => one.fileSystem === fileSystem);
  const above = directory ?? (isDirectory(inode) ? inode : undefined);
  if (mount < 0 || fileSystem.type === 'proc' || !above) return -Errno.EOPNOTSUPP;
  p.memory.setU32(mountId, mount + 1);
  p.memory.setU32(handle + Handle.Bytes, SIZE);
  if (bytes < SIZE) return -Errno.EOVERFLOW;
  p.memory.setU32(handle + Handle.Type, TYPE);
  p.memory.setU32(handle + Handle.Data, inode.stat().inode);
  p.memory.setU32(handle + Handle.Data + 4, fileSystem.device);
  const { handles } = p.system;
  const key = identity(inode);
  handles.delete(key);
  handles.set(key, { directory: above, name, inode, slash: false, last: name });
  if (handles.size > MOST_KNOWN) handles.delete(handles.keys().next().value!);
  return 0;
}

/** ESTALE unless it is the file still. */
function placeOf(p: Process, key: string): HandlePlace {
  const place = p.system.handles.get(key);
  try {
    if (place && identity(place.inode) === key && place.inode.stat().links > 0) return place;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
  return fail('ESTALE');
}

function openByHandle(p: Process, fd: number, handle: number, flags: number): SyscallResult {
  const { fileSystem } = (fd | 0) === At.FDCWD ? p.files.cwd : p.files.get(fd).inode;
  if (!capable(p, Cap.DacReadSearch)) return -Errno.EPERM;
  const bytes = p.memory.u32(handle + Handle.Bytes);
  if (bytes === 0 || bytes > MOST_BYTES) return -Errno.EINVAL;
  if (bytes < SIZE || p.memory.u32(handle + Handle.Type) !== TYPE) return -Errno.ESTALE;
  const [number, device] = [p.memory.u32(handle + Handle.Data), p.memory.u32(handle + Handle.Data + 4)];
  if (device !== fileSystem.device) return -Errno.ESTALE;
  return openInode(p, placeOf(p, `${device}:${number}`), flags);
}

const note = 'a file can be opened so that was asked for while the system runs, and on the host has its name still';

export const handleCalls: Calls = {
  name_to_handle_at: (p, a) => nameToHandle(p, a[0], a[1], a[2], a[3], a[4]),
  open_by_handle_at: partial((p, a) => openByHandle(p, a[0], a[1], a[2]), note),
};
