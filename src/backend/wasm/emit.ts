import { ExitKind, FaultAccess } from '../../../assembly/shared/exit.ts';
import { CodeMode, Layout, PagePermission, TlbBit } from '../../../assembly/shared/layout.ts';
import type { Block, Terminator, Value } from '../../ir/block.ts';
import { OPS, op, STATE_GRANULES, Type } from '../../ir/ops.ts';
import { isConditional } from '../../isa/isa.ts';
import {
  binaryen,
  byteSwap,
  constant,
  type Expression,
  isConstant,
  labelledBlock,
  loadExpression,
  loadName,
  type Module,
  type plainConstructors,
  storeExpression,
  storeName,
  WASM_TYPES,
} from './expressions.ts';
import type { SlowPaths } from './options.ts';
import { callsOut, OUTSIDE, type Region } from './region.ts';
import { has, isBarrier, type SlotPlan, type SlotSet, type Slots, STATE_ACCESS } from './slots.ts';

const HELPER = op('helper');
const EXIT_IF = op('exit.if');
const INSN = op('insn');
const I32_ADD = op('i32.add');
const I32_OR = op('i32.or');
const I32_CONST = op('i32.const');
const SHUFFLE = op('i8x16.shuffle');
const IS_SELECT = OPS.map((info) => info.name.startsWith('select.'));
const IS_SLOW = OPS.map((info) => info.name.startsWith('slow.'));
const IS_LANE = OPS.map((info) => /_lane/.test(info.name));

/** What the emitter needs to know beyond the region itself. */
export interface EmitContext {
  readonly module: Module;
  /** Of the function. */
  readonly name: string;
  readonly constructors: ReturnType<typeof plainConstructors>;
  readonly slots: Slots;
  /** Page permissions are checked, with precise faults. */
  readonly checked: boolean;
  /** Memory model paged: what the code was lifted for, and where its pages are. */
  readonly paged: { readonly mode: number; readonly pages: readonly { readonly page: number; readonly word: number }[] } | undefined;
  /** Memory model paged: an access that is not naturally aligned faults. */
  readonly alignedAccess: boolean;
  readonly slowPaths: SlowPaths;
  /** Where calls have to look whether it points to memory; see Isa.stackPointer. */
  readonly stackPointer: number | undefined;
  /** Index in the function table through which code at this pc is called, if it has one. */
  callSlot(pc: number): Expression | undefined;
  /** Code that has not been compiled is compiled when it is called. */
  readonly compileMissing: boolean;
  /** Name of the function in this module that holds the region of this pc. */
  functionAt(pc: number): string | undefined;
  /** Bytes that the block at a pc must still have, where code may change unnoticed. */
  expectedBytes(pc: number): Uint8Array | undefined;
  /** What records the target of an indirect jump that the region did not expect, if anything. */
  noteJump(block: Block, target: () => Expression): Expression | undefined;
  /** Notes that a helper is imported. */
  useHelper(name: string): void;
  /** Called for each memory instruction that may trap, with the guest instruction's pc. */
  noteAccess?(expression: Expression, access: { readonly pc: number; readonly write: boolean }): void;
}

const PC_PARAM = 0;
const DEPTH_PARAM = 1;
const BUDGET = 2;
const RESULT = 3;
/** Stack bytes left for callees. */
const CALLEE_DEPTH = 4;
const FIRST_FREE = 5;

const TABLE = 'table';
const HASH_ENTRY_TARGET = Layout.REGION_HASH + 4;

export const functionName = (pc: number, group = 0): string =>
  `r${(pc >>> 0).toString(16).padStart(8, '0')}${group === 0 ? '' : `_${group}`}`;

