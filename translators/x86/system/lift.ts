import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Terminator, Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { type Code, FetchFault } from '../../../src/isa/code.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { Decoded, decode, type OpcodeTable } from '../decode.ts';
import type { Insn } from '../operands.ts';
import type { Row } from '../row.ts';
import { Vector } from '../sdm.ts';
import { checkFetch } from '../segmentation.ts';
import { exitIfRaised, takeInterrupt } from './privilege.ts';
import { sti } from './registers.ts';
import { countSensitive, enters } from './sensitive.ts';
import { Mode, Raised, System } from './state.ts';

const I32 = Type.I32;

export const debugHelpers: readonly Helper[] = [
  { name: 'x86_breakpoint', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_watch', params: [I32, I32], result: Type.None, state: true, pure: false },
  { name: 'x86_stepped', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_stepped_on', params: [], result: I32, state: true, pure: false },
  { name: 'x86_stepped_into', params: [], result: I32, state: true, pure: false },
];

/** Touch no state of the x87 or of SSE. */
const WITHOUT_STATE = /^(SFENCE|LFENCE|MFENCE|CLFLUSH|MOVNTI|PREFETCH)/;
/** FWAIT asks CR0.MP, too. */
const FWAIT = 0x9b;

/** The exception that CR0 and CR4 raise for instructions of the x87, MMX and SSE (SDM volume 3, tables 9-3, 12-1, 13-1), or -1. */
function floatException(row: Row, mode: number): number {
  const { group } = row;
  const vector = group === 'x87' || group === 'mmx' || group === 'sse' || group === 'sse2';
  if (!vector || WITHOUT_STATE.test(row.text)) return -1;
  if (row.opcode === FWAIT && row.map === 0) return (mode & (Mode.TS | Mode.MP)) === (Mode.TS | Mode.MP) ? Vector.NM : -1;
  if (group === 'x87' || row.text.startsWith('FX')) return mode & (Mode.TS | Mode.EM) ? Vector.NM : -1;
  const isSse = group !== 'mmx';
  if (mode & Mode.EM || (isSse && !(mode & Mode.FXSR))) return Vector.UD;
  return mode & Mode.TS ? Vector.NM : -1;
}

/** Lifts the instruction at `pc` for a mode of system mode; STI with the instruction after it. */
export function liftSystem(table: OpcodeTable, i: Insn, b: Builder, code: Code, pc: number, mode: number): number {
  const decoded = decode(table, i, code, pc >>> 0, mode & Mode.CODE32 ? 4 : 2);
  i.mode = mode;
  i.denormals = true;
  i.assumed = -1;
  if (decoded === Decoded.Ok) {
    b.insn(pc, i.length);
    build(b, i);
    if (i.row.system === sti && !b.ended) return liftAfterSti(table, i, b, code, mode);
  } else if (decoded === Decoded.Illegal) b.exit(ExitKind.Illegal, pc);
  else b.exit(ExitKind.Exception, pc, Vector.GP, 0);
  i.mode = 0;
  return i.next;
}

/** In what x86_watch is told. */
const STORES = 0x100;
/** #AC(0) (SDM volume 3, 6.15), data breakpoints. */
function lookAtAccess(b: Builder, mode: number, address: Value, bytes: number, isStore: boolean): void {
  if (mode & Mode.ALIGN && bytes > 1 && bytes <= 8) b.exitIf(b.and(address, b.i32(bytes - 1)), ExitKind.Exception, Vector.AC);
  if (mode & Mode.STEP) b.helper('x86_watch', address, b.i32(bytes | (isStore ? STORES : 0)));
}

/** Lifts a decoded instruction. */
export function build(b: Builder, i: Insn): void {
  const { row, mode } = i;
  if (mode & (Mode.ALIGN | Mode.STEP)) b.access = (address, bytes, isStore) => lookAtAccess(b, mode, address, bytes, isStore);
  checkFetch(b, i);
  const entered = enters(b, row);
  if (b.ended) return;
  if (mode & Mode.STEP) {
    exitIfRaised(b, b.helper('x86_breakpoint', b.i32(i.pc)));
    b.intercept = stepping(b, row);
  }
  const exception = floatException(row, mode);
  if (exception >= 0) {
    b.exit(ExitKind.Exception, i.pc, exception, 0);
    return;
  }
  countSensitive(b, row);
  if (entered) (row.system ?? row.meaning)(b, i);
  if (row.system === sti && !b.ended) b.set(System.STI_SHADOW, b.i32(i.next));
  if (mode & Mode.STEP && !b.ended) b.goto(i.next);
}

/** Interrupts come after the instruction that follows: with a jump, another STI, in a step, or where a region is left before it, STI_SHADOW sees to that. */
function liftAfterSti(table: OpcodeTable, i: Insn, b: Builder, code: Code, mode: number): number {
  const { next } = i;
  let end = next;
  try {
    const decoded = decode(table, i, code, next, mode & Mode.CODE32 ? 4 : 2);
    // a page of them would be one instruction
    const apart = i.row.group === 'control' || i.row.system === sti;
    if (decoded === Decoded.Ok && !apart) end = liftSystem(table, i, b, code, next, mode);
  } catch (error) {
    if (!(error instanceof FetchFault)) throw error;
  }
  i.mode = 0;
  i.next = end;
  if (!b.ended) takeInterrupt(b, i);
  return end;
}

/** Row names of those after which TF traps nothing. */
const ENTERS_HANDLER = /^(INT|IRET|SYSENTER)/;

/** One instruction a block: it ends in whether a debug trap follows. */
function stepping(b: Builder, row: Row): (t: Terminator) => Terminator {
  const leave = (trap: Value): Terminator => {
    b.exitIf(trap, ExitKind.Exception, Raised.STEP);
    return { kind: 'exit', exit: ExitKind.Resume, pc: b.at, args: [] };
  };
  const to = (target: Value): Terminator => leave(b.helper('x86_stepped', target));
  return (t) => {
    switch (t.kind) {
      case 'goto':
        return to(b.i32(t.pc));
      case 'branch':
        return to(b.select(t.condition, b.i32(t.taken), b.i32(t.next)));
      case 'call':
        return to(b.i32(t.target));
      case 'call-indirect':
      case 'return':
      case 'jump':
        return to(t.target);
      case 'exit':
        if (t.exit === ExitKind.Continue) return to(b.i32(t.pc));
        if (t.exit !== ExitKind.Resume) return t;
        return leave(b.helper(ENTERS_HANDLER.test(row.text) ? 'x86_stepped_into' : 'x86_stepped_on'));
    }
  };
}
