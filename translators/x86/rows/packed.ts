import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op } from '../../../src/ir/ops.ts';
import { read, write } from '../operands.ts';
import { type Meaning, type Row, row } from '../row.ts';
import {
  type Both,
  both,
  isMmx,
  low64,
  plain,
  readVector,
  setMmx,
  setXmm,
  type Vector2,
  vector2,
  withMmx,
  writeVector,
  xmm,
  zero,
} from '../vector.ts';

// Packed integer instructions that MMX and SSE2 have alike. An MMX register is the low half of a v128.

const lanes = (count: number, f: (n: number) => number): number[] => Array.from({ length: count }, (_, n) => f(n));
const shuffle =
  (pattern: readonly number[]): Vector2 =>
  (b, x, y) =>
    b.shuffle(x, y, pattern);

/** PUNPCKL and PUNPCKH of elements of `size` bytes, from byte `from` on. */
const interleave = (size: number, from: number): readonly number[] =>
  lanes(16, (n) => from + Math.floor(n / (2 * size)) * size + (n % size) + (n % (2 * size) < size ? 0 : 16));
const unpackLow = (size: number): Vector2 => shuffle(interleave(size, 0));
const unpackHigh = (size: number): Vector2 => {
  const [large, small] = [interleave(size, 8), interleave(size, 4)];
  return (b, x, y, mmx) => b.shuffle(x, y, mmx ? small : large);
};

const LOW_HALVES = lanes(16, (n) => (n < 8 ? n : n + 8));
const pack = (name: string): Vector2 => {
  const narrow = op(name);
  return (b, x, y, mmx) => {
    if (!mmx) return b.emit(narrow, x, y);
    const joined = b.shuffle(x, y, LOW_HALVES);
    return b.emit(narrow, joined, joined);
  };
};

const HIGH_WORDS = lanes(16, (n) => (n >> 1) * 4 + 2 + (n & 1));
const multiplyHigh = (sign: 's' | 'u'): Vector2 => {
  const [low, high] = ['low', 'high'].map((half) => op(`i32x4.extmul_${half}_i16x8_${sign}`));
  return (b, x, y) => b.shuffle(b.emit(low, x, y), b.emit(high, x, y), HIGH_WORDS);
};
const EVEN_DWORDS = lanes(16, (n) => (n < 8 ? (n >> 2) * 8 + (n & 3) : 0));
const EXTMUL = op('i64x2.extmul_low_i32x4_u');
const multiplyDwords: Vector2 = (b, x, y) => b.emit(EXTMUL, b.shuffle(x, x, EVEN_DWORDS), b.shuffle(y, y, EVEN_DWORDS));

const AND = op('v128.and');
const ANDNOT = op('v128.andnot');
const MAX8 = op('i8x16.max_u');
const MIN8 = op('i8x16.min_u');
const SUB8 = op('i8x16.sub');
const ADD16 = op('i16x8.add');
const SHR16 = op('i16x8.shr_u');
const MUL64 = op('i64x2.mul');
const SHR64 = op('i64x2.shr_u');
/** Bytes added in pairs to words; multiplied by 2^48 + 2^32 + 2^16 + 1, a quadword's top word is the sum of its words. */
const sumOfDifferences: Vector2 = (b, x, y) => {
  const difference = b.emit(SUB8, b.emit(MAX8, x, y), b.emit(MIN8, x, y));
  const even = b.emit(AND, difference, b.v128(0xff00ff, 0xff00ff, 0xff00ff, 0xff00ff));
  const words = b.emit(ADD16, even, b.emit(SHR16, difference, b.i32(8)));
  return b.emit(SHR64, b.emit(MUL64, words, b.v128(0x10001, 0x10001, 0x10001, 0x10001)), b.i32(48));
};
export const andNot: Vector2 = (b, x, y) => b.emit(ANDNOT, y, x);

// Shifts

