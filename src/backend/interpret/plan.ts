import { Layout } from '../../../assembly/shared/layout.ts';
import type { Block, Value } from '../../ir/block.ts';
import { OPS, op, STATE_GRANULES, TYPE_SIZES } from '../../ir/ops.ts';
import { BRANCH, KIND, Kind, UOP_IMM } from './table.ts';

const ADD = op('i32.add');
const CAPACITY = 4096 + 1;
const NEVER = 0x7fffffff;
const OPERANDS = Uint8Array.from(OPS, (info) => info.operands.length);
/** Bit i: operand i is a value. */
const VALUES = Uint8Array.from(OPS, (info) => info.operands.reduce<number>((bits, o, i) => (o === 'imm' ? bits : bits | (1 << i)), 0));
const BYTES = Uint8Array.from(OPS, (info) => TYPE_SIZES[info.result]);
const PURE = Uint8Array.from(OPS, (info) => Number(info.pure));

/** What becomes of an op. */
export const enum Fate {
  Emit,
  /** Nothing is left to do: not used, part of another µop, or its value already lies in its place. */
  Skip,
  /** An addition that is part of the loads and stores that use it as their address. */
  Address,
  /** A comparison that is part of the terminator. */
  Branch,
}

// The plan of the last block, by op index. Position n is the terminator.
export const fate = new Uint8Array(CAPACITY);
/** Position of the last µop that reads the value, -1 if none does. */
export const last = new Int32Array(CAPACITY);
/** Address of the slot that holds the value; 0: a temporary, or not yet known. */
export const home = new Int32Array(CAPACITY);

const uses = new Int32Array(CAPACITY);
const addressUses = new Int32Array(CAPACITY);
/** For gets and sets: position of the next change of that state. */
const until = new Int32Array(CAPACITY);
// By granule of four bytes of guest state.
const nextWrite = new Int32Array(STATE_GRANULES);
const nextRead = new Int32Array(STATE_GRANULES);
const lastWrite = new Int32Array(STATE_GRANULES);
const lastRead = new Int32Array(STATE_GRANULES);

/** Bytes of state that a get or set touches. */
export const stateBytes = (block: Block, v: number): number => BYTES[block.op[v]] || TYPE_SIZES[block.typeOf(block.b[v])];

export const isConst32 = (block: Block, v: Value): boolean => KIND[block.op[v]] === Kind.Const32;

/**
 * Decides for each value where it lives, so that most gets and sets cost nothing: a get is the state's own slot while
 * that is not overwritten, and an op computes into the slot that its value is set to, if nothing sees the difference.
 * State that is overwritten before anyone can see it is not written: with `precise`, a load or store may show it.
 */
export function plan(block: Block, precise: boolean): void {
  countUses(block, precise);
  placeValues(block);
}

function use(value: Value, position: number): void {
  uses[value]++;
  if (last[value] < position) last[value] = position;
}

