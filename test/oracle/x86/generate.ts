import { existsSync, readFileSync } from 'node:fs';
import { VECTOR_LDT_ENTRIES } from '../../../src/conformance/x86-ldt.ts';
import { Code } from '../../../src/isa/code.ts';
import { Eflags } from '../../../translators/x86/abi.ts';
import { Decoded, decode, newInsn } from '../../../translators/x86/decode.ts';
import type { Insn } from '../../../translators/x86/operands.ts';
import { Immediate, Kind, Mandatory, type Row } from '../../../translators/x86/row.ts';
import { rows, table } from '../../../translators/x86/rows.ts';
import { type Case, CODE, DATA, DATA_BYTES, READ_ONLY, SEGMENT_BASE, STACK, STACK_BYTES } from './case.ts';
import type { Random } from './random.ts';
import { FAULTS_IN_ANY_ORDER, STATUS, undefinedFlags, undefinedFlagsAtFault } from './undefined.ts';

const [ECX, ESP, EBP, ESI, EDI] = [1, 4, 5, 6, 7];
const EIP = CODE + 0x400;
export const DATA_OFFSET = 0x7c0;
export const STACK_OFFSET = 0x800;
/** Addresses in the code page, at which a case that jumps ends. */
const LANDINGS = [CODE + 0x800, CODE + 0x123, CODE + 0xfff];

/** A case made from one row, with what the comparison must leave out. */
export interface GeneratedCase extends Case {
  readonly undefinedFlags: number;
  readonly undefinedFlagsAtFault: number;
  readonly anyFaultAddress: boolean;
  readonly anyRegistersAtFault: boolean;
  /** Registers that tell of the machine itself afterwards. */
  readonly ownRegisters: readonly number[];
  readonly row: Row;
}

/** Rows whose results Linux makes the same everywhere, if the processor lets it. */
export const UMIP_ROWS = /^(SLDT|STR|SGDT|SIDT|SMSW)/;
const processor = (line: RegExp): boolean => existsSync('/proc/cpuinfo') && line.test(readFileSync('/proc/cpuinfo', 'utf8'));

/** Rows that the processor cannot be asked about from user mode as we define it, and why. */
const NOT_COMPARABLE: readonly (readonly [RegExp, string])[] = [
  ...(processor(/^flags.* umip\b/m) ? [] : [[UMIP_ROWS, 'tells of the machine itself without UMIP'] as const]),
  // AMD64 volume 3: #UD in long mode, compatibility mode included, which all programs of a 64-bit kernel are in
  ...(processor(/^vendor_id\s*: AuthenticAMD$/m) ? [] : [[/^SYSENTER/, 'enters the kernel'] as const]),
  [/^(VMCALL|VMMCALL)/, 'enters the hypervisor that the processor runs under'],
];
export const whyNot = (r: Row): string | undefined => NOT_COMPARABLE.find(([text]) => text.test(r.text))?.[1];

/** Registers with what tells of the machine itself. */
const OWN_REGISTERS: Readonly<Record<string, readonly number[]>> = { CPUID: [0, 1, 2, 3], RDTSC: [0, 2] };

export function comparableRows(filter: RegExp | undefined, groups: ReadonlySet<string>): readonly Row[] {
  return rows().filter((r) => groups.has(r.group) && whyNot(r) === undefined && (!filter || filter.test(`${r.encoding} ${r.text}`)));
}

const mnemonic = (r: Row): string => r.text.split(' ')[0];
const STRINGS = /^(MOVS|CMPS|STOS|LODS|SCAS|INS|OUTS)$/;
const TRANSFERS = /^(CALL|JMP|RET|RETF|IRETW\/IRET)$/;
const CODE_SEGMENT = 0x23;
const SELECTORS = [0, 1, 2, 3, 0x23, 0x2b, 0x2b, 0x2b, 0x28, 0x10, 0x18, 0x1003, 0x2f, 0xfffb];
/** Of those, or of the LDT that vectors have, with any requested privilege level. */
const pickSelector = (rnd: Random): number =>
  rnd.chance(0.5) ? rnd.pick(SELECTORS) : (rnd.below(VECTOR_LDT_ENTRIES) << 3) | 4 | (rnd.chance(0.7) ? 3 : rnd.below(4));

