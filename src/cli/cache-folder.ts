import { homedir } from 'node:os';
import path from 'node:path';

/** The user's folder for what may be lost; undefined if there is none: a user without HOME may be one that the system does not know. */
export function cacheFolder(): string | undefined {
  try {
    const folder = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
    return path.isAbsolute(folder) ? path.join(folder, 'wasmvisor') : undefined;
  } catch {
    return undefined;
  }
}