const GT64U = op('i64.gt_u');
const WRAP = op('i32.wrap_i64');
/** A count that is as wide as the element or more gives zero, or the sign of an arithmetic shift. */
const shiftBy = (shape: string, kind: 'shl' | 'shr_s' | 'shr_u'): Vector2 => {
  const shift = op(`${shape}.${kind}`);
  const width = Number(/i(\d+)/.exec(shape)![1]);
  return (b, x, y) => {
    const count = low64(b, y);
    const large = b.emit(GT64U, count, b.i64(width - 1, 0));
    const small = b.emit(WRAP, count);
    if (kind === 'shr_s') return b.emit(shift, x, b.select(large, b.i32(width - 1), small));
    return b.select(large, zero(b), b.emit(shift, x, small));
  };
};
const shiftImmediate = (shape: string, kind: 'shl' | 'shr_s' | 'shr_u'): Meaning => {
  const shift = op(`${shape}.${kind}`);
  const width = Number(/i(\d+)/.exec(shape)![1]);
  return (b, i) => {
    const n = i.row.operands[0];
    const mmx = isMmx(i, 0);
    const count = i.immediate & 0xff;
    withMmx(
      b,
      mmx,
      () => {
        const x = readVector(b, i, 0);
        if (count < width) return b.emit(shift, x, b.i32(count));
        return kind === 'shr_s' ? b.emit(shift, x, b.i32(width - 1)) : zero(b);
      },
      (v) => writeRm(b, i.rm, n.text === 'Nq', v),
    );
  };
};
function writeRm(b: Builder, rm: number, mmx: boolean, v: Value): void {
  if (mmx) setMmx(b, rm, low64(b, v));
  else setXmm(b, rm, v);
}
const shiftRows = (opcode: string, field: number, name: string, shape: string, kind: 'shl' | 'shr_s' | 'shr_u'): Both => ({
  mmx: row(`NP 0F ${opcode} /${field} ib`, `${name} Nq, Ib`, shiftImmediate(shape, kind)),
  xmm: row(`66 0F ${opcode} /${field} ib`, `${name} Udq, Ib`, shiftImmediate(shape, kind)),
});

/** PSLLDQ (positive) and PSRLDQ: by bytes. */
const shiftBytes =
  (direction: 1 | -1): Meaning =>
  (b, i) => {
    const by = Math.min(i.immediate & 0xff, 16) * direction;
    const pattern = lanes(16, (n) => (n - by >= 0 && n - by < 16 ? n - by : 16));
    setXmm(b, i.rm, b.shuffle(xmm(b, i.rm), zero(b), pattern));
  };

// Words by number

const EXTRACT16 = op('i16x8.extract_lane_u');
const REPLACE16 = op('i16x8.replace_lane');
const BITMASK = op('i8x16.bitmask');

const insertWord: Meaning = (b, i) => {
  const mmx = isMmx(i, 0);
  withMmx(
    b,
    mmx,
    () => b.emit(REPLACE16, readVector(b, i, 0), read(b, i, 1), i.immediate & (mmx ? 3 : 7)),
    (v) => writeVector(b, i, 0, v),
  );
};
const extractWord: Meaning = (b, i) => {
  const mmx = isMmx(i, 1);
  withMmx(
    b,
    mmx,
    () => b.emit(EXTRACT16, readVector(b, i, 1), i.immediate & (mmx ? 3 : 7)),
    (v) => write(b, i, 0, v),
  );
};
const moveMask: Meaning = (b, i) => {
  const mmx = isMmx(i, 1);
  withMmx(
    b,
    mmx,
    () => {
      const mask = b.emit(BITMASK, readVector(b, i, 1));
      return mmx ? b.and(mask, b.i32(0xff)) : mask;
    },
    (v) => write(b, i, 0, v),
  );
};
const wordRows = (opcode: string, text: (p: string, q: string) => string, suffix: string, meaning: Meaning): Both => ({
  mmx: row(`NP 0F ${opcode} /r${suffix}`, text('Pq', 'Nq'), meaning),
  xmm: row(`66 0F ${opcode} /r${suffix}`, text('Vdq', 'Udq'), meaning),
});

