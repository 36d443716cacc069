import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Value } from '../../../src/ir/block.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { op, Type } from '../../../src/ir/ops.ts';
import type { Helper } from '../../../src/isa/isa.ts';
import { restoreFlags, setZero } from '../flags.ts';
import { address, type Insn, load, read, store, write } from '../operands.ts';
import { group, type Meaning, type Row, row, type Sensitivity, sensitive } from '../row.ts';
import { Eflags, Vector } from '../sdm.ts';
import { X86 } from '../state.ts';
import * as System from '../system/meanings.ts';

const I32 = Type.I32;
const WRAP = op('i32.wrap_i64');
const I64_SHR_U = op('i64.shr_u');

export const systemHelpers: readonly Helper[] = [
  { name: 'x86_cpuid', params: [], result: Type.None, state: true, pure: false },
  { name: 'x86_rdtsc', params: [], result: Type.I64, state: true, pure: false },
  { name: 'x86_load_segment', params: [I32, I32], result: I32, state: true, pure: false },
  { name: 'x86_access_rights', params: [I32], result: I32, state: true, pure: false },
  { name: 'x86_segment_limit', params: [I32], result: I32, state: true, pure: false },
];

const illegal: Meaning = (b, i) => b.exit(ExitKind.Illegal, i.pc);
/** Needs privilege level 0, or is one of those that UMIP keeps from user mode: #GP(0) there. */
const privileged: Meaning = (b, i) => b.exit(ExitKind.Privileged, i.pc);

// Segment registers

const SEGMENT = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 };

/** Loads a segment register and leaves with the exception if the selector cannot be loaded. */
function loadSegment(b: Builder, segment: number, selector: Value): void {
  const vector = b.helper('x86_load_segment', b.i32(segment), selector);
  b.exitIf(b.eq(vector, b.i32(Vector.GP)), ExitKind.Exception, Vector.GP);
  b.exitIf(b.eq(vector, b.i32(Vector.NP)), ExitKind.Exception, Vector.NP);
  if (segment === SEGMENT.SS) b.exitIf(b.eq(vector, b.i32(Vector.SS)), ExitKind.Exception, Vector.SS);
  b.exitIf(b.eq(vector, b.i32(Vector.UD)), ExitKind.Illegal);
}

const movToSegment: Meaning = (b, i) => loadSegment(b, i.reg, read(b, i, 1));

const popSegment: Meaning = (b, i) => {
  const esp = b.get(I32, X86.ESP);
  const selector = b.and(load(b, esp, i.operandSize), b.i32(0xffff));
  loadSegment(b, i.row.operands[0].number, selector);
  b.set(X86.ESP, b.add(esp, b.i32(i.operandSize)));
};

/** Selector of the far pointer in memory, which follows its offset. */
const farSelector = (b: Builder, i: Insn): Value => load(b, b.add(address(b, i), b.i32(i.operandSize)), 2);

const loadFar =
  (segment: number): Meaning =>
  (b, i) => {
    const offset = load(b, address(b, i), i.operandSize);
    loadSegment(b, segment, farSelector(b, i));
    write(b, i, 0, offset, true);
  };

// Far transfers: user mode has one code segment.

/** #GP unless the selector, whatever its RPL, names the current code segment. */
function sameCodeSegment(b: Builder, selector: Value): void {
  const other = b.and(b.xor(selector, b.get(I32, X86.CS)), b.i32(0xfffc));
  b.exitIf(b.ne(other, b.i32(0)), ExitKind.Exception, Vector.GP);
}
function pushFarReturn(b: Builder, i: Insn): void {
  const esp = b.get(I32, X86.ESP);
  store(b, b.sub(esp, b.i32(i.operandSize)), i.operandSize, b.get(I32, X86.CS));
  store(b, b.sub(esp, b.i32(2 * i.operandSize)), i.operandSize, b.i32(i.next));
  b.set(X86.ESP, b.sub(esp, b.i32(2 * i.operandSize)));
}
const directTarget = (i: Insn): number => (i.operandSize === 4 ? i.immediate >>> 0 : i.immediate & 0xffff);

