import type { CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';
import { rangesOf, type SavedModule, type SavedRegion } from '../cache/saved-modules.ts';
import { Block, type Terminator } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { Helper } from '../isa/isa.ts';
import { sameBytes } from './code-places.ts';
import { GuestMemory, PagePermission } from './guest-memory.ts';

/** Whether the guest has this very code now; `has` tells of one range, as hasRange. */
export function hasCode(module: SavedModule, has: (pc: number, size: number, code: Uint8Array, at: number) => boolean): boolean {
  let at = 0;
  for (const [pc, size] of rangesOf(module)) {
    if (!has(pc, size, module.code, at)) return false;
    at += size;
  }
  return true;
}

/** Whether the bytes in `code` from `at` on are what can be executed at `pc` now, where they do not change unnoticed. User mode. */
export function hasRange(pc: number, size: number, memory: GuestMemory, coherentCode: boolean, code: Uint8Array, at: number): boolean {
  for (let page = pc - (pc % PAGE_SIZE); page < pc + size; page += PAGE_SIZE) {
    const permission = memory.permission(page >>> 0);
    if (!(permission & PagePermission.Execute) || (coherentCode && permission & PagePermission.Write)) return false;
  }
  return sameBytes(memory.bytes, GuestMemory.index(pc), size, code, at);
}

const NOTHING: number[] = [];
const NO_LANES: readonly number[][] = [];
const NO_HELPERS: readonly Helper[] = [];

/** A block of which only the place is known, and whether it ends in an indirect jump. */
export function placeOnly(pc: number, size: number, jumps = false): Block {
  const terminator: Terminator = jumps ? { kind: 'jump', target: 0 } : { kind: 'goto', pc };
  return new Block(pc, size, 0, 0, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, terminator, NO_LANES, NO_HELPERS);
}

/** A region that is there only as code: its blocks have places, and no ops. */
export function restoredRegion(saved: SavedRegion): Region {
  const jumps = new Map(saved.jumps);
  const headers = new Set(saved.headers);
  const blocks = saved.blocks.map(([pc, size]) => placeOnly(pc, size, jumps.has(pc)));
  return {
    entry: saved.entry,
    dispatches: saved.blocks[0][1] === 0,
    blocks,
    isInlined: blocks.map(() => false),
    returnsTo: blocks.map(() => undefined),
    successors: blocks.map(() => []),
    dominatorChildren: blocks.map(() => []),
    isLoopHeader: blocks.map(({ pc }) => headers.has(pc)),
    isMerge: blocks.map(() => false),
    instructions: saved.instructions,
    outside: new Set(saved.outside),
    jumpTargets: jumps,
  };
}

export function savedRegion(region: Region, live: boolean, patience: number, options: CompileOptions): SavedRegion {
  return {
    entry: region.entry,
    live,
    blocks: region.blocks.map(({ pc, size }) => [pc, size] as const),
    headers: region.blocks.filter((_, i) => region.isLoopHeader[i]).map(({ pc }) => pc),
    outside: [...region.outside],
    jumps: region.blocks
      .filter(({ terminator }) => terminator.kind === 'jump')
      .map(({ pc }) => [pc, region.jumpTargets.get(pc) ?? []] as const),
    instructions: region.instructions,
    patience,
    way: options.slowPaths?.get(region.entry) ?? 'leave',
  };
}
