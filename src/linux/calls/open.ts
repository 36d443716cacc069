import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { Fifo } from '../fs/fifo.ts';
import { type Description, describe } from '../fs/file-table.ts';
import { MemoryFileSystem, Seal } from '../fs/memory-fs.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import { demand, type Place, Want } from '../fs/namespace.ts';
import { makePipe } from '../fs/pipe.ts';
import { type Access, type Inode, isDirectory, isSymlink, Mode, type OpenFile, WOULD_BLOCK } from '../fs/vfs.ts';
import { FileEvent } from '../fs/watches.ts';
import { takeTerminal } from '../job-control.ts';
import type { Process } from '../process.ts';
import type { Syscall, SyscallResult } from '../syscall.ts';
import { anonymousFile } from './anonymous.ts';
import { At, effective, own, pathArgument, startAt, waitFor } from './arguments.ts';
import { afterLeases } from './lease.ts';

/** O_RDONLY, O_WRONLY, O_RDWR; 3 gives neither, as Linux has it for ioctl only. */
function accessMode(flags: number): Access {
  const mode = flags & 3;
  return { read: mode === 0 || mode === 2, write: mode === 1 || mode === 2 };
}

function wants(access: Access): number {
  return (access.read ? Want.Read : 0) | (access.write ? Want.Write : 0);
}

/** What the flags ask for, in the guest's numbering. */
function opening(p: Process, flags: number) {
  const o = p.abi.open;
  const pathOnly = (flags & o.O_PATH) !== 0;
  const access: Access = pathOnly ? { read: false, write: false } : accessMode(flags);
  const options = {
    append: (flags & o.O_APPEND) !== 0,
    nonblock: (flags & o.O_NONBLOCK) !== 0,
    flags: flags & (o.O_DSYNC | o.O_SYNC | o.O_DIRECT | o.O_LARGEFILE | o.O_DIRECTORY | o.O_NOFOLLOW | o.O_NOATIME | o.O_PATH),
    pathOnly,
  };
  const { namespace } = p.files;
  return {
    flags,
    pathOnly,
    access,
    options,
    wantDirectory: (flags & o.O_DIRECTORY) !== 0,
    who: effective(p),
    describe(at: Place, file: OpenFile | undefined, closed?: () => void): Description {
      if (flags & o.O_DIRECT) file?.setPackets?.(true);
      const spot = { directory: at.directory, name: at.name, inode: file?.inode ?? at.inode };
      const description = describe(at.inode ?? file!.inode, file, access, namespace.pathOfPlace(at), { ...options, spot });
      if (pathOnly) return description;
      namespace.watches.happened(FileEvent.Open, spot);
      description.closed = () => {
        namespace.watches.happened(access.write ? FileEvent.CloseWrite : FileEvent.CloseNoWrite, spot);
        closed?.();
      };
      return description;
    },
  };
}
type Opening = ReturnType<typeof opening>;

/** Opens a file as open(2) does. Undefined as long as leases are in the way, unless their time has `expired`. */
function openAt(p: Process, fd: number, path: string, flags: number, mode: number, expired: boolean): Description | undefined {
  const o = p.abi.open;
  const how = opening(p, flags);
  const { pathOnly, access, who } = how;
  const create = !pathOnly && (flags & o.O_CREAT) !== 0;
  const exclusive = create && (flags & o.O_EXCL) !== 0;
  const place = p.files.namespace.resolve(startAt(p, fd, path), path, flags & o.O_NOFOLLOW || exclusive ? 'nofollow' : 'follow', who);
  const { inode } = place;
  const { busy, watches } = p.files.namespace;
  if (!pathOnly && (flags & o.O_TMPFILE) === o.O_TMPFILE) {
    if (!access.write) fail('EINVAL');
    if (!inode || !isDirectory(inode)) fail(inode ? 'ENOTDIR' : 'ENOENT');
    demand(inode, Want.Write | Want.Execute, who);
    if (!(inode.fileSystem instanceof MemoryFileSystem)) fail('EOPNOTSUPP');
    const file = inode.fileSystem.anonymous(mode & ~p.files.umask & Mode.Permissions);
    own(p, inode, file);
    file.isLinkable = !(flags & o.O_EXCL);
    return describe(file, file.open(access), access, `${p.files.namespace.pathOfPlace(place)}/#${file.number} (deleted)`, how.options);
  }
  if (!inode) {
    if (!create) fail('ENOENT');
    if (place.slash) fail('EISDIR');
    if (how.wantDirectory) fail('EINVAL');
    demand(place.directory, Want.Write | Want.Execute, who);
    const made = place.directory.create(place.name, mode & ~p.files.umask & Mode.Permissions, access);
    own(p, place.directory, made.inode);
    watches.inDirectory(FileEvent.Create, place);
    return how.describe(place, made, access.write ? busy.write(made.inode) : undefined);
  }
  if (exclusive) fail('EEXIST');
  if (create && isDirectory(inode)) fail('EISDIR');
  return openFound(p, place, inode, how, expired);
}

