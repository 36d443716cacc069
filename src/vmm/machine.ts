import { HypercallAbi } from '../../assembly/shared/hypercall.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../backend/runtime.ts';
import { storeKey } from '../cache/persistence.ts';
import type { Stateful } from '../devices/device.ts';
import type { SystemImports } from '../isa/system.ts';
import { ISAS } from '../isas.ts';
import { defaultHost } from '../linux/host.ts';
import { SnapshotError } from '../snapshot/file.ts';
import { GuestMemory } from '../vcpu/guest-memory.ts';
import { type CodeLimit, Vcpu } from '../vcpu/vcpu.ts';
import { attachDevices } from './attach.ts';
import type { Board, Wiring } from './board.ts';
import { BootError } from './boot/error.ts';
import { unpackKernel } from './boot/unpack.ts';
import { Bus } from './bus.ts';
import { makeClock } from './clock.ts';
import { type HookHandler, makeHooks } from './hooks.ts';
import { type Hypercalls, makeHypercalls } from './hypercalls.ts';
import { makeLoop } from './loop.ts';
import { MACHINES, type MachineName } from './machines/index.ts';
import {
  HYPERCALL_CONSOLE,
  type MachineEnd,
  type MachineEvents,
  type MachineOptions,
  type MachineStats,
  VIRTIO_CONSOLE,
} from './options.ts';
import { PhysicalMemory } from './physical-memory.ts';
import { applySnapshot, makeSnapshot, openSnapshot, type SnapshotParts } from './snapshot.ts';

export interface Machine {
  readonly name: MachineName;
  /** Runs until it ends or is paused; undefined if it was paused. */
  run(): Promise<MachineEnd | undefined>;
  /** Resolves when guest code and guest time stand still. */
  pause(): Promise<void>;
  /** Pauses it, if it runs, and gives its whole state. `run` goes on. */
  snapshot(): Promise<Uint8Array<ArrayBuffer>>;
  /** Pauses it, if it runs, and puts it back to a state of its own, or of a machine like it. Rejects with SnapshotError. */
  restore(snapshot: Uint8Array): Promise<void>;
  /** Ends it from outside, running or not. One that is neither run to its end nor stopped keeps the file of its translations open. */
  stop(): void;
  /** Bytes for serial port `port`, VIRTIO_CONSOLE or HYPERCALL_CONSOLE. */
  input(bytes: Uint8Array, port?: number): void;
  /** Pages of 4 KiB that the guest should give back. */
  setBalloon(pages: number): void;
  on<K extends keyof MachineEvents>(event: K, listener: MachineEvents[K]): () => void;
  /**
   * Calls `handler` each time before the guest executes an instruction that listSensitive has: by its text, or by its mnemonic for all
   * its forms. Gives what ends that. Throws RangeError if there is none of that name.
   */
  hook(name: string, handler: HookHandler): () => void;
  readonly stats: MachineStats;
  readonly vcpu: Vcpu;
  readonly board: Board;
  readonly physical: PhysicalMemory;
  /** Guest instructions and time, what has state; for snapshots. */
  readonly parts: readonly Stateful[];
  readonly end: MachineEnd | undefined;
  /** The host's end of the para-virtual interface: events and granted memory. */
  readonly hypercalls: Hypercalls | undefined;
}

const MIB = 1 << 20;
/** What a kernel that boots has been through is gone through again: made anew each time, Debian's took twice as long to half its way. */
const TRANSLATED: CodeLimit = { bytes: 128 << 20, modules: 20_000, dropped: 1500 };
/** What Linux's random number generator holds. */
const SEED_BYTES = 32;
const RESET_CODE = 3;
const SHUTDOWN_CODE = 4;

function checkOptions(options: MachineOptions, ram: number): void {
  const { most } = MACHINES[options.machine];
  if (ram % MIB || ram < 4 * MIB || ram > most)
    throw new BootError(`a ${options.machine} has 4 to ${most / MIB} MiB of memory, in whole MiB; not ${ram} bytes`);
  if (options.firmware && (options.firmware.length % 65536 || options.firmware.length === 0))
    throw new BootError(`firmware of ${options.firmware.length} bytes: not a multiple of 64 KiB`);
  if (options.kernel && options.firmware) throw new BootError('a kernel and firmware: there can be only one of them');
  if (!options.kernel && !options.firmware && !options.snapshot) throw new BootError('neither a kernel nor firmware to start');
}

