import { Errno, type ErrnoName } from '../errno.ts';
import { SyscallError } from '../syscall.ts';

/** Ends a file operation with an error by name. */
export function fail(name: ErrnoName): never {
  throw new SyscallError(Errno[name]);
}
