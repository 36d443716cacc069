import { getEflags, setEflags } from '../../../translators/x86/abi.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { SyscallError } from '../syscall.ts';
import { changeCall, RegisterSet, shownCall, type TraceAbi } from '../trace-abi.ts';
import { FXSAVE, fpState, setFpState } from './fpu-frame.ts';
import { getThreadArea, loadSegment, restoreCodeAndStack, setThreadArea } from './segments.ts';
import { RESTORED_FLAGS } from './signals.ts';

/** struct user_regs_struct (arch/x86/include/asm/user_32.h). */
const enum User {
  EAX = 6,
  DS = 7,
  GS = 10,
  ORIG_EAX = 11,
  EIP = 12,
  CS = 13,
  EFLAGS = 14,
  ESP = 15,
  SS = 16,
  WORDS = 17,
  /** struct user: its bytes, and the eight debug registers in it. */
  SIZE = 284,
  DEBUG = 252,
}
const PLAIN: readonly (readonly [index: number, state: number])[] = [
  [0, X86.EBX],
  [1, X86.ECX],
  [2, X86.EDX],
  [3, X86.ESI],
  [4, X86.EDI],
  [5, X86.EBP],
  [User.DS, X86.DS],
  [8, X86.ES],
  [9, X86.FS],
  [User.GS, X86.GS],
  [User.CS, X86.CS],
  [User.ESP, X86.ESP],
  [User.SS, X86.SS],
];
const FSAVE_SIZE = 108;
const FXSAVE_SIZE = 512;

const get = (p: Process, offset: number): number => p.vcpu.get32(offset) >>> 0;

function general(p: Process): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(User.WORDS);
  for (const [index, state] of PLAIN) words[index] = get(p, state);
  const { number, result, isEntry } = shownCall(p);
  words[User.EAX] = isEntry ? -Errno.ENOSYS : (result ?? get(p, X86.EAX));
  words[User.ORIG_EAX] = number;
  words[User.EIP] = p.vcpu.pc - get(p, X86.CS_BASE);
  words[User.EFLAGS] = getEflags(p.vcpu.state);
  return words;
}

function setGeneral(p: Process, words: Uint32Array): void {
  const selector = (index: number): number => words[index] & 0xffff;
  for (const [index, state] of PLAIN) {
    if (index >= User.DS && index <= User.GS) loadSegment(p, state, selector(index));
    else if (index !== User.CS && index !== User.SS) p.vcpu.set32(state, words[index]);
  }
  const { isEntry } = shownCall(p);
  if (changeCall(p, words[User.ORIG_EAX], words[User.EAX])) p.vcpu.set32(X86.EAX, words[User.EAX]);
  else if (isEntry) p.vcpu.set32(X86.EAX, words[User.ORIG_EAX]);
  setEflags(p.vcpu.state, (getEflags(p.vcpu.state) & ~RESTORED_FLAGS) | (words[User.EFLAGS] & RESTORED_FLAGS));
  if (!restoreCodeAndStack(p, selector(User.CS), selector(User.SS))) throw new SyscallError(Errno.EIO);
  p.vcpu.pc = (words[User.EIP] + get(p, X86.CS_BASE)) >>> 0;
}

const wordsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.slice(0, User.WORDS * 4).buffer);

/** What FXSAVE stores put into `whole`, with what FSAVE's part has of it. */
function withExtended(whole: Uint8Array, extended: Uint8Array): Uint8Array {
  whole.set(extended, FXSAVE);
  const part = (at: number, length: number): Uint8Array => extended.subarray(at, at + length);
  whole.set(part(0, 2), 0);
  whole.set(part(2, 2), 4);
  whole.set(part(8, 4), 12);
  whole.set(part(16, 4), 20);
  const data = new DataView(whole.buffer);
  let tags = data.getUint16(8, true);
  for (let r = 0; r < 8; r++) {
    const isEmpty = !(extended[4] & (1 << r));
    if (isEmpty) tags |= 3 << (2 * r);
    else if (((tags >>> (2 * r)) & 3) === 3) tags &= ~(3 << (2 * r));
  }
  data.setUint16(8, tags, true);
  return whole;
}

/** PTRACE_GET_THREAD_AREA: `address` is the number of the entry. */
const GET_THREAD_AREA = 25;
const SET_THREAD_AREA = 26;

export const i386Trace: TraceAbi = {
  architecture: 0x40000003,
  canStep: true,
  requests: {
    12: { set: RegisterSet.General, writes: false },
    13: { set: RegisterSet.General, writes: true },
    14: { set: RegisterSet.Float, writes: false },
    15: { set: RegisterSet.Float, writes: true },
    18: { set: RegisterSet.Extended, writes: false },
    19: { set: RegisterSet.Extended, writes: true },
  },
  callResult: (p) => p.vcpu.get32(X86.EAX),
  registers(p, set) {
    if (set === RegisterSet.General) return new Uint8Array(general(p).buffer);
    if (set === RegisterSet.Float) return fpState(p).subarray(0, FSAVE_SIZE);
    return set === RegisterSet.Extended ? fpState(p).subarray(FXSAVE, FXSAVE + FXSAVE_SIZE) : undefined;
  },
  setRegisters(p, set, bytes) {
    if (set === RegisterSet.General) return setGeneral(p, wordsOf(bytes));
    const whole = fpState(p);
    if (set === RegisterSet.Float) {
      whole.set(bytes);
      setFpState(p, whole, false);
    } else setFpState(p, withExtended(whole, bytes), true);
  },
  userWord(p, offset) {
    if (offset % 4 !== 0 || offset >= User.SIZE) return undefined;
    return offset < User.WORDS * 4 ? general(p)[offset / 4] : 0;
  },
  setUserWord(p, offset, value) {
    if (offset % 4 !== 0 || offset >= User.SIZE) return false;
    if (offset < User.WORDS * 4) {
      const words = general(p);
      words[offset / 4] = value;
      setGeneral(p, words);
      return true;
    }
    // there are no breakpoints in hardware
    return offset >= User.DEBUG && value === 0;
  },
  request(p, thread, request, address, data) {
    if (request === GET_THREAD_AREA) return getThreadArea(thread, address, data, p.memory);
    return request === SET_THREAD_AREA ? setThreadArea(thread, data, p.memory, address) : undefined;
  },
};
