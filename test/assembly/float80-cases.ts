import { MEMORY_ADDRESS } from './float80-native.ts';
import { GUEST_ADDRESS, GUEST_INDEX, type Runtime } from './float80-runtime.ts';

/** An instruction: its bytes for the processor (memory operand at MEMORY_ADDRESS) and the helper calls that its row makes. */
export interface Instruction {
  readonly text: string;
  readonly code: readonly number[];
  readonly call: (r: Runtime) => void;
  /** What lies in memory before it. */
  readonly operand?: 'f32' | 'f64' | 'f80' | 'i16' | 'i32' | 'i64' | 'bcd';
}

const ADDRESS_BYTES = [0, 8, 16, 24].map((shift) => (MEMORY_ADDRESS >>> shift) & 0xff);
const memory = (opcode: number, reg: number): number[] => [opcode, (reg << 3) | 5, ...ADDRESS_BYTES];
const AT = GUEST_INDEX;
const NAMES = ['FADD', 'FMUL', 'FCOM', 'FCOMP', 'FSUB', 'FSUBR', 'FDIV', 'FDIVR'];
/** In DC and DE the register forms of SUB, SUBR, DIV and DIVR are exchanged. */
const REVERSED = [0, 1, 2, 3, 5, 4, 7, 6];
const ARITHMETIC = [0, 1, 4, 5, 6, 7];

export const arithmetic: Instruction[] = ARITHMETIC.flatMap((operation): Instruction[] => [
  {
    text: `${NAMES[operation]} st0, st1`,
    code: [0xd8, 0xc1 | (operation << 3)],
    call: ({ helpers: h }) => h.x87_arithmetic(operation, 1 << 3, 0),
  },
  {
    text: `${NAMES[operation]} st2, st0`,
    code: [0xdc, 0xc2 | (REVERSED[operation] << 3)],
    call: ({ helpers: h }) => h.x87_arithmetic(operation, 2, 0),
  },
  {
    text: `${NAMES[operation]}P st1, st0`,
    code: [0xde, 0xc1 | (REVERSED[operation] << 3)],
    call: ({ helpers: h }) => h.x87_arithmetic(operation, 1, 1),
  },
]);

export const withMemory: Instruction[] = NAMES.flatMap((name, operation): Instruction[] => [
  {
    text: `${name} m32`,
    code: memory(0xd8, operation),
    operand: 'f32',
    call: ({ helpers: h, memory: m }) => h.x87_arithmetic_f32(m.getUint32(AT, true), operation),
  },
  {
    text: `${name} m64`,
    code: memory(0xdc, operation),
    operand: 'f64',
    call: ({ helpers: h, memory: m }) => h.x87_arithmetic_f64(m.getBigInt64(AT, true), operation),
  },
  {
    text: `FI${name.slice(1)} m32int`,
    code: memory(0xda, operation),
    operand: 'i32',
    call: ({ helpers: h, memory: m }) => h.x87_arithmetic_i32(m.getInt32(AT, true), operation),
  },
  {
    text: `FI${name.slice(1)} m16int`,
    code: memory(0xde, operation),
    operand: 'i16',
    call: ({ helpers: h, memory: m }) => h.x87_arithmetic_i32(m.getInt16(AT, true), operation),
  },
]);

export const comparisons: Instruction[] = [
  { text: 'FCOM st1', code: [0xd8, 0xd1], call: ({ helpers: h }) => h.x87_compare(1, 0, 0) },
  { text: 'FCOMP st1', code: [0xd8, 0xd9], call: ({ helpers: h }) => h.x87_compare(1, 0, 1) },
  { text: 'FCOMPP', code: [0xde, 0xd9], call: ({ helpers: h }) => h.x87_compare(1, 0, 2) },
  { text: 'FUCOM st1', code: [0xdd, 0xe1], call: ({ helpers: h }) => h.x87_compare(1, 1, 0) },
  { text: 'FUCOMP st1', code: [0xdd, 0xe9], call: ({ helpers: h }) => h.x87_compare(1, 1, 1) },
  { text: 'FUCOMPP', code: [0xda, 0xe9], call: ({ helpers: h }) => h.x87_compare(1, 1, 2) },
];

