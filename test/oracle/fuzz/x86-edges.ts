import { CODE, DATA, READ_ONLY, STACK } from '../x86/case.ts';
import { generateFpu } from '../x86/fpu.ts';
import { comparableRows, generate } from '../x86/generate.ts';
import type { Random } from '../x86/random.ts';
import { generateSse } from '../x86/sse.ts';
import { FAULTS_IN_ANY_ORDER } from '../x86/undefined.ts';
import { type FuzzCase, generateSequence } from './x86-sequence.ts';

const GROUPS = 'move arithmetic logic shift bit control stack string bcd misc x87 mmx sse sse2'.split(' ');
const ROWS = comparableRows(undefined, new Set(GROUPS));
/** Several accesses to memory. */
const SEVERAL = ROWS.filter((r) => FAULTS_IN_ANY_ORDER.test(r.text.split(' ')[0]) || r.group === 'string');
/** LOCK makes them undefined. */
const LOCKED = ROWS.filter((r) => !r.lockable && ['move', 'arithmetic', 'logic', 'shift'].includes(r.group) && !/^MOV [RC]d/.test(r.text));
const PAGE = 4096;
const [EBX, ESP, EBP, ESI, EDI] = [3, 4, 5, 6, 7];

/**
 * Where a page ends or begins, with nothing beside it. Not the end of the read-only one: what is read and written faults there at its
 * first byte on the processor, and here at the next page, which cannot be read.
 */
const edge = (rnd: Random): number => rnd.pick([DATA, STACK, READ_ONLY - PAGE]) + (rnd.chance(0.7) ? PAGE : 0) + rnd.below(40) - 20;
/** AMD's processors look at the last byte first; no manual says. */
const LAST_FIRST = /^(FLDENV|FNSTENV|FRSTOR|FNSAVE|FX)/;

function generated(rnd: Random): FuzzCase | undefined {
  const row = rnd.pick(ROWS);
  if (row.group === 'x87') return generateFpu(rnd, row);
  return /^(sse|mmx)/.test(row.group) ? generateSse(rnd, row) : generate(rnd, row);
}

/** Opcodes, with ModRM's reg field, that no processor defines; not UD0 and UD1, which have a ModRM byte or not (SDM and AMD64 volume 3). */
const UNDEFINED: readonly (readonly [bytes: readonly number[], reg: number])[] = [
  ...[2, 3, 4, 5, 6, 7].map((reg) => [[0xfe], reg] as const),
  [[0xff], 7],
  ...[1, 5].map((reg) => [[0xc6], reg] as const),
  ...[1, 5].map((reg) => [[0xc7], reg] as const),
  ...[0, 1, 2, 3].map((reg) => [[0x0f, 0xba], reg] as const),
];

/** An undefined opcode with operand bytes, or an instruction that LOCK is not allowed on. */
function undefinedInstruction(rnd: Random): FuzzCase | undefined {
  const c = generate(rnd, rnd.pick(LOCKED));
  if (!c) return undefined;
  if (rnd.chance(0.4)) return c.code[0] === 0xf0 || c.code.length > 14 ? undefined : { ...c, code: Uint8Array.of(0xf0, ...c.code) };
  const [opcode, reg] = rnd.pick(UNDEFINED);
  const prefixes = rnd.chance(0.3) ? [rnd.pick([0x66, 0x64, 0xf2, 0xf3, 0x3e, 0x67])] : [];
  const modrm = (rnd.u32() & 0xc7) | (reg << 3);
  return {
    ...c,
    code: Uint8Array.of(...prefixes, ...opcode, modrm, ...Array.from({ length: rnd.below(8) }, () => rnd.u32() & 0xff), 0xcc),
  };
}

/** Registers that point to memory point to edges. */
function operandsAtEdges(rnd: Random): FuzzCase | undefined {
  const c = generateSequence(rnd);
  if (!c) return undefined;
  const regs = c.regs.slice();
  for (const r of [EBX, ESI, EDI]) if (rnd.chance(0.5)) regs[r] = edge(rnd);
  if (rnd.chance(0.3)) regs[EBP] = edge(rnd);
  if (rnd.chance(0.3)) regs[ESP] = STACK + rnd.pick([0, 2, 4, 8, 0xffc, 0xffe, 0x1000]);
  return { ...c, regs };
}

/** Instructions of which the code page holds only a part, and operands over the end of a page: all that is to be seen of the fault counts. */
export function edgeCase(rnd: Random): FuzzCase | undefined {
  const kind = rnd.below(20);
  const c =
    kind < 8 ? operandsAtEdges(rnd) : kind < 17 ? generated(rnd) : kind < 18 ? undefinedInstruction(rnd) : generate(rnd, rnd.pick(SEVERAL));
  if (!c) return undefined;
  const eip = rnd.chance(0.6) ? CODE + PAGE - 1 - rnd.below(c.code.length) : c.eip;
  return { ...c, eip, anyFaultAddress: LAST_FIRST.test(c.row.text), anyRegistersAtFault: false };
}
