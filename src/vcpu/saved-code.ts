import type { CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';
import { rangesOf, type SavedModule, type SavedRegion } from '../cache/saved-modules.ts';
import { Block, type Terminator } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import { GuestMemory, PagePermission } from './guest-memory.ts';

/** The guest's bytes in what a module depends on. */
export function codeOf(module: Pick<SavedModule, 'regions' | 'callees'>, memory: GuestMemory): Uint8Array {
  const ranges = rangesOf(module);
  const out = new Uint8Array(ranges.reduce((sum, [, size]) => sum + size, 0));
  let at = 0;
  for (const [pc, size] of ranges) {
    const start = GuestMemory.index(pc);
    out.set(memory.bytes.subarray(start, start + size), at);
    at += size;
  }
  return out;
}

/** Whether the guest has this very code now, where it can be executed and does not change unnoticed. */
export function hasCode(module: SavedModule, memory: GuestMemory, coherentCode: boolean): boolean {
  let at = 0;
  for (const [pc, size] of rangesOf(module)) {
    if (!hasRange(pc, size, memory, coherentCode, module.code, at)) return false;
    at += size;
  }
  return true;
}

/** The same for one range, whose bytes are those in `code` from `at` on. */
export function hasRange(pc: number, size: number, memory: GuestMemory, coherentCode: boolean, code: Uint8Array, at: number): boolean {
  for (let page = pc - (pc % PAGE_SIZE); page < pc + size; page += PAGE_SIZE) {
    const permission = memory.permission(page >>> 0);
    if (!(permission & PagePermission.Execute) || (coherentCode && permission & PagePermission.Write)) return false;
  }
  return sameBytes(memory.bytes, GuestMemory.index(pc), size, code, at);
}

export function sameBytes(a: Uint8Array, atA: number, size: number, b: Uint8Array, atB: number): boolean {
  for (let i = 0; i < size; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}

const NOTHING: number[] = [];

/** A block of which only the place is known, and whether it ends in an indirect jump. */
export function placeOnly(pc: number, size: number, jumps = false): Block {
  const terminator: Terminator = jumps ? { kind: 'jump', target: 0 } : { kind: 'goto', pc };
  return new Block(pc, size, 0, 0, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, terminator, [], []);
}

/** A region that is there only as code: its blocks have places, and no ops. */
export function restoredRegion(saved: SavedRegion): Region {
  const jumps = new Map(saved.jumps);
  const headers = new Set(saved.headers);
  const blocks = saved.blocks.map(([pc, size]) => placeOnly(pc, size, jumps.has(pc)));
  return {
    entry: saved.entry,
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
