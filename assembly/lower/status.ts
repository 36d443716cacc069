// Status flags as words of their own: six words of state in a row that an addition, subtraction or logical operation sets, which one µop
// writes (Uop.STATUS_ADD …).
import { Kind, OpRow } from '../shared/lowering';
import { Uop } from '../shared/uop';
import { isConst32, kindOf, operandA, operandB, row, stateBytes } from './block';

/** The words, by their distance from the carry. */
export const enum Word {
  CARRY = 0,
  ZERO = 4,
  SIGN = 8,
  PARITY = 12,
  ADJUST = 16,
  OVERFLOW = 20,
  END = 24,
}

const NONE: i32 = -1;

/** What `match` has found: the µop, its operands, and the sets of carry (NONE if it is not part of it), adjust, overflow, zero and sign. */
export let uop: u32 = 0;
export let first: u32 = 0;
export let second: u32 = 0;
export let carrySet: i32 = NONE;
export let adjustSet: i32 = NONE;
export let overflowSet: i32 = NONE;
export let zeroSet: i32 = NONE;
export let signSet: i32 = NONE;

function isPlain(v: u32, uop: Uop): bool {
  const info = row(v);
  return load<u8>(info, OpRow.KIND) === Kind.Plain && load<u16>(info, OpRow.UOP) === uop && load<u8>(info, OpRow.SWAP) === 0;
}
function same(x: u32, y: u32): bool {
  return x === y || (isConst32(x) && isConst32(y) && operandA(x) === operandA(y));
}
/** Whether `v` is this operation on `x` and `y`, in this order. */
function isOf(v: u32, uop: Uop, x: u32, y: u32): bool {
  return isPlain(v, uop) && same(operandA(v), x) && same(operandB(v), y);
}
function isEither(v: u32, uop: Uop, x: u32, y: u32): bool {
  return isOf(v, uop, x, y) || isOf(v, uop, y, x);
}
function isZero(v: u32): bool {
  return isConst32(v) && operandA(v) === 0;
}
function isSum(v: u32, x: u32, y: u32): bool {
  return isEither(v, Uop.I32_ADD, x, y);
}
function isDifference(v: u32, x: u32, y: u32): bool {
  if (isOf(v, Uop.I32_SUB, x, y)) return true;
  if (!isPlain(v, Uop.I32_ADD) || !isConst32(y) || !same(operandA(v), x)) return false;
  const z = operandB(v);
  return isConst32(z) && operandA(z) + operandA(y) === 0;
}
function setsWord(v: i32, offset: u32): bool {
  return kindOf(v) === Kind.Set && operandA(v) === offset && stateBytes(v) === 4;
}
/** The set of the word at `offset` before `v`, with nothing but operations on values between; NONE without. */
function setBefore(v: i32, offset: u32): i32 {
  for (let i = v - 1; i >= 0; i--) {
    const kind = kindOf(i);
    if (kind === Kind.Set) return setsWord(i, offset) ? i : NONE;
    if (kind !== Kind.Plain && kind !== Kind.Const32) return NONE;
  }
  return NONE;
}

/** Whether the set at `v`, of a word of state, ends such a group. */
export function match(v: u32): bool {
  const offset = operandA(v);
  if (offset < <u32>Word.PARITY || v < 6 || !setsWord(v - 1, offset - 4)) return false;
  const result = operandB(v);
  signSet = v - 1;
  zeroSet = setBefore(signSet, offset - 8);
  if (zeroSet < 0 || operandB(zeroSet) !== result) return false;
  overflowSet = setBefore(zeroSet, offset + 8);
  if (overflowSet < 0) return false;
  adjustSet = setBefore(overflowSet, offset + 4);
  if (adjustSet < 0) return false;
  carrySet = setBefore(adjustSet, offset - Word.PARITY);
  return isLogic(result) || isArithmetic(result);
}

function isLogic(result: u32): bool {
  if (carrySet < 0 || !isZero(operandB(carrySet)) || !isZero(operandB(adjustSet)) || !isZero(operandB(overflowSet))) return false;
  uop = Uop.STATUS_LOGIC;
  first = result;
  second = operandB(signSet);
  return true;
}

function isArithmetic(result: u32): bool {
  let overflow = operandB(overflowSet);
  const sign = operandB(signSet);
  let outcome = result;
  let shift: u32 = 0;
  if (sign !== result) {
    if (!isPlain(sign, Uop.I32_SHL) || operandA(sign) !== result || !isPlain(overflow, Uop.I32_SHL)) return false;
    if (!isConst32(operandB(sign)) || !same(operandB(sign), operandB(overflow)) || !isPlain(result, Uop.I32_AND)) return false;
    shift = operandA(operandB(sign));
    if ((shift !== 16 && shift !== 24) || !isConst32(operandB(result)) || operandA(operandB(result)) !== <u32>-1 >>> shift) return false;
    outcome = operandA(result);
    overflow = operandA(overflow);
  }
  const adjust = operandB(adjustSet);
  if (!isPlain(overflow, Uop.I32_AND) || !isPlain(adjust, Uop.I32_XOR)) return false;
  const mixed = operandA(adjust);
  if (operandA(overflow) !== mixed || !isPlain(mixed, Uop.I32_XOR)) return false;
  const left = operandA(mixed);
  return operandB(adjust) === outcome
    ? isSubtraction(left, operandB(mixed), outcome, operandB(overflow), shift)
    : shift === 0 && operandB(mixed) === outcome && isAddition(left, operandB(adjust), outcome, operandB(overflow));
}

function isAddition(left: u32, right: u32, sum: u32, other: u32): bool {
  if (!isSum(sum, left, right) || !isEither(other, Uop.I32_XOR, right, sum)) return false;
  if (carrySet >= 0 && !isOf(operandB(carrySet), Uop.I32_LT_U, sum, left)) return false;
  uop = carrySet < 0 ? Uop.STATUS_INC : Uop.STATUS_ADD;
  first = sum;
  second = right;
  return true;
}

function isSubtraction(left: u32, right: u32, difference: u32, other: u32, shift: u32): bool {
  if (!isDifference(difference, left, right) || !isOf(other, Uop.I32_XOR, left, difference)) return false;
  if (carrySet >= 0 && !isOf(operandB(carrySet), Uop.I32_LT_U, left, right)) return false;
  second = right;
  if (shift === 0 && (carrySet < 0 || isKept(difference))) {
    uop = carrySet < 0 ? Uop.STATUS_DEC : Uop.STATUS_SUB;
    first = difference;
    return true;
  }
  if (carrySet < 0) return false;
  uop = shift === 0 ? Uop.STATUS_CMP32 : shift === 16 ? Uop.STATUS_CMP16 : Uop.STATUS_CMP8;
  first = left;
  return true;
}

/** Whether a difference has been kept before the flags are set. */
function isKept(difference: u32): bool {
  for (let i: i32 = difference + 1; i < carrySet; i++) {
    const kind = kindOf(i);
    if ((kind === Kind.Set || kind === Kind.Store) && operandB(i) === difference) return true;
  }
  return false;
}
