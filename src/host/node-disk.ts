import fs from 'node:fs';
import { promisify } from 'node:util';
import { type Disk, SECTOR } from '../devices/virtio/block.ts';

const read = promisify(fs.read);
const write = promisify(fs.write);
const fsync = promisify(fs.fdatasync);

/** A raw disk image in a file of the host. Its size is a multiple of 512 bytes. Throws as opening a file does. */
export function nodeDisk(path: string, options: { readonly readOnly?: boolean } = {}): Disk & { close(): void } {
  const readOnly = options.readOnly ?? false;
  const fd = fs.openSync(path, readOnly ? 'r' : 'r+');
  const { size } = fs.fstatSync(fd);
  if (size === 0 || size % SECTOR) {
    fs.closeSync(fd);
    throw new RangeError(`a disk image of ${size} bytes, not a multiple of ${SECTOR}`);
  }
  return {
    sectors: size / SECTOR,
    readOnly,
    async read(sector, into) {
      for (let done = 0; done < into.length; ) {
        const { bytesRead } = await read(fd, into, done, into.length - done, sector * SECTOR + done);
        if (bytesRead === 0) throw new Error(`${path} has become shorter`);
        done += bytesRead;
      }
    },
    async write(sector, bytes) {
      for (let done = 0; done < bytes.length; )
        done += (await write(fd, bytes, done, bytes.length - done, sector * SECTOR + done)).bytesWritten;
    },
    flush: () => fsync(fd),
    close: () => fs.closeSync(fd),
  };
}
