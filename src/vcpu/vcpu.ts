import { ExitKind, Fault } from '../../assembly/shared/exit.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import type { Runtime } from '../backend/runtime.ts';
import { INLINED_INSTRUCTIONS, REGION_LIMITS, UNROLLED_INSTRUCTIONS } from '../backend/wasm/region.ts';
import { CodeCache } from '../cache/code-cache.ts';
import { decodeTranslations, encodeTranslations, TRANSLATOR, type Translations } from '../cache/persistence.ts';
import type { Block } from '../ir/block.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { BlockStore } from './block-store.ts';
import { BlockTier, type NotedCall } from './block-tier.ts';
import { PhysicalPlaces, virtualPlaces } from './code-places.ts';
import { type Exit, makeExit } from './exit.ts';
import type { GuestMemory } from './guest-memory.ts';
import { JumpSites } from './jump-sites.ts';
import { ModuleStore } from './module-store.ts';
import { CODE_LIMIT, type CodeLimit, type Executor, type MemoryModel, noStats, type VcpuOptions, type VcpuStats } from './options.ts';
import { RegionTier } from './region-tier.ts';
import { COMPILING_COST, COMPILING_COST_IN_MACHINE } from './worth.ts';

export type { CodeLimit, Executor, MemoryModel, VcpuOptions, VcpuStats };

/** Milliseconds of compilation after which a stay in guest code ends. */
const COMPILE_MS = 50;

/** A virtual processor: guest state, guest memory and what has been translated of it. */
export class Vcpu {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly stats: VcpuStats = noStats();
  readonly executor: Executor;
  private readonly runtime: Runtime;
  private readonly cache: CodeCache;
  private readonly blocks: BlockTier;
  private readonly tier: RegionTier;
  private readonly exact: boolean;
  /** What the code in the cache was lifted for; in the memory model paged each has its own. */
  private liftedMode = 0;
  private readonly header: Int32Array;
  private readonly jumpSites: JumpSites;
  private checked: boolean;
  /** Memory model paged. */
  private readonly paged: PhysicalPlaces | undefined;
  /** Whether `translateFrom` is behind us, and `translateUntil` is not. */
  private translating: boolean;

  constructor(private readonly options: VcpuOptions) {
    this.isa = options.isa;
    this.memory = options.memory;
    this.runtime = options.runtime;
    this.executor = options.executor;
    this.exact = options.exactBudget ?? false;
    this.paged = options.memoryModel === 'paged' ? new PhysicalPlaces(this.memory, this.runtime) : undefined;
    this.header = new Int32Array(this.memory.memory.buffer, 0, Layout.RUNTIME_DATA / 4);
    this.checked = options.memoryModel === 'checked';
    this.translating = this.executor === 'translate' && options.translateFrom === undefined;
    this.jumpSites = new JumpSites(this.memory, this.paged !== undefined);
    const shared = {
      isa: this.isa,
      memory: this.memory,
      runtime: this.runtime,
      stats: this.stats,
      jumpSites: this.jumpSites,
      paged: this.paged,
      checked: () => this.checked,
      mode: () => this.mode,
    };
    this.blocks = new BlockTier({ ...shared, limit: options.limits?.instructions, clear: () => this.clear() });
    this.tier = new RegionTier({
      ...shared,
      lift: (pc, end) => (end === undefined ? this.blocks.at(pc) : this.blocks.part(pc, end)),
      isFresh: (block) => this.blocks.isFresh(block),
      expectedBytes: (block) => this.blocks.expectedBytes(block),
      exact: this.exact,
      translatesAll: this.executor === 'translate',
      translates: (pc) => this.translates(pc),
      compilingCost: options.hotThreshold !== undefined ? 0 : this.paged ? COMPILING_COST_IN_MACHINE : COMPILING_COST,
      slowPaths: options.slowPaths ?? 'adapt',
      codeLimit: options.codeLimit ?? CODE_LIMIT,
      limits: {
        ...REGION_LIMITS,
        inlined: INLINED_INSTRUCTIONS,
        samePages: this.paged !== undefined,
        dispatches: true,
        ...(!this.paged && { unrolled: UNROLLED_INSTRUCTIONS }),
        ...(options.limits?.blocks !== undefined && { blocks: options.limits.blocks }),
      },
    });
    this.cache = new CodeCache(this.memory, this.paged ?? virtualPlaces(this.memory), {
      staleBlock: (address) => this.runtime.markStale(address),
      hasRegion: (address, present) => this.runtime.markRegion(address, present),
      unlink: (key) => this.tier.unlink(key),
      dropped: (module) => this.tier.dropped(module),
    });
    this.blocks.cache = this.cache;
    this.tier.cache = this.cache;
    this.setHeader(Layout.CHECKED, Number(this.checked));
    this.setHeader(Layout.EXACT, Number(this.exact));
    this.setHeader(Layout.DEPTH, options.stackBytes ?? 500_000);
    this.setHeader(Layout.HOT_THRESHOLD, this.executor === 'tiered' ? this.hotThreshold : 0);
    this.isa.reset(new DataView(this.memory.memory.buffer, Layout.STATE, Layout.STATE_SIZE));
    if (this.paged) {
      if (!this.isa.system) throw new Error(`${this.isa.name} has no system mode`);
      this.setHeader(Layout.MMU, this.isa.system.mmu);
      this.setHeader(Layout.ALIGNED, this.isa.alignedAccess ? -1 : 0);
      this.isa.system.reset(this);
    }
  }

