import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { ExcCode } from '../abi.ts';
import { reserved } from '../exception.ts';
import { DOUBLE, type Format, fpr, fprLong, fprWord, pairs, quiet, result, SINGLE, setFpr } from '../float.ts';
import { gpr, group, type Meaning, type MipsRow, setGpr } from '../row.ts';
import { Mips } from '../state.ts';
import { condition, conditionBit } from './branch.ts';
import { address } from './memory.ts';

const FORMATS = [SINGLE, DOUBLE];
/** Both formats of a row: `make` is called with each. */
const both = (make: (format: Format) => readonly MipsRow[]): MipsRow[] => FORMATS.flatMap(make);
/** The letters of registers that hold an operand of this format, if they must be pairs. */
const wide = (format: Format, letters: string): string => (format === DOUBLE ? letters : '');

/** FIR: formats S, D, W and L, 32-bit registers. */
const FIR = (1 << 16) | (1 << 17) | (1 << 20) | (1 << 21);
const FCSR_WRITABLE = 0xff83ffff;

const fcsr = (b: Builder): Value => b.get(Type.I32, Mips.FCSR);
const masked = (b: Builder, value: Value, mask: number): Value => b.and(value, b.i32(mask));
const shifted = (b: Builder, value: Value, left: number): Value => (left < 0 ? b.shrU(value, b.i32(-left)) : b.shl(value, b.i32(left)));

/** FCSR and its other views (MIPS32 volume I, FPU control registers). */
function controlRegister(b: Builder, number: number): Value | undefined {
  const value = fcsr(b);
  switch (number) {
    case 0:
      return b.i32(FIR);
    case 25: // FCCR: condition codes
      return b.or(masked(b, shifted(b, value, -24), 0xfe), masked(b, shifted(b, value, -23), 1));
    case 26: // FEXR: causes and flags
      return masked(b, value, 0x0003f07c);
    case 28: // FENR: enables, FS, rounding mode
      return b.or(masked(b, value, 0xf83), masked(b, shifted(b, value, -22), 4));
    case 31:
      return value;
    default:
      return undefined;
  }
}

/** FCSR after a write of a view of it. */
function withControlRegister(b: Builder, number: number, value: Value): Value | undefined {
  const keep = (mask: number): Value => masked(b, fcsr(b), mask);
  switch (number) {
    case 25:
      return b.or(keep(0x017fffff), b.or(shifted(b, masked(b, value, 0xfe), 24), shifted(b, masked(b, value, 1), 23)));
    case 26:
      return b.or(keep(~0x0003f07c), masked(b, value, 0x0003f07c));
    case 28:
      return b.or(keep(~0x01000f83), b.or(masked(b, value, 0xf83), shifted(b, masked(b, value, 4), 22)));
    case 31:
      return masked(b, value, FCSR_WRITABLE);
    default:
      return undefined;
  }
}

const F32_LOAD = op('f32.load');
const F64_LOAD = op('f64.load');
const F32_STORE = op('f32.store');
const F64_STORE = op('f64.store');

