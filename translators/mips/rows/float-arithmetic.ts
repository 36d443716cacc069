import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import {
  codeOf,
  exactProduct,
  exactQuotient,
  exactRoot,
  exactSum,
  FORMATS,
  type Format,
  fpr,
  isNan,
  notNormal,
  pairs,
  remember,
  setFpr,
  settle,
  unlimited,
  wide,
} from '../float.ts';
import { FloatCode } from '../float-code.ts';
import { group, type MipsRow, type Site } from '../row.ts';
import { Mips } from '../state.ts';

/** What an operation's result must be for WebAssembly's to do. */
type Special = typeof unlimited;
/** Whether it will do although it is special. */
type Harmless = (b: Builder, format: Format, result: Value, x: Value, y: Value) => Value;

/** C.cond of ordered operands: the relation for cond's bits 2 (less) and 1 (equal). */
function relation(b: Builder, format: Format, cond: number, x: Value, y: Value): Value {
  const less = (cond & 4) !== 0;
  const equal = (cond & 2) !== 0;
  if (!less && !equal) return b.i32(0);
  return b.emit(format.op(less ? (equal ? 'le' : 'lt') : 'eq'), x, y);
}

function unordered(b: Builder, format: Format, x: Value, y: Value): Value {
  return x === y ? isNan(b, format, x) : b.or(isNan(b, format, x), isNan(b, format, y));
}

export const floatArithmetic = group('floating-point arithmetic', (row) =>
  FORMATS.flatMap((format) => {
    const { fmt, fmt3, suffix } = format;
    const get = (b: Builder, site: Site, register: number): Value => fpr(b, site, format, register);
    const one = (b: Builder): Value => (format.wide ? b.f64Bits(0, 0x3ff00000) : b.f32Bits(0x3f800000));
    const ADD = format.op('add');
    const SUB = format.op('sub');
    const MUL = format.op('mul');
    const DIV = format.op('div');
    const SQRT = format.op('sqrt');
    const NEG = format.op('neg');
    const ABS = format.op('abs');

    const binary = (funct: string, name: string, code: FloatCode, number: number, special: Special, harmless: Harmless): MipsRow =>
      row(
        `010001 ${fmt} TTTTT SSSSS DDDDD ${funct}`,
        `${name}.${suffix} $D,$S,$T`,
        pairs(wide(format, 'TSD'), ({ T, S, D }, b, site) => {
          const x = get(b, site, S);
          const y = get(b, site, T);
          remember(b, codeOf(format, code), x, y);
          const fast = b.emit(number, x, y);
          setFpr(b, site, format, D, settle(b, special(b, format, fast), fast, harmless(b, format, fast, x, y)));
        }),
      );
    const unary = (
      funct: string,
      name: string,
      code: FloatCode,
      fastOf: (b: Builder, x: Value) => Value,
      special: Special,
      harmless?: (b: Builder, result: Value, x: Value) => Value,
    ): MipsRow =>
      row(
        `010001 ${fmt} 00000 SSSSS DDDDD ${funct}`,
        `${name}.${suffix} $D,$S`,
        pairs(wide(format, 'SD'), ({ S, D }, b, site) => {
          const x = get(b, site, S);
          remember(b, codeOf(format, code), x);
          const fast = fastOf(b, x);
          setFpr(b, site, format, D, settle(b, special(b, format, fast), fast, harmless?.(b, fast, x)));
        }),
      );
    /** Arithmetic unless FCSR.ABS2008. */
    const sign = (funct: string, name: string, code: FloatCode, number: number): MipsRow =>
      row(
        `010001 ${fmt} 00000 SSSSS DDDDD ${funct}`,
        `${name}.${suffix} $D,$S`,
        pairs(wide(format, 'SD'), ({ S, D }, b, site) => {
          const x = get(b, site, S);
          const fast = b.emit(number, x);
          if (site.nan2008) return setFpr(b, site, format, D, fast);
          remember(b, codeOf(format, code), x);
          setFpr(b, site, format, D, settle(b, isNan(b, format, x), fast));
        }),
      );
    /** The product is rounded before the sum. */
    const multiplyAdd = (funct: string, name: string, code: FloatCode, number: number, negative: boolean): MipsRow =>
      row(
        `010011 RRRRR TTTTT SSSSS DDDDD ${funct} ${fmt3}`,
        `${name}.${suffix} $D,$R,$S,$T`,
        pairs(wide(format, 'RTSD'), ({ R, T, S, D }, b, site) => {
          const x = get(b, site, S);
          const y = get(b, site, T);
          const z = get(b, site, R);
          remember(b, codeOf(format, code), x, y, z);
          const product = b.emit(MUL, x, y);
          const sum = b.emit(number, product, z);
          const special = b.or(notNormal(b, format, product), unlimited(b, format, sum));
          const harmless = b.and(exactProduct(b, format, product, x, y), exactSum(b, format, sum, product, z, number === SUB));
          setFpr(b, site, format, D, settle(b, special, negative ? b.emit(NEG, sum) : sum, harmless));
        }),
      );
    return [
      binary('000000', 'add', FloatCode.ADD, ADD, unlimited, (b, f, r, x, y) => exactSum(b, f, r, x, y, false)),
      binary('000001', 'sub', FloatCode.SUB, SUB, unlimited, (b, f, r, x, y) => exactSum(b, f, r, x, y, true)),
      binary('000010', 'mul', FloatCode.MUL, MUL, notNormal, exactProduct),
      binary('000011', 'div', FloatCode.DIV, DIV, notNormal, exactQuotient),
      unary(
        '000100',
        'sqrt',
        FloatCode.SQRT,
        (b, x) => b.emit(SQRT, x),
        unlimited,
        (b, r, x) => exactRoot(b, format, r, x),
      ),
      sign('000101', 'abs', FloatCode.ABS, ABS),
      sign('000111', 'neg', FloatCode.NEG, NEG),
      unary(
        '010101',
        'recip',
        FloatCode.RECIP,
        (b, x) => b.emit(DIV, one(b), x),
        notNormal,
        (b, r, x) => exactQuotient(b, format, r, one(b), x),
      ),
      unary('010110', 'rsqrt', FloatCode.RSQRT, (b, x) => b.emit(DIV, one(b), b.emit(SQRT, x)), notNormal),
      multiplyAdd('100', 'madd', FloatCode.MADD, ADD, false),
      multiplyAdd('101', 'msub', FloatCode.MSUB, SUB, false),
      multiplyAdd('110', 'nmadd', FloatCode.NMADD, ADD, true),
      multiplyAdd('111', 'nmsub', FloatCode.NMSUB, SUB, true),
      row(
        `010001 ${fmt} TTTTT SSSSS nnn 00 11 CCCC`,
        `c.$C.${suffix} $n$S,$T`,
        pairs(wide(format, 'TS'), ({ T, S, n, C }, b, site) => {
          const x = get(b, site, S);
          const y = get(b, site, T);
          remember(b, codeOf(format, FloatCode.COMPARE, C), x, y);
          b.set(Mips.FCC + 4 * n, settle(b, unordered(b, format, x, y), relation(b, format, C, x, y)));
        }),
      ),
    ];
  }),
);
