// Puts a block together of templates (assembly/shared/template.ts): what lifting would give, without JavaScript.
import { BlockInput, Ir, TerminatorKind } from '../shared/lowering';
import { Assembled, Entry, Hole, Node, Open, Template, TemplateOp } from '../shared/template';

/** Bytes of an instruction at most. */
const LONGEST: u32 = 15;
const PAGE: u32 = 4096;

/** Ops and shuffles of the block so far. */
let ops: u32 = 0;
let shuffles: u32 = 0;

/** The block at `pc`, whose code is at `code` in this memory; `most` instructions, and about `mostOps` ops. It lies on one page. */
export function assembleBlock(pc: u32, code: u32, root: u32, most: u32, mostOps: u32): u32 {
  const room = PAGE - (pc & (PAGE - 1));
  ops = 0;
  shuffles = 0;
  let at: u32 = 0;
  let instructions: u32 = 0;
  let ended = false;
  while (!ended && instructions < most) {
    if (at + LONGEST > room || ops >= mostOps) return Assembled.Closed;
    const entry = find(root, code + at);
    if (entry === 0) {
      store<u32>(Ir.INPUT + BlockInput.FIRST, pc + at);
      return Assembled.Unknown;
    }
    if (entry === Entry.CLOSED) return Assembled.Closed;
    const template = entry - Entry.TEMPLATE;
    fillHoles(template, pc + at, code + at);
    ended = putTerminator(template);
    putOps(template, pc + at);
    at += load<u8>(template, Template.LENGTH);
    instructions++;
  }
  if (!ended) {
    store<u32>(Ir.INPUT + BlockInput.TERMINATOR, TerminatorKind.Goto);
    store<u32>(Ir.INPUT + BlockInput.FIRST, pc + at);
  }
  store<u32>(Ir.INPUT + BlockInput.PC, pc);
  store<u32>(Ir.INPUT + BlockInput.LENGTH, ops);
  store<u32>(Ir.INPUT + BlockInput.INSTRUCTIONS, instructions);
  store<u32>(Ir.INPUT + BlockInput.BYTES, at);
  return Assembled.Block;
}

function find(root: u32, code: u32): u32 {
  let entry = root;
  do {
    const half = (load<u8>(code + load<u8>(entry, Node.BYTE)) >>> load<u8>(entry, Node.SHIFT)) & 15;
    entry = load<u32>(entry + (half << 2), Node.CHILDREN);
  } while (entry !== 0 && (entry & Entry.LEAF) === 0);
  return entry;
}

function fillHoles(template: u32, pc: u32, code: u32): void {
  let hole = template + Template.SIZE;
  for (let i: u32 = 0, count: u32 = load<u8>(template, Template.HOLES); i < count; i++, hole += Hole.SIZE) {
    const at = code + <u32>load<u8>(hole, Hole.OFFSET);
    let field = 0;
    switch (<u32>load<u8>(hole, Hole.BYTES)) {
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
    if (load<u8>(hole, Hole.NEGATED) !== 0) field = -field;
    const base: u32 = load<u8>(hole, Hole.RELATIVE) !== 0 ? pc : 0;
    store<u32>(Ir.FILLED + (i << 2), (<u32>field + base + load<u32>(hole, Hole.CONSTANT)) & load<u32>(hole, Hole.MASK));
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

function putOps(template: u32, pc: u32): void {
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
        c = pc;
        break;
      case Open.Shuffle:
        c += shuffles;
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
