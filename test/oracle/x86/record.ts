import { EndKind, PAGE, type RecordedSuite, type RecordedVector } from '../../../src/conformance/vectors.ts';
import { X86Image } from '../../../src/conformance/x86.ts';
import { Eflags } from '../../../translators/x86/abi.ts';
import type { Row } from '../../../translators/x86/row.ts';
import { rows } from '../../../translators/x86/rows.ts';
import {
  background,
  type Case,
  CODE,
  DATA,
  DATA_BYTES,
  type Executor,
  type Outcome,
  READ_ONLY,
  SEGMENT_BASE,
  STACK,
  STACK_BYTES,
} from './case.ts';
import type { Comparison } from './compare.ts';
import { C1, FCOMI, type FpuBase, fpuNumbers, generateFpu, randomFxsave, TRANSCENDENTAL, UNDOCUMENTED } from './fpu.ts';
import { DATA_OFFSET, decodeOne, type GeneratedCase, generate, randomBase, STACK_OFFSET, whyNot } from './generate.ts';
import { imageOf } from './image.ts';
import { type Random, random } from './random.ts';
import { APPROXIMATE, APPROXIMATE_ERROR, generateSse, numbersOf, randomSseBase } from './sse.ts';
import { STATUS, undefinedFlags, undefinedText } from './undefined.ts';

/** Suites by the groups of rows that they hold. */
export const SUITES: Readonly<Record<string, readonly string[]>> = {
  integer: ['move', 'arithmetic', 'logic', 'shift', 'bit', 'control', 'stack', 'string', 'bcd', 'misc', 'system'],
  x87: ['x87'],
  mmx: ['mmx'],
  sse: ['sse'],
  sse2: ['sse2'],
  sse3: ['sse3', 'ssse3'],
};

type Kind = 'integer' | 'x87' | 'single' | 'double' | 'bits';
const TEMPLATES = 200;
/** States that one encoding is run on, where the row allows it: it is translated once for all of them. */
const STATES = 8;
/** Rows whose cases arrange registers, memory or control words for their instruction. */
const ARRANGED =
  /^(XLAT|BT|L[EDSFG]S|LAR|LSL|VER[RW]|LDMXCSR|FX|MASKMOV|PS[LR]|I?DIV|FLDENV|FRSTOR|FNSTENV|FNSAVE|FLDCW|MOV Sw|ENTER|LEAVE)/;
const SHARED_GROUPS = new Set(['move', 'arithmetic', 'logic', 'shift', 'bit', 'bcd', 'misc', 'x87', 'mmx', 'sse', 'sse2', 'sse3', 'ssse3']);

const INITIAL_FXSAVE = new Uint8Array(512);
INITIAL_FXSAVE.set([0x7f, 0x03], 0);
INITIAL_FXSAVE.set([0x80, 0x1f], 24);

/** Bits of EFLAGS that no vector compares: IF, TF, RF, VM, ID and what is reserved. */
const IGNORED_EFLAGS = ~(STATUS | Eflags.DF | Eflags.NT | Eflags.AC);
const IGNORED: readonly (readonly [number, number, number])[] = [
  ...[0, 1, 2, 3].map((i) => [X86Image.EFLAGS + i, X86Image.EFLAGS + i + 1, (IGNORED_EFLAGS >>> (8 * i)) & 0xff] as const),
  // the processor does not tell
  [X86Image.SEGMENT_BASE, X86Image.SEGMENT_BASE + 4, 0xff],
  // opcode and pointers, MXCSR_MASK (SDM volume 1, table 10-2)
  [X86Image.FXSAVE + 5, X86Image.FXSAVE + 24, 0xff],
  [X86Image.FXSAVE + 28, X86Image.FXSAVE + 32, 0xff],
  ...Array.from({ length: 8 }, (_, r) => [X86Image.FXSAVE + 42 + 16 * r, X86Image.FXSAVE + 48 + 16 * r, 0xff] as const),
];

const selectorsBefore = (thread: boolean): readonly number[] => [0x2b, 0x23, 0x2b, 0x2b, thread ? 0x33 : 0, thread ? 0x33 : 0];

function before(c: Case): Uint8Array {
  return imageOf({
    regs: c.regs,
    eflags: c.eflags,
    fxsave: c.fxsave ?? INITIAL_FXSAVE,
    selectors: selectorsBefore(c.threadSegment),
    base: c.threadSegment ? SEGMENT_BASE : 0,
  });
}

const memoryOf = (c: Pick<Case, 'data' | 'stack'>): Uint8Array => Uint8Array.from([...c.data, ...c.stack]);

