import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { TranslationStore } from '../cache/persistence.ts';

const PREFIX = 'translations-';
const DIGEST = 32;

export interface TranslationFolderOptions {
  /** Bytes that all files together may have; the least recently used go. Default: 64 MiB. */
  readonly limit?: number;
}

/**
 * A folder as store of translations. Files are replaced as a whole, so that several processes can share it, and begin with a
 * SHA-256 digest of the rest, so that damaged ones are ignored. A folder that others can write to is not used: who can
 * write there could have code of his own run in the guest (not outside: it imports nothing but the guest's memory and helpers).
 */
export function nodeTranslationStore(folder: string, { limit = 64 << 20 }: TranslationFolderOptions = {}): TranslationStore {
  const place = (key: string): string => path.join(folder, `${PREFIX}${key}`);
  const isOurs = async (): Promise<boolean> => {
    const stats = await fs.lstat(folder);
    return stats.isDirectory() && (process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & 0o022) === 0));
  };
  return {
    async load(key) {
      if (!(await isOurs())) return undefined;
      const file = await fs.readFile(place(key));
      const data = file.subarray(DIGEST);
      if (file.length < DIGEST || !createHash('sha256').update(data).digest().equals(file.subarray(0, DIGEST))) return undefined;
      const now = new Date();
      await fs.utimes(place(key), now, now);
      return data;
    },
    async save(key, data) {
      await fs.mkdir(folder, { recursive: true, mode: 0o700 });
      if (!(await isOurs()) || data.length + DIGEST > limit) return;
      const temporary = `${place(key)}.${process.pid}`;
      await fs.writeFile(temporary, [createHash('sha256').update(data).digest(), data], { mode: 0o600 });
      await fs.rename(temporary, place(key));
      await evict(folder, limit);
    },
  };
}

async function evict(folder: string, limit: number): Promise<void> {
  const files: { name: string; size: number; time: number }[] = [];
  for (const name of await fs.readdir(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    // another process may have removed it
    const stats = await fs.stat(path.join(folder, name)).catch(() => undefined);
    if (stats) files.push({ name, size: stats.size, time: stats.mtimeMs });
  }
  let total = 0;
  for (const { name, size } of files.sort((a, b) => b.time - a.time)) {
    total += size;
    if (total > limit) await fs.rm(path.join(folder, name), { force: true });
  }
}
