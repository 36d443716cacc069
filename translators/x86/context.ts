import type { Value } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';

/** What set the flags last in this block, so that the condition that follows is one comparison. */
export interface Setter {
  readonly kind: 'sub' | 'dec' | 'logic' | 'result' | 'float';
  readonly size: number;
  readonly left: Value;
  readonly right: Value;
  readonly result: Value;
}

/**
 * What the lifter knows from the instructions before in the same block: `Builder.context`. Values are defined once, so
 * knowledge about a value never becomes wrong; whether a register still holds it, `Builder.get` tells.
 */
export interface Context {
  setter: Setter | undefined;
  /** The value that CDQ put into EDX, the sign of the value `extended`. */
  sign: Value;
  extended: Value;
  /** By general register: the low `narrowSize` bytes of value `full`, zero-extended, are value `narrow`. */
  readonly full: Value[];
  readonly narrowSize: number[];
  readonly narrow: Value[];
  /** The integer of 64 bits that FILD made the value `loaded` of (x87 in double precision). */
  integer: Value;
  loaded: Value;
  /** x87: the top of the stack, −1 if it is not known; undefined before the block's first instruction that asks. See rows/x87-known.ts. */
  top: number | undefined;
  /** It was checked that the top is so, and that every exception is masked and none pending. */
  masked: boolean;
  /** Physical registers that are certainly full, or empty: a bit each. */
  filled: number;
  emptied: number;
  /** SSE; see Floats. */
  floats: Floats | undefined;
}

/** Of vectors and of scalars, by twice the value, plus one if they are taken for double precision. */
export interface Floats {
  /** A vector's lowest element. */
  readonly lows: Map<number, Value>;
  /** Values of which no element is denormal, nor any sum of such values (FloatLimit.GRID), unless X86.SSE_TINY. */
  readonly onGrid: Set<number>;
  /** The slow path can have been taken before, in this block. */
  settled: boolean;
}

export function contextOf(b: Builder): Context {
  let context = b.context as Context | undefined;
  if (!context) {
    context = {
      setter: undefined,
      sign: -1,
      extended: -1,
      full: [],
      narrowSize: [],
      narrow: [],
      integer: -1,
      loaded: -1,
      top: undefined,
      masked: false,
      filled: 0,
      emptied: 0,
      floats: undefined,
    };
    b.context = context;
  }
  return context;
}

export function floatsOf(b: Builder): Floats {
  const context = contextOf(b);
  context.floats ??= { lows: new Map(), onGrid: new Set(), settled: false };
  return context.floats;
}
/** MXCSR has been loaded. */
export function forgetFloats(b: Builder): void {
  contextOf(b).floats = undefined;
}
