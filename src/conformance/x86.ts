import {
  announceLdt,
  Eflags,
  getEflags,
  loadMxcsr,
  MXCSR_RESET,
  makeDescriptor,
  setEflags,
  setGdtEntry,
  Vector,
} from '../../translators/x86/abi.ts';
import { x86 } from '../../translators/x86/index.ts';
import { UserSegment } from '../../translators/x86/segments.ts';
import { X86 } from '../../translators/x86/state.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { Field, Subject } from './subject.ts';
import { type End, EndKind } from './vectors.ts';
import { getFxsave, setFxsave } from './x86-fxsave.ts';
import { fillVectorLdt } from './x86-ldt.ts';

/** EAX ECX EDX EBX ESP EBP ESI EDI, EFLAGS, selectors ES CS SS DS FS GS, base of FS and GS, the first 288 bytes of FXSAVE. */
export const enum X86Image {
  GPR = 0,
  EFLAGS = 32,
  SELECTORS = 36,
  /** 0: FS and GS are null; else the base of the segment that both select. */
  SEGMENT_BASE = 48,
  FXSAVE = 52,
  FXSAVE_BYTES = 288,
  BYTES = 340,
}

const TLS_SELECTOR = (UserSegment.FIRST_TLS << 3) | 3;
/** user_desc flags of a 32-bit data segment: seg_32bit, limit_in_pages, useable. */
const TLS_FLAGS = 0x51;
const word = (name: string, offset: number, bytes = 4): Field => ({ name, offset, bytes });

const fields: readonly Field[] = [
  ...['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, r) => word(name, X86Image.GPR + 4 * r)),
  word('eflags', X86Image.EFLAGS),
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, s) => word(name, X86Image.SELECTORS + 2 * s, 2)),
  word('fs base', X86Image.SEGMENT_BASE),
  // SDM volume 1, table 10-2
  word('fcw', X86Image.FXSAVE, 2),
  word('fsw', X86Image.FXSAVE + 2, 2),
  word('tags', X86Image.FXSAVE + 4, 1),
  word('mxcsr', X86Image.FXSAVE + 24),
  ...Array.from({ length: 8 }, (_, r): Field => ({ name: `st${r}`, offset: X86Image.FXSAVE + 32 + 16 * r, bytes: 10, float: 'extended' })),
  ...Array.from({ length: 8 }, (_, r): Field => ({ name: `xmm${r}`, offset: X86Image.FXSAVE + 160 + 16 * r, bytes: 16, float: 'singles' })),
];

const fault = (number: number, address = 0): End => ({ kind: EndKind.Fault, number, address });

function endOf(exit: Exit): End & { readonly pc: number } {
  const { pc } = exit;
  switch (exit.kind) {
    case 'breakpoint':
      return { kind: EndKind.Stopped, number: 0, address: 0, pc };
    case 'budget':
      return { kind: EndKind.Endless, number: 0, address: 0, pc };
    case 'illegal':
      return { ...fault(Vector.UD), pc };
    case 'privileged':
      return { ...fault(Vector.GP), pc };
    case 'memory-fault':
      return { ...fault(Vector.PF, (exit.address ?? 0) >>> 0), pc };
    case 'exception':
      // INTO is a trap: the processor tells where it ended
      return { ...fault(exit.number), pc: exit.number === Vector.OF ? pc + 1 : pc };
    default:
      throw new Error(`a vector may not end with exit ${exit.kind} at 0x${pc.toString(16)}`);
  }
}

export const x86Subject: Subject = {
  imageBytes: X86Image.BYTES,
  fields,
  start(vcpu) {
    fillVectorLdt(vcpu);
    // as every vector does: code is lifted for it
    loadMxcsr(vcpu.state, MXCSR_RESET);
  },
  write({ state }, image) {
    const view = new DataView(image.buffer, image.byteOffset, image.length);
    x86.reset(state);
    announceLdt(state);
    const fxsave = new Uint8Array(512);
    fxsave.set(image.subarray(X86Image.FXSAVE));
    setFxsave(state, fxsave);
    for (let at = 0; at < 32; at += 4) state.setInt32(X86.EAX + at, view.getInt32(X86Image.GPR + at, true), true);
    setEflags(state, view.getInt32(X86Image.EFLAGS, true));
    const base = view.getInt32(X86Image.SEGMENT_BASE, true);
    if (base !== 0) setGdtEntry(state, UserSegment.FIRST_TLS, makeDescriptor(base, 0xfffff, TLS_FLAGS));
    for (const segment of [X86.FS, X86.GS]) state.setInt32(segment, base === 0 ? 0 : TLS_SELECTOR, true);
    for (const at of [X86.FS_BASE, X86.GS_BASE]) state.setInt32(at, base, true);
  },
  read({ state }) {
    const image = new Uint8Array(X86Image.BYTES);
    const view = new DataView(image.buffer);
    for (let at = 0; at < 32; at += 4) view.setInt32(X86Image.GPR + at, state.getInt32(X86.EAX + at, true), true);
    view.setInt32(X86Image.EFLAGS, getEflags(state), true);
    for (let s = 0; s < 6; s++) view.setUint16(X86Image.SELECTORS + 2 * s, state.getInt32(X86.ES + 4 * s, true), true);
    view.setInt32(X86Image.SEGMENT_BASE, state.getInt32(X86.FS_BASE, true), true);
    image.set(getFxsave(state).subarray(0, X86Image.FXSAVE_BYTES), X86Image.FXSAVE);
    return image;
  },
  endOf,
  transient: { offset: X86Image.EFLAGS, bits: Eflags.CF | Eflags.PF | Eflags.AF | Eflags.ZF | Eflags.SF | Eflags.OF },
  // An access that runs over the end of the address space violates the segment's limit (#SS, #GP). Flat segments have no
  // limits here, and it ends in a page fault; either is SIGSEGV.
  sameEnd: (expected, actual) =>
    (expected.number === Vector.SS || expected.number === Vector.GP) && actual.number === Vector.PF && actual.address >= 0xfffffff0,
};
