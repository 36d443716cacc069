import { Mips, Mode } from '../../../translators/mips/state.ts';
import type { Process } from '../process.ts';
import { changeCall, RegisterSet, shownCall, type TraceAbi } from '../trace-abi.ts';
import { doubles, getFcsr, setFcsr } from './signals.ts';

/** What all sets have in this order: $0…$31, LO, HI, EPC, BadVAddr, Status, Cause. */
const enum Reg {
  V0 = 2,
  A3 = 7,
  LO = 32,
  HI = 33,
  EPC = 34,
  COUNT = 38,
}
/** elf_gregset_t of o32: words, $0 at 6; struct pt_regs of PTRACE_GETREGS: 64 bits each. */
const NARROW_FIRST = 6;
const NARROW_WORDS = 45;
/** 32 registers of 64 bits, FCSR and FIR. */
const FLOAT_BYTES = 264;
/** PTRACE_PEEKUSER (arch/mips/include/uapi/asm/ptrace.h) */
const enum User {
  FPR = 32,
  PC = 64,
  CAUSE = 65,
  BADVADDR = 66,
  MMHI = 67,
  MMLO = 68,
  FPC_CSR = 69,
  FPC_EIR = 70,
}
const GET_THREAD_AREA = 25;

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

function general(p: Process): Uint32Array {
  const words = new Uint32Array(Reg.COUNT);
  for (let n = 1; n < 32; n++) words[n] = get(p, Mips.GPR + n * 4);
  const { number, result } = shownCall(p);
  // the kernel keeps the number there of a call that it may make again
  if (result !== undefined) {
    words[0] = number;
    words[Reg.V0] = p.abi.errno(-result);
    words[Reg.A3] = 1;
  }
  words[Reg.LO] = get(p, Mips.LO);
  words[Reg.HI] = get(p, Mips.HI);
  words[Reg.EPC] = p.vcpu.pc;
  return words;
}

function setGeneral(p: Process, words: Uint32Array): void {
  const { number, isEntry } = shownCall(p);
  const isAgain = p.interrupted !== undefined && words[0] !== 0 && words[Reg.V0] === p.interrupted.errno;
  // before a call, $v0 is its number
  const changed = isEntry || changeCall(p, isAgain ? number : -1, isAgain ? -words[Reg.V0] : words[Reg.V0]);
  for (let n = 1; n < 32; n++) if (changed || (n !== Reg.V0 && n !== Reg.A3)) p.vcpu.set32(Mips.GPR + n * 4, words[n]);
  p.vcpu.set32(Mips.LO, words[Reg.LO]);
  p.vcpu.set32(Mips.HI, words[Reg.HI]);
  p.vcpu.pc = words[Reg.EPC];
}

const isLittle = (p: Process): boolean => p.abi.isa.endian === 'little';

function float(p: Process): Uint8Array {
  const bytes = new Uint8Array(FLOAT_BYTES);
  const data = new DataView(bytes.buffer);
  for (const { slot, offset } of doubles((p.vcpu.mode & Mode.FR) !== 0)) {
    const value = (BigInt(get(p, offset + 4)) << 32n) | BigInt(get(p, offset));
    data.setBigUint64(slot * 8, value, isLittle(p));
  }
  data.setUint32(256, getFcsr(p), isLittle(p));
  return bytes;
}

function setFloat(p: Process, bytes: Uint8Array): void {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { slot, offset } of doubles((p.vcpu.mode & Mode.FR) !== 0)) {
    const value = data.getBigUint64(slot * 8, isLittle(p));
    p.vcpu.set32(offset, Number(value & 0xffff_ffffn));
    p.vcpu.set32(offset + 4, Number(value >> 32n));
  }
  setFcsr(p, data.getUint32(256, isLittle(p)));
}

/** Where a register is in a set, in bytes. */
function places(p: Process, set: number): { readonly size: number; readonly at: (register: number) => number } | undefined {
  if (set === RegisterSet.General) return { size: NARROW_WORDS * 4, at: (register) => (NARROW_FIRST + register) * 4 };
  // sign-extended
  return set === RegisterSet.Wide ? { size: Reg.COUNT * 8, at: (register) => register * 8 + (isLittle(p) ? 0 : 4) } : undefined;
}

/** Register n of PTRACE_PEEKUSER in what `general` gives. */
function indexOf(offset: number): number | undefined {
  if (offset < 32) return offset;
  return { [User.PC]: Reg.EPC, [User.MMHI]: Reg.HI, [User.MMLO]: Reg.LO }[offset];
}

export function mipsTrace(architecture: number): TraceAbi {
  return {
    architecture,
    canStep: false,
    requests: {
      12: { set: RegisterSet.Wide, writes: false },
      13: { set: RegisterSet.Wide, writes: true },
      14: { set: RegisterSet.Float, writes: false },
      15: { set: RegisterSet.Float, writes: true },
    },
    callResult: (p) => (get(p, Mips.GPR + Reg.A3 * 4) !== 0 ? -get(p, Mips.GPR + Reg.V0 * 4) : get(p, Mips.GPR + Reg.V0 * 4)),
    registers(p, set) {
      if (set === RegisterSet.Float) return float(p);
      const place = places(p, set);
      if (!place) return undefined;
      const bytes = new Uint8Array(place.size);
      const data = new DataView(bytes.buffer);
      general(p).forEach((word, register) => {
        if (set === RegisterSet.Wide) data.setBigInt64(register * 8, BigInt(word | 0), isLittle(p));
        else data.setUint32(place.at(register), word, isLittle(p));
      });
      return bytes;
    },
    setRegisters(p, set, bytes) {
      if (set === RegisterSet.Float) return setFloat(p, bytes);
      const { at } = places(p, set)!;
      const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      setGeneral(
        p,
        Uint32Array.from({ length: Reg.COUNT }, (_, register) => data.getUint32(at(register), isLittle(p))),
      );
    },
    userWord(p, offset) {
      const index = indexOf(offset);
      if (index !== undefined) return general(p)[index];
      if (offset >= User.FPR && offset < User.PC) return get(p, Mips.FPR + wordOfFloat(p, offset - User.FPR));
      if (offset === User.FPC_CSR) return getFcsr(p);
      return offset === User.CAUSE || offset === User.BADVADDR || offset === User.FPC_EIR ? 0 : undefined;
    },
    setUserWord(p, offset, value) {
      const index = indexOf(offset);
      if (index !== undefined) {
        const words = general(p);
        words[index] = value;
        setGeneral(p, words);
      } else if (offset >= User.FPR && offset < User.PC) p.vcpu.set32(Mips.FPR + wordOfFloat(p, offset - User.FPR), value);
      else if (offset === User.FPC_CSR) setFcsr(p, value);
      else return false;
      return true;
    },
    request(p, thread, request, _address, data) {
      if (request !== GET_THREAD_AREA) return undefined;
      p.memory.setU32(data, get(thread, Mips.USER_LOCAL));
      return 0;
    },
  };
}

/** With Status.FR = 0 an odd register is the high word of the one before it. */
const wordOfFloat = (p: Process, register: number): number =>
  p.vcpu.mode & Mode.FR ? register * 8 : (register & ~1) * 8 + (register & 1) * 4;
