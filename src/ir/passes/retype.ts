import { Block, type Value } from '../block.ts';
import { OPS, op, TYPE_SIZES, Type } from '../ops.ts';
import { renumber } from './deadcode.ts';

/** Bytes of the guest's state that are accessed as one type only. */
export interface Place {
  readonly offset: number;
  readonly type: Type.I32 | Type.F32 | Type.F64;
}

const GETS = [-1, op('get.i32'), op('get.i64'), op('get.f32'), op('get.f64')];
const SETS = [-1, op('set.i32'), op('set.i64'), op('set.f32'), op('set.f64')];

/** Makes of accesses to parts of a place, or as another type, accesses of the whole and conversions. `placeOf`: the place that has a byte, if any has. */
export function retype(block: Block, placeOf: (offset: number) => Place | undefined): Block {
  const isGet = (v: Value): boolean => GETS.includes(block.op[v]);
  const isSet = (v: Value): boolean => SETS.includes(block.op[v]);
  const accessed = (v: Value): Type => (isGet(v) ? OPS[block.op[v]].result : block.typeOf(block.b[v]));
  const otherPlace = (v: Value): Place | undefined => {
    const place = isGet(v) || isSet(v) ? placeOf(block.a[v]) : undefined;
    return place && accessed(v) !== place.type ? place : undefined;
  };
  let differs = false;
  for (let v = 0; v < block.length && !differs; v++) differs = otherPlace(v) !== undefined;
  if (!differs) return block;

  const opcodes: number[] = [];
  const a: number[] = [];
  const b: number[] = [];
  const c: number[] = [];
  const d: number[] = [];
  const to = new Int32Array(block.length);
  const append = (opcode: number, x = 0, y = 0, z = 0, w = 0): Value => {
    a.push(x);
    b.push(y);
    c.push(z);
    d.push(w);
    return opcodes.push(opcode) - 1;
  };
  const emit = (name: string, x = 0, y = 0): Value => append(op(name), x, y);
  const get = (v: Value, place: Place): Value => {
    const type = accessed(v);
    const whole = append(GETS[place.type], place.offset);
    if (place.type === Type.I32) return emit('f32.reinterpret_i32', whole);
    if (place.type === Type.F32) return emit('i32.reinterpret_f32', whole);
    const bits = emit('i64.reinterpret_f64', whole);
    if (type === Type.I64) return bits;
    const half = emit('i32.wrap_i64', block.a[v] === place.offset ? bits : emit('i64.shr_u', bits, emit('i64.const', 32)));
    return type === Type.F32 ? emit('f32.reinterpret_i32', half) : half;
  };
  const set = (v: Value, place: Place): Value => {
    const type = accessed(v);
    const value = to[block.b[v]];
    if (place.type === Type.I32) return append(SETS[Type.I32], place.offset, emit('i32.reinterpret_f32', value));
    if (place.type === Type.F32) return append(SETS[Type.F32], place.offset, emit('f32.reinterpret_i32', value));
    if (type === Type.I64) return append(SETS[Type.F64], place.offset, emit('f64.reinterpret_i64', value));
    const isLow = block.a[v] === place.offset;
    const half = emit('i64.extend_i32_u', type === Type.F32 ? emit('i32.reinterpret_f32', value) : value);
    const there = isLow ? half : emit('i64.shl', half, emit('i64.const', 32));
    const other = emit('i64.const', isLow ? 0 : -1, isLow ? -1 : 0);
    const rest = emit('i64.and', emit('i64.reinterpret_f64', append(GETS[Type.F64], place.offset)), other);
    return append(SETS[Type.F64], place.offset, emit('f64.reinterpret_i64', emit('i64.or', rest, there)));
  };
  for (let v = 0; v < block.length; v++) {
    const place = otherPlace(v);
    if (place && TYPE_SIZES[accessed(v)] > TYPE_SIZES[place.type])
      throw new Error(`state offset ${block.a[v]} is accessed beyond its place`);
    if (place) {
      to[v] = isGet(v) ? get(v, place) : set(v, place);
      continue;
    }
    const mask = block.valueMask(v);
    const operand = (i: number, x: number): number => (mask & (1 << i) ? to[x] : x);
    to[v] = append(block.op[v], operand(0, block.a[v]), operand(1, block.b[v]), operand(2, block.c[v]), operand(3, block.d[v]));
  }
  return new Block(
    block.pc,
    block.size,
    block.instructions,
    opcodes.length,
    opcodes,
    a,
    b,
    c,
    d,
    renumber(block.terminator, to),
    block.shuffles,
    block.helpers,
  );
}
