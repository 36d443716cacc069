import type { Runtime } from '../backend/runtime.ts';
import { storeKey } from '../cache/persistence.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { GuestMemory } from '../vcpu/guest-memory.ts';
import { Vcpu } from '../vcpu/vcpu.ts';
import type { Abi, AbiName } from './abi.ts';
import { RELEASE, VERSION } from './calls/misc.ts';
import { initialCapabilities } from './capabilities.ts';
import { deliverSignals } from './deliver.ts';
import { makeDispatcher } from './dispatch.ts';
import { ElfError, type ElfFile, parseElf } from './elf.ts';
import { runProgram } from './exec.ts';
import { checkStack, handleFault } from './exits.ts';
import { makeGroup } from './fork.ts';
import { systemView } from './fs/process-view.ts';
import type { Output, Stdin } from './fs/stdio.ts';
import { singleFile } from './fs/synthetic.ts';
import { type Files, type MountPoint, makeFiles } from './fs/tree.ts';
import type { Inode } from './fs/vfs.ts';
import { Futexes } from './futexes.ts';
import { defaultHost, type Host, LONGEST_TIMER, seededRandom } from './host.ts';
import { launch, stackBytes } from './launch.ts';
import { checkProcessorTime, defaultLimits, STACK_LIMIT } from './limits.ts';
import type { ExitStatus, Program, ProgramOptions } from './options.ts';
import { NO_SCHEDULING, type Process, type ThreadGroup } from './process.ts';
import { Profiler } from './profile.ts';
import { enteredCall, tellTracer } from './ptrace.ts';
import { type FaultReport, makeReport } from './report.ts';
import { SharedTranslations } from './shared-translations.ts';
import { Cld, SiCode, type SignalName, Signals } from './signals.ts';
import type { Identity } from './snapshot.ts';
import { type Space, Spaces } from './spaces.ts';
import { canRepeat, Standstill } from './standstill.ts';
import { SyscallError } from './syscall.ts';
import { FIRST_PID, INIT, makeSystem, type System } from './system.ts';
import { anyThread, dropThread } from './threads.ts';

export { type ExitStatus, exitCode, type Program, type ProgramOptions, type ProgramStats } from './options.ts';

/** Of one program, so that a guest cannot flood the embedder with them. */
const MOST_WARNINGS = 100;
const GIB = 1 << 30;
const PROCESSES = 64;
const LINGER_MS = 1000;
/** Aim of a stay in guest code before timers and streams have their turn. */
const SLICE_MS = 10;
/** Instructions that the interpreter completes in about the time that it takes to load the Wasm back end. */
const COMPILER_AFTER = 1_000_000;
/** For output that is under way when a signal from outside ends the program. */
const LAST_OUTPUT_MS = 100;
/** System calls and faults between looks at the clock. */
const EXITS_PER_LOOK = 8;
/**
 * With direct memory, a program can write where nothing is mapped. One that fills so much more of the host’s memory than all ever
 * mapped does that; from then on page permissions are checked. The engine needs some for each process.
 */
const STRAY_BYTES = 512 << 20;
const STRAY_BYTES_EACH = 16 << 20;
/** Turns between looks at what it fills: asking the host takes up to a millisecond. */
const TURNS_PER_LOOK = 8;
const NOTHING: Stdin = { read: () => null };
const NOWHERE: Output = { write: (bytes) => bytes.length };

/** An ABI brings its instruction set's tables, so only the one that is needed is loaded. */
async function importAbi(name: AbiName): Promise<Abi> {
  return name === 'i386' ? (await import('./i386/abi.ts')).i386 : (await import('./mips/abi.ts'))[name];
}

/**
 * Loads a 32-bit Linux program for MIPS (o32) or i386, with its interpreter (ld.so) from `root` if it names one. Rejects
 * with ElfError if it is not such a program, or does not fit.
 */