export const floatMove = group('floating-point load, store and move', (row) => {
  const indexed = (b: Builder, base: number, index: number): Value => b.add(gpr(b, base), gpr(b, index));
  /** LUXC1, SUXC1 ignore the address's low three bits. */
  const aligned = (b: Builder, base: number, index: number): Value => masked(b, indexed(b, base, index), -8);
  return [
    row('010001 00000 ttttt SSSSS 00000 000000', 'mfc1 $t,$S', ({ t, S }, b) => setGpr(b, t, fprWord(b, S))),
    row('010001 00100 ttttt SSSSS 00000 000000', 'mtc1 $t,$S', ({ t, S }, b) => setFpr(b, S, gpr(b, t))),
    row('010001 00011 ttttt SSSSS 00000 000000', 'mfhc1 $t,$S', ({ t, S }, b) => setGpr(b, t, fprWord(b, S | 1))),
    row('010001 00111 ttttt SSSSS 00000 000000', 'mthc1 $t,$S', ({ t, S }, b) => setFpr(b, S | 1, gpr(b, t))),
    row('010001 00010 ttttt fffff 00000 000000', 'cfc1 $t,$f', ({ t, f }, b, site) => {
      const value = controlRegister(b, f);
      if (value === undefined) return reserved(b, site);
      setGpr(b, t, value);
    }),
    row('010001 00110 ttttt fffff 00000 000000', 'ctc1 $t,$f', ({ t, f }, b, site) => {
      const value = withControlRegister(b, f, gpr(b, t));
      if (value === undefined) return reserved(b, site);
      b.set(Mips.FCSR, value);
      // a cause bit and its enable bit raise the exception; Unimplemented Operation (E) is always enabled
      const enabled = b.or(b.and(shifted(b, value, -5), masked(b, value, 0xf80)), masked(b, value, 1 << 17));
      b.exitIf(enabled, ExitKind.Exception, ExcCode.FPE);
    }),

    row('110001 sssss TTTTT iiiiiiiiiiiiiiii', 'lwc1 $T,$i($s)', ({ s, T, i }, b, site) =>
      setFpr(b, T, b.load(F32_LOAD, address(b, s, i), site.bigEndian)),
    ),
    row('111001 sssss TTTTT iiiiiiiiiiiiiiii', 'swc1 $T,$i($s)', ({ s, T, i }, b, site) =>
      b.store(F32_STORE, address(b, s, i), fpr(b, SINGLE, T), site.bigEndian),
    ),
    row(
      '110101 sssss TTTTT iiiiiiiiiiiiiiii',
      'ldc1 $T,$i($s)',
      pairs('T', ({ s, T, i }, b, site) => setFpr(b, T, b.load(F64_LOAD, address(b, s, i), site.bigEndian))),
    ),
    row(
      '111101 sssss TTTTT iiiiiiiiiiiiiiii',
      'sdc1 $T,$i($s)',
      pairs('T', ({ s, T, i }, b, site) => b.store(F64_STORE, address(b, s, i), fpr(b, DOUBLE, T), site.bigEndian)),
    ),
    row('010011 sssss ttttt 00000 DDDDD 000000', 'lwxc1 $D,$t($s)', ({ s, t, D }, b, site) =>
      setFpr(b, D, b.load(F32_LOAD, indexed(b, s, t), site.bigEndian)),
    ),
    row(
      '010011 sssss ttttt 00000 DDDDD 000001',
      'ldxc1 $D,$t($s)',
      pairs('D', ({ s, t, D }, b, site) => setFpr(b, D, b.load(F64_LOAD, indexed(b, s, t), site.bigEndian))),
    ),
    row(
      '010011 sssss ttttt 00000 DDDDD 000101',
      'luxc1 $D,$t($s)',
      pairs('D', ({ s, t, D }, b, site) => setFpr(b, D, b.load(F64_LOAD, aligned(b, s, t), site.bigEndian))),
    ),
    row('010011 sssss ttttt SSSSS 00000 001000', 'swxc1 $S,$t($s)', ({ s, t, S }, b, site) =>
      b.store(F32_STORE, indexed(b, s, t), fpr(b, SINGLE, S), site.bigEndian),
    ),
    row(
      '010011 sssss ttttt SSSSS 00000 001001',
      'sdxc1 $S,$t($s)',
      pairs('S', ({ s, t, S }, b, site) => b.store(F64_STORE, indexed(b, s, t), fpr(b, DOUBLE, S), site.bigEndian)),
    ),
    row(
      '010011 sssss ttttt SSSSS 00000 001101',
      'suxc1 $S,$t($s)',
      pairs('S', ({ s, t, S }, b, site) => b.store(F64_STORE, aligned(b, s, t), fpr(b, DOUBLE, S), site.bigEndian)),
    ),

    row('000000 sssss NNN 00 ddddd 00000 000001', 'movf $d,$s,$N', ({ s, N, d }, b) =>
      setGpr(b, d, b.select(condition(b, N), gpr(b, d), gpr(b, s))),
    ),
    row('000000 sssss NNN 01 ddddd 00000 000001', 'movt $d,$s,$N', ({ s, N, d }, b) =>
      setGpr(b, d, b.select(condition(b, N), gpr(b, s), gpr(b, d))),
    ),
    ...both((format) => {
      const { fmt, suffix } = format;
      const get = (b: Builder, register: number): Value => fpr(b, format, register);
      return [
        row(
          `010001 ${fmt} 00000 SSSSS DDDDD 000110`,
          `mov.${suffix} $D,$S`,
          pairs(wide(format, 'SD'), ({ S, D }, b) => setFpr(b, D, get(b, S))),
        ),
        row(
          `010001 ${fmt} NNN 00 SSSSS DDDDD 010001`,
          `movf.${suffix} $D,$S,$N`,
          pairs(wide(format, 'SD'), ({ S, D, N }, b) => setFpr(b, D, b.select(condition(b, N), get(b, D), get(b, S)))),
        ),
        row(
          `010001 ${fmt} NNN 01 SSSSS DDDDD 010001`,
          `movt.${suffix} $D,$S,$N`,
          pairs(wide(format, 'SD'), ({ S, D, N }, b) => setFpr(b, D, b.select(condition(b, N), get(b, S), get(b, D)))),
        ),
        row(
          `010001 ${fmt} ttttt SSSSS DDDDD 010010`,
          `movz.${suffix} $D,$S,$t`,
          pairs(wide(format, 'SD'), ({ S, D, t }, b) => setFpr(b, D, b.select(gpr(b, t), get(b, D), get(b, S)))),
        ),
        row(
          `010001 ${fmt} ttttt SSSSS DDDDD 010011`,
          `movn.${suffix} $D,$S,$t`,
          pairs(wide(format, 'SD'), ({ S, D, t }, b) => setFpr(b, D, b.select(gpr(b, t), get(b, S), get(b, D)))),
        ),
      ];
    }),
  ];
});

