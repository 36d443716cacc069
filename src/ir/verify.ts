import type { Block } from './block.ts';
import { OPS, STATE_GRANULES, TYPE_NAMES, TYPE_SIZES, Type } from './ops.ts';

/** Throws if the block breaks a rule of the IR: operands defined before use and of the right type, state accesses inside the state. */
export function verify(block: Block, stateSize: number): void {
  if (stateSize > 4 * STATE_GRANULES) throw new Error(`${stateSize} bytes of state are more than passes keep track of`);
  const fail = (v: number, message: string): never => {
    throw new Error(`block 0x${block.pc.toString(16)}, op ${v} (${OPS[block.op[v]]?.name}): ${message}`);
  };
  const expect = (v: number, operand: number, type: Type): void => {
    if (operand < 0 || operand >= v) fail(v, `operand v${operand} is not defined before it`);
    const actual = block.typeOf(operand);
    if (actual !== type) fail(v, `operand v${operand} is ${TYPE_NAMES[actual]}, not ${TYPE_NAMES[type]}`);
  };
  for (let v = 0; v < block.length; v++) {
    const info = OPS[block.op[v]];
    if (!info) fail(v, `no op has number ${block.op[v]}`);
    for (let i = 0; i < block.operandCount(v); i++) {
      const type = block.operandType(v, i);
      if (type !== 'imm') expect(v, block.operand(v, i), type);
    }
    const state = /^[gs]et\.(\w+)/.exec(info.name);
    if (state) {
      const size = TYPE_SIZES[TYPE_NAMES.indexOf(state[1] as 'i32') as Type];
      const offset = block.a[v];
      if (offset < 0 || offset % 4 !== 0 || offset + size > stateSize)
        fail(v, `state offset ${offset} is not a place in ${stateSize} bytes`);
    }
    if (info.name.startsWith('slow.')) {
      const helper = block.helpers[block.d[v]];
      if (!helper?.range || helper.params.length > 0 || helper.result !== Type.I32)
        fail(v, `${helper?.name ?? 'no helper'} is no slow path`);
    }
    if (info.name === 'i8x16.shuffle') {
      const lanes = block.shuffles[block.c[v]];
      if (lanes?.length !== 16 || lanes.some((lane) => lane < 0 || lane > 31)) fail(v, 'shuffle lanes are not 16 numbers of 0…31');
    }
  }
  const value = block.terminatorValue;
  if (value >= 0) expect(block.length, value, Type.I32);
  if (block.terminator.kind !== 'exit' && block.instructions === 0) throw new Error(`block 0x${block.pc.toString(16)} has no instruction`);
}
