import { describe, expect, it } from 'vitest';
import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Block } from '../../src/ir/block.ts';
import { Builder } from '../../src/ir/builder.ts';
import { op, STATE_GRANULES, Type } from '../../src/ir/ops.ts';
import { separateBranch } from '../../src/ir/passes/branches.ts';
import { deadcode } from '../../src/ir/passes/deadcode.ts';
import { printBlock } from '../../src/ir/print.ts';
import { verify } from '../../src/ir/verify.ts';
import type { Helper } from '../../src/isa/isa.ts';

const HELPERS: readonly Helper[] = [
  { name: 'touch', params: [Type.I32], result: Type.I32, state: true, pure: false },
  { name: 'square', params: [Type.I32], result: Type.I32, state: false, pure: true },
];

function build(f: (b: Builder) => void): Block {
  const b = new Builder(HELPERS);
  b.begin(0x1000);
  b.insn(0x1000, 4);
  f(b);
  if (!b.ended) b.goto(0x1004);
  const block = b.finish(0x1004);
  verify(block, 256);
  return block;
}
/** Ops after the dead code pass, without the frame around them. */
const lean = (f: (b: Builder) => void, preciseMemory = false): string[] => {
  const block = deadcode(build(f), { preciseMemory });
  verify(block, 256);
  return printBlock(block)
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) => line.trim());
};
const r = (b: Builder, n: number) => b.get(Type.I32, 4 * n);

