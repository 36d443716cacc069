import { createRuntime, type Runtime } from '../backend/runtime.ts';
import { storeKey, type TranslationStore } from '../cache/persistence.ts';
import type { BackgroundCompiler, Compiler } from '../vcpu/compiler.ts';
import type { Exit } from '../vcpu/exit.ts';
import { type Executor, type MemoryModel, Vcpu, type VcpuOptions, type VcpuStats } from '../vcpu/vcpu.ts';
import type { Abi, AbiName } from './abi.ts';
import { RELEASE, VERSION } from './calls/misc.ts';
import { deliverSignals } from './deliver.ts';
import { makeDispatcher, type OnSyscall } from './dispatch.ts';
import { ElfError, parseElf } from './elf.ts';
import { Errno } from './errno.ts';
import { checkStack, handleFault } from './exits.ts';
import { fail } from './fs/fail.ts';
import type { FileTable } from './fs/file-table.ts';
import { processView } from './fs/process-view.ts';
import type { Output, Stdin } from './fs/stdio.ts';
import { type Files, type MountPoint, makeFiles, readWhole } from './fs/tree.ts';
import type { FileSystem } from './fs/vfs.ts';
import { Futexes } from './futexes.ts';
import { defaultHost, type Host, seededRandom } from './host.ts';
import { defaultLimits, STACK_LIMIT } from './limits.ts';
import { guestMemoryFor, loadExecutable, mapStack } from './load.ts';
import { MemoryMap } from './memory-map.ts';
import type { Process, ThreadGroup } from './process.ts';
import { type Profile, Profiler } from './profile.ts';
import { type FaultReport, makeReport } from './report.ts';
import { SiCode, type SignalName, Signals } from './signals.ts';
import { At, buildStack } from './stack.ts';
import { SyscallError } from './syscall.ts';
import { makeScheduler } from './threads.ts';

export interface ProgramOptions {
  /** build/runtime.wasm: its bytes, or compiled. */
  readonly runtime: WebAssembly.Module | Uint8Array<ArrayBuffer>;
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
  /** Bytes that the program may map. Default: 1 GiB. */
  readonly memoryLimit?: number;
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
  /** Arrivals at a loop header or function after which it is translated. Default: 3000. */
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
  /** After the program's end, before `run` resolves. */
  readonly onExit?: (status: ExitStatus) => void;
  /** After each system call. */
  readonly onSyscall?: OnSyscall;
  /** Time, randomness and sleep. Default: those of the JavaScript host. */
  readonly host?: Host;
  /** Starts the Wasm back end on another thread, so that the guest never waits for it. Without it, it runs on this one. */
  readonly startCompiler?: () => BackgroundCompiler;
  /** The Wasm back end. Default: a dynamic import of it. */
  readonly loadCompiler?: () => Promise<Compiler>;
  /** Where translations are kept from run to run. What goes wrong with it is of no account. */
  readonly translations?: TranslationStore;
  /** Looks about every so many guest instructions where the program is; see Program.profile. */
  readonly profileEvery?: number;
  /** Makes the virtual processor, for one that checks itself. Default: a Vcpu. */
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

/** A shell's exit code for it: the program's own, or 128 + signal. */
export function exitCode(status: ExitStatus): number {
  return 'code' in status ? status.code : 128 + status.signal;
}

export interface ProgramStats extends VcpuStats {
  /** System calls, by name. */
  readonly syscalls: Readonly<Record<string, number>>;
  /** Milliseconds from the start to now or the end. */
  readonly time: number;
  /** Milliseconds of it spent waiting in system calls. */
  readonly waiting: number;
  /** Bytes of guest memory mapped now, and at most. */
  readonly memory: number;
  readonly peakMemory: number;
}

/** A loaded program. */
export interface Program {
  readonly abi: AbiName;
  /** Runs it to its end. Resolves once all output has reached the embedder. Called once. */
  run(): Promise<ExitStatus>;
  /** Sends it a signal, as kill(1) does. */
  stop(signal?: SignalName): void;
  readonly stats: ProgramStats;
  /** Where it has spent its instructions so far, with `profileEvery`. */
  profile(): Profile | undefined;
  readonly process: Process;
}

const GIB = 1 << 30;
const PID = 100;
/** Aim of a stay in guest code before timers and streams have their turn. */
const SLICE_MS = 10;
/** Instructions that the interpreter completes in about the time that it takes to load the Wasm back end. */
const COMPILER_AFTER = 1_000_000;
/** For output that is under way when a signal from outside ends the program. */
const LAST_OUTPUT_MS = 100;
/** System calls and faults between looks at the clock. */
const EXITS_PER_LOOK = 8;
/**
 * With direct memory, a program can write where nothing is mapped. One that fills so much more of the host’s memory than it ever
 * mapped does that; from then on page permissions are checked.
 */
const STRAY_BYTES = 512 << 20;
const NOTHING: Stdin = { read: () => null };
const NOWHERE: Output = { write: (bytes) => bytes.length };

/** An ABI brings its instruction set's tables, so only the one that is needed is loaded. */
async function importAbi(name: AbiName): Promise<Abi> {
  return name === 'i386' ? (await import('./i386/abi.ts')).i386 : (await import('./mips/abi.ts'))[name];
}

function auxiliaryBytes(auxiliary: readonly (readonly [number, number])[], little: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer((auxiliary.length + 1) * 8));
  auxiliary.flat().forEach((word, index) => {
    view.setUint32(index * 4, word >>> 0, little);
  });
  return new Uint8Array(view.buffer);
}