/** Bytes of `count` elements of `size` bytes from byte `from` on, chosen two bits each by `order`; the others stay. */
const choose = (order: number, size: number, from: number): readonly number[] =>
  lanes(16, (n) => {
    const element = Math.floor((n - from) / size);
    return element < 0 || element > 3 ? n : from + ((order >>> (element * 2)) & 3) * size + (n % size);
  });
/** PSHUFD, PSHUFW and PSHUFLW, PSHUFHW. */
const permute =
  (size: number, from: number): Meaning =>
  (b, i) => {
    const pattern = choose(i.immediate & 0xff, size, from);
    vector2((builder, _, y) => builder.shuffle(y, y, pattern))(b, i);
  };

/** MMX as the Pentium MMX has it, and its forms on XMM registers. */
export const original = (): readonly Both[] => [
  both('60', 'PUNPCKLBW', unpackLow(1), 'Qd'),
  both('61', 'PUNPCKLWD', unpackLow(2), 'Qd'),
  both('62', 'PUNPCKLDQ', unpackLow(4), 'Qd'),
  both('63', 'PACKSSWB', pack('i8x16.narrow_i16x8_s')),
  both('64', 'PCMPGTB', plain('i8x16.gt_s')),
  both('65', 'PCMPGTW', plain('i16x8.gt_s')),
  both('66', 'PCMPGTD', plain('i32x4.gt_s')),
  both('67', 'PACKUSWB', pack('i8x16.narrow_i16x8_u')),
  both('68', 'PUNPCKHBW', unpackHigh(1)),
  both('69', 'PUNPCKHWD', unpackHigh(2)),
  both('6A', 'PUNPCKHDQ', unpackHigh(4)),
  both('6B', 'PACKSSDW', pack('i16x8.narrow_i32x4_s')),
  shiftRows('71', 2, 'PSRLW', 'i16x8', 'shr_u'),
  shiftRows('71', 4, 'PSRAW', 'i16x8', 'shr_s'),
  shiftRows('71', 6, 'PSLLW', 'i16x8', 'shl'),
  shiftRows('72', 2, 'PSRLD', 'i32x4', 'shr_u'),
  shiftRows('72', 4, 'PSRAD', 'i32x4', 'shr_s'),
  shiftRows('72', 6, 'PSLLD', 'i32x4', 'shl'),
  shiftRows('73', 2, 'PSRLQ', 'i64x2', 'shr_u'),
  shiftRows('73', 6, 'PSLLQ', 'i64x2', 'shl'),
  both('74', 'PCMPEQB', plain('i8x16.eq')),
  both('75', 'PCMPEQW', plain('i16x8.eq')),
  both('76', 'PCMPEQD', plain('i32x4.eq')),
  both('D1', 'PSRLW', shiftBy('i16x8', 'shr_u')),
  both('D2', 'PSRLD', shiftBy('i32x4', 'shr_u')),
  both('D3', 'PSRLQ', shiftBy('i64x2', 'shr_u')),
  both('D5', 'PMULLW', plain('i16x8.mul')),
  both('D8', 'PSUBUSB', plain('i8x16.sub_sat_u')),
  both('D9', 'PSUBUSW', plain('i16x8.sub_sat_u')),
  both('DB', 'PAND', plain('v128.and')),
  both('DC', 'PADDUSB', plain('i8x16.add_sat_u')),
  both('DD', 'PADDUSW', plain('i16x8.add_sat_u')),
  both('DF', 'PANDN', andNot),
  both('E1', 'PSRAW', shiftBy('i16x8', 'shr_s')),
  both('E2', 'PSRAD', shiftBy('i32x4', 'shr_s')),
  both('E5', 'PMULHW', multiplyHigh('s')),
  both('E8', 'PSUBSB', plain('i8x16.sub_sat_s')),
  both('E9', 'PSUBSW', plain('i16x8.sub_sat_s')),
  both('EB', 'POR', plain('v128.or')),
  both('EC', 'PADDSB', plain('i8x16.add_sat_s')),
  both('ED', 'PADDSW', plain('i16x8.add_sat_s')),
  both('EF', 'PXOR', plain('v128.xor')),
  both('F1', 'PSLLW', shiftBy('i16x8', 'shl')),
  both('F2', 'PSLLD', shiftBy('i32x4', 'shl')),
  both('F3', 'PSLLQ', shiftBy('i64x2', 'shl')),
  both('F5', 'PMADDWD', plain('i32x4.dot_i16x8_s')),
  both('F8', 'PSUBB', plain('i8x16.sub')),
  both('F9', 'PSUBW', plain('i16x8.sub')),
  both('FA', 'PSUBD', plain('i32x4.sub')),
  both('FC', 'PADDB', plain('i8x16.add')),
  both('FD', 'PADDW', plain('i16x8.add')),
  both('FE', 'PADDD', plain('i32x4.add')),
];

