import { PAGE_SIZE } from '../../isa/code.ts';
import { PagePermission } from '../../vcpu/guest-memory.ts';
import type { Area } from '../areas.ts';
import { readForeign, writeForeign } from '../foreign-memory.ts';
import type { MemoryMap } from '../memory-map.ts';
import type { Process } from '../process.ts';
import { INIT, type System } from '../system.ts';
import { fail } from './fail.ts';
import type { ProcessView, SystemView } from './proc-fs.ts';
import { systemVText } from './system-v.ts';
import { mountInformation, mountsText } from './tree.ts';

function mapLine(area: Area, device: number): string {
  const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
  const letter = (bit: number, text: string) => (area.permission & bit ? text : '-');
  const rights =
    letter(PagePermission.Read, 'r') + letter(PagePermission.Write, 'w') + letter(PagePermission.Execute, 'x') + (area.shared ? 's' : 'p');
  const line = `${hex(area.start, 8)}-${hex(area.end, 8)} ${rights} ${hex(area.backing?.offset ?? 0, 8)} 00:${hex(area.backing ? device : 0, 2)} 0 `;
  return `${area.name ? line.padEnd(73) + area.name : line}\n`;
}

/** What /proc/<pid>/smaps adds to a line: all of it is there, and nobody else's. */
function detailsOf(area: Area): string {
  const { start, end, permission, shared, locked } = area;
  const size = end - start;
  const used = permission === 0 ? 0 : size;
  const mine = shared ? 0 : used;
  const [read, write, execute] = [PagePermission.Read, PagePermission.Write, PagePermission.Execute].map((bit) => permission & bit);
  const flags = [read && 'rd', write && 'wr', execute && 'ex', shared && 'sh', 'mr', 'mw', 'me', shared && 'ms', locked && 'lo'];
  const lines: readonly (readonly [string, number])[] = [
    ['Size', size],
    ['KernelPageSize', PAGE_SIZE],
    ['MMUPageSize', PAGE_SIZE],
    ['Rss', used],
    ['Pss', used],
    ['Shared_Clean', 0],
    ['Shared_Dirty', used - mine],
    ['Private_Clean', 0],
    ['Private_Dirty', mine],
    ['Referenced', used],
    ['Anonymous', area.backing ? 0 : used],
    ['AnonHugePages', 0],
    ['Swap', 0],
    ['SwapPss', 0],
    ['Locked', locked ? used : 0],
  ];
  const text = lines.map(([name, bytes]) => `${`${name}:`.padEnd(16)}${String(bytes / 1024).padStart(8)} kB\n`).join('');
  return `${text}VmFlags: ${flags.filter(Boolean).join(' ')} \n`;
}

/** What /proc shows of all processes. It is asked when a file is read, never before. */
export function systemView(system: System, release: string, version: string): SystemView {
  const current = (): Process => system.scheduler.current;
  return {
    release,
    version,
    current: () => current().pid,
    processes: () => [INIT, ...system.processes.keys()],
    process: (pid) => (pid === INIT ? initView(system) : processView(() => system.processes.get(pid)?.leader ?? fail('ESRCH'), pid)),
    names: () => system.names,
    leases: () => current().files.namespace.leases,
    systemV: (kind) => systemVText(system, kind),
    cpuinfo: () => `processor\t: 0\nmodel name\t: wasmvisor ${current().abi.isa.name}\n\n`,
    memoryUsed: () => system.spaces.budget.used,
    memoryTotal: () => system.spaces.budget.limit,
    age: () => system.host.monotonic() - system.first.leader.started,
    mounts: () => mountsText(current().files.namespace),
    mountInformation: () => mountInformation(current().files.namespace),
    mountHistory() {
      const { namespace } = current().files;
      return { changes: () => namespace.mountChanges, subscribe: namespace.subscribeMounts };
    },
  };
}

