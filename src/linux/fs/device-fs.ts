import { fail } from './fail.ts';
import type { StandardStreams } from './stdio.ts';
import { ComputedLink, SpecialInode, SyntheticFileSystem } from './synthetic.ts';
import { Mode, makeDevice, type OpenFile, TMPFS_MAGIC } from './vfs.ts';

/** Major number of the memory devices (null, zero, …) and of /dev/tty (admin-guide/devices.txt). */
const MEMORY = 1;
const TTY = 5;

/** Linux fills at most this much for one read of a random device. */
const RANDOM_MAX = 1 << 25;

/** /dev: memory and random devices, the terminal, and links to the standard streams. */
export function deviceFileSystem(streams: StandardStreams, random: (bytes: Uint8Array<ArrayBuffer>) => void): SyntheticFileSystem {
  const fileSystem = new SyntheticFileSystem('devtmpfs', TMPFS_MAGIC);
  const root = fileSystem.root;

  const device = (name: string, major: number, minor: number, operations: Pick<OpenFile, 'read' | 'write'>): void => {
    root.add(
      name,
      new SpecialInode(fileSystem, Mode.Character, 0o666, makeDevice(major, minor), (inode) => ({
        inode,
        seekable: true,
        ...operations,
      })),
    );
  };
  const swallow = (from: Uint8Array) => from.length;
  const zeros = (into: Uint8Array) => {
    into.fill(0);
    return into.length;
  };
  const randomBytes = (into: Uint8Array) => {
    const part = new Uint8Array(Math.min(into.length, RANDOM_MAX));
    random(part);
    into.set(part);
    return part.length;
  };
  device('null', MEMORY, 3, { read: () => 0, write: swallow });
  device('zero', MEMORY, 5, { read: zeros, write: swallow });
  device('full', MEMORY, 7, { read: zeros, write: (from) => (from.length === 0 ? 0 : fail('ENOSPC')) });
  device('random', MEMORY, 8, { read: randomBytes, write: swallow });
  device('urandom', MEMORY, 9, { read: randomBytes, write: swallow });

  root.add(
    'tty',
    new SpecialInode(fileSystem, Mode.Character, 0o666, makeDevice(TTY, 0), (_, access) =>
      (streams.terminal ?? fail('ENXIO')).open(access),
    ),
  );
  const terminals = root.addDirectory('pts');
  if (streams.terminal) terminals.add('0', streams.terminal);
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
  ])
    root.add(name, new ComputedLink(fileSystem, () => target));
  return fileSystem;
}
