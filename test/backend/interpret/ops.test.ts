import { describe, expect, test } from 'vitest';
import wabt from 'wabt';
import { Layout } from '../../../assembly/shared/layout.ts';
import { OPS, type OpInfo, op, TYPE_NAMES, TYPE_SIZES, Type } from '../../../src/ir/ops.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, toyIsa, V } from '../../support/toy.ts';

/** Ops that WebAssembly has under the same name, and that only compute. */
const computing = OPS.map((info, number) => ({ ...info, number })).filter(
  ({ name, memory }) => !memory && !/const$|^[gs]et\.|^helper$|^exit\.if$|^slow\.|^insn$/.test(name),
);

const SELECT = /^select\./;
const LANES: Readonly<Record<string, number>> = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2, f32x4: 4, f64x2: 2 };
const hasLane = (info: OpInfo): boolean => /_lane/.test(info.name);
const SHUFFLE = [0, 31, 2, 17, 16, 5, 30, 7, 8, 8, 26, 11, 15, 13, 1, 21];

/** The operation on operands at 0, 16, 32 of the memory, its result stored at 64, as WebAssembly itself does it. */
function wat(info: OpInfo, lane: number): string {
  const types = info.operands.filter((o) => o !== 'imm').map((o) => TYPE_NAMES[o]);
  const loads = types.map((t, i) => `(${t}.load (i32.const ${16 * i}))`);
  let expression: string;
  if (SELECT.test(info.name)) expression = `(select ${loads[1]} ${loads[2]} ${loads[0]})`;
  else if (hasLane(info)) expression = `(${info.name} ${lane} ${loads.join(' ')})`;
  else if (info.name === 'i8x16.shuffle') expression = `(i8x16.shuffle ${SHUFFLE.join(' ')} ${loads.join(' ')})`;
  else expression = `(${info.name} ${loads.join(' ')})`;
  return `(func (export "${info.name}/${lane}") (${TYPE_NAMES[info.result]}.store (i32.const 64) ${expression}))`;
}

const lanesOf = (info: OpInfo): number[] =>
  hasLane(info) ? Array.from({ length: LANES[info.name.slice(0, info.name.indexOf('.'))] }, (_, i) => i) : [0];

const source = `(module (import "env" "memory" (memory 1)) ${computing.flatMap((info) => lanesOf(info).map((lane) => wat(info, lane))).join('\n')})`;
const parsed = (await wabt()).parseWat('ops.wat', source, { simd: true, sat_float_to_int: true, sign_extension: true });
const reference = new WebAssembly.Memory({ initial: 1 });
const exports = new WebAssembly.Instance(new WebAssembly.Module(parsed.toBinary({}).buffer as Uint8Array<ArrayBuffer>), {
  env: { memory: reference },
}).exports as Record<string, () => void>;
const referenceBytes = new Uint8Array(reference.buffer);

// Operand bits: edges of each type, and reproducible noise.
let seed = 0x2545f491;
function random32(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed | 0;
}
const EDGES32 = [0, 1, 2, 31, 32, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe];
const FLOATS32 = [
  0, 0x80000000, 0x3f800000, 0xbf000000, 0x7f800000, 0xff800000, 0x7fc00000, 1, 0x4f000000, 0xcf000001, 0x3fc00000, 0x4b7fffff,
];
const FLOATS64: [number, number][] = [
  [0, 0],
  [0, 0x80000000],
  [0, 0x3ff00000],
  [0, 0xbfe00000],
  [0, 0x7ff00000],
  [0, 0xfff00000],
  [0, 0x7ff80000],
  [1, 0],
  [0, 0x41e00000],
  [0xffc00000, 0x41dfffff],
  [0, 0x43e00000],
  [0, 0xc3e00000],
];
const pick = <T>(from: readonly T[]): T => from[(random32() >>> 1) % from.length];
function operandWords(): number[] {
  const words: number[] = [];
  while (words.length < 4) {
    const kind = (random32() >>> 3) % 4;
    if (kind === 0) words.push(pick(EDGES32));
    else if (kind === 1) words.push(pick(FLOATS32));
    else if (kind === 2) words.push(...pick(FLOATS64));
    else words.push(random32());
  }
  return words.slice(0, 4).map((w) => w | 0);
}

const FLOAT = /^f(32|64)/;
/** Bits as text; every NaN is alike where the op computes with floats (WebAssembly leaves its bits open). */
function show(info: OpInfo, bytes: Uint8Array): string {
  const size = TYPE_SIZES[info.result];
  const view = new DataView(bytes.slice(0, size).buffer);
  const bits = FLOAT.test(info.name) ? Number(info.name.slice(1, 3)) : 0;
  const words: string[] = [];
  for (let i = 0; i < size; i += 4) {
    if (bits === 32 && Number.isNaN(view.getFloat32(i, true))) words.push('nan');
    else if (bits === 64 && size >= 8 && i % 8 === 0 && Number.isNaN(view.getFloat64(i, true))) {
      words.push('nan');
      i += 4;
    } else words.push(view.getUint32(i, true).toString(16));
  }
  return words.join(' ');
}

