import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { all, isNormal } from '../../exact.ts';
import { isZero } from '../../magnitude.ts';
import { fprWord } from '../abi.ts';
import {
  clear,
  codeOf,
  DOUBLE,
  exact,
  FORMATS,
  type Format,
  fpr,
  getLong,
  isNan,
  longOnly,
  notNormal,
  onlyFlag,
  pairs,
  remember,
  SINGLE,
  setFpr,
  setLong,
  settle,
  setWord,
  wide,
  word,
} from '../float.ts';
import { FloatCode } from '../float-code.ts';
import { group, type Meaning, type MipsRow, type Site } from '../row.ts';

/** ROUND, TRUNC, CEIL and FLOOR round by FCSR.RM's values 0…3 whatever FCSR says; CVT as FCSR says. */
interface Rounding {
  readonly name: string;
  readonly word: string;
  readonly long: string;
  readonly how: number;
  /** WebAssembly's op; the conversion itself truncates. */
  readonly op: string | undefined;
}
const ROUNDINGS: readonly Rounding[] = [
  { name: 'round', word: '001100', long: '001000', how: 0, op: 'nearest' },
  { name: 'trunc', word: '001101', long: '001001', how: 1, op: undefined },
  { name: 'ceil', word: '001110', long: '001010', how: 2, op: 'ceil' },
  { name: 'floor', word: '001111', long: '001011', how: 3, op: 'floor' },
  { name: 'cvt', word: '100100', long: '100101', how: FloatCode.BY_MODE, op: 'nearest' },
];

/** The result of a conversion to a fixed-point format of `bits`: its own slow path where the magnitude does not fit. */
function toFixed(b: Builder, format: Format, x: Value, bits: 32 | 64, rounding: Rounding): Value {
  remember(b, codeOf(format, bits === 32 ? FloatCode.TO_WORD : FloatCode.TO_LONG, rounding.how), x);
  const rounded = rounding.op === undefined ? x : b.emit(format.op(rounding.op), x);
  // 2^31 and 2^63
  const exponent = bits === 32 ? 31 : 63;
  const limit = format.wide ? b.f64Bits(0, (1023 + exponent) << 20) : b.f32Bits((127 + exponent) << 23);
  const fits = b.emit(format.op('lt'), b.emit(format.op('abs'), rounded), limit);
  const fast = b.emit(op(`i${bits}.trunc_sat_f${format.wide ? 64 : 32}_s`), rounded);
  const back = b.emit(format.op(`convert_i${bits}_s`), fast);
  const harmless = all(b, onlyFlag(b), b.emit(format.op('lt'), b.emit(format.op('abs'), x), limit), b.emit(format.op('eq'), back, x));
  return settle(b, b.or(exact(b), b.eqz(fits)), fast, harmless);
}

const DEMOTE = op('f32.demote_f64');
const PROMOTE = op('f64.promote_f32');

export const floatConvert = group('floating-point convert', (row) => {
  const convert = (fmt: string, funct: string, text: string, meaning: Meaning<'SSSSS DDDDD'>): MipsRow =>
    row(`010001 ${fmt} 00000 SSSSS DDDDD ${funct}` as 'SSSSS DDDDD', `${text} $D,$S`, meaning);
  /** The word's bits as the operand of a remembered operation. */
  const wordAsOperand = (b: Builder, site: Site, register: number): Value => b.get(Type.F32, fprWord(register, site.wide));
  return [
    convert(
      DOUBLE.fmt,
      '100000',
      'cvt.s.d',
      pairs('S', ({ S, D }, b, site) => {
        const x = fpr(b, site, DOUBLE, S);
        remember(b, codeOf(DOUBLE, FloatCode.CONVERT), x);
        const fast = b.emit(DEMOTE, x);
        const same = b.emit(op('f64.eq'), b.emit(PROMOTE, fast), x);
        const harmless = b.or(isZero(b, DOUBLE.wide, x), all(b, onlyFlag(b), isNormal(b, SINGLE.wide, fast), same));
        setFpr(b, site, SINGLE, D, settle(b, notNormal(b, SINGLE, fast), fast, harmless));
      }),
    ),
    convert(
      SINGLE.fmt,
      '100001',
      'cvt.d.s',
      pairs('D', ({ S, D }, b, site) => {
        const x = fpr(b, site, SINGLE, S);
        remember(b, codeOf(SINGLE, FloatCode.CONVERT), x);
        setFpr(b, site, DOUBLE, D, settle(b, isNan(b, SINGLE, x), b.emit(PROMOTE, x)));
      }),
    ),
    convert('10100', '100000', 'cvt.s.w', ({ S, D }, b, site) => {
      remember(b, codeOf(SINGLE, FloatCode.FROM_WORD), wordAsOperand(b, site, S));
      const value = word(b, site, S);
      const fast = b.emit(op('f32.convert_i32_s'), value);
      const same = b.emit(op('f64.eq'), b.emit(PROMOTE, fast), b.emit(op('f64.convert_i32_s'), value));
      setFpr(b, site, SINGLE, D, settle(b, exact(b), fast, b.and(onlyFlag(b), same)));
    }),
    convert(
      '10100',
      '100001',
      'cvt.d.w',
      pairs('D', ({ S, D }, b, site) => {
        clear(b);
        setFpr(b, site, DOUBLE, D, b.emit(op('f64.convert_i32_s'), word(b, site, S)));
      }),
    ),
    ...FORMATS.flatMap((format) => {
      const FROM_LONG = format.op('convert_i64_s');
      return [
        convert(
          '10101',
          format.wide ? '100001' : '100000',
          `cvt.${format.suffix}.l`,
          longOnly(({ S, D }, b, site) => {
            remember(b, codeOf(format, FloatCode.FROM_LONG), fpr(b, site, DOUBLE, S));
            setFpr(b, site, format, D, settle(b, exact(b), b.emit(FROM_LONG, getLong(b, S))));
          }),
        ),
        ...ROUNDINGS.flatMap((rounding) => [
          convert(
            format.fmt,
            rounding.word,
            `${rounding.name}.w.${format.suffix}`,
            pairs(wide(format, 'S'), ({ S, D }, b, site) => setWord(b, site, D, toFixed(b, format, fpr(b, site, format, S), 32, rounding))),
          ),
          convert(
            format.fmt,
            rounding.long,
            `${rounding.name}.l.${format.suffix}`,
            longOnly(({ S, D }, b, site) => setLong(b, D, toFixed(b, format, fpr(b, site, format, S), 64, rounding))),
          ),
        ]),
      ];
    }),
  ];
});
