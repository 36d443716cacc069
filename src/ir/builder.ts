import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Helper } from '../isa/isa.ts';
import { Block, type Terminator, type Value } from './block.ts';
import { COMMUTATIVE, foldBinary, foldUnary, ZERO_RIGHT } from './fold.ts';
import { type Hole, negated } from './hole.ts';
import { OPS, op, STATE_GRANULES, TYPE_SIZES, Type } from './ops.ts';

const GET = [0, op('get.i32'), op('get.i64'), op('get.f32'), op('get.f64'), op('get.v128')];
const SET = [0, op('set.i32'), op('set.i64'), op('set.f32'), op('set.f64'), op('set.v128')];
const SLOW = [0, op('slow.i32'), op('slow.i64'), op('slow.f32'), op('slow.f64'), op('slow.v128')];
const SELECT = [0, op('select.i32'), op('select.i64'), op('select.f32'), op('select.f64'), op('select.v128')];
const I32_CONST = op('i32.const');
const I64_CONST = op('i64.const');
const F32_CONST = op('f32.const');
const F64_CONST = op('f64.const');
const V128_CONST = op('v128.const');
const HELPER = op('helper');
const EXIT_IF = op('exit.if');
const INSN = op('insn');
const SHUFFLE = op('i8x16.shuffle');
const AND = op('i32.and');
const ADD = op('i32.add');
const SUB = op('i32.sub');
const OR = op('i32.or');
const MUL = op('i32.mul');
const WRAP = op('i32.wrap_i64');
const EXTEND_S = op('i64.extend_i32_s');
const EXTEND_U = op('i64.extend_i32_u');
const OR64 = op('i64.or');
const SHL64 = op('i64.shl');
const SHR64 = op('i64.shr_u');
const XOR = op('i32.xor');
const SHL = op('i32.shl');
const SHR_S = op('i32.shr_s');
const SHR_U = op('i32.shr_u');
const ROTL = op('i32.rotl');
const ROTR = op('i32.rotr');
const EQ = op('i32.eq');
const NE = op('i32.ne');
const LT_S = op('i32.lt_s');
const LT_U = op('i32.lt_u');
const GT_S = op('i32.gt_s');
const GT_U = op('i32.gt_u');
const LE_S = op('i32.le_s');
const LE_U = op('i32.le_u');
const GE_S = op('i32.ge_s');
const GE_U = op('i32.ge_u');
const EQZ = op('i32.eqz');
const CAPACITY = 4096;
/** Gets from here on stand for holes: beyond all state. */
const HOLES = 4 * STATE_GRANULES;
/**
 * Words of state from here on are not known where a template is lifted: behind it is a `RegisterField` (assembly/shared/template.ts), times four. The
 * builder knows nothing of what they hold.
 */
export const OPEN_STATE = 0x10000;

/** Where ops go: CAPACITY of each. */
export interface Words {
  readonly opcodes: Uint16Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly c: Int32Array;
  readonly d: Int32Array;
}
const ownWords = (): Words => {
  const operands = (): Int32Array => new Int32Array(CAPACITY);
  return { opcodes: new Uint16Array(CAPACITY), a: operands(), b: operands(), c: operands(), d: operands() };
};

/** The first n numbers. A plain array: typed ones cost far more to make than short blocks are worth. */
function first(numbers: Uint16Array | Int32Array, n: number): number[] {
  const out = new Array<number>(n);
  for (let i = 0; i < n; i++) out[i] = numbers[i];
  return out;
}

/**
 * Builds one block. Never adds an op that it can avoid: constants are folded, and a register read after it was
 * written is the value written. All i32 methods take and give values; `i32(n)` makes a constant.
 */
