import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { ABI } from '../abi.ts';
import { condition, forgetFlags } from '../flags.ts';
import { address, checkWritable, type Insn, load, setRegister, store } from '../operands.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { Vector } from '../sdm.ts';
import { eipOf, exitOnFault, isFlat, segmentOf } from '../segmentation.ts';
import { X86 } from '../state.ts';

const I = Type.I32;
const L = Type.I64;
export const helper = (name: string, result: Type, ...params: Type[]): Helper => ({
  name: `x87_${name}`,
  params,
  result,
  state: true,
  range: [X86.FC1, X86.XMM],
  pure: false,
});

/** See assembly/x86/x87.ts. */
export const x87Helpers: readonly Helper[] = [
  helper('arithmetic', I, I, I, I),
  helper('arithmetic_f64', Type.None, L, I),
  helper('arithmetic_f32', Type.None, I, I),
  helper('arithmetic_i32', Type.None, I, I),
  helper('compare', I, I, I, I),
  helper('compare_flags', I, I, I, I),
  helper('push_f64', Type.None, L),
  helper('push_f32', Type.None, I),
  helper('push_f80', Type.None, L, I),
  helper('push_i32', Type.None, I),
  helper('push_i64', Type.None, L),
  helper('push_st', I, I),
  helper('store_f64', L, I),
  helper('store_f32', I, I),
  helper('store_i32', I, I, I, I),
  helper('store_i64', L, I, I),
  helper('stored', Type.None, I),
  helper('copy', I, I, I),
  helper('exchange', I, I),
  helper('move_if', I, I, I),
  helper('free', I, I, I),
  helper('d9', I, I),
  helper('load_control', Type.None, I),
  helper('store_f80', I, I),
  helper('load_bcd', I, I),
  helper('store_bcd', I, I),
  helper('store_environment', I, I, I),
  helper('load_environment', I, I, I),
  helper('save', I, I, I),
  helper('restore', I, I, I),
  helper('initialize', Type.None),
];

const LOAD16S = op('i32.load16_s');
const LOAD64 = op('i64.load');
const STORE64 = op('i64.store');
const I64_SHL = op('i64.shl');
const I64_OR = op('i64.or');
const I64_EXTEND_U = op('i64.extend_i32_u');
/** FSW.ES: an unmasked exception is pending. */
const ES = 0x80;

/** #MF if `status`, a helper's, says that an exception is pending. */
function wait(b: Builder, status: Value): void {
  b.exitIf(status, ExitKind.Exception, Vector.MF);
}
/** The same for helpers that access memory: their status is 1 for #MF, 2 for a memory fault. */
function waitOrFault(b: Builder, status: Value): void {
  b.exitIf(b.and(status, b.i32(1)), ExitKind.Exception, Vector.MF);
  exitOnFault(b, b.and(status, b.i32(2)));
}
/** #MF if an exception is pending: what FWAIT does. */
function waitFirst(b: Builder): void {
  wait(b, b.and(b.get(I, X86.FSW), b.i32(ES)));
}

/** Notes the last instruction (SDM volume 1, 8.1.8): its pc, CS and opcode as one constant, and its memory operand. */
export function notePointers(b: Builder, i: Insn): void {
  const opcode = ((i.opcode & 7) << 8) | i.modrm;
  if (i.mode === 0) b.set(X86.FIP, b.i64(i.pc, ABI.userCode | (opcode << 16)));
  else {
    const selector = b.emit(I64_SHL, b.emit(I64_EXTEND_U, b.or(b.get(I, X86.CS), b.i32(opcode << 16))), b.i64(32, 0));
    b.set(X86.FIP, b.emit(I64_OR, selector, b.emit(I64_EXTEND_U, eipOf(b, i, i.pc))));
  }
  if (i.mod !== 3) b.set(X86.FDP, address(b, i));
}

/** A helper that returns a Status, called with constants. */
const call =
  (name: string, ...args: number[]): Meaning =>
  (b, i) => {
    wait(b, b.helper(`x87_${name}`, ...args.map((n) => b.i32(n))));
    notePointers(b, i);
  };
/** The same with ModRM.rm, the i of ST(i), as first argument. */
const callSt =
  (name: string, ...args: number[]): Meaning =>
  (b, i) => {
    wait(b, b.helper(`x87_${name}`, b.i32(i.rm), ...args.map((n) => b.i32(n))));
    notePointers(b, i);
  };
