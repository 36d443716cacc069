import { ExitKind, FaultAccess } from '../../../assembly/shared/exit.ts';
import { CodeMode, Layout, PagePermission, TlbBit } from '../../../assembly/shared/layout.ts';
import type { Block, Value } from '../../ir/block.ts';
import { mapped } from '../../ir/lists.ts';
import { OPS, op, STATE_GRANULES, Type } from '../../ir/ops.ts';
import { isConditional } from '../../isa/isa.ts';
import { reverseBytes } from '../reverse-bytes.ts';
import { type AccessGroup, type GroupedAccesses, groupAccesses } from './access-groups.ts';
import {
  binaryen,
  byteSwap,
  constant,
  type Expression,
  isConstant,
  labelledBlock,
  loadExpression,
  loadName,
  storeExpression,
  storeName,
  WASM_TYPES,
} from './expressions.ts';
import type { RegionFunction } from './function.ts';
import { isBarrier, type SlotSet, type Slots, STATE_ACCESS } from './slots.ts';

const HELPER = op('helper');
const EXIT_IF = op('exit.if');
const INSN = op('insn');
const I32_ADD = op('i32.add');
const I32_OR = op('i32.or');
const I32_CONST = op('i32.const');
const I32_EQ = op('i32.eq');
const I32_NE = op('i32.ne');
const I32_EQZ = op('i32.eqz');
const SHUFFLE = op('i8x16.shuffle');
const IS_SELECT = OPS.map((info) => info.name.startsWith('select.'));
const IS_SLOW = OPS.map((info) => info.name.startsWith('slow.'));
const IS_LANE = OPS.map((info) => /_lane/.test(info.name));

export interface EmittedOps {
  readonly out: Expression[];
  readonly pc: number;
  readonly value: (v: Value) => Expression;
  readonly differs: (v: Value, pc: number) => Expression;
}

/**
 * A block's ops, without its terminator. `unpaid`: instructions completed on the way here that BUDGET still holds. `value` makes
 * the expression for a value that the terminator needs, `differs` one for whether it is another pc, `pc` is that of the last instruction.
 */