/** A generated case, and the template that it was made from. */
interface Planned {
  readonly c: GeneratedCase & Partial<Pick<Comparison, 'ignoredAt'>>;
  readonly template: number;
}

/** The processor's outcome as a vector; what its manual leaves open becomes bits that are not compared. */
function vectorOf({ c, template }: Planned, r: Row, o: Outcome, ignoredBase: Uint8Array): RecordedVector {
  const image = imageOf({ ...o, base: c.threadSegment ? SEGMENT_BASE : 0 });
  const ignored = ignoredBase.slice();
  const bits = (at: number, mask: number): void => {
    for (let i = 0; i < 4; i++) ignored[at + i] |= (mask >>> (8 * i)) & 0xff;
  };
  const faulted = o.end.kind === 'exception';
  bits(X86Image.EFLAGS, c.undefinedFlags | (faulted ? c.undefinedFlagsAtFault : 0));
  if (c.anyRegistersAtFault && o.end.vector === 14) ignored.fill(0xff, X86Image.GPR, X86Image.EFLAGS);
  for (const n of c.ownRegisters) ignored.fill(0xff, X86Image.GPR + 4 * n, X86Image.GPR + 4 * n + 4);
  const view = new DataView(o.fxsave.buffer, o.fxsave.byteOffset, 512);
  if (TRANSCENDENTAL.test(r.text) || FCOMI.test(r.text)) bits(X86Image.FXSAVE, C1 << 16);
  const top = (view.getUint16(2, true) >>> 11) & 7;
  for (let st = 0; st < 8; st++) {
    const empty = ((o.fxsave[4] >>> ((top + st) & 7)) & 1) === 0;
    if (empty) ignored.fill(0xff, X86Image.FXSAVE + 32 + 16 * st, X86Image.FXSAVE + 42 + 16 * st);
  }
  const unknown = c.ignoredAt?.(o) ?? -1;
  const kind = o.end.kind === 'breakpoint' ? EndKind.Stopped : faulted ? EndKind.Fault : EndKind.Endless;
  // where and how an endless loop is interrupted is chance
  if (kind === EndKind.Endless) ignored.fill(0xff);
  return {
    template,
    pc: c.eip,
    code: c.code,
    before: before(c),
    memory: memoryOf(c),
    end: { kind, number: faulted ? o.end.vector : 0, address: o.end.address >>> 0 },
    endPc: kind === EndKind.Endless ? c.eip : o.eip,
    after: kind === EndKind.Endless ? before(c) : image,
    changes: kind === EndKind.Endless ? new Map() : o.changes,
    ignored,
    ignoredMemory: unknown < 0 ? [0, 0] : [unknown, unknown + 4],
    anyAddress: c.anyFaultAddress,
  };
}

function makeBase(rnd: Random, kind: Kind): FpuBase {
  if (kind === 'single' || kind === 'double' || kind === 'bits') return randomSseBase(rnd, kind);
  const base = randomBase(rnd);
  if (kind === 'integer') return { ...base, fxsave: INITIAL_FXSAVE };
  fpuNumbers(rnd, base.data);
  const fxsave = randomFxsave(rnd);
  // now and then exceptions are pending: ES and B say whether one is unmasked (SDM volume 1, 8.1.3)
  if (rnd.chance(0.15)) {
    const [control, status] = [fxsave[0], fxsave[2] | rnd.below(64)];
    fxsave[2] = status;
    if (status & ~control & 0x3f) {
      fxsave[2] |= 0x80;
      fxsave[3] |= 0x80;
    }
  }
  return { ...base, fxsave };
}

/** The same code on another state. */
function onOther(planned: Planned, rnd: Random, base: FpuBase, template: number): Planned | undefined {
  const { c } = planned;
  const insn = decodeOne(c.code[0] === 0xf0 ? c.code.subarray(1) : c.code);
  if (!insn) return undefined;
  const kept = new Set([4, 5, insn.base, insn.index]);
  const regs = base.regs.map((value, r) => (kept.has(r) ? c.regs[r] : value));
  const flags = undefinedFlags({ ...insn }, regs[1]);
  if (flags === undefined) return undefined;
  const fxsave = c.fxsave && base.fxsave.slice();
  if (fxsave && c.fxsave) fxsave.set(c.fxsave.subarray(24, 28), 24);
  return {
    template,
    c: {
      ...c,
      regs,
      data: base.data,
      stack: base.stack,
      eflags: Eflags.FIXED | Eflags.IF | (rnd.u32() & STATUS),
      undefinedFlags: flags,
      ...(fxsave && { fxsave }),
    },
  };
}

