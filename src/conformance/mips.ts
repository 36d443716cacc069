import { mips } from '../../translators/mips/index.ts';
import { Mips } from '../../translators/mips/state.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { Field, Subject } from './subject.ts';
import { type End, EndKind } from './vectors.ts';

/** $0 … $31, HI, LO, FCSR, 32 FPU registers of 4 bytes (Status.FR = 0). */
export const enum MipsImage {
  GPR = 0,
  HI = 128,
  LO = 132,
  FCSR = 136,
  FPR = 140,
  BYTES = 268,
}

/** Linux's numbers; MIPS has its own from 10 (SIGBUS) on. */
const enum Signal {
  ILL = 4,
  TRAP = 5,
  FPE = 8,
  SEGV = 11,
}
/** CP0 Cause.ExcCode of an arithmetic overflow. */
const OVERFLOW = 12;

/** Where vectors return to; a BREAK lies there. */
export const MIPS_END = 0x0ffff000;

const PLACES: readonly (readonly [image: number, state: number, words: number])[] = [
  [MipsImage.GPR, Mips.GPR, 32],
  [MipsImage.HI, Mips.HI, 1],
  [MipsImage.LO, Mips.LO, 1],
  // no vector reads or writes it
  [MipsImage.FCSR, Mips.FCSR, 1],
  ...Array.from({ length: 32 }, (_, r) => [MipsImage.FPR + 4 * r, Mips.FPR + 8 * (r & ~1) + 4 * (r & 1), 1] as const),
];

const word = (name: string, offset: number): Field => ({ name, offset, bytes: 4 });
const fault = (number: number, pc: number): End & { readonly pc: number } => ({ kind: EndKind.Fault, number, address: 0, pc });

function endOf(exit: Exit): End & { readonly pc: number } {
  const { pc } = exit;
  switch (exit.kind) {
    case 'breakpoint':
      return pc === MIPS_END ? { kind: EndKind.Stopped, number: 0, address: 0, pc } : fault(Signal.TRAP, pc);
    case 'budget':
      return { kind: EndKind.Endless, number: 0, address: 0, pc };
    case 'illegal':
    case 'privileged':
      return fault(Signal.ILL, pc);
    case 'memory-fault':
      return fault(Signal.SEGV, pc);
    case 'exception':
      return fault(exit.number === OVERFLOW ? Signal.FPE : Signal.TRAP, pc);
    default:
      throw new Error(`a vector may not end with exit ${exit.kind} at 0x${pc.toString(16)}`);
  }
}

export const mipsSubject: Subject = {
  imageBytes: MipsImage.BYTES,
  fields: [
    ...Array.from({ length: 32 }, (_, r) => word(`$${r}`, MipsImage.GPR + 4 * r)),
    word('hi', MipsImage.HI),
    word('lo', MipsImage.LO),
    word('fcsr', MipsImage.FCSR),
    ...Array.from({ length: 32 }, (_, r) => word(`$f${r}`, MipsImage.FPR + 4 * r)),
  ],
  write(state, image) {
    const view = new DataView(image.buffer, image.byteOffset, image.length);
    mips.reset(state);
    for (const [from, to, words] of PLACES)
      for (let i = 0; i < 4 * words; i += 4) state.setUint32(to + i, view.getUint32(from + i, true), true);
    state.setUint32(Mips.GPR, 0, true);
  },
  read(state) {
    const image = new Uint8Array(MipsImage.BYTES);
    const view = new DataView(image.buffer);
    for (const [to, from, words] of PLACES)
      for (let i = 0; i < 4 * words; i += 4) view.setUint32(to + i, state.getUint32(from + i, true), true);
    return image;
  },
  endOf,
};
