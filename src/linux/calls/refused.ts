import { Errno, type ErrnoName } from '../errno.ts';
import type { Syscall } from '../syscall.ts';

/** A call that always fails the same way, which programs are prepared for. */
const refuse =
  (name: ErrnoName): Syscall =>
  () =>
    -Errno[name];

/** Calls on files that the personality knows and refuses. */
export const refusedCalls = {
  swapon: refuse('EPERM'),
  swapoff: refuse('EPERM'),
  quotactl: refuse('EPERM'),
  acct: refuse('EPERM'),
  vhangup: refuse('EPERM'),
  name_to_handle_at: refuse('EOPNOTSUPP'),
  open_by_handle_at: refuse('EPERM'),
} satisfies Record<string, Syscall>;
