import { PagePermission } from '../../vcpu/guest-memory.ts';
import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { readForeign, writeForeign } from '../foreign-memory.ts';
import type { Process } from '../process.ts';
import { attach, detach, isBeforeCall, resume, TraceEvent, TraceOption, type TraceRun, wantStop } from '../ptrace.ts';
import { SiCode } from '../signals.ts';
import { type Calls, partial } from '../syscall.ts';
import { vector } from './arguments.ts';
import { readSet, readSignalInfo, threadOf, writeSet } from './signal.ts';

/** include/uapi/linux/ptrace.h; requests for registers are the ABI's. */
const enum Request {
  TraceMe = 0,
  PeekText = 1,
  PeekData = 2,
  PeekUser = 3,
  PokeText = 4,
  PokeData = 5,
  PokeUser = 6,
  Continue = 7,
  Kill = 8,
  SingleStep = 9,
  Attach = 16,
  Detach = 17,
  Syscall = 24,
  Emulate = 31,
  EmulateStep = 32,
  SetOptions = 0x4200,
  GetEventMessage = 0x4201,
  GetSignalInfo = 0x4202,
  SetSignalInfo = 0x4203,
  GetRegisterSet = 0x4204,
  SetRegisterSet = 0x4205,
  Seize = 0x4206,
  Interrupt = 0x4207,
  Listen = 0x4208,
  GetSignalMask = 0x420a,
  SetSignalMask = 0x420b,
  GetSyscallInfo = 0x420e,
}

export function mayAccess(p: Process, { credentials: { uid, euid: toEuid, suid } }: Process): boolean {
  const { euid } = p.credentials;
  return capable(p, Cap.SysPtrace) || [uid, toEuid, suid].every((id) => id === euid);
}

const FROM_KERNEL = { code: SiCode.User, pid: 0, uid: 0 };

function begin(p: Process, tid: number, seized: boolean, options: number): number {
  const thread = threadOf(p, tid);
  if (!thread) return -Errno.ESRCH;
  if (thread.group === p.group || thread.tracing || !mayAccess(p, thread)) return -Errno.EPERM;
  attach(p.group, thread, seized, options);
  if (!seized) thread.signals.raiseHere('SIGSTOP', FROM_KERNEL);
  if (!thread.group.stopped) return 0;
  // it stops for its tracer instead
  thread.group.stopped = false;
  wantStop(thread, thread.signals.number('SIGSTOP'));
  p.system.scheduler.wake();
  return 0;
}

function traceMe(p: Process): number {
  const { parent } = p.group;
  if (p.tracing) return -Errno.EPERM;
  if (parent && !parent.end) attach(parent, p, false);
  return 0;
}

/** A word of a thread's memory, whatever may be done with its page (FOLL_FORCE). */
function peek(p: Process, thread: Process, address: number, into: number): number {
  const word = new Uint8Array(4);
  if (readForeign(thread, address, word) < 4) return -Errno.EIO;
  p.memory.write(into, word);
  return 0;
}
function poke({ abi }: Process, thread: Process, address: number, value: number): number {
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, value, abi.isa.endian === 'little');
  return writeForeign(thread, address, word) < 4 ? -Errno.EIO : 0;
}

function go(thread: Process, run: TraceRun, signal: number): number {
  if (signal !== 0 && !thread.signals.isValid(signal)) return -Errno.EIO;
  resume(thread, run, signal);
  return 0;
}

/** struct iovec: what fits of a set of registers. */
function registerSet(p: Process, thread: Process, set: number, at: number, writes: boolean): number {
  const { trace } = p.abi;
  const address = p.memory.u32(at);
  const length = p.memory.u32(at + 4);
  const bytes = trace.registers(thread, set);
  if (!bytes) return -Errno.EINVAL;
  const count = Math.min(length, bytes.length);
  if (count % 4 !== 0) return -Errno.EINVAL;
  if (writes) {
    bytes.set(p.memory.view(address, count, 'read'));
    trace.setRegisters(thread, set, bytes);
  } else p.memory.write(address, bytes.subarray(0, count));
  p.memory.setU32(at + 4, count);
  return 0;
}