/** C.cond: the relation for the low three bits of cond, in the order unordered, equal, less. Bit 3 asks for a signal on quiet NaNs. */
function compare(b: Builder, format: Format, cond: number, x: Value, y: Value): Value {
  const is = (name: string): Value => b.emit(format.op(name), x, y);
  const unordered = (): Value => {
    const eq = format.op('eq');
    return b.eqz(b.and(b.emit(eq, x, x), b.emit(eq, y, y)));
  };
  switch (cond & 7) {
    case 0:
      return b.i32(0);
    case 1:
      return unordered();
    case 2:
      return is('eq');
    case 3:
      return b.or(is('eq'), unordered());
    case 4:
      return is('lt');
    case 5:
      return b.eqz(is('ge'));
    case 6:
      return is('le');
    default:
      return b.eqz(is('gt'));
  }
}

export const floatArithmetic = group('floating-point arithmetic', (row) =>
  both((format) => {
    const { fmt, fmt3, suffix, type } = format;
    const get = (b: Builder, register: number): Value => fpr(b, format, register);
    const one = (b: Builder): Value => (type === Type.F32 ? b.f32Bits(0x3f800000) : b.f64Bits(0, 0x3ff00000));
    const ADD = format.op('add');
    const SUB = format.op('sub');
    const MUL = format.op('mul');
    const DIV = format.op('div');
    const SQRT = format.op('sqrt');
    const NEG = format.op('neg');
    const ABS = format.op('abs');
    const binary = (funct: string, name: string, number: number): MipsRow =>
      row(
        `010001 ${fmt} TTTTT SSSSS DDDDD ${funct}`,
        `${name}.${suffix} $D,$S,$T`,
        pairs(wide(format, 'TSD'), ({ T, S, D }, b) => result(b, format, D, b.emit(number, get(b, S), get(b, T)))),
      );
    const unary = (funct: string, name: string, meaning: (b: Builder, x: Value, D: number) => void): MipsRow =>
      row(
        `010001 ${fmt} 00000 SSSSS DDDDD ${funct}`,
        `${name}.${suffix} $D,$S`,
        pairs(wide(format, 'SD'), ({ S, D }, b) => meaning(b, get(b, S), D)),
      );
    /** The product is rounded before the sum. */
    const multiplyAdd = (funct: string, name: string, number: number, negative: boolean): MipsRow =>
      row(
        `010011 RRRRR TTTTT SSSSS DDDDD ${funct} ${fmt3}`,
        `${name}.${suffix} $D,$R,$S,$T`,
        pairs(wide(format, 'RTSD'), ({ R, T, S, D }, b) => {
          const sum = b.emit(number, b.emit(MUL, get(b, S), get(b, T)), get(b, R));
          const rounded = quiet(b, format, sum);
          setFpr(b, D, negative ? b.emit(NEG, rounded) : rounded);
        }),
      );
    return [
      binary('000000', 'add', ADD),
      binary('000001', 'sub', SUB),
      binary('000010', 'mul', MUL),
      binary('000011', 'div', DIV),
      unary('000100', 'sqrt', (b, x, D) => result(b, format, D, b.emit(SQRT, x))),
      unary('000101', 'abs', (b, x, D) => setFpr(b, D, b.emit(ABS, x))),
      unary('000111', 'neg', (b, x, D) => setFpr(b, D, b.emit(NEG, x))),
      unary('010101', 'recip', (b, x, D) => result(b, format, D, b.emit(DIV, one(b), x))),
      unary('010110', 'rsqrt', (b, x, D) => result(b, format, D, b.emit(DIV, one(b), b.emit(SQRT, x)))),
      multiplyAdd('100', 'madd', ADD, false),
      multiplyAdd('101', 'msub', SUB, false),
      multiplyAdd('110', 'nmadd', ADD, true),
      multiplyAdd('111', 'nmsub', SUB, true),
      row(
        `010001 ${fmt} TTTTT SSSSS nnn 00 11 CCCC`,
        `c.$C.${suffix} $n$S,$T`,
        pairs(wide(format, 'TS'), ({ T, S, n, C }, b) => {
          const bit = conditionBit(n);
          const holds = compare(b, format, C, get(b, S), get(b, T));
          b.set(Mips.FCSR, b.or(b.and(fcsr(b), b.i32(~(1 << bit))), b.shl(holds, b.i32(bit))));
        }),
      ),
    ];
  }),
);

