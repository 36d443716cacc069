// Decides for each value where it lives, so that most gets and sets cost nothing: a get is the state's own slot while that is not
// overwritten, and an op computes into the slot that its value is set to, if nothing sees the difference. State that is overwritten
// before anyone can see it is not written: with `precise`, a load or store may show it.
import { Layout } from '../shared/layout';
import { BlockInput, HelperFlag, HelperRow, Ir, Kind, OpRow, TerminatorKind } from '../shared/lowering';
import { Uop } from '../shared/uop';
import {
  helperHas,
  helperRow,
  input,
  isConst32,
  kindOf,
  opcode,
  operandA,
  operandB,
  operandC,
  operandD,
  rowOf,
  setOperands,
  stateBytes,
} from './block';
import { adjustSet, carrySet, first, match, overflowSet, second, signSet, uop, Word, zeroSet } from './status';

/** What becomes of an op. */
export const enum Fate {
  Emit,
  /** Nothing is left to do: not used, part of another µop, or its value already lies in its place. */
  Skip,
  /** An addition that is part of the loads and stores that use it as their address, and of a set. */
  Address,
  /** A comparison that is part of the terminator. */
  Branch,
  /** A set that writes a group of status flags: operand b and c are the µop's, d is its number. */
  Status,
}

const NONE: i32 = -1;
/** Each byte of NEVER. */
const NEVER_BYTE: u8 = 0x7f;
const NEVER: i32 = 0x7f7f7f7f;
const GRANULES_BYTES: usize = Ir.NEXT_READ - Ir.NEXT_WRITE;
/** The number of i32.add, whatever becomes of it. */
let add: u32 = 0;

export function fate(v: u32): u32 {
  return load<u8>(Ir.FATE + v);
}
function setFate(v: u32, value: Fate): void {
  store<u8>(Ir.FATE + v, value);
}
export function lastOf(v: u32): i32 {
  return load<i32>(Ir.LAST + (v << 2));
}
export function home(v: u32): u32 {
  return load<u32>(Ir.HOME + (v << 2));
}
export function setHome(v: u32, address: u32): void {
  store<u32>(Ir.HOME + (v << 2), address);
}
function uses(v: u32): u32 {
  return load<u32>(Ir.USES + (v << 2));
}
function addressUses(v: u32): u32 {
  return load<u32>(Ir.ADDRESS_USES + (v << 2));
}
function untilOf(v: u32): i32 {
  return load<i32>(Ir.UNTIL + (v << 2));
}
function setUntil(v: u32, position: i32): void {
  store<i32>(Ir.UNTIL + (v << 2), position);
}
/** The position that a granule has in a table. */
function positionIn(table: usize, granule: u32): i32 {
  return load<i32>(table + (granule << 2));
}
function setPosition(table: usize, granule: u32, position: i32): void {
  store<i32>(table + (granule << 2), position);
}
function raisePosition(table: usize, granule: u32, position: i32): void {
  if (positionIn(table, granule) < position) setPosition(table, granule, position);
}

/** The terminator's value operand, or −1. */
function terminatorValue(): i32 {
  switch (input(BlockInput.TERMINATOR)) {
    case TerminatorKind.Branch:
    case TerminatorKind.CallIndirect:
    case TerminatorKind.Return:
    case TerminatorKind.Jump:
      return input(BlockInput.FIRST);
    default:
      return NONE;
  }
}

export function plan(addNumber: u32): void {
  add = addNumber;
  countUses(input(BlockInput.LENGTH), input(BlockInput.PRECISE) !== 0);
  placeValues(input(BlockInput.LENGTH));
}

function use(value: u32, position: i32): void {
  const at = value << 2;
  store<u32>(Ir.USES + at, load<u32>(Ir.USES + at) + 1);
  if (load<i32>(Ir.LAST + at) < position) store<i32>(Ir.LAST + at, position);
}