/** struct ptrace_syscall_info */
const enum SyscallInfo {
  Entry = 1,
  Exit = 2,
  Seccomp = 3,
  Head = 24,
  EntryEnd = 80,
  ExitEnd = 33,
  SeccompEnd = 84,
}

function syscallInfo(p: Process, thread: Process, room: number, at: number): number {
  const { abi, tracing, vcpu } = thread;
  const bytes = new Uint8Array(SyscallInfo.SeccompEnd);
  const data = new DataView(bytes.buffer);
  const little = abi.isa.endian === 'little';
  const put = (offset: number, value: number): void => data.setBigInt64(offset, BigInt(value), little);
  data.setUint32(4, abi.trace.architecture, little);
  put(8, vcpu.pc);
  put(16, abi.stackPointer(thread));
  const { kind } = tracing!.stop!;
  let size: number = SyscallInfo.Head;
  if (isBeforeCall(tracing!.stop)) {
    data.setUint8(0, kind === 'entry' ? SyscallInfo.Entry : SyscallInfo.Seccomp);
    put(24, abi.syscallNumber(thread));
    const args = abi.syscallArguments(thread);
    for (let n = 0; n < 6; n++) put(32 + n * 8, args[n]);
    data.setUint32(80, tracing!.message, little);
    size = kind === 'entry' ? SyscallInfo.EntryEnd : SyscallInfo.SeccompEnd;
  } else if (kind === 'exit') {
    const result = thread.interrupted ? -thread.interrupted.errno : abi.trace.callResult(thread);
    const failed = result < 0 && result > -MAX_ERRNO;
    data.setUint8(0, SyscallInfo.Exit);
    put(24, result);
    data.setUint8(32, failed ? 1 : 0);
    size = SyscallInfo.ExitEnd;
  }
  p.memory.write(at, bytes.subarray(0, Math.min(room, size)));
  return size;
}
const MAX_ERRNO = 4096;

function signalInfo(p: Process, thread: Process, at: number): number {
  const { kind, pending, event } = thread.tracing!.stop!;
  if (kind === 'group' && event === 0) return -Errno.EINVAL;
  p.abi.writeSignalInfo(p, at, pending.signal, pending.info);
  return 0;
}

/** Requests to a thread that has stopped. */
function ask(p: Process, thread: Process, request: number, address: number, data: number): number {
  const { trace } = p.abi;
  const { stop, message } = thread.tracing!;
  switch (request) {
    case Request.PeekText:
    case Request.PeekData:
      return peek(p, thread, address, data);
    case Request.PokeText:
    case Request.PokeData:
      return poke(p, thread, address, data);
    case Request.PeekUser: {
      const word = trace.userWord(thread, address);
      if (word === undefined) return -Errno.EIO;
      p.memory.setU32(data, word >>> 0);
      return 0;
    }
    case Request.PokeUser:
      return trace.setUserWord(thread, address, data) ? 0 : -Errno.EIO;
    case Request.Continue:
      return go(thread, 'on', data);
    case Request.Syscall:
      return go(thread, 'syscall', data);
    case Request.SingleStep:
      return trace.canStep ? go(thread, 'step', data) : -Errno.EIO;
    case Request.Emulate:
      return trace.canStep ? go(thread, 'emulate', data) : -Errno.EIO;
    case Request.EmulateStep:
      return trace.canStep ? go(thread, 'emulate-step', data) : -Errno.EIO;
    case Request.Detach:
      if (data !== 0 && !thread.signals.isValid(data)) return -Errno.EIO;
      detach(thread, data);
      return 0;
    case Request.SetOptions:
      if (data & ~TraceOption.All) return -Errno.EINVAL;
      thread.tracing!.options = data;
      return 0;
    case Request.GetEventMessage:
      p.memory.setU32(data, message);
      return 0;
    case Request.GetSignalInfo:
      return signalInfo(p, thread, data);
    case Request.SetSignalInfo: {
      const info = readSignalInfo(p, data);
      if (stop?.kind === 'group') return -Errno.EINVAL;
      stop!.pending = { ...stop!.pending, info };
      return 0;
    }
    case Request.GetRegisterSet:
    case Request.SetRegisterSet:
      return registerSet(p, thread, address, data, request === Request.SetRegisterSet);
    case Request.Listen:
      if (!thread.tracing!.seized || stop!.event !== TraceEvent.Stop) return -Errno.EIO;
      stop!.listening = true;
      return 0;
    case Request.GetSignalMask:
    case Request.SetSignalMask:
      if (address !== p.abi.sigsetSize) return -Errno.EINVAL;
      if (request === Request.GetSignalMask) writeSet(p, data, address, thread.signals.mask);
      else thread.signals.mask = readSet(p, data, address);
      return 0;
    case Request.GetSyscallInfo:
      return syscallInfo(p, thread, address, data);
    default: {
      const whole = trace.requests[request];
      if (!whole) return trace.request?.(p, thread, request, address, data) ?? -Errno.EIO;
      const bytes = trace.registers(thread, whole.set)!;
      if (whole.writes) trace.setRegisters(thread, whole.set, p.memory.view(data, bytes.length, 'read').slice());
      else p.memory.write(data, bytes);
      return 0;
    }
  }
}

