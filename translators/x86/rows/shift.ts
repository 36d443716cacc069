import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { carryFlag, forgetFlags } from '../flags.ts';
import { type Insn, read, readSigned, register, sizeOf, write } from '../operands.ts';
import { group, Kind, type Meaning, type Row, row } from '../row.ts';
import { X86 } from '../state.ts';

const REM_U = op('i32.rem_u');
const I64_EXTEND_U = op('i64.extend_i32_u');
const I64_WRAP = op('i32.wrap_i64');
const I64_OR = op('i64.or');
const I64_SHL = op('i64.shl');
const I64_SHR_U = op('i64.shr_u');

interface Shifted {
  /** Bits beyond the operand size do not count. */
  result: Value;
  /** CF in bit 0; the other bits do not count. */
  carry: Value;
  /** OF is this one's highest bit inside the operand size. */
  overflow: Value;
  /** SF, ZF and PF too, and AF is set (undefined in the SDM; AMD Zen sets it). Rotates leave these four. */
  arithmetic: boolean;
}

/** `value` and `count` (1…31 where it matters) are zero-extended; SAR's value is sign-extended. */
type Shift = (b: Builder, value: Value, count: Value, size: number) => Shifted;

/**
 * The count is masked to five bits. If it is zero no flag changes. OF is defined for a count of 1 only; for others
 * it is what AMD Zen gives, the same formula.
 */
const shifter =
  (f: Shift, signed = false): Meaning =>
  (b, i) => {
    const size = sizeOf(i, 0);
    const value = signed ? readSigned(b, i, 0) : read(b, i, 0);
    const last = i.row.operands.length - 1;
    // much depends on a count that is known: no template leaves it open
    const by = i.row.operands[last].kind === Kind.I ? b.i32(i.immediate) : read(b, i, last);
    const count = b.and(by, b.i32(31));
    finish(b, i, size, count, f(b, value, count, size), value);
  };

function finish(b: Builder, i: Insn, size: number, count: Value, shifted: Shifted, old: Value): void {
  const { carry, overflow, arithmetic } = shifted;
  const constant = b.constantOf(count);
  if (constant === 0) {
    write(b, i, 0, old);
    return;
  }
  const result = size === 4 ? shifted.result : b.and(shifted.result, b.i32(size === 2 ? 0xffff : 0xff));
  write(b, i, 0, result, true);
  const keep = (offset: X86, value: Value): void =>
    b.set(offset, constant === undefined ? b.select(count, value, b.get(Type.I32, offset)) : value);
  const top = (value: Value): Value => b.shl(value, b.i32(32 - size * 8));
  keep(X86.CF, b.and(carry, b.i32(1)));
  keep(X86.OF_RESULT, top(overflow));
  if (arithmetic) {
    keep(X86.ZF_RESULT, result);
    keep(X86.SF_RESULT, top(result));
    keep(X86.PF_RESULT, result);
    keep(X86.AF_RESULT, b.i32(0x10));
  }
  forgetFlags(b);
}

const below = (b: Builder, count: Value): Value => b.sub(count, b.i32(1));
/** Highest bit differs from the one below it. */
const topTwo = (b: Builder, result: Value): Value => b.xor(result, b.shl(result, b.i32(1)));
/** `bit0` moved to where the operand's highest bit is. */
const toTop = (b: Builder, bit0: Value, size: number): Value => b.shl(bit0, b.i32(size * 8 - 1));

const shl: Shift = (b, value, count, size) => {
  const result = b.shl(value, count);
  const carry = size === 4 ? b.shrU(value, b.sub(b.i32(32), count)) : b.shrU(result, b.i32(size * 8));
  return { result, carry, overflow: b.xor(result, toTop(b, carry, size)), arithmetic: true };
};
const shr: Shift = (b, value, count) => {
  const result = b.shrU(value, count);
  return { result, carry: b.shrU(value, below(b, count)), overflow: topTwo(b, result), arithmetic: true };
};
const sar: Shift = (b, value, count) => ({
  result: b.shrS(value, count),
  carry: b.shrS(value, below(b, count)),
  overflow: b.i32(0),
  arithmetic: true,
});

/** The value repeated to fill 32 bits, so that a 32-bit rotate rotates it. */
const repeat = (b: Builder, value: Value, size: number): Value =>
  size === 4 ? value : b.mul(value, b.i32(size === 2 ? 0x10001 : 0x1010101));
const rol: Shift = (b, value, count, size) => {
  const result = b.rotl(repeat(b, value, size), count);
  return { result, carry: result, overflow: b.xor(result, toTop(b, result, size)), arithmetic: false };
};
const ror: Shift = (b, value, count, size) => {
  const result = b.rotr(repeat(b, value, size), count);
  return { result, carry: b.shrU(result, b.i32(size * 8 - 1)), overflow: topTwo(b, result), arithmetic: false };
};

