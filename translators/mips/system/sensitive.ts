import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { SensitiveInstruction } from '../../../src/isa/system.ts';
import { Mips } from '../state.ts';

const row = (text: string, handling: string): Omit<SensitiveInstruction, 'number'> => ({ text, class: 'privileged', handling });

/** MIPS32 has no sensitive instruction that user mode may execute, except RDHWR: all others need coprocessor 0. */
export const SENSITIVE: readonly SensitiveInstruction[] = [
  row('mfc0', 'reads the register; Count follows guest time'),
  row('mtc0', 'writes the bits that can be written; code is left if mode, mapping or a pending interrupt ask for it'),
  row('rdpgpr', 'there is one register set'),
  row('wrpgpr', 'there is one register set'),
  row('di', 'changes Status.IE'),
  row('ei', 'changes Status.IE; a pending interrupt is taken after it'),
  row('tlbr', 'reads the TLB entry'),
  row('tlbwi', 'writes the TLB entry and forgets what was filled from the old one'),
  row('tlbwr', 'the same; never a wired entry'),
  row('tlbp', 'searches the TLB'),
  row('eret', 'changes Status, loses the reservation of LL, and leaves'),
  row('deret', 'reserved: there is no debug mode'),
  row('wait', 'halts the processor'),
  row('hypcall', 'calls the machine monitor'),
  row('cache', 'nothing: caches are coherent and cannot be seen'),
  { text: 'rdhwr', class: 'behaviour-sensitive' as const, handling: 'reads the register; in user mode only what HWREna allows' },
].map((instruction, number) => ({ number, ...instruction }));

const NUMBERS = new Map(SENSITIVE.map(({ text, number }) => [text, number]));

function numberOf(name: string): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new Error(`${name} is not in the list of sensitive instructions`);
  return number;
}

/** Counts the instruction as executed. */
export function countSensitive(b: Builder, name: string): void {
  const at = Mips.SENSITIVE_COUNTS + 4 * numberOf(name);
  b.set(at, b.add(b.get(Type.I32, at), b.i32(1)));
}

/** Whether the instruction is to be lifted: it may be hooked, and then be passed over. */
export function enters(b: Builder, name: string): boolean {
  if (b.enters(numberOf(name))) return true;
  if (!b.ended) countSensitive(b, name);
  return false;
}
