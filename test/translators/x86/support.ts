import { expect } from 'vitest';
import { Layout } from '../../../assembly/shared/layout.ts';
import { Code } from '../../../src/isa/code.ts';
import type { Exit } from '../../../src/vcpu/exit.ts';
import { Eflags, getEflags, setEflags } from '../../../translators/x86/abi.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { type Machine, type MachineOptions, makeMachine } from '../../support/machine.ts';

export const CODE = 0x20000;
export const DATA = 0x30000;
/** Where ESP points at first; a page of stack lies below and above. */
export const STACK = 0x41000;

/** Registers by name, `eflags` as the letters of the flags that are set (O D S Z A P C), guest words by address. */
export interface State {
  readonly [name: string]: number | string | undefined;
  readonly eflags?: string;
}

const LETTERS: readonly [string, Eflags][] = [
  ['O', Eflags.OF],
  ['D', Eflags.DF],
  ['S', Eflags.SF],
  ['Z', Eflags.ZF],
  ['A', Eflags.AF],
  ['P', Eflags.PF],
  ['C', Eflags.CF],
];
export const letters = (flags: number): string => LETTERS.map(([letter, bit]) => (flags & bit ? letter : '')).join('');
export const flagsOf = (text: string): number => LETTERS.reduce((flags, [letter, bit]) => (text.includes(letter) ? flags | bit : flags), 0);

export const bytesOf = (hex: string): number[] => hex.split(' ').map((byte) => Number.parseInt(byte, 16));

/** One machine for all: making a Wasm memory costs more than a test. */
export function machine(options?: MachineOptions): Machine {
  return options ? prepare(makeMachine(x86, options)) : shared;
}
function prepare(m: Machine): Machine {
  for (const page of [CODE, DATA, STACK - 0x1000, STACK]) m.put(page, new Uint8Array(4096));
  return m;
}
// made while the file loads: compiling the runtime may take longer than a test is given
const shared = prepare(makeMachine(x86));

const stateOf = (m: Machine): DataView => new DataView(m.memory.memory.buffer, Layout.STATE, Layout.STATE_SIZE);
export const eflags = (m: Machine): number => getEflags(stateOf(m));

export function setState(m: Machine, state: State): void {
  x86.reset(stateOf(m));
  m.set('esp', STACK);
  for (const [name, value] of Object.entries(state)) {
    if (name === 'eflags') setEflags(stateOf(m), flagsOf(String(value)));
    else if (/^\d/.test(name)) m.memory.setU32(Number(name), Number(value));
    else m.set(name, Number(value));
  }
}

/** What `expected` names, as it is now. */
export function stateLike(m: Machine, expected: State): State {
  const actual: Record<string, number | string> = {};
  for (const name of Object.keys(expected)) {
    if (name === 'eflags') actual[name] = letters(eflags(m));
    else if (name === 'eip') actual[name] = m.pc;
    else if (/^\d/.test(name)) actual[name] = m.memory.u32(Number(name));
    else actual[name] = Number(m.get(name));
  }
  return actual;
}

const unsigned = (state: State): State =>
  Object.fromEntries(Object.entries(state).map(([name, value]) => [name, typeof value === 'number' ? value >>> 0 : value]));

/**
 * `01 d8 | add eax,ebx`: bytes, and what the disassembler makes of them. Several instructions are separated by `;`.
 * Runs them from `before` and compares what `after` names; gives the exit.
 */
export function check(program: string, before: State, after: State, m = machine()): Exit {
  const parts = program.split(';').map((part) => part.split('|').map((text) => text.trim()));
  const code = parts.flatMap(([bytes]) => bytesOf(bytes));
  let pc = CODE;
  for (const [bytes, text] of parts) {
    expect(x86.disassemble(Code.of(Uint8Array.from(code), CODE), pc)).toEqual({ text, length: bytesOf(bytes).length });
    pc += bytesOf(bytes).length;
  }
  m.put(CODE, [...code, 0xcc]);
  setState(m, before);
  m.pc = CODE;
  const exit = m.step(parts.length);
  expect(stateLike(m, after), program).toEqual(unsigned(after));
  return exit;
}