describe('the builder', () => {
  it('folds constants and identities', () => {
    expect(lean((b) => b.set(0, b.or(b.shl(b.i32(0x1234), b.i32(16)), b.i32(0x5678))))).toEqual([
      'v1 = i32.const 0x12345678',
      'set.i32 +0 v1',
      'goto 0x1004',
    ]);
    expect(lean((b) => b.set(0, b.add(b.sub(b.add(r(b, 1), b.i32(8)), b.i32(3)), b.i32(-5))))).toEqual([
      'v1 = get.i32 +4',
      'set.i32 +0 v1',
      'goto 0x1004',
    ]);
    expect(lean((b) => b.set(0, b.and(b.i32(0), r(b, 1))))).toEqual(['v1 = i32.const 0', 'set.i32 +0 v1', 'goto 0x1004']);
    expect(lean((b) => b.set(0, b.select(b.i32(1), r(b, 1), r(b, 2))))).toEqual(['v1 = get.i32 +4', 'set.i32 +0 v1', 'goto 0x1004']);
  });

  it('sets state later: before something sees it, or never', () => {
    const later = (b: Builder, value: number) =>
      b.setLater(0, 8, () => {
        for (const offset of [0, 4]) b.set(offset, b.i32(value));
      });
    const sets = (f: (b: Builder) => void, precise = false): string => {
      const b = new Builder(HELPERS);
      b.begin(0x1000, precise);
      b.insn(0x1000, 4);
      f(b);
      b.goto(0x1004);
      return printBlock(b.finish(0x1004))
        .split('\n')
        .map((line) => line.trim().replace(/^v\d+ = /, ''))
        .filter((line) => /^(set|get|exit|i32.load|helper)/.test(line))
        .map((line) => line.replace(/^(set|get).i32 \+(\d+).*/, '$1 $2').replace(/[. ].*/, (rest) => (/^ \d+$/.test(rest) ? rest : '')))
        .join(', ');
    };
    expect(sets((b) => later(b, 1))).toBe('set 0, set 4');
    expect(sets((b) => [later(b, 1), later(b, 2)])).toBe('set 0, set 4');
    // not all of it is set anew
    expect(sets((b) => [later(b, 1), b.setLater(0, 4, () => b.set(0, b.i32(2)))])).toBe('set 0, set 4, set 0');
    expect(sets((b) => [later(b, 1), b.set(4, b.i32(3))])).toBe('set 0, set 4, set 4');
    expect(sets((b) => [later(b, 1), b.set(8, b.get(Type.I32, 12)), later(b, 2)])).toBe('get 12, set 8, set 0, set 4');
    // seen
    expect(sets((b) => [later(b, 1), b.set(8, b.get(Type.I64, 0)), later(b, 2)]).startsWith('set 0, set 4, get')).toBe(true);
    expect(sets((b) => [later(b, 1), b.exitIf(b.get(Type.I32, 12), ExitKind.Illegal), later(b, 2)])).toBe(
      'get 12, set 0, set 4, exit, set 0, set 4',
    );
    expect(sets((b) => [later(b, 1), b.helper('touch', b.i32(0)), later(b, 2)])).toBe('set 0, set 4, helper, set 0, set 4');
    expect(sets((b) => [later(b, 1), b.helper('square', b.i32(0)), later(b, 2)])).toBe('helper, set 0, set 4');
    expect(sets((b) => [later(b, 1), b.load(op('i32.load'), b.i32(64)), later(b, 2)])).toBe('i32, set 0, set 4');
    expect(sets((b) => [later(b, 1), b.load(op('i32.load'), b.i32(64)), later(b, 2)], true)).toBe('set 0, set 4, i32, set 0, set 4');
  });

  it('agrees with WebAssembly on shifts and rotates by 32 and more', () => {
    const value = (f: (b: Builder) => number): string => lean((b) => b.set(0, f(b)))[0];
    expect(value((b) => b.shl(b.i32(1), b.i32(33)))).toBe('v1 = i32.const 2');
    expect(value((b) => b.rotl(b.i32(0x80000001 | 0), b.i32(32)))).toBe('v1 = i32.const 0x80000001');
    expect(value((b) => b.rotr(b.i32(1), b.i32(1)))).toBe('v1 = i32.const 0x80000000');
    expect(value((b) => b.shrU(b.i32(-1), b.i32(31)))).toBe('v1 = i32.const 1');
    expect(value((b) => b.ltU(b.i32(1), b.i32(-1)))).toBe('v1 = i32.const 1');
  });

  it('reads back what was written, but not across a helper that may change the state', () => {
    expect(
      lean((b) => {
        b.set(0, r(b, 1));
        b.set(8, r(b, 0));
      }),
    ).toEqual(['v1 = get.i32 +4', 'set.i32 +0 v1', 'set.i32 +8 v1', 'goto 0x1004']);
    expect(
      lean((b) => {
        b.set(0, r(b, 1));
        b.helper('touch', r(b, 1));
        b.set(8, r(b, 0));
      }),
    ).toContain('v4 = get.i32 +0');
  });

  it('does not take half of an f64 for its whole, nor the reverse', () => {
    const ops = lean((b) => {
      b.set(16, b.get(Type.F64, 32));
      b.set(0, r(b, 5));
      b.set(20, b.i32(7));
      b.set(24, b.get(Type.F64, 16));
    });
    expect(ops).toEqual([
      'v1 = get.f64 +32',
      'set.f64 +16 v1',
      'v3 = get.i32 +20',
      'set.i32 +0 v3',
      'v5 = i32.const 7',
      'set.i32 +20 v5',
      'v7 = get.f64 +16',
      'set.f64 +24 v7',
      'goto 0x1004',
    ]);
  });

  it('turns jumps to constants into static ones', () => {
    expect(lean((b) => b.jump(b.i32(0x2000)))).toEqual(['goto 0x2000']);
    expect(lean((b) => b.branch(b.i32(0), 0x2000, 0x3000))).toEqual(['goto 0x3000']);
    expect(lean((b) => b.callIndirect(b.i32(0x2000), 0x1004))).toEqual(['call 0x2000 next 0x1004']);
  });

  it('refuses a block that ends twice', () => {
    expect(() =>
      build((b) => {
        b.goto(0);
        b.goto(4);
      }),
    ).toThrow('ends twice');
  });
});

describe('dead code', () => {
  it('keeps only the last of several writes, unless somebody may see the first', () => {
    const twice = (between: (b: Builder) => void) => (b: Builder) => {
      b.set(0, b.i32(1));
      between(b);
      b.set(0, b.i32(2));
    };
    const writes = (ops: string[]) => ops.filter((line) => line.startsWith('set')).length;
    expect(writes(lean(twice(() => undefined)))).toBe(1);
    expect(writes(lean(twice((b) => b.exitIf(r(b, 3), ExitKind.Exception, 13))))).toBe(2);
    expect(writes(lean(twice((b) => b.helper('touch', r(b, 3)))))).toBe(2);
    const load = twice((b) => b.set(12, b.load(op('i32.load'), r(b, 3))));
    expect(writes(lean(load))).toBe(2);
    expect(writes(lean(load, true))).toBe(3);
  });

  it('removes pure values and helpers that nobody uses, and keeps loads, stores and other helpers', () => {
    const names = (f: (b: Builder) => void) =>
      lean(f).map((line) =>
        line
          .replace(/^v\d+ = /, '')
          .split(' ')
          .slice(0, 2)
          .join(' '),
      );
    expect(
      names((b) => {
        b.mul(r(b, 1), r(b, 2));
        b.helper('square', r(b, 1));
      }),
    ).toEqual(['goto 0x1004']);
    expect(names((b) => b.load(op('i32.load8_u'), r(b, 1)))).toContain('i32.load8_u v1');
    expect(names((b) => b.helper('touch', r(b, 1)))).toContain('helper touch');
  });

  it('takes the word of its caller for what is dead at the end', () => {
    const deadOut = new Uint8Array(STATE_GRANULES);
    deadOut[0] = 1;
    const block = build((b) => {
      b.set(0, r(b, 1));
      b.set(4, r(b, 2));
    });
    expect(printBlock(deadcode(block, { preciseMemory: false, deadOut }))).not.toContain('set.i32 +0');
    expect(printBlock(deadcode(block, { preciseMemory: false, deadOut }))).toContain('set.i32 +4');
  });
});

