import binaryen from 'binaryen';
import type { Block, Value } from '../../ir/block.ts';
import { OPS, op, Type } from '../../ir/ops.ts';

export type Module = binaryen.Module;
export type Expression = binaryen.ExpressionRef;

export const WASM_TYPES = [binaryen.none, binaryen.i32, binaryen.i64, binaryen.f32, binaryen.f64, binaryen.v128] as const;

/** binaryen's spelling of an op where it differs from WebAssembly's: the path below the module object. */
const SPELLING: Readonly<Record<string, string>> = {
  'i32.wrap_i64': 'i32.wrap',
  'i64.extend_i32_s': 'i64.extend_s',
  'i64.extend_i32_u': 'i64.extend_u',
  'f32.convert_i32_s': 'f32.convert_s.i32',
  'f32.convert_i32_u': 'f32.convert_u.i32',
  'f32.convert_i64_s': 'f32.convert_s.i64',
  'f64.convert_i32_s': 'f64.convert_s.i32',
  'f64.convert_i32_u': 'f64.convert_u.i32',
  'f64.convert_i64_s': 'f64.convert_s.i64',
  'f32.demote_f64': 'f32.demote',
  'f64.promote_f32': 'f64.promote',
  'i32.reinterpret_f32': 'i32.reinterpret',
  'f32.reinterpret_i32': 'f32.reinterpret',
  'i64.reinterpret_f64': 'i64.reinterpret',
  'f64.reinterpret_i64': 'f64.reinterpret',
  'i32.trunc_sat_f32_s': 'i32.trunc_s_sat.f32',
  'i32.trunc_sat_f64_s': 'i32.trunc_s_sat.f64',
  'i64.trunc_sat_f32_s': 'i64.trunc_s_sat.f32',
  'i64.trunc_sat_f64_s': 'i64.trunc_s_sat.f64',
};

type Method = (...args: (Expression | number | readonly number[])[]) => Expression;

/** The op's constructor in a binaryen module. */
function methodOf(m: Module, name: string): Method {
  let at: unknown = m;
  for (const part of (SPELLING[name] ?? name.replace(/^(i8x16|i16x8)\.(add|sub)_sat_/, '$1.$2_saturate_')).split('.'))
    at = (at as Record<string, unknown>)[part];
  if (typeof at !== 'function') throw new Error(`binaryen has no ${name}`);
  return at as Method;
}

const isPlain = OPS.map((info) => info.memory === undefined && !/^(get|set|select|insn|exit|helper)|const$/.test(info.name));

/** The constructor of an op that maps to one Wasm instruction, by op number. */
export type Constructors = (number: number) => Method;
function constructorsOf(m: Module): Constructors {
  const found: (Method | undefined)[] = [];
  return (number) => {
    let method = found[number];
    if (!method) {
      if (!isPlain[number]) throw new Error(`${OPS[number].name} is more than one WebAssembly instruction`);
      method = methodOf(m, OPS[number].name);
      found[number] = method;
    }
    return method;
  };
}

/** In binaryen.js, not in its types. The second adds a child without looking at the block again. */
const { _BinaryenModuleCreate: createModule, _BinaryenBlockAppendChild: appendChild } = binaryen as unknown as {
  _BinaryenModuleCreate(): number;
  _BinaryenBlockAppendChild(block: Expression, child: Expression): void;
};

interface NewModule {
  readonly m: Module;
  readonly constructors: Constructors;
}
let last: NewModule | undefined;
/** An empty module. Its object has a thousand functions of its own, but nothing else than the address: where that is the last one's, so is it. */
export function newModule(): NewModule {
  const address = createModule();
  if (last?.m.ptr !== address) {
    const m = binaryen.wrapModule(address);
    last = { m, constructors: constructorsOf(m) };
  }
  return last;
}

/**
 * A block of type none that branches name. It is made empty and filled then: binaryen would look for branches to it in
 * all that is nested in it, which is quadratic.
 */
export function labelledBlock(m: Module, label: string, children: readonly Expression[]): Expression {
  const block = m.block(label, [], binaryen.none);
  for (const child of children) appendChild(block, child);
  return block;
}

