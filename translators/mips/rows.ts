import type { MipsRow } from './row.ts';
import { arithmetic, multiplyDivide } from './rows/arithmetic.ts';
import { branches } from './rows/branch.ts';
import { floatArithmetic } from './rows/float-arithmetic.ts';
import { floatConvert } from './rows/float-convert.ts';
import { floatMove } from './rows/float-move.ts';
import { field, logical, shift } from './rows/logical.ts';
import { memory } from './rows/memory.ts';
import { kernel } from './rows/privileged.ts';
import { continued, system, traps } from './rows/system.ts';

/** Every instruction that is implemented. Any other word is a reserved instruction. */
export const ROWS: readonly MipsRow[] = [
  ...arithmetic,
  ...multiplyDivide,
  ...logical,
  ...shift,
  ...field,
  ...memory,
  ...branches,
  ...traps,
  ...continued,
  ...system,
  ...floatMove,
  ...floatArithmetic,
  ...floatConvert,
  ...kernel,
];
