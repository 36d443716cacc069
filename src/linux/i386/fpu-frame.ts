import { MXCSR_RESET, setMxcsr } from '../../../translators/x86/abi.ts';
import { X86 } from '../../../translators/x86/state.ts';
import type { Process } from '../process.ts';

/**
 * struct _fpstate_32 (arch/x86/include/uapi/asm/sigcontext.h): what FSAVE stores, a status word, and what FXSAVE
 * stores (SDM volume 1, figure 8-9 and table 10-2).
 */
export const FPSTATE_SIZE = 624;
const STATUS = 108;
const FXSAVE = 112;
const REGISTERS = 28;
const FX_REGISTERS = FXSAVE + 32;
const FX_XMM = FXSAVE + 160;

const word = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;
const half = (p: Process, offset: number): number => word(p, offset) & 0xffff;

/** Offset in the state of ST(i). */
const st = (p: Process, index: number): number => X86.ST + ((word(p, X86.FTOP) + index) & 7) * 16;

function copyOut(p: Process, to: number, offset: number, length: number): void {
  const { state } = p.vcpu;
  p.memory.write(to, new Uint8Array(state.buffer, state.byteOffset + offset, length));
}
function copyIn(p: Process, from: number, offset: number, length: number): void {
  const { state } = p.vcpu;
  new Uint8Array(state.buffer, state.byteOffset + offset, length).set(p.memory.view(from, length, 'read'));
}

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

export function writeFpState(p: Process, at: number): void {
  const { memory } = p;
  memory.view(at, FPSTATE_SIZE, 'write').fill(0);
  if (p.abi.isa === p.abi.double) p.vcpu.callHelper('x87_widen');
  const top = word(p, X86.FTOP);
  const status = (half(p, X86.FSW) & ~0x3a00) | half(p, X86.FC1) | (top << 11);
  const tags = tagWord(p);
  const environment = [
    half(p, X86.FCW) | 0xffff0000,
    status | 0xffff0000,
    tags | 0xffff0000,
    word(p, X86.FIP),
    word(p, X86.FCS),
    word(p, X86.FDP),
  ];
  [...environment, word(p, X86.FDS) | 0xffff0000].forEach((value, index) => {
    memory.setU32(at + index * 4, value >>> 0);
  });
  // FXSR magic 0: the FXSAVE image is there
  memory.setU16(at + STATUS, status);
  let valid = 0;
  for (let register = 0; register < 8; register++) if (((tags >>> (register * 2)) & 3) !== 3) valid |= 1 << register;
  memory.setU16(at + FXSAVE, half(p, X86.FCW));
  memory.setU16(at + FXSAVE + 2, status);
  memory.setU8(at + FXSAVE + 4, valid);
  memory.setU16(at + FXSAVE + 6, (word(p, X86.FCS) >>> 16) & 0x7ff);
  memory.setU32(at + FXSAVE + 8, word(p, X86.FIP));
  memory.setU16(at + FXSAVE + 12, half(p, X86.FCS));
  memory.setU32(at + FXSAVE + 16, word(p, X86.FDP));
  memory.setU16(at + FXSAVE + 20, half(p, X86.FDS));
  memory.setU32(at + FXSAVE + 24, word(p, X86.MXCSR));
  memory.setU32(at + FXSAVE + 28, 0xffff);
  for (let index = 0; index < 8; index++) {
    copyOut(p, at + REGISTERS + index * 10, st(p, index), 10);
    copyOut(p, at + FX_REGISTERS + index * 16, st(p, index), 10);
  }
  copyOut(p, at + FX_XMM, X86.XMM, 128);
}

export function readFpState(p: Process, at: number): void {
  const { memory, vcpu } = p;
  // the kernel takes the environment from the FSAVE part
  const status = memory.u16(at + 4);
  vcpu.set32(X86.FCW, memory.u16(at));
  vcpu.set32(X86.FSW, status & ~0x3a00);
  vcpu.set32(X86.FC1, status & 0x200);
  vcpu.set32(X86.FTOP, (status >>> 11) & 7);
  vcpu.set32(X86.FTW, memory.u16(at + 8));
  vcpu.set32(X86.FIP, memory.u32(at + 12));
  vcpu.set32(X86.FCS, memory.u32(at + 16));
  vcpu.set32(X86.FDP, memory.u32(at + 20));
  vcpu.set32(X86.FDS, memory.u16(at + 24));
  const hasFxsave = memory.u16(at + STATUS + 2) === 0;
  for (let index = 0; index < 8; index++)
    copyIn(p, hasFxsave ? at + FX_REGISTERS + index * 16 : at + REGISTERS + index * 10, st(p, index), 10);
  if (p.abi.isa === p.abi.double) vcpu.callHelper('x87_narrow');
  if (!hasFxsave) return;
  setMxcsr(vcpu.state, memory.u32(at + FXSAVE + 24));
  copyIn(p, at + FX_XMM, X86.XMM, 128);
}

/** No FPU state in the frame: as after FNINIT. */
export function resetFpState(p: Process): void {
  p.vcpu.set32(X86.FCW, 0x37f);
  p.vcpu.set32(X86.FSW, 0);
  p.vcpu.set32(X86.FC1, 0);
  p.vcpu.set32(X86.FTOP, 0);
  p.vcpu.set32(X86.FTW, 0xffff);
  setMxcsr(p.vcpu.state, MXCSR_RESET);
}
