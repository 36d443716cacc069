import { MemoryInode } from './memory-fs.ts';
import { makeChannel } from './pipe.ts';
import { type Access, Mode, type OpenFile } from './vfs.ts';

/** fifo(7) */
export class Fifo extends MemoryInode {
  readonly format = Mode.Fifo;
  private readonly channel = makeChannel();
  override length(): number {
    return 0;
  }
  open(access: Access): OpenFile {
    return this.channel(this, access);
  }
}
