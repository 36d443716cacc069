import { Cap, capable } from '../capabilities.ts';
import { Errno, type ErrnoName } from '../errno.ts';
import { DeviceNode } from '../fs/device-fs.ts';
import { fail } from '../fs/fail.ts';
import { Fifo } from '../fs/fifo.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import { demand, type Namespace, type Place, Want } from '../fs/namespace.ts';
import { identity, isDirectory, isSymlink, Mode } from '../fs/vfs.ts';
import { FileEvent } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import type { Syscall } from '../syscall.ts';
import { At, effective, inodeAt, own, pathArgument, resolveAt } from './arguments.ts';

/** Where a name is to be made: EEXIST if there is one. */
const newPlace = (p: Process, fd: number, address: number, directory: boolean): Place =>
  freePlace(p, resolveAt(p, fd, address, 'parent'), directory);

/** A place whose name is to be made by who may do so. */
export function freePlace(p: Process, place: Place, directory: boolean, taken: ErrnoName = 'EEXIST'): Place {
  if (place.name === '' || place.inode) fail(taken);
  if (place.slash && !directory) fail('ENOENT');
  demand(place.directory, Want.Write | Want.Execute, effective(p));
  return place;
}

/** A name that is to be taken away; EBUSY if something is mounted there. */
function oldPlace(p: Process, place: Place): Place {
  const { directory, inode } = place;
  if (!inode) fail('ENOENT');
  demand(directory, Want.Write | Want.Execute, effective(p));
  const { mode, uid } = directory.stat();
  const isMine = (owner: number): boolean => owner === p.credentials.fsuid;
  if (mode & Mode.Sticky && !isMine(uid) && !isMine(inode.stat().uid) && !capable(p, Cap.Fowner)) fail('EPERM');
  if (p.files.namespace.isMountPoint(place.directory, place.name)) fail('EBUSY');
  return place;
}

/** A name has been made. */
function made(p: Process, { directory, name }: Place): number {
  p.files.namespace.watches.inDirectory(FileEvent.Create, { directory, name, inode: p.files.namespace.child(directory, name) });
  return 0;
}

function mkdir(p: Process, fd: number, address: number, mode: number): number {
  const place = newPlace(p, fd, address, true);
  place.directory.makeDirectory(place.name, mode & ~p.files.umask & (Mode.Permissions & ~(Mode.SetUid | Mode.SetGid)));
  own(p, place.directory, p.files.namespace.child(place.directory, place.name));
  return made(p, place);
}

/** FIFOs connect the guest's processes, wherever their names are; those and the ones of devices the host does not see. */
function makeNode(p: Process, place: Place, mode: number, device: number): number {
  const { names } = p.system.sockets;
  const permissions = mode & ~p.files.umask & Mode.Permissions;
  const format = mode & Mode.Format;
  const inode =
    format === Mode.Fifo ? new Fifo(names, permissions) : new DeviceNode(names, format, permissions, device, p.files.namespace.devices);
  own(p, place.directory, inode);
  p.files.namespace.addName(place.directory, place.name, inode);
  return made(p, place);
}

function mknod(p: Process, fd: number, address: number, mode: number, device: number): number {
  const format = mode & Mode.Format;
  if (format === Mode.Character || format === Mode.Block) {
    // 0, 0 is a whiteout, which anybody may make
    if ((format === Mode.Block || device !== 0) && !capable(p, Cap.Mknod)) return -Errno.EPERM;
    return makeNode(p, newPlace(p, fd, address, false), mode, device);
  }
  if (format === Mode.Fifo || format === Mode.Socket) return makeNode(p, newPlace(p, fd, address, false), mode, 0);
  if (format === Mode.Directory) return -Errno.EPERM;
  if (format !== 0 && format !== Mode.Regular) return -Errno.EINVAL;
  const place = newPlace(p, fd, address, false);
  const file = place.directory.create(place.name, mode & ~p.files.umask & Mode.Permissions, { read: false, write: true });
  own(p, place.directory, file.inode);
  file.close?.();
  return made(p, place);
}

function removeName(p: Process, place: Place, remove: (namespace: Namespace) => void): number {
  const { namespace } = p.files;
  const unlinked = place.inode && namespace.watches.unlinking(place.inode);
  remove(namespace);
  unlinked?.();
  namespace.watches.inDirectory(FileEvent.Delete, place);
  return 0;
}

function unlink(p: Process, fd: number, address: number): number {
  const place = resolveAt(p, fd, address, 'parent');
  if (place.name === '') return -Errno.EISDIR;
  if (place.slash && place.inode) return isDirectory(place.inode) ? -Errno.EISDIR : -Errno.ENOTDIR;
  return removeName(p, place, (namespace) => namespace.unlink(oldPlace(p, place).directory, place.name));
}

