import type { Block } from '../../ir/block.ts';
import { mapped } from '../../ir/lists.ts';
import { OPS, op, STATE_GRANULES, TYPE_SIZES, Type } from '../../ir/ops.ts';
import { separateBranch } from '../../ir/passes/branches.ts';
import { deadcode } from '../../ir/passes/deadcode.ts';
import { forwardLoads } from '../../ir/passes/loads.ts';
import type { Register } from '../../isa/isa.ts';
import { callsOut, isDispatched, OUTSIDE, type Region } from './region.ts';

/** A register that regions keep in a Wasm local. */
export interface Slot {
  readonly number: number;
  readonly offset: number;
  readonly type: Type;
}

/** A set of slot numbers, 0…63. */
export interface SlotSet {
  lo: number;
  hi: number;
}
const emptySet = (): SlotSet => ({ lo: 0, hi: 0 });
const copy = (s: SlotSet): SlotSet => ({ lo: s.lo, hi: s.hi });
const addAll = (to: SlotSet, from: SlotSet): void => {
  to.lo |= from.lo;
  to.hi |= from.hi;
};
const add = (s: SlotSet, n: number): void => {
  if (n < 32) s.lo |= 1 << n;
  else s.hi |= 1 << (n - 32);
};
const remove = (s: SlotSet, n: number): void => {
  if (n < 32) s.lo &= ~(1 << n);
  else s.hi &= ~(1 << (n - 32));
};
export const has = (s: SlotSet, n: number): boolean => (n < 32 ? (s.lo >>> n) & 1 : (s.hi >>> (n - 32)) & 1) === 1;
export const both = (a: SlotSet, b: SlotSet): SlotSet => ({ lo: a.lo & b.lo, hi: a.hi & b.hi });
const without = (a: SlotSet, b: SlotSet): SlotSet => ({ lo: a.lo & ~b.lo, hi: a.hi & ~b.hi });
const same = (a: SlotSet, b: SlotSet): boolean => a.lo === b.lo && a.hi === b.hi;

const HELPER = op('helper');
const LEAVES = OPS.map(({ name }) => name === 'exit.if' || name.startsWith('slow.'));
export const STATE_ACCESS: readonly ('get' | 'set' | undefined)[] = OPS.map((info) =>
  /^get\./.test(info.name) ? 'get' : /^set\./.test(info.name) ? 'set' : undefined,
);

/** Registers in locals, of one region: what a SlotSet has numbers for. */
export const MAX_SLOTS = 64;

/** The ISA's registers that may live in locals, found by state offset. */
export class Slots {
  readonly all: readonly Slot[];
  /** See Register.transient. */
  readonly transient: SlotSet = emptySet();
  /** All that is not Register.scratch. */
  readonly kept: SlotSet = emptySet();
  private readonly byGranule: (Slot | undefined)[] = [];
  constructor(registers: readonly Register[]) {
    const local = registers.filter((r) => r.local);
    this.all = local.map((r, number) => ({ number, offset: r.offset, type: r.type }));
    for (const [number, register] of local.entries()) {
      if (register.transient) add(this.transient, number);
      if (!register.scratch) add(this.kept, number);
    }
    if (this.all.length > MAX_SLOTS) throw new Error(`more than ${MAX_SLOTS} registers are marked local`);
    for (const slot of this.all) for (let i = 0; i < TYPE_SIZES[slot.type]; i += 4) this.byGranule[(slot.offset + i) >>> 2] = slot;
  }
  /** The slots that these blocks' ops read or write. */
  touchedBy(blocks: readonly Block[]): readonly Slot[] {
    const touched = new Set<number>();
    for (const block of blocks) {
      for (let v = 0; v < block.length; v++) {
        const slot = STATE_ACCESS[block.op[v]] && this.byGranule[block.a[v] >>> 2];
        if (slot) touched.add(slot.number);
      }
    }
    return this.all.filter((slot) => touched.has(slot.number));
  }
  /** The slot of a state access, undefined if this part of the state stays in memory. */
  at(offset: number, type: Type): Slot | undefined {
    const slot = this.byGranule[offset >>> 2];
    if (slot && (slot.offset !== offset || slot.type !== type))
      throw new Error(`state offset ${offset} is a local register, accessed as another type or place`);
    return slot;
  }
}

