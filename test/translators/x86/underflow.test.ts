import { expect, test } from 'vitest';
import { type Case, CODE, DATA_BYTES, STACK_BYTES } from '../../oracle/x86/case.ts';
import { executorOf } from '../../oracle/x86/harness.ts';

const MXCSR = 24;
const XMM0 = 160;
const XMM1 = 176;
const UE = 0x10;

const cases: readonly [name: string, code: number[], x: bigint, y: bigint, underflow: boolean][] = [
  ['mulss', [0xf3, 0x0f, 0x59, 0xc1], 0x3effffffn, 0x01000000n, true],
  ['mulps', [0x0f, 0x59, 0xc1], 0x3effffffn, 0x01000000n, true],
  ['divss', [0xf3, 0x0f, 0x5e, 0xc1], 0x00ffffffn, 0x40000000n, true],
  ['mulsd', [0xf2, 0x0f, 0x59, 0xc1], 0x3fdfffffffffffffn, 0x0020000000000000n, true],
  ['mulpd', [0x66, 0x0f, 0x59, 0xc1], 0x3fdfffffffffffffn, 0x0020000000000000n, true],
  ['mulss', [0xf3, 0x0f, 0x59, 0xc1], 0x3f000000n, 0x01000000n, false],
  ['mulss', [0xf3, 0x0f, 0x59, 0xc1], 0x3f000001n, 0x00ffffffn, false],
];

// SDM volume 1, 4.9.1.5: tininess is found after rounding as if the exponent had no limit
test.each(cases)(
  '%s of a tiny result that is rounded to the least normal number',
  { timeout: 300_000 },
  async (_, code, x, y, underflow) => {
    const made = [0x1f80, 0x1fa0].map((mxcsr): Case => {
      const fxsave = new Uint8Array(512);
      const view = new DataView(fxsave.buffer);
      view.setUint16(0, 0x37f, true);
      view.setUint32(MXCSR, mxcsr, true);
      view.setBigUint64(XMM0, x, true);
      view.setBigUint64(XMM1, y, true);
      const memory = { dataOffset: 0, data: new Uint8Array(DATA_BYTES), stackOffset: 0, stack: new Uint8Array(STACK_BYTES) };
      return { regs: new Int32Array(8), eflags: 2, eip: CODE, code: Uint8Array.from(code), ...memory, fxsave, threadSegment: false };
    });
    for (const kind of ['interpret', 'translate'] as const) {
      for (const { fxsave } of (await executorOf(kind)).run(made)) {
        const view = new DataView(fxsave.buffer, fxsave.byteOffset);
        expect(view.getBigUint64(XMM0, true)).toBe(x > 0xffffffffn ? 0x0010000000000000n : 0x00800000n);
        expect((view.getUint32(MXCSR, true) & UE) !== 0).toBe(underflow);
      }
    }
  },
);
