import { Layout } from '../../assembly/shared/layout.ts';
import { checkState } from '../isa/isa.ts';
import { type Saved, type SavedFields, SnapshotError, type SnapshotKind, snapshotBody, snapshotFile } from '../snapshot/file.ts';
import { GuestMemory, PagePermission } from '../vcpu/guest-memory.ts';
import type { Area, Backing } from './areas.ts';
import type { Capabilities } from './capabilities.ts';
import { ElfError, parseElf } from './elf.ts';
import { Errno } from './errno.ts';
import { runProgram } from './exec.ts';
import { type Description, describe } from './fs/file-table.ts';
import { mappable } from './fs/mappable.ts';
import { MemoryFileSystem } from './fs/memory-fs.ts';
import { decodeName, encodeName } from './fs/names.ts';
import { restoreTree, saveTree } from './fs/saved-tree.ts';
import type { StandardStreams } from './fs/stdio.ts';
import { mountedAt, readWhole } from './fs/tree.ts';
import { type Access, type Inode, identity, isDirectory, Mode } from './fs/vfs.ts';
import type { Image } from './load.ts';
import { isPageAligned, type MapLayout, type MappableFile } from './memory-map.ts';
import { NO_SCHEDULING, type Process } from './process.ts';
import { sharedMemory } from './shared-memory.ts';
import type { Action, Pending } from './signals.ts';
import type { Space } from './spaces.ts';
import { SyscallError } from './syscall.ts';
import { loadRegisters, saveRegisters } from './threads.ts';

export { SnapshotError };

const KIND: SnapshotKind = { magic: 'WASMVPRG', version: 2, of: 'a program' };

const ALL_PERMISSIONS = PagePermission.Read | PagePermission.Write | PagePermission.Execute;

/** What a snapshot belongs to. */
export interface Identity {
  readonly abi: string;
  /** See ProgramOptions. */
  readonly x87: 64 | 80;
  /** Of the file that was loaded, as storeKey gives it. */
  readonly key: string;
}

export interface SavedProgram {
  readonly identity: Identity;
  readonly p: Process;
  readonly streams: StandardStreams;
  /** Of the call that it waits in: the pc of its instruction. */
  readonly callAt: number | undefined;
}

const refuse = (why: string): never => {
  throw new SnapshotError(`it cannot be saved: ${why}`);
};

/** Throws SnapshotError if there is more than one thread with its memory and files that can be opened again. */
export function demandSimple(program: SavedProgram): void {
  const { group, system, files, tid, pid, seccomp } = program.p;
  const { namespace } = files;
  if (system.processes.size > 1) refuse(`there are ${system.processes.size} processes`);
  if (group.threads.size > 1) refuse(`it has ${group.threads.size} threads`);
  if (tid !== pid) refuse('its first thread has ended');
  if (group.stopped) refuse('it is stopped');
  if (seccomp) refuse('its system calls are filtered (seccomp)');
  if (group.timers.size > 0 || group.posixTimers.size > 0) refuse('it has a timer');
  if (namespace.locks.any) refuse('it has a lock on a file');
  if (namespace.hasNamed) refuse('there is a named pipe or socket');
  if (namespace.changed) refuse('it has mounted or unmounted a file system');
  if (namespace.root !== namespace.mounts[0].fileSystem.root) refuse('it has changed its root (chroot)');
  for (const [what, { size }] of Object.entries({
    'shared memory': system.segments.byId,
    semaphores: system.semaphores.byId,
    'message queues': system.mailboxes.byId,
    'POSIX message queues': system.messageQueues,
  }))
    if (size > 0) refuse(`there are ${what}`);
  for (const fd of files.list()) saveDescription(program, fd);
}