/** What SSE added to MMX, and SSE2 to XMM registers. */
export const extended = (): readonly Both[] => [
  both('DA', 'PMINUB', plain('i8x16.min_u')),
  both('DE', 'PMAXUB', plain('i8x16.max_u')),
  both('EA', 'PMINSW', plain('i16x8.min_s')),
  both('EE', 'PMAXSW', plain('i16x8.max_s')),
  both('E0', 'PAVGB', plain('i8x16.avgr_u')),
  both('E3', 'PAVGW', plain('i16x8.avgr_u')),
  both('E4', 'PMULHUW', multiplyHigh('u')),
  both('F6', 'PSADBW', sumOfDifferences),
  wordRows('C4', (p) => `PINSRW ${p}, Rd, Ib`, ' r ib', insertWord),
  wordRows('C4', (p) => `PINSRW ${p}, Mw, Ib`, ' m ib', insertWord),
  wordRows('C5', (_, q) => `PEXTRW Gd, ${q}, Ib`, ' r ib', extractWord),
  wordRows('D7', (_, q) => `PMOVMSKB Gd, ${q}`, ' r', moveMask),
];
export const shuffleWordsMmx: Row = row('NP 0F 70 /r ib', 'PSHUFW Pq, Qq, Ib', permute(2, 0));

/** What SSE2 added to both. */
export const quadwords = (): readonly Both[] => [
  both('D4', 'PADDQ', plain('i64x2.add')),
  both('FB', 'PSUBQ', plain('i64x2.sub')),
  both('F4', 'PMULUDQ', multiplyDwords),
];
/** SSE2's own, without MMX forms. */
export const xmmOnly = (): readonly Row[] => [
  row('66 0F 6C /r', 'PUNPCKLQDQ Vdq, Wdq', vector2(unpackLow(8))),
  row('66 0F 6D /r', 'PUNPCKHQDQ Vdq, Wdq', vector2(unpackHigh(8))),
  row('66 0F 70 /r ib', 'PSHUFD Vdq, Wdq, Ib', permute(4, 0)),
  row('F2 0F 70 /r ib', 'PSHUFLW Vdq, Wdq, Ib', permute(2, 0)),
  row('F3 0F 70 /r ib', 'PSHUFHW Vdq, Wdq, Ib', permute(2, 8)),
  row('66 0F 73 /3 ib', 'PSRLDQ Udq, Ib', shiftBytes(-1)),
  row('66 0F 73 /7 ib', 'PSLLDQ Udq, Ib', shiftBytes(1)),
];

export const mmxForms = (list: readonly Both[]): readonly Row[] => list.map((r) => r.mmx);
export const xmmForms = (list: readonly Both[]): readonly Row[] => list.map((r) => r.xmm);
