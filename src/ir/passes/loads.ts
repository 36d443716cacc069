import type { Block, Value } from '../block.ts';
import { OPS, op } from '../ops.ts';
import { compact } from './deadcode.ts';

const I32_CONST = op('i32.const');
const I32_ADD = op('i32.add');
const HELPER = op('helper');
/** By number of a store: the load that gives what was stored. */
const LOAD_OF = OPS.map(({ name }) => (/\.store$/.test(name) ? op(name.replace('store', 'load')) : -1));

/** What memory is known to hold. `base`: the op that the address is `offset` more than, -1 for none. */
interface Known {
  readonly base: Value;
  readonly offset: number;
  readonly bytes: number;
  /** Number of the load, and its byte order. */
  readonly load: number;
  readonly order: number;
  readonly value: Value;
}

/**
 * Removes loads of what was loaded or stored before in the block. Only where memory is nothing but memory, and where a fault need not be
 * precise.
 */
export function forwardLoads(block: Block): Block {
  let known: Known[] = [];
  let keep: Uint8Array | undefined;
  let same: Int32Array | undefined;
  const find = (v: Value): Value => (same !== undefined && keep![v] === 0 ? same[v] : v);
  for (let v = 0; v < block.length; v++) {
    const opcode = block.op[v];
    const { memory, bytes } = OPS[opcode];
    if (opcode === HELPER && !block.helpers[block.a[v]].pure) known = [];
    if (!memory) continue;
    const [base, offset] = placeOf(block, block.a[v], find);
    if (memory === 'load') {
      const order = block.b[v];
      const before = known.find((k) => k.base === base && k.offset === offset && k.load === opcode && k.order === order);
      if (!before) {
        known.push({ base, offset, bytes, load: opcode, order, value: v });
        continue;
      }
      keep ??= new Uint8Array(block.length).fill(1);
      same ??= new Int32Array(block.length);
      keep[v] = 0;
      same[v] = before.value;
      continue;
    }
    known = known.filter((k) => k.base === base && (offset - k.offset) >>> 0 >= k.bytes && (k.offset - offset) >>> 0 >= bytes);
    const load = LOAD_OF[opcode];
    if (load >= 0) known.push({ base, offset, bytes, load, order: block.c[v], value: find(block.b[v]) });
  }
  return keep === undefined ? block : compact(block, keep, same);
}

function placeOf(block: Block, address: Value, find: (v: Value) => Value): readonly [base: Value, offset: number] {
  const at = find(address);
  if (block.op[at] === I32_CONST) return [-1, block.a[at]];
  if (block.op[at] === I32_ADD && block.op[block.b[at]] === I32_CONST) return [find(block.a[at]), block.a[block.b[at]]];
  return [at, 0];
}
