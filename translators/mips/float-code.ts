/** A floating-point operation as its slow path sees it. Read by TypeScript and by AssemblyScript. */
export const enum FloatCode {
  /** FCSR.Cause is up to date. */
  NONE = 0,
  /** One that raised nothing: FCSR.Cause is 0. */
  CLEAR = 1,
  ADD = 2,
  SUB = 3,
  MUL = 4,
  DIV = 5,
  SQRT = 6,
  RECIP = 7,
  RSQRT = 8,
  ABS = 9,
  NEG = 10,
  /** Operands fs, ft, fr. */
  MADD = 12,
  MSUB = 13,
  NMADD = 14,
  NMSUB = 15,
  /** Bits 19…16: cond. */
  COMPARE = 16,
  /** To the other floating-point format. */
  CONVERT = 17,
  /** Bits 18…16: how to round. */
  TO_WORD = 18,
  TO_LONG = 19,
  /** To single precision. */
  FROM_WORD = 20,
  /** The operand is in the place of a double; WIDE: to double precision. */
  FROM_LONG = 21,
  OPERATION = 0xff,

  /** The operands are double precision. */
  WIDE = 0x100,
  DETAIL_SHIFT = 16,
  /** How to round: one of FCSR.RM's values, or this. */
  BY_MODE = 4,
}
