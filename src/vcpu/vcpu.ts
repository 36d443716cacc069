import { Layout } from '../../assembly/shared/layout.ts';
import type { Runtime } from '../backend/runtime.ts';
import { INLINED_INSTRUCTIONS, REGION_LIMITS, UNROLLED_INSTRUCTIONS } from '../backend/wasm/region.ts';
import { CodeCache } from '../cache/code-cache.ts';
import type { KeptBytes } from '../cache/parts.ts';
import { decodeTranslations, encodeTranslations, NO_TRANSLATIONS, TRANSLATOR, type Translations } from '../cache/persistence.ts';
import { PAGE_SIZE } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { BlockStore } from './block-store.ts';
import { BlockTier, type NotedCall } from './block-tier.ts';
import { PhysicalPlaces, virtualPlaces } from './code-places.ts';
import type { Exit } from './exit.ts';
import type { GuestMemory } from './guest-memory.ts';
import { Header } from './header.ts';
import { JumpSites } from './jump-sites.ts';
import { MixedPages } from './mixed-pages.ts';
import { ModuleStore } from './module-store.ts';
import { CODE_LIMIT, type CodeLimit, type Executor, type MemoryModel, noStats, type VcpuOptions, type VcpuStats } from './options.ts';
import { RegionTier } from './region-tier.ts';
import { Stays } from './stays.ts';
import { COMPILING_COST, COMPILING_COST_IN_MACHINE } from './worth.ts';

