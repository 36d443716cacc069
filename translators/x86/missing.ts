/** Instructions that have no row, up to SSE2 (SDM volume 2 and AMD's manual), and what came after: encoding, text, why. They raise #UD. */
export const missing: readonly (readonly [encoding: string, text: string, reason: string])[] = [
  ['0F AA', 'RSM', 'no system management mode'],
  ['0F 24 /r', 'MOV Rd, Td', 'test registers: 386 and 486 only'],
  ['0F 26 /r', 'MOV Td, Rd', 'test registers: 386 and 486 only'],
  ['0F 05', 'SYSCALL', "AMD's; CPUID does not announce it"],
  ['0F 07', 'SYSRET', "AMD's; CPUID does not announce it"],
  ['0F 0E', 'FEMMS', "3DNow!, AMD's; CPUID does not announce it"],
  ['0F 0F /r ib', '3DNow! Pq, Qq', "AMD's; CPUID does not announce it"],
  ['0F 01 C8', 'MONITOR', 'CPUID does not announce it'],
  ['0F 01 C9', 'MWAIT', 'CPUID does not announce it'],
];
