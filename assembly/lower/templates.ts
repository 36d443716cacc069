// Puts a block together of templates (assembly/shared/template.ts): what lifting would give, without JavaScript.
import { BlockInput, Ir, TerminatorKind } from '../shared/lowering';
import { Assembled, Entry, Hole, HoleFlag, Node, NodeFlag, Open, RegisterField, Slot, Template, TemplateOp } from '../shared/template';

const PAGE: u32 = 4096;
/** Bytes of a branch and its delay slot. */
const PAIR: u32 = 8;

/** Ops and shuffles of the block so far. */
let ops: u32 = 0;
let shuffles: u32 = 0;

/**
 * The block at `pc`, whose code is at `code` in this memory, in the next `room` bytes; `most` instructions, of at most `longest` bytes each,
 * and about `mostOps` ops.
 */
export function assembleBlock(pc: u32, code: u32, room: u32, root: u32, most: u32, mostOps: u32, longest: u32): u32 {
  ops = 0;
  shuffles = 0;
  let at: u32 = 0;
  let instructions: u32 = 0;
  let ended = false;
  while (!ended && instructions < most) {
    if (ops >= mostOps) return Assembled.Closed;
    if (at + longest > room) return Assembled.End;
    const template = templateAt(root, pc + at, code + at);
    if (template === 0) return missing;
    const slot: u32 = load<u8>(template, Template.SLOT);
    let delayed: u32 = 0;
    if (slot & Slot.WITHIN) {
      delayed = slotAt(root, pc + at, code + at);
      if (delayed === 0) return missing;
    }
    fillHoles(template, pc + at, code + at);
    ended = putTerminator(template);
    putOps(template, code + at, pc + at, pc + at);
    if (delayed !== 0) {
      putSlot(delayed, slot, pc + at, code + at, pc + at);
      instructions++;
    }
    at += load<u8>(template, Template.LENGTH);
    instructions++;
  }
  if (!ended) putGoto(pc + at);
  putBlock(pc, at, instructions);
  return Assembled.Block;
}

/** The block at `branch | 1`: the delay slot of the branch at `branch`, then its target. */
export function assembleSlot(branch: u32, code: u32, root: u32): u32 {
  if (PAGE - (branch & (PAGE - 1)) < PAIR) return Assembled.Closed;
  ops = 0;
  shuffles = 0;
  const template = templateAt(root, branch, code);
  if (template === 0) return missing;
  const slot: u32 = load<u8>(template, Template.SLOT);
  if (!(slot & Slot.APART)) return Assembled.Closed;
  const delayed = slotAt(root, branch, code);
  if (delayed === 0) return missing;
  fillHoles(template, branch, code);
  putGoto(filled(load<u8>(template, Template.TARGET)));
  putSlot(delayed, slot, branch, code, branch | 1);
  putBlock(branch | 1, PAIR - 1, 1);
  return Assembled.Block;
}

function putGoto(pc: u32): void {
  store<u32>(Ir.INPUT + BlockInput.TERMINATOR, TerminatorKind.Goto);
  store<u32>(Ir.INPUT + BlockInput.FIRST, pc);
}
function putBlock(pc: u32, bytes: u32, instructions: u32): void {
  store<u32>(Ir.INPUT + BlockInput.PC, pc);
  store<u32>(Ir.INPUT + BlockInput.LENGTH, ops);
  store<u32>(Ir.INPUT + BlockInput.INSTRUCTIONS, instructions);
  store<u32>(Ir.INPUT + BlockInput.BYTES, bytes);
}

/** Where there was no template, why; for Assembled.Unknown, Ir.INPUT's FIRST says of what. */
let missing: u32 = 0;
/** 0 without one. */
function templateAt(root: u32, pc: u32, code: u32): u32 {
  const entry = find(root, code);
  if (entry & Entry.TEMPLATE) return entry - Entry.TEMPLATE;
  missing = entry === Entry.CLOSED ? Assembled.Closed : Assembled.Unknown;
  store<u32>(Ir.INPUT + BlockInput.FIRST, pc);
  return 0;
}
/** That of the delay slot, of which there is none if it ends the block. */
function slotAt(root: u32, branch: u32, code: u32): u32 {
  const template = templateAt(root, branch + 4, code + 4);
  if (template === 0 || load<u8>(template, Template.TERMINATOR) === Template.NO_END) return template;
  missing = Assembled.Closed;
  return 0;
}
function putSlot(template: u32, slot: u32, branch: u32, code: u32, restart: u32): void {
  fillHoles(template, branch + 4, code + 4);
  putOps(template, code + 4, slot & Slot.MARKED ? (branch + 4) | 2 : branch + 4, restart);
}

function find(root: u32, code: u32): u32 {
  let entry = root;
  do {
    const flags: u32 = load<u8>(entry, Node.FLAGS);
    const at = code + <u32>load<u8>(entry, Node.OFFSET);
    let digit: u32;
    if (flags & NodeFlag.WORD) digit = wordAt(at, flags & NodeFlag.BIG_ENDIAN);
    else digit = load<u8>(at);
    digit = (digit >>> load<u8>(entry, Node.SHIFT)) & load<u8>(entry, Node.MASK);
    if (flags & NodeFlag.ZERO) digit = u32(digit !== 0);
    entry = load<u32>(entry + (digit << 2), Node.CHILDREN);
  } while (entry !== 0 && (entry & Entry.LEAF) === 0);
  return entry;
}

function wordAt(at: u32, bigEndian: u32): u32 {
  const word = load<u32>(at);
  return bigEndian ? bswap<u32>(word) : word;
}

