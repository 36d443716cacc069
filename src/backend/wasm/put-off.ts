import { Block, type Value } from '../../ir/block.ts';
import { mapped } from '../../ir/lists.ts';
import { OPS, op, STATE_GRANULES, Type } from '../../ir/ops.ts';
import type { Register } from '../../isa/isa.ts';
import { callsOut, isDispatched, OUTSIDE, type Region } from './region.ts';
import {
  addAll,
  both,
  emptySet,
  eventsOf,
  has,
  isBarrier,
  isEmpty,
  isExact,
  overwrittenByCallees,
  type Purposes,
  type Slot,
  type SlotPlan,
  type SlotSet,
  type Slots,
  STATE_ACCESS,
  solve,
  usedFrom,
} from './slots.ts';

/**
 * Flags that the cases of a switch loop leave behind and none of them reads. They are only seen where the jump goes to a place that the
 * region does not know: so a case keeps what they follow from, and a number that says how, and they are computed there.
 */
export interface PutOff extends Switch {
  readonly slots: SlotSet;
  /** By number − 1: computes them from what was kept. */
  readonly ways: readonly Block[];
  /** By position of a block before a gate: its way's number; others write them back themselves. */
  readonly numbers: ReadonlyMap<number, number>;
  /** Successors of the jump that have to find the flags in memory. */
  readonly unsettled: ReadonlySet<number>;
}

/** A switch loop of which all ways that come to its header go on to one indirect jump. */
export interface Switch {
  readonly header: number;
  /** Position of the block that ends in the jump. */
  readonly jump: number;
  /** Positions of blocks from which control only goes on to the jump, that one and the header among them. */
  readonly gates: ReadonlySet<number>;
}

/** The plan with flags put off in switch loops; undefined if they can be in none. `slots` has PUT_OFF_REGISTERS. */
export function putOffFlags(region: Region, slots: Slots, purposes: Purposes): { region: Region; plan: SlotPlan } | undefined {
  const overwritten = overwrittenByCallees(region, slots, purposes);
  const events = mapped(region.blocks, (block) => eventsOf(block, slots, purposes));
  const isPlain = (i: number): boolean =>
    !purposes.leavesAtEntry(region.blocks[i]) &&
    events[i].every(({ kind, slot }) => kind === 'get' || (kind === 'set' && !has(slots.transient, slot)));
  let switches = [...purposes.switchLoops].flatMap((header) => {
    const found = isExact(header, purposes) ? undefined : switchAt(region, header, isPlain);
    return found ? [found] : [];
  });
  while (switches.length > 0) {
    const plan = solve(region, slots, { ...purposes, switches }, overwritten, false);
    const putOffs: PutOff[] = [];
    let { blocks } = region;
    for (const one of switches) {
      const seenFrom = (seesAll: (i: number) => boolean): readonly SlotSet[] =>
        usedFrom(region, events, purposes, slots.kept, { gates: one.gates, seesAll });
      const keeps = (i: number): boolean => putOffs.some(({ numbers }) => numbers.has(i));
      const found = putOff({ ...region, blocks }, one, slots, plan.spillBack, keeps, seenFrom);
      if (!found) continue;
      putOffs.push(found.putOff);
      blocks = found.blocks;
    }
    if (putOffs.length === switches.length) return { region: { ...region, blocks }, plan: { ...plan, putOff: putOffs } };
    switches = putOffs;
  }
  return undefined;
}

/** The switch at a loop header; `isPlain`: whether a block does nothing that can see a flag or sets one. */
function switchAt(region: Region, header: number, isPlain: (i: number) => boolean): Switch | undefined {
  let jump = header;
  for (;;) {
    const { kind } = region.blocks[jump].terminator;
    if (!isPlain(jump) || isDispatched(region, jump)) return undefined;
    if (kind === 'jump') break;
    const [next] = region.successors[jump];
    if (kind !== 'goto' || next <= jump || region.isLoopHeader[next]) return undefined;
    jump = next;
  }
  const gates = new Set([jump]);
  for (let size = 0; size < gates.size; ) {
    size = gates.size;
    for (const [i, { terminator }] of region.blocks.entries())
      if (terminator.kind === 'goto' && gates.has(region.successors[i][0]) && isPlain(i) && (i === header || !region.isLoopHeader[i]))
        gates.add(i);
  }
  return { header, jump, gates };
}

