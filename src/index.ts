/**
 * wasmvisor's public API; nothing else is public. Runs wherever JavaScript and WebAssembly do; `wasmvisor/node` adds what
 * needs Node.
 */
import { type InstructionRow, type IsaName, instructionRows } from './isas.ts';

export type { Disassembly } from './isa/isa.ts';
export type { IsaName } from './isas.ts';
export { type TranslateOptions, type Translation, translate } from './translate.ts';

/** Instructions that are implemented: encoding and assembly text of each row. Both byte orders of MIPS share their rows. */
export function listInstructions(): readonly InstructionRow[] {
  return instructionRows();
}