function ptrace(p: Process, request: number, tid: number, address: number, data: number): number {
  switch (request) {
    case Request.TraceMe:
      return traceMe(p);
    case Request.Attach:
      return begin(p, tid, false, 0);
    case Request.Seize:
      if (address !== 0 || data & ~TraceOption.All) return -Errno.EIO;
      return begin(p, tid, true, data);
  }
  const thread = threadOf(p, tid);
  if (thread?.tracing?.tracer !== p.group) return -Errno.ESRCH;
  if (request === Request.Kill) {
    thread.group.leader.signals.raise('SIGKILL');
    return 0;
  }
  if (request === Request.Interrupt) {
    if (!thread.tracing.seized) return -Errno.EIO;
    if (!thread.tracing.stop || thread.tracing.stop.listening) wantStop(thread);
    return 0;
  }
  const { stop } = thread.tracing;
  if (!stop || (stop.listening && request !== Request.Listen)) return -Errno.ESRCH;
  return p.system.scheduler.as(thread, () => ask(p, thread, request, address, data));
}

/** process_vm_readv(2), process_vm_writev(2): bytes move between the caller's pieces and those of another process. */
function move(p: Process, a: readonly number[], writes: boolean): number {
  const [pid, local, localCount, remote, remoteCount, flags] = a;
  if (flags !== 0) return -Errno.EINVAL;
  const own = vector(p, local, localCount);
  const other = vector(p, remote, remoteCount);
  const thread = threadOf(p, pid);
  if (!thread) return -Errno.ESRCH;
  if (thread.group !== p.group && !mayAccess(p, thread)) return -Errno.EPERM;
  let moved = 0;
  let piece = 0;
  let at = 0;
  for (const { address, length } of other) {
    for (let done = 0; done < length; ) {
      while (piece < own.length && at === own[piece].length) {
        piece++;
        at = 0;
      }
      if (piece === own.length) return moved;
      const count = Math.min(length - done, own[piece].length - at);
      const bytes = p.memory.view(own[piece].address + at, count, writes ? 'read' : 'write');
      const got = writes
        ? writeForeign(thread, address + done, bytes, PagePermission.Write)
        : readForeign(thread, address + done, bytes, PagePermission.Read);
      moved += got;
      if (got < count) return moved > 0 ? moved : -Errno.EFAULT;
      done += count;
      at += count;
    }
  }
  return moved;
}

export const ptraceCalls: Calls = {
  ptrace: partial((p, a) => ptrace(p, a[0], a[1], a[2], a[3]), 'no hardware watchpoints; PTRACE_O_TRACEEXIT not if a signal ends it'),
  process_vm_readv: (p, a) => move(p, a, false),
  process_vm_writev: (p, a) => move(p, a, true),
};
