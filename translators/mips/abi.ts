import { Mips } from './state.ts';

export { ExcCode } from './exception-code.ts';

/** Number of a general register by its o32 name. */
export const enum Register {
  ZERO = 0,
  AT = 1,
  V0 = 2,
  V1 = 3,
  A0 = 4,
  A1 = 5,
  A2 = 6,
  A3 = 7,
  T0 = 8,
  S0 = 16,
  T8 = 24,
  T9 = 25,
  K0 = 26,
  K1 = 27,
  GP = 28,
  SP = 29,
  FP = 30,
  RA = 31,
}

/** State offset of the word that MTC1 writes. `wide`: Status.FR. */
export const fprWord = (register: number, wide: boolean): number =>
  wide ? Mips.FPR + 8 * register : Mips.FPR + 8 * (register & ~1) + 4 * (register & 1);

/** Slots of the registers that the o32 ABI and Linux name, as byte offsets in the state. */
export const ABI = {
  /** Number of the system call; its result, or the error number where `syscallError` is not zero. */
  syscallNumber: Mips.GPR + 4 * Register.V0,
  syscallResult: Mips.GPR + 4 * Register.V0,
  /** The second word of a result (pipe). */
  syscallResult2: Mips.GPR + 4 * Register.V1,
  syscallError: Mips.GPR + 4 * Register.A3,
  /** The first four; the fifth and on lie at 16($sp), 20($sp), … */
  syscallArguments: [Mips.GPR + 4 * Register.A0, Mips.GPR + 4 * Register.A1, Mips.GPR + 4 * Register.A2, Mips.GPR + 4 * Register.A3],
  syscallStackArguments: 16,
  /** Of a function, as words; the fifth and on lie at 16($sp), 20($sp), … */
  arguments: [Mips.GPR + 4 * Register.A0, Mips.GPR + 4 * Register.A1, Mips.GPR + 4 * Register.A2, Mips.GPR + 4 * Register.A3],
  result: Mips.GPR + 4 * Register.V0,
  stackPointer: Mips.GPR + 4 * Register.SP,
  framePointer: Mips.GPR + 4 * Register.FP,
  returnAddress: Mips.GPR + 4 * Register.RA,
  /** Holds a position-independent function's own address when it is called. */
  functionAddress: Mips.GPR + 4 * Register.T9,
  /** What RDHWR $29 reads; set_thread_area sets it. */
  threadPointer: Mips.USER_LOCAL,
  hi: Mips.HI,
  lo: Mips.LO,
  /** Delivering a signal must clear it, so that an interrupted LL/SC sequence starts again. */
  llbit: Mips.LLBIT,
} as const;

/** Trap codes by which compiled code reports what went wrong (Linux asm/break.h). */
export const enum TrapCode {
  Overflow = 6,
  DivideByZero = 7,
}

/**
 * The trap code of TEQ…TNE: ten bits. The immediate forms have none. An exit by Tr does not carry it: like Linux, read the
 * instruction at the exit's pc.
 */
export function trapCode(word: number): number {
  return word >>> 26 === 0 ? (word >>> 6) & 0x3ff : 0;
}

/**
 * BREAK's code from its 20-bit field, as ExitKind.Breakpoint carries it: assemblers put a code of ten bits into
 * the field's upper half.
 */
export function breakCode(field: number): number {
  return field >= 0x400 ? ((field & 0x3ff) << 10) | (field >>> 10) : field;
}

/**
 * Whether the instruction after this one is its delay slot. An exit inside a delay slot has the slot's own pc; to restart
 * it, go back to the branch, as EPC does with Cause.BD.
 */
export function hasDelaySlot(word: number): boolean {
  const opcode = word >>> 26;
  const t = (word >>> 16) & 31;
  switch (opcode) {
    case 0: // JR, JALR
      return (word & 0x3e) === 8;
    case 1: // REGIMM: BLTZ BGEZ BLTZL BGEZL and the same with AL
      return (t & 0xc) === 0;
    case 0x11: // BC1
      return ((word >>> 21) & 31) === 8;
    default:
      return (opcode >= 2 && opcode <= 7) || (opcode >= 0x14 && opcode <= 0x17);
  }
}
