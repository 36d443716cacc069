import { ExitKind, Fault } from '../../assembly/shared/exit.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import type { Runtime } from '../backend/runtime.ts';
import type { CodeCache } from '../cache/code-cache.ts';
import type { Block } from '../ir/block.ts';
import type { Isa } from '../isa/isa.ts';
import type { BlockTier } from './block-tier.ts';
import type { PhysicalPlaces } from './code-places.ts';
import { type Exit, makeExit } from './exit.ts';
import type { Header } from './header.ts';
import type { MixedPages } from './mixed-pages.ts';
import type { VcpuStats } from './options.ts';
import type { RegionTier } from './region-tier.ts';

interface StaysContext {
  readonly isa: Isa;
  readonly runtime: Runtime;
  readonly header: Header;
  readonly stats: VcpuStats;
  readonly cache: CodeCache;
  readonly blocks: BlockTier;
  readonly tier: RegionTier;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  /** See VcpuOptions.exactBudget. */
  readonly exact: boolean;
  /** See Vcpu.mode. */
  readonly mode: () => number;
  readonly followMode: () => void;
  /** Something is there for the dispatcher to run at `pc`; false if nothing can be fetched there. */
  readonly provide: (pc: number) => boolean;
  readonly becameHot: (pc: number) => void;
  /** Memory model paged. */
  readonly mixedPages: MixedPages | undefined;
}

/** Milliseconds of compilation after which a stay in guest code ends. */
const COMPILE_MS = 50;
/** Stores to code after which one of a machine does: each takes as long as thousands of instructions, and its timers wait. */
const CODE_WRITES = 32;

/** More than the instructions that stand for one hooked: a branch with its delay slot, STI with the next. */
const MOST_PASSED = 16;

/** Stays in guest code: why each ended, and what the engine itself does about it. */
export class Stays {
  private readonly header: Header;
  private readonly blocks: BlockTier;
  private readonly stats: VcpuStats;
  /** Guest instructions that were completed before the last grant. */
  private begun = 0;

  constructor(private readonly context: StaysContext) {
    this.header = context.header;
    this.blocks = context.blocks;
    this.stats = context.stats;
  }

  /** See Vcpu.run. */
  run(budget: number, isRest = false): Exit {
    const writesBefore = this.stats.invalidations;
    this.context.tier.beginStay();
    this.grant(Math.max(1, Math.min(budget, 0x7fffffff)), isRest);
    for (;;) {
      const exit = this.stay() ?? this.pause(writesBefore);
      this.countInstructions();
      if (exit) return this.counted(exit);
    }
  }
  /** See Vcpu.finish. */
  finish(rest: number): Exit {
    this.grant(rest, true);
    const exit = this.spendRest();
    this.countInstructions();
    return this.counted(exit);
  }
  private counted(exit: Exit): Exit {
    const { exits } = this.stats;
    exits[exit.kind] = (exits[exit.kind] ?? 0) + 1;
    return exit;
  }

  /** The instruction at pc alone, in user mode as a single step: exit `budget` if nothing else happened. */
  step(): Exit {
    this.grant(1);
    const mode = this.context.paged ? undefined : this.context.mode() | (this.context.isa.step ?? 0);
    const exit = this.interpretOne(this.header.pc, mode) ?? makeExit(ExitKind.Budget, this.header.pc, 0, 0, 0);
    this.countInstructions();
    return exit;
  }

  /** The hooked instruction that an exit was about is executed, or passed over. An Exit if it leaves. */
  passHooked(pc: number, skip: boolean): Exit | undefined {
    const { builder } = this.blocks;
    // it was counted when it left
    this.stats.instructions--;
    this.grant(MOST_PASSED);
    const passing = { pc, skip, met: false };
    const at = this.context.isa.system?.restart?.(pc) ?? pc;
    builder.passing = passing;
    try {
      const exit = this.interpretOne(pc);
      if (exit || passing.met || at === pc) return exit;
      // a branch came first, and its delay slot is a block of its own
      builder.passing = { skip, met: false };
      return this.interpretOne(this.header.pc);
    } finally {
      builder.passing = undefined;
      this.countInstructions();
    }
  }
  /** The instruction at pc is executed though it is hooked. An Exit if it leaves. */
  passPlace(): Exit | undefined {
    this.grant(1);
    const exit = this.interpretOne(this.header.pc, undefined, true);
    this.countInstructions();
    return exit;
  }