function countUses(n: u32, precise: bool): void {
  memory.fill(Ir.FATE, 0, n);
  memory.fill(Ir.LAST, 0xff, n << 2);
  memory.fill(Ir.HOME, 0, n << 2);
  memory.fill(Ir.USES, 0, n << 2);
  memory.fill(Ir.ADDRESS_USES, 0, n << 2);
  memory.fill(Ir.NEXT_WRITE, NEVER_BYTE, GRANULES_BYTES);
  memory.fill(Ir.NEXT_READ, NEVER_BYTE, GRANULES_BYTES);
  let nextHelper = NEVER;
  /** The next op that shows all state. */
  let nextSight = NEVER;
  const end = terminatorValue();
  if (end >= 0) use(end, n);
  for (let v: i32 = n - 1; v >= 0; v--) {
    const number = opcode(v);
    const info = rowOf(number);
    const kind: u32 = load<u8>(info, OpRow.KIND);
    if (fate(v) === Fate.Skip) continue;
    if (
      uses(v) === 0 &&
      (load<u8>(info, OpRow.PURE) === 1 || (kind === Kind.Helper && helperHas(helperRow(operandA(v)), HelperFlag.PURE)))
    ) {
      setFate(v, Fate.Skip);
      continue;
    }
    switch (kind) {
      case Kind.Const32:
        setFate(v, Fate.Skip);
        break;
      case Kind.Get:
      case Kind.Set: {
        const first = operandA(v) >>> 2;
        const after = first + (stateBytes(v) >>> 2);
        let limit = nextHelper;
        if (kind === Kind.Get) {
          for (let g = first; g < after; g++) {
            const write = positionIn(Ir.NEXT_WRITE, g);
            if (write < limit) limit = write;
            setPosition(Ir.NEXT_READ, g, v);
          }
        } else {
          if (match(v) && groupStatus(v, nextSight)) break;
          let seen = false;
          for (let g = first; g < after; g++) {
            const write = positionIn(Ir.NEXT_WRITE, g);
            if (write < limit) limit = write;
            if (write >= nextSight || write >= positionIn(Ir.NEXT_READ, g)) seen = true;
          }
          if (!seen) {
            setFate(v, Fate.Skip);
            break;
          }
          for (let g = first; g < after; g++) setPosition(Ir.NEXT_WRITE, g, v);
          use(operandB(v), v);
          setUntil(operandB(v), v);
        }
        setUntil(v, limit);
        break;
      }
      case Kind.Load:
      case Kind.Store: {
        const address = operandA(v);
        use(address, v);
        store<u32>(Ir.ADDRESS_USES + (address << 2), addressUses(address) + 1);
        if (kind === Kind.Store) use(operandB(v), v);
        if (precise) nextSight = v;
        break;
      }
      case Kind.Helper: {
        const helper = helperRow(operandA(v));
        const params: u32 = load<u8>(helper, HelperRow.PARAMS);
        if (params > 0) use(operandB(v), v);
        if (params > 1) use(operandC(v), v);
        if (params > 2) use(operandD(v), v);
        if (!helperHas(helper, HelperFlag.STATE)) break;
        nextHelper = v;
        if (helperHas(helper, HelperFlag.RANGE))
          for (let g: u32 = load<u16>(helper, HelperRow.FROM), to: u32 = load<u16>(helper, HelperRow.TO); g < to; g++)
            setPosition(Ir.NEXT_READ, g, v);
        else nextSight = v;
        break;
      }
      case Kind.Slow: {
        use(operandA(v), v);
        use(operandB(v), v);
        const helper = helperRow(operandD(v));
        for (let g: u32 = load<u16>(helper, HelperRow.FROM), to: u32 = load<u16>(helper, HelperRow.TO); g < to; g++)
          setPosition(Ir.NEXT_WRITE, g, v);
        nextSight = v;
        break;
      }
      case Kind.ExitIf:
        use(operandA(v), v);
        nextSight = v;
        break;
      default: {
        let position = v;
        if (v === end && uses(v) === 1 && load<u16>(info, OpRow.BRANCH) !== 0 && input(BlockInput.TERMINATOR) === TerminatorKind.Branch) {
          setFate(v, Fate.Branch);
          position = n;
        } else if (number === add && isConst32(operandB(v)) && isAddress(v, n)) {
          setFate(v, Fate.Address);
          position = lastOf(v);
        }
        const values: u32 = load<u8>(info, OpRow.VALUES);
        if (values & 1) use(operandA(v), position);
        if ((values & 2) !== 0 && !(load<u16>(info, OpRow.UOP_IMM) !== 0 && isConst32(operandB(v)))) use(operandB(v), position);
        if (values & 4) use(operandC(v), position);
      }
    }
  }
}

