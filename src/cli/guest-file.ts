import { existsSync } from 'node:fs';
import { Errno } from '../linux/errno.ts';
import { Namespace } from '../linux/fs/namespace.ts';
import { type MountPoint, readWhole } from '../linux/fs/tree.ts';
import type { FileSystem } from '../linux/fs/vfs.ts';
import { SyscallError } from '../linux/syscall.ts';
import { readProgram } from './elf-file.ts';
import { CliError, ExitCode } from './errors.ts';

export interface GuestFile {
  readonly elf: Uint8Array;
  /** What the guest sees as the path of its executable. */
  readonly guestPath: string;
}

/** The executable that the user names: a host file, or with a root what the guest has at that path. */
export function fileInGuest(path: string, root: FileSystem | undefined, mounts: readonly MountPoint[], cwd: string): GuestFile {
  if (!root) return { elf: readProgram(path), guestPath: `/${path.split('/').filter(Boolean).at(-1) ?? 'program'}` };
  const namespace = new Namespace(root);
  for (const mount of mounts) namespace.mount(mount.path, mount.fileSystem);
  const guestPath = path.startsWith('/') ? path : `${cwd === '/' ? '' : cwd}/${path}`;
  try {
    return { elf: readWhole(namespace, guestPath), guestPath };
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.errno === Errno.ENOENT || error.errno === Errno.ENOTDIR) {
      const hint = existsSync(path) ? ' (with --root, the path is one in the guest)' : '';
      throw new CliError(`${path}: no such file in the guest${hint}`, ExitCode.NotFound);
    }
    const reasons = { [Errno.EISDIR]: 'is a directory', [Errno.EACCES]: 'permission denied', [Errno.EFBIG]: 'too large for a program' };
    const why = (reasons as Readonly<Record<number, string>>)[error.errno] ?? error.message;
    throw new CliError(`${path}: ${why}`, ExitCode.NotExecutable);
  }
}
