import { createRuntime } from '../backend/runtime.ts';
import { GuestMemory } from '../vcpu/guest-memory.ts';
import { Vcpu, type VcpuOptions } from '../vcpu/vcpu.ts';
import { differences, type Stopped } from './compare.ts';
import type { Divergence } from './divergence.ts';
import { restore, type Snapshot, takeSnapshot } from './snapshot.ts';

/** How much code becomes one region. */
export interface Piece {
  /** Guest instructions of a block at most. */
  readonly instructions?: number;
  readonly blocks?: number;
}

/** The smallest piece of code that shows the difference. */
export interface Minimum {
  readonly before: Snapshot;
  /** Instructions to run from there. */
  readonly count: number;
  readonly piece: Piece;
  readonly translated: Stopped;
  readonly interpreted: Stopped;
  readonly differences: readonly string[];
}

/** Instructions before the first difference that are tried as the piece's start. */
const BACK = 64;

async function start({ options, engine }: Divergence, before: Snapshot, own: Partial<VcpuOptions>): Promise<Vcpu> {
  const memory = new GuestMemory(options.memory.top, options.isa.endian);
  const { startCompiler: _, ...rest } = options;
  const vcpu = new Vcpu({ ...rest, memory, runtime: createRuntime(engine, memory), exactBudget: true, ...own });
  await vcpu.prepare();
  restore(vcpu, before);
  return vcpu;
}

function stop(vcpu: Vcpu, count: number): Stopped {
  const started = vcpu.retired;
  const exit = vcpu.run(count);
  return { vcpu, exit, retired: vcpu.retired - started };
}

/** Both executors from `before` on; undefined if they agree. */
async function attempt(divergence: Divergence, before: Snapshot, count: number, piece: Piece = {}): Promise<Minimum | undefined> {
  const interpreted = stop(await start(divergence, before, { executor: 'interpret' }), count);
  const translated = stop(await start(divergence, before, { executor: 'translate', limits: piece }), count);
  const found = differences(translated, interpreted);
  return found.length === 0 ? undefined : { before, count, piece, translated, interpreted, differences: found };
}

/** The state so many instructions later. */
async function later(divergence: Divergence, before: Snapshot, count: number): Promise<Snapshot> {
  if (count === 0) return before;
  const vcpu = await start(divergence, before, { executor: 'interpret' });
  vcpu.run(count);
  return takeSnapshot(vcpu);
}

/**
 * The smallest piece of code that shows the difference, or undefined if its state and code alone do not: then it lies in what had been
 * translated before. First how far the stay has to go, then how late it may begin and how little of a block it takes.
 */
export async function minimise(divergence: Divergence): Promise<Minimum | undefined> {
  const { before } = divergence;
  // the exit itself may be the difference
  let [same, differs] = [0, divergence.retired + 1];
  let best = await attempt(divergence, before, differs);
  if (!best) return undefined;
  while (differs - same > 1) {
    const middle = (same + differs) >>> 1;
    const found = await attempt(divergence, before, middle);
    if (found) [best, differs] = [found, middle];
    else same = middle;
  }
  for (let back = 1; back <= Math.min(BACK, differs); back++) {
    const from = await later(divergence, before, differs - back);
    const found = await attempt(divergence, from, back, { blocks: 1, instructions: back });
    if (!found) continue;
    best = found;
    for (let count = 1; count < back; count++) {
      const less = await attempt(divergence, from, count, { blocks: 1, instructions: count });
      if (less) return less;
    }
    return best;
  }
  // it takes more than one block
  for (let back = 2; back < differs; back *= 2) {
    const found = await attempt(divergence, await later(divergence, before, differs - back), back);
    if (found) return found;
  }
  return best;
}
