/** Cause.ExcCode (MIPS32 volume III, Cause register), what ExitKind.Exception carries. */
export const enum ExcCode {
  Int = 0,
  /** Address error on a load or instruction fetch. */
  AdEL = 4,
  AdES = 5,
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
