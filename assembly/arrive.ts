// Arriving at a block: finding it, paying for it, and whether it is still what it was translated from.
import { leave } from './leave';
import { isFilled, samePage } from './paged';
import { ExitKind } from './shared/exit';
import { Layout } from './shared/layout';
import { BlockHeader } from './shared/uop';

/**
 * Offset of a pc's entry in the look-up tables. Memory model paged: a pc's entries for different modes differ, so that an entry of
 * that pc is one of this mode, too.
 */
export function hashEntry(pc: u32): u32 {
  if (PAGED) return ((pc ^ (pc >>> 16) ^ load<u32>(Layout.MODE)) & Layout.HASH_MASK) << 3;
  return ((pc ^ (pc >>> 16)) & Layout.HASH_MASK) << 3;
}

/** What the look-up table has for a pc: the address of a block, or 0. */
function entryOf(pc: u32): u32 {
  if (PAGED) {
    const entry = ((pc ^ (pc >>> 16) ^ load<u32>(Layout.MODE)) & Layout.PAGED_HASH_MASK) << 3;
    return load<u32>(entry, Layout.PAGED_BLOCK_HASH) === pc ? load<u32>(entry, Layout.PAGED_BLOCK_HASH + 4) : 0;
  }
  const entry = hashEntry(pc);
  return load<u32>(entry, Layout.BLOCK_HASH) === pc ? load<u32>(entry, Layout.BLOCK_HASH + 4) : 0;
}

/** Address of the block for a pc, or 0. */
export function findBlock(pc: u32): u32 {
  const block = entryOf(pc);
  if (!PAGED || !block) return block;
  if (!samePage(pc, load<u32>(block, BlockHeader.PAGE))) return 0;
  const next = load<u32>(block, BlockHeader.NEXT_PAGE);
  return next === 0 || samePage((pc | 0xfff) + 1, next) ? block : 0;
}

/** The same without asking the ISA's walker: memory model paged, there may be a block nevertheless. */
export function knownBlock(pc: u32): u32 {
  const block = entryOf(pc);
  if (!PAGED || !block) return block;
  const next = load<u32>(block, BlockHeader.NEXT_PAGE);
  return isFilled(pc, load<u32>(block, BlockHeader.PAGE)) && (next === 0 || isFilled((pc | 0xfff) + 1, next)) ? block : 0;
}

/** Whether the block may run now: it was not too often arrived at, and the budget covers it (and has paid for it). */
export function enter(block: u32, counts: bool, threshold: i32): bool {
  if (threshold !== 0) {
    const heat = load<i32>(block, BlockHeader.HEAT) + 1;
    store<i32>(block, heat, BlockHeader.HEAT);
    if (counts && heat >= threshold) return leave(ExitKind.Hot, load<u32>(block, BlockHeader.PC));
  }
  const cost = load<i32>(block, BlockHeader.INSTRUCTIONS);
  const budget = load<i32>(Layout.BUDGET);
  if (budget < cost) return leave(ExitKind.Budget, load<u32>(block, BlockHeader.PC));
  store<i32>(Layout.BUDGET, budget - cost);
  store<u32>(Layout.CURRENT_BLOCK, block);
  return true;
}

/** Whether the guest's bytes at the block's pc are still those in the VERIFY µop at `ip`. */
export function unchanged(ip: usize): bool {
  const length = <u32>load<u16>(ip, 2);
  const index = load<u32>(load<u32>(Layout.CURRENT_BLOCK), BlockHeader.PC) - Layout.FLOOR;
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(ip + i, 4) !== load<u64>(index + i, Layout.WINDOW)) return false;
  for (; i < length; i++) if (load<u8>(ip + i, 4) !== load<u8>(index + i, Layout.WINDOW)) return false;
  return true;
}
