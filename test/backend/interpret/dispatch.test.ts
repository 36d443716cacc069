import { describe, expect, test } from 'vitest';
import { ExitKind, FaultAccess } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import { BlockFlag, BlockHeader } from '../../../assembly/shared/uop.ts';
import { detach, lastCallee } from '../../../src/backend/interpret/relocate.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { type Machine, makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa } from '../../support/toy.ts';

const A = 0x20000;
const B = 0x21000;
const C = 0x22000;

const isa = toyIsa();
const r = (b: Builder, n: number) => b.get(Type.I32, R(n));
const count = (b: Builder, pc: number, register: number): void => {
  b.insn(pc, 4);
  b.set(R(register), b.add(r(b, register), b.i32(1)));
};

/** A: r1++, r2++, to A while r1 ≠ r9, else to B. B: r3++, to what r8 says. */
function loop(options: { hotThreshold?: number } = {}): Machine & { a: number; b: number } {
  const machine = makeMachine(isa, options);
  const a = machine.install(
    block(isa, A, (b) => {
      count(b, A, 1);
      count(b, A + 4, 2);
      b.branch(b.ne(r(b, 1), r(b, 9)), A, B);
    }),
  );
  const second = machine.install(
    block(isa, B, (b) => {
      count(b, B, 3);
      b.jump(r(b, 8));
    }),
  );
  machine.pc = A;
  machine.set('r9', 10);
  machine.set('r8', C);
  return Object.assign(machine, { a, b: second });
}
const header = (machine: Machine, address: number, word: BlockHeader): number => machine.runtime.words[(address + word) >>> 2];

describe('run', () => {
  test('goes from block to block until nothing is translated', () => {
    const machine = loop();
    expect(machine.enter(1000)).toBe(ExitKind.Miss);
    expect(machine.pc).toBe(C);
    expect([machine.get('r1'), machine.get('r2'), machine.get('r3')]).toEqual([10, 10, 1]);
    expect(machine.budget).toBe(1000 - 21);
  });

  test('misses at a pc that shares its look-up entry with another', () => {
    const machine = loop();
    machine.set('r8', 0x20000 ^ 0x10001); // same hash as A
    expect(machine.enter(1000)).toBe(ExitKind.Miss);
    expect(machine.pc).toBe(0x30001);
  });

  test('an indirect call keeps where it went', () => {
    const machine = loop();
    const a = machine.install(
      block(isa, A, (b) => {
        b.insn(A, 4);
        b.callIndirect(r(b, 8), A + 4);
      }),
    );
    const { words } = machine.runtime;
    expect(lastCallee(words, a)).toBeUndefined();
    for (const target of [C, 0xfffffff0]) {
      machine.pc = A;
      machine.set('r8', target);
      expect(machine.enter(1)).toBe(ExitKind.Miss);
      expect([machine.pc, lastCallee(words, a)]).toEqual([target, target]);
    }
    const kept = detach(words, a);
    words.set(kept, a >>> 2);
    expect(lastCallee(kept, 0)).toBeUndefined();
    expect(lastCallee(words, machine.b)).toBeUndefined();
  });

  test('an indirect jump to the last address is a miss too', () => {
    const machine = loop();
    machine.set('r8', 0xffffffff);
    expect(machine.enter(1000)).toBe(ExitKind.Miss);
    expect(machine.pc).toBe(0xffffffff);
  });

  for (const budget of [0, 1, 2, 3, 7, 19, 20, 21]) {
    test(`a budget of ${budget} is never overdrawn`, () => {
      const machine = loop();
      const kind = machine.enter(budget);
      const expected = budget >= 21 ? 21 : budget - (budget % 2);
      expect(kind).toBe(budget >= 21 ? ExitKind.Miss : ExitKind.Budget);
      expect(budget - machine.budget).toBe(expected);
      expect(machine.get('r2')).toBe(Math.min(10, expected >>> 1));
      expect(machine.pc).toBe(budget >= 21 ? C : budget === 20 ? B : A);
    });
  }

  test('runBlock runs one block and follows nothing', () => {
    const machine = loop();
    machine.runtime.words[Layout.BUDGET >>> 2] = 100;
    machine.runtime.runBlock(machine.a);
    expect(machine.runtime.words[Layout.EXIT_KIND >>> 2]).toBe(ExitKind.None);
    expect([machine.pc, machine.budget, machine.get('r1')]).toEqual([A, 98, 1]);
    machine.runtime.runBlock(machine.b);
    expect([machine.pc, machine.budget, machine.get('r3')]).toEqual([C, 97, 1]);
  });

  test('a stale block is a miss, also behind a link that was followed before', () => {
    const machine = loop();
    machine.enter(8);
    expect(machine.get('r1')).toBe(4);
    machine.runtime.markStale(machine.a);
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect([machine.pc, machine.get('r1')]).toEqual([A, 4]);
    // another translation of the same pc takes the link over
    machine.install(
      block(isa, A, (b) => {
        count(b, A, 4);
        b.goto(B);
      }),
    );
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect([machine.pc, machine.get('r4'), machine.get('r3')]).toEqual([C, 1, 1]);
  });
});

