import { Exactness, FloatLimit } from '../../assembly/shared/float-limit.ts';
import { Layout } from '../../assembly/shared/layout.ts';
import { Cpuid } from './features.ts';
import { Eflags, Segment } from './sdm.ts';
import { UserSegment } from './segments.ts';
import { X86 } from './state.ts';
import { Access, Cr0, Mode, Raised, System } from './system/state.ts';

export { Eflags, Segment, Vector } from './sdm.ts';
export { Access } from './system/state.ts';

/** Slots of the registers that Linux's i386 ABI names, as byte offsets in the state. */
export const ABI = {
  /** Number of the system call; its result. */
  syscallNumber: X86.EAX,
  syscallResult: X86.EAX,
  /** Of a function. */
  result: X86.EAX,
  syscallArguments: [X86.EBX, X86.ECX, X86.EDX, X86.ESI, X86.EDI, X86.EBP],
  stackPointer: X86.ESP,
  framePointer: X86.EBP,
  /** GDT entries that set_thread_area fills: the first one's number, and how many. */
  firstTlsEntry: UserSegment.FIRST_TLS,
  tlsEntries: UserSegment.TLS_ENTRIES,
  /** AT_HWCAP: CPUID.01H:EDX. */
  hwcap: Cpuid.EDX,
  /** Of Isa.mode: MXCSR.DE is collected. */
  denormals: Mode.DENORMALS,
  /** Selectors of 32-bit user code and data. */
  userCode: UserSegment.CODE,
  userData: UserSegment.DATA,
} as const;

const OTHER_FLAGS =
  Eflags.TF | Eflags.IF | Eflags.IOPL | Eflags.NT | Eflags.RF | Eflags.VM | Eflags.AC | Eflags.VIF | Eflags.VIP | Eflags.ID;

function evenOnes(byte: number): boolean {
  let n = byte & 0xff;
  n ^= n >>> 4;
  n ^= n >>> 2;
  n ^= n >>> 1;
  return (n & 1) === 0;
}

/** EFLAGS composed from the flag words. `state` is Layout.STATE on. */
export function getEflags(state: DataView): number {
  const word = (offset: X86): number => state.getInt32(offset, true);
  let flags = Eflags.FIXED | (word(X86.CF) & 1) | (word(X86.OTHER_FLAGS) & OTHER_FLAGS);
  if (evenOnes(word(X86.PF_RESULT))) flags |= Eflags.PF;
  flags |= word(X86.AF_RESULT) & Eflags.AF;
  if (word(X86.ZF_RESULT) === 0) flags |= Eflags.ZF;
  if (word(X86.SF_RESULT) < 0) flags |= Eflags.SF;
  if (word(X86.DF) !== 0) flags |= Eflags.DF;
  if (word(X86.OF_RESULT) < 0) flags |= Eflags.OF;
  return flags;
}

/** Sets the flag words so that `getEflags` gives `flags` (bits that do not exist aside). */
export function setEflags(state: DataView, flags: number): void {
  const set = (offset: X86, value: number): void => state.setInt32(offset, value, true);
  set(X86.CF, flags & Eflags.CF);
  set(X86.PF_RESULT, flags & Eflags.PF ? 0 : 1);
  set(X86.AF_RESULT, flags & Eflags.AF);
  set(X86.ZF_RESULT, flags & Eflags.ZF ? 0 : 1);
  set(X86.SF_RESULT, flags & Eflags.SF ? -1 : 0);
  set(X86.DF, flags & Eflags.DF ? 1 : 0);
  set(X86.OF_RESULT, flags & Eflags.OF ? -1 : 0);
  set(X86.OTHER_FLAGS, flags & OTHER_FLAGS);
}

/** MXCSR at reset: all exceptions masked, to nearest (SDM volume 1, 11.6.4). */
export const MXCSR_RESET = 0x1f80;
const MXCSR_FLAGS = 0x3f;
const MXCSR_PE = 0x20;

/** Sets MXCSR between two blocks. */
export function setMxcsr(state: DataView, value: number): void {
  const set = (offset: X86, word: number): void => state.setUint32(offset, word, true);
  set(X86.MXCSR, value & 0xffff);
  const asAtReset = (value & 0xffff & ~MXCSR_FLAGS) === MXCSR_RESET;
  const exact = !asAtReset ? Exactness.ALL : value & MXCSR_PE ? Exactness.NONE : Exactness.FLAG;
  set(X86.SSE_TINY, 0);
  set(X86.SSE_EXACT, exact);
  set(X86.LIMIT_S, exact ? 0 : FloatLimit.LIMIT_S);
  set(X86.LIMIT_D, exact ? 0 : FloatLimit.LIMIT_D);
  set(X86.SPAN_S, exact ? 0 : FloatLimit.GRID_SPAN_S);
  set(X86.SPAN_D, exact ? 0 : FloatLimit.GRID_SPAN_D);
}
/** As LDMXCSR does: from then on MXCSR.DE is collected. */
export function loadMxcsr(state: DataView, value: number): void {
  setMxcsr(state, value);
  state.setUint32(X86.MODE, state.getUint32(X86.MODE, true) | Mode.DENORMALS, true);
}

