import { Layout } from '../../../assembly/shared/layout.ts';
import { BlockHeader, LinkFlag, Slot, Uop } from '../../../assembly/shared/uop.ts';
import type { Block, Terminator, Value } from '../../ir/block.ts';
import { OPS, op, TYPE_SIZES, Type } from '../../ir/ops.ts';
import { isConditional } from '../../isa/isa.ts';
import { reverseBytes } from '../reverse-bytes.ts';
import type { Runtime } from '../runtime.ts';
import { Fate, fate, home, isConst32, last, plan } from './plan.ts';
import { BRANCH, KIND, Kind, LANE_BYTES, MEMORY, MOVE, SWAP, UOP, UOP_IMM } from './table.ts';

export interface LowerOptions {
  /** Loads and stores check page permissions. */
  readonly checked?: boolean;
  /** The state before a load or store counts, as for `deadcode`; it does unless told otherwise. */
  readonly preciseMemory?: boolean;
  /** The block leaves with ExitKind.Stale unless these bytes lie at its pc each time it is entered. */
  readonly verifyBytes?: Uint8Array;
  /** Offset of the stack pointer, if it is to be checked before calls. */
  readonly stackPointer?: number | undefined;
  /** Address of the JumpSite where an indirect jump at the end notes its targets. */
  readonly jumpSite?: number;
  /** Memory model paged: the pages that the block lies on. */
  readonly mapped?: readonly { readonly word: number }[];
}

const STORE32 = op('i32.store');
const EQ = op('i32.eq');
const NE = op('i32.ne');
const OPERANDS = Uint8Array.from(OPS, (info) => info.operands.length);

/** By Type: which free list its temporaries come from. */
const CLASS = [0, 0, 1, 0, 1, 2];
const CLASS_BYTES = [4, 8, 16];
const SLOW_BY_BYTES: Readonly<Record<number, Uop>> = { 4: Uop.SLOW32, 8: Uop.SLOW64, 16: Uop.SLOW128 };

// State of the lowering under way.
let w: Int32Array;
let jumpSite: number | undefined;
let stackPointer: number | undefined;
let mapped: LowerOptions['mapped'];
let runtime: Runtime;
let block: Block;
/** Index into `w` of the next word. */
let p = 0;
/** Temporaries that are free, by class, and how many; to set an array's length to 0 is slow. */
const free = CLASS_BYTES.map((bytes) => new Int32Array((Slot.TEMPS_END - Slot.TEMPS) / bytes));
const freeCount = [0, 0, 0];
/** Whether `home` is a temporary that ends with the value. */
const temporary = new Uint8Array(4097);
let nextTemp = 0;
/** A constant that found no place in the pool lives in a temporary for one µop. */
const borrowed: number[] = [];
/** Address of its first µop and pc, for each instruction. */
const table = new Int32Array(8192);
let instructions = 0;
let pc = 0;
/** Index of the terminator. */
let lastUop = 0;

/**
 * Writes a block's µops at `address` (a multiple of four, in UOPS…UOPS_END) and returns the address after them, a
 * multiple of eight.
 */
export function lowerBlock(source: Block, target: Runtime, address: number, options: LowerOptions = {}): number {
  block = source;
  runtime = target;
  w = target.words;
  jumpSite = options.jumpSite;
  stackPointer = options.stackPointer;
  mapped = options.mapped;
  plan(block, options.preciseMemory ?? true);
  freeCount[0] = freeCount[1] = freeCount[2] = 0;
  temporary.fill(0, 0, block.length);
  nextTemp = Slot.TEMPS;
  instructions = 0;
  pc = block.pc;
  p = (address + BlockHeader.SIZE) >>> 2;
  if (options.verifyBytes) emitVerify(options.verifyBytes);
  const checked = options.checked ? 1 : 0;
  for (let v = 0; v < block.length; v++) if (fate[v] === Fate.Emit) emit(v, checked);
  emitTerminator(block.terminator);
  return finish(address);
}

function finish(address: number): number {
  if (!(p & 1)) w[p++] = 0;
  w[p++] = lastUop - (address >>> 2);
  const tableAddress = p << 2;
  for (let i = 0; i < instructions * 2; i++) w[p++] = table[i];
  const header = address >>> 2;
  w[header + (BlockHeader.PC >>> 2)] = block.pc;
  w[header + (BlockHeader.INSTRUCTIONS >>> 2)] = block.instructions;
  w[header + (BlockHeader.HEAT >>> 2)] = 0;
  w[header + (BlockHeader.FLAGS >>> 2)] = 0;
  w[header + (BlockHeader.TABLE >>> 2)] = tableAddress;
  w[header + (BlockHeader.END >>> 2)] = p << 2;
  w[header + (BlockHeader.PAGE >>> 2)] = mapped?.[0].word ?? 0;
  w[header + (BlockHeader.NEXT_PAGE >>> 2)] = mapped?.[1]?.word ?? 0;
  return p << 2;
}

