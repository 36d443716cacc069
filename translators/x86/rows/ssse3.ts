import { op } from '../../../src/ir/ops.ts';
import { group, type Meaning, type Row, row } from '../row.ts';
import { type Both, both, isMmx, readVector, type Vector2, withMmx, writeVector, zero } from '../vector.ts';
import { mmxForms, xmmForms } from './packed.ts';

const AND = op('v128.and');
const ANDNOT = op('v128.andnot');
const XOR = op('v128.xor');
const SWIZZLE = op('i8x16.swizzle');
const SHL16 = op('i16x8.shl');
const SHR16S = op('i16x8.shr_s');
const SHR16U = op('i16x8.shr_u');
const MUL16 = op('i16x8.mul');
const ADD16_SAT = op('i16x8.add_sat_s');
const EQ16 = op('i16x8.eq');
const MULR = op('i16x8.q15mulr_sat_s');

/** WebAssembly's index is too large where x86's has its top bit set: both give zero. */
const shuffleBytes: Vector2 = (b, x, y, mmx) => {
  const mask = mmx ? 0x87878787 : 0x8f8f8f8f;
  return b.emit(SWIZZLE, x, b.emit(AND, y, b.v128(mask, mask, mask, mask)));
};

/** `name` of each pair of neighbours of `size` bytes, first those of the first operand. */
function horizontal(name: string, size: 2 | 4): Vector2 {
  const operation = op(name);
  /** Every other element from the first (0) or second (1) on; an MMX register holds half as many. */
  const pattern = (from: 0 | 1, length: number): readonly number[] =>
    Array.from({ length: 16 }, (_, n) => {
      const element = Math.floor((n % length) / size);
      const half = length / size / 2;
      return (element < half ? 0 : 16) + ((element % half) * 2 + from) * size + (n % size);
    });
  const [even, odd, evenMmx, oddMmx] = [pattern(0, 16), pattern(1, 16), pattern(0, 8), pattern(1, 8)];
  return (b, x, y, mmx) => b.emit(operation, b.shuffle(x, y, mmx ? evenMmx : even), b.shuffle(x, y, mmx ? oddMmx : odd));
}

/** Unsigned bytes of the first operand times signed ones of the second; the products fit in words, sums of two are saturated. */
const multiplyAddBytes: Vector2 = (b, x, y) => {
  const eight = b.i32(8);
  const low = b.emit(AND, x, b.v128(0xff00ff, 0xff00ff, 0xff00ff, 0xff00ff));
  const even = b.emit(MUL16, low, b.emit(SHR16S, b.emit(SHL16, y, eight), eight));
  const odd = b.emit(MUL16, b.emit(SHR16U, x, eight), b.emit(SHR16S, y, eight));
  return b.emit(ADD16_SAT, even, odd);
};

/** WebAssembly saturates −1 · −1, x86 wraps. */
const multiplyRound: Vector2 = (b, x, y) => {
  const least = b.v128(0x80008000, 0x80008000, 0x80008000, 0x80008000);
  const wraps = b.emit(AND, b.emit(EQ16, x, least), b.emit(EQ16, y, least));
  return b.emit(XOR, b.emit(MULR, x, y), wraps);
};

/** The first operand, negated where the second is negative, zero where that is zero. */
function sign(shape: 'i8x16' | 'i16x8' | 'i32x4'): Vector2 {
  const [shift, subtract, equal] = ['shr_s', 'sub', 'eq'].map((name) => op(`${shape}.${name}`));
  const width = { i8x16: 8, i16x8: 16, i32x4: 32 }[shape];
  return (b, x, y) => {
    const negative = b.emit(shift, y, b.i32(width - 1));
    return b.emit(ANDNOT, b.emit(subtract, b.emit(XOR, x, negative), negative), b.emit(equal, y, zero(b)));
  };
}

const absolute = (shape: string): Vector2 => {
  const operation = op(`${shape}.abs`);
  return (b, _, y) => b.emit(operation, y);
};

/** PALIGNR: what is `Ib` bytes above the start of the second operand with the first above it. */
const align: Meaning = (b, i) => {
  const mmx = isMmx(i, 0);
  const width = mmx ? 8 : 16;
  const by = i.immediate & 0xff;
  /** Byte n of the result in the pair of `low` (0…) and `high` (16…). */
  const from = (shift: number): readonly number[] =>
    Array.from({ length: 16 }, (_, n) => {
      const at = (n % width) + shift;
      return at < width ? at : Math.min(at - width, width - 1) + 16;
    });
  withMmx(
    b,
    mmx,
    () => {
      const x = readVector(b, i, 0);
      const y = readVector(b, i, 1);
      if (by <= width) return b.shuffle(y, x, from(by));
      return by < 2 * width ? b.shuffle(x, zero(b), from(by - width)) : zero(b);
    },
    (v) => writeVector(b, i, 0, v),
  );
};

const forms = (): readonly Both[] => [
  both('38 00', 'PSHUFB', shuffleBytes),
  both('38 01', 'PHADDW', horizontal('i16x8.add', 2)),
  both('38 02', 'PHADDD', horizontal('i32x4.add', 4)),
  both('38 03', 'PHADDSW', horizontal('i16x8.add_sat_s', 2)),
  both('38 04', 'PMADDUBSW', multiplyAddBytes),
  both('38 05', 'PHSUBW', horizontal('i16x8.sub', 2)),
  both('38 06', 'PHSUBD', horizontal('i32x4.sub', 4)),
  both('38 07', 'PHSUBSW', horizontal('i16x8.sub_sat_s', 2)),
  both('38 08', 'PSIGNB', sign('i8x16')),
  both('38 09', 'PSIGNW', sign('i16x8')),
  both('38 0A', 'PSIGND', sign('i32x4')),
  both('38 0B', 'PMULHRSW', multiplyRound),
  both('38 1C', 'PABSB', absolute('i8x16')),
  both('38 1D', 'PABSW', absolute('i16x8')),
  both('38 1E', 'PABSD', absolute('i32x4')),
  { mmx: row('NP 0F 3A 0F /r ib', 'PALIGNR Pq, Qq, Ib', align), xmm: row('66 0F 3A 0F /r ib', 'PALIGNR Vdq, Wdq, Ib', align) },
];

export const ssse3 = (): readonly Row[] => group('ssse3', [...mmxForms(forms()), ...xmmForms(forms())]);
