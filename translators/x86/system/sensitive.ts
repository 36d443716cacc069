// The published list of privileged and sensitive instructions, and their counters.
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { SensitiveInstruction } from '../../../src/isa/system.ts';
import type { Row } from '../row.ts';
import { System } from './state.ts';

/** By text or mnemonic. */
const HANDLING: Readonly<Record<string, string>> = {
  'MOV Rv, Sw': 'stores the selector',
  'MOV Mw, Sw': 'stores the selector',
  'MOV Sw, Ew': 'checks and loads the descriptor',
  'MOV Rd, Cd': '#GP beyond CPL 0; reads the register',
  'MOV Cd, Rd': '#GP beyond CPL 0 or for reserved bits; code is left if mode or mapping changes',
  'MOV Rd, Dd': '#GP beyond CPL 0, #DB with DR7.GD; reads the register',
  'MOV Dd, Rd': '#GP beyond CPL 0, #DB with DR7.GD; writes the register',
  'CALL Ap': 'far: to code, or by a call gate, task gate or TSS',
  'CALL Mp': 'far: to code, or by a call gate, task gate or TSS',
  'JMP Ap': 'far: to code, or by a call gate, task gate or TSS',
  'JMP Mp': 'far: to code, or by a call gate, task gate or TSS',
  INT1: 'enters by the IDT',
  INT3: 'enters by the IDT',
  INT: 'enters by the IDT; in virtual-8086 mode #GP with IOPL below 3',
  INTO: 'enters by the IDT if OF is set',
  'IRETW/IRET': 'returns, also to another privilege, task or virtual-8086 mode; IOPL changes at CPL 0 only',
  RETF: 'returns, also to an outer privilege',
  PUSH: 'stores the selector',
  POP: 'checks and loads the descriptor',
  LES: 'checks and loads the descriptor',
  LDS: 'checks and loads the descriptor',
  LSS: 'checks and loads the descriptor',
  LFS: 'checks and loads the descriptor',
  LGS: 'checks and loads the descriptor',
  'PUSHFW/PUSHF': 'stores the flags; in virtual-8086 mode #GP with IOPL below 3',
  'POPFW/POPF': 'changes IF if IOPL allows it, IOPL at CPL 0 only; in virtual-8086 mode #GP with IOPL below 3',
  INS: '#GP where IOPL and the TSS’s bitmap deny it; reads the device',
  OUTS: '#GP where IOPL and the TSS’s bitmap deny it; writes to the device',
  IN: '#GP where IOPL and the TSS’s bitmap deny it; reads the device',
  OUT: '#GP where IOPL and the TSS’s bitmap deny it; writes to the device',
  CLI: '#GP where IOPL denies it; clears IF',
  STI: '#GP where IOPL denies it; a pending interrupt is taken after the next instruction',
  HLT: '#GP beyond CPL 0; halts the processor',
  ARPL: 'adjusts the selector in protected mode, else #UD',
  LAR: 'reads the descriptor',
  LSL: 'reads the descriptor',
  VERR: 'reads the descriptor',
  VERW: 'reads the descriptor',
  CPUID: 'tells what is implemented, and of the hypervisor',
  RDTSC: '#GP beyond CPL 0 with CR4.TSD; guest time',
  SLDT: 'stores the register at any CPL: UMIP is not announced',
  STR: 'stores the register at any CPL: UMIP is not announced',
  SGDT: 'stores the register at any CPL: UMIP is not announced',
  SIDT: 'stores the register at any CPL: UMIP is not announced',
  SMSW: 'stores the register at any CPL: UMIP is not announced',
  LLDT: '#GP beyond CPL 0; checks and loads the descriptor',
  LTR: '#GP beyond CPL 0; checks and loads the descriptor, which is then busy',
  LGDT: '#GP beyond CPL 0; loads the register',
  LIDT: '#GP beyond CPL 0; loads the register',
  LMSW: '#GP beyond CPL 0; writes MP, EM and TS, sets PE',
  CLTS: '#GP beyond CPL 0; clears CR0.TS',
  INVLPG: '#GP beyond CPL 0; forgets what was filled for the page',
  INVD: '#GP beyond CPL 0; nothing: caches are coherent and cannot be seen',
  WBINVD: '#GP beyond CPL 0; nothing: caches are coherent and cannot be seen',
  RDMSR: '#GP beyond CPL 0 or for a register that is not there; reads it',
  WRMSR: '#GP beyond CPL 0 or for a register that is not there; writes it',
  RDPMC: '#GP: there is no counter',
  SYSENTER: '#GP without SYSENTER_CS; enters at SYSENTER_EIP',
  SYSEXIT: '#GP beyond CPL 0; returns to CPL 3',
  VMCALL: 'calls the machine monitor; #UD in real mode',
  VMMCALL: 'calls the machine monitor; #UD in real mode',
};

function handlingOf(text: string): string {
  const handling = HANDLING[text] ?? HANDLING[text.split(' ')[0]];
  if (handling === undefined) throw new Error(`no handling is told of ${text}`);
  return handling;
}

/** Forms with one text share a number. */
export function sensitiveList(rows: readonly Row[]): readonly SensitiveInstruction[] {
  const list = new Map<string, SensitiveInstruction>();
  for (const { text, sensitivity } of rows) {
    if (sensitivity && !list.has(text)) list.set(text, { number: list.size, text, class: sensitivity, handling: handlingOf(text) });
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
