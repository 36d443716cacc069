import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { group, type Meaning, type Row, row, type Sensitivity, sensitive } from '../row.ts';
import { UserSegment } from '../segments.ts';
import { X86 } from '../state.ts';
import * as System from '../system/meanings.ts';
import { Mode, System as SystemState } from '../system/state.ts';

const WRAP = op('i32.wrap_i64');
const I64_SHR_U = op('i64.shr_u');

export const systemHelpers: readonly Helper[] = [
  { name: 'x86_cpuid', params: [], result: Type.None, state: true, pure: false },
  { name: 'x86_rdtsc', params: [], result: Type.I64, state: true, pure: false },
];

const illegal: Meaning = (b, i) => b.exit(ExitKind.Illegal, i.pc);
/** Needs privilege level 0: #GP(0) in user mode. */
const privileged: Meaning = (b, i) => b.exit(ExitKind.Privileged, i.pc);

// Segments: user mode does what system mode does at privilege level 3, with descriptor tables that Linux fills.

const SEGMENT = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 };

/** A row with one meaning, which asks the mode. */
function segmentRow(kind: Sensitivity, meaning: Meaning, bits: string, text: string): Row {
  const inUserMode: Meaning = (b, i) => {
    const { mode } = i;
    if (mode === 0) i.mode = Mode.ORDINARY;
    meaning(b, i);
    i.mode = mode;
  };
  return sensitive(kind, meaning, row(bits, text, inUserMode));
}

// What UMIP keeps from user mode: Linux stores the same words for every program there (arch/x86/kernel/umip.c).

const umipWord =
  (value: (b: Builder) => Value): Meaning =>
  (b, i) =>
    System.storeWord(b, i, value(b));
const umipTable =
  (base: number): Meaning =>
  (b, i) =>
    System.storeTableOf(b, i, b.i32(0), b.i32(base));
/** PE, MP, ET, NE, WP, AM and PG */
const UMIP_CR0 = 0x80050033;
const UMIP_GDT = 0xfffe0000;
const UMIP_IDT = 0xffff0000;

// The processor itself

const cpuid: Meaning = (b) => {
  b.helper('x86_cpuid');
};

/** Ends the block, so that the count of instructions is the same in every executor. */
const rdtsc: Meaning = (b, i) => {
  const count = b.helper('x86_rdtsc');
  b.set(X86.EAX, b.emit(WRAP, count));
  b.set(X86.EDX, b.emit(WRAP, b.emit(I64_SHR_U, count, b.i64(32, 0))));
  b.goto(i.next);
};

const PRIVILEGED: Sensitivity = 'privileged';
const CONTROL: Sensitivity = 'control-sensitive';
const BEHAVIOUR: Sensitivity = 'behaviour-sensitive';

const segmentRows = (): readonly Row[] => [
  ...[0, 2, 3, 4, 5].map((n) => segmentRow(CONTROL, System.movToSegment, `8E /${n}`, 'MOV Sw, Ew')),
  segmentRow(CONTROL, System.popSegment, '07', 'POP ES'),
  segmentRow(CONTROL, System.popSegment, '17', 'POP SS'),
  segmentRow(CONTROL, System.popSegment, '1F', 'POP DS'),
  segmentRow(CONTROL, System.popSegment, '0F A1', 'POP FS'),
  segmentRow(CONTROL, System.popSegment, '0F A9', 'POP GS'),
  segmentRow(CONTROL, System.loadFar(SEGMENT.ES), 'C4 /r', 'LES Gv, Mp'),
  segmentRow(CONTROL, System.loadFar(SEGMENT.DS), 'C5 /r', 'LDS Gv, Mp'),
  segmentRow(CONTROL, System.loadFar(SEGMENT.SS), '0F B2 /r', 'LSS Gv, Mp'),
  segmentRow(CONTROL, System.loadFar(SEGMENT.FS), '0F B4 /r', 'LFS Gv, Mp'),
  segmentRow(CONTROL, System.loadFar(SEGMENT.GS), '0F B5 /r', 'LGS Gv, Mp'),
];

const farRows = (): readonly Row[] => [
  segmentRow(CONTROL, System.farCall, '9A ap', 'CALL Ap'),
  segmentRow(CONTROL, System.farJump, 'EA ap', 'JMP Ap'),
  segmentRow(CONTROL, System.farCallIndirect, 'FF /3', 'CALL Mp'),
  segmentRow(CONTROL, System.farJumpIndirect, 'FF /5', 'JMP Mp'),
  segmentRow(CONTROL, System.farReturn, 'CB', 'RETF'),
  segmentRow(CONTROL, System.farReturn, 'CA iw', 'RETF Iw'),
  segmentRow(CONTROL, System.iret, 'CF', 'IRETW/IRET'),
];

