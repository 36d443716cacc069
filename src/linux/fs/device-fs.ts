import { fail } from './fail.ts';
import { type MemoryFileSystem, MemoryInode } from './memory-fs.ts';
import { ComputedLink, SpecialInode, SyntheticFileSystem } from './synthetic.ts';
import { type Access, type Directory, type Inode, Mode, makeDevice, type OpenFile, type Stat, TMPFS_MAGIC } from './vfs.ts';

/** Major number of the memory devices (null, zero, …) and of /dev/tty (admin-guide/devices.txt). */
const MEMORY = 1;
const TTY = 5;

/** Linux fills at most this much for one read of a random device. */
const RANDOM_MAX = 1 << 25;

/** A device's node, wherever it is; opening one that is none of ours fails with ENXIO. */
export class DeviceNode extends MemoryInode {
  constructor(
    fileSystem: MemoryFileSystem,
    readonly format: number,
    permissions: number,
    private readonly device: number,
    private readonly devices: Directory | undefined,
  ) {
    super(fileSystem, permissions);
  }
  override length(): number {
    return 0;
  }
  override stat(): Stat {
    return { ...super.stat(), rdevice: this.device };
  }
  open(access: Access): OpenFile {
    const known = this.devices?.list().map(({ name }) => this.devices!.lookup(name));
    const found = known?.find((inode) => inode?.format === this.format && inode.stat().rdevice === this.device);
    return found?.open?.(access) ?? fail('ENXIO');
  }
}

export interface TerminalDevices {
  /** The terminal of the process that asks; ENXIO if it has none. */
  controlling(): Inode;
  /** A new one's other side. */
  make(): OpenFile;
}

/** /dev: memory and random devices, terminals, and links to the standard streams. */
export function deviceFileSystem(random: (bytes: Uint8Array<ArrayBuffer>) => void, terminals: TerminalDevices): SyntheticFileSystem {
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
    new SpecialInode(fileSystem, Mode.Character, 0o666, makeDevice(TTY, 0), (_, access) => terminals.controlling().open!(access)),
  );
  root.add('ptmx', new SpecialInode(fileSystem, Mode.Character, 0o666, makeDevice(TTY, 2), () => terminals.make()));
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
  ])
    root.add(name, new ComputedLink(fileSystem, () => target));
  return fileSystem;
}