const inodeAt = ({ files }: Process, path: string): Inode | undefined => {
  try {
    return files.namespace.resolve(files.namespace.root, path, 'follow').inode;
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
};

const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

function saveDescription({ p, streams }: SavedProgram, fd: number): Saved {
  const { inode, file, path, access, append, nonblock, flags, pathOnly, position } = p.files.get(fd);
  const common = { append, nonblock, flags, read: access.read, write: access.write };
  const stream = STREAMS.find((name) => streams[name].inode === inode);
  if (stream) return { ...common, stream };
  const isPlain = inode.format === Mode.Regular || inode.format === Mode.Directory || inode.format === Mode.Character;
  if (!isPlain || file?.master) refuse(`descriptor ${fd} is ${path}`);
  const there = path.startsWith('/') && inodeAt(p, path);
  if (!there || identity(there) !== identity(inode)) refuse(`descriptor ${fd} is ${path}, where that file is no more`);
  return { ...common, path: encodeName(path), pathOnly, position };
}

function saveBacking(p: Process, file: MappableFile): Saved {
  if (!file.identity) return { size: file.size() };
  const { name } = file;
  if (file.isCommon?.()) refuse(`a file in memory is mapped (${name})`);
  const there = inodeAt(p, name);
  if (!there || identity(there) !== file.identity()) refuse(`${name} is mapped, and that file is no more there`);
  return { path: encodeName(name), write: file.write !== undefined };
}

/** Pages that are not zero: pairs of address and length, and their bytes. What is shared with a file is there. */
function savePages({ memory, runtime, map }: Space): Saved {
  const runs: number[] = [];
  const parts: Uint8Array[] = [];
  for (const { start, end, shared, backing } of map.areas) {
    if (shared && backing?.file.identity) continue;
    const index = GuestMemory.index(start);
    for (const [from, to] of runtime.dirtyPages(index, index + end - start)) {
      runs.push(start + from - index, to - from);
      parts.push(memory.bytes.subarray(from, to));
    }
  }
  return { runs, parts };
}

const withoutUndefined = (value: object): Saved => Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));
const saveAction = ([signal, { handler, flags, mask, restorer }]: readonly [number, Action]): Saved => ({
  signal,
  handler,
  flags,
  mask: String(mask),
  restorer,
});

const GROUP = ['pgid', 'sid', 'personality', 'nice', 'noNewPrivileges', 'executed', 'dumpable', 'subreaper'] as const;
const IDS = ['uid', 'euid', 'suid', 'gid', 'egid', 'sgid', 'fsuid', 'fsgid'] as const;
const NUMBERS = ['trampolines', 'clearTid', 'robustList'] as const;

/** Some fields of something. */
const pick = <Name extends string>(from: Readonly<Record<Name, Saved>>, names: readonly Name[]): Saved =>
  Object.fromEntries(names.map((name) => [name, from[name]]));
/** Puts them back. Throws RangeError if they are not what they were. */
function put<Name extends string>(into: Record<Name, number> | Record<Name, number | boolean>, names: readonly Name[], saved: Saved): void {
  for (const name of names) {
    const value = (saved as Fields)[name];
    if (typeof value !== typeof into[name] || Number.isNaN(value)) throw new RangeError(`no ${name}`);
    Object.assign(into, { [name]: value });
  }
}
const whole = (value: Saved): number => {
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
  throw new RangeError(`${value} is no number of anything`);
};

const SETS = ['effective', 'permitted', 'inheritable', 'bounding', 'ambient'] as const;
const saveCapabilities = (capabilities: Capabilities): Saved => ({
  secureBits: capabilities.secureBits,
  ...Object.fromEntries(SETS.map((set) => [set, String(capabilities[set])])),
});
function restoreCapabilities(into: Capabilities, saved: Fields): void {
  for (const set of SETS) into[set] = BigInt(saved[set] as string);
  into.secureBits = Number(saved.secureBits);
}

