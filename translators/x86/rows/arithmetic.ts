import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { adc, add, dec, inc, isSignOf, type Outcome, rememberSign, sbb, setCarryOverflow, setResultFlags, sub } from '../flags.ts';
import { type Insn, inMemory, read, readSigned, register, setRegister, signExtend, sizeOf, write } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { Vector } from '../sdm.ts';
import { X86 } from '../state.ts';

const I64_EXTEND_S = op('i64.extend_i32_s');
const I64_EXTEND_U = op('i64.extend_i32_u');
const I64_WRAP = op('i32.wrap_i64');
const I64_MUL = op('i64.mul');
const I64_OR = op('i64.or');
const I64_SHL = op('i64.shl');
const I64_SHR_U = op('i64.shr_u');
const I64_SHR_S = op('i64.shr_s');
const I64_DIV_U = op('i64.div_u');
const I64_DIV_S = op('i64.div_s');
const I64_NE = op('i64.ne');
const DIV_U = op('i32.div_u');
const DIV_S = op('i32.div_s');
const MIN = -0x80000000;

type Binary = (b: Builder, left: Value, right: Value, size: number) => Outcome;

/** r − r and r − r − CF do not depend on r. */
const sameRegister = (i: Insn): boolean =>
  i.row.modrm && i.mod === 3 && i.row.operands.length === 2 && i.row.immediate === 0 && i.reg === i.rm;

const binary =
  (f: Binary): Meaning =>
  (b, i) => {
    const { result, flags } = f(b, read(b, i, 0), read(b, i, 1), sizeOf(i, 0));
    write(b, i, 0, result, true);
    flags();
  };
const subtract =
  (f: Binary): Meaning =>
  (b, i) => {
    if (!sameRegister(i)) return binary(f)(b, i);
    const { result, flags } = f(b, b.i32(0), b.i32(0), sizeOf(i, 0));
    write(b, i, 0, result, true);
    flags();
  };
const compare: Meaning = (b, i) => sub(b, read(b, i, 0), read(b, i, 1), sizeOf(i, 0)).flags();

/** The eight two-operand instructions of the one-byte map's first half. */
export function twoOperand(name: string, digit: number, meaning: Meaning): Row[] {
  const opcode = (k: number): string => (digit * 8 + k).toString(16).toUpperCase().padStart(2, '0');
  return [
    row(`${opcode(0)} /r`, `${name} Eb, Gb`, meaning),
    row(`${opcode(1)} /r`, `${name} Ev, Gv`, meaning),
    row(`${opcode(2)} /r`, `${name} Gb, Eb`, meaning),
    row(`${opcode(3)} /r`, `${name} Gv, Ev`, meaning),
    row(`${opcode(4)} ib`, `${name} AL, Ib`, meaning),
    row(`${opcode(5)} iz`, `${name} eAX, Iz`, meaning),
    row(`80 /${digit} ib`, `${name} Eb, Ib`, meaning),
    row(`81 /${digit} iz`, `${name} Ev, Iz`, meaning),
    row(`82 /${digit} ib`, `${name} Eb, Ib`, meaning),
    row(`83 /${digit} ib`, `${name} Ev, Ibs`, meaning),
  ];
}

const unary =
  (f: (b: Builder, value: Value, size: number) => Outcome): Meaning =>
  (b, i) => {
    const { result, flags } = f(b, read(b, i, 0), sizeOf(i, 0));
    write(b, i, 0, result, true);
    flags();
  };
const neg = unary((b, value, size) => sub(b, b.i32(0), value, size));

const xadd: Meaning = (b, i) => {
  const old = read(b, i, 0);
  const { result, flags } = add(b, old, read(b, i, 1), sizeOf(i, 0));
  if (inMemory(i, 0)) {
    write(b, i, 0, result, true);
    write(b, i, 1, old, true);
  } else {
    write(b, i, 1, old, true);
    write(b, i, 0, result, true);
  }
  flags();
};

const cmpxchg: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const old = read(b, i, 0);
  const accumulator = register(b, 0, size);
  const source = read(b, i, 1);
  const equal = b.eq(accumulator, old);
  const stored = b.select(equal, source, old);
  const memory = inMemory(i, 0);
  if (memory) write(b, i, 0, stored, true);
  setRegister(b, 0, size, b.select(equal, accumulator, old), true);
  if (!memory) write(b, i, 0, stored, true);
  sub(b, accumulator, old, size).flags();
};

