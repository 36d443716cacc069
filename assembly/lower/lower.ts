// Writes a block's µops.
import { Layout } from '../shared/layout';
import { BlockInput, HelperFlag, HelperRow, Ir, Kind, LoweringError, OpRow, TerminatorKind } from '../shared/lowering';
import { BlockHeader, LinkFlag, Slot, Uop } from '../shared/uop';
import { helperHas, helperRow, input, isConst32, opcode, operandA, operandB, operandC, operandD, rowOf, valueBytes } from './block';
import { Fate, fate, plan } from './plan';
import { beginSlots, destination, failLowering, putBackBorrowed, release, slot } from './slots';
import { Word } from './status';
import { emitConst32, emitMove, emitPair, emitWord, goTo, place } from './words';

let instructions: u32 = 0;
let pc: u32 = 0;
/** The last load or store, and where it ends if that is in the instruction under way. */
let access: u32 = 0;
let accessEnd: u32 = 0;
/** Address of the terminator. */
let lastUop: u32 = 0;
// Numbers of ops.
let store32: u32 = 0;
let equal: u32 = 0;
let notEqual: u32 = 0;

/**
 * Lowers the block at Ir.INPUT to `address`, a multiple of four, in UOPS…UOPS_END, and gives the address after it, a multiple of
 * eight. The numbers of four ops come with it.
 */
export function lowerBlock(address: u32, add: u32, store: u32, eq: u32, ne: u32): u32 {
  store32 = store;
  equal = eq;
  notEqual = ne;
  plan(add);
  beginSlots();
  instructions = 0;
  accessEnd = 0;
  pc = input(BlockInput.PC);
  goTo(address + BlockHeader.SIZE);
  const verified = input(BlockInput.VERIFIED);
  if (verified !== 0) {
    emitPair(Uop.VERIFY, verified);
    goTo(place() + ((verified + 3) & ~3));
  }
  const checked = input(BlockInput.CHECKED);
  for (let v: u32 = 0, n = input(BlockInput.LENGTH); v < n; v++) {
    if (fate(v) === Fate.Emit) emit(v, checked);
    else if (fate(v) === Fate.Status) emitStatus(v);
  }
  emitTerminator();
  return finish(address);
}

function finish(address: u32): u32 {
  if (!(place() & 4)) emitWord(0);
  emitWord((lastUop - address) >>> 2);
  const table = place();
  memory.copy(table, Ir.INSTRUCTIONS, instructions << 3);
  const end = table + (instructions << 3);
  store<u32>(address, input(BlockInput.PC), BlockHeader.PC);
  store<u32>(address, input(BlockInput.INSTRUCTIONS), BlockHeader.INSTRUCTIONS);
  store<u32>(address, 0, BlockHeader.HEAT);
  store<u32>(address, 0, BlockHeader.FLAGS);
  store<u32>(address, table, BlockHeader.TABLE);
  store<u32>(address, end, BlockHeader.END);
  store<u32>(address, input(BlockInput.PAGE), BlockHeader.PAGE);
  store<u32>(address, input(BlockInput.NEXT_PAGE), BlockHeader.NEXT_PAGE);
  return end;
}

/** What is refunded where the instruction under way is left: it and those after it. */
function unfinished(): u32 {
  return input(BlockInput.INSTRUCTIONS) - (instructions > 0 ? instructions - 1 : 0);
}

