import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { compareNames, decodeName, encodeName } from '../fs/names.ts';
import { demand, Want } from '../fs/namespace.ts';
import { type Inode, isDirectory, Mode } from '../fs/vfs.ts';
import { FileEvent, type FoundSpot } from '../fs/watches.ts';
import type { Process } from '../process.ts';
import type { Calls, Syscall } from '../syscall.ts';
import { At, effective, spotAt, spotOf } from './arguments.ts';

/** XATTR_NAME_MAX and XATTR_SIZE_MAX */
const NAME_MAX = 255;
const SIZE_MAX = 65536;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
/** What file systems in memory keep, as tmpfs does. */
const KINDS = ['user.', 'trusted.', 'security.'];

/** How a call says which file it means. */
type Find = (p: Process, argument: number) => FoundSpot;
const follow: Find = (p, address) => spotAt(p, At.FDCWD, address, 0);
const nofollow: Find = (p, address) => spotAt(p, At.FDCWD, address, At.SYMLINK_NOFOLLOW);
const opened: Find = (p, fd) => (p.files.get(fd).pathOnly ? fail('EBADF') : spotOf(p, fd));

function attributeName(p: Process, address: number): string {
  const bytes = p.memory.cString(address, NAME_MAX + 1);
  if (bytes.length === 0 || bytes.length > NAME_MAX) fail('ERANGE');
  return decodeName(bytes);
}

/** Whether the caller may use the attribute at all; each kind has its rule (xattr(7)). */
function check(p: Process, inode: Inode, name: string, write: boolean): void {
  if (write && inode.fileSystem.readOnly) fail('EROFS');
  const root = capable(p, Cap.SysAdmin);
  if (name.startsWith('trusted.') && !root) fail(write ? 'EPERM' : 'ENODATA');
  if (name.startsWith('user.')) {
    if (inode.format !== Mode.Regular && !isDirectory(inode)) fail(write ? 'EPERM' : 'ENODATA');
    const { mode, uid } = inode.stat();
    if (write && isDirectory(inode) && mode & Mode.Sticky && !capable(p, Cap.Fowner) && uid !== p.credentials.fsuid) fail('EPERM');
    demand(inode, write ? Want.Write : Want.Read, effective(p));
  }
  if (!inode.extended || !KINDS.some((kind) => name.startsWith(kind))) fail('EOPNOTSUPP');
  if (KINDS.includes(name)) fail('EINVAL');
  if (write && name.startsWith('security.') && !root) fail('EPERM');
}

const set =
  (find: Find): Syscall =>
  (p, a) => {
    if (a[4] & ~(XATTR_CREATE | XATTR_REPLACE)) return -Errno.EINVAL;
    const name = attributeName(p, a[1]);
    if (a[3] > SIZE_MAX) return -Errno.E2BIG;
    const value = p.memory.view(a[2], a[3], 'read').slice();
    const spot = find(p, a[0]);
    const inode = spot.inode;
    check(p, inode, name, true);
    const exists = inode.extended!.has(name);
    if (exists && a[4] & XATTR_CREATE) return -Errno.EEXIST;
    if (!exists && a[4] & XATTR_REPLACE) return -Errno.ENODATA;
    inode.setExtended!(name, value);
    p.files.namespace.watches.happened(FileEvent.Attributes, spot);
    return 0;
  };

/** Into a buffer of `size` bytes; with 0, only how many there are. */
function give(p: Process, bytes: Uint8Array, address: number, size: number): number {
  if (size === 0) return bytes.length;
  if (bytes.length > size) return -Errno.ERANGE;
  p.memory.write(address, bytes);
  return bytes.length;
}

const get =
  (find: Find): Syscall =>
  (p, a) => {
    const name = attributeName(p, a[1]);
    const inode = find(p, a[0]).inode;
    check(p, inode, name, false);
    return give(p, inode.extended!.get(name) ?? fail('ENODATA'), a[2], a[3]);
  };

const list =
  (find: Find): Syscall =>
  (p, a) => {
    const names = [...(find(p, a[0]).inode.extended?.keys() ?? [])];
    const shown = names.filter((name) => capable(p, Cap.SysAdmin) || !name.startsWith('trusted.'));
    // the order in which Linux has kept them since 6.2
    shown.sort(compareNames);
    return give(p, encodeName(shown.map((name) => `${name}\0`).join('')), a[1], a[2]);
  };

const remove =
  (find: Find): Syscall =>
  (p, a) => {
    const name = attributeName(p, a[1]);
    const spot = find(p, a[0]);
    const inode = spot.inode;
    check(p, inode, name, true);
    if (!inode.extended!.has(name)) return -Errno.ENODATA;
    inode.setExtended!(name, undefined);
    p.files.namespace.watches.happened(FileEvent.Attributes, spot);
    return 0;
  };

/** Extended attributes (xattr(7)). */
export const extendedCalls: Calls = {
  setxattr: set(follow),
  lsetxattr: set(nofollow),
  fsetxattr: set(opened),
  getxattr: get(follow),
  lgetxattr: get(nofollow),
  fgetxattr: get(opened),
  listxattr: list(follow),
  llistxattr: list(nofollow),
  flistxattr: list(opened),
  removexattr: remove(follow),
  lremovexattr: remove(nofollow),
  fremovexattr: remove(opened),
};
