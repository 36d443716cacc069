import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { ExcCode } from '../abi.ts';
import { gpr, group, setGpr } from '../row.ts';
import { Mips } from '../state.ts';

const CLZ = op('i32.clz');
const EXTEND8 = op('i32.extend8_s');
const EXTEND16 = op('i32.extend16_s');
const DIV_S = op('i32.div_s');
const DIV_U = op('i32.div_u');
const EXTEND_S = op('i64.extend_i32_s');
const EXTEND_U = op('i64.extend_i32_u');
const WRAP = op('i32.wrap_i64');
const ADD64 = op('i64.add');
const SUB64 = op('i64.sub');
const MUL64 = op('i64.mul');
const OR64 = op('i64.or');
const SHL64 = op('i64.shl');
const SHR64 = op('i64.shr_u');

/** Integer Overflow if `sum`, of operands x and y, has a sign that neither of them has. */
function trapOnCarry(b: Builder, x: Value, y: Value, sum: Value): void {
  b.exitIf(b.ltS(b.and(b.xor(x, sum), b.xor(y, sum)), b.i32(0)), ExitKind.Exception, ExcCode.Ov);
}

function add(b: Builder, register: number, x: Value, y: Value): void {
  const sum = b.add(x, y);
  trapOnCarry(b, x, y, sum);
  setGpr(b, register, sum);
}