  private get hotThreshold(): number {
    return this.options.hotThreshold ?? (this.paged ? HOT_IN_MACHINE : HOT);
  }
  private setHeader(address: number, value: number): void {
    this.header[address >>> 2] = value;
  }
  private getHeader(address: number): number {
    return this.header[address >>> 2];
  }

  get pc(): number {
    return this.getHeader(Layout.PC) >>> 0;
  }
  set pc(value: number) {
    this.setHeader(Layout.PC, value);
  }
  /** A 32-bit word of guest state, signed; `offset` in bytes as in the ISA's state file. */
  get32(offset: number): number {
    return this.memory.data.getInt32(Layout.STATE + offset, true);
  }
  set32(offset: number, value: number): void {
    this.memory.data.setInt32(Layout.STATE + offset, value, true);
  }
  /** The ISA's state as bytes (little-endian words), live. */
  get state(): DataView {
    return new DataView(this.memory.memory.buffer, Layout.STATE, this.isa.stateSize);
  }
  /** User mode: the ISA's own table (Layout.USER_TABLE), to read. */
  get table(): Uint8Array {
    return this.memory.bytes.subarray(Layout.USER_TABLE, Layout.USER_TABLE + TABLE_BYTES);
  }
  writeTable(offset: number, bytes: Uint8Array): void {
    this.table.set(bytes, offset);
  }
  /** Guest instructions completed so far. */
  get retired(): number {
    return this.stats.instructions;
  }

  /** Loads the Wasm back end if this executor must have it from the start. */
  async prepare(): Promise<void> {
    if (this.executor === 'translate') await this.loadCompiler();
  }
  private wantsCompiler = false;
  /** When it did, in milliseconds. */
  private wantedSince = 0;
  private loading: Promise<void> | undefined;
  private loadCompiler(): Promise<void> {
    this.loading ??= this.options.loadCompiler().then((compiler) => {
      this.tier.compiler = compiler;
      if (this.executor === 'tiered') this.compilerIsThere();
    });
    return this.loading;
  }

  private compilerIsThere(): void {
    this.setHeader(Layout.HOT_THRESHOLD, this.hotThreshold);
    this.tier.worth.beginCompiling(this.hotThreshold);
  }

  /** What an earlier run did not compile can wait as long as it takes to load the compiler: most often the end comes first. */
  private mayLoadCompiler(): boolean {
    const { compilerAfter } = this.options;
    if (compilerAfter === undefined) return true;
    return this.stats.instructions >= compilerAfter && (this.stats.restored === 0 || performance.now() - this.wantedSince >= LOADING_MS);
  }