const farJump: Meaning = (b, i) => {
  sameCodeSegment(b, b.i32(i.immediate2));
  b.goto(directTarget(i));
};
const farCall: Meaning = (b, i) => {
  sameCodeSegment(b, b.i32(i.immediate2));
  pushFarReturn(b, i);
  b.call(directTarget(i), i.next);
};
const farJumpIndirect: Meaning = (b, i) => {
  const target = load(b, address(b, i), i.operandSize);
  sameCodeSegment(b, farSelector(b, i));
  b.jump(target);
};
const farCallIndirect: Meaning = (b, i) => {
  const target = load(b, address(b, i), i.operandSize);
  sameCodeSegment(b, farSelector(b, i));
  pushFarReturn(b, i);
  b.callIndirect(target, i.next);
};

/** A return may not gain privilege: the selector's RPL is 3, as CS's. */
function returnSelector(b: Builder, selector: Value): void {
  b.exitIf(b.ne(b.and(selector, b.i32(0xffff)), b.get(I32, X86.CS)), ExitKind.Exception, Vector.GP);
}
const farReturn: Meaning = (b, i) => {
  const size = i.operandSize;
  const esp = b.get(I32, X86.ESP);
  const target = load(b, esp, size);
  returnSelector(b, load(b, b.add(esp, b.i32(size)), size));
  const released = i.row.operands.length === 1 ? i.immediate & 0xffff : 0;
  b.set(X86.ESP, b.add(esp, b.i32(2 * size + released)));
  b.return(target);
};
const iret: Meaning = (b, i) => {
  const size = i.operandSize;
  const esp = b.get(I32, X86.ESP);
  b.exitIf(b.and(b.get(I32, X86.OTHER_FLAGS), b.i32(Eflags.NT)), ExitKind.Exception, Vector.GP);
  const target = load(b, esp, size);
  const selector = load(b, b.add(esp, b.i32(size)), size);
  const flags = load(b, b.add(esp, b.i32(2 * size)), size);
  returnSelector(b, selector);
  b.set(X86.ESP, b.add(esp, b.i32(3 * size)));
  restoreFlags(b, flags, size, 0);
  b.jump(target);
};

// What user mode may ask about descriptors

/** ZF tells whether the selector names a descriptor that user mode may see; only then is the destination written. */
const lar: Meaning = (b, i) => {
  const rights = b.helper('x86_access_rights', read(b, i, 1));
  write(b, i, 0, b.select(rights, rights, read(b, i, 0)));
  setZero(b, b.eqz(rights));
};
const lsl: Meaning = (b, i) => {
  const selector = read(b, i, 1);
  const rights = b.helper('x86_access_rights', selector);
  const limit = b.helper('x86_segment_limit', selector);
  write(b, i, 0, b.select(rights, limit, read(b, i, 0)));
  setZero(b, b.eqz(rights));
};
/** Type bits of a descriptor's second word: code, and writable data or readable code. */
const CODE = 0x800;
const SECOND = 0x200;
const verr: Meaning = (b, i) => {
  const rights = b.helper('x86_access_rights', read(b, i, 0));
  const executeOnly = b.eq(b.and(rights, b.i32(CODE | SECOND)), b.i32(CODE));
  setZero(b, b.or(b.eqz(rights), executeOnly));
};
const verw: Meaning = (b, i) => {
  const rights = b.helper('x86_access_rights', read(b, i, 0));
  setZero(b, b.ne(b.and(rights, b.i32(CODE | SECOND)), b.i32(SECOND)));
};

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

