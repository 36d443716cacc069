import type { Abi, SignalInfo } from './abi.ts';
import type { HandlePlace } from './calls/handle.ts';
import type { Mailbox } from './calls/mailbox.ts';
import { dropDetached } from './calls/mount.ts';
import type { MessageQueue } from './calls/mqueue.ts';
import type { Segment } from './calls/segment.ts';
import { type SemaphoreSet, undoSemaphores } from './calls/semaphore.ts';
import { noObjects, type Objects } from './calls/sysv.ts';
import { KnownFiles, leaveProgram } from './exec.ts';
import { MEMORY_LIMIT, type MemoryAccount, MemoryFileSystem } from './fs/memory-fs.ts';
import { Terminals } from './fs/terminals.ts';
import { type Hooks, makeHooks } from './hooks.ts';
import type { Host } from './host.ts';
import { signalGroup } from './job-control.ts';
import { ignoringErrors } from './memory-map.ts';
import { Sockets } from './net/connection.ts';
import type { Network } from './net/outside.ts';
import type { Process, ProcessEnd, ThreadGroup } from './process.ts';
import { continueListeners, leaveTracees, tellTracer } from './ptrace.ts';
import { changeMemory } from './shared-memory.ts';
import type { SharedTranslations } from './shared-translations.ts';
import { Cld, SIG_IGN, SiCode } from './signals.ts';
import type { Spaces } from './spaces.ts';
import { anyThread, makeScheduler, type Scheduler } from './threads.ts';

/** The number of init; the first process's. */
export const INIT = 1;
export const FIRST_PID = 100;
/** /proc/sys/kernel/pid_max */
const PID_MAX = 32768;

/** All processes, and what they share. */
export interface System {
  readonly host: Host;
  readonly spaces: Spaces;
  readonly translations: SharedTranslations;
  readonly knownFiles: KnownFiles;
  readonly sockets: Sockets;
  readonly hooks: Hooks;
  /** Of files in memory that no directory names. */
  readonly anonymous: MemoryFileSystem;
  /** utsname.nodename and utsname.domainname, up to 64 bytes. */
  readonly names: { host: string; domain: string };
  /** What file systems in memory that guests mount hold, and which of them are in use only because something in them is. */
  readonly mounted: MemoryAccount & { readonly detached: Set<MemoryFileSystem> };
  /** System V: shared memory with its bytes, semaphores with what there is to take back of them, queues with their messages. */
  readonly segments: Objects<Segment, { bytes: number }>;
  readonly semaphores: Objects<SemaphoreSet, { values: number; undo: number }>;
  readonly mailboxes: Objects<Mailbox, { bytes: number; count: number }>;
  /** What name_to_handle_at(2) was asked for, by identity. */
  readonly handles: Map<string, HandlePlace>;
  /** POSIX message queues, by name. */
  readonly messageQueues: Map<string, MessageQueue>;
  readonly scheduler: Scheduler;
  /** By number; with those whose end nobody has asked for yet. */
  readonly processes: Map<number, ThreadGroup>;
  /** The process that the system began with. */
  readonly first: ThreadGroup;
  /** Processes that there may be. */
  readonly mostProcesses: number;
  readonly terminals: Terminals;
  /** A number that neither a thread nor a group or session has. */
  freeNumber(): number;
  /** There is this process, and it runs. */
  begin(p: Process): void;
  /** Makes a further process known. Its thread is not started. */
  add(p: Process): void;
  /** A process has its `end`: all it has goes, and its parent is told. */
  bury(group: ThreadGroup): void;
  isBuried(group: ThreadGroup): boolean;
  /** Buries those that were killed while they did not run. */
  buryKilled(): void;
  /** What has no `end` yet gets this one. */
  kill(group: ThreadGroup, end: ProcessEnd): void;
  /** A process was stopped by a signal. */
  stop(group: ThreadGroup, signal: number): void;
  /** Its parent is told of a process that has ended. */
  tellOfEnd(group: ThreadGroup): void;
  /** Nobody has to be told of this child any more. */
  forget(child: ThreadGroup): void;
}

export interface SystemOptions {
  readonly abi: Abi;
  readonly spaces: Spaces;
  readonly translations: SharedTranslations;
  readonly mostProcesses: number;
  readonly isOver: () => boolean;
  /** The first process was stopped by SIGTSTP. */
  readonly onStop?: (() => void) | undefined;
  readonly network?: Network | undefined;
  readonly hostname: string;
  /** Tells the user once per key. */
  readonly warn: (key: string, text: string) => void;
  /** Before what a process has goes. */
  readonly onEnd: (group: ThreadGroup) => void;
}

export function childInfo(child: ThreadGroup): SignalInfo & { readonly value: number } {
  const { end, change, pid } = child;
  const { uid } = child.leader.credentials;
  if (!end) {
    const continued = child.leader.signals.name(change ?? 0) === 'SIGCONT';
    return { code: continued ? Cld.Continued : Cld.Stopped, pid, uid, value: change ?? 0 };
  }
  if ('code' in end) return { code: Cld.Exited, pid, uid, value: end.code };
  return { code: Cld.Killed, pid, uid, value: end.signal };
}

