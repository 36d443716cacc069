import type { Isa } from '../isa/isa.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { FileAbi } from './calls/file-abi.ts';
import type { SocketAbi } from './calls/socket-abi.ts';
import type { ElfFile } from './elf.ts';
import type { ReadableFile } from './elf-symbols.ts';
import type { Process } from './process.ts';
import type { Action, ActionFlags, SignalName } from './signals.ts';
import type { SyscallRow } from './syscall.ts';
import type { TraceAbi } from './trace-abi.ts';

/** A file's status as the personality carries it; each ABI lays it out in the guest's structures. Times are nanoseconds since 1970. */
export interface FileStatus {
  readonly device: number;
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevice: number;
  readonly size: number;
  readonly blockSize: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

/** Flags of open(2) and the like whose numbers differ between ABIs. */
export interface OpenFlags {
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_NOCTTY: number;
  readonly O_TRUNC: number;
  readonly O_APPEND: number;
  readonly O_NONBLOCK: number;
  readonly O_DSYNC: number;
  readonly O_SYNC: number;
  readonly O_DIRECT: number;
  readonly O_LARGEFILE: number;
  readonly O_DIRECTORY: number;
  readonly O_NOFOLLOW: number;
  readonly O_ASYNC: number;
  readonly O_NOATIME: number;
  readonly O_CLOEXEC: number;
  readonly O_PATH: number;
  readonly O_TMPFILE: number;
}

export interface MmapFlags {
  readonly MAP_SHARED: number;
  readonly MAP_PRIVATE: number;
  readonly MAP_FIXED: number;
  readonly MAP_ANONYMOUS: number;
  readonly MAP_LOCKED: number;
  readonly MAP_FIXED_NOREPLACE: number;
  readonly MAP_GROWSDOWN: number;
}

/** Why a signal is raised for a fault, as siginfo tells it. */
export interface SignalInfo {
  readonly code: number;
  /** si_addr of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP. */
  readonly address?: number;
  /** si_pid, si_uid of kill and the like. */
  readonly pid?: number;
  readonly uid?: number;
  /** What the processor said of a fault, where the frame shows it (x86's vector and error code). */
  readonly trap?: { readonly number: number; readonly error: number };
  /** si_call_addr, si_syscall, si_arch and si_errno of SIGSYS. */
  readonly call?: { readonly pc: number; readonly number: number; readonly architecture: number; readonly data: number };
  /** si_band and si_fd of what F_SETSIG asks for. */
  readonly file?: { readonly band: number; readonly fd: number };
  /** si_value of sigqueue and timers. */
  readonly value?: number;
}

export type AbiName = 'mips' | 'mipsel' | 'i386';

/** What a Linux ABI adds to the common personality. One object for each of mips, mipsel and i386. */
export interface Abi extends FileAbi {
  readonly name: AbiName;
  readonly isa: Isa;
  /** The same with an x87 that computes in double precision (ProgramOptions.x87). */
  readonly double?: Isa;
  /** utsname.machine and AT_PLATFORM. */
  readonly machine: string;
  readonly platform: string;
  readonly hwcap: number;
  readonly hwcap2: number;
  /** Exclusive top of user addresses, and where the stack starts below it. */
  readonly top: number;
  readonly stackTop: number;
  /** Where mappings without a hint end. */
  readonly mapBase: number;
  /** Where position-independent executables are loaded. */
  readonly pieBase: number;
  /** 64-bit arguments start at an even argument. */
  readonly alignedPairs: boolean;
  readonly table: readonly SyscallRow[];
  /** All calls that Linux has, by name. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Number of syscall(2), whose first argument is the number of the call. */
  readonly indirect?: number;
  /** A generic error number in the guest's numbering. */
  errno(generic: number): number;
  readonly mmap: MmapFlags;
  readonly sockets: SocketAbi;
  /** struct shmid64_ds: its bytes, and where shm_cpid is in it, and the times of attaching, detaching and change. */
  readonly segments: { readonly bytes: number; readonly creatorAt: number; readonly times: readonly [number, number, number] };
  /** struct semid64_ds: its bytes, and where sem_nsems is in it, and the times of operation and change. */
  readonly semaphores: { readonly bytes: number; readonly countAt: number; readonly times: readonly [number, number] };
  readonly signals: Readonly<Record<SignalName, number>>;
  /** The highest signal (_NSIG): 64 or 128. */
  readonly signalCount: number;

