import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { decodeName } from '../fs/names.ts';
import { type FoundPlace, type Place, placeOf } from '../fs/namespace.ts';
import { type FileSystem, isDirectory } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type Syscall } from '../syscall.ts';
import { At, resolveAt } from './arguments.ts';

const enum MountFlag {
  ReadOnly = 1,
  Remount = 0x20,
  Bind = 0x1000,
  Move = 0x2000,
  /** MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: nothing is propagated, whatever is asked for. */
  Propagation = 0x1e_0000,
}
const enum UnmountFlag {
  Detach = 2,
  Expire = 4,
  NoFollow = 8,
  All = 15,
}

/** Mounts at most. */
const MOST_MOUNTS = 256;

function find(p: Process, address: number, follow = true): FoundPlace {
  const place: Place = resolveAt(p, At.FDCWD, address, follow ? 'follow' : 'nofollow');
  return placeOf(p.files.namespace, place);
}

const asksAdministrator =
  (call: Syscall): Syscall =>
  (p, a) => {
    if (!capable(p, Cap.SysAdmin)) return -Errno.EPERM;
    p.files.namespace.noteChange();
    return call(p, a);
  };

/** What guests have mounted, not their embedder. */
const ofGuests = new WeakSet<FileSystem>();

/** A number of an option; EINVAL if it is none. */
function numeral(text: string, digits: RegExp, base: number): number {
  const value = digits.test(text) ? Number.parseInt(text, base) : Number.NaN;
  return value < 0xffff_ffff ? value : fail('EINVAL');
}

/** MemoryFileSystem's options from those of tmpfs(5). */
function newFileSystem(p: Process, type: string, text: string, readOnly: boolean): FileSystem {
  if (type === 'proc') return p.files.namespace.makeProc?.() ?? fail('ENODEV');
  if (type !== 'tmpfs' && type !== 'ramfs') fail('ENODEV');
  const options = new Map(text.split(',').map((option) => [option.split('=')[0], option.split('=')[1]] as const));
  const mode = numeral(options.get('mode') ?? '1777', /^[0-7]+$/, 8);
  const id = (name: string, own: number): number => numeral(options.get(name) ?? `${own}`, /^\d+$/, 10);
  const owner = { uid: id('uid', p.credentials.fsuid), gid: id('gid', p.credentials.fsgid) };
  const fileSystem = new MemoryFileSystem({ ...owner, now: () => p.host.now(), account: p.system.mounted });
  fileSystem.root.setAttributes({ mode });
  fileSystem.readOnly = readOnly;
  ofGuests.add(fileSystem);
  return fileSystem;
}

function mount(p: Process, target: number, type: number, flags: number, data: number): number {
  const { namespace } = p.files;
  const place = find(p, target);
  const readOnly = (flags & MountFlag.ReadOnly) !== 0;
  if (flags & MountFlag.Remount) {
    const { fileSystem } = place.inode;
    if (place.inode !== fileSystem.root) return -Errno.EINVAL;
    if (readOnly && !fileSystem.readOnly && isWritten(p, fileSystem)) return -Errno.EBUSY;
    if (fileSystem instanceof MemoryFileSystem && !fileSystem.staysReadOnly) fileSystem.readOnly = readOnly;
    else if (fileSystem.readOnly !== readOnly) return -Errno.EINVAL;
    return 0;
  }
  if (flags & MountFlag.Propagation) return place.inode === place.inode.fileSystem.root ? 0 : -Errno.EINVAL;
  if (flags & (MountFlag.Bind | MountFlag.Move)) return -Errno.EINVAL;
  if (type === 0) return -Errno.EINVAL;
  if (place.name === '') return -Errno.EBUSY;
  if (namespace.mounts.length >= MOST_MOUNTS) return -Errno.ENOSPC;
  const options = data === 0 ? '' : decodeName(p.memory.cString(data, 4096));
  const fileSystem = newFileSystem(p, decodeName(p.memory.cString(type, 4096)), options, readOnly);
  if (!isDirectory(place.inode)) return -Errno.ENOTDIR;
  if (place.inode.removed) return -Errno.ENOENT;
  namespace.cover(place.directory, place.name, fileSystem);
  return 0;
}