/** Where to store: its segment may not be written (#GP). */
function target(b: Builder, i: Insn): Value {
  checkWritable(b, i);
  return address(b, i);
}
/** A helper that accesses its memory operand itself. #MF comes before #GP, too. */
const callMemory =
  (name: string, place: (b: Builder, i: Insn) => Value): Meaning =>
  (b, i) => {
    if (!isFlat(i, segmentOf(i))) waitFirst(b);
    const at = place(b, i);
    b.access?.(at, 10, place === target);
    waitOrFault(b, b.helper(`x87_${name}`, at));
    notePointers(b, i);
  };
/** The same for what is as long as the operand size says, and notes no pointers. */
const callEnvironment =
  (name: string, place: (b: Builder, i: Insn) => Value, registers = 0): Meaning =>
  (b, i) => {
    if (place === address && !isFlat(i, segmentOf(i))) waitFirst(b);
    const at = place(b, i);
    b.access?.(at, 7 * i.operandSize + registers, place === target);
    waitOrFault(b, b.helper(`x87_${name}`, at, b.i32(i.operandSize)));
  };

type Load = (b: Builder, i: Insn) => Value;
export const f32: Load = (b, i) => load(b, address(b, i), 4);
export const f64: Load = (b, i) => b.load(LOAD64, address(b, i));
const i16: Load = (b, i) => b.load(LOAD16S, address(b, i));

/** Helper `name` with the memory operand. #MF comes before a memory fault. */
const withMemory =
  (name: string, read: Load, ...args: number[]): Meaning =>
  (b, i) => {
    waitFirst(b);
    b.helper(`x87_${name}`, read(b, i), ...args.map((n) => b.i32(n)));
    notePointers(b, i);
  };

/** Computes what is to be stored, stores it, then changes status and stack: a store that faults has done nothing. */
function storing(bytes: 2 | 4 | 8, value: (b: Builder, at: Value) => Value, pops: number): Meaning {
  return (b, i) => {
    waitFirst(b);
    const at = address(b, i);
    const v = value(b, at);
    checkWritable(b, i);
    if (bytes === 8) b.store(STORE64, at, v);
    else store(b, at, bytes, v);
    b.helper('x87_stored', b.i32(pops));
    notePointers(b, i);
  };
}
const storeF32 = (pops: number) => storing(4, (b, at) => b.helper('x87_store_f32', at), pops);
const storeF64 = (pops: number) => storing(8, (b, at) => b.helper('x87_store_f64', at), pops);
const storeInteger = (size: 2 | 4, pops: number, truncate: number) =>
  storing(size, (b, at) => b.helper('x87_store_i32', at, b.i32(size), b.i32(truncate)), pops);
const storeInteger64 = (truncate: number) => storing(8, (b, at) => b.helper('x87_store_i64', at, b.i32(truncate)), 1);
const storeI16 = (pops: number) => storeInteger(2, pops, 0);
const storeI32 = (pops: number) => storeInteger(4, pops, 0);
const storeI64 = storeInteger64(0);
/** FISTTP, which came with SSE3. */
const storeTruncated = (size: 2 | 4 | 8): Meaning => (size === 8 ? storeInteger64(1) : storeInteger(size, 1, 1));

/** FCOMI and its family: ZF, PF and CF from the comparison, the other status flags cleared. */
const compareFlags =
  (quiet: number, pops: number): Meaning =>
  (b, i) => {
    const flags = b.helper('x87_compare_flags', b.i32(i.rm), b.i32(quiet), b.i32(pops));
    b.exitIf(b.and(flags, b.i32(0x10000)), ExitKind.Exception, Vector.MF);
    const zero = b.i32(0);
    b.set(X86.CF, b.and(flags, b.i32(1)));
    b.set(X86.ZF_RESULT, b.xor(b.and(flags, b.i32(0x40)), b.i32(0x40)));
    // PF is the parity of the low byte: bit 2 alone, toggled
    b.set(X86.PF_RESULT, b.xor(b.and(flags, b.i32(4)), b.i32(4)));
    b.set(X86.SF_RESULT, zero);
    b.set(X86.AF_RESULT, zero);
    b.set(X86.OF_RESULT, zero);
    forgetFlags(b);
    notePointers(b, i);
  };

/** FCMOVcc; `cc` is the condition's number as in Jcc. */
const moveIf =
  (cc: number): Meaning =>
  (b, i) => {
    wait(b, b.helper('x87_move_if', condition(b, cc), b.i32(i.rm)));
    notePointers(b, i);
  };

const statusWord = (b: Builder): Value =>
  b.or(b.or(b.and(b.get(I, X86.FSW), b.i32(~0x3a00)), b.get(I, X86.FC1)), b.shl(b.get(I, X86.FTOP), b.i32(11)));

// Encodings D8…DF /0…7: the operation is ModRM.reg.
const OPERATIONS = ['ADD', 'MUL', 'COM', 'COMP', 'SUB', 'SUBR', 'DIV', 'DIVR'];
const hex = (n: number): string => n.toString(16).toUpperCase();
const st = (first: number): string => `${hex(first)}+i`;

