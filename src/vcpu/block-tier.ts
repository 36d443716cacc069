import { Layout } from '../../assembly/shared/layout.ts';
import { BlockInput, TerminatorKind } from '../../assembly/shared/lowering.ts';
import { type LowerOptions, lowerAssembled, lowerBlock } from '../backend/interpret/lower.ts';
import { Templates } from '../backend/interpret/templates.ts';
import type { Runtime } from '../backend/runtime.ts';
import type { CachedBlock, CodeCache, CodePlace } from '../cache/code-cache.ts';
import type { Block } from '../ir/block.ts';
import { Builder } from '../ir/builder.ts';
import { BLOCK_INSTRUCTIONS, BLOCK_OPS, type LiftOptions, liftBlock } from '../ir/lift.ts';
import { deadcode } from '../ir/passes/deadcode.ts';
import { Code, FetchFault, PAGE_SIZE } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import { Assumptions } from './assumptions.ts';
import type { BlockStore } from './block-store.ts';
import type { PhysicalPlaces } from './code-places.ts';
import { GuestMemory, PagePermission } from './guest-memory.ts';
import type { JumpSites } from './jump-sites.ts';
import type { VcpuStats } from './options.ts';

interface TierContext {
  readonly isa: Isa;
  readonly memory: GuestMemory;
  readonly runtime: Runtime;
  readonly stats: VcpuStats;
  readonly cache: CodeCache;
  readonly jumpSites: JumpSites;
  /** Memory model paged. */
  readonly paged: PhysicalPlaces | undefined;
  readonly checked: () => boolean;
  /** See Vcpu.mode. */
  readonly mode: () => number;
  /** Guest instructions of a block at most, if not the usual. */
  readonly limit: number | undefined;
  /** There is no room for more µops: forgets everything that was translated. */
  readonly clear: () => void;
}

interface TierLiftOptions extends LiftOptions {
  /** What is hooked is executed. */
  readonly passes?: boolean;
}

/** A call that was lifted: a pc in the calling function, and the function called if it is known. */
export interface NotedCall {
  readonly pc: number;
  readonly target: number | undefined;
}

/** Lifts guest code into blocks, and has them run in the interpreter. Where nothing can be fetched, it gives undefined and the fault is recorded. */
export class BlockTier {
  private readonly cache: CodeCache;
  /** Blocks of an earlier run, if translations are kept. */
  store: BlockStore | undefined;
  /** Places that are left before the instruction there is executed. */
  hooked: ReadonlySet<number> | undefined;
  readonly builder: Builder;
  readonly assumptions: Assumptions;
  readonly code: Code;
  private readonly expected = new WeakMap<Block, Uint8Array>();
  /** The block that a part of one was made from. */
  private readonly wholes = new WeakMap<Block, Block>();
  private readonly templates: Templates | undefined;
  private calls: Map<number, NotedCall> | undefined;

  constructor(private readonly context: TierContext) {
    this.cache = context.cache;
    this.builder = new Builder(context.isa.helpers, context.runtime.ir);
    this.code = new Code(context.paged?.page ?? context.memory.codePage);
    // a limit is for looking closely: at what lifting gives
    if (context.isa.templates && context.limit === undefined) this.templates = new Templates(context.isa, context.runtime, this.code);
    this.assumptions = new Assumptions(context.memory, context.paged ? undefined : context.isa);
  }

  /** The bytes that the block compares with each time it is entered, if it does. */
  expectedBytes(block: Block): Uint8Array | undefined {
    return this.expected.get(block);
  }
  /** Whether the block is still what its pc means where it means that. */
  isFresh(block: Block): boolean {
    return this.cache.holds(this.wholes.get(block) ?? block);
  }

  /** Calls in what is lifted from now on are noted for callBefore. */
  noteCalls(): void {
    this.calls ??= new Map();
  }
  get notesCalls(): boolean {
    return this.calls !== undefined;
  }
  /** The call that comes back to this pc, if one was lifted. */
  callBefore(next: number): NotedCall | undefined {
    return this.calls?.get(next);
  }
  /** The last target of a noted call that is not after this pc. */
  calledBefore(pc: number): number | undefined {
    let best: number | undefined;
    for (const { target } of this.calls?.values() ?? []) if (target !== undefined && target <= pc && target >= (best ?? 0)) best = target;
    return best;
  }

