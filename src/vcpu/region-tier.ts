import { lastCallee } from '../backend/interpret/relocate.ts';
import type { Runtime } from '../backend/runtime.ts';
import { type Access, accessIn, type CompileOptions, type SlowPaths } from '../backend/wasm/options.ts';
import { formFragment, formRegion, type Region, type RegionLimits } from '../backend/wasm/region.ts';
import type { CodeCache, CompiledModule } from '../cache/code-cache.ts';
import type { Parts } from '../cache/parts.ts';
import type { SavedModule } from '../cache/saved-modules.ts';
import type { Block } from '../ir/block.ts';
import { type Isa, isLasting } from '../isa/isa.ts';
import { AccessWays } from './access-ways.ts';
import { CallSlots } from './call-slots.ts';
import type { PhysicalPlaces } from './code-places.ts';
import { type BackgroundCompiler, type Compiled, type Compiler, namedModule } from './compiler.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { JumpSites } from './jump-sites.ts';
import { indexesIn, type Job, LoadedModules } from './loaded-modules.ts';
import type { KeepableModule, ModuleStore } from './module-store.ts';
import type { CodeLimit, VcpuStats } from './options.ts';
import { PATIENCE, PartialRegions } from './partial-regions.ts';
import { restoredRegion } from './saved-code.ts';
import { SlowWays } from './slow-ways.ts';
import { SOON, Worth } from './worth.ts';

interface TierContext {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly stats: VcpuStats;
  readonly cache: CodeCache;
  /** Undefined where nothing can be fetched. */
  readonly lift: (pc: number, end?: number) => Block | undefined;
  /** Whether its code is still what it was lifted from. */
  readonly isFresh: (block: Block) => boolean;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  readonly expectedBytes: (block: Block) => Uint8Array | undefined;
  readonly jumpSites: JumpSites;
  readonly checked: () => boolean;
  /** See Vcpu.mode. */
  readonly mode: () => number;
  /** See VcpuOptions.exactBudget. */
  readonly exact: boolean;
  /** Everything that is called is compiled first. */
  readonly translatesAll: boolean;
  /** If so: whether what is first reached at `pc` is. */
  readonly translates: (pc: number) => boolean;
  /** What compiling a guest instruction costs, in interpreted guest instructions (tiered). */
  readonly compilingCost: number;
  readonly slowPaths: SlowPaths | 'adapt';
  /** See VcpuOptions.beforeModules. */
  readonly beforeModules: () => void;
  readonly limits: RegionLimits;
  readonly codeLimit: CodeLimit;
}

/** A region, and whether it is more than a piece of another. */
interface Formed {
  readonly region: Region | undefined;
  readonly whole: boolean;
}

/** Regions and guest instructions in one module at most. */
const MODULE_REGIONS = 32;
const MODULE_INSTRUCTIONS = 8000;

/** Machine stack, in bytes, that compiling in the midst of a guest call may take. */
const MISSING_RESERVE = 16384;

/** Milliseconds of compilation in a stay after which guest code is left for more: it is entered anew at each return then. */
const MISSING_MS = 200;

/** Modules asked of another thread at a time. */
const JOBS = 4;

/** Local registers up to which loop headers write all of them back: what that saves otherwise is machine registers. */
const FEW_REGISTERS = 32;

/** Chooses what becomes a region and has it compiled, and finds the guest instruction behind a Wasm trap. */
export class RegionTier {
  compiler: Compiler | undefined;
  background: BackgroundCompiler | undefined;
  readonly worth: Worth;
  private readonly cache: CodeCache;
  private readonly slots: CallSlots;
  private readonly modules: LoadedModules;
  private readonly partial: PartialRegions;
  /** pcs in the midst of some region, and where its loops begin; those of regions since dropped stay, since they only advise. */
  private readonly inRegions = new Set<number>();
  private readonly loopHeaders = new Set<number>();
  /** Entries of regions that went to be compiled in another way. */
  private readonly again = new Set<number>();
  private readonly slowWays: SlowWays;
  private readonly accessWays: AccessWays;
  private nextModule = 1;
  /** Entries of regions that another thread compiles. */
  private readonly awaited = new Set<number>();
  private jobs = 0;
  /** Where modules come from that earlier runs compiled, if translations are kept. */
  store: ModuleStore | undefined;
  /** pcs of blocks in restored regions: they have run, if not in this run. */
  private readonly restoredBlocks = new Set<number>();