  /** See BlockTier. */
  noteCalls(): void {
    this.blocks.noteCalls();
  }
  callBefore(next: number): NotedCall | undefined {
    return this.blocks.callBefore(next);
  }
  calledBefore(pc: number): number | undefined {
    return this.blocks.calledBefore(pc);
  }
  /** Whether the pc begins a block of a region. */
  isTranslated(pc: number): boolean {
    return this.cache.region(pc) !== undefined || this.tier.isInside(pc);
  }

  /** Modules of an earlier run wait until their code is hot: each costs a short-lived process more than it gains. */
  private restoresHot = false;
  /**
   * Begins with translations of an earlier run (or of another process, for a `short` life), and has those of this one kept for
   * `translations`.
   */
  persist(earlier: Translations | Uint8Array = NO_TRANSLATIONS, short = false): void {
    this.restoresHot = short && this.executor === 'tiered';
    const { memory, runtime, cache } = this;
    const { coherentCode } = this.isa;
    if (this.executor === 'interpret' || this.options.limits || (this.paged && this.executor !== 'tiered')) return;
    const { modules, blocks } = earlier instanceof Uint8Array ? decodeTranslations(earlier) : earlier;
    const options = (): string => this.translationKey;
    const store = new ModuleStore({ memory, coherentCode, options, paged: this.paged }, modules);
    this.tier.store = store;
    if (this.executor === 'tiered' && !short && modules.length > 0 && !this.tier.canCompile && this.options.compilerAfter !== undefined)
      this.setHeader(Layout.HOT_THRESHOLD, this.hotThreshold * WARM_START);
    // who translates all does without blocks, and calls are noted where they are lifted
    if (this.executor !== 'tiered' || this.blocks.notesCalls) return;
    this.blocks.store = new BlockStore(
      {
        memory,
        runtime,
        cache,
        coherentCode,
        options,
        jumpSites: this.jumpSites,
        paged: this.paged,
        isVerified: ({ block }) => this.blocks.expectedBytes(block) !== undefined,
        hasSavedRegion: (pc) => store.has(pc),
        stats: this.stats,
      },
      blocks,
    );
  }
  /** What saved translations must agree in with this run. */
  private get translationKey(): string {
    const { isa, mode, checked, exact, executor, memory, paged } = this;
    return [
      TRANSLATOR,
      isa.name,
      isa.variant ?? '',
      paged ? 'paged' : mode,
      checked,
      exact,
      executor === 'translate',
      paged ? 0 : memory.memory.buffer.byteLength / 65536,
      // those leave before some instructions
      this.blocks.builder.hooked !== undefined || this.blocks.hooked !== undefined,
    ].join(' ');
  }
  /** What to begin another run with, or another process; undefined if there is nothing new. */
  translations(): Uint8Array | undefined {
    const found = this.newTranslations();
    return found && encodeTranslations(found);
  }
  newTranslations(): Translations | undefined {
    const { tier } = this;
    const { store, builder, hooked } = this.blocks;
    if (!tier.store || builder.hooked || hooked || !(tier.worthSaving || store?.worthSaving)) return undefined;
    return { modules: tier.save(tier.store), blocks: store?.save() };
  }

  /** User mode: all memory below UOPS_END is zero again, as that of a new processor; it must not run any more. */
  scrub(): void {
    const { bytes, data, top } = this.memory;
    const end = Math.ceil(this.cache.uopAddress / PAGE_SIZE) * PAGE_SIZE;
    for (const [from, to] of this.runtime.dirtyPages(0, end)) bytes.fill(0, from, to);
    this.table.fill(0);
    this.runtime.constants.set([]);
    data.setUint32(Layout.TOP, top, true);
  }

  /** Ends what runs beside the guest. */
  close(): void {
    this.tier.background?.close();
  }