/**
 * Loads a 32-bit Linux program for MIPS (o32) or i386, with its interpreter (ld.so) from `root` if it names one. Rejects
 * with ElfError if it is not such a program, or does not fit.
 */
export async function loadProgram(elfBytes: Uint8Array, options: ProgramOptions): Promise<Program> {
  const elf = parseElf(elfBytes);
  const abi = abiFor(await importAbi(elf.abi), options);
  const base = options.host ?? defaultHost;
  const host: Host = options.seed === undefined ? base : { ...base, random: seededRandom(options.seed) };
  const memory = guestMemoryFor(abi);
  const runtime = createRuntime(options.runtime, memory);
  const vcpu = makeVcpu(abi, memory, runtime, options);
  const map = new MemoryMap(memory, {
    top: abi.top,
    base: abi.mapBase,
    limit: options.memoryLimit ?? GIB,
    invalidate: (start, length) => vcpu.invalidate(start, length),
  });

  let auxv: Uint8Array = new Uint8Array(0);
  const process = { current: undefined as Process | undefined };
  const files = openFiles(
    options,
    host,
    () => process.current!,
    () => auxv,
  );
  const stackSize = Math.ceil((options.stackSize ?? STACK_LIMIT) / 65536) * 65536;
  const path = options.path ?? '/program';
  mapStack(map, abi.stackTop, stackSize, elf.executableStack);
  const loaded = loadExecutable(abi, map, elf, path, (name) => readOrUndefined(files.table, name));
  const trampolines = abi.mapBase;
  map.map({ address: trampolines, length: 4096, permission: 5, placement: 'fixed', name: '[vdso]' });
  memory.poke(trampolines, abi.trampolines);

  const p = makeProcess(abi, options, { host, vcpu, map, files: files.table, path, stackSize, trampolines });
  process.current = p;
  const { uid, gid } = p.credentials;
  const auxiliary = [...loaded.auxiliary, [At.Uid, uid], [At.Euid, uid], [At.Gid, gid], [At.Egid, gid], [At.Secure, 0]] as const;
  auxv = auxiliaryBytes(auxiliary, abi.isa.endian === 'little');
  const random = new Uint8Array(16);
  host.random(random);
  const stackPointer = buildProgramStack(p, stackSize, random, auxiliary);
  abi.startRegisters(p, loaded.entry, stackPointer, elf, loaded.interpreter?.elf);
  const images = loaded.interpreter ? [loaded.image, loaded.interpreter] : [loaded.image];
  const report: Reporter = (signal, reason, pc) => makeReport(p, images, signal, reason, pc);
  const profiler = options.profileEvery === undefined ? undefined : new Profiler(p, vcpu, images);
  if (profiler) vcpu.noteCalls();
  return makeProgram(p, vcpu, files, options, { key: storeKey(elfBytes), report, profiler });
}

