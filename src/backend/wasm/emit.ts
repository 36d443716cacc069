import { ExitKind, FaultAccess, RegionResult } from '../../../assembly/shared/exit.ts';
import { Layout, PagePermission } from '../../../assembly/shared/layout.ts';
import type { Block, Terminator, Value } from '../../ir/block.ts';
import { OPS, op, STATE_GRANULES, Type } from '../../ir/ops.ts';
import { isConditional } from '../../isa/isa.ts';
import {
  binaryen,
  byteSwap,
  constant,
  type Expression,
  isConstant,
  loadExpression,
  loadName,
  type Module,
  type plainConstructors,
  storeExpression,
  storeName,
  WASM_TYPES,
} from './expressions.ts';
import { OUTSIDE, type Region } from './region.ts';
import { has, isBarrier, type SlotPlan, type SlotSet, type Slots, STATE_ACCESS } from './slots.ts';

const HELPER = op('helper');
const EXIT_IF = op('exit.if');
const INSN = op('insn');
const I32_ADD = op('i32.add');
const I32_CONST = op('i32.const');
const SHUFFLE = op('i8x16.shuffle');
const IS_SELECT = OPS.map((info) => info.name.startsWith('select.'));
const IS_LANE = OPS.map((info) => /_lane/.test(info.name));

