import { ExitKind } from '../../assembly/shared/exit.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import type { Block } from '../../src/ir/block.ts';
import { Builder } from '../../src/ir/builder.ts';
import { TYPE_SIZES, Type } from '../../src/ir/ops.ts';
import { verify } from '../../src/ir/verify.ts';
import type { Helper, Isa, Register } from '../../src/isa/isa.ts';

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const registers = (prefix: string, count: number, start: number, type: Type): Register[] =>
  range(count).map((i) => ({ name: `${prefix}${i}`, offset: start + i * TYPE_SIZES[type], type, local: true, visible: true }));

/** State of the toy guest, byte offsets. */
export const R = (n: number): number => 4 * n;
export const L = (n: number): number => 128 + 8 * n;
export const V = (n: number): number => 256 + 16 * n;

/** A guest without instructions of its own: blocks are built by the test. Fetching from it is an illegal instruction. */
export function toyIsa(helpers: readonly Helper[] = []): Isa {
  return {
    name: 'toy',
    endian: 'little',
    registers: [...registers('r', 32, 0, Type.I32), ...registers('l', 16, 128, Type.I64), ...registers('v', 16, 256, Type.V128)],
    stateSize: 512,
    helpers,
    coherentCode: false,
    lift(b, _code, pc) {
      b.insn(pc, 4);
      b.exit(ExitKind.Illegal, pc);
      return pc + 4;
    },
    disassemble: () => ({ text: '?', length: 4 }),
    reset: (state) => new Uint8Array(state.buffer, Layout.STATE, Layout.STATE_SIZE).fill(0),
  };
}

/** A verified block that `fill` builds; instructions are four bytes. */
export function block(isa: Isa, pc: number, fill: (b: Builder) => void): Block {
  const b = new Builder(isa.helpers);
  b.begin(pc);
  fill(b);
  const made = b.finish(pc + 4 * b.instructionCount);
  verify(made, isa.stateSize);
  return made;
}
