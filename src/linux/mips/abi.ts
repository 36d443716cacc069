import { ABI, breakCode, ExcCode, hasDelaySlot, trapCode } from '../../../translators/mips/abi.ts';
import { mipsel as mipselIsa, mips as mipsIsa } from '../../../translators/mips/index.ts';
import { Mips, Mode } from '../../../translators/mips/state.ts';
import { PagePermission } from '../../vcpu/guest-memory.ts';
import type { Abi } from '../abi.ts';
import { MIPS_TOP } from '../address-space.ts';
import { commonCalls } from '../calls/common.ts';
import { PRCTL_NOTE, prctl } from '../calls/prctl.ts';
import { wordCredentialCalls } from '../calls/process.ts';
import { readSet, sigaction, sigreturn, sigsuspend } from '../calls/signal.ts';
import { Errno, mipsErrno } from '../errno.ts';
import type { Process } from '../process.ts';
import { printWords } from '../registers.ts';
import { SiCode } from '../signals.ts';
import { type Calls, makeTable, partial } from '../syscall.ts';
import { mipsFiles } from './files.ts';
import { fpModeCall, startMode } from './fp-mode.ts';
import { NUMBERS } from './numbers.ts';
import {
  ACTION_FLAGS,
  exceptionSignal,
  pageFault,
  popFrame,
  pushFrame,
  readAction,
  SIGNAL_COUNT,
  SIGNALS,
  SIGSET_SIZE,
  trampolines,
  trapSignal,
  wordAt,
  writeAction,
  writeSignalInfo,
} from './signals.ts';
import { mipsSockets } from './sockets.ts';
import { mipsTrace } from './trace.ts';

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

/** sysmips(2) commands (arch/mips/include/uapi/asm/sysmips.h). */
const enum Sysmips {
  FlushCache = 3,
  FixAde = 7,
  AtomicSet = 2001,
}

function sysmips(p: Process, command: number, address: number, value: number): number {
  switch (command) {
    case Sysmips.AtomicSet: {
      const old = p.memory.u32(address);
      p.memory.setU32(address, value);
      return old;
    }
    case Sysmips.FlushCache:
      p.vcpu.invalidate(0, p.map.options.top);
      return 0;
    case Sysmips.FixAde:
      if (address & ~3) return -Errno.EINVAL;
      p.vcpu.mode = address & 1 ? p.vcpu.mode & ~Mode.ALIGNED : p.vcpu.mode | Mode.ALIGNED;
      return 0;
    default:
      return -Errno.EINVAL;
  }
}

function cacheflush(p: Process, address: number, bytes: number): number {
  const length = Math.min(bytes, p.map.options.top - address);
  if (bytes > 0 && length <= 0) return -Errno.EFAULT;
  p.vcpu.invalidate(address, length);
  return 0;
}

const ownCalls: Calls = {
  ...wordCredentialCalls,
  set_thread_area: (p, a) => {
    p.vcpu.set32(ABI.threadPointer, a[0]);
    return 0;
  },
  sysmips: partial((p, a) => sysmips(p, a[0], a[1], a[2]), 'FLUSH_CACHE, MIPS_FIXADE, MIPS_ATOMIC_SET'),
  prctl: partial((p, a) => fpModeCall(p, a[0], a[1]) ?? prctl(p, a), `${PRCTL_NOTE}, floating-point mode`),
  cacheflush: (p, a) => cacheflush(p, a[0], a[1]),
  cachectl: () => -Errno.ENOSYS,
  sigaction: (p, a) => sigaction(p, a[0], a[1], a[2], readAction, writeAction),
  sigsuspend: (p, a) => sigsuspend(p, readSet(p, a[0], SIGSET_SIZE)),
  sigreturn: sigreturn((p) => popFrame(p, false)),
  rt_sigreturn: sigreturn((p) => popFrame(p, true)),
  /** The dispatcher makes the call that its first argument names (`indirect`); this is syscall(2) of itself. */
  syscall: () => -Errno.EINVAL,
};

const table = makeTable(NUMBERS, ...commonCalls, ownCalls);

const REGISTER_NAMES = ['zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 s0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp fp ra'].flatMap(
  (names) => names.split(' '),
);

const STACK_ARGUMENTS = 4;

