import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Writes a snapshot. What was there stays if that fails, which is told. False then. */
export function writeSnapshot(path: string, bytes: Uint8Array): boolean {
  const part = `${path}.part`;
  try {
    writeFileSync(part, bytes);
    renameSync(part, path);
    return true;
  } catch (error) {
    rmSync(part, { force: true });
    process.stderr.write(`wasmvisor: --save ${path}: ${(error as Error).message}\r\n`);
    return false;
  }
}
