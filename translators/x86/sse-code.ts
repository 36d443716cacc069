/**
 * What an SSE instruction's helper is to do: an operation, with the fields below. Read by TypeScript and by
 * AssemblyScript.
 */
export const enum SseCode {
  // Operations: bits 7…0. Of arithmetic, the low opcode nibble of 0F 51, 58…5F.
  SQRT = 0x01,
  ADD = 0x08,
  MUL = 0x09,
  SUB = 0x0c,
  MIN = 0x0d,
  DIV = 0x0e,
  MAX = 0x0f,
  /** The predicate is in bits 18…16. */
  COMPARE = 0x10,
  /** COMISS, and UCOMISS with QUIET: the result is an operand as it is compared. */
  COMPARE_SCALARS = 0x11,
  /** To the other floating-point format. */
  CONVERT = 0x12,
  /** To 32-bit integers; with TRUNCATE whatever MXCSR says. */
  TO_INT32 = 0x13,
  /** To single precision. */
  FROM_INT32 = 0x14,
  RECIPROCAL = 0x15,
  RECIPROCAL_ROOT = 0x16,
  /** The difference of elements of even number, the sum of the others. */
  ADD_SUB = 0x17,
  OPERATION = 0xff,

  /** The source's elements are double precision. */
  WIDE = 0x100,
  TRUNCATE = 0x200,
  QUIET = 0x200,
  /** Of neighbours: first those of the first operand. */
  HORIZONTAL = 0x200,
  /** Of COMPARE_SCALARS: the second operand as it is compared; else the first. */
  SECOND = 0x400,
  /** Number of the XMM register that is the first operand. */
  LEFT_SHIFT = 11,
  /** The first in its block: what is known of values begins here (X86.SSE_TINY). */
  FIRST = 0x4000,
  PREDICATE_SHIFT = 16,
  /** The same of the second operand, */
  RIGHT_SHIFT = 19,
  /** or it lies in X86.SSE_VECTOR, or in SSE_SINGLE or SSE_DOUBLE. */
  VECTOR = 8,
  SCALAR = 9,
  PLACE = 15,
  /** How many elements, 1…4. */
  COUNT_SHIFT = 24,
}
