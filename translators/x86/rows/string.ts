import { ExitKind } from '../../../assembly/shared/exit.ts';
import { RepForm, RepPass } from '../../../assembly/shared/rep.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { sub } from '../flags.ts';
import { after, here, type Insn, load, register, setRegister, sizeOf, store } from '../operands.ts';
import { group, type Meaning, type Row, row, sensitive } from '../row.ts';
import { Segment } from '../sdm.ts';
import { checkSegmentWritable, exitOnFault, isPlain, linear } from '../segmentation.ts';
import { X86 } from '../state.ts';
import { ins, outs } from '../system/io.ts';
import { breakOnce } from '../system/privilege.ts';
import { Mode } from '../system/state.ts';

const rep = (name: string, parameters: number): Helper => ({
  name: `x86_rep_${name}`,
  params: new Array<Type>(parameters).fill(Type.I32),
  result: Type.I32,
  state: true,
  pure: false,
});

/** Parameters: RepForm, and for those that read DS:ESI the base of its segment. Result: RepPass. */
export const stringHelpers: readonly Helper[] = [rep('movs', 2), rep('stos', 1), rep('lods', 2), rep('cmps', 2), rep('scas', 1)];

const ESI = 6;
const EDI = 7;

const sourceSegment = (i: Insn): number => (i.segment < 0 ? Segment.DS : i.segment);
const source = (b: Builder, i: Insn, size: number): Value => linear(b, i, sourceSegment(i), register(b, ESI, i.addressSize), size);
/** ES:EDI, which has no segment override. */
const destination = (b: Builder, i: Insn, size: number): Value => linear(b, i, Segment.ES, register(b, EDI, i.addressSize), size);

/** The operand's size, or minus it if DF is set. */
function step(b: Builder, size: number): Value {
  return b.sub(b.i32(size), b.mul(b.get(Type.I32, X86.DF), b.i32(2 * size)));
}
function advance(b: Builder, i: Insn, number: number, by: Value): void {
  setRegister(b, number, i.addressSize, b.add(register(b, number, i.addressSize), by));
}

function repForm(i: Insn, size: number, readsSource: boolean): number {
  let form = size | (i.addressSize === 2 ? RepForm.ADDRESS16 : 0) | (i.rep === 0xf2 ? RepForm.REPNE : 0);
  if (i.mode & Mode.STEP) form |= RepForm.SINGLE;
  const flat = i.mode & Mode.FLAT_DATA && (!readsSource || i.segment < 0 || i.segment === Segment.ES || i.segment === Segment.DS);
  if (i.mode !== 0 && !flat && !(readsSource && i.mode & Mode.FLAT_DATA && isPlain(i, i.segment)))
    form |= RepForm.SEGMENTED | (sourceSegment(i) << RepForm.SEGMENT_SHIFT);
  return form;
}

/** One element, or with a repeat prefix a pass of the helper `name`. `operand` tells the element's size. */
function repeatable(name: string, operand: number, readsSource: boolean, once: (b: Builder, i: Insn, size: number) => void): Meaning {
  return (b, i) => {
    const size = sizeOf(i, operand);
    if (i.rep === 0) {
      once(b, i, size);
      return;
    }
    const form = b.i32(repForm(i, size, readsSource));
    const based = i.segment >= Segment.FS && (i.mode === 0 || isPlain(i, i.segment));
    const base = based ? b.get(Type.I32, X86.ES_BASE + 4 * i.segment) : b.i32(0);
    const pass = readsSource ? b.helper(`x86_rep_${name}`, form, base) : b.helper(`x86_rep_${name}`, form);
    exitOnFault(b, b.eq(pass, b.i32(RepPass.Fault)));
    if (i.mode & Mode.STEP && i.mode & Mode.SYSTEM) breakOnce(b, pass);
    b.exitIf(b.eq(pass, b.i32(RepPass.Pause)), ExitKind.Budget);
    b.branch(pass, here(i), after(i));
  };
}

const movs = repeatable('movs', 0, true, (b, i, size) => {
  const value = load(b, source(b, i, size), size);
  const to = destination(b, i, size);
  checkSegmentWritable(b, i, Segment.ES);
  store(b, to, size, value);
  const by = step(b, size);
  advance(b, i, ESI, by);
  advance(b, i, EDI, by);
});
const cmps = repeatable('cmps', 0, true, (b, i, size) => {
  const left = load(b, source(b, i, size), size);
  const right = load(b, destination(b, i, size), size);
  sub(b, left, right, size).flags();
  const by = step(b, size);
  advance(b, i, ESI, by);
  advance(b, i, EDI, by);
});
const stos = repeatable('stos', 0, false, (b, i, size) => {
  const to = destination(b, i, size);
  checkSegmentWritable(b, i, Segment.ES);
  store(b, to, size, register(b, 0, size));
  advance(b, i, EDI, step(b, size));
});
const lods = repeatable('lods', 1, true, (b, i, size) => {
  setRegister(b, 0, size, load(b, source(b, i, size), size), true);
  advance(b, i, ESI, step(b, size));
});
const scas = repeatable('scas', 1, false, (b, i, size) => {
  sub(b, register(b, 0, size), load(b, destination(b, i, size), size), size).flags();
  advance(b, i, EDI, step(b, size));
});

const privileged: Meaning = (b, i) => b.exit(ExitKind.Privileged, i.pc);

export const string = (): readonly Row[] =>
  group('string', [
    row('A4', 'MOVS Yb, Xb', movs),
    row('A5', 'MOVS Yv, Xv', movs),
    row('A6', 'CMPS Xb, Yb', cmps),
    row('A7', 'CMPS Xv, Yv', cmps),
    row('AA', 'STOS Yb, AL', stos),
    row('AB', 'STOS Yv, eAX', stos),
    row('AC', 'LODS AL, Xb', lods),
    row('AD', 'LODS eAX, Xv', lods),
    row('AE', 'SCAS AL, Yb', scas),
    row('AF', 'SCAS eAX, Yv', scas),
    sensitive('privileged', ins, row('6C', 'INS Yb, DX', privileged)),
    sensitive('privileged', ins, row('6D', 'INS Yv, DX', privileged)),
    sensitive('privileged', outs, row('6E', 'OUTS DX, Xb', privileged)),
    sensitive('privileged', outs, row('6F', 'OUTS DX, Xv', privileged)),
  ]);
