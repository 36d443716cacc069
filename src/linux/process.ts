import type { GuestMemory } from '../vcpu/guest-memory.ts';
import type { Abi, SignalInfo } from './abi.ts';
import type { PosixTimer } from './calls/timer.ts';
import type { Capabilities } from './capabilities.ts';
import type { Cpu } from './cpu.ts';
import type { FileTable } from './fs/file-table.ts';
import type { WaitQueue } from './fs/wait.ts';
import type { Futexes } from './futexes.ts';
import type { Host } from './host.ts';
import type { Limits } from './limits.ts';
import type { Image } from './load.ts';
import type { MemoryMap } from './memory-map.ts';
import type { SyscallExit, Tracing } from './ptrace.ts';
import type { Seccomp } from './seccomp.ts';
import type { Signals } from './signals.ts';
import type { Space } from './spaces.ts';
import type { System } from './system.ts';
import type { Timer } from './timers.ts';

/** What sched(7) has been asked for; of a deadline its runtime, deadline and period in nanoseconds. */
export interface Scheduling {
  readonly policy: number;
  readonly priority: number;
  readonly deadline: readonly [bigint, bigint, bigint];
  /** Children begin without (SCHED_RESET_ON_FORK). */
  readonly resets: boolean;
}

export const NO_SCHEDULING: Scheduling = { policy: 0, priority: 0, deadline: [0n, 0n, 0n], resets: false };

/** User and group of the guest. */
export interface Credentials {
  uid: number;
  euid: number;
  suid: number;
  gid: number;
  egid: number;
  sgid: number;
  /** What access to files goes by (setfsuid(2)). */
  fsuid: number;
  fsgid: number;
  groups: number[];
  capabilities: Capabilities;
}

/** A program's file, while processes run it. */
export interface RunningProgram {
  users: number;
  readonly end: () => void;
}

/** How a program ended. */
export type ProcessEnd = { readonly code: number } | { readonly signal: number; readonly core: boolean };

/** What the threads of a process share and change. */
export interface ThreadGroup {
  readonly pid: number;
  /** Undefined: init, number 1, which takes in what has no parent and is no guest process itself. */
  parent: ThreadGroup | undefined;
  readonly children: Set<ThreadGroup>;
  /** Any thread of it, for what all threads have in common. */
  leader: Process;
  pgid: number;
  sid: number;
  personality: number;
  /** From -20 to 19; it has no effect. */
  nice: number;
  /** Stopped by SIGSTOP or the like. */
  stopped: boolean;
  /** The last fault, for the report if it was the end. */
  fault?: { readonly signal: number; readonly pc: number; readonly text: string } | undefined;
  /** Set once it has ended. It is a zombie until its parent has asked for that. */
  end?: ProcessEnd;
  /** What the parent may ask for besides the end: the signal that stopped it, or SIGCONT. */
  change?: number | undefined;
  /** What the parent gets at the end; 0 for no signal. */
  exitSignal: number;
  /** Wakes this process where it waits for its children. */
  readonly childEvents: WaitQueue;
  /** Wakes those that wait for its end by a descriptor. */
  readonly endEvents: WaitQueue;
  /** After vfork, until it executes a program or ends: lets the parent go on. */
  letParentGo?: (() => void) | undefined;
  /** Keeps its program from being written, as long as some process runs it. */
  program?: RunningProgram | undefined;
  /** prctl(PR_SET_NO_NEW_PRIVS) */
  noNewPrivileges: boolean;
  /** What it is sent when its parent ends (prctl(PR_SET_PDEATHSIG)); 0 for nothing. */
  deathSignal: number;
  /** Orphans among its descendants become its children (prctl(PR_SET_CHILD_SUBREAPER)). */
  subreaper: boolean;
  /** Nanoseconds (prctl(PR_SET_TIMERSLACK)); it has no effect. */
  timerSlack?: number;
  /** prctl(PR_SET_DUMPABLE) */
  dumpable: boolean;
  /** What membarrier(2) may be asked for, by the bits of the registrations; until it executes another program. */
  barriers: number;
  /** It runs another program than its parent did. */
  executed: boolean;
  /** Nanoseconds of the processor: its own, and those of children that it has waited for. */
  processorTime: bigint;
  childrenTime: bigint;
  /** Threads that have not ended, by their numbers. */
  readonly threads: Map<number, Process>;
  /** Threads that it traces (ptrace(2)), also ended ones that it has not waited for yet. */
  readonly tracees: Set<Process>;
  /** Common to processes that share their memory, until they execute a program. */
  futexes: Futexes;
  /** setitimer(2), by which; timer_create(2), by number; and those of both that are armed. */
  readonly intervalTimers: Map<number, Timer>;
  readonly posixTimers: Map<number, PosixTimer>;
  readonly timers: Set<Timer>;
}

/** A running guest program as one of its threads sees it: what system calls act on. */
export interface Process {
  readonly abi: Abi;
  /** Where it runs; its parts are at hand as `vcpu`, `memory` and `map`. */
  space: Space;
  vcpu: Cpu;
  memory: GuestMemory;
  map: MemoryMap;
  /** Descriptors, file system, working directory and umask. */
  files: FileTable;
  readonly signals: Signals;
  readonly limits: Limits;
  readonly host: Host;
  readonly credentials: Credentials;
  readonly group: ThreadGroup;
  readonly system: System;
  readonly pid: number;
  /** Number of the thread; the first one's is `pid`. */
  tid: number;
  /** Absolute guest path of the executable, and its arguments, environment and auxiliary vector at the start. */
  executable: string;
  argv: readonly string[];
  env: readonly string[];
  auxv: Uint8Array;
  /** What was loaded at the start. */
  images: readonly Image[];
  /** prctl(PR_SET_NAME), up to 15 bytes. */
  name: string;
  /** A call that a signal interrupted: the pc of its instruction, and one of the ERESTART numbers. */
  interrupted?: { readonly at: number; readonly errno: number } | undefined;
  /** The last exception that raised a signal (x86), and the address of the last page fault that did: every frame shows them. */
  lastTrap?: NonNullable<SignalInfo['trap']> & { readonly address: number };
  scheduling: Scheduling;
  /** What it may call, if not everything (seccomp(2)). */
  seccomp?: Seccomp | undefined;
  /** By whom it is traced, if it is. */
  tracing?: Tracing | undefined;
  /** The call that it was stopped before when its tracer left it, with its result if it is not to be made. */
  left?: { readonly exit: SyscallExit; readonly answer?: number | undefined } | undefined;
  /** The thread has ended, with this status. */
  exited?: number;
  /** set_tid_address(2): where to write 0 when the thread ends, and wake who waits there; 0 for nowhere. */
  clearTid: number;
  /** set_robust_list(2); 0 for none. */
  robustList: number;
  /** Lowest address of the stack, and of the gap below it that no mapping uses. */
  stack: { readonly low: number; readonly neighbourhood: number };
  /** Guest address of the page with the ABI's trampolines. */
  trampolines: number;
  /** Nanoseconds of `host.monotonic()` when the process started. */
  readonly started: bigint;
  /**
   * For a call that may block: fires when a signal is to be delivered. The call then settles soon, with
   * −ERESTARTSYS (nothing done yet, may be repeated), −EINTR, or what it has done so far.
   */
  interrupt(): AbortSignal;
  /** Tells the user once per key, with a line of text. */
  warn(key: string, text: string): void;
}
