import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import type { Block } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { OPS, op, Type } from '../../../src/ir/ops.ts';
import { printBlock } from '../../../src/ir/print.ts';
import { GuestMemory } from '../../../src/vcpu/guest-memory.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa } from '../../support/toy.ts';

// Where values live must not be seen: random blocks against a plain evaluation of the IR.

const PC = 0x20000;
const DATA = 0x30000;
const TOP = 0x40000;
const REGISTERS = 6;

/** What the block leaves behind when it is evaluated op by op. */
function evaluate(made: Block, state: DataView, memory: DataView): { kind: number; pc: number; completed: number; arg0: number } {
  const values: number[] = [];
  const wide: bigint[] = [];
  let completed = -1;
  let pc = made.pc;
  for (let v = 0; v < made.length; v++) {
    const a = made.a[v];
    const b = made.b[v];
    const name = OPS[made.op[v]].name;
    const [x, y] = [values[a], values[b]];
    switch (name) {
      case 'insn':
        completed++;
        pc = a;
        break;
      case 'i32.const':
        values[v] = a;
        break;
      case 'get.i32':
        values[v] = state.getInt32(a, true);
        break;
      case 'set.i32':
        state.setInt32(a, y, true);
        break;
      case 'get.i64':
        wide[v] = state.getBigInt64(a, true);
        break;
      case 'set.i64':
        state.setBigInt64(a, wide[b], true);
        break;
      case 'i64.add':
        wide[v] = BigInt.asIntN(64, wide[a] + wide[b]);
        break;
      case 'i64.extend_i32_s':
        wide[v] = BigInt(x);
        break;
      case 'i32.wrap_i64':
        values[v] = Number(BigInt.asIntN(32, wide[a]));
        break;
      case 'i32.add':
        values[v] = (x + y) | 0;
        break;
      case 'i32.sub':
        values[v] = (x - y) | 0;
        break;
      case 'i32.xor':
        values[v] = x ^ y;
        break;
      case 'i32.lt_s':
        values[v] = Number(x < y);
        break;
      case 'i32.gt_u':
        values[v] = Number(x >>> 0 > y >>> 0);
        break;
      case 'i32.eq':
        values[v] = Number(x === y);
        break;
      case 'i32.eqz':
        values[v] = Number(x === 0);
        break;
      case 'select.i32':
        values[v] = x !== 0 ? y : values[made.c[v]];
        break;
      case 'i32.load':
      case 'i32.store': {
        const address = x >>> 0;
        if (address < Layout.FLOOR || address > TOP - 4)
          return { kind: ExitKind.MemoryFault, pc, completed, arg0: address >= Layout.FLOOR && address < TOP ? TOP : address };
        const index = address - Layout.FLOOR;
        if (name === 'i32.load') values[v] = memory.getInt32(index, b === 0);
        else memory.setInt32(index, y, made.c[v] === 0);
        break;
      }
      case 'exit.if':
        if (x !== 0) return { kind: b, pc, completed, arg0: made.c[v] };
        break;
      default:
        throw new Error(`no evaluation of ${name}`);
    }
  }
  const t = made.terminator;
  const { instructions } = made;
  if (t.kind === 'branch')
    return { kind: ExitKind.None, pc: values[t.condition] !== 0 ? t.taken : t.next, completed: instructions, arg0: 0 };
  if (t.kind === 'jump') return { kind: ExitKind.None, pc: values[t.target] >>> 0, completed: instructions, arg0: 0 };
  if (t.kind === 'goto') return { kind: ExitKind.None, pc: t.pc, completed: instructions, arg0: 0 };
  throw new Error(`no evaluation of ${t.kind}`);
}

type Step = readonly [what: number, a: number, b: number, c: number, register: number];