export type { CodeLimit, Executor, MemoryModel, VcpuOptions, VcpuStats };

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
  private readonly stays: Stays;
  private readonly exact: boolean;
  /** What the code in the cache was lifted for; in the memory model paged each has its own. */
  private liftedMode = 0;
  private readonly header: Header;
  private readonly jumpSites: JumpSites;
  private checked: boolean;
  /** Memory model paged. */
  private readonly paged: PhysicalPlaces | undefined;
  private readonly mixedPages: MixedPages | undefined;
  /** Whether `translateFrom` is behind us, and `translateUntil` is not. */
  private translating: boolean;

  constructor(private readonly options: VcpuOptions) {
    this.isa = options.isa;
    this.memory = options.memory;
    this.runtime = options.runtime;
    this.executor = options.executor;
    this.exact = options.exactBudget ?? false;
    this.paged = options.memoryModel === 'paged' ? new PhysicalPlaces(this.memory, this.runtime) : undefined;
    this.header = new Header(this.memory.memory);
    this.checked = options.memoryModel === 'checked';
    this.translating = this.executor === 'translate' && options.translateFrom === undefined;
    this.jumpSites = new JumpSites(this.memory, this.paged !== undefined);
    this.cache = new CodeCache(this.memory, this.paged ?? virtualPlaces(this.memory), {
      staleBlock: (address) => this.runtime.markStale(address),
      hasRegion: (address, present) => this.runtime.markRegion(address, present),
      unlink: (key) => this.tier.unlink(key),
      dropped: (module) => this.tier.dropped(module),
    });
    const shared = {
      isa: this.isa,
      memory: this.memory,
      runtime: this.runtime,
      stats: this.stats,
      cache: this.cache,
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
      beforeModules: () => options.beforeModules?.(),
      limits: {
        ...REGION_LIMITS,
        inlined: INLINED_INSTRUCTIONS,
        samePages: this.paged !== undefined,
        dispatches: true,
        ...(!this.paged && { unrolled: UNROLLED_INSTRUCTIONS }),
        ...(this.paged && this.executor === 'translate' && { instructions: MOST_AT_ONCE }),
        ...(options.limits?.blocks !== undefined && { blocks: options.limits.blocks }),
      },
    });
    this.mixedPages = this.paged && new MixedPages({ ...shared, header: this.header, paged: this.paged, blocks: this.blocks });
    this.stays = new Stays({
      ...shared,
      header: this.header,
      blocks: this.blocks,
      tier: this.tier,
      exact: this.exact,
      followMode: () => this.followMode(),
      provide: (pc) => this.provide(pc),
      becameHot: (pc) => this.becameHot(pc),
      mixedPages: this.mixedPages,
    });
    this.header.set(Layout.CHECKED, Number(this.checked));
    this.header.set(Layout.EXACT, Number(this.exact));
    this.header.set(Layout.DEPTH, options.stackBytes ?? 500_000);
    this.header.set(Layout.HOT_THRESHOLD, this.executor === 'tiered' ? this.hotThreshold : 0);
    this.isa.reset(new DataView(this.memory.memory.buffer, Layout.STATE, Layout.STATE_SIZE));
    if (this.paged) {
      if (!this.isa.system) throw new Error(`${this.isa.name} has no system mode`);
      this.header.set(Layout.MMU, this.isa.system.mmu);
      this.header.set(Layout.ALIGNED, this.isa.alignedAccess ? -1 : 0);
      this.isa.system.reset(this);
    }
  }

  private get hotThreshold(): number {
    return this.options.hotThreshold ?? (this.paged ? HOT_IN_MACHINE : HOT);
  }

  get pc(): number {
    return this.header.pc;
  }
  set pc(value: number) {
    this.header.pc = value;
  }
  /** User mode, after a load or store that met a memory fault with an address: where that access began. */
  get accessStart(): number {
    return this.header.get(Layout.EXIT_ARG2) >>> 0;
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
    this.options.beforeModules?.();
    this.loading ??= this.options.loadCompiler().then((compiler) => {
      this.tier.compiler = compiler;
      if (this.executor === 'tiered' && !this.tier.closed) this.compilerIsThere();
    });
    return this.loading;
  }

  private compilerIsThere(): void {
    this.header.set(Layout.HOT_THRESHOLD, this.hotThreshold);
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
  persist(earlier: Translations | Uint8Array | KeptBytes = NO_TRANSLATIONS, short = false): void {
    this.restoresHot = short && this.executor === 'tiered';
    const { memory, runtime, cache } = this;
    const { coherentCode } = this.isa;
    if (this.executor === 'interpret' || this.options.limits || (this.paged && this.executor !== 'tiered')) return;
    const { modules, blocks } = 'modules' in earlier ? earlier : decodeTranslations(earlier);
    const options = (): string => this.translationKey;
    const store = new ModuleStore({ memory, coherentCode, options, paged: this.paged }, modules);
    this.tier.store = store;
    if (this.executor === 'tiered' && !short && !modules.empty && !this.tier.canCompile && this.options.compilerAfter !== undefined)
      this.header.set(Layout.HOT_THRESHOLD, this.hotThreshold * WARM_START);
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
        isVerified: ({ block }) => block !== undefined && this.blocks.expectedBytes(block) !== undefined,
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
    this.mixedPages?.dropStale();
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

  /** Ends what runs beside the guest. What it still gives does not count: the memory may be another processor's by then. */
  close(): void {
    this.tier.close();
  }

  /** Memory model paged: the bytes at these physical addresses changed, and not by a store of the guest. */
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
    this.header.set(Layout.CHECKED, Number(checked));
    this.clear();
  }

  /** The word at Isa.mode, 0 without one. If it changes, all code is lifted anew. */
  get mode(): number {
    if (this.paged) return this.header.get(Layout.MODE);
    return this.isa.mode === undefined ? 0 : this.get32(this.isa.mode);
  }
  set mode(value: number) {
    if (this.paged) {
      this.header.set(Layout.MODE, value);
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
    return this.stays.passHooked(pc, skip);
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
    return this.stays.passPlace();
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

  /**
   * Runs guest code until it exits, `budget` guest instructions (1 … 2^31−1) are completed, or much had to be compiled (exit `budget`, too; memory
   * model paged with an exact budget: `compiling`, and the next run is to be of the rest, with `isRest`).
   */
  run(budget: number, isRest = false): Exit {
    this.mixedPages?.dropStale();
    this.tier.tidy();
    this.followMode();
    if (this.wantsCompiler && this.mayLoadCompiler()) {
      this.wantsCompiler = false;
      if (this.options.startCompiler && this.executor === 'tiered') {
        this.options.beforeModules?.();
        this.tier.background = this.options.startCompiler();
        this.compilerIsThere();
      } else void this.loadCompiler();
    }
    return this.stays.run(budget, isRest);
  }
  /** After exit `compiling`: spends the rest of the budget without compiling. */
  finish(rest: number): Exit {
    return this.stays.finish(rest);
  }

  /** The instruction at pc alone, in user mode as a single step: exit `budget` if nothing else happened. */
  step(): Exit {
    return this.stays.step();
  }

  /** Something must be there for the dispatcher to run at `pc`; false if nothing can be fetched there. */
  private provide(pc: number): boolean {
    if (this.paged && this.paged.key(pc) < 0) return false;
    if (this.tier.republish(pc)) return true;
    if (this.executor === 'translate') {
      if (this.tier.restore(pc)) return true;
      if (this.translates(pc)) {
        this.blocks.assumptions.begin(pc);
        if (this.tier.compile(pc)) return true;
      }
    }
    if (!this.blocks.restore(pc) && !this.blocks.publish(pc)) return false;
    if (!this.restoresHot && this.tier.store?.has(pc) && !this.cache.region(pc)) this.restoreSoon(pc);
    return true;
  }

  /** Entries of saved regions that the interpreter still runs. */
  private readonly restoring = new Set<number>();
  private restoreSoon(pc: number): void {
    const threshold = this.header.get(Layout.HOT_THRESHOLD);
    this.restoring.add(pc);
    this.tier.worth.rest(pc, Math.min(RESTORE_AFTER, threshold), threshold);
  }

  /** With `translate`: whether what begins at `pc` is to be. */
  private translates(pc: number): boolean {
    this.translating ||= pc === this.options.translateFrom;
    this.translating &&= pc !== this.options.translateUntil;
    return this.translating;
  }

  private becameHot(pc: number): void {
    const early = this.restoring.delete(pc);
    if (!this.cache.region(pc) && this.tier.restore(pc)) return;
    const threshold = this.header.get(Layout.HOT_THRESHOLD);
    const wait = early ? threshold - RESTORE_AFTER : this.tier.heated(pc);
    if (this.tier.worth.wantsCompiler && this.wantedSince === 0) {
      this.wantsCompiler = true;
      this.wantedSince = performance.now();
    }
    if (wait > 0) this.tier.worth.rest(pc, wait, threshold);
  }
}

/** Instructions of a region of a machine whose all code is compiled before it runs, while the host waits. */
const MOST_AT_ONCE = 1000;

/** About what it takes to load the compiler and to have it warm. */
const LOADING_MS = 300;

/**
 * With modules of an earlier run, and no compiler yet, code must be hot so many times over: what that run came to the end without is seldom worth
 * loading it.
 */
const WARM_START = 100;

/** Arrivals at a region's entry after which its module of an earlier run is put in place: that takes as long as interpreting it so often. */
const RESTORE_AFTER = 64;

/** Arrivals after which code is translated. A kernel that boots has much code that runs some hundred times. */
const HOT = 3000;
const HOT_IN_MACHINE = 8000;

const TABLE_BYTES = 0x10000;
