import fs from 'node:fs';
import path from 'node:path';
import type { TranslationStore } from '../cache/persistence.ts';
import { makeFolder } from './make-folder.ts';

const PREFIX = 'translations-';
/** Bytes before the data, which tell how long it is. */
const LENGTH = 4;

export interface TranslationFolderOptions {
  /** Bytes that all files together may have; the least recently used go. Default: 128 MiB. */
  readonly limit?: number;
}

/** Files are touched when they are used, but not more often than this. */
const TOUCH_MS = 60_000;

/**
 * A folder as store of translations. Files are replaced as a whole, so that several processes can share it, and hold everything
 * twice, so that damaged ones are ignored: comparing is faster than any digest, and than to load one. A folder that others can
 * write to is not used: who can write there could have code of his own run in the guest (not outside: it imports nothing but the
 * guest's memory and helpers). A short program is over before an asynchronous call to the file system, so there are none.
 */
export function nodeTranslationStore(folder: string, { limit = 128 << 20 }: TranslationFolderOptions = {}): TranslationStore {
  const place = (key: string): string => path.join(folder, `${PREFIX}${key}`);
  const isOurs = (): boolean => {
    const stats = fs.lstatSync(folder);
    return stats.isDirectory() && (process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & 0o022) === 0));
  };
  return {
    async load(key) {
      if (!isOurs()) return undefined;
      const file = place(key);
      const bytes = fs.readFileSync(file);
      const length = (bytes.length - LENGTH) >>> 1;
      if (bytes.length < LENGTH || bytes.readUInt32LE() !== length) return undefined;
      const data = bytes.subarray(LENGTH, LENGTH + length);
      if (!data.equals(bytes.subarray(LENGTH + length))) return undefined;
      const now = Date.now();
      if (now - fs.statSync(file).mtimeMs > TOUCH_MS) fs.utimesSync(file, now / 1000, now / 1000);
      return data;
    },
    async save(key, data) {
      makeFolder(folder);
      if (!isOurs() || LENGTH + 2 * data.length > limit) return;
      const temporary = `${place(key)}.${process.pid}`;
      const fd = fs.openSync(temporary, 'w', 0o600);
      try {
        const length = Buffer.alloc(LENGTH);
        length.writeUInt32LE(data.length);
        for (const part of [length, data, data]) fs.writeFileSync(fd, part);
      } finally {
        fs.closeSync(fd);
      }
      fs.renameSync(temporary, place(key));
      evict(folder, limit);
    },
  };
}

function evict(folder: string, limit: number): void {
  const files: { name: string; size: number; time: number }[] = [];
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    // another process may have removed it
    const stats = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
    if (stats) files.push({ name, size: stats.size, time: stats.mtimeMs });
  }
  let total = 0;
  for (const { name, size } of files.sort((a, b) => b.time - a.time)) {
    total += size;
    if (total > limit) fs.rmSync(path.join(folder, name), { force: true });
  }
}
