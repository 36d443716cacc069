/**
 * Where things lie in the one WebAssembly memory that a guest owns. All addresses are byte addresses in that
 * memory unless they say "guest". Read by TypeScript and by AssemblyScript.
 *
 *     0x0000_1000  vCPU header, then the ISA's state (offsets relative to STATE)
 *     0x0000_3000  temporaries of the µop interpreter
 *     0x0000_c000  static data of the AssemblyScript runtime
 *     0x0010_0000  look-up tables and page permissions
 *     0x0040_0000  µops
 *     0x0780_0000  templates of lifted instructions
 *     0x0800_0000  whole machines: virtual and physical pages
 *     0x1000_0000  the guest: guest address FLOOR is here
 */
export const enum Layout {
  /** vCPU header. */
  PC = 0x1000,
  /** An `ExitKind`, written by whoever leaves guest code. */
  EXIT_KIND = 0x1004,
  EXIT_ARG0 = 0x1008,
  EXIT_ARG1 = 0x100c,
  EXIT_ARG2 = 0x1010,
  /** Guest instructions still to run in this call of run(), i32. Never below zero at an exit. */
  BUDGET = 0x1014,
  /** Guest calls that may still nest as Wasm calls, i32; what the dispatcher passes to a region. */
  DEPTH = 0x1018,
  /** Number of entries into regions from the dispatcher, i32, wraps; statistics only. */
  REGION_ENTRIES = 0x101c,
  /** µop address of the block that the interpreter runs or ran last. */
  CURRENT_BLOCK = 0x1020,
  /** Heat at which the interpreter leaves with ExitKind.Hot; 0 never. */
  HOT_THRESHOLD = 0x1024,
  /** First guest address that is out of range (exclusive top of user space), u32. */
  TOP = 0x1028,
  /** 1 if loads and stores check page permissions (MemoryModel checked), else 0. */
  CHECKED = 0x102c,
  /** i64: guest instructions completed before this run(), plus its whole budget; completed so far = RETIRED − BUDGET. */
  RETIRED = 0x1030,
  /** Vector arguments of a conditional helper (Helper.params in src/isa/isa.ts), sixteen bytes each. */
  VECTOR_A = 0x1040,
  VECTOR_B = 0x1050,
  /** Bytes that repeated string instructions handled in this run(), u32; beyond RepLimit.RUN they leave with ExitKind.Budget. */
  REP_WORK = 0x1060,
  /** 1 if a run stops after exactly its budget: nothing may shorten it. */
  EXACT = 0x1064,

  // Memory model paged (system mode).
  /**
   * What code is lifted for, at most sixteen bits; bit 0: it runs with user privilege (CodeMode). The ISA's helpers write it, and
   * leave with ExitKind.Continue or Resume afterwards.
   */
  MODE = 0x1070,
  /** Not 0: an interrupt is pending that the guest would take now. Guest code is left before its next block from the dispatcher. */
  ATTENTION = 0x1074,
  /** Where ExitKind.Resume goes on; a helper writes it. In user mode, too. */
  NEXT_PC = 0x1078,
  /** An `Mmu`: who translates addresses and delivers exceptions. */
  MMU = 0x107c,

  /** ISA state; register offsets count from here. */
  STATE = 0x1080,
  STATE_SIZE = 0x1f80,
  /**
   * The word of the state that assembly/softfloat takes precision, rounding and masks from, in the form of the x87 control
   * word: X86.FCW; other ISAs leave it free.
   */
  FLOAT_CONTROL = 0x1120,

  /** Temporaries of the µop interpreter. */
  TEMPS = 0x3000,
  TEMPS_SIZE = 0x8000,

  // Memory model paged, continued.
  /** What is read from, or to be written to, where no one place in this memory holds it: devices, accesses that cross pages. */
  SCRATCH = 0xb000,
  /** Entries of FILLED. */
  FILLED_COUNT = 0xb020,
  /** All ones if an access that is not naturally aligned is a fault (Isa.alignedAccess), else 0. */
  ALIGNED = 0xb024,
  /** Number + 1 of a physical page whose code the engine drops before it runs guest code again; 0: of none; see StalePage. */
  STALE_PAGE = 0xb028,
  /** What a slow path (IR op slow.*) leaves as its result; sixteen bytes. */
  SLOW_RESULT = 0xb030,
  /** Words for the ISA's own use in system mode (Isa.system), as many as SYSTEM_STATE_SIZE bytes. */
  SYSTEM_STATE = 0xb900,
  SYSTEM_STATE_SIZE = 0x700,

  /** Static data of the AssemblyScript runtime (asc --memoryBase); ends before REGION_HASH. */
  RUNTIME_DATA = 0xc000,

  /** 65,536 entries {u32 pc, u32 Wasm table index; 0 = empty}; index by `(pc ^ pc >>> 16) & 0xffff`. */
  REGION_HASH = 0x100000,
  /** 65,536 entries {u32 pc, u32 µop address; 0 = empty}, indexed alike. */
  BLOCK_HASH = 0x180000,
  HASH_MASK = 0xffff,
  /** A byte for each 4 KiB page of the 32-bit guest address space, `PagePermission` bits. */
  PAGES = 0x200000,
  PAGES_END = 0x300000,
  /** Sites of indirect jumps, see JumpSite. */
  JUMP_SITES = 0x300000,

  /** µops of translated blocks. */
  UOPS = 0x400000,
  UOPS_END = 0x7800000,
  /** Lifted instructions, see template.ts. */
  TEMPLATES = 0x7800000,
  TEMPLATES_END = 0x8000000,

  /**
   * Memory model paged: a word for each 4 KiB page of virtual addresses, `address in this memory − virtual address` (the page's
   * start) with `TlbBit`s; 0: not filled, take the slow path.
   */
  TLB = 0x8000000,
  /** User mode: a table of the ISA's own (x86: the LDT), 64 KiB. */
  USER_TABLE = 0x8000000,
  /** A word for each 4 KiB page of physical addresses: the page's address in this memory with `PhysicalPage` bits; 0: device space. */
  PHYSICAL = 0x8400000,
  PHYSICAL_END = 0x8800000,
  /** Numbers of the virtual pages whose TLB word was filled, a u32 each. */
  FILLED = 0x8800000,
  FILLED_MAX = 0x10000,
  /** In place of BLOCK_HASH: kernels have more code than fits there. 262,144 entries, indexed alike with this mask. */
  PAGED_BLOCK_HASH = 0x8900000,
  PAGED_HASH_MASK = 0x3ffff,
  /** A bit for each piece (CodePiece) of physical addresses: blocks were translated from some of its bytes. */
  CODE_PIECES = 0x8b00000,
  /**
   * A word for each page of physical addresses: 0, or data lies there beside code, and so many stores less one may go to pieces without code
   * before all of its code is dropped: it may be data alone by then.
   */
  BESIDE_CODE = 0xab00000,
  BESIDE_CODE_END = 0xaf00000,

  /** Memory address of guest address FLOOR, or in the memory model paged of the first byte of guest memory. As the static offset of a load it never wraps, so the index may. */
  WINDOW = 0x10000000,
  /** Lowest guest address that exists; what lies below (a null pointer) wraps out of the memory and traps. */
  FLOOR = 0x10000,
}

