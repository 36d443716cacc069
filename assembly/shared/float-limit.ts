/**
 * What a floating-point result's high word (of single precision the whole), shifted left by one, must lie below. Read by
 * TypeScript and by AssemblyScript, which store them where instructions find them.
 */
export const enum FloatLimit {
  /** To be that of a finite number. */
  LIMIT_S = -0x01000000,
  LIMIT_D = -0x00200000,
  /** Of the least normal number. */
  LEAST_S = 0x01000000,
  LEAST_D = 0x00200000,
  /** To be that of a normal number that was one before it was rounded, too; counted from ABOVE_LEAST. */
  SPAN_S = -0x02000002,
  SPAN_D = -0x00400002,
  /** The least that is not the least normal number, to which a tiny result may have been rounded: that is an underflow. */
  ABOVE_LEAST_S = 0x01000002,
  ABOVE_LEAST_D = 0x00200002,
  /**
   * Of 2^-103 and 2^-970. A number that is no less is a multiple of the least normal number, and so are all sums of such
   * numbers: none of them is denormal.
   */
  GRID_S = 0x18000000,
  GRID_D = 0x06a00000,
  /** To be that of a finite number no less than those; counted from there. */
  GRID_SPAN_S = -0x19000000,
  GRID_SPAN_D = -0x06c00000,
}

/** What a control and status word asks for besides a result. */
export const enum Exactness {
  /** A result that is an ordinary number may be WebAssembly's own. */
  NONE = 0,
  /** The sticky flag of inexact results is not set yet: that is to be done for the first one. */
  FLAG = 1,
  /** Another rounding mode than to nearest, flush to zero, a trap on such results: more than WebAssembly's result can tell. */
  ALL = 2,
}
