import type { Block, Value } from '../../ir/block.ts';
import { OPS, op } from '../../ir/ops.ts';
import { isConstant } from './expressions.ts';
import { isBarrier } from './slots.ts';

const I32_CONST = op('i32.const');
const I32_ADD = op('i32.add');
const HELPER = op('helper');

/** Bytes that a group covers at most: a larger one crosses the end of a page more often. */
const MOST_BYTES = 256;

/** Accesses of a block at constant distances from one value: if all lie in one page, one look at the TLB does for them. */
export interface AccessGroup {
  /** The op that comes first. */
  readonly first: Value;
  /** From the value on: where the first byte lies, and the end. */
  low: number;
  high: number;
  reads: boolean;
  writes: boolean;
  /** Bytes of the widest access. */
  widest: number;
}

/** By access, of those that share one with another: its group, and how far it lies from the value. */
export type GroupedAccesses = ReadonlyMap<Value, { readonly group: AccessGroup; readonly offset: number }>;

/** `aligned`: accesses must be naturally aligned. */
export function groupAccesses(block: Block, aligned: boolean): GroupedAccesses {
  const members = new Map<Value, { readonly group: AccessGroup; readonly offset: number }>();
  const sizes = new Map<AccessGroup, number>();
  /** By value: the group that may still grow. */
  const open = new Map<Value, AccessGroup>();
  for (let v = 0; v < block.length; v++) {
    const { memory, bytes } = OPS[block.op[v]];
    // what was looked up need not be so after it
    if (isBarrier(block, v) || (block.op[v] === HELPER && !block.helpers[block.a[v]].pure)) open.clear();
    if (!memory || isConstant(block.op[block.a[v]])) continue;
    const address = block.a[v];
    const moved = block.op[address] === I32_ADD && block.op[block.b[address]] === I32_CONST;
    const base = moved ? block.a[address] : address;
    const offset = moved ? block.a[block.b[address]] : 0;
    if (aligned && offset & (bytes - 1)) continue;
    let group = open.get(base);
    if (!group || Math.max(group.high, offset + bytes) - Math.min(group.low, offset) > MOST_BYTES) {
      group = { first: v, low: offset, high: offset + bytes, reads: false, writes: false, widest: bytes };
      open.set(base, group);
    }
    group.low = Math.min(group.low, offset);
    group.high = Math.max(group.high, offset + bytes);
    group.widest = Math.max(group.widest, bytes);
    if (memory === 'load') group.reads = true;
    else group.writes = true;
    members.set(v, { group, offset });
    sizes.set(group, (sizes.get(group) ?? 0) + 1);
  }
  for (const [v, { group }] of members) if (sizes.get(group) === 1) members.delete(v);
  return members;
}