export class Builder {
  private n = 0;
  private readonly opcodes: Uint16Array;
  private readonly a: Int32Array;
  private readonly b: Int32Array;
  private readonly c: Int32Array;
  private readonly d: Int32Array;
  private shuffles: (readonly number[])[] = [];
  private terminator: Terminator | undefined;
  private pc = 0;
  private instructions = 0;
  private constants = new Map<number, Value>();
  /** Per granule: value * 4 + which of its granules lies here, or -1. */
  private readonly known = new Int32Array(STATE_GRANULES).fill(-1);
  /** Granules that are known, or were; one may be there more than once. */
  private readonly touched = new Uint16Array(4 * CAPACITY);
  private touchedCount = 0;
  private readonly helperNumbers: Map<string, number>;
  /** What setLater was given last, for the state between these offsets. */
  private pending: (() => void) | undefined;
  private pendingFrom = 0;
  private pendingTo = 0;
  private precise = false;
  /** Scratch for a lifter that carries knowledge from one instruction of a block to the next; reset by begin(). */
  context: unknown;
  /** pc of the instruction being lifted. */
  at = 0;
  /** What a lifter puts in the place of the next terminator; called once. */
  intercept: ((terminator: Terminator) => Terminator) | undefined;
  /** Told of each load and store of guest memory before it is built. */
  access: ((address: Value, bytes: number, isStore: boolean) => void) | undefined;
  /** Sensitive instructions, by number, that leave with ExitKind.Hooked instead of being executed. */
  hooked: ReadonlySet<number> | undefined;
  /** The one that is executed all the same, or does nothing: where it stands, any place if that is left out; whether it was met. */
  passing: { readonly pc?: number; readonly skip: boolean; met: boolean } | undefined;
  /** What `hole` was given; undefined for a builder that makes no templates. */
  holes: Hole[] | undefined;

  constructor(
    private readonly helpers: readonly Helper[],
    words: Words = ownWords(),
  ) {
    this.opcodes = words.opcodes;
    this.a = words.a;
    this.b = words.b;
    this.c = words.c;
    this.d = words.d;
    this.helperNumbers = new Map(helpers.map((h, i) => [h.name, i]));
  }

  /** `precise`: a load or store may leave with an exception that shows the state before it. */
  begin(pc: number, precise = false): void {
    this.pending = undefined;
    this.precise = precise;
    this.n = 0;
    this.shuffles = [];
    this.terminator = undefined;
    this.pc = pc >>> 0;
    this.at = this.pc;
    this.instructions = 0;
    this.constants.clear();
    this.context = undefined;
    this.intercept = undefined;
    this.access = undefined;
    this.forgetState();
  }

  /** pc of the block. */
  get start(): number {
    return this.pc;
  }
  get ended(): boolean {
    return this.terminator !== undefined;
  }
  get instructionCount(): number {
    return this.instructions;
  }
  /** Ops so far; a lifter's driver ends a block well before CAPACITY. */
  get length(): number {
    return this.n;
  }

  /** Whether an op from `first` on is one of those marked by number. */
  hasOpSince(first: number, marked: readonly boolean[]): boolean {
    for (let v = first; v < this.n; v++) if (marked[this.opcodes[v]]) return true;
    return false;
  }

  /** `end` is the guest address after the block's last byte. `borrowed`: its ops stay the builder's, and hold until the next `begin`. */
  finish(end: number, borrowed = false): Block {
    const { n, terminator } = this;
    if (!terminator) throw new Error(`block 0x${this.pc.toString(16)} has no terminator`);
    const size = (end - this.pc) >>> 0;
    const words = (from: Uint16Array | Int32Array) => (borrowed ? from : first(from, n));
    return new Block(
      this.pc,
      size,
      this.instructions,
      n,
      words(this.opcodes),
      words(this.a),
      words(this.b),
      words(this.c),
      words(this.d),
      terminator,
      this.shuffles,
      this.helpers,
    );
  }

  /**
   * Marks the start of a guest instruction, which costs one of the budget. `restart`: where to begin to execute it anew, an
   * earlier instruction of the block or the block's own pc.
   */
  insn(pc: number, length: number, restart = pc): void {
    this.at = pc >>> 0;
    this.instructions++;
    this.push(INSN, pc, length, restart);
  }

  /** Whether a sensitive instruction is to be lifted. If not, it has left, or it does nothing. */
  enters(number: number): boolean {
    const { passing } = this;
    if (passing && (passing.pc ?? this.at) === this.at) {
      passing.met = true;
      return !passing.skip;
    }
    if (!this.hooked?.has(number)) return true;
    this.exit(ExitKind.Hooked, this.at, number);
    return false;
  }

  private push(opcode: number, a = 0, b = 0, c = 0, d = 0): Value {
    const n = this.n;
    if (n === CAPACITY) throw new Error(`block 0x${this.pc.toString(16)} has more than ${CAPACITY} ops`);
    this.opcodes[n] = opcode;
    this.a[n] = a;
    this.b[n] = b;
    this.c[n] = c;
    this.d[n] = d;
    this.n = n + 1;
    return n;
  }