/** Operands of flags that a case may keep. */
const OPERANDS = 3;
/** Of the state, since all that ops name lies there; no ISA's registers reach so far, and none of these is ever written back. */
const pseudo = (name: string, k: number): Register => ({
  name,
  offset: 4 * (STATE_GRANULES - 1 - k),
  type: Type.I32,
  local: true,
  scratch: true,
  visible: false,
});
/** Which way the flags are to be computed, or 0. */
export const WAY: Register = pseudo('way', 0);
const KEPT: readonly Register[] = Array.from({ length: OPERANDS }, (_, k) => pseudo(`kept${k}`, k + 1));
export const PUT_OFF_REGISTERS: readonly Register[] = [WAY, ...KEPT];

const GET = op('get.i32');
const SET = op('set.i32');
const I32_CONST = op('i32.const');
const IS_SET = OPS.map(({ name }) => /^set\./.test(name));

/**
 * What is put off, with the region's blocks that keep what it follows from; undefined if nothing is. `keeps`: whether a block keeps something
 * for another switch. `seenFrom`: by position, what is seen from there on before it is written, up to a gate, if these blocks see all when
 * they go to one.
 */
function putOff(
  region: Region,
  { header, jump, gates }: Switch,
  slots: Slots,
  spillBack: SlotPlan['spillBack'],
  keeps: (i: number) => boolean,
  seenFrom: (seesAll: (i: number) => boolean) => readonly SlotSet[],
): { readonly putOff: PutOff; readonly blocks: readonly Block[] } | undefined {
  const all = emptySet();
  const before: number[] = [];
  for (const [i, to] of region.successors.entries()) {
    const into = gates.has(i) ? [] : to.filter((gate) => gates.has(gate));
    if (into.length > 0) before.push(i);
    for (const gate of into) addAll(all, both(spillBack[i].get(gate) ?? emptySet(), slots.transient));
  }
  if (isEmpty(all)) return undefined;
  const flags = slots.all.filter(({ number }) => has(all, number));
  const blocks = [...region.blocks];
  const numbers = new Map<number, number>();
  const ways = new Map<string, { readonly number: number; readonly block: Block }>();
  for (const i of before) {
    const follows = i < jump || callsOut(region, i) || keeps(i) ? undefined : operandsOf(region.blocks[i], flags);
    if (!follows) continue;
    const { op, a, b, c, d } = follows.way;
    const key = [op, a, b, c, d].join(';');
    const way = ways.get(key) ?? { number: ways.size + 1, block: follows.way };
    ways.set(key, way);
    numbers.set(i, way.number);
    blocks[i] = keeping(region.blocks[i], follows.operands, way.number);
  }
  if (numbers.size === 0) return undefined;
  const seen = seenFrom((i) => !numbers.has(i));
  const inside = new Set(region.successors[jump].filter((to) => to !== OUTSIDE));
  const unsettled = new Set([...inside].filter((to) => !gates.has(to) && !isEmpty(both(seen[to], all))));
  if (4 * unsettled.size > inside.size) return undefined;
  return { putOff: { header, jump, gates, slots: all, ways: [...ways.values()].map(({ block }) => block), numbers, unsettled }, blocks };
}

