import fs from 'node:fs';
import path from 'node:path';
import type { KeptBytes } from '../cache/parts.ts';
import type { TranslationStore } from '../cache/persistence.ts';
import { makeFolder } from './make-folder.ts';
import { readTwice } from './read-twice.ts';

const PREFIX = 'translations-';
/** Bytes before the data, which tell how long it is. */
const LENGTH = 4;

export interface TranslationFolderOptions {
  /** Bytes that all files together may have; the least recently used go. Default: 128 MiB. */
  readonly limit?: number;
}

/** Files are touched when they are used, but not more often than this. */
const TOUCH_MS = 60_000;

/** Larger files are read in parts. */
const WHOLE = 1 << 19;
/** Files that are open for that at most; others are read whole. */
const MOST_OPEN = 64;
let openFiles = 0;

/**
 * A folder as store of translations. Files are replaced as a whole, so that several processes can share it, and hold everything
 * twice, so that damaged ones are ignored: comparing is faster than any digest, and than to load one. Of a large file only the
 * parts are read that are asked for. A folder that others can write to is not used: who can write there could have code of his
 * own run in the guest (not outside: it imports nothing but the guest's memory and helpers). A short program is over before an
 * asynchronous call to the file system, so there are none.
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
      const fd = fs.openSync(place(key), 'r');
      let parts: KeptBytes | undefined;
      try {
        const { size, mtimeMs } = fs.fstatSync(fd);
        const length = (size - LENGTH) >>> 1;
        if (size < LENGTH || readLength(fd) !== length) return undefined;
        if (Date.now() - mtimeMs > TOUCH_MS) touch(fd);
        if (size > WHOLE && openFiles < MOST_OPEN) parts = partsOfFile(fd, length);
        return parts ?? readPart(fd, length, 0, length);
      } finally {
        if (!parts) fs.closeSync(fd);
      }
    },
    async save(key, data) {
      makeFolder(folder);
      if (!isOurs() || LENGTH + 2 * data.length > limit) return;
      const temporary = `${place(key)}.${process.pid}`;
      try {
        const fd = fs.openSync(temporary, 'w', 0o600);
        try {
          const length = Buffer.alloc(LENGTH);
          length.writeUInt32LE(data.length);
          for (const part of [length, data, data]) fs.writeFileSync(fd, part);
        } finally {
          fs.closeSync(fd);
        }
        fs.renameSync(temporary, place(key));
      } catch (error) {
        fs.rmSync(temporary, { force: true });
        throw error;
      }
      evict(folder, limit);
    },
  };
}

/** Where nothing can be written, what is there serves all the same. */
function touch(fd: number): void {
  try {
    const now = Date.now() / 1000;
    fs.futimesSync(fd, now, now);
  } catch {}
}

function readLength(fd: number): number | undefined {
  const bytes = Buffer.alloc(LENGTH);
  return fs.readSync(fd, bytes, 0, LENGTH, 0) === LENGTH ? bytes.readUInt32LE() : undefined;
}

/** Bytes of the data, if both copies are the same. `length`: of all data. */
function readPart(fd: number, length: number, start: number, end: number): Uint8Array<ArrayBuffer> | undefined {
  const bytes = readTwice(fd, LENGTH + start, LENGTH + length + start, end - start);
  return bytes && new Uint8Array(bytes.buffer);
}

/** An open file stays what it was when others replace it. */
function partsOfFile(fd: number, length: number): KeptBytes {
  let open = true;
  openFiles++;
  return {
    length,
    read(start, end) {
      try {
        return open ? readPart(fd, length, start, end) : undefined;
      } catch {
        return undefined;
      }
    },
    close() {
      if (!open) return;
      open = false;
      openFiles--;
      fs.closeSync(fd);
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
