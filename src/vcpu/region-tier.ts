import type { Runtime } from '../backend/runtime.ts';
import type { Access, CompileOptions } from '../backend/wasm/compile.ts';
import type { Region } from '../backend/wasm/region.ts';
import type { CachedRegion, CodeCache, CompiledModule } from '../cache/code-cache.ts';
import type { Block } from '../ir/block.ts';
import type { Isa } from '../isa/isa.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { VcpuStats } from './vcpu.ts';

/** The Wasm back end, loaded when it is first needed. */
export interface Compiler {
  readonly compileRegions: (regions: readonly Region[], options: CompileOptions) => Uint8Array<ArrayBuffer>;
  readonly accessAtOffset: (regions: readonly Region[], options: CompileOptions, offset: number) => Access | undefined;
  readonly formRegion: (
    entry: number,
    lift: (pc: number) => Block | undefined,
    seenTargets: (block: Block) => readonly number[],
  ) => Region | undefined;
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
}

interface LoadedModule extends CompiledModule {
  readonly formed: readonly Region[];
  readonly options: CompileOptions;
}

interface JumpOwner {
  readonly region: Region;
  /** Those of its blocks that end in an indirect jump. */
  readonly blocks: readonly Block[];
  misses: number;
  /** Misses after which it is compiled anew. */
  readonly patience: number;
}

/** Regions and guest instructions in one module at most. */
const MODULE_REGIONS = 32;
const MODULE_INSTRUCTIONS = 8000;

/** Entries that the function table grows by. */
const TABLE_STEP = 512;

/** `(param i32 i32) (result i32) local.get 0`: the callee of a call slot that is not compiled hands its pc to the dispatcher. */
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
  /** Regions with indirect jumps, by entry. */
  private readonly jumpOwners = new Map<number, JumpOwner>();
  private nextSlot = 0;
  private freeSlots = 0;
  private nextModule = 1;
  private wanted = new Set<number>();

  constructor(private readonly context: TierContext) {
    this.environment = { ...context.runtime.exports, memory: context.memory.memory, table: context.runtime.table };
    this.stub = new WebAssembly.Instance(new WebAssembly.Module(STUB)).exports.s as CallableFunction;
    // an empty look-up entry seems to be one for pc 0
    context.runtime.table.set(0, this.stub);
  }

  /** Index in the function table for calls of this pc, for good. */
  private callSlot = (pc: number): number => {
    let index = this.callSlots.get(pc);
    if (index === undefined) {
      if (this.freeSlots === 0) {
        this.nextSlot = this.context.runtime.table.grow(TABLE_STEP, this.stub) as number;
        this.freeSlots = TABLE_STEP;
      }
      index = this.nextSlot++;
      this.freeSlots--;
      this.callSlots.set(pc, index);
    }
    return index;
  };

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
    this.cache.publishRegion(pc, this.callSlot(pc));
    return true;
  }

  /** A slice ended here, in the middle of a region: the next one begins with a region of its own. */
  stoppedAt(pc: number): void {
    if (this.compiler && !this.cache.region(pc) && !this.cache.block(pc)?.address) this.wanted.add(pc);
  }

  /** Compiles the function that begins at `pc`, with functions it calls that have run already. False if that brings nothing. */
  compile(pc: number): boolean {
    const { compiler } = this;
    if (!compiler) return false;
    if (this.cache.region(pc)) return this.republish(pc);
    this.widen(pc);
    return this.compileFrom(compiler, pc);
  }

  /**
   * A jump came to `pc`, which its region did not know for one of its targets: compiles that region anew, with all the
   * targets seen since. Each time it takes one more such miss, so that a jump that goes everywhere does not keep us busy.
   */
  private widen(pc: number): void {
    for (const owner of this.jumpOwners.values()) {
      const missed = owner.blocks.some((block) => this.context.sawTarget(block, pc) && !owner.region.jumpTargets(block).includes(pc));
      if (!missed || ++owner.misses < owner.patience) continue;
      const { entry } = owner.region;
      if (!this.cache.region(entry)) this.jumpOwners.delete(entry);
      else {
        this.cache.dropModule(entry);
        this.compileFrom(this.compiler!, entry, owner.patience + 1);
      }
    }
  }

  private compileFrom(compiler: Compiler, pc: number, patience = 1): boolean {
    const start = performance.now();
    const formed: Region[] = [];
    const seen = new Set([pc]);
    let instructions = 0;
    for (const entry of seen) {
      const region = compiler.formRegion(entry, this.context.lift, this.context.seenTargets);
      if (!region || (entry === pc && region.instructions === 0)) break;
      formed.push(region);
      instructions += region.instructions;
      if (formed.length >= MODULE_REGIONS || instructions >= MODULE_INSTRUCTIONS) break;
      for (const block of region.blocks) {
        const t = block.terminator;
        if (t.kind === 'call' && !this.cache.region(t.target) && this.cache.block(t.target)?.address) seen.add(t.target);
      }
    }
    if (formed.length === 0) return false;
    this.load(formed);
    for (const region of formed) {
      const blocks = region.blocks.filter((block) => block.terminator.kind === 'jump');
      if (blocks.length > 0) this.jumpOwners.set(region.entry, { region, blocks, misses: 0, patience: region.entry === pc ? patience : 1 });
    }
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
      callSlot: this.callSlot,
      expectedBytes: context.expectedBytes,
      jumpSite: context.jumpSite,
      callee: context.lift,
    };
    const number = this.nextModule++;
    const bytes = withModuleName(this.compiler!.compileRegions(formed, options), `g${number}`);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: this.environment });
    const module: LoadedModule = { regions: [], formed, options };
    this.modules.set(number, module);
    for (const region of formed) {
      const cached: CachedRegion = { entry: region.entry, blocks: region.blocks, module };
      module.regions.push(cached);
      const index = this.callSlot(region.entry);
      context.runtime.table.set(index, instance.exports[`r${region.entry.toString(16).padStart(8, '0')}`] as CallableFunction);
      this.cache.addRegion(cached, index);
    }
    context.stats.modules++;
    context.stats.regions += formed.length;
    context.stats.wasmBytes += bytes.length;
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

/** Appends a name section with the module's name, which engines show in stack traces. */
function withModuleName(bytes: Uint8Array, name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const section = [4, 0x6e, 0x61, 0x6d, 0x65, 0, text.length + 1, text.length, ...text];
  const out = new Uint8Array(bytes.length + 2 + section.length);
  out.set(bytes);
  out.set([0, section.length, ...section], bytes.length);
  return out;
}