  /**
   * Memory model paged: the bytes at these physical addresses changed, and not by a store of the guest. `remapped`: what lies
   * there is other memory than before.
   */
  invalidatePhysical(start: number, length: number): void {
    this.blocks.code.forget();
    this.stats.invalidations++;
    this.cache.invalidate(start, length);
  }
  /** Memory model paged: what lies at some physical addresses is other memory than before. */
  remapped(): void {
    this.paged?.remapped();
    this.clear();
    (this.runtime.exports.flushTlb as (keepGlobal: number) => void)(0);
  }

  /** Translations of this range are forgotten; call it when its bytes, mapping or permissions change. */
  invalidate(start: number, length: number): void {
    if (this.paged) {
      this.invalidatePhysical(start, length);
      return;
    }
    this.blocks.code.forget();
    if (length <= 0 || !this.memory.hasCode(start, length)) return;
    this.blocks.assumptions.forget();
    this.stats.invalidations++;
    this.cache.invalidate(start, length);
  }

  /**
   * Translations of code that may be in memory one after the other, in one module; the memory model must be `checked`. `at` puts the
   * n-th code in place and gives its pc. The functions in the result, undefined where there is nothing to translate, load a
   * translation once its code is in place again.
   */
  translateTogether(count: number, at: (n: number) => number): ((() => void) | undefined)[] {
    this.followMode();
    const jobs = Array.from({ length: count }, (_, n) => {
      const pc = at(n);
      this.blocks.assumptions.begin(pc);
      return this.tier.plan(pc);
    });
    const present = jobs.filter((job) => job !== undefined);
    const loaders = present.length === 0 ? [] : this.tier.compileTogether(present);
    let next = 0;
    return jobs.map((job) => job && loaders[next++]);
  }

  get memoryModel(): 'direct' | 'checked' {
    return this.checked ? 'checked' : 'direct';
  }
  setMemoryModel(model: MemoryModel): void {
    const checked = model === 'checked';
    if (checked === this.checked) return;
    this.checked = checked;
    this.setHeader(Layout.CHECKED, Number(checked));
    this.clear();
  }

  /** The word at Isa.mode, 0 without one. If it changes, all code is lifted anew. */
  get mode(): number {
    if (this.paged) return this.getHeader(Layout.MODE);
    return this.isa.mode === undefined ? 0 : this.get32(this.isa.mode);
  }
  set mode(value: number) {
    if (this.paged) {
      this.setHeader(Layout.MODE, value);
      return;
    }
    if (this.isa.mode === undefined) throw new Error(`${this.isa.name} has no mode`);
    this.set32(this.isa.mode, value);
  }
  /** The word may have been written by anybody. */
  private followMode(): void {
    const { mode } = this;
    if (this.paged || mode === this.liftedMode) return;
    this.liftedMode = mode;
    this.clear();
  }

  /** Forgets everything that was translated. */
  private clear(): void {
    this.cache.clear();
    this.blocks.assumptions.forget();
    this.runtime.constants.set([]);
    this.jumpSites.clear();
    this.tier.forgetAdvice();
    this.blocks.store?.begin();
  }

  /** Calls a helper of the ISA that reads or writes its state. */
  callHelper(name: string, ...args: number[]): number {
    if (!this.isa.helpers.some((helper) => helper.name === name)) throw new Error(`${this.isa.name} has no helper ${name}`);
    return Number(this.runtime.exports[name](...args));
  }

