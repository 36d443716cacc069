import { ABI, Eflags, getEflags, setEflags, Vector } from '../../../translators/x86/abi.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { GuestMemoryFault } from '../../vcpu/guest-memory.ts';
import type { Delivery, FaultSignal, SignalInfo } from '../abi.ts';
import { checkAltStackFrame, frameAddress } from '../frame.ts';
import type { Process } from '../process.ts';
import { type Action, type ActionFlags, SiCode, type SignalName } from '../signals.ts';
import { FPSTATE_SIZE, readFpState, resetFpState, writeFpState } from './fpu-frame.ts';
import { enterFlatCode, loadSegment, restoreCodeAndStack } from './segments.ts';

/** arch/x86/include/uapi/asm/signal.h */
export const SIGNALS: Readonly<Record<SignalName, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
};
export const SIGNAL_COUNT = 64;
export const SIGSET_SIZE = 8;

export const ACTION_FLAGS: ActionFlags = {
  SA_NOCLDSTOP: 1,
  SA_NOCLDWAIT: 2,
  SA_SIGINFO: 4,
  SA_ONSTACK: 0x08000000,
  SA_RESTART: 0x10000000,
  SA_NODEFER: 0x40000000,
  SA_RESETHAND: 0x80000000,
  SA_RESTORER: 0x04000000,
};

