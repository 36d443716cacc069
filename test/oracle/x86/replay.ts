import { compare } from '../../../src/conformance/compare.ts';
import { explain } from '../../../src/conformance/explain.ts';
import type { Outcome as VectorOutcome } from '../../../src/conformance/run.ts';
import { EndKind, type Form, PAGE, type Suite, type Vector } from '../../../src/conformance/vectors.ts';
import { type Case, DATA, type Outcome, SEGMENT_BASE, STACK } from './case.ts';
import { decodeOne, UMIP_ROWS } from './generate.ts';
import { imageOf, partsOf } from './image.ts';
import { decodeOutcomes, encodeCases } from './native.ts';

// Recorded vectors run again where another kernel is: Linux for i386, whose user segments have other numbers than on x86-64.

export interface Recorded {
  readonly suite: Suite;
  readonly form: Form;
  /** Number among the form's vectors. */
  readonly index: number;
  readonly vector: Vector;
}

/** Tell of the machine itself where there is no UMIP; INT1 is a trap (SDM volume 2), but under the hypervisor where it was recorded it is a fault; SYSENTER enters a 32-bit kernel. */
const LEFT_OUT = new RegExp(`${UMIP_ROWS.source}|^INT1|^SYSENTER`);

/** One of `every` vectors of each form, or all. */
export function* recorded(suites: readonly Suite[], every = 1): Generator<Recorded> {
  for (const suite of suites)
    for (const [n, form] of suite.forms.entries()) {
      if (LEFT_OUT.test(form.text)) continue;
      let index = 0;
      for (const vector of suite.vectors(form)) {
        if ((index + n) % every === 0) yield { suite, form, index, vector };
        index++;
      }
    }
}

/** GDT entries 4 and 5 (arch/x86/include/asm/segment.h) for programs of 32 bits; for i386 they are 14 and 15. */
const isUserSegment = (selector: number): boolean => (selector & 0xfffc) === 0x20 || (selector & 0xfffc) === 0x28;
const SHIFT = 0x50;
const there = (selector: number): number => (isUserSegment(selector) ? selector + SHIFT : selector);
/** Forms that take selectors from registers, memory or code, and those that also give them. */
const TAKES = /^(MOV Sw|POP [C-G]S|POP SS|L[EDSFG]S |CALL [AM]p|JMP [AM]p|RETF|IRET|LAR|LSL|VER[RW])/;
const GIVES = /^(MOV [MR][vw], Sw|PUSH [C-G]S|PUSH SS)/;

const ESP = 4;
const SEGMENT_FS = 4;

/** The register that a form takes its selector from, or the address that it reads it from. */
function selectorOf(
  { form, vector }: Recorded,
  regs: Int32Array,
  threadSegment: boolean,
): { readonly register: number } | { readonly at: number } {
  const insn = decodeOne(vector.code);
  if (!insn) return { at: -1 };
  if (/^POP/.test(form.text)) return { at: regs[ESP] };
  if (/^(RETF|IRET)/.test(form.text)) return { at: regs[ESP] + insn.operandSize };
  if (insn.mod === 3) return { register: insn.rm };
  const sum = [insn.base, insn.index].reduce((at, r, n) => (r < 0 ? at : at + (regs[r] << (n === 1 ? insn.scale : 0))), insn.displacement);
  const offset = insn.addressSize === 2 ? sum & 0xffff : sum;
  const base = threadSegment && insn.segment >= SEGMENT_FS ? SEGMENT_BASE : 0;
  return { at: (base + offset + (form.text.endsWith('Mp') ? insn.operandSize : 0)) | 0 };
}

