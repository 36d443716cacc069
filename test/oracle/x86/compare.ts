import { Builder } from '../../../src/ir/builder.ts';
import { liftBlock } from '../../../src/ir/lift.ts';
import { printBlock } from '../../../src/ir/print.ts';
import { Code } from '../../../src/isa/code.ts';
import { Eflags } from '../../../translators/x86/abi.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { type Case, DATA, type Executor, type Outcome, STACK } from './case.ts';
import { STATUS } from './undefined.ts';

export interface Comparison {
  /** EFLAGS bits left out. */
  readonly undefinedFlags?: number;
  /** EFLAGS bits left out where the case ends with an exception. */
  readonly undefinedFlagsAtFault?: number;
  /** Several accesses of the instruction may fault, and no manual says which does first. */
  readonly anyFaultAddress?: boolean;
  /** Some of the destinations may have been written when it faults. */
  readonly anyRegistersAtFault?: boolean;
  /** Registers left out. */
  readonly ownRegisters?: readonly number[];
  /** First of four bytes of memory that tell of the processor itself. */
  readonly ignoredAt?: (expected: Outcome) => number;
  /** Further differences, of x87 or SSE state say; one line each. */
  readonly more?: (expected: Outcome, actual: Outcome) => readonly string[];
}

const NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const ESP = 4;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const FLAGS: readonly (readonly [string, number])[] = [
  ['CF', Eflags.CF],
  ['PF', Eflags.PF],
  ['AF', Eflags.AF],
  ['ZF', Eflags.ZF],
  ['SF', Eflags.SF],
  ['DF', Eflags.DF],
  ['OF', Eflags.OF],
  ['NT', Eflags.NT],
  ['AC', Eflags.AC],
];
const COMPARED_FLAGS = STATUS | Eflags.DF | Eflags.NT | Eflags.AC;

const hex = (n: number, digits = 8): string => (n >>> 0).toString(16).padStart(digits, '0');
const flagText = (eflags: number): string =>
  FLAGS.filter(([, bit]) => eflags & bit)
    .map(([name]) => name)
    .join(' ') || 'none';

function endText(o: Outcome): string {
  const { kind, vector, address } = o.end;
  if (kind === 'exception') return `exception ${vector}${vector === 14 ? ` at 0x${hex(address)}` : ''}, eip ${hex(o.eip)}`;
  return `${kind}, eip ${hex(o.eip)}`;
}

/**
 * An access that runs over the end of the address space violates the segment's limit (#GP, #SS). Flat segments have no
 * limits here, and it ends in a page fault; either is SIGSEGV.
 */
function wrapped(expected: Outcome, actual: Outcome): boolean {
  const { vector } = expected.end;
  const end = actual.end.address >>> 0;
  return (vector === 12 || vector === 13) && actual.end.vector === 14 && end >= 0xfffffff0 && expected.eip === actual.eip;
}

/** What differs between the processor's outcome and another's, one line each: `register: expected, actual`. */
export function differences(expected: Outcome, actual: Outcome, options: Comparison = {}): string[] {
  const out: string[] = [];
  const sameVector = expected.end.vector === 14 && actual.end.vector === 14 && expected.eip === actual.eip;
  if (endText(expected) !== endText(actual) && !wrapped(expected, actual) && !(options.anyFaultAddress && sameVector))
    out.push(`end: ${endText(expected)} | ${endText(actual)}`);
  const partial = options.anyRegistersAtFault && sameVector;
  NAMES.forEach((name, r) => {
    if (!partial && !options.ownRegisters?.includes(r) && expected.regs[r] !== actual.regs[r])
      out.push(`${name}: ${hex(expected.regs[r])} | ${hex(actual.regs[r])}`);
  });
  const faulted = expected.end.kind === 'exception';
  const mask = COMPARED_FLAGS & ~((options.undefinedFlags ?? 0) | (faulted ? (options.undefinedFlagsAtFault ?? 0) : 0));
  if ((expected.eflags ^ actual.eflags) & mask) out.push(`flags: ${flagText(expected.eflags & mask)} | ${flagText(actual.eflags & mask)}`);
  SEGMENTS.forEach((name, s) => {
    if (expected.selectors[s] !== actual.selectors[s]) {
      out.push(`${name}: ${hex(expected.selectors[s], 4)} | ${hex(actual.selectors[s], 4)}`);
    }
  });
  const places = [...new Set([...expected.changes.keys(), ...actual.changes.keys()])].sort((a, b) => a - b);
  const ignored = options.ignoredAt?.(expected) ?? -1;
  for (const place of places) {
    if (ignored >= 0 && place - ignored >= 0 && place - ignored < 4) continue;
    const [e, a] = [expected.changes.get(place), actual.changes.get(place)];
    if (e !== a) out.push(`[${hex(place)}]: ${e === undefined ? 'unchanged' : hex(e, 2)} | ${a === undefined ? 'unchanged' : hex(a, 2)}`);
    if (out.length > 20) break;
  }
  return [...out, ...(options.more?.(expected, actual) ?? [])];
}