interface Memory {
  readonly modrm: number;
  readonly rest: number[];
  /** Adjusts registers so that the operand lies at `target`. */
  readonly aim: (regs: Int32Array) => void;
}

const dword = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 24) & 0xff];

/** ModRM, SIB and displacement of an operand at `target`; `segment` is true if SEGMENT_BASE is added to it. */
function memoryOperand(rnd: Random, reg: number, target: number, address16: boolean, segment: boolean): Memory {
  const goal = segment ? target - SEGMENT_BASE : target;
  const field = reg << 3;
  if (address16) {
    const base16 = [3, 3, 5, 5, 6, 7, 5, 3];
    const index16 = [6, 7, 6, 7, -1, -1, -1, -1];
    const rm = rnd.below(8);
    const mod = rnd.below(3);
    if (mod === 0 && rm === 6) return { modrm: field | 6, rest: dword(goal).slice(0, 2), aim: () => undefined };
    const displacement = mod === 0 ? 0 : mod === 1 ? rnd.below(256) : rnd.below(65536);
    const signed = mod === 1 ? (displacement << 24) >> 24 : displacement;
    const rest = mod === 0 ? [] : mod === 1 ? [displacement] : dword(displacement).slice(0, 2);
    return {
      modrm: (mod << 6) | field | rm,
      rest,
      aim: (regs) => {
        const index = index16[rm] < 0 ? 0 : regs[index16[rm]];
        regs[base16[rm]] = (regs[base16[rm]] & ~0xffff) | ((goal - index - signed) & 0xffff);
      },
    };
  }
  const mod = rnd.below(3);
  const displacement = mod === 0 ? 0 : mod === 1 ? rnd.below(256) : rnd.chance(0.5) ? rnd.below(256) - 128 : rnd.u32() | 0;
  const signed = mod === 1 ? (displacement << 24) >> 24 : displacement;
  const rest = mod === 0 ? [] : mod === 1 ? [displacement] : dword(displacement);
  const direct = rnd.chance(0.2);
  if (direct) {
    // no base: disp32, or an index with disp32
    if (rnd.chance(0.5)) return { modrm: field | 5, rest: dword(goal), aim: () => undefined };
    const index = rnd.pick([0, 1, 2, 3, 5, 6, 7]);
    const scale = rnd.below(4);
    const offset = rnd.below(64);
    return {
      modrm: field | 4,
      rest: [(scale << 6) | (index << 3) | 5, ...dword(goal - (offset << scale))],
      aim: (regs) => {
        regs[index] = offset;
      },
    };
  }
  if (rnd.chance(0.5)) {
    const base = rnd.pick(mod === 0 ? [0, 1, 2, 3, 6, 7] : [0, 1, 2, 3, 5, 6, 7]);
    return {
      modrm: (mod << 6) | field | base,
      rest,
      aim: (regs) => {
        regs[base] = goal - signed;
      },
    };
  }
  const base = rnd.pick(mod === 0 ? [0, 1, 2, 3, 4, 6, 7] : [0, 1, 2, 3, 4, 5, 6, 7]);
  const index = rnd.below(8);
  const scale = rnd.below(4);
  return {
    modrm: (mod << 6) | field | 4,
    rest: [(scale << 6) | (index << 3) | base, ...rest],
    aim: (regs) => {
      if (index === base && index !== 4) {
        // base + base << scale: only what divides can be met, so aim with the displacement's own error
        regs[base] = Math.floor((goal - signed) / (1 + (1 << scale)));
        return;
      }
      const scaled = index === 4 ? 0 : regs[index] << scale;
      regs[base] = goal - signed - scaled;
    },
  };
}

