import { Block } from '../../ir/block.ts';
import { mapped } from '../../ir/lists.ts';
import { type Graph, unrollLoops } from './unroll.ts';

/** Limits that keep one Wasm function well inside what engines compile quickly. */
export interface RegionLimits {
  readonly blocks: number;
  readonly instructions: number;
  /** Of callees that are put in place of calls, in all; without it none are. */
  readonly inlined?: number;
  /** By which small loops may make it larger (see unrollLoops), in all; without it none do. */
  readonly unrolled?: number;
  /** Of callees only those that lie on pages that the region lies on. */
  readonly samePages?: boolean;
  /** Jumps that go to each other's targets may meet; see Region.dispatches. */
  readonly dispatches?: boolean;
}
/** Ops of a region, about: engines refuse functions of more than 7.6 MB. */
const MOST_OPS = 1 << 16;
export const REGION_LIMITS: RegionLimits = { blocks: 400, instructions: 4000 };
/** For RegionLimits.inlined. */
export const INLINED_INSTRUCTIONS = 150;
/** For RegionLimits.unrolled. */
export const UNROLLED_INSTRUCTIONS = 200;
/** A callee that is put in place of a call has less than these. */
const CALLEE_LIMITS: RegionLimits = { blocks: 12, instructions: 40 };
/** Calls in callees in place of calls, so deep. */
const INLINED_DEPTH = 2;
/** The same of a function that calls itself, and how many instructions more that may be. */
const RECURSION_DEPTH = 3;
const RECURSION_INSTRUCTIONS = 150;
const FRAGMENT_LIMITS: RegionLimits = { blocks: 16, instructions: 100 };

/** Where control goes on inside a region: positions in Region.blocks, or OUTSIDE. */
export const OUTSIDE = -1;

/**
 * A translation unit: one entry, blocks in reverse postorder (the entry is 0), a reducible control-flow graph with its
 * dominator tree. What the graph leaves out (limits, irreducible edges) is an edge to OUTSIDE.
 */
