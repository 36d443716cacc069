import type { Runtime } from '../backend/runtime.ts';
import type { SlowPaths } from '../backend/wasm/options.ts';
import type { Isa } from '../isa/isa.ts';
import type { BackgroundCompiler, Compiler } from './compiler.ts';
import type { Exit } from './exit.ts';
import type { GuestMemory } from './guest-memory.ts';

/** interpret never translates to Wasm, translate always does, tiered starts in the interpreter and translates what is hot. */
export type Executor = 'interpret' | 'translate' | 'tiered';

export interface VcpuOptions {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly executor: Executor;
  /** Loads the Wasm back end; called at most once, when something is hot (tiered) or by `prepare` (translate). */
  readonly loadCompiler: () => Promise<Compiler>;
  /** Starts the Wasm back end on another thread, for `tiered`; then `loadCompiler` is not called. */
  readonly startCompiler?: () => BackgroundCompiler;
  /** Called before the compiler is loaded, and before a module of an earlier run is made. */
  readonly beforeModules?: () => void;
  /** With `translate`: blocks that are reached before this pc are interpreted. */
  readonly translateFrom?: number;
  /** With `translate`: what is first reached at this pc and after it is interpreted. */
  readonly translateUntil?: number;
  readonly memoryModel?: MemoryModel;
  /** Stop after exactly the budget (in every executor alike), or at the next convenient place before. */
  readonly exactBudget?: boolean;
  /** Arrivals at a loop header or function after which it is translated (tiered). Without it, once interpreting it has cost as much as compiling. */
  readonly hotThreshold?: number;
  /** Guest instructions to complete before the Wasm back end is loaded (tiered). Default: 0. */
  readonly compilerAfter?: number;
  /** What translated code does about slow paths: what shows to be best (adapt, the default); or, for tests, always the same. */
  readonly slowPaths?: SlowPaths | 'adapt';
  /** Bytes of machine stack that nested guest calls may take. */
  readonly stackBytes?: number;
  /**
   * Bytes of compiled modules, and modules, to keep at most: beyond that, those go that were not used of late, down to half. Modules that may have
   * gone before the rest moves to a new function table (not in the memory model paged), since Node 20's engine keeps what imports one. Default: 24 MiB, 1,500, 1,500.
   */
  readonly codeLimit?: CodeLimit;
  /** Guest instructions of a block and blocks of a region at most; to find out in which a fault lies. */
  readonly limits?: { readonly instructions?: number; readonly blocks?: number };
}

/** See VcpuOptions.codeLimit. */
export interface CodeLimit {
  readonly bytes: number;
  readonly modules: number;
  readonly dropped: number;
}

/**
 * direct: only null and out-of-range accesses fault. checked: page permissions hold, and faults are precise. paged: a whole
 * machine; addresses are translated, and the runtime is system.wasm.
 */
export type MemoryModel = 'direct' | 'checked' | 'paged';

/** What happened so far; times in milliseconds. */
export interface VcpuStats {
  /** Guest instructions completed. */
  instructions: number;
  blocks: number;
  regions: number;
  modules: number;
  /** Guest instructions in translated regions (static). */
  regionInstructions: number;
  wasmBytes: number;
  /** Milliseconds for which the guest waited for its translation, and what of it was what. */
  engineTime: number;
  liftTime: number;
  compileTime: number;
  /** Modules that an earlier run compiled, and blocks that one lifted. */
  restored: number;
  restoredBlocks: number;
  restoreTime: number;
  /** Times that the dispatcher found nothing translated at the pc. */
  misses: number;
  hot: number;
  stale: number;
  /** Times that a region left for an instruction's slow path, or for an access. */
  slow: number;
  invalidations: number;
  /** Times that modules had to go for others. */
  evictions: number;
  exits: Partial<Record<Exit['kind'], number>>;
}

export const noStats = (): VcpuStats => ({
  instructions: 0,
  blocks: 0,
  regions: 0,
  modules: 0,
  regionInstructions: 0,
  wasmBytes: 0,
  engineTime: 0,
  liftTime: 0,
  compileTime: 0,
  restored: 0,
  restoredBlocks: 0,
  restoreTime: 0,
  misses: 0,
  hot: 0,
  stale: 0,
  slow: 0,
  invalidations: 0,
  evictions: 0,
  exits: {},
});

export const CODE_LIMIT: CodeLimit = { bytes: 24 << 20, modules: 1500, dropped: 1500 };