function fillHoles(template: u32, pc: u32, code: u32): void {
  let hole = template + Template.SIZE;
  for (let i: u32 = 0, count: u32 = load<u8>(template, Template.HOLES); i < count; i++, hole += Hole.SIZE) {
    const at = code + <u32>load<u8>(hole, Hole.OFFSET);
    let field = 0;
    switch (<u32>load<u8>(hole, Hole.BYTES)) {
      case Hole.BIG_ENDIAN + 2:
        field = bswap<i16>(load<i16>(at));
        break;
      case Hole.BIG_ENDIAN + 4:
        field = bswap<i32>(load<i32>(at));
        break;
      case 1:
        field = load<i8>(at);
        break;
      case 2:
        field = load<i16>(at);
        break;
      case 4:
        field = load<i32>(at);
        break;
    }
    const flags: u32 = load<u8>(hole, Hole.FLAGS);
    field <<= load<u8>(hole, Hole.SHIFT);
    if (flags & HoleFlag.NEGATED) field = -field;
    const base: u32 = flags & HoleFlag.RELATIVE ? pc : 0;
    const mask = load<u32>(hole, Hole.MASK);
    const around: u32 = flags & HoleFlag.REGION ? (pc + 4) & ~mask : 0;
    store<u32>(Ir.FILLED + (i << 2), ((<u32>field + base + load<u32>(hole, Hole.CONSTANT)) & mask) | around);
  }
}
function filled(hole: u32): u32 {
  return load<u32>(Ir.FILLED + (hole << 2));
}

/** Whether the instruction ends the block. Call it before the template's ops are there. */
function putTerminator(template: u32): bool {
  let kind: u32 = load<u8>(template, Template.TERMINATOR);
  if (kind === Template.NO_END) return false;
  let first: u32 = load<u16>(template, Template.FIRST);
  let second: u32 = 0;
  let third: u32 = 0;
  switch (kind) {
    case TerminatorKind.Goto:
      first = filled(first);
      break;
    case TerminatorKind.Call:
      first = filled(first);
      second = filled(load<u8>(template, Template.SECOND));
      // how code finds its own pc: no return follows
      if (first === second) kind = TerminatorKind.Goto;
      break;
    case TerminatorKind.Branch:
      first += ops;
      second = filled(load<u8>(template, Template.SECOND));
      third = filled(load<u8>(template, Template.THIRD));
      if (second === third) {
        kind = TerminatorKind.Goto;
        first = second;
      }
      break;
    case TerminatorKind.CallIndirect:
      first += ops;
      second = filled(load<u8>(template, Template.SECOND));
      break;
    default:
      first += ops;
  }
  store<u32>(Ir.INPUT + BlockInput.TERMINATOR, kind);
  store<u32>(Ir.INPUT + BlockInput.FIRST, first);
  store<u32>(Ir.INPUT + BlockInput.SECOND, second);
  store<u32>(Ir.INPUT + BlockInput.THIRD, third);
  return true;
}

/** Where the next operand of a template lies. */
let operandAt: u32 = 0;
function operand(i: u32, values: u32, wide: u32, base: u32): u32 {
  let word: u32;
  if (wide & (1 << i)) {
    word = load<u32>(operandAt);
    operandAt += 4;
  } else {
    word = load<u16>(operandAt);
    operandAt += 2;
  }
  return values & (1 << i) ? word + base : word;
}

/** `restart`: where the instruction begins anew. */
function putOps(template: u32, code: u32, pc: u32, restart: u32): void {
  const base = ops;
  const count: u32 = load<u16>(template, Template.OPS);
  operandAt = template + Template.SIZE + <u32>load<u8>(template, Template.HOLES) * Hole.SIZE;
  for (let v = base, end = base + count; v < end; v++) {
    const from = operandAt;
    const values: u32 = load<u8>(from, TemplateOp.OPERANDS);
    const wide: u32 = load<u8>(from, TemplateOp.WIDE);
    const operands = values >>> TemplateOp.COUNT_SHIFT;
    operandAt = from + TemplateOp.SIZE;
    let a: u32 = 0;
    let b: u32 = 0;
    let c: u32 = 0;
    let d: u32 = 0;
    if (operands > 0) a = operand(0, values, wide, base);
    if (operands > 1) b = operand(1, values, wide, base);
    if (operands > 2) c = operand(2, values, wide, base);
    if (operands > 3) d = operand(3, values, wide, base);
    switch (wide >>> TemplateOp.OPEN_SHIFT) {
      case Open.Hole:
        a = filled(a);
        break;
      case Open.Pc:
        a = pc;
        c = restart;
        break;
      case Open.Shuffle:
        c += shuffles;
        break;
      case Open.Register:
        a = ((wordAt(code, a & RegisterField.BIG_ENDIAN) >>> (a & RegisterField.SHIFT)) & 31) << 2;
        break;
    }
    store<u16>(Ir.OPCODES + (v << 1), load<u16>(from, TemplateOp.OPCODE));
    store<u32>(Ir.A + (v << 2), a);
    store<u32>(Ir.B + (v << 2), b);
    store<u32>(Ir.C + (v << 2), c);
    store<u32>(Ir.D + (v << 2), d);
  }
  ops = base + count;
  const masks: u32 = load<u8>(template, Template.SHUFFLES);
  if (masks === 0) return;
  memory.copy(Ir.SHUFFLES + (shuffles << 4), operandAt, masks << 4);
  shuffles += masks;
}