export const arithmetic = group('arithmetic', (row) => [
  row('000000 sssss ttttt ddddd 00000 100000', 'add $d,$s,$t', ({ s, t, d }, b) => add(b, d, gpr(b, s), gpr(b, t))),
  row('000000 sssss ttttt ddddd 00000 100001', 'addu $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.add(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt ddddd 00000 100010', 'sub $d,$s,$t', ({ s, t, d }, b) => {
    const x = gpr(b, s);
    const y = gpr(b, t);
    const difference = b.sub(x, y);
    b.exitIf(b.ltS(b.and(b.xor(x, y), b.xor(x, difference)), b.i32(0)), ExitKind.Exception, ExcCode.Ov);
    setGpr(b, d, difference);
  }),
  row('000000 sssss ttttt ddddd 00000 100011', 'subu $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.sub(gpr(b, s), gpr(b, t)))),
  row('001000 sssss ttttt iiiiiiiiiiiiiiii', 'addi $t,$s,$i', ({ s, t }, b, site) => add(b, t, gpr(b, s), site.immediate(b))),
  row('001001 sssss ttttt iiiiiiiiiiiiiiii', 'addiu $t,$s,$i', ({ s, t }, b, site) => setGpr(b, t, b.add(gpr(b, s), site.immediate(b)))),
  row('000000 sssss ttttt ddddd 00000 101010', 'slt $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.ltS(gpr(b, s), gpr(b, t)))),
  row('000000 sssss ttttt ddddd 00000 101011', 'sltu $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.ltU(gpr(b, s), gpr(b, t)))),
  row('001010 sssss ttttt iiiiiiiiiiiiiiii', 'slti $t,$s,$i', ({ s, t }, b, site) => setGpr(b, t, b.ltS(gpr(b, s), site.immediate(b)))),
  row('001011 sssss ttttt iiiiiiiiiiiiiiii', 'sltiu $t,$s,$i', ({ s, t }, b, site) => setGpr(b, t, b.ltU(gpr(b, s), site.immediate(b)))),
  // the manual wants rd in both register fields; compiled code has it so
  row('011100 sssss ttttt ddddd 00000 100000', 'clz $d,$s', ({ s, d }, b) => setGpr(b, d, b.emit(CLZ, gpr(b, s)))),
  row('011100 sssss ttttt ddddd 00000 100001', 'clo $d,$s', ({ s, d }, b) => setGpr(b, d, b.emit(CLZ, b.not(gpr(b, s))))),
  row('011111 00000 ttttt ddddd 10000 100000', 'seb $d,$t', ({ t, d }, b) => setGpr(b, d, b.emit(EXTEND8, gpr(b, t)))),
  row('011111 00000 ttttt ddddd 11000 100000', 'seh $d,$t', ({ t, d }, b) => setGpr(b, d, b.emit(EXTEND16, gpr(b, t)))),
]);

const product = (b: Builder, extend: number, s: number, t: number): Value =>
  b.emit(MUL64, b.emit(extend, gpr(b, s)), b.emit(extend, gpr(b, t)));

const setHiLo = (b: Builder, value: Value): void => b.set(Mips.HILO, value);
const hiLo = (b: Builder): Value => b.get(Type.I64, Mips.HILO);
const low = (b: Builder): Value => b.emit(WRAP, hiLo(b));
const high = (b: Builder): Value => b.emit(WRAP, b.emit(SHR64, hiLo(b), b.i64(32, 0)));
const setBoth = (b: Builder, hi: Value, lo: Value): void =>
  setHiLo(b, b.emit(OR64, b.emit(SHL64, b.emit(EXTEND_U, hi), b.i64(32, 0)), b.emit(EXTEND_U, lo)));

/** HI and LO are UNPREDICTABLE after a division by zero; here they are as after a division by one. */
function divide(b: Builder, divideBy: number, x: Value, y: Value, unsafe: Value): void {
  const divisor = b.select(unsafe, b.i32(1), y);
  const quotient = b.emit(divideBy, x, divisor);
  // engines do not see that one division gives both
  setBoth(b, b.sub(x, b.mul(quotient, divisor)), quotient);
}

export const multiplyDivide = group('multiply and divide', (row) => [
  row('000000 sssss ttttt 00000 00000 011000', 'mult $s,$t', ({ s, t }, b) => setHiLo(b, product(b, EXTEND_S, s, t))),
  row('000000 sssss ttttt 00000 00000 011001', 'multu $s,$t', ({ s, t }, b) => setHiLo(b, product(b, EXTEND_U, s, t))),
  row('011100 sssss ttttt ddddd 00000 000010', 'mul $d,$s,$t', ({ s, t, d }, b) => setGpr(b, d, b.mul(gpr(b, s), gpr(b, t)))),
  row('011100 sssss ttttt 00000 00000 000000', 'madd $s,$t', ({ s, t }, b) =>
    setHiLo(b, b.emit(ADD64, hiLo(b), product(b, EXTEND_S, s, t))),
  ),
  row('011100 sssss ttttt 00000 00000 000001', 'maddu $s,$t', ({ s, t }, b) =>
    setHiLo(b, b.emit(ADD64, hiLo(b), product(b, EXTEND_U, s, t))),
  ),
  row('011100 sssss ttttt 00000 00000 000100', 'msub $s,$t', ({ s, t }, b) =>
    setHiLo(b, b.emit(SUB64, hiLo(b), product(b, EXTEND_S, s, t))),
  ),
  row('011100 sssss ttttt 00000 00000 000101', 'msubu $s,$t', ({ s, t }, b) =>
    setHiLo(b, b.emit(SUB64, hiLo(b), product(b, EXTEND_U, s, t))),
  ),
  row('000000 sssss ttttt 00000 00000 011010', 'div zero,$s,$t', ({ s, t }, b) => {
    const x = gpr(b, s);
    const y = gpr(b, t);
    const overflow = b.and(b.eq(x, b.i32(0x80000000)), b.eq(y, b.i32(-1)));
    divide(b, DIV_S, x, y, b.or(b.eqz(y), overflow));
  }),
  row('000000 sssss ttttt 00000 00000 011011', 'divu zero,$s,$t', ({ s, t }, b) => {
    const y = gpr(b, t);
    divide(b, DIV_U, gpr(b, s), y, b.eqz(y));
  }),
  row('000000 00000 00000 ddddd 00000 010000', 'mfhi $d', ({ d }, b) => setGpr(b, d, high(b))),
  row('000000 00000 00000 ddddd 00000 010010', 'mflo $d', ({ d }, b) => setGpr(b, d, low(b))),
  row('000000 sssss 00000 00000 00000 010001', 'mthi $s', ({ s }, b) => setBoth(b, gpr(b, s), low(b))),
  row('000000 sssss 00000 00000 00000 010011', 'mtlo $s', ({ s }, b) => setBoth(b, high(b), gpr(b, s))),
]);