/** What a region has to write back and to read, and where. */
export interface SlotPlan {
  /** Slots to load when the region is entered. */
  readonly entry: SlotSet;
  /** By block: slots to write back where it is left before its first op. */
  readonly spillIn: readonly SlotSet[];
  /** By block: slots to write back where control leaves the region after its last op. */
  readonly spillOut: readonly SlotSet[];
  /** By block: slots to write back where it goes back to the header of a switch loop. */
  readonly spillBack: readonly SlotSet[];
  /** By block and op (a spill point: exit.if, slow path, faulting access, helper with state): slots to write back there. */
  readonly spillAt: readonly ReadonlyMap<number, SlotSet>[];
  /** By block and op (helper with state): slots to load after it. */
  readonly reloadAt: readonly ReadonlyMap<number, SlotSet>[];
  readonly liveIn: readonly SlotSet[];
}

export interface Purposes {
  /** Loads and stores may leave with a precise fault. */
  readonly preciseMemory: boolean;
  /** The block may be left before its first op, at its own pc (its bytes are verified there). */
  readonly leavesAtEntry: (block: Block) => boolean;
  /** Registers hold at a budget exit what they hold in the interpreter, not only those that are read later. */
  readonly exactState: boolean;
  /** The block at a pc that is called, if it can be had. */
  readonly callee: (pc: number) => Block | undefined;
  /**
   * Headers of loops that are left in many places. What is not read from there on before it is written is written back where they are gone
   * back to, if an exit may show it: else all that exits show would go round the loop.
   */
  readonly switchLoops: ReadonlySet<number>;
  /** The same as exactState for these headers. */
  readonly exactSwitches: boolean;
  /** State offset of a register that calls read, if they do. */
  readonly readByCalls: number | undefined;
}

/** A helper that sees local registers in memory. */
export const isBarrier = (block: Block, v: number): boolean => {
  if (block.op[v] !== HELPER) return false;
  const helper = block.helpers[block.a[v]];
  return helper.state && !helper.range;
};
const isSpillPoint = (block: Block, v: number, precise: boolean): boolean => {
  const number = block.op[v];
  return LEAVES[number] || (precise && OPS[number].memory !== undefined) || isBarrier(block, v);
};

/** What a block does to slots, in order: the op's index, and the slot read or written, or that slots are written back. */
interface SlotEvent {
  readonly kind: 'get' | 'set' | 'spill' | 'barrier';
  readonly op: number;
  readonly slot: number;
}

function eventsOf(block: Block, slots: Slots, { preciseMemory }: Purposes): SlotEvent[] {
  const events: SlotEvent[] = [];
  for (let v = 0; v < block.length; v++) {
    const access = STATE_ACCESS[block.op[v]];
    if (access) {
      const slot = slots.at(block.a[v], access === 'get' ? OPS[block.op[v]].result : block.typeOf(block.b[v]));
      if (slot) events.push({ kind: access, op: v, slot: slot.number });
    } else if (isBarrier(block, v)) events.push({ kind: 'barrier', op: v, slot: -1 });
    else if (isSpillPoint(block, v, preciseMemory)) events.push({ kind: 'spill', op: v, slot: -1 });
  }
  return events;
}

