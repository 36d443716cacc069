import { mapped } from '../../ir/lists.ts';
import { isLasting, type Register } from '../../isa/isa.ts';
import { OUTSIDE, type Region } from './region.ts';
import { STATE_ACCESS } from './slots.ts';

type Flow = Pick<Region, 'dispatches' | 'blocks' | 'successors'>;

/** The edges that go back to each loop header, by position of the block that they come from. */
interface Latches {
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

/**
 * Loops that share a header, as those do around the loop that a region is entered at. Engines allot registers best if the inner one is
 * a loop of its own: that of a block which jumps to itself, else that of jumps backward, as compilers lay them out.
 */
export function sortLatches({ dispatches, blocks, successors }: Flow): readonly Latches[] {
  const all = mapped(blocks, (): number[] => []);
  for (const [from, targets] of successors.entries()) for (const to of targets) if (to !== OUTSIDE && to <= from) all[to].push(from);
  return mapped(all, (latches, to) => {
    if (dispatches && to === 0) return { inner: latches, outer: [] };
    // a loop that is repeated comes back from its last copy
    const isSelf = (from: number): boolean => blocks[from].pc === blocks[to].pc;
    const isOuter = (from: number): boolean => (latches.some(isSelf) ? !isSelf(from) : blocks[from].pc < blocks[to].pc);
    const outer = latches.filter(isOuter);
    return outer.length === latches.length ? { inner: outer, outer: [] } : { inner: latches.filter((from) => !isOuter(from)), outer };
  });
}

interface Loop {
  readonly header: number;
  readonly body: ReadonlySet<number>;
}

function loopsOf(region: Flow): readonly Loop[] {
  const { successors } = region;
  const predecessors = mapped(successors, (): number[] => []);
  for (const [from, targets] of successors.entries()) for (const to of targets) if (to !== OUTSIDE) predecessors[to].push(from);
  const enclosed = (header: number, latches: readonly number[]): Loop => {
    const body = new Set([header, ...latches]);
    for (const block of body) if (block !== header) for (const from of predecessors[block]) body.add(from);
    return { header, body };
  };
  return sortLatches(region).flatMap(({ inner, outer }, header) => [
    ...(inner.length > 0 ? [enclosed(header, inner)] : []),
    ...(outer.length > 0 ? [enclosed(header, [...inner, ...outer])] : []),
  ]);
}

/** Of these loops, those without another one in them. */
const innermost = (loops: readonly Loop[]): readonly Loop[] =>
  loops.filter(({ body }) => !loops.some((other) => body.has(other.header) && other.body.size < body.size));

export const innermostLoops = (region: Flow): readonly Loop[] => innermost(loopsOf(region));

/** Headers of the innermost loops in which an indirect jump goes on, as those of interpreters. */
export function switchLoops(region: Flow): ReadonlySet<number> {
  const goesOn = (i: number): boolean => region.blocks[i].terminator.kind === 'jump' && region.successors[i].some((to) => to !== OUTSIDE);
  const loops = loopsOf(region).filter(({ body }) => [...body].some(goesOn));
  return new Set(innermost(loops).map(({ header }) => header));
}

/** By position: how many loops are around a block. */
export function loopDepths(region: Flow): Uint8Array {
  const depths = new Uint8Array(region.blocks.length);
  for (const { body } of loopsOf(region)) for (const block of body) depths[block]++;
  return depths;
}

/** Registers of the guest that the engine's code for a loop has room for. */
const ROOM = 8;

/**
 * Which registers had better be left in memory: where a region with loops uses more of them than an engine has, those that no
 * innermost loop uses.
 */
export function coldRegisters(region: Region, registers: readonly Register[]): ReadonlySet<Register> {
  const loops = loopsOf(region);
  if (loops.length === 0) return new Set();
  const depths = loopDepths(region);
  const isInnermost = new Uint8Array(region.blocks.length);
  for (const { body } of loops) {
    const encloses = loops.some((other) => body.has(other.header) && other.body.size < body.size);
    if (!encloses) for (const block of body) isInnermost[block] = 1;
  }
  const byOffset = new Map(registers.filter(isLasting).map((register) => [register.offset, register]));
  const uses = new Map<Register, { hot: boolean; weight: number }>();
  for (const [i, block] of region.blocks.entries()) {
    for (let v = 0; v < block.length; v++) {
      const register = STATE_ACCESS[block.op[v]] && byOffset.get(block.a[v]);
      if (!register) continue;
      const use = uses.get(register) ?? { hot: false, weight: 0 };
      uses.set(register, { hot: use.hot || isInnermost[i] === 1, weight: use.weight + 8 ** depths[i] });
    }
  }
  const cold = [...uses].filter(([, { hot }]) => !hot).sort(([, x], [, y]) => x.weight - y.weight);
  return new Set(cold.slice(0, Math.max(0, uses.size - ROOM)).map(([register]) => register));
}
