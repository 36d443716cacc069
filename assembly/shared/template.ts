/**
 * Templates: single instructions as they were lifted, with what their code tells anew each time left open. Written by
 * src/backend/interpret/templates.ts, put together to blocks by assembly/lower/templates.ts.
 *
 * They are found by what decides what an instruction is: a tree of nodes, each of which looks at up to four bits. A child is 0 where
 * nothing is known, `Entry.CLOSED`, the address of a node, or that of a template with `Entry.TEMPLATE` set. Addresses of both are even.
 */
export const enum Node {
  /** u8: where in the instruction what it looks at begins. */
  OFFSET = 0,
  /** u8: bits below those it looks at. */
  SHIFT = 1,
  /** u8 */
  MASK = 2,
  /** u8: `NodeFlag` bits. */
  FLAGS = 3,
  /** Sixteen of them. */
  CHILDREN = 4,
  SIZE = 68,
}
export const enum NodeFlag {
  /** It looks at a word, not at a byte. */
  WORD = 1,
  BIG_ENDIAN = 2,
  /** Whether the bits are all zero: the child is 0 or 1. */
  ZERO = 4,
}
export const enum Entry {
  TEMPLATE = 1,
  /** There is no template of these instructions. */
  CLOSED = 2,
  /** Either. */
  LEAF = 3,
}

/** Then HOLES × Hole, OPS × TemplateOp with its operands, SHUFFLES × 16 bytes. */
export const enum Template {
  /** u8: bytes of the instruction. */
  LENGTH = 0,
  /** u8 */
  HOLES = 1,
  /** u8 */
  SHUFFLES = 2,
  /** u8: a `TerminatorKind`; NO_END. */
  TERMINATOR = 3,
  /** u16 */
  OPS = 4,
  /** u16: as in BlockInput, with the number of a hole in place of a pc. */
  FIRST = 6,
  /** u8, likewise; a call's next pc, too. */
  SECOND = 8,
  THIRD = 9,
  /** u8: `Slot` bits. */
  SLOT = 10,
  /** u8: with Slot.APART the number of the hole where it goes. */
  TARGET = 11,
  SIZE = 12,
  NO_END = 0xff,
}
/** The instruction at pc + 4 is a delay slot. */
export const enum Slot {
  /** It is part of this block, after the template's ops. */
  WITHIN = 1,
  /** It is a block of its own, at pc | 1. */
  APART = 2,
  /** Its pc has bit 1 set. */
  MARKED = 4,
}

/** A number: ((field << SHIFT) + pc + CONSTANT) & MASK. */
export const enum Hole {
  /** u8: where in the instruction the field begins. */
  OFFSET = 0,
  /** u8: 1, 2 or 4 bytes, little-endian and sign-extended; with BIG_ENDIAN the other way round; 0 without a field. */
  BYTES = 1,
  BIG_ENDIAN = 8,
  /** u8: `HoleFlag` bits. */
  FLAGS = 2,
  /** u8 */
  SHIFT = 3,
  CONSTANT = 4,
  MASK = 8,
  SIZE = 12,
}

export const enum HoleFlag {
  /** The field is subtracted. */
  NEGATED = 1,
  /** The instruction's pc is added. */
  RELATIVE = 2,
  /** What the mask leaves out is as in pc + 4. */
  REGION = 4,
}

/** Behind it the operands, u16 each or u32. */
export const enum TemplateOp {
  /** u16: number of the op. */
  OPCODE = 0,
  /** u8: bits 0 to 3 say which operands are values, counted from the template's first op; from bit 4 on how many operands there are. */
  OPERANDS = 2,
  COUNT_SHIFT = 4,
  /** u8: bits 0 to 3 say which operands are u32, from bit 4 on an `Open`. */
  WIDE = 3,
  OPEN_SHIFT = 4,
  SIZE = 4,
}
/** What is filled in. */
export const enum Open {
  Nothing,
  /** Operand 0 is the hole of that number. */
  Hole,
  /** Operands 0 and 2 are the instruction's pc. */
  Pc,
  /** Operand 2 counts from the template's first shuffle. */
  Shuffle,
  /** Operand 0 is the offset of the state's word whose number the instruction tells: a `RegisterField`. */
  Register,
}
/** Five bits of an instruction word. */
export const enum RegisterField {
  SHIFT = 31,
  BIG_ENDIAN = 32,
}

/** What became of a block. */
export const enum Assembled {
  /** It is at Ir.INPUT. */
  Block,
  /** At Ir.INPUT's FIRST is a pc whose instruction nothing is known of. */
  Unknown,
  /** It is not made of templates. */
  Closed,
  /** There may not be room for the next instruction. */
  End,
}
