import type { Code } from '../../src/isa/code.ts';
import type { Disassembly } from '../../src/isa/isa.ts';
import { Decoded, decode, newInsn, type OpcodeTable } from './decode.ts';
import type { Insn } from './operands.ts';
import { Kind, Mandatory, type Operand } from './row.ts';

const NAMES8 = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const NAMES16 = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];
const POINTERS: Record<number, string> = {
  1: 'BYTE PTR ',
  2: 'WORD PTR ',
  4: 'DWORD PTR ',
  6: 'FWORD PTR ',
  8: 'QWORD PTR ',
  10: 'TBYTE PTR ',
  16: 'XMMWORD PTR ',
};
/** String instructions that stop on a condition, whose prefix F3 is REPZ. */
const CONDITIONAL_STRING = /^(cmps|scas)/;
/** CMPPS and its family: names for their immediate. */
const COMPARE = /^cmp([ps][sd])$/;
const COMPARISONS = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];

const PREFIX_NAMES: Readonly<Record<number, string>> = {
  38: 'es',
  46: 'cs',
  54: 'ss',
  62: 'ds',
  100: 'fs',
  101: 'gs',
  102: 'data16',
  103: 'addr16',
  240: 'lock',
  242: 'repnz',
  243: 'repz',
};

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

function register(number: number, size: number): string {
  if (size === 1) return NAMES8[number];
  return size === 2 ? NAMES16[number] : `e${NAMES16[number]}`;
}

const signed = (n: number): string => (n < 0 ? `-${hex(-n)}` : `+${hex(n)}`);

/** The memory operand in brackets, with its segment where it is not the default. Without registers, 16-bit code shows no EIZ. */
function memory(i: Insn, codeSize: 2 | 4): string {
  const override = i.segment < 0 ? '' : `${SEGMENTS[i.segment]}:`;
  const size = i.addressSize;
  const terms: string[] = [];
  if (i.base >= 0) terms.push(register(i.base, size));
  const scaled = size === 4 && i.rm === 4;
  if (i.index >= 0) terms.push(register(i.index, size) + (scaled ? `*${1 << i.scale}` : ''));
  else if (scaled && (i.scale !== 0 || (i.base !== 4 && (i.base >= 0 || codeSize === 4)))) terms.push(`eiz*${1 << i.scale}`);
  if (terms.length === 0) return `${override || 'ds:'}${hex(i.displacement)}`;
  const displacement = i.mod === 0 && i.base >= 0 ? '' : signed(size === 2 ? (i.displacement << 16) >> 16 : i.displacement);
  return `${override}[${terms.join('+')}${displacement}]`;
}

/** Bytes that a memory operand's size name tells: 0 for none. */
function memorySize(i: Insn, operand: Operand): number {
  if (i.row.mnemonic32 === 'lddqu') return 0;
  if (operand.size >= 0) return operand.size || i.operandSize;
  const code = operand.text.slice(1);
  if (code === 'p') return i.operandSize + 2;
  return code === 'a' ? i.operandSize * 2 : 0;
}

/** In 16-bit code, in the same 64 KiB of linear addresses, where the base of its segment mostly is. */
function target(i: Insn, size: 2 | 4): string {
  const to = i.next + i.immediate;
  return hex(i.operandSize === 4 ? to : (size === 2 ? i.next & ~0xffff : 0) | (to & 0xffff));
}

function operandText(i: Insn, operand: Operand, n: number, codeSize: 2 | 4): string {
  const size = operand.size || i.operandSize;
  const inMemory = (): string => (POINTERS[memorySize(i, operand)] ?? '') + memory(i, codeSize);
  switch (operand.kind) {
    case Kind.E:
      return i.mod === 3 ? register(i.rm, SELECTOR.test(i.row.text) ? i.operandSize : size) : inMemory();
    case Kind.M:
      return inMemory();
    case Kind.R:
      return register(i.rm, size);
    case Kind.G:
      return register(i.reg, size);
    case Kind.Z:
      return register(i.opcode & 7, size);
    case Kind.Register:
      return register(operand.number, size);
    case Kind.Segment:
      return SEGMENTS[operand.number];
    case Kind.S:
      return SEGMENTS[i.reg] ?? '?';
    case Kind.C:
      return `cr${i.reg}`;
    case Kind.D:
      return `dr${i.reg}`;
    case Kind.One:
      return '1';
    case Kind.J:
      return target(i, codeSize);
    case Kind.A:
      return `${hex(i.immediate2)}:${hex(i.operandSize === 4 ? i.immediate : i.immediate & 0xffff)}`;
    case Kind.O:
      return memory(i, codeSize);
    case Kind.X:
      return `${POINTERS[size]}${SEGMENTS[i.segment < 0 ? 3 : i.segment]}:[${register(6, i.addressSize)}]`;
    case Kind.Y:
      return `${POINTERS[size]}es:[${register(7, i.addressSize)}]`;
    case Kind.B:
      return `${POINTERS[size]}${SEGMENTS[i.segment < 0 ? 3 : i.segment]}:[${register(3, i.addressSize)}]`;
    case Kind.P:
      return `mm${i.reg}`;
    case Kind.Q:
      return i.mod === 3 ? `mm${i.rm}` : inMemory();
    case Kind.N:
      return `mm${i.rm}`;
    case Kind.V:
      return `xmm${i.reg}`;
    case Kind.W:
      return i.mod === 3 ? `xmm${i.rm}` : inMemory();
    case Kind.U:
      return `xmm${i.rm}`;
    case Kind.ST0:
      return 'st';
    case Kind.STi:
      return `st(${i.rm})`;
    case Kind.I: {
      const second = n > 0 && i.row.operands[n - 1].kind === Kind.I;
      const value = second ? i.immediate2 : i.immediate;
      const width = operand.signed ? i.operandSize : size;
      return hex(width === 4 ? value : value & (width === 2 ? 0xffff : 0xff));
    }
  }
}