/** The same with the selector's number here; one that does not lie in a window stays. */
function caseOf(one: Recorded): Case {
  const { suite, form, vector } = one;
  const [data, stack] = suite.windows;
  const { regs, threadSegment, ...state } = partsOf(vector.before);
  const memory = vector.memory.slice();
  const code = vector.code.slice();
  const rename = (bytes: Uint8Array, at: number): void => {
    const view = new DataView(bytes.buffer);
    view.setUint16(at, there(view.getUint16(at, true)), true);
  };
  if (TAKES.test(form.text)) {
    const place = selectorOf(one, regs, threadSegment);
    if (form.text.endsWith('Ap')) rename(code, code.length - 2);
    else if ('register' in place) regs[place.register] = (regs[place.register] & ~0xffff) | there(regs[place.register] & 0xffff);
    else
      for (const [window, first] of [
        [data, 0],
        [stack, data.length],
      ] as const) {
        const at = place.at - window.address;
        if (at >= 0 && at + 2 <= window.length) rename(memory, first + at);
      }
  }
  return {
    ...state,
    threadSegment,
    regs,
    eip: vector.pc,
    code,
    dataOffset: data.address - DATA,
    data: memory.subarray(0, data.length),
    stackOffset: stack.address - STACK,
    stack: memory.subarray(data.length),
  };
}

/** Input of the runner. */
export const inputOf = (vectors: readonly Recorded[]): Uint8Array => encodeCases(vectors.map(caseOf));

/** What the writable pages hold before. */
function byteBefore({ windows, pages, pageBytes }: Suite, { memory }: Vector): (address: number) => number {
  return (address) => {
    let at = 0;
    for (const w of windows) {
      if (address >= w.address && address < w.address + w.length) return memory[at + address - w.address];
      at += w.length;
    }
    const page = pages.findIndex((p) => (address & -PAGE) === p.address);
    return pageBytes[page][address & (PAGE - 1)];
  };
}

/** The outcome as the vector has it; where the form shows a selector, the other number counts as the one expected. */
function outcomeOf({ suite, form, vector }: Recorded, o: Outcome): VectorOutcome {
  const { kind, vector: number, address } = o.end;
  const changes = new Map(o.changes);
  let { regs } = o;
  if (TAKES.test(form.text) || GIVES.test(form.text)) {
    const expected = partsOf(vector.after).regs;
    regs = regs.map((value, r) => (((value - SHIFT) | 0) === expected[r] && isUserSegment(expected[r] & 0xffff) ? expected[r] : value));
    const before = byteBefore(suite, vector);
    for (const place of new Set([...changes.keys(), ...vector.changes.keys()])) {
      const [want, got] = [vector.changes.get(place) ?? before(place), changes.get(place) ?? before(place)];
      if (got !== want + SHIFT || !isUserSegment(want)) continue;
      if (vector.changes.has(place)) changes.set(place, want);
      else changes.delete(place);
    }
  }
  return {
    end: {
      kind: kind === 'breakpoint' ? EndKind.Stopped : kind === 'endless' ? EndKind.Endless : EndKind.Fault,
      number: kind === 'exception' ? number : 0,
      address: address >>> 0,
    },
    pc: o.eip,
    image: imageOf({
      ...o,
      regs,
      selectors: o.selectors.map((s) => (isUserSegment(s - SHIFT) ? s - SHIFT : s)),
      base: partsOf(vector.before).threadSegment ? SEGMENT_BASE : 0,
    }),
    changes,
  };
}

export interface Judged {
  /** By group. */
  readonly counts: ReadonlyMap<string, { passed: number; failed: number }>;
  /** The first of each form, explained. */
  readonly failures: readonly string[];
}

/** Compares what the runner printed with what was recorded. */
export function judge(vectors: readonly Recorded[], output: Buffer, place: string): Judged {
  const counts = new Map<string, { passed: number; failed: number }>();
  const failures = new Map<Form, string>();
  decodeOutcomes(output, vectors.length).forEach((o, n) => {
    const { suite, form, index, vector } = vectors[n];
    const count = counts.get(form.group) ?? { passed: 0, failed: 0 };
    counts.set(form.group, count);
    const outcome = outcomeOf(vectors[n], o);
    const differences = compare(suite, form, vector, outcome);
    if (differences.length === 0) count.passed++;
    else {
      count.failed++;
      if (!failures.has(form)) failures.set(form, explain(suite, place, { form, index, vector, outcome, differences }));
    }
  });
  return { counts, failures: [...failures.values()] };
}