/** What the emitter needs to know beyond the region itself. */
export interface EmitContext {
  readonly module: Module;
  readonly constructors: ReturnType<typeof plainConstructors>;
  readonly slots: Slots;
  /** Page permissions are checked, with precise faults. */
  readonly checked: boolean;
  /** See Isa.stackPointer. */
  readonly stackPointer: number | undefined;
  /** Index in the function table through which code at this pc is called. */
  callSlot(pc: number): number;
  /** Name of the function in this module that holds the region of this pc. */
  functionAt(pc: number): string | undefined;
  /** Bytes that the code at the block must still have, where code may change unnoticed. */
  expectedBytes(block: Block): Uint8Array | undefined;
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

export const functionName = (pc: number): string => `r${(pc >>> 0).toString(16).padStart(8, '0')}`;

/** Adds the region's function to the module: (pc, depth) → next pc or RegionResult.EXIT. */
export function emitRegion(region: Region, plan: SlotPlan, context: EmitContext): void {
  const m = context.module;
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

  const forSlots = (set: SlotSet, f: (slot: { number: number; offset: number; type: Type }) => Expression): Expression[] =>
    set.lo === 0 && set.hi === 0 ? [] : context.slots.all.filter((slot) => has(set, slot.number)).map(f);
  const spill = (set: SlotSet): Expression[] =>
    forSlots(set, (slot) =>
      storeExpression(m, storeName(slot.type), Layout.STATE + slot.offset, i32(0), local(homes[slot.number], slot.type)),
    );
  const reload = (set: SlotSet): Expression[] =>
    forSlots(set, (slot) => m.local.set(homes[slot.number], loadExpression(m, loadName(slot.type), Layout.STATE + slot.offset, i32(0))));
  /** `spent`: instructions of the current block that were completed; the local is only counted down where a block ends. */
  const storeBudget = (spent: number): Expression =>
    header(Layout.BUDGET, spent === 0 ? local(BUDGET) : m.i32.sub(local(BUDGET), i32(spent)));
  const loadBudget = (): Expression => m.local.set(BUDGET, m.i32.load(Layout.BUDGET, 4, i32(0)));
  const returnExit = (): Expression => m.return(i32(RegionResult.EXIT));
  const leave = (kind: ExitKind, pc: number, args: readonly number[]): Expression[] => [
    header(Layout.PC, i32(pc)),
    header(Layout.EXIT_KIND, i32(kind)),
    ...args.map((arg, i) => header(Layout.EXIT_ARG0 + 4 * i, i32(arg))),
    returnExit(),
  ];
  /** Leaves with ExitKind.Budget before `pc` unless `need` instructions can be paid. */
  const checkBudget = (need: number, pc: number, dirty: SlotSet): Expression =>
    m.if(m.i32.lt_s(local(BUDGET), i32(need)), m.block(null, [...spill(dirty), storeBudget(0), ...leave(ExitKind.Budget, pc, [])]));

  /** Calls the region that the look-up table holds for the pc in a local, or goes there through the dispatcher. */
  const lookUp = (target: number, hash: number): { set: Expression; found: Expression; index: Expression } => ({
    set: m.local.set(
      hash,
      m.i32.shl(m.i32.and(m.i32.xor(local(target), m.i32.shr_u(local(target), i32(16))), i32(Layout.HASH_MASK)), i32(3)),
    ),
    found: m.i32.eq(m.i32.load(Layout.REGION_HASH, 4, local(hash)), local(target)),
    index: m.i32.load(HASH_ENTRY_TARGET, 4, local(hash)),
  });
  const callParams = binaryen.createType([binaryen.i32, binaryen.i32]);

  function emitBlock(i: number): Expression[] {
    const block = region.blocks[i];
    const out: Expression[] = [];
    for (const p of pool.values()) p.used = 0;
    const expected = context.expectedBytes(block);
    if (expected) out.push(...verifyBytes(block, expected, plan.spillIn[i]));
    const uses = useCounts(block);
    const at = emitPositions(block, uses);
    const kept = keepsRegister(block, uses, at);
    const place = new Int32Array(block.length).fill(-1);
    let done = -1;
    let pc = block.pc;

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
    const loadValue = (v: Value): Expression => {
      const info = OPS[block.op[v]];
      if (block.b[v] === 0 || info.bytes === 1) return note(loadExpression(m, info.name, Layout.WINDOW, index(block.a[v])));
      if (info.bytes === 2) {
        const t = temporary(Type.I32);
        const raw = note(m.i32.load16_u(Layout.WINDOW, 1, index(block.a[v])));
        const swapped = byteSwap(m, 2, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return info.name === 'i32.load16_s' ? m.i32.extend16_s(swapped) : swapped;
      }
      if (info.bytes === 4) {
        const t = temporary(Type.I32);
        const raw = note(m.i32.load(Layout.WINDOW, 1, index(block.a[v])));
        const swapped = byteSwap(m, 4, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return info.result === Type.F32 ? m.f32.reinterpret(swapped) : swapped;
      }
      const t = temporary(Type.I64);
      const raw = note(m.i64.load(Layout.WINDOW, 1, index(block.a[v])));
      const swapped = m.i64x2.extract_lane(byteSwap64(m.local.tee(t, raw, binaryen.i64)), 0);
      return info.result === Type.F64 ? m.f64.reinterpret(swapped) : swapped;
    };
    const byteSwap64 = (x: Expression): Expression => {
      const splat = m.i64x2.splat(x);
      return m.i8x16.swizzle(splat, m.v128.const([7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0]));
    };
    const storeValue = (v: Value): Expression => {
      const info = OPS[block.op[v]];
      const type = info.operands[1] as Type;
      if (block.c[v] === 0 || info.bytes === 1)
        return note(storeExpression(m, info.name, Layout.WINDOW, index(block.a[v]), value(block.b[v])), true);
      if (info.bytes <= 4) {
        const t = temporary(Type.I32);
        const raw = type === Type.F32 ? m.i32.reinterpret(value(block.b[v])) : value(block.b[v]);
        const swapped = byteSwap(m, info.bytes as 2 | 4, (first) => (first ? m.local.tee(t, raw, binaryen.i32) : local(t)));
        return note(storeExpression(m, info.bytes === 2 ? 'i32.store16' : 'i32.store', Layout.WINDOW, index(block.a[v]), swapped), true);
      }
      const raw = type === Type.F64 ? m.i64.reinterpret(value(block.b[v])) : value(block.b[v]);
      return note(m.i64.store(Layout.WINDOW, 1, index(block.a[v]), m.i64x2.extract_lane(byteSwap64(raw), 0)), true);
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
          m.block(null, [...spill(plan.spillAt[i].get(v)!), storeBudget(done), ...leave(ExitKind.MemoryFault, pc, [])]),
        ),
      );
    };

    for (let v = 0; v < block.length; v++) {
      const number = block.op[v];
      const info = OPS[number];
      if (number === INSN) {
        pc = block.a[v] >>> 0;
        done++;
        continue;
      }
      if (STATE_ACCESS[number] === 'set') {
        const type = block.typeOf(block.b[v]);
        const slot = context.slots.at(block.a[v], type);
        const x = value(block.b[v]);
        out.push(slot ? m.local.set(homes[slot.number], x) : storeExpression(m, storeName(type), Layout.STATE + block.a[v], i32(0), x));
        continue;
      }
      if (info.memory && context.checked) {
        // the address is needed several times
        const address = block.a[v];
        if (place[address] < 0 && !isConstant(block.op[address])) {
          place[address] = temporary(Type.I32);
          out.push(m.local.set(place[address], compute(address)));
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
        out.push(m.if(value(block.a[v]), m.block(null, [...spill(plan.spillAt[i].get(v)!), storeBudget(done), ...leave(kind, pc, args)])));
        continue;
      }
      if (isBarrier(block, v)) {
        // an operand that is a register keeps its value in the local; memory is written first
        out.push(...spill(plan.spillAt[i].get(v)!), storeBudget(done + 1), header(Layout.PC, i32(pc)));
        if (block.typeOf(v) === Type.None) out.push(compute(v));
        else place[v] = define(v);
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

    if (block.instructions > 0) out.push(m.local.set(BUDGET, m.i32.sub(local(BUDGET), i32(block.instructions))));
    out.push(...emitTerminator(i, block.terminator, pc, value));
    return out;
  }

  function verifyBytes(block: Block, bytes: Uint8Array, dirty: SlotSet): Expression[] {
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
    return [m.if(differs, m.block(null, [...spill(dirty), storeBudget(0), ...leave(ExitKind.Stale, block.pc, [])]))];
  }

  const loopLabel = (i: number): string => `loop${i}`;
  const blockLabel = (i: number): string => `block${i}`;

  /** Goes on at successor number `which` of block i. */
  function emitEdge(i: number, which: number, pc: number): Expression[] {
    const to = region.successors[i][which];
    if (to === OUTSIDE) {
      return [
        ...spill(plan.spillOut[i]),
        storeBudget(0),
        m.return_call_indirect(TABLE, i32(context.callSlot(pc)), [i32(pc), local(DEPTH_PARAM)], callParams, binaryen.i32),
      ];
    }
    if (to <= i) return [m.br(loopLabel(to))];
    if (region.isMerge[to]) return [m.br(blockLabel(to))];
    return emitTree(to);
  }

  /**
   * Goes to one of the targets that a jump was seen to take, in the region; `miss` is where it goes on if it is none of them.
   * A few bits of the pc that tell the targets apart select the case, which then compares the whole pc.
   */
  function emitSwitch(i: number, target: number, pcs: readonly number[]): Expression[] {
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
        m.block(label(which), [body], binaryen.none),
        m.br(miss, m.i32.ne(local(target), i32(pc))),
        ...emitEdge(i, which, pc),
      ]);
    }
    return [m.block(miss, [body], binaryen.none)];
  }

  /** Leaves with a memory fault at `pc` if the stack pointer does not point to where a call can write. State is in memory. */
  function checkStack(pc: number): Expression[] {
    if (context.stackPointer === undefined || context.checked) return [];
    const pointer = (): Expression => m.i32.load(Layout.STATE + context.stackPointer!, 4, i32(0));
    const page = m.i32.load8_u(Layout.PAGES, 1, m.i32.shr_u(pointer(), i32(12)));
    const fault = [
      header(Layout.EXIT_ARG0, pointer()),
      header(Layout.EXIT_ARG1, i32(FaultAccess.Write)),
      storeBudget(-1),
      ...leave(ExitKind.MemoryFault, pc, []),
    ];
    return [m.if(m.i32.eqz(m.i32.and(page, i32(PagePermission.Write))), m.block(null, fault))];
  }

  /** `pc`: the block's last instruction. */
  function emitTerminator(i: number, t: Terminator, pc: number, value: (v: Value) => Expression): Expression[] {
    const flush = (): Expression[] => [...spill(plan.spillOut[i]), storeBudget(0)];
    switch (t.kind) {
      case 'goto':
        return emitEdge(i, 0, t.pc);
      case 'branch': {
        const condition = value(t.condition);
        const taken = emitEdge(i, 0, t.taken);
        const next = emitEdge(i, 1, t.next);
        return [m.if(condition, m.block(null, taken), m.block(null, next))];
      }
      case 'call': {
        const inModule = context.functionAt(t.target);
        const args = [i32(t.target), local(CALLEE_DEPTH)];
        const call = inModule
          ? m.call(inModule, args, binaryen.i32)
          : m.call_indirect(TABLE, i32(context.callSlot(t.target)), args, callParams, binaryen.i32);
        return [...flush(), ...checkStack(pc), m.local.set(RESULT, call), ...afterCall(i, t.next)];
      }
      case 'call-indirect': {
        const target = temporary(Type.I32);
        const hash = temporary(Type.I32);
        const setTarget = m.local.set(target, value(t.target));
        const look = lookUp(target, hash);
        const call = m.call_indirect(TABLE, look.index, [local(target), local(CALLEE_DEPTH)], callParams, binaryen.i32);
        return [
          setTarget,
          ...flush(),
          ...checkStack(pc),
          look.set,
          m.local.set(RESULT, m.if(look.found, call, local(target))),
          ...afterCall(i, t.next),
        ];
      }
      case 'return':
        return [m.local.set(RESULT, value(t.target)), ...flush(), m.return(local(RESULT))];
      case 'jump': {
        const target = temporary(Type.I32);
        const hash = temporary(Type.I32);
        const setTarget = m.local.set(target, value(t.target));
        const look = lookUp(target, hash);
        const jump = m.return_call_indirect(TABLE, look.index, [local(target), local(DEPTH_PARAM)], callParams, binaryen.i32);
        const pcs = region.jumpTargets(region.blocks[i]);
        const cases = region.successors[i].some((to) => to !== OUTSIDE) ? emitSwitch(i, target, pcs) : [];
        const site = context.noteJump(region.blocks[i], () => local(target));
        return [
          setTarget,
          ...cases,
          ...(site === undefined ? [] : [site]),
          ...flush(),
          look.set,
          m.if(look.found, jump),
          m.return(local(target)),
        ];
      }
      case 'exit':
        return [...flush(), ...leave(t.exit, t.pc, t.args)];
    }
  }

  /** After the callee came back: on at `next` if it returned there, else out the same way. */
  function afterCall(i: number, next: number): Expression[] {
    const to = region.successors[i][0];
    const out = [m.if(m.i32.ne(local(RESULT), i32(next)), m.return(local(RESULT)))];
    if (to === OUTSIDE) {
      out.push(m.return_call_indirect(TABLE, i32(context.callSlot(next)), [i32(next), local(DEPTH_PARAM)], callParams, binaryen.i32));
      return out;
    }
    out.push(loadBudget());
    const clean = { lo: 0, hi: 0 };
    if (!region.isLoopHeader[to]) out.push(checkBudget(longest[to], next, clean));
    out.push(...reload(plan.liveIn[to]), ...emitEdge(i, 0, next));
    return out;
  }

  /** Ramsey, "Beyond Relooper" (2022): the dominator tree says how blocks nest. */
  function emitTree(i: number): Expression[] {
    const merges = region.dominatorChildren[i].filter((child) => region.isMerge[child]);
    const header = region.isLoopHeader[i];
    const inner = emitWithin(i, merges);
    if (!header) return inner;
    return [m.loop(loopLabel(i), m.block(null, [checkBudget(longest[i], region.blocks[i].pc, plan.spillIn[i]), ...inner]))];
  }
  // named blocks say their type: binaryen would look for it among all branches below, which is quadratic in nested ones
  function emitWithin(i: number, merges: readonly number[]): Expression[] {
    if (merges.length === 0) return emitBlock(i);
    // the merge block that comes last in reverse postorder is the outermost
    const last = merges[merges.length - 1];
    return [m.block(blockLabel(last), emitWithin(i, merges.slice(0, -1)), binaryen.none), ...emitTree(last)];
  }

  const body = emitTree(0);
  const cost = frameCost(locals.length);
  const left = m.local.tee(CALLEE_DEPTH, m.i32.sub(local(DEPTH_PARAM), i32(cost)), binaryen.i32);
  const prologue = [m.if(m.i32.lt_s(left, i32(0)), m.return(local(PC_PARAM))), loadBudget()];
  if (!region.isLoopHeader[0]) prologue.push(checkBudget(longest[0], region.entry, { lo: 0, hi: 0 }));
  prologue.push(...reload(plan.entry));
  const types = locals.map((type) => WASM_TYPES[type]);
  m.addFunction(functionName(region.entry), callParams, binaryen.i32, types, m.block(null, [...prologue, ...body, m.unreachable()]));
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
    if (block.terminator.kind === 'goto' || block.terminator.kind === 'branch' || block.terminator.kind === 'jump') {
      for (const to of region.successors[i]) if (to > i && !region.isLoopHeader[to]) rest = Math.max(rest, longest[to]);
    }
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
function keepsRegister(block: Block, uses: Uint16Array, at: Int32Array): Uint8Array {
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
      kept[v] = uses[v] > 0 && last[v] <= next ? 1 : 0;
    } else if (block.op[v] === HELPER && block.helpers[block.a[v]].state) barrier = v;
  }
  return kept;
}
