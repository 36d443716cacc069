import { ExcCode } from '../../translators/mips/abi.ts';
import { mips } from '../../translators/mips/index.ts';
import { Mips, Mode } from '../../translators/mips/state.ts';
import type { Exit } from '../vcpu/exit.ts';
import type { Field, Subject } from './subject.ts';
import { type End, EndKind } from './vectors.ts';

/**
 * $0 … $31, HI, LO, FCSR, `MipsImageMode` bits, UserLocal, 32 FPU registers of two words, the low one first. With FR = 0, only the
 * even ones are there, and an odd register is the high word of the one before it.
 */
export const enum MipsImage {
  GPR = 0,
  HI = 128,
  LO = 132,
  FCSR = 136,
  MODE = 140,
  USER_LOCAL = 144,
  FPR = 148,
  BYTES = 404,
}

/** Status.FR; FCSR.NAN2008 with ABS2008; as after sysmips(MIPS_FIXADE, 0). */
export const enum MipsImageMode {
  FR = 1,
  NAN2008 = 2,
  ALIGNED = 4,
}

const MODES: readonly (readonly [image: MipsImageMode, own: Mode])[] = [
  [MipsImageMode.FR, Mode.FR],
  [MipsImageMode.NAN2008, Mode.NAN2008],
  [MipsImageMode.ALIGNED, Mode.ALIGNED],
];

/** Linux's numbers; MIPS has its own from 10 (SIGBUS) on. */
const enum Signal {
  ILL = 4,
  TRAP = 5,
  FPE = 8,
  BUS = 10,
  SEGV = 11,
}
const FCSR = 31;

/** Where vectors return to; a BREAK lies there. */
export const MIPS_END = 0x0ffff000;

const PLACES: readonly (readonly [image: number, state: number, words: number])[] = [
  [MipsImage.GPR, Mips.GPR, 32],
  [MipsImage.HI, Mips.HI, 1],
  [MipsImage.LO, Mips.LO, 1],
  [MipsImage.USER_LOCAL, Mips.USER_LOCAL, 1],
  [MipsImage.FPR, Mips.FPR, 64],
];

const word = (name: string, offset: number): Field => ({ name, offset, bytes: 4 });
const fault = (number: number, pc: number, address = 0): End & { readonly pc: number } => ({ kind: EndKind.Fault, number, address, pc });

function exceptionSignal(number: number): Signal {
  switch (number) {
    case ExcCode.Ov:
    case ExcCode.FPE:
      return Signal.FPE;
    case ExcCode.AdEL:
    case ExcCode.AdES:
      return Signal.BUS;
    default:
      return Signal.TRAP;
  }
}

function endOf(exit: Exit): End & { readonly pc: number } {
  const { pc } = exit;
  switch (exit.kind) {
    case 'breakpoint':
      // that Linux makes SIGFPE of some codes is not the instruction's matter, and QEMU 7.2 does not
      return pc === MIPS_END ? { kind: EndKind.Stopped, number: 0, address: 0, pc } : fault(Signal.TRAP, pc);
    case 'budget':
      return { kind: EndKind.Endless, number: 0, address: 0, pc };
    case 'illegal':
    case 'privileged':
      return fault(Signal.ILL, pc);
    case 'memory-fault':
      return fault(Signal.SEGV, pc, exit.address);
    case 'exception':
      return fault(exceptionSignal(exit.number), pc);
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
    word('mode', MipsImage.MODE),
    word('userlocal', MipsImage.USER_LOCAL),
    ...Array.from({ length: 32 }, (_, r): Field => ({ name: `$f${r}`, offset: MipsImage.FPR + 8 * r, bytes: 8, float: 'double' })),
  ],
  prepare(vcpu, image) {
    const mode = new DataView(image.buffer, image.byteOffset, image.length).getUint32(MipsImage.MODE, true);
    vcpu.mode = MODES.reduce((bits, [image, own]) => bits | (mode & image ? own : 0), 0);
  },
  write(vcpu, image) {
    const { state, mode } = vcpu;
    const view = new DataView(image.buffer, image.byteOffset, image.length);
    mips.reset(state);
    state.setUint32(Mips.MODE, mode, true);
    for (const [from, to, words] of PLACES)
      for (let i = 0; i < 4 * words; i += 4) state.setUint32(to + i, view.getUint32(from + i, true), true);
    state.setUint32(Mips.GPR, 0, true);
    vcpu.callHelper('mips_ctc1', FCSR, view.getUint32(MipsImage.FCSR, true));
  },
  read(vcpu) {
    const { state } = vcpu;
    const image = new Uint8Array(MipsImage.BYTES);
    const view = new DataView(image.buffer);
    for (const [to, from, words] of PLACES)
      for (let i = 0; i < 4 * words; i += 4) view.setUint32(to + i, state.getUint32(from + i, true), true);
    const { mode } = vcpu;
    view.setUint32(
      MipsImage.MODE,
      MODES.reduce((bits, [image, own]) => bits | (mode & own ? image : 0), 0),
      true,
    );
    view.setUint32(MipsImage.FCSR, vcpu.callHelper('mips_cfc1', FCSR), true);
    return image;
  },
  endOf,
};