/** Turns numbers into a block: each step takes earlier values, whatever they are. */
function assemble(b: Builder, steps: readonly Step[], end: number): void {
  const values: number[] = [];
  const wide: number[] = [];
  const addresses: number[] = [];
  let pc = PC;
  b.insn(pc, 4);
  const value = (n: number): number => (values.length === 0 ? b.get(Type.I32, R(n % REGISTERS)) : values[n % values.length]);
  const wideValue = (n: number): number => (wide.length === 0 ? b.get(Type.I64, R(n % (REGISTERS - 1))) : wide[n % wide.length]);
  const address = (x: number, y: number, z: number): number =>
    addresses.length > 0 && z % 3 !== 0 ? addresses[x % addresses.length] : z % 5 === 0 ? value(x) : b.i32(DATA + 4 * y);
  for (const [what, x, y, z, r] of steps) {
    const arithmetic = ['i32.add', 'i32.sub', 'i32.xor', 'i32.lt_s', 'i32.gt_u', 'i32.eq'];
    if (what < 6) values.push(b.emit(op(arithmetic[what]), value(x), z % 3 === 0 ? b.i32(y - 8) : value(y)));
    else if (what < 10) values.push(b.get(Type.I32, R(r)));
    else if (what < 16) b.set(R(r), value(x));
    else if (what === 16) wide.push(b.get(Type.I64, R(r % (REGISTERS - 1))));
    else if (what === 17) b.set(R(r % (REGISTERS - 1)), wideValue(x));
    else if (what === 18) wide.push(b.emit(op('i64.add'), wideValue(x), wideValue(y)));
    else if (what === 19) wide.push(b.emit(op('i64.extend_i32_s'), value(x)));
    else if (what === 20) values.push(b.emit(op('i32.wrap_i64'), wideValue(x)));
    else if (what === 21) values.push(b.select(value(x), value(y), value(z)));
    else if (what === 22) values.push(b.i32(y * 1000 - 5000));
    else if (what === 23) {
      pc += 4;
      b.insn(pc, 4);
    } else if (what === 24) {
      b.store(op('i32.store'), address(x, y, z), value(y), z % 2 === 0);
    } else if (what === 25) {
      values.push(b.load(op('i32.load'), address(x, y, z), z % 2 === 0));
    } else if (what === 26) {
      // an address whose base may be overwritten before the access
      addresses.push(b.add(value(x), b.i32(4 * y)));
    } else if (what === 27) {
      b.exitIf(z % 3 === 0 ? value(x) : b.emit(op('i32.eq'), value(x), b.i32(y)), ExitKind.Exception, y);
    }
  }
  if (end % 4 === 0) b.jump(value(end));
  else if (end % 4 === 1) b.branch(value(end), PC, PC + 0x100);
  else if (end % 4 === 2)
    b.branch(b.emit(op(['i32.lt_s', 'i32.gt_u', 'i32.eq'][end % 3]), value(end), value(end + 1)), PC + 0x80, PC + 0x100);
  else b.branch(b.eqz(value(end)), PC + 0x80, PC + 0x100);
}

const small = fc.nat({ max: 15 });
const step: fc.Arbitrary<Step> = fc.tuple(fc.nat({ max: 27 }), small, small, small, fc.nat({ max: REGISTERS - 1 }));

describe('where values live is not seen', () => {
  const isa = toyIsa();
  const machine = makeMachine(isa, { top: TOP });
  const { data } = machine.memory;
  test('random blocks do what their IR says', () => {
    const and = op('i32.and');
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        small,
        fc.array(fc.oneof(fc.constantFrom(0, 1, -1, DATA, DATA + 8, DATA + 64, TOP - 4, TOP - 3, 0xfffe), fc.integer()), {
          minLength: 6,
          maxLength: 6,
        }),
        (steps, end, registers) => {
          const made = block(isa, PC, (b) => assemble(b, steps, end));
          if (Array.from(made.op).includes(and)) return; // folded away or not evaluated
          const state = new DataView(new ArrayBuffer(64));
          registers.forEach((value, i) => {
            state.setInt32(R(i), value, true);
            machine.setWord(R(i), value);
          });
          const start = GuestMemory.index(DATA);
          for (let i = 0; i < 256; i += 4) data.setInt32(start + i, i * 0x01020304, true);
          const memory = new DataView(data.buffer.slice(Layout.WINDOW, Layout.WINDOW + TOP - Layout.FLOOR));
          const expected = evaluate(made, state, memory);
          const address = machine.install(made);
          data.setInt32(Layout.BUDGET, 1000, true);
          machine.runtime.runBlock(address);
          const found = {
            kind: data.getInt32(Layout.EXIT_KIND, true),
            pc: machine.pc,
            completed: 1000 - machine.budget,
            arg0: expected.kind === ExitKind.None ? 0 : data.getUint32(Layout.EXIT_ARG0, true),
          };
          const text = printBlock(made);
          expect(found, text).toEqual(expected);
          for (let i = 0; i < REGISTERS; i++) expect(machine.word(R(i)), `r${i} after ${text}`).toBe(state.getUint32(R(i), true));
          const guest = new Uint8Array(data.buffer, Layout.WINDOW, memory.byteLength);
          expect(Buffer.compare(guest, new Uint8Array(memory.buffer)), text).toBe(0);
          guest.fill(0);
        },
      ),
      { numRuns: 1500 },
    );
  }, 300_000);
});