// slots

function allocate(type: Type): number {
  const size = CLASS[type];
  if (freeCount[size] > 0) return free[size][--freeCount[size]];
  const address = nextTemp;
  nextTemp += CLASS_BYTES[size];
  if (nextTemp > Slot.TEMPS_END) throw new Error(`block 0x${block.pc.toString(16)} needs more temporaries than there are`);
  return address;
}

function putBack(size: number, address: number): void {
  free[size][freeCount[size]++] = address;
}

/** The slot of an operand. */
function slot(x: Value): number {
  return home[x] !== 0 ? home[x] : constantSlot(block.a[x], x);
}

function constantSlot(value: number, x: Value): number {
  if (!isConst32(block, x)) throw new Error(`block 0x${block.pc.toString(16)}: v${x} has no slot`);
  if (value === 0) return Slot.ZERO;
  let address = runtime.constants.get(value);
  if (address !== undefined) return address;
  address = Slot.POOL + 4 * runtime.constants.size;
  if (address < Slot.POOL_END) {
    runtime.constants.set(value, address);
    w[address >>> 2] = value;
    return address;
  }
  address = allocate(Type.I32);
  borrowed.push(address);
  emitConst32(address, value);
  return address;
}

/** The operand was read for the last time if the µop at `v` is its last. */
function release(x: Value, v: number): void {
  if (temporary[x] !== 0 && last[x] === v) {
    temporary[x] = 0;
    putBack(CLASS[block.typeOf(x)], home[x]);
  }
}

/** Where the op's value goes. Operands may be released before, since a µop reads all of them before it writes. */
function destination(v: Value): number {
  if (home[v] !== 0) return home[v];
  if (last[v] < 0) return Slot.DISCARD;
  temporary[v] = 1;
  home[v] = allocate(block.typeOf(v));
  return home[v];
}

// µops

function emitConst32(address: number, value: number): void {
  w[p++] = Uop.CONST32 | (address << 16);
  w[p++] = value;
}

function emitMove(bytes: number, to: number, from: number): void {
  w[p++] = MOVE[bytes] | (to << 16);
  w[p++] = from;
}

