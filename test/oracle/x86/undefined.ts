import { Eflags } from '../../../translators/x86/abi.ts';
import type { Insn } from '../../../translators/x86/operands.ts';
import { Kind } from '../../../translators/x86/row.ts';

const { CF, PF, AF, ZF, SF, OF } = { CF: Eflags.CF, PF: Eflags.PF, AF: Eflags.AF, ZF: Eflags.ZF, SF: Eflags.SF, OF: Eflags.OF };
export const STATUS = CF | PF | AF | ZF | SF | OF;

/** Flags that an instruction leaves undefined: SDM volume 1, appendix A, table A-2, and the instruction's own page. */
const ALWAYS: Readonly<Record<string, number>> = {
  AND: AF,
  OR: AF,
  XOR: AF,
  TEST: AF,
  MUL: SF | ZF | AF | PF,
  IMUL: SF | ZF | AF | PF,
  DIV: STATUS,
  IDIV: STATUS,
  BSF: CF | OF | SF | AF | PF,
  BSR: CF | OF | SF | AF | PF,
  BT: OF | SF | AF | PF,
  BTS: OF | SF | AF | PF,
  BTR: OF | SF | AF | PF,
  BTC: OF | SF | AF | PF,
  AAA: OF | SF | ZF | PF,
  AAS: OF | SF | ZF | PF,
  DAA: OF,
  DAS: OF,
  AAM: OF | AF | CF,
  AAD: OF | AF | CF,
};
const SHIFTS = new Set(['SHL', 'SAL', 'SHR', 'SAR', 'SHLD', 'SHRD']);
const ROTATES = new Set(['ROL', 'ROR', 'RCL', 'RCR']);

export const mnemonicOf = (i: Insn): string => i.row.text.split(' ')[0];

/** The flags that `i` leaves undefined if ECX is `ecx`; undefined if its destination is undefined too. */
export function undefinedFlags(i: Insn, ecx: number): number | undefined {
  const mnemonic = mnemonicOf(i);
  if (!SHIFTS.has(mnemonic) && !ROTATES.has(mnemonic)) return ALWAYS[mnemonic] ?? 0;
  const by = i.row.operands[i.row.operands.length - 1];
  const count = (by.kind === Kind.One ? 1 : by.kind === Kind.I ? i.immediate : ecx) & 31;
  const bits = (i.row.operands[0].size || i.operandSize) * 8;
  if (count === 0) return 0;
  if (ROTATES.has(mnemonic)) return count === 1 ? 0 : OF;
  if (mnemonic.length === 4 && count > bits) return undefined;
  const carry = mnemonic !== 'SAR' && count >= bits ? CF : 0;
  return AF | carry | (count === 1 ? 0 : OF);
}

/**
 * The flags that a fault of `i` leaves undefined. SDM volume 2, REP: flags are as before the instruction after a fault
 * in repeated CMPS and SCAS; AMD's processors leave those of the last comparison.
 */
export function undefinedFlagsAtFault(i: Insn): number {
  return i.rep !== 0 && /^(CMPS|SCAS)$/.test(mnemonicOf(i)) ? STATUS : 0;
}

/** Instructions with several memory accesses, of which any may fault first. */
export const FAULTS_IN_ANY_ORDER = /^(CMPS|MOVS|POPAW.*|PUSHAW.*|RETF|IRETW.*|ENTER|BOUND|CALL|JMP|PUSH|POP|L[EDSFG]S)$/;

const NAMES: readonly (readonly [number, string])[] = [
  [CF, 'CF'],
  [PF, 'PF'],
  [AF, 'AF'],
  [ZF, 'ZF'],
  [SF, 'SF'],
  [OF, 'OF'],
];

/** What vectors of an instruction do not compare, and where the manual says so; undefined if they compare all. */
export function undefinedText(mnemonic: string): string | undefined {
  if (mnemonic === 'CPUID') return 'its results, which tell of the machine (SDM volume 2, CPUID)';
  const where = `SDM volume 1, appendix A, table A-2; volume 2, ${mnemonic}`;
  if (SHIFTS.has(mnemonic)) return `AF; OF unless the count is 1; CF if the count is not below the operand's size (${where})`;
  if (ROTATES.has(mnemonic)) return `OF unless the count is 1 (${where})`;
  const flags = ALWAYS[mnemonic] ?? 0;
  if (flags === 0) return /^(CMPS|SCAS)$/.test(mnemonic) ? 'status flags after a fault of a repeated one (SDM volume 2, REP)' : undefined;
  return `${NAMES.filter(([bit]) => flags & bit)
    .map(([, name]) => name)
    .join(' ')} (${where})`;
}