/** Makes a machine and loads what it is to boot. Throws BootError on what cannot be booted. */
export async function createMachine(options: MachineOptions): Promise<Machine> {
  const definition = MACHINES[options.machine];
  if (!definition) throw new BootError(`no machine is called ${options.machine}`);
  const opened = options.snapshot && (await openSnapshot(options.snapshot));
  const ram = options.memory ?? opened?.identity.ram ?? 128 * MIB;
  checkOptions(options, ram);
  const isa = ISAS[opened ? (opened.identity.isa as keyof typeof ISAS) : definition.isaFor(options.kernel)];
  if (!isa) throw new SnapshotError(`the snapshot is of an instruction set ${opened?.identity.isa}, which is not known`);
  const { system } = isa;
  if (!system) throw new BootError(`${isa.name} has no system mode`);
  const host = options.host ?? defaultHost;
  const rom = options.firmware;
  const listeners: { [K in keyof MachineEvents]: Set<MachineEvents[K]> } = { console: new Set(), exit: new Set(), warning: new Set() };
  const warn = (text: string): void => {
    for (const listener of listeners.warning) listener(text);
  };

  const memory = new GuestMemory(Layout.FLOOR + ram + (rom?.length ?? 0), isa.endian);
  const physical = new PhysicalMemory(memory);
  const clock = makeClock(
    options.clock === 'virtual'
      ? { kind: 'virtual', nanosecondsPerInstruction: 1, date: options.date ?? 0 }
      : {
          kind: 'host',
          monotonic: () => Number(host.monotonic()),
          date: () => Number(host.now() / 1_000_000n),
          away: () => vcpu.stats.engineTime * 1e6,
        },
  );
  const memoryBus = new Bus('physical address', warn, 12);
  const portBus = new Bus('port', warn, 0);
  /** The hypercall that the guest waits for. */
  let waiting: Promise<void> | undefined;
  const imports: SystemImports = {
    busRead: (at, bytes) => memoryBus.read(at, bytes),
    busWrite: (at, bytes, value) => memoryBus.write(at, bytes, value),
    portRead: (port, bytes) => portBus.read(port & 0xffff, bytes),
    portWrite: (port, bytes, value) => portBus.write(port & 0xffff, bytes, value),
    hypercall() {
      waiting = hypercalls?.dispatch(vcpu);
      return Number(waiting !== undefined);
    },
    now: () => clock.now(),
    rest: (nanoseconds) => loop.rest(nanoseconds),
    msrWritten: (register, value, tscOffset) => board.paravirtual?.msrWritten(register >>> 0, value >>> 0, tscOffset),
  };
  const runtime = createRuntime(options.runtime, memory, imports);
  const unpacked = options.kernel && options.unpack !== false ? await unpackKernel(options.kernel, ram, runtime) : undefined;
  const vcpu = new Vcpu({
    isa,
    memory,
    runtime,
    executor: options.executor ?? 'tiered',
    memoryModel: 'paged',
    ...(options.executor === 'translate' && { codeLimit: TRANSLATED }),
    loadCompiler: options.loadCompiler ?? (() => import('../backend/wasm/compile.ts')),
    exactBudget: options.clock === 'virtual',
    ...(options.stackBytes !== undefined && { stackBytes: options.stackBytes }),
    ...(options.hotThreshold !== undefined && { hotThreshold: options.hotThreshold }),
  });

  physical.listener = {
    written: (address, length) => vcpu.invalidatePhysical(address, length),
    remapped: () => vcpu.remapped(),
  };

  let running: Promise<MachineEnd | undefined> | undefined;
  let end: MachineEnd | undefined;
  let wantsReset = false;
  let wantsPause = false;
  const finish = (reason: MachineEnd['reason'], code: number): void => {
    if (end) return;
    end = { reason, code };
    if (running) loop.stop();
  };
  const consoles = new ConsoleBuffers((bytes, port) => {
    for (const listener of listeners.console) listener(bytes, port);
  });
  const wiring: Wiring = {
    clock,
    ram,
    bigEndian: isa.endian === 'big',
    rom,
    memory: physical,
    ramIndex: Layout.WINDOW,
    romIndex: Layout.WINDOW + ram,
    memoryBus,
    portBus,
    processor: (input) => (level) => {
      system.setInterrupt(vcpu, input, level);
      if (level) loop.wake();
    },
    transmit: (port, byte) => consoles.add(port, byte),
    reset: () => {
      wantsReset = true;
      loop.stop();
    },
    powerOff: (code) => finish('power-off', code),
  };
  const board = definition.make(wiring);
  const loop = makeLoop({
    vcpu,
    system,
    clock,
    acknowledge: () => board.acknowledge(),
    elapsed: () => performance.now(),
    turn: () => {
      consoles.flush();
      return host.turn();
    },
    sleep: (milliseconds, signal) => {
      consoles.flush();
      return host.sleep(milliseconds, signal);
    },
    pause: host.pause,
    hypercall: () => waiting,
    hooked: (exit) => hooks.handle(exit),
    coprocessorError: () => board.coprocessorError?.(),
    abandoned: () => end?.reason === 'stopped',
    shutdown: () => {
      // not before the reset that it has asked for just now
      if (!wantsReset) finish('shutdown', SHUTDOWN_CODE);
    },
  });
  let typed: Uint8Array = new Uint8Array(0);
  const offsets = new Map(isa.registers.map(({ name, offset }) => [name, offset]));
  const hypercalls =
    system.hypercall &&
    makeHypercalls({
      registers: system.hypercall,
      offset: (name) => offsets.get(name)!,
      bigEndian: isa.endian === 'big',
      memory: physical,
      user: options.hypercalls ?? [],
      others: board.paravirtual,
      disks: (options.drives ?? []).map(({ disk }) => disk),
      interrupt: board.irq(HypercallAbi.EVENT_INTERRUPT),
      write: (byte) => consoles.add(HYPERCALL_CONSOLE, byte),
      read(most) {
        const bytes = typed.slice(0, most);
        typed = typed.slice(bytes.length);
        return bytes;
      },
      async turn() {
        consoles.flush();
        await host.turn();
      },
    });
  const hooks = makeHooks(vcpu, isa, physical);
  for (const [name, handler] of Object.entries(options.hooks ?? {})) hooks.add(name, handler);

  for (const entry of board.memory) {
    if ('ram' in entry) physical.map(entry.at, entry.size, wiring.ramIndex + entry.ram, true);
    else if ('rom' in entry) physical.map(entry.at, entry.size, wiring.romIndex + entry.rom, false);
    else memoryBus.map(entry);
  }
  for (const range of board.ports) portBus.map(range);
  const attached = attachDevices(board, wiring, options, host, warn);
  const parts = [...board.parts, ...attached.parts, ...(hypercalls ? [hypercalls] : [])];

  function powerOn(vmlinux: Uint8Array | undefined): void {
    if (rom) memory.bytes.set(rom, wiring.romIndex);
    for (const part of parts) part.reset?.();
    system!.reset(vcpu);
    loop.halted = false;
    if (!options.kernel) return;
    board.firmware();
    // with virtual time, runs repeat
    const seed = options.clock === 'virtual' ? undefined : new Uint8Array(SEED_BYTES);
    if (seed) host.random(seed);
    const entry = definition.load(physical, {
      kernel: options.kernel,
      unpacked: vmlinux,
      initrd: options.initrd,
      commandLine: options.commandLine ?? '',
      ram,
      seed,
    });
    const registers = Object.fromEntries(Object.entries(entry.registers).filter(([name]) => offsets.has(name)));
    system!.enterKernel(vcpu, entry.pc, registers);
  }
  powerOn(unpacked);
  const restarts = options.onReset === 'restart';
  // its place is µops' from now on
  const again = restarts ? unpacked?.slice() : undefined;
  const snapshotParts: SnapshotParts = {
    identity: { machine: options.machine, isa: isa.name, ram },
    isa,
    bytes: memory.bytes,
    ramIndex: wiring.ramIndex,
    clock,
    parts,
    loop,
    restored: () => vcpu.remapped(),
  };
  if (opened) applySnapshot(opened, snapshotParts);

  // nothing fails any more: what is kept may be a file that is open
  const { translations } = options;
  const program = options.kernel ?? rom;
  const translationsKey = program && `${storeKey(program)}-${options.machine}`;
  const kept = translationsKey ? await translations?.load(translationsKey).catch(() => undefined) : undefined;
  if (translations && translationsKey) vcpu.persist(kept);
  const close = (): void => {
    if (kept && 'read' in kept) kept.close?.();
  };

  async function runLoop(): Promise<MachineEnd | undefined> {
    await vcpu.prepare();
    clock.start();
    try {
      for (;;) {
        await loop.run();
        consoles.flush();
        if (!wantsReset || end) break;
        wantsReset = false;
        if (!restarts) {
          finish('reset', RESET_CODE);
          break;
        }
        memory.bytes.fill(0, wiring.ramIndex, wiring.ramIndex + ram);
        vcpu.invalidate(0, 0x1_0000_0000);
        powerOn(again);
        if (wantsPause) break;
      }
    } finally {
      clock.stop();
      // a listener may have stopped it once more
      loop.stopped = false;
      wantsPause = false;
      running = undefined;
    }
    return end && conclude(end);
  }
  async function concludeOnce(how: MachineEnd): Promise<MachineEnd> {
    const learnt = translations && vcpu.translations();
    if (learnt && translationsKey) await translations.save(translationsKey, learnt).catch(() => undefined);
    close();
    for (const listener of listeners.exit) listener(how);
    return how;
  }
  /** It has ended: what it learnt is kept, and who listens is told. */
  let concluding: Promise<MachineEnd> | undefined;
  function conclude(how: MachineEnd): Promise<MachineEnd> {
    concluding ??= concludeOnce(how);
    return concluding;
  }

  async function pause(): Promise<void> {
    if (running) {
      wantsPause = true;
      loop.stop();
    }
    await running;
    await attached.settled();
  }

  return {
    name: options.machine,
    vcpu,
    board,
    physical,
    hypercalls,
    parts,
    get end() {
      return end;
    },
    run() {
      if (end) return concluding ?? Promise.resolve(end);
      running ??= runLoop();
      return running;
    },
    pause,
    async snapshot() {
      await pause();
      return makeSnapshot(snapshotParts);
    },
    async restore(bytes) {
      await pause();
      await concluding;
      applySnapshot(await openSnapshot(bytes), snapshotParts);
      end = concluding = undefined;
      wantsReset = false;
    },
    stop() {
      finish('stopped', 0);
      if (!running && end) void conclude(end);
    },
    input(bytes, port = 0) {
      if (port === HYPERCALL_CONSOLE) typed = Uint8Array.from([...typed, ...bytes]);
      else if (port === VIRTIO_CONSOLE) attached.consoleInput(bytes);
      else board.uarts[port]?.receive(bytes);
      loop.wake();
    },
    setBalloon(pages) {
      attached.setBalloon(pages);
      loop.wake();
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    hook: (name, handler) => hooks.add(name, handler),
    get stats() {
      const counts = system.counts?.(vcpu) ?? [];
      const sensitive = Object.fromEntries((system.sensitive ?? []).map(({ number, text }) => [text, counts[number]]));
      return { ...vcpu.stats, time: clock.now() / 1e6, idle: loop.idle, sensitive };
    },
  };
}

/** Gathers what the guest sends byte by byte, up to the host's next turn. */
class ConsoleBuffers {
  private readonly ports: { bytes: Uint8Array; length: number }[] = [];
  constructor(private readonly out: (bytes: Uint8Array, port: number) => void) {}
  add(port: number, byte: number): void {
    this.ports[port] ??= { bytes: new Uint8Array(4096), length: 0 };
    const gathered = this.ports[port];
    if (gathered.length === gathered.bytes.length) {
      const { bytes } = gathered;
      gathered.bytes = new Uint8Array(2 * bytes.length);
      gathered.bytes.set(bytes);
    }
    gathered.bytes[gathered.length++] = byte;
  }
  flush(): void {
    this.ports.forEach((gathered, port) => {
      if (gathered.length === 0) return;
      const bytes = gathered.bytes.slice(0, gathered.length);
      gathered.length = 0;
      this.out(bytes, port);
    });
  }
}
