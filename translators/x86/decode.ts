import type { Code } from '../../src/isa/code.ts';
import type { Insn } from './operands.ts';
import { Immediate, Mandatory, MODRM_INDEXES, modrmIndex, type Row, row } from './row.ts';

/**
 * Opcode maps as flat arrays. `top[(map << 8 | opcode) << 2 | mandatory prefix]` is 0 for no instruction, a row
 * number, minus the start of MODRM_INDEXES row numbers in `sub`, or UNFILLED.
 */
export interface OpcodeTable {
  readonly rows: readonly Row[];
  readonly top: Int32Array;
  readonly sub: number[];
  /** Row numbers by `map << 8 | opcode`. */
  readonly byOpcode: readonly (readonly number[] | undefined)[];
}

const UNFILLED = -0x80000000;

/** No instruction. */
export const NO_ROW = row('0F FF', '(bad)', () => undefined);

/** Row number 0 is no instruction. Opcodes are filled in when they are first met. */
export function makeTable(rows: readonly Row[]): OpcodeTable {
  const byOpcode: (number[] | undefined)[] = new Array(1024).fill(undefined);
  const top = new Int32Array(4096);
  rows.forEach(({ map, opcode, opcodes }, index) => {
    const first = (map << 8) | opcode;
    for (let o = first; o < first + opcodes; o++) {
      const numbers = byOpcode[o];
      if (numbers) numbers.push(index + 1);
      else {
        byOpcode[o] = [index + 1];
        top.fill(UNFILLED, o << 2, (o << 2) + 4);
      }
    }
  });
  return { rows: [NO_ROW, ...rows], top, sub: new Array<number>(MODRM_INDEXES).fill(0), byOpcode };
}

/** The same with all opcodes filled in. Throws if two rows claim the same encoding. */
export function buildTable(rows: readonly Row[]): OpcodeTable {
  const table = makeTable(rows);
  table.byOpcode.forEach((_, opcode) => {
    fillOpcode(table, opcode);
  });
  return table;
}

function fillOpcode({ rows, top, sub, byOpcode }: OpcodeTable, opcode: number): void {
  const numbers = byOpcode[opcode];
  if (!numbers) return;
  const only = rows[numbers[0]];
  const { modrm } = only;
  for (const n of numbers) if (rows[n].modrm !== modrm) throw new Error(`rows '${only.text}' and '${rows[n].text}' overlap`);
  if (numbers.length === 1 && only.mandatory === Mandatory.Any && (!modrm || only.modrms.length === MODRM_INDEXES)) {
    top.fill(numbers[0], opcode << 2, (opcode << 2) + 4);
    return;
  }
  const slots = Array.from({ length: 4 }, () => new Array<number>(MODRM_INDEXES).fill(0));
  const general = new Array<number>(MODRM_INDEXES).fill(0);
  for (const n of numbers) {
    const r = rows[n];
    const slot = r.mandatory === Mandatory.Any ? general : slots[r.mandatory];
    for (const m of modrm ? r.modrms : slot.keys()) {
      if (slot[m] !== 0) throw new Error(`rows '${rows[slot[m]].text}' and '${r.text}' overlap`);
      slot[m] = n;
    }
  }
  let shared = 0;
  slots.forEach((slot, prefix) => {
    let own = false;
    slot.forEach((n, m) => {
      if (n !== 0) own = true;
      else slot[m] = general[m];
    });
    const index = (opcode << 2) | prefix;
    if (slot.every((n) => n === slot[0])) top[index] = slot[0];
    else if (!own && shared !== 0) top[index] = shared;
    else {
      top[index] = -sub.length;
      if (!own) shared = -sub.length;
      sub.push(...slot);
    }
  });
}

export const enum Decoded {
  Ok,
  /** No such instruction, or LOCK where it is not allowed: #UD. */
  Illegal,
  /** More than 15 bytes: #GP(0). */
  TooLong,
}

const MAX_LENGTH = 15;

const enum Prefix {
  None,
  Segment,
  OperandSize,
  AddressSize,
  Lock,
  Repeat,
}
const PREFIXES = new Uint8Array(256);
for (const segment of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]) PREFIXES[segment] = Prefix.Segment;
PREFIXES[0x66] = Prefix.OperandSize;
PREFIXES[0x67] = Prefix.AddressSize;
PREFIXES[0xf0] = Prefix.Lock;
PREFIXES[0xf2] = Prefix.Repeat;
PREFIXES[0xf3] = Prefix.Repeat;

/** 16-bit addressing (SDM table 2-1): base and index register by ModRM.rm. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1];

/** 0F 20…23, MOV with control and debug registers, take any ModRM.mod for 3 (SDM volume 2): their opcodes, shifted as an index. */
const REGISTERS_ONLY = 0x120 >>> 2;

export function newInsn(none: Row): Insn {
  return {
    row: none,
    pc: 0,
    next: 0,
    length: 0,
    opcode: 0,
    operandSize: 4,
    addressSize: 4,
    rep: 0,
    lock: false,
    segment: -1,
    modrm: 0,
    mod: 0,
    reg: 0,
    rm: 0,
    base: -1,
    index: -1,
    scale: 0,
    displacement: 0,
    immediate: 0,
    immediate2: 0,
    ea: -1,
    espBias: 0,
    mode: 0,
    denormals: false,
    assumed: -1,
    open: undefined,
  };
}

/**
 * Fills `i` with the instruction at `pc`. Throws FetchFault where its bytes cannot be fetched. `size`: that of operands and
 * addresses without a prefix.
 */