function emit(v: u32, checked: u32): void {
  const info = rowOf(opcode(v));
  const number: u32 = load<u16>(info, OpRow.UOP);
  const a = operandA(v);
  const b = operandB(v);
  switch (<u32>load<u8>(info, OpRow.KIND)) {
    case Kind.Plain:
      emitPlain(v, info, a, b);
      break;
    case Kind.Const64:
      emitPair(Uop.CONST64, destination(v));
      emitWord(a);
      emitWord(b);
      break;
    case Kind.Const128:
      emitPair(Uop.CONST128, destination(v));
      emitWord(a);
      emitWord(b);
      emitWord(operandC(v));
      emitWord(operandD(v));
      break;
    case Kind.Get:
      emitMove(load<u8>(info, OpRow.BYTES), destination(v), Layout.STATE + a);
      break;
    case Kind.Set:
      if (isConst32(b)) emitConst32(Layout.STATE + a, operandA(b));
      else if (fate(b) === Fate.Address) {
        emitAddition(Layout.STATE + a, slot(operandA(b)), operandA(operandB(b)));
        release(operandA(b), v);
        break;
      } else emitMove(valueBytes(b), Layout.STATE + a, slot(b));
      release(b, v);
      break;
    case Kind.Load: {
      const base = baseOf(a);
      release(fate(a) === Fate.Address ? operandA(a) : a, v);
      const d = destination(v);
      access = place();
      emitPair(memoryUop(info, b, checked), d);
      emitWord(base);
      emitWord(displacementOf(a));
      accessEnd = place();
      break;
    }
    case Kind.Store:
      emitStore(v, info, checked);
      break;
    case Kind.Select: {
      const y = operandC(v);
      const condition = slot(a);
      const ifTrue = slot(b);
      const ifFalse = slot(y);
      release(a, v);
      release(b, v);
      release(y, v);
      emitPair(number, destination(v));
      emitPair(condition, ifTrue);
      emitWord(ifFalse);
      break;
    }
    case Kind.ExtractLane: {
      const from = slot(a);
      release(a, v);
      const bytes: u32 = load<u8>(info, OpRow.LANE_BYTES);
      if (bytes !== 0) emitMove(bytes, destination(v), from + b * bytes);
      else emitWide(number, destination(v), from, 0, b);
      break;
    }
    case Kind.ReplaceLane: {
      const into = slot(a);
      const value = slot(b);
      release(a, v);
      release(b, v);
      emitWide(number, destination(v), into, value, operandC(v));
      break;
    }
    case Kind.Shuffle: {
      const x = slot(a);
      const y = slot(b);
      release(a, v);
      release(b, v);
      emitPair(number, destination(v));
      emitPair(x, y);
      memory.copy(place(), Ir.SHUFFLES + (operandC(v) << 4), 16);
      goTo(place() + 16);
      break;
    }
    case Kind.Helper:
      emitHelper(v, helperRow(a));
      break;
    case Kind.ExitIf: {
      const condition = slot(a);
      release(a, v);
      emitPair(Uop.EXIT_IF, condition);
      emitPair(b, unfinished());
      emitWord(pc);
      emitWord(operandC(v));
      break;
    }
    case Kind.Slow: {
      const condition = slot(a);
      const quick = slot(b);
      release(a, v);
      release(b, v);
      const bytes: u32 = load<u8>(info, OpRow.BYTES);
      emitPair(bytes === 4 ? Uop.SLOW32 : bytes === 8 ? Uop.SLOW64 : Uop.SLOW128, destination(v));
      emitPair(condition, quick);
      emitWord(helperIndex(operandD(v)));
      emitWord(unfinished());
      emitWord(pc);
      break;
    }
    case Kind.Insn:
      pc = a;
      store<u32>(Ir.INSTRUCTIONS + (instructions << 3), place());
      store<u32>(Ir.INSTRUCTIONS + (instructions << 3), a, 4);
      instructions++;
      accessEnd = 0;
      break;
  }
  putBackBorrowed();
}

function emitPlain(v: u32, info: usize, a: u32, b: u32): void {
  const immediate: u32 = load<u16>(info, OpRow.UOP_IMM);
  const x = slot(a);
  if (immediate !== 0 && isConst32(b)) {
    release(a, v);
    if (immediate === Uop.I32_ADD_IMM) {
      emitAddition(destination(v), x, operandA(b));
      return;
    }
    emitPair(immediate, destination(v));
    emitWord(x);
    emitWord(operandA(b));
    return;
  }
  const binary = load<u8>(info, OpRow.OPERANDS) === 2;
  const y = binary ? slot(b) : 0;
  release(a, v);
  if (binary) release(b, v);
  emitPair(load<u16>(info, OpRow.UOP), destination(v));
  if (load<u8>(info, OpRow.SWAP) === 1) emitPair(y, x);
  else emitPair(x, y);
}