function rmdir(p: Process, fd: number, address: number): number {
  const place = resolveAt(p, fd, address, 'parent');
  if (place.name === '') return place.last === '.' ? -Errno.EINVAL : place.last === '..' ? -Errno.ENOTEMPTY : -Errno.EBUSY;
  return removeName(p, place, (namespace) => namespace.removeDirectory(oldPlace(p, place).directory, place.name));
}

const enum RenameFlag {
  NoReplace = 1,
  Exchange = 2,
  /** A character device 0, 0 takes the place of what was moved. */
  Whiteout = 4,
  All = 7,
}

function rename(p: Process, fromFd: number, fromAddress: number, toFd: number, toAddress: number, flags: number): number {
  const exchanges = (flags & RenameFlag.Exchange) !== 0;
  if (flags & ~RenameFlag.All || (exchanges && flags !== RenameFlag.Exchange)) return -Errno.EINVAL;
  const from = resolveAt(p, fromFd, fromAddress, 'parent');
  const to = resolveAt(p, toFd, toAddress, 'parent');
  if (from.name === '' || to.name === '') return -Errno.EBUSY;
  const inode = oldPlace(p, from).inode!;
  if (flags & RenameFlag.NoReplace && to.inode) return -Errno.EEXIST;
  if (exchanges && !to.inode) return -Errno.ENOENT;
  if ((from.slash || (to.slash && !exchanges)) && !isDirectory(inode)) return -Errno.ENOTDIR;
  if (exchanges && to.slash && !isDirectory(to.inode!)) return -Errno.ENOTDIR;
  if (to.inode) oldPlace(p, to);
  else demand(to.directory, Want.Write | Want.Execute, effective(p));
  const { fileSystem } = from.directory;
  if (fileSystem !== to.directory.fileSystem) return -Errno.EXDEV;
  if (fileSystem.readOnly) return -Errno.EROFS;
  const { namespace } = p.files;
  const { watches } = namespace;
  if (to.inode && identity(to.inode) === identity(inode)) return 0;
  if (exchanges) {
    const nothing = { inode: undefined };
    const moved = [watches.moving(from, { ...to, ...nothing }), watches.moving(to, { ...from, ...nothing })];
    namespace.exchange(from.directory, from.name, to.directory, to.name);
    for (const tell of moved) tell();
    return 0;
  }
  if (flags & RenameFlag.Whiteout && !(fileSystem instanceof MemoryFileSystem)) return -Errno.EINVAL;
  const moved = watches.moving(from, to);
  namespace.rename(from.directory, from.name, to.directory, to.name, (flags & RenameFlag.NoReplace) !== 0);
  moved();
  if (flags & RenameFlag.Whiteout) makeNode(p, { ...from, inode: undefined }, Mode.Character, 0);
  return 0;
}

function link(p: Process, fromFd: number, fromAddress: number, toFd: number, toAddress: number, flags: number): number {
  if (flags & ~(At.SYMLINK_FOLLOW | At.EMPTY_PATH)) return -Errno.EINVAL;
  const source = inodeAt(p, fromFd, fromAddress, (flags & At.EMPTY_PATH) | (flags & At.SYMLINK_FOLLOW ? 0 : At.SYMLINK_NOFOLLOW));
  const to = newPlace(p, toFd, toAddress, false);
  if (isDirectory(source)) return -Errno.EPERM;
  if (source.fileSystem !== to.directory.fileSystem) return -Errno.EXDEV;
  to.directory.link(to.name, source);
  p.files.namespace.watches.happened(FileEvent.Attributes, { directory: undefined, name: '', inode: source });
  return made(p, to);
}

function symlink(p: Process, target: number, fd: number, address: number): number {
  const text = pathArgument(p, target);
  if (text === '') return -Errno.ENOENT;
  const place = newPlace(p, fd, address, false);
  place.directory.makeSymlink(place.name, text);
  own(p, place.directory, p.files.namespace.child(place.directory, place.name));
  return made(p, place);
}

function readlink(p: Process, fd: number, address: number, into: number, size: number): number {
  if ((size | 0) <= 0) return -Errno.EINVAL;
  // An empty path names the descriptor itself, opened with O_PATH | O_NOFOLLOW.
  const path = decodeName(p.memory.cString(address));
  const inode =
    path === '' && (fd | 0) !== At.FDCWD ? p.files.get(fd).inode : (resolveAt(p, fd, address, 'nofollow').inode ?? fail('ENOENT'));
  if (!isSymlink(inode)) return path === '' ? -Errno.ENOENT : -Errno.EINVAL;
  const bytes = encodeName(inode.readlink()).subarray(0, size);
  p.memory.write(into, bytes);
  return bytes.length;
}

const enum Entry {
  /** Offset of d_name in struct linux_dirent64 and struct linux_dirent. */
  Name64 = 19,
  Name = 10,
}

