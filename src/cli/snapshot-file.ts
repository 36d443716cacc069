import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/** Writes a snapshot. A file that was there stays if that fails, which is told. False then. */
export function writeSnapshot(path: string, bytes: Uint8Array): boolean {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats && !stats.isFile()) writeFileSync(path, bytes);
    else replace(stats ? realpathSync(path) : path, bytes);
    return true;
  } catch (error) {
    process.stderr.write(`wasmvisor: --save ${path}: ${(error as Error).message}\r\n`);
    return false;
  }
}

function replace(path: string, bytes: Uint8Array): void {
  const part = `${path}.part`;
  try {
    writeFileSync(part, bytes);
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}
