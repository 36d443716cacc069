/**
 * State of the privileged architecture, as byte offsets from Layout.STATE after X86's (SDM volume 3, chapter 2). Read by
 * TypeScript and by AssemblyScript. 32-bit words unless noted. Segment registers are in the SDM's order: ES CS SS DS FS GS.
 */
export const enum System {
  // Hidden parts of the segment registers, six words each; their bases are at X86.ES_BASE.
  /** In bytes: the last offset, or for an expand-down segment the last one that is not valid. */
  LIMIT = 480,
  /** Second word of the descriptor, base and limit left out; 0 after a null selector. */
  ACCESS = 504,
  /** An offset below it is valid for a read of up to 16 bytes without further checks. */
  END = 528,
  /** 1 if it may be written. */
  WRITABLE = 552,

  /** Selector, base, limit and access word. */
  LDTR = 576,
  TR = 592,
  GDTR_BASE = 608,
  GDTR_LIMIT = 612,
  IDTR_BASE = 616,
  IDTR_LIMIT = 620,

  // By number; there is no CR1.
  CR0 = 624,
  CR2 = 632,
  CR3 = 636,
  CR4 = 640,
  /** DR0…DR3 */
  DR0 = 644,
  DR6 = 660,
  DR7 = 664,

  CPL = 668,
  /** Eflags.IF while INTR is high, else 0. */
  INTERRUPT = 672,
  /** 1: a rising edge of NMI waits; NMI_BLOCKED until IRET. */
  NMI = 676,
  NMI_BLOCKED = 680,
  /** DR6 bits of breakpoints that the instruction has met. */
  DEBUG_TRAP = 684,

  SYSENTER_CS = 688,
  SYSENTER_ESP = 692,
  SYSENTER_EIP = 696,
  /** Of its bits only Efer.NXE. */
  EFER = 700,
  /** u64 */
  TSC_OFFSET = 704,
  /** Bits that are cleared in physical addresses: that of address line 20 while A20M# is asserted, else none. */
  MASKED = 712,
  /** As SHADOW, after STI: only interrupts do not come before it. */
  STI_SHADOW = 716,
  MISC_ENABLE = 720,
  /** As the guest wrote them. */
  KVM_WALL_CLOCK = 724,
  KVM_SYSTEM_TIME = 728,
  /** Page-directory-pointer registers of PAE, four u64. */
  PDPTE = 744,
  /** Linear address of the instruction after the last load of SS: neither interrupts nor debug exceptions come before it. 0: none. */
  SHADOW = 776,

  /** How often each sensitive instruction ran, one word each in the order of `sensitive`. */
  COUNTERS = 800,
  COUNTERS_END = 1184,
  SIZE = 1184,
}

export const enum Efer {
  NXE = 0x800,
}

/** What code is lifted for: Layout.MODE, sixteen bits; in user mode X86.MODE. 0, DENORMALS aside, is user mode with ordinary segments. */
export const enum Mode {
  /** CPL 3, as CodeMode.User. */
  USER = 1,
  CPL_SHIFT = 1,
  CPL = 6,
  /** CS.D: 32-bit operands and addresses. */
  CODE32 = 8,
  /** SS.B: ESP, not SP. */
  STACK32 = 0x10,
  /** CS is 4 GiB from 0 on, and readable. */
  FLAT_CODE = 0x20,
  /** DS, ES and SS are, and writable. */
  FLAT_DATA = 0x40,
  /** CR0.PE, and not virtual-8086. */
  PROTECTED = 0x80,
  VIRTUAL = 0x100,
  /** Single step or breakpoints: one instruction a block. */
  STEP = 0x200,
  /** CR0.TS, EM, MP; CR4.OSFXSR */
  TS = 0x400,
  EM = 0x800,
  MP = 0x1000,
  FXSR = 0x2000,
  /** CR0.AM, EFLAGS.AC and CPL 3. */
  ALIGN = 0x4000,
  /** System mode. */
  SYSTEM = 0x8000,
  /** User mode: FS or GS is null or has a limit. */
  LOOSE = 0x10000,
  /** User mode: the program has looked at MXCSR or set it, so that DE is exact; in system mode it always is. */
  DENORMALS = 0x20000,
  /** User mode as Linux starts a program, where the word in the state is 0: USER, CPL, CODE32, STACK32, FLAT_CODE, FLAT_DATA, PROTECTED. */
  ORDINARY = 0xff,
}

/** What exits carry beside the SDM's vectors. */
export const enum Raised {
  /** Fault.EXCEPTION */
  EXCEPTION = 0x200,
  /** The same: it belongs to the task that was just switched to, at Layout.NEXT_PC. */
  NEW_TASK = 0x400,

  // arg0 of ExitKind.Exception; the instruction's length is in bits 31…16
  /** POPF changes TF or AC; operand size 2 or 4 is added. */
  POPF = 0x100,
  /** INTO with OF set: a trap. */
  INTO = 0x200,
  /** The instruction is done, Layout.NEXT_PC is the next: single step, data breakpoints. */
  STEP = 0x300,
  KIND = 0xf00,
}

export const enum Cr0 {
  PE = 1,
  MP = 2,
  EM = 4,
  TS = 8,
  ET = 0x10,
  NE = 0x20,
  WP = 0x10000,
  AM = 0x40000,
  NW = 0x20000000,
  CD = 0x40000000,
  PG = -0x80000000,
}

export const enum Cr4 {
  VME = 1,
  PVI = 2,
  TSD = 4,
  DE = 8,
  PSE = 0x10,
  PAE = 0x20,
  MCE = 0x40,
  PGE = 0x80,
  PCE = 0x100,
  OSFXSR = 0x200,
  OSXMMEXCPT = 0x400,
}

export const enum Dr6 {
  BD = 0x2000,
  BS = 0x4000,
  BT = 0x8000,
  KNOWN = 0xe00f,
  /** Bits that are always set. */
  FIXED = 0xffff0ff0,
}

/** Bits of a descriptor's second word (SDM volume 3, figure 3-8). */
export const enum Access {
  ACCESSED = 0x100,
  /** Data: writable; code: readable. */
  SECOND = 0x200,
  /** Data: expand-down; code: conforming. */
  THIRD = 0x400,
  CODE = 0x800,
  TYPE = 0xf00,
  S = 0x1000,
  DPL_SHIFT = 13,
  DPL = 0x6000,
  PRESENT = 0x8000,
  AVL = 0x100000,
  /** D or B */
  DB = 0x400000,
  G = 0x800000,
  /** What of the word is kept in a hidden part. */
  KEPT = 0x00f0ff00,
}
