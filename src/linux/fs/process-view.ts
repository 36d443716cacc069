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

/** What /proc shows of all processes. It is asked when a file is read, never before. */
export function systemView(system: System, release: string, version: string): SystemView {
  const current = (): Process => system.scheduler.current;
  return {
    release,
    version,
    current: () => current().pid,
    processes: () => [...system.processes.keys()],
    process: (pid) => processView(() => system.processes.get(pid)?.leader ?? fail('ESRCH'), pid),
    names: () => system.names,
    systemV: (kind) => systemVText(system, kind),
    cpuinfo: () => `processor\t: 0\nmodel name\t: wasmvisor ${current().abi.isa.name}\n\n`,
    memoryUsed: () => system.spaces.budget.used,
    memoryTotal: () => system.spaces.budget.limit,
    age: () => system.host.monotonic() - system.first.leader.started,
    mounts: () => mountsText(current().files.namespace),
    mountInformation: () => mountInformation(current().files.namespace),
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
    memoryUsed: () => mapOf(get())?.used ?? 0,
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
