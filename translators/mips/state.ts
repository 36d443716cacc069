/**
 * Byte offsets of MIPS32 state from Layout.STATE. Read by TypeScript and by AssemblyScript. Every integer is a 32-bit
 * little-endian word (the host's order, whatever the guest's memory order is).
 */
export const enum Mips {
  /** $0…$31, four bytes each; $0 is never read or written. */
  GPR = 0,
  HI = 128,
  LO = 132,
  /** 1 while a load-linked reservation stands. */
  LLBIT = 136,
  LLADDR = 140,
  /** CP0 UserLocal, what RDHWR $29 reads: the thread pointer. */
  USER_LOCAL = 144,
  /** `Mode` bits, which lifting depends on. */
  MODE = 148,

  // What the slow path of floating-point instructions writes, besides Layout.SLOW_RESULT: FCSR up to FLOAT_END.
  /** FCSR without its condition codes and NAN2008 and ABS2008; Cause is not yet that of LAST. Read it with mips_cfc1. */
  FCSR = 152,
  /** What FCSR asks for besides the result, one of Exactness. Derived from FCSR. */
  EXACT = 156,
  /** Layout.FLOAT_CONTROL. */
  CONTROL = 160,
  /** What a result's high word must lie below, shifted left by one, to be that of a finite number; 0 if EXACT is not 0. */
  LIMIT_S = 164,
  LIMIT_D = 168,
  /** The same of a normal number, both counted from the least normal number's. */
  SPAN_S = 172,
  SPAN_D = 176,
  FLOAT_END = 180,

  /** The last floating-point operation, a FloatCode, and its operands: up to three single, or up to three double precision. */
  LAST = 192,
  LAST_S = 196,
  LAST_D = 208,
  /** Condition codes 0…7, a word of 0 or 1 each. */
  FCC = 232,
  /**
   * FPU registers, 32 of eight bytes. With Status.FR = 0, only even ones are there, and an odd register is the high word of
   * the one before it.
   */
  FPR = 272,
  SIZE = 528,
}

export const enum Exactness {
  /** A result that is an ordinary number may be WebAssembly's own. */
  NONE = 0,
  /** The sticky Inexact flag is not set yet: that is to be done for the first inexact result. */
  FLAG = 1,
  /** A rounding mode other than nearest, flush to zero, or a trap on Underflow or Inexact. */
  ALL = 2,
}

/** What code is lifted for. */
export const enum Mode {
  /** Status.FR: 32 registers of 64 bits. */
  FR = 1,
  /** FCSR.NAN2008 and ABS2008: NaNs as in IEEE 754-2008, ABS and NEG not arithmetic. */
  NAN2008 = 2,
  /** An access that is not naturally aligned is an address error; else the operating system makes it good. */
  ALIGNED = 4,
}