  /** So many guest instructions may be completed from now on; `countInstructions` tells how many were. */
  private grant(budget: number, isRest = false): void {
    this.begun = this.stats.instructions;
    this.header.grant(budget, this.stats.instructions, isRest);
  }
  private countInstructions(): void {
    this.stats.instructions = this.header.completed;
  }

  /** Few instructions may ask for much to be compiled, or forgotten: the caller has its turn as if the budget were spent, unless it is exact. */
  private pause(writesBefore: number): Exit | undefined {
    const { exact, paged } = this.context;
    if (exact) return this.hasCompiled ? { kind: 'compiling', pc: this.header.pc } : undefined;
    const hasWritten = paged !== undefined && this.stats.invalidations - writesBefore >= CODE_WRITES;
    return this.hasCompiled || hasWritten ? makeExit(ExitKind.Budget, this.header.pc, 0, 0, 0) : undefined;
  }
  /** Enough for one stay. */
  private get hasCompiled(): boolean {
    const { tier, exact, paged } = this.context;
    return tier.compiledInStay >= COMPILE_MS && !(exact && (!paged || this.header.get(Layout.BUDGET) <= 0));
  }

  /** One stay in guest code, and what the engine itself has to do after it; an Exit if it is somebody else's turn. */
  private stay(): Exit | undefined {
    const fault = this.enter(() => this.context.runtime.run());
    if (fault) return fault;
    const kind = this.header.get(Layout.EXIT_KIND) as ExitKind;
    const pc = this.header.pc;
    switch (kind) {
      case ExitKind.Miss:
        this.stats.misses++;
        if (this.context.paged && this.hasCompiled) return undefined;
        return this.timed(this.context.provide, pc) ? undefined : this.fetchFault(pc);
      case ExitKind.Hot:
        this.stats.hot++;
        this.timed(this.context.becameHot, pc);
        return undefined;
      case ExitKind.Stale:
        this.stats.stale++;
        this.context.cache.invalidate(pc, 1);
        return undefined;
      case ExitKind.Slow:
        this.stats.slow++;
        this.context.tier.tookSlowPath(this.header.get(Layout.EXIT_ARG0) >>> 0);
        return this.interpretBlock(pc);
      case ExitKind.Unmapped:
        this.stats.slow++;
        this.context.tier.leftForAccess(this.header.get(Layout.EXIT_ARG0) >>> 0);
        return undefined;
      case ExitKind.Budget:
        return this.isSpent() ? makeExit(kind, pc, 0, 0, 0) : this.spendRest();
      default:
        return this.left(kind, pc);
    }
  }

  private timed<T>(work: (pc: number) => T, pc: number): T {
    const start = performance.now();
    const done = work(pc);
    this.stats.engineTime += performance.now() - start;
    return done;
  }

  /** Memory model paged: guest code was left, and the runtime has tried to let the guest handle it. */
  private left(kind: ExitKind, pc: number): Exit | undefined {
    if (kind === ExitKind.Unexpected) {
      const block = this.header.get(Layout.EXIT_ARG0) >>> 0;
      if (this.blocks.assumptions.refute(block)) this.context.cache.invalidate(block, 1);
      return this.interpretOne(pc);
    }
    if (!this.context.paged) {
      if (kind < ExitKind.Continue) return this.exitOf(kind, pc);
      if (kind !== ExitKind.Continue) this.header.pc = this.header.get(kind === ExitKind.Resume ? Layout.NEXT_PC : Layout.EXIT_ARG0);
      this.context.followMode();
      return undefined;
    }
    if (kind === ExitKind.MemoryFault && this.header.get(Layout.EXIT_ARG1) & Fault.WRITES_CODE) {
      this.context.mixedPages?.written(this.header.get(Layout.EXIT_ARG2) >>> 0);
      return this.interpretOne(pc);
    }
    if (kind !== ExitKind.Hypercall) return this.exitOf(kind, pc);
    this.header.pc = this.header.get(Layout.NEXT_PC);
    return this.exitOf(kind, this.header.pc);
  }
  /** What the interpreter left with, which the guest itself may have to handle. */
  private goesOn(): boolean {
    return this.context.paged !== undefined && (this.context.runtime.exports.goesOn as () => number)() !== 0;
  }
  /** Nothing can be fetched at `pc`, and the fault is recorded. */
  private fetchFault(pc: number): Exit | undefined {
    this.header.set(Layout.EXIT_KIND, ExitKind.MemoryFault);
    this.header.pc = pc;
    if (!this.goesOn()) return this.exitOf(ExitKind.MemoryFault, pc);
    // nor at its handler, it may be
    return this.header.get(Layout.BUDGET) > 0 ? undefined : makeExit(ExitKind.Budget, this.header.pc, 0, 0, 0);
  }
  /** The instruction that an exit is about, alone. It may have been left in the midst of its block. */
  private interpretOne(pc: number, mode?: number, passes = false): Exit | undefined {
    const at = this.context.isa.system?.restart?.(pc) ?? pc;
    // the branch before a delay slot is executed once more
    if (at !== pc) this.header.set(Layout.BUDGET, this.header.get(Layout.BUDGET) + 1);
    this.header.pc = at;
    const block = this.blocks.lift(at, { limit: 1, passes, ...(mode !== undefined && { mode }) });
    if (!block) return this.fetchFault(at);
    const left = this.header.get(Layout.BUDGET);
    if (left < block.instructions) this.header.grantMore(block.instructions - left);
    return this.runOnce(block);
  }