export interface Region {
  readonly entry: number;
  /**
   * Position 0 is no code of the guest's, but where indirect jumps that share targets meet, as those of an interpreter whose every
   * instruction ends in a jump to the next: it goes on at the pc that the function was called with, or that one of them set. So each of
   * its targets is an entry, too.
   */
  readonly dispatches: boolean;
  /** A block of a callee that was put in place of calls is there once for each. */
  readonly blocks: readonly Block[];
  /** By position: a call in whose place its callee's blocks are. */
  readonly isInlined: readonly boolean[];
  /** By position, for blocks of a callee in place of a call: the pc that it is expected to return to. */
  readonly returnsTo: readonly (number | undefined)[];
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

/** A call that leaves the region and comes back. */
export const callsOut = (region: Region, i: number): boolean => isCall(region.blocks[i]) && !region.isInlined[i];
/** A jump that goes on at position 0. */
export const isDispatched = ({ dispatches, successors }: Region, i: number): boolean => dispatches && i > 0 && successors[i][0] === 0;
/** pcs beside its own at which a region can be entered. */
export function innerEntries({ entry, dispatches, blocks, returnsTo, jumpTargets }: Region): number[] {
  if (!dispatches) return [];
  const own = new Set(blocks.filter((_, i) => returnsTo[i] === undefined).map(({ pc }) => pc));
  return (jumpTargets.get(entry) ?? []).filter((pc) => pc !== entry && own.has(pc));
}
const isCall = ({ terminator: { kind } }: Block): boolean => kind === 'call' || kind === 'call-indirect';

/** A callee in place of a call. */
interface Frame {
  readonly number: number;
  /** Where the call goes on: a pc of the caller. */
  readonly next: number;
  readonly caller: Frame | undefined;
  readonly depth: number;
}
/** A block at a position of the region. */
interface Node {
  readonly block: Block;
  readonly frame: Frame | undefined;
  /** The callee that takes the place of the call at the block's end. */
  callee?: Frame;
}
/** Nodes by pc and frame. */
const nodeKey = (pc: number, frame: Frame | undefined): number => pc + (frame?.number ?? 0) * 0x1_0000_0000;
/** Of the node where jumps meet. */
const DISPATCH_KEY = -1;
const EMPTY: number[] = [];
const dispatchBlock = (entry: number): Block =>
  new Block(entry, 0, 0, 0, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, { kind: 'jump', target: -1 }, [], []);

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
  let found = collectBlocks([entry], lift, jumpTargets, known, limits, endsBefore);
  if (!found) return undefined;
  const dispatched = limits.dispatches ? jumpsThatMeet(entry, found, jumpTargets) : new Set<number>();
  const dispatches = dispatched.size > 0;
  if (dispatches) {
    const targets = new Set([entry, ...[...dispatched].flatMap((pc) => known.get(pc) ?? []), ...seenTargets(dispatchBlock(entry))]);
    found = collectBlocks([...targets], lift, jumpTargets, known, limits, endsBefore) ?? found;
    known.set(entry, [...targets]);
  }
  const nodes = new Map<number, Node>([...found].map(([pc, block]) => [pc, { block, frame: undefined }]));
  inlineCallees(nodes, lift, entry, limits);
  if (dispatches) nodes.set(DISPATCH_KEY, { block: dispatchBlock(entry), frame: undefined });
  const successorKeys = ({ block, frame, callee }: Node): readonly number[] => {
    const t = block.terminator;
    if (t.kind === 'jump' && block.size > 0 && dispatched.has(block.pc)) return [DISPATCH_KEY];
    if (callee && t.kind === 'call') return [nodeKey(t.target, callee)];
    if (frame && t.kind === 'return') return [nodeKey(frame.next, frame.caller)];
    return successorPcs(block, jumpTargets).map((pc) => nodeKey(pc, frame));
  };
  const reached = reversePostorder(dispatches ? DISPATCH_KEY : entry, nodes, successorKeys);
  const position = new Map(reached.map(({ block, frame }, i) => [dispatches && i === 0 ? DISPATCH_KEY : nodeKey(block.pc, frame), i]));
  const outside = new Set<number>();
  const graph: Graph<Node> = {
    nodes: reached,
    successors: mapped(reached, (node) =>
      mapped(successorKeys(node), (key) => {
        const to = position.get(key);
        if (to === undefined) outside.add(key >>> 0);
        return to ?? OUTSIDE;
      }),
    ),
  };
  makeReducible(graph.successors);
  const { nodes: order, successors } = limits.unrolled === undefined ? graph : inOrder(unrollLoops(graph, limits.unrolled, dispatches));
  const blocks = mapped(order, ({ block }) => block);
  const dominators = immediateDominators(successors);
  const isLoopHeader = mapped(blocks, () => false);
  const forward = mapped(blocks, () => 0);
  for (const [from, targets] of successors.entries()) {
    for (const to of targets) {
      if (to === OUTSIDE) continue;
      if (to <= from) isLoopHeader[to] = true;
      else forward[to]++;
    }
  }
  const dominatorChildren: number[][] = mapped(blocks, () => []);
  for (let i = 1; i < blocks.length; i++) dominatorChildren[dominators[i]].push(i);
  return {
    entry,
    dispatches,
    blocks,
    isInlined: mapped(order, ({ callee }) => callee !== undefined),
    returnsTo: mapped(order, ({ frame }) => frame?.next),
    successors,
    dominatorChildren,
    isLoopHeader,
    isMerge: mapped(forward, (n) => n > 1),
    instructions: blocks.reduce((sum, block) => sum + block.instructions, 0),
    outside,
    jumpTargets: known,
  };
}

/** pcs of blocks that end in a jump which shares targets with one that has to leave the region, because the loops they make have several entries. */
function jumpsThatMeet(
  entry: number,
  found: ReadonlyMap<number, Block>,
  jumpTargets: (block: Block) => readonly number[],
): ReadonlySet<number> {
  const jumps = [...found.values()].filter((block) => block.terminator.kind === 'jump' && jumpTargets(block).some((pc) => found.has(pc)));
  if (jumps.length < 2) return new Set();
  const nodes = new Map<number, Node>([...found].map(([pc, block]) => [pc, { block, frame: undefined }]));
  const order = reversePostorder(entry, nodes, ({ block }) => successorPcs(block, jumpTargets));
  const position = new Map(order.map(({ block }, i) => [block.pc, i]));
  const successors = order.map(({ block }) => successorPcs(block, jumpTargets).map((pc) => position.get(pc) ?? OUTSIDE));
  const reducible = successors.map((targets) => [...targets]);
  makeReducible(reducible);
  const cut = new Set<number>();
  for (const [i, { block }] of order.entries())
    if (block.terminator.kind === 'jump')
      for (const [k, to] of successors[i].entries()) if (to !== reducible[i][k]) cut.add(order[to].block.pc);
  const meeting = jumps.filter((block) => block.pc === entry || jumpTargets(block).some((pc) => cut.has(pc)));
  return new Set(cut.size === 0 ? [] : meeting.map(({ pc }) => pc));
}

