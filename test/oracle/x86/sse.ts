import type { Row } from '../../../translators/x86/row.ts';
import { DATA, type Outcome, SEGMENT_BASE } from './case.ts';
import type { Comparison } from './compare.ts';
import { type FpuBase, fpuDifferences, randomFxsave } from './fpu.ts';
import { decodeOne, type GeneratedCase, generate, randomBase } from './generate.ts';
import type { Random } from './random.ts';

const MXCSR = 24;
/** The MXCSR bits that there are: not the same in all processors. */
const MXCSR_MASK = 28;
const XMM = 160;
const DATA_IN_XMM = 128;
const EDI = 7;

const SINGLES = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 0x3fc00000, 0x7f7fffff, 0xff7fffff, 0x00800000, 0x80800000, 1, 0x807fffff, 0x7f800000, 0xff800000,
  0x7fc00000, 0xffc01234, 0x7f801234, 0xff900000, 0x4f000000, 0xcf000000, 0x4effffff, 0x4f7fffff, 0x3effffff, 0x3f000000, 0x00ffffff,
  0x40200000,
];
const DOUBLES = [
  0n,
  1n << 63n,
  0x3ff0000000000000n,
  0xbff8000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x0010000000000000n,
  0x8010000000000000n,
  1n,
  0x800fffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000012345678n,
  0x7ff0000012345678n,
  0xfff4000000000000n,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0xc1e0000000100000n,
  0x3fe0000000000000n,
  0x4004000000000000n,
  0x47efffffe0000000n,
  0x47efffffefffffffn,
  0x47effffff0000000n,
  0x380fffffffffffffn,
  0x3690000000000000n,
  0x36a0000000000001n,
];

/** Fills an area with numbers of one precision: half of them ordinary, the others at the edges. */
function numbers(rnd: Random, view: DataView, from: number, length: number, wide: boolean): void {
  if (wide) {
    for (let at = from; at + 8 <= from + length; at += 8) {
      const ordinary = (BigInt(rnd.below(2)) << 63n) | (BigInt(1023 - 40 + rnd.below(80)) << 52n) | (BigInt(rnd.u32()) << 20n);
      const any = (BigInt(rnd.u32()) << 32n) | BigInt(rnd.u32());
      view.setBigUint64(at, rnd.chance(0.45) ? ordinary : rnd.chance(0.2) ? any : rnd.pick(DOUBLES), true);
    }
    return;
  }
  for (let at = from; at + 4 <= from + length; at += 4) {
    const ordinary = ((rnd.below(2) << 31) | ((127 - 30 + rnd.below(60)) << 23) | rnd.below(1 << 23)) >>> 0;
    view.setUint32(at, rnd.chance(0.45) ? ordinary : rnd.chance(0.2) ? rnd.u32() : rnd.pick(SINGLES), true);
  }
}

export type SseNumbers = 'single' | 'double' | 'bits';

export function randomSseBase(rnd: Random, kind: SseNumbers): FpuBase {
  const base = { ...randomBase(rnd), fxsave: randomFxsave(rnd) };
  if (kind !== 'bits') {
    numbers(rnd, new DataView(base.fxsave.buffer), XMM, DATA_IN_XMM, kind === 'double');
    numbers(rnd, new DataView(base.data.buffer), 0, base.data.length, kind === 'double');
  }
  return base;
}

/** What most cases of a row compute with. */
export function numbersOf(r: Row): SseNumbers {
  const name = r.text.split(' ')[0];
  if (!/P[SD]|S[SD]/.test(name) || /^(MOV|P)/.test(r.text)) return 'bits';
  return /PS\b|SS\b|PS2|SS2/.test(name) ? 'single' : 'double';
}

