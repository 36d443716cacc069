import { expect, test } from 'vitest';
import wabt from 'wabt';
import { Layout } from '../../../assembly/shared/layout.ts';
import { Slot } from '../../../assembly/shared/uop.ts';
import { lowerBlock } from '../../../src/backend/interpret/lower.ts';
import { TYPE_NAMES, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { makeMachine } from '../../support/machine.ts';
import { block, R, toyIsa, V } from '../../support/toy.ts';

const PC = 0x20000;
const PARAMETERS = [
  [],
  [Type.I32],
  [Type.I32, Type.I32],
  [Type.I32, Type.I32, Type.I32],
  [Type.I64],
  [Type.I64, Type.I32],
  [Type.I64, Type.I32, Type.I32],
];
const RESULTS = [Type.None, Type.I32, Type.I64] as const;
/** Weighs its parameters, so that each place tells; writes the sum to the state as well. */
const helpers: Helper[] = PARAMETERS.flatMap((params) =>
  RESULTS.map((result) => ({
    name: `${params.map((p) => TYPE_NAMES[p]).join('_')}_to_${TYPE_NAMES[result]}`,
    params,
    result,
    state: true,
    pure: false,
  })),
);
const WEIGHTS = [3, 50, 700];
function wat({ name, params, result }: Helper): string {
  const sum = params.reduce((text, p, i) => {
    const value = p === Type.I64 ? `(local.get ${i})` : `(i64.extend_i32_s (local.get ${i}))`;
    return `(i64.add ${text} (i64.mul (i64.const ${WEIGHTS[i]}) ${value}))`;
  }, '(i64.const 9)');
  const give = result === Type.None ? '' : result === Type.I32 ? `(i32.wrap_i64 ${sum})` : sum;
  return `(func (export "${name}") ${params.map((p) => `(param ${TYPE_NAMES[p]})`).join(' ')} ${result ? `(result ${TYPE_NAMES[result]})` : ''}
    (i64.store (i32.const ${Layout.STATE + V(5)}) ${sum}) ${give})`;
}

const module = (await wabt()).parseWat('helpers.wat', `(module (import "e" "m" (memory 1)) ${helpers.map(wat).join('\n')})`);
const binary = module.toBinary({}).buffer as Uint8Array<ArrayBuffer>;
const isa = toyIsa(helpers);

test.for(helpers)('$name', (helper) => {
  const machine = makeMachine(isa);
  const { data } = machine.memory;
  const exports = new WebAssembly.Instance(new WebAssembly.Module(binary), { e: { m: machine.memory.memory } }).exports;
  const index = machine.runtime.table.grow(1);
  machine.runtime.table.set(index, exports[helper.name]);
  const runtime = {
    ...machine.runtime,
    exports: { ...machine.runtime.exports, [helper.name]: exports[helper.name] as CallableFunction },
    helperIndex: () => index,
  };
  const made = block(isa, PC, (b) => {
    b.insn(PC, 4);
    const before = b.get(Type.I32, V(5));
    const args = helper.params.map((p, i) => b.get(p, V(i)));
    const result = b.helper(helper.name, ...args);
    if (helper.result !== Type.None) b.set(V(4), result);
    // read before the call, kept over it
    b.set(R(7), before);
    b.set(R(8), b.get(Type.I32, V(5)));
    b.goto(PC + 4);
  });
  lowerBlock(made, runtime, Layout.UOPS);
  for (const values of [
    [1, 2, 3],
    [-1, 0x7fffffff, -0x80000000],
    [0x12345678, -7, 0],
  ]) {
    machine.setWord(V(5), 0x1111);
    values.forEach((value, i) => {
      data.setBigInt64(Layout.STATE + V(i), BigInt(value), true);
    });
    data.setInt32(Layout.BUDGET, 1, true);
    runtime.runBlock(Layout.UOPS);
    const sum = helper.params.reduce((total, _, i) => total + BigInt(WEIGHTS[i]) * BigInt(values[i]), 9n);
    expect(data.getBigInt64(Layout.STATE + V(5), true)).toBe(sum);
    if (helper.result === Type.I32) expect(machine.word(V(4))).toBe(Number(BigInt.asUintN(32, sum)));
    if (helper.result === Type.I64) expect(data.getBigInt64(Layout.STATE + V(4), true)).toBe(sum);
    expect([machine.get('r7'), machine.get('r8')]).toEqual([0x1111, Number(BigInt.asUintN(32, sum))]);
    // nothing but slots was written
    expect(data.getInt32(Slot.ZERO, true)).toBe(0);
  }
});

test('a helper that the runtime does not have is named', () => {
  const machine = makeMachine(isa);
  const made = block(isa, PC, (b) => {
    b.insn(PC, 4);
    b.helper('_to_i32');
    b.goto(PC + 4);
  });
  expect(() => machine.install(made)).toThrow('exports no helper _to_i32');
});
