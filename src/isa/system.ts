import type { Mmu } from '../../assembly/shared/layout.ts';
import type { Exit } from '../vcpu/exit.ts';

/** What makes an instruction one that a machine monitor must look after (Popek and Goldberg, CACM 17/7, 1974). */
export type SensitiveClass = 'privileged' | 'control-sensitive' | 'behaviour-sensitive';

/** A row of the published list of privileged and sensitive instructions. */
export interface SensitiveInstruction {
  /** Its place in what `counts` gives. */
  readonly number: number;
  readonly text: string;
  readonly class: SensitiveClass;
  /** How it is handled. */
  readonly handling: string;
}

/** What the AssemblyScript runtime imports, as `env`, of the machine around it. Synchronous; none of them throws or enters the vCPU. */
export interface SystemImports {
  /** A physical page without memory behind it; bytes is 1, 2 or 4. The value is that of a little-endian bus. */
  busRead(physical: number, bytes: number): number;
  busWrite(physical: number, bytes: number, value: number): void;
  /** x86 ports. */
  portRead(port: number, bytes: number): number;
  portWrite(port: number, bytes: number, value: number): void;
  /** A hypercall, see IsaSystem.hypercall. 1 if the guest waits for its result: then it leaves with exit `hypercall`. */
  hypercall(): number;
  /** Guest time in nanoseconds since the machine was switched on: what time stamp counters count. Never goes back. */
  now(): number;
  /** The guest polls the time, and would for so many nanoseconds from now on if it is not interrupted. The host may sleep meanwhile. */
  rest(nanoseconds: number): void;
  /**
   * x86: a register of KVM's (KvmMsr, by its newer number) was written; or the time stamp counter was, which is `now` plus `tscOffset`: then
   * SYSTEM_TIME with the value that it has.
   */
  msrWritten(register: number, value: number, tscOffset: bigint): void;
}

/** What an instruction set's system part does with a vCPU; the Vcpu has it. */
export interface SystemVcpu {
  pc: number;
  /** Layout.MODE: what code is lifted for. */
  mode: number;
  /** The ISA's state as bytes (little-endian words), live. */
  readonly state: DataView;
  get32(offset: number): number;
  set32(offset: number, value: number): void;
  callHelper(name: string, ...args: number[]): number;
}

/** Where a hypercall's number, arguments and result are: names as in Isa.registers. */
export interface HypercallRegisters {
  readonly number: string;
  readonly args: readonly [string, string, string, string];
  readonly result: string;
}

/** What `src/vmm` needs of an instruction set to run a whole machine. All calls come between two runs of the vCPU. */
export interface IsaSystem {
  /** Who translates addresses and delivers exceptions in the runtime (assembly/system.ts). */
  readonly mmu: Mmu;
  /** What Layout.MODE always has, as no mode of user mode. */
  readonly modeBit: number;
  readonly sensitive?: readonly SensitiveInstruction[];
  /** How often each of `sensitive` was executed since the reset. */
  counts?(cpu: SystemVcpu): readonly number[];
  readonly hypercall?: HypercallRegisters;
  /** Where the instruction at an exit's pc is executed anew, if not there (MIPS: a delay slot's branch). */
  restart?(pc: number): number;
  /** As after power-on; also the pc. */
  reset(cpu: SystemVcpu): void;
  /**
   * As a boot protocol asks, after `reset`. x86: 32-bit protected mode with flat segments, no paging, interrupts off. MIPS: kernel
   * mode as YAMON leaves it. Then pc, and registers by the names that Isa.registers has; others are zero.
   */
  enterKernel(cpu: SystemVcpu, pc: number, registers: Readonly<Record<string, number>>): void;
  /**
   * An interrupt input changes its level. x86: input 0 is INTR, 1 is NMI (its rising edge counts). MIPS: input n is
   * hardware interrupt n, Cause.IP bit n + 2. May also come from inside a run, out of busWrite and the like.
   */
  setInterrupt(cpu: SystemVcpu, input: number, level: boolean): void;
  /** Whether an interrupt would be taken before the next instruction; that also ends a halt. */
  interruptPending(cpu: SystemVcpu): boolean;
  /** Whether the next instruction comes before the interrupt that is pending (x86: after a load of SS). Asked once for each interrupt. */
  holdsInterrupt?(cpu: SystemVcpu): boolean;
  /** Takes it. `acknowledge` is the interrupt controller's answer to the acknowledge cycle: x86's vector; MIPS does not ask. */
  takeInterrupt(cpu: SystemVcpu, acknowledge: () => number): void;
  /**
   * The runtime delivers the guest's exceptions itself; this is for an exit that it did not (or that a hook looked at first).
   * Delivers what the vCPU was left with (exception, illegal, memory-fault, syscall, breakpoint, privileged). `shutdown`: it
   * cannot (x86 triple fault), and the machine does what its board does then. `coprocessor-error`: x86 with CR0.NE = 0, the board makes it an
   * interrupt, for which the processor waits.
   */
  deliver(cpu: SystemVcpu, exit: Exit): 'delivered' | 'shutdown' | 'coprocessor-error';
  /** A timer inside the processor (MIPS Count and Compare). Times as SystemImports.now. */
  readonly timer?: {
    /** Time at which it next raises its interrupt, Infinity if never. */
    next(cpu: SystemVcpu, now: number): number;
    /** Raises what is due. Called before interruptPending. */
    tick(cpu: SystemVcpu, now: number): void;
    /** Whether the times in the state are times. */
    isPossible(state: DataView): boolean;
  };
}