const nameOf = (line: string): string => line.slice(0, line.indexOf(':'));

/** The case with as much of its state zero as still gives the first of its differences. */
export function minimise<C extends Case>(c: C, first: string, processor: Executor, executor: Executor, options: Comparison): C {
  const differs = (candidate: C): boolean => {
    const [expected] = processor.run([candidate]);
    const [actual] = executor.run([candidate]);
    return differences(expected, actual, options).some((line) => nameOf(line) === nameOf(first));
  };
  let best = c;
  const attempt = (change: Partial<Case>): void => {
    const candidate = { ...best, ...change };
    if (differs(candidate)) best = candidate;
  };
  attempt({ eflags: Eflags.FIXED | Eflags.IF });
  attempt({ data: new Uint8Array(c.data.length) });
  attempt({ stack: new Uint8Array(c.stack.length) });
  for (let r = 0; r < 8; r++) {
    if (r === ESP) continue;
    for (const value of [0, 1]) {
      if (best.regs[r] === 0 || best.regs[r] === value) continue;
      attempt({ regs: best.regs.map((old, n) => (n === r ? value : old)) });
    }
  }
  return best;
}

/** A report to read: the instruction, the state before, what differs (processor | executor), and the IR. */
export function report(c: Case, lines: readonly string[], executor: string): string {
  const bytes = Array.from(c.code, (n) => hex(n, 2)).join(' ');
  const padded = new Uint8Array(80).fill(0xcc);
  padded.set(c.code);
  const code = Code.of(padded, c.eip);
  const text: string[] = [];
  for (let at = c.eip; at < c.eip + c.code.length; ) {
    const d = x86.disassemble(code, at);
    text.push(d.text);
    at += d.length;
  }
  const registers = new Map(x86.registers.map((r) => [r.offset, r.name]));
  const ir = printBlock(liftBlock(x86, new Builder(x86.helpers), code, c.eip), (offset) => registers.get(offset));
  const shown = (area: Uint8Array): string => Array.from(area, (n) => hex(n, 2)).join('');
  return [
    `${bytes}   ${text.join('; ')}`,
    `before: ${NAMES.map((name, r) => `${name}=${hex(c.regs[r])}`).join(' ')} flags: ${flagText(c.eflags)}`,
    `  data at ${hex(DATA + c.dataOffset)}: ${shown(c.data)}`,
    `  stack at ${hex(STACK + c.stackOffset)}: ${shown(c.stack)}`,
    `differences (processor | ${executor}):`,
    ...lines.map((line) => `  ${line}`),
    ir,
  ].join('\n');
}

/** Runs cases on the processor and on an executor; one report a `kindOf` case, at most `limit`. */
export function disagreements<C extends Case>(
  cases: readonly C[],
  processor: Executor,
  executor: Executor,
  optionsOf: (c: C) => Comparison,
  kindOf: (c: C) => unknown,
  limit = 10,
): string[] {
  const expected = processor.run(cases);
  const actual = executor.run(cases);
  const reports: string[] = [];
  const seen = new Set<unknown>();
  cases.forEach((c, n) => {
    if (reports.length >= limit || seen.has(kindOf(c))) return;
    const found = differences(expected[n], actual[n], optionsOf(c));
    if (found.length === 0) return;
    seen.add(kindOf(c));
    const small = minimise(c, found[0], processor, executor, optionsOf(c));
    const lines = differences(processor.run([small])[0], executor.run([small])[0], optionsOf(small));
    reports.push(lines.length > 0 ? report(small, lines, executor.name) : report(c, [...found, 'only after other cases'], executor.name));
  });
  return reports;
}
