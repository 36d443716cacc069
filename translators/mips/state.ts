/**
 * Byte offsets of MIPS32 state from Layout.STATE. Read by TypeScript and by AssemblyScript. Every integer is a 32-bit
 * little-endian word (the host's order, whatever the guest's memory order is).
 */
export const enum Mips {
  /** $0…$31, four bytes each; $0 is never read or written. */
  GPR = 0,
  /** LO and HI as one number of 64 bits, which is how instructions access them. */
  HILO = 128,
  LO = 128,
  HI = 132,
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

  // System mode: coprocessor 0 (MIPS32 volume III). Registers that no instruction needs beyond their value are not here.
  CP0 = 528,
  INDEX = 528,
  ENTRYLO0 = 532,
  ENTRYLO1 = 536,
  CONTEXT = 540,
  PAGEMASK = 544,
  WIRED = 548,
  HWRENA = 552,
  BADVADDR = 556,
  ENTRYHI = 560,
  COMPARE = 564,
  STATUS = 568,
  CAUSE = 572,
  EPC = 576,
  EBASE = 580,
  CONFIG = 584,
  ERROREPC = 588,
  TAGLO = 592,
  DATALO = 596,
  /** What Count was when it was written (or stopped), and guest time then: f64 nanoseconds. */
  COUNT = 600,
  /** State of the generator that Random comes from. */
  RANDOM = 604,
  COUNT_SINCE = 608,
  /** Guest time at which Count next equals Compare: f64 nanoseconds. */
  COMPARE_DUE = 616,
  CP0_END = 624,
  /** TLB_ENTRIES entries, see TlbEntry. */
  TLB = 624,
  /** How often each sensitive instruction was executed, by its number; sixteen words. */
  SENSITIVE_COUNTS = 1648,
  SIZE = 1712,
}

export const enum Tlb {
  ENTRIES = 64,
}
/** Words of a TLB entry, as EntryHi (without its G), PageMask, EntryLo0 and EntryLo1 hold them; G is in both or in none. */
export const enum TlbEntry {
  HI = 0,
  MASK = 4,
  LO0 = 8,
  LO1 = 12,
  SIZE = 16,
}

export const enum Status {
  IE = 1,
  EXL = 2,
  ERL = 4,
  KSU_SHIFT = 3,
  IM = 0xff00,
  BEV = 1 << 22,
  FR = 1 << 26,
  CU0 = 1 << 28,
  CU1 = 1 << 29,
  /** IE EXL ERL KSU IM BEV RE(not) FR CU0 CU1. */
  WRITABLE = 0x3440ff1f,
}
export const enum Cause {
  EXC_CODE = 0x7c,
  IP0 = 1 << 8,
  IP2 = 1 << 10,
  IP7 = 1 << 15,
  IP = 0xff00,
  IV = 1 << 23,
  DC = 1 << 27,
  CE_SHIFT = 28,
  TI = 1 << 30,
  BD = -0x80000000,
  /** IP1…IP0, IV, DC. */
  WRITABLE = 0x08800300,
}

/** What code is lifted for. */
export const enum Mode {
  /** Status.FR: 32 registers of 64 bits. */
  FR = 2,
  /** FCSR.NAN2008 and ABS2008: NaNs as in IEEE 754-2008, ABS and NEG not arithmetic. */
  NAN2008 = 4,
  /** An access that is not naturally aligned is an address error; else the operating system makes it good. */
  ALIGNED = 8,

  // System mode.
  /** User or supervisor mode: CodeMode.User. */
  USER = 1,
  SYSTEM = 16,
  /** Coprocessor 0 can be used in user mode. */
  CU0 = 32,
  /** Coprocessor 1 can be used. */
  CU1 = 64,
  /**
   * Kernel code is lifted without regard to Status.CU1 and FR, which are the interrupted program's. An instruction of coprocessor 1 sets
   * this bit, and with it FR and CU1, until Status is written or an exception is taken.
   */
  KERNEL_FLOAT = 128,
  SUPERVISOR = 256,
}

/** Registers of coprocessor 0 as MFC0 names them: number * 8 + select. */
export const enum Cp0 {
  INDEX = 0,
  RANDOM = 8,
  ENTRYLO0 = 16,
  ENTRYLO1 = 24,
  CONTEXT = 32,
  USERLOCAL = 34,
  PAGEMASK = 40,
  WIRED = 48,
  HWRENA = 56,
  BADVADDR = 64,
  COUNT = 72,
  ENTRYHI = 80,
  COMPARE = 88,
  STATUS = 96,
  INTCTL = 97,
  SRSCTL = 98,
  SRSMAP = 99,
  CAUSE = 104,
  EPC = 112,
  PRID = 120,
  EBASE = 121,
  CONFIG = 128,
  CONFIG1 = 129,
  CONFIG2 = 130,
  CONFIG3 = 131,
  LLADDR = 136,
  TAGLO = 224,
  DATALO = 225,
  ERROREPC = 240,
}