const segmentRows: readonly Row[] = [
  ...[0, 2, 3, 4, 5].map((n) => sensitive(CONTROL, System.movToSegment, row(`8E /${n}`, 'MOV Sw, Ew', movToSegment))),
  sensitive(CONTROL, System.popSegment, row('07', 'POP ES', popSegment)),
  sensitive(CONTROL, System.popSegment, row('17', 'POP SS', popSegment)),
  sensitive(CONTROL, System.popSegment, row('1F', 'POP DS', popSegment)),
  sensitive(CONTROL, System.popSegment, row('0F A1', 'POP FS', popSegment)),
  sensitive(CONTROL, System.popSegment, row('0F A9', 'POP GS', popSegment)),
  sensitive(CONTROL, System.loadFar(SEGMENT.ES), row('C4 /r', 'LES Gv, Mp', loadFar(SEGMENT.ES))),
  sensitive(CONTROL, System.loadFar(SEGMENT.DS), row('C5 /r', 'LDS Gv, Mp', loadFar(SEGMENT.DS))),
  sensitive(CONTROL, System.loadFar(SEGMENT.SS), row('0F B2 /r', 'LSS Gv, Mp', loadFar(SEGMENT.SS))),
  sensitive(CONTROL, System.loadFar(SEGMENT.FS), row('0F B4 /r', 'LFS Gv, Mp', loadFar(SEGMENT.FS))),
  sensitive(CONTROL, System.loadFar(SEGMENT.GS), row('0F B5 /r', 'LGS Gv, Mp', loadFar(SEGMENT.GS))),
];

const farRows: readonly Row[] = [
  sensitive(CONTROL, System.farCall, row('9A ap', 'CALL Ap', farCall)),
  sensitive(CONTROL, System.farJump, row('EA ap', 'JMP Ap', farJump)),
  sensitive(CONTROL, System.farCallIndirect, row('FF /3', 'CALL Mp', farCallIndirect)),
  sensitive(CONTROL, System.farJumpIndirect, row('FF /5', 'JMP Mp', farJumpIndirect)),
  sensitive(CONTROL, System.farReturn, row('CB', 'RETF', farReturn)),
  sensitive(CONTROL, System.farReturn, row('CA iw', 'RETF Iw', farReturn)),
  sensitive(CONTROL, System.iret, row('CF', 'IRETW/IRET', iret)),
];

const descriptorRows: readonly Row[] = [
  sensitive(BEHAVIOUR, System.lar, row('0F 02 /r', 'LAR Gv, Ew', lar)),
  sensitive(BEHAVIOUR, System.lsl, row('0F 03 /r', 'LSL Gv, Ew', lsl)),
  sensitive(BEHAVIOUR, System.verify(0), row('0F 00 /4', 'VERR Ew', verr)),
  sensitive(BEHAVIOUR, System.verify(1), row('0F 00 /5', 'VERW Ew', verw)),
];

const processorRows: readonly Row[] = [
  sensitive(BEHAVIOUR, System.cpuid, row('0F A2', 'CPUID', cpuid)),
  sensitive(BEHAVIOUR, System.rdtsc, row('0F 31', 'RDTSC', rdtsc)),
  row('0F 0B', 'UD2', illegal),
  row('0F B9 /r', 'UD1 Gv, Ev', illegal),
  row('0F FF /r', 'UD0 Gv, Ev', illegal),
];

const privilegedRows: readonly Row[] = [
  sensitive(BEHAVIOUR, System.storeSelector('LDTR'), row('0F 00 /0', 'SLDT Ew', privileged)),
  sensitive(BEHAVIOUR, System.storeSelector('TR'), row('0F 00 /1', 'STR Ew', privileged)),
  sensitive(PRIVILEGED, System.lldt, row('0F 00 /2', 'LLDT Ew', privileged)),
  sensitive(PRIVILEGED, System.ltr, row('0F 00 /3', 'LTR Ew', privileged)),
  sensitive(BEHAVIOUR, System.storeTable('GDTR'), row('0F 01 /0 m', 'SGDT M', privileged)),
  sensitive(BEHAVIOUR, System.storeTable('IDTR'), row('0F 01 /1 m', 'SIDT M', privileged)),
  sensitive(PRIVILEGED, System.loadTable('GDTR'), row('0F 01 /2 m', 'LGDT M', privileged)),
  sensitive(PRIVILEGED, System.loadTable('IDTR'), row('0F 01 /3 m', 'LIDT M', privileged)),
  sensitive(BEHAVIOUR, System.smsw, row('0F 01 /4', 'SMSW Ew', privileged)),
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
export const system: readonly Row[] = group('system', [...segmentRows, ...farRows, ...descriptorRows, ...processorRows, ...privilegedRows]);
