/**
 * Byte offsets of MIPS32 state from Layout.STATE. Read by TypeScript and by AssemblyScript. Every integer is a 32-bit
 * little-endian word (the host's order, whatever the guest's memory order is).
 */
export const enum Mips {
  /** $0…$31, four bytes each; $0 is never read or written. */
  GPR = 0,
  HI = 128,
  LO = 132,
  FCSR = 136,
  /** 1 while a load-linked reservation stands. */
  LLBIT = 140,
  LLADDR = 144,
  /** CP0 UserLocal, what RDHWR $29 reads: the thread pointer. */
  USER_LOCAL = 148,
  /** 1 when Status.FR is set. */
  FR = 152,
  /**
   * FPU registers. FR=0: 32 words of 4 bytes, a double is an even/odd pair (low word first). FR=1: 32 of 8 bytes.
   */
  FPR = 160,
  SIZE = 416,
}
