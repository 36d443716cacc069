import type { Runtime } from '../backend/runtime.ts';
import type { CompileOptions } from '../backend/wasm/options.ts';
import { innerEntries, type Region } from '../backend/wasm/region.ts';
import type { CachedRegion, CodeCache, CompiledModule } from '../cache/code-cache.ts';
import type { SavedModule } from '../cache/saved-modules.ts';
import type { CallSlots } from './call-slots.ts';
import type { PhysicalPlaces } from './code-places.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { KeepableModule } from './module-store.ts';
import type { CodeLimit, VcpuStats } from './options.ts';

interface ModulesContext {
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly stats: VcpuStats;
  readonly cache: CodeCache;
  readonly slots: CallSlots;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  readonly codeLimit: CodeLimit;
  /** Called by a region whose callee has no code yet. Gives what the callee gives. */
  readonly compileMissing: (pc: number, depth: number) => number;
  /** No region has this entry any more. */
  readonly forgotten: (entry: number) => void;
}

/** What becomes one module, or is compiled together with others. */
export interface Job {
  readonly number: number;
  readonly regions: readonly Region[];
  readonly options: CompileOptions;
  readonly instructions: number;
}

export interface LoadedModule extends CompiledModule {
  readonly job: Job;
  /** Bytes of its binary form; and itself, unless it is compiled together with others. */
  readonly size: number;
  readonly compiled?: WebAssembly.Module;
  /** Its regions' functions, by entry. */
  functions: ReadonlyMap<number, CallableFunction>;
  /** Whether the guest came to one of its regions since that was last asked. */
  used: boolean;
  /** What it can be saved from: its binary form, or what it was restored from. */
  readonly binary?: Uint8Array<ArrayBuffer>;
  readonly saved?: SavedModule;
}

type Origin = Pick<LoadedModule, 'binary' | 'saved'>;

/** `(import "e" "t" (table 0 funcref)) (func (export "c") (param i32 i32 i32) (result i32)`: calls entry 2 with 0 and 1, by return_call_indirect. */
const CALL_TABLE = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 14, 2, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f, 2, 9, 1, 1, 0x65, 1, 0x74, 1,
  0x70, 0, 0, 3, 2, 1, 1, 7, 5, 1, 1, 0x63, 0, 0, 10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0x13, 0, 0, 11,
]);

/** Modules of compiled regions: linked with what is there, in the look-up tables, and dropped when there are too many. */
export class LoadedModules {
  private readonly cache: CodeCache;
  private readonly slots: CallSlots;
  private environment: WebAssembly.ModuleImports;
  private readonly modules = new Map<number, LoadedModule>();
  private readonly droppedModules: LoadedModule[] = [];
  /** Bytes of all modules, and how many went since the function table was new. */
  private codeBytes = 0;
  private gone = 0;
  private compilesTogether = false;

  constructor(private readonly context: ModulesContext) {
    this.cache = context.cache;
    this.slots = context.slots;
    this.environment = this.makeEnvironment();
  }
  private makeEnvironment(): WebAssembly.ModuleImports {
    const { runtime, memory, compileMissing } = this.context;
    const { table } = runtime;
    let callTable: WebAssembly.ExportValue | undefined;
    return {
      ...runtime.exports,
      memory: memory.memory,
      table,
      /** Few have modules that import it. */
      get callTable() {
        callTable ??= new WebAssembly.Instance(new WebAssembly.Module(CALL_TABLE), { e: { t: table } }).exports.c;
        return callTable;
      },
      compileMissing,
    };
  }

  get(number: number): LoadedModule | undefined {
    return this.modules.get(number);
  }
  private isLive(region: CachedRegion): boolean {
    return this.cache.regionOf(region.blocks[0]) === region;
  }

  /** Another pc took the look-up entry of this region, or it waited to be used: takes it back. False if there is no region. */
  republish(pc: number): boolean {
    const { paged } = this.context;
    const region = this.cache.region(pc);
    if (!region) {
      if (paged) this.cache.hideRegionAt(pc, paged.mode);
      return false;
    }
    const module = region.module as LoadedModule;
    if (paged && !paged.areMapped(wholeOf(region).blocks)) {
      // one of its pages is not there now; the interpreter waits for it to be used
      this.cache.retractRegion(region);
      return false;
    }
    module.used = true;
    this.cache.publishRegion(region, this.slots.fill(this.cache.places.key(pc), functionOf(module, region)));
    return true;
  }

