import type { Register } from '../../isa/isa.ts';
import { OUTSIDE, type Region } from './region.ts';
import { STATE_ACCESS } from './slots.ts';

/** The edges that go back to each loop header, by position of the block that they come from. */
interface Latches {
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

/**
 * Loops that share a header, as those do around the loop that a region is entered at. Engines allot registers best if the inner one is
 * a loop of its own: that of a block which jumps to itself, else that of jumps backward, as compilers lay them out.
 */
export function sortLatches({ blocks, successors }: Region): readonly Latches[] {
  const all = blocks.map((): number[] => []);
  for (const [from, targets] of successors.entries()) for (const to of targets) if (to !== OUTSIDE && to <= from) all[to].push(from);
  return all.map((latches, to) => {
    const isOuter = (from: number): boolean => (latches.includes(to) ? from !== to : blocks[from].pc < blocks[to].pc);
    const outer = latches.filter(isOuter);
    return outer.length === latches.length ? { inner: outer, outer: [] } : { inner: latches.filter((from) => !isOuter(from)), outer };
  });
}

/** How many loops each block is in. */
function loopDepths(region: Region): Uint8Array {
  const { successors } = region;
  const depths = new Uint8Array(successors.length);
  const predecessors = successors.map((): number[] => []);
  for (const [from, targets] of successors.entries()) for (const to of targets) if (to !== OUTSIDE) predecessors[to].push(from);
  const enclose = (header: number, latches: readonly number[]): void => {
    const body = new Set([header, ...latches]);
    for (const block of body) if (block !== header) for (const from of predecessors[block]) body.add(from);
    for (const block of body) depths[block]++;
  };
  for (const [header, { inner, outer }] of sortLatches(region).entries()) {
    if (inner.length > 0) enclose(header, inner);
    if (outer.length > 0) enclose(header, [...inner, ...outer]);
  }
  return depths;
}

/** Registers of the guest that the engine's code for a loop has room for. */
const ROOM = 8;

/**
 * Which registers had better be left in memory: where a region with loops uses more of them than an engine has, those that the
 * innermost loops do not use.
 */
export function coldRegisters(region: Region, registers: readonly Register[]): ReadonlySet<Register> {
  const depths = loopDepths(region);
  const deepest = Math.max(...depths);
  if (deepest === 0) return new Set();
  const byOffset = new Map(registers.filter(({ local }) => local).map((register) => [register.offset, register]));
  const uses = new Map<Register, { depth: number; weight: number }>();
  for (const [i, block] of region.blocks.entries()) {
    for (let v = 0; v < block.length; v++) {
      const register = STATE_ACCESS[block.op[v]] && byOffset.get(block.a[v]);
      if (!register) continue;
      const use = uses.get(register) ?? { depth: 0, weight: 0 };
      uses.set(register, { depth: Math.max(use.depth, depths[i]), weight: use.weight + 8 ** depths[i] });
    }
  }
  const cold = [...uses].filter(([, { depth }]) => depth < deepest).sort(([, x], [, y]) => x.weight - y.weight);
  return new Set(cold.slice(0, Math.max(0, uses.size - ROOM)).map(([register]) => register));
}