export function decode(table: OpcodeTable, i: Insn, code: Code, pc: number, size = 4): Decoded {
  const limit = pc + MAX_LENGTH;
  let at = pc;
  i.pc = pc;
  i.row = table.rows[0];
  i.operandSize = size;
  i.addressSize = size;
  i.rep = 0;
  i.lock = false;
  i.segment = -1;
  i.ea = -1;
  i.espBias = 0;
  i.length = 1;
  i.next = (pc + 1) >>> 0;

  let prefix66 = false;
  let byte = code.u8(at++);
  for (let prefix = PREFIXES[byte]; prefix !== Prefix.None; prefix = PREFIXES[byte]) {
    if (prefix === Prefix.Segment) i.segment = byte >= 0x64 ? byte - 0x60 : (byte >>> 3) & 3;
    else if (prefix === Prefix.OperandSize) prefix66 = true;
    else if (prefix === Prefix.AddressSize) i.addressSize = 6 - size;
    else if (prefix === Prefix.Lock) i.lock = true;
    else i.rep = byte;
    if (at >= limit) return Decoded.TooLong;
    byte = code.u8(at++);
  }

  if (prefix66) i.operandSize = 6 - size;
  let map = 0;
  if (byte === 0x0f) {
    if (at >= limit) return Decoded.TooLong;
    byte = code.u8(at++);
    map = 1;
    if (byte === 0x38 || byte === 0x3a) {
      map = byte === 0x38 ? 2 : 3;
      if (at >= limit) return Decoded.TooLong;
      byte = code.u8(at++);
    }
  }
  i.opcode = byte;
  const mandatory = i.rep === 0xf3 ? Mandatory.PF3 : i.rep === 0xf2 ? Mandatory.PF2 : prefix66 ? Mandatory.P66 : Mandatory.None;
  const index = (((map << 8) | byte) << 2) | mandatory;
  let number = table.top[index];
  if (number === UNFILLED) {
    fillOpcode(table, index >>> 2);
    number = table.top[index];
  }
  if (number === 0) {
    i.next = at >>> 0;
    return Decoded.Illegal;
  }
  const modrm = number < 0 || table.rows[number].modrm;
  if (modrm) {
    if (at >= limit) return Decoded.TooLong;
    let m = code.u8(at++);
    if (number < 0) {
      if (index >>> 4 === REGISTERS_ONLY) m |= 0xc0;
      number = table.sub[modrmIndex(m) - number];
    }
    i.modrm = m;
    i.mod = m >>> 6;
    i.reg = (m >>> 3) & 7;
    i.rm = m & 7;
    if (m < 0xc0) at = decodeMemory(i, code, at);
    if (number === 0) {
      // all of it is fetched before it is found to be none: as long as others of its opcode
      const { immediate } = table.rows[table.byOpcode[index >>> 2]![0]];
      if (immediate !== Immediate.None) at = decodeImmediate(i, code, at, immediate);
      i.next = at >>> 0;
      return at > limit ? Decoded.TooLong : Decoded.Illegal;
    }
  } else i.mod = 3;
  const r = table.rows[number];
  i.row = r;
  if (r.immediate !== Immediate.None) {
    at = decodeImmediate(i, code, at, r.immediate);
    if (r.immediate2 !== Immediate.None) {
      i.immediate2 = r.immediate2 === Immediate.Byte ? code.u8(at) : code.u16le(at);
      at += r.immediate2 === Immediate.Byte ? 1 : 2;
    }
  }
  if (at > limit) return Decoded.TooLong;
  i.length = at - pc;
  i.next = at >>> 0;
  if (i.lock && !(r.lockable && i.mod !== 3)) return Decoded.Illegal;
  return Decoded.Ok;
}

/** SIB and displacement. */
function decodeMemory(i: Insn, code: Code, start: number): number {
  let at = start;
  i.index = -1;
  i.scale = 0;
  i.displacement = 0;
  if (i.addressSize === 2) {
    i.base = BASE16[i.rm];
    i.index = INDEX16[i.rm];
    if (i.mod === 1) i.displacement = (code.u8(at++) << 24) >> 24;
    else if (i.mod === 2 || i.rm === 6) {
      i.displacement = code.u16le(at);
      at += 2;
      if (i.mod === 0) i.base = -1;
    }
    return at;
  }
  i.base = i.rm;
  if (i.rm === 4) {
    const sib = code.u8(at++);
    i.base = sib & 7;
    const index = (sib >>> 3) & 7;
    if (index !== 4) i.index = index;
    i.scale = sib >>> 6;
  }
  if (i.mod === 1) i.displacement = (code.u8(at++) << 24) >> 24;
  else if (i.mod === 2 || i.base === 5) {
    i.displacement = code.i32le(at);
    at += 4;
    if (i.mod === 0) i.base = -1;
  }
  return at;
}

function decodeImmediate(i: Insn, code: Code, at: number, kind: Immediate): number {
  switch (kind) {
    case Immediate.Byte:
      i.immediate = (code.u8(at) << 24) >> 24;
      return at + 1;
    case Immediate.Word:
      i.immediate = (code.u16le(at) << 16) >> 16;
      return at + 2;
    case Immediate.Dword:
      i.immediate = code.i32le(at);
      return at + 4;
    case Immediate.Offset:
      i.mod = 0;
      i.base = -1;
      i.index = -1;
      i.scale = 0;
      i.displacement = i.addressSize === 4 ? code.i32le(at) : code.u16le(at);
      return at + i.addressSize;
    default: {
      i.immediate = i.operandSize === 4 ? code.i32le(at) : (code.u16le(at) << 16) >> 16;
      if (kind === Immediate.Full) return at + i.operandSize;
      i.immediate2 = code.u16le(at + i.operandSize);
      return at + i.operandSize + 2;
    }
  }
}
