import type { Runtime } from '../backend/runtime.ts';
import type { Access, CompileOptions } from '../backend/wasm/compile.ts';
import type { formFragment, formRegion, Region } from '../backend/wasm/region.ts';
import type { CachedRegion, CodeCache, CompiledModule } from '../cache/code-cache.ts';
import type { Block } from '../ir/block.ts';
import type { Isa } from '../isa/isa.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { VcpuStats } from './vcpu.ts';

/** The Wasm back end, loaded when it is first needed. */
export interface Compiler {
  readonly compileRegions: (regions: readonly Region[], options: CompileOptions) => Uint8Array<ArrayBuffer>;
  readonly accessAtOffset: (regions: readonly Region[], options: CompileOptions, offset: number) => Access | undefined;
  readonly formRegion: typeof formRegion;
  readonly formFragment: typeof formFragment;
}

interface TierContext {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly stats: VcpuStats;
  readonly lift: (pc: number) => Block;
  readonly expectedBytes: (block: Block) => Uint8Array | undefined;
  readonly jumpSite: (block: Block) => number | undefined;
  readonly seenTargets: (block: Block) => readonly number[];
  readonly sawTarget: (block: Block, pc: number) => boolean;
  readonly checked: () => boolean;
  /** Everything that is called is compiled first. */
  readonly translatesAll: boolean;
  /** Whether the block at a pc has run often enough to be compiled with what calls it. */
  readonly isWarm: (pc: number) => boolean;
}

interface LoadedModule extends CompiledModule {
  readonly number: number;
  readonly formed: readonly Region[];
  readonly options: CompileOptions;
}

/** A region that could have more blocks. */
interface Partial {
  readonly region: Region;
  /** Those of its blocks that end in an indirect jump. */
  readonly jumps: readonly Block[];
  /** Times that the guest became hot, or in `translate` came, where it ends. */
  misses: number;
  /** Misses after which it is compiled anew. */
  readonly patience: number;
}

/** Regions and guest instructions in one module at most. */
const MODULE_REGIONS = 32;
const MODULE_INSTRUCTIONS = 8000;

/** Machine stack, in bytes, that compiling in the midst of a guest call may take. */
const MISSING_RESERVE = 16384;

/** Misses after which a region is compiled anew for the first time. */
const PATIENCE = 4;

/** Entries that the function table grows by. */
const TABLE_STEP = 512;

/** `(param i32 i32) (result i32) local.get 0`: a call slot that lost its code hands its pc to the dispatcher. */
const STUB = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0, 7, 5, 1, 1, 0x73, 0, 0, 10, 6, 1, 4, 0, 0x20, 0, 11,
]);

/** Compiles hot code into regions, links them, and finds the guest instruction behind a Wasm trap. */
export class RegionTier {
  compiler: Compiler | undefined;
  cache!: CodeCache;
  private readonly stub: CallableFunction;
  private readonly environment: WebAssembly.ModuleImports;
  private readonly callSlots = new Map<number, number>();
  private readonly modules = new Map<number, LoadedModule>();
  private readonly droppedModules: LoadedModule[] = [];
  /** By entry. */
  private readonly partial = new Map<number, Partial>();
  /** pcs in the midst of some region, and where its loops begin; those of regions since dropped stay, since they only advise. */
  private readonly inRegions = new Set<number>();
  private readonly loopHeaders = new Set<number>();
  private nextSlot = 0;
  private freeSlots = 0;
  private nextModule = 1;
  private wanted = new Set<number>();

  constructor(private readonly context: TierContext) {
    const { memory } = context.memory;
    const compileMissing = (pc: number, depth: number): number => this.compileMissing(pc >>> 0, depth);
    this.environment = { ...context.runtime.exports, memory, table: context.runtime.table, compileMissing };
    this.stub = new WebAssembly.Instance(new WebAssembly.Module(STUB)).exports.s as CallableFunction;
    // an empty look-up entry seems to be one for pc 0
    context.runtime.table.set(0, this.stub);
  }