/** By pc; undefined if there is nothing at the first of `entries`. */
function collectBlocks(
  entries: readonly number[],
  lift: LiftTo,
  jumpTargets: (block: Block) => readonly number[],
  known: Map<number, readonly number[]>,
  limits: RegionLimits,
  endsBefore: (pc: number) => boolean,
): Map<number, Block> | undefined {
  const [entry] = entries;
  const first = lift(entry);
  if (!first) return undefined;
  const found = new Map<number, Block>([[entry, first]]);
  const queue = [first];
  let instructions = first.instructions;
  let ops = first.length;
  const add = (pc: number): void => {
    if (found.has(pc) || found.size >= limits.blocks || instructions >= limits.instructions || ops >= MOST_OPS || endsBefore(pc)) return;
    const block = lift(pc);
    if (!block) return;
    found.set(pc, block);
    queue.push(block);
    instructions += block.instructions;
    ops += block.length;
  };
  for (const pc of entries) add(pc);
  for (const block of queue) for (const pc of successorPcs(block, jumpTargets)) add(pc);
  return splitOverlaps(found, lift, known);
}

const pagesOf = ({ pc, size }: Block): number[] => [pc >>> 12, (pc + size - 1) >>> 12];

/** Puts small functions in place of calls of them, and of calls in those, until there are so many instructions more. */
function inlineCallees(nodes: Map<number, Node>, lift: LiftTo, entry: number, limits: RegionLimits): void {
  if (!limits.inlined) return;
  const pages = new Set([...nodes.values()].flatMap(({ block }) => pagesOf(block)));
  const bodies = new Map<number, readonly Block[] | undefined>();
  let left = limits.inlined;
  let frames = 0;
  // nodes that are added come at the end, so callees of the function itself come first
  for (const node of nodes.values()) {
    const t = node.block.terminator;
    const depth = node.frame?.depth ?? 0;
    if (t.kind !== 'call') continue;
    const recurs = t.target === entry;
    if (depth >= (recurs ? RECURSION_DEPTH : INLINED_DEPTH)) continue;
    if (!bodies.has(t.target)) bodies.set(t.target, calleeBody(t.target, lift));
    const body = bodies.get(t.target);
    const cost = body?.reduce((sum, block) => sum + block.instructions, 0) ?? 0;
    if (!body || cost > left + (recurs ? RECURSION_INSTRUCTIONS : 0)) continue;
    if (limits.samePages && !body.every((block) => pagesOf(block).every((page) => pages.has(page)))) continue;
    left -= cost;
    const frame: Frame = { number: ++frames, next: t.next, caller: node.frame, depth: depth + 1 };
    node.callee = frame;
    for (const block of body) nodes.set(nodeKey(block.pc, frame), { block, frame });
  }
}

/** The blocks of a function that is small and does nothing but compute, call and return. */
function calleeBody(target: number, lift: LiftTo): readonly Block[] | undefined {
  const found = collectBlocks(
    [target],
    lift,
    () => [],
    new Map(),
    CALLEE_LIMITS,
    () => false,
  );
  if (!found) return undefined;
  const body = [...found.values()];
  const kinds = new Set(body.map(({ terminator }) => terminator.kind));
  const simple = !kinds.has('jump') && !kinds.has('exit') && !kinds.has('call-indirect') && kinds.has('return');
  const size = body.reduce((sum, block) => sum + block.instructions, 0);
  return simple && size < CALLEE_LIMITS.instructions && body.length < CALLEE_LIMITS.blocks ? body : undefined;
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

function reversePostorder(entry: number, nodes: ReadonlyMap<number, Node>, successorKeys: (node: Node) => readonly number[]): Node[] {
  const order: Node[] = [];
  const seen = new Set([entry]);
  const stack: { node: Node; next: number; keys: readonly number[] }[] = [];
  const enter = (node: Node): void => {
    stack.push({ node, next: 0, keys: successorKeys(node) });
  };
  enter(nodes.get(entry)!);
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (top.next === top.keys.length) {
      order.push(top.node);
      stack.pop();
      continue;
    }
    const key = top.keys[top.next++];
    const node = nodes.get(key);
    if (node && !seen.has(key)) {
      seen.add(key);
      enter(node);
    }
  }
  return order.reverse();
}

/** The same graph, its nodes in reverse postorder. */
function inOrder({ nodes, successors }: Graph<Node>): Graph<Node> {
  const to = new Map(nodes.map((node, i) => [node, successors[i]]));
  const order = reversePostorder(0, new Map(nodes.entries()), (node) => to.get(node)!);
  const position = new Map(order.map((node, i) => [node, i]));
  return { nodes: order, successors: mapped(order, (node) => mapped(to.get(node)!, (n) => (n === OUTSIDE ? n : position.get(nodes[n])!))) };
}

/** Sends edges that enter a loop beside its header OUTSIDE until none is left. */
function makeReducible(successors: number[][]): void {
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
    if (!cut) return;
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
  const predecessors: number[][] = mapped(successors, () => []);
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