  /** A block of its own, which the cache does not get. */
  lift(pc: number, options: TierLiftOptions): Block | undefined {
    const { paged } = this.context;
    if (!paged) return this.liftFetched(pc, options);
    this.code.forget();
    if (paged.key(pc) < 0) return undefined;
    try {
      return this.liftFetched(pc, { ...options, throwFault: true });
    } catch (error) {
      if (error instanceof FetchFault) return undefined;
      throw error;
    }
  }
  /** Whether what is lifted from this page compares its bytes each time it is entered. */
  private comparesBytes(pc: number): boolean {
    const { isa, memory, paged } = this.context;
    return !paged && isa.coherentCode && (memory.permission(pc) & PagePermission.Write) !== 0;
  }
  private liftFetched(pc: number, options: TierLiftOptions): Block {
    const { isa, memory, paged, limit } = this.context;
    // the block may reach into the next page
    const writable = this.comparesBytes(pc) || this.comparesBytes(pc + PAGE_SIZE);
    // what a block that compares its bytes was lifted from may be gone later
    const borrowed = options.borrowed === true && !writable;
    const precise = this.context.checked() || paged !== undefined;
    const lifted = liftBlock(isa, this.builder, this.code, pc, {
      limit: options.limit ?? limit ?? BLOCK_INSTRUCTIONS,
      end: options.end ?? NOWHERE,
      hooked: options.passes ? undefined : this.hooked,
      throwFault: options.throwFault ?? false,
      borrowed,
      endAfterStore: writable,
      precise,
      mode: options.mode ?? this.context.mode(),
      assumed: options.assumed ?? -1,
    });
    if (options.assumed !== undefined) this.assumptions.passOn(lifted, isa.assumedNext?.(this.builder, options.assumed) ?? -1);
    if (borrowed) return lifted;
    const block = deadcode(lifted, { preciseMemory: precise });
    paged?.note(block);
    const start = GuestMemory.index(pc);
    if (writable && block.size > 0) this.expected.set(block, memory.bytes.slice(start, start + block.size));
    return block;
  }

  /** The block at `pc`, with its ops: they are kept from then on. */
  at(pc: number): Block | undefined {
    const cached = this.cached(pc);
    if (cached?.block) return cached.block;
    const start = performance.now();
    const block = this.lift(pc, { assumed: this.assumptions.of(pc) });
    // as long as it was: what it goes on in may not have been there then
    if (block && block.size === cached?.place.size) cached.block = block;
    else if (block) {
      this.cache.addBlock({ place: this.cache.places.placeOf(block), block, address: 0, restored: false });
      this.added(block);
    }
    this.context.stats.liftTime += performance.now() - start;
    return block;
  }
  /** The part of it before `end`. */
  part(pc: number, end: number): Block | undefined {
    const whole = this.at(pc);
    const part = whole && this.lift(pc, { end, assumed: this.assumptions.of(pc) });
    if (part) this.wholes.set(part, whole);
    return part;
  }
  private cached(pc: number): CachedBlock | undefined {
    const cached = this.cache.block(pc);
    // the page that it goes on in may be mapped elsewhere by now, or not at all: lifting finds out
    return cached && this.context.paged?.hasMoved(cached.place) ? undefined : cached;
  }
  private added({ pc, terminator }: Block): void {
    this.context.stats.blocks++;
    if (terminator.kind === 'call') this.noteCall(pc, terminator.next, terminator.target);
    else if (terminator.kind === 'call-indirect') this.noteCall(pc, terminator.next, undefined);
  }
  private noteCall(pc: number, next: number, target: number | undefined): void {
    this.calls?.set(next, { pc, target });
  }

