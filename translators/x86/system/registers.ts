// Control, debug and model-specific registers, descriptor tables, interrupt flag, halt, hypercall.

import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { address, effectiveAddress, type Insn, load, read, store } from '../operands.ts';
import type { Meaning } from '../row.ts';
import { Vector } from '../sdm.ts';
import { checkSegmentWritable, linear, segmentOf } from '../segmentation.ts';
import { X86 } from '../state.ts';
import {
  checkIopl,
  clearInterruptFlag,
  cplOf,
  exitIfRaised,
  privileged,
  setInterruptFlag,
  takeInterrupt,
  transfer,
  transferNext,
} from './privilege.ts';
import { Cr4, Mode, System } from './state.ts';
import { storeWord } from './transfer.ts';

const I32 = Type.I32;
const WRAP = op('i32.wrap_i64');
const I64_SHR_U = op('i64.shr_u');

export const registerHelpers: readonly Helper[] = [
  { name: 'x86_write_control', params: [I32, I32, I32], result: I32, state: true, pure: false },
  { name: 'x86_load_msw', params: [I32, I32], result: I32, state: true, pure: false },
  { name: 'x86_clts', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_invlpg', params: [I32], result: Type.None, state: true, pure: false },
  { name: 'x86_debug_access', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_read_debug', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_write_debug', params: [I32, I32], result: Type.None, state: true, pure: false },
  { name: 'x86_rdmsr', params: [], result: I32, state: true, pure: false },
  { name: 'x86_wrmsr', params: [], result: I32, state: true, pure: false },
  { name: 'x86_system_cpuid', params: [], result: Type.None, state: true, pure: false },
  { name: 'x86_pause', params: [], result: Type.None, state: false, pure: false },
  { name: 'x86_time_stamp', params: [], result: Type.I64, state: true, pure: false },
  { name: 'x86_hypercall', params: [I32], result: I32, state: true, pure: false },
];

const general = (n: number): number => X86.EAX + n * 4;

export const readControl: Meaning = privileged((b, i) => b.set(general(i.rm), b.get(I32, System.CR0 + i.reg * 4)));
export const writeControl: Meaning = privileged((b, i) =>
  transfer(b, i, b.helper('x86_write_control', b.i32(i.reg), b.get(I32, general(i.rm)), b.i32(i.next))),
);
export const smsw: Meaning = (b, i) => storeWord(b, i, b.get(I32, System.CR0));
export const lmsw: Meaning = privileged((b, i) => transfer(b, i, b.helper('x86_load_msw', read(b, i, 0), b.i32(i.next))));
export const clts: Meaning = privileged((b, i) => transfer(b, i, b.helper('x86_clts', b.i32(i.next))));

export const readDebug: Meaning = privileged((b, i) => {
  exitIfRaised(b, b.helper('x86_debug_access', b.i32(i.reg)));
  b.set(general(i.rm), b.helper('x86_read_debug', b.i32(i.reg)));
});
export const writeDebug: Meaning = privileged((b, i) => {
  exitIfRaised(b, b.helper('x86_debug_access', b.i32(i.reg)));
  b.helper('x86_write_debug', b.i32(i.reg), b.get(I32, general(i.rm)));
  transferNext(b, i);
});

export const rdmsr: Meaning = privileged((b) => exitIfRaised(b, b.helper('x86_rdmsr')));
export const wrmsr: Meaning = privileged((b) => exitIfRaised(b, b.helper('x86_wrmsr')));
/** There are no performance counters. */
export const rdpmc: Meaning = (b, i) => b.exit(ExitKind.Exception, i.pc, Vector.GP, 0);

export const cpuid: Meaning = (b) => {
  b.helper('x86_system_cpuid');
};
/** Ends the block, so that the count of instructions is the same in every executor. */
export const rdtsc: Meaning = (b, i) => {
  if (cplOf(i) > 0) b.exitIf(b.and(b.get(I32, System.CR4), b.i32(Cr4.TSD)), ExitKind.Exception, Vector.GP);
  const count = b.helper('x86_time_stamp');
  b.set(X86.EAX, b.emit(WRAP, count));
  b.set(X86.EDX, b.emit(WRAP, b.emit(I64_SHR_U, count, b.i64(32, 0))));
  b.goto(i.next);
};

/** RDTSC asks whether there was one: assembly/x86/system/control.ts. */
export const pause: Meaning = (b) => {
  b.helper('x86_pause');
};

/** There is no cache that an instruction could show. */
export const cacheInstruction: Meaning = privileged(() => undefined);

export const invlpg: Meaning = privileged((b, i) => {
  b.helper('x86_invlpg', linear(b, i, segmentOf(i), effectiveAddress(b, i), 1));
  transferNext(b, i);
});

// GDTR and IDTR: limit, then base; of a 16-bit operand 24 bits

const BASE24 = 0xffffff;
/** All 32 bits of the base, whatever the operand size, since the 286. */
export function storeTableOf(b: Builder, i: Insn, limit: Value, base: Value): void {
  const at = address(b, i);
  checkSegmentWritable(b, i, segmentOf(i));
  store(b, at, 2, limit);
  store(b, b.add(at, b.i32(2)), 4, base);
}
export const storeTable =
  (name: 'GDTR' | 'IDTR'): Meaning =>
  (b, i) => {
    const [base, limit] = name === 'GDTR' ? [System.GDTR_BASE, System.GDTR_LIMIT] : [System.IDTR_BASE, System.IDTR_LIMIT];
    storeTableOf(b, i, b.get(I32, limit), b.get(I32, base));
  };
export const loadTable = (name: 'GDTR' | 'IDTR'): Meaning =>
  privileged((b, i) => {
    const [base, limit] = name === 'GDTR' ? [System.GDTR_BASE, System.GDTR_LIMIT] : [System.IDTR_BASE, System.IDTR_LIMIT];
    const at = address(b, i);
    const newLimit = load(b, at, 2);
    const newBase = load(b, b.add(at, b.i32(2)), 4);
    b.set(limit, newLimit);
    b.set(base, i.operandSize === 4 ? newBase : b.and(newBase, b.i32(BASE24)));
  });

// Interrupt flag, halt

export const cli: Meaning = (b, i) => {
  checkIopl(b, i);
  clearInterruptFlag(b);
};
/** The next instruction is done before an interrupt is taken (SDM volume 3, 6.8.3): lift.ts sees to it. */
export const sti: Meaning = (b, i) => {
  checkIopl(b, i);
  setInterruptFlag(b);
};
export const hlt: Meaning = privileged((b, i) => b.exit(ExitKind.Halt, i.next));

/** VMCALL, and AMD's VMMCALL: at any privilege, which the host may ask. */
export const vmcall: Meaning = (b, i) => {
  if ((i.mode & Mode.PROTECTED) === 0) return b.exit(ExitKind.Illegal, i.pc);
  b.exitIf(b.helper('x86_hypercall', b.i32(i.next)), ExitKind.Hypercall);
  takeInterrupt(b, i);
};
