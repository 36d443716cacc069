import { Cpuid } from './features.ts';
import { Eflags } from './sdm.ts';
import { UserSegment } from './segments.ts';
import { X86 } from './state.ts';

export { Eflags, Vector } from './sdm.ts';

/** Slots of the registers that Linux's i386 ABI names, as byte offsets in the state. */
export const ABI = {
  /** Number of the system call; its result. */
  syscallNumber: X86.EAX,
  syscallResult: X86.EAX,
  syscallArguments: [X86.EBX, X86.ECX, X86.EDX, X86.ESI, X86.EDI, X86.EBP],
  stackPointer: X86.ESP,
  framePointer: X86.EBP,
  /** The thread pointer is the base of the segment that GS selects. */
  gsSelector: X86.GS,
  gsBase: X86.GS_BASE,
  /** GDT entries that set_thread_area fills: the first one's number, how many, where, and words of each. */
  firstTlsEntry: UserSegment.FIRST_TLS,
  tlsEntries: UserSegment.TLS_ENTRIES,
  tlsDescriptors: X86.TLS_DESCRIPTORS,
  tlsDescriptorSize: 12,
  /** AT_HWCAP: CPUID.01H:EDX. */
  hwcap: Cpuid.EDX,
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

/** Sets MXCSR, as LDMXCSR does if `loaded` (see X86.MXCSR_LOADED). */
export function setMxcsr(state: DataView, value: number, loaded = true): void {
  if (loaded) state.setUint32(X86.MXCSR_LOADED, 1, true);
  state.setUint32(X86.MXCSR, value & 0xffff, true);
  const collected = (value & MXCSR_PE) !== 0 || state.getUint32(X86.MXCSR_LOADED, true) === 0;
  state.setUint32(X86.SSE_EXACT, (value & 0xffff & ~MXCSR_FLAGS) === MXCSR_RESET && collected ? 0 : 1, true);
}