/** Values of the block that all these flags follow from at its end, and how, if it sets all of them and needs to keep no more than OPERANDS. */
function operandsOf(block: Block, flags: readonly Slot[]): { readonly operands: readonly Value[]; readonly way: Block } | undefined {
  const roots: Value[] = [];
  for (const { offset } of flags) {
    let v = block.length - 1;
    while (v >= 0 && !(IS_SET[block.op[v]] && block.a[v] === offset) && !isBarrier(block, v)) v--;
    if (v < 0 || isBarrier(block, v)) return undefined;
    roots.push(block.b[v]);
  }
  return computation(block, flags, roots, new Set()) ?? computation(block, flags, roots, neededAnyway(block, roots));
}

/** Values that more than the computation of `roots` needs. */
function neededAnyway(block: Block, roots: readonly Value[]): ReadonlySet<Value> {
  const inner = new Set(roots);
  for (const v of inner) forOperands(block, v, (x) => inner.add(x));
  const needed = new Set<Value>();
  for (let v = 0; v < block.length; v++) {
    const isFlag = IS_SET[block.op[v]] && roots.includes(block.b[v]);
    if (!inner.has(v) && !isFlag) forOperands(block, v, (x) => inner.has(x) && needed.add(x));
  }
  return needed;
}

function forOperands(block: Block, v: Value, f: (operand: Value) => void): void {
  for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) if (mask & 1) f(block.operand(v, i));
}

function computation(
  block: Block,
  flags: readonly Slot[],
  roots: readonly Value[],
  ends: ReadonlySet<Value>,
): { readonly operands: readonly Value[]; readonly way: Block } | undefined {
  const words: number[][] = [[], [], [], [], []];
  const operands: Value[] = [];
  const to = new Map<Value, Value>();
  const append = (...row: readonly number[]): Value => {
    for (const [k, list] of words.entries()) list.push(row[k] ?? 0);
    return words[0].length - 1;
  };
  const copy = (v: Value): Value | undefined => {
    const known = to.get(v);
    if (known !== undefined) return known;
    const isConst = block.op[v] === I32_CONST;
    let made: Value | undefined;
    if (!isConst && (ends.has(v) || !OPS[block.op[v]].pure || STATE_ACCESS[block.op[v]])) {
      if (block.typeOf(v) !== Type.I32 || operands.length === OPERANDS) return undefined;
      made = append(GET, KEPT[operands.push(v) - 1].offset);
    } else {
      // whose immediates may be indexes into the block's own tables
      if (block.typeOf(v) === Type.V128) return undefined;
      const row = [block.op[v], block.a[v], block.b[v], block.c[v], block.d[v]];
      for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) {
        if (!(mask & 1)) continue;
        const operand = copy(block.operand(v, i));
        if (operand === undefined) return undefined;
        row[i + 1] = operand;
      }
      made = append(...row);
    }
    to.set(v, made);
    return made;
  };
  for (const [k, { offset }] of flags.entries()) {
    const value = copy(roots[k]);
    if (value === undefined) return undefined;
    append(SET, offset, value);
  }
  const [opcodes, a, b, c, d] = words;
  const way = new Block(block.pc, 0, 0, opcodes.length, opcodes, a, b, c, d, { kind: 'goto', pc: block.pc }, block.shuffles, block.helpers);
  return { operands, way };
}

/** The block with its values kept, and the number of what is to be done with them. */
function keeping(block: Block, operands: readonly Value[], number: number): Block {
  const n = block.length;
  const rows: (readonly number[])[] = mapped(operands, (v, k) => [SET, KEPT[k].offset, v]);
  rows.push([I32_CONST, number, 0], [SET, WAY.offset, n + rows.length]);
  const with_ = (words: ArrayLike<number>, k: number): number[] => [...Array.from(words).slice(0, n), ...rows.map((row) => row[k] ?? 0)];
  return new Block(
    block.pc,
    block.size,
    block.instructions,
    n + rows.length,
    with_(block.op, 0),
    with_(block.a, 1),
    with_(block.b, 2),
    with_(block.c, 3),
    with_(block.d, 4),
    block.terminator,
    block.shuffles,
    block.helpers,
  );
}
