import { Mips, Mode } from '../../../translators/mips/state.ts';
import { Code } from '../../isa/code.ts';
import type { Delivery, FaultSignal, InsteadOfFault, MemoryFault, SignalInfo } from '../abi.ts';
import { frameAddress } from '../frame.ts';
import type { Process } from '../process.ts';
import { type Action, type ActionFlags, SiCode, type SignalName } from '../signals.ts';

/** arch/mips/include/uapi/asm/signal.h */
export const SIGNALS: Readonly<Record<SignalName, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGBUS: 10,
  SIGSEGV: 11,
  SIGSYS: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGUSR1: 16,
  SIGUSR2: 17,
  SIGCHLD: 18,
  SIGPWR: 19,
  SIGWINCH: 20,
  SIGURG: 21,
  SIGIO: 22,
  SIGSTOP: 23,
  SIGTSTP: 24,
  SIGCONT: 25,
  SIGTTIN: 26,
  SIGTTOU: 27,
  SIGVTALRM: 28,
  SIGPROF: 29,
  SIGXCPU: 30,
  SIGXFSZ: 31,
};
export const SIGNAL_COUNT = 128;
export const SIGSET_SIZE = 16;

export const ACTION_FLAGS: ActionFlags = {
  SA_NOCLDSTOP: 1,
  SA_SIGINFO: 8,
  SA_NOCLDWAIT: 0x10000,
  SA_ONSTACK: 0x08000000,
  SA_RESTART: 0x10000000,
  SA_NODEFER: 0x40000000,
  SA_RESETHAND: 0x80000000,
  SA_RESTORER: 0,
};

/** `li $v0, 4119; syscall` and, 16 bytes on, `li $v0, 4193; syscall`: sigreturn and rt_sigreturn. */
const TRAMPOLINES = [0x24021017, 0x0000000c, 0, 0, 0x24021061, 0x0000000c, 0, 0];

export function trampolines(little: boolean): Uint8Array {
  const bytes = new Uint8Array(TRAMPOLINES.length * 4);
  const view = new DataView(bytes.buffer);
  TRAMPOLINES.forEach((word, index) => {
    view.setUint32(index * 4, word, little);
  });
  return bytes;
}

/** Offsets in struct sigcontext of o32 (arch/mips/include/uapi/asm/sigcontext.h). */
const enum Sc {
  PC = 8,
  REGS = 16,
  FPREGS = 272,
  FPC_CSR = 532,
  USED_MATH = 540,
  MDHI = 552,
  MDLO = 560,
  SIZE = 592,
}
/** struct sigframe and struct rt_sigframe (arch/mips/kernel/signal.c): four argument words, two of padding, then this. */
const enum Frame {
  CONTEXT = 24,
  MASK = CONTEXT + Sc.SIZE,
  SIZE = MASK + 16,
  INFO = 24,
  UCONTEXT = INFO + 128,
  RT_SIZE = UCONTEXT + 24 + Sc.SIZE + 16,
}
/** struct ucontext */
const enum Uc {
  STACK = 8,
  CONTEXT = 24,
  MASK = CONTEXT + Sc.SIZE,
}
/** The kernel leaves this to its FPU emulator. */
const EMULATOR_SPACE = 32;
const USED_FP = 1;
const USED_FR1 = 2;

function put64(p: Process, address: number, word: number): void {
  p.memory.setU64(address, BigInt(word >>> 0));
}

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

/** Doubles as the kernel's context holds them: in every register with FR=1, else in the even ones. */
export function doubles(wide: boolean): { readonly slot: number; readonly offset: number }[] {
  const list = [];
  for (let register = 0; register < 32; register += wide ? 1 : 2) list.push({ slot: register, offset: Mips.FPR + register * 8 });
  return list;
}

const FCSR = 31;
export const getFcsr = (p: Process): number => p.vcpu.callHelper('mips_cfc1', FCSR) >>> 0;
export function setFcsr(p: Process, value: number): void {
  p.vcpu.callHelper('mips_ctc1', FCSR, value);
}
/** Cause bits whose exception FCSR enables, and E: with any of them set, FCSR cannot be restored (mask_fcsr31_x). */
const pendingCauses = (fcsr: number): number => fcsr & (E | ((fcsr & ENABLES) << 5));
const E = 1 << 17;
const ENABLES = 0xf80;

function writeContext(p: Process, at: number): void {
  put64(p, at + Sc.PC, p.vcpu.pc);
  put64(p, at + Sc.REGS, 0);
  for (let register = 1; register < 32; register++) put64(p, at + Sc.REGS + register * 8, get(p, Mips.GPR + register * 4));
  const wide = (p.vcpu.mode & Mode.FR) !== 0;
  for (const { slot, offset } of doubles(wide))
    p.memory.setU64(at + Sc.FPREGS + slot * 8, (BigInt(get(p, offset + 4)) << 32n) | BigInt(get(p, offset)));
  p.memory.setU32(at + Sc.FPC_CSR, getFcsr(p));
  p.memory.setU32(at + Sc.USED_MATH, USED_FP | (wide ? USED_FR1 : 0));
  put64(p, at + Sc.MDHI, get(p, Mips.HI));
  put64(p, at + Sc.MDLO, get(p, Mips.LO));
}

