/**
 * What the lowering of a block to µops (assembly/lower) and the TypeScript that calls it (src/backend/interpret) agree on. Read by
 * both. All of it lies behind the static data of the runtime, before Layout.REGION_HASH.
 */
export const enum Ir {
  /** Ops of a block at most. */
  CAPACITY = 4096,
  /** By op: its number, u16, and its operand words. */
  OPCODES = 0x80000,
  A = 0x82000,
  B = 0x86000,
  C = 0x8a000,
  D = 0x8e000,
  /** Sixteen lane numbers for each of the block's shuffles. */
  SHUFFLES = 0x92000,

  // The plan, by op; position CAPACITY at most is the terminator's.
  /** A `Fate`, u8. */
  FATE = 0xa2000,
  /** Position of the last µop that reads the value, i32, −1 if none does. */
  LAST = 0xa4000,
  /** Address of the slot that holds the value; 0: a temporary, or not yet known. */
  HOME = 0xa9000,
  USES = 0xae000,
  ADDRESS_USES = 0xb3000,
  /** For gets and sets: position of the next change of that state. */
  UNTIL = 0xb8000,
  /** u8: whether HOME is a temporary that ends with the value. */
  TEMPORARY = 0xbd000,
  /** Address of its first µop and pc, for each instruction. */
  INSTRUCTIONS = 0xbf000,
  // By granule of four bytes of guest state: positions, i32.
  NEXT_WRITE = 0xc7000,
  NEXT_READ = 0xc7800,
  LAST_WRITE = 0xc8000,
  LAST_READ = 0xc8800,
  /** Temporaries that are free, u16 each; 0x2000 bytes for each class. */
  FREE = 0xc9000,

  /** A row for each op number, see OpRow. */
  OPS = 0xcf000,
  /** A row for each helper of the ISA, see HelperRow. */
  HELPERS = 0xd2000,
  /** 8,192 addresses of slots in the pool of constants, u16, by `constantIndex`; 0: empty. */
  CONSTANTS = 0xd5000,
  CONSTANTS_MASK = 0x1fff,
  /** What is to be lowered, see BlockInput. */
  INPUT = 0xd9000,
  /** Numbers that fill the holes of a template. */
  FILLED = 0xd9800,
  END = 0xda000,
}

/** How an IR op becomes µops. */
export const enum Kind {
  /** number d a b */
  Plain,
  Const32,
  Const64,
  Const128,
  Get,
  Set,
  Load,
  Store,
  Select,
  ExtractLane,
  ReplaceLane,
  Shuffle,
  Helper,
  ExitIf,
  Slow,
  Insn,
}

/** A row of Ir.OPS. */
export const enum OpRow {
  /** A `Kind`, u8. */
  KIND = 0,
  OPERANDS = 1,
  /** Bit i: operand i is a value. */
  VALUES = 2,
  /** 1: an unused one may go. */
  PURE = 3,
  /** Of the result. */
  BYTES = 4,
  /** 1: the µop is another one's with the operands swapped. */
  SWAP = 5,
  /** Bytes of an ExtractLane's lane that a move reads at its place in the slot; 0 if the µop takes the lane number. */
  LANE_BYTES = 6,
  /** u16: the µop, without loads, stores, constants and what becomes no µop. */
  UOP = 8,
  /** u16: the form with a 32-bit immediate as right operand, 0 if there is none. */
  UOP_IMM = 10,
  /** u16: the terminator that branches on this comparison (after SWAP), 0 if there is none. */
  BRANCH = 12,
  /** Loads and stores: four u16, by big-endian * 2 + checked. */
  MEMORY = 16,
  SIZE = 24,
}

/** A row of Ir.HELPERS. */
export const enum HelperRow {
  PARAMS = 0,
  /** `HelperFlag` bits, u8. */
  FLAGS = 1,
  /** Bytes of the result. */
  BYTES = 2,
  /** u16: what is added to Uop.HELPER; NONE if the interpreter cannot call such a function. */
  SIGNATURE = 4,
  /** u16: in the function table; 0 if the runtime has no such function. */
  INDEX = 6,
  /** u16: the first granule that it touches, and the first that it does not. */
  FROM = 8,
  TO = 10,
  SIZE = 12,
  NONE = 0xffff,
}
export const enum HelperFlag {
  STATE = 1,
  PURE = 2,
  /** Called only if the first argument is not 0. */
  CONDITIONAL = 4,
  /** It touches only FROM…TO. */
  RANGE = 8,
}

/** Kinds of Terminator (src/ir/block.ts). */
export const enum TerminatorKind {
  Goto,
  Branch,
  Call,
  CallIndirect,
  Return,
  Jump,
  Exit,
}

/** Words at Ir.INPUT, by byte. */
export const enum BlockInput {
  PC = 0,
  /** Ops. */
  LENGTH = 4,
  INSTRUCTIONS = 8,
  /** A `TerminatorKind`, then its target, condition or value; for an exit its kind. */
  TERMINATOR = 12,
  FIRST = 16,
  /** A branch's taken pc; an exit's pc. */
  SECOND = 20,
  /** A branch's next pc; how many arguments an exit has. */
  THIRD = 24,
  /** Three words. */
  ARGUMENTS = 28,
  /** 1: loads and stores check page permissions. */
  CHECKED = 40,
  /** 1: the state before a load or store counts. */
  PRECISE = 44,
  /** Address of the JumpSite where an indirect jump at the end notes its targets, or 0. */
  JUMP_SITE = 48,
  /** Offset of the stack pointer, if it is to be checked before calls, or −1. */
  STACK_POINTER = 52,
  /** Memory model paged: the block's pages, as the header of a block has them; 0 without. */
  PAGE = 56,
  NEXT_PAGE = 60,
  /** Bytes that the block compares with those at its pc, which lie behind the µop already. */
  VERIFIED = 64,
  /** Constants in the pool. */
  CONSTANTS = 68,
  /** Where the block cannot be lowered: a `LoweringError`, and the value or helper. */
  ERROR = 72,
  SUBJECT = 76,
  /** Guest bytes of a block made of templates. */
  BYTES = 80,
}

export const enum LoweringError {
  None,
  /** More temporaries than there are. */
  Temporaries,
  /** An operand that has no place. */
  Slot,
  /** A helper that the interpreter cannot call, or that the runtime does not have. */
  Helper,
}
