import type { Block } from '../../ir/block.ts';
import type { Isa } from '../../isa/isa.ts';

/**
 * What compiled code does where it comes to a slow path (IR op slow.*): leave for the interpreter, ask first whether it is needed
 * really, or else call the helper. Each is slower than the one before where slow paths are rare: engines' register
 * allocators keep what is live across a call in memory, even if the call is never made.
 */
export type SlowPaths = 'leave' | 'ask' | 'call';

/** What the back end has to know of a guest's instruction set. */
export type CompiledIsa = Pick<Isa, 'registers' | 'helpers' | 'stackPointer' | 'alignedAccess'>;

/** Plain data, as regions are, so that another thread can do the work. What is not given is not there or not wanted. */
export interface CompileOptions {
  readonly isa: CompiledIsa;
  /** Memory model: permissions checked and faults precise, or direct. */
  readonly checked: boolean;
  /** See Purposes in slots.ts. */
  readonly exactState?: boolean;
  readonly exactSwitches?: boolean;
  /** Size of the guest's Wasm memory in 64 KiB pages. */
  readonly memoryPages: number;
  /** Function table indexes through which the code at these pcs is called. */
  readonly callSlots?: ReadonlyMap<number, number>;
  /**
   * Function table indexes and places of jump sites are imported, as `env.s<pc>` and `env.j<pc>`, so that the module serves
   * another run, too.
   */
  readonly relocatable?: boolean;
  /** Code that has not been compiled is compiled when it is called, by the import `compileMissing`. */
  readonly compileMissing?: boolean;
  /**
   * The function table is reached through the import `callTable` instead of being imported: V8 keeps a copy of the table for each module that
   * imports it, and all have to be written when an entry changes.
   */
  readonly callsThrough?: boolean;
  /** First blocks, by pc, of functions that are called, to look ahead at. */
  readonly callees?: ReadonlyMap<number, Block>;
  /** By pc of a block that ends in an indirect call: the pc that it is likely to go to. */
  readonly likelyCallees?: ReadonlyMap<number, number>;
  /** By pc of a block that ends in an indirect jump: where it notes its targets (see JumpSite). */
  readonly jumpSites?: ReadonlyMap<number, number>;
  /** By pc: bytes that the block must still have when it is entered, where code can change unnoticed. */
  readonly expectedBytes?: ReadonlyMap<number, Uint8Array>;
  /** By entry: what a region does about slow paths; leave without it. */
  readonly slowPaths?: ReadonlyMap<number, SlowPaths>;
  /** Memory model paged. */
  readonly paged?: PagedOptions;
}

export interface PagedOptions {
  /** Layout.MODE, for which all blocks were lifted. */
  readonly mode: number;
  /** By entry: the virtual pages that the region's blocks lie on, with their TLB words as samePage (assembly/paged.ts) takes them. */
  readonly pages: ReadonlyMap<number, readonly { readonly page: number; readonly word: number }[]>;
  /**
   * Entries of regions that have a helper make those accesses that they cannot, as of pages that the TLB does not have; others leave for the
   * interpreter. The call makes all accesses slower, see SlowPaths.
   */
  readonly calls: ReadonlySet<number>;
}

/** A memory access of compiled code that may trap. */
export interface Access {
  readonly pc: number;
  readonly write: boolean;
}

/** The access at an offset, from triples of accessMap. */
export function accessIn(accesses: readonly number[], offset: number): Access | undefined {
  let found: Access | undefined;
  for (let i = 0; i + 2 < accesses.length && accesses[i] <= offset; i += 3)
    found = accesses[i + 2] === 2 ? undefined : { pc: accesses[i + 1], write: accesses[i + 2] === 1 };
  return found;
}
