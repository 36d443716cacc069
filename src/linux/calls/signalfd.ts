import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import type { Pending } from '../signals.ts';
import { type Calls, partial } from '../syscall.ts';
import { anonymousOf, installAnonymous } from './anonymous.ts';
import { readSet } from './signal.ts';

/** struct signalfd_siginfo */
const BYTES = 128;

/** Which signals a file takes. */
const signalFiles = new WeakMap<object, { set: bigint }>();

function writeInfo(into: Uint8Array, { signal, info }: Pending, little: boolean, isChild: boolean): void {
  into.fill(0, 0, BYTES);
  const view = new DataView(into.buffer, into.byteOffset, BYTES);
  const words = [signal, 0, info.code, info.pid ?? 0, info.uid ?? 0];
  for (const [index, word] of words.entries()) view.setInt32(index * 4, word, little);
  const { value = 0 } = info;
  // ssi_status, or ssi_int and ssi_ptr
  view.setInt32(isChild ? 40 : 44, value, little);
  if (!isChild) view.setBigUint64(48, BigInt(value >>> 0), little);
  view.setBigUint64(72, BigInt(info.address ?? 0), little);
}

/** signalfd(2): takes the signals of the process that made it. */
function signalfd(p: Process, fd: number, set: bigint, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -Errno.EINVAL;
  if ((fd | 0) !== -1) {
    anonymousOf(p, fd, signalFiles).set = set;
    return fd;
  }
  const { signals } = p;
  const wanted = { set };
  const read = (into: Uint8Array): number => {
    if (into.length < BYTES) fail('EINVAL');
    let count = 0;
    for (; count + BYTES <= into.length; count += BYTES) {
      const taken = signals.take(wanted.set);
      if (!taken) break;
      writeInfo(into.subarray(count), taken, p.abi.isa.endian === 'little', signals.name(taken.signal) === 'SIGCHLD');
    }
    return count || WOULD_BLOCK;
  };
  signalFiles.set(read, wanted);
  const file = {
    read,
    write: () => fail('EINVAL'),
    poll: () => (signals.pending & wanted.set ? Poll.In | Poll.ReadNormal : 0),
    subscribe: (listener: (events: number) => void) => signals.onQueued(listener),
  };
  return installAnonymous(p, '[signalfd]', file, flags);
}

const NOTE = 'takes signals of the process that made it, also after fork';

export const signalFileCalls: Calls = {
  signalfd: partial((p, a) => (a[2] === p.abi.sigsetSize ? signalfd(p, a[0], readSet(p, a[1], a[2]), 0) : -Errno.EINVAL), NOTE),
  signalfd4: partial((p, a) => (a[2] === p.abi.sigsetSize ? signalfd(p, a[0], readSet(p, a[1], a[2]), a[3]) : -Errno.EINVAL), NOTE),
};