const abiFor = (abi: Abi, { x87 }: ProgramOptions): Abi => (x87 === 64 && abi.double ? { ...abi, isa: abi.double } : abi);

function makeVcpu(abi: Abi, memory: ReturnType<typeof guestMemoryFor>, runtime: Runtime, options: ProgramOptions): Vcpu {
  const make = options.makeVcpu ?? ((given) => new Vcpu(given));
  return make({
    isa: abi.isa,
    memory,
    runtime,
    executor: options.executor ?? 'tiered',
    loadCompiler: options.loadCompiler ?? (() => import('../backend/wasm/compile.ts')),
    ...(options.startCompiler && { startCompiler: options.startCompiler }),
    ...(options.translateFrom !== undefined && { translateFrom: options.translateFrom }),
    ...(options.translateUntil !== undefined && { translateUntil: options.translateUntil }),
    ...(options.memoryModel && { memoryModel: options.memoryModel }),
    ...(options.hotThreshold === undefined ? { compilerAfter: COMPILER_AFTER } : { hotThreshold: options.hotThreshold }),
    ...(options.stackBytes !== undefined && { stackBytes: options.stackBytes }),
    exactBudget: options.maxInstructions !== undefined,
  });
}

function openFiles(options: ProgramOptions, host: Host, get: () => Process, auxv: () => Uint8Array): Files {
  const { root, mounts, memoryTmp, cwd, uid, gid } = options;
  return makeFiles({
    ...(root && { root }),
    ...(mounts && { mounts }),
    ...(memoryTmp !== undefined && { memoryTmp }),
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    stdin: options.stdin ?? NOTHING,
    stdout: options.stdout ?? NOWHERE,
    stderr: options.stderr ?? NOWHERE,
    random: (bytes) => host.random(bytes),
    now: () => host.now(),
    view: processView(get, {
      pid: PID,
      ppid: 1,
      release: RELEASE,
      version: VERSION,
      cpuinfo: () => `processor\t: 0\nmodel name\t: wasmvisor ${get().abi.isa.name}\n\n`,
      auxv,
    }),
  });
}

function readOrUndefined(files: FileTable, path: string): Uint8Array | undefined {
  try {
    return readWhole(files.namespace, path);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const { errno } = error;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    const why = errno === Errno.EFBIG ? 'is too large' : errno === Errno.EISDIR ? 'is a directory' : `cannot be read (${error.message})`;
    throw new ElfError(`its interpreter ${path} ${why}`);
  }
}

interface Parts {
  readonly host: Host;
  readonly vcpu: Vcpu;
  readonly map: MemoryMap;
  readonly files: FileTable;
  readonly path: string;
  readonly stackSize: number;
  readonly trampolines: number;
}

function makeProcess(abi: Abi, options: ProgramOptions, parts: Parts): Process {
  const { host, vcpu, map, files, path, stackSize, trampolines } = parts;
  const signals = new Signals(abi.signals, abi.signalCount);
  const limits = defaultLimits();
  limits.stack.soft = stackSize;
  const uid = options.uid ?? 0;
  const gid = options.gid ?? 0;
  const warned = new Set<string>();
  const group: ThreadGroup = {
    pgid: PID,
    sid: 1,
    personality: 0,
    stopped: false,
    idle: 0n,
    threads: new Map(),
    futexes: new Futexes(),
    intervalTimers: new Map(),
    posixTimers: new Map(),
    timers: new Set(),
    start: () => fail('EAGAIN'),
  };
  const p: Process = {
    abi,
    vcpu,
    memory: map.memory,
    map,
    files,
    signals,
    limits,
    host,
    group,
    credentials: { uid, euid: uid, suid: uid, gid, egid: gid, sgid: gid, groups: [gid] },
    pid: PID,
    ppid: 1,
    tid: PID,
    executable: path,
    argv: options.argv ?? [path],
    env: options.env ?? [],
    name: path.slice(path.lastIndexOf('/') + 1).slice(0, 15),
    hostname: options.hostname ?? 'wasmvisor',
    clearTid: 0,
    robustList: 0,
    stack: { low: abi.stackTop - stackSize, neighbourhood: trampolines + 4096 },
    trampolines,
    started: host.monotonic(),
    interrupt: () => signals.interrupt(),
    warn(key, text) {
      if (warned.has(key)) return;
      warned.add(key);
      options.onWarning?.(text);
    },
  };
  group.threads.set(p.tid, p);
  return p;
}

