import type { Builder } from '../../src/ir/builder.ts';
import type { Insn } from './operands.ts';

/** Where an operand is encoded: the letters of SDM volume 2 appendix A.2.1, and Z for a register in the opcode's low three bits. */
export const enum Kind {
  /** ModRM.rm: general register or memory. */
  E,
  /** ModRM.reg: general register. */
  G,
  /** ModRM.rm: memory only. */
  M,
  /** ModRM.rm: general register only. */
  R,
  /** Immediate; `Ibs` is a byte sign-extended to the operand size. */
  I,
  /** Displacement from the next instruction's pc. */
  J,
  /** Memory at an absolute offset in the code. */
  O,
  /** Memory at DS:ESI. */
  X,
  /** Memory at ES:EDI. */
  Y,
  /** Memory at DS:EBX + AL. */
  B,
  /** ModRM.reg: segment register. */
  S,
  /** ModRM.reg: control register. */
  C,
  /** ModRM.reg: debug register. */
  D,
  /** Far pointer in the code. */
  A,
  /** Register in the opcode's low three bits. */
  Z,
  /** ModRM.reg: MMX register. */
  P,
  /** ModRM.rm: MMX register or memory. */
  Q,
  /** ModRM.rm: MMX register only. */
  N,
  /** ModRM.reg: XMM register. */
  V,
  /** ModRM.rm: XMM register or memory. */
  W,
  /** ModRM.rm: XMM register only. */
  U,
  /** A general register that the text names. */
  Register,
  /** A segment register that the text names. */
  Segment,
  /** The constant 1. */
  One,
  /** x87 stack top. */
  ST0,
  /** x87 stack register ModRM.rm. */
  STi,
}

export interface Operand {
  readonly kind: Kind;
  /** Bytes; 0 is the operand size (codes v and z); -1 not a plain value (M without a size, p, a, and so on). */
  readonly size: number;
  /** Kind.Register and Kind.Segment: its number. */
  readonly number: number;
  /** Immediate byte that is sign-extended to the operand size. */
  readonly signed: boolean;
  /** As the row writes it. */
  readonly text: string;
}

/** What follows ModRM in the code. */
export const enum Immediate {
  None,
  /** ib, cb */
  Byte,
  /** iw */
  Word,
  /** id */
  Dword,
  /** iz, cz: 2 or 4 bytes by operand size */
  Full,
  /** ap: offset (by operand size), then a 16-bit selector */
  Far,
  /** mo: 2 or 4 bytes by address size */
  Offset,
}

/** The prefix that chooses between rows of one opcode. */
export const enum Mandatory {
  /** No prefix required: the row also covers the prefixes for which the opcode has no row of its own. */
  Any = -1,
  None = 0,
  P66 = 1,
  PF3 = 2,
  PF2 = 3,
}

/** Builds the IR of one instruction. Operands are read and written through operands.ts, flags through flags.ts. */
export type Meaning = (b: Builder, i: Insn) => void;

export interface Row {
  readonly encoding: string;
  readonly text: string;
  readonly meaning: Meaning;
  /** Set by `group`. */
  readonly group: string;

  readonly mandatory: Mandatory;
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
  readonly map: number;
  readonly opcode: number;
  /** How many opcodes from `opcode` on: 1, 8 (+r) or 16 (+cc). */
  readonly opcodes: number;
  readonly modrm: boolean;
  /** ModRM bytes that the row covers, as indexes 0…71 of `modrmIndex`. */
  readonly modrms: readonly number[];
  readonly immediate: Immediate;
  readonly immediate2: Immediate;
  readonly operands: readonly Operand[];
  /** Mnemonics in lower case with 16-bit and with 32-bit operands. */
  readonly mnemonic16: string;
  readonly mnemonic32: string;
  /** LOCK is allowed if the destination is in memory. */
  readonly lockable: boolean;
  /** What it does in system mode, if that is something else; set by `inSystemMode`. */
  readonly system?: Meaning | undefined;
  readonly sensitivity?: Sensitivity | undefined;
}

/**
 * After Popek and Goldberg: privileged ones trap beyond CPL 0; the others do not, or not always, and still read
 * (behaviour-sensitive) or change (control-sensitive) what belongs to the machine.
 */
export type Sensitivity = 'privileged' | 'control-sensitive' | 'behaviour-sensitive';

/** Memory forms by ModRM.reg, then the 64 register forms one by one. */
export function modrmIndex(modrm: number): number {
  return modrm < 0xc0 ? (modrm >>> 3) & 7 : 8 + (modrm & 0x3f);
}
export const MODRM_INDEXES = 72;

