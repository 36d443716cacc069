import { fail } from './fail.ts';
import type { Leases } from './leases.ts';
import { decodeName, encodeName } from './names.ts';
import { ComputedFile, ComputedLink, SpecialInode, SyntheticDirectory, SyntheticFileSystem } from './synthetic.ts';
import { type Inode, Mode, type OpenFile, Poll, PROC_MAGIC } from './vfs.ts';

/** How often what is mounted has changed. */
export interface MountHistory {
  changes(): number;
  readonly subscribe: NonNullable<OpenFile['subscribe']>;
}

/** What /proc shows. All of it is asked for when a file is opened. */
export interface SystemView {
  /** The process that asks. */
  current(): number;
  processes(): readonly number[];
  process(pid: number): ProcessView;
  /** Bytes of address space that are used, and that there are. */
  memoryUsed(): number;
  memoryTotal(): number;
  /** Nanoseconds since the first process started. */
  age(): bigint;
  mounts(): string;
  mountInformation(): string;
  mountHistory(): MountHistory;
  leases(): Leases;
  /** utsname.nodename and utsname.domainname. */
  names(): { readonly host: string; readonly domain: string };
  /** The texts of /proc/sysvipc. */
  systemV(kind: 'msg' | 'sem' | 'shm'): string;
  /** The text of /proc/cpuinfo. */
  cpuinfo(): string;
  /** utsname.release and utsname.version. */
  readonly release: string;
  readonly version: string;
}

export interface ProcessView {
  readonly pid: number;
  ppid(): number;
  /** As in /proc/<pid>/status. */
  state(tid?: number): string;
  pgid(): number;
  sid(): number;
  uid(): number;
  gid(): number;
  /** Guest path. */
  executable(): string;
  name(): string;
  /** Their numbers, and names. */
  threads(): readonly number[];
  threadName(tid: number): string;
  /** By which process it is traced; 0 for none. */
  tracer(): number;
  /** Bytes of its memory, up to the first page that is not mapped. */
  readMemory(address: number, into: Uint8Array): number;
  writeMemory(address: number, from: Uint8Array): number;
  argv(): readonly string[];
  env(): readonly string[];
  /** The lines of /proc/self/maps. */
  maps(): string;
  /** The text of /proc/self/smaps. */
  smaps(): string;
  /** Bytes of address space, the most there have been, and those that are locked. */
  memoryUsed(): number;
  memoryPeak(): number;
  memoryLocked(): number;
  /** Nanoseconds that it ran for. */
  processorTime(): bigint;
  auxv(): Uint8Array;
  descriptors(): readonly number[];
  /** Text that /proc/self/fd/N links to, and what it leads to; undefined if the descriptor is closed. */
  descriptor(fd: number): { readonly path: string; readonly inode: Inode } | undefined;
  descriptorFlags(fd: number): string;
  cwd(): { readonly path: string; readonly inode: Inode };
  root(): Inode;
}

const PAGE = 4096;
/** USER_HZ. */
const TICKS = 100n;
const SECOND = 1_000_000_000n;

function statLine(view: ProcessView, tid = view.pid): string {
  const fields = [
    tid,
    `(${view.threadName(tid)})`,
    view.state(tid)[0],
    view.ppid(),
    view.pgid(),
    view.sid(),
    // tty_nr … cstime: no terminal, no faults counted, run time as user time.
    ...[0, -1, 0, 0, 0, 0, 0, (view.processorTime() * TICKS) / SECOND, 0, 0, 0],
    // priority, nice, num_threads, itrealvalue, starttime
    ...[20, 0, view.threads().length, 0, 0],
    view.memoryUsed(),
    Math.ceil(view.memoryUsed() / PAGE),
    4294967295,
    // startcode … policy and what follows, not shown (0), as Linux does to those who may not see them.
    ...Array.from({ length: 27 }, () => 0),
  ];
  return `${fields.join(' ')}\n`;
}

function statusText(view: ProcessView, tid = view.pid): string {
  const kilobytes = (bytes: number) => `${String(Math.ceil(bytes / 1024)).padStart(8)} kB`;
  const ids = (id: number) => [id, id, id, id].join('\t');
  return [
    `Name:\t${view.threadName(tid)}`,
    `State:\t${view.state(tid)}`,
    `Tgid:\t${view.pid}`,
    `Pid:\t${tid}`,
    `PPid:\t${view.ppid()}`,
    `TracerPid:\t${view.tracer()}`,
    `Uid:\t${ids(view.uid())}`,
    `Gid:\t${ids(view.gid())}`,
    'FDSize:\t64',
    `VmPeak:\t${kilobytes(view.memoryPeak())}`,
    `VmSize:\t${kilobytes(view.memoryUsed())}`,
    `VmLck:\t${kilobytes(view.memoryLocked())}`,
    `VmHWM:\t${kilobytes(view.memoryPeak())}`,
    `VmRSS:\t${kilobytes(view.memoryUsed())}`,
    `Threads:\t${view.threads().length}`,
    'Cpus_allowed:\t1',
    'Cpus_allowed_list:\t0',
    '',
  ].join('\n');
}