export async function loadProgram(elfBytes: Uint8Array, options: ProgramOptions): Promise<Program> {
  const elf = parseElf(elfBytes);
  const abi = abiFor(await importAbi(elf.abi), options);
  const key = storeKey(elfBytes);
  const identity: Identity = { abi: abi.name, x87: (abi.double && options.x87) ?? 80, key };
  const snapshots = options.restore && (await import('./snapshot.ts'));
  const saved = snapshots && (await snapshots.openSnapshot(options.restore!, identity));
  const host = hostFor(options, saved && snapshots.savedTime(saved));
  const translations = new SharedTranslations(options.translations);
  const spaces = new Spaces({
    runtime: options.runtime,
    makeVcpu: (...parts) => makeVcpu(...parts, options),
    translations,
    memoryLimit: options.memoryLimit ?? GIB,
    reserved: options.reserved,
  });
  const run: Run = { over: false };
  const warned = new Set<string>();
  const warn = (key: string, text: string): void => {
    if (warned.has(key) || warned.size >= MOST_WARNINGS) return;
    warned.add(key);
    options.onWarning?.(text);
  };
  const system = makeSystem(host, {
    abi,
    spaces,
    translations,
    mostProcesses: options.processLimit ?? PROCESSES,
    isOver: () => run.over,
    onStop: options.onStop,
    network: options.network,
    warn,
    hostname: options.hostname ?? 'wasmvisor',
    onEnd: (group) => run.onEnd?.(group),
  });
  const files = openFiles(options, host, system);
  const space = spaces.make(abi, saved ? snapshots.savedKey(saved) : key);
  const p = makeFirst(abi, system, options, files, space, warn);
  system.begin(p);
  if (!saved) start(p, elf, options);
  else snapshots.restoreProgram(p, files.streams, elf, saved);
  const profiler = options.profileEvery === undefined ? undefined : new Profiler(p, space.vcpu, p.images);
  if (profiler) space.vcpu.noteCalls();
  return makeProgram(p, run, files, options, identity, profiler);
}

/** `since`: what the monotonic clock goes on from. */
function hostFor({ host: base = defaultHost, seed }: ProgramOptions, since: bigint | undefined): Host {
  if (seed === undefined && since === undefined) return base;
  const shift = since === undefined ? 0n : since - base.monotonic();
  return {
    ...base,
    ...(seed !== undefined && { random: seededRandom(seed) }),
    ...(since !== undefined && { monotonic: () => base.monotonic() + shift }),
  };
}

function start(p: Process, elf: ElfFile, options: ProgramOptions): void {
  const stackSize = stackBytes(options.stackSize ?? STACK_LIMIT, Number.POSITIVE_INFINITY);
  p.limits.stack.soft = stackSize;
  const path = options.path ?? '/program';
  const argv = options.argv ?? [path];
  try {
    Object.assign(p, launch(p, p.space, { elf, path, name: path, argv, env: options.env ?? [] }, stackSize));
  } catch (error) {
    if (error instanceof SyscallError) throw new ElfError(`arguments and environment take more than ${stackSize / 4} bytes`);
    throw error;
  }
  p.group.program = runProgram(p, programFile(p, path));
}

const abiFor = (abi: Abi, { x87 }: ProgramOptions): Abi => (x87 === 64 && abi.double ? { ...abi, isa: abi.double } : abi);

function makeVcpu(abi: Abi, memory: GuestMemory, runtime: Runtime, options: ProgramOptions): Vcpu {
  const make = options.makeVcpu ?? ((given) => new Vcpu(given));
  return make({
    isa: abi.isa,
    memory,
    runtime,
    executor: options.executor ?? 'tiered',
    loadCompiler: options.loadCompiler ?? (() => import('../backend/wasm/compile.ts')),
    ...(options.startCompiler && { startCompiler: options.startCompiler }),
    ...(options.beforeModules && { beforeModules: options.beforeModules }),
    ...(options.translateFrom !== undefined && { translateFrom: options.translateFrom }),
    ...(options.translateUntil !== undefined && { translateUntil: options.translateUntil }),
    ...(options.memoryModel && { memoryModel: options.memoryModel }),
    ...(options.hotThreshold === undefined ? { compilerAfter: COMPILER_AFTER } : { hotThreshold: options.hotThreshold }),
    ...(options.stackBytes !== undefined && { stackBytes: options.stackBytes }),
    exactBudget: options.maxInstructions !== undefined,
  });
}