function body(program: SavedProgram): SavedFields {
  const { p, identity: of, callAt } = program;
  const { group, files, space, signals, vcpu, system } = p;
  demandSimple(program);
  const cwd = files.namespace.pathOf(files.cwd) ?? refuse('its working directory is no more');
  const descriptions: Description[] = [];
  const numbers: number[] = [];
  const descriptors = files.list().map((fd): Saved => {
    const { description, closeOnExec } = files.descriptor(fd);
    const known = descriptions.indexOf(description);
    if (known < 0) numbers.push(fd);
    return { fd, closeOnExec, description: known >= 0 ? known : descriptions.push(description) - 1 };
  });
  const backings: MappableFile[] = [];
  const areas = [...space.map.areas].map(({ start, end, permission, shared, backing, name, fileEnd }): Saved => {
    const area = { start, end, permission, shared, name: encodeName(name), fileEnd: fileEnd ?? null };
    if (!backing) return area;
    const known = backings.indexOf(backing.file);
    return { ...area, file: known >= 0 ? known : backings.push(backing.file) - 1, offset: backing.offset };
  });
  space.map.sync();
  const { pc, mode, state } = saveRegisters(p);
  const { altStack, mask, actions, pending } = signals.state;
  const { executable, argv, env, auxv, name, stack, lastTrap, started, credentials, scheduling } = p;
  return {
    identity: { ...of },
    monotonic: String(p.host.monotonic()),
    registers: { pc: callAt ?? pc, mode, state },
    memoryModel: vcpu.memoryModel,
    table: vcpu.table.slice(),
    map: { ...space.map.layout },
    areas,
    backings: backings.map((file) => saveBacking(p, file)),
    pages: savePages(space),
    descriptions: numbers.map((fd) => saveDescription(program, fd)),
    descriptors,
    cwd: encodeName(cwd),
    umask: files.umask,
    trees: files.namespace.mounts.flatMap((mount): Saved[] => {
      const { fileSystem } = mount;
      return fileSystem instanceof MemoryFileSystem && !fileSystem.readOnly
        ? [{ at: encodeName(mountedAt(files.namespace, mount)), tree: saveTree(fileSystem.root) }]
        : [];
    }),
    key: space.key,
    process: {
      executable: encodeName(executable),
      argv: argv.map(encodeName),
      env: env.map(encodeName),
      auxv,
      name: encodeName(name),
      stack: { ...stack },
      numbers: pick(p, NUMBERS),
      lastTrap: lastTrap ? { ...lastTrap } : null,
      started: String(started),
      ids: pick(credentials, IDS),
      groups: credentials.groups,
      capabilities: saveCapabilities(credentials.capabilities),
      scheduling: { policy: scheduling.policy, priority: scheduling.priority, resets: scheduling.resets },
    },
    limits: Object.fromEntries(Object.entries(p.limits).map(([which, limit]) => [which, { ...limit }])),
    images: p.images.map(({ path, bias, start, end }) => ({ path: encodeName(path), bias, start, end })),
    group: pick(group, GROUP),
    processorTime: String(group.processorTime),
    childrenTime: String(group.childrenTime),
    terminal: pick(system.terminals.host, ['session', 'foreground']),
    names: { host: encodeName(system.names.host), domain: encodeName(system.names.domain) },
    signals: {
      altStack: { ...altStack },
      mask: String(mask),
      actions: actions.map(saveAction),
      pending: pending.map(({ signal, info }) => ({ signal, info: withoutUndefined(info) })),
    },
  };
}

/** What there is of the program now. Throws SnapshotError if that cannot be saved. */
export const saveProgram = (program: SavedProgram): Promise<Uint8Array<ArrayBuffer>> => snapshotFile(KIND, body(program));

/** A snapshot that was read and found whole, and belongs to this program. Rejects with SnapshotError. */
export async function openSnapshot(given: Uint8Array, { abi, x87, key }: Identity): Promise<SavedFields> {
  const saved = await snapshotBody(KIND, given);
  const of = saved.identity as Partial<Identity> | undefined;
  if (of?.abi !== abi || of.key !== key) throw new SnapshotError('the snapshot is of another program');
  if (of.x87 !== x87) throw new SnapshotError(`the snapshot is of a program with an x87 of ${of.x87} bits, this one has ${x87}`);
  return saved;
}

/** What goes wrong is a SnapshotError. */
function restoring<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    throw new SnapshotError(`the snapshot cannot be restored here: ${(error as Error).message}`);
  }
}

/** As storeKey gives it, and nothing else: it becomes a part of a file's name. Throws SnapshotError. */
export function savedKey({ key }: SavedFields): string {
  if (typeof key === 'string' && /^[0-9a-f]{16}$/.test(key)) return key;
  throw new SnapshotError('the snapshot is of no program');
}
/** Nanoseconds of the monotonic clock when it was saved. Throws SnapshotError. */
export const savedTime = (saved: SavedFields): bigint => restoring(() => BigInt(saved.monotonic as string));

type Fields = Readonly<Record<string, Saved>>;
const text = (value: Saved): string => decodeName(value as Uint8Array);

