import { findBlock, hashEntry } from './arrive';
import { interpret } from './interpret';
import { leave } from './leave';
import { ExitKind, RegionResult } from './shared/exit';
import { Layout } from './shared/layout';
import { BlockFlag, BlockHeader } from './shared/uop';
import { goesOn } from './system';

/** An interrupt that the guest would take comes before the code at `pc`. */
function interrupted(pc: u32): bool {
  if (!PAGED || !load<u32>(Layout.ATTENTION)) return false;
  leave(ExitKind.Interrupt, pc);
  return true;
}
/** Guest code was left, but the guest itself handles that. */
function stays(): bool {
  return PAGED ? goesOn() : false;
}

/** Runs guest code from PC on, in regions where there are any, else in blocks, until EXIT_KIND says why it stopped. */
export function run(): void {
  let counts = false;
  while (true) {
    const pc = load<u32>(Layout.PC);
    if (interrupted(pc)) return;
    const entry = hashEntry(pc);
    const region = load<u32>(entry, Layout.REGION_HASH + 4);
    if (region && load<u32>(entry, Layout.REGION_HASH) === pc) {
      if (load<i32>(Layout.BUDGET) <= 0) {
        leave(ExitKind.Budget, pc);
        return;
      }
      store<u32>(Layout.REGION_ENTRIES, load<u32>(Layout.REGION_ENTRIES) + 1);
      const next = call_indirect<i32>(region, pc, load<i32>(Layout.DEPTH));
      // a guest may also jump to that very address
      if (next === RegionResult.EXIT && load<i32>(Layout.EXIT_KIND) !== ExitKind.None) {
        if (!stays()) return;
      } else store<i32>(Layout.PC, next);
    } else {
      const block = findBlock(pc);
      // a region that another pc displaced from the hash is published again rather than interpreted
      if (!block || load<u32>(block, BlockHeader.FLAGS) & (BlockFlag.STALE | BlockFlag.HAS_REGION)) {
        leave(ExitKind.Miss, pc);
        return;
      }
      if (!interpret(block, counts, false)) {
        if (!stays()) return;
      }
    }
    counts = true;
  }
}

/** Runs the block with this µop address once; leaves with ExitKind.None and PC at the next block if nothing else happened. */
export function runBlock(block: u32): void {
  interpret(block, false, true);
}

/** Runs guest code from PC on in blocks, though there may be regions, until the next one costs more than the budget has or EXIT_KIND says why it stopped. */
export function runBlocks(): void {
  while (true) {
    const pc = load<u32>(Layout.PC);
    if (interrupted(pc)) return;
    const block = findBlock(pc);
    if (!block || load<u32>(block, BlockHeader.FLAGS) & BlockFlag.STALE) {
      leave(ExitKind.Miss, pc);
      return;
    }
    interpret(block, false, true);
    if (load<i32>(Layout.EXIT_KIND) !== ExitKind.None) {
      if (!stays()) return;
    }
  }
}
