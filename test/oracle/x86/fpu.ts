import type { Row } from '../../../translators/x86/row.ts';
import type { Outcome } from './case.ts';
import type { Comparison } from './compare.ts';
import { type Base, type GeneratedCase, generate, randomBase } from './generate.ts';
import type { Random } from './random.ts';

const FCW = 0;
const FSW = 2;
const FTW = 4;
const MXCSR = 24;
const ST = 32;
const XMM = 160;

/** Significand and sign with exponent: zeros, ones, limits, denormals, infinities, NaNs, and what processors no longer support. */
const SPECIAL: readonly (readonly [bigint, number])[] = [
  [0n, 0],
  [0n, 0x8000],
  [1n << 63n, 0x3fff],
  [1n << 63n, 0xbfff],
  [0xc000000000000000n, 0x3fff],
  [0xffffffffffffffffn, 0x7ffe],
  [1n << 63n, 1],
  [1n, 0],
  [0x7fffffffffffffffn, 0x8000],
  [1n << 63n, 0x7fff],
  [1n << 63n, 0xffff],
  [0xc000000000000000n, 0x7fff],
  [0xc000000000001234n, 0xffff],
  [0xa000000000000000n, 0x7fff],
  [0x4000000000000000n, 0x3fff],
  [0n, 0x7fff],
  [1n << 63n, 0],
  [0x8000000000000001n, 0x3fff],
  [0xffffffff00000000n, 0x401e],
  [0xfffffffffffffc00n, 0x403d],
  [0xc90fdaa22168c235n, 0x4000],
];

function putRegister(rnd: Random, view: DataView, at: number): void {
  let [significand, exponent] = rnd.pick(SPECIAL);
  const kind = rnd.below(10);
  if (kind >= 4) {
    significand = (1n << 63n) | (BigInt(rnd.u32()) << 31n) | BigInt(rnd.u32() & 0x7fffffff);
    exponent = (rnd.below(2) << 15) | (0x3fff + (kind < 8 ? rnd.below(80) - 20 : rnd.below(0x7ff0) - 0x3ff0));
  }
  if (kind === 9) significand &= -1n << BigInt(rnd.pick([11, 40, 60]));
  view.setBigUint64(at, BigInt.asUintN(64, significand), true);
  view.setUint16(at + 8, exponent, true);
}

export const C1 = 0x200;
/**
 * Status bits that are not compared. FCOMI and the like: C1 is cleared (SDM) or kept (AMD). Transcendental instructions:
 * C1 tells how the last bit was rounded, which is not the same in all processors.
 */
export const FCOMI = /^FU?COMIP?\b/;
export const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)\b/;

/** Several accesses, of which any may fault first. */
export const SEVERAL_ACCESSES = /^(FLD|FSTP|FBLD|FBSTP) Mt|^(FLDENV|FNSTENV|FRSTOR|FNSAVE)/;
/** FSTP under its undocumented opcode raises no stack underflow; not compared with an empty ST(0). */
export const UNDOCUMENTED = /^D9 D8/;

const isTopEmpty = (fxsave: Uint8Array): boolean => ((fxsave[FTW] >>> ((fxsave[FSW + 1] >>> 3) & 7)) & 1) === 0;

/** A random FXSAVE image: mostly masked exceptions and full registers. */
export function randomFxsave(rnd: Random): Uint8Array {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const precision = rnd.pick([3, 3, 3, 2, 0]);
  view.setUint16(FCW, 0x40 | (rnd.chance(0.9) ? 0x3f : rnd.below(64)) | (precision << 8) | (rnd.pick([0, 0, 0, 1, 2, 3]) << 10), true);
  view.setUint16(FSW, (rnd.below(8) << 11) | (rnd.u32() & 0x4700), true);
  image[FTW] = rnd.chance(0.6) ? 0xff : rnd.u32() & 0xff;
  for (let r = 0; r < 8; r++) putRegister(rnd, view, ST + r * 16);
  view.setUint32(MXCSR, 0x1f80, true);
  for (let i = 0; i < 128; i++) image[XMM + i] = rnd.u32() & 0xff;
  return image;
}

export interface FpuCase extends GeneratedCase {
  readonly more: NonNullable<Comparison['more']>;
}