/** EDX:EAX, DX:AX or AX. */
function setProduct(b: Builder, size: number, low: Value, high: Value): void {
  if (size === 1) setRegister(b, 0, 2, low);
  else {
    setRegister(b, 0, size, low);
    setRegister(b, 2, size, high);
  }
}

/** SF, ZF, AF and PF are undefined and stay as they were. */
const mul: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const left = register(b, 0, size);
  const right = read(b, i, 0);
  if (size === 4) {
    const product = b.emit(I64_MUL, b.emit(I64_EXTEND_U, left), b.emit(I64_EXTEND_U, right));
    const high = b.emit(I64_WRAP, b.emit(I64_SHR_U, product, b.i64(32, 0)));
    setProduct(b, size, b.emit(I64_WRAP, product), high);
    setCarryOverflow(b, b.ne(high, b.i32(0)));
    return;
  }
  const product = b.mul(left, right);
  const high = b.shrU(product, b.i32(size * 8));
  setProduct(b, size, product, high);
  setCarryOverflow(b, b.ne(high, b.i32(0)));
};

/** The product of two sign-extended factors, and 1 if it does not fit `size` bytes. */
function signedProduct(b: Builder, left: Value, right: Value, size: number): { low: Value; high: Value; overflow: Value } {
  const low = b.mul(left, right);
  if (size !== 4) return { low, high: b.shrS(low, b.i32(size * 8)), overflow: b.ne(low, signExtend(b, low, size)) };
  const product = b.emit(I64_MUL, b.emit(I64_EXTEND_S, left), b.emit(I64_EXTEND_S, right));
  const high = b.emit(I64_WRAP, b.emit(I64_SHR_S, product, b.i64(32, 0)));
  return { low, high, overflow: b.ne(high, b.shrS(low, b.i32(31))) };
}

const imulAccumulator: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const { low, high, overflow } = signedProduct(b, signExtend(b, register(b, 0, size), size), readSigned(b, i, 0), size);
  setProduct(b, size, low, high);
  setCarryOverflow(b, overflow);
};
const imul =
  (left: number, right: number): Meaning =>
  (b, i) => {
    const size = sizeOf(i, 0);
    const factor = signExtend(b, read(b, i, right), size);
    const { low, overflow } = signedProduct(b, readSigned(b, i, left), factor, size);
    write(b, i, 0, low);
    setCarryOverflow(b, overflow);
  };

function divideError(b: Builder, condition: Value): void {
  b.exitIf(condition, ExitKind.Exception, Vector.DE);
}

/** EDX:EAX as one i64. */
function longDividend(b: Builder): Value {
  const high = b.emit(I64_SHL, b.emit(I64_EXTEND_U, b.get(Type.I32, X86.EDX)), b.i64(32, 0));
  return b.emit(I64_OR, high, b.emit(I64_EXTEND_U, b.get(Type.I32, X86.EAX)));
}

/**
 * SF, ZF, AF and PF are undefined and become what AMD Zen leaves: only AF set. So are CF and OF, which stay. `dividend`: its low word. The
 * remainder is computed from the quotient, since engines do not see that one division gives both.
 */
function setQuotient(b: Builder, size: number, quotient: Value, dividend: Value, divisor: Value): void {
  const remainder = b.sub(dividend, b.mul(quotient, divisor));
  b.set(X86.AF_RESULT, b.i32(0x10));
  setResultFlags(b, b.i32(1), 4);
  setRegister(b, 0, size, quotient);
  setRegister(b, size === 1 ? 4 : 2, size, remainder);
}

/** #DE if the divisor is zero or the quotient too large: if the dividend's upper half is not below the divisor. */
const div: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const divisor = read(b, i, 0);
  const high = register(b, size === 1 ? 4 : 2, size);
  divideError(b, b.geU(high, divisor));
  if (size !== 4) {
    const dividend = b.or(b.shl(high, b.i32(size * 8)), register(b, 0, size));
    setQuotient(b, size, b.emit(DIV_U, dividend, divisor), dividend, divisor);
  } else if (b.constantOf(high) === 0) {
    const dividend = b.get(Type.I32, X86.EAX);
    setQuotient(b, size, b.emit(DIV_U, dividend, divisor), dividend, divisor);
  } else {
    const dividend = longDividend(b);
    const long = b.emit(I64_EXTEND_U, divisor);
    setQuotient(b, size, b.emit(I64_WRAP, b.emit(I64_DIV_U, dividend, long)), b.get(Type.I32, X86.EAX), divisor);
  }
};