/** `pop eax; mov eax, 119; int 0x80` and, 16 bytes on, `mov eax, 173; int 0x80`: sigreturn and rt_sigreturn. */
export const TRAMPOLINES = new Uint8Array([
  0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** struct sigcontext_32, in order; a name is the state's word it holds. */
const CONTEXT: readonly (readonly [offset: number, state: number])[] = [
  [0, X86.GS],
  [4, X86.FS],
  [8, X86.ES],
  [12, X86.DS],
  [16, X86.EDI],
  [20, X86.ESI],
  [24, X86.EBP],
  [28, X86.ESP],
  [32, X86.EBX],
  [36, X86.EDX],
  [40, X86.ECX],
  [44, X86.EAX],
  [60, X86.CS],
  [72, X86.SS],
];
const enum Sc {
  GS = 0,
  FS = 4,
  ESP = 28,
  EAX = 44,
  TRAPNO = 48,
  ERROR = 52,
  EIP = 56,
  CS = 60,
  EFLAGS = 64,
  ESP_AT_SIGNAL = 68,
  SS = 72,
  FPSTATE = 76,
  OLD_MASK = 80,
  CR2 = 84,
  SIZE = 88,
}
/** struct sigframe_ia32 and rt_sigframe_ia32 (arch/x86/include/asm/sigframe.h). */
const enum Frame {
  RETURN = 0,
  SIGNAL = 4,
  CONTEXT = 8,
  EXTRA_MASK = CONTEXT + Sc.SIZE + 624,
  CODE = EXTRA_MASK + 4,
  SIZE = CODE + 8,
  RT_INFO_POINTER = 8,
  RT_UCONTEXT_POINTER = 12,
  RT_INFO = 16,
  RT_UCONTEXT = RT_INFO + 128,
  RT_CODE = RT_UCONTEXT + 20 + Sc.SIZE + 8,
  RT_SIZE = RT_CODE + 8,
}
/** struct ucontext_ia32 */
const enum Uc {
  STACK = 8,
  CONTEXT = 20,
  MASK = CONTEXT + Sc.SIZE,
}

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

/** EFLAGS that sigreturn may set (FIX_EFLAGS of arch/x86/include/asm/sighandling.h); RF would be gone after an instruction. */
export const RESTORED_FLAGS = Eflags.AC | Eflags.OF | Eflags.DF | Eflags.TF | Eflags.SF | Eflags.ZF | Eflags.AF | Eflags.PF | Eflags.CF;
/** Exceptions that come after an instruction: the others show EFLAGS.RF (SDM volume 3, 17.3.1.1). */
const TRAPS: readonly number[] = [Vector.DB, Vector.BP, Vector.OF];

function writeContext(p: Process, at: number, fpState: number, mask: bigint): void {
  for (const [offset, state] of CONTEXT) p.memory.setU32(at + offset, get(p, state));
  p.memory.setU32(at + Sc.EIP, (p.vcpu.pc - get(p, X86.CS_BASE)) >>> 0);
  p.memory.setU32(at + Sc.EFLAGS, getEflags(p.vcpu.state));
  p.memory.setU32(at + Sc.ESP_AT_SIGNAL, get(p, X86.ESP));
  p.memory.setU32(at + Sc.FPSTATE, fpState);
  p.memory.setU32(at + Sc.OLD_MASK, Number(mask & 0xffff_ffffn));
}

function readContext(p: Process, at: number): void {
  const words = CONTEXT.map(([offset]) => p.memory.u32(at + offset));
  const fpState = p.memory.u32(at + Sc.FPSTATE);
  const flags = p.memory.u32(at + Sc.EFLAGS);
  const pc = p.memory.u32(at + Sc.EIP);
  if (fpState === 0) resetFpState(p);
  else readFpState(p, fpState);
  CONTEXT.forEach(([offset, state], index) => {
    if (offset === Sc.CS || offset === Sc.SS) return;
    if (offset <= 12) loadSegment(p, state, words[index] & 0xffff);
    else p.vcpu.set32(state, words[index]);
  });
  setEflags(p.vcpu.state, (getEflags(p.vcpu.state) & ~RESTORED_FLAGS) | (flags & RESTORED_FLAGS));
  const [code, stack] = [Sc.CS, Sc.SS].map((offset) => p.memory.u32(at + offset) & 0xffff);
  if (!restoreCodeAndStack(p, code, stack)) throw new GuestMemoryFault(pc, 'read');
  p.vcpu.pc = (pc + get(p, X86.CS_BASE)) >>> 0;
}

export function writeMask(p: Process, address: number, mask: bigint): void {
  p.memory.setU64(address, mask & 0xffff_ffff_ffff_ffffn);
}
export function readMask(p: Process, address: number): bigint {
  return p.memory.u64(address);
}

export function writeSignalInfo(p: Process, address: number, signal: number, info: SignalInfo): void {
  p.memory.view(address, 128, 'write').fill(0);
  p.memory.setU32(address, signal);
  p.memory.setU32(address + 8, info.code >>> 0);
  if (info.call) {
    p.memory.setU32(address + 4, info.call.data);
    p.memory.setU32(address + 12, info.call.pc);
    p.memory.setU32(address + 16, info.call.number);
    p.memory.setU32(address + 20, info.call.architecture);
  } else if (info.address !== undefined) p.memory.setU32(address + 12, info.address);
  else {
    p.memory.setU32(address + 12, info.file?.band ?? info.pid ?? 0);
    p.memory.setU32(address + 16, info.file?.fd ?? info.uid ?? 0);
    p.memory.setU32(address + 20, (info.value ?? 0) >>> 0);
  }
}

export function pushFrame(p: Process, { signal, info, action, mask }: Delivery): void {
  const realtime = (action.flags & ACTION_FLAGS.SA_SIGINFO) !== 0;
  const { memory } = p;
  const below = frameAddress(p, action, get(p, X86.ESP)) - FPSTATE_SIZE;
  const fpState = below - (below % 64);
  const size = realtime ? Frame.RT_SIZE : Frame.SIZE;
  // ESP + 4 is a multiple of 16 at a function's entry
  const frame = fpState - size - ((fpState - size + 4) % 16);
  checkAltStackFrame(p, action, get(p, X86.ESP), frame);
  memory.view(frame, size, 'write').fill(0);
  writeFpState(p, fpState);
  resetFpState(p);
  const hasRestorer = (action.flags & ACTION_FLAGS.SA_RESTORER) !== 0;
  memory.setU32(frame + Frame.RETURN, hasRestorer ? action.restorer : p.trampolines + (realtime ? 16 : 0));
  memory.setU32(frame + Frame.SIGNAL, signal);
  let context = frame + Frame.CONTEXT;
  if (realtime) {
    const ucontext = frame + Frame.RT_UCONTEXT;
    context = ucontext + Uc.CONTEXT;
    memory.setU32(frame + Frame.RT_INFO_POINTER, frame + Frame.RT_INFO);
    memory.setU32(frame + Frame.RT_UCONTEXT_POINTER, ucontext);
    writeSignalInfo(p, frame + Frame.RT_INFO, signal, info);
    const { altStack } = p.signals;
    memory.setU32(ucontext + Uc.STACK, altStack.start);
    memory.setU32(ucontext + Uc.STACK + 4, altStack.disabled ? 2 : 0);
    memory.setU32(ucontext + Uc.STACK + 8, altStack.size);
    writeMask(p, ucontext + Uc.MASK, mask);
  } else memory.setU32(frame + Frame.EXTRA_MASK, Number(mask >> 32n));
  // debuggers and unwinders look for the code here
  memory.write(frame + (realtime ? Frame.RT_CODE : Frame.CODE), TRAMPOLINES.subarray(realtime ? 16 : 0, realtime ? 24 : 8));
  writeContext(p, context, fpState, mask);
  if (info.trap) {
    const pageFault = info.trap.number === Vector.PF ? info.address : undefined;
    p.lastTrap = { ...info.trap, address: pageFault ?? p.lastTrap?.address ?? 0 };
    if (!TRAPS.includes(info.trap.number)) memory.setU32(context + Sc.EFLAGS, memory.u32(context + Sc.EFLAGS) | Eflags.RF);
  }
  if (p.lastTrap) {
    memory.setU32(context + Sc.TRAPNO, p.lastTrap.number);
    memory.setU32(context + Sc.ERROR, p.lastTrap.error);
    memory.setU32(context + Sc.CR2, p.lastTrap.address);
  }

  p.vcpu.set32(X86.EAX, signal);
  p.vcpu.set32(X86.EDX, realtime ? frame + Frame.RT_INFO : 0);
  p.vcpu.set32(X86.ECX, realtime ? frame + Frame.RT_UCONTEXT : 0);
  p.vcpu.set32(X86.ESP, frame);
  enterFlatCode(p);
  for (const register of [X86.DS, X86.ES]) loadSegment(p, register, ABI.userData);
  setEflags(p.vcpu.state, getEflags(p.vcpu.state) & ~(Eflags.TF | Eflags.DF | Eflags.RF));
  p.vcpu.pc = action.handler;
}

export function popFrame(p: Process, realtime: boolean): void {
  // sigreturn's code has popped the return address and the signal number, rt_sigreturn's the return address
  const frame = get(p, X86.ESP) - (realtime ? 4 : 8);
  const ucontext = frame + Frame.RT_UCONTEXT;
  const context = realtime ? ucontext + Uc.CONTEXT : frame + Frame.CONTEXT;
  const mask = realtime
    ? readMask(p, ucontext + Uc.MASK)
    : BigInt(p.memory.u32(context + Sc.OLD_MASK)) | (BigInt(p.memory.u32(frame + Frame.EXTRA_MASK)) << 32n);
  const stack = ucontext + Uc.STACK;
  const altStack = realtime && {
    start: p.memory.u32(stack),
    size: p.memory.u32(stack + 8),
    disabled: (p.memory.u32(stack + 4) & 2) !== 0,
  };
  readContext(p, context);
  p.signals.mask = mask;
  if (altStack) p.signals.altStack = altStack;
}

/** struct sigaction of rt_sigaction: handler, flags, restorer, mask. */
export function readAction(p: Process, address: number): Action {
  const word = (index: number): number => p.memory.u32(address + index * 4);
  return { handler: word(0), flags: word(1), restorer: word(2), mask: readMask(p, address + 12) };
}
export function writeAction(p: Process, address: number, action: Action): void {
  p.memory.setU32(address, action.handler);
  p.memory.setU32(address + 4, action.flags);
  p.memory.setU32(address + 8, action.restorer);
  writeMask(p, address + 12, action.mask);
}

/** Exceptions by vector as arch/x86/kernel/traps.c turns them into signals. */
export function exceptionSignal(p: Process, number: number): FaultSignal {
  switch (number) {
    case Vector.DE:
      return { signal: 'SIGFPE', code: SiCode.IntegerDivide, text: 'divide error' };
    case Vector.DB:
      return { signal: 'SIGTRAP', code: SiCode.Breakpoint, text: 'debug trap', trap: true };
    case Vector.BP:
      return { signal: 'SIGTRAP', code: SiCode.Kernel, text: 'breakpoint', trap: true };
    case Vector.OF:
      return { signal: 'SIGSEGV', code: SiCode.Kernel, text: 'overflow (INTO)', trap: true };
    case Vector.BR:
      return { signal: 'SIGSEGV', code: SiCode.Kernel, text: 'bounds exceeded (BOUND)' };
    case Vector.UD:
      return { signal: 'SIGILL', code: SiCode.IllegalOperand, text: 'illegal instruction' };
    case Vector.MF:
      return { signal: 'SIGFPE', code: floatCode(get(p, X86.FSW) & ~get(p, X86.FCW)), text: 'x87 floating-point exception' };
    case Vector.XM:
      return { signal: 'SIGFPE', code: floatCode(get(p, X86.MXCSR) & ~(get(p, X86.MXCSR) >>> 7)), text: 'SIMD floating-point exception' };
    case Vector.AC:
      return { signal: 'SIGBUS', code: SiCode.BusAlignment, text: 'unaligned access' };
    case Vector.SS:
      return { signal: 'SIGBUS', code: SiCode.Kernel, text: 'stack segment fault' };
    case Vector.NP:
      return { signal: 'SIGBUS', code: SiCode.Kernel, text: 'segment not present' };
    default:
      return { signal: 'SIGSEGV', code: SiCode.Kernel, text: number === Vector.GP ? 'general protection' : `exception ${number}` };
  }
}

/** From unmasked exception flags: IE, ZE, OE, UE, PE. */
function floatCode(flags: number): number {
  if (flags & 1) return SiCode.FloatInvalid;
  if (flags & 4) return SiCode.FloatDivide;
  if (flags & 8) return SiCode.FloatOverflow;
  if (flags & 0x12) return SiCode.FloatUnderflow;
  return SiCode.FloatInexact;
}
