/**
 * Byte offsets of x86 state from Layout.STATE. Read by TypeScript and by AssemblyScript. Every integer is a 32-bit
 * little-endian word unless noted.
 */
export const enum X86 {
  EAX = 0,
  ECX = 4,
  EDX = 8,
  EBX = 12,
  ESP = 16,
  EBP = 20,
  ESI = 24,
  EDI = 28,

  // Status flags, kept in the form that instructions produce them; EFLAGS is composed when it is read.
  /** CF: 0 or 1. */
  CF = 32,
  /** ZF is set iff this word is zero. */
  ZF_RESULT = 36,
  /** SF is bit 31. */
  SF_RESULT = 40,
  /** PF is set iff the low byte has an even number of ones. */
  PF_RESULT = 44,
  /** AF is bit 4. */
  AF_RESULT = 48,
  /** OF is bit 31. */
  OF_RESULT = 52,
  /** DF: 0 or 1. */
  DF = 56,
  /** The remaining EFLAGS bits in place: TF IF IOPL NT RF VM AC VIF VIP ID. */
  OTHER_FLAGS = 60,

  // Selectors in the SDM's order.
  ES = 64,
  CS = 68,
  SS = 72,
  DS = 76,
  FS = 80,
  GS = 84,
  ES_BASE = 88,
  CS_BASE = 92,
  SS_BASE = 96,
  DS_BASE = 100,
  FS_BASE = 104,
  GS_BASE = 108,

  /**
   * What the slow path of an SSE instruction is to do, an SseCode, and the operand that is no XMM register: single precision,
   * double precision, or a vector.
   */
  SSE_CODE = 112,
  SSE_SINGLE = 116,
  SSE_DOUBLE = 120,
  SSE_VECTOR = 128,
  /** What a helper of rows/sse.ts leaves; sixteen bytes, behind System's PDPTE. */
  SSE_RESULT = 784,

  /** User mode: the first entries of the GDT, as many as UserSegment.GDT_ENTRIES, and UserSegment's selectors' among them. */
  GDT = 800,

  /** The status word's C1, in place: nearly every x87 instruction writes it, and none of these need read it. */
  FC1 = 156,
  /**
   * x87 control, status (its TOP field is kept in FTOP, C1 in FC1; ignored here) and tag words (two bits a physical register: 3
   * empty, all else not; FNSTENV tells valid, zero and special from the register).
   */
  FCW = 160,
  FSW = 164,
  FTW = 168,
  /** 0…7 */
  FTOP = 172,
  /** Last x87 instruction and operand pointers: FIP, FCS|opcode<<16, FDP, FDS. */
  FIP = 176,
  FCS = 180,
  FDP = 184,
  FDS = 188,
  /** Eight physical registers of 16 bytes: u64 significand, u16 sign and exponent. MMX registers are their significands. */
  ST = 192,
  /** Eight registers of 16 bytes. */
  XMM = 320,

  // What the slow path of SSE instructions writes, besides Layout.SLOW_RESULT: MXCSR up to SIZE.
  MXCSR = 448,
  /** What MXCSR asks for besides the result, one of Exactness; ALL where SSE_TINY. Derived: setMxcsr. */
  SSE_EXACT = 452,
  /** 1 after a result that may be denormal or too near to that (FloatLimit.GRID), while MXCSR.DE is not set; up to the block's end. */
  SSE_TINY = 456,
  /** User mode: what code is lifted for, `Mode` without SYSTEM; 0 where segments are as Linux starts a program with them. */
  MODE = 460,
  /** What a result's high word must lie below, shifted left by one, to be that of a finite number; 0 if SSE_EXACT is not 0. */
  LIMIT_S = 464,
  LIMIT_D = 468,
  /** The same of one that is no less than FloatLimit.GRID, both counted from there. */
  SPAN_S = 472,
  SPAN_D = 476,
  SIZE = 480,

  /** Where the x87 computes in double precision, behind System's: ST(0)…ST(7) as f64. */
  DOUBLES = 1184,
  DOUBLES_END = 1248,
}
