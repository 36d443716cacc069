/** Bytes of an instruction, little-endian if nothing else is said, and sign-extended. */
export interface Field {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
  readonly bigEndian?: boolean;
}

/** A number that a template leaves open: ((field << shift) + pc + constant) & mask. */
export interface Hole {
  readonly field?: Field | undefined;
  readonly shift?: number;
  /** The field is subtracted. */
  readonly negated?: boolean;
  /** The instruction's pc is added. */
  readonly relative?: boolean;
  readonly constant?: number;
  /** All ones without it. */
  readonly mask?: number;
  /** What the mask leaves out is as in pc + 4. */
  readonly region?: boolean;
}

/** Of a hole without mask. */
export function negated(hole: Hole): Hole | undefined {
  return hole.mask === undefined && !hole.relative ? { ...hole, negated: !hole.negated, constant: -(hole.constant ?? 0) } : undefined;
}
