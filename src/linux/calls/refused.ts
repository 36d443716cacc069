import { Errno, type ErrnoName } from '../errno.ts';
import type { Syscall } from '../syscall.ts';
import { At, inodeAt, statSource } from './arguments.ts';

/** A call that always fails the same way, which programs are prepared for. */
const refuse =
  (name: ErrnoName): Syscall =>
  () =>
    -Errno[name];

/** Reports an error after it has checked that the path exists. */
const pathThen =
  (name: ErrnoName, flags = 0): Syscall =>
  (p, a) => {
    inodeAt(p, At.FDCWD, a[0], flags);
    return -Errno[name];
  };

const descriptorThen =
  (name: ErrnoName): Syscall =>
  (p, a) => {
    statSource(p, a[0]);
    return -Errno[name];
  };

/** No file system here has extended attributes. */
const listAttributes =
  (flags: number): Syscall =>
  (p, a) => {
    inodeAt(p, At.FDCWD, a[0], flags);
    return 0;
  };

/** Calls on files that the personality knows and refuses. */
export const refusedCalls = {
  mount: refuse('EPERM'),
  umount: refuse('EPERM'),
  umount2: refuse('EPERM'),
  pivot_root: refuse('EPERM'),
  chroot: refuse('EPERM'),
  swapon: refuse('EPERM'),
  swapoff: refuse('EPERM'),
  quotactl: refuse('EPERM'),
  acct: refuse('EPERM'),
  vhangup: refuse('EPERM'),
  name_to_handle_at: refuse('EOPNOTSUPP'),
  open_by_handle_at: refuse('EPERM'),
  setxattr: pathThen('EOPNOTSUPP'),
  lsetxattr: pathThen('EOPNOTSUPP', At.SYMLINK_NOFOLLOW),
  fsetxattr: descriptorThen('EOPNOTSUPP'),
  getxattr: pathThen('EOPNOTSUPP'),
  lgetxattr: pathThen('EOPNOTSUPP', At.SYMLINK_NOFOLLOW),
  fgetxattr: descriptorThen('EOPNOTSUPP'),
  listxattr: listAttributes(0),
  llistxattr: listAttributes(At.SYMLINK_NOFOLLOW),
  flistxattr: (p, a) => {
    statSource(p, a[0]);
    return 0;
  },
  removexattr: pathThen('EOPNOTSUPP'),
  lremovexattr: pathThen('EOPNOTSUPP', At.SYMLINK_NOFOLLOW),
  fremovexattr: descriptorThen('EOPNOTSUPP'),
} satisfies Record<string, Syscall>;