function emit(v: number, checked: number): void {
  const opcode = block.op[v];
  const a = block.a[v];
  const b = block.b[v];
  switch (KIND[opcode]) {
    case Kind.Plain:
      emitPlain(v, opcode, a, b);
      break;
    case Kind.Const64:
      w[p++] = Uop.CONST64 | (destination(v) << 16);
      w[p++] = a;
      w[p++] = b;
      break;
    case Kind.Const128:
      w[p++] = Uop.CONST128 | (destination(v) << 16);
      w[p++] = a;
      w[p++] = b;
      w[p++] = block.c[v];
      w[p++] = block.d[v];
      break;
    case Kind.Get:
      emitMove(TYPE_SIZES[OPS[opcode].result], destination(v), Layout.STATE + a);
      break;
    case Kind.Set:
      if (isConst32(block, b)) emitConst32(Layout.STATE + a, block.a[b]);
      else emitMove(TYPE_SIZES[block.typeOf(b)], Layout.STATE + a, slot(b));
      release(b, v);
      break;
    case Kind.Load: {
      const number = MEMORY[opcode * 4 + block.b[v] * 2 + checked];
      const [base, displacement] = addressOf(a);
      release(fate[a] === Fate.Address ? block.a[a] : a, v);
      w[p] = number | (destination(v) << 16);
      w[p + 1] = base;
      w[p + 2] = displacement;
      p += 3;
      break;
    }
    case Kind.Store:
      emitStore(v, opcode, checked);
      break;
    case Kind.Select: {
      const condition = slot(a);
      const x = slot(b);
      const y = slot(block.c[v]);
      release(a, v);
      release(b, v);
      release(block.c[v], v);
      w[p] = UOP[opcode] | (destination(v) << 16);
      w[p + 1] = condition | (x << 16);
      w[p + 2] = y;
      p += 3;
      break;
    }
    case Kind.ExtractLane: {
      const from = slot(a);
      release(a, v);
      if (LANE_BYTES[opcode] !== 0) emitMove(LANE_BYTES[opcode], destination(v), from + b * LANE_BYTES[opcode]);
      else emitWide(opcode, destination(v), from, 0, b);
      break;
    }
    case Kind.ReplaceLane: {
      const into = slot(a);
      const value = slot(b);
      release(a, v);
      release(b, v);
      emitWide(opcode, destination(v), into, value, block.c[v]);
      break;
    }
    case Kind.Shuffle: {
      const x = slot(a);
      const y = slot(b);
      release(a, v);
      release(b, v);
      w[p++] = UOP[opcode] | (destination(v) << 16);
      w[p++] = x | (y << 16);
      runtime.bytes.set(block.shuffles[block.c[v]], p << 2);
      p += 4;
      break;
    }
    case Kind.Helper:
      emitHelper(v, a);
      break;
    case Kind.ExitIf: {
      const condition = slot(a);
      release(a, v);
      w[p] = Uop.EXIT_IF | (condition << 16);
      w[p + 1] = b | ((block.instructions - Math.max(0, instructions - 1)) << 16);
      w[p + 2] = pc;
      w[p + 3] = block.c[v];
      p += 4;
      break;
    }
    case Kind.Slow: {
      const condition = slot(a);
      const fast = slot(b);
      release(a, v);
      release(b, v);
      w[p] = SLOW_BY_BYTES[TYPE_SIZES[OPS[opcode].result]] | (destination(v) << 16);
      w[p + 1] = condition | (fast << 16);
      w[p + 2] = runtime.helperIndex(block.helpers[block.d[v]]);
      w[p + 3] = block.instructions - Math.max(0, instructions - 1);
      w[p + 4] = pc;
      p += 5;
      break;
    }
    case Kind.Insn:
      pc = a;
      table[instructions * 2] = p << 2;
      table[instructions * 2 + 1] = a;
      instructions++;
      break;
  }
  while (borrowed.length > 0) putBack(0, borrowed.pop()!);
}

function emitPlain(v: number, opcode: number, a: Value, b: Value): void {
  if (UOP_IMM[opcode] !== 0 && isConst32(block, b)) {
    const x = slot(a);
    release(a, v);
    w[p] = UOP_IMM[opcode] | (destination(v) << 16);
    w[p + 1] = x;
    w[p + 2] = block.a[b];
    p += 3;
    return;
  }
  const binary = OPERANDS[opcode] === 2;
  const x = slot(a);
  const y = binary ? slot(b) : 0;
  release(a, v);
  if (binary) release(b, v);
  w[p] = UOP[opcode] | (destination(v) << 16);
  w[p + 1] = SWAP[opcode] === 1 ? y | (x << 16) : x | (y << 16);
  p += 2;
}

function emitWide(opcode: number, d: number, a: number, b: number, last32: number): void {
  w[p] = UOP[opcode] | (d << 16);
  w[p + 1] = a | (b << 16);
  w[p + 2] = last32;
  p += 3;
}

const addressParts: [number, number] = [0, 0];
/** Slot of the base and displacement of an address operand. */
function addressOf(x: Value): readonly [number, number] {
  if (fate[x] === Fate.Address) {
    addressParts[0] = slot(block.a[x]);
    addressParts[1] = block.a[block.b[x]];
  } else if (isConst32(block, x)) {
    addressParts[0] = Slot.ZERO;
    addressParts[1] = block.a[x];
  } else {
    addressParts[0] = slot(x);
    addressParts[1] = 0;
  }
  return addressParts;
}

function emitStore(v: number, opcode: number, checked: number): void {
  const address = block.a[v];
  const value = block.b[v];
  const bigEndian = block.c[v];
  const immediate = opcode === STORE32 && isConst32(block, value) && checked === 0;
  const from = immediate ? 0 : slot(value);
  const [base, displacement] = addressOf(address);
  release(fate[address] === Fate.Address ? block.a[address] : address, v);
  release(value, v);
  w[p] = immediate ? Uop.STORE32_IMM : MEMORY[opcode * 4 + bigEndian * 2 + checked] | (from << 16);
  w[p + 1] = base;
  w[p + 2] = displacement;
  p += 3;
  if (immediate) w[p++] = bigEndian ? reverseBytes(block.a[value]) : block.a[value];
}

