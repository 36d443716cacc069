/**
 * KVM's para-virtual interface, as far as a pc has it (Linux, Documentation/virt/kvm/x86: cpuid.rst, msr.rst, hypercalls.rst). It is
 * what unmodified kernels know; our own is in hypercall.ts. Read by TypeScript and by AssemblyScript.
 */
export const enum KvmCpuid {
  SIGNATURE = 0x40000000,
  FEATURES = 0x40000001,
  /** "KVMK" "VMKV" "M", as little-endian words in ebx, ecx, edx. */
  SIGNATURE_EBX = 0x4b4d564b,
  SIGNATURE_ECX = 0x564b4d56,
  SIGNATURE_EDX = 0x0000004d,
}

/** Of CPUID leaf FEATURES, eax. No PV EOI, since there is no local APIC; nothing that concerns other processors. */
export const enum KvmFeature {
  CLOCKSOURCE = 1 << 0,
  NOP_IO_DELAY = 1 << 1,
  CLOCKSOURCE2 = 1 << 3,
  CLOCKSOURCE_STABLE = 1 << 24,
  ALL = CLOCKSOURCE | NOP_IO_DELAY | CLOCKSOURCE2 | CLOCKSOURCE_STABLE,
}

export const enum KvmMsr {
  WALL_CLOCK = 0x11,
  SYSTEM_TIME = 0x12,
  WALL_CLOCK_NEW = 0x4b564d00,
  SYSTEM_TIME_NEW = 0x4b564d01,
  /** Bit of SYSTEM_TIME: the clock is kept at the address in the others. */
  ENABLE = 1,
}

/** struct pvclock_vcpu_time_info, with the time stamp counter at one tick a nanosecond. */
export const enum Pvclock {
  /** Odd while it changes. */
  VERSION = 0,
  /** u64 */
  TSC_TIMESTAMP = 8,
  /** u64, nanoseconds */
  SYSTEM_TIME = 16,
  /** nanoseconds = ((ticks << TSC_SHIFT) * TSC_TO_SYSTEM_MUL) >> 32 */
  TSC_TO_SYSTEM_MUL = 24,
  TSC_SHIFT = 28,
  FLAGS = 29,
  SIZE = 32,
  MUL = -0x80000000,
  SHIFT = 1,
  /** In FLAGS: time never goes back from one processor to another. */
  TSC_STABLE = 1,
}

/** struct pvclock_wall_clock: version, and the date at system time 0 in seconds and nanoseconds. */
export const enum PvclockWall {
  VERSION = 0,
  SECONDS = 4,
  NANOSECONDS = 8,
  SIZE = 12,
}

export const enum KvmCall {
  VAPIC_POLL_IRQ = 1,
}

export const enum KvmError {
  NOT_PERMITTED = -1,
  UNKNOWN = -1000,
}