  private lower(block: Block, address: number, place: CodePlace): number {
    return lowerBlock(
      block,
      this.context.runtime,
      address,
      this.optionsFor(place, this.context.jumpSites.of(block), this.expected.get(block)),
    );
  }
  private optionsFor({ mapped }: CodePlace, jumpSite: number | undefined, verifyBytes?: Uint8Array): LowerOptions {
    const { isa, paged } = this.context;
    const checked = this.context.checked();
    return {
      jumpSite,
      checked,
      preciseMemory: checked || paged !== undefined,
      stackPointer: checked || paged ? undefined : isa.stackPointer,
      verifyBytes,
      mapped,
    };
  }
  /** The address of its µops, which the next such block takes. */
  lowerOnce(block: Block): number {
    this.lower(block, ONCE, this.cache.places.placeOf(block));
    return ONCE;
  }

  /** Whether the block at `pc` is there as an earlier run had it. */
  restore(pc: number): boolean {
    return this.store !== undefined && !this.cache.block(pc) && this.store.restore(pc, UOPS_FULL);
  }

  /** Whether the interpreter has the block at `pc` now. */
  publish(pc: number): boolean {
    const cached = this.cached(pc);
    if (cached?.address) {
      this.cache.publishBlock(cached);
      return true;
    }
    const start = performance.now();
    const full = this.cache.uopAddress > UOPS_FULL;
    if (full) this.context.clear();
    const published = this.translate(pc, full ? undefined : cached);
    if (published) this.cache.publishBlock(published);
    this.context.stats.liftTime += performance.now() - start;
    return published !== undefined;
  }
  /** Most blocks run a few times: of those the cache gets only the place, and the ops are gone with the next. */
  private translate(pc: number, known: CachedBlock | undefined): CachedBlock | undefined {
    if (known?.block) {
      this.put(known, this.lower(known.block, this.cache.uopAddress, known.place));
      return known;
    }
    return this.assemble(pc) ?? this.liftBorrowed(pc);
  }
  /** Its µops lie from `uopAddress` on. */
  private put(cached: CachedBlock, end: number): void {
    cached.address = this.cache.uopAddress;
    this.cache.uopAddress = end;
  }
  private liftBorrowed(pc: number): CachedBlock | undefined {
    this.assumptions.begin(pc);
    const block = this.lift(pc, { borrowed: true, assumed: this.assumptions.of(pc) });
    if (!block) return undefined;
    const cached: CachedBlock = {
      place: this.cache.places.placeAt(pc, block.size),
      block: this.expected.has(block) ? block : undefined,
      address: 0,
      restored: false,
    };
    this.put(cached, this.lower(block, this.cache.uopAddress, cached.place));
    this.cache.addBlock(cached);
    this.added(block);
    return cached;
  }
  /** Made of templates, where they are enough. They assume nothing. */
  private assemble(pc: number): CachedBlock | undefined {
    const { isa, runtime, paged, mode, jumpSites } = this.context;
    if (!this.templates || this.hooked) return undefined;
    if (this.comparesBytes(pc)) return undefined;
    if (paged) this.code.forget();
    if (!this.templates.assemble(pc, mode(), BLOCK_INSTRUCTIONS, BLOCK_OPS, !this.comparesBytes(pc + PAGE_SIZE))) return undefined;
    const { input } = runtime.ir;
    const ends: TerminatorKind = input[BlockInput.TERMINATOR >>> 2];
    const first = input[BlockInput.FIRST >>> 2] >>> 0;
    const next = input[BlockInput.SECOND >>> 2] >>> 0;
    const place = this.cache.places.placeAt(pc, input[BlockInput.BYTES >>> 2]);
    const cached: CachedBlock = { place, block: undefined, address: 0, restored: false };
    const jumpSite = ends === TerminatorKind.Jump ? jumpSites.at(pc) : undefined;
    this.put(cached, lowerAssembled(pc, isa.helpers, runtime, this.cache.uopAddress, this.optionsFor(place, jumpSite)));
    this.cache.addBlock(cached);
    this.context.stats.blocks++;
    if (ends === TerminatorKind.Call) this.noteCall(pc, next, first);
    else if (ends === TerminatorKind.CallIndirect) this.noteCall(pc, next, undefined);
    return cached;
  }
}

/** Where no instruction begins. */
const NOWHERE = -1;

/** More than any block's µops take. */
const UOP_RESERVE = 1 << 20;
const UOPS_FULL = Layout.UOPS_END - UOP_RESERVE;
const ONCE = Layout.UOPS_END - UOP_RESERVE / 2;
