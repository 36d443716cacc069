/** Cause.ExcCode (MIPS32 volume III, Cause register), what ExitKind.Exception carries. */
export const enum ExcCode {
  Int = 0,
  /** TLB modification. */
  Mod = 1,
  /** TLB refill or invalid, on a load or fetch, on a store. */
  TLBL = 2,
  TLBS = 3,
  /** Address error on a load or instruction fetch. */
  AdEL = 4,
  AdES = 5,
  /** Bus error on a fetch, on data. */
  IBE = 6,
  DBE = 7,
  Sys = 8,
  Bp = 9,
  /** Reserved instruction. */
  RI = 10,
  /** Coprocessor unusable. */
  CpU = 11,
  /** Arithmetic overflow. */
  Ov = 12,
  /** Trap. */
  Tr = 13,
  /** Floating point. */
  FPE = 15,
}