function emitStatus(v: u32): void {
  const x = operandB(v);
  const y = operandC(v);
  const from = slot(x);
  const other = slot(y);
  release(x, v);
  if (x !== y) release(y, v);
  emitPair(operandD(v), Layout.STATE + operandA(v) - Word.PARITY);
  emitPair(from, other);
  putBackBorrowed();
}

/** Of a constant; part of the instruction's access before it if it moves the stack pointer as PUSH and POP do. */
function emitAddition(d: u32, a: u32, constant: u32): void {
  if (d === a && accessEnd === place() && accessBase() === a && movesBase(constant)) return;
  emitPair(Uop.I32_ADD_IMM, d);
  emitWord(a);
  emitWord(constant);
}
function accessBase(): u32 {
  return load<u16>(access, 4);
}
function movesBase(constant: u32): bool {
  const number: u32 = load<u16>(access);
  const displacement = load<u32>(access, 8);
  if (number === Uop.LOAD32 && displacement === 0 && load<u16>(access, 2) !== accessBase()) {
    store<u16>(access, Uop.POP32);
    store<u32>(access, constant, 8);
    return true;
  }
  if ((number !== Uop.STORE32 && number !== Uop.STORE32_IMM) || displacement !== constant) return false;
  store<u16>(access, number === Uop.STORE32 ? Uop.PUSH32 : Uop.PUSH32_IMM);
  return true;
}

function emitWide(number: u32, d: u32, a: u32, b: u32, last: u32): void {
  emitPair(number, d);
  emitPair(a, b);
  emitWord(last);
}

function memoryUop(info: usize, bigEndian: u32, checked: u32): u32 {
  return load<u16>(info + ((bigEndian * 2 + checked) << 1), OpRow.MEMORY);
}
/** Slot of the base of an address operand, and its displacement. */
function baseOf(x: u32): u32 {
  if (fate(x) === Fate.Address) return slot(operandA(x));
  return isConst32(x) ? Slot.ZERO : slot(x);
}
function displacementOf(x: u32): u32 {
  if (fate(x) === Fate.Address) return operandA(operandB(x));
  return isConst32(x) ? operandA(x) : 0;
}

function emitStore(v: u32, info: usize, checked: u32): void {
  const address = operandA(v);
  const value = operandB(v);
  const bigEndian = operandC(v);
  const immediate = opcode(v) === store32 && isConst32(value) && checked === 0;
  const from = immediate ? 0 : slot(value);
  const base = baseOf(address);
  release(fate(address) === Fate.Address ? operandA(address) : address, v);
  release(value, v);
  access = place();
  emitPair(immediate ? Uop.STORE32_IMM : memoryUop(info, bigEndian, checked), from);
  emitWord(base);
  emitWord(displacementOf(address));
  if (immediate) emitWord(bigEndian ? bswap<u32>(operandA(value)) : operandA(value));
  accessEnd = place();
}

function helperIndex(number: u32): u32 {
  const index: u32 = load<u16>(helperRow(number), HelperRow.INDEX);
  if (index === 0) failLowering(LoweringError.Helper, number);
  return index;
}