/** Low bits of a word in Layout.TLB. */
export const enum TlbBit {
  KernelRead = 1,
  /** A page is filled writable only if nothing need be noticed on a store: RAM, no code was translated from it, marked dirty. */
  KernelWrite = 2,
  UserRead = 4,
  UserWrite = 8,
  KernelExecute = 0x10,
  UserExecute = 0x20,
  /** Survives a flush of what is not global. */
  Global = 0x40,
  ADDRESS = -4096,
}

/** Bits of Layout.MODE that all ISAs share. */
export const enum CodeMode {
  User = 1,
}

/** Layout.MMU. */
export const enum Mmu {
  None = 0,
  Mips = 1,
  X86 = 2,
}

export const enum PagePermission {
  Read = 1,
  Write = 2,
  Execute = 4,
  /** Blocks were translated from this page. */
  Code = 8,
  /** The page may hold bytes other than zero. */
  Used = 0x80,
}

/** Layout.STALE_PAGE. */
export const enum StalePage {
  All = 0xffffffff,
}

/** Pieces of pages with code, of 1 << SHIFT bytes, of which stores are told apart. */
export const enum CodePiece {
  SHIFT = 4,
}

/** Bits of an entry of Layout.PHYSICAL. */
export const enum PhysicalPage {
  /** There is memory (RAM or ROM) behind it. */
  Memory = 1,
  Writable = 2,
  /** Blocks were translated from it. */
  Code = 4,
  ADDRESS = -4096,
}

/**
 * What targets an indirect jump was seen to take: 64 words, a target in word `(pc >>> 1 ^ pc >>> 6) & 63`, 0 where there is
 * none. Two targets may displace each other; what reads it wants examples, not all.
 */
export const enum JumpSite {
  WORDS = 64,
  /** Offset of a word with the entry of the region that noted a target last; 0 after a look. */
  BY = 256,
  SIZE = 260,
}
