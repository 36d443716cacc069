import { mips, mipsel } from '../translators/mips/index.ts';
import { missing as mipsMissing } from '../translators/mips/missing.ts';
import { ROWS as mipsRows } from '../translators/mips/rows.ts';
import { x86, x86Double } from '../translators/x86/index.ts';
import { missing as x86Missing } from '../translators/x86/missing.ts';
import { rows as x86Rows } from '../translators/x86/rows.ts';
import type { Isa } from './isa/isa.ts';
import type { SensitiveInstruction } from './isa/system.ts';

/** The guest instruction sets, by name. The only place in src/ that knows the translators. */
export const ISAS: Readonly<Record<IsaName, Isa>> = { mips, mipsel, x86 };

/** What ProgramOptions.x87 chooses instead of x86. */
export const X86_DOUBLE = x86Double;

export type IsaName = 'mips' | 'mipsel' | 'x86';

/** An instruction form that is implemented. */
export interface InstructionRow {
  /** Byte orders share their rows: the list says mips for both. */
  readonly isa: 'mips' | 'x86';
  readonly group: string;
  /** In the manual's notation: bits for MIPS, the opcode column of the SDM for x86. */
  readonly encoding: string;
  /** Assembly text with its operands. */
  readonly text: string;
}

export function instructionRows(): InstructionRow[] {
  return [
    ...mipsRows.map(({ pattern, text, group }) => ({ isa: 'mips' as const, group, encoding: pattern, text })),
    ...x86Rows().map(({ encoding, text, group }) => ({ isa: 'x86' as const, group, encoding, text })),
  ];
}

/** An instruction form of the manual that is not implemented. */
export interface MissingInstruction extends Pick<InstructionRow, 'isa' | 'encoding' | 'text'> {
  readonly reason: string;
}

export function missingInstructions(): MissingInstruction[] {
  const of = (isa: InstructionRow['isa'], list: typeof x86Missing): MissingInstruction[] =>
    list.map(([encoding, text, reason]) => ({ isa, encoding, text, reason }));
  return [...of('mips', mipsMissing), ...of('x86', x86Missing)];
}

/** An instruction that a machine monitor must look after. */
export interface SensitiveRow extends SensitiveInstruction {
  readonly isa: 'mips' | 'x86';
}

export function sensitiveRows(): SensitiveRow[] {
  const of = (isa: 'mips' | 'x86'): SensitiveRow[] => (ISAS[isa].system?.sensitive ?? []).map((row) => ({ isa, ...row }));
  return [...of('mips'), ...of('x86')];
}