  constructor(private readonly context: TierContext) {
    this.cache = context.cache;
    this.slots = new CallSlots(context.runtime);
    this.modules = new LoadedModules({
      ...context,
      slots: this.slots,
      compileMissing: (pc, depth) => this.compileMissing(pc >>> 0, depth),
      forgotten: (entry) => {
        this.partial.forget(entry);
        this.slowWays.forget(entry);
      },
    });
    this.worth = new Worth(context.runtime, context.stats, context.cache, context.compilingCost);
    this.accessWays = new AccessWays(context.stats);
    this.slowWays = new SlowWays(context.stats, context.slowPaths);
    this.partial = new PartialRegions({
      stats: context.stats,
      jumpSites: context.jumpSites,
      isCurrent: (entry) => this.cache.region(entry) !== undefined,
      compile: (entry, patience) => this.compileFrom(entry, patience),
    });
  }

  private compiledBefore = 0;
  beginStay(): void {
    this.compiledBefore = this.context.stats.compileTime;
  }
  /** Milliseconds of compilation since. */
  get compiledInStay(): number {
    return this.context.stats.compileTime - this.compiledBefore;
  }

  /** Called by a region whose callee has no code yet. Gives what the callee gives. */
  private compileMissing(pc: number, depth: number): number {
    // in a machine, the host must have its turn
    if (this.context.paged && this.compiledInStay >= MISSING_MS) return pc;
    if (depth < MISSING_RESERVE || !this.context.translates(pc) || !(this.restore(pc) || this.compile(pc))) return pc;
    const callee = this.context.runtime.table.get(this.slots.of(this.cache.places.key(pc))) as (pc: number, depth: number) => number;
    return callee(pc, depth - MISSING_RESERVE);
  }

  unlink(key: number): void {
    this.slots.empty(key);
  }
  /** A module has no regions left. */
  dropped(module: CompiledModule): void {
    this.modules.dropped(module);
  }
  /** See LoadedModules. */
  republish(pc: number): boolean {
    return this.modules.republish(pc);
  }

  /** A region left for the slow path of an instruction. */
  tookSlowPath(entry: number): void {
    if (this.slowWays.left(entry)) this.dropForAgain(entry);
  }

  /** Memory model paged: a region left for an access that it cannot make. */
  leftForAccess(entry: number): void {
    if (this.accessWays.left(this.cache.places.key(entry))) this.dropForAgain(entry);
  }
  private dropForAgain(entry: number): void {
    this.cache.dropRegionAt(entry);
    this.again.add(entry);
  }

  get canCompile(): boolean {
    return this.compiler !== undefined || this.background !== undefined;
  }
  /** Whether the other thread has enough to do. */
  get busy(): boolean {
    return this.jobs >= JOBS;
  }

  /**
   * Compiles the function that begins at `pc`, with warm functions that it calls. False if it is not there now: that brings
   * nothing, or it comes later.
   */
  compile(pc: number): boolean {
    if (!this.canCompile || this.awaited.has(pc)) return false;
    if (this.cache.region(pc)) return this.republish(pc);
    this.partial.missedAt(pc);
    if (this.cache.region(pc)) return this.republish(pc);
    return this.compileFrom(pc);
  }

  /**
   * Tiered: the guest has come to `pc` often. Compiles what holds it if that was interpreted for as long as compiling takes. Arrivals after which
   * to ask again, 0 if it goes on in compiled code now.
   */
  heated(pc: number): number {
    if (this.cache.region(pc)) return this.republish(pc) ? 0 : SOON;
    if (this.awaited.has(pc) || this.busy) return SOON;
    if (this.again.delete(pc)) return this.compileFrom(pc) ? 0 : SOON;
    const { worth, canCompile } = this;
    const rests = worth.askedBefore(pc) || worth.tooEarly(pc);
    if (rests) return rests;
    const own = this.form(pc);
    if (!own.region || own.region.instructions === 0) return Number.POSITIVE_INFINITY;
    // what goes on in a region that could have held it is best compiled with that anew
    const lacking = own.whole ? this.partial.lacking(pc, own.region) : undefined;
    const formed = lacking === undefined ? own : this.form(lacking);
    const arrivals = worth.ask(pc, formed.region ?? own.region);
    if (arrivals > 0 || !canCompile) return arrivals;
    return this.compileFrom(lacking ?? pc, PATIENCE, formed) && lacking === undefined ? 0 : SOON;
  }