function buildProgramStack(p: Process, stackSize: number, random: Uint8Array, auxiliary: readonly (readonly [At, number])[]): number {
  const { abi, argv, env, executable } = p;
  try {
    return buildStack(p.memory, {
      top: abi.stackTop,
      limit: stackSize / 4,
      argv,
      env,
      executable,
      platform: abi.platform,
      random,
      auxiliary,
    });
  } catch (error) {
    if (error instanceof SyscallError) throw new ElfError(`arguments and environment take more than ${stackSize / 4} bytes`);
    throw error;
  }
}

type Reporter = (signal: string, reason: string, pc: number) => FaultReport;

interface Extras {
  /** In a store of translations. */
  readonly key: string;
  readonly report: Reporter;
  readonly profiler: Profiler | undefined;
}

function makeProgram(p: Process, vcpu: Vcpu, files: Files, options: ProgramOptions, { key, report, profiler }: Extras): Program {
  const { host } = p;
  const calls: Record<string, number> = {};
  let forced: 'timeout' | 'instructions' | undefined;
  let ended: bigint | undefined;
  let kill = (): void => {};
  const killed = new Promise<void>((resolve) => {
    kill = resolve;
  });
  const scheduler = makeScheduler(p, killed);
  p.group.start = scheduler.start;
  const dispatcher = makeDispatcher(p.abi, (name, args, result) => {
    calls[name] = (calls[name] ?? 0) + 1;
    options.onSyscall?.(name, args, result);
  });
  const end = (reason: 'timeout' | 'instructions'): void => {
    if (p.group.end) return;
    forced = reason;
    p.group.end = { signal: p.signals.number('SIGKILL'), core: false };
    kill();
  };
  const fromOutside = new Set<number>();
  const stop = (signal: SignalName = 'SIGTERM'): void => {
    fromOutside.add(p.signals.number(signal));
    p.signals.raise(signal, { code: SiCode.User, pid: 0, uid: 0 });
    // whatever a call waits for, this ends it
    if (signal === 'SIGKILL') {
      p.group.end ??= { signal: p.signals.number('SIGKILL'), core: false };
      kill();
    }
  };

  async function watchTime(milliseconds: number, abort: AbortSignal): Promise<void> {
    const due = host.monotonic() + BigInt(Math.round(milliseconds * 1e6));
    for (let left = milliseconds; left > 0 && !abort.aborted; left = Number(due - host.monotonic()) / 1e6) await host.sleep(left, abort);
    if (!abort.aborted) end('timeout');
  }

  let samples = 0;
  const nextSample = (): number => {
    const every = options.profileEvery!;
    return Math.max(1, every + ((samples++ * 7919) % (every / 2)) - every / 4) | 0;
  };

  /** Guest code until the program ends. Returns nothing; `p.group.end` says how. */
  async function loop(): Promise<void> {
    let slice = 200_000;
    let exitsUntilLook = EXITS_PER_LOOK;
    let turn = host.monotonic();
    const before = host.resident?.() ?? 0;
    let strays = false;
    const takeTurn = async (): Promise<void> => {
      if (!strays && host.resident && host.resident() - before > p.map.peak + STRAY_BYTES) {
        strays = true;
        vcpu.setMemoryModel('checked');
      }
      await host.turn();
      turn = host.monotonic();
      if (p.group.stopped) await untilContinued();
      if (p.group.end) return;
      scheduler.rotate();
      const { current } = scheduler;
      if (current.signals.mustDeliver && !p.group.end) deliverSignals(current);
    };
    while (!p.group.end) {
      const { current } = scheduler;
      const left = options.maxInstructions === undefined ? slice : Math.min(slice, options.maxInstructions - vcpu.retired);
      if (left <= 0) return end('instructions');
      // not always as many, so that loops do not hide between
      const stepped = current.abi.singleStep?.(current);
      const exit = stepped ?? vcpu.run(profiler ? Math.min(left, nextSample()) : left);
      if ((exit.kind === 'syscall' || exit.kind === 'budget') && checkStack(current)) continue;
      if (exit.kind === 'budget') {
        profiler?.sample();
        if ((profiler || stepped) && Number(host.monotonic() - turn) < SLICE_MS * 1e6) continue;
        slice = nextSlice(slice, Number(host.monotonic() - turn) / 1e6);
        await takeTurn();
        continue;
      }
      const waiting = exit.kind === 'syscall' ? dispatcher.dispatch(current, exit) : handleOther(current, exit);
      if (waiting) await scheduler.wait(waiting);
      else if (current.exited !== undefined) await endThread(current);
      else if (--exitsUntilLook > 0) continue;
      exitsUntilLook = EXITS_PER_LOOK;
      if (Number(host.monotonic() - turn) > SLICE_MS * 1e6 || p.group.stopped) await takeTurn();
    }
  }

  let resume = (): void => {};
  p.signals.onRaise((signal) => {
    const name = p.signals.name(signal);
    if (name !== 'SIGCONT' && name !== 'SIGKILL') return;
    p.group.stopped = false;
    resume();
  });
  async function untilContinued(): Promise<void> {
    while (p.group.stopped && !p.group.end) {
      const resumed = new Promise<void>((resolve) => {
        resume = resolve;
      });
      await Promise.race([resumed, killed]);
    }
  }

  async function endThread(thread: Process): Promise<void> {
    if (p.group.threads.size === 1) p.group.end ??= { code: (p.exited ?? thread.exited)! };
    else await scheduler.end();
  }

  function handleOther(thread: Process, exit: Exclude<Exit, { kind: 'budget' | 'syscall' }>): undefined {
    handleFault(thread, exit);
    if (thread.signals.mustDeliver && !p.group.end) deliverSignals(thread);
  }

  function status(): ExitStatus {
    const result = p.group.end!;
    if ('code' in result) return { code: result.code };
    const { signal, core } = result;
    const name = p.signals.name(signal);
    const cause = p.group.fault?.signal === signal && !forced ? p.group.fault : undefined;
    return {
      signal,
      name,
      core,
      reason: forced ?? 'signal',
      ...(cause && { report: report(name, cause.text, cause.pc) }),
    };
  }

  return {
    abi: p.abi.name,
    process: p,
    async run() {
      const { translations } = options;
      if (translations) vcpu.persist(await translations.load(key).catch(() => undefined));
      await vcpu.prepare();
      const clock = options.timeout === undefined ? undefined : new AbortController();
      if (clock) void watchTime(options.timeout!, clock.signal);
      try {
        await loop();
      } finally {
        clock?.abort();
        for (const timer of p.group.timers) timer.stop();
        vcpu.close();
        p.group.end ??= { signal: p.signals.number('SIGKILL'), core: false };
        ended = host.monotonic();
      }
      p.map.sync();
      const result = status();
      p.files.closeAll();
      const made = translations && vcpu.translations();
      if (made) await translations.save(key, made).catch(() => undefined);
      // who stops a program does not wait for one that reads its output slowly, or never
      const impatient = 'signal' in result && fromOutside.has(result.signal);
      await Promise.race([files.streams.flush(), killed, ...(impatient ? [host.sleep(LAST_OUTPUT_MS)] : [])]);
      options.onExit?.(result);
      return result;
    },
    stop,
    profile: () => profiler?.result(),
    get stats() {
      const now = ended ?? host.monotonic();
      return {
        ...vcpu.stats,
        syscalls: calls,
        time: Number(now - p.started) / 1e6,
        waiting: Number(p.group.idle) / 1e6,
        memory: p.map.used,
        peakMemory: p.map.peak,
      };
    },
  };
}

/** So many instructions that they take about SLICE_MS. */
function nextSlice(slice: number, milliseconds: number): number {
  if (milliseconds < SLICE_MS / 2) return Math.min(slice * 2, 50_000_000);
  return milliseconds > SLICE_MS * 2 ? Math.max(slice / 2, 100_000) | 0 : slice;
}