/** FNV-1a: every form has random numbers of its own, whatever other forms there are. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

export interface RecordOptions {
  readonly seed: number;
  /** Vectors of each form; of a form with several opcodes an eighth for each of them, if that is more. */
  readonly count: number;
  readonly oracle: RecordedSuite['oracle'];
}

/** Makes the vectors of one suite and asks the processor for each one's outcome. */
export function recordSuite(name: string, processor: Executor, options: RecordOptions): RecordedSuite {
  const { seed, count } = options;
  const groups = new Set(SUITES[name]);
  const chosen = rows().filter((r) => groups.has(r.group));
  const kindOf = (r: Row): Kind => (name === 'integer' || name === 'x87' ? name : numbersOf(r));
  const kinds = [...new Set(chosen.map(kindOf))];
  const bases = kinds.map((kind) => {
    const rnd = random(hashOf(`${seed} ${kind}`));
    return Array.from({ length: TEMPLATES }, () => makeBase(rnd, kind));
  });
  const templates = bases.flat().map((base) => {
    const image = imageOf({
      regs: base.regs,
      eflags: Eflags.FIXED | Eflags.IF,
      fxsave: base.fxsave,
      selectors: selectorsBefore(false),
      base: 0,
    });
    return Uint8Array.from([...image, ...memoryOf(base)]);
  });
  const ignoredBase = new Uint8Array(X86Image.BYTES);
  for (const [from, to, bits] of IGNORED) ignoredBase.fill(bits, from, to);

  const forms = chosen.map((r) => {
    const form = { group: r.group, encoding: r.encoding, text: r.text };
    const why = whyNot(r);
    if (why !== undefined) return { ...form, vectors: [], skipped: why };
    const rnd = random(hashOf(`${seed} ${r.encoding} ${r.text}`));
    const kind = kinds.indexOf(kindOf(r));
    const wanted = Math.max(count, Math.ceil(count / 8) * r.opcodes);
    const anyBase = name === 'x87' && UNDOCUMENTED.test(r.encoding);
    const shared = SHARED_GROUPS.has(r.group) && !ARRANGED.test(r.text) && !anyBase && r.operands.length > 0 ? STATES : 1;
    const planned: Planned[] = [];
    const take = (): { base: FpuBase; template: number } => {
      const n = anyBase ? rnd.below(TEMPLATES) : (planned.length + rnd.below(2)) % TEMPLATES;
      return { base: bases[kind][n], template: kind * TEMPLATES + n };
    };
    for (let tries = 0; planned.length < wanted && tries < wanted * 20; tries++) {
      const { base, template } = take();
      const c = name === 'integer' ? generate(rnd, r, base) : name === 'x87' ? generateFpu(rnd, r, base) : generateSse(rnd, r, base);
      if (!c) continue;
      const first: Planned = { c, template };
      planned.push(first);
      for (let k = 1; k < shared && planned.length < wanted; k++) {
        const other = take();
        const next = onOther(first, rnd, other.base, other.template);
        if (next) planned.push(next);
      }
    }
    const outcomes = processor.run(planned.map(({ c }) => c));
    const vectors = planned.map((p, n) => vectorOf(p, r, outcomes[n], ignoredBase));
    const tolerance = TRANSCENDENTAL.test(r.text)
      ? { ulps: 1 }
      : APPROXIMATE.test(r.text)
        ? { relative: 2 * APPROXIMATE_ERROR }
        : undefined;
    const left = undefinedText(r.text.split(' ')[0]);
    return {
      ...form,
      vectors,
      ...(vectors.length === 0 && { skipped: 'no case can be made' }),
      ...(left && { undefined: left }),
      ...(tolerance && { tolerance }),
    };
  });
  const counted = Uint8Array.from({ length: 2 * PAGE }, (_, i) => background(i));
  return {
    name: `x86-${name}`,
    isa: 'x86',
    oracle: options.oracle,
    seed,
    imageBytes: X86Image.BYTES,
    ignored: IGNORED,
    pages: [
      { address: DATA, permission: 'rw' },
      { address: STACK, permission: 'rw' },
      { address: CODE, permission: 'rx' },
      { address: READ_ONLY, permission: 'r' },
    ],
    pageBytes: [counted.subarray(0, PAGE), counted.subarray(PAGE), new Uint8Array(PAGE).fill(0xcc), counted.subarray(0, PAGE)],
    windows: [
      { address: DATA + DATA_OFFSET, length: DATA_BYTES },
      { address: STACK + STACK_OFFSET, length: STACK_BYTES },
    ],
    filler: [0xcc],
    comparesPc: true,
    templates,
    forms,
  };
}