describe('every computing op agrees with WebAssembly', () => {
  const isa = toyIsa();
  const machine = makeMachine(isa);
  const { bytes, data } = machine.memory;
  const PC = 0x20000;

  for (const info of computing) {
    test(info.name, () => {
      for (const lane of lanesOf(info)) {
        const made = block(isa, PC, (b) => {
          b.insn(PC, 4);
          const values = info.operands.flatMap((o, i) => (o === 'imm' ? [] : [b.get(o, V(i))]));
          const result =
            info.name === 'i8x16.shuffle'
              ? b.shuffle(values[0], values[1], SHUFFLE)
              : b.emit(
                  info.number,
                  values[0],
                  ...(info.operands[1] === 'imm' ? [lane] : [values[1]]),
                  info.operands[2] === 'imm' ? lane : values[2],
                );
          b.set(V(4), result);
          b.goto(PC + 4);
        });
        const address = machine.install(made);
        for (let round = 0; round < 60; round++) {
          for (let i = 0; i < 3; i++) {
            const words = operandWords();
            for (let k = 0; k < 4; k++) {
              data.setInt32(Layout.STATE + V(i) + 4 * k, words[k], true);
              new DataView(reference.buffer).setInt32(16 * i + 4 * k, words[k], true);
            }
          }
          const result = (): string => show(info, bytes.slice(Layout.STATE + V(4), Layout.STATE + V(4) + 16));
          const operands = show({ ...info, name: '', result: Type.V128 }, bytes.slice(Layout.STATE + V(0), Layout.STATE + V(3)));
          machine.runtime.words[Layout.BUDGET >>> 2] = 1;
          let expected: string;
          try {
            exports[`${info.name}/${lane}`]();
            expected = show(info, referenceBytes.slice(64, 80));
          } catch (error) {
            // division by zero and its overflow trap in both
            expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
            expect(() => machine.runtime.runBlock(address)).toThrow(WebAssembly.RuntimeError);
            continue;
          }
          machine.runtime.runBlock(address);
          expect(result(), `operands ${operands}, lane ${lane}`).toBe(expected);
        }
      }
    });
  }
});

describe('i32 ops with a constant on the right agree with WebAssembly', () => {
  const isa = toyIsa();
  const machine = makeMachine(isa);
  const PC = 0x20000;
  for (const info of computing.filter(({ name, operands }) => /^i32\./.test(name) && operands.length === 2 && operands[1] === Type.I32)) {
    test(info.name, () => {
      for (const constant of EDGES32) {
        const made = block(isa, PC, (b) => {
          b.insn(PC, 4);
          b.set(V(4), b.emit(info.number, b.get(Type.I32, V(0)), b.i32(constant)));
          b.goto(PC + 4);
        });
        machine.install(made);
        for (const left of [...EDGES32, random32()]) {
          if (/div|rem/.test(info.name) && (constant === 0 || (constant === 0xffffffff && left === 0x80000000))) continue;
          const view = new DataView(reference.buffer);
          view.setInt32(0, left, true);
          view.setInt32(16, constant, true);
          exports[`${info.name}/0`]();
          machine.setWord(V(0), left);
          machine.pc = PC;
          machine.enter(1);
          expect(machine.word(V(4)), `${left} ${constant}`).toBe(view.getUint32(64, true));
        }
      }
    });
  }
});

describe('constants', () => {
  test('of each type reach the state', () => {
    const isa = toyIsa();
    const machine = makeMachine(isa);
    machine.install(
      block(isa, 0x20000, (b) => {
        b.insn(0x20000, 4);
        b.set(V(0), b.i32(-5));
        b.set(V(1), b.i64(0x11111111, 0x22222222));
        b.set(V(2), b.f32Bits(0x7fa00001));
        b.set(V(3), b.f64Bits(1, 0x7ff40000));
        b.set(V(4), b.v128(1, 2, 3, -4));
        b.goto(0x20004);
      }),
    );
    machine.pc = 0x20000;
    machine.enter(1);
    expect([V(0), V(1), V(1) + 4, V(2), V(3), V(3) + 4, V(4), V(4) + 12].map((o) => machine.word(o))).toEqual([
      0xfffffffb, 0x11111111, 0x22222222, 0x7fa00001, 1, 0x7ff40000, 1, 0xfffffffc,
    ]);
  });

  test('more than the pool holds', () => {
    const isa = toyIsa();
    const machine = makeMachine(isa);
    const PC = 0x20000;
    for (let i = 0; i < 6000; i++) {
      const value = 0x10000 + i * 3;
      machine.install(
        block(isa, PC, (b) => {
          b.insn(PC, 4);
          b.set(V(1), b.emit(op('select.i32'), b.get(Type.I32, V(0)), b.i32(value), b.i32(~value)));
          b.goto(PC + 4);
        }),
      );
      if (i % 500 !== 499) continue;
      machine.setWord(V(0), i & 1);
      machine.pc = PC;
      machine.enter(1);
      expect(machine.word(V(1)) | 0).toBe(i & 1 ? value : ~value);
    }
    expect(machine.runtime.constants.words.length).toBeLessThan(5000);
  });
});
