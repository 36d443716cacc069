import { readFileSync, statSync } from 'node:fs';
import { CliError, ExitCode } from './errors.ts';

/** The bytes of a host file; CliError with the code that shells use if there are none to be had. */
export function readProgram(path: string): Uint8Array {
  try {
    const stats = statSync(path);
    // a device or pipe may have no end
    if (!stats.isFile() && !stats.isDirectory()) throw new CliError(`${path}: not a regular file`, ExitCode.NotExecutable);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CliError(`${path}: no such file`, ExitCode.NotFound);
    const why = code === 'EISDIR' ? 'is a directory' : code === 'EACCES' ? 'permission denied' : (error as Error).message;
    throw new CliError(`${path}: ${why}`, ExitCode.NotExecutable);
  }
}
