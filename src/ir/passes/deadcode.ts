import { Block, type Terminator, type Value } from '../block.ts';
import { OPS, op, STATE_GRANULES, TYPE_SIZES } from '../ops.ts';

const HELPER = op('helper');
const INSN = op('insn');
/** Ops that may leave the block: all state before them counts. */
const LEAVES = OPS.map(({ name }) => name === 'exit.if' || name.startsWith('slow.'));
const SETS = new Set(['set.i32', 'set.i64', 'set.f32', 'set.f64', 'set.v128'].map(op));
const GETS = new Set(['get.i32', 'get.i64', 'get.f32', 'get.f64', 'get.v128'].map(op));
const SET_FLAG = OPS.map((_, n) => SETS.has(n));
const GET_FLAG = OPS.map((_, n) => GETS.has(n));

/** Scratch, kept from call to call. */
let used = new Uint8Array(4096);
let keep = new Uint8Array(4096);
let to = new Int32Array(4096);
/** 1 where the granule is written later before it is seen. */
const dead = new Uint8Array(STATE_GRANULES);

export interface DeadcodeOptions {
  /** A load or store may leave with a precise exception, so the state before it counts (memory model `checked`). */
  readonly preciseMemory: boolean;
  /** State that no successor reads, by granule of four bytes (1 = dead); none without it. */
  readonly deadOut?: Uint8Array;
}

/** Removes state writes that are overwritten before anyone can see them, and values that nobody uses. */
export function deadcode(block: Block, options: DeadcodeOptions): Block {
  const n = block.length;
  if (n > used.length) {
    used = new Uint8Array(2 * n);
    keep = new Uint8Array(2 * n);
  }
  used.fill(0, 0, n);
  keep.fill(0, 0, n);
  if (options.deadOut) dead.set(options.deadOut);
  else dead.fill(0);
  if (block.terminatorValue >= 0) used[block.terminatorValue] = 1;
  for (let v = n - 1; v >= 0; v--) {
    const opcode = block.op[v];
    const info = OPS[opcode];
    let live = used[v] === 1;
    if (SET_FLAG[opcode]) {
      const first = block.a[v] >>> 2;
      const last = first + (TYPE_SIZES[block.typeOf(block.b[v])] >>> 2);
      for (let g = first; g < last; g++) live ||= dead[g] === 0;
      if (live) for (let g = first; g < last; g++) dead[g] = 1;
    } else if (GET_FLAG[opcode]) {
      if (live) {
        const first = block.a[v] >>> 2;
        const last = first + (TYPE_SIZES[info.result] >>> 2);
        for (let g = first; g < last; g++) dead[g] = 0;
      }
    } else if (opcode === HELPER) {
      const helper = block.helpers[block.a[v]];
      live ||= !helper.pure;
      if (live && helper.state) dead.fill(0, (helper.range?.[0] ?? 0) >>> 2, helper.range ? helper.range[1] >>> 2 : STATE_GRANULES);
    } else if (LEAVES[opcode]) {
      live = true;
      dead.fill(0);
    } else if (opcode === INSN) {
      live = true;
    } else if (info.memory) {
      live = true;
      if (options.preciseMemory) dead.fill(0);
    } else if (!info.pure) {
      live = true;
    }
    if (!live) continue;
    keep[v] = 1;
    const mask = block.valueMask(v);
    if (mask & 1) used[block.a[v]] = 1;
    if (mask & 2) used[block.b[v]] = 1;
    if (mask & 4) used[block.c[v]] = 1;
    if (mask & 8) used[block.d[v]] = 1;
  }
  return compact(block, keep);
}

/** The block with only the ops that `keep` marks. `same`: by op that it does not, the earlier one that takes its place. */
export function compact(block: Block, keep: Uint8Array, same?: Int32Array): Block {
  let n = 0;
  if (block.length > to.length) to = new Int32Array(2 * block.length);
  for (let v = 0; v < block.length; v++) to[v] = keep[v] ? n++ : to[same?.[v] ?? v];
  if (n === block.length) return block;
  const opcodes = new Array<number>(n);
  const a = new Array<number>(n);
  const b = new Array<number>(n);
  const c = new Array<number>(n);
  const d = new Array<number>(n);
  for (let v = 0; v < block.length; v++) {
    if (!keep[v]) continue;
    const m = to[v];
    const mask = block.valueMask(v);
    opcodes[m] = block.op[v];
    a[m] = mask & 1 ? to[block.a[v]] : block.a[v];
    b[m] = mask & 2 ? to[block.b[v]] : block.b[v];
    c[m] = mask & 4 ? to[block.c[v]] : block.c[v];
    d[m] = mask & 8 ? to[block.d[v]] : block.d[v];
  }
  const terminator = renumber(block.terminator, to);
  return new Block(block.pc, block.size, block.instructions, n, opcodes, a, b, c, d, terminator, block.shuffles, block.helpers);
}

/** With values numbered as `to` says. Written out, since what a spread makes has another shape for the engine. */
export function renumber(t: Terminator, to: ArrayLike<Value>): Terminator {
  switch (t.kind) {
    case 'branch':
      return { kind: t.kind, condition: to[t.condition], taken: t.taken, next: t.next };
    case 'call-indirect':
      return { kind: t.kind, target: to[t.target], next: t.next };
    case 'return':
    case 'jump':
      return { kind: t.kind, target: to[t.target] };
    default:
      return t;
  }
}
