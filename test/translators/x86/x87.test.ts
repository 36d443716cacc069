import { describe, expect, it } from 'vitest';
import type { Block } from '../../../src/ir/block.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { OPS, Type } from '../../../src/ir/ops.ts';
import { deadcode } from '../../../src/ir/passes/deadcode.ts';
import { x86 } from '../../../translators/x86/index.ts';
import type { Row } from '../../../translators/x86/row.ts';
import { x87Helpers } from '../../../translators/x86/rows/x87.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { randomControl, randomFloat80, randomWords } from '../../assembly/float80-cases.ts';
import { type Case, CODE, DATA, DATA_BYTES, STACK, STACK_BYTES } from '../../oracle/x86/case.ts';
import { type GeneratedCase, generate } from '../../oracle/x86/generate.ts';
import { agree, casesOf, executorOf, missing, processor, rowsOf, seed } from '../../oracle/x86/harness.ts';
import type { Random } from '../../oracle/x86/random.ts';

/** Their last bit differs between processors; test/assembly/float80.test.ts compares them within one unit. */
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSIN|FCOS|FSINCOS)$/;
/** Store or load pointers that the oracle's FXSAVE does not set; tested below. */
const ENVIRONMENT = /^(FNSTENV|FNSAVE)/;
/** Which of their bytes is accessed first is the processor's affair. */
const LONG_OPERAND = /^(FLDENV|FRSTOR)/;
const rows = rowsOf('x87').filter((r) => !TRANSCENDENTAL.test(r.text) && !ENVIRONMENT.test(r.text));

/** The case of `generate` with random x87 state. */
function withState(rnd: Random, row: Row): GeneratedCase | undefined {
  const c = generate(rnd, row);
  if (!c) return undefined;
  const random = randomWords(rnd.u32());
  const fxsave = new Uint8Array(512);
  const view = new DataView(fxsave.buffer);
  const top = random() & 7;
  const control = randomControl(random);
  let status = (random() & 0x4700) | (top << 11);
  // now and then an exception is pending
  if (random() % 8 === 0) status |= random() & 0x3f;
  if (status & ~control & 0x3f) status |= 0x8080;
  view.setUint16(0, control, true);
  view.setUint16(2, status, true);
  const few = random() & 1;
  for (let i = 0; i < 8; i++) if (few ? i < 3 : random() & 1) fxsave[4] |= 1 << ((top + i) & 7);
  view.setUint32(24, 0x1f80, true);
  let near: number | undefined;
  for (let i = 0; i < 8; i++) {
    const [sig, se] = randomFloat80(random, random() & 1 ? near : undefined);
    near = se;
    view.setBigUint64(32 + i * 16, sig, true);
    view.setUint16(40 + i * 16, se, true);
  }
  return { ...c, fxsave, anyFaultAddress: c.anyFaultAddress || LONG_OPERAND.test(row.text) };
}

describe.skipIf(missing !== '')(`x87 on the processor itself, seed ${seed}${missing && `: ${missing}`}`, () => {
  it('interpreted', async () => agree(casesOf(rows, withState, 6), await executorOf('interpret')), 300_000);
  it('translated', async () => agree(casesOf(rows, withState, 1), await executorOf('translate')), 300_000);
});

const dword = (n: number): number[] => [0, 8, 16, 24].map((shift) => (n >>> shift) & 0xff);
const OPERAND = DATA + 0x7c0;
const IMAGE = DATA + 0x100;
const fld1 = [0xd9, 0xe8];
const fldMemory = [0xdd, 0x05, ...dword(OPERAND)];
const fchs = [0xd9, 0xe0];
const fnstcw = [0xd9, 0x3d, ...dword(OPERAND)];
const saves = {
  FNSTENV: { code: [0xd9, 0x35, ...dword(IMAGE)], segment: 24 },
  'FNSTENV, 16-bit': { code: [0x66, 0xd9, 0x35, ...dword(IMAGE)], segment: 12 },
  FNSAVE: { code: [0xdd, 0x35, ...dword(IMAGE)], segment: 24 },
  'FNSAVE, 16-bit': { code: [0x66, 0xdd, 0x35, ...dword(IMAGE)], segment: 12 },
};
const loads = [
  [],
  [0xd9, 0x25, ...dword(IMAGE)],
  [0xdd, 0x25, ...dword(IMAGE)],
  [0x66, 0xd9, 0x25, ...dword(IMAGE)],
  [0x66, 0xdd, 0x25, ...dword(IMAGE)],
];

describe.skipIf(missing !== '')(`x87 environments as the processor stores them${missing && `: ${missing}`}`, () => {
  for (const [name, { code, segment }] of Object.entries(saves)) {
    it(name, async () => {
      const cases = [...[fld1, fldMemory, fchs].entries()].flatMap(([n, last]) =>
        loads.map((back): Case => {
          const c = {
            regs: Int32Array.of(0, 0, 0, 0, STACK + 0x800, 0, 0, 0),
            eflags: 2,
            eip: CODE + 0x100,
            code: Uint8Array.from([...fldMemory, ...fld1, ...last, ...fnstcw, ...code, ...back]),
            dataOffset: 0x7c0,
            data: new Uint8Array(DATA_BYTES),
            stackOffset: 0x900,
            stack: new Uint8Array(STACK_BYTES),
            threadSegment: false,
          };
          new DataView(c.data.buffer).setFloat64(0, [1.5, Number.POSITIVE_INFINITY, 0][n], true);
          return c;
        }),
      );
      const theirs = processor!.run(cases);
      const ours = (await executorOf('interpret')).run(cases);
      for (const [n, c] of cases.entries()) {
        // The selector of the operand pointer is not kept: newer processors store zero there.
        for (const side of [theirs[n], ours[n]])
          for (const byte of [0, 1]) (side.changes as Map<number, number>).delete(IMAGE + segment + byte);
        const text = Buffer.from(c.code).toString('hex');
        expect(Object.fromEntries(ours[n].changes), text).toEqual(Object.fromEntries(theirs[n].changes));
        expect(Buffer.from(ours[n].fxsave.subarray(0, 5)).toString('hex'), text).toBe(
          Buffer.from(theirs[n].fxsave.subarray(0, 5)).toString('hex'),
        );
        expect(ours[n].end).toEqual(theirs[n].end);
      }
    });
  }
});

describe('x87 helpers', () => {
  it('touch no register that executors keep in locals', () => {
    for (const helper of x87Helpers) {
      const [from, to] = helper.range!;
      for (const r of x86.registers) expect(r.local && r.offset >= from && r.offset < to, `${helper.name} ${r.name}`).toBe(false);
    }
  });

  it('leave what is known of other state', () => {
    const b = new Builder(x86.helpers);
    b.begin(0x1000);
    b.set(X86.CF, b.i32(0));
    const before = b.get(Type.I32, X86.FCW);
    const eax = b.get(Type.I32, X86.EAX);
    b.helper('x87_initialize');
    expect(b.get(Type.I32, X86.EAX)).toBe(eax);
    expect(b.get(Type.I32, X86.FCW)).not.toBe(before);
    b.set(X86.CF, b.i32(1));
    b.goto(0x1000);
    const block = b.finish(0x1001);
    const sets = (of: Block): number => Array.from(of.op).filter((number) => OPS[number].name === 'set.i32').length;
    expect(sets(block)).toBe(2);
    expect(sets(deadcode(block, { preciseMemory: false }))).toBe(1);
  });
});
