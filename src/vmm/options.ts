import type { TranslationStore } from '../cache/persistence.ts';
import type { Clock, Device, InterruptLine, Memory, Stateful } from '../devices/device.ts';
import type { Disk } from '../devices/virtio/block.ts';
import type { VirtioDevice } from '../devices/virtio/device.ts';
import type { NetPort } from '../devices/virtio/net.ts';
import type { FileSystem } from '../linux/fs/vfs.ts';
import type { Host } from '../linux/host.ts';
import type { Compiler } from '../vcpu/compiler.ts';
import type { Executor, VcpuStats } from '../vcpu/vcpu.ts';
import type { HookHandler } from './hooks.ts';
import type { UserHypercall } from './hypercalls.ts';
import type { MachineName } from './machines/index.ts';

export interface MachineOptions {
  readonly machine: MachineName;
  /** build/system.wasm: its bytes, or compiled. */
  readonly runtime: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  /** Bytes of RAM, a multiple of 1 MiB. Default: the snapshot's, or 128 MiB. */
  readonly memory?: number;
  /** A Linux kernel (bzImage, or ELF for MIPS) or a multiboot kernel. Without one, `firmware` starts. */
  readonly kernel?: Uint8Array;
  /**
   * Whether a bzImage that xz or gzip has packed is unpacked beforehand, and started where it is linked. Else its own code does that, which takes
   * some seconds, and may choose a place at random. Default: true.
   */
  readonly unpack?: boolean;
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
  /** What the processor finds at its reset address, SeaBIOS say. Its size is a multiple of 64 KiB. */
  readonly firmware?: Uint8Array;
  /** A snapshot to go on from, instead of starting anything. The options must give the machine that it was made of. */
  readonly snapshot?: Uint8Array;
  /** Disks, which the guest sees as vda, vdb, … */
  readonly drives?: readonly DriveOptions[];
  /** Shared folders, mounted with `mount -t 9p -o trans=virtio,version=9p2000.L <tag> <folder>`. */
  readonly shares?: readonly ShareOptions[];
  /** Network cards. */
  readonly network?: readonly NetworkOptions[];
  /** A console of virtio's beside the serial ports (hvc0): it has port number `VIRTIO_CONSOLE`. */
  readonly virtioConsole?: boolean;
  /** The machine asks for memory with `setBalloon`. */
  readonly balloon?: boolean;
  /** Hypercalls of one's own, made with defineHypercall. */
  readonly hypercalls?: readonly UserHypercall[];
  /** As Machine.hook, from the first instruction on. */
  readonly hooks?: Readonly<Record<string, HookHandler>>;
  /** Devices of one's own. */
  readonly devices?: (context: DeviceContext) => readonly OwnDevice[];
  readonly executor?: Executor;
  /**
   * Host: guest time is the host's, but stands still while code is translated, which a guest that idles makes up for; it is a second behind at most.
   * Virtual: time follows from the instructions, so that runs repeat. Default: host.
   */
  readonly clock?: 'host' | 'virtual';
  /** Milliseconds since 1970 at the start, for the virtual clock. */
  readonly date?: number;
  /** What a reset of the guest's does: end the machine (the default), or start it anew. */
  readonly onReset?: 'end' | 'restart';
  /** Time, randomness and sleep. Default: those of the JavaScript host. */
  readonly host?: Host;
  readonly loadCompiler?: () => Promise<Compiler>;
  readonly stackBytes?: number;
  /**
   * Where translations are kept for the next machine with this kernel (or firmware). Each is compared with the guest's bytes. What goes
   * wrong with it is of no account. Not for the executors interpret and translate.
   */
  readonly translations?: TranslationStore;
  /** See VcpuOptions. */
  readonly hotThreshold?: number;
}

export interface DriveOptions {
  readonly disk: Disk;
  /** What the guest finds as its serial number, at most twenty characters. */
  readonly id?: string;
}
export interface ShareOptions {
  readonly tag: string;
  readonly fileSystem: FileSystem;
}
export interface NetworkOptions {
  readonly port: NetPort;
  /** Six bytes; default 52:54:00:12:34:56 and up. */
  readonly mac?: Uint8Array;
}

/** Serial ports are 0 and up; the console of virtio's is this. */
export const VIRTIO_CONSOLE = 16;
/** The console of our own para-virtual interface. */
export const HYPERCALL_CONSOLE = 17;

/** What a device of one's own is made with. */
export interface DeviceContext {
  readonly clock: Clock;
  readonly memory: Memory;
  /** Input n of the machine's interrupt controllers (0 … 15), joined with others that are wired to it. */
  irq(input: number): InterruptLine;
}

/** A device and its place. */
export interface OwnDevice {
  readonly ports?: readonly { readonly at: number; readonly size: number; readonly device: Device }[];
  readonly memory?: readonly { readonly at: number; readonly size: number; readonly device: Device }[];
  /** On the PCI bus, with its interrupt. */
  readonly virtio?: VirtioDevice;
  /** What takes part in resets and snapshots, if it is not `virtio`. */
  readonly state?: Stateful;
}

/** How a machine ended. */
export interface MachineEnd {
  /** shutdown: the processor gave up (x86: a triple fault). stopped: from outside. */
  readonly reason: 'power-off' | 'reset' | 'shutdown' | 'stopped';
  /** Exit code: 0 after a power-off, or what a test kernel gave. */
  readonly code: number;
}

export interface MachineStats extends VcpuStats {
  /** Milliseconds of guest time, and of it idle: asleep, or made up for in place of sleep. */
  readonly time: number;
  readonly idle: number;
  /** How often each privileged or sensitive instruction was executed since the machine was switched on; by its text in listSensitive. */
  readonly sensitive: Readonly<Record<string, number>>;
}

export interface MachineEvents {
  /** Bytes that the guest sent over serial port `port`; 0 is its console. */
  console: (bytes: Uint8Array, port: number) => void;
  exit: (end: MachineEnd) => void;
  /** Something that the user ought to know, once. */
  warning: (text: string) => void;
}
