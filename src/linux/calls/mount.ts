import { PAGE_SIZE } from '../../isa/code.ts';
import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { decodeName } from '../fs/names.ts';
import { type FoundPlace, type Place, placeOf } from '../fs/namespace.ts';
import { type FileSystem, isDirectory } from '../fs/vfs.ts';
import { pageUp } from '../memory-map.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type Syscall } from '../syscall.ts';
import type { System } from '../system.ts';
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

const POWERS = 'kmgtpe';
/** A number that a letter may multiply; 0 is no limit. */
function amount(text: string, unit = 1): number {
  const [, digits, letter] = /^(\d+)([kmgtpe]?)$/i.exec(text) ?? fail('EINVAL');
  const number = Number(digits) * 1024 ** (letter ? POWERS.indexOf(letter.toLowerCase()) + 1 : 0) * unit;
  return number === 0 ? Number.POSITIVE_INFINITY : number;
}

/** What tmpfs(5) knows and makes no difference here. */
const IDLE_OPTIONS: readonly string[] = ['huge', 'mpol', 'inode32', 'inode64', 'noswap'];

interface TmpfsOptions {
  mode?: number;
  uid?: number;
  gid?: number;
  limit?: number;
  mostInodes?: number;
}

/** From the text of tmpfs(5). */
function tmpfsOptions(p: Process, type: string, text: string): TmpfsOptions {
  const found: TmpfsOptions = {};
  for (const option of text.split(',').filter((part) => part !== '')) {
    const [name, value = ''] = option.split('=');
    if (name === 'mode') found.mode = numeral(value, /^[0-7]+$/, 8);
    else if (name === 'uid' || name === 'gid') found[name] = numeral(value, /^\d+$/, 10);
    else if (type !== 'tmpfs' || IDLE_OPTIONS.includes(name)) continue;
    else if (name === 'size' && value.endsWith('%'))
      found.limit = Math.floor((amount(value.slice(0, -1)) * p.map.options.budget.limit) / 100);
    else if (name === 'size') found.limit = pageUp(amount(value));
    else if (name === 'nr_blocks') found.limit = amount(value, PAGE_SIZE);
    else if (name === 'nr_inodes') found.mostInodes = amount(value);
    else fail('EINVAL');
  }
  return found;
}

function newFileSystem(p: Process, type: string, text: string, readOnly: boolean): FileSystem {
  if (type === 'proc') return p.files.namespace.makeProc?.() ?? fail('ENODEV');
  if (type !== 'tmpfs' && type !== 'ramfs') fail('ENODEV');
  const { fsuid: uid, fsgid: gid } = p.credentials;
  const { mode = 0o1777, ...options } = tmpfsOptions(p, type, text);
  const fileSystem = new MemoryFileSystem({ uid, gid, ...options, now: () => p.host.now(), account: p.system.mounted });
  fileSystem.root.setAttributes({ mode });
  fileSystem.readOnly = readOnly;
  ofGuests.add(fileSystem);
  return fileSystem;
}

/** MS_REMOUNT: what is not named stays as it is. */
function changeLimits(p: Process, fileSystem: MemoryFileSystem, text: string): void {
  const { limit = fileSystem.limit, mostInodes = fileSystem.mostInodes } = tmpfsOptions(p, fileSystem.type, text);
  if (limit < fileSystem.used || mostInodes < fileSystem.inodes) fail('EINVAL');
  Object.assign(fileSystem, { limit, mostInodes });
}

