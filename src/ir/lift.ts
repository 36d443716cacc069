import { ExitKind, FaultAccess } from '../../assembly/shared/exit.ts';
import { type Code, FetchFault } from '../isa/code.ts';
import type { Isa } from '../isa/isa.ts';
import type { Block } from './block.ts';
import type { Builder } from './builder.ts';
import { OPS } from './ops.ts';

/** Guest instructions in a block at most. */
export const BLOCK_INSTRUCTIONS = 64;
/** Ops after which a block ends, so that the builder's fixed arrays never overflow. */
export const BLOCK_OPS = 3000;

export interface LiftOptions {
  /** End before the instruction at this pc, if one begins there. */
  readonly end?: number;
  /** End before an instruction at one of these places; a block that begins there leaves with ExitKind.Hooked. */
  readonly hooked?: ReadonlySet<number> | undefined;
  /** Guest instructions at most. */
  readonly limit?: number;
  /** End after an instruction that stores, so that code it changes is looked at anew. */
  readonly endAfterStore?: boolean;
  /** A load or store may leave with a precise exception (memory model `checked`). */
  readonly precise?: boolean;
  /** Value of the word at Isa.mode; 0 without it. */
  readonly mode?: number;
  /** See Isa.assumed; −1 without it. */
  readonly assumed?: number;
  /** Where nothing can be fetched at the block's pc, FetchFault is thrown. */
  readonly throwFault?: boolean;
  /** The block's ops stay the builder's: they hold until it begins another. */
  readonly borrowed?: boolean;
}

/** Ops that may write to guest memory. */
const IS_STORE = OPS.map((info) => info.memory === 'store' || info.name === 'helper');

/**
 * Lifts one basic block. Code that cannot be fetched ends the block before it; a block that begins there exits with
 * the guest's memory fault.
 */
export function liftBlock(isa: Isa, builder: Builder, code: Code, pc: number, options: LiftOptions = {}): Block {
  const limit = options.limit ?? BLOCK_INSTRUCTIONS;
  const mode = options.mode ?? 0;
  const assumed = options.assumed ?? -1;
  builder.begin(pc, options.precise);
  let at = pc >>> 0;
  if (options.hooked?.has(at)) builder.exit(ExitKind.Hooked, at);
  try {
    while (!builder.ended && builder.instructionCount < limit && builder.length < BLOCK_OPS) {
      const before = builder.length;
      at = isa.lift(builder, code, at, mode, assumed) >>> 0;
      if (at === options.end || options.hooked?.has(at)) break;
      if (options.endAfterStore && builder.hasOpSince(before, IS_STORE)) break;
    }
  } catch (error) {
    if (!(error instanceof FetchFault) || (options.throwFault && builder.instructionCount === 0)) throw error;
    if (builder.instructionCount === 0) builder.exit(ExitKind.MemoryFault, at, error.address, FaultAccess.Execute);
  }
  if (!builder.ended) builder.goto(at);
  return builder.finish(at, options.borrowed);
}