/** The same for what exists. */
function openFound(p: Process, place: Place, inode: Inode, how: Opening, expired: boolean): Description | undefined {
  const o = p.abi.open;
  const { flags, pathOnly, access, who } = how;
  const { busy, leases, watches } = p.files.namespace;
  if (isSymlink(inode) && !pathOnly) fail(how.wantDirectory ? 'ENOTDIR' : 'ELOOP');
  if (isDirectory(inode)) {
    if (access.write) fail('EISDIR');
    if (!pathOnly) demand(inode, Want.Read, who);
    return how.describe(place, undefined);
  }
  if (how.wantDirectory) fail('ENOTDIR');
  if (pathOnly) return how.describe(place, undefined);
  if (flags & o.O_NOATIME && inode.stat().uid !== who.uid && !capable(p, Cap.Fowner)) fail('EPERM');
  const truncate = (flags & o.O_TRUNC) !== 0 && inode.format === Mode.Regular;
  demand(inode, wants(access) | (truncate ? Want.Write : 0), who);
  if (!inode.open) fail('ENXIO');
  if (expired) leases.expire(inode);
  else if (leases.inTheWay(inode, access.write)) return undefined;
  const written = (access.write || truncate) && inode.format === Mode.Regular ? busy.write(inode) : undefined;
  let file: OpenFile;
  try {
    file = inode.open(access);
  } catch (error) {
    written?.();
    throw error;
  }
  if (truncate) {
    if (access.write) file.truncate?.(0);
    else {
      const writable = inode.open({ read: false, write: true });
      writable.truncate?.(0);
      writable.close?.();
      written?.();
    }
  }
  const description = how.describe(place, file, access.write ? written : undefined);
  if (truncate) watches.happened(FileEvent.Modify, { ...place, inode });
  return description;
}

/** A FIFO is open once somebody has opened its other end, too (fifo(7)). */
function meetPartner(p: Process, { nonblock, access }: Description, file: OpenFile, install: () => number): SyscallResult {
  const isMet = (): boolean => file.hasPartner?.() ?? true;
  const give = (error: number): number => {
    file.close?.();
    return -error;
  };
  if (nonblock) return access.write && !isMet() ? give(Errno.ENXIO) : install();
  return waitFor(p, [file], () => (isMet() ? install() : WOULD_BLOCK), { interrupted: () => give(Errno.ERESTARTSYS) });
}

function open(p: Process, fd: number, address: number, flags: number, mode: number): SyscallResult {
  const path = pathArgument(p, address);
  const attempt = (expired: boolean): SyscallResult => {
    const description = openAt(p, fd, path, flags, mode, expired);
    return description ? installOpen(p, description, flags) : WOULD_BLOCK;
  };
  return afterLeases(p, (flags & p.abi.open.O_NONBLOCK) !== 0, attempt);
}

/** Opens what was found otherwise than by its path. */
export function openInode(p: Process, place: Place & { readonly inode: Inode }, flags: number): SyscallResult {
  return afterLeases(p, (flags & p.abi.open.O_NONBLOCK) !== 0, (expired) => {
    const description = openFound(p, place, place.inode, opening(p, flags), expired);
    return description ? installOpen(p, description, flags) : WOULD_BLOCK;
  });
}

function installOpen(p: Process, description: Description, flags: number): SyscallResult {
  const terminal = description.file?.terminal;
  // a session's leader without a terminal gets the first that it opens and nobody has
  if (terminal?.owner.session === 0 && !(flags & p.abi.open.O_NOCTTY)) takeTerminal(p, terminal, false);
  const install = (): number => p.files.install(description, p.limits.nofile.soft, (flags & p.abi.open.O_CLOEXEC) !== 0);
  return description.inode instanceof Fifo && description.file ? meetPartner(p, description, description.file, install) : install();
}

