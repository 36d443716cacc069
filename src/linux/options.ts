import type { TranslationStore } from '../cache/persistence.ts';
import type { BackgroundCompiler, Compiler } from '../vcpu/compiler.ts';
import type { Executor, MemoryModel, Vcpu, VcpuOptions, VcpuStats } from '../vcpu/vcpu.ts';
import type { AbiName } from './abi.ts';
import type { OnSyscall, Trace } from './dispatch.ts';
import type { Output, Stdin } from './fs/stdio.ts';
import type { MountPoint } from './fs/tree.ts';
import type { FileSystem } from './fs/vfs.ts';
import type { CodeHook, SyscallHook } from './hooks.ts';
import type { Host } from './host.ts';
import type { Network } from './net/outside.ts';
import type { Process } from './process.ts';
import type { Profile } from './profile.ts';
import type { FaultReport } from './report.ts';
import type { SignalName } from './signals.ts';

export interface ProgramOptions {
  /** build/runtime.wasm: its bytes, or compiled. */
  readonly runtime: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  /** A memory for it that was made before and is not used. Default: it makes one, which has engines collect garbage. */
  readonly reserved?: WebAssembly.Memory;
  /** Arguments, the program's name first. Default: `path` alone. */
  readonly argv?: readonly string[];
  /** Environment as NAME=value. Default: empty. */
  readonly env?: readonly string[];
  /** Absolute guest path of the executable, as /proc/self/exe shows it. Default: /program. */
  readonly path?: string;
  /** What the guest sees as `/`. Default: an empty file system in memory. */
  readonly root?: FileSystem;
  /** File systems mounted over it. */
  readonly mounts?: readonly MountPoint[];
  /** Whether /tmp is in memory. Default: if there is no root. */
  readonly memoryTmp?: boolean;
  /** Working directory, absolute. Default: /. */
  readonly cwd?: string;
  /** Default: at its end at once. */
  readonly stdin?: Stdin;
  /** Default: what is written is thrown away. */
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Bytes that all processes together may map. Default: 1 GiB. */
  readonly memoryLimit?: number;
  /** Processes that may run at a time. Default: 64. */
  readonly processLimit?: number;
  /** Milliseconds that processes which the program leaves behind may go on for after its end. Default: 1000. */
  readonly linger?: number;
  /** Bytes of stack. Default: 8 MiB. */
  readonly stackSize?: number;
  /** Milliseconds after which it is killed. */
  readonly timeout?: number;
  /** Guest instructions after which it is killed. */
  readonly maxInstructions?: number;
  /** Default: tiered. */
  readonly executor?: Executor;
  /** With `translate`: interpreted until it first reaches this address, as that of `main` behind a C library's start-up code. */
  readonly translateFrom?: number;
  /** With `translate`: interpreted again once it reaches this address, as that of `exit`, which ends the program. */
  readonly translateUntil?: number;
  /** 64: the x87 computes in double precision, fast but not as a processor does; see README. Default: 80. */
  readonly x87?: 64 | 80;
  /** Default: direct, until the program handles SIGSEGV or SIGBUS. */
  readonly memoryModel?: MemoryModel;
  /** Arrivals at a loop header or function after which it is translated. Without it, once interpreting it has cost as much as compiling. */
  readonly hotThreshold?: number;
  /** Bytes of the host's stack that nested guest calls may take. */
  readonly stackBytes?: number;
  /** Makes all that is random to the guest follow from this number. */
  readonly seed?: number;
  /** User and group of the program. Default: 0. */
  readonly uid?: number;
  readonly gid?: number;
  readonly hostname?: string;
  /** A line for the user, once for each kind: a system call that is not implemented, and the like. */
  readonly onWarning?: (text: string) => void;
  /** The first process was stopped by SIGTSTP; `Program.stop('SIGCONT')` lets it go on. */
  readonly onStop?: () => void;
  /** After the program's end, before `run` resolves. */
  readonly onExit?: (status: ExitStatus) => void;
  /** After each system call. */
  readonly onSyscall?: OnSyscall;
  /** Takes a line for each system call after it: the thread, the call as strace(1) shows it (flags are numbers), and its result. */
  readonly trace?: Trace;
  /** What its sockets reach beyond itself, as `makeHostNetwork` makes it. Default: nothing; only its own processes reach each other. */
  readonly network?: Network;
  /** Time, randomness and sleep. Default: those of the JavaScript host. */
  readonly host?: Host;
  /** Starts the Wasm back end on another thread, so that the guest never waits for it. Without it, it runs on this one. */
  readonly startCompiler?: () => BackgroundCompiler;
  /** The Wasm back end. Default: a dynamic import of it. */
  readonly loadCompiler?: () => Promise<Compiler>;
  /** What `Program.snapshot` gave: it goes on from there, with the same file, root and mounts; argv, env, cwd, uid and gid are those that it had. */
  readonly restore?: Uint8Array;
  /** Called before the compiler is loaded, or a module of translated code is made: the engine may be told how to compile those. */
  readonly beforeModules?: () => void;
  /** Where translations are kept from run to run. What goes wrong with it is of no account. */
  readonly translations?: TranslationStore;
  /** Looks about every so many guest instructions where the program is; see Program.profile. */
  readonly profileEvery?: number;
  /** Makes the virtual processor of each process, for one that checks itself. Default: a Vcpu. */
  readonly makeVcpu?: (options: VcpuOptions) => Vcpu;
}

