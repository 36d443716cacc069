import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Layout, PagePermission, TlbBit } from '../../../assembly/shared/layout.ts';
import type { Terminator } from '../../ir/block.ts';
import { Type } from '../../ir/ops.ts';
import { type EmittedOps, emitOps } from './emit-ops.ts';
import { binaryen, type Expression, labelledBlock, WASM_TYPES } from './expressions.ts';
import { beginFunction, CALLEE_DEPTH, DEPTH_PARAM, type EmitContext, PC_PARAM, RESULT } from './function.ts';
import { sortLatches } from './loops.ts';
import { callsOut, isDispatched, OUTSIDE, type Region } from './region.ts';
import type { SlotPlan } from './slots.ts';

const TABLE = 'table';
const CALL_TABLE = 'callTable';
const HASH_ENTRY_TARGET = Layout.REGION_HASH + 4;

export const functionName = (pc: number, group = 0): string =>
  `r${(pc >>> 0).toString(16).padStart(8, '0')}${group === 0 ? '' : `_${group}`}`;

/** Adds the region's function to the module: (pc, depth) → next pc or RegionResult.EXIT. */
export function emitRegion(region: Region, plan: SlotPlan, context: EmitContext): void {
  const f = beginFunction(region, plan, context);
  const { m, locals, homes, temporary, i32, local, spill, reload, pay, budgetAfter, storeBudget, loadBudget } = f;
  const { callHelper, leave, leaveAt, checkBudget, withFaults } = f;
  const longest = longestPaths(region);
  const latches = sortLatches(region);
  const { paged } = context;
  const mode = paged?.mode ?? 0;
  const hashOffset = (pc: number): number => ((pc ^ (pc >>> 16) ^ mode) & Layout.HASH_MASK) << 3;

  const callParams = binaryen.createType([binaryen.i32, binaryen.i32]);
  function callTable(index: Expression, args: Expression[], tail: boolean): Expression {
    if (context.callsThrough) {
      context.useHelper(CALL_TABLE);
      return m[tail ? 'return_call' : 'call'](CALL_TABLE, [...args, index], binaryen.i32);
    }
    return m[tail ? 'return_call_indirect' : 'call_indirect'](TABLE, index, args, callParams, binaryen.i32);
  }

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

  function emitBlock(i: number, unpaid: number): Expression[] {
    const block = region.blocks[i];
    const ops = emitOps(f, i, unpaid);
    return [...ops.out, ...emitTerminator(i, block.terminator, unpaid + block.instructions, ops)];
  }

  const loopLabel = (i: number): string => `loop${i}`;
  const outerLabel = (i: number): string => `outer${i}`;
  const blockLabel = (i: number): string => `block${i}`;

  /** Whether the budget has to be right when the edge is taken, since it meets others. */
  const meets = (i: number, to: number): boolean => to !== OUTSIDE && (to <= i || region.isMerge[to] || region.isLoopHeader[to]);

  /** Goes on at successor number `which` of block i. */
  function emitEdge(i: number, which: number, pc: number, unpaid: number): Expression[] {
    const to = region.successors[i][which];
    if (to === OUTSIDE) return [...spill(plan.spillOut[i]), storeBudget(unpaid), goTo(pc, true)];
    if (!meets(i, to)) return emitTree(to, unpaid);
    if (to <= i) return [...pay(unpaid), ...spill(plan.spillBack[i]), m.br(latches[to].outer.includes(i) ? outerLabel(to) : loopLabel(to))];
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
    /** By pc: where to look next. Code of a case lies within the labels of those after it. */
    const others = new Map<number, string>();
    for (const { pc, which } of inside.toReversed()) {
      const selected = (pc >>> shift) & ((1 << bits) - 1);
      others.set(pc, labels[selected]);
      labels[selected] = label(which);
    }
    const selector = m.i32.and(m.i32.shr_u(local(target), i32(shift)), i32((1 << bits) - 1));
    let body: Expression = m.switch(labels, miss, selector);
    for (const { pc, which } of inside) {
      body = m.block(null, [
        labelledBlock(m, label(which), [body]),
        m.br(others.get(pc)!, m.i32.ne(local(target), i32(pc))),
        ...emitEdge(i, which, pc, unpaid),
      ]);
    }
    return [labelledBlock(m, miss, [body])];
  }

  /** Leaves with a memory fault at `pc` if the stack pointer does not point to where a call can write. State is in memory after `flush`. */
  function checkStack(pc: number, unpaid: number, flush: readonly Expression[] = []): Expression[] {
    if (context.stackPointer === undefined) return [];
    const home = homes[context.slots.at(context.stackPointer, Type.I32)?.number ?? -1];
    const pointer = (): Expression => (home === undefined ? m.i32.load(Layout.STATE + context.stackPointer!, 4, i32(0)) : local(home));
    const page = m.i32.load8_u(Layout.PAGES, 1, m.i32.shr_u(pointer(), i32(12)));
    const fault = callHelper('exitOnStackFault', [pointer(), i32(pc), budgetAfter(unpaid - 1)]);
    return [m.if(m.i32.eqz(m.i32.and(page, i32(PagePermission.Write))), m.block(null, [...flush, m.return(fault)]))];
  }

  function emitTerminator(i: number, t: Terminator, unpaid: number, { pc, value, differs }: EmittedOps): Expression[] {
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
        if (region.isInlined[i]) return [...checkStack(pc, unpaid, spill(plan.spillOut[i])), ...emitEdge(i, 0, t.target, unpaid)];
        return [...flush(), ...checkStack(pc, unpaid), m.local.set(RESULT, goTo(t.target, false)), ...afterCall(i, t.next)];
      case 'call-indirect': {
        const target = temporary(Type.I32);
        const setTarget = m.local.set(target, value(t.target));
        const [find, call] = goToLocal(target, false);
        const likely = context.likelyCallee(region.blocks[i].pc);
        const anywhere = [find, m.local.set(RESULT, call)];
        const calls =
          likely === undefined
            ? anywhere
            : [m.if(m.i32.eq(local(target), i32(likely)), m.local.set(RESULT, goTo(likely, false)), m.block(null, anywhere))];
        return [setTarget, ...flush(), ...checkStack(pc, unpaid), ...calls, ...afterCall(i, t.next)];
      }
      case 'return': {
        const leaves = [m.local.set(RESULT, value(t.target)), ...flush(), m.return(local(RESULT))];
        const next = region.returnsTo[i];
        if (next === undefined) return leaves;
        return [m.if(differs(t.target, next), m.block(null, leaves)), ...emitEdge(i, 0, next, unpaid)];
      }
      case 'jump': {
        if (isDispatched(region, i))
          return [m.local.set(PC_PARAM, value(t.target)), ...pay(unpaid), ...spill(plan.spillBack[i]), m.br(loopLabel(0))];
        const target = dispatchesAt(i) ? PC_PARAM : temporary(Type.I32);
        const setTarget = dispatchesAt(i) ? m.nop() : m.local.set(target, value(t.target));
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
    if (!region.isLoopHeader[to]) out.push(checkBudget(longest[to], i32(next), clean));
    out.push(...reload(plan.liveIn[to]), ...emitEdge(i, 0, next, 0));
    return out;
  }

  const dispatchesAt = (i: number): boolean => region.dispatches && i === 0;
  /** The pc of a block, or where position 0 is about to go on. */
  const pcOf = (i: number): Expression => (dispatchesAt(i) ? local(PC_PARAM) : i32(region.blocks[i].pc));

  /** Ramsey, "Beyond Relooper" (2022): the dominator tree says how blocks nest. */
  function emitTree(i: number, unpaid: number): Expression[] {
    const merges = region.dominatorChildren[i].filter((child) => region.isMerge[child]);
    const inner = emitWithin(i, merges, unpaid);
    if (!region.isLoopHeader[i]) return inner;
    const loop = m.loop(loopLabel(i), m.block(null, [checkBudget(longest[i], pcOf(i), plan.spillIn[i]), ...inner]));
    return [latches[i].outer.length > 0 ? m.loop(outerLabel(i), loop) : loop];
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
    prologue.push(m.if(m.i32.ne(current, i32(word)), m.if(m.i32.eqz(isSame), leaveAt(ExitKind.Miss, pcOf(0), 0))));
  }
  if (!region.isLoopHeader[0]) prologue.push(checkBudget(longest[0], pcOf(0), { lo: 0, hi: 0 }));
  prologue.push(...reload(plan.entry));
  const types = locals.map((type) => WASM_TYPES[type]);
  m.addFunction(context.name, callParams, binaryen.i32, types, m.block(null, [...prologue, ...withFaults([...body, m.unreachable()])]));
}

/** Estimated bytes of machine stack that a frame takes in an engine's baseline code, which keeps every local in it. */
const frameCost = (locals: number): number => 160 + 8 * locals;

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
