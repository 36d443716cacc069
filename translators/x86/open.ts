import type { Builder } from '../../src/ir/builder.ts';
import type { Field } from '../../src/ir/hole.ts';
import type { Digit, Opened } from '../../src/ir/template.ts';
import type { Code } from '../../src/isa/code.ts';
import type { IsaTemplates } from '../../src/isa/isa.ts';
import { contextOf } from './context.ts';
import { Decoded, decode, NO_ROW, newInsn } from './decode.ts';
import type { Insn, OpenFields } from './operands.ts';
import { Immediate, type Meaning, type Row } from './row.ts';
import { table } from './rows.ts';
import { checkFetch } from './segmentation.ts';
import { build } from './system/lift.ts';
import { Mode } from './system/state.ts';

/** What decides nothing unless a meaning reads it; the last three no template can be lifted for. */
const NOTED = ['displacement', 'immediate', 'immediate2', 'pc', 'next', 'denormals'] as const;
type Noted = (typeof NOTED)[number];

/** An instruction that notes which of its fields are read. */
class OpenInsn {
  readonly insn: Insn;
  fields: OpenFields | undefined;
  readonly read = new Set<Noted>();

  constructor() {
    const { read } = this;
    const insn = newInsn(NO_ROW);
    this.insn = Object.defineProperty(insn, 'open', { get: () => this.fields });
    for (const name of NOTED) {
      let value: unknown = insn[name];
      Object.defineProperty(insn, name, {
        get() {
          read.add(name);
          return value;
        },
        set(next: unknown) {
          value = next;
        },
      });
    }
  }
}
let opened: OpenInsn | undefined;

const bytesOf = (i: Insn, kind: Immediate): number => {
  switch (kind) {
    case Immediate.None:
      return 0;
    case Immediate.Byte:
      return 1;
    case Immediate.Word:
      return 2;
    case Immediate.Dword:
      return 4;
    case Immediate.Full:
      return i.operandSize;
    case Immediate.Far:
      return i.operandSize + 2;
    case Immediate.Offset:
      return i.addressSize;
  }
};
const field = (offset: number, bytes: number): Field | undefined =>
  bytes === 1 || bytes === 2 || bytes === 4 ? { offset, bytes } : undefined;

function displacementField(i: Insn, end: number): Field | undefined {
  if (i.addressSize !== 4) return undefined;
  if (i.row.immediate === Immediate.Offset) return field(end, 4);
  if (!i.row.modrm || i.mod === 3) return undefined;
  const bytes = i.mod === 1 ? 1 : i.mod === 2 || i.base < 0 ? 4 : 0;
  return field(end - bytes, bytes);
}

/** What decides in system mode whether instructions of these groups are there. */
const FLOAT_BITS = Mode.TS | Mode.MP | Mode.EM | Mode.FXSR;
const FLOAT_GROUPS = new Set(['x87', 'mmx', 'sse', 'sse2']);
const openMode = (mode: number): number => mode & ~(mode & Mode.SYSTEM ? FLOAT_BITS : Mode.DENORMALS);

const halves = (offset: number): Digit[] => [4, 0].map((shift) => ({ offset, bytes: 1, shift, mask: 15 }));

/** See IsaTemplates.open. What an instruction of the x87 does depends on those before it, and SSE arithmetic is shorter for knowing them. */
const open =
  (meaningOf: (row: Row) => Meaning) =>
  (b: Builder, code: Code, pc: number, mode: number): Opened | undefined => {
    const system = (mode & Mode.SYSTEM) !== 0;
    if (mode & (Mode.STEP | Mode.ALIGN)) return undefined;
    opened ??= new OpenInsn();
    const { insn: i, read } = opened;
    opened.fields = undefined;
    if (decode(table(), i, code, pc, mode === 0 || mode & Mode.CODE32 ? 4 : 2) !== Decoded.Ok) return undefined;
    const { row, length } = i;
    i.mode = mode;
    i.denormals = system;
    i.assumed = -1;

    const immediateBytes = bytesOf(i, row.immediate);
    const end = length - immediateBytes - bytesOf(i, row.immediate2);
    const displacement = displacementField(i, end);
    const immediate = row.immediate === Immediate.Offset || row.immediate === Immediate.Far ? undefined : field(end, immediateBytes);
    opened.fields = {
      displacement: displacement && { field: displacement },
      immediate: (mask) => immediate && (mask === -1 ? { field: immediate } : { field: immediate, mask }),
      next: { relative: true, constant: length },
      target: { field: immediate, relative: true, constant: length },
      here: pc,
      after: (pc + length) >>> 0,
    };
    const key = (): Digit[] => {
      const open: Field[] = [];
      if (displacement && !read.has('displacement')) open.push(displacement);
      if (immediate && !read.has('immediate')) open.push(immediate);
      const isOpen = (at: number): boolean => open.some(({ offset, bytes }) => at >= offset && at < offset + bytes);
      return Array.from({ length }, (_, at) => at)
        .filter((at) => !isOpen(at))
        .flatMap(halves);
    };
    read.clear();
    if (row.group === 'x87' || row.group === 'mmx' || (system && (row.sensitivity || FLOAT_GROUPS.has(row.group))))
      return { length, key: key(), closed: true };
    b.insn(pc, length);
    if (system) build(b, i);
    else {
      if (mode !== 0) checkFetch(b, i);
      meaningOf(row)(b, i);
    }
    opened.fields = undefined;
    i.mode = 0;
    const { top, floats } = contextOf(b);
    const closed = read.has('pc') || read.has('next') || read.has('denormals') || top !== undefined || floats !== undefined;
    return { length, key: key(), closed };
  };

export const templates = (meaningOf: (row: Row) => Meaning): IsaTemplates => ({
  open: open(meaningOf),
  modeOf: openMode,
  first: halves(0)[0],
  longest: 15,
  delaySlots: false,
});