const KINDS: Record<string, Kind> = {
  E: Kind.E,
  G: Kind.G,
  M: Kind.M,
  R: Kind.R,
  I: Kind.I,
  J: Kind.J,
  O: Kind.O,
  X: Kind.X,
  Y: Kind.Y,
  B: Kind.B,
  S: Kind.S,
  C: Kind.C,
  D: Kind.D,
  A: Kind.A,
  Z: Kind.Z,
  P: Kind.P,
  Q: Kind.Q,
  N: Kind.N,
  V: Kind.V,
  W: Kind.W,
  U: Kind.U,
};
const SIZES: Record<string, number> = {
  b: 1,
  bs: 1,
  w: 2,
  d: 4,
  q: 8,
  t: 10,
  dq: 16,
  x: 16,
  ps: 16,
  pd: 16,
  ss: 4,
  sd: 8,
  v: 0,
  z: 0,
  p: -1,
  a: -1,
  '': -1,
};
const REGISTERS8 = ['AL', 'CL', 'DL', 'BL', 'AH', 'CH', 'DH', 'BH'];
const REGISTERS16 = ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const MEMORY_ONLY = new Set([Kind.M]);
const REGISTER_ONLY = new Set([Kind.R, Kind.N, Kind.U]);
const USES_MODRM = new Set([Kind.E, Kind.G, Kind.M, Kind.R, Kind.S, Kind.C, Kind.D, Kind.P, Kind.Q, Kind.N, Kind.V, Kind.W, Kind.U]);
const IMMEDIATES: Record<string, Immediate> = {
  ib: Immediate.Byte,
  cb: Immediate.Byte,
  iw: Immediate.Word,
  id: Immediate.Dword,
  iz: Immediate.Full,
  cz: Immediate.Full,
  ap: Immediate.Far,
  mo: Immediate.Offset,
};
/** SDM volume 2, LOCK. */
const LOCKABLE = new Set('ADD ADC AND BTC BTR BTS CMPXCHG CMPXCHG8B DEC INC NEG NOT OR SBB SUB XOR XADD XCHG'.split(' '));

const parsed = new Map<string, Operand>();
function operandOf(text: string): Operand {
  let operand = parsed.get(text);
  if (!operand) {
    operand = parseOperand(text);
    parsed.set(text, operand);
  }
  return operand;
}

function parseOperand(text: string): Operand {
  const fixed = (kind: Kind, size: number, number = 0): Operand => ({ kind, size, number, signed: false, text });
  if (text === '1') return fixed(Kind.One, 1);
  if (text === 'ST0') return fixed(Kind.ST0, 10);
  if (text === 'STi') return fixed(Kind.STi, 10);
  if (REGISTERS8.includes(text)) return fixed(Kind.Register, 1, REGISTERS8.indexOf(text));
  if (REGISTERS16.includes(text)) return fixed(Kind.Register, 2, REGISTERS16.indexOf(text));
  if (SEGMENTS.includes(text)) return fixed(Kind.Segment, 2, SEGMENTS.indexOf(text));
  if (text.startsWith('e') && REGISTERS16.includes(text.slice(1))) return fixed(Kind.Register, 0, REGISTERS16.indexOf(text.slice(1)));
  const kind = KINDS[text[0]];
  const size = SIZES[text.slice(1)];
  if (kind === undefined || size === undefined) throw new Error(`${text} is not an operand of SDM appendix A`);
  return { kind, size, number: 0, signed: text === 'Ibs', text };
}

/**
 * One instruction form. `encoding` is the SDM's opcode column: `01 /r`, `80 /4 ib`, `D8 /0 m` (memory forms only),
 * `D8 /0 r` (register forms only), `D8 C0+i`, `D9 E8`, `50+r`, `0F 80+cc cz`, with a mandatory prefix `NP`, `66`,
 * `F3` or `F2` before it where it chooses between rows; then what is immediate: ib iw id iz cb cz ap mo. `text` is
 * the assembly text with operands of SDM appendix A: `ADD Ev, Gv`; `CBW/CWDE` names the 16-bit and the 32-bit form.
 */
export function row(encoding: string, text: string, meaning: Meaning): Row {
  const tokens = encoding.split(' ');
  const mandatory = MANDATORY[tokens[0]] ?? Mandatory.Any;
  let at = mandatory === Mandatory.Any ? 0 : 1;
  let map = 0;
  if (tokens[at] === '0F') {
    map = 1;
    at++;
    if (tokens[at] === '38' || tokens[at] === '3A') map = tokens[at++] === '38' ? 2 : 3;
  }
  const [opcodeText, plus] = tokens[at].split('+');
  const opcode = Number.parseInt(opcodeText, 16);
  const opcodes = plus === 'r' ? 8 : plus === 'cc' ? 16 : 1;
  // what is late is there: the prototype has it
  return new Form(encoding, text, meaning, mandatory, map, opcode, opcodes) as Form & Late;
}
const MANDATORY: Readonly<Record<string, Mandatory>> = { NP: Mandatory.None, 66: Mandatory.P66, F3: Mandatory.PF3, F2: Mandatory.PF2 };

/** What is worked out when something asks for it: a program meets few rows. */
type Late = Pick<Row, (typeof LATE)[number]>;
const LATE = ['modrm', 'modrms', 'immediate', 'immediate2', 'operands', 'mnemonic16', 'mnemonic32', 'lockable'] as const;