/** There are no processes before `begin`. */
export function makeSystem(host: Host, options: SystemOptions): System {
  const processes = new Map<number, ThreadGroup>();
  const killed = new Set<ThreadGroup>();
  const buried = new WeakSet<ThreadGroup>();
  let scheduler: Scheduler | undefined;
  let first: ThreadGroup | undefined;
  let last = FIRST_PID;

  const isUsed = (number: number): boolean =>
    processes.has(number) ||
    [...processes.values()].some((group) => group.threads.has(number) || group.pgid === number || group.sid === number);

  function tell(parent: ThreadGroup | undefined, child: ThreadGroup, signal: number): void {
    if (!parent || parent.end) return;
    // who waits has the child, not EINTR
    parent.childEvents.wake();
    const { signals } = parent.leader;
    // clone(2) takes any number
    if (signals.isValid(signal)) signals.raise(signal, childInfo(child));
  }
  function tellOfChange(child: ThreadGroup, change: number): void {
    child.change = change;
    if (!child.parent) return;
    const { signals, abi } = child.parent.leader;
    const number = signals.number('SIGCHLD');
    tell(child.parent, child, signals.action(number).flags & abi.actionFlags.SA_NOCLDSTOP ? 0 : number);
  }

  /** Whether the parent does not want to be asked to wait for its children (sigaction(2), SA_NOCLDWAIT). */
  function isUnwanted({ parent, exitSignal }: ThreadGroup): boolean {
    if (!parent || parent.end) return true;
    const { signals, abi } = parent.leader;
    const number = signals.number('SIGCHLD');
    const action = signals.action(number);
    return exitSignal === number && (action.handler === SIG_IGN || (action.flags & abi.actionFlags.SA_NOCLDWAIT) !== 0);
  }

  const system: System = {
    host,
    spaces: options.spaces,
    translations: options.translations,
    knownFiles: new KnownFiles(),
    anonymous: new MemoryFileSystem(),
    names: { host: options.hostname, domain: '(none)' },
    mounted: { used: 0, entries: 0, limit: MEMORY_LIMIT, detached: new Set(), reclaim: () => dropDetached(system) },
    segments: noObjects({ bytes: 0 }),
    semaphores: noObjects({ values: 0, undo: 0 }),
    mailboxes: noObjects({ bytes: 0, count: 0 }),
    messageQueues: new Map(),
    handles: new Map(),
    sockets: new Sockets(host.random, options.network, options.warn),
    hooks: makeHooks(options.abi, () => [...processes.values()].filter((group) => !group.end).map(anyThread)),
    get scheduler() {
      return scheduler!;
    },
    get first() {
      return first!;
    },
    processes,
    mostProcesses: options.mostProcesses,
    terminals: new Terminals({ session: INIT, foreground: FIRST_PID }, (pgid, name) => signalGroup(system, pgid, name)),
    begin(p) {
      first = p.group;
      system.add(p);
      scheduler = makeScheduler(p, host, options.isOver, system.buryKilled);
    },
    freeNumber() {
      do last = last + 1 < PID_MAX ? last + 1 : FIRST_PID;
      while (isUsed(last));
      return last;
    },
    add({ group, signals }) {
      processes.set(group.pid, group);
      signals.onRaise((signal) => {
        const name = signals.name(signal);
        if (name === 'SIGKILL') system.kill(group, { signal, core: false });
        if (name !== 'SIGCONT') return;
        continueListeners(group);
        if (!group.stopped) return;
        group.stopped = false;
        tellOfChange(group, signal);
        system.scheduler.wake();
      });
    },
    kill(group, end) {
      group.end ??= end;
      killed.add(group);
      scheduler?.wake();
    },
    isBuried: (group) => buried.has(group),
    buryKilled() {
      for (const group of killed) system.bury(group);
      killed.clear();
    },
    stop(group, signal) {
      group.stopped = true;
      tellOfChange(group, signal);
      if (group === first && group.leader.signals.name(signal) === 'SIGTSTP') options.onStop?.();
    },
    bury(group) {
      if (buried.has(group)) return;
      buried.add(group);
      system.scheduler.account();
      options.onEnd(group);
      for (const timer of group.timers) timer.stop();
      const { space, files } = anyThread(group);
      for (const thread of group.threads.values()) {
        thread.signals.leave();
        if (thread.tracing && thread.tracing.tracer !== group.parent) tellTracer(thread, childInfo(group).code, childInfo(group).value);
      }
      leaveTracees(group);
      system.scheduler.forget((thread) => thread.group === group);
      files.leave();
      leaveProgram(group);
      files.namespace.locks.forget(group);
      // the first one's stays for its embedder
      if (group === first) ignoringErrors(() => space.map.sync());
      else {
        // a zombie holds hardly any memory; what it had in common with others stays, as at the end of any turn
        const { space: kept, vcpu, memory, map } = first!.leader;
        if (system.scheduler.current.group === group) changeMemory(space.map, map);
        system.spaces.release(space);
        for (const p of [group.leader, ...group.threads.values()]) {
          Object.assign(p, { space: kept, vcpu, memory, map, seccomp: undefined });
          p.credentials.groups = [];
        }
      }
      group.letParentGo?.();
      if (group.sid === group.pid) system.terminals.leave(group.sid, true);
      let heir = group.parent;
      while (heir && (!heir.subreaper || heir.end)) heir = heir.parent;
      for (const child of group.children) {
        if (child.deathSignal !== 0 && !child.end)
          child.leader.signals.raise(child.deathSignal, { code: SiCode.User, pid: group.pid, uid: group.leader.credentials.uid });
        child.parent = heir;
        heir?.children.add(child);
        if (buried.has(child)) {
          if (heir) system.tellOfEnd(child);
          else processes.delete(child.pid);
        }
      }
      group.children.clear();
      group.endEvents.wake();
      undoSemaphores(system, group);
      // one that traces it and is not its parent is told first
      const tracer = group.leader.tracing?.tracer;
      if (!tracer || tracer === group.parent) system.tellOfEnd(group);
    },
    tellOfEnd(group) {
      const { parent } = group;
      if (isUnwanted(group)) system.forget(group);
      tell(parent, group, group.exitSignal);
    },
    forget(child) {
      child.parent?.children.delete(child);
      child.parent = undefined;
      processes.delete(child.pid);
    },
  };
  return system;
}
