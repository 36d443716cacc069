import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op } from '../../../src/ir/ops.ts';
import { add, adjustFlag, carryFlag, setLogicFlags, setResultFlags } from '../flags.ts';
import { register, setRegister } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { Vector } from '../sdm.ts';
import { X86 } from '../state.ts';

const DIV_U = op('i32.div_u');
const REM_U = op('i32.rem_u');
const AL = 0;
const AH = 4;

/** CF and AF as given (0 or 1); SF, ZF and PF of a zero-extended result. */
function setFlags(b: Builder, carry: Value, adjust: Value, overflow: Value, result: Value, size: number): void {
  b.set(X86.CF, carry);
  b.set(X86.AF_RESULT, b.shl(adjust, b.i32(4)));
  b.set(X86.OF_RESULT, overflow);
  setResultFlags(b, result, size);
}

/** Whether the low digit needs adjustment. */
const lowDigit = (b: Builder, al: Value): Value => b.or(b.gtU(b.and(al, b.i32(15)), b.i32(9)), adjustFlag(b));

/** OF is undefined; AMD Zen gives that of adding or subtracting the correction. */
const decimal =
  (subtract: boolean): Meaning =>
  (b) => {
    const al = register(b, AL, 1);
    const low = lowDigit(b, al);
    const high = b.or(b.gtU(al, b.i32(0x99)), carryFlag(b));
    const correction = b.add(b.mul(low, b.i32(6)), b.mul(high, b.i32(0x60)));
    const result = b.and(subtract ? b.sub(al, correction) : b.add(al, correction), b.i32(0xff));
    setRegister(b, AL, 1, result, true);
    const carry = subtract ? b.or(high, b.and(low, b.ltU(al, b.i32(6)))) : high;
    const changed = b.xor(al, result);
    const overflow = b.and(changed, subtract ? b.xor(al, correction) : b.xor(correction, result));
    setFlags(b, carry, low, b.shl(overflow, b.i32(24)), result, 1);
  };

/** OF, SF, ZF and PF are undefined; AMD Zen gives those of AX before AL's high digit is cleared. */
const ascii =
  (subtract: boolean): Meaning =>
  (b) => {
    const al = register(b, AL, 1);
    const adjust = lowDigit(b, al);
    const change = b.mul(adjust, b.i32(0x106));
    const ax = register(b, 0, 2);
    const result = subtract ? b.sub(ax, change) : b.add(ax, change);
    setRegister(b, 0, 2, b.and(result, b.i32(0xff0f)), true);
    const overflow = b.and(b.xor(ax, result), subtract ? b.xor(ax, change) : b.xor(change, result));
    setFlags(b, adjust, adjust, b.shl(overflow, b.i32(16)), b.and(result, b.i32(0xffff)), 2);
  };

const aam: Meaning = (b, i) => {
  const base = i.immediate & 0xff;
  if (base === 0) {
    b.exit(ExitKind.Exception, i.pc, Vector.DE, 0);
    return;
  }
  const al = register(b, AL, 1);
  const low = b.emit(REM_U, al, b.i32(base));
  setRegister(b, AH, 1, b.emit(DIV_U, al, b.i32(base)), true);
  setRegister(b, AL, 1, low, true);
  setLogicFlags(b, low, 1);
};
/** CF, OF and AF are undefined; AMD Zen gives those of the addition. */
const aad: Meaning = (b, i) => {
  const tens = b.and(b.mul(register(b, AH, 1), b.i32(i.immediate & 0xff)), b.i32(0xff));
  const { result, flags } = add(b, register(b, AL, 1), tens, 1);
  setRegister(b, 0, 2, result, true);
  flags();
};

export const bcd = (): readonly Row[] =>
  group('bcd', [
    row('27', 'DAA', decimal(false)),
    row('2F', 'DAS', decimal(true)),
    row('37', 'AAA', ascii(false)),
    row('3F', 'AAS', ascii(true)),
    row('D4 ib', 'AAM Ib', aam),
    row('D5 ib', 'AAD Ib', aad),
  ]);
