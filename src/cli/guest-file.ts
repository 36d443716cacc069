import { existsSync } from 'node:fs';
import { Errno } from '../linux/errno.ts';
import { interpreterOf, MOST_SCRIPTS } from '../linux/exec.ts';
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
  /** Of a script: its interpreter, with its argument; what the user has named comes after them. */
  readonly before: readonly string[];
}

/** The executable that the user names: a host file, or with a root what the guest has at that path; of a script there, its interpreter. */
export function fileInGuest(
  path: string,
  root: FileSystem | undefined,
  mounts: readonly MountPoint[],
  cwd: string,
  scripts = 0,
): GuestFile {
  if (!root) return { elf: readProgram(path), guestPath: `/${path.split('/').filter(Boolean).at(-1) ?? 'program'}`, before: [] };
  const namespace = new Namespace(root);
  for (const mount of mounts) namespace.mount(mount.path, mount.fileSystem);
  const guestPath = path.startsWith('/') ? path : `${cwd === '/' ? '' : cwd}/${path}`;
  const elf = readInGuest(namespace, path, guestPath);
  const interpreter = scripts < MOST_SCRIPTS ? interpreterIn(path, elf) : undefined;
  if (!interpreter) return { elf, guestPath, before: [] };
  const found = fileInGuest(interpreter[0], root, mounts, cwd, scripts + 1);
  return { ...found, before: [...found.before, ...interpreter] };
}

function interpreterIn(path: string, bytes: Uint8Array): readonly string[] | undefined {
  try {
    return interpreterOf(bytes);
  } catch {
    throw new CliError(`${path}: a script that names no interpreter`, ExitCode.NotExecutable);
  }
}

function readInGuest(namespace: Namespace, path: string, guestPath: string): Uint8Array {
  try {
    return readWhole(namespace, guestPath);
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