/** Fills a buffer with entries, `.` and `..` first; the offset of an entry is the number of entries up to it. */
function getdents(p: Process, fd: number, address: number, size: number, wide: boolean): number {
  const description = p.files.get(fd);
  const { inode } = description;
  if (description.pathOnly) fail('EBADF');
  if (!isDirectory(inode)) fail('ENOTDIR');
  if (!description.listing) {
    const { namespace } = p.files;
    description.listing = [
      { name: '.', inode: inode.stat().inode, format: Mode.Directory },
      { name: '..', inode: namespace.parent(inode).stat().inode, format: Mode.Directory },
      ...namespace.entries(inode),
    ];
  }
  const { listing } = description;
  let used = 0;
  while (description.position < listing.length) {
    const entry = listing[description.position];
    const name = encodeName(entry.name);
    const length = wide ? (Entry.Name64 + name.length + 1 + 7) & ~7 : (Entry.Name + name.length + 2 + 3) & ~3;
    if (used + length > size) {
      if (used === 0) fail('EINVAL');
      break;
    }
    const at = address + used;
    p.memory.view(at, length, 'write').fill(0);
    const type = entry.format >>> 12;
    const next = description.position + 1;
    if (wide) {
      p.memory.setU64(at, BigInt(entry.inode));
      p.memory.setU64(at + 8, BigInt(next));
      p.memory.setU16(at + 16, length);
      p.memory.setU8(at + 18, type);
      p.memory.write(at + Entry.Name64, name);
    } else {
      if (entry.inode > 0xffffffff) fail('EOVERFLOW');
      p.memory.setU32(at, entry.inode);
      p.memory.setU32(at + 4, next);
      p.memory.setU16(at + 8, length);
      p.memory.write(at + Entry.Name, name);
      p.memory.setU8(at + length - 1, type);
    }
    used += length;
    description.position = next;
  }
  p.files.namespace.watches.happened(FileEvent.Access, { directory: undefined, name: '', inode });
  return used;
}

/** Calls that make, remove and list names, and the working directory. */
export const nameCalls = {
  mkdir: (p, a) => mkdir(p, At.FDCWD, a[0], a[1]),
  mkdirat: (p, a) => mkdir(p, a[0], a[1], a[2]),
  mknod: (p, a) => mknod(p, At.FDCWD, a[0], a[1], a[2]),
  mknodat: (p, a) => mknod(p, a[0], a[1], a[2], a[3]),
  rmdir: (p, a) => rmdir(p, At.FDCWD, a[0]),
  unlink: (p, a) => unlink(p, At.FDCWD, a[0]),
  unlinkat: (p, a) => {
    if (a[2] & ~At.REMOVEDIR) return -Errno.EINVAL;
    return a[2] & At.REMOVEDIR ? rmdir(p, a[0], a[1]) : unlink(p, a[0], a[1]);
  },
  rename: (p, a) => rename(p, At.FDCWD, a[0], At.FDCWD, a[1], 0),
  renameat: (p, a) => rename(p, a[0], a[1], a[2], a[3], 0),
  renameat2: (p, a) => rename(p, a[0], a[1], a[2], a[3], a[4]),
  link: (p, a) => link(p, At.FDCWD, a[0], At.FDCWD, a[1], 0),
  linkat: (p, a) => link(p, a[0], a[1], a[2], a[3], a[4]),
  symlink: (p, a) => symlink(p, a[0], At.FDCWD, a[1]),
  symlinkat: (p, a) => symlink(p, a[0], a[1], a[2]),
  readlink: (p, a) => readlink(p, At.FDCWD, a[0], a[1], a[2]),
  readlinkat: (p, a) => readlink(p, a[0], a[1], a[2], a[3]),
  getdents: (p, a) => getdents(p, a[0], a[1], a[2], false),
  getdents64: (p, a) => getdents(p, a[0], a[1], a[2], true),
  getcwd: (p, a) => {
    const path = p.files.namespace.pathOf(p.files.cwd) ?? fail('ENOENT');
    const bytes = encodeName(`${path}\0`);
    if (bytes.length > a[1]) return -Errno.ERANGE;
    p.memory.write(a[0], bytes);
    return bytes.length;
  },
  chdir: (p, a) => {
    const directory = p.files.namespace.directory(resolveAt(p, At.FDCWD, a[0], 'follow'));
    demand(directory, Want.Execute, effective(p));
    p.files.cwd = directory;
    return 0;
  },
  chroot: (p, a) => {
    const { namespace } = p.files;
    const directory = namespace.directory(resolveAt(p, At.FDCWD, a[0], 'follow'));
    demand(directory, Want.Execute, effective(p));
    if (!capable(p, Cap.SysChroot)) return -Errno.EPERM;
    p.files.namespace = namespace.below(directory);
    return 0;
  },
  fchdir: (p, a) => {
    const { inode } = p.files.get(a[0]);
    if (!isDirectory(inode)) return -Errno.ENOTDIR;
    demand(inode, Want.Execute, effective(p));
    p.files.cwd = inode;
    return 0;
  },
} satisfies Record<string, Syscall>;