  /** Memory model paged: sensitive instructions, by number, that leave with exit `hooked` before they are executed. */
  hook(numbers: ReadonlySet<number>): void {
    this.blocks.builder.hooked = numbers.size === 0 ? undefined : numbers;
    this.clear();
  }
  /** The hooked instruction that an exit was about is executed, or passed over. An Exit if it leaves. */
  passHooked(pc: number, skip: boolean): Exit | undefined {
    const { builder } = this.blocks;
    // it was counted when it left
    this.stats.instructions--;
    this.grant(MOST_PASSED);
    const passing = { pc, skip, met: false };
    const at = this.isa.system?.restart?.(pc) ?? pc;
    builder.passing = passing;
    try {
      const exit = this.interpretOne(pc);
      if (exit || passing.met || at === pc) return exit;
      // a branch came first, and its delay slot is a block of its own
      builder.passing = { skip, met: false };
      return this.interpretOne(this.pc);
    } finally {
      builder.passing = undefined;
      this.countInstructions();
    }
  }
  /** User mode: guest addresses that leave with exit `hooked` before what begins there is executed, but not in a branch's delay slot. */
  hookPlaces(places: ReadonlySet<number>): void {
    this.blocks.hooked = places.size === 0 ? undefined : places;
    this.clear();
  }
  get hookedPlaces(): ReadonlySet<number> | undefined {
    return this.blocks.hooked;
  }
  /** The instruction at pc is executed though it is hooked. An Exit if it leaves. */
  passPlace(): Exit | undefined {
    this.followMode();
    this.grant(1);
    const exit = this.interpretOne(this.pc, undefined, true);
    this.countInstructions();
    return exit;
  }
  /** So many guest instructions may be completed from now on; `countInstructions` tells how many were. */
  private grant(budget: number): void {
    this.setHeader(Layout.BUDGET, budget);
    this.setHeader(Layout.REP_WORK, 0);
    this.memory.data.setBigInt64(Layout.RETIRED, BigInt(this.stats.instructions + budget), true);
  }
  private countInstructions(): void {
    this.stats.instructions = Number(this.memory.data.getBigInt64(Layout.RETIRED, true)) - this.getHeader(Layout.BUDGET);
  }
  /** The instruction at the guest's pc, or at another. */
  disassemble(pc = this.pc): string {
    this.blocks.code.forget();
    return this.isa.disassemble(this.blocks.code, pc, this.mode).text;
  }

  /** From inside a run, out of busWrite and the like: memory model paged stops soon, unless its budget is exact. Else nothing. */
  stopSoon(): void {
    (this.runtime.exports.stopSoon as () => void)();
  }

  /** Runs guest code until it exits, `budget` guest instructions (1 … 2^31−1) are completed, or much had to be compiled (exit `budget`, too). */
  run(budget: number): Exit {
    this.tier.tidy();
    this.followMode();
    const compiledBefore = this.stats.compileTime;
    this.grant(Math.max(1, Math.min(budget, 0x7fffffff)));
    if (this.wantsCompiler && this.mayLoadCompiler()) {
      this.wantsCompiler = false;
      if (this.options.startCompiler && this.executor === 'tiered') {
        this.tier.background = this.options.startCompiler();
        this.compilerIsThere();
      } else void this.loadCompiler();
    }
    for (;;) {
      const exit = this.stay() ?? this.pause(compiledBefore);
      this.countInstructions();
      if (!exit) continue;
      this.stats.exits[exit.kind] = (this.stats.exits[exit.kind] ?? 0) + 1;
      return exit;
    }
  }

  /** The instruction at pc alone, in user mode as a single step: exit `budget` if nothing else happened. */
  step(): Exit {
    this.grant(1);
    const mode = this.paged ? undefined : this.mode | (this.isa.step ?? 0);
    const exit = this.interpretOne(this.pc, mode) ?? makeExit(ExitKind.Budget, this.pc, 0, 0, 0);
    this.countInstructions();
    return exit;
  }

  /** Few instructions may ask for much to be compiled: the caller has its turn as if the budget were spent. */
  private pause(compiledBefore: number): Exit | undefined {
    if (this.exact || this.stats.compileTime - compiledBefore < COMPILE_MS) return undefined;
    return makeExit(ExitKind.Budget, this.pc, 0, 0, 0);
  }

