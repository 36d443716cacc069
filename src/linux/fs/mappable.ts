import type { MappableFile } from '../memory-map.ts';
import { fail } from './fail.ts';
import { type Description, release } from './file-table.ts';
import { MemoryFile, Seal } from './memory-fs.ts';
import { type FileSystem, type Inode, identity, WOULD_BLOCK } from './vfs.ts';

/** Address spaces that show a file that is not in memory to each other, and how many of them may store to it. */
interface Sharers {
  users: number;
  writers: number;
  /** One has seen what another stored, or may yet: what one that is gone has left counts, too. */
  isCommon: boolean;
}
const sharers = new WeakMap<FileSystem, Map<string, Sharers>>();

function sharersOf(inode: Inode): { readonly sharers: Sharers; readonly count: (change: 1 | -1, writes: boolean) => void } {
  const all = sharers.get(inode.fileSystem) ?? new Map<string, Sharers>();
  sharers.set(inode.fileSystem, all);
  const key = identity(inode);
  const found = all.get(key) ?? { users: 0, writers: 0, isCommon: false };
  return {
    sharers: found,
    count(change, writes) {
      found.users += change;
      if (writes) found.writers += change;
      found.isCommon ||= found.users > 1 && found.writers > 0;
      if (found.users > 0) all.set(key, found);
      else all.delete(key);
    },
  };
}

/**
 * A description as the memory map sees it, which keeps it open until it is released; `shared` as MAP_SHARED. ENODEV if it cannot be
 * mapped.
 */
export function mappable(description: Description, shared: boolean): MappableFile {
  const { file, access, path } = description;
  if (!file?.seekable) fail('ENODEV');
  if (!access.read) fail('EACCES');
  description.references++;
  const { inode } = file;
  // what was mapped before F_SEAL_FUTURE_WRITE may be written still
  const write = inode instanceof MemoryFile ? (from: Uint8Array, position: number) => inode.writeAt(from, position) : file.write;
  let known: string | undefined;
  const isInMemory = inode instanceof MemoryFile;
  const group = shared && !isInMemory ? sharersOf(inode) : undefined;
  group?.count(1, access.write);
  return {
    name: path,
    fileSystem: inode.fileSystem,
    identity() {
      known ??= identity(inode);
      return known;
    },
    size: () => file.inode.stat().size,
    read: (into, position) => {
      const count = file.read(into, position);
      return count === WOULD_BLOCK ? 0 : count;
    },
    ...(access.write && { write: (from: Uint8Array, position: number) => Math.max(0, write(from, position)) }),
    release() {
      group?.count(-1, access.write);
      release(description);
    },
    retain() {
      group?.count(1, access.write);
      description.references++;
    },
    ...(group && { isCommon: () => group.sharers.isCommon }),
    ...(isInMemory && { isSealed: () => ((inode.seals ?? 0) & (Seal.Write | Seal.FutureWrite)) !== 0 }),
    ...(isInMemory && { isCommon: () => true, futexes: inode.futexes }),
  };
}