/** All rows have the same shape, and the same one again once what is late is there: what decodes depends on it for its speed. */
class Form implements Omit<Row, keyof Late> {
  readonly group = '';
  readonly note: string | undefined = undefined;
  readonly system: Meaning | undefined = undefined;
  readonly sensitivity: Sensitivity | undefined = undefined;
  constructor(
    readonly encoding: string,
    readonly text: string,
    readonly meaning: Meaning,
    readonly mandatory: Mandatory,
    readonly map: number,
    readonly opcode: number,
    readonly opcodes: number,
  ) {}
}
for (const name of LATE)
  Object.defineProperty(Form.prototype, name, {
    get(this: Form & Late) {
      const late = parse(this);
      for (const each of LATE) Object.defineProperty(this, each, { value: late[each], enumerable: true });
      return this[name];
    },
  });

/** Throws where the row contradicts itself. */
function parse({ encoding, text, mandatory, map, opcode, opcodes }: Form): Late {
  const fail = (why: string): never => {
    throw new Error(`row '${encoding}', '${text}': ${why}`);
  };
  const tokens = encoding.split(' ');
  let at = (mandatory === Mandatory.Any ? 0 : 1) + Math.min(map, 2);
  const form = /^[0-9A-F]{2}(?:\+(.*))?$/.exec(tokens[at++]);
  if (!form || opcode % opcodes !== 0) return fail(`${tokens[at - 1]} is not an opcode`);
  if (form[1] !== undefined && opcodes === 1) fail(`+${form[1]} is not r or cc`);

  const space = text.indexOf(' ');
  const mnemonic = space < 0 ? text : text.slice(0, space);
  let operands: Operand[] = [];
  try {
    operands =
      space < 0
        ? []
        : text
            .slice(space + 1)
            .split(', ')
            .map(operandOf);
  } catch (error) {
    fail((error as Error).message);
  }

  let modrm = false;
  let modrms: readonly number[] = [];
  const modrmText = tokens[at] ?? '';
  const slash = /^\/([r0-7])$/.exec(modrmText);
  const fixed = /^([C-F][0-9A-F])(\+i)?$/.exec(modrmText);
  if (slash) {
    at++;
    modrm = true;
    const memory = tokens[at] === 'm';
    const register = tokens[at] === 'r';
    if (memory || register) at++;
    const withMemory = !register && !operands.some((o) => REGISTER_ONLY.has(o.kind));
    const withRegister = !memory && !operands.some((o) => MEMORY_ONLY.has(o.kind));
    modrms = modrmRange(slash[1] === 'r' ? 8 : Number(slash[1]), withMemory, withRegister);
    if (modrms.length === 0) fail('covers no ModRM byte');
  } else if (fixed) {
    at++;
    modrm = true;
    const first = Number.parseInt(fixed[1], 16);
    modrms = Array.from({ length: fixed[2] ? 8 : 1 }, (_, i) => modrmIndex(first + i));
  }
  if (!modrm && operands.some((o) => USES_MODRM.has(o.kind))) fail('an operand is in ModRM, but the encoding has none');
  if ((opcodes === 8) !== operands.some((o) => o.kind === Kind.Z)) fail('+r and an operand Z belong together');

  const immediates = tokens.slice(at).map((token) => IMMEDIATES[token] ?? fail(`${token} is not an immediate`));
  if (immediates.length > 2) fail('has more than two immediates');
  const encoded = operands.filter((o) => o.kind === Kind.I || o.kind === Kind.J || o.kind === Kind.A || o.kind === Kind.O);
  if (encoded.length !== immediates.length) fail(`has ${immediates.length} immediates, but its text ${encoded.length}`);
  const [name16, name32 = name16] = mnemonic.toLowerCase().split('/');
  return {
    modrm,
    modrms,
    immediate: immediates[0] ?? Immediate.None,
    immediate2: immediates[1] ?? Immediate.None,
    operands,
    mnemonic16: name16,
    mnemonic32: name32,
    lockable: LOCKABLE.has(mnemonic) && (operands[0]?.kind === Kind.E || operands[0]?.kind === Kind.M),
  };
}

const ranges = new Map<number, readonly number[]>();
/** ModRM indexes of one reg, or of all (8), with memory forms, register forms or both. */
function modrmRange(reg: number, withMemory: boolean, withRegister: boolean): readonly number[] {
  const key = reg * 4 + Number(withMemory) * 2 + Number(withRegister);
  let range = ranges.get(key);
  if (!range) {
    const list: number[] = [];
    for (let r = reg === 8 ? 0 : reg; r <= (reg === 8 ? 7 : reg); r++) {
      if (withMemory) list.push(r);
      if (withRegister) for (let rm = 0; rm < 8; rm++) list.push(8 + r * 8 + rm);
    }
    range = list;
    ranges.set(key, range);
  }
  return range;
}

/** Names the group under which the published instruction list shows these rows. */
export function group(name: string, rows: readonly Row[]): readonly Row[] {
  for (const r of rows) (r as { group: string }).group = name;
  return rows;
}

/** A row whose meaning in system mode is `system`. */
export const inSystemMode = (system: Meaning, r: Row): Row => Object.assign(r, { system });
export function sensitive(sensitivity: Sensitivity, system: Meaning, r: Row): Row {
  return Object.assign(inSystemMode(system, r), { sensitivity });
}