export function emitOps(f: RegionFunction, i: number, unpaid: number): EmittedOps {
  const { region, plan, context, m, homes, temporary, i32, local, header, spill, spillAll, reload } = f;
  const { budgetAfter, storeBudget, budgetAgain, callHelper, leave, faultPc, faultLabel } = f;
  const { paged, callsAccesses } = context;
  const block = region.blocks[i];
  const out: Expression[] = [];
  f.freeTemporaries();
  const expected = block.size === 0 ? undefined : context.expectedBytes(block.pc);
  if (expected) out.push(...verifyBytes(f, block, expected, plan.spillIn[i], unpaid));
  const uses = useCounts(block);
  const at = emitPositions(block, uses);
  const kept = keepsRegister(block, uses, at, context.slots);
  const grouped: GroupedAccesses = paged ? groupAccesses(block, context.alignedAccess) : new Map();
  /** The local with the place of a group's first byte, or 0 where each access has to look for itself. */
  const groupPlaces = new Map<AccessGroup, number>();
  const place = new Int32Array(block.length).fill(-1);
  /** Of loaded values whose bytes were reversed: the local that holds them as they are in memory. */
  const raws = new Int32Array(block.length).fill(-1);
  /** A value of so many bytes in the other byte order, where that costs nothing. */
  const reversed = (v: Value, bytes: number): Expression | undefined => {
    if (raws[v] >= 0) return OPS[block.op[v]].bytes === bytes ? local(raws[v], block.typeOf(v)) : undefined;
    return bytes === 4 && block.op[v] === I32_CONST ? i32(reverseBytes(block.a[v])) : undefined;
  };
  let done = -1;
  let pc = block.pc;
  /** Where the current instruction is executed anew, and how many are completed there; by pc. */
  let restart = pc;
  let restarted = 0;
  const completed = new Map<number, number>();

  /** The expression for a value; to be evaluated where the op that uses it is emitted. */
  const value = (v: Value): Expression => {
    if (place[v] >= 0) return local(place[v], block.typeOf(v));
    return compute(v);
  };
  const compute = (v: Value): Expression => {
    const number = block.op[v];
    if (isConstant(number)) return constant(m, block, v);
    const info = OPS[number];
    if (STATE_ACCESS[number] === 'get') {
      const slot = context.slots.at(block.a[v], info.result);
      return slot ? local(homes[slot.number], slot.type) : loadExpression(m, loadName(info.result), Layout.STATE + block.a[v], i32(0));
    }
    if (info.memory === 'load') return loadValue(v);
    if (number === HELPER) {
      const helper = block.helpers[block.a[v]];
      context.useHelper(helper.name);
      const args = mapped(helper.params, (_, k) => value(block.operand(v, k + 1)));
      if (isConditional(helper)) {
        const condition = temporary(Type.I32);
        return m.if(
          m.local.tee(condition, args[0], binaryen.i32),
          m.block(
            null,
            [
              m.v128.store(Layout.VECTOR_A, 4, i32(0), args[1]),
              m.v128.store(Layout.VECTOR_B, 4, i32(0), args[2]),
              m.call(helper.name, [local(condition)], binaryen.i32),
            ],
            binaryen.i32,
          ),
          i32(0),
        );
      }
      return m.call(helper.name, args, WASM_TYPES[helper.result]);
    }
    // what is equal is so in the other byte order, too
    if (number === I32_EQZ && raws[block.a[v]] >= 0) return m.i32.eqz(local(raws[block.a[v]]));
    if ((number === I32_EQ || number === I32_NE) && (raws[block.a[v]] >= 0 || raws[block.b[v]] >= 0)) {
      const [x, y] = [reversed(block.a[v], 4), reversed(block.b[v], 4)];
      if (x !== undefined && y !== undefined) return context.constructors(number)(x, y);
    }
    if (IS_SELECT[number]) return m.select(value(block.a[v]), value(block.b[v]), value(block.c[v]));
    const make = context.constructors(number);
    if (number === SHUFFLE) return make(value(block.a[v]), value(block.b[v]), block.shuffles[block.c[v]]);
    // lane immediates come before a replaced value in binaryen's order
    if (IS_LANE[number])
      return info.operands.length === 2 ? make(value(block.a[v]), block.b[v]) : make(value(block.a[v]), block.c[v], value(block.b[v]));
    return info.operands.length === 1 ? make(value(block.a[v])) : make(value(block.a[v]), value(block.b[v]));
  };

  /** Memory index of a guest address; Layout.WINDOW is the static offset. */
  const index = (address: Value): Expression => {
    const fold = (k: number): Expression => i32((k - Layout.FLOOR) | 0);
    if (place[address] < 0) {
      if (block.op[address] === I32_CONST) return fold(block.a[address]);
      if (block.op[address] === I32_ADD && block.op[block.b[address]] === I32_CONST)
        return m.i32.add(value(block.a[address]), fold(block.a[block.b[address]]));
    }
    return m.i32.add(value(address), fold(0));
  };
  const note = (expression: Expression, write = false): Expression => {
    context.noteAccess?.(expression, { pc, write });
    return expression;
  };
  /** A value loaded in the guest's byte order; `load` makes the plain load of that name. */
  const swapLoaded = (v: Value, load: (name: string) => Expression): Expression => {
    const info = OPS[block.op[v]];
    if (block.b[v] === 0 || info.bytes === 1) return load(info.name);
    if (info.bytes === 2) {
      const t = temporary(Type.I32);
      raws[v] = t;
      const raw = load('i32.load16_u');
      const swapped = byteSwap(m, 2, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
      return info.name === 'i32.load16_s' ? m.i32.extend16_s(swapped) : swapped;
    }
    const type = info.result;
    const t = temporary(type);
    raws[v] = t;
    const raw = m.local.tee(t, load(info.name), WASM_TYPES[type]);
    if (type !== Type.I32) return reverseNumber(raw, type);
    return byteSwap(m, 4, (first) => (first ? raw : local(t)));
  };
  const loadValue = (v: Value): Expression => swapLoaded(v, (name) => note(loadExpression(m, name, Layout.WINDOW, index(block.a[v]))));
  /** The number with its bytes reversed; not by way of an integer, since numbers are in vector registers. */
  const reverseNumber = (x: Expression, type: Type): Expression => {
    const lanes = type === Type.F32 ? m.f32x4 : type === Type.F64 ? m.f64x2 : m.i64x2;
    const order = type === Type.F32 ? [3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0] : [7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0];
    return lanes.extract_lane(m.i8x16.swizzle(lanes.splat(x), m.v128.const(order)), 0);
  };
  /** Stores a value in the guest's byte order; `store` makes the plain store of that name. */
  const storeSwapped = (v: Value, x: () => Expression, store: (name: string, value: Expression) => Expression): Expression => {
    const info = OPS[block.op[v]];
    const type = info.operands[1] as Type;
    if (block.c[v] === 0 || info.bytes === 1) return store(info.name, x());
    const there = reversed(block.b[v], info.bytes);
    if (there !== undefined) return store(info.name, there);
    if (type !== Type.I32) return store(info.name, reverseNumber(x(), type));
    const t = temporary(Type.I32);
    return store(
      info.name,
      byteSwap(m, info.bytes as 2 | 4, (first) => (first ? m.local.tee(t, x(), binaryen.i32) : local(t))),
    );
  };
  const storeValue = (v: Value): Expression =>
    storeSwapped(
      v,
      () => value(block.b[v]),
      (name, x) => note(storeExpression(m, name, Layout.WINDOW, index(block.a[v]), x), true),
    );
  /**
   * Model `paged`: the TLB's word of the page says whether the access may be made straight away, and where the page lies. Does
   * `fast` with that, or `otherwise`. The address is in a local.
   */
  const findPlace = (v: Value, fast: (place: Expression, offset: number) => Expression, otherwise: Expression[]): Expression => {
    const info = OPS[block.op[v]];
    const shift = ((paged?.mode ?? 0) & CodeMode.User) << 1;
    const read = i32(TlbBit.KernelRead << shift);
    const write = i32(TlbBit.KernelWrite << shift);
    // two branches, since a comparison costs least where one follows at once
    const slow = `slow${i}_${v}`;
    const past = `past${i}_${v}`;
    const finish = (quick: Expression[], rest: Expression[]): Expression =>
      labelledBlock(m, past, [labelledBlock(m, slow, [...quick, m.br(past)]), ...rest]);
    const lookUp = (address: () => Expression): Expression =>
      m.local.tee(entry, m.i32.load(Layout.TLB, 4, m.i32.shl(m.i32.shr_u(address(), i32(12)), i32(2))), binaryen.i32);
    const placeOf = (address: () => Expression): Expression => m.i32.add(address(), m.i32.and(local(entry), i32(TlbBit.ADDRESS)));
    const crosses = (address: () => Expression, bytes: number): Expression =>
      m.i32.gt_u(m.i32.and(address(), i32(0xfff)), i32(0x1000 - bytes));

    const member = grouped.get(v);
    if (member && member.group.first !== v) {
      const place = groupPlaces.get(member.group)!;
      const quick = fast(local(place), member.offset - member.group.low);
      return callsAccesses ? finish([m.br(slow, m.i32.eqz(local(place))), quick], otherwise) : quick;
    }
    const entry = temporary(Type.I32);
    if (!member) {
      const address = (): Expression => value(block.a[v]);
      const denied = m.i32.eqz(m.i32.and(lookUp(address), info.memory === 'load' ? read : write));
      const beyond = context.alignedAccess ? m.i32.and(address(), i32(info.bytes - 1)) : crosses(address, info.bytes);
      const checks = [m.br(slow, denied), ...(info.bytes === 1 ? [] : [m.br(slow, beyond)])];
      return finish([...checks, fast(placeOf(address), 0)], otherwise);
    }
    const { group, offset } = member;
    const start = temporary(Type.I32);
    const place = temporary(Type.I32);
    groupPlaces.set(group, place);
    const address = (): Expression => local(start);
    const need = (group.reads ? TlbBit.KernelRead << shift : 0) | (group.writes ? TlbBit.KernelWrite << shift : 0);
    const granted = m.i32.and(lookUp(address), i32(need));
    const denied = group.reads && group.writes ? m.i32.ne(granted, i32(need)) : m.i32.eqz(granted);
    const checks = [m.br(slow, denied), m.br(slow, crosses(address, group.high - group.low))];
    if (context.alignedAccess && group.widest > 1) {
      const within = group.widest - 1;
      checks.push(m.br(slow, m.i32.and(m.i32.sub(address(), i32(group.low)), i32(within))));
    }
    return m.block(null, [
      m.local.set(start, m.i32.add(value(block.a[v]), i32(group.low - offset))),
      finish(
        [...checks, m.local.set(place, placeOf(address)), fast(local(place), offset - group.low)],
        callsAccesses ? [m.local.set(place, i32(0)), ...otherwise] : otherwise,
      ),
    ]);
  };
  const goTo = (v: Value, at: number): Expression[] => [m.local.set(faultPc(), i32(at)), m.br(faultLabel(plan.spillAt[i].get(v)!))];
  const leaveFor = (v: Value): Expression[] => [storeBudget(unpaid + restarted), ...goTo(v, restart)];
  const aroundSlow = (v: Value, failed: (call: Expression) => Expression, name: string): Expression[] => [
    m.if(
      failed(callHelper(name, [value(block.a[v]), i32(OPS[block.op[v]].bytes), budgetAfter(unpaid + done)])),
      m.block(null, goTo(v, pc)),
    ),
    budgetAgain(unpaid + done),
  ];
  const pagedLoad = (v: Value): number => {
    const info = OPS[block.op[v]];
    const from = temporary(Type.I32);
    const result = temporary(info.result);
    const found = (call: Expression): Expression => m.i32.eqz(m.local.tee(from, call, binaryen.i32));
    const load = (place: Expression, offset: number): Expression =>
      m.local.set(
        result,
        swapLoaded(v, (name) => loadExpression(m, name, offset, place)),
      );
    if (!callsAccesses) out.push(findPlace(v, load, leaveFor(v)));
    else if (block.b[v] === 0) out.push(findPlace(v, load, [...aroundSlow(v, found, 'regionRead'), load(local(from), 0)]));
    else {
      const arrive = (place: Expression, offset: number): Expression => m.local.set(from, m.i32.add(place, i32(offset)));
      out.push(findPlace(v, arrive, aroundSlow(v, found, 'regionRead')), load(local(from), 0));
    }
    return result;
  };
  const pagedStore = (v: Value): void => {
    const info = OPS[block.op[v]];
    const type = info.operands[1] as Type;
    const held = temporary(type);
    const store = (place: Expression, offset: number): Expression =>
      storeSwapped(
        v,
        () => local(held, type),
        (name, x) => storeExpression(m, name, offset, place, x),
      );
    const slow = (): Expression[] => [store(i32(Layout.SCRATCH), 0), ...aroundSlow(v, (call) => call, 'regionWrite')];
    out.push(m.local.set(held, value(block.b[v])));
    out.push(findPlace(v, store, callsAccesses ? slow() : leaveFor(v)));
  };

  /** Model `checked`: leaves with a precise fault if the page or pages do not permit the access. */
  const checkAccess = (v: Value): Expression => {
    const info = OPS[block.op[v]];
    const read = info.memory === 'load';
    const need = read ? PagePermission.Read : PagePermission.Write;
    const address = block.a[v];
    const page = m.i32.load8_u(Layout.PAGES, 1, m.i32.shr_u(value(address), i32(12)));
    const denied = m.i32.eqz(m.i32.and(page, i32(need)));
    const crosses = m.i32.gt_u(m.i32.and(value(address), i32(0xfff)), i32(0x1000 - info.bytes));
    context.useHelper('checkAccess');
    return m.if(
      info.bytes === 1 ? denied : m.i32.or(denied, crosses),
      m.if(
        m.call('checkAccess', [value(address), i32(info.bytes), i32(read ? FaultAccess.Read : FaultAccess.Write)], binaryen.i32),
        m.block(null, [...spill(plan.spillAt[i].get(v)!), ...leave(ExitKind.MemoryFault, pc, unpaid + done)]),
      ),
    );
  };

  /** Goes to the label if the condition is not zero. */
  const branchIf = (label: string, condition: Value): Expression[] =>
    block.op[condition] === I32_OR && place[condition] < 0 && at[condition] !== condition
      ? [...branchIf(label, block.a[condition]), ...branchIf(label, block.b[condition])]
      : [m.br(label, value(condition))];
  /**
   * Where the fast result of op v will not do: leaves for the interpreter, which executes the instruction anew; or calls the
   * helper. What comes back here stands in the engine's code between its neighbours; what leaves goes to the end.
   */
  const slowPath = (v: Value): Expression => {
    const { slowPaths } = context;
    const slow = `slow${i}_${v}`;
    const past = `past${i}_${v}`;
    const state = plan.spillAt[i].get(v)!;
    const rest: Expression[] = [];
    if (slowPaths !== 'leave') rest.push(m.br(past, m.i32.eqz(value(block.c[v]))));
    if (slowPaths === 'call') {
      const helper = block.helpers[block.d[v]];
      const { result } = OPS[block.op[v]];
      context.useHelper(helper.name);
      rest.push(
        ...spillAll(state),
        storeBudget(unpaid + done),
        m.if(m.call(helper.name, [], binaryen.i32), m.block(null, leave(ExitKind.Exception, pc, unpaid + done))),
        m.local.set(place[v], loadExpression(m, loadName(result), Layout.SLOW_RESULT, i32(0))),
      );
    } else rest.push(...spill(state), ...leave(ExitKind.Slow, restart, unpaid + restarted, [region.entry]));
    return m.block(past, [m.block(slow, [...branchIf(slow, block.a[v]), m.br(past)], binaryen.none), ...rest], binaryen.none);
  };

  for (let v = 0; v < block.length; v++) {
    const number = block.op[v];
    const info = OPS[number];
    if (number === INSN) {
      pc = block.a[v] >>> 0;
      done++;
      completed.set(pc, done);
      restart = block.c[v] >>> 0;
      restarted = completed.get(restart) ?? 0;
      continue;
    }
    if (STATE_ACCESS[number] === 'set') {
      const type = block.typeOf(block.b[v]);
      const slot = context.slots.at(block.a[v], type);
      const x = value(block.b[v]);
      out.push(slot ? m.local.set(homes[slot.number], x) : storeExpression(m, storeName(type), Layout.STATE + block.a[v], i32(0), x));
      continue;
    }
    if (info.memory && (context.checked || paged)) {
      // the address is needed several times
      const address = block.a[v];
      if (place[address] < 0 && !isConstant(block.op[address])) {
        place[address] = temporary(Type.I32);
        out.push(m.local.set(place[address], compute(address)));
      }
      if (paged) {
        if (info.memory === 'load') place[v] = pagedLoad(v);
        else pagedStore(v);
        continue;
      }
      out.push(checkAccess(v));
    }
    if (info.memory === 'store') {
      out.push(storeValue(v));
      continue;
    }
    if (number === EXIT_IF) {
      const kind = block.b[v] as ExitKind;
      const args = kind === ExitKind.MemoryFault ? [] : [block.c[v], 0];
      out.push(m.if(value(block.a[v]), m.block(null, [...spill(plan.spillAt[i].get(v)!), ...leave(kind, pc, unpaid + done, args)])));
      continue;
    }
    if (IS_SLOW[number]) {
      place[v] = temporary(info.result);
      out.push(m.local.set(place[v], value(block.b[v])), slowPath(v));
      continue;
    }
    if (isBarrier(block, v)) {
      // an operand that is a register keeps its value in the local; memory is written first
      out.push(...spill(plan.spillAt[i].get(v)!), storeBudget(unpaid + done + 1), header(Layout.PC, i32(pc)));
      if (block.typeOf(v) === Type.None) out.push(compute(v));
      else place[v] = define(v);
      if (paged) out.push(budgetAgain(unpaid + done + 1));
      out.push(...reload(plan.reloadAt[i].get(v)!));
      continue;
    }
    if (number === HELPER && block.typeOf(v) === Type.None) {
      out.push(compute(v));
      continue;
    }
    if (uses[v] === 0) {
      if (info.memory === 'load') out.push(m.drop(compute(v)));
      else if (number === HELPER) out.push(m.drop(compute(v)));
      continue;
    }
    if (isConstant(number) || kept[v] || at[v] !== v) continue;
    place[v] = define(v);
  }

  function define(v: Value): number {
    const x = compute(v);
    const t = temporary(block.typeOf(v));
    out.push(m.local.set(t, x));
    return t;
  }

  // what was loaded in the other byte order need not be reversed for that
  const differs = (v: Value, from: number): Expression => {
    const raw = raws[v] >= 0 ? reversed(v, 4) : undefined;
    return raw === undefined ? m.i32.ne(value(v), i32(from)) : m.i32.ne(raw, i32(reverseBytes(from)));
  };
  return { out, pc, value, differs };
}

/** Leaves if the block's bytes are not these any more. */
function verifyBytes(f: RegionFunction, block: Block, bytes: Uint8Array, dirty: SlotSet, unpaid: number): Expression[] {
  const { m, i32, spill, leave } = f;
  const index = (): Expression => i32((block.pc - Layout.FLOOR) | 0);
  let differs: Expression | undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let k = 0; k < bytes.length; ) {
    const whole = bytes.length - k >= 4;
    const test = whole
      ? m.i32.ne(m.i32.load(Layout.WINDOW + k, 1, index()), i32(view.getInt32(k, true)))
      : m.i32.ne(m.i32.load8_u(Layout.WINDOW + k, 1, index()), i32(bytes[k]));
    differs = differs === undefined ? test : m.i32.or(differs, test);
    k += whole ? 4 : 1;
  }
  if (differs === undefined) return [];
  return [m.if(differs, m.block(null, [...spill(dirty), ...leave(ExitKind.Stale, block.pc, unpaid)]))];
}

