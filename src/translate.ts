import wabt from 'wabt';
import { compileRegions } from './backend/wasm/compile.ts';
import { formRegion } from './backend/wasm/region.ts';
import { type CodeOptions, codeOf, disassembleRange, type PlacedDisassembly } from './disassemble.ts';
import type { Block } from './ir/block.ts';
import { Builder } from './ir/builder.ts';
import { liftBlock } from './ir/lift.ts';
import { deadcode } from './ir/passes/deadcode.ts';
import { printBlock } from './ir/print.ts';
import { verify } from './ir/verify.ts';
import { X86_DOUBLE } from './isas.ts';

export interface TranslateOptions extends CodeOptions {
  /** Check page permissions at each access, with precise faults (memory model `checked`). */
  readonly checked?: boolean;
  /** As in ProgramOptions. */
  readonly x87?: 64 | 80;
}

/** One guest function (region), at every stage of the pipeline. */
export interface Translation {
  readonly pc: number;
  /** Guest instructions of each block, in the order of the bytes. */
  readonly disassembly: readonly PlacedDisassembly[];
  /** IR of each block as text, after passes. */
  readonly ir: string;
  /** The same as data. */
  readonly blocks: readonly Block[];
  /** WebAssembly module; it imports env.memory, env.table and helpers, and exports one function, r<pc>. */
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly wat: string;
}

/**
 * Translates the guest function at the start of `bytes`: decode → IR → passes → WebAssembly. Control that leaves the
 * bytes leaves the function. Throws RangeError on an address or ISA that does not exist.
 */
export async function translate(bytes: Uint8Array, options: TranslateOptions): Promise<Translation> {
  const { isa: exact, pc, code } = codeOf(bytes, options);
  const isa = options.x87 === 64 && exact.name === 'x86' ? X86_DOUBLE : exact;
  const builder = new Builder(isa.helpers);
  const checked = options.checked ?? false;
  const inside = (at: number): boolean => at >= pc && at < pc + bytes.length;

  const lift = (at: number, end?: number): Block | undefined => {
    if (!inside(at)) return undefined;
    const block = deadcode(liftBlock(isa, builder, code, at, { precise: checked, ...(end !== undefined && { end }) }), {
      preciseMemory: checked,
    });
    verify(block, isa.stateSize);
    return block;
  };
  const region = formRegion(pc, lift);
  if (!region) throw new RangeError('there are no bytes to translate');
  const wasm = compileRegions([region], { isa, checked, memoryPages: 65536 });

  const registers = new Map(isa.registers.map((r) => [r.offset, r.name]));
  const blocks = [...region.blocks].sort((a, b) => a.pc - b.pc);
  return {
    pc,
    disassembly: disassembleRange(isa, code, pc, pc + bytes.length),
    ir: blocks.map((block) => printBlock(block, (offset) => registers.get(offset))).join('\n'),
    blocks,
    wasm,
    wat: await wasmToText(wasm),
  };
}

/** WebAssembly text of a module, through wabt. */
export async function wasmToText(wasm: Uint8Array): Promise<string> {
  const module = (await wabt()).readWasm(wasm, { readDebugNames: true, ...WABT_FEATURES });
  try {
    return module.toText({ foldExprs: true, inlineExport: true });
  } finally {
    module.destroy();
  }
}
const WABT_FEATURES = {
  simd: true,
  sat_float_to_int: true,
  sign_extension: true,
  tail_call: true,
  reference_types: true,
  bulk_memory: true,
  mutable_globals: true,
};