function stateOf(p: Process): string {
  const { group, tracing, system } = p;
  if (group.end) return 'Z (zombie)';
  if (tracing?.stop) return 't (tracing stop)';
  if (group.stopped) return 'T (stopped)';
  return system.scheduler.waits(p) ? 'S (sleeping)' : 'R (running)';
}

/** A position beyond all addresses is in no memory, and a zombie has none. */
const inMemory = (p: Process, address: number, act: (of: Process, address: number) => number): number =>
  p.group.end || address > 0xffff_ffff ? 0 : act(p, address);

/** A zombie has none. */
const mapOf = ({ group, map }: Process): MemoryMap | undefined => (group.end ? undefined : map);

/** Process 1 is no program of the guest's: it sleeps, and nobody may look into it. */
function initView(system: System): ProcessView {
  const refuse = (): never => fail('EACCES');
  return {
    pid: INIT,
    ppid: () => 0,
    state: () => 'S (sleeping)',
    auxv: () => new Uint8Array(0),
    processorTime: () => 0n,
    pgid: () => INIT,
    sid: () => INIT,
    uid: () => 0,
    gid: () => 0,
    executable: refuse,
    name: () => 'init',
    threads: () => [INIT],
    threadName: () => 'init',
    tracer: () => 0,
    readMemory: refuse,
    writeMemory: refuse,
    argv: () => ['/sbin/init'],
    env: refuse,
    maps: refuse,
    smaps: refuse,
    memoryUsed: () => 0,
    memoryPeak: () => 0,
    memoryLocked: () => 0,
    descriptors: refuse,
    descriptor: refuse,
    descriptorFlags: refuse,
    cwd: refuse,
    root: () => system.first.leader.files.namespace.root,
  };
}

function processView(get: () => Process, pid: number): ProcessView {
  return {
    pid,
    ppid: () => get().group.parent?.pid ?? INIT,
    state: (tid) => stateOf((tid !== undefined && get().group.threads.get(tid)) || get()),
    auxv: () => get().auxv,
    processorTime: () => get().group.processorTime,
    pgid: () => get().group.pgid,
    sid: () => get().group.sid,
    uid: () => get().credentials.uid,
    gid: () => get().credentials.gid,
    executable: () => get().executable,
    name: () => get().name,
    threads: () => [...get().group.threads.keys()],
    threadName: (tid) => (get().group.threads.get(tid) ?? get()).name,
    tracer: () => get().tracing?.tracer.pid ?? 0,
    readMemory: (address, into) => inMemory(get(), address, (of, at) => readForeign(of, at, into)),
    writeMemory: (address, from) => inMemory(get(), address, (of, at) => writeForeign(of, at, from)),
    argv: () => get().argv,
    env: () => get().env,
    maps: () => Array.from(mapOf(get())?.areas ?? [], (area) => mapLine(area, get().files.namespace.root.fileSystem.device)).join(''),
    smaps() {
      const { device } = get().files.namespace.root.fileSystem;
      return Array.from(mapOf(get())?.areas ?? [], (area) => mapLine(area, device) + detailsOf(area)).join('');
    },
    memoryUsed: () => mapOf(get())?.used ?? 0,
    memoryPeak: () => mapOf(get())?.peak ?? 0,
    memoryLocked: () => mapOf(get())?.lockedWithin() ?? 0,
    descriptors: () => get().files.list(),
    descriptor(fd) {
      const { files } = get();
      if (!files.has(fd)) return undefined;
      const { path, file, inode } = files.get(fd);
      return { path, inode: file?.inode ?? inode };
    },
    descriptorFlags(fd) {
      const { position, access, flags } = get().files.get(fd);
      const mode = access.write ? (access.read ? 2 : 1) : 0;
      return `pos:\t${position}\nflags:\t0${(flags | mode).toString(8)}\nmnt_id:\t1\n`;
    },
    cwd() {
      const { namespace, cwd } = get().files;
      return { path: namespace.pathOf(cwd) ?? ' (deleted)', inode: cwd };
    },
    root: () => get().files.namespace.root,
  };
}