/** Transient slots that the callee writes before anything can read them: the caller need not write them back. */
function overwrittenByCallee(block: Block, slots: Slots, purposes: Purposes): SlotSet {
  const overwritten = emptySet();
  const t = block.terminator;
  // without such slots the callee is not looked at: its accesses need not be of the types of this region's slots (Register.mixed)
  const hasTransient = !same(slots.transient, emptySet());
  const callee = t.kind === 'call' && hasTransient ? purposes.callee(t.target) : undefined;
  if (!callee) return overwritten;
  const read = emptySet();
  for (const { kind, slot } of eventsOf(callee, slots, purposes)) {
    if (kind === 'get') add(read, slot);
    else if (kind === 'set') add(overwritten, slot);
    else break;
    if (kind === 'set' && has(read, slot)) remove(overwritten, slot);
  }
  return both(overwritten, slots.transient);
}

/**
 * Solves two problems over the region: which slots may be dirty (forward), and which must hold a value (backward), where
 * writing a dirty slot back counts as a use. `allDirty` assumes every slot is dirty everywhere, which asks what state can
 * be seen at all.
 */
function solve(region: Region, slots: Slots, purposes: Purposes, overwritten: readonly SlotSet[], allDirty: boolean): SlotPlan {
  const n = region.blocks.length;
  const { readByCalls } = purposes;
  const readByCall = readByCalls === undefined ? undefined : slots.at(readByCalls, Type.I32);
  const events = mapped(region.blocks, (block, i) => {
    const list = eventsOf(block, slots, purposes);
    if (readByCall && (callsOut(region, i) || region.isInlined[i])) list.push({ kind: 'get', op: block.length, slot: readByCall.number });
    return list;
  });
  const make = (): SlotSet[] => mapped(region.blocks, emptySet);
  const dirtyIn = make();
  if (allDirty) for (const dirty of dirtyIn) addAll(dirty, slots.kept);
  const dirtyOut = make();
  const spillOut = make();
  const spillBack = make();
  const isBack = (i: number, to: number): boolean => to !== OUTSIDE && to <= i && purposes.switchLoops.has(to);
  const hasSwitches = purposes.switchLoops.size > 0;
  const read = hasSwitches ? usedFrom(region, events, purposes, emptySet()) : [];
  const seen = hasSwitches ? usedFrom(region, events, purposes, slots.kept) : [];
  const spillAt = mapped(region.blocks, () => new Map<number, SlotSet>());

  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < n; i++) {
      const dirty = copy(dirtyIn[i]);
      for (const { kind, op: v, slot } of events[i]) {
        if (kind === 'set') add(dirty, slot);
        else if (kind !== 'get') spillAt[i].set(v, copy(dirty));
        if (kind === 'barrier' && !allDirty) dirty.lo = dirty.hi = 0;
      }
      dirtyOut[i] = both(dirty, slots.kept);
      spillOut[i] = without(dirty, overwritten[i]);
      if (callsOut(region, i)) continue;
      for (const to of region.successors[i]) {
        if (to === OUTSIDE) continue;
        const before = copy(dirtyIn[to]);
        if (isBack(i, to)) spillBack[i] = both(without(dirty, read[to]), seen[to]);
        addAll(dirtyIn[to], isBack(i, to) ? both(dirty, read[to]) : dirty);
        // only a loop header that was passed already asks for another round
        if (to <= i && !same(before, dirtyIn[to])) changed = true;
      }
    }
  }

  const liveIn = make();
  const reloadAt = mapped(region.blocks, () => new Map<number, SlotSet>());
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = n - 1; i >= 0; i--) {
      const live = liveOutOf(region, i, spillOut, spillBack, liveIn, purposes);
      for (let k = events[i].length - 1; k >= 0; k--) {
        const { kind, op: v, slot } = events[i][k];
        if (kind === 'get') add(live, slot);
        else if (kind === 'set') remove(live, slot);
        else {
          if (kind === 'barrier') {
            reloadAt[i].set(v, copy(live));
            live.lo = live.hi = 0;
          }
          addAll(live, spillAt[i].get(v)!);
        }
      }
      // a budget check at a loop header writes back what is dirty there, or only what somebody reads
      if (region.isLoopHeader[i] && isExact(i, purposes)) addAll(live, without(dirtyIn[i], slots.transient));
      if (purposes.leavesAtEntry(region.blocks[i])) addAll(live, dirtyIn[i]);
      if (!same(live, liveIn[i])) {
        liveIn[i] = live;
        if (region.isLoopHeader[i]) changed = true;
      }
    }
  }
  const spillIn = mapped(dirtyIn, (dirty, i) => both(dirty, liveIn[i]));
  return { entry: liveIn[0], spillIn, spillOut, spillBack, spillAt, reloadAt, liveIn };
}