/** The conditions leave no case in which WebAssembly's own division traps. */
const idiv: Meaning = (b, i) => {
  const size = sizeOf(i, 0);
  const divisor = readSigned(b, i, 0);
  const minusOne = b.eq(divisor, b.i32(-1));
  const eax = b.get(Type.I32, X86.EAX);
  if (size === 4 && !isSignOf(b, b.get(Type.I32, X86.EDX), eax)) {
    const edx = b.get(Type.I32, X86.EDX);
    const overflow = b.and(minusOne, b.and(b.eqz(eax), b.eq(edx, b.i32(MIN))));
    divideError(b, b.or(b.eqz(divisor), overflow));
    const dividend = longDividend(b);
    const long = b.emit(I64_EXTEND_S, divisor);
    const quotient = b.emit(I64_DIV_S, dividend, long);
    const low = b.emit(I64_WRAP, quotient);
    divideError(b, b.emit(I64_NE, quotient, b.emit(I64_EXTEND_S, low)));
    setQuotient(b, size, low, eax, divisor);
    return;
  }
  const dividend =
    size === 4 ? eax : size === 2 ? b.or(b.shl(register(b, 2, 2), b.i32(16)), register(b, 0, 2)) : signExtend(b, register(b, 0, 2), 2);
  const zero = b.eqz(divisor);
  divideError(b, size === 1 ? zero : b.or(zero, b.and(minusOne, b.eq(dividend, b.i32(MIN)))));
  const quotient = b.emit(DIV_S, dividend, divisor);
  if (size !== 4) divideError(b, b.ne(quotient, signExtend(b, quotient, size)));
  setQuotient(b, size, quotient, dividend, divisor);
};

const cwde: Meaning = (b, i) => {
  const size = i.operandSize;
  setRegister(b, 0, size, signExtend(b, b.get(Type.I32, X86.EAX), size / 2));
};
const cdq: Meaning = (b, i) => {
  if (i.operandSize === 4) {
    const eax = b.get(Type.I32, X86.EAX);
    const sign = b.shrS(eax, b.i32(31));
    b.set(X86.EDX, sign);
    rememberSign(b, sign, eax);
  } else setRegister(b, 2, 2, b.shrS(signExtend(b, b.get(Type.I32, X86.EAX), 2), b.i32(31)));
};

export const arithmetic = (): readonly Row[] =>
  group('arithmetic', [
    ...twoOperand('ADD', 0, binary(add)),
    ...twoOperand('ADC', 2, binary(adc)),
    ...twoOperand('SBB', 3, subtract(sbb)),
    ...twoOperand('SUB', 5, subtract(sub)),
    ...twoOperand('CMP', 7, compare),
    row('40+r', 'INC Zv', unary(inc)),
    row('FE /0', 'INC Eb', unary(inc)),
    row('FF /0', 'INC Ev', unary(inc)),
    row('48+r', 'DEC Zv', unary(dec)),
    row('FE /1', 'DEC Eb', unary(dec)),
    row('FF /1', 'DEC Ev', unary(dec)),
    row('F6 /3', 'NEG Eb', neg),
    row('F7 /3', 'NEG Ev', neg),
    row('0F C0 /r', 'XADD Eb, Gb', xadd),
    row('0F C1 /r', 'XADD Ev, Gv', xadd),
    row('0F B0 /r', 'CMPXCHG Eb, Gb', cmpxchg),
    row('0F B1 /r', 'CMPXCHG Ev, Gv', cmpxchg),
    row('F6 /4', 'MUL Eb', mul),
    row('F7 /4', 'MUL Ev', mul),
    row('F6 /5', 'IMUL Eb', imulAccumulator),
    row('F7 /5', 'IMUL Ev', imulAccumulator),
    row('0F AF /r', 'IMUL Gv, Ev', imul(0, 1)),
    row('69 /r iz', 'IMUL Gv, Ev, Iz', imul(1, 2)),
    row('6B /r ib', 'IMUL Gv, Ev, Ibs', imul(1, 2)),
    row('F6 /6', 'DIV Eb', div),
    row('F7 /6', 'DIV Ev', div),
    row('F6 /7', 'IDIV Eb', idiv),
    row('F7 /7', 'IDIV Ev', idiv),
    row('98', 'CBW/CWDE', cwde),
    row('99', 'CWD/CDQ', cdq),
  ]);