function readContext(p: Process, at: number): void {
  const word = (address: number): number => Number(p.memory.u64(address) & 0xffff_ffffn);
  const pc = word(at + Sc.PC);
  for (let register = 1; register < 32; register++) p.vcpu.set32(Mips.GPR + register * 4, word(at + Sc.REGS + register * 8));
  if (p.memory.u32(at + Sc.USED_MATH) & USED_FP) {
    for (const { slot, offset } of doubles((p.vcpu.mode & Mode.FR) !== 0)) {
      const value = p.memory.u64(at + Sc.FPREGS + slot * 8);
      p.vcpu.set32(offset, Number(value & 0xffff_ffffn));
      p.vcpu.set32(offset + 4, Number(value >> 32n));
    }
    const fcsr = p.memory.u32(at + Sc.FPC_CSR);
    const pending = pendingCauses(fcsr);
    setFcsr(p, fcsr & ~pending);
    if (pending) p.signals.raiseHere('SIGFPE');
  }
  p.vcpu.set32(Mips.HI, word(at + Sc.MDHI));
  p.vcpu.set32(Mips.LO, word(at + Sc.MDLO));
  p.vcpu.set32(Mips.LLBIT, 0);
  p.vcpu.pc = pc;
}

/** sigset_t: 32-bit words, the first with the lowest signals. */
export function writeMask(p: Process, address: number, mask: bigint): void {
  for (let word = 0; word < 4; word++) p.memory.setU32(address + word * 4, Number((mask >> BigInt(word * 32)) & 0xffff_ffffn));
}
export function readMask(p: Process, address: number): bigint {
  let mask = 0n;
  for (let word = 0; word < 4; word++) mask |= BigInt(p.memory.u32(address + word * 4)) << BigInt(word * 32);
  return mask;
}

/** MIPS has si_code before si_errno. */
export function writeSignalInfo(p: Process, address: number, signal: number, info: SignalInfo): void {
  p.memory.view(address, 128, 'write').fill(0);
  p.memory.setU32(address, signal);
  p.memory.setU32(address + 4, info.code >>> 0);
  if (info.call) {
    p.memory.setU32(address + 8, info.call.data);
    p.memory.setU32(address + 12, info.call.pc);
    p.memory.setU32(address + 16, info.call.number);
    p.memory.setU32(address + 20, info.call.architecture);
  } else if (info.address !== undefined && info.code !== SiCode.Kernel) p.memory.setU32(address + 12, info.address);
  else {
    p.memory.setU32(address + 12, info.file?.band ?? info.pid ?? 0);
    p.memory.setU32(address + 16, info.file?.fd ?? info.uid ?? 0);
    p.memory.setU32(address + 20, (info.value ?? 0) >>> 0);
  }
}

export function pushFrame(p: Process, { signal, info, action, mask }: Delivery): void {
  const realtime = (action.flags & ACTION_FLAGS.SA_SIGINFO) !== 0;
  const stackPointer = get(p, Mips.GPR + 29 * 4);
  const top = frameAddress(p, action, stackPointer) - EMULATOR_SPACE;
  const size = realtime ? Frame.RT_SIZE : Frame.SIZE;
  const frame = top - size - ((top - size) % 16);
  p.memory.view(frame, size, 'write').fill(0);
  let argument1 = 0;
  let argument2 = frame + Frame.CONTEXT;
  if (realtime) {
    argument1 = frame + Frame.INFO;
    argument2 = frame + Frame.UCONTEXT;
    writeSignalInfo(p, argument1, signal, info);
    const { altStack } = p.signals;
    p.memory.setU32(argument2 + Uc.STACK, altStack.start);
    p.memory.setU32(argument2 + Uc.STACK + 4, altStack.size);
    p.memory.setU32(argument2 + Uc.STACK + 8, altStack.disabled ? 2 : 0);
    writeContext(p, argument2 + Uc.CONTEXT);
    writeMask(p, argument2 + Uc.MASK, mask);
  } else {
    writeContext(p, frame + Frame.CONTEXT);
    writeMask(p, frame + Frame.MASK, mask);
  }
  const set = (register: number, value: number): void => p.vcpu.set32(Mips.GPR + register * 4, value);
  set(4, signal);
  set(5, argument1);
  set(6, argument2);
  set(25, action.handler);
  set(29, frame);
  set(31, p.trampolines + (realtime ? 16 : 0));
  p.vcpu.set32(Mips.LLBIT, 0);
  p.vcpu.pc = action.handler;
}