describe('heat', () => {
  test('a loop leaves as hot, before it runs again', () => {
    const machine = loop({ hotThreshold: 5 });
    expect(machine.enter(1000)).toBe(ExitKind.Hot);
    // entered once from outside, then four times by its own branch, the last time in vain
    expect([machine.pc, machine.get('r1'), machine.budget]).toEqual([A, 4, 992]);
    expect(header(machine, machine.a, BlockHeader.HEAT)).toBe(5);
    machine.runtime.setHeat(machine.a, Number.NEGATIVE_INFINITY);
    expect(machine.enter(1000)).toBe(ExitKind.Miss);
    expect(machine.get('r1')).toBe(10);
  });

  test('arriving forward by goto or branch counts, but makes nothing hot; by jump and call it does', () => {
    for (const [end, isHot] of [
      [(b: Builder) => b.goto(B), false],
      [(b: Builder) => b.branch(r(b, 1), B, C), false],
      [(b: Builder) => b.jump(b.add(r(b, 8), b.i32(B - C))), true],
      [(b: Builder) => b.return(b.add(r(b, 8), b.i32(B - C))), true],
      [(b: Builder) => b.callIndirect(b.add(r(b, 8), b.i32(B - C)), A + 4), true],
      [(b: Builder) => b.call(B, A + 4), true],
    ] as const) {
      const machine = loop({ hotThreshold: 1 });
      machine.install(
        block(isa, A, (b) => {
          count(b, A, 1);
          end(b);
        }),
      );
      expect(machine.enter(100) === ExitKind.Hot).toBe(isHot);
      expect(header(machine, machine.b, BlockHeader.HEAT)).toBe(1);
    }
  });
});

describe('regions', () => {
  /** Puts a function in the table and in the region look-up. */
  function region(machine: Machine, pc: number, f: (pc: number, depth: number) => number): void {
    // (import "e" "f" (func (param i32 i32) (result i32))) (export "f" (func 0))
    const bytes = new Uint8Array([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 2, 7, 1, 1, 0x65, 1, 0x66, 0, 0, 7, 5, 1, 1, 0x66, 0, 0,
    ]);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { e: { f } });
    const index = machine.runtime.table.grow(1);
    machine.runtime.table.set(index, instance.exports.f);
    const entry = (Layout.REGION_HASH >>> 2) + ((pc ^ (pc >>> 16)) & Layout.HASH_MASK) * 2;
    machine.runtime.words[entry] = pc;
    machine.runtime.words[entry + 1] = index;
  }
  const spend = (machine: Machine, n: number): void => {
    machine.runtime.words[Layout.BUDGET >>> 2] -= n;
  };

  test('go before blocks, get pc and depth, and return the next pc', () => {
    const machine = loop();
    const calls: number[][] = [];
    region(machine, A, (pc, depth) => {
      calls.push([pc, depth]);
      spend(machine, 4);
      return B;
    });
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect(calls).toEqual([[A, 1000]]);
    expect([machine.pc, machine.get('r1'), machine.get('r3'), machine.budget]).toEqual([C, 0, 1, 95]);
    expect(machine.runtime.words[Layout.REGION_ENTRIES >>> 2]).toBe(1);
  });

  test('a block with HAS_REGION hands over when a link arrives', () => {
    const machine = loop();
    machine.enter(4); // A's link to itself is resolved now
    machine.runtime.markRegion(machine.a, true);
    let calls = 0;
    region(machine, A, () => {
      calls++;
      spend(machine, 1);
      return C;
    });
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect([calls, machine.pc]).toEqual([1, C]);
    machine.install(
      block(isa, C, (b) => {
        b.insn(C, 4);
        b.goto(A);
      }),
    );
    expect(machine.enter(10)).toBe(ExitKind.Budget);
    expect(calls).toBeGreaterThan(3);
  });

  test('a region that lost its look-up entry is asked for', () => {
    const machine = loop();
    machine.runtime.markRegion(machine.a, true);
    expect(header(machine, machine.a, BlockHeader.FLAGS)).toBe(BlockFlag.HAS_REGION);
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect([machine.pc, machine.budget]).toEqual([A, 100]);
    machine.runtime.markRegion(machine.a, false);
    expect(machine.enter(100)).toBe(ExitKind.Miss);
    expect(machine.pc).toBe(C);
  });

  test('are not entered without budget, and leave with what they wrote', () => {
    const machine = loop();
    region(machine, A, () => {
      machine.runtime.words[Layout.EXIT_KIND >>> 2] = ExitKind.Halt;
      spend(machine, 1);
      return -1;
    });
    expect(machine.enter(0)).toBe(ExitKind.Budget);
    expect(machine.enter(1)).toBe(ExitKind.Halt);
  });

  test('a loop of regions ends with its budget', () => {
    const machine = loop();
    region(machine, A, () => {
      spend(machine, 3);
      return A;
    });
    expect(machine.enter(9)).toBe(ExitKind.Budget);
    expect([machine.pc, machine.budget]).toEqual([A, 0]);
  });

  test('a block that regions lead to becomes hot', () => {
    const machine = loop({ hotThreshold: 5 });
    machine.set('r8', A);
    machine.runtime.markRegion(machine.a, true);
    region(machine, A, () => {
      spend(machine, 1);
      return B;
    });
    expect(machine.enter(1000)).toBe(ExitKind.Hot);
    expect([machine.pc, machine.get('r3')]).toEqual([B, 4]);
  });
});

