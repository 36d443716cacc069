import { Eflags } from '../../../translators/x86/abi.ts';
import { Immediate, Kind, Mandatory, type Row } from '../../../translators/x86/row.ts';
import { rows } from '../../../translators/x86/rows.ts';
import { CODE, DATA, DATA_BYTES, STACK } from '../x86/case.ts';
import type { Comparison } from '../x86/compare.ts';
import { fpuNumbers, randomFxsave } from '../x86/fpu.ts';
import { DATA_OFFSET, decodeOne, type GeneratedCase, STACK_OFFSET } from '../x86/generate.ts';
import type { Random } from '../x86/random.ts';
import { randomSseBase, sseDifferences } from '../x86/sse.ts';
import { STATUS, undefinedFlags } from '../x86/undefined.ts';

export type FuzzCase = GeneratedCase & Comparison;

const [EBX, ESP, EBP, ESI, EDI] = [3, 4, 5, 6, 7];
const EIP = CODE + 0x400;
const LONGEST = 60;

/**
 * Not in sequences: what depends on the machine, ends all of them, loads control words whose effects are not exact in all processors
 * (transcendental functions, approximations, pointers that AMD's processors store only now and then), or may be half done when it faults.
 */
const LEFT_OUT =
  /^(POPF|PUSHA|POPA|IRET|INT|INTO|HLT|CLI|STI|IN|OUT|INS|OUTS|RDTSC|CPUID|ENDBR|CLFLUSH|F2XM1|FYL2X|FPTAN|FPATAN|FSIN|FCOS|RSQRT|RCP|FNSTENV|FNSAVE|FRSTOR|FLDENV|FX|LDMXCSR|STMXCSR|MASKMOV|BOUND|LOOP|J|CALL|RET|ENTER|FU?COMIP?\b|FBSTP|FBLD|FSTP Mt|FLD Mt)/;
const ROWS = rows().filter((r) => r.group !== 'system' && !LEFT_OUT.test(r.text) && r.encoding !== 'D9 D8+i');
const BY_GROUP = [...new Set(ROWS.map((r) => r.group))].map((group) => ROWS.filter((r) => r.group === group));
const INTEGER = BY_GROUP.filter(([r]) => !/^(x87|mmx|s*sse\d?|bcd)$/.test(r.group));

const dword = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 24) & 0xff];

/** ModRM and what follows: mostly near one of the registers that point to memory. */
function memory(rnd: Random, reg: number): number[] {
  const displacement = rnd.chance(0.6) ? 16 * (rnd.below(4) - 2) : rnd.below(64) - 32;
  const kind = rnd.below(20);
  if (kind === 0) return [(reg << 3) | 4, (rnd.below(4) << 6) | (rnd.below(8) << 3) | rnd.pick([EBX, ESI, EDI])];
  if (kind < 4) return [(reg << 3) | 5, ...dword(DATA + DATA_OFFSET + rnd.below(DATA_BYTES - 16))];
  if (kind < 7) return [0x44 | (reg << 3), 0x24, rnd.below(8) * 4];
  return [0x40 | (reg << 3) | rnd.pick([EBX, EBX, EBP, ESI, EDI]), displacement & 0xff];
}

function immediate(rnd: Random, kind: Immediate, size: number): number[] {
  const bytes = dword(rnd.interesting());
  if (kind === Immediate.None) return [];
  if (kind === Immediate.Offset) return dword(DATA + DATA_OFFSET + rnd.below(DATA_BYTES - 4));
  return bytes.slice(0, kind === Immediate.Byte ? 1 : kind === Immediate.Word ? 2 : kind === Immediate.Dword ? 4 : size);
}

/** One instruction of a row, or undefined where its result would be undefined. Flags that it leaves undefined are set by a CMP after it. */
function instruction(rnd: Random, r: Row): number[] | undefined {
  const sized = r.operands.some((o) => o.size <= 0) || r.mnemonic16 !== r.mnemonic32;
  const short = r.mandatory === Mandatory.P66 || (r.mandatory === Mandatory.Any && sized && rnd.chance(0.25));
  const bytes: number[] = [];
  const index = r.modrm ? rnd.pick(r.modrms) : 8;
  if (r.lockable && index < 8 && rnd.chance(0.05)) bytes.push(0xf0);
  if (short) bytes.push(0x66);
  if (r.mandatory === Mandatory.PF3) bytes.push(0xf3);
  if (r.mandatory === Mandatory.PF2) bytes.push(0xf2);
  const repeated = r.group === 'string' && rnd.chance(0.6);
  if (repeated) bytes.push(rnd.pick([0xf2, 0xf3]));
  if (r.map > 0) bytes.push(0x0f);
  if (r.map > 1) bytes.push(r.map === 2 ? 0x38 : 0x3a);
  bytes.push(r.opcode + rnd.below(r.opcodes));
  if (r.modrm) bytes.push(...(index < 8 ? memory(rnd, index) : [0xc0 | (index - 8)]));
  bytes.push(...immediate(rnd, r.immediate, short ? 2 : 4), ...immediate(rnd, r.immediate2, 4));
  const insn = decodeOne(Uint8Array.from(bytes));
  if (!insn || insn.row !== r) return undefined;
  // counts in CL: none, one, many, more than there are bits
  const unknown = [0, 1, 9, 31].map((cl) => undefinedFlags(insn, cl));
  if (unknown.includes(undefined)) return undefined;
  if (unknown.some((flags) => flags !== 0)) bytes.push(0x39, 0xc0 | rnd.below(64));
  return bytes;
}