  /** Any op by number (see `op`), folded where possible. Operands are values, or immediates where the op's row says so. */
  emit(opcode: number, a = 0, b = 0, c = 0, d = 0): Value {
    const fold = foldBinary[opcode];
    if (fold) {
      if (opcode === SUB && this.holes) {
        const hole = this.holes[this.holeOf(b)];
        const less = hole && negated(hole);
        if (less) return this.add(a, this.hole(less));
      }
      const left = this.opcodes[a] === I32_CONST;
      const right = this.opcodes[b] === I32_CONST;
      if (left && right) return this.i32(fold(this.a[a], this.a[b]));
      if (left && COMMUTATIVE[opcode]) return this.binaryConstant(opcode, b, a);
      if (right) return this.binaryConstant(opcode, a, b);
    } else {
      const f = foldUnary[opcode];
      if (f && this.opcodes[a] === I32_CONST) return this.i32(f(this.a[a]));
      if (opcode === WRAP) return this.lowWord(a) ?? this.push(opcode, a);
    }
    return this.push(opcode, a, b, c, d);
  }

  /** A binary i32 op whose right operand is a constant. */
  private binaryConstant(opcode: number, a: Value, b: Value): Value {
    const k = this.a[b];
    if (k === 0) {
      if (ZERO_RIGHT[opcode]) return a;
      if (opcode === AND || opcode === MUL) return this.i32(0);
    } else if (k === -1) {
      if (opcode === AND) return a;
      if (opcode === OR) return b;
    } else if (k === 1 && opcode === MUL) return a;
    if (opcode === SUB) return this.binaryConstant(ADD, a, this.i32(-k));
    // (x + k1) + k2 and (x & k1) & k2, so that addresses and masks stay one op
    if ((opcode === ADD || opcode === AND) && this.opcodes[a] === opcode && this.opcodes[this.b[a]] === I32_CONST) {
      const inner = this.a[this.b[a]];
      return this.binaryConstant(opcode, this.a[a], this.i32(opcode === ADD ? (inner + k) | 0 : inner & k));
    }
    return this.push(opcode, a, b);
  }

  /** The i32 that is an i64's low word: of what was extended, or put together of two words. */
  private lowWord(v: Value): Value | undefined {
    const opcode = this.opcodes[v];
    if (opcode === EXTEND_S || opcode === EXTEND_U) return this.a[v];
    if (opcode === OR64 && this.isHighWord(this.a[v])) return this.lowWord(this.b[v]);
    if (opcode !== SHR64 || !this.is32(this.b[v])) return undefined;
    const both = this.a[v];
    if (this.opcodes[both] !== OR64 || !this.isHighWord(this.a[both]) || this.opcodes[this.b[both]] !== EXTEND_U) return undefined;
    return this.lowWord(this.a[this.a[both]]);
  }
  private isHighWord(v: Value): boolean {
    return this.opcodes[v] === SHL64 && this.is32(this.b[v]);
  }
  private is32(v: Value): boolean {
    return this.opcodes[v] === I64_CONST && this.a[v] === 32 && this.b[v] === 0;
  }

  // constants
  i32(n: number): Value {
    const k = n | 0;
    let v = this.constants.get(k);
    if (v === undefined) {
      v = this.push(I32_CONST, k);
      this.constants.set(k, v);
    }
    return v;
  }
  /** A constant that a template leaves open: nothing is concluded from its value. */
  hole(hole: Hole): Value {
    if (!this.holes) throw new Error('only templates have holes');
    return this.push(GET[Type.I32], HOLES + this.holes.push(hole) - 1);
  }
  /** The number of the hole that the value is, else −1. */
  holeOf(v: Value): number {
    return this.opcodes[v] === GET[Type.I32] && this.a[v] >= HOLES && this.a[v] < OPEN_STATE ? this.a[v] - HOLES : -1;
  }
  /** The RegisterField of a get or set of a word that is not known, else −1. */
  openState(v: Value): number {
    const opcode = this.opcodes[v];
    const isState = opcode === GET[Type.I32] || opcode === SET[Type.I32];
    return isState && this.a[v] >= OPEN_STATE ? (this.a[v] - OPEN_STATE) >>> 2 : -1;
  }
  /** The signed value of an i32 constant, else undefined. */
  constantOf(v: Value): number | undefined {
    return this.opcodes[v] === I32_CONST ? this.a[v] : undefined;
  }
  i64(low: number, high: number): Value {
    return this.push(I64_CONST, low | 0, high | 0);
  }
  f32Bits(bits: number): Value {
    return this.push(F32_CONST, bits | 0);
  }
  f64Bits(low: number, high: number): Value {
    return this.push(F64_CONST, low | 0, high | 0);
  }
  v128(w0: number, w1: number, w2: number, w3: number): Value {
    return this.push(V128_CONST, w0 | 0, w1 | 0, w2 | 0, w3 | 0);
  }
  shuffle(x: Value, y: Value, laneNumbers: readonly number[]): Value {
    this.shuffles.push(laneNumbers);
    return this.push(SHUFFLE, x, y, this.shuffles.length - 1);
  }