describe('exits', () => {
  const exiting = (fill: (b: Builder) => void, budget = 10) => {
    const machine = makeMachine(isa);
    machine.install(block(isa, A, fill));
    machine.pc = A;
    machine.runtime.words.fill(0x77, Layout.EXIT_ARG0 >>> 2, (Layout.EXIT_ARG2 >>> 2) + 1);
    const kind = machine.enter(budget);
    const args = Array.from(machine.runtime.words.subarray(Layout.EXIT_ARG0 >>> 2, (Layout.EXIT_ARG2 >>> 2) + 1));
    return { kind, pc: machine.pc, spent: budget - machine.budget, args, machine };
  };

  test('the terminator exit counts all instructions and writes the arguments it has', () => {
    const done = exiting((b) => {
      count(b, A, 1);
      b.insn(A + 4, 4);
      b.exit(ExitKind.PortIo, A + 8, 0x60, 0x101, -1);
    });
    expect(done).toMatchObject({ kind: ExitKind.PortIo, pc: A + 8, spent: 2, args: [0x60, 0x101, -1] });
    expect(exiting((b) => b.exit(ExitKind.Halt, A + 8), 0)).toMatchObject({ kind: ExitKind.Halt, spent: 0, args: [0x77, 0x77, 0x77] });
  });

  test('exit.if leaves before its instruction and gives the rest back', () => {
    for (const k of [0, 1, 2]) {
      const done = exiting((b) => {
        for (let i = 0; i < 4; i++) {
          b.insn(A + 4 * i, 4);
          if (i === k) b.exitIf(b.eqz(r(b, 9)), ExitKind.Exception, 13);
          b.set(R(1), b.add(r(b, 1), b.i32(1)));
        }
        b.goto(B);
      });
      expect(done).toMatchObject({ kind: ExitKind.Exception, pc: A + 4 * k, spent: k, args: [13, 0, 0x77] });
      expect(done.machine.get('r1')).toBe(k);
    }
  });

  test('exit.if that is not taken does nothing', () => {
    const done = exiting((b) => {
      b.insn(A, 4);
      b.exitIf(r(b, 9), ExitKind.Exception, 13);
      b.goto(B);
    });
    expect(done).toMatchObject({ kind: ExitKind.Miss, pc: B, spent: 1 });
  });

  test('exit.if MemoryFault leaves the arguments to the helper that set them', () => {
    const done = exiting((b) => {
      b.insn(A, 4);
      b.exitIf(b.eqz(r(b, 9)), ExitKind.MemoryFault, 1);
      b.goto(B);
    });
    expect(done).toMatchObject({ kind: ExitKind.MemoryFault, pc: A, spent: 0, args: [0x77, 0x77, 0x77] });
  });

  test('a block of bytes that changed leaves as stale, before anything', () => {
    for (const length of [1, 4, 7, 8, 9, 16, 61]) {
      const machine = makeMachine(isa);
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + 1);
      machine.put(A, bytes);
      const made = block(isa, A, (b) => {
        count(b, A, 1);
        b.goto(A);
      });
      machine.install(made, bytes);
      machine.pc = A;
      expect(machine.enter(5)).toBe(ExitKind.Budget);
      expect(machine.get('r1')).toBe(5);
      for (let i = 0; i < length; i++) {
        machine.memory.u8(A + i);
        machine.memory.setU8(A + i, bytes[i] ^ 0x80);
        expect(machine.enter(5)).toBe(ExitKind.Stale);
        expect([machine.pc, machine.budget, machine.get('r1')]).toEqual([A, 5, 5]);
        machine.memory.setU8(A + i, bytes[i]);
      }
      machine.memory.setU8(A + length, 0xaa);
      expect(machine.enter(1)).toBe(ExitKind.Budget);
    }
  });

  test('code that cannot be fetched is a fault of execution', () => {
    const machine = makeMachine(isa);
    machine.pc = 0x123450;
    const real = { ...isa, lift: (_: Builder, code: { u8(a: number): number }, pc: number) => code.u8(pc) };
    const fetching = makeMachine(real as typeof isa);
    fetching.pc = 0x123450;
    expect(fetching.run(10)).toEqual({ kind: 'memory-fault', pc: 0x123450, address: 0x123450, access: 'execute' });
    expect(FaultAccess.Execute).toBe(4);
  });
});