  private exitOf(kind: ExitKind, pc: number): Exit {
    return makeExit(
      kind,
      pc,
      this.header.get(Layout.EXIT_ARG0) >>> 0,
      this.header.get(Layout.EXIT_ARG1) >>> 0,
      this.header.get(Layout.EXIT_ARG2) >>> 0,
    );
  }

  private enter(run: () => void): Exit | undefined {
    this.header.set(Layout.EXIT_KIND, ExitKind.None);
    try {
      run();
      return undefined;
    } catch (error) {
      const access = this.context.tier.accessOfTrap(error);
      if (!access) throw error;
      this.header.pc = access.pc;
      return { kind: 'memory-fault', pc: access.pc, address: undefined, access: access.write ? 'write' : 'read' };
    }
  }

  /** The block at `pc`, once, in the interpreter. */
  private interpretBlock(pc: number): Exit | undefined {
    const block = this.blocks.at(pc);
    return block ? this.runOnce(block) : this.fetchFault(pc);
  }
  private runOnce(block: Block, isPart = false): Exit | undefined {
    const address = this.blocks.lowerOnce(block);
    const fault = this.enter(() => this.context.runtime.runBlock(address));
    if (fault) return fault;
    const kind = this.header.get(Layout.EXIT_KIND) as ExitKind;
    if (kind === ExitKind.None || this.goesOn()) return undefined;
    if (kind === ExitKind.Budget) return isPart || this.isSpent() ? makeExit(kind, this.header.pc, 0, 0, 0) : this.spendRest();
    if (kind === ExitKind.Stale) this.context.cache.invalidate(block.pc, 1);
    return kind >= ExitKind.Miss && kind < ExitKind.Continue ? undefined : this.left(kind, this.header.pc);
  }

  /** Whether a run ends with what it has left: code asks for all that its longest way takes, and if never given so much would not get on. */
  private isSpent(): boolean {
    return this.header.get(Layout.BUDGET) <= 0 || !(this.context.exact || this.header.completed === this.begun);
  }
  /** Less than the next region needs is left: blocks, the last one cut to size, up to the exact end. */
  private spendRest(): Exit {
    for (;;) {
      const fault = this.enter(() => this.context.runtime.runBlocks());
      if (fault) return fault;
      const kind = this.header.get(Layout.EXIT_KIND) as ExitKind;
      const { pc } = this.header;
      let exit: Exit | undefined;
      if (kind === ExitKind.Budget) exit = this.interpretPart(pc, this.header.get(Layout.BUDGET));
      else if (kind === ExitKind.Miss) exit = this.blocks.publish(pc) ? undefined : this.fetchFault(pc);
      else if (kind === ExitKind.Stale) this.context.cache.invalidate(pc, 1);
      else exit = this.left(kind, pc);
      if (exit) return exit;
    }
  }
  /** So many instructions from `pc` on, if its block has more; a branch and its delay slot cannot be parted. */
  private interpretPart(pc: number, instructions: number): Exit | undefined {
    const spent = makeExit(ExitKind.Budget, pc, 0, 0, 0);
    if (instructions <= 0) return spent;
    const whole = this.blocks.at(pc);
    if (!whole) return this.fetchFault(pc);
    // a repeated string operation that has worked for long lets others have their turn
    if (whole.instructions <= instructions) return spent;
    const block = this.blocks.lift(pc, { limit: instructions });
    if (!block) return this.fetchFault(pc);
    if (block.instructions > instructions) this.header.grantMore(block.instructions - instructions);
    return this.runOnce(block, true);
  }
}
