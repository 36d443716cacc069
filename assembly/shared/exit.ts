/**
 * Why guest code was left. Written to Layout.EXIT_KIND with Layout.PC and up to three arguments; src/vcpu/exit.ts
 * gives the typed form. Read by TypeScript and by AssemblyScript.
 */
export const enum ExitKind {
  None = 0,
  /** The budget is spent; PC is the next instruction. */
  Budget = 1,
  /** System call; PC is the instruction after it, arg0 the instruction's own pc. */
  Syscall = 2,
  /** Illegal or not implemented instruction at PC. */
  Illegal = 3,
  /** Access that the guest may not make: PC the instruction, arg0 the guest address, arg1 a FaultAccess; arg2 (paged) the ISA's detail. */
  MemoryFault = 4,
  /** Guest exception at PC: arg0 the ISA's number (x86 vector; MIPS ExcCode), arg1 its error code or trap code. */
  Exception = 5,
  /** Breakpoint instruction at PC; arg0 its code field. */
  Breakpoint = 6,
  /** The guest waits for an interrupt. */
  Halt = 7,
  /** arg0 port, arg1 bytes | direction << 8, arg2 value. */
  PortIo = 8,
  /** arg0 guest physical address, arg1 bytes | direction << 8, arg2 value. */
  MemoryIo = 9,
  /** Privileged or sensitive instruction at PC. */
  Privileged = 10,
  /** Memory model paged: a hypercall waits for its result; the guest goes on at Layout.NEXT_PC then. */
  Hypercall = 11,
  /** The guest declared code changed (cacheflush, SYNCI) or wrote to it; PC is the next instruction, arg0 address, arg1 bytes. */
  CodeWritten = 12,
  /** Memory model paged: Layout.ATTENTION was set; PC is the next instruction. */
  Interrupt = 13,
  /** The processor has stopped for good or resets itself (x86 triple fault). */
  Shutdown = 14,
  /** Memory model paged: the instruction at PC is hooked, and has not been executed; arg0 its number (SensitiveInstruction). */
  Hooked = 15,
  /** Internal: nothing is translated at PC. */
  Miss = 64,
  /** Internal: the block at PC has become hot. */
  Hot = 65,
  /** Internal: the bytes of the block at PC are no longer those it was translated from. */
  Stale = 66,
  /** Internal: the instruction at PC needs its slow path; arg0 is the entry of the region that has left for it. */
  Slow = 67,
  /** Internal: mode, mapping or interrupt state may have changed; it goes on at PC with no compiled code active. */
  Continue = 68,
  /** Internal: the same, but it goes on at Layout.NEXT_PC. */
  Resume = 69,
  /** Internal: the same, but it goes on at arg0. */
  Next = 70,
  /** Internal: code was lifted for another value of the word at Isa.assumed, or takes for granted what does not hold; arg0 its block's pc. */
  Unexpected = 71,
  /** Internal, memory model paged: an access of the instruction at PC is none that a region makes; arg0 is the entry of the one that has left for it. */
  Unmapped = 72,
}

/** What a region returns when it leaves with an exit instead of going on at a pc. No return address equals it. */
export const enum RegionResult {
  EXIT = -1,
}

export const enum FaultAccess {
  Read = 1,
  Write = 2,
  Execute = 4,
}

/** What a memory fault may be besides an access that pages or the ISA's walker deny. */
export const enum Fault {
  /** In arg1 with FaultAccess.Write: code was translated from that physical page (arg2, an address), which the engine has to know. */
  WRITES_CODE = 0x100,
  /** In arg1: it is an exception that a helper has found, the ISA's number in arg0, its code in arg2. */
  EXCEPTION = 0x200,
  /** As arg2: the access is not aligned. */
  MISALIGNED = -2,
  /** As arg2: nothing at that physical address can be fetched. */
  BUS = -1,
}
