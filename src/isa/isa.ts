import type { Builder } from '../ir/builder.ts';
import { Type } from '../ir/ops.ts';
import type { Digit, Opened } from '../ir/template.ts';
import type { Code } from './code.ts';
import type { IsaSystem } from './system.ts';

/** A piece of guest state with a fixed place. */
export interface Register {
  readonly name: string;
  /** Bytes from Layout.STATE. */
  readonly offset: number;
  readonly type: Type;
  /**
   * An executor may keep it in a local inside a region: the lifter then accesses these bytes only as this type at
   * this offset. Helpers with `state` see it in memory.
   */
  readonly local: boolean;
  /**
   * Often written and seldom read (status flags): where a region stops because its budget is spent, it need not hold what
   * the instructions that follow overwrite before any of them reads it.
   */
  readonly transient?: boolean;
  /**
   * A word that with the next one is a register accessed as numbers of several types: both words, or either. A region may keep either in a
   * local, as the type that it mostly uses.
   */
  readonly mixed?: boolean;
  /** Written for the slow path of the same instruction (Builder.slow), which alone reads it. */
  readonly scratch?: boolean;
  /** What a debugger shows, as against internal variables (flag operands and the like). */
  readonly visible: boolean;
}

/** Registers that regions keep in locals for the guest's sake, from instruction to instruction. */
export const isLasting = ({ local, transient, scratch }: Register): boolean => local && !transient && !scratch;

/**
 * A function that the AssemblyScript runtime exports under `name` and both executors call. Allowed signatures: up to
 * three i32 parameters, or one i64 followed by up to two i32; result none, i32 or i64.
 *
 * Or a conditional helper: (i32, v128, v128) → i32, for what is rare. The function has one parameter, the i32, and is
 * called only if that is not 0, else the result is 0; it finds the vectors at Layout.VECTOR_A and VECTOR_B.
 *
 * Or the slow path of an instruction (Builder.slow): () → i32 with `range`, for what is rare. It finds all state in memory,
 * and leaves the instruction's result at Layout.SLOW_RESULT; or it returns 1, and the instruction is left with
 * ExitKind.Exception and the arguments that it has written to the header.
 */
export interface Helper {
  readonly name: string;
  readonly params: readonly Type[];
  readonly result: Type;
  /** Reads or writes guest state in memory: locals are written back before and read again after. */
  readonly state: boolean;
  /** With `state`: it touches only these bytes of it, which hold no local register. Locals then stay where they are. */
  readonly range?: readonly [from: number, to: number] | undefined;
  /** Has no effect and reads only its arguments; unused calls may go. Excludes `state`. */
  readonly pure: boolean;
}

/** See `Helper`. */
export const isConditional = (helper: Pick<Helper, 'params'>): boolean => helper.params[1] === Type.V128;

export interface Disassembly {
  readonly text: string;
  readonly length: number;
}

/** Offset of a 32-bit register of this name. Throws RangeError if there is none. */
export function registerOffset({ name: isa, registers }: Pick<Isa, 'name' | 'registers'>, name: string): number {
  const register = registers.find((candidate) => candidate.name === name && candidate.type === Type.I32);
  if (!register) throw new RangeError(`${isa} has no 32-bit register ${name}`);
  return register.offset;
}

/** Throws RangeError if a state that was not made here is none that code can meet. */
export function checkState({ bounded = [] }: Pick<Isa, 'bounded'>, state: DataView): void {
  for (const [offset, bits] of bounded) if (state.getUint32(offset, true) & ~bits) throw new RangeError('registers that cannot be');
}

/** What the engine knows of a guest instruction set. */
export interface Isa {
  /** Name on the command line: mips, mipsel, x86. */
  readonly name: string;
  /** What distinguishes it from another one of this name. */
  readonly variant?: string;
  readonly endian: 'little' | 'big';
  readonly registers: readonly Register[];
  /** Bytes of guest state. */
  readonly stateSize: number;
  readonly helpers: readonly Helper[];
  /**
   * Offset of the register that compiled programs use as stack pointer. Before a guest call, memory model `direct` checks
   * that it points to a page that can be written, so that a stack cannot grow over its end for long.
   */
  readonly stackPointer?: number;
  /**
   * Whether a store to code takes effect without a cache instruction (x86). Blocks from writable pages then check
   * their bytes each time they are entered and end after each store.
   */
  readonly coherentCode: boolean;
  /** System mode: an access that is not naturally aligned is an exception (MIPS), which the runtime finds; else it may cross pages. */
  readonly alignedAccess?: boolean;
  /** Offset of a word of state that lifting depends on. If it changes, everything is lifted anew. */
  readonly mode?: number;
  /** Bits of that word that hold for all threads of a process once they are set. */
  readonly lasting?: number;
  /** User mode: offset of a word whose value where a block begins the block may be lifted for; it leaves with ExitKind.Unexpected if it is another. */
  readonly assumed?: number;
  /** That word behind the block that was lifted last, given what it was lifted for; −1 if it is not known. */
  assumedNext?(b: Builder, assumed: number): number;
  /** Words of state that code relies on to have no other bits than these: offsets and bits. What comes from outside is to be looked at. */
  readonly bounded?: readonly (readonly [offset: number, bits: number])[];
  /** Bits of that word that single steps are lifted with. */
  readonly step?: number;
  /**
   * Lifts the instruction at `pc` (with its delay slot, where there is one) and returns the pc after it. Ends the
   * block through `b` if the instruction ends it. Must read all its bytes from `code` before it adds an op, since
   * `code` throws FetchFault where a page is not executable. An illegal instruction ends the block with ExitKind.Illegal.
   * `mode` is the value of the word at Isa.mode, or 0; `assumed` that of the word at Isa.assumed where the block begins, or −1.
   */
  lift(b: Builder, code: Code, pc: number, mode: number, assumed?: number): number;
  readonly templates?: IsaTemplates;
  /** A mode of code whose operands and addresses have 16 bits (x86). */
  readonly mode16?: number;
  /** `mode` as for `lift`. */
  disassemble(code: Code, pc: number, mode?: number): Disassembly;
  /** Sets all of the state to what a new user-mode process finds, registers zero. `state` is Layout.STATE on. */
  reset(state: DataView): void;
  /** What whole machines need; absent where only user mode is there. */
  readonly system?: IsaSystem;
}

/** How blocks are put together of instructions that were lifted once (src/ir/template.ts). */
export interface IsaTemplates {
  /**
   * Lifts the instruction at `pc` by itself, with `Builder.hole` for what its code tells that nothing is decided by, and says which
   * bits decide. `mode` is what `modeOf` gives. Undefined if it cannot be told from the code and the mode alone what it does, or how the block ends after it.
   */
  open(b: Builder, code: Code, pc: number, mode: number): Opened | undefined;
  /** A mode without what templates do not know of it. */
  modeOf(mode: number): number;
  /** What decides first. */
  readonly first: Digit;
  /** Bytes of an instruction at most. */
  readonly longest: number;
  /** Some have a delay slot, and instructions are aligned to words. */
  readonly delaySlots: boolean;
}