/** Adds the region's function to the module: (pc, depth) → next pc or RegionResult.EXIT. */
export function emitRegion(region: Region, plan: SlotPlan, context: EmitContext): void {
  const { module: m, name } = context;
  const locals: Type[] = [Type.I32, Type.I32, Type.I32];
  /** Local that holds a slot, by slot number; only slots that the region touches have one. */
  const homes: number[] = [];
  for (const slot of context.slots.touchedBy(region.blocks)) {
    homes[slot.number] = FIRST_FREE + locals.length - 3;
    locals.push(slot.type);
  }
  const pool = new Map<Type, { indexes: number[]; used: number }>();
  /** A local that is free until the end of the block. */
  const temporary = (type: Type): number => {
    let p = pool.get(type);
    if (!p) {
      p = { indexes: [], used: 0 };
      pool.set(type, p);
    }
    if (p.used === p.indexes.length) {
      p.indexes.push(2 + locals.length);
      locals.push(type);
    }
    return p.indexes[p.used++];
  };
  const i32 = (n: number): Expression => m.i32.const(n | 0);
  const local = (index: number, type: Type = Type.I32): Expression => m.local.get(index, WASM_TYPES[type]);
  const header = (address: number, value: Expression): Expression => m.i32.store(address, 4, i32(0), value);
  const longest = longestPaths(region);
  const { paged } = context;
  const mode = paged?.mode ?? 0;
  const hashOffset = (pc: number): number => ((pc ^ (pc >>> 16) ^ mode) & Layout.HASH_MASK) << 3;

  const forSlots = (set: SlotSet, f: (slot: { number: number; offset: number; type: Type }) => Expression): Expression[] =>
    set.lo === 0 && set.hi === 0 ? [] : context.slots.all.filter((slot) => has(set, slot.number)).map(f);
  const spill = (set: SlotSet): Expression[] =>
    forSlots(set, (slot) =>
      storeExpression(m, storeName(slot.type), Layout.STATE + slot.offset, i32(0), local(homes[slot.number], slot.type)),
    );
  const reload = (set: SlotSet): Expression[] =>
    forSlots(set, (slot) => m.local.set(homes[slot.number], loadExpression(m, loadName(slot.type), Layout.STATE + slot.offset, i32(0))));
  /**
   * Guest instructions that were completed are counted down from the local late, where paths meet or leave: `unpaid` are
   * those not yet counted down on the way here.
   */
  const pay = (unpaid: number): Expression[] => (unpaid === 0 ? [] : [m.local.set(BUDGET, m.i32.sub(local(BUDGET), i32(unpaid)))]);
  const budgetAfter = (unpaid: number): Expression => (unpaid === 0 ? local(BUDGET) : m.i32.sub(local(BUDGET), i32(unpaid)));
  const storeBudget = (unpaid: number): Expression => header(Layout.BUDGET, budgetAfter(unpaid));
  const loadBudget = (): Expression => m.local.set(BUDGET, m.i32.load(Layout.BUDGET, 4, i32(0)));
  /** What a device or a helper does may want the guest to stop soon (stopSoon): the local is what is left and what is not yet paid. */
  const budgetAgain = (unpaid: number): Expression => m.local.set(BUDGET, m.i32.add(m.i32.load(Layout.BUDGET, 4, i32(0)), i32(unpaid)));
  const callHelper = (name: string, args: Expression[]): Expression => {
    context.useHelper(name);
    return m.call(name, args, binaryen.i32);
  };
  const leave = (kind: ExitKind, pc: number, unpaid: number, args: readonly number[] = []): Expression[] => [
    ...args.map((arg, i) => header(Layout.EXIT_ARG0 + 4 * i, i32(arg))),
    m.return(callHelper('exitRegion', [i32(kind), i32(pc), budgetAfter(unpaid)])),
  ];
  /** Leaves with ExitKind.Budget before `pc` unless `need` instructions can be paid. */
  const checkBudget = (need: number, pc: number, dirty: SlotSet): Expression =>
    m.if(m.i32.lt_s(local(BUDGET), i32(need)), m.block(null, [...spill(dirty), ...leave(ExitKind.Budget, pc, 0)]));

  /** Model `paged`: where accesses that fault leave, by the registers that are to be written; they share that code, and tell their pc in a local. */
  const faults = new Map<string, { readonly label: string; readonly dirty: SlotSet }>();
  let faultLocal = -1;
  const faultPc = (): number => {
    if (faultLocal < 0) faultLocal = 1 + locals.push(Type.I32);
    return faultLocal;
  };
  const faultLabel = (dirty: SlotSet): string => {
    const key = `${dirty.lo},${dirty.hi}`;
    const known = faults.get(key);
    if (known) return known.label;
    const label = `fault${faults.size}`;
    faults.set(key, { label, dirty });
    return label;
  };
  const withFaults = (body: readonly Expression[]): readonly Expression[] => {
    let all = body;
    for (const { label, dirty } of faults.values()) {
      const left = m.i32.load(Layout.BUDGET, 4, i32(0));
      const out = m.return(callHelper('exitRegion', [i32(ExitKind.MemoryFault), local(faultPc()), left]));
      all = [labelledBlock(m, label, all), ...spill(dirty), out];
    }
    return all;
  };

  const callParams = binaryen.createType([binaryen.i32, binaryen.i32]);
  const callTable = (index: Expression, args: Expression[], tail: boolean): Expression =>
    tail
      ? m.return_call_indirect(TABLE, index, args, callParams, binaryen.i32)
      : m.call_indirect(TABLE, index, args, callParams, binaryen.i32);

  /**
   * Goes on at a pc outside: as a call whose result is the expression's value, or as a tail call. Code that is not in the
   * look-up table is left to the dispatcher, which gets the pc as the result.
   */
  function lookUp(target: () => Expression, entry: () => Expression, offset: number, tail: boolean): Expression {
    const depth = local(tail ? DEPTH_PARAM : CALLEE_DEPTH);
    const found = m.i32.eq(m.i32.load(Layout.REGION_HASH + offset, 4, entry()), target());
    const call = callTable(m.i32.load(HASH_ENTRY_TARGET + offset, 4, entry()), [target(), depth], tail);
    const missing = context.compileMissing ? callHelper('compileMissing', [target(), local(tail ? DEPTH_PARAM : CALLEE_DEPTH)]) : target();
    return m.if(found, call, tail ? m.return(missing) : missing);
  }
  function goToLocal(target: number, tail: boolean): Expression[] {
    const entry = temporary(Type.I32);
    const folded = m.i32.xor(local(target), m.i32.shr_u(local(target), i32(16)));
    const mixed = mode === 0 ? folded : m.i32.xor(folded, i32(mode));
    const set = m.local.set(entry, m.i32.shl(m.i32.and(mixed, i32(Layout.HASH_MASK)), i32(3)));
    return [
      set,
      lookUp(
        () => local(target),
        () => local(entry),
        0,
        tail,
      ),
    ];
  }
  function goTo(pc: number, tail: boolean): Expression {
    const args = (): Expression[] => [i32(pc), local(tail ? DEPTH_PARAM : CALLEE_DEPTH)];
    const name = context.functionAt(pc);
    if (name !== undefined) return tail ? m.return_call(name, args(), binaryen.i32) : m.call(name, args(), binaryen.i32);
    const slot = context.callSlot(pc);
    if (slot !== undefined) return callTable(slot, args(), tail);
    return lookUp(
      () => i32(pc),
      () => i32(0),
      hashOffset(pc),
      tail,
    );
  }

  /** `unpaid`: instructions completed on the way here that BUDGET still holds. */
  function emitBlock(i: number, unpaid: number): Expression[] {
    const block = region.blocks[i];
    const out: Expression[] = [];
    for (const p of pool.values()) p.used = 0;
    const expected = context.expectedBytes(block.pc);
    if (expected) out.push(...verifyBytes(block, expected, plan.spillIn[i], unpaid));
    const uses = useCounts(block);
    const at = emitPositions(block, uses);
    const kept = keepsRegister(block, uses, at, context.slots);
    const place = new Int32Array(block.length).fill(-1);
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
        const args = helper.params.map((_, k) => value(block.operand(v, k + 1)));
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
        const raw = load('i32.load16_u');
        const swapped = byteSwap(m, 2, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return info.name === 'i32.load16_s' ? m.i32.extend16_s(swapped) : swapped;
      }
      if (info.bytes === 4) {
        const t = temporary(Type.I32);
        const raw = load('i32.load');
        const swapped = byteSwap(m, 4, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return info.result === Type.F32 ? m.f32.reinterpret(swapped) : swapped;
      }
      const t = temporary(Type.I64);
      const raw = load('i64.load');
      const swapped = m.i64x2.extract_lane(byteSwap64(m.local.tee(t, raw, binaryen.i64)), 0);
      return info.result === Type.F64 ? m.f64.reinterpret(swapped) : swapped;
    };
    const loadValue = (v: Value): Expression => swapLoaded(v, (name) => note(loadExpression(m, name, Layout.WINDOW, index(block.a[v]))));
    const byteSwap64 = (x: Expression): Expression => {
      const splat = m.i64x2.splat(x);
      return m.i8x16.swizzle(splat, m.v128.const([7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0]));
    };
    /** Stores a value in the guest's byte order; `store` makes the plain store of that name. */
    const storeSwapped = (v: Value, x: () => Expression, store: (name: string, value: Expression) => Expression): Expression => {
      const info = OPS[block.op[v]];
      const type = info.operands[1] as Type;
      if (block.c[v] === 0 || info.bytes === 1) return store(info.name, x());
      if (info.bytes <= 4) {
        const t = temporary(Type.I32);
        const raw = type === Type.F32 ? m.i32.reinterpret(x()) : x();
        const swapped = byteSwap(m, info.bytes as 2 | 4, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return store(info.bytes === 2 ? 'i32.store16' : 'i32.store', swapped);
      }
      const raw = type === Type.F64 ? m.i64.reinterpret(x()) : x();
      return store('i64.store', m.i64x2.extract_lane(byteSwap64(raw), 0));
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
    const findPlace = (v: Value, fast: (place: Expression) => Expression, otherwise: Expression[]): Expression => {
      const info = OPS[block.op[v]];
      const address = (): Expression => value(block.a[v]);
      const shift = (mode & CodeMode.User) << 1;
      const bit = (info.memory === 'load' ? TlbBit.KernelRead : TlbBit.KernelWrite) << shift;
      const entry = temporary(Type.I32);
      const word = m.i32.load(Layout.TLB, 4, m.i32.shl(m.i32.shr_u(address(), i32(12)), i32(2)));
      const denied = m.i32.eqz(m.i32.and(m.local.tee(entry, word, binaryen.i32), i32(bit)));
      const beyond = context.alignedAccess
        ? m.i32.and(address(), i32(info.bytes - 1))
        : m.i32.gt_u(m.i32.and(address(), i32(0xfff)), i32(0x1000 - info.bytes));
      // two branches, since a comparison costs least where one follows at once
      const slow = `slow${i}_${v}`;
      const past = `past${i}_${v}`;
      const place = m.i32.add(address(), m.i32.and(local(entry), i32(TlbBit.ADDRESS)));
      const quick = [m.br(slow, denied), ...(info.bytes === 1 ? [] : [m.br(slow, beyond)]), fast(place), m.br(past)];
      return labelledBlock(m, past, [labelledBlock(m, slow, quick), ...otherwise]);
    };
    const aroundSlow = (v: Value, failed: (call: Expression) => Expression, name: string): Expression[] => [
      m.if(
        failed(callHelper(name, [value(block.a[v]), i32(OPS[block.op[v]].bytes), budgetAfter(unpaid + done)])),
        m.block(null, [m.local.set(faultPc(), i32(pc)), m.br(faultLabel(plan.spillAt[i].get(v)!))]),
      ),
      budgetAgain(unpaid + done),
    ];
    const pagedLoad = (v: Value): number => {
      const info = OPS[block.op[v]];
      const from = temporary(Type.I32);
      const found = (call: Expression): Expression => m.i32.eqz(m.local.tee(from, call, binaryen.i32));
      out.push(findPlace(v, (place) => m.local.set(from, place), aroundSlow(v, found, 'regionRead')));
      const result = temporary(info.result);
      out.push(
        m.local.set(
          result,
          swapLoaded(v, (name) => loadExpression(m, name, 0, local(from))),
        ),
      );
      return result;
    };
    const pagedStore = (v: Value): void => {
      const info = OPS[block.op[v]];
      const type = info.operands[1] as Type;
      const held = temporary(type);
      const store = (place: Expression): Expression =>
        storeSwapped(
          v,
          () => local(held, type),
          (name, x) => storeExpression(m, name, 0, place, x),
        );
      const slow = aroundSlow(v, (call) => call, 'regionWrite');
      out.push(m.local.set(held, value(block.b[v])));
      out.push(findPlace(v, store, [store(i32(Layout.SCRATCH)), ...slow]));
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
      const state = spill(plan.spillAt[i].get(v)!);
      const rest: Expression[] = [];
      if (slowPaths !== 'leave') rest.push(m.br(past, m.i32.eqz(value(block.c[v]))));
      if (slowPaths === 'call') {
        const helper = block.helpers[block.d[v]];
        const { result } = OPS[block.op[v]];
        context.useHelper(helper.name);
        rest.push(
          ...state,
          storeBudget(unpaid + done),
          m.if(m.call(helper.name, [], binaryen.i32), m.block(null, leave(ExitKind.Exception, pc, unpaid + done))),
          m.local.set(place[v], loadExpression(m, loadName(result), Layout.SLOW_RESULT, i32(0))),
        );
      } else rest.push(...state, ...leave(ExitKind.Slow, restart, unpaid + restarted, [region.entry]));
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

    out.push(...emitTerminator(i, block.terminator, pc, unpaid + block.instructions, value));
    return out;
  }

  function verifyBytes(block: Block, bytes: Uint8Array, dirty: SlotSet, unpaid: number): Expression[] {
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

  const loopLabel = (i: number): string => `loop${i}`;
  const blockLabel = (i: number): string => `block${i}`;

  /** Whether the budget has to be right when the edge is taken, since it meets others. */
  const meets = (i: number, to: number): boolean => to !== OUTSIDE && (to <= i || region.isMerge[to] || region.isLoopHeader[to]);

  /** Goes on at successor number `which` of block i. */
  function emitEdge(i: number, which: number, pc: number, unpaid: number): Expression[] {
    const to = region.successors[i][which];
    if (to === OUTSIDE) return [...spill(plan.spillOut[i]), storeBudget(unpaid), goTo(pc, true)];
    if (!meets(i, to)) return emitTree(to, unpaid);
    if (to <= i) return [...pay(unpaid), m.br(loopLabel(to))];
    if (region.isMerge[to]) return [...pay(unpaid), m.br(blockLabel(to))];
    return [...pay(unpaid), ...emitTree(to, 0)];
  }

  /**
   * Goes to one of the targets that a jump was seen to take, in the region; `miss` is where it goes on if it is none of them.
   * A few bits of the pc that tell the targets apart select the case, which then compares the whole pc.
   */
  function emitSwitch(i: number, target: number, pcs: readonly number[], unpaid: number): Expression[] {
    const inside = pcs.map((pc, which) => ({ pc, which })).filter(({ which }) => region.successors[i][which] !== OUTSIDE);
    const { shift, bits } = distinguish(inside.map(({ pc }) => pc));
    const miss = `miss${i}`;
    const label = (which: number): string => `case${i}_${which}`;
    const labels = Array.from({ length: 1 << bits }, () => miss);
    for (const { pc, which } of inside) labels[(pc >>> shift) & ((1 << bits) - 1)] = label(which);
    const selector = m.i32.and(m.i32.shr_u(local(target), i32(shift)), i32((1 << bits) - 1));
    let body: Expression = m.switch(labels, miss, selector);
    for (const { pc, which } of inside) {
      body = m.block(null, [
        labelledBlock(m, label(which), [body]),
        m.br(miss, m.i32.ne(local(target), i32(pc))),
        ...emitEdge(i, which, pc, unpaid),
      ]);
    }
    return [labelledBlock(m, miss, [body])];
  }

  /** Leaves with a memory fault at `pc` if the stack pointer does not point to where a call can write. State is in memory. */
  function checkStack(pc: number, unpaid: number): Expression[] {
    if (context.stackPointer === undefined) return [];
    const home = homes[context.slots.at(context.stackPointer, Type.I32)?.number ?? -1];
    const pointer = (): Expression => (home === undefined ? m.i32.load(Layout.STATE + context.stackPointer!, 4, i32(0)) : local(home));
    const page = m.i32.load8_u(Layout.PAGES, 1, m.i32.shr_u(pointer(), i32(12)));
    const fault = callHelper('exitOnStackFault', [pointer(), i32(pc), budgetAfter(unpaid - 1)]);
    return [m.if(m.i32.eqz(m.i32.and(page, i32(PagePermission.Write))), m.return(fault))];
  }

  /** `pc`: the block's last instruction. */
  function emitTerminator(i: number, t: Terminator, pc: number, unpaid: number, value: (v: Value) => Expression): Expression[] {
    const flush = (): Expression[] => [...spill(plan.spillOut[i]), storeBudget(unpaid)];
    switch (t.kind) {
      case 'goto':
        return emitEdge(i, 0, t.pc, unpaid);
      case 'branch': {
        const condition = value(t.condition);
        const both = region.successors[i].every((to) => meets(i, to));
        const rest = both ? 0 : unpaid;
        const taken = emitEdge(i, 0, t.taken, rest);
        const next = emitEdge(i, 1, t.next, rest);
        return [...pay(unpaid - rest), m.if(condition, m.block(null, taken), m.block(null, next))];
      }
      case 'call':
        if (region.isInlined[i]) return emitEdge(i, 0, t.target, unpaid);
        return [...flush(), ...checkStack(pc, unpaid), m.local.set(RESULT, goTo(t.target, false)), ...afterCall(i, t.next)];
      case 'call-indirect': {
        const target = temporary(Type.I32);
        const setTarget = m.local.set(target, value(t.target));
        const [find, call] = goToLocal(target, false);
        return [setTarget, ...flush(), ...checkStack(pc, unpaid), find, m.local.set(RESULT, call), ...afterCall(i, t.next)];
      }
      case 'return': {
        const out = [m.local.set(RESULT, value(t.target))];
        const next = region.returnsTo[i];
        if (next === undefined) return [...out, ...flush(), m.return(local(RESULT))];
        const elsewhere = m.block(null, [...flush(), m.return(local(RESULT))]);
        return [...out, m.if(m.i32.ne(local(RESULT), i32(next)), elsewhere), ...emitEdge(i, 0, next, unpaid)];
      }
      case 'jump': {
        const target = temporary(Type.I32);
        const setTarget = m.local.set(target, value(t.target));
        const go = goToLocal(target, true);
        const pcs = region.jumpTargets.get(region.blocks[i].pc) ?? [];
        const cases = region.successors[i].some((to) => to !== OUTSIDE) ? emitSwitch(i, target, pcs, unpaid) : [];
        const site = context.noteJump(region.blocks[i], () => local(target));
        return [setTarget, ...cases, ...(site === undefined ? [] : [site]), ...flush(), ...go];
      }
      case 'exit':
        return [...spill(plan.spillOut[i]), ...leave(t.exit, t.pc, unpaid, t.args)];
    }
  }

  /** After the callee came back: on at `next` if it returned there, else out the same way. */
  function afterCall(i: number, next: number): Expression[] {
    const to = region.successors[i][0];
    const out = [m.if(m.i32.ne(local(RESULT), i32(next)), m.return(local(RESULT)))];
    if (to === OUTSIDE) return [...out, goTo(next, true)];
    out.push(loadBudget());
    const clean = { lo: 0, hi: 0 };
    if (!region.isLoopHeader[to]) out.push(checkBudget(longest[to], next, clean));
    out.push(...reload(plan.liveIn[to]), ...emitEdge(i, 0, next, 0));
    return out;
  }

  /** Ramsey, "Beyond Relooper" (2022): the dominator tree says how blocks nest. */
  function emitTree(i: number, unpaid: number): Expression[] {
    const merges = region.dominatorChildren[i].filter((child) => region.isMerge[child]);
    const inner = emitWithin(i, merges, unpaid);
    if (!region.isLoopHeader[i]) return inner;
    return [m.loop(loopLabel(i), m.block(null, [checkBudget(longest[i], region.blocks[i].pc, plan.spillIn[i]), ...inner]))];
  }
  function emitWithin(i: number, merges: readonly number[], unpaid: number): Expression[] {
    if (merges.length === 0) return emitBlock(i, unpaid);
    // the merge block that comes last in reverse postorder is the outermost
    const last = merges[merges.length - 1];
    return [labelledBlock(m, blockLabel(last), emitWithin(i, merges.slice(0, -1), unpaid)), ...emitTree(last, 0)];
  }

  const body = emitTree(0, 0);
  const cost = frameCost(locals.length);
  const left = m.local.tee(CALLEE_DEPTH, m.i32.sub(local(DEPTH_PARAM), i32(cost)), binaryen.i32);
  const prologue = [m.if(m.i32.lt_s(left, i32(0)), m.return(local(PC_PARAM))), loadBudget()];
  for (const { page, word } of paged?.pages ?? []) {
    const current = m.i32.and(m.i32.load(Layout.TLB + 4 * page, 4, i32(0)), i32(TlbBit.ADDRESS | word));
    const isSame = callHelper('samePage', [i32(page * 4096), i32(word)]);
    prologue.push(m.if(m.i32.ne(current, i32(word)), m.if(m.i32.eqz(isSame), m.block(null, leave(ExitKind.Miss, region.entry, 0)))));
  }
  if (!region.isLoopHeader[0]) prologue.push(checkBudget(longest[0], region.entry, { lo: 0, hi: 0 }));
  prologue.push(...reload(plan.entry));
  const types = locals.map((type) => WASM_TYPES[type]);
  m.addFunction(name, callParams, binaryen.i32, types, m.block(null, [...prologue, ...withFaults([...body, m.unreachable()])]));
}

/** Estimated bytes of machine stack that a frame takes in an engine's baseline code, which keeps every local in it. */
export const frameCost = (locals: number): number => 160 + 8 * locals;

/** A shift and a number of bits that differ between all of these pcs, or as many as eight bits can tell apart. */
function distinguish(pcs: readonly number[]): { shift: number; bits: number } {
  let best = { shift: 0, bits: 8 };
  let most = 0;
  for (let bits = 1; bits <= 8; bits++) {
    for (let shift = 0; shift < 20; shift++) {
      const different = new Set(pcs.map((pc) => (pc >>> shift) & ((1 << bits) - 1))).size;
      if (different === pcs.length) return { shift, bits };
      if (different > most) {
        most = different;
        best = { shift, bits };
      }
    }
  }
  return best;
}

/** Guest instructions on the longest way from each block to the next budget check (loop header, return of a call, exit). */
function longestPaths(region: Region): Int32Array {
  const longest = new Int32Array(region.blocks.length);
  for (let i = region.blocks.length - 1; i >= 0; i--) {
    const block = region.blocks[i];
    let rest = 0;
    if (!callsOut(region, i))
      for (const to of region.successors[i]) if (to > i && !region.isLoopHeader[to]) rest = Math.max(rest, longest[to]);
    longest[i] = block.instructions + rest;
  }
  return longest;
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
