import { MXCSR_RESET, setMxcsr } from '../../../translators/x86/abi.ts';
import { X86 } from '../../../translators/x86/state.ts';
import type { Process } from '../process.ts';

/**
 * struct _fpstate_32 (arch/x86/include/uapi/asm/sigcontext.h): what FSAVE stores, a status word, and what FXSAVE
 * stores (SDM volume 1, figure 8-9 and table 10-2).
 */
export const FPSTATE_SIZE = 624;
const STATUS = 108;
export const FXSAVE = 112;
const REGISTERS = 28;
const FX_REGISTERS = FXSAVE + 32;
const FX_XMM = FXSAVE + 160;

/** Status word: the exceptions, and ES and B, which say that one is not masked. Beside FCS: the opcode. */
const EXCEPTIONS = 0x3f;
const PENDING = 0x8080;
const OPCODE = 0x7ff0000;

const word = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;
const half = (p: Process, offset: number): number => word(p, offset) & 0xffff;

/** Offset in the state of ST(i). */
const st = (p: Process, index: number): number => X86.ST + ((word(p, X86.FTOP) + index) & 7) * 16;

/** Bytes of the state. */
const stateBytes = ({ vcpu: { state } }: Process, offset: number, length: number): Uint8Array =>
  new Uint8Array(state.buffer, state.byteOffset + offset, length);

/** As FNSTENV stores it: 0 valid, 1 zero, 2 special, 3 empty; of our own tags only the last counts (SDM volume 1, 8.1.7). */
function tagWord({ vcpu: { state } }: Process): number {
  let tags = 0;
  for (let r = 0; r < 8; r++) {
    const at = X86.ST + r * 16;
    const significand = state.getBigUint64(at, true);
    const exponent = state.getUint16(at + 8, true) & 0x7fff;
    let tag = 2;
    if (((state.getUint32(X86.FTW, true) >>> (2 * r)) & 3) === 3) tag = 3;
    else if (exponent === 0 && significand === 0n) tag = 1;
    else if (exponent !== 0 && exponent !== 0x7fff && significand >> 63n === 1n) tag = 0;
    tags |= tag << (2 * r);
  }
  return tags;
}

export function fpState(p: Process): Uint8Array {
  const bytes = new Uint8Array(FPSTATE_SIZE);
  const memory = new DataView(bytes.buffer);
  if (p.abi.isa === p.abi.double) p.vcpu.callHelper('x87_widen');
  const top = word(p, X86.FTOP);
  const status = (half(p, X86.FSW) & ~0x3a00) | half(p, X86.FC1) | (top << 11);
  const tags = tagWord(p);
  // the selectors are those of now (convert_from_fxsr of a 64-bit kernel, whose FXSAVE image has none)
  const pointers = [word(p, X86.FIP), half(p, X86.CS), word(p, X86.FDP), half(p, X86.DS) | 0xffff0000];
  [half(p, X86.FCW) | 0xffff0000, status | 0xffff0000, tags | 0xffff0000, ...pointers].forEach((value, index) => {
    memory.setUint32(index * 4, value, true);
  });
  // FXSR magic 0: the FXSAVE image is there
  memory.setUint16(STATUS, status, true);
  let valid = 0;
  for (let register = 0; register < 8; register++) if (((tags >>> (register * 2)) & 3) !== 3) valid |= 1 << register;
  memory.setUint16(FXSAVE, half(p, X86.FCW), true);
  memory.setUint16(FXSAVE + 2, status, true);
  memory.setUint8(FXSAVE + 4, valid);
  memory.setUint16(FXSAVE + 6, (word(p, X86.FCS) >>> 16) & 0x7ff, true);
  memory.setUint32(FXSAVE + 8, word(p, X86.FIP), true);
  memory.setUint32(FXSAVE + 16, word(p, X86.FDP), true);
  memory.setUint32(FXSAVE + 24, word(p, X86.MXCSR), true);
  memory.setUint32(FXSAVE + 28, 0xffff, true);
  for (let index = 0; index < 8; index++) {
    bytes.set(stateBytes(p, st(p, index), 10), REGISTERS + index * 10);
    bytes.set(stateBytes(p, st(p, index), 10), FX_REGISTERS + index * 16);
  }
  bytes.set(stateBytes(p, X86.XMM, 128), FX_XMM);
  return bytes;
}
export const writeFpState = (p: Process, at: number): void => p.memory.write(at, fpState(p));

/** `extended`: registers are taken from the FXSAVE part. */
export function setFpState(p: Process, bytes: Uint8Array, extended: boolean): void {
  const { vcpu } = p;
  const memory = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at: number): number => memory.getUint16(at, true);
  const u32 = (at: number): number => memory.getUint32(at, true);
  const from = (at: number, length: number): Uint8Array => bytes.subarray(at, at + length);
  // the kernel takes the environment from the FSAVE part
  const [control, status] = [u16(0), u16(4)];
  const unmasked = status & ~control & EXCEPTIONS;
  vcpu.set32(X86.FCW, control);
  vcpu.set32(X86.FSW, (status & ~(0x3a00 | PENDING)) | (unmasked ? PENDING : 0));
  vcpu.set32(X86.FC1, status & 0x200);
  vcpu.set32(X86.FTOP, (status >>> 11) & 7);
  vcpu.set32(X86.FTW, u16(8));
  vcpu.set32(X86.FIP, u32(12));
  vcpu.set32(X86.FCS, u32(16) & OPCODE);
  vcpu.set32(X86.FDP, u32(20));
  vcpu.set32(X86.FDS, 0);
  for (let index = 0; index < 8; index++)
    stateBytes(p, st(p, index), 10).set(from(extended ? FX_REGISTERS + index * 16 : REGISTERS + index * 10, 10));
  if (p.abi.isa === p.abi.double) vcpu.callHelper('x87_narrow');
  if (!extended) return;
  setMxcsr(vcpu.state, u32(FXSAVE + 24));
  stateBytes(p, X86.XMM, 128).set(from(FX_XMM, 128));
}

export function readFpState(p: Process, at: number): void {
  const { memory } = p;
  // only what begins like this is there for sure
  const extended = memory.u16(at + STATUS + 2) === 0;
  setFpState(p, memory.view(at, extended ? FPSTATE_SIZE : FXSAVE, 'read').slice(), extended);
}

/** What a handler starts with, and what sigreturn makes of a frame without FPU state: that of a new program. */
export function resetFpState(p: Process): void {
  stateBytes(p, X86.FIP, X86.MXCSR - X86.FIP).fill(0);
  p.vcpu.set32(X86.FCW, 0x37f);
  p.vcpu.set32(X86.FSW, 0);
  p.vcpu.set32(X86.FC1, 0);
  p.vcpu.set32(X86.FTOP, 0);
  p.vcpu.set32(X86.FTW, 0xffff);
  if (p.abi.isa === p.abi.double) p.vcpu.callHelper('x87_narrow');
  setMxcsr(p.vcpu.state, MXCSR_RESET);
}
