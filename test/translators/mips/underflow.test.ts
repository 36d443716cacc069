import { expect, test } from 'vitest';
import { mips } from '../../../translators/mips/index.ts';
import { runHere, WAYS } from '../../oracle/mips/execute.ts';
import { DATA_BYTES, FCSR, type Record } from '../../oracle/mips/record.ts';

const FPU = { wide: true, nan2008: false };
const TAIL = [0x03400008, 0];
const [FS, FT, FD, FR] = [1, 2, 3, 4];
const registers = (FT << 16) | (FS << 11) | (FD << 6);

/** Operands as [low, high]. */
type Bits = readonly [low: number, high: number];
interface Case {
  readonly name: string;
  readonly word: number;
  readonly fs: Bits;
  readonly ft: Bits;
  readonly result: Bits;
  readonly underflow: boolean;
}
const cases: readonly Case[] = [
  { name: 'mul.s', word: 0x46000002, fs: [0x3effffff, 0], ft: [0x01000000, 0], result: [0x00800000, 0], underflow: true },
  { name: 'div.s', word: 0x46000003, fs: [0x00ffffff, 0], ft: [0x40000000, 0], result: [0x00800000, 0], underflow: true },
  { name: 'mul.d', word: 0x46200002, fs: [0xffffffff, 0x3fdfffff], ft: [0, 0x00200000], result: [0, 0x00100000], underflow: true },
  // exactly the least normal number, and rounded to it from above
  { name: 'mul.s', word: 0x46000002, fs: [0x3f000000, 0], ft: [0x01000000, 0], result: [0x00800000, 0], underflow: false },
  { name: 'mul.s', word: 0x46000002, fs: [0x3f000001, 0], ft: [0x00ffffff, 0], result: [0x00800000, 0], underflow: false },
  { name: 'madd.s', word: 0x4c000020 | (FR << 21), fs: [0x3effffff, 0], ft: [0x01000000, 0], result: [0x3f800000, 0], underflow: true },
];

// MIPS32 volume I, 5.7.2: tininess is found after rounding as if the exponent had no limit
test.each(cases)('$name of a tiny result that is rounded to the least normal number, underflow $underflow', {
  timeout: 300_000,
}, async (c) => {
  const record = (flags: number): Record => {
    const fpr = new Uint32Array(64);
    fpr.set(c.fs, 2 * FS);
    fpr.set(c.ft, 2 * FT);
    fpr.set([0x3f800000, 0], 2 * FR);
    const state = { gpr: new Uint32Array(32), fpr, data: new Uint8Array(DATA_BYTES), hi: 0, lo: 0, signal: 0 };
    return { text: c.name, code: [c.word | registers, ...TAIL], ...state, fcsr: flags };
  };
  // before and after the first inexact result
  const records = [record(0), record(FCSR.I << 2)];
  for (const way of WAYS) {
    for (const { fpr, fcsr } of await runHere(mips, records, [0, 1], FPU, way)) {
      expect([...fpr.subarray(2 * FD, 2 * FD + 2)].slice(0, c.name.endsWith('d') ? 2 : 1)).toEqual(
        c.result.slice(0, c.name.endsWith('d') ? 2 : 1),
      );
      expect((fcsr & (FCSR.U << 2)) !== 0).toBe(c.underflow);
      expect((fcsr & (FCSR.U << FCSR.CAUSE_SHIFT)) !== 0).toBe(c.underflow);
    }
  }
});