const d9 = (text: string, number: number): Instruction => ({
  text,
  code: [0xd9, number],
  call: ({ helpers: h }) => h.x87_d9(number),
});
export const unary: Instruction[] = [
  d9('FCHS', 0xe0),
  d9('FABS', 0xe1),
  d9('FTST', 0xe4),
  d9('FXAM', 0xe5),
  d9('FXTRACT', 0xf4),
  d9('FPREM1', 0xf5),
  d9('FDECSTP', 0xf6),
  d9('FINCSTP', 0xf7),
  d9('FPREM', 0xf8),
  d9('FSQRT', 0xfa),
  d9('FRNDINT', 0xfc),
  d9('FSCALE', 0xfd),
  ...['FLD1', 'FLDL2T', 'FLDL2E', 'FLDPI', 'FLDLG2', 'FLDLN2', 'FLDZ'].map((name, k) => d9(name, 0xe8 + k)),
];

export const transcendental: Instruction[] = [
  d9('F2XM1', 0xf0),
  d9('FYL2X', 0xf1),
  d9('FPTAN', 0xf2),
  d9('FPATAN', 0xf3),
  d9('FYL2XP1', 0xf9),
  d9('FSINCOS', 0xfb),
  d9('FSIN', 0xfe),
  d9('FCOS', 0xff),
];

export const moves: Instruction[] = [
  {
    text: 'FLD m32',
    code: memory(0xd9, 0),
    operand: 'f32',
    call: ({ helpers: h, memory: m }) => h.x87_push_f32(m.getUint32(AT, true)),
  },
  {
    text: 'FLD m64',
    code: memory(0xdd, 0),
    operand: 'f64',
    call: ({ helpers: h, memory: m }) => h.x87_push_f64(m.getBigInt64(AT, true)),
  },
  {
    text: 'FLD m80',
    code: memory(0xdb, 5),
    operand: 'f80',
    call: ({ helpers: h, memory: m }) => h.x87_push_f80(m.getBigInt64(AT, true), m.getUint16(AT + 8, true)),
  },
  {
    text: 'FILD m16int',
    code: memory(0xdf, 0),
    operand: 'i16',
    call: ({ helpers: h, memory: m }) => h.x87_push_i32(m.getInt16(AT, true)),
  },
  {
    text: 'FILD m32int',
    code: memory(0xdb, 0),
    operand: 'i32',
    call: ({ helpers: h, memory: m }) => h.x87_push_i32(m.getInt32(AT, true)),
  },
  {
    text: 'FILD m64int',
    code: memory(0xdf, 5),
    operand: 'i64',
    call: ({ helpers: h, memory: m }) => h.x87_push_i64(m.getBigInt64(AT, true)),
  },
  ...[0, 1].flatMap((pops): Instruction[] => [
    {
      text: pops ? 'FSTP m32' : 'FST m32',
      code: memory(0xd9, 2 + pops),
      call: ({ helpers: h, memory: m }) => {
        m.setInt32(AT, h.x87_store_f32(GUEST_ADDRESS) as number, true);
        h.x87_stored(pops);
      },
    },
    {
      text: pops ? 'FSTP m64' : 'FST m64',
      code: memory(0xdd, 2 + pops),
      call: ({ helpers: h, memory: m }) => {
        m.setBigInt64(AT, h.x87_store_f64(GUEST_ADDRESS) as bigint, true);
        h.x87_stored(pops);
      },
    },
    {
      text: pops ? 'FISTP m16int' : 'FIST m16int',
      code: memory(0xdf, 2 + pops),
      call: ({ helpers: h, memory: m }) => {
        m.setInt16(AT, h.x87_store_i32(GUEST_ADDRESS, 2) as number, true);
        h.x87_stored(pops);
      },
    },
    {
      text: pops ? 'FISTP m32int' : 'FIST m32int',
      code: memory(0xdb, 2 + pops),
      call: ({ helpers: h, memory: m }) => {
        m.setInt32(AT, h.x87_store_i32(GUEST_ADDRESS, 4) as number, true);
        h.x87_stored(pops);
      },
    },
    { text: `FST${pops ? 'P' : ''} st2`, code: [0xdd, (pops ? 0xd8 : 0xd0) | 2], call: ({ helpers: h }) => h.x87_copy(2, pops) },
  ]),
  {
    text: 'FISTP m64int',
    code: memory(0xdf, 7),
    call: ({ helpers: h, memory: m }) => {
      m.setBigInt64(AT, h.x87_store_i64(GUEST_ADDRESS) as bigint, true);
      h.x87_stored(1);
    },
  },
  { text: 'FSTP m80', code: memory(0xdb, 7), call: ({ helpers: h }) => h.x87_store_f80(GUEST_ADDRESS) },
  { text: 'FBSTP', code: memory(0xdf, 6), call: ({ helpers: h }) => h.x87_store_bcd(GUEST_ADDRESS) },
  { text: 'FBLD', code: memory(0xdf, 4), operand: 'bcd', call: ({ helpers: h }) => h.x87_load_bcd(GUEST_ADDRESS) },
  { text: 'FLD st1', code: [0xd9, 0xc1], call: ({ helpers: h }) => h.x87_push_st(1) },
  { text: 'FXCH st1', code: [0xd9, 0xc9], call: ({ helpers: h }) => h.x87_exchange(1) },
  { text: 'FCMOVNE st0, st1 with ZF', code: [0xdb, 0xc9], call: ({ helpers: h }) => h.x87_move_if(1, 1) },
  { text: 'FCMOVE st0, st1', code: [0xda, 0xc9], call: ({ helpers: h }) => h.x87_move_if(0, 1) },
  { text: 'FFREE st1', code: [0xdd, 0xc1], call: ({ helpers: h }) => h.x87_free(1, 0) },
];