  // i32 arithmetic; b.emit(op('…')) for the rest
  add(x: Value, y: Value): Value {
    return this.emit(ADD, x, y);
  }
  sub(x: Value, y: Value): Value {
    return this.emit(SUB, x, y);
  }
  mul(x: Value, y: Value): Value {
    return this.emit(MUL, x, y);
  }
  and(x: Value, y: Value): Value {
    return this.emit(AND, x, y);
  }
  or(x: Value, y: Value): Value {
    return this.emit(OR, x, y);
  }
  xor(x: Value, y: Value): Value {
    return this.emit(XOR, x, y);
  }
  shl(x: Value, y: Value): Value {
    return this.emit(SHL, x, y);
  }
  shrS(x: Value, y: Value): Value {
    return this.emit(SHR_S, x, y);
  }
  shrU(x: Value, y: Value): Value {
    return this.emit(SHR_U, x, y);
  }
  rotl(x: Value, y: Value): Value {
    return this.emit(ROTL, x, y);
  }
  rotr(x: Value, y: Value): Value {
    return this.emit(ROTR, x, y);
  }
  eq(x: Value, y: Value): Value {
    return this.emit(EQ, x, y);
  }
  ne(x: Value, y: Value): Value {
    return this.emit(NE, x, y);
  }
  ltS(x: Value, y: Value): Value {
    return this.emit(LT_S, x, y);
  }
  ltU(x: Value, y: Value): Value {
    return this.emit(LT_U, x, y);
  }
  gtS(x: Value, y: Value): Value {
    return this.emit(GT_S, x, y);
  }
  gtU(x: Value, y: Value): Value {
    return this.emit(GT_U, x, y);
  }
  leS(x: Value, y: Value): Value {
    return this.emit(LE_S, x, y);
  }
  leU(x: Value, y: Value): Value {
    return this.emit(LE_U, x, y);
  }
  geS(x: Value, y: Value): Value {
    return this.emit(GE_S, x, y);
  }
  geU(x: Value, y: Value): Value {
    return this.emit(GE_U, x, y);
  }
  eqz(x: Value): Value {
    return this.emit(EQZ, x);
  }
  not(x: Value): Value {
    return this.xor(x, this.i32(-1));
  }
  neg(x: Value): Value {
    return this.sub(this.i32(0), x);
  }
  /** `condition` ≠ 0 ? x : y, of one type. */
  select(condition: Value, x: Value, y: Value): Value {
    const k = this.constantOf(condition);
    if (k !== undefined) return k !== 0 ? x : y;
    return x === y ? x : this.push(SELECT[this.typeOf(x)], condition, x, y);
  }

  typeOf(v: Value): Type {
    const opcode = this.opcodes[v];
    return opcode === HELPER ? this.helpers[this.a[v]].result : OPS[opcode].result;
  }

  // guest state
  get(type: Type, offset: number): Value {
    if (this.pending && offset < this.pendingTo && offset >= this.pendingFrom) this.setNow();
    const granules = TYPE_SIZES[type] >>> 2;
    const first = offset >>> 2;
    const k = this.known[first];
    if (k >= 0 && (k & 3) === 0 && this.typeOf(k >>> 2) === type) {
      let whole = true;
      for (let i = 1; i < granules; i++) whole &&= this.known[first + i] === k + i;
      if (whole) return k >>> 2;
    }
    const v = this.push(GET[type], offset);
    this.know(first, granules, v);
    return v;
  }
  set(offset: number, value: Value): void {
    if (this.pending && offset < this.pendingTo && offset >= this.pendingFrom) this.setNow();
    const type = this.typeOf(value);
    this.push(SET[type], offset, value);
    this.know(offset >>> 2, TYPE_SIZES[type] >>> 2, value);
  }
  /**
   * `write` sets all of the state from `from` up to `to`, which gets and sets touch only whole or not at all. It is called
   * before something can see that state, and never if all of it is set later anew.
   */
  setLater(from: number, to: number, write: () => void): void {
    if (this.pending && (this.pendingFrom < from || this.pendingTo > to)) this.setNow();
    this.pending = write;
    this.pendingFrom = from;
    this.pendingTo = to;
  }
  private setNow(): void {
    const write = this.pending;
    this.pending = undefined;
    write?.();
  }
  private know(first: number, granules: number, value: Value): void {
    for (let i = 0; i < granules; i++) {
      if (this.known[first + i] === -1) this.touched[this.touchedCount++] = first + i;
      this.known[first + i] = value * 4 + i;
    }
  }
  /** State may have changed behind the builder's back. */
  private forgetState(): void {
    const { touched, touchedCount } = this;
    for (let i = 0; i < touchedCount; i++) this.known[touched[i]] = -1;
    this.touchedCount = 0;
  }