function emitHelper(v: number, number: number): void {
  const helper = block.helpers[number];
  const { params, result } = helper;
  if (isConditional(helper)) {
    const [condition, x, y] = [1, 2, 3].map((i) => slot(block.operand(v, i)));
    for (let i = 1; i <= 3; i++) release(block.operand(v, i), v);
    w[p] = Uop.HELPER_IF | (destination(v) << 16);
    w[p + 1] = condition | (x << 16);
    w[p + 2] = y;
    w[p + 3] = runtime.helperIndex(helper);
    p += 4;
    return;
  }
  const wide = params[0] === Type.I64;
  const slots = [0, 0, 0];
  for (let i = 0; i < params.length; i++) {
    if (params[i] !== (wide && i === 0 ? Type.I64 : Type.I32) || i > 2)
      throw new Error(`helper ${helper.name} has a signature that is not allowed`);
    slots[i] = slot(block.operand(v, i + 1));
  }
  for (let i = 0; i < params.length; i++) release(block.operand(v, i + 1), v);
  const results = result === Type.None ? 0 : result === Type.I32 ? 1 : result === Type.I64 ? 2 : -1;
  if (results < 0) throw new Error(`helper ${helper.name} has a result that is not allowed`);
  const signature = (wide ? 3 + params.length : params.length) * 3 + results;
  const d = results === 0 ? Slot.DISCARD : destination(v);
  w[p] = (Uop.HELPER + signature) | (d << 16);
  w[p + 1] = slots[0] | (slots[1] << 16);
  w[p + 2] = slots[2];
  w[p + 3] = runtime.helperIndex(helper);
  p += 4;
}

function emitVerify(bytes: Uint8Array): void {
  w[p++] = Uop.VERIFY | (bytes.length << 16);
  runtime.bytes.set(bytes, p << 2);
  p += (bytes.length + 3) >>> 2;
}

// terminators

function emitLink(target: number, counts: boolean): void {
  w[p] = 0;
  w[p + 1] = target;
  w[p + 2] = (counts ? LinkFlag.COUNTS : 0) | (mapped && target >>> 12 !== block.pc >>> 12 ? LinkFlag.CROSSES : 0);
  p += 3;
}

function emitStackCheck(): void {
  if (stackPointer !== undefined) w[p++] = Uop.CHECK_STACK | ((Layout.STATE + stackPointer) << 16);
}

function emitTerminator(t: Terminator): void {
  switch (t.kind) {
    case 'goto':
      lastUop = p;
      w[p++] = Uop.GOTO;
      emitLink(t.pc, t.pc <= block.pc);
      break;
    case 'call':
      emitStackCheck();
      lastUop = p;
      w[p++] = Uop.GOTO;
      emitLink(t.target, true);
      break;
    case 'branch':
      emitCondition(t.condition);
      emitLink(t.taken, t.taken <= block.pc);
      emitLink(t.next, t.next <= block.pc);
      break;
    case 'call-indirect':
    case 'jump':
    case 'return':
      {
        if (t.kind === 'call-indirect') emitStackCheck();
        const target = slot(t.target);
        lastUop = p;
        if (t.kind === 'jump' && jumpSite !== undefined) {
          w[p++] = Uop.JUMP_NOTED | (target << 16);
          w[p++] = jumpSite;
        } else w[p++] = Uop.JUMP | (target << 16);
      }
      break;
    case 'exit':
      lastUop = p;
      w[p] = Uop.EXIT | (t.exit << 16) | (t.args.length << 24);
      w[p + 1] = t.pc;
      p += 2;
      for (const arg of t.args) w[p++] = arg;
      break;
  }
  if (borrowed.length > 0) borrowed.length = 0;
}

function emitCondition(condition: Value): void {
  if (fate[condition] !== Fate.Branch) {
    emitBranch(Uop.BRANCH_NZ, slot(condition), 0);
    return;
  }
  const opcode = block.op[condition];
  const a = block.a[condition];
  const b = block.b[condition];
  if ((opcode === EQ || opcode === NE) && isConst32(block, b) && block.a[b] === 0) {
    emitBranch(opcode === EQ ? Uop.BRANCH_Z : Uop.BRANCH_NZ, slot(a), 0);
    return;
  }
  const x = slot(a);
  const y = OPERANDS[opcode] === 2 ? slot(b) : 0;
  if (SWAP[opcode] === 1) emitBranch(BRANCH[opcode], y, x);
  else emitBranch(BRANCH[opcode], x, y);
}

function emitBranch(number: number, a: number, b: number): void {
  lastUop = p;
  w[p] = number | (a << 16);
  w[p + 1] = b;
  p += 2;
}
