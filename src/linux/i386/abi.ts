import { ABI, beginsSteps, getEflags, Vector } from '../../../translators/x86/abi.ts';
import { x86, x86Double } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import type { Abi } from '../abi.ts';
import { I386_TOP } from '../address-space.ts';
import { commonCalls } from '../calls/common.ts';
import { fileCalls } from '../calls/files.ts';
import { memoryCalls } from '../calls/memory.ts';
import { dividedCredentialCalls } from '../calls/process.ts';
import { sigaction, sigreturn, sigsuspend } from '../calls/signal.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { printWords } from '../registers.ts';
import { type Action, SiCode } from '../signals.ts';
import { type Calls, makeTable, missing, SyscallError } from '../syscall.ts';
import { i386Files } from './files.ts';
import { looksAtMxcsr, programLooksAtMxcsr } from './mxcsr.ts';
import { NUMBERS } from './numbers.ts';
import { pageFault } from './page-fault.ts';
import { getThreadArea, modifyLdt, setThreadArea } from './segments.ts';
import {
  ACTION_FLAGS,
  exceptionSignal,
  popFrame,
  pushFrame,
  readAction,
  SIGNAL_COUNT,
  SIGNALS,
  SIGSET_SIZE,
  TRAMPOLINES,
  writeAction,
  writeSignalInfo,
} from './signals.ts';
import { singleStep } from './single-step.ts';
import { i386Sockets } from './sockets.ts';
import { i386Trace } from './trace.ts';

/** struct old_sigaction: handler, 32 bits of mask, flags, restorer. */
function readOldAction(p: Process, address: number): Action {
  const word = (index: number): number => p.memory.u32(address + index * 4);
  return { handler: word(0), mask: BigInt(word(1)), flags: word(2), restorer: word(3) };
}
function writeOldAction(p: Process, address: number, action: Action): void {
  [action.handler, Number(action.mask & 0xffff_ffffn), action.flags, action.restorer].forEach((word, index) => {
    p.memory.setU32(address + index * 4, word);
  });
}

const ownCalls: Calls = {
  ...dividedCredentialCalls,
  mmap: memoryCalls.old_mmap,
  chown: fileCalls.chown16,
  fchown: fileCalls.fchown16,
  lchown: fileCalls.lchown16,
  chown32: fileCalls.chown,
  fchown32: fileCalls.fchown,
  lchown32: fileCalls.lchown,
  set_thread_area: (p, a) => setThreadArea(p, a[0], p.memory),
  get_thread_area: (p, a) => getThreadArea(p, p.memory.i32(a[0]), a[0], p.memory),
  modify_ldt: (p, a) => modifyLdt(p, a[0], a[1], a[2]),
  vm86: missing('no virtual-8086 mode'),
  vm86old: missing('no virtual-8086 mode'),
  iopl: () => -Errno.EPERM,
  ioperm: () => -Errno.EPERM,
  sigaction: (p, a) => sigaction(p, a[0], a[1], a[2], readOldAction, writeOldAction),
  /** The first two arguments are history. */
  sigsuspend: (p, a) => sigsuspend(p, BigInt(a[2])),
  sigreturn: sigreturn((p) => popFrame(p, false)),
  rt_sigreturn: sigreturn((p) => popFrame(p, true)),
};

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

export const i386: Abi = {
  ...i386Files,
  name: 'i386',
  isa: x86,
  double: x86Double,
  machine: 'i686',
  platform: 'i686',
  hwcap: ABI.hwcap >>> 0,
  hwcap2: 0,
  top: I386_TOP,
  stackTop: I386_TOP,
  mapBase: 0xb7fff000,
  pieBase: 0x56555000,
  alignedPairs: false,
  table: makeTable(NUMBERS, ...commonCalls, ownCalls),
  numbers: NUMBERS,
  errno: (generic) => generic,
  sockets: i386Sockets,
  segments: { bytes: 84, creatorAt: 64, times: [40, 48, 56] },
  semaphores: { bytes: 64, countAt: 52, times: [36, 44] },
  mmap: {
    MAP_SHARED: 1,
    MAP_PRIVATE: 2,
    MAP_FIXED: 0x10,
    MAP_ANONYMOUS: 0x20,
    MAP_GROWSDOWN: 0x100,
    MAP_LOCKED: 0x2000,
    MAP_FIXED_NOREPLACE: 0x100000,
  },
  signals: SIGNALS,
  signalCount: SIGNAL_COUNT,
  sigsetSize: SIGSET_SIZE,
  actionFlags: ACTION_FLAGS,
  maskHow: { SIG_BLOCK: 0, SIG_UNBLOCK: 1, SIG_SETMASK: 2 },
  stackFields: { start: 0, flags: 4, size: 8 },
  trampolines: TRAMPOLINES,

  syscallNumber: (p) => get(p, ABI.syscallNumber),
  syscallArguments: (p) => [...ABI.syscallArguments.map((slot) => get(p, slot)), 0, 0],
  setSyscallResult: (p, result) => p.vcpu.set32(ABI.syscallResult, result),
  setThreadPointer(p, tls) {
    const error = p.memory.i32(tls) === -1 ? -Errno.EINVAL : setThreadArea(p, tls, p.memory);
    if (error < 0) throw new SyscallError(-error);
  },
  stackPointer: (p) => get(p, ABI.stackPointer),
  setStackPointer: (p, address) => p.vcpu.set32(ABI.stackPointer, address),
  // the return address, then the arguments
  functionArgument: (p, n) => p.memory.u32(get(p, ABI.stackPointer) + 4 * (n + 1)),
  returnFrom(p, result) {
    const stack = get(p, ABI.stackPointer);
    p.vcpu.pc = p.memory.u32(stack);
    p.vcpu.set32(ABI.stackPointer, stack + 4);
    p.vcpu.set32(ABI.result, result);
  },
  startRegisters(p, pc, stackPointer, elf, interpreter) {
    if (programLooksAtMxcsr(elf) || (interpreter && programLooksAtMxcsr(interpreter))) p.vcpu.mode |= ABI.denormals;
    p.vcpu.set32(ABI.stackPointer, stackPointer);
    p.vcpu.pc = pc;
  },
  mapsCode({ vcpu }, code, file) {
    if (!(vcpu.mode & ABI.denormals) && looksAtMxcsr(code, file)) vcpu.mode |= ABI.denormals;
  },
  faultPc: (_p, pc) => pc,
  singleStep,
  beginsSteps,

  pageFault,
  pushFrame,
  readAction,
  writeAction,
  writeSignalInfo,
  trace: i386Trace,
  exceptionSignal,
  // #GP
  illegal: { code: SiCode.IllegalOperand, trap: { number: Vector.UD, error: 0 } },
  privilegedSignal: { signal: 'SIGSEGV', code: SiCode.Kernel },
  breakpointSignal: (p) => exceptionSignal(p, 3),
  printRegisters: (p) =>
    printWords(
      [
        ...(['EAX', 'EBX', 'ECX', 'EDX', 'ESI', 'EDI', 'EBP', 'ESP'] as const).map((name) => [name, get(p, REGISTERS[name])] as const),
        ['EIP', p.vcpu.pc],
        ['EFLAGS', getEflags(p.vcpu.state)],
      ],
      4,
    ),
};

const REGISTERS = {
  EAX: X86.EAX,
  EBX: X86.EBX,
  ECX: X86.ECX,
  EDX: X86.EDX,
  ESI: X86.ESI,
  EDI: X86.EDI,
  EBP: X86.EBP,
  ESP: X86.ESP,
} as const;