  // Registers.
  syscallNumber(p: Process): number;
  /** Eight unsigned words. */
  syscallArguments(p: Process): number[];
  /** Stores a result or −errno (generic) where the guest expects it. */
  setSyscallResult(p: Process, result: number): void;
  /** pipe(2) returns its descriptors in registers on MIPS; true if it took them. */
  setPipeResult?(p: Process, read: number, write: number): boolean;
  /** clone(2)'s argument `tls`; throws SyscallError if it is none. */
  setThreadPointer(p: Process, tls: number): void;
  /** Offset of a word of the state that a switch to another thread or process clears (MIPS: the reservation of LL). */
  readonly reservation?: number;
  stackPointer(p: Process): number;
  setStackPointer(p: Process, address: number): void;
  /** At a function's first instruction: the n-th word of its arguments, and its return with one word as result. Throw GuestMemoryFault. */
  functionArgument(p: Process, n: number): number;
  returnFrom(p: Process, result: number): void;
  /** Where execution starts again after a fault at `pc` (a branch, if that is its delay slot). */
  faultPc(p: Process, pc: number): number;
  /** Sets the registers a new program finds; the rest is zero. Throws ElfError if no mode of the processor runs it. */
  startRegisters(p: Process, pc: number, stackPointer: number, elf: ElfFile, interpreter: ElfFile | undefined): void;
  /** Code of a file is mapped while the program runs: its bytes in memory, and the file. */
  mapsCode?(p: Process, code: Uint8Array, file: ReadableFile): void;
  // Signals.
  readonly actionFlags: ActionFlags;
  /** sigprocmask's `how`. */
  readonly maskHow: { readonly SIG_BLOCK: number; readonly SIG_UNBLOCK: number; readonly SIG_SETMASK: number };
  /** Bytes of the kernel's sigset_t. */
  readonly sigsetSize: number;
  /** Builds the frame for a handler and sets the registers to run it. Throws GuestMemoryFault where there is no room. */
  pushFrame(p: Process, delivery: Delivery): void;
  /** struct sigaction of rt_sigaction. */
  readAction(p: Process, address: number): Action;
  writeAction(p: Process, address: number, action: Action): void;
  writeSignalInfo(p: Process, address: number, signal: number, info: SignalInfo): void;
  /** What ptrace(2) shows. */
  readonly trace: TraceAbi;
  /** Offsets in stack_t. */
  readonly stackFields: { readonly start: number; readonly flags: number; readonly size: number };
  /** Machine code that returns from a handler, put on a page of its own: for sigreturn and, 16 bytes further, for rt_sigreturn. */
  readonly trampolines: Uint8Array;

  /** Where the processor is asked for it: one instruction, and the signal after it. Undefined if it is not. */
  singleStep?(p: Process): Exit | undefined;
  /** Whether this exception tells that the instruction will ask for that. */
  beginsSteps?(number: number): boolean;

  // Faults.
  /**
   * What the instruction tells of an access that cannot be done: that the operand of a load is written, too, and where that fails; or that
   * Linux says something else than it does of a page fault.
   */
  pageFault?(p: Process, exit: MemoryFault): ModifyFault | InsteadOfFault | undefined;
  /** What an exception of the ISA (Exit 'exception') means to Linux. */
  exceptionSignal(p: Process, number: number, code: number): FaultSignal;
  /** The same of a breakpoint instruction. */
  breakpointSignal(p: Process, code: number): FaultSignal;
  /** Whether Linux goes on after this instruction, which does not exist, as if it had done nothing. */
  ignores?(p: Process, pc: number): boolean;
  /** What SIGILL tells of an instruction that does not exist. */
  readonly illegal: Pick<SignalInfo, 'code' | 'trap'>;
  /** What a privileged instruction raises. */
  readonly privilegedSignal: { readonly signal: SignalName; readonly code: number };
  /** Registers as text, a few a line, for a report. */
  printRegisters(p: Process): string;
}

export type MemoryFault = Extract<Exit, { kind: 'memory-fault' }>;

/** A load's operand is written, too, which fails at this address; undefined as that of the exit. */
export interface ModifyFault {
  readonly writesTo: number | undefined;
}
export interface InsteadOfFault {
  readonly number: number;
  readonly signal: FaultSignal;
}

export interface FaultSignal {
  readonly signal: SignalName;
  /** si_code */
  readonly code: number;
  readonly text: string;
  /** The signal frame shows the pc after the instruction. */
  readonly trap?: boolean;
  /** There is no si_addr. */
  readonly withoutAddress?: boolean;
}

/** A signal on its way to a handler. */
export interface Delivery {
  readonly signal: number;
  readonly info: SignalInfo;
  readonly action: Action;
  /** What sigreturn restores. */
  readonly mask: bigint;
}
