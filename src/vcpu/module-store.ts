import type { CompileOptions } from '../backend/wasm/options.ts';
import type { Region } from '../backend/wasm/region.ts';
import { type Part, type Parts, partsOf } from '../cache/parts.ts';
import { modulePart, type SavedModule } from '../cache/saved-modules.ts';
import type { Block } from '../ir/block.ts';
import type { PhysicalPlaces } from './code-places.ts';
import { GuestMemory } from './guest-memory.ts';
import { hasCode, hasRange, savedRegion } from './saved-code.ts';

interface StoreContext {
  readonly memory: GuestMemory;
  readonly coherentCode: boolean;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  /** What saved modules must agree in with this run. */
  readonly options: () => string;
}

type AccessMap = (regions: readonly Region[], options: CompileOptions) => number[];

/** A module of this run. */
export interface KeepableModule {
  /** Entries of regions that are current. */
  readonly live: ReadonlySet<number>;
  /** What it was restored from; */
  readonly saved?: SavedModule | undefined;
  /** else what it was made from, and its binary form if it was kept. */
  readonly regions: readonly Region[];
  readonly options: CompileOptions;
  readonly binary?: Uint8Array<ArrayBuffer> | undefined;
}

/** Modules that earlier runs compiled, and what is kept of this run's for the next. */
export class ModuleStore {
  /** Those that have been looked at. */
  private readonly taken = new Set<Part<SavedModule>>();

  constructor(
    private readonly context: StoreContext,
    private readonly earlier: Parts<SavedModule>,
  ) {}

  private unused(entry: number): Part<SavedModule> | undefined {
    const part = this.earlier.at(entry);
    return part && !this.taken.has(part) ? part : undefined;
  }
  has(entry: number): boolean {
    return this.unused(entry) !== undefined;
  }

  /** The module that has the region at `pc`, if the guest's code is the same. It is given only once. */
  take(pc: number): SavedModule | undefined {
    const part = this.unused(pc);
    const saved = part?.value();
    const { context } = this;
    if (part && !saved) this.taken.add(part);
    if (!part || !saved || saved.options !== context.options()) return undefined;
    const { paged, memory, coherentCode } = context;
    // what is mapped elsewhere now, or is other code, may be as it was later
    if (paged && (saved.mode !== paged.mode || !saved.pages.every(([page, word]) => paged.isMapped(page, word | 0)))) return undefined;
    const is = hasCode(saved, (at, size, code, from) =>
      paged ? paged.hasCode(at, size, code, from) : hasRange(at, size, memory, coherentCode, code, from),
    );
    if (paged && !is) return undefined;
    this.taken.add(part);
    return is ? saved : undefined;
  }

  /** Modules for the next run. `patience` is asked by entry of a region. */
  save(modules: readonly KeepableModule[], patience: (entry: number) => number, accessMap: AccessMap): Parts<SavedModule> {
    const kept = modules.map((module) => this.saved(module, patience, accessMap)).filter((module) => module !== undefined);
    const parts = kept.map(modulePart);
    const entries = new Set(parts.flatMap(([pcs]) => pcs));
    // and what this run did not come to
    const unused = this.earlier.all().filter(([pcs, part]) => !this.taken.has(part) && !pcs.some((pc) => entries.has(pc)));
    return partsOf([...parts, ...unused]);
  }

  private saved(module: KeepableModule, patience: (entry: number) => number, accessMap: AccessMap): SavedModule | undefined {
    const { live, saved, regions, options, binary } = module;
    if (saved) return { ...saved, regions: saved.regions.map((r) => ({ ...r, live: live.has(r.entry) })) };
    if (!binary || (options.expectedBytes?.size ?? 0) > 0) return undefined;
    const callees = [...(options.callees?.values() ?? [])];
    const parts = {
      regions: regions.map((r) => savedRegion(r, live.has(r.entry), patience(r.entry), options)),
      callees: callees.map(({ pc, size }) => [pc, size] as const),
    };
    const pages = new Map([...(options.paged?.pages.values() ?? [])].flat().map(({ page, word }) => [page, word >>> 0]));
    return {
      options: this.context.options(),
      ...parts,
      slots: [...(options.callSlots?.keys() ?? [])],
      sites: [...(options.jumpSites?.keys() ?? [])],
      mode: options.paged?.mode ?? 0,
      pages: [...pages],
      accesses: options.checked || options.paged ? [] : accessMap(regions, options),
      code: this.codeOf([...regions.flatMap(({ blocks }) => blocks), ...callees]),
      wasm: binary,
    };
  }
  /** The guest's bytes in these blocks, one after the other. */
  private codeOf(blocks: readonly Block[]): Uint8Array {
    const { memory, paged } = this.context;
    const out = new Uint8Array(blocks.reduce((sum, { size }) => sum + size, 0));
    let at = 0;
    for (const block of blocks) {
      const start = GuestMemory.index(block.pc);
      out.set(paged ? paged.bytesOf(paged.placeOf(block)) : memory.bytes.subarray(start, start + block.size), at);
      at += block.size;
    }
    return out;
  }
}