/** Restores what pushFrame saved; returns the mask. */
export function popFrame(p: Process, realtime: boolean): void {
  const frame = get(p, Mips.GPR + 29 * 4);
  const context = realtime ? frame + Frame.UCONTEXT + Uc.CONTEXT : frame + Frame.CONTEXT;
  const mask = readMask(p, realtime ? frame + Frame.UCONTEXT + Uc.MASK : frame + Frame.MASK);
  readContext(p, context);
  p.signals.mask = mask;
  if (realtime) {
    const stack = frame + Frame.UCONTEXT + Uc.STACK;
    p.signals.altStack = {
      start: p.memory.u32(stack),
      size: p.memory.u32(stack + 4),
      disabled: (p.memory.u32(stack + 8) & 2) !== 0,
    };
  }
}

/** struct sigaction: sa_flags, sa_handler, sa_mask. */
export function readAction(p: Process, address: number): Action {
  return { flags: p.memory.u32(address), handler: p.memory.u32(address + 4), mask: readMask(p, address + 8), restorer: 0 };
}
export function writeAction(p: Process, address: number, action: Action): void {
  p.memory.setU32(address, action.flags);
  p.memory.setU32(address + 4, action.handler);
  writeMask(p, address + 8, action.mask);
}

/** Exceptions by ExcCode (MIPS32 volume III, table 9.x) as arch/mips/kernel/traps.c turns them into signals. */
export function exceptionSignal(p: Process, number: number, code: number): FaultSignal {
  switch (number) {
    case 4:
    case 5:
      return { signal: 'SIGBUS', code: SiCode.Kernel, text: 'unaligned access' };
    case 10:
      return { signal: 'SIGILL', code: SiCode.Kernel, text: 'reserved instruction' };
    case 11:
      return { signal: 'SIGILL', code: SiCode.Kernel, text: 'coprocessor unusable' };
    case 12:
      return { signal: 'SIGFPE', code: SiCode.IntegerOverflow, text: 'integer overflow' };
    case 13:
      return trapSignal(code, 'trap');
    case 15: {
      const fcsr = getFcsr(p);
      setFcsr(p, fcsr & ~pendingCauses(fcsr));
      return { signal: 'SIGFPE', code: floatCode(fcsr), text: 'floating-point exception' };
    }
    default:
      return { signal: 'SIGILL', code: SiCode.Kernel, text: `exception ${number}` };
  }
}

/** BRK_OVERFLOW and BRK_DIVZERO (arch/mips/include/uapi/asm/break.h). */
export function trapSignal(code: number, what: 'break' | 'trap'): FaultSignal {
  if (code === 6) return { signal: 'SIGFPE', code: SiCode.IntegerOverflow, text: 'integer overflow' };
  if (code === 7) return { signal: 'SIGFPE', code: SiCode.IntegerDivide, text: 'integer division by zero' };
  return { signal: 'SIGTRAP', code: what === 'break' ? SiCode.Breakpoint : SiCode.Kernel, text: `${what} ${code}`, withoutAddress: true };
}

/** The instruction at an address, also of pages that cannot be read; 0 (NOP) where there is none. */
export function wordAt({ memory, abi }: Process, pc: number): number {
  const code = new Code(memory.codePage);
  const at = pc & ~3;
  if (code.place(at) === undefined) return 0;
  return (abi.isa.endian === 'little' ? code.i32le(at) : code.i32be(at)) >>> 0;
}

const KERNEL = 0x80000000;
/** Bytes that loads and stores of opcodes that Linux makes good for want aligned: LH, LW, LHU, SH, SW. */
const ALIGNED: Readonly<Record<number, number>> = { 33: 2, 35: 4, 37: 2, 41: 2, 43: 4 };

/** The kernel's addresses are address errors; an access that is not aligned faults in the kernel (arch/mips/kernel/unaligned.c). */
export function pageFault(p: Process, { pc, address, access }: MemoryFault): InsteadOfFault | undefined {
  // without checks, translated code does not tell the address
  if (address === undefined || (access !== 'execute' && p.vcpu.memoryModel === 'direct')) return undefined;
  const code = SiCode.Kernel;
  if (address >= KERNEL)
    return { number: 0, signal: { signal: 'SIGBUS', code, text: `address error: 0x${address.toString(16)} is the kernel's` } };
  if (access === 'execute') return undefined;
  const aligned = ALIGNED[wordAt(p, pc) >>> 26] ?? 1;
  if (address % aligned === 0) return undefined;
  return { number: 0, signal: { signal: 'SIGSEGV', code, text: `unaligned access to 0x${address.toString(16)}, which is not permitted` } };
}

/** From FCSR's cause bits. */
function floatCode(fcsr: number): number {
  if (fcsr & (1 << 16)) return SiCode.FloatInvalid;
  if (fcsr & (1 << 15)) return SiCode.FloatDivide;
  if (fcsr & (1 << 14)) return SiCode.FloatOverflow;
  if (fcsr & (1 << 13)) return SiCode.FloatUnderflow;
  return SiCode.FloatInexact;
}
