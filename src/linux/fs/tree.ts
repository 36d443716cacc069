import { PROGRAM_LIMIT } from '../limits.ts';
import { SyscallError } from '../syscall.ts';
import { deviceFileSystem } from './device-fs.ts';
import { fail } from './fail.ts';
import { describe, FileTable } from './file-table.ts';
import { MemoryFileSystem } from './memory-fs.ts';
import { type Mount, Namespace } from './namespace.ts';
import { procFileSystem, type SystemView } from './proc-fs.ts';
import { type Output, type StandardStreams, type Stdin, standardStreams } from './stdio.ts';
import { SyntheticFileSystem } from './synthetic.ts';
import type { Terminals } from './terminals.ts';
import { DEVPTS_MAGIC, deviceMajor, deviceMinor, type FileSystem, type Inode, isDirectory, Mode, WOULD_BLOCK } from './vfs.ts';

export interface MountPoint {
  /** Absolute guest path; what it covers, if anything, is hidden. */
  readonly path: string;
  /** Its root may be a single file. */
  readonly fileSystem: FileSystem;
}

export interface FilesOptions {
  /** What the guest sees as `/`. Default: an empty file system in memory. */
  readonly root?: FileSystem;
  /** Mounted in this order, after /dev and /proc. */
  readonly mounts?: readonly MountPoint[];
  /** Whether /tmp and /dev/shm are in memory. /dev/shm always is; /tmp by default if there is no `root`. */
  readonly memoryTmp?: boolean;
  readonly stdin: Stdin;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd?: string;
  readonly umask?: number;
  /** Owner of what is created in memory. */
  readonly uid?: number;
  readonly gid?: number;
  /** Bytes that files in memory may hold, for each file system. */
  readonly memoryLimit?: number;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly now?: () => bigint;
  readonly view: SystemView;
  readonly terminals: Terminals;
}

export interface Files {
  readonly table: FileTable;
  readonly streams: StandardStreams;
}

/**
 * A program's file tree and descriptors 0, 1 and 2: the root, over it /dev and /proc, memory for /tmp where there is no
 * root, and what is mounted. Without a root the guest sees nothing else.
 */
export function makeFiles(options: FilesOptions): Files {
  const memory = () =>
    new MemoryFileSystem({
      ...(options.memoryLimit !== undefined && { limit: options.memoryLimit }),
      ...(options.uid !== undefined && { uid: options.uid }),
      ...(options.gid !== undefined && { gid: options.gid }),
      ...(options.now && { now: options.now }),
    });
  const scratch = () => {
    const fileSystem = memory();
    fileSystem.root.setAttributes({ mode: 0o777 | Mode.Sticky });
    return fileSystem;
  };
  const { terminals, view } = options;
  const pseudo = new SyntheticFileSystem('devpts', DEVPTS_MAGIC, terminalNames);
  const streams = standardStreams(pseudo, terminals.host, options.stdin, options.stdout, options.stderr);
  const firstMade = streams.terminal ? 1 : 0;
  if (streams.terminal) pseudo.root.add('0', streams.terminal);
  function terminalNames(known: Map<string, Inode>): string[] {
    const names = terminals.numbers();
    for (const name of names) known.set(name, terminals.slave(Number(name)));
    return names;
  }
  const controlling = (): Inode => {
    const owner = terminals.ofSession(view.process(view.current()).sid()) ?? fail('ENXIO');
    return terminals.madeFor(owner)?.slave ?? streams.terminal ?? fail('ENXIO');
  };
  const namespace = new Namespace(options.root ?? memory());
  const devices = deviceFileSystem(options.random, { controlling, make: () => terminals.make(pseudo, firstMade) });
  namespace.devices = devices.root;
  namespace.mount('/dev', devices);
  namespace.mount('/dev/pts', pseudo);
  namespace.mount('/dev/shm', scratch());
  const makeProc = () => procFileSystem(options.view, options.random);
  namespace.mount('/proc', makeProc());
  namespace.makeProc = makeProc;
  if (options.memoryTmp ?? !options.root) namespace.mount('/tmp', scratch());
  for (const { path, fileSystem } of options.mounts ?? []) namespace.mount(path, fileSystem);

  const table = makeTable(namespace, {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.umask !== undefined && { umask: options.umask }),
  });
  const { stdin, stdout, stderr } = streams;
  for (const stream of [stdin, stdout, stderr]) {
    const { file, inode, terminal } = stream;
    // A terminal's descriptors can be both read and written.
    const access = terminal ? { read: true, write: true } : { read: stream === stdin, write: stream !== stdin };
    const path = terminal ? '/dev/pts/0' : `pipe:[${inode.number}]`;
    table.install(describe(inode, file, access, path), 3);
  }
  return { table, streams };
}

/** There is no such directory to start in. */
export class WorkingDirectoryError extends Error {
  override name = 'WorkingDirectoryError';
}

function makeTable(namespace: Namespace, options: { readonly cwd?: string; readonly umask?: number }): FileTable {
  try {
    return new FileTable(namespace, options);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new WorkingDirectoryError(`working directory ${options.cwd}: no such directory in the guest`);
  }
}

/** All bytes of a regular file; ENOENT, EISDIR, EACCES, EFBIG beyond PROGRAM_LIMIT, and the like. */
export function readWhole(namespace: Namespace, path: string, cwd = namespace.root): Uint8Array {
  return readInode(namespace.resolve(cwd, path, 'follow').inode ?? fail('ENOENT'));
}

export function readInode(inode: Inode): Uint8Array {
  if (isDirectory(inode)) fail('EISDIR');
  if (inode.format !== Mode.Regular || !inode.open) fail('EACCES');
  const file = inode.open({ read: true, write: false });
  try {
    const { size } = file.inode.stat();
    if (size > PROGRAM_LIMIT) fail('EFBIG');
    let bytes = new Uint8Array(Math.max(4096, size + 1));
    let length = 0;
    for (;;) {
      const count = file.read(bytes.subarray(length), length);
      if (count === 0 || count === WOULD_BLOCK) return bytes.subarray(0, length);
      length += count;
      if (length > PROGRAM_LIMIT) fail('EFBIG');
      if (length === bytes.length) {
        const more = new Uint8Array(length * 2);
        more.set(bytes);
        bytes = more;
      }
    }
  } finally {
    file.close?.();
  }
}

/** The lines of /proc/mounts. */
export function mountsText(namespace: Namespace): string {
  return namespace.mounts
    .map((mount) => {
      const { type, readOnly } = mount.fileSystem;
      return `${type} ${mountedAt(namespace, mount)} ${type} ${readOnly ? 'ro' : 'rw'},relatime 0 0\n`;
    })
    .join('');
}

/** The lines of /proc/self/mountinfo. */
export function mountInformation(namespace: Namespace): string {
  const { mounts } = namespace;
  return mounts
    .map((mount, index) => {
      const { type, readOnly, device } = mount.fileSystem;
      const above = mounts.findIndex(({ fileSystem }) => fileSystem === mount.parent?.fileSystem);
      const numbers = `${index + 1} ${above + 1} ${deviceMajor(device)}:${deviceMinor(device)}`;
      const mode = readOnly ? 'ro' : 'rw';
      return `${numbers} / ${mountedAt(namespace, mount)} ${mode},relatime - ${type} ${type} ${mode}\n`;
    })
    .join('');
}

/** As /proc/mounts shows it. */
export function mountedAt(namespace: Namespace, { parent, name }: Mount): string {
  const above = parent ? (namespace.pathOf(parent) ?? '') : '';
  const at = parent ? `${above === '/' ? '' : above}/${name}` : '/';
  return at.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
