/** Bytes of an instruction, little-endian and sign-extended. */
export interface Field {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
}

/** A number that a template leaves open: (field + pc + constant) & mask. */
export interface Hole {
  readonly field?: Field | undefined;
  /** The field is subtracted. */
  readonly negated?: boolean;
  /** The instruction's pc is added. */
  readonly relative?: boolean;
  readonly constant?: number;
  /** All ones without it. */
  readonly mask?: number;
}

/** Of a hole without mask. */
export function negated(hole: Hole): Hole | undefined {
  return hole.mask === undefined && !hole.relative ? { ...hole, negated: !hole.negated, constant: -(hole.constant ?? 0) } : undefined;
}
