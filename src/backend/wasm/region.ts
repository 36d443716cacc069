import type { Block } from '../../ir/block.ts';

/** Limits that keep one Wasm function well inside what engines compile quickly. */
export interface RegionLimits {
  readonly blocks: number;
  readonly instructions: number;
}
export const REGION_LIMITS: RegionLimits = { blocks: 400, instructions: 4000 };
const FRAGMENT_LIMITS: RegionLimits = { blocks: 16, instructions: 100 };

/** Where control goes on inside a region: positions in Region.blocks, or OUTSIDE. */
export const OUTSIDE = -1;

/**
 * A translation unit: one entry, blocks in reverse postorder (the entry is 0), a reducible control-flow graph with its
 * dominator tree. What the graph leaves out (limits, irreducible edges) is an edge to OUTSIDE.
 */
export interface Region {
  readonly entry: number;
  readonly blocks: readonly Block[];
  /** For each block its successors in the order of successorPcs(). */
  readonly successors: readonly (readonly number[])[];
  readonly dominatorChildren: readonly (readonly number[])[];
  readonly isLoopHeader: readonly boolean[];
  /** Has two or more forward predecessors. */
  readonly isMerge: readonly boolean[];
  readonly instructions: number;
  /** Where control may leave to and would not, had the region more blocks. */
  readonly outside: ReadonlySet<number>;
  /** By pc of a block that ends in an indirect jump: targets it was seen to take, as its successors are ordered. */
  readonly jumpTargets: ReadonlyMap<number, readonly number[]>;
}

/** Gives the block at a pc; with `end`, no more of it than up to there, if an instruction begins there. */
export type LiftTo = (pc: number, end?: number) => Block | undefined;

/** pcs at which the guest may go on inside the same function: those known statically, and targets of a jump that were seen. */
function successorPcs(block: Block, jumpTargets: (block: Block) => readonly number[]): readonly number[] {
  const t = block.terminator;
  switch (t.kind) {
    case 'goto':
      return [t.pc];
    case 'branch':
      return [t.taken, t.next];
    case 'call':
    case 'call-indirect':
      return [t.next];
    case 'jump':
      return jumpTargets(block);
    default:
      return [];
  }
}

/**
 * Collects the blocks of the guest function that `entry` begins, breadth first, as far as the limits allow and without those
 * that `endsBefore` leaves out.
 */
export function formRegion(
  entry: number,
  lift: LiftTo,
  seenTargets: (block: Block) => readonly number[] = () => [],
  limits: RegionLimits = REGION_LIMITS,
  endsBefore: (pc: number) => boolean = () => false,
): Region | undefined {
  const known = new Map<number, readonly number[]>();
  /** Asked once a block, since targets are being seen while this runs. */
  const jumpTargets = (block: Block): readonly number[] => {
    let pcs = known.get(block.pc);
    if (!pcs) {
      pcs = seenTargets(block);
      known.set(block.pc, pcs);
    }
    return pcs;
  };
  const first = lift(entry);
  if (!first) return undefined;
  let found = new Map<number, Block>([[entry, first]]);
  const queue = [first];
  let instructions = first.instructions;
  for (let i = 0; i < queue.length; i++) {
    for (const pc of successorPcs(queue[i], jumpTargets)) {
      if (found.has(pc) || found.size >= limits.blocks || instructions >= limits.instructions || endsBefore(pc)) continue;
      const block = lift(pc);
      if (!block) continue;
      found.set(pc, block);
      queue.push(block);
      instructions += block.instructions;
    }
  }
  found = splitOverlaps(found, lift, known);
  const blocks = reversePostorder(entry, found, jumpTargets);
  const position = new Map(blocks.map((block, i) => [block.pc, i]));
  const outside = new Set<number>();
  const successors = blocks.map((block) =>
    successorPcs(block, jumpTargets).map((pc) => {
      const to = position.get(pc);
      if (to === undefined) outside.add(pc);
      return to ?? OUTSIDE;
    }),
  );
  const dominators = makeReducible(successors);
  const isLoopHeader = blocks.map(() => false);
  const forward = blocks.map(() => 0);
  for (const [from, targets] of successors.entries()) {
    for (const to of targets) {
      if (to === OUTSIDE) continue;
      if (to <= from) isLoopHeader[to] = true;
      else forward[to]++;
    }
  }
  const dominatorChildren: number[][] = blocks.map(() => []);
  for (let i = 1; i < blocks.length; i++) dominatorChildren[dominators[i]].push(i);
  return {
    entry,
    blocks,
    successors,
    dominatorChildren,
    isLoopHeader,
    isMerge: forward.map((n) => n > 1),
    instructions: blocks.reduce((sum, block) => sum + block.instructions, 0),
    outside,
    jumpTargets: known,
  };
}

