import type { Code } from '../../src/isa/code.ts';
import type { Disassembly } from '../../src/isa/isa.ts';
import { Decoded, decode, newInsn, type OpcodeTable } from './decode.ts';
import type { Insn } from './operands.ts';
import { Kind, type Operand } from './row.ts';

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
const STRING = /^(movs|stos|lods|ins|outs|cmps|scas)/;

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;

function register(number: number, size: number): string {
  if (size === 1) return NAMES8[number];
  return size === 2 ? NAMES16[number] : `e${NAMES16[number]}`;
}

const signed = (n: number): string => (n < 0 ? `-${hex(-n)}` : `+${hex(n)}`);

/** The memory operand in brackets, with its segment where it is not the default. */
function memory(i: Insn): string {
  const override = i.segment < 0 ? '' : `${SEGMENTS[i.segment]}:`;
  const size = i.addressSize;
  const terms: string[] = [];
  if (i.base >= 0) terms.push(register(i.base, size));
  const scaled = size === 4 && i.rm === 4;
  if (i.index >= 0) terms.push(register(i.index, size) + (scaled ? `*${1 << i.scale}` : ''));
  else if (scaled && (i.base !== 4 || i.scale !== 0)) terms.push(`eiz*${1 << i.scale}`);
  if (terms.length === 0) return `${override || 'ds:'}${hex(i.displacement)}`;
  const displacement = i.mod === 0 && i.base >= 0 ? '' : signed(i.displacement);
  return `${override}[${terms.join('+')}${displacement}]`;
}

/** Bytes that a memory operand's size name tells: 0 for none. */
function memorySize(i: Insn, operand: Operand): number {
  if (operand.size >= 0) return operand.size || i.operandSize;
  const code = operand.text.slice(1);
  if (code === 'p') return i.operandSize + 2;
  return code === 'a' ? i.operandSize * 2 : 0;
}

const target = (i: Insn): string => hex(i.operandSize === 4 ? i.next + i.immediate : (i.next + i.immediate) & 0xffff);

function operandText(i: Insn, operand: Operand, n: number): string {
  const size = operand.size || i.operandSize;
  const inMemory = (): string => (POINTERS[memorySize(i, operand)] ?? '') + memory(i);
  switch (operand.kind) {
    case Kind.E:
      return i.mod === 3 ? register(i.rm, size) : inMemory();
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
      return target(i);
    case Kind.A:
      return `${hex(i.immediate2)}:${hex(i.operandSize === 4 ? i.immediate : i.immediate & 0xffff)}`;
    case Kind.O:
      return memory(i);
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

function mnemonic(i: Insn): string {
  const name = i.operandSize === 2 ? i.row.mnemonic16 : i.row.mnemonic32;
  if (i.row.opcodes === 16) return name.replace('cc', CONDITIONS[i.opcode & 15]);
  return name === 'jecxz' && i.addressSize === 2 ? 'jcxz' : name;
}

/** GNU objdump's Intel syntax, one space after the mnemonic. What is no instruction is `(bad)`, one byte. */
export function disassemble(table: OpcodeTable, code: Code, pc: number): Disassembly {
  const i = newInsn(table.rows[0]);
  if (decode(table, i, code, pc >>> 0) !== Decoded.Ok) return { text: '(bad)', length: 1 };
  const name = mnemonic(i);
  if (name === 'xchg' && i.row.opcodes === 8 && (i.opcode & 7) === 0 && i.operandSize === 4) return { text: 'nop', length: i.length };
  const operands = i.row.operands.map((operand, n) => operandText(i, operand, n)).join(',');
  let prefix = i.lock ? 'lock ' : '';
  if (i.rep !== 0 && i.row.mandatory < 0) {
    if (i.rep === 0xf2) prefix += 'repnz ';
    else prefix += STRING.test(name) && !CONDITIONAL_STRING.test(name) ? 'rep ' : 'repz ';
  }
  return { text: `${prefix}${name}${operands && ' '}${operands}`, length: i.length };
}