  load(job: Job, compiled: WebAssembly.Module, size: number, origin: Origin = {}): void {
    const { stats } = this.context;
    this.link(job, this.instantiate(job, compiled), { size, compiled, ...origin });
    stats.modules++;
    stats.wasmBytes += size;
  }
  /** Jobs whose codes may be in memory one after the other, as one module. The functions it gives put each in place. */
  linkTogether(jobs: readonly Job[], binary: Uint8Array<ArrayBuffer>): (() => void)[] {
    this.compilesTogether = true;
    const { stats } = this.context;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: this.environment });
    stats.modules++;
    stats.wasmBytes += binary.length;
    return jobs.map((job, n) => () => this.link(job, functionsOf(job, exports, n === 0 ? '' : `_${n}`), { size: 0 }));
  }
  private instantiate(job: Job, compiled: WebAssembly.Module): ReadonlyMap<number, CallableFunction> {
    return functionsOf(job, new WebAssembly.Instance(compiled, { env: this.importsOf(job.options) }).exports);
  }

  private importsOf({ relocatable, callSlots, jumpSites }: CompileOptions): WebAssembly.ModuleImports {
    if (!relocatable) return this.environment;
    const env = Object.create(this.environment) as WebAssembly.ModuleImports;
    for (const [pc, index] of callSlots ?? []) env[`s${pc.toString(16)}`] = index;
    for (const [pc, site] of jumpSites ?? []) env[`j${pc.toString(16)}`] = site;
    return env;
  }

  private link(job: Job, functions: LoadedModule['functions'], origin: Origin & Pick<LoadedModule, 'size' | 'compiled'>): void {
    const { stats } = this.context;
    const module: LoadedModule = { regions: [], job, functions, used: true, ...origin };
    this.modules.set(job.number, module);
    this.codeBytes += module.size;
    this.slots.hold(indexesIn(job));
    for (const [i, { entry, blocks }] of job.regions.entries()) {
      if (origin.saved?.regions[i].live === false) continue;
      const cached: CachedRegion = { entry, blocks, module, replaces: this.cache.regionOf(blocks[0]) };
      this.put(cached, module);
      for (const pc of innerEntries(job.regions[i])) {
        const block = blocks.find((b) => b.pc === pc)!;
        this.put({ entry: pc, blocks: [block], within: entry, module, replaces: this.cache.regionOf(block) }, module);
      }
    }
    stats.regions += job.regions.length;
    stats.regionInstructions += job.instructions;
  }

  private put(region: CachedRegion, module: LoadedModule): void {
    module.regions.push(region);
    this.cache.addRegion(region, this.slots.fill(this.cache.keyOf(region), functionOf(module, region)));
  }

  /** Modules with a current region, the newest first. */
  keepable(): KeepableModule[] {
    return [...this.modules.values()]
      .reverse()
      .map(({ regions, job, binary, saved }) => ({
        live: new Set(regions.filter((region) => region.within === undefined && this.isLive(region)).map(({ entry }) => entry)),
        saved,
        regions: job.regions,
        options: job.options,
        binary,
      }))
      .filter(({ live }) => live.size > 0);
  }

  /** A module lost its regions. Frames of it may still be active, so its trap places are kept until `forgetDropped`. */
  dropped(module: CompiledModule): void {
    this.droppedModules.push(module as LoadedModule);
  }
  /** No compiled code is active: what was dropped goes, and what is more than there may be. */
  tidy(): void {
    if (this.droppedModules.length > 0) this.forgetDropped();
    const { bytes, modules, dropped } = this.context.codeLimit;
    if (this.codeBytes > bytes || this.modules.size > modules) this.evict(bytes / 2, modules / 2);
    if (this.gone > dropped) this.renew();
  }

  private forgetDropped(): void {
    for (const { job, regions, size } of this.droppedModules) {
      // those of which a region had taken another's place are named more than once
      if (!this.modules.delete(job.number)) continue;
      this.gone++;
      this.codeBytes -= size;
      this.slots.release(indexesIn(job));
      for (const region of regions) this.slots.forget(this.cache.keyOf(region));
      for (const { entry } of regions) if (!this.cache.region(entry)) this.context.forgotten(entry);
    }
    this.droppedModules.length = 0;
  }

  /**
   * Drops modules until there are no more than so many: first those that the guest has not come to since the last time, then the oldest. Of the
   * rest it is noted from now on whether it does: a region is out of the look-up tables until it is missed, and put back then.
   */
  private evict(bytes: number, modules: number): void {
    const all = [...this.modules.values()];
    for (const module of [...all.filter(({ used }) => !used), ...all.filter(({ used }) => used)]) {
      if (this.codeBytes <= bytes && this.modules.size <= modules) break;
      for (const region of module.regions) if (this.isLive(region)) this.cache.dropRegion(region);
      this.forgetDropped();
    }
    for (const module of this.modules.values()) {
      module.used = false;
      for (const region of module.regions.filter((r) => this.isLive(r))) {
        this.cache.hideRegion(region);
        this.slots.empty(this.cache.keyOf(region));
      }
    }
    this.context.stats.evictions++;
  }

  /** Takes what there is to a new function table. */
  private renew(): void {
    const modules = [...this.modules.values()];
    this.gone = 0;
    // whoever compiles modules together does without, since some may wait for their code; a machine's devices hold on to the runtime
    if (this.context.paged || this.compilesTogether) return;
    this.context.runtime.renew();
    this.environment = this.makeEnvironment();
    this.slots.renew();
    for (const module of modules) {
      module.functions = this.instantiate(module.job, module.compiled!);
      for (const region of module.regions) {
        const key = this.cache.keyOf(region);
        if (this.isLive(region) && this.slots.isFilled(key)) this.slots.fill(key, functionOf(module, region));
      }
    }
  }
}

/** The region whose code a region is. */
const wholeOf = (region: CachedRegion): CachedRegion =>
  region.within === undefined ? region : region.module.regions.find(({ entry }) => entry === region.within)!;
const functionOf = ({ functions }: LoadedModule, { entry, within }: CachedRegion): CallableFunction => functions.get(within ?? entry)!;
/** Of the function table, in its code. */
export const indexesIn = ({ options }: Job): Iterable<number> => options.callSlots?.values() ?? [];
const functionsOf = ({ regions }: Job, exports: WebAssembly.Exports, suffix = ''): ReadonlyMap<number, CallableFunction> =>
  new Map(regions.map(({ entry }) => [entry, exports[`r${entry.toString(16).padStart(8, '0')}${suffix}`] as CallableFunction]));