const NEAREST = 'nearest';
const TRUNC = 'trunc';
const CEIL = 'ceil';
const FLOOR = 'floor';

/** The value rounded by FCSR.RM. */
function roundByMode(b: Builder, format: Format, x: Value): Value {
  const mode = masked(b, fcsr(b), 3);
  const round = (name: string): Value => b.emit(format.op(name), x);
  const directed = b.select(b.eq(mode, b.i32(2)), round(CEIL), round(FLOOR));
  return b.select(mode, b.select(b.eq(mode, b.i32(1)), round(TRUNC), directed), round(NEAREST));
}

/** NaN and what is out of range become the largest integer, of either sign (FCSR.NAN2008 = 0). */
function toWord(b: Builder, format: Format, x: Value): Value {
  const lowest = format === SINGLE ? b.f32Bits(0xcf000000) : b.f64Bits(0, 0xc1e00000);
  const word = b.emit(op(`i32.trunc_sat_f${format === SINGLE ? 32 : 64}_s`), x);
  return b.select(b.emit(format.op('ge'), x, lowest), word, b.i32(0x7fffffff));
}

function toLong(b: Builder, format: Format, x: Value): Value {
  const lowest = format === SINGLE ? b.f32Bits(0xdf000000) : b.f64Bits(0, 0xc3e00000);
  const long = b.emit(op(`i64.trunc_sat_f${format === SINGLE ? 32 : 64}_s`), x);
  return b.select(b.emit(format.op('ge'), x, lowest), long, b.i64(-1, 0x7fffffff));
}

export const floatConvert = group('floating-point convert', (row) => {
  const convert = (fmt: string, funct: string, text: string, wideLetters: string, meaning: Meaning<'SSSSS DDDDD'>): MipsRow =>
    row(`010001 ${fmt} 00000 SSSSS DDDDD ${funct}` as 'SSSSS DDDDD', `${text} $D,$S`, pairs(wideLetters, meaning));
  const DEMOTE = op('f32.demote_f64');
  const PROMOTE = op('f64.promote_f32');
  const roundings: readonly [name: string, word: string, long: string, round: string | undefined][] = [
    ['round', '001100', '001000', NEAREST],
    ['trunc', '001101', '001001', TRUNC],
    ['ceil', '001110', '001010', CEIL],
    ['floor', '001111', '001011', FLOOR],
    ['cvt', '100100', '100101', undefined],
  ];
  return [
    convert(DOUBLE.fmt, '100000', 'cvt.s.d', 'S', ({ S, D }, b) => result(b, SINGLE, D, b.emit(DEMOTE, fpr(b, DOUBLE, S)))),
    convert(SINGLE.fmt, '100001', 'cvt.d.s', 'D', ({ S, D }, b) => result(b, DOUBLE, D, b.emit(PROMOTE, fpr(b, SINGLE, S)))),
    ...both((format) => {
      const to = `cvt.${format.suffix}`;
      const funct = format === SINGLE ? '100000' : '100001';
      const FROM_WORD = format.op('convert_i32_s');
      const FROM_LONG = format.op('convert_i64_s');
      return [
        convert('10100', funct, `${to}.w`, wide(format, 'D'), ({ S, D }, b) => setFpr(b, D, b.emit(FROM_WORD, fprWord(b, S)))),
        convert('10101', funct, `${to}.l`, `S${wide(format, 'D')}`, ({ S, D }, b) => setFpr(b, D, b.emit(FROM_LONG, fprLong(b, S)))),
        ...roundings.flatMap(([name, word, long, round]) => {
          const rounded = (b: Builder, S: number): Value => {
            const x = fpr(b, format, S);
            return round === undefined ? roundByMode(b, format, x) : b.emit(format.op(round), x);
          };
          return [
            convert(format.fmt, word, `${name}.w.${format.suffix}`, wide(format, 'S'), ({ S, D }, b) =>
              setFpr(b, D, toWord(b, format, rounded(b, S))),
            ),
            convert(format.fmt, long, `${name}.l.${format.suffix}`, `D${wide(format, 'S')}`, ({ S, D }, b) =>
              setFpr(b, D, toLong(b, format, rounded(b, S))),
            ),
          ];
        }),
      ];
    }),
  ];
});
