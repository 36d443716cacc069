/**
 * What CPUID announces: exactly what the rows implement. Bits of CPUID.01H:EDX and :ECX (SDM volume 2, CPUID, tables
 * 3-10 and 3-11); CPUID.01H:EDX is also Linux's AT_HWCAP. Read by TypeScript and by AssemblyScript.
 */
export const enum Feature {
  FPU = 1 << 0,
  TSC = 1 << 4,
  CX8 = 1 << 8,
  CMOV = 1 << 15,
}

export const enum Cpuid {
  EDX = Feature.FPU | Feature.TSC | Feature.CX8 | Feature.CMOV,
  ECX = 0,
  /** Family 6, model 1, stepping 1. */
  SIGNATURE = 0x611,
}
