/**
 * What CPUID announces: exactly what the rows implement. Bits of CPUID.01H:EDX and :ECX (SDM volume 2, CPUID, tables
 * 3-10 and 3-11); CPUID.01H:EDX is also Linux's AT_HWCAP. Read by TypeScript and by AssemblyScript.
 */
export const enum Feature {
  FPU = 1 << 0,
  DE = 1 << 2,
  PSE = 1 << 3,
  TSC = 1 << 4,
  MSR = 1 << 5,
  PAE = 1 << 6,
  CX8 = 1 << 8,
  SEP = 1 << 11,
  PGE = 1 << 13,
  CMOV = 1 << 15,
  CLFSH = 1 << 19,
  MMX = 1 << 23,
  FXSR = 1 << 24,
  SSE = 1 << 25,
  SSE2 = 1 << 26,
}

/** Of CPUID.01H:ECX. */
export const enum FeatureC {
  SSE3 = 1 << 0,
  SSSE3 = 1 << 9,
  /** Machines only: there is a monitor, which leaf 0x4000_0000 names. */
  HYPERVISOR = 1 << 31,
}

/** Of CPUID.80000001H:EDX. */
export const enum FeatureX {
  NX = 1 << 20,
}

export const enum Cpuid {
  EDX = Feature.FPU | Feature.TSC | Feature.CX8 | Feature.CMOV | Feature.CLFSH | Feature.MMX | Feature.FXSR | Feature.SSE | Feature.SSE2,
  ECX = FeatureC.SSE3 | FeatureC.SSSE3,
  /** CLFLUSH's line of 64 bytes, in units of eight, in bits 15…8. */
  EBX = 8 << 8,
  /** Family 6, model 1, stepping 1. */
  SIGNATURE = 0x611,
  /** Of user mode: family 6, model 26, stepping 5, for which the C library has its string functions do unaligned accesses. */
  USER_SIGNATURE = 0x106a5,
}