  /** Index in the function table of the region at this pc, for good; made for a region only, since large tables slow instantiation. */
  private slotFor(entry: number): number {
    let index = this.callSlots.get(entry);
    if (index === undefined) {
      if (this.freeSlots === 0) {
        this.nextSlot = this.context.runtime.table.grow(TABLE_STEP, this.stub) as number;
        this.freeSlots = TABLE_STEP;
      }
      index = this.nextSlot++;
      this.freeSlots--;
      this.callSlots.set(entry, index);
    }
    return index;
  }

  /** Called by a region whose callee has no code yet. Gives what the callee gives. */
  private compileMissing(pc: number, depth: number): number {
    if (depth < MISSING_RESERVE || !this.compile(pc)) return pc;
    const callee = this.context.runtime.table.get(this.slotFor(pc)) as (pc: number, depth: number) => number;
    return callee(pc, depth - MISSING_RESERVE);
  }

  unlink(entry: number): void {
    const index = this.callSlots.get(entry);
    if (index !== undefined) this.context.runtime.table.set(index, this.stub);
  }

  /** Another pc took the look-up entry of this region: takes it back. False if there is no region. */
  republish(pc: number): boolean {
    if (!this.cache.region(pc)) {
      if (this.compiler && this.wanted.delete(pc)) return this.compile(pc);
      return false;
    }
    this.cache.publishRegion(pc, this.slotFor(pc));
    return true;
  }

  /** A slice ended here, in the middle of a region: the next one begins with a region of its own. */
  stoppedAt(pc: number): void {
    if (this.compiler && !this.cache.region(pc) && !this.cache.block(pc)?.address) this.wanted.add(pc);
  }

  /** Compiles the function that begins at `pc`, with warm functions that it calls. False if that brings nothing. */
  compile(pc: number): boolean {
    const { compiler } = this;
    if (!compiler) return false;
    if (this.cache.region(pc)) return this.republish(pc);
    this.widen(compiler, pc);
    if (this.cache.region(pc)) return this.republish(pc);
    return this.compileFrom(compiler, pc);
  }

  /**
   * The guest is at `pc`, where a region could have gone on: compiles that region anew, with what has been seen since. Each
   * time it takes twice as many misses, so that code that goes everywhere does not keep us busy.
   */
  private widen(compiler: Compiler, pc: number): void {
    for (const partial of this.partial.values()) {
      const { region, jumps } = partial;
      const missed =
        region.outside.has(pc) || jumps.some((block) => this.context.sawTarget(block, pc) && !region.jumpTargets(block).includes(pc));
      if (!missed || ++partial.misses < partial.patience) continue;
      this.partial.delete(region.entry);
      if (this.cache.region(region.entry)) this.compileFrom(compiler, region.entry, 2 * partial.patience);
    }
  }

  /**
   * The function that begins at `entry`, where it has run. If that lies within another region, a piece of it will do, up to the
   * next loop or region: whole functions once more for each place where one is entered after a system call would be most of
   * what is compiled.
   */
  private form(compiler: Compiler, entry: number): { region: Region | undefined; whole: boolean } {
    const { lift, seenTargets, translatesAll } = this.context;
    const known = (pc: number): Block | undefined =>
      translatesAll || pc === entry || this.cache.block(pc)?.address ? lift(pc) : undefined;
    const whole = !this.inRegions.has(entry) || this.loopHeaders.has(entry);
    const ends = (pc: number): boolean => this.loopHeaders.has(pc) || this.cache.region(pc) !== undefined;
    return {
      whole,
      region: whole ? compiler.formRegion(entry, known, seenTargets) : compiler.formFragment(entry, known, seenTargets, ends),
    };
  }