function makeMips(endian: 'little' | 'big'): Abi {
  const name = endian === 'little' ? 'mipsel' : 'mips';
  return {
    ...mipsFiles,
    name,
    isa: name === 'mips' ? mipsIsa : mipselIsa,
    machine: 'mips',
    platform: '',
    hwcap: 0,
    hwcap2: 0,
    top: MIPS_TOP,
    stackTop: MIPS_TOP,
    mapBase: 0x77ff7000,
    pieBase: 0x55550000,
    alignedPairs: true,
    table,
    numbers: NUMBERS,
    indirect: NUMBERS.syscall,
    errno: mipsErrno,
    sockets: mipsSockets,
    segments: { bytes: 72, creatorAt: 52, times: [40, 44, 48] },
    semaphores: { bytes: 56, countAt: 44, times: [36, 40] },
    mmap: {
      MAP_SHARED: 1,
      MAP_PRIVATE: 2,
      MAP_FIXED: 0x10,
      MAP_ANONYMOUS: 0x800,
      MAP_GROWSDOWN: 0x1000,
      MAP_LOCKED: 0x8000,
      MAP_FIXED_NOREPLACE: 0x100000,
    },
    signals: SIGNALS,
    signalCount: SIGNAL_COUNT,
    sigsetSize: SIGSET_SIZE,
    actionFlags: ACTION_FLAGS,
    maskHow: { SIG_BLOCK: 1, SIG_UNBLOCK: 2, SIG_SETMASK: 3 },
    stackFields: { start: 0, size: 4, flags: 8 },
    trampolines: trampolines(endian === 'little'),

    syscallNumber: (p) => get(p, ABI.syscallNumber),
    syscallArguments(p) {
      const a = ABI.syscallArguments.map((slot) => get(p, slot));
      const at = get(p, ABI.stackPointer) + ABI.syscallStackArguments;
      // few calls have more than four; that there is no stack matters only to them
      const readable = p.memory.accessible(at, STACK_ARGUMENTS * 4, PagePermission.Read) / 4;
      for (let index = 0; index < STACK_ARGUMENTS; index++) a.push(index < Math.floor(readable) ? p.memory.u32(at + index * 4) : 0);
      return a;
    },
    setSyscallResult(p, result) {
      const failed = result < 0;
      p.vcpu.set32(ABI.syscallResult, failed ? mipsErrno(-result) : result);
      p.vcpu.set32(ABI.syscallError, failed ? 1 : 0);
    },
    setPipeResult(p, _read, write) {
      p.vcpu.set32(ABI.syscallResult2, write);
      return true;
    },
    setThreadPointer: (p, tls) => p.vcpu.set32(ABI.threadPointer, tls),
    reservation: Mips.LLBIT,
    stackPointer: (p) => get(p, ABI.stackPointer),
    setStackPointer: (p, address) => p.vcpu.set32(ABI.stackPointer, address),
    functionArgument: (p, n) => (n < ABI.arguments.length ? get(p, ABI.arguments[n]) : p.memory.u32(get(p, ABI.stackPointer) + 4 * n)),
    returnFrom(p, result) {
      p.vcpu.set32(ABI.result, result);
      p.vcpu.pc = get(p, ABI.returnAddress);
    },
    startRegisters(p, pc, stackPointer, elf, interpreter) {
      p.vcpu.mode = startMode(elf, interpreter);
      p.vcpu.set32(ABI.stackPointer, stackPointer);
      // position-independent start code finds itself by it
      p.vcpu.set32(ABI.functionAddress, pc);
      p.vcpu.pc = pc;
    },
    // as EPC: a fault in a delay slot is told at its branch
    faultPc: (p, pc) => {
      const at = (pc & ~3) >>> 0;
      return hasDelaySlot(wordAt(p, at - 4)) ? at - 4 : at;
    },

    pushFrame,
    readAction,
    writeAction,
    writeSignalInfo,
    // EM_MIPS, __AUDIT_ARCH_LE
    trace: mipsTrace(endian === 'little' ? 0x40000008 : 8),
    exceptionSignal: (p, number, code) =>
      number === ExcCode.Tr ? trapSignal(trapCode(wordAt(p, (p.vcpu.pc & ~3) >>> 0)), 'trap') : exceptionSignal(p, number, code),
    // coprocessor 0 unusable
    illegal: { code: SiCode.Kernel },
    privilegedSignal: { signal: 'SIGILL', code: SiCode.Kernel },
    // simulate_rdhwr_normal, simulate_sync: of registers that do not exist, and with bits that must be zero; here not in delay slots
    ignores: (p, pc) => {
      const word = wordAt(p, pc);
      const [opcode, funct, register] = [word >>> 26, word & 0x3f, (word >>> 11) & 31];
      const isIgnored = (opcode === 0x1f && funct === 0x3b && !(register < 4 || register === 29)) || (opcode === 0 && funct === 0xf);
      return isIgnored && !hasDelaySlot(wordAt(p, pc - 4));
    },
    pageFault,
    breakpointSignal: (_p, code) => trapSignal(breakCode(code), 'break'),
    printRegisters: (p) =>
      printWords(
        [
          ...REGISTER_NAMES.map((register, n) => [register, n === 0 ? 0 : get(p, Mips.GPR + n * 4)] as const),
          ['hi', get(p, Mips.HI)],
          ['lo', get(p, Mips.LO)],
          ['pc', p.vcpu.pc],
        ],
        4,
      ),
  };
}

export const mips = makeMips('big');
export const mipsel = makeMips('little');
