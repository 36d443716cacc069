import { BlockInput, HelperFlag, HelperRow, Ir, LoweringError, TerminatorKind } from '../../../assembly/shared/lowering.ts';
import { BlockHeader } from '../../../assembly/shared/uop.ts';
import type { Block, Terminator } from '../../ir/block.ts';
import { op, TYPE_SIZES, Type } from '../../ir/ops.ts';
import { type Helper, isConditional } from '../../isa/isa.ts';
import type { Runtime } from '../runtime.ts';
import { opRows } from './table.ts';

export interface LowerOptions {
  /** Loads and stores check page permissions. */
  readonly checked?: boolean;
  /** The state before a load or store counts, as for `deadcode`; it does unless told otherwise. */
  readonly preciseMemory?: boolean;
  /** The block leaves with ExitKind.Stale unless these bytes lie at its pc each time it is entered. */
  readonly verifyBytes?: Uint8Array | undefined;
  /** Offset of the stack pointer, if it is to be checked before calls. */
  readonly stackPointer?: number | undefined;
  /** Address of the JumpSite where an indirect jump at the end notes its targets. */
  readonly jumpSite?: number | undefined;
  /** Memory model paged: the pages that the block lies on. */
  readonly mapped?: readonly { readonly word: number }[];
}

const ADD = op('i32.add');
const STORE32 = op('i32.store');
const EQ = op('i32.eq');
const NE = op('i32.ne');

/**
 * Writes a block's µops at `address` (a multiple of four, in UOPS…UOPS_END) and returns the address after them, a
 * multiple of eight. The runtime does it (assembly/lower): it needs not get warm first, as JavaScript would.
 */
export function lowerBlock(block: Block, runtime: Runtime, address: number, options: LowerOptions = {}): number {
  const { ir, bytes } = runtime;
  if (block.op !== ir.opcodes) {
    ir.opcodes.set(block.op);
    ir.a.set(block.a);
    ir.b.set(block.b);
    ir.c.set(block.c);
    ir.d.set(block.d);
  }
  for (let i = 0; i < block.shuffles.length; i++) bytes.set(block.shuffles[i], Ir.SHUFFLES + 16 * i);
  ir.input[BlockInput.LENGTH >>> 2] = block.length;
  ir.input[BlockInput.INSTRUCTIONS >>> 2] = block.instructions;
  putTerminator(ir.input, block.terminator);
  return lowerAssembled(block.pc, block.helpers, runtime, address, options);
}

/** The same for the block at `pc` that Templates have put into the runtime. */
export function lowerAssembled(pc: number, helpers: readonly Helper[], runtime: Runtime, address: number, options: LowerOptions): number {
  const { ir, bytes } = runtime;
  const { input } = ir;
  if (ir.helpers !== helpers) describe(runtime, helpers);
  const { verifyBytes, mapped } = options;
  input[BlockInput.PC >>> 2] = pc;
  input[BlockInput.CHECKED >>> 2] = Number(options.checked ?? false);
  input[BlockInput.PRECISE >>> 2] = Number(options.preciseMemory ?? true);
  input[BlockInput.JUMP_SITE >>> 2] = options.jumpSite ?? 0;
  input[BlockInput.STACK_POINTER >>> 2] = options.stackPointer ?? -1;
  input[BlockInput.PAGE >>> 2] = mapped?.[0]?.word ?? 0;
  input[BlockInput.NEXT_PAGE >>> 2] = mapped?.[1]?.word ?? 0;
  input[BlockInput.VERIFIED >>> 2] = verifyBytes?.length ?? 0;
  if (verifyBytes) bytes.set(verifyBytes, address + BlockHeader.SIZE + 4);
  const end = runtime.lower(address, ADD, STORE32, EQ, NE);
  if (input[BlockInput.ERROR >>> 2] !== LoweringError.None) fail(pc, helpers, runtime);
  return end;
}