/** A description of what is at a path now. */
function openAgain(p: Process, path: string, access: Access, fields: Fields): Description {
  const { namespace } = p.files;
  const place = namespace.resolve(namespace.root, path, 'follow');
  const { inode } = place;
  if (!inode) throw new SnapshotError(`${path}, which it had open, is no more`);
  const options = {
    append: fields.append === true,
    nonblock: fields.nonblock === true,
    flags: Number(fields.flags ?? 0),
    pathOnly: fields.pathOnly === true,
    spot: { directory: place.directory, name: place.name, inode },
  };
  const opens = !options.pathOnly && !isDirectory(inode);
  const description = describe(inode, opens ? inode.open?.(access) : undefined, access, path, options);
  if (opens && access.write && inode.format === Mode.Regular) description.closed = namespace.busy.write(inode);
  return description;
}

function restoreBacking(p: Process, saved: Saved): MappableFile {
  const fields = saved as Fields;
  if (fields.size !== undefined) {
    const file = sharedMemory(Number(fields.size), p.system.spaces.budget);
    if (!file) throw new SyscallError(Errno.ENOMEM);
    return file;
  }
  const description = openAgain(p, text(fields.path), { read: true, write: fields.write === true }, fields);
  return mappable(description, true);
}

function restoreMemory(p: Process, space: Space, saved: SavedFields): void {
  const { map, memory, vcpu } = space;
  const backingOf = (file: Saved, offset: Saved): Backing => {
    const found = backings[whole(file)];
    if (!found || !isPageAligned(whole(offset))) throw new RangeError('mappings of no file');
    return { file: found, offset: whole(offset) };
  };
  const backings = (saved.backings as readonly Saved[]).map((backing) => restoreBacking(p, backing));
  const areas = (saved.areas as readonly Fields[]).map(
    ({ start, end, permission, shared, name, fileEnd, file, offset }): Area => ({
      start: Number(start),
      end: Number(end),
      permission: whole(permission) & ALL_PERMISSIONS,
      shared: shared === true,
      name: text(name),
      fileEnd: fileEnd === null ? undefined : Number(fileEnd),
      backing: file === undefined ? undefined : backingOf(file, offset),
    }),
  );
  const { top } = map.options;
  const isPlace = (start: number, end: number): boolean =>
    isPageAligned(start) && isPageAligned(end) && start >= Layout.FLOOR && start < end && end <= top;
  if (
    !areas.every(({ start, end, fileEnd = end }, i) => isPlace(start, end) && isPageAligned(fileEnd) && start >= (areas[i - 1]?.end ?? 0))
  )
    throw new RangeError('mappings that cannot be');
  map.restore(areas, saved.map as unknown as MapLayout);
  const { runs, parts } = saved.pages as unknown as { readonly runs: readonly number[]; readonly parts: readonly Uint8Array[] };
  parts.forEach((bytes, index) => {
    const [start, length] = [runs[2 * index], runs[2 * index + 1]];
    if (bytes.length !== length || !isPlace(start, start + length)) throw new RangeError('pages beyond the memory');
    memory.poke(start, bytes);
  });
  vcpu.writeTable(0, saved.table as Uint8Array);
  const { pc, mode, state } = saved.registers as { readonly pc: number; readonly mode: number; readonly state: Uint8Array };
  if (state.length !== vcpu.state.byteLength) throw new RangeError('registers of another processor');
  loadRegisters({ vcpu }, { pc, mode, state });
  checkState(vcpu.isa, vcpu.state);
  vcpu.setMemoryModel(saved.memoryModel as 'direct' | 'checked');
}

function restoreFiles(p: Process, streams: StandardStreams, saved: SavedFields): void {
  const { files } = p;
  const own = new Map(STREAMS.map((name, fd) => [name as string, files.get(fd).path]));
  const descriptions = (saved.descriptions as readonly Fields[]).map((fields) => {
    const access = { read: fields.read === true, write: fields.write === true };
    if (fields.stream === undefined) {
      const description = openAgain(p, text(fields.path), access, fields);
      description.position = whole(fields.position);
      return description;
    }
    const { inode, file } = streams[fields.stream as (typeof STREAMS)[number]];
    const options = { append: fields.append === true, nonblock: fields.nonblock === true, flags: Number(fields.flags) };
    return describe(inode, file, access, own.get(fields.stream as string)!, options);
  });
  files.closeAll();
  for (const { fd, closeOnExec, description } of saved.descriptors as readonly Fields[])
    files.install(descriptions[Number(description)], Number.POSITIVE_INFINITY, closeOnExec === true, whole(fd));
  const place = files.namespace.resolve(files.namespace.root, text(saved.cwd), 'follow');
  files.cwd = files.namespace.directory(place);
  files.umask = Number(saved.umask);
}