/** A few instructions, with a jump over some of them or a loop around them now and then. */
export function generateSequence(rnd: Random): FuzzCase | undefined {
  const numbers = rnd.pick(['bits', 'single', 'double'] as const);
  const base = randomSseBase(rnd, numbers);
  if (rnd.chance(0.3)) fpuNumbers(rnd, base.data);
  const regs = base.regs.slice();
  const middle = DATA + DATA_OFFSET + 48;
  for (const r of [EBX, ESI, EDI]) regs[r] = middle + (rnd.chance(0.7) ? 16 * rnd.below(2) : rnd.below(24));
  regs[EBP] = STACK + STACK_OFFSET + 32;
  regs[ESP] = STACK + STACK_OFFSET + 16;
  if (rnd.chance(0.5)) regs[1] = rnd.below(10);
  const groups = rnd.chance(0.4) ? INTEGER : rnd.chance(0.3) ? [rnd.pick(BY_GROUP), rnd.pick(INTEGER)] : BY_GROUP;
  const one = (): number[] => {
    for (;;) {
      const found = instruction(rnd, rnd.pick(rnd.pick(groups)));
      if (found) return found;
    }
  };
  const body: number[] = [];
  for (let n = 2 + rnd.below(6); n > 0; n--) {
    const next = one();
    const kind = rnd.below(20);
    if (kind < 2) body.push(0x70 | rnd.below(16), next.length, ...next);
    else if (kind === 2) body.push(0x0f, 0x80 | rnd.below(16), ...dword(next.length), ...next);
    else if (kind === 3) body.push(0xe8, ...dword(rnd.chance(0.5) ? 0 : next.length), ...next);
    else body.push(...next);
  }
  let code = body;
  const stack = base.stack.slice();
  if (rnd.chance(0.3) && body.length < 48) {
    // its count lies in memory: DEC DWORD PTR, JNZ
    const at = STACK_OFFSET + 60;
    stack.set(dword(1 + rnd.below(rnd.chance(0.2) ? 200 : 6)), 60);
    code = [...body, 0xff, 0x0d, ...dword(STACK + at), 0x75, 0x100 - (body.length + 8)];
  }
  if (code.length > LONGEST) return undefined;
  const fxsave = rnd.chance(0.5) ? base.fxsave : randomFxsave(rnd);
  const image = new DataView(fxsave.buffer);
  // masked, or hardly anything would come after the first exception
  if (rnd.chance(0.9)) image.setUint16(0, image.getUint16(0, true) | 0x3f, true);
  image.setUint16(2, image.getUint16(2, true) & 0x7f00, true);
  const mxcsr = rnd.chance(0.5) ? 0x1f80 : 0x1f80 | (rnd.below(4) << 13) | (rnd.chance(0.3) ? 0x8040 : 0);
  image.setUint32(24, mxcsr | (rnd.chance(0.4) ? 0x20 : 0), true);
  return {
    regs,
    eflags: Eflags.FIXED | Eflags.IF | (rnd.u32() & STATUS) | (rnd.chance(0.2) ? Eflags.DF : 0),
    eip: EIP,
    code: Uint8Array.from(code),
    dataOffset: DATA_OFFSET,
    data: base.data,
    stackOffset: STACK_OFFSET,
    stack,
    fxsave,
    threadSegment: false,
    undefinedFlags: 0,
    undefinedFlagsAtFault: STATUS,
    anyFaultAddress: true,
    anyRegistersAtFault: false,
    ownRegisters: [],
    row: SEQUENCE,
    more: (expected, actual) => sseDifferences(expected, actual, false),
  };
}
const SEQUENCE = { ...rows()[0], text: 'a sequence', encoding: '' };

/**
 * Rows of which any encoding with any prefixes is a case; left out beside those above: what tells a selector, which is not the same here,
 * and prefixes that choose another condition.
 */
const ANY_LEFT_OUT =
  /Sw|^(PUSH [FG]S|POPF|IRET|INT|INTO|CPUID|RDTSC|ENDBR|FX|FNSTENV|FNSAVE|FRSTOR|FLDENV|LDMXCSR|MASKMOV|RSQRT|RCP|F2XM1|FYL2X|FPTAN|FPATAN|FSIN|FCOS|LOOP.*E|FU?COMIP?\b)/;
const MOVES_TO_MEMORY = /^MOV /;

/** An encoding with any prefixes and operands, on a state with pointers in its registers. */
export function fromEncoding(rnd: Random, bytes: Uint8Array): FuzzCase | undefined {
  const length = [...Array(16).keys()].slice(1).find((n) => decodeOne(bytes.subarray(0, n)));
  if (!length) return undefined;
  const code = bytes.slice(0, length);
  const insn = decodeOne(code)!;
  const { row } = insn;
  if (row.group === 'system' || ANY_LEFT_OUT.test(row.text) || row.encoding === 'D9 D8+i') return undefined;
  // TZCNT and LZCNT in later processors
  if (insn.rep !== 0 && /^BS[FR]/.test(row.text)) return undefined;
  // which fault comes first where memory is read and written through CS
  if (insn.segment === 1 && !MOVES_TO_MEMORY.test(row.text)) return undefined;
  const made = generateSequence(rnd);
  if (!made) return undefined;
  const regs = made.regs.map((value, r) => (r !== ESP && rnd.chance(0.5) ? middleOf(rnd) : value));
  const unknown = undefinedFlags(insn, regs[1]);
  if (unknown === undefined) return undefined;
  const segments = row.operands.some((o) => o.kind === Kind.X || o.kind === Kind.O || o.kind === Kind.B) || (row.modrm && insn.mod !== 3);
  return { ...made, regs, code, row, threadSegment: segments, undefinedFlags: unknown, anyRegistersAtFault: row.text.startsWith('POPA') };
}
const middleOf = (rnd: Random): number => DATA + 0x800 + rnd.below(64) - 32;
