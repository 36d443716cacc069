/* Made by src/build/hypercall-header.mjs of assembly/shared/hypercall.ts, which says what each call does. */
#pragma once

#define WV_VERSION 2
#define WV_CPUID_SIGNATURE 0x40000100
#define WV_CPUID_VERSION 0x40000101
#define WV_SIGNATURE_EBX 0x6d736177 /* "wasm" "viso" "r", as little-endian words in ebx, ecx, edx. */
#define WV_SIGNATURE_ECX 0x6f736976
#define WV_SIGNATURE_EDX 0x00000072
#define WV_BATCH_ENTRY 24 /* Bytes of one call in a batch: number, four arguments, result; words in the guest's byte order. */
#define WV_BATCH_MOST 256 /* Most calls in a batch. */
#define WV_BLOCK_INFO_BYTES 16 /* Bytes that BLOCK_INFO writes. */
#define WV_CHANNELS 32 /* Event channels, numbered from 0. */
#define WV_EVENT_INTERRUPT 5 /* Input of the interrupt controllers that events raise. */

#define WV_CALL_VERSION 0x57560000 /* () -> version */
#define WV_CALL_CONSOLE_WRITE 0x57560001 /* (address, length) -> bytes written to the console */
#define WV_CALL_CONSOLE_READ 0x57560002 /* (address, length) -> bytes that the user typed, 0 if there are none */
#define WV_CALL_YIELD 0x57560003 /* () -> 0, after the host has had its turn */
#define WV_CALL_EVENT_SEND 0x57560004 /* (channel) -> 0; the other end has a pending event */
#define WV_CALL_EVENT_TAKE 0x57560005 /* () -> channels with pending events, as bits, which are no longer pending then */
#define WV_CALL_EVENT_ENABLE 0x57560006 /* (channels) -> 0; those that raise the interrupt, as bits */
#define WV_CALL_GRANT 0x57560007 /* (address, length, writable) -> handle of memory that the other end may use */
#define WV_CALL_REVOKE 0x57560008 /* (handle) -> 0 */
#define WV_CALL_BATCH 0x57560009 /* (address, count) -> calls of the batch that were made; each has its result */
#define WV_CALL_BLOCK_INFO 0x5756000a /* (disk, address) -> 0; four words there: its sectors of 512 bytes, their upper half, 1 if it is read-only, 512 */
#define WV_CALL_BLOCK_READ 0x5756000b /* (disk, sector, address, count) -> sectors read */
#define WV_CALL_BLOCK_WRITE 0x5756000c /* (disk, sector, address, count) -> sectors written */
#define WV_CALL_BLOCK_FLUSH 0x5756000d /* (disk) -> 0, when what was written is on it */
#define WV_CALL_USER 0x57560100 /* Calls that the embedder registers: this and up. */
#define WV_CALL_USER_END 0x57560200

#define WV_ERROR_NOT_PERMITTED (-1)
#define WV_ERROR_FAILED (-5)
#define WV_ERROR_FAULT (-14)
#define WV_ERROR_INVALID (-22)
#define WV_ERROR_NO_SPACE (-28)
#define WV_ERROR_UNKNOWN (-38)

#if defined(__i386__)
static inline int wv_call(unsigned number, unsigned a, unsigned b, unsigned c, unsigned d) {
  int result;
  __asm__ volatile("vmcall" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}
#elif defined(__mips__)
static inline int wv_call(unsigned number, unsigned a, unsigned b, unsigned c, unsigned d) {
  register unsigned v0 __asm__("$2") = number;
  register unsigned a0 __asm__("$4") = a;
  register unsigned a1 __asm__("$5") = b;
  register unsigned a2 __asm__("$6") = c;
  register unsigned a3 __asm__("$7") = d;
  /* hypcall */
  __asm__ volatile(".word 0x42000028" : "+r"(v0) : "r"(a0), "r"(a1), "r"(a2), "r"(a3) : "memory");
  return (int)v0;
}
#endif
