import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { hostPath } from '../host/node-fs.ts';
import { PROGRAM_LIMIT } from '../linux/limits.ts';
import { CliError, ExitCode } from './errors.ts';

/** Bytes by which a file is known not to be an ELF file. */
const HEAD = 64;

/** The bytes of a host file; CliError with the code that shells use if there are none to be had. */
export function readProgram(path: string): Uint8Array {
  try {
    const stats = statSync(hostPath(path));
    // a device or pipe may have no end, and opening it may wait
    if (!stats.isFile() && !stats.isDirectory()) throw new CliError(`${path}: not a regular file`, ExitCode.NotExecutable);
    return readElf(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CliError(`${path}: no such file`, ExitCode.NotFound);
    const why = code === 'EISDIR' ? 'is a directory' : code === 'EACCES' ? 'permission denied' : (error as Error).message;
    throw new CliError(`${path}: ${why}`, ExitCode.NotExecutable);
  }
}

/** All of an ELF file, and of any other only what tells what it is. */
function readElf(path: string): Uint8Array {
  const fd = openSync(hostPath(path), 'r');
  try {
    const head = Buffer.alloc(HEAD);
    const length = readSync(fd, head, 0, HEAD, 0);
    if (!head.toString('latin1').startsWith('\x7fELF')) return head.subarray(0, length);
    const { size } = fstatSync(fd);
    if (size > PROGRAM_LIMIT) throw new CliError(`${path}: ${size} bytes, more than ${PROGRAM_LIMIT}`, ExitCode.NotExecutable);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