function useCounts(block: Block): Uint16Array {
  const uses = new Uint16Array(block.length);
  for (let v = 0; v < block.length; v++) {
    for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) if (mask & 1) uses[block.operand(v, i)]++;
  }
  if (block.terminatorValue >= 0) uses[block.terminatorValue]++;
  return uses;
}

/** Where each value is computed: at its own op, or, if it is pure and used once, inside the op that uses it. */
function emitPositions(block: Block, uses: Uint16Array): Int32Array {
  const n = block.length;
  const at = new Int32Array(n);
  const user = new Int32Array(n).fill(-1);
  for (let v = 0; v < n; v++) {
    for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) if (mask & 1) user[block.operand(v, i)] = v;
  }
  if (block.terminatorValue >= 0) user[block.terminatorValue] = n;
  for (let v = n - 1; v >= 0; v--) {
    const inline = uses[v] === 1 && OPS[block.op[v]].pure && STATE_ACCESS[block.op[v]] === undefined;
    at[v] = !inline ? v : user[v] === n ? n : at[user[v]];
  }
  return at;
}

/** Which register reads need no copy, because the register is not written before the last use. */
function keepsRegister(block: Block, uses: Uint16Array, at: Int32Array, slots: Slots): Uint8Array {
  const n = block.length;
  const kept = new Uint8Array(n);
  const last = new Int32Array(n).fill(-1);
  for (let v = 0; v < n; v++) {
    for (let mask = block.valueMask(v), i = 0; mask !== 0; mask >>>= 1, i++) {
      if (!(mask & 1)) continue;
      const x = block.operand(v, i);
      last[x] = Math.max(last[x], at[v]);
    }
  }
  if (block.terminatorValue >= 0) last[block.terminatorValue] = n;
  /** Next op that writes the granule, scanning backward. */
  const written = new Int32Array(STATE_GRANULES).fill(n + 1);
  let barrier = n + 1;
  for (let v = n - 1; v >= 0; v--) {
    const access = STATE_ACCESS[block.op[v]];
    if (access === 'set') {
      const granules = [0, 1, 2, 1, 2, 4][block.typeOf(block.b[v])];
      for (let g = 0; g < granules; g++) written[(block.a[v] >>> 2) + g] = v;
    } else if (access === 'get') {
      const granules = [0, 1, 2, 1, 2, 4][OPS[block.op[v]].result];
      let next = barrier;
      for (let g = 0; g < granules; g++) next = Math.min(next, written[(block.a[v] >>> 2) + g]);
      // what is in memory is read once
      const cheap = uses[v] === 1 || slots.at(block.a[v], OPS[block.op[v]].result) !== undefined;
      kept[v] = uses[v] > 0 && cheap && last[v] <= next ? 1 : 0;
    } else if (IS_SLOW[block.op[v]]) {
      const [from, to] = block.helpers[block.d[v]].range!;
      written.fill(v, from >>> 2, to >>> 2);
    } else if (block.op[v] === HELPER && block.helpers[block.a[v]].state) barrier = v;
  }
  return kept;
}
