import { Eflags } from '../../../translators/x86/abi.ts';
import { Immediate, type Row } from '../../../translators/x86/row.ts';
import { decodeOne, type GeneratedCase, generate } from './generate.ts';
import type { Random } from './random.ts';

/** Instructions between the one that sets flags and those that read them; each keeps some flags and changes others. */
const BETWEEN: readonly (readonly number[])[] = [
  [],
  [],
  [],
  [0x89, 0xd8], // mov eax, ebx
  [0x8d, 0x49, 0x01], // lea ecx, [ecx+1]
  [0x40], // inc eax
  [0x49], // dec ecx
  [0x66, 0x43], // inc bx
  [0xf8], // clc
  [0xf9], // stc
  [0xf5], // cmc
  [0x9e], // sahf
  [0x0f, 0xa3, 0xd8], // bt eax, ebx
  [0xc1, 0xe0, 0x00], // shl eax, 0
  [0xd3, 0xe2], // shl edx, cl
  [0xd1, 0xc8], // ror eax, 1
  [0x0f, 0xc8], // bswap eax
  [0x98], // cwde
];

/** All but SHL by CL leave no flag undefined that a condition reads. */
const undefinedBetween = (bytes: readonly number[], count: number): number => {
  if (bytes[0] !== 0xd3 || (count & 31) === 0) return bytes[0] === 0x0f && bytes[1] === 0xa3 ? CONDITIONS & ~(Eflags.CF | Eflags.ZF) : 0;
  return Eflags.AF | ((count & 31) === 1 ? 0 : Eflags.OF);
};

const CONDITIONS = Eflags.CF | Eflags.PF | Eflags.ZF | Eflags.SF | Eflags.OF;
const READ_BY_CONDITION = [Eflags.OF, Eflags.CF, Eflags.ZF, Eflags.CF | Eflags.ZF, Eflags.SF, Eflags.PF, Eflags.SF | Eflags.OF, CONDITIONS];

interface Reader {
  readonly bytes: number[];
  readonly reads: number;
}

/** An instruction that reads flags and writes a register, or jumps. */
function reader(rnd: Random): Reader {
  const cc = rnd.below(16);
  const reads = READ_BY_CONDITION[cc >>> 1];
  switch (rnd.below(6)) {
    case 0:
      return { bytes: [0x0f, 0x90 | cc, 0xc0 | rnd.pick([0, 1, 2, 3, 4, 7])], reads };
    case 1:
      return { bytes: [0x0f, 0x40 | cc, 0xc0 | (rnd.pick([0, 1, 2, 3]) << 3) | rnd.below(8)], reads };
    case 2:
      return { bytes: [0x70 | cc, 0x40], reads };
    case 3:
      return { bytes: [0x0f, 0x80 | cc, 0x80, 0, 0, 0], reads };
    case 4:
      return { bytes: [rnd.pick([0x11, 0x19, 0x13, 0x1b]), 0xc0 | rnd.below(0x20)], reads: Eflags.CF };
    default:
      return { bytes: rnd.pick([[0xd1, 0xd2], [0xd1, 0xdb], [0xd6]]), reads: Eflags.CF };
  }
}

/** Operands in registers become equal, neighbours, or opposites: where conditions differ from each other. */
function closeValues(rnd: Random, c: GeneratedCase): Int32Array {
  const insn = decodeOne(c.code);
  if (!insn || (insn.row.modrm && insn.mod !== 3) || c.row.group === 'string') return c.regs;
  const value = insn.row.immediate === Immediate.None ? rnd.interesting() : insn.immediate;
  const near = [value, value, value, value + 1, value - 1, -value, 0, value ^ (0x80000000 >>> rnd.pick([0, 16, 24]))];
  return c.regs.map((old, r) => (r === 4 || (r === 1 && SHIFTS_BY_CL.test(c.row.text)) ? old : rnd.pick(near)));
}
/** Their count in CL decides which flags are undefined. */
const SHIFTS_BY_CL = /^(RO|RC|SH|SA)/;

/** A random case of a row followed by instructions that read the flags it leaves; what a condition fuses with. */
export function generateSequence(rnd: Random, r: Row): GeneratedCase | undefined {
  const generated = generate(rnd, r);
  if (!generated) return undefined;
  const first = { ...generated, regs: closeValues(rnd, generated) };
  if ((first.undefinedFlags & CONDITIONS) === CONDITIONS) return undefined;
  const between = rnd.pick(BETWEEN);
  const unknown = first.undefinedFlags | undefinedBetween(between, 2);
  const readers = [reader(rnd), reader(rnd), reader(rnd)].filter((x) => (x.reads & unknown) === 0);
  // from the second on only those that keep flags come before
  const used: Reader[] = [];
  for (const x of readers) {
    used.push(x);
    if (x.reads === Eflags.CF) break;
  }
  if (used.length === 0) return undefined;
  const code = Uint8Array.from([...first.code, ...between, ...used.flatMap((x) => x.bytes)]);
  return { ...first, code, undefinedFlags: unknown | Eflags.AF };
}
