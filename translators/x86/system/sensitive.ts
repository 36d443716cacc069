// The published list of privileged and sensitive instructions, and their counters.
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { SensitiveInstruction } from '../../../src/isa/system.ts';
import type { Row, Sensitivity } from '../row.ts';
import { System } from './state.ts';

const HANDLING: Readonly<Record<Sensitivity, string>> = {
  privileged: '#GP beyond CPL 0 (ports, CLI and STI: where IOPL and bitmap deny it); else done on the machine’s own state',
  'control-sensitive': 'done on the machine’s own state: segments, gates, flags',
  'behaviour-sensitive': 'shows the machine’s own state',
};

/** Forms with one text share a number. */
export function sensitiveList(rows: readonly Row[]): readonly SensitiveInstruction[] {
  const list = new Map<string, SensitiveInstruction>();
  for (const { text, sensitivity } of rows) {
    if (sensitivity && !list.has(text)) list.set(text, { number: list.size, text, class: sensitivity, handling: HANDLING[sensitivity] });
  }
  if (list.size * 4 > System.COUNTERS_END - System.COUNTERS)
    throw new Error(`${list.size} sensitive instructions, more than there are counters`);
  return [...list.values()];
}

const numbers = new Map<string, number>();
export function numberSensitive(list: readonly SensitiveInstruction[]): void {
  for (const { text, number } of list) numbers.set(text, number);
}

export const counterOf = (number: number): number => System.COUNTERS + number * 4;

/** Whether the row's instruction is to be lifted: it may be hooked. */
export function enters(b: Builder, row: Row): boolean {
  const number = row.sensitivity && numbers.get(row.text);
  return number === undefined || b.enters(number);
}

/** Counts that a sensitive instruction begins. */
export function countSensitive(b: Builder, row: Row): void {
  const number = row.sensitivity && numbers.get(row.text);
  if (number === undefined) return;
  b.set(counterOf(number), b.add(b.get(Type.I32, counterOf(number)), b.i32(1)));
}