/** A case on random XMM and MMX registers and a random MXCSR, which is at its reset value half of the time. */
export function generateSse(
  rnd: Random,
  r: Row,
  base = randomSseBase(rnd, rnd.chance(0.9) ? numbersOf(r) : 'bits'),
): (GeneratedCase & { readonly more: NonNullable<Comparison['more']> }) | undefined {
  const c = generate(rnd, r, base);
  if (!c) return undefined;
  const fxsave = base.fxsave.slice();
  const image = new DataView(fxsave.buffer);
  const data = c.data.slice();
  // counts of shifts
  if (/^PS[LR][LA]/.test(r.text) || rnd.chance(0.05)) {
    for (let at = 0; at < 128; at += 8) {
      if (rnd.chance(0.7)) image.setBigUint64(XMM + at, BigInt(rnd.below(70)), true);
      if (rnd.chance(0.7)) new DataView(data.buffer).setBigUint64(at, BigInt(rnd.below(70)), true);
      if (rnd.chance(0.7)) image.setBigUint64(32 + 2 * at, BigInt(rnd.below(70)), true);
    }
  }
  const plain = rnd.chance(0.5);
  const control = plain
    ? 0x1f80
    : (rnd.chance(0.8) ? 0x1f80 : rnd.below(64) << 7) |
      (rnd.below(4) << 13) |
      (rnd.chance(0.3) ? 0x8000 : 0) |
      (rnd.chance(0.3) ? 0x40 : 0);
  image.setUint32(MXCSR, control | (rnd.chance(0.5) ? 0x20 : 0) | (rnd.chance(0.3) ? rnd.below(64) : 0), true);
  if (/^(LDMXCSR|FXRSTOR)/.test(r.text)) {
    const view = new DataView(data.buffer);
    for (let at = 0; at < data.length; at += 4) if (rnd.chance(0.9)) view.setUint32(at, view.getUint32(at, true) & 0xffff, true);
    // bit 17 exists in AMD's processors
    for (let at = 2; at < data.length; at++) data[at] &= ~2;
  }
  // whether unselected bytes fault is up to the processor (SDM volume 2, MASKMOVDQU)
  if (/^MASKMOV/.test(r.text)) {
    if (rnd.chance(0.9) && !c.code.includes(0x67))
      c.regs[EDI] = DATA + rnd.pick([0x7c0, 0x803, 0xff0]) - (c.threadSegment ? SEGMENT_BASE : 0);
    else for (let at = 32; at < XMM + DATA_IN_XMM; at++) image.setUint8(at, image.getUint8(at) | 0x80);
  }
  const approximate = APPROXIMATE.test(r.text);
  const saves = r.text.startsWith('FXSAVE') && decodeOne(c.code[0] === 0xf0 ? c.code.subarray(1) : c.code);
  const insn = saves && { ...saves };
  const ignoredAt = insn
    ? (expected: Outcome): number => {
        const at = (n: number): number => (n < 0 ? 0 : expected.regs[n]);
        const offset = at(insn.base) + (at(insn.index) << insn.scale) + insn.displacement;
        const linear = (insn.addressSize === 2 ? offset & 0xffff : offset) + (insn.segment >= 4 && c.threadSegment ? SEGMENT_BASE : 0);
        return (linear >>> 0) + MXCSR_MASK;
      }
    : undefined;
  return {
    ...c,
    data,
    fxsave,
    anyFaultAddress: true,
    ...(ignoredAt && { ignoredAt }),
    more: (expected, actual) => sseDifferences(expected, actual, approximate),
  };
}

const hex = (n: number): string => n.toString(16).padStart(8, '0');
export const APPROXIMATE = /^R(SQRT|CP)/;
/** Relative error of RCPPS and RSQRTPS at most (SDM volume 2). */
export const APPROXIMATE_ERROR = 1.5 * 2 ** -12;

/** x87 and SSE state that differs. */
export function sseDifferences(expected: Outcome, actual: Outcome, approximate: boolean): string[] {
  const out = fpuDifferences(expected, actual);
  const [e, a] = [expected, actual].map((o) => new DataView(o.fxsave.buffer, o.fxsave.byteOffset, 512));
  const [control, ours] = [e, a].map((v) => v.getUint32(MXCSR, true));
  if (control !== ours) out.push(`mxcsr: ${hex(control)} | ${hex(ours)}`);
  for (let n = 0; n < 8; n++) {
    const words = (v: DataView): number[] => [0, 4, 8, 12].map((at) => v.getUint32(XMM + n * 16 + at, true));
    const [left, right] = [words(e), words(a)];
    const same = left.every((word, k) => {
      if (word === right[k]) return true;
      if (!approximate) return false;
      const [x, y] = [e, a].map((v) => v.getFloat32(XMM + n * 16 + k * 4, true));
      return Math.abs(y / x - 1) <= 2 * APPROXIMATE_ERROR;
    });
    if (!same) {
      const text = (list: number[]): string => [...list].reverse().map(hex).join('_');
      out.push(`xmm${n}: ${text(left)} | ${text(right)}`);
    }
  }
  return out;
}
