import { fail } from './fail.ts';
import { type Inode, identity } from './vfs.ts';

/** Which files are open for writing, and which are programs that run: none is both (ETXTBSY of open(2) and execve(2)). */
export class BusyFiles {
  /** How often a file is open for writing; below zero, how many run it. */
  private readonly uses = new Map<string, number>();

  private take(inode: Inode, step: 1 | -1): () => void {
    const key = identity(inode);
    const add = (change: number): void => {
      const uses = (this.uses.get(key) ?? 0) + change;
      if (uses === 0) this.uses.delete(key);
      else this.uses.set(key, uses);
    };
    if ((this.uses.get(key) ?? 0) * step < 0) fail('ETXTBSY');
    add(step);
    return () => add(-step);
  }

  /** Whether some file is one of either, of the file system with this device number. */
  isOn(device: number): boolean {
    for (const key of this.uses.keys()) if (key.startsWith(`${device}:`)) return true;
    return false;
  }

  /** It is written, until what this gives is called. */
  write(inode: Inode): () => void {
    return this.take(inode, 1);
  }

  /** It is executed, until what this gives is called; till then its number is nobody else's. */
  run(inode: Inode): () => void {
    const end = this.take(inode, -1);
    const file = inode.open?.({ read: true, write: false });
    return () => {
      end();
      file?.close?.();
    };
  }
}