  /**
   * The function that begins at `entry`, where it has run. If that lies within another region, a piece of it will do, up to the
   * next loop or region: whole functions once more for each place where one is entered after a system call would be most of
   * what is compiled.
   */
  private form(entry: number): Formed {
    const { lift, jumpSites, translatesAll, limits } = this.context;
    const seenTargets = (block: Block): readonly number[] => jumpSites.seen(block);
    const known = (pc: number, end?: number): Block | undefined =>
      translatesAll || pc === entry || this.cache.block(pc)?.address || this.restoredBlocks.has(pc) ? lift(pc, end) : undefined;
    const whole = !this.inRegions.has(entry) || this.loopHeaders.has(entry);
    const ends = (pc: number): boolean => this.loopHeaders.has(pc) || this.cache.region(pc) !== undefined;
    // what an interpreter goes through is in one region
    const endsWhole = (pc: number): boolean => (this.cache.region(pc)?.within ?? entry) !== entry;
    const region = whole ? formRegion(entry, known, seenTargets, limits, endsWhole) : formFragment(entry, known, seenTargets, ends);
    if (region?.dispatches) this.context.paged?.note(region.blocks[0]);
    return { whole, region };
  }

  /** `formed`: what `form` gives for `pc`. */
  private compileFrom(pc: number, patience = PATIENCE, formed?: Formed): boolean {
    const start = performance.now();
    const job = this.formJob(pc, patience, formed);
    if (!job) return false;
    this.worth.compiled(job.regions);
    const name = `g${job.number}`;
    if (this.background) {
      for (const { entry } of job.regions) this.awaited.add(entry);
      this.jobs++;
      this.slots.hold(indexesIn(job));
      this.background.compile(job.regions, job.options, name, (compiled) => this.arrived(job, compiled));
      return false;
    }
    const binary = this.compiler!.compileRegions(job.regions, job.options);
    this.modules.load(job, new WebAssembly.Module(namedModule(binary, name)), binary.length, this.store ? { binary } : {});
    this.context.stats.compileTime += performance.now() - start;
    return true;
  }

  /** What comes after that does not count. */
  closed = false;
  close(): void {
    this.closed = true;
    this.background?.close();
  }

  /** No compiled code is active. */
  private arrived(job: Job, compiled: Compiled | undefined): void {
    if (this.closed) return;
    this.jobs--;
    for (const { entry } of job.regions) this.awaited.delete(entry);
    this.context.stats.compileTime += compiled?.time ?? 0;
    // the guest may have changed its code meanwhile
    const fresh = job.regions.every(({ blocks }) => blocks.every((block) => block.size === 0 || this.context.isFresh(block)));
    if (compiled && fresh && job.options.checked === this.context.checked()) this.modules.load(job, compiled.module, compiled.size);
    this.slots.release(indexesIn(job));
  }

  private formJob(pc: number, patience: number, formed = this.form(pc)): Job | undefined {
    const regions: Region[] = [];
    const seen = new Set([pc]);
    let instructions = 0;
    for (const entry of seen) {
      const { region, whole } = entry === pc ? formed : this.form(entry);
      if (!region || (entry === pc && region.instructions === 0)) break;
      if (entry !== pc && !this.worth.isWarm(region)) continue;
      regions.push(region);
      instructions += region.instructions;
      if (whole) this.partial.note(region, entry === pc ? patience : PATIENCE);
      this.noteBlocks(region);
      // if all is translated, callees are when they are called
      if (this.context.translatesAll || regions.length >= MODULE_REGIONS || instructions >= MODULE_INSTRUCTIONS) break;
      for (const [i, block] of region.blocks.entries()) {
        const callee = region.isInlined[i] ? undefined : this.calleeOf(block);
        if (callee !== undefined && !this.cache.region(callee) && !this.awaited.has(callee)) seen.add(callee);
      }
    }
    return regions.length === 0 ? undefined : { number: this.nextModule++, regions, options: this.optionsFor(regions), instructions };
  }