const memoryArithmetic = OPERATIONS.flatMap((name, n) => [
  row(`D8 /${n} m`, `F${name} Md`, withMemory('arithmetic_f32', f32, n)),
  row(`DC /${n} m`, `F${name} Mq`, withMemory('arithmetic_f64', f64, n)),
  row(`DA /${n} m`, `FI${name} Md`, withMemory('arithmetic_i32', f32, n)),
  row(`DE /${n} m`, `FI${name} Mw`, withMemory('arithmetic_i32', i16, n)),
]);

/** `registers` of the helper: destination, source << 3. */
const arithmeticSt =
  (n: number, toTop: boolean, pops: number): Meaning =>
  (b, i) => {
    wait(b, b.helper('x87_arithmetic', b.i32(n), b.i32(toTop ? i.rm << 3 : i.rm), b.i32(pops)));
    notePointers(b, i);
  };
/** DC and DE encode SUB and SUBR, DIV and DIVR the other way round than D8. */
const registerArithmetic = [0, 1, 4, 5, 6, 7].flatMap((n) => {
  const first = 0xc0 + n * 8;
  const reversed = 0xc0 + (n < 4 ? n : n ^ 1) * 8;
  return [
    row(`D8 ${st(first)}`, `F${OPERATIONS[n]} ST0, STi`, arithmeticSt(n, true, 0)),
    row(`DC ${st(reversed)}`, `F${OPERATIONS[n]} STi, ST0`, arithmeticSt(n, false, 0)),
    row(`DE ${st(reversed)}`, `F${OPERATIONS[n]}P STi, ST0`, arithmeticSt(n, false, 1)),
  ];
});

const CONSTANTS = ['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'];
const D9 = {
  E0: 'FCHS',
  E1: 'FABS',
  E4: 'FTST',
  E5: 'FXAM',
  F0: 'F2XM1',
  F1: 'FYL2X',
  F2: 'FPTAN',
  F3: 'FPATAN',
  F4: 'FXTRACT',
  F5: 'FPREM1',
  F6: 'FDECSTP',
  F7: 'FINCSTP',
  F8: 'FPREM',
  F9: 'FYL2XP1',
  FA: 'FSQRT',
  FB: 'FSINCOS',
  FC: 'FRNDINT',
  FD: 'FSCALE',
  FE: 'FSIN',
  FF: 'FCOS',
};

const nothing: Meaning = () => undefined;
/** FWAIT and instructions that only wait. */
const waiting: Meaning = (b) => waitFirst(b);

const control = (): readonly Row[] => [
  row('9B', 'FWAIT', waiting),
  row('D9 D0', 'FNOP', waiting),
  row('D9 /5 m', 'FLDCW Mw', (b, i) => {
    waitFirst(b);
    b.helper('x87_load_control', load(b, address(b, i), 2));
  }),
  row('D9 /7 m', 'FNSTCW Mw', (b, i) => store(b, target(b, i), 2, b.get(I, X86.FCW))),
  row('DD /7 m', 'FNSTSW Mw', (b, i) => store(b, target(b, i), 2, statusWord(b))),
  row('DF E0', 'FNSTSW AX', (b) => setRegister(b, 0, 2, statusWord(b), true)),
  row('DB E2', 'FNCLEX', (b) => b.set(X86.FSW, b.and(b.get(I, X86.FSW), b.i32(0x7f00)))),
  row('DB E3', 'FNINIT', (b) => {
    b.helper('x87_initialize');
  }),
  row('D9 /4 m', 'FLDENV M', callEnvironment('load_environment', address)),
  row('D9 /6 m', 'FNSTENV M', callEnvironment('store_environment', target)),
  row('DD /4 m', 'FRSTOR M', callEnvironment('restore', address, 80)),
  row('DD /6 m', 'FNSAVE M', callEnvironment('save', target, 80)),
  // of the 8087 and 80287; the 387 and later processors ignore them
  row('DB E0', 'FNENI', nothing),
  row('DB E1', 'FNDISI', nothing),
  row('DB E4', 'FNSETPM', nothing),
];