const I32_CONST = op('i32.const');
const I64_CONST = op('i64.const');
const F32_CONST = op('f32.const');
const F64_CONST = op('f64.const');
const V128_CONST = op('v128.const');

export const isConstant = (number: number): boolean =>
  number === I32_CONST || number === I64_CONST || number === F32_CONST || number === F64_CONST || number === V128_CONST;

const i64Of = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

export function constant(m: Module, block: Block, v: Value): Expression {
  switch (block.op[v]) {
    case I32_CONST:
      return m.i32.const(block.a[v]);
    case I64_CONST:
      return m.i64.const(i64Of(block.a[v], block.b[v]));
    // by bits, since a NaN's payload does not survive being a JavaScript number
    case F32_CONST:
      return m.f32.reinterpret(m.i32.const(block.a[v]));
    case F64_CONST:
      return m.f64.reinterpret(m.i64.const(i64Of(block.a[v], block.b[v])));
    default: {
      const words = [block.a[v], block.b[v], block.c[v], block.d[v]];
      return m.v128.const(words.flatMap((w) => [w & 0xff, (w >>> 8) & 0xff, (w >>> 16) & 0xff, w >>> 24]));
    }
  }
}

/** Memory instruction with a static offset, in the op's width, little-endian. */
export function loadExpression(m: Module, name: string, offset: number, pointer: Expression): Expression {
  switch (name) {
    case 'i32.load8_s':
      return m.i32.load8_s(offset, 1, pointer);
    case 'i32.load8_u':
      return m.i32.load8_u(offset, 1, pointer);
    case 'i32.load16_s':
      return m.i32.load16_s(offset, 1, pointer);
    case 'i32.load16_u':
      return m.i32.load16_u(offset, 1, pointer);
    case 'i32.load':
      return m.i32.load(offset, 1, pointer);
    case 'i64.load':
      return m.i64.load(offset, 1, pointer);
    case 'f32.load':
      return m.f32.load(offset, 1, pointer);
    case 'f64.load':
      return m.f64.load(offset, 1, pointer);
    case 'v128.load':
      return m.v128.load(offset, 1, pointer);
    default:
      throw new Error(`${name} is not a load`);
  }
}

export function storeExpression(m: Module, name: string, offset: number, pointer: Expression, value: Expression): Expression {
  switch (name) {
    case 'i32.store8':
      return m.i32.store8(offset, 1, pointer, value);
    case 'i32.store16':
      return m.i32.store16(offset, 1, pointer, value);
    case 'i32.store':
      return m.i32.store(offset, 1, pointer, value);
    case 'i64.store':
      return m.i64.store(offset, 1, pointer, value);
    case 'f32.store':
      return m.f32.store(offset, 1, pointer, value);
    case 'f64.store':
      return m.f64.store(offset, 1, pointer, value);
    case 'v128.store':
      return m.v128.store(offset, 1, pointer, value);
    default:
      throw new Error(`${name} is not a store`);
  }
}

const PREFIX = ['', 'i32', 'i64', 'f32', 'f64', 'v128'];
/** Name of the full-width load or store of a type. */
export const loadName = (type: Type): string => `${PREFIX[type]}.load`;
export const storeName = (type: Type): string => `${PREFIX[type]}.store`;

/** Big-endian data: the expression with its bytes reversed. `local` names an i32 or i64 local that may be written. */
export function byteSwap(m: Module, bytes: 2 | 4, value: (first: boolean) => Expression): Expression {
  if (bytes === 2) {
    return m.i32.or(
      m.i32.shl(m.i32.and(value(true), m.i32.const(0xff)), m.i32.const(8)),
      m.i32.and(m.i32.shr_u(value(false), m.i32.const(8)), m.i32.const(0xff)),
    );
  }
  return m.i32.or(
    m.i32.and(m.i32.rotl(value(true), m.i32.const(8)), m.i32.const(0x00ff00ff)),
    m.i32.and(m.i32.rotl(value(false), m.i32.const(24)), m.i32.const(0xff00ff00 | 0)),
  );
}

export { binaryen, Type };
