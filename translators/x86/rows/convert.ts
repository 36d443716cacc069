import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import { all, isOnGrid } from '../../exact.ts';
import { isZero } from '../../magnitude.ts';
import { floatsOf } from '../context.ts';
import { type Insn, read, setRegister } from '../operands.ts';
import { type Meaning, type Row, row } from '../row.ts';
import { SseCode } from '../sse-code.ts';
import { X86 } from '../state.ts';
import { load64, low64, mmxEnter, mmxWait, readVector, replace64, setMmx, setXmm, splat64, xmm } from '../vector.ts';
import {
  approximates,
  asVector,
  double,
  exact,
  type Format,
  ifMemory,
  key,
  notAll,
  onlyFlag,
  orExact,
  packedSource,
  type Question,
  scalarSource,
  settle,
  single,
  specialScalar,
  specialVector,
  withLow,
} from './float.ts';

const F32_FROM_I32 = op('f32.convert_i32_s');
const F64_FROM_I32 = op('f64.convert_i32_s');
const SPLAT32 = op('i32x4.splat');
const PROMOTE = op('f64.promote_f32');
const EQ = op('f64.eq');
const DEMOTE = op('f32.demote_f64');
const PROMOTE_LOW = op('f64x2.promote_low_f32x4');
const DEMOTE_BOTH = op('f32x4.demote_f64x2_zero');
const SINGLES_FROM_I32 = op('f32x4.convert_i32x4_s');
const DOUBLES_FROM_I32 = op('f64x2.convert_low_i32x4_s');
const I32_FROM_SINGLES = op('i32x4.trunc_sat_f32x4_s');
const I32_FROM_DOUBLES = op('i32x4.trunc_sat_f64x2_s_zero');

/** 64 bits of memory or the low half of an XMM register. */
const lowSource: (b: Builder, i: Insn) => Value = (b, i) => (i.mod === 3 ? xmm(b, i.rm) : splat64(b, load64(b, i)));

// Between the precisions

const toDoubles: Meaning = (b, i) => {
  const y = lowSource(b, i);
  const r = b.emit(PROMOTE_LOW, y);
  const question: Question = { special: () => specialVector(b, double, 'nan', r, y, y), operands: [y], keeps: true, result: double };
  setXmm(b, i.reg, settle(b, i, { format: single, code: SseCode.CONVERT, count: 2 }, question, r, ifMemory(i, y)));
};
const toSingles: Meaning = (b, i) => {
  const y = packedSource(b, i);
  const r = b.emit(DEMOTE_BOTH, y);
  const question: Question = { special: () => specialVector(b, single, 'range', r, y, y, 2), operands: [], keeps: true, result: single };
  setXmm(b, i.reg, settle(b, i, { format: double, code: SseCode.CONVERT, count: 2 }, question, r, ifMemory(i, y)));
};
const toDouble: Meaning = (b, i) => {
  const y = scalarSource(b, single, i);
  const question: Question = { special: () => specialScalar(b, single, 'nan', y, y, y), operands: [y], keeps: true, result: double };
  const r = settle(b, i, { format: single, code: SseCode.CONVERT, count: 1 }, question, b.emit(PROMOTE, y), ifMemory(i, y));
  setXmm(b, i.reg, withLow(b, double, xmm(b, i.reg), r));
};
const toSingle: Meaning = (b, i) => {
  const y = scalarSource(b, double, i);
  const fast = b.emit(DEMOTE, y);
  const same = (): Value => b.emit(EQ, b.emit(PROMOTE, fast), y);
  const question: Question = {
    special: () => specialScalar(b, single, 'range', fast, y, y),
    harmless: () => all(b, onlyFlag(b), same(), b.or(isZero(b, single.wide, fast), isOnGrid(b, single.wide, fast))),
    // too small for the result's format
    operands: [],
    keeps: true,
    result: single,
  };
  const r = settle(b, i, { format: double, code: SseCode.CONVERT, count: 1 }, question, fast, ifMemory(i, y));
  setXmm(b, i.reg, withLow(b, single, xmm(b, i.reg), r));
};

// From integers