export const x87 = (): readonly Row[] =>
  group('x87', [
    row('D9 /0 m', 'FLD Md', withMemory('push_f32', f32)),
    row('DD /0 m', 'FLD Mq', withMemory('push_f64', f64)),
    row('DB /5 m', 'FLD Mt', (b, i) => {
      waitFirst(b);
      const low = f64(b, i);
      b.helper('x87_push_f80', low, load(b, b.add(address(b, i), b.i32(8)), 2));
      notePointers(b, i);
    }),
    row(`D9 ${st(0xc0)}`, 'FLD STi', callSt('push_st')),
    row('DF /0 m', 'FILD Mw', withMemory('push_i32', i16)),
    row('DB /0 m', 'FILD Md', withMemory('push_i32', f32)),
    row('DF /5 m', 'FILD Mq', withMemory('push_i64', f64)),
    row('DF /4 m', 'FBLD Mt', callMemory('load_bcd', address)),

    row('D9 /2 m', 'FST Md', storeF32(0)),
    row('D9 /3 m', 'FSTP Md', storeF32(1)),
    row('DD /2 m', 'FST Mq', storeF64(0)),
    row('DD /3 m', 'FSTP Mq', storeF64(1)),
    row('DB /7 m', 'FSTP Mt', callMemory('store_f80', target)),
    row(`DD ${st(0xd0)}`, 'FST STi', callSt('copy', 0)),
    row(`DD ${st(0xd8)}`, 'FSTP STi', callSt('copy', 1)),
    row('DF /2 m', 'FIST Mw', storeI16(0)),
    row('DF /3 m', 'FISTP Mw', storeI16(1)),
    row('DB /2 m', 'FIST Md', storeI32(0)),
    row('DB /3 m', 'FISTP Md', storeI32(1)),
    row('DF /7 m', 'FISTP Mq', storeI64),
    row('DF /1 m', 'FISTTP Mw', storeTruncated(2)),
    row('DB /1 m', 'FISTTP Md', storeTruncated(4)),
    row('DD /1 m', 'FISTTP Mq', storeTruncated(8)),
    row('DF /6 m', 'FBSTP Mt', callMemory('store_bcd', target)),

    row(`D9 ${st(0xc8)}`, 'FXCH STi', callSt('exchange')),
    ...['B', 'E', 'BE', 'U'].flatMap((name, n) => {
      const cc = [2, 4, 6, 10][n];
      return [
        row(`DA ${st(0xc0 + n * 8)}`, `FCMOV${name} ST0, STi`, moveIf(cc)),
        row(`DB ${st(0xc0 + n * 8)}`, `FCMOVN${name} ST0, STi`, moveIf(cc + 1)),
      ];
    }),

    ...memoryArithmetic,
    ...registerArithmetic,

    row(`D8 ${st(0xd0)}`, 'FCOM STi', callSt('compare', 0, 0)),
    row(`D8 ${st(0xd8)}`, 'FCOMP STi', callSt('compare', 0, 1)),
    row('DE D9', 'FCOMPP', callSt('compare', 0, 2)),
    row(`DD ${st(0xe0)}`, 'FUCOM STi', callSt('compare', 1, 0)),
    row(`DD ${st(0xe8)}`, 'FUCOMP STi', callSt('compare', 1, 1)),
    row('DA E9', 'FUCOMPP', callSt('compare', 1, 2)),
    row(`DB ${st(0xf0)}`, 'FCOMI ST0, STi', compareFlags(0, 0)),
    row(`DF ${st(0xf0)}`, 'FCOMIP ST0, STi', compareFlags(0, 1)),
    row(`DB ${st(0xe8)}`, 'FUCOMI ST0, STi', compareFlags(1, 0)),
    row(`DF ${st(0xe8)}`, 'FUCOMIP ST0, STi', compareFlags(1, 1)),

    ...Object.entries(D9).map(([modrm, name]) => row(`D9 ${modrm}`, name, call('d9', Number.parseInt(modrm, 16)))),
    ...CONSTANTS.map((name, n) => row(`D9 ${hex(0xe8 + n)}`, name, call('d9', 0xe8 + n))),
    row(`DD ${st(0xc0)}`, 'FFREE STi', callSt('free', 0)),
    row(`DF ${st(0xc0)}`, 'FFREEP STi', callSt('free', 1)),

    ...control(),

    // Encodings that the SDM leaves out and that processors take for these.
    row(`DC ${st(0xd0)}`, 'FCOM STi', callSt('compare', 0, 0)),
    row(`DC ${st(0xd8)}`, 'FCOMP STi', callSt('compare', 0, 1)),
    row(`DE ${st(0xd0)}`, 'FCOMP STi', callSt('compare', 0, 1)),
    row(`D9 ${st(0xd8)}`, 'FSTP STi', callSt('copy', 1)),
    row(`DD ${st(0xc8)}`, 'FXCH STi', callSt('exchange')),
    row(`DF ${st(0xc8)}`, 'FXCH STi', callSt('exchange')),
    row(`DF ${st(0xd0)}`, 'FSTP STi', callSt('copy', 1)),
    row(`DF ${st(0xd8)}`, 'FSTP STi', callSt('copy', 1)),
  ]);
