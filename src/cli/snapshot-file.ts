import fs from 'node:fs';

/** Where a file can be written that no other can be put in place of: one that is a mount by itself, or in a folder of somebody else's. */
const IN_PLACE: ReadonlySet<string | undefined> = new Set(['EACCES', 'EBUSY', 'EPERM', 'EROFS']);

/** Writes a snapshot. A file that was there keeps its permissions, and stays if there is no room for the new one. False if it fails, which is told. */
export function writeSnapshot(path: string, bytes: Uint8Array): boolean {
  try {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    if (stats && !stats.isFile()) fs.writeFileSync(path, bytes);
    else replace(stats ? fs.realpathSync(path) : path, bytes, stats && stats.mode & 0o777);
    return true;
  } catch (error) {
    process.stderr.write(`wasmvisor: --save ${path}: ${(error as Error).message}\r\n`);
    return false;
  }
}

/** `mode`: permissions of the file that was there. */
function replace(path: string, bytes: Uint8Array, mode: number | undefined): void {
  const part = `${path}.${process.pid}.part`;
  try {
    fs.writeFileSync(part, bytes, { mode });
    if (mode !== undefined) fs.chmodSync(part, mode);
    fs.renameSync(part, path);
  } catch (error) {
    fs.rmSync(part, { force: true });
    if (mode === undefined || !IN_PLACE.has((error as NodeJS.ErrnoException).code)) throw error;
    fs.writeFileSync(path, bytes);
  }
}