function isSeen(granule: u32, nextSight: i32): bool {
  const write = positionIn(Ir.NEXT_WRITE, granule);
  return write >= nextSight || write >= positionIn(Ir.NEXT_READ, granule);
}
/** Makes the group that ends at `v` one µop, if somebody sees several of its words. */
function groupStatus(v: i32, nextSight: i32): bool {
  const carry = (operandA(v) - Word.PARITY) >>> 2;
  const from = carrySet < 0 ? carry + 1 : carry;
  const end = carry + (Word.END >>> 2);
  let seen = 0;
  for (let g = from; g < end; g++) seen += i32(isSeen(g, nextSight));
  if (seen < 2) return false;
  if (carrySet >= 0) setFate(carrySet, Fate.Skip);
  setFate(adjustSet, Fate.Skip);
  setFate(overflowSet, Fate.Skip);
  setFate(zeroSet, Fate.Skip);
  setFate(signSet, Fate.Skip);
  for (let g = from; g < end; g++) setPosition(Ir.NEXT_WRITE, g, v);
  setFate(v, Fate.Status);
  setOperands(v, first, second, uop);
  use(first, v);
  if (second !== first) use(second, v);
  return true;
}

/** Whether all that uses an addition adds for itself: loads and stores as their address, and a set as PUSH has it. */
function isAddress(v: u32, n: u32): bool {
  const others = uses(v) - addressUses(v);
  if (others === 0) return true;
  const at = untilOf(v);
  return others === 1 && addressUses(v) > 0 && <u32>at < n && fate(at) === Fate.Emit && kindOf(at) === Kind.Set && operandB(at) === v;
}

function placeValues(n: u32): void {
  memory.fill(Ir.LAST_WRITE, 0xff, GRANULES_BYTES);
  memory.fill(Ir.LAST_READ, 0xff, GRANULES_BYTES);
  /** The last op that may leave the block or look at its state: no write may move up across it. */
  let barrier: i32 = NONE;
  for (let v: u32 = 0; v < n; v++) {
    const kind = kindOf(v);
    switch (kind) {
      case Kind.Get:
        if (fate(v) !== Fate.Skip) placeGet(v);
        break;
      case Kind.Set:
        if (fate(v) === Fate.Status) placeStatus(v);
        else if (fate(v) !== Fate.Skip) placeSet(v, barrier);
        break;
      case Kind.Load:
      case Kind.Store:
      case Kind.ExitIf:
      case Kind.Slow:
        barrier = v;
        break;
      case Kind.Helper:
        if (fate(v) === Fate.Emit && helperHas(helperRow(operandA(v)), HelperFlag.STATE)) barrier = v;
        break;
    }
  }
}

function placeGet(v: u32): void {
  const first = operandA(v) >>> 2;
  const end = first + (stateBytes(v) >>> 2);
  let read: i32 = v;
  if (lastOf(v) <= untilOf(v)) {
    setHome(v, Layout.STATE + operandA(v));
    setFate(v, Fate.Skip);
    read = lastOf(v);
  }
  for (let g = first; g < end; g++) raisePosition(Ir.LAST_READ, g, read);
}

function placeSet(v: u32, barrier: i32): void {
  const x = operandB(v);
  const first = operandA(v) >>> 2;
  const end = first + (stateBytes(v) >>> 2);
  let direct = fate(x) === Fate.Emit && home(x) === 0 && barrier <= <i32>x && lastOf(x) <= untilOf(v);
  for (let g = first; direct && g < end; g++) direct = positionIn(Ir.LAST_WRITE, g) < <i32>x && positionIn(Ir.LAST_READ, g) <= <i32>x;
  if (direct) {
    setHome(x, Layout.STATE + operandA(v));
    setFate(v, Fate.Skip);
  }
  for (let g = first; g < end; g++) {
    setPosition(Ir.LAST_WRITE, g, v);
    if (direct) raisePosition(Ir.LAST_READ, g, lastOf(x));
  }
}

function placeStatus(v: u32): void {
  const carry = (operandA(v) - Word.PARITY) >>> 2;
  const keeps = operandD(v) === Uop.STATUS_INC || operandD(v) === Uop.STATUS_DEC;
  for (let g = keeps ? carry + 1 : carry, end = carry + (Word.END >>> 2); g < end; g++) setPosition(Ir.LAST_WRITE, g, v);
}