/** Puts numbers of every format here and there. */
export function fpuNumbers(rnd: Random, data: Uint8Array): void {
  const view = new DataView(data.buffer);
  for (let at = 0; at + 16 <= data.length; at += 16) {
    const kind = rnd.below(4);
    if (kind === 0) putRegister(rnd, view, at);
    else if (kind === 1)
      view.setFloat64(at, rnd.pick([0, -0, 1, -1.5, 1e308, 5e-324, Infinity, Number.NaN, rnd.u32() / 65536, 2 ** 52]), true);
    else if (kind === 2) view.setFloat32(at, rnd.pick([0, -0, 1, 0.1, 1e38, 1e-45, Infinity, Number.NaN, rnd.u32() / 256]), true);
  }
}

/** `Base` with x87 and SSE state. */
export interface FpuBase extends Base {
  readonly fxsave: Uint8Array;
}

function randomFpuBase(rnd: Random): FpuBase {
  const base = randomBase(rnd);
  fpuNumbers(rnd, base.data);
  return { ...base, fxsave: randomFxsave(rnd) };
}

/** A case of a row on x87 state; memory holds numbers of every format now and then. */
export function generateFpu(rnd: Random, r: Row, base = randomFpuBase(rnd)): FpuCase | undefined {
  const c = generate(rnd, r, base);
  if (!c || (UNDOCUMENTED.test(r.encoding) && isTopEmpty(base.fxsave))) return undefined;
  const anyFaultAddress = SEVERAL_ACCESSES.test(r.text);
  const more: FpuCase['more'] = (expected, actual) => {
    const transcendental = TRANSCENDENTAL.test(r.text);
    return fpuDifferences(expected, actual, transcendental || FCOMI.test(r.text) ? C1 : 0, transcendental ? 1 : 0);
  };
  return { ...c, fxsave: base.fxsave, anyFaultAddress, more };
}

const hex = (n: number | bigint, digits: number): string => n.toString(16).padStart(digits, '0');
function register(image: Uint8Array, r: number): string {
  const view = new DataView(image.buffer, image.byteOffset, 512);
  return `${hex(view.getUint16(ST + r * 16 + 8, true), 4)}:${hex(view.getBigUint64(ST + r * 16, true), 16)}`;
}

/** Whether two registers are the same but for `ulps` units in the last place (transcendental results: SDM volume 1, 8.3.10). */
function close(a: Uint8Array, b: Uint8Array, r: number, ulps: number): boolean {
  if (register(a, r) === register(b, r)) return true;
  const [left, right] = [a, b].map((image) => new DataView(image.buffer, image.byteOffset + ST + r * 16, 16));
  if ((left.getUint16(8, true) ^ right.getUint16(8, true)) & 0x8000) return false;
  // numbers next to each other may have different exponents
  const place = (v: DataView): bigint => (BigInt(v.getUint16(8, true) & 0x7fff) << 63n) + BigInt.asUintN(63, v.getBigUint64(0, true));
  const difference = place(left) - place(right);
  return difference <= ulps && difference >= -ulps;
}

/** x87 state that differs, but for the status bits of `undefinedBits`; registers may be `ulps` apart, and empty ones do not count. */
export function fpuDifferences(expected: Outcome, actual: Outcome, undefinedBits = 0, ulps = 0): string[] {
  const out: string[] = [];
  const word = (o: Outcome, at: number): number => o.fxsave[at] | (o.fxsave[at + 1] << 8);
  const compare = (name: string, at: number, mask: number): void => {
    const [e, a] = [word(expected, at) & mask, word(actual, at) & mask];
    if (e !== a) out.push(`${name}: ${hex(e, 4)} | ${hex(a, 4)}`);
  };
  compare('fcw', FCW, 0xffff);
  compare('fsw', FSW, 0xffff & ~undefinedBits);
  compare('tags', FTW, 0xff);
  const top = (word(expected, FSW) >>> 11) & 7;
  for (let r = 0; r < 8; r++) {
    if (!((expected.fxsave[FTW] >>> ((top + r) & 7)) & 1)) continue;
    if (!close(expected.fxsave, actual.fxsave, r, ulps)) {
      out.push(`st${r}: ${register(expected.fxsave, r)} | ${register(actual.fxsave, r)}`);
    }
  }
  return out;
}