/** CF and the operand together, rotated left by `count` of their 9, 17 or 33 bits. */
function rotateThroughCarry(b: Builder, value: Value, count: Value, size: number, left: boolean): { result: Value; carry: Value } {
  if (size === 4) {
    const long = (v: Value): Value => b.emit(I64_EXTEND_U, v);
    const whole = b.emit(I64_OR, long(value), b.emit(I64_SHL, long(carryFlag(b)), b.i64(32, 0)));
    const rest = b.sub(b.i32(33), count);
    const high = b.emit(I64_SHL, whole, long(left ? count : rest));
    const low = b.emit(I64_SHR_U, whole, long(left ? rest : count));
    const rotated = b.emit(I64_OR, high, low);
    return { result: b.emit(I64_WRAP, rotated), carry: b.emit(I64_WRAP, b.emit(I64_SHR_U, rotated, b.i64(32, 0))) };
  }
  const bits = size * 8 + 1;
  const whole = b.or(value, b.shl(carryFlag(b), b.i32(size * 8)));
  const constant = b.constantOf(count);
  const modulo = constant !== undefined ? b.i32(constant % bits) : b.emit(REM_U, count, b.i32(bits));
  const rest = b.sub(b.i32(bits), modulo);
  const rotated = b.or(b.shl(whole, left ? modulo : rest), b.shrU(whole, left ? rest : modulo));
  return { result: rotated, carry: b.shrU(rotated, b.i32(size * 8)) };
}
const rcl: Shift = (b, value, count, size) => {
  const { result, carry } = rotateThroughCarry(b, value, count, size, true);
  return { result, carry, overflow: b.xor(result, toTop(b, carry, size)), arithmetic: false };
};
const rcr: Shift = (b, value, count, size) => {
  const { result, carry } = rotateThroughCarry(b, value, count, size, false);
  return { result, carry, overflow: topTwo(b, result), arithmetic: false };
};

/** SHLD, SHRD: 16-bit operands shifted by more than 16 are undefined; AMD Zen goes on with the source's bits and clears CF. */
const double =
  (left: boolean): Meaning =>
  (b, i) => {
    const size = i.operandSize;
    const value = read(b, i, 0);
    const source = read(b, i, 1);
    const byCl = i.row.operands[2].kind === Kind.Register;
    const count = b.and(byCl ? register(b, 1, 1) : b.i32(i.immediate), b.i32(31));
    const long = (v: Value): Value => b.emit(I64_EXTEND_U, v);
    const shift64 = (v: Value, n: Value, opcode: number): Value => b.emit(opcode, v, long(n));
    const pair = (high: Value, low: Value): Value => b.emit(I64_OR, b.emit(I64_SHL, long(high), b.i64(32, 0)), long(low));
    const twice = size === 4 ? source : b.mul(source, b.i32(0x10001));
    let result: Value;
    let carry: Value;
    if (left) {
      const whole = size === 4 ? pair(value, source) : pair(b.or(b.shl(value, b.i32(16)), source), twice);
      const shifted = shift64(whole, count, I64_SHL);
      result = b.emit(I64_WRAP, b.emit(I64_SHR_U, shifted, b.i64(size === 4 ? 32 : 48, 0)));
      carry = b.shrU(value, b.sub(b.i32(size * 8), count));
    } else {
      const whole = size === 4 ? pair(source, value) : pair(twice, b.or(b.shl(source, b.i32(16)), value));
      result = b.emit(I64_WRAP, shift64(whole, count, I64_SHR_U));
      carry = b.shrU(value, below(b, count));
    }
    if (size === 2) carry = b.select(b.gtU(count, b.i32(16)), b.i32(0), carry);
    const overflow = left ? b.xor(b.shl(value, count), toTop(b, carry, size)) : topTwo(b, result);
    finish(b, i, size, count, { result, carry, overflow, arithmetic: true }, value);
  };

const forms = (digit: number, name: string, f: Shift, signed = false): Row[] => [
  row(`C0 /${digit} ib`, `${name} Eb, Ib`, shifter(f, signed)),
  row(`C1 /${digit} ib`, `${name} Ev, Ib`, shifter(f, signed)),
  row(`D0 /${digit}`, `${name} Eb, 1`, shifter(f, signed)),
  row(`D1 /${digit}`, `${name} Ev, 1`, shifter(f, signed)),
  row(`D2 /${digit}`, `${name} Eb, CL`, shifter(f, signed)),
  row(`D3 /${digit}`, `${name} Ev, CL`, shifter(f, signed)),
];

export const shift = (): readonly Row[] =>
  group('shift', [
    ...forms(0, 'ROL', rol),
    ...forms(1, 'ROR', ror),
    ...forms(2, 'RCL', rcl),
    ...forms(3, 'RCR', rcr),
    ...forms(4, 'SHL', shl),
    ...forms(5, 'SHR', shr),
    // not in the SDM's text, but in processors: an alias of /4
    ...forms(6, 'SHL', shl),
    ...forms(7, 'SAR', sar, true),
    row('0F A4 /r ib', 'SHLD Ev, Gv, Ib', double(true)),
    row('0F A5 /r', 'SHLD Ev, Gv, CL', double(true)),
    row('0F AC /r ib', 'SHRD Ev, Gv, Ib', double(false)),
    row('0F AD /r', 'SHRD Ev, Gv, CL', double(false)),
  ]);