const descriptorRows = (): readonly Row[] => [
  segmentRow(BEHAVIOUR, System.lar, '0F 02 /r', 'LAR Gv, Ew'),
  segmentRow(BEHAVIOUR, System.lsl, '0F 03 /r', 'LSL Gv, Ew'),
  segmentRow(BEHAVIOUR, System.verify(0), '0F 00 /4', 'VERR Ew'),
  segmentRow(BEHAVIOUR, System.verify(1), '0F 00 /5', 'VERW Ew'),
];

const processorRows = (): readonly Row[] => [
  sensitive(BEHAVIOUR, System.cpuid, row('0F A2', 'CPUID', cpuid)),
  sensitive(BEHAVIOUR, System.rdtsc, row('0F 31', 'RDTSC', rdtsc)),
  row('0F 0B', 'UD2', illegal),
  row('0F B9 /r', 'UD1 Gv, Ev', illegal),
  row('0F FF /r', 'UD0 Gv, Ev', illegal),
];

const privilegedRows = (): readonly Row[] => [
  sensitive(
    BEHAVIOUR,
    System.storeSelector('LDTR'),
    row(
      '0F 00 /0',
      'SLDT Ew',
      umipWord((b) => b.get(Type.I32, SystemState.LDTR)),
    ),
  ),
  sensitive(
    BEHAVIOUR,
    System.storeSelector('TR'),
    row(
      '0F 00 /1',
      'STR Ew',
      umipWord((b) => b.i32(UserSegment.TASK)),
    ),
  ),
  sensitive(PRIVILEGED, System.lldt, row('0F 00 /2', 'LLDT Ew', privileged)),
  sensitive(PRIVILEGED, System.ltr, row('0F 00 /3', 'LTR Ew', privileged)),
  sensitive(BEHAVIOUR, System.storeTable('GDTR'), row('0F 01 /0 m', 'SGDT M', umipTable(UMIP_GDT))),
  sensitive(BEHAVIOUR, System.storeTable('IDTR'), row('0F 01 /1 m', 'SIDT M', umipTable(UMIP_IDT))),
  sensitive(PRIVILEGED, System.loadTable('GDTR'), row('0F 01 /2 m', 'LGDT M', privileged)),
  sensitive(PRIVILEGED, System.loadTable('IDTR'), row('0F 01 /3 m', 'LIDT M', privileged)),
  sensitive(
    BEHAVIOUR,
    System.smsw,
    row(
      '0F 01 /4',
      'SMSW Ew',
      umipWord((b) => b.i32(UMIP_CR0)),
    ),
  ),
  sensitive(PRIVILEGED, System.lmsw, row('0F 01 /6', 'LMSW Ew', privileged)),
  sensitive(PRIVILEGED, System.invlpg, row('0F 01 /7 m', 'INVLPG Mb', privileged)),
  sensitive(PRIVILEGED, System.clts, row('0F 06', 'CLTS', privileged)),
  sensitive(PRIVILEGED, System.cacheInstruction, row('0F 08', 'INVD', privileged)),
  sensitive(PRIVILEGED, System.cacheInstruction, row('0F 09', 'WBINVD', privileged)),
  // the control registers that exist
  ...[0, 2, 3, 4].flatMap((n) => [
    sensitive(PRIVILEGED, System.readControl, row(`0F 20 /${n}`, 'MOV Rd, Cd', privileged)),
    sensitive(PRIVILEGED, System.writeControl, row(`0F 22 /${n}`, 'MOV Cd, Rd', privileged)),
  ]),
  sensitive(PRIVILEGED, System.readDebug, row('0F 21 /r', 'MOV Rd, Dd', privileged)),
  sensitive(PRIVILEGED, System.writeDebug, row('0F 23 /r', 'MOV Dd, Rd', privileged)),
  sensitive(PRIVILEGED, System.wrmsr, row('0F 30', 'WRMSR', privileged)),
  sensitive(PRIVILEGED, System.rdmsr, row('0F 32', 'RDMSR', privileged)),
  sensitive(PRIVILEGED, System.rdpmc, row('0F 33', 'RDPMC', privileged)),
  sensitive(CONTROL, System.sysenter, row('0F 34', 'SYSENTER', illegal)),
  sensitive(PRIVILEGED, System.sysexit, row('0F 35', 'SYSEXIT', privileged)),
  sensitive(CONTROL, System.vmcall, row('0F 01 C1', 'VMCALL', illegal)),
  sensitive(CONTROL, System.vmcall, row('0F 01 D9', 'VMMCALL', illegal)),
];

/** In user mode SYSENTER is not announced, and raises #UD. SYSCALL has no row: neither mode announces it. */
export const system = (): readonly Row[] =>
  group('system', [...segmentRows(), ...farRows(), ...descriptorRows(), ...processorRows(), ...privilegedRows()]);