  private compileFrom(compiler: Compiler, pc: number, patience = PATIENCE): boolean {
    const start = performance.now();
    const formed: Region[] = [];
    const seen = new Set([pc]);
    let instructions = 0;
    for (const entry of seen) {
      const { region, whole } = this.form(compiler, entry);
      if (!region || (entry === pc && region.instructions === 0)) break;
      formed.push(region);
      instructions += region.instructions;
      const jumps = region.blocks.filter((block) => block.terminator.kind === 'jump');
      if (whole && (jumps.length > 0 || region.outside.size > 0))
        this.partial.set(entry, { region, jumps, misses: 0, patience: entry === pc ? patience : PATIENCE });
      for (const [i, block] of region.blocks.entries()) {
        if (i > 0) this.inRegions.add(block.pc);
        if (region.isLoopHeader[i]) this.loopHeaders.add(block.pc);
      }
      if (formed.length >= MODULE_REGIONS || instructions >= MODULE_INSTRUCTIONS) break;
      for (const { terminator } of region.blocks)
        if (terminator.kind === 'call' && !this.cache.region(terminator.target) && this.context.isWarm(terminator.target))
          seen.add(terminator.target);
    }
    if (formed.length === 0) return false;
    this.load(formed);
    this.context.stats.compileTime += performance.now() - start;
    this.context.stats.regionInstructions += instructions;
    return true;
  }

  private load(formed: readonly Region[]): void {
    const { context } = this;
    const options: CompileOptions = {
      isa: context.isa,
      checked: context.checked(),
      memoryPages: context.memory.memory.buffer.byteLength / 65536,
      callSlot: remembered((pc) => (this.cache.region(pc) ? this.callSlots.get(pc) : undefined)),
      compileMissing: context.translatesAll,
      expectedBytes: context.expectedBytes,
      jumpSite: context.jumpSite,
      callee: context.lift,
    };
    const number = this.nextModule++;
    const bytes = withModuleName(this.compiler!.compileRegions(formed, options), `g${number}`);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: this.environment });
    const module: LoadedModule = { number, regions: [], formed, options };
    this.modules.set(number, module);
    for (const region of formed) {
      const cached: CachedRegion = { entry: region.entry, blocks: region.blocks, module, replaces: this.cache.region(region.entry) };
      module.regions.push(cached);
      const index = this.slotFor(region.entry);
      context.runtime.table.set(index, instance.exports[`r${region.entry.toString(16).padStart(8, '0')}`] as CallableFunction);
      this.cache.addRegion(cached, index);
    }
    context.stats.modules++;
    context.stats.regions += formed.length;
    context.stats.wasmBytes += bytes.length;
  }

  /** A module lost its regions. Frames of it may still be active, so its trap places are kept until `forgetDropped`. */
  dropped(module: CompiledModule): void {
    this.droppedModules.push(module as LoadedModule);
  }
  /** No compiled code is active. */
  forgetDropped(): void {
    for (const { number } of this.droppedModules) this.modules.delete(number);
    this.droppedModules.length = 0;
  }

  /** The guest access behind a trap of compiled code, or undefined if the error is something else. */
  accessOfTrap(error: unknown): Access | undefined {
    if (!(error instanceof WebAssembly.RuntimeError)) return undefined;
    const place = /wasm:\/\/wasm\/g(\d+)-[0-9a-f]+:wasm-function\[\d+\]:0x([0-9a-f]+)/.exec(error.stack ?? '');
    if (!place) return undefined;
    const module = this.modules.get(Number(place[1]));
    if (!module || !this.compiler) return undefined;
    return this.compiler.accessAtOffset(module.formed, module.options, Number.parseInt(place[2], 16));
  }
}

/** Asks once for each key. */
function remembered<K, V>(ask: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    if (!known.has(key)) known.set(key, ask(key));
    return known.get(key)!;
  };
}

/** Appends a name section with the module's name, which engines show in stack traces. */
function withModuleName(bytes: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const section = [4, 0x6e, 0x61, 0x6d, 0x65, 0, text.length + 1, text.length, ...text];
  const out = new Uint8Array(bytes.length + 2 + section.length);
  out.set(bytes);
  out.set([0, section.length, ...section], bytes.length);
  return out;
}
