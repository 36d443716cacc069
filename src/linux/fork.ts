import { fail } from './fs/fail.ts';
import { WaitQueue } from './fs/wait.ts';
import { Futexes } from './futexes.ts';
import { MOST_PROCESSES } from './limits.ts';
import { NO_SCHEDULING, type Process, type ThreadGroup } from './process.ts';
import { TraceEvent, traceChild, traceEvent } from './ptrace.ts';

/** A process without a leader yet. */
export function makeGroup(
  pid: number,
  rest: Pick<ThreadGroup, 'parent' | 'pgid' | 'sid' | 'personality' | 'nice' | 'noNewPrivileges' | 'exitSignal' | 'futexes'>,
): ThreadGroup {
  return {
    pid,
    ...rest,
    children: new Set(),
    leader: undefined as unknown as Process,
    stopped: false,
    childEvents: new WaitQueue(),
    endEvents: new WaitQueue(),
    executed: false,
    barriers: 0,
    deathSignal: 0,
    dumpable: true,
    subreaper: false,
    processorTime: 0n,
    childrenTime: 0n,
    threads: new Map(),
    tracees: new Set(),
    intervalTimers: new Map(),
    posixTimers: new Map(),
    timers: new Set(),
  };
}

/** How clone(2) departs from fork(2). */
export interface ForkOptions {
  readonly sharesMemory?: boolean;
  readonly sharesFiles?: boolean;
  readonly sharesHandlers?: boolean;
  /** The caller waits until the child executes a program or ends. */
  readonly waits?: boolean;
  /** The child of the caller's parent. */
  readonly isSibling?: boolean;
  /** At the child's end. Default: SIGCHLD. */
  readonly signal?: number;
  readonly clearTid?: number;
  /** What the child's registers and memory differ in. */
  readonly prepare?: (child: Process) => void;
  /** Given the number of the child; what it returns is the call's result. */
  readonly started?: (pid: number) => number;
  /** The tracer is not told (CLONE_UNTRACED). */
  readonly untraced?: boolean;
}

/** A thread like `p`, of its process or another, with what is its own. */
export function copyThread(p: Process, own: Partial<Process> & Pick<Process, 'tid' | 'signals' | 'clearTid'>): Process {
  const { exited: _, interrupted: __, tracing: ___, ...same } = p;
  const scheduling = p.scheduling.resets ? NO_SCHEDULING : p.scheduling;
  return { ...same, scheduling, robustList: 0, ...own, interrupt: () => own.signals.interrupt() };
}

/** A new process that goes on where the caller is, with 0 as the call's result. Gives its number. */
export async function forkProcess(p: Process, options: ForkOptions = {}): Promise<number> {
  const { system, signals } = p;
  const { sharesMemory = false, sharesFiles = false, started = (pid: number) => pid } = options;
  const { size } = system.processes;
  // zombies take hardly any memory
  const isFull = size >= system.mostProcesses && [...system.processes.values()].filter(({ end }) => !end).length >= system.mostProcesses;
  if (isFull || size >= Math.min(p.limits.nproc.soft, MOST_PROCESSES)) fail('EAGAIN');
  const registers = system.scheduler.registers(p);
  const space = sharesMemory ? p.space : await system.spaces.copy(p.space);
  // it was killed meanwhile
  if (p.group.end) {
    if (!sharesMemory) system.spaces.release(space);
    return 0;
  }
  if (sharesMemory) space.users++;
  const pid = system.freeNumber();
  const { pgid, sid, personality, nice, noNewPrivileges, program } = p.group;
  const parent = options.isSibling ? p.group.parent : p.group;
  const group = makeGroup(pid, {
    parent,
    pgid,
    sid,
    personality,
    nice,
    noNewPrivileges,
    exitSignal: options.signal ?? signals.number('SIGCHLD'),
    futexes: sharesMemory ? p.group.futexes : new Futexes(),
  });
  if (program) program.users++;
  group.program = program;
  const own = signals.forProcess(options.sharesHandlers);
  const { vcpu, memory, map } = space;
  const child = copyThread(p, {
    space,
    vcpu,
    memory,
    map,
    files: sharesFiles ? p.files.join() : p.files.copy(),
    signals: own,
    limits: structuredClone(p.limits),
    credentials: structuredClone(p.credentials),
    group,
    pid,
    tid: pid,
    clearTid: options.clearTid ?? 0,
    started: p.host.monotonic(),
  });
  group.leader = child;
  group.threads.set(pid, child);
  system.add(child);
  parent?.children.add(group);
  const event = options.waits ? TraceEvent.Vfork : group.exitSignal === signals.number('SIGCHLD') ? TraceEvent.Fork : TraceEvent.Clone;
  if (p.tracing && !options.untraced) traceChild(p, child, event);
  try {
    system.scheduler.start(child, registers, () => {
      p.abi.setSyscallResult(child, 0);
      options.prepare?.(child);
    });
  } catch (error) {
    group.parent = undefined;
    group.end = { code: 0 };
    system.bury(group);
    parent?.children.delete(group);
    throw error;
  }
  const result = started(pid);
  const gone = options.waits
    ? new Promise<void>((resolve) => {
        group.letParentGo = resolve;
      })
    : undefined;
  if (p.tracing && !options.untraced) await traceEvent(p, event, pid);
  if (!gone) return result;
  await gone;
  if (p.tracing && !options.untraced) await traceEvent(p, TraceEvent.VforkDone, pid);
  return result;
}