const rounded = (b: Builder): Question => ({ special: () => exact(b), operands: [], keeps: false });
const fromInt = (count: number) => ({ format: single, code: SseCode.FROM_INT32, count });
const singlesFromDwords: Meaning = (b, i) => {
  const y = packedSource(b, i);
  setXmm(b, i.reg, settle(b, i, fromInt(4), rounded(b), b.emit(SINGLES_FROM_I32, y), ifMemory(i, y)));
};
const doublesFromDwords: Meaning = (b, i) => setXmm(b, i.reg, b.emit(DOUBLES_FROM_I32, lowSource(b, i)));
/** An MMX register as source changes the x87 stack; memory does not (SDM volume 2, CVTPI2PD). */
const fromMmx = (b: Builder, i: Insn): Value => {
  const enters = i.mod === 3;
  if (enters) mmxWait(b);
  const y = readVector(b, i, 1);
  if (enters) mmxEnter(b);
  return y;
};
const singlesFromMmx: Meaning = (b, i) => {
  const y = fromMmx(b, i);
  const r = settle(b, i, fromInt(2), rounded(b), low64(b, b.emit(SINGLES_FROM_I32, y)), y);
  setXmm(b, i.reg, replace64(b, xmm(b, i.reg), r, 0));
};
const doublesFromMmx: Meaning = (b, i) => setXmm(b, i.reg, b.emit(DOUBLES_FROM_I32, fromMmx(b, i)));
const singleFromDword: Meaning = (b, i) => {
  const y = read(b, i, 1);
  const fast = b.emit(F32_FROM_I32, y);
  const same = (): Value => b.emit(EQ, b.emit(PROMOTE, fast), b.emit(F64_FROM_I32, y));
  const r = settle(b, i, fromInt(1), { ...rounded(b), harmless: () => b.and(onlyFlag(b), same()) }, fast, b.emit(SPLAT32, y));
  floatsOf(b).onGrid.add(key(single.wide, r));
  setXmm(b, i.reg, withLow(b, single, xmm(b, i.reg), r));
};
const doubleFromDword: Meaning = (b, i) => {
  const r = b.emit(F64_FROM_I32, read(b, i, 1));
  floatsOf(b).onGrid.add(key(double.wide, r));
  setXmm(b, i.reg, withLow(b, double, xmm(b, i.reg), r));
};

// To integers: what is not below 2^31 in magnitude after rounding is the helper's

const toInt = (format: Format, truncate: boolean, count: number) => ({
  format,
  code: SseCode.TO_INT32 | (truncate ? SseCode.TRUNCATE : 0),
  count,
});

function toDwords(b: Builder, i: Insn, f: Format, y: Value, truncate: boolean, count: number): Value {
  const rounded = truncate ? y : b.emit(f.each('nearest'), y);
  const fits = b.emit(f.each('lt'), b.emit(f.each('abs'), rounded), f.constants(b, 'limit'));
  const fast = b.emit(f.wide ? I32_FROM_DOUBLES : I32_FROM_SINGLES, rounded);
  const question: Question = { special: () => orExact(b, notAll(b, f, fits, count)), operands: [], keeps: false };
  return settle(b, i, toInt(f, truncate, count), question, fast, ifMemory(i, y));
}
const dwords =
  (f: Format, truncate: boolean): Meaning =>
  (b, i) =>
    setXmm(b, i.reg, toDwords(b, i, f, packedSource(b, i), truncate, f.count));
const mmxDwords =
  (f: Format, truncate: boolean): Meaning =>
  (b, i) => {
    mmxWait(b);
    const y = f.wide ? packedSource(b, i) : lowSource(b, i);
    // before #XM
    mmxEnter(b);
    setMmx(b, i.reg, low64(b, toDwords(b, i, f, y, truncate, 2)));
  };
