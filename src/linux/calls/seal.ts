import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import type { Description } from '../fs/file-table.ts';
import { MemoryFile, Seal } from '../fs/memory-fs.ts';
import type { Inode } from '../fs/vfs.ts';
import type { Process } from '../process.ts';

/** The file that can be sealed: one of memfd_create(2). */
export function sealable({ inode }: Description): MemoryFile {
  return inode instanceof MemoryFile && inode.seals !== undefined ? inode : fail('EINVAL');
}

/** Whether some process may write to it through a shared mapping. */
function isMappedForWriting({ system }: Process, file: MemoryFile): boolean {
  for (const { end, leader } of system.processes.values()) {
    if (end) continue;
    for (const { shared, backing } of leader.map.areas)
      if (shared && backing?.file.write && backing.file.futexes === file.futexes) return true;
  }
  return false;
}

/** Whether it may not be mapped for writing, shared. */
export const isSealed = (inode: Inode): boolean =>
  inode instanceof MemoryFile && ((inode.seals ?? 0) & (Seal.Write | Seal.FutureWrite)) !== 0;

/** F_ADD_SEALS */
export function addSeals(p: Process, description: Description, seals: number): number {
  if (!description.access.write) return -Errno.EPERM;
  if (seals & ~Seal.All) return -Errno.EINVAL;
  const file = sealable(description);
  if (file.seals! & Seal.Seal) return -Errno.EPERM;
  if (seals & Seal.Write && !(file.seals! & Seal.Write) && isMappedForWriting(p, file)) return -Errno.EBUSY;
  file.seals! |= seals;
  return 0;
}