/**
 * By block: slots that are read from there on before they are written, or that are among `shown` and may still be as they are where the
 * region is left.
 */
function usedFrom(region: Region, events: readonly (readonly SlotEvent[])[], purposes: Purposes, shown: SlotSet): readonly SlotSet[] {
  const usedIn = mapped(region.blocks, emptySet);
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = usedIn.length - 1; i >= 0; i--) {
      const used = leavesAtEnd(region, i, purposes) || callsOut(region, i) ? copy(shown) : emptySet();
      for (const to of region.successors[i]) addAll(used, to === OUTSIDE ? shown : usedIn[to]);
      for (const { kind, slot } of events[i].toReversed()) {
        if (kind === 'get') add(used, slot);
        else if (kind === 'set') remove(used, slot);
        else addAll(used, shown);
      }
      if ((region.isLoopHeader[i] && isExact(i, purposes)) || purposes.leavesAtEntry(region.blocks[i])) addAll(used, shown);
      if (same(used, usedIn[i])) continue;
      usedIn[i] = used;
      if (region.isLoopHeader[i]) changed = true;
    }
  }
  return usedIn;
}

/** Whether a budget exit at this loop header has to show all registers. */
const isExact = (header: number, { switchLoops, exactSwitches, exactState }: Purposes): boolean =>
  switchLoops.has(header) ? exactSwitches : exactState;

/** Whether control may leave the region after the block's last op, beside successors that are OUTSIDE. */
function leavesAtEnd(region: Region, i: number, purposes: Purposes): boolean {
  const { kind } = region.blocks[i].terminator;
  const staysInside = region.isInlined[i] && purposes.readByCalls === undefined;
  // a jump may also go where it was never seen to go, but one that goes back to where jumps meet goes nowhere else
  return kind !== 'goto' && kind !== 'branch' && !staysInside && !isDispatched(region, i);
}

function liveOutOf(
  region: Region,
  i: number,
  spillOut: readonly SlotSet[],
  spillBack: readonly SlotSet[],
  liveIn: readonly SlotSet[],
  purposes: Purposes,
): SlotSet {
  const live = leavesAtEnd(region, i, purposes) ? copy(spillOut[i]) : emptySet();
  addAll(live, spillBack[i]);
  if (callsOut(region, i)) return live;
  for (const to of region.successors[i]) addAll(live, to === OUTSIDE ? spillOut[i] : liveIn[to]);
  return live;
}

/** Removes state writes that nobody can see, over the whole region, and plans the rest. */
export function planSlots(region: Region, slots: Slots, purposes: Purposes): { region: Region; plan: SlotPlan } {
  const overwritten = mapped(region.blocks, (block) => overwrittenByCallee(block, slots, purposes));
  const visible = solve(region, slots, purposes, overwritten, true);
  const blocks = mapped(region.blocks, (block, i) => {
    const live = liveOutOf(region, i, visible.spillOut, visible.spillBack, visible.liveIn, purposes);
    const deadOut = new Uint8Array(STATE_GRANULES);
    for (const slot of slots.all) {
      if (has(live, slot.number)) continue;
      for (let byte = 0; byte < TYPE_SIZES[slot.type]; byte += 4) deadOut[(slot.offset + byte) >>> 2] = 1;
    }
    const known = purposes.preciseMemory ? block : forwardLoads(block);
    return separateBranch(deadcode(known, { preciseMemory: purposes.preciseMemory, deadOut }));
  });
  const lean = { ...region, blocks };
  return { region: lean, plan: solve(lean, slots, purposes, overwritten, false) };
}