function restoreTrees({ files }: Process, saved: SavedFields): void {
  for (const { at, tree } of saved.trees as readonly Fields[]) {
    const path = text(at);
    const mount = files.namespace.mounts.find((one) => mountedAt(files.namespace, one) === path);
    if (!(mount?.fileSystem instanceof MemoryFileSystem)) throw new SnapshotError(`${path} is not in memory, as it was`);
    restoreTree(mount.fileSystem.root, tree as Fields);
  }
}

/** What reports name functions by; a file that is no more has none. */
function restoreImages({ files }: Process, saved: SavedFields, elf: Image['elf']): Image[] {
  return (saved.images as readonly Fields[]).flatMap(({ path, bias, start, end }, index) => {
    const place = { path: text(path), bias: Number(bias), start: Number(start), end: Number(end) };
    try {
      const isFirst = index === 0 && (saved.group as Fields).executed !== true;
      return [{ elf: isFirst ? elf : parseElf(readWhole(files.namespace, place.path)), ...place }];
    } catch (error) {
      if (error instanceof SyscallError || error instanceof ElfError) return [];
      throw error;
    }
  });
}

const restoreAction = ({ signal, handler, flags, mask, restorer }: Fields): readonly [number, Action] => [
  Number(signal),
  { handler: Number(handler), flags: Number(flags), mask: BigInt(mask as string), restorer: Number(restorer) },
];

/** Puts a process that has nothing but its streams into the saved state. Throws SnapshotError. */
export const restoreProgram = (...given: Parameters<typeof restore>): void => restoring(() => restore(...given));
function restore(p: Process, streams: StandardStreams, elf: Image['elf'], saved: SavedFields): void {
  const { executable, argv, env, auxv, name, stack, numbers, lastTrap, started, ids, groups, capabilities, scheduling } =
    saved.process as Fields;
  Object.assign(p, {
    executable: text(executable),
    argv: (argv as readonly Saved[]).map(text),
    env: (env as readonly Saved[]).map(text),
    auxv: (auxv as Uint8Array).slice(),
    name: text(name),
    stack: { low: whole((stack as Fields).low), neighbourhood: whole((stack as Fields).neighbourhood) },
    started: BigInt(started as string),
    ...(lastTrap !== null && { lastTrap }),
  });
  put(p, NUMBERS, numbers);
  put(p.credentials, IDS, ids);
  p.credentials.groups = (groups as readonly Saved[]).map(whole);
  restoreCapabilities(p.credentials.capabilities, capabilities as Fields);
  const { policy, priority, resets } = scheduling as Fields;
  p.scheduling = { ...NO_SCHEDULING, policy: whole(policy), priority: whole(priority), resets: resets === true };
  for (const [which, limit] of Object.entries(p.limits)) put(limit, ['soft', 'hard'], (saved.limits as Fields)[which]);
  put(p.group, GROUP, saved.group);
  p.group.processorTime = BigInt(saved.processorTime as string);
  p.group.childrenTime = BigInt(saved.childrenTime as string);
  put(p.system.terminals.host, ['session', 'foreground'], saved.terminal);
  const { host, domain } = saved.names as Fields;
  Object.assign(p.system.names, { host: text(host), domain: text(domain) });
  const { altStack, mask, actions, pending } = saved.signals as Fields;
  p.signals.restore({
    altStack: altStack as unknown as { start: number; size: number; disabled: boolean },
    mask: BigInt(mask as string),
    actions: (actions as readonly Fields[]).map(restoreAction),
    pending: (pending as readonly Fields[]).map(({ signal, info }) => {
      if (!p.signals.isValid(whole(signal))) throw new RangeError(`signal ${signal}`);
      return { signal, info } as unknown as Pending;
    }),
  });
  restoreTrees(p, saved);
  restoreFiles(p, streams, saved);
  restoreMemory(p, p.space, saved);
  p.images = restoreImages(p, saved, elf);
  p.group.program = runProgram(p, inodeAt(p, p.executable));
}