/** /proc/<pid>/mem: positions are addresses. */
function memoryFile(inode: Inode, view: ProcessView): OpenFile {
  const orFail = (count: number, wanted: number): number => (count > 0 || wanted === 0 ? count : fail('EIO'));
  return {
    inode,
    seekable: true,
    read: (into, position) => orFail(view.readMemory(position, into), into.length),
    write: (from, position) => orFail(view.writeMemory(position, from), from.length),
  };
}

/** /proc/sys/fs/lease-break-time, which can be set. */
function leaseTimeFile(inode: Inode, leases: Leases): OpenFile {
  return {
    inode,
    seekable: true,
    read(into, position) {
      const part = encodeName(`${leases.breakTime}\n`).subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    write(from) {
      const text = decodeName(from).trim();
      if (!/^\d{1,9}$/.test(text)) fail('EINVAL');
      leases.breakTime = Number(text);
      return from.length;
    },
    truncate() {},
  };
}

/** What is mounted: read from its beginning it is as it is then, and poll(2) tells that it has changed (proc(5)). */
function mountsFile(inode: Inode, text: () => string, history: MountHistory): OpenFile {
  let bytes = encodeName(text());
  let seen = history.changes();
  return {
    inode,
    seekable: true,
    read(into, position) {
      if (position === 0) bytes = encodeName(text());
      const part = bytes.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    write: () => fail('EBADF'),
    poll() {
      const isNew = seen !== history.changes();
      seen = history.changes();
      return Poll.In | Poll.ReadNormal | (isNew ? Poll.Priority | Poll.Error : 0);
    },
    subscribe: history.subscribe,
  };
}

const terminated = (texts: readonly string[]): Uint8Array => encodeName(texts.map((text) => `${text}\0`).join(''));

function uptime(view: SystemView): string {
  const hundredths = (view.age() * 100n) / SECOND;
  const text = `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
  return `${text} 0.00\n`;
}

function memoryInfo(view: SystemView): string {
  const line = (name: string, bytes: number) => `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`;
  const total = view.memoryTotal();
  const free = Math.max(0, total - view.memoryUsed());
  return [
    line('MemTotal', total),
    line('MemFree', free),
    line('MemAvailable', free),
    line('Buffers', 0),
    line('Cached', 0),
    line('SwapTotal', 0),
    line('SwapFree', 0),
  ].join('');
}

function addProcess(fileSystem: SyntheticFileSystem, directory: SyntheticDirectory, view: ProcessView, system: SystemView): void {
  const file = (name: string, content: () => string | Uint8Array) => directory.add(name, new ComputedFile(fileSystem, content));
  directory.add('exe', new ComputedLink(fileSystem, () => view.executable()));
  directory.add(
    'cwd',
    new ComputedLink(
      fileSystem,
      () => view.cwd().path,
      () => view.cwd().inode,
    ),
  );
  directory.add(
    'root',
    new ComputedLink(
      fileSystem,
      () => '/',
      () => view.root(),
    ),
  );
  file('cmdline', () => terminated(view.argv()));
  file('environ', () => terminated(view.env()));
  file('comm', () => `${view.name()}\n`);
  file('maps', () => view.maps());
  file('smaps', () => view.smaps());
  file('stat', () => statLine(view));
  file('statm', () => {
    const pages = Math.ceil(view.memoryUsed() / PAGE);
    return `${pages} ${pages} 0 0 0 ${pages} 0\n`;
  });
  file('status', () => statusText(view));
  file('auxv', () => view.auxv());
  for (const [name, text] of [
    ['mounts', () => system.mounts()],
    ['mountinfo', () => system.mountInformation()],
  ] as const)
    directory.add(name, new SpecialInode(fileSystem, Mode.Regular, 0o444, 0, (inode) => mountsFile(inode, text, system.mountHistory())));
  const descriptors = (make: (fd: number) => Inode) => (known: Map<string, Inode>) => {
    const names = view.descriptors().map(String);
    for (const name of names) if (!known.has(name)) known.set(name, make(Number(name)));
    return names;
  };
  directory.addDirectory(
    'fd',
    descriptors((fd) => {
      const target = () => view.descriptor(fd) ?? fail('ENOENT');
      return new ComputedLink(
        fileSystem,
        () => target().path,
        () => target().inode,
      );
    }),
  );
  directory.addDirectory(
    'fdinfo',
    descriptors((fd) => new ComputedFile(fileSystem, () => view.descriptorFlags(fd))),
  );
  const memory = directory.add('mem', new SpecialInode(fileSystem, Mode.Regular, 0o600, 0, (inode) => memoryFile(inode, view)));
  const tasks = directory.addDirectory('task', (known) => {
    const names = view.threads().map(String);
    for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    for (const name of names) {
      if (known.has(name)) continue;
      const task = new SyntheticDirectory(fileSystem, tasks, name);
      const tid = Number(name);
      task.add('comm', new ComputedFile(fileSystem, () => `${view.threadName(tid)}\n`));
      task.add('stat', new ComputedFile(fileSystem, () => statLine(view, tid)));
      task.add('status', new ComputedFile(fileSystem, () => statusText(view, tid)));
      task.add('mem', memory);
      known.set(name, task);
    }
    return names;
  });
}

/** What does not change below /proc/sys (admin-guide/sysctl). */
const KERNEL_VALUES: Readonly<Record<string, string>> = {
  tainted: '0',
  core_pattern: 'core',
  core_uses_pid: '0',
  randomize_va_space: '0',
  'threads-max': '4096',
  printk: '4\t4\t1\t7',
  sched_rr_timeslice_ms: '10',
  shmmax: '134217728',
  shmall: '32768',
  shmmni: '4096',
  msgmax: '8192',
  msgmnb: '16384',
  msgmni: '32000',
  sem: '32000\t1024000000\t500\t32000',
};
const INOTIFY_VALUES: Readonly<Record<string, string>> = {
  max_queued_events: '16384',
  max_user_instances: '128',
  max_user_watches: '65536',
};
const FILE_VALUES: Readonly<Record<string, string>> = {
  'file-max': '32768',
  nr_open: '1048576',
  'pipe-max-size': '1048576',
  'pipe-user-pages-hard': '0',
  'pipe-user-pages-soft': '16384',
  protected_hardlinks: '0',
  protected_symlinks: '0',
  protected_fifos: '0',
  protected_regular: '0',
};

/** /proc with what C libraries, shells and ps read. */
export function procFileSystem(view: SystemView, random: (bytes: Uint8Array<ArrayBuffer>) => void): SyntheticFileSystem {
  const fileSystem = new SyntheticFileSystem('proc', PROC_MAGIC, (known) => {
    const pids = view.processes().map(String);
    for (const name of known.keys()) if (!pids.includes(name)) known.delete(name);
    for (const name of pids) {
      if (known.has(name)) continue;
      const directory = new SyntheticDirectory(fileSystem, root, name);
      addProcess(fileSystem, directory, view.process(Number(name)), view);
      known.set(name, directory);
    }
    return pids;
  });
  const root = fileSystem.root;
  const link = (name: string, target: () => string) => root.add(name, new ComputedLink(fileSystem, target));
  const file = (name: string, content: () => string) => root.add(name, new ComputedFile(fileSystem, content));
  link('self', () => String(view.current()));
  link('thread-self', () => `${view.current()}/task/${view.current()}`);
  link('mounts', () => 'self/mounts');
  file('cpuinfo', () => view.cpuinfo());
  file('meminfo', () => memoryInfo(view));
  file('uptime', () => uptime(view));
  file('loadavg', () => `0.00 0.00 0.00 1/${view.processes().length} ${Math.max(...view.processes())}\n`);
  // nothing is counted
  file('vmstat', () => 'pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n');
  file('version', () => `Linux version ${view.release} ${view.version}\n`);
  file('filesystems', () => 'nodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\n');
  file('stat', () => {
    const ticks = (view.age() * TICKS) / SECOND;
    return `cpu  ${ticks} 0 0 0 0 0 0 0 0 0\ncpu0 ${ticks} 0 0 0 0 0 0 0 0 0\nprocesses ${view.processes().length}\nprocs_running 1\nprocs_blocked 0\n`;
  });
  const sys = root.addDirectory('sys');
  const value = (directory: SyntheticDirectory, name: string, content: () => string) =>
    directory.add(name, new ComputedFile(fileSystem, () => `${content()}\n`));
  const kernel = sys.addDirectory('kernel');
  value(kernel, 'ostype', () => 'Linux');
  value(kernel, 'osrelease', () => view.release);
  value(kernel, 'version', () => view.version);
  value(kernel, 'hostname', () => view.names().host);
  value(kernel, 'domainname', () => view.names().domain);
  value(kernel, 'pid_max', () => '32768');
  value(kernel, 'ngroups_max', () => '65536');
  for (const [name, text] of Object.entries(KERNEL_VALUES)) value(kernel, name, () => text);
  value(kernel, 'cap_last_cap', () => '40');
  const randomDirectory = kernel.addDirectory('random');
  value(randomDirectory, 'uuid', () => {
    const bytes = new Uint8Array(16);
    random(bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  });
  const memory = sys.addDirectory('vm');
  value(memory, 'overcommit_memory', () => '0');
  value(memory, 'mmap_min_addr', () => '65536');
  value(memory, 'max_map_count', () => '65530');
  const files = sys.addDirectory('fs');
  for (const [name, text] of Object.entries(FILE_VALUES)) value(files, name, () => text);
  files.add('lease-break-time', new SpecialInode(fileSystem, Mode.Regular, 0o644, 0, (inode) => leaseTimeFile(inode, view.leases())));
  const inotify = files.addDirectory('inotify');
  for (const [name, text] of Object.entries(INOTIFY_VALUES)) value(inotify, name, () => text);
  const ipc = root.addDirectory('sysvipc');
  for (const kind of ['msg', 'sem', 'shm'] as const) ipc.add(kind, new ComputedFile(fileSystem, () => view.systemV(kind)));
  return fileSystem;
}