function pipe(p: Process, address: number, flags: number, inRegisters: boolean): number {
  const { O_CLOEXEC, O_NONBLOCK, O_DIRECT } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) return -Errno.EINVAL;
  const ends = makePipe(p.files.pipes);
  const limit = p.limits.nofile.soft;
  const closeOnExec = (flags & O_CLOEXEC) !== 0;
  const path = `pipe:[${ends.read.inode.stat().inode}]`;
  const end = (file: OpenFile, write: boolean) =>
    describe(file.inode, file, { read: !write, write }, path, {
      nonblock: (flags & O_NONBLOCK) !== 0,
      flags: write ? flags & O_DIRECT : 0,
    });
  ends.write.setPackets?.((flags & O_DIRECT) !== 0);
  const read = p.files.install(end(ends.read, false), limit, closeOnExec);
  let write: number;
  try {
    write = p.files.install(end(ends.write, true), limit, closeOnExec);
  } catch (error) {
    p.files.close(read);
    throw error;
  }
  // pipe(2) of MIPS returns in registers, pipe2 and other ABIs in memory.
  if (inRegisters && p.abi.setPipeResult?.(p, read, write)) return read;
  try {
    p.memory.setU32(address, read);
    p.memory.setU32(address + 4, write);
  } catch (error) {
    p.files.close(read);
    p.files.close(write);
    throw error;
  }
  return 0;
}

/** struct open_how */
const enum OpenHow {
  Mode = 8,
  Resolve = 16,
  Size = 24,
}

/** Bytes of a name for memfd_create(2). */
const MOST_NAME = 249;
/** memfd_create(2) */
const enum MemoryFd {
  CloseOnExec = 1,
  AllowSealing = 2,
  NotExecutable = 8,
  Executable = 0x10,
}

/** Calls that make descriptors. */
export const openCalls = {
  open: (p, a) => open(p, At.FDCWD, a[0], a[1], a[2]),
  openat: (p, a) => open(p, a[0], a[1], a[2], a[3]),
  openat2: (p, a) => {
    if (a[3] < OpenHow.Size) return -Errno.EINVAL;
    const [flags, mode, resolve] = [0, OpenHow.Mode, OpenHow.Resolve].map((offset) => p.memory.u64(a[2] + offset));
    if (flags > 0xffff_ffffn || mode > BigInt(Mode.Permissions)) return -Errno.EINVAL;
    const { O_CREAT, O_TMPFILE, O_PATH, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW } = p.abi.open;
    const known = Object.values(p.abi.open).reduce((all, flag) => all | flag, 3);
    if (Number(flags) & ~known) return -Errno.EINVAL;
    if (mode !== 0n && !(Number(flags) & O_CREAT) && (Number(flags) & O_TMPFILE) !== O_TMPFILE) return -Errno.EINVAL;
    if (Number(flags) & O_PATH && Number(flags) & ~(O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW)) return -Errno.EINVAL;
    if (resolve > 0x3fn) return -Errno.EINVAL;
    // as before Linux 5.6, where programs then do without
    if (resolve !== 0n) return -Errno.ENOSYS;
    return open(p, a[0], a[1], Number(flags) | p.abi.open.O_LARGEFILE, Number(mode));
  },
  creat: (p, a) => open(p, At.FDCWD, a[0], 1 | p.abi.open.O_CREAT | p.abi.open.O_TRUNC, a[1]),
  pipe: (p, a) => pipe(p, a[0], 0, true),
  pipe2: (p, a) => pipe(p, a[0], a[1], false),
  memfd_create: (p, a) => {
    const name = decodeName(p.memory.cString(a[0], MOST_NAME + 1));
    if (encodeName(name).length > MOST_NAME) fail('EINVAL');
    if (a[1] & ~(MemoryFd.CloseOnExec | MemoryFd.AllowSealing | MemoryFd.NotExecutable | MemoryFd.Executable)) fail('EINVAL');
    const notExecutable = (a[1] & MemoryFd.NotExecutable) !== 0;
    if (notExecutable && a[1] & MemoryFd.Executable) fail('EINVAL');
    const file = anonymousFile(p, notExecutable ? 0o666 : 0o777);
    file.seals = a[1] & MemoryFd.AllowSealing || notExecutable ? 0 : Seal.Seal;
    const access = { read: true, write: true };
    const description = describe(file, file.open(access), access, `/memfd:${name} (deleted)`, { flags: p.abi.open.O_LARGEFILE });
    return p.files.install(description, p.limits.nofile.soft, (a[1] & MemoryFd.CloseOnExec) !== 0);
  },
} satisfies Record<string, Syscall>;
