import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Layout } from '../../../assembly/shared/layout.ts';
import type { Block } from '../../ir/block.ts';
import { mapped } from '../../ir/lists.ts';
import { Type } from '../../ir/ops.ts';
import {
  binaryen,
  type Constructors,
  type Expression,
  labelledBlock,
  loadExpression,
  loadName,
  type Module,
  storeExpression,
  storeName,
  WASM_TYPES,
} from './expressions.ts';
import type { SlowPaths } from './options.ts';
import type { Region } from './region.ts';
import { both, has, type Slot, type SlotPlan, type SlotSet, type Slots } from './slots.ts';

/** What the emitter needs to know beyond the region itself. */
export interface EmitContext {
  readonly module: Module;
  /** Of the function. */
  readonly name: string;
  readonly constructors: Constructors;
  readonly slots: Slots;
  /** Page permissions are checked, with precise faults. */
  readonly checked: boolean;
  /** Memory model paged: what the code was lifted for, and where its pages are. */
  readonly paged: { readonly mode: number; readonly pages: readonly { readonly page: number; readonly word: number }[] } | undefined;
  /** Memory model paged: see PagedOptions.calls. */
  readonly callsAccesses: boolean;
  /** Memory model paged: an access that is not naturally aligned faults. */
  readonly alignedAccess: boolean;
  readonly slowPaths: SlowPaths;
  /** Where calls have to look whether it points to memory; see Isa.stackPointer. */
  readonly stackPointer: number | undefined;
  /** Index in the function table through which code at this pc is called, if it has one. */
  callSlot(pc: number): Expression | undefined;
  /** Code that has not been compiled is compiled when it is called. */
  readonly compileMissing: boolean;
  /** See CompileOptions. */
  readonly callsThrough: boolean;
  /** Where the indirect call at the end of the block at this pc is likely to go. */
  likelyCallee(pc: number): number | undefined;
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

export const PC_PARAM = 0;
export const DEPTH_PARAM = 1;
const BUDGET = 2;
export const RESULT = 3;
/** Stack bytes left for callees. */
export const CALLEE_DEPTH = 4;
const FIRST_FREE = 5;

/** What all code of a region's function is made with: its locals, its registers, its budget, the ways out. */
export type RegionFunction = ReturnType<typeof beginFunction>;

export function beginFunction(region: Region, plan: SlotPlan, context: EmitContext) {
  const { module: m } = context;
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
  const freeTemporaries = (): void => {
    for (const p of pool.values()) p.used = 0;
  };
  const i32 = (n: number): Expression => m.i32.const(n | 0);
  const local = (index: number, type: Type = Type.I32): Expression => m.local.get(index, WASM_TYPES[type]);
  const header = (address: number, value: Expression): Expression => m.i32.store(address, 4, i32(0), value);
  const forSlots = (set: SlotSet, f: (slot: Slot) => Expression): Expression[] => {
    const out: Expression[] = [];
    if (set.lo !== 0 || set.hi !== 0) for (const slot of context.slots.all) if (has(set, slot.number)) out.push(f(slot));
    return out;
  };
  const spillAll = (set: SlotSet): Expression[] =>
    forSlots(set, (slot) =>
      storeExpression(m, storeName(slot.type), Layout.STATE + slot.offset, i32(0), local(homes[slot.number], slot.type)),
    );
  const spill = (set: SlotSet): Expression[] => spillAll(both(set, context.slots.kept));
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
  const leaveAt = (kind: ExitKind, pc: Expression, unpaid: number): Expression =>
    m.return(callHelper('exitRegion', [i32(kind), pc, budgetAfter(unpaid)]));
  const leave = (kind: ExitKind, pc: number, unpaid: number, args: readonly number[] = []): Expression[] => [
    ...mapped(args, (arg, i) => header(Layout.EXIT_ARG0 + 4 * i, i32(arg))),
    leaveAt(kind, i32(pc), unpaid),
  ];
  /** Leaves with ExitKind.Budget before `pc` unless `need` instructions can be paid. */
  const checkBudget = (need: number, pc: Expression, dirty: SlotSet): Expression =>
    m.if(m.i32.lt_s(local(BUDGET), i32(need)), m.block(null, [...spill(dirty), leaveAt(ExitKind.Budget, pc, 0)]));

  /** Model `paged`: where accesses leave that fault, or are not for a region, by the registers that are to be written; they share that code, and tell their pc in a local. */
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
    const kind = context.callsAccesses ? ExitKind.MemoryFault : ExitKind.Unmapped;
    const unmapped = context.callsAccesses ? [] : [header(Layout.EXIT_ARG0, i32(region.entry))];
    for (const { label, dirty } of faults.values()) {
      const left = m.i32.load(Layout.BUDGET, 4, i32(0));
      const out = m.return(callHelper('exitRegion', [i32(kind), local(faultPc()), left]));
      all = [labelledBlock(m, label, all), ...spill(dirty), ...unmapped, out];
    }
    return all;
  };

  return {
    region,
    plan,
    context,
    m,
    locals,
    homes,
    temporary,
    freeTemporaries,
    i32,
    local,
    header,
    spill,
    /** With what the slow path of the instruction reads. */
    spillAll,
    reload,
    pay,
    budgetAfter,
    storeBudget,
    loadBudget,
    budgetAgain,
    callHelper,
    leave,
    leaveAt,
    checkBudget,
    faultPc,
    faultLabel,
    withFaults,
  };
}
