import { readFileSync } from 'node:fs';
import { CliError, ExitCode } from './errors.ts';

/** The bytes of a host file; CliError with the code that shells use if there are none to be had. */
export function readProgram(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new CliError(`${path}: no such file`, ExitCode.NotFound);
    const why = code === 'EISDIR' ? 'is a directory' : code === 'EACCES' ? 'permission denied' : (error as Error).message;
    throw new CliError(`${path}: ${why}`, ExitCode.NotExecutable);
  }
}
