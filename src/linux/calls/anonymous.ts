import { fail } from '../fs/fail.ts';
import { describe } from '../fs/file-table.ts';
import type { MemoryFile } from '../fs/memory-fs.ts';
import { SpecialInode } from '../fs/synthetic.ts';
import type { OpenFile } from '../fs/vfs.ts';
import type { Process } from '../process.ts';

/** Makes a file in memory that no directory names; all of them together hold what one file system may. */
export function anonymousFile({ system, credentials: { euid, egid } }: Process, mode: number): MemoryFile {
  const file = system.anonymous.anonymous(mode);
  file.uid = euid;
  file.gid = egid;
  return file;
}

/** Installs a file without a name; `flags` may have O_NONBLOCK and O_CLOEXEC. */
export function installAnonymous(p: Process, kind: string, file: Omit<OpenFile, 'inode' | 'seekable'>, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  const inode = new SpecialInode(p.files.pipes, 0, 0o600, 0, () => fail('ENXIO'));
  const access = { read: true, write: true };
  const description = describe(inode, { ...file, inode, seekable: false }, access, `anon_inode:${kind}`, {
    nonblock: (flags & O_NONBLOCK) !== 0,
  });
  return p.files.install(description, p.limits.nofile.soft, (flags & O_CLOEXEC) !== 0);
}

/** The one with descriptor `fd`, of those that `all` knows by their files' reads. */
export function anonymousOf<T>(p: Process, fd: number, all: WeakMap<object, T>): T {
  const { file } = p.files.get(fd);
  return (file && all.get(file.read)) ?? fail('EINVAL');
}