/**
 * Ends each block where another one begins in it. A loop that is entered beside its first block, as compilers leave it that
 * turn loops round, would else have two entries, and its code would be there twice.
 */
function splitOverlaps(found: ReadonlyMap<number, Block>, lift: LiftTo, jumpTargets: Map<number, readonly number[]>): Map<number, Block> {
  const starts = Uint32Array.from(found.keys()).sort();
  const out = new Map(found);
  for (let i = 0; i < starts.length - 1; i++) {
    const pc = starts[i];
    const block = found.get(pc)!;
    for (let k = i + 1; k < starts.length && starts[k] < pc + block.size; k++) {
      const part = lift(pc, starts[k]);
      if (part?.terminator.kind !== 'goto' || part.terminator.pc !== starts[k] || part.size !== starts[k] - pc) continue;
      out.set(pc, part);
      const targets = jumpTargets.get(pc);
      // the jump at their common end was seen from either
      if (targets) jumpTargets.set(starts[k], [...new Set([...(jumpTargets.get(starts[k]) ?? []), ...targets])]);
      break;
    }
  }
  return out;
}

/** A small region for what is entered in the midst of a function that has a region already. */
export function formFragment(
  entry: number,
  lift: LiftTo,
  seenTargets: (block: Block) => readonly number[],
  endsBefore: (pc: number) => boolean,
): Region | undefined {
  return formRegion(entry, lift, seenTargets, FRAGMENT_LIMITS, endsBefore);
}

function reversePostorder(entry: number, found: ReadonlyMap<number, Block>, jumpTargets: (block: Block) => readonly number[]): Block[] {
  const order: Block[] = [];
  const seen = new Set([entry]);
  const stack: { block: Block; next: number; pcs: readonly number[] }[] = [];
  const enter = (block: Block): void => {
    stack.push({ block, next: 0, pcs: successorPcs(block, jumpTargets) });
  };
  enter(found.get(entry)!);
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.next === top.pcs.length) {
      order.push(top.block);
      stack.pop();
      continue;
    }
    const pc = top.pcs[top.next++];
    const block = found.get(pc);
    if (block && !seen.has(pc)) {
      seen.add(pc);
      enter(block);
    }
  }
  return order.reverse();
}

/** Sends edges that enter a loop beside its header OUTSIDE until none is left; returns the immediate dominators. */
function makeReducible(successors: number[][]): Int32Array {
  for (;;) {
    const dominators = immediateDominators(successors);
    let cut = false;
    for (const [from, targets] of successors.entries()) {
      for (const [i, to] of targets.entries()) {
        if (to === OUTSIDE || to > from || dominates(dominators, to, from)) continue;
        targets[i] = OUTSIDE;
        cut = true;
      }
    }
    if (!cut) return dominators;
  }
}

function dominates(dominators: Int32Array, a: number, b: number): boolean {
  let at = b;
  while (at > a) at = dominators[at];
  return at === a;
}

/** Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", over positions in reverse postorder. */
function immediateDominators(successors: readonly (readonly number[])[]): Int32Array {
  const n = successors.length;
  const predecessors: number[][] = Array.from({ length: n }, () => []);
  for (const [from, targets] of successors.entries()) for (const to of targets) if (to !== OUTSIDE) predecessors[to].push(from);
  const dominators = new Int32Array(n).fill(-1);
  dominators[0] = 0;
  const intersect = (x: number, y: number): number => {
    let a = x;
    let b = y;
    while (a !== b) {
      while (a > b) a = dominators[a];
      while (b > a) b = dominators[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let b = 1; b < n; b++) {
      let best = -1;
      for (const p of predecessors[b]) if (dominators[p] !== -1) best = best === -1 ? p : intersect(p, best);
      if (dominators[b] !== best) {
        dominators[b] = best;
        changed = true;
      }
    }
  }
  return dominators;
}
