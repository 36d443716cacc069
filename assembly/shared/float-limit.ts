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
}
