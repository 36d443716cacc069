import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadProgram } from '../../../src/linux/program.ts';
import { x86, x86Double } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { random } from '../../oracle/x86/random.ts';
import { type Machine, makeMachine } from '../../support/machine.ts';
import { runtimeModule } from '../../support/runtime.ts';

const CODE = 0x20000;
const DATA = 0x30000;
const STACK = 0x41000;
/** FLDCW's operands: double precision with each rounding, and the 64 bits of the start. */
const CONTROL = DATA + 0x40;
const RESULTS = DATA + 0x100;

/** Of the status word. */
const [IE, OE, UE] = [1, 8, 16];

const word = (n: number): number[] => [0, 8, 16, 24].map((shift) => (n >>> shift) & 0xff);
const memory = (opcode: number, reg: number, at: number): number[] => [opcode, 5 | (reg << 3), ...word(at)];
const control = (rounding: number): number[] => memory(0xd9, 5, CONTROL + 2 * rounding);

const [exact, double] = [x86, x86Double].map((isa) => makeMachine(isa));

/** Random instructions whose results in double precision are those of an x87 that is set to it. */
function sequence(seed: number): { readonly code: number[]; readonly end: number } {
  const rnd = random(seed);
  const code: number[] = [0xdb, 0xe3, ...control(0)];
  let depth = 0;
  let end = RESULTS;
  const store = (opcode: number, reg: number, bytes: number): void => {
    code.push(...memory(opcode, reg, end));
    end += bytes;
  };
  const push = (...bytes: number[]): void => {
    code.push(...bytes);
    depth++;
  };
  const number = (): number => DATA + 8 * rnd.below(8);
  for (let n = 0; n < 30; n++) {
    const i = depth === 0 ? 0 : rnd.below(depth);
    const kind = depth < 2 ? 0 : depth > 5 ? 1 : rnd.below(10);
    if (kind === 0) {
      const from = rnd.below(6);
      if (from === 0) push(0xd9, 0xe8 + rnd.pick([0, 6]));
      else if (from === 1 && depth > 0) push(0xd9, 0xc0 + i);
      else if (from === 2) push(...memory(0xdb, 0, number() + 4));
      else push(...memory(rnd.pick([0xd9, 0xdd, 0xdd, 0xdf]), 0, number()));
    } else if (kind === 1) {
      // FST and FSTP; FIST, FISTP and FISTTP as the rounding says
      const [opcode, reg, bytes] = rnd.pick([
        [0xdd, 3, 8],
        [0xd9, 3, 4],
        [0xdb, 3, 4],
        [0xdf, 7, 8],
        [0xdf, 3, 2],
        [0xdb, 1, 4],
      ]);
      code.push(...control(opcode === 0xd9 || opcode === 0xdd ? 0 : rnd.below(4)));
      store(opcode, reg, bytes);
      code.push(...control(0));
      depth--;
    } else if (kind === 2) code.push(0xd9, 0xc8 + i);
    else if (kind === 3) code.push(0xd9, ...(rnd.chance(0.5) ? [0xe0] : [0xe1, 0xd9, 0xfa]));
    else if (kind === 4) {
      // FCOM and its family, FTST; FNSTSW AX; the condition codes and TOP
      code.push(...rnd.pick([[0xd8, 0xd0 + i], [0xdd, 0xe0 + i], [0xd9, 0xe4], memory(0xdc, 2, number()), memory(0xda, 2, number() + 4)]));
      code.push(0xdf, 0xe0, 0x25, ...word(0x7d00), 0xa3, ...word(end));
      end += 4;
    } else if (kind === 5) {
      // FCOMI, SETcc three times; FCMOVcc
      code.push(0xdb, rnd.pick([0xe8, 0xf0]) + i);
      for (const condition of [0x92, 0x94, 0x9a]) code.push(0x0f, condition, 5, ...word(end++));
      code.push(rnd.pick([0xda, 0xdb]), 0xc0 + 8 * rnd.below(4) + i);
    } else {
      // ADD, MUL, SUB, SUBR; DIV, DIVR by numbers that are not zero
      const operation = rnd.pick([0, 1, 4, 5, 0, 4]);
      if (kind === 6) code.push(...memory(rnd.pick([0xd8, 0xdc, 0xda, 0xde]), operation, number()));
      else if (kind === 7) code.push(...memory(rnd.pick([0xdc, 0xda]), 6, number()));
      else if (kind === 8) code.push(rnd.pick([0xd8, 0xdc]), 0xc0 + 8 * operation + i);
      else if (i > 0) {
        code.push(0xde, 0xc0 + 8 * operation + i);
        depth--;
      }
    }
    // products must not overflow: what is too large is taken down
    if (n % 6 === 5 && depth > 0) code.push(...memory(0xd8, 6, DATA + 0x60), 0xd9, 0xe5);
  }
  for (; depth > 0; depth--) store(0xdd, 3, 8);
  return { code, end };
}