/** Whether an exception tells that the instruction, POPF or IRET, sets TF. */
export const beginsSteps = (exception: number): boolean => (exception & Raised.KIND) === Raised.POPF;

/** Bits of struct user_desc after the limit (arch/x86/include/uapi/asm/ldt.h). */
export const enum UserDesc {
  SEG_32BIT = 1,
  CONTENTS = 6,
  READ_EXEC_ONLY = 8,
  LIMIT_IN_PAGES = 16,
  NOT_PRESENT = 32,
  USEABLE = 64,
}

/** A descriptor's two words (SDM volume 3, figure 3-8) as Linux makes them of a struct user_desc. */
export function makeDescriptor(base: number, limit: number, flags: number): readonly [low: number, high: number] {
  const low = (limit & 0xffff) | (base << 16);
  let high = ((base >>> 16) & 0xff) | (base & 0xff000000) | (limit & 0xf0000) | Access.ACCESSED | Access.S | Access.DPL;
  if (!(flags & UserDesc.READ_EXEC_ONLY)) high |= Access.SECOND;
  high |= (flags & UserDesc.CONTENTS) << 9;
  if (!(flags & UserDesc.NOT_PRESENT)) high |= Access.PRESENT;
  if (flags & UserDesc.USEABLE) high |= Access.AVL;
  if (flags & UserDesc.SEG_32BIT) high |= Access.DB;
  if (flags & UserDesc.LIMIT_IN_PAGES) high |= Access.G;
  return [low >>> 0, high >>> 0];
}

/** What `makeDescriptor` made two words of. */
export function readDescriptor(low: number, high: number): { readonly base: number; readonly limit: number; readonly flags: number } {
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  let flags = (high >>> 9) & UserDesc.CONTENTS;
  if (!(high & Access.SECOND)) flags |= UserDesc.READ_EXEC_ONLY;
  if (!(high & Access.PRESENT)) flags |= UserDesc.NOT_PRESENT;
  if (high & Access.AVL) flags |= UserDesc.USEABLE;
  if (high & Access.DB) flags |= UserDesc.SEG_32BIT;
  if (high & Access.G) flags |= UserDesc.LIMIT_IN_PAGES;
  return { base, limit: (low & 0xffff) | (high & 0xf0000), flags };
}

/** Writes an entry of user mode's GDT; `state` is Layout.STATE on. */
export function setGdtEntry(state: DataView, entry: number, [low, high]: readonly [number, number]): void {
  state.setUint32(X86.GDT + entry * 8, low, true);
  state.setUint32(X86.GDT + entry * 8 + 4, high, true);
}

/** A program has local descriptors: SLDT tells it. */
export const announceLdt = (state: DataView): void => state.setUint32(System.LDTR, UserSegment.LDT, true);

const FLAT = UserDesc.SEG_32BIT | UserDesc.LIMIT_IN_PAGES;
const CODE_CONTENTS = 4;

/** Segments as a new program has them; FS and GS count as flat until something is loaded. */
export function resetSegments(state: DataView): void {
  const set = (offset: number, value: number): void => state.setUint32(offset, value, true);
  for (let entry = 0; entry < UserSegment.GDT_ENTRIES; entry++) setGdtEntry(state, entry, [0, 0]);
  const code = makeDescriptor(0, 0xfffff, FLAT | CODE_CONTENTS);
  const data = makeDescriptor(0, 0xfffff, FLAT);
  setGdtEntry(state, UserSegment.CODE >>> 3, code);
  setGdtEntry(state, UserSegment.DATA >>> 3, data);
  for (let segment = Segment.ES; segment <= Segment.GS; segment++) {
    const isCode = segment === Segment.CS;
    set(X86.ES + segment * 4, isCode ? UserSegment.CODE : segment < Segment.FS ? UserSegment.DATA : 0);
    set(System.LIMIT + segment * 4, 0xffffffff);
    set(System.ACCESS + segment * 4, (isCode ? code : data)[1] & Access.KEPT);
    set(System.END + segment * 4, 0xffffffff - 14);
    set(System.WRITABLE + segment * 4, isCode ? 0 : 1);
  }
  set(System.GDTR_BASE, Layout.STATE + X86.GDT);
  set(System.GDTR_LIMIT, UserSegment.GDT_ENTRIES * 8 - 1);
  // selector, base, limit and access word of an LDT, which stays empty until modify_ldt
  [0, Layout.USER_TABLE, UserSegment.LDT_ENTRIES * 8 - 1, Access.PRESENT].forEach((word, n) => {
    set(System.LDTR + n * 4, word);
  });
  set(System.CR0, Cr0.PE);
  set(System.CPL, 3);
}