function immediateBytes(rnd: Random, r: Row, kind: Immediate, operandSize: number, i: { target: number }): number[] {
  const jump = r.operands.some((o) => o.kind === Kind.J);
  const value = jump ? rnd.below(100) + (rnd.chance(0.5) ? 8 : -220) : rnd.interesting();
  switch (kind) {
    case Immediate.None:
      return [];
    case Immediate.Byte:
      return jump ? [rnd.chance(0.5) ? 16 + rnd.below(100) : 256 - 120 + rnd.below(100)] : [value & 0xff];
    case Immediate.Word:
      return dword(
        r.text.startsWith('ENTER') ? rnd.below(300) : value & (r.text.startsWith('RETF') || rnd.chance(0.7) ? 0x7f : 0xffff),
      ).slice(0, 2);
    case Immediate.Dword:
      return dword(value);
    case Immediate.Full:
      return dword(value).slice(0, operandSize);
    case Immediate.Far:
      return [...dword(rnd.pick(LANDINGS)).slice(0, operandSize), rnd.chance(0.8) ? CODE_SEGMENT : rnd.pick([0, 0x2b, 0x20, 0x10]), 0];
    default:
      return dword(i.target);
  }
}

/** Contents of registers and memory before a case arranges what its instruction needs. */
export interface Base {
  readonly regs: Int32Array;
  readonly data: Uint8Array;
  readonly stack: Uint8Array;
}

export function randomBase(rnd: Random): Base {
  const regs = Int32Array.from({ length: 8 }, () => rnd.interesting());
  if (rnd.chance(0.2)) regs[rnd.below(8)] = regs[rnd.below(8)];
  if (rnd.chance(0.3)) regs[ECX] = rnd.below(40);
  const data = Uint8Array.from({ length: DATA_BYTES }, () => rnd.u32() & 0xff);
  const stack = Uint8Array.from({ length: STACK_BYTES }, () => rnd.u32() & 0xff);
  for (let at = 0; at < DATA_BYTES; at += 4) if (rnd.chance(0.5)) data.set(dword(rnd.interesting()), at);
  for (let at = 0; at < STACK_BYTES; at += 4) if (rnd.chance(0.5)) stack.set(dword(rnd.interesting()), at);
  return { regs, data, stack };
}

