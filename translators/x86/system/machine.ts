// What src/vmm asks of the processor: src/isa/system.ts.

import { Mmu } from '../../../assembly/shared/layout.ts';
import { Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import type { IsaSystem, SystemVcpu } from '../../../src/isa/system.ts';
import { MXCSR_RESET, setEflags, setMxcsr } from '../abi.ts';
import { Cpuid } from '../features.ts';
import { Segment, Vector } from '../sdm.ts';
import { X86 } from '../state.ts';
import { Access, Cr0, Mode, System } from './state.ts';

const I32 = Type.I32;
export const machineHelpers: readonly Helper[] = [
  { name: 'x86_update_mode', params: [], result: Type.None, state: true, pure: false },
  { name: 'x86_line', params: [I32, I32], result: Type.None, state: true, pure: false },
  { name: 'x86_interrupt_pending', params: [], result: I32, state: true, pure: false },
  { name: 'x86_hold_interrupt', params: [], result: I32, state: true, pure: false },
  { name: 'x86_nmi_pending', params: [], result: I32, state: true, pure: false },
  { name: 'x86_take_interrupt', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_deliver', params: [I32, I32], result: I32, state: true, pure: false },
];

const REAL_DATA = Access.PRESENT | Access.S | Access.SECOND | Access.ACCESSED;
const FLAT = Access.G | Access.DB | REAL_DATA;

/** A segment register with its hidden part. */
function setSegment(cpu: SystemVcpu, segment: number, selector: number, base: number, limit: number, access: number): void {
  cpu.set32(X86.ES + segment * 4, selector);
  cpu.set32(X86.ES_BASE + segment * 4, base);
  cpu.set32(System.LIMIT + segment * 4, limit);
  cpu.set32(System.ACCESS + segment * 4, access);
  cpu.set32(System.END + segment * 4, limit - 14);
  cpu.set32(System.WRITABLE + segment * 4, access & Access.CODE ? 0 : 1);
}

const SEGMENTS = 6;

/** SDM volume 3, table 9-1 */
function reset(cpu: SystemVcpu): void {
  for (let offset = 0; offset < System.SIZE; offset += 4) cpu.set32(offset, 0);
  setEflags(cpu.state, 0);
  cpu.set32(X86.EDX, Cpuid.SIGNATURE);
  for (let segment = 0; segment < SEGMENTS; segment++) setSegment(cpu, segment, 0, 0, 0xffff, REAL_DATA);
  setSegment(cpu, Segment.CS, 0xf000, 0xffff0000, 0xffff, REAL_DATA);
  for (const register of [System.LDTR, System.TR]) cpu.set32(register + 8, 0xffff);
  cpu.set32(System.LDTR + 12, Access.PRESENT | 0x200);
  cpu.set32(System.TR + 12, Access.PRESENT | 0xb00);
  cpu.set32(System.GDTR_LIMIT, 0xffff);
  cpu.set32(System.IDTR_LIMIT, 0xffff);
  cpu.set32(System.CR0, Cr0.CD | Cr0.NW | Cr0.ET);
  cpu.set32(System.DR6, 0xffff0ff0);
  cpu.set32(System.DR7, 0x400);
  cpu.set32(X86.FCW, 0x37f);
  cpu.set32(X86.FTW, 0xffff);
  setMxcsr(cpu.state, MXCSR_RESET);
  cpu.callHelper('x86_update_mode');
  cpu.pc = 0xfffffff0;
}

/** Selectors of the Linux boot protocol (Documentation/x86/boot.rst, 32-bit): __BOOT_CS and __BOOT_DS. */
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;

/** Registers of the privileged architecture by name. */
export const SYSTEM_REGISTERS: ReadonlyMap<string, number> = new Map([
  ['cr0', System.CR0],
  ['cr2', System.CR2],
  ['cr3', System.CR3],
  ['cr4', System.CR4],
  ['gdtr_base', System.GDTR_BASE],
  ['gdtr_limit', System.GDTR_LIMIT],
  ['idtr_base', System.IDTR_BASE],
  ['idtr_limit', System.IDTR_LIMIT],
  ['ldtr', System.LDTR],
  ['tr', System.TR],
  ['cpl', System.CPL],
]);

export const machine: IsaSystem = {
  mmu: Mmu.X86,
  modeBit: Mode.SYSTEM,
  hypercall: { number: 'eax', args: ['ebx', 'ecx', 'edx', 'esi'], result: 'eax' },
  reset,
  enterKernel(cpu, pc, registers) {
    reset(cpu);
    cpu.set32(X86.EDX, 0);
    cpu.set32(System.CR0, Cr0.PE | Cr0.ET);
    for (let segment = 0; segment < SEGMENTS; segment++) setSegment(cpu, segment, BOOT_DS, 0, 0xffffffff, FLAT);
    setSegment(cpu, Segment.CS, BOOT_CS, 0, 0xffffffff, FLAT | Access.CODE);
    const names = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
    for (const [name, value] of Object.entries(registers)) {
      const number = names.indexOf(name);
      const offset = number < 0 ? SYSTEM_REGISTERS.get(name) : X86.EAX + number * 4;
      if (offset === undefined) throw new Error(`x86 has no register ${name} that a boot protocol could set`);
      cpu.set32(offset, value);
    }
    cpu.callHelper('x86_update_mode');
    cpu.pc = pc;
  },
  setInterrupt(cpu, input, level) {
    cpu.callHelper('x86_line', input, Number(level));
  },
  interruptPending: (cpu) => cpu.callHelper('x86_interrupt_pending') !== 0,
  holdsInterrupt: (cpu) => cpu.callHelper('x86_hold_interrupt') !== 0,
  takeInterrupt(cpu, acknowledge) {
    // a triple fault while an interrupt is delivered leaves the guest where it was: it will meet it again
    cpu.callHelper('x86_take_interrupt', cpu.callHelper('x86_nmi_pending') ? 0 : acknowledge());
  },
  deliver(cpu, exit) {
    if (exit.kind === 'exception' && exit.number === Vector.MF && !(cpu.get32(System.CR0) & Cr0.NE)) return 'coprocessor-error';
    let status = 0;
    if (exit.kind === 'illegal') status = cpu.callHelper('x86_deliver', Vector.UD, 0);
    else if (exit.kind === 'exception') status = cpu.callHelper('x86_deliver', exit.number & 0xff, exit.code);
    else if (exit.kind === 'shutdown') status = 1;
    return status === 0 ? 'delivered' : 'shutdown';
  },
};