  /** Whether a load or store may leave with an exception that shows the state before it. */
  get preciseMemory(): boolean {
    return this.precise;
  }
  // guest memory; `opcode` as in op('i32.load8_u')
  load(opcode: number, address: Value, bigEndian = false): Value {
    this.access?.(address, OPS[opcode].bytes, false);
    if (this.precise) this.setNow();
    return this.push(opcode, address, Number(bigEndian));
  }
  store(opcode: number, address: Value, value: Value, bigEndian = false): void {
    this.access?.(address, OPS[opcode].bytes, true);
    if (this.precise) this.setNow();
    this.push(opcode, address, value, Number(bigEndian));
  }

  /** Calls the helper of this name from Isa.helpers. */
  helper(name: string, ...args: Value[]): Value {
    const number = this.helperNumbers.get(name);
    if (number === undefined) throw new Error(`the ISA has no helper ${name}`);
    const { state, range } = this.helpers[number];
    if (state) this.setNow();
    const v = this.push(HELPER, number, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0);
    if (range) this.known.fill(-1, range[0] >>> 2, range[1] >>> 2);
    else if (state) this.forgetState();
    return v;
  }

  /**
   * `fast`, unless `condition` ≠ 0: then what the helper of this name computes for the instruction, which may leave with an
   * exception. What the helper needs to know is in the state. `really`: 0 where `fast` will do all the same, which is asked
   * only if `condition` ≠ 0; each value should be used once in it.
   */
  slow(name: string, condition: Value, fast: Value, really = this.i32(1)): Value {
    const number = this.helperNumbers.get(name);
    const range = number === undefined ? undefined : this.helpers[number].range;
    if (number === undefined || !range) throw new Error(`the ISA has no slow path ${name}`);
    if (this.constantOf(condition) === 0) return fast;
    this.setNow();
    const v = this.push(SLOW[this.typeOf(fast)], condition, fast, really, number);
    this.known.fill(-1, range[0] >>> 2, range[1] >>> 2);
    return v;
  }

  // control
  /** Leaves the block with `kind` at the current instruction's pc if `condition` ≠ 0. */
  exitIf(condition: Value, kind: ExitKind, arg = 0): void {
    const k = this.constantOf(condition);
    if (k === 0) return;
    this.setNow();
    this.push(EXIT_IF, condition, kind, arg);
  }
  end(terminator: Terminator): void {
    if (this.terminator) throw new Error(`block 0x${this.pc.toString(16)} ends twice`);
    this.setNow();
    const { intercept } = this;
    this.intercept = undefined;
    this.terminator = intercept ? intercept(terminator) : terminator;
  }
  goto(pc: number): void {
    this.end({ kind: 'goto', pc: pc >>> 0 });
  }
  branch(condition: Value, taken: number, next: number): void {
    const k = this.constantOf(condition);
    if (k !== undefined) this.goto(k !== 0 ? taken : next);
    else this.end({ kind: 'branch', condition, taken: taken >>> 0, next: next >>> 0 });
  }
  call(target: number, next: number): void {
    this.end({ kind: 'call', target: target >>> 0, next: next >>> 0 });
  }
  callIndirect(target: Value, next: number): void {
    const k = this.constantOf(target);
    if (k !== undefined) this.call(k, next);
    else this.end({ kind: 'call-indirect', target, next: next >>> 0 });
  }
  jump(target: Value): void {
    const k = this.constantOf(target);
    if (k !== undefined) this.goto(k);
    else this.end({ kind: 'jump', target });
  }
  return(target: Value): void {
    this.end({ kind: 'return', target });
  }
  /** Leaves; the vCPU's pc becomes `pc`. */
  exit(exit: ExitKind, pc: number, ...args: number[]): void {
    this.end({ kind: 'exit', exit, pc: pc >>> 0, args });
  }
}