function* openIn(p: Process, fileSystem: FileSystem): Generator<{ readonly writes: boolean }> {
  for (const { end, leader } of p.system.processes.values()) {
    if (end) continue;
    const { files } = leader;
    if (files.cwd.fileSystem === fileSystem || files.namespace.root.fileSystem === fileSystem) yield { writes: false };
    for (const fd of files.list()) {
      const { inode, access } = files.get(fd);
      if (inode.fileSystem === fileSystem) yield { writes: access.write };
    }
  }
}
const isWritten = (p: Process, fileSystem: FileSystem): boolean => [...openIn(p, fileSystem)].some(({ writes }) => writes);

function unmount(p: Process, target: number, flags: number): number {
  if (flags & ~UnmountFlag.All || (flags & UnmountFlag.Expire && flags & (UnmountFlag.Detach | 1))) return -Errno.EINVAL;
  const { namespace } = p.files;
  const place = find(p, target, !(flags & UnmountFlag.NoFollow));
  const { fileSystem } = place.inode;
  const mount = namespace.mounts.find((one) => one.fileSystem === fileSystem);
  if (place.inode !== fileSystem.root || !mount?.parent) return -Errno.EINVAL;
  const isUsed = namespace.mounts.some(({ parent }) => parent?.fileSystem === fileSystem) || !openIn(p, fileSystem).next().done;
  if (isUsed && !(flags & UnmountFlag.Detach)) return -Errno.EBUSY;
  if (flags & UnmountFlag.Expire && !expiring.has(fileSystem)) {
    expiring.add(fileSystem);
    return -Errno.EAGAIN;
  }
  namespace.uncover(mount);
  if (!isUsed && fileSystem instanceof MemoryFileSystem && ofGuests.has(fileSystem)) fileSystem.clear();
  return 0;
}
/** What MNT_EXPIRE has asked for once. */
const expiring = new WeakSet<FileSystem>();

/** The file system at a path becomes the root of all whose root is the caller's, which is then at a place below it. */
function pivotRoot(p: Process, newRoot: number, putOld: number): number {
  const { namespace } = p.files;
  const { root } = namespace;
  const at = find(p, newRoot);
  const below = find(p, putOld);
  if (!isDirectory(at.inode) || !isDirectory(below.inode)) return -Errno.ENOTDIR;
  const mount = namespace.mounts.find(({ fileSystem }) => fileSystem.root === at.inode);
  const own = namespace.mounts.find(({ fileSystem }) => fileSystem.root === root);
  if (at.inode === root || below.inode.fileSystem === root.fileSystem) return -Errno.EBUSY;
  if (!mount?.parent || !own || !namespace.isBelow(below.inode, at.inode)) return -Errno.EINVAL;
  const next = namespace.below(at.inode);
  namespace.move(mount, undefined);
  namespace.move(own, below.inode === at.inode ? { directory: at.inode, name: '' } : below);
  for (const { end, leader } of p.system.processes.values()) {
    if (end || leader.files.namespace.root !== root) continue;
    leader.files.namespace = next;
    if (leader.files.cwd === root) leader.files.cwd = at.inode;
  }
  return 0;
}

export const mountCalls: Calls = {
  mount: partial(
    asksAdministrator((p, a) => mount(p, a[1], a[2], a[3], a[4])),
    'tmpfs, ramfs and proc; no binds, no moves',
  ),
  umount: asksAdministrator((p, a) => unmount(p, a[0], 0)),
  umount2: asksAdministrator((p, a) => unmount(p, a[0], a[1])),
  pivot_root: asksAdministrator((p, a) => pivotRoot(p, a[0], a[1])),
};