function openFiles(options: ProgramOptions, host: Host, system: System): Files {
  const { root, mounts, memoryTmp, cwd, uid, gid } = options;
  return makeFiles({
    ...(root && { root }),
    mounts: [...resolver(options), ...(mounts ?? [])],
    ...(memoryTmp !== undefined && { memoryTmp }),
    ...(cwd !== undefined && { cwd }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    stdin: options.stdin ?? NOTHING,
    stdout: options.stdout ?? NOWHERE,
    stderr: options.stderr ?? NOWHERE,
    random: (bytes) => host.random(bytes),
    now: () => host.now(),
    view: systemView(system, RELEASE, VERSION),
    terminals: system.terminals,
  });
}

/** /etc/resolv.conf, where the network has a name server. */
function resolver({ network }: ProgramOptions): MountPoint[] {
  if (network?.nameServer === undefined) return [];
  return [{ path: '/etc/resolv.conf', fileSystem: singleFile('tmpfs', `nameserver ${network.nameServer}\n`) }];
}

/** Without its program. */
function makeFirst(abi: Abi, system: System, options: ProgramOptions, files: Files, space: Space, warn: Process['warn']): Process {
  const { host } = system;
  const signals = new Signals(abi.signals, abi.signalCount);
  const limits = defaultLimits();
  const uid = options.uid ?? 0;
  const gid = options.gid ?? 0;
  const group = makeGroup(FIRST_PID, {
    parent: undefined,
    pgid: FIRST_PID,
    sid: INIT,
    personality: 0,
    nice: 0,
    noNewPrivileges: false,
    exitSignal: 0,
    futexes: new Futexes(),
  });
  const { vcpu, memory, map } = space;
  const p: Process = {
    abi,
    space,
    vcpu,
    memory,
    map,
    files: files.table,
    signals,
    limits,
    host,
    group,
    system,
    credentials: {
      uid,
      euid: uid,
      suid: uid,
      gid,
      egid: gid,
      sgid: gid,
      fsuid: uid,
      fsgid: gid,
      groups: [gid],
      capabilities: initialCapabilities(uid),
    },
    pid: FIRST_PID,
    tid: FIRST_PID,
    executable: '',
    argv: [],
    env: [],
    auxv: new Uint8Array(0),
    images: [],
    name: '',
    scheduling: NO_SCHEDULING,
    clearTid: 0,
    robustList: 0,
    stack: { low: 0, neighbourhood: 0 },
    trampolines: 0,
    started: host.monotonic(),
    interrupt: () => signals.interrupt(),
    warn,
  };
  group.leader = p;
  group.threads.set(p.tid, p);
  return p;
}

/** The file of the first program, if the guest can see it. */
function programFile({ files }: Process, path: string): Inode | undefined {
  try {
    return files.namespace.resolve(files.cwd, path, 'follow').inode;
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/** The run of a program, as its parts see it. */
interface Run {
  over: boolean;
  onEnd?: (group: ThreadGroup) => void;
}

function makeProgram(
  p: Process,
  run: Run,
  files: Files,
  options: ProgramOptions,
  identity: Identity,
  profiler: Profiler | undefined,
): Program {
  const { host, system, group: first } = p;
  const { scheduler, spaces, translations, hooks } = system;
  const calls: Record<string, number> = {};
  let forced: 'timeout' | 'instructions' | undefined;
  let ended: bigint | undefined;
  let firstReport: FaultReport | undefined;
  const profiled = p.vcpu;
  let kill = (): void => {};
  const killed = new Promise<void>((resolve) => {
    kill = resolve;
  });
  const dispatcher = makeDispatcher(
    p.abi,
    (name, args, result) => {
      calls[name] = (calls[name] ?? 0) + 1;
      options.onSyscall?.(name, args, result);
    },
    options.trace,
  );
  const endAll = (): void => {
    run.over = true;
    scheduler.wake();
  };
  /** Whatever calls wait for, this ends it. */
  const stopAll = (): void => {
    first.end ??= { signal: p.signals.number('SIGKILL'), core: false };
    kill();
    endAll();
  };
  const end = (reason: 'timeout' | 'instructions'): void => {
    if (!first.end) forced = reason;
    stopAll();
  };
  let isRunning = false;
  /** Of the call that the current thread waits in: the pc of its instruction. */
  let callAt: number | undefined;
  const standstill = new Standstill(() => !isRunning || (callAt !== undefined && canRepeat(dispatcher.asked(scheduler.current).name)));
  async function snapshot(goesOn?: (bytes: Uint8Array) => boolean | Promise<boolean>): Promise<Uint8Array> {
    const { demandSimple, saveProgram, SnapshotError } = await import('./snapshot.ts');
    const now = () => {
      if (run.over) throw new SnapshotError('the program has ended');
      return { identity, p: anyThread(first), streams: files.streams, callAt };
    };
    demandSimple(now());
    // a call that is over has its result
    await host.turn();
    return new Promise((resolve, reject) => {
      standstill.request(async () => {
        try {
          const bytes = await saveProgram(now());
          await files.streams.flush();
          if (goesOn && !(await goesOn(bytes))) stopAll();
          resolve(bytes);
        } catch (error) {
          reject(error);
        }
      });
    });
  }
  const fromOutside = new Set<number>();
  const stop = (signal: SignalName = 'SIGTERM'): void => {
    const number = p.signals.number(signal);
    fromOutside.add(number);
    // what the terminal says is meant for those that it belongs to
    const isTyped = TYPED.has(signal);
    const all = [...system.processes.values()].filter(({ end: gone }) => !gone);
    const owners = all.filter(({ pgid }) => pgid === system.terminals.host.foreground);
    const targets = isTyped && owners.length > 0 ? owners : first.end ? all : [first];
    if (signal === 'SIGKILL') stopAll();
    else for (const { leader } of targets) leader.signals.raise(number, { code: SiCode.User, pid: 0, uid: 0 });
  };
  run.onEnd = (group) => {
    const { end: how, fault } = group;
    const isFault = how && 'signal' in how && fault?.signal === how.signal && !forced;
    const dead = anyThread(group);
    if (isFault) {
      const report = makeReport(dead, dead.images, p.signals.name(how.signal), fault.text, fault.pc);
      if (group === first) firstReport = report;
      else options.onWarning?.(`process ${group.pid} (${dead.name}): ${report.text}`);
    }
    if (!first.end) return;
    if ([...system.processes.values()].every((other) => other.end)) run.over = true;
    else if (group === first) void host.sleep(options.linger ?? LINGER_MS).then(endAll);
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

  /** Guest code until all is over. */
  async function loop(): Promise<void> {
    let slice = 200_000;
    let exitsUntilLook = EXITS_PER_LOOK;
    let turn = host.monotonic();
    const before = host.resident?.() ?? 0;
    const isStraying = (): boolean =>
      host.resident !== undefined && host.resident() - before > spaces.budget.peak + STRAY_BYTES + spaces.count * STRAY_BYTES_EACH;
    let turns = 0;
    const takeTurn = async (): Promise<void> => {
      const looks = ++turns % TURNS_PER_LOOK === 0 && scheduler.current.space.vcpu.memoryModel === 'direct';
      if (looks && isStraying()) scheduler.current.vcpu.setMemoryModel('checked');
      await host.turn();
      turn = host.monotonic();
      if (run.over || scheduler.current.group.end || scheduler.current.group.stopped) return;
      scheduler.rotate();
      const { current } = scheduler;
      if (current.signals.mustDeliver && !current.group.end) deliverSignals(current);
    };
    while (!run.over) {
      if (standstill.wanted) await standstill.pass();
      system.buryKilled();
      const { current } = scheduler;
      if (current.group.end) {
        system.bury(current.group);
        await scheduler.next();
        continue;
      }
      if (current.exited !== undefined) {
        await endThread(current);
        continue;
      }
      if (current.group.stopped || current.tracing?.stop) {
        await scheduler.pause();
        continue;
      }
      const left = options.maxInstructions === undefined ? slice : Math.min(slice, options.maxInstructions - spaces.retired);
      if (left <= 0) return end('instructions');
      const isProfiled = profiler !== undefined && current.vcpu === profiled;
      // not always as many, so that loops do not hide between
      const entered = enteredCall(current);
      const stepped = entered ? undefined : current.abi.singleStep?.(current);
      let exit = entered?.exit ?? stepped ?? current.vcpu.run(isProfiled ? Math.min(left, nextSample()) : left);
      if (exit.kind === 'hooked') {
        const met = hooks.meet(current);
        exit = (met instanceof Promise ? await Promise.race([met, killed]) : met) ?? exit;
      }
      if ((exit.kind === 'syscall' || exit.kind === 'budget') && checkStack(current)) continue;
      if (exit.kind === 'budget') {
        if (isProfiled) profiler.sample();
        if ((isProfiled || stepped) && Number(host.monotonic() - turn) < SLICE_MS * 1e6) continue;
        checkProcessorTime(current);
        slice = nextSlice(slice, Number(host.monotonic() - turn) / 1e6);
        await takeTurn();
        continue;
      }
      let answer = entered?.answer;
      if (exit.kind === 'syscall' && answer === undefined && hooks.hasSyscalls) {
        const { name, args } = dispatcher.asked(current);
        const given = hooks.answer(current, name, args);
        answer = (given instanceof Promise ? await Promise.race([given, killed]) : given) ?? undefined;
        if (run.over) return;
      }
      const waiting = exit.kind === 'syscall' ? dispatcher.dispatch(current, exit, answer) : handleOther(current, exit);
      if (waiting) {
        callAt = exit.kind === 'syscall' ? exit.at : undefined;
        await scheduler.wait(waiting);
        callAt = undefined;
      } else if (--exitsUntilLook > 0) continue;
      exitsUntilLook = EXITS_PER_LOOK;
      if (Number(host.monotonic() - turn) > SLICE_MS * 1e6) await takeTurn();
    }
  }

  async function endThread(thread: Process): Promise<void> {
    const { group } = thread;
    if (group.threads.size === 1) {
      group.end ??= { code: (group.leader.exited ?? thread.exited)! };
      return;
    }
    scheduler.forget((other) => other === thread);
    dropThread(thread);
    if (thread.tracing) tellTracer(thread, Cld.Exited, thread.exited!);
    await scheduler.next();
  }

  function handleOther(thread: Process, exit: Exclude<Exit, { kind: 'budget' | 'syscall' }>): undefined {
    handleFault(thread, exit);
    if (thread.signals.mustDeliver && !thread.group.end) deliverSignals(thread);
  }

  function status(): ExitStatus {
    const result = first.end!;
    if ('code' in result) return { code: result.code };
    const { signal, core } = result;
    return {
      signal,
      name: p.signals.name(signal),
      core,
      reason: forced ?? 'signal',
      ...(firstReport && { report: firstReport }),
    };
  }

  async function runToEnd(): Promise<ExitStatus> {
    if (options.translations) p.space.vcpu.persist(await translations.load(p.space.key));
    await p.space.vcpu.prepare();
    await system.sockets.start();
    const clock = options.timeout === undefined ? undefined : new AbortController();
    if (clock) void watchTime(options.timeout!, clock.signal);
    // a program that waits for a signal has nothing else that keeps Node from ending
    const alive = setInterval(() => {}, LONGEST_TIMER);
    isRunning = true;
    try {
      await loop();
    } finally {
      clock?.abort();
      clearInterval(alive);
      run.over = true;
      standstill.end();
      for (const group of [...system.processes.values()]) {
        group.end ??= { signal: p.signals.number('SIGKILL'), core: false };
        system.bury(group);
      }
      spaces.close();
      options.network?.close();
      ended = host.monotonic();
    }
    for (const where of hooks.unmet) options.onWarning?.(`hook ${where}: no file of the program's has that function`);
    const result = status();
    await translations.save();
    // who stops a program does not wait for one that reads its output slowly, or never
    const impatient = 'signal' in result && fromOutside.has(result.signal);
    await Promise.race([files.streams.flush(), killed, ...(impatient ? [host.sleep(LAST_OUTPUT_MS)] : [])]);
    options.onExit?.(result);
    return result;
  }

  return {
    abi: p.abi.name,
    process: p,
    run: () => runToEnd().finally(() => translations.close()),
    hook: (where, handler) => hooks.addCode(where, handler),
    hookSyscall: (name, handler) => hooks.addSyscall(name, handler),
    snapshot,
    stop,
    profile: () => profiler?.result(),
    get stats() {
      const now = ended ?? host.monotonic();
      return {
        ...spaces.stats,
        syscalls: calls,
        time: Number(now - p.started) / 1e6,
        waiting: Number(scheduler.idle) / 1e6,
        memory: spaces.budget.used,
        peakMemory: spaces.budget.peak,
      };
    },
  };
}

const TYPED: ReadonlySet<SignalName> = new Set(['SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGWINCH']);

/** So many instructions that they take about SLICE_MS. */
function nextSlice(slice: number, milliseconds: number): number {
  if (milliseconds < SLICE_MS / 2) return Math.min(slice * 2, 50_000_000);
  return milliseconds > SLICE_MS * 2 ? Math.max(slice / 2, 100_000) | 0 : slice;
}