/** Without a register or memory operand that tells it, the operand size that a prefix asks for is told by the mnemonic. */
const SUFFIXED = /^(PUSH|POP) ([C-G]S|SS|I)|^(RETF?|ENTER)( I|$)|^(CALL|JMP) Jz|^(FLDENV|FNSTENV|FRSTOR|FNSAVE)/;
/** Here, either size is. */
const TABLE = /^[SL][GI]DT/;
/** The registers of a selector have the operand size, its place in memory two bytes. */
const SELECTOR = /^(LAR|LSL|MOV Sw|SLDT|STR|SMSW)/;

/** objdump shows the address size of MOV with an offset in the code, and in 16-bit code that of any address without registers. */
const takesAddress = (i: Insn, size: 2 | 4): boolean =>
  (i.row.modrm && i.mod !== 3 && (size === 4 || i.base >= 0 || i.index >= 0)) ||
  i.row.operands.some(({ kind }) => kind === Kind.X || kind === Kind.Y || kind === Kind.B);
const accessesMemory = (i: Insn): boolean =>
  (i.row.modrm && i.mod !== 3) || i.row.operands.some(({ kind }) => kind === Kind.O || kind === Kind.X || kind === Kind.B);

/** Whether what is shown depends on the operand size. */
function usesOperandSize(i: Insn): boolean {
  const { row } = i;
  if (row.mandatory === Mandatory.P66 || row.mnemonic16 !== row.mnemonic32 || SUFFIXED.test(row.text) || TABLE.test(row.text)) return true;
  if (i.mod === 3 && SELECTOR.test(row.text)) return true;
  return row.operands.some(({ size, kind, text }) => size === 0 || kind === Kind.A || text === 'Mp' || text === 'Ma');
}

function mnemonic(i: Insn, size: 2 | 4): string {
  const { mnemonic16, mnemonic32 } = i.row;
  // a size at the end is that which is not the segment's
  if (size === 2 && mnemonic16 === `${mnemonic32}w`) return i.operandSize === 2 ? mnemonic32 : `${mnemonic32}d`;
  const name = i.operandSize === 2 ? mnemonic16 : mnemonic32;
  if (i.row.opcodes === 16) return name.replace('cc', CONDITIONS[i.opcode & 15]);
  if (name === 'jecxz' && i.addressSize === 2) return 'jcxz';
  if (TABLE.test(i.row.text)) return name + (i.operandSize === 2 ? 'w' : 'd');
  return i.operandSize !== size && SUFFIXED.test(i.row.text) ? name + (size === 4 ? 'w' : 'd') : name;
}

/** The prefixes that change nothing else in the text, in their order; of several of one kind, the last one has the effect. */
function prefixes(i: Insn, code: Code, name: string, size: 2 | 4): string {
  const bytes: number[] = [];
  for (let at = i.pc; PREFIX_NAMES[code.u8(at)] !== undefined; at++) bytes.push(code.u8(at));
  const used = (found: (byte: number) => boolean, uses: boolean): void => {
    const last = bytes.findLastIndex(found);
    if (uses && last >= 0) bytes[last] = -1;
  };
  used((byte) => PREFIX_NAMES[byte].length === 2, accessesMemory(i));
  used((byte) => byte === 0x66, usesOperandSize(i));
  used((byte) => byte === 0x67, takesAddress(i, size) || /^je?cxz$/.test(name));
  used((byte) => byte === 0xf3, i.row.mandatory === Mandatory.PF3);
  used((byte) => byte === 0xf2, i.row.mandatory === Mandatory.PF2);
  const rep = i.row.group === 'string' && !CONDITIONAL_STRING.test(name) ? bytes.lastIndexOf(0xf3) : -1;
  const nameOf = (byte: number): string => (size === 2 ? PREFIX_NAMES[byte].replace('16', '32') : PREFIX_NAMES[byte]);
  return bytes.map((byte, n) => (byte < 0 ? '' : `${n === rep ? 'rep' : nameOf(byte)} `)).join('');
}

/** GNU objdump's Intel syntax, one space after the mnemonic. `size`: of operands and addresses without a prefix. What is no instruction is `(bad)`, one byte. */
export function disassemble(table: OpcodeTable, code: Code, pc: number, size: 2 | 4 = 4): Disassembly {
  const i = newInsn(table.rows[0]);
  if (decode(table, i, code, pc >>> 0, size) !== Decoded.Ok) return { text: '(bad)', length: 1 };
  let name = mnemonic(i, size);
  let operands = i.row.operands.map((operand, n) => operandText(i, operand, n, size)).join(',');
  if (name === 'xchg' && i.row.opcodes === 8 && (i.opcode & 7) === 0 && i.operandSize === size) [name, operands] = ['nop', ''];
  if (COMPARE.test(name) && i.immediate >>> 0 < 8) {
    name = name.replace(COMPARE, `cmp${COMPARISONS[i.immediate]}$1`);
    operands = operands.slice(0, operands.lastIndexOf(','));
  }
  return { text: `${prefixes(i, code, name, size)}${name}${operands && ' '}${operands}`, length: i.length };
}
