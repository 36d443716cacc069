// Leaving a block: where the guest stands and what it has paid.

import { firstFault } from './memory';
import { ExitKind, FaultAccess, RegionResult } from './shared/exit';
import { Layout } from './shared/layout';
import { BlockHeader } from './shared/uop';

export function leave(kind: ExitKind, pc: u32): bool {
  store<u32>(Layout.EXIT_KIND, kind);
  store<u32>(Layout.PC, pc);
  return false;
}

/** Gives back what instructions cost that were not completed. */
export function refund(instructions: u32): void {
  store<u32>(Layout.BUDGET, load<u32>(Layout.BUDGET) + instructions);
}

/** Leaves with the memory fault of the µop at `ip`, whose access begins at `index` of the window. */
export function fault(ip: usize, index: u32, access: FaultAccess): bool {
  const start = index + Layout.FLOOR;
  store<u32>(Layout.EXIT_ARG2, start);
  return faultAt(ip, firstFault(start, access), access);
}

/** Memory model paged: leaves with the memory fault of the µop at `ip`, whose arguments are recorded. */
export function recordedFault(ip: usize): bool {
  return leaveAt(ip);
}

/** The guest calls with a stack pointer to where it cannot write. */
export function stackFault(ip: usize, pointer: u32): bool {
  return faultAt(ip, pointer, FaultAccess.Write);
}

function faultAt(ip: usize, address: u32, access: FaultAccess): bool {
  store<u32>(Layout.EXIT_ARG0, address);
  store<u32>(Layout.EXIT_ARG1, access);
  return leaveAt(ip);
}

function leaveAt(ip: usize): bool {
  const block = load<u32>(Layout.CURRENT_BLOCK);
  const table = load<u32>(block, BlockHeader.TABLE);
  const count = load<u32>(block, BlockHeader.INSTRUCTIONS);
  let k = count - 1;
  while (k > 0 && load<u32>(table + (k << 3)) > <u32>ip) k--;
  refund(count - k);
  return leave(ExitKind.MemoryFault, load<u32>(table + (k << 3), 4));
}

/** How a region leaves: at `pc`, with so much of the budget left. Gives the region's result. */
export function exitRegion(kind: ExitKind, pc: u32, budget: i32): i32 {
  store<i32>(Layout.BUDGET, budget);
  leave(kind, pc);
  return RegionResult.EXIT;
}

/** The call at `pc` has a stack pointer to where it cannot write. */
export function exitOnStackFault(pointer: u32, pc: u32, budget: i32): i32 {
  store<u32>(Layout.EXIT_ARG0, pointer);
  store<u32>(Layout.EXIT_ARG1, FaultAccess.Write);
  return exitRegion(ExitKind.MemoryFault, pc, budget);
}

/**
 * From inside a run: the guest is to stop at the next place where it asks for its budget. What it does not use of that is as if it
 * had not been given. With exact budgets it would stop elsewhere in each executor, so it goes on.
 */
export function stopSoon(): void {
  const left = load<i32>(Layout.BUDGET);
  if (left <= 0 || load<u32>(Layout.EXACT)) return;
  store<i32>(Layout.BUDGET, 0);
  store<i64>(Layout.RETIRED, load<i64>(Layout.RETIRED) - left);
}