describe('the verifier', () => {
  const broken = (change: (ops: { op: number[]; a: number[] }) => void): (() => void) => {
    const block = build((b) => b.set(0, b.add(r(b, 1), r(b, 2))));
    change({ op: block.op as number[], a: block.a as number[] });
    return () => verify(block, 256);
  };
  it('finds a use before the definition, a wrong type and a place outside the state', () => {
    expect(broken((b) => (b.a[3] = 3))).toThrow('is not defined before it');
    expect(broken((b) => (b.op[1] = op('get.f32')))).toThrow('is f32, not i32');
    expect(broken((b) => (b.a[4] = 256))).toThrow('state offset 256');
    expect(broken((b) => (b.a[4] = 2))).toThrow('state offset 2');
  });
});

describe('a branch on a comparison', () => {
  const separated = (f: (b: Builder) => void): string[] => {
    const block = separateBranch(deadcode(build(f), { preciseMemory: false }));
    verify(block, 256);
    return printBlock(block)
      .trimEnd()
      .split('\n')
      .slice(2)
      .map((line) => line.trim());
  };
  it('compares for itself if the result is kept', () => {
    const compare = (b: Builder) => b.ltU(r(b, 1), r(b, 2));
    expect(
      separated((b) => {
        const less = compare(b);
        b.set(0, less);
        b.branch(b.eqz(less), 0x2000, 0x1004);
      }).slice(3),
    ).toEqual(['set.i32 +0 v3', 'v5 = i32.eqz v3', 'v6 = i32.ge_u v1 v2', 'branch v6 0x2000 0x1004']);
    expect(
      separated((b) => {
        const less = compare(b);
        b.set(0, less);
        b.branch(b.ne(less, b.i32(0)), 0x2000, 0x1004);
      }).slice(-3),
    ).toEqual(['v7 = i32.ge_u v1 v2', 'v8 = i32.eqz v7', 'branch v8 0x2000 0x1004']);
  });
  it('stays as it is if only the branch needs it', () => {
    expect(separated((b) => b.branch(b.ltU(r(b, 1), r(b, 2)), 0x2000, 0x1004)).at(-1)).toBe('branch v3 0x2000 0x1004');
  });
});

describe('the words of a number of 64 bits', () => {
  const or = op('i64.or');
  const shl = op('i64.shl');
  const shr = op('i64.shr_u');
  const wrap = op('i32.wrap_i64');
  const both = (b: Builder, extend: number) =>
    b.emit(or, b.emit(shl, b.emit(op('i64.extend_i32_u'), r(b, 1)), b.i64(32, 0)), b.emit(extend, r(b, 2)));
  it('are what it was put together of', () => {
    const words = (b: Builder) => {
      const v = both(b, op('i64.extend_i32_u'));
      b.set(0, b.emit(wrap, v));
      b.set(12, b.emit(wrap, b.emit(shr, v, b.i64(32, 0))));
    };
    expect(lean(words)).toEqual(['v1 = get.i32 +4', 'v2 = get.i32 +8', 'set.i32 +0 v2', 'set.i32 +12 v1', 'goto 0x1004']);
  });
  it('are not, where the low one has a sign that reaches into the high one', () => {
    expect(lean((b) => b.set(0, b.emit(wrap, b.emit(shr, both(b, op('i64.extend_i32_s')), b.i64(32, 0))))).at(-3)).toMatch(/wrap_i64/);
  });
});