function putTerminator(input: Int32Array, t: Terminator): void {
  switch (t.kind) {
    case 'goto':
      put(input, TerminatorKind.Goto, t.pc);
      break;
    case 'call':
      put(input, TerminatorKind.Call, t.target);
      break;
    case 'branch':
      put(input, TerminatorKind.Branch, t.condition, t.taken, t.next);
      break;
    case 'call-indirect':
      put(input, TerminatorKind.CallIndirect, t.target);
      break;
    case 'return':
      put(input, TerminatorKind.Return, t.target);
      break;
    case 'jump':
      put(input, TerminatorKind.Jump, t.target);
      break;
    case 'exit':
      put(input, TerminatorKind.Exit, t.exit, t.pc, t.args.length);
      input.set(t.args, BlockInput.ARGUMENTS >>> 2);
      break;
  }
}
function put(input: Int32Array, kind: TerminatorKind, first: number, second = 0, third = 0): void {
  input[BlockInput.TERMINATOR >>> 2] = kind;
  input[BlockInput.FIRST >>> 2] = first;
  input[BlockInput.SECOND >>> 2] = second;
  input[BlockInput.THIRD >>> 2] = third;
}

let rows: Uint8Array | undefined;
/** Tells the runtime what it has to know of ops and helpers. */
function describe(runtime: Runtime, helpers: readonly Helper[]): void {
  rows ??= opRows();
  runtime.bytes.set(rows, Ir.OPS);
  const view = new DataView(runtime.bytes.buffer, Ir.HELPERS, helpers.length * HelperRow.SIZE);
  helpers.forEach((helper, n) => {
    const row = n * HelperRow.SIZE;
    const { params, result, range } = helper;
    view.setUint8(row + HelperRow.PARAMS, params.length);
    view.setUint8(
      row + HelperRow.FLAGS,
      (helper.state ? HelperFlag.STATE : 0) |
        (helper.pure ? HelperFlag.PURE : 0) |
        (isConditional(helper) ? HelperFlag.CONDITIONAL : 0) |
        (range ? HelperFlag.RANGE : 0),
    );
    view.setUint8(row + HelperRow.BYTES, TYPE_SIZES[result]);
    view.setUint16(row + HelperRow.SIGNATURE, signatureOf(helper) ?? HelperRow.NONE, true);
    view.setUint16(row + HelperRow.INDEX, runtime.exports[helper.name] ? runtime.helperIndex(helper) : 0, true);
    view.setUint16(row + HelperRow.FROM, (range?.[0] ?? 0) >>> 2, true);
    view.setUint16(row + HelperRow.TO, (range?.[1] ?? 0) >>> 2, true);
  });
  runtime.ir.helpers = helpers;
}

/** See Uop.HELPER; undefined for a function that the interpreter cannot call. */
function signatureOf({ params, result }: Helper): number | undefined {
  const wide = params[0] === Type.I64;
  const results = [Type.None, Type.I32, Type.I64].indexOf(result);
  const allowed = params.length <= 3 && params.every((type, i) => type === (wide && i === 0 ? Type.I64 : Type.I32));
  return allowed && results >= 0 ? (wide ? 3 + params.length : params.length) * 3 + results : undefined;
}

function fail(pc: number, helpers: readonly Helper[], runtime: Runtime): never {
  const { input } = runtime.ir;
  const error: LoweringError = input[BlockInput.ERROR >>> 2];
  const subject = input[BlockInput.SUBJECT >>> 2];
  input[BlockInput.ERROR >>> 2] = LoweringError.None;
  const where = `block 0x${pc.toString(16)}`;
  if (error === LoweringError.Temporaries) throw new Error(`${where} needs more temporaries than there are`);
  if (error === LoweringError.Slot) throw new Error(`${where}: v${subject} has no slot`);
  const helper = helpers[subject];
  runtime.helperIndex(helper);
  throw new Error(`helper ${helper.name} has a signature that is not allowed`);
}
