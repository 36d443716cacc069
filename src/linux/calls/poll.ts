import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type OpenFile, Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import type { Process } from '../process.ts';
import type { Syscall, SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';

const MILLION = 1_000_000;

/** What a file without poll() answers: regular files and directories are always ready. */
const ALWAYS = Poll.In | Poll.Out | Poll.ReadNormal | 0x100;

/** Events that are ready, limited to what was asked for and what is always told. */
export function ready(file: OpenFile | undefined, events: number): number {
  const now = file?.poll ? file.poll(events) : ALWAYS;
  // POLLRDNORM and POLLWRNORM go with POLLIN and POLLOUT; POLLWRNORM is 4 itself on MIPS.
  const full = now | (now & Poll.In ? Poll.ReadNormal : 0);
  return full & (events | Poll.Error | Poll.HangUp);
}

/** Reads a timeout in milliseconds; undefined waits for ever. */
type ReadTimeout = (p: Process, address: number) => number;

/** struct timespec; EINVAL as the kernel checks it. */
const timespec: ReadTimeout = (p, address) => {
  const whole = p.memory.i32(address);
  const fraction = p.memory.u32(address + 4);
  if (whole < 0 || fraction >= 1e9) fail('EINVAL');
  return whole * 1000 + fraction / MILLION;
};
/** struct __kernel_timespec */
export const timespec64: ReadTimeout = (p, address) => {
  const whole = Number(BigInt.asIntN(64, p.memory.u64(address)));
  const fraction = Number(BigInt.asUintN(32, p.memory.u64(address + 8)));
  if (whole < 0 || fraction >= 1e9) fail('EINVAL');
  return whole * 1000 + fraction / MILLION;
};
/** struct timeval, whose microseconds may exceed a second for select. */
const timeval: ReadTimeout = (p, address) => {
  const whole = p.memory.i32(address);
  const micro = p.memory.i32(address + 4);
  if (whole < 0 || micro < 0) fail('EINVAL');
  return whole * 1000 + micro / 1000;
};

type WriteRemaining = (p: Process, address: number, milliseconds: number) => void;
const writeTimespec: WriteRemaining = (p, address, milliseconds) => {
  p.memory.setU32(address, Math.floor(milliseconds / 1000));
  p.memory.setU32(address + 4, Math.floor((milliseconds % 1000) * MILLION));
};
const writeTimespec64: WriteRemaining = (p, address, milliseconds) => {
  p.memory.setU64(address, BigInt(Math.floor(milliseconds / 1000)));
  p.memory.setU64(address + 8, BigInt(Math.floor((milliseconds % 1000) * MILLION)));
};
const writeTimeval: WriteRemaining = (p, address, milliseconds) => {
  p.memory.setU32(address, Math.floor(milliseconds / 1000));
  p.memory.setU32(address + 4, Math.floor((milliseconds % 1000) * 1000));
};

/** Makes `call` with other signals blocked until guest code runs again; `mask` is the address of a sigset, 0 for none. */
export function withMask(p: Process, mask: number, size: number, call: () => SyscallResult): SyscallResult {
  if (mask === 0) return call();
  if (size !== p.abi.signalCount / 8) fail('EINVAL');
  let bits = 0n;
  // A sigset is an array of 32-bit words, the low one first.
  for (let at = 0; at < size; at += 4) bits |= BigInt(p.memory.u32(mask + at)) << BigInt(at * 8);
  p.signals.suspendMask(bits);
  return call();
}

const interrupted = () => -Errno.ERESTARTNOHAND;

const enum PollFd {
  Size = 8,
  Events = 4,
  Returned = 6,
}

function poll(p: Process, address: number, count: number, milliseconds: number | undefined): SyscallResult {
  if (count > p.limits.nofile.soft) return -Errno.EINVAL;
  const { memory } = p;
  const files: OpenFile[] = [];
  for (let i = 0; i < count; i++) {
    const fd = memory.i32(address + i * PollFd.Size);
    if (fd >= 0 && p.files.has(fd)) {
      const { file } = p.files.get(fd);
      if (file) files.push(file);
    }
  }
  const attempt = (last: boolean): number => {
    let found = 0;
    for (let i = 0; i < count; i++) {
      const at = address + i * PollFd.Size;
      const fd = memory.i32(at);
      let events = 0;
      if (fd >= 0) events = p.files.has(fd) ? ready(p.files.get(fd).file, memory.u16(at + PollFd.Events)) : Poll.Invalid;
      memory.setU16(at + PollFd.Returned, events);
      if (events) found++;
    }
    return found > 0 || last ? found : WOULD_BLOCK;
  };
  return waitFor(p, files, attempt, { milliseconds, interrupted });
}

/** In, out, exceptional: the poll events that make a descriptor count in each set of select(2). */
const SELECT = [
  { asked: Poll.In | Poll.ReadNormal, ready: Poll.In | Poll.ReadNormal | Poll.HangUp | Poll.Error },
  { asked: Poll.Out, ready: Poll.Out | Poll.Error },
  { asked: Poll.Priority, ready: Poll.Priority },
] as const;

/** `sets`: addresses of the three fd_sets, 0 for none. They are arrays of 32-bit words, descriptor 0 in bit 0. */
function select(p: Process, count: number, sets: readonly number[], milliseconds: number | undefined): SyscallResult {
  if ((count | 0) < 0) return -Errno.EINVAL;
  const limit = Math.min(count, p.limits.nofile.soft);
  const words = (limit + 31) >>> 5;
  const asked = sets.map((address) => Array.from({ length: words }, (_, i) => (address ? p.memory.u32(address + i * 4) : 0)));
  const files = new Map<number, OpenFile | undefined>();
  for (let fd = 0; fd < limit; fd++) {
    if (asked.some((set) => (set[fd >>> 5] >>> (fd & 31)) & 1)) files.set(fd, p.files.get(fd).file);
  }
  const attempt = (last: boolean): number => {
    const found = asked.map(() => new Array<number>(words).fill(0));
    let total = 0;
    for (const [fd, file] of files) {
      SELECT.forEach((kind, i) => {
        if (!((asked[i][fd >>> 5] >>> (fd & 31)) & 1)) return;
        if (ready(file, kind.asked) & kind.ready) {
          found[i][fd >>> 5] |= 1 << (fd & 31);
          total++;
        }
      });
    }
    if (total === 0 && !last) return WOULD_BLOCK;
    sets.forEach((address, i) => {
      if (address) for (let word = 0; word < words; word++) p.memory.setU32(address + word * 4, found[i][word] >>> 0);
    });
    return total;
  };
  const waited = [...files.values()].filter((file) => file !== undefined);
  return waitFor(p, waited, attempt, { milliseconds, interrupted });
}

/** Calls with a timeout at `address`, and afterwards writes there what is left of it, as Linux does. */
function timed(
  p: Process,
  address: number,
  readTimeout: ReadTimeout,
  writeRemaining: WriteRemaining,
  call: (milliseconds: number | undefined) => SyscallResult,
): SyscallResult {
  if (address === 0) return call(undefined);
  const milliseconds = readTimeout(p, address);
  const start = p.host.monotonic();
  const result = call(milliseconds);
  const after = (value: number): number => {
    const passed = Number(p.host.monotonic() - start) / MILLION;
    // A timeout in read-only memory is no error.
    if (p.memory.accessible(address, 8, 2) === 8 && value !== -Errno.ERESTARTNOHAND)
      writeRemaining(p, address, Math.max(0, milliseconds - passed));
    return value;
  };
  return result instanceof Promise ? result.then(after) : after(result);
}

function ppoll(readTimeout: ReadTimeout, writeRemaining: WriteRemaining): Syscall {
  return (p, a) => timed(p, a[2], readTimeout, writeRemaining, (ms) => withMask(p, a[3], a[4], () => poll(p, a[0], a[1], ms)));
}

/** The sixth argument points to the address and size of the signal mask. */
function pselect(readTimeout: ReadTimeout, writeRemaining: WriteRemaining): Syscall {
  return (p, a) => {
    const mask = a[5] === 0 ? 0 : p.memory.u32(a[5]);
    const size = a[5] === 0 ? 0 : p.memory.u32(a[5] + 4);
    return timed(p, a[4], readTimeout, writeRemaining, (ms) => withMask(p, mask, size, () => select(p, a[0], a.slice(1, 4), ms)));
  };
}

const select5: Syscall = (p, a) => timed(p, a[4], timeval, writeTimeval, (ms) => select(p, a[0], a.slice(1, 4), ms));

/** Waiting for descriptors. */
export const pollCalls = {
  poll: (p, a) => poll(p, a[0], a[1], (a[2] | 0) < 0 ? undefined : a[2]),
  ppoll: ppoll(timespec, writeTimespec),
  ppoll_time64: ppoll(timespec64, writeTimespec64),
  _newselect: select5,
  /** i386's first select: a pointer to its five arguments. */
  select: (p, a) =>
    select5(
      p,
      [0, 1, 2, 3, 4].map((i) => p.memory.u32(a[0] + i * 4)),
    ),
  pselect6: pselect(timespec, writeTimespec),
  pselect6_time64: pselect(timespec64, writeTimespec64),
} satisfies Record<string, Syscall>;
