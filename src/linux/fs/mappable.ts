import type { MappableFile } from '../memory-map.ts';
import { fail } from './fail.ts';
import { type Description, release } from './file-table.ts';
import { MemoryFile } from './memory-fs.ts';
import { identity, WOULD_BLOCK } from './vfs.ts';

/** A description as the memory map sees it, which keeps it open until it is released. ENODEV if it cannot be mapped. */
export function mappable(description: Description): MappableFile {
  const { file, access, path } = description;
  if (!file?.seekable) fail('ENODEV');
  if (!access.read) fail('EACCES');
  description.references++;
  const { inode } = file;
  // what was mapped before F_SEAL_FUTURE_WRITE may be written still
  const write = inode instanceof MemoryFile ? (from: Uint8Array, position: number) => inode.writeAt(from, position) : file.write;
  let known: string | undefined;
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
    release: () => release(description),
    retain: () => void description.references++,
    ...(inode instanceof MemoryFile && { isCommon: () => true, futexes: inode.futexes }),
  };
}