function run(m: Machine, code: readonly number[], end: number): { results: Uint8Array; stackPointer: number } {
  const numbers = new DataView(new ArrayBuffer(0x80));
  [1.5, -2.25, Math.PI, 1 / 3, 1e9 + 0.5, -0.1, 7.5, 1048575.75].forEach((value, n) => {
    numbers.setFloat64(8 * n, value, true);
  });
  [0x27f, 0x67f, 0xa7f, 0xe7f, 0x37f].forEach((value, n) => {
    numbers.setUint16(CONTROL - DATA + 2 * n, value, true);
  });
  numbers.setFloat32(0x60, 3e5, true);
  m.put(DATA, new Uint8Array(0x1000));
  m.put(DATA, new Uint8Array(numbers.buffer));
  m.put(STACK - 0x1000, new Uint8Array(0x1000));
  m.put(CODE, [...code, 0xcc]);
  m.isa.reset(new DataView(m.memory.memory.buffer, 0x1080, m.isa.stateSize));
  m.set('esp', STACK);
  m.pc = CODE;
  expect(m.run(100_000)).toMatchObject({ kind: 'breakpoint' });
  return { results: m.bytes(RESULTS, end - RESULTS), stackPointer: m.word(X86.FTOP) };
}

describe('the x87 in double precision', () => {
  it('computes what an x87 does whose precision control says so', () => {
    let compared = 0;
    for (let seed = 1; seed <= 120; seed++) {
      const { code, end } = sequence(seed);
      const expected = run(exact, code, end);
      // the signs of NaNs may differ, and what is beyond single or double precision
      if (exact.word(X86.FSW) & (IE | OE | UE)) continue;
      expect(run(double, code, end), `seed ${seed}`).toEqual(expected);
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
  }, 300_000);

  it('copies integers of 64 bits, and gives the indefinite ones', () => {
    const big = [...word(0xfedcba99), ...word(0x76543210)];
    const copy = [...memory(0xdf, 5, CODE + 0x100), ...memory(0xdf, 7, RESULTS), ...memory(0xdd, 0, CODE + 0x108)];
    const code = [...copy, ...memory(0xdb, 2, RESULTS + 8), ...memory(0xdf, 7, RESULTS + 12), 0xcc];
    const nan = [...word(0), ...word(0x7ff80000)];
    const { results } = run(double, [...code, ...Array.from({ length: 0x100 - code.length }, () => 0x90), ...big, ...nan], RESULTS + 20);
    expect([...results]).toEqual([...big, ...word(0x80000000), ...word(0), ...word(0x80000000)]);
  });

  it('leaves what it does not do itself to the instructions of 80 bits', () => {
    // FLDPI; FLD1; FADD; FSIN; FLD ST0; FSTP m80; FLD m80; FSTP m64; FSTP m64
    const code = [
      0xd9,
      0xeb,
      0xd9,
      0xe8,
      0xde,
      0xc1,
      0xd9,
      0xfe,
      0xd9,
      0xc0,
      ...memory(0xdb, 7, DATA + 0x200),
      ...memory(0xdb, 5, DATA + 0x200),
    ];
    const { results } = run(double, [...code, ...memory(0xdd, 3, RESULTS), ...memory(0xdd, 3, RESULTS + 8)], RESULTS + 16);
    const view = new DataView(results.buffer, results.byteOffset);
    expect([0, 8].map((at) => view.getFloat64(at, true))).toEqual([Math.sin(Math.PI + 1), Math.sin(Math.PI + 1)]);
  });

  it.each(['interpret', 'translate'] as const)('runs programs: %s', async (executor) => {
    const chunks: Uint8Array[] = [];
    const program = await loadProgram(readFileSync('corpus/programs/x86/nbody'), {
      runtime: runtimeModule(),
      executor,
      x87: 64,
      argv: ['nbody', '1000'],
      stdout: {
        write(chunk) {
          chunks.push(chunk.slice());
          return chunk.length;
        },
      },
    });
    expect(await program.run()).toEqual({ code: 0 });
    expect(Buffer.concat(chunks).toString()).toBe('nbody 1000: -0.169075164 -0.169087605 0a141275\n');
  }, 300_000);
});