const dword =
  (f: Format, truncate: boolean): Meaning =>
  (b, i) => {
    const y = scalarSource(b, f, i);
    const rounded = truncate ? y : b.emit(f.one('nearest'), y);
    const fits = (): Value => b.emit(f.one('lt'), b.emit(f.one('abs'), rounded), f.constant(b, 'limit'));
    const fast = b.emit(f.wide ? TRUNC_F64 : TRUNC_F32, rounded);
    const same = (): Value => b.emit(f.one('eq'), b.emit(f.one('convert_i32_s'), fast), y);
    const question: Question = {
      special: () => orExact(b, b.eqz(fits())),
      harmless: () => all(b, onlyFlag(b), fits(), same()),
      operands: [],
      keeps: false,
    };
    setRegister(b, i.reg, 4, settle(b, i, toInt(f, truncate, 1), question, fast, ifMemory(i, y)));
  };
const TRUNC_F32 = op('i32.trunc_sat_f32_s');
const TRUNC_F64 = op('i32.trunc_sat_f64_s');

/** RCPPS and RSQRTPS: always the helper's. */
const approximate =
  (code: SseCode, one: boolean): Meaning =>
  (b, i) => {
    const y = one ? asVector(b, single, i, scalarSource(b, single, i)) : packedSource(b, i);
    b.helper(approximates.name, b.i32(code | ((one ? 1 : 4) << SseCode.COUNT_SHIFT)), xmm(b, i.reg), y);
    setXmm(b, i.reg, b.get(Type.V128, X86.SSE_RESULT));
  };

export const singleConversions = (): readonly Row[] => [
  row('NP 0F 2A /r', 'CVTPI2PS Vps, Qq', singlesFromMmx),
  row('F3 0F 2A /r', 'CVTSI2SS Vss, Ed', singleFromDword),
  row('NP 0F 2C /r', 'CVTTPS2PI Pq, Wq', mmxDwords(single, true)),
  row('NP 0F 2D /r', 'CVTPS2PI Pq, Wq', mmxDwords(single, false)),
  row('F3 0F 2C /r', 'CVTTSS2SI Gd, Wss', dword(single, true)),
  row('F3 0F 2D /r', 'CVTSS2SI Gd, Wss', dword(single, false)),
  row('NP 0F 52 /r', 'RSQRTPS Vps, Wps', approximate(SseCode.RECIPROCAL_ROOT, false)),
  row('F3 0F 52 /r', 'RSQRTSS Vss, Wss', approximate(SseCode.RECIPROCAL_ROOT, true)),
  row('NP 0F 53 /r', 'RCPPS Vps, Wps', approximate(SseCode.RECIPROCAL, false)),
  row('F3 0F 53 /r', 'RCPSS Vss, Wss', approximate(SseCode.RECIPROCAL, true)),
];
export const doubleConversions = (): readonly Row[] => [
  // exact
  row('66 0F 2A /r', 'CVTPI2PD Vpd, Qq', doublesFromMmx),
  row('F2 0F 2A /r', 'CVTSI2SD Vsd, Ed', doubleFromDword),
  row('F3 0F E6 /r', 'CVTDQ2PD Vpd, Wq', doublesFromDwords),
  row('66 0F 2C /r', 'CVTTPD2PI Pq, Wpd', mmxDwords(double, true)),
  row('66 0F 2D /r', 'CVTPD2PI Pq, Wpd', mmxDwords(double, false)),
  row('F2 0F 2C /r', 'CVTTSD2SI Gd, Wsd', dword(double, true)),
  row('F2 0F 2D /r', 'CVTSD2SI Gd, Wsd', dword(double, false)),
  row('NP 0F 5A /r', 'CVTPS2PD Vpd, Wq', toDoubles),
  row('66 0F 5A /r', 'CVTPD2PS Vps, Wpd', toSingles),
  row('F3 0F 5A /r', 'CVTSS2SD Vsd, Wss', toDouble),
  row('F2 0F 5A /r', 'CVTSD2SS Vss, Wsd', toSingle),
  row('NP 0F 5B /r', 'CVTDQ2PS Vps, Wdq', singlesFromDwords),
  row('66 0F 5B /r', 'CVTPS2DQ Vdq, Wps', dwords(single, false)),
  row('F3 0F 5B /r', 'CVTTPS2DQ Vdq, Wps', dwords(single, true)),
  row('66 0F E6 /r', 'CVTTPD2DQ Vdq, Wpd', dwords(double, true)),
  row('F2 0F E6 /r', 'CVTPD2DQ Vdq, Wpd', dwords(double, false)),
];