  /** One stay in guest code, and what the engine itself has to do after it; an Exit if it is somebody else's turn. */
  private stay(): Exit | undefined {
    const fault = this.enter(() => this.runtime.run());
    if (fault) return fault;
    const kind = this.getHeader(Layout.EXIT_KIND) as ExitKind;
    const pc = this.pc;
    switch (kind) {
      case ExitKind.Miss:
        this.stats.misses++;
        return this.translate(pc);
      case ExitKind.Hot:
        this.stats.hot++;
        this.becameHot(pc);
        return undefined;
      case ExitKind.Stale:
        this.stats.stale++;
        this.cache.invalidate(pc, 1);
        return undefined;
      case ExitKind.Slow:
        this.stats.slow++;
        this.tier.tookSlowPath(this.getHeader(Layout.EXIT_ARG0) >>> 0);
        return this.interpretBlock(pc);
      case ExitKind.Unmapped:
        this.stats.slow++;
        this.tier.leftForAccess(this.getHeader(Layout.EXIT_ARG0) >>> 0);
        return undefined;
      case ExitKind.Budget:
        if (this.exact && this.getHeader(Layout.BUDGET) > 0) return this.spendRest();
        return makeExit(kind, pc, 0, 0, 0);
      default:
        return this.left(kind, pc);
    }
  }

  /** Memory model paged: guest code was left, and the runtime has tried to let the guest handle it. */
  private left(kind: ExitKind, pc: number): Exit | undefined {
    if (kind === ExitKind.Unexpected) {
      const block = this.getHeader(Layout.EXIT_ARG0) >>> 0;
      if (this.blocks.assumptions.refute(block)) this.cache.invalidate(block, 1);
      return this.interpretOne(pc);
    }
    if (!this.paged) {
      if (kind < ExitKind.Continue) return this.exitOf(kind, pc);
      if (kind !== ExitKind.Continue) this.pc = this.getHeader(kind === ExitKind.Resume ? Layout.NEXT_PC : Layout.EXIT_ARG0);
      this.followMode();
      return undefined;
    }
    if (kind === ExitKind.MemoryFault && this.getHeader(Layout.EXIT_ARG1) & Fault.WRITES_CODE) {
      const address = this.getHeader(Layout.EXIT_ARG2) >>> 0;
      this.blocks.store?.leave(address >>> 12);
      this.invalidatePhysical(address, 1);
      return this.interpretOne(pc);
    }
    if (kind !== ExitKind.Hypercall) return this.exitOf(kind, pc);
    this.pc = this.getHeader(Layout.NEXT_PC);
    return this.exitOf(kind, this.pc);
  }
  /** What the interpreter left with, which the guest itself may have to handle. */
  private goesOn(): boolean {
    return this.paged !== undefined && (this.runtime.exports.goesOn as () => number)() !== 0;
  }
  /** Nothing can be fetched at `pc`, and the fault is recorded. */
  private fetchFault(pc: number): Exit | undefined {
    this.setHeader(Layout.EXIT_KIND, ExitKind.MemoryFault);
    this.pc = pc;
    return this.goesOn() ? undefined : this.exitOf(ExitKind.MemoryFault, pc);
  }
  /** The instruction that an exit is about, alone. It may have been left in the midst of its block. */
  private interpretOne(pc: number, mode?: number, passes = false): Exit | undefined {
    const at = this.isa.system?.restart?.(pc) ?? pc;
    // the branch before a delay slot is executed once more
    if (at !== pc) this.setHeader(Layout.BUDGET, this.getHeader(Layout.BUDGET) + 1);
    this.pc = at;
    const block = this.blocks.lift(at, { limit: 1, passes, ...(mode !== undefined && { mode }) });
    if (!block) return this.fetchFault(at);
    const left = this.getHeader(Layout.BUDGET);
    if (left < block.instructions) this.setHeader(Layout.BUDGET, block.instructions);
    return this.runOnce(block);
  }

  private exitOf(kind: ExitKind, pc: number): Exit {
    return makeExit(
      kind,
      pc,
      this.getHeader(Layout.EXIT_ARG0) >>> 0,
      this.getHeader(Layout.EXIT_ARG1) >>> 0,
      this.getHeader(Layout.EXIT_ARG2) >>> 0,
    );
  }