/** One random case of a row, or undefined where what came out is not that row or cannot be compared. */
export function generate(rnd: Random, r: Row, base = randomBase(rnd)): GeneratedCase | undefined {
  const name = mnemonic(r);
  const [regs, data, stack] = [base.regs.slice(), base.data.slice(), base.stack.slice()];
  regs[ESP] = STACK + STACK_OFFSET + rnd.below(8) * 4;
  if (rnd.chance(0.03)) regs[ESP] = STACK + rnd.pick([0, 2, 4, 8, 0xffc, 0xffe, 0x1000]);
  if (rnd.chance(0.5) || /^(ENTER|LEAVE)/.test(name)) regs[EBP] = STACK + STACK_OFFSET + rnd.below(32);

  const usesSegments = /^(MOV Sw|POP [C-G]S|POP SS|L[EDSFG]S |LAR|LSL|VERR|VERW)/.test(r.text);
  if (usesSegments) {
    for (let n = 0; n < 8; n++) if (n !== ESP) regs[n] = pickSelector(rnd) | (rnd.chance(0.3) ? 0x10000 : 0);
    for (let at = 0; at < DATA_BYTES; at += 2) data.set(dword(pickSelector(rnd)).slice(0, 2), at);
    for (let at = 0; at < STACK_BYTES; at += 2) stack.set(dword(pickSelector(rnd)).slice(0, 2), at);
  }
  let eflags = Eflags.FIXED | Eflags.IF | (rnd.u32() & STATUS);

  const repeated = STRINGS.test(name);
  if (repeated) {
    if (rnd.chance(0.4)) eflags |= Eflags.DF;
    regs[ESI] = rnd.pick([DATA, STACK]) + rnd.pick([0, 1, 0x7c0, 0x7f0, 0x7f1, 0xff0, 0xffd, 0xffe, 0xfff]) + rnd.below(3);
    regs[EDI] = rnd.chance(0.5) ? regs[ESI] + rnd.below(80) - 40 : rnd.pick([DATA, STACK]) + rnd.pick([0, 0x7c0, 0x7f5, 0xff0, 0xffe]);
    if (rnd.chance(0.05)) regs[EDI] = READ_ONLY + 16;
    regs[ECX] = rnd.pick([0, 1, 2, 3, 5, 16, 17, 40, 100, 1030, 5000, 0x10000]);
    const like = rnd.chance(0.5) ? data[0] : rnd.u32() & 0xff;
    if (rnd.chance(0.6)) data.fill(like);
    if (rnd.chance(0.6)) data[rnd.below(DATA_BYTES)] = rnd.u32() & 0xff;
    if (rnd.chance(0.6)) regs[0] = like * 0x01010101;
  }
  if (/^(DIV|IDIV)$/.test(name) && rnd.chance(0.8)) regs[2] = rnd.chance(0.5) ? 0 : rnd.chance(0.5) ? -1 : rnd.below(100);
  if (/^(BT|BTS|BTR|BTC)$/.test(name) && rnd.chance(0.8))
    for (let n = 0; n < 8; n++) if (n !== ESP && n !== EBP) regs[n] = rnd.below(1024) - 512;
  if (name === 'XLAT') regs[3] = rnd.chance(0.9) ? DATA + 0x700 : rnd.interesting();
  if (TRANSFERS.test(name)) {
    const words = (area: Uint8Array): void => {
      for (let at = 0; at + 4 <= area.length; at += 4) if (rnd.chance(0.9)) area.set(dword(rnd.pick(LANDINGS)), at);
    };
    words(data);
    words(stack);
    for (let n = 0; n < 8; n++) if (n !== ESP && rnd.chance(0.8)) regs[n] = rnd.pick(LANDINGS);
    const far = r.text.endsWith('Mp') ? data : /^(RETF|IRET)/.test(name) ? stack : undefined;
    if (far)
      for (let at = 4; at + 4 <= far.length; at += r.text.endsWith('Mp') ? 8 : 4) if (rnd.chance(0.8)) far.set([CODE_SEGMENT, 0], at);
    if (far) regs[ESP] = STACK + STACK_OFFSET + rnd.below(4) * 4;
  }

  // Linux, which carries these out, stores as much as there is room for, and refuses some 16-bit addresses
  const umip = UMIP_ROWS.test(name);

  // the encoding
  const flexible = r.operands.some((o) => o.size <= 0) || /^(PUSH|POP|RET|IRET|ENTER|LEAVE|CBW|CWD|INS|OUTS)/.test(name);
  let prefixes: number[] = [];
  const operand16 = r.mandatory === Mandatory.P66 || (r.mandatory === Mandatory.Any && rnd.chance(flexible ? 0.35 : 0.05));
  if (operand16) prefixes.push(0x66);
  const memory = r.modrm && r.modrms.some((m) => m < 8);
  const useMemory = memory && (rnd.chance(0.5) || !r.modrms.some((m) => m >= 8));
  const offset = r.operands.some((o) => o.kind === Kind.O);
  const implicit = repeated || name === 'XLAT';
  const threadSegment = (useMemory || offset || implicit) && !r.text.includes('Sw') && rnd.chance(0.2);
  if (threadSegment) prefixes.push(rnd.pick([0x64, 0x65]));
  // a read-modify-write through CS is a #GP before the read may fault; only plain moves look no further here
  else if (rnd.chance(0.03)) prefixes.push(rnd.pick(name === 'MOV' ? [0x26, 0x2e, 0x36, 0x3e] : [0x26, 0x36, 0x3e]));
  const address16 = rnd.chance(threadSegment ? 0.3 : /^(LOOP|JECXZ|JCXZ)/.test(name) ? 0.3 : 0.02) && !umip;
  if (address16) prefixes.push(0x67);
  if (r.lockable && useMemory && rnd.chance(0.1)) prefixes.push(0xf0);
  if (repeated && rnd.chance(0.75)) prefixes.push(rnd.pick([0xf2, 0xf3]));
  // no meaning on one-byte opcodes other than string instructions; undocumented on LOOPcc, where it chooses the condition
  if (!repeated && r.map === 0 && !/^LOOP.*E$/.test(name) && rnd.chance(0.03)) prefixes.push(rnd.pick([0xf2, 0xf3]));
  // the processor reports where these end, the executor where they begin
  if (/^INT(3|O)$/.test(name)) prefixes = [];
  prefixes = prefixes.sort(() => rnd.below(3) - 1);
  if (r.mandatory === Mandatory.PF3) prefixes.push(0xf3);
  if (r.mandatory === Mandatory.PF2) prefixes.push(0xf2);
  if (implicit && threadSegment) regs[repeated ? ESI : 3] -= SEGMENT_BASE;
  if (repeated && address16) {
    // ES:DI cannot reach a page: LODS alone can succeed
    if (rnd.chance(0.5)) regs[ECX] &= 0xffff0003;
  }

  const target =
    rnd.chance(0.85) || threadSegment || umip
      ? DATA + DATA_OFFSET + rnd.below(64) * (rnd.chance(0.5) ? 1 : 0) + 32
      : rnd.pick([
          DATA,
          DATA - 1,
          DATA - 3,
          DATA + 0xfff,
          DATA + 0xffe,
          DATA + 0xffc,
          DATA + 0xff9,
          DATA + 0x1000,
          READ_ONLY + 64,
          0,
          0xffff,
        ]);
  const bytes = [...prefixes];
  if (r.map > 0) bytes.push(0x0f);
  if (r.map === 2) bytes.push(0x38);
  if (r.map === 3) bytes.push(0x3a);
  bytes.push(r.opcode + rnd.below(r.opcodes));
  const operandSize = operand16 ? 2 : 4;
  if (r.modrm) {
    const index = rnd.pick(r.modrms.filter((m) => m < 8 === useMemory));
    if (index >= 8) bytes.push(0xc0 | (index - 8));
    else {
      const m = memoryOperand(rnd, index, target, address16, threadSegment);
      bytes.push(m.modrm, ...m.rest);
      m.aim(regs);
    }
  }
  const moffs = { target: threadSegment ? target - SEGMENT_BASE : target };
  const first = immediateBytes(rnd, r, r.immediate, operandSize, moffs);
  bytes.push(...(r.immediate === Immediate.Offset && address16 ? first.slice(0, 2) : first));
  if (r.immediate2 !== Immediate.None) bytes.push(r.text.startsWith('ENTER') ? rnd.below(rnd.chance(0.8) ? 5 : 64) : rnd.u32() & 0xff);
  if (/^(POPFW|IRETW)/.test(name)) for (let at = 1; at < STACK_BYTES; at += 4) stack[at] &= ~1;

  const code = Uint8Array.from(bytes);
  if (code.length > 15) return undefined;
  const insn = decodeOne(code);
  if (!insn || insn.row !== r || (name === 'INT' && [3, 4, 0x80].includes(insn.immediate & 0xff))) return undefined;
  // LOCK is #UD where it is not allowed; AMD's processors give LOCK MOV CR0 a meaning of its own, and read a selector from memory first
  const locked = rnd.chance(0.02) && code.length < 15 && !/^INT(3|O)$|^MOV [RC]d|^(LAR|LSL|VER[RW]) /.test(r.text);
  const undefinedAfter = undefinedFlags(insn, regs[ECX]);
  if (undefinedAfter === undefined) return undefined;
  return {
    regs,
    eflags,
    eip: EIP,
    code: locked ? Uint8Array.of(0xf0, ...code) : code,
    dataOffset: DATA_OFFSET,
    data,
    stackOffset: STACK_OFFSET,
    stack,
    threadSegment,
    undefinedFlags: undefinedAfter,
    undefinedFlagsAtFault: undefinedFlagsAtFault(insn),
    anyFaultAddress: FAULTS_IN_ANY_ORDER.test(name),
    anyRegistersAtFault: name.startsWith('POPA'),
    ownRegisters: OWN_REGISTERS[name] ?? [],
    row: r,
  };
}

export function decodeOne(code: Uint8Array): Insn | undefined {
  const insn = newInsn(table().rows[0]);
  const padded = new Uint8Array(code.length + 16);
  padded.set(code);
  return decode(table(), insn, Code.of(padded, EIP), EIP) === Decoded.Ok && insn.length === code.length ? insn : undefined;
}
