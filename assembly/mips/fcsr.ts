/** FCSR and its other views (MIPS32 volume I, floating-point control registers). */

import { FloatCode } from '../../translators/mips/float-code';
import { Mips, Mode } from '../../translators/mips/state';
import { Exactness, FloatLimit } from '../shared/float-limit';
import { Layout } from '../shared/layout';
import { storeLimits } from '../softfloat/limits';
import { causesOf } from './float';

export const enum Fcsr {
  // Exceptions, in the order that Flags, Enables and Cause have them.
  I = 1,
  U = 2,
  O = 4,
  Z = 8,
  V = 16,

  RM = 3,
  FLAGS_SHIFT = 2,
  ENABLES_SHIFT = 7,
  CAUSE_SHIFT = 12,
  EXCEPTIONS = 31,
  FLAGS = 0x7c,
  ENABLES = 0xf80,
  /** With E, Unimplemented Operation. */
  CAUSE = 0x3f000,
  E = 0x20,
  ABS2008 = 0x80000,
  NAN2008 = 0x40000,
  FS = 0x1000000,
  /** FCC1…FCC7 and FCC0. */
  CONDITIONS = 0xfe800000,
  WRITABLE = 0xff83ffff,
}

const enum Register {
  FIR = 0,
  FCCR = 25,
  FEXR = 26,
  FENR = 28,
}

/** FIR: formats S, D, W and L, 64-bit registers; no paired single. HAS2008 where FCSR shows it. */
const FIR: u32 = (1 << 16) | (1 << 17) | (1 << 20) | (1 << 21) | (1 << 22);
const HAS2008: u32 = 1 << 23;

const EXACT: usize = Layout.STATE + Mips.EXACT;

export function fcsr(): u32 {
  return load<u32>(Layout.STATE + Mips.FCSR);
}

/** Stores FCSR's kept part and what follows from it. */
export function setFcsr(value: u32): void {
  store<u32>(Layout.STATE + Mips.FCSR, value);
  const asksForMore = (value & (Fcsr.RM | Fcsr.FS | ((Fcsr.U | Fcsr.I) << Fcsr.ENABLES_SHIFT))) != 0;
  const flagged = (value & (Fcsr.I << Fcsr.FLAGS_SHIFT)) != 0;
  const exact = asksForMore ? Exactness.ALL : flagged ? Exactness.NONE : Exactness.FLAG;
  store<u32>(EXACT, exact);
  storeLimits(Layout.STATE + Mips.LIMIT_S, exact != Exactness.NONE, FloatLimit.SPAN_S, FloatLimit.SPAN_D);
}

export function setCause(exceptions: u32): void {
  store<u32>(Layout.STATE + Mips.FCSR, (fcsr() & ~(<u32>Fcsr.CAUSE)) | (exceptions << Fcsr.CAUSE_SHIFT));
}

/** Makes Cause that of the last operation. */
function settle(): void {
  const code = load<u32>(Layout.STATE + Mips.LAST);
  if (code == FloatCode.NONE) return;
  store<u32>(Layout.STATE + Mips.LAST, FloatCode.NONE);
  setCause(code == FloatCode.CLEAR ? 0 : causesOf(code));
}

/** FCSR as the program sees it. */
function whole(): u32 {
  settle();
  let value = fcsr();
  for (let n: u32 = 0; n < 8; n++) value |= load<u32>(Layout.STATE + Mips.FCC + (n << 2)) << (n == 0 ? 23 : 24 + n);
  return (load<u32>(Layout.STATE + Mips.MODE) & Mode.NAN2008) != 0 ? value | Fcsr.NAN2008 | Fcsr.ABS2008 : value;
}

/** CFC1 of a register that exists. */
export function mips_cfc1(register: u32): u32 {
  if (register == Register.FIR) return (load<u32>(Layout.STATE + Mips.MODE) & Mode.NAN2008) != 0 ? FIR | HAS2008 : FIR;
  const value = whole();
  switch (register) {
    case Register.FCCR:
      return ((value >> 24) & 0xfe) | ((value >> 23) & 1);
    case Register.FEXR:
      return value & (Fcsr.CAUSE | Fcsr.FLAGS);
    case Register.FENR:
      return (value & (Fcsr.ENABLES | Fcsr.RM)) | ((value >> 22) & 4);
    default:
      return value;
  }
}

/** CTC1; 1 if a Cause bit is set together with its Enable bit, or E: then the exception is raised. */
export function mips_ctc1(register: u32, word: u32): u32 {
  const before = whole();
  let value = word;
  switch (register) {
    case Register.FIR:
      return 0;
    case Register.FCCR:
      value = (before & ~(<u32>Fcsr.CONDITIONS)) | ((word & 0xfe) << 24) | ((word & 1) << 23);
      break;
    case Register.FEXR:
      value = (before & ~(<u32>(Fcsr.CAUSE | Fcsr.FLAGS))) | (word & (Fcsr.CAUSE | Fcsr.FLAGS));
      break;
    case Register.FENR:
      value = (before & ~(<u32>(Fcsr.ENABLES | Fcsr.RM | Fcsr.FS))) | (word & (Fcsr.ENABLES | Fcsr.RM)) | ((word & 4) << 22);
      break;
  }
  for (let n: u32 = 0; n < 8; n++) store<u32>(Layout.STATE + Mips.FCC + (n << 2), (value >> (n == 0 ? 23 : 24 + n)) & 1);
  setFcsr(value & Fcsr.WRITABLE & ~(<u32>Fcsr.CONDITIONS));
  const enabled = ((value >> Fcsr.ENABLES_SHIFT) & Fcsr.EXCEPTIONS) | Fcsr.E;
  return u32(((value >> Fcsr.CAUSE_SHIFT) & enabled) != 0);
}