  private enter(run: () => void): Exit | undefined {
    this.setHeader(Layout.EXIT_KIND, ExitKind.None);
    try {
      run();
      return undefined;
    } catch (error) {
      const access = this.tier.accessOfTrap(error);
      if (!access) throw error;
      this.pc = access.pc;
      return { kind: 'memory-fault', pc: access.pc, address: undefined, access: access.write ? 'write' : 'read' };
    }
  }

  /** Something must be there for the dispatcher to run at `pc`. */
  private translate(pc: number): Exit | undefined {
    if (this.paged && this.paged.key(pc) < 0) return this.fetchFault(pc);
    if (this.tier.republish(pc) || (!this.restoresHot && this.tier.restore(pc)) || this.blocks.restore(pc)) return undefined;
    if (this.executor === 'translate' && this.translates(pc)) {
      this.blocks.assumptions.begin(pc);
      if (this.tier.compile(pc)) return undefined;
    }
    return this.blocks.publish(pc) ? undefined : this.fetchFault(pc);
  }

  /** With `translate`: whether what begins at `pc` is to be. */
  private translates(pc: number): boolean {
    this.translating ||= pc === this.options.translateFrom;
    this.translating &&= pc !== this.options.translateUntil;
    return this.translating;
  }

  private becameHot(pc: number): void {
    if (this.restoresHot && this.tier.restore(pc)) return;
    const wait = this.tier.heated(pc);
    if (this.tier.worth.wantsCompiler && this.wantedSince === 0) {
      this.wantsCompiler = true;
      this.wantedSince = performance.now();
    }
    if (wait > 0) this.tier.worth.rest(pc, wait, this.getHeader(Layout.HOT_THRESHOLD));
  }

  /** The block at `pc`, once, in the interpreter. */
  private interpretBlock(pc: number): Exit | undefined {
    const block = this.blocks.at(pc);
    return block ? this.runOnce(block) : this.fetchFault(pc);
  }
  private runOnce(block: Block, isPart = false): Exit | undefined {
    const address = this.blocks.lowerOnce(block);
    const fault = this.enter(() => this.runtime.runBlock(address));
    if (fault) return fault;
    const kind = this.getHeader(Layout.EXIT_KIND) as ExitKind;
    if (kind === ExitKind.None || this.goesOn()) return undefined;
    if (kind === ExitKind.Budget) return this.exact && !isPart ? this.spendRest() : makeExit(kind, this.pc, 0, 0, 0);
    if (kind === ExitKind.Stale) this.cache.invalidate(block.pc, 1);
    return kind >= ExitKind.Miss && kind < ExitKind.Continue ? undefined : this.left(kind, this.pc);
  }

  /** Less than the next region needs is left: blocks, the last one cut to size, up to the exact end. */
  private spendRest(): Exit {
    for (;;) {
      const fault = this.enter(() => this.runtime.runBlocks());
      if (fault) return fault;
      const kind = this.getHeader(Layout.EXIT_KIND) as ExitKind;
      const { pc } = this;
      let exit: Exit | undefined;
      if (kind === ExitKind.Budget) exit = this.interpretPart(pc, this.getHeader(Layout.BUDGET));
      else if (kind === ExitKind.Miss) exit = this.blocks.publish(pc) ? undefined : this.fetchFault(pc);
      else if (kind === ExitKind.Stale) this.cache.invalidate(pc, 1);
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
    if (block.instructions > instructions) this.setHeader(Layout.BUDGET, block.instructions);
    return this.runOnce(block, true);
  }
}

const NO_TRANSLATIONS: Translations = { modules: [], blocks: undefined };

/** About what it takes to load the compiler and to have it warm. */
const LOADING_MS = 300;

/**
 * With modules of an earlier run, and no compiler yet, code must be hot so many times over: what that run came to the end without is seldom worth
 * loading it.
 */
const WARM_START = 100;

/** More than the instructions that stand for one hooked: a branch with its delay slot, STI with the next. */
const MOST_PASSED = 16;

/** Arrivals after which code is translated. A kernel that boots has much code that runs some hundred times. */
const HOT = 3000;
const HOT_IN_MACHINE = 8000;

const TABLE_BYTES = 0x10000;