  /** Where the call at the end of a block goes, or went last. */
  private calleeOf({ pc, terminator }: Block): number | undefined {
    if (terminator.kind === 'call') return terminator.target;
    const address = terminator.kind === 'call-indirect' && !this.context.paged ? this.cache.block(pc)?.address : undefined;
    return address ? lastCallee(this.context.runtime.words, address) : undefined;
  }

  isInside(pc: number): boolean {
    return this.inRegions.has(pc);
  }

  private noteBlocks(region: Region): void {
    for (const [i, block] of region.blocks.entries()) {
      if (region.returnsTo[i] !== undefined) continue;
      if (block.pc !== region.entry) this.inRegions.add(block.pc);
      if (region.isLoopHeader[i]) this.loopHeaders.add(block.pc);
    }
  }

  private optionsFor(regions: readonly Region[]): CompileOptions {
    const { isa, memory, lift, expectedBytes, jumpSites: sites, checked, translatesAll, paged } = this.context;
    const callSlots = new Map<number, number>();
    const callees = new Map<number, Block>();
    const likelyCallees = new Map<number, number>();
    const expected = new Map<number, Uint8Array>();
    const jumpSites = new Map<number, number>();
    const mayCall = (pc: number): void => {
      const index = this.slots.get(this.cache.places.key(pc));
      if (index !== undefined && this.cache.region(pc)) callSlots.set(pc, index);
    };
    for (const { blocks, outside } of regions) {
      for (const pc of outside) mayCall(pc);
      for (const block of blocks) {
        const { pc, terminator } = block;
        if (terminator.kind === 'call') {
          mayCall(terminator.target);
          const callee = lift(terminator.target);
          if (callee) callees.set(terminator.target, callee);
        } else if (terminator.kind === 'call-indirect') {
          const callee = this.calleeOf(block);
          if (callee !== undefined) {
            mayCall(callee);
            likelyCallees.set(pc, callee);
          }
        }
        const site = sites.of(block);
        if (site !== undefined) jumpSites.set(pc, site);
        const bytes = expectedBytes(block);
        if (bytes) expected.set(pc, bytes);
      }
    }
    return {
      isa: {
        registers: isa.registers,
        helpers: isa.helpers,
        ...(isa.stackPointer !== undefined && { stackPointer: isa.stackPointer }),
        ...(isa.alignedAccess && { alignedAccess: true }),
      },
      checked: checked(),
      exactState: this.context.exact || isa.registers.filter(isLasting).length <= FEW_REGISTERS,
      exactSwitches: this.context.exact,
      memoryPages: memory.memory.buffer.byteLength / 65536,
      compileMissing: translatesAll,
      // so many modules come of it
      callsThrough: translatesAll && paged !== undefined,
      relocatable: this.store !== undefined,
      callSlots,
      callees,
      likelyCallees,
      jumpSites,
      expectedBytes: expected,
      slowPaths: new Map(regions.map(({ entry }) => [entry, this.slowWays.of(entry)])),
      ...(paged && {
        paged: {
          mode: paged.mode,
          pages: new Map(regions.map(({ entry, blocks }) => [entry, paged.mappedPages(blocks)])),
          calls: new Set(
            regions.map(({ entry }) => entry).filter((entry) => translatesAll || this.accessWays.calls(this.cache.places.key(entry))),
          ),
        },
      }),
    };
  }

  /** What `compile` would compile at `pc`. */
  plan(pc: number): Job | undefined {
    return this.formJob(pc, PATIENCE);
  }

  /**
   * Compiles what was planned, of codes that may have been in memory one after the other, into one module. The functions it
   * gives put each in place, when its code is in memory again. Only for the memory model `checked`: no trap is found in it.
   */
  compileTogether(jobs: readonly Job[]): (() => void)[] {
    const start = performance.now();
    const loaders = this.modules.linkTogether(jobs, this.compiler!.compileGroups(jobs));
    this.context.stats.compileTime += performance.now() - start;
    return loaders;
  }