function mount(p: Process, target: number, type: number, flags: number, data: number): number {
  const { namespace } = p.files;
  const place = find(p, target);
  const readOnly = (flags & MountFlag.ReadOnly) !== 0;
  const options = data === 0 ? '' : decodeName(p.memory.cString(data, 4096));
  if (flags & MountFlag.Remount) {
    const { fileSystem } = place.inode;
    if (place.inode !== fileSystem.root) return -Errno.EINVAL;
    if (readOnly && !fileSystem.readOnly && isWritten(p.system, fileSystem)) return -Errno.EBUSY;
    if (fileSystem instanceof MemoryFileSystem && ofGuests.has(fileSystem)) changeLimits(p, fileSystem, options);
    if (fileSystem instanceof MemoryFileSystem && !fileSystem.staysReadOnly) fileSystem.readOnly = readOnly;
    else if (fileSystem.readOnly !== readOnly) return -Errno.EINVAL;
    return 0;
  }
  if (flags & MountFlag.Propagation) return place.inode === place.inode.fileSystem.root ? 0 : -Errno.EINVAL;
  if (flags & (MountFlag.Bind | MountFlag.Move)) return -Errno.EINVAL;
  if (type === 0) return -Errno.EINVAL;
  if (place.name === '') return -Errno.EBUSY;
  if (namespace.mounts.length >= MOST_MOUNTS) return -Errno.ENOSPC;
  const fileSystem = newFileSystem(p, decodeName(p.memory.cString(type, 4096)), options, readOnly);
  if (!isDirectory(place.inode)) return -Errno.ENOTDIR;
  if (place.inode.removed) return -Errno.ENOENT;
  namespace.cover(place.directory, place.name, fileSystem);
  return 0;
}

function* usesOf(system: System, fileSystem: FileSystem): Generator<{ readonly writes: boolean }> {
  for (const { end, leader } of system.processes.values()) {
    if (end) continue;
    const { files, map } = leader;
    // programs that run, too
    if (files.namespace.busy.isOn(fileSystem.device)) yield { writes: false };
    for (const { backing, shared } of map.areas)
      if (backing?.file.fileSystem === fileSystem) yield { writes: shared && backing.file.write !== undefined };
    if (files.cwd.fileSystem === fileSystem || files.namespace.root.fileSystem === fileSystem) yield { writes: false };
    for (const fd of files.list()) {
      const { inode, access } = files.get(fd);
      if (inode.fileSystem === fileSystem) yield { writes: access.write };
    }
  }
}
const isUsed = (system: System, fileSystem: FileSystem): boolean => !usesOf(system, fileSystem).next().done;
const isWritten = (system: System, fileSystem: FileSystem): boolean => [...usesOf(system, fileSystem)].some(({ writes }) => writes);

/** What was detached and is not used any more gives its memory back. */
export function dropDetached(system: System): void {
  const { detached } = system.mounted;
  const { mounts } = system.first.leader.files.namespace;
  for (const fileSystem of detached) {
    if (isUsed(system, fileSystem) || mounts.some(({ parent }) => parent?.fileSystem === fileSystem)) continue;
    detached.delete(fileSystem);
    fileSystem.clear();
  }
}

function unmount(p: Process, target: number, flags: number): number {
  if (flags & ~UnmountFlag.All || (flags & UnmountFlag.Expire && flags & (UnmountFlag.Detach | 1))) return -Errno.EINVAL;
  const { namespace } = p.files;
  const place = find(p, target, !(flags & UnmountFlag.NoFollow));
  const { fileSystem } = place.inode;
  const mount = namespace.mounts.find((one) => one.fileSystem === fileSystem);
  if (place.inode !== fileSystem.root || !mount?.parent) return -Errno.EINVAL;
  const isBusy = namespace.mounts.some(({ parent }) => parent?.fileSystem === fileSystem) || isUsed(p.system, fileSystem);
  if (isBusy && !(flags & UnmountFlag.Detach)) return -Errno.EBUSY;
  if (flags & UnmountFlag.Expire && !expiring.has(fileSystem)) {
    expiring.add(fileSystem);
    return -Errno.EAGAIN;
  }
  namespace.uncover(mount);
  if (fileSystem instanceof MemoryFileSystem && ofGuests.has(fileSystem)) {
    p.system.mounted.detached.add(fileSystem);
    dropDetached(p.system);
  }
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
    'tmpfs with size, nr_blocks and nr_inodes, ramfs and proc; no binds, no moves',
  ),
  umount: asksAdministrator((p, a) => unmount(p, a[0], 0)),
  umount2: asksAdministrator((p, a) => unmount(p, a[0], a[1])),
  pivot_root: asksAdministrator((p, a) => pivotRoot(p, a[0], a[1])),
};