// Operands.

/** xorshift128 (Marsaglia), seeded. */
export function randomWords(seed: number): () => number {
  let [x, y, z, w] = [seed | 1, 362436069, 521288629, 88675123];
  return () => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
}

export type Float80 = readonly [sig: bigint, se: number];
const TOP = 1n << 63n;
const EDGE_SIGS = [
  TOP,
  TOP | 1n,
  TOP | (1n << 62n),
  (1n << 64n) - 1n,
  (1n << 64n) - (1n << 11n),
  TOP | (1n << 10n),
  TOP | (1n << 11n),
  TOP | (3n << 10n),
];
const EDGE_SIGS24 = [(1n << 64n) - (1n << 40n), TOP | (1n << 39n), TOP | (3n << 39n), (1n << 64n) - (1n << 39n)];
const ODD_SIGS = [0n, 1n, 2n, TOP - 1n, 1n << 62n, (1n << 62n) + 1n, ...EDGE_SIGS, ...EDGE_SIGS24];
const EDGE_EXPONENTS = [
  0,
  1,
  2,
  63,
  64,
  0x3fff - 1075,
  0x3fff - 1074,
  0x3fff - 1023,
  0x3fff - 1022,
  0x3fff - 150,
  0x3fff - 149,
  0x3fff - 127,
  0x3fff - 126,
];
const MORE_EXPONENTS = [
  0x3ffd,
  0x3ffe,
  0x3fff,
  0x4000,
  0x3fff + 15,
  0x3fff + 31,
  0x3fff + 62,
  0x3fff + 63,
  0x3fff + 64,
  0x3fff + 127,
  0x3fff + 1023,
];
const EXPONENTS = [...EDGE_EXPONENTS, ...MORE_EXPONENTS, 0x3fff + 128, 0x3fff + 1024, 0x7ffd, 0x7ffe, 0x7fff];

/** A double extended-precision number, often an edge; `near` keeps exponents around it. */
export function randomFloat80(random: () => number, near?: number): Float80 {
  const pick = <T>(list: readonly T[]): T => list[random() % list.length];
  const sign = (random() & 1) << 15;
  const kind = random() % 16;
  if (kind === 0) return [pick(ODD_SIGS), sign | pick(EXPONENTS)];
  if (kind === 1) return [pick(ODD_SIGS), sign | (random() & 1 ? 0x7fff : 0)];
  let sig = (BigInt(random()) << 32n) | BigInt(random());
  if (kind === 2) return [sig, sign | pick(EXPONENTS)];
  sig |= TOP;
  if (kind < 5) sig = pick(EDGE_SIGS);
  else if (kind === 5) sig &= ~((1n << BigInt(random() % 64)) - 1n) | TOP;
  else if (kind === 6) sig |= (1n << BigInt(random() % 64)) - 1n;
  if (kind === 7) return [sig, sign | (random() & 0x7fff)];
  if (kind === 8) return [sig, sign | pick(EXPONENTS)];
  const centre = near === undefined ? 0x3fff : near & 0x7fff;
  const exponent = centre + (random() % 140) - 70;
  return [sig, sign | Math.min(0x7ffe, Math.max(1, exponent))];
}

/** Control words: every rounding and precision, mostly with all exceptions masked. */
export function randomControl(random: () => number): number {
  const precision = [0x300, 0x300, 0x200, 0][random() & 3];
  const masks = random() % 4 === 0 ? random() & 0x3f : 0x3f;
  return 0x40 | masks | precision | ((random() & 3) << 10);
}