  /** Puts a module of an earlier run in place that has the region at `pc`, if the guest's code is the same. */
  restore(pc: number): boolean {
    const saved = this.store?.take(pc);
    if (!saved) return false;
    const { context } = this;
    const start = performance.now();
    const regions = saved.regions.map(restoredRegion);
    if (context.paged) for (const { blocks } of regions) for (const block of blocks) context.paged.note(block);
    const keys = saved.slots.map((at) => this.cache.places.key(at));
    if (keys.includes(-1)) return false;
    const jumpSites = new Map<number, number>();
    for (const block of regions.flatMap(({ blocks }) => blocks)) {
      const site = context.jumpSites.of(block);
      if (site !== undefined) jumpSites.set(block.pc, site);
    }
    if (!saved.sites.every((at) => jumpSites.has(at))) return false;
    const options: CompileOptions = {
      isa: context.isa,
      checked: context.checked(),
      memoryPages: 0,
      relocatable: true,
      callSlots: new Map(saved.slots.map((at, i) => [at, this.slots.of(keys[i])])),
      jumpSites,
    };
    context.beforeModules();
    const number = this.nextModule++;
    const job: Job = { number, regions, options, instructions: saved.regions.reduce((sum, r) => sum + r.instructions, 0) };
    try {
      this.modules.load(job, new WebAssembly.Module(namedModule(saved.wasm, `g${number}`)), saved.wasm.length, { saved });
    } catch (error) {
      if (error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError || error instanceof TypeError) return false;
      throw error;
    }
    for (const [i, region] of regions.entries()) {
      const { live, patience, way } = saved.regions[i];
      this.noteBlocks(region);
      for (const block of region.blocks) this.restoredBlocks.add(block.pc);
      if (!live) continue;
      this.partial.note(region, patience);
      if (way !== 'leave') this.slowWays.set(region.entry, way);
      for (const [at, targets] of region.jumpTargets) {
        const site = jumpSites.get(at);
        if (site !== undefined) context.jumpSites.note(site, targets);
      }
    }
    context.stats.restored++;
    context.stats.restoreTime += performance.now() - start;
    return true;
  }

  /** Without regions that others have taken the place of: in the module, they would still be called, and the engine had both to optimise. */
  private withoutOld(module: KeepableModule): KeepableModule {
    const { live, binary } = module;
    if (!binary || !this.compiler || live.size === module.regions.length) return module;
    const regions = module.regions.filter(({ entry }) => live.has(entry));
    const options = this.optionsFor(regions);
    return { live, regions, options, binary: this.compiler.compileRegions(regions, options) };
  }
  /** Whether there are modules that no earlier run gave. */
  get worthSaving(): boolean {
    return this.modules.keepable().some(({ binary }) => binary !== undefined);
  }
  /** Modules for the next run. */
  save(store: ModuleStore): Parts<SavedModule> {
    return store.save(
      this.modules.keepable().map((module) => this.withoutOld(module)),
      (entry) => this.partial.patience(entry),
      (regions, options) => this.compiler?.accessMap(regions, options) ?? [],
    );
  }

  /** No compiled code is active: what was dropped goes, and what is more than there may be. */
  tidy(): void {
    if (this.canCompile) this.partial.look();
    this.modules.tidy();
  }

  /** All code was dropped: so is what is known of it. */
  forgetAdvice(): void {
    for (const known of [
      this.inRegions,
      this.loopHeaders,
      this.restoredBlocks,
      this.partial,
      this.slowWays,
      this.accessWays,
      this.worth,
      this.again,
    ])
      known.clear();
  }

  /** The guest access behind a trap of compiled code, or undefined if the error is something else. */
  accessOfTrap(error: unknown): Access | undefined {
    if (!(error instanceof WebAssembly.RuntimeError)) return undefined;
    const place = /wasm:\/\/wasm\/g(\d+)-[0-9a-f]+:wasm-function\[\d+\]:0x([0-9a-f]+)/.exec(error.stack ?? '');
    if (!place) return undefined;
    const module = this.modules.get(Number(place[1]));
    if (!module) return undefined;
    if (module.saved) return accessIn(module.saved.accesses, Number.parseInt(place[2], 16));
    return (this.background ?? this.compiler)?.accessAtOffset(module.job.regions, module.job.options, Number.parseInt(place[2], 16));
  }
}