function countUses(block: Block, precise: boolean): void {
  const n = block.length;
  fate.fill(Fate.Emit, 0, n);
  last.fill(-1, 0, n);
  home.fill(0, 0, n);
  uses.fill(0, 0, n);
  addressUses.fill(0, 0, n);
  nextWrite.fill(NEVER);
  nextRead.fill(NEVER);
  let nextHelper = NEVER;
  /** The next op that shows all state. */
  let nextSight = NEVER;
  const end = block.terminatorValue;
  if (end >= 0) use(end, n);
  for (let v = n - 1; v >= 0; v--) {
    const opcode = block.op[v];
    const kind = KIND[opcode];
    if (uses[v] === 0 && (PURE[opcode] === 1 || (kind === Kind.Helper && block.helpers[block.a[v]].pure))) {
      fate[v] = Fate.Skip;
      continue;
    }
    switch (kind) {
      case Kind.Const32:
        fate[v] = Fate.Skip;
        break;
      case Kind.Get:
      case Kind.Set: {
        const first = block.a[v] >>> 2;
        const after = first + (stateBytes(block, v) >>> 2);
        let limit = nextHelper;
        if (kind === Kind.Get) {
          for (let g = first; g < after; g++) {
            if (nextWrite[g] < limit) limit = nextWrite[g];
            nextRead[g] = v;
          }
        } else {
          let seen = false;
          for (let g = first; g < after; g++) {
            const write = nextWrite[g];
            if (write < limit) limit = write;
            if (write >= nextSight || write >= nextRead[g]) seen = true;
          }
          if (!seen) {
            fate[v] = Fate.Skip;
            break;
          }
          for (let g = first; g < after; g++) nextWrite[g] = v;
          use(block.b[v], v);
        }
        until[v] = limit;
        break;
      }
      case Kind.Load:
      case Kind.Store:
        use(block.a[v], v);
        addressUses[block.a[v]]++;
        if (kind === Kind.Store) use(block.b[v], v);
        if (precise) nextSight = v;
        break;
      case Kind.Helper: {
        const helper = block.helpers[block.a[v]];
        for (let i = 1; i <= helper.params.length; i++) use(block.operand(v, i), v);
        if (!helper.state) break;
        nextHelper = v;
        if (helper.range) nextRead.fill(v, helper.range[0] >>> 2, helper.range[1] >>> 2);
        else nextSight = v;
        break;
      }
      case Kind.Slow: {
        use(block.a[v], v);
        use(block.b[v], v);
        const [from, to] = block.helpers[block.d[v]].range!;
        nextWrite.fill(v, from >>> 2, to >>> 2);
        nextSight = v;
        break;
      }
      case Kind.ExitIf:
        use(block.a[v], v);
        nextSight = v;
        break;
      default: {
        let position = v;
        if (v === end && uses[v] === 1 && BRANCH[opcode] !== 0 && block.terminator.kind === 'branch') {
          fate[v] = Fate.Branch;
          position = n;
        } else if (opcode === ADD && uses[v] === addressUses[v] && isConst32(block, block.b[v])) {
          fate[v] = Fate.Address;
          position = last[v];
        }
        const values = VALUES[opcode];
        const count = OPERANDS[opcode];
        if (values & 1) use(block.a[v], position);
        if (values & 2 && !(UOP_IMM[opcode] !== 0 && isConst32(block, block.b[v]))) use(block.b[v], position);
        if (count > 2 && values & 4) use(block.c[v], position);
      }
    }
  }
}

function placeValues(block: Block): void {
  const n = block.length;
  lastWrite.fill(-1);
  lastRead.fill(-1);
  /** The last op that may leave the block or look at its state: no write may move up across it. */
  let barrier = -1;
  for (let v = 0; v < n; v++) {
    const kind = KIND[block.op[v]];
    if (kind === Kind.Get) {
      if (fate[v] === Fate.Skip) continue;
      const first = block.a[v] >>> 2;
      const e = first + (stateBytes(block, v) >>> 2);
      let read = v;
      if (last[v] <= until[v]) {
        home[v] = Layout.STATE + block.a[v];
        fate[v] = Fate.Skip;
        read = last[v];
      }
      for (let g = first; g < e; g++) if (lastRead[g] < read) lastRead[g] = read;
    } else if (kind === Kind.Set) {
      if (fate[v] === Fate.Skip) continue;
      const x = block.b[v];
      const first = block.a[v] >>> 2;
      const e = first + (stateBytes(block, v) >>> 2);
      let direct = fate[x] === Fate.Emit && home[x] === 0 && barrier <= x && last[x] <= until[v];
      for (let g = first; direct && g < e; g++) direct = lastWrite[g] < x && lastRead[g] <= x;
      if (direct) {
        home[x] = Layout.STATE + block.a[v];
        fate[v] = Fate.Skip;
      }
      for (let g = first; g < e; g++) {
        lastWrite[g] = v;
        if (direct && lastRead[g] < last[x]) lastRead[g] = last[x];
      }
    } else if (
      kind === Kind.Load ||
      kind === Kind.Store ||
      kind === Kind.ExitIf ||
      kind === Kind.Slow ||
      (kind === Kind.Helper && block.helpers[block.a[v]].state && fate[v] === Fate.Emit)
    ) {
      barrier = v;
    }
  }
}