/** How a program ended. */
export type ExitStatus =
  /** By itself; `code` is 0…255. */
  | { readonly code: number }
  /** By a signal, or because it was stopped from outside (`reason`). */
  | {
      readonly signal: number;
      readonly name: string;
      readonly core: boolean;
      readonly reason: 'signal' | 'timeout' | 'instructions';
      /** What the instruction did, if one was the cause. */
      readonly report?: FaultReport;
    };

/** A shell's exit code for it: the program's own, or 128 + signal. To waitpid(2), MIPS's signal 128 is an exit with 0. */
export function exitCode(status: ExitStatus): number {
  return 'code' in status ? status.code : (128 + status.signal) & 0xff;
}

export interface ProgramStats extends VcpuStats {
  /** System calls, by name. */
  readonly syscalls: Readonly<Record<string, number>>;
  /** Milliseconds from the start to now or the end. */
  readonly time: number;
  /** Milliseconds of it spent waiting in system calls. */
  readonly waiting: number;
  /** Bytes of guest memory that all processes map now, and did at most. */
  readonly memory: number;
  readonly peakMemory: number;
}

/** A loaded program, with the processes that it makes. */
export interface Program {
  readonly abi: AbiName;
  /** Runs it to its end. Resolves once all output has reached the embedder. Called once. */
  run(): Promise<ExitStatus>;
  /**
   * Has `handler` called before an instruction is executed, in any process: at an address, or at a function's first instruction:
   * `function` in whatever file defines it, `file:function` or `file:0x1234` (an address as in the file) in that one alone, by its name or
   * its path as /proc/self/maps has it. Code that is not hooked runs as fast as before. What this gives removes it. Not called: for the instruction in a branch's
   * delay slot (MIPS), and for implementations that the C library chooses among (IFUNC: strlen on i386). Throws RangeError on what is no place.
   */
  hook(where: number | string, handler: CodeHook): () => void;
  /** Has `handler` called before a system call of this name is made, in any process. What this gives removes it. Throws RangeError if there is no such call. */
  hookSyscall(name: string, handler: SyscallHook): () => void;
  /**
   * Its state, for `restore` of another run: memory, registers, signals, files by their paths, and what is in file systems in memory. Files of
   * the host are not in it. It stands still until `goesOn` has settled, and ends there (SIGKILL) if that gives false. One that waits in a call
   * makes it again when restored: a sleep begins anew. Rejects with SnapshotError, and the program goes on, where there is more than one
   * process or thread, or what cannot be opened again: a pipe, a socket, a removed file, a lock, a timer.
   */
  snapshot(goesOn?: (snapshot: Uint8Array) => boolean | Promise<boolean>): Promise<Uint8Array>;
  /** Sends it a signal, as kill(1) does. */
  stop(signal?: SignalName): void;
  readonly stats: ProgramStats;
  /** Where it has spent its instructions so far, with `profileEvery`; other processes, and a program that it executes, do not count. */
  profile(): Profile | undefined;
  /** The first one. */
  readonly process: Process;
}
