/**
 * wasmvisor's own para-virtual interface, the one place where it is defined: TypeScript and AssemblyScript read this file, and
 * `node src/build/hypercall-header.mjs` makes corpus/kernels/wasmvisor.h of it.
 *
 * A call is VMCALL on x86 (number in eax, arguments in ebx, ecx, edx, esi, result in eax) and HYPCALL on MIPS (number in v0,
 * arguments in a0 … a3, result in v0). It is for the kernel only. Addresses are guest-physical; results below zero are errors.
 * The guest finds it by CPUID leaf 0x4000_0100 (signature "wasmvisor", then in eax of leaf 0x4000_0101 the version), and on MIPS by
 * the environment variable `wasmvisor` that the boot loader gives, whose value is the version.
 */
export const enum HypercallAbi {
  VERSION = 2,
  CPUID_SIGNATURE = 0x40000100,
  CPUID_VERSION = 0x40000101,
  /** "wasm" "viso" "r", as little-endian words in ebx, ecx, edx. */
  SIGNATURE_EBX = 0x6d736177,
  SIGNATURE_ECX = 0x6f736976,
  SIGNATURE_EDX = 0x00000072,
  /** Bytes of one call in a batch: number, four arguments, result; words in the guest's byte order. */
  BATCH_ENTRY = 24,
  /** Most calls in a batch. */
  BATCH_MOST = 256,
  /** Bytes that BLOCK_INFO writes. */
  BLOCK_INFO_BYTES = 16,
  /** Event channels, numbered from 0. */
  CHANNELS = 32,
  /** Input of the interrupt controllers that events raise. */
  EVENT_INTERRUPT = 5,
}

export const enum Hypercall {
  /** () → version */
  VERSION = 0x57560000,
  /** (address, length) → bytes written to the console */
  CONSOLE_WRITE = 0x57560001,
  /** (address, length) → bytes that the user typed, 0 if there are none */
  CONSOLE_READ = 0x57560002,
  /** () → 0, after the host has had its turn */
  YIELD = 0x57560003,
  /** (channel) → 0; the other end has a pending event */
  EVENT_SEND = 0x57560004,
  /** () → channels with pending events, as bits, which are no longer pending then */
  EVENT_TAKE = 0x57560005,
  /** (channels) → 0; those that raise the interrupt, as bits */
  EVENT_ENABLE = 0x57560006,
  /** (address, length, writable) → handle of memory that the other end may use */
  GRANT = 0x57560007,
  /** (handle) → 0 */
  REVOKE = 0x57560008,
  /** (address, count) → calls of the batch that were made; each has its result */
  BATCH = 0x57560009,
  /** (disk, address) → 0; four words there: its sectors of 512 bytes, their upper half, 1 if it is read-only, 512 */
  BLOCK_INFO = 0x5756000a,
  /** (disk, sector, address, count) → sectors read */
  BLOCK_READ = 0x5756000b,
  /** (disk, sector, address, count) → sectors written */
  BLOCK_WRITE = 0x5756000c,
  /** (disk) → 0, when what was written is on it */
  BLOCK_FLUSH = 0x5756000d,
  /** Calls that the embedder registers: this and up. */
  USER = 0x57560100,
  USER_END = 0x57560200,
}

export const enum HypercallError {
  NOT_PERMITTED = -1,
  FAILED = -5,
  FAULT = -14,
  INVALID = -22,
  NO_SPACE = -28,
  UNKNOWN = -38,
}