function emitHelper(v: u32, helper: usize): void {
  const params: u32 = load<u8>(helper, HelperRow.PARAMS);
  const x = operandB(v);
  const y = operandC(v);
  const z = operandD(v);
  const first = params > 0 ? slot(x) : 0;
  const second = params > 1 ? slot(y) : 0;
  const third = params > 2 ? slot(z) : 0;
  if (params > 0) release(x, v);
  if (params > 1) release(y, v);
  if (params > 2) release(z, v);
  if (helperHas(helper, HelperFlag.CONDITIONAL)) emitPair(Uop.HELPER_IF, destination(v));
  else {
    const signature: u32 = load<u16>(helper, HelperRow.SIGNATURE);
    if (signature === HelperRow.NONE) failLowering(LoweringError.Helper, operandA(v));
    emitPair(Uop.HELPER + signature, load<u8>(helper, HelperRow.BYTES) === 0 ? <u32>Slot.DISCARD : destination(v));
  }
  emitPair(first, second);
  emitWord(third);
  emitWord(helperIndex(operandA(v)));
}

// terminators

function emitLink(target: u32, counts: bool): void {
  const crosses = input(BlockInput.PAGE) !== 0 && target >>> 12 !== input(BlockInput.PC) >>> 12;
  emitWord(0);
  emitWord(target);
  emitWord((counts ? LinkFlag.COUNTS : 0) | (crosses ? LinkFlag.CROSSES : 0));
}

function emitStackCheck(): void {
  const stackPointer = input(BlockInput.STACK_POINTER);
  if (stackPointer !== 0xffffffff) emitPair(Uop.CHECK_STACK, Layout.STATE + stackPointer);
}

function emitTerminator(): void {
  const kind = input(BlockInput.TERMINATOR);
  const first = input(BlockInput.FIRST);
  const start = input(BlockInput.PC);
  switch (kind) {
    case TerminatorKind.Goto:
    case TerminatorKind.Call:
      if (kind === TerminatorKind.Call) emitStackCheck();
      lastUop = place();
      emitWord(Uop.GOTO);
      emitLink(first, kind === TerminatorKind.Call || first <= start);
      break;
    case TerminatorKind.Branch: {
      emitCondition(first);
      const taken = input(BlockInput.SECOND);
      const next = input(BlockInput.THIRD);
      emitLink(taken, taken <= start);
      emitLink(next, next <= start);
      break;
    }
    case TerminatorKind.Exit: {
      const count = input(BlockInput.THIRD);
      lastUop = place();
      emitWord(Uop.EXIT | (first << 16) | (count << 24));
      emitWord(input(BlockInput.SECOND));
      for (let i: u32 = 0; i < count; i++) emitWord(load<u32>(Ir.INPUT + BlockInput.ARGUMENTS + (i << 2)));
      break;
    }
    default: {
      if (kind === TerminatorKind.CallIndirect) emitStackCheck();
      const target = slot(first);
      const jumpSite = input(BlockInput.JUMP_SITE);
      lastUop = place();
      if (kind === TerminatorKind.Jump && jumpSite !== 0) {
        emitPair(Uop.JUMP_NOTED, target);
        emitWord(jumpSite);
      } else if (kind === TerminatorKind.CallIndirect) {
        emitPair(Uop.CALL, target);
        emitWord(0);
      } else emitPair(Uop.JUMP, target);
    }
  }
}

function emitCondition(condition: u32): void {
  if (fate(condition) !== Fate.Branch) {
    emitBranch(Uop.BRANCH_NZ, slot(condition), 0);
    return;
  }
  const number = opcode(condition);
  const info = rowOf(number);
  const a = operandA(condition);
  const b = operandB(condition);
  if ((number === equal || number === notEqual) && isConst32(b) && operandA(b) === 0) {
    emitBranch(number === equal ? Uop.BRANCH_Z : Uop.BRANCH_NZ, slot(a), 0);
    return;
  }
  const x = slot(a);
  const y = load<u8>(info, OpRow.OPERANDS) === 2 ? slot(b) : 0;
  const branch: u32 = load<u16>(info, OpRow.BRANCH);
  if (load<u8>(info, OpRow.SWAP) === 1) emitBranch(branch, y, x);
  else emitBranch(branch, x, y);
}

function emitBranch(number: u32, a: u32, b: u32): void {
  lastUop = place();
  emitPair(number, a);
  emitWord(b);
}
