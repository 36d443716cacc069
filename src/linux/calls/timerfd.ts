import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Process } from '../process.ts';
import { type Calls, partial } from '../syscall.ts';
import { Timer } from '../timers.ts';
import { anonymousOf, installAnonymous } from './anonymous.ts';
import { clock, readTimespec, readTimespec64, TIMER_ABSTIME, type WriteTime, writeTimespec, writeTimespec64 } from './time.ts';
import { type ReadTime, setTimer, writeSetting } from './timer.ts';

const BYTES = 8;
/** TFD_TIMER_CANCEL_ON_SET: the clock is never set. */
const CANCEL_ON_SET = 2;

interface TimerFile {
  readonly clock: number;
  readonly timer: Timer;
  /** A new setting: what expired before does not count. */
  reset(): void;
}
const timerFiles = new WeakMap<object, TimerFile>();

/** timerfd_create(2): how often it expired is read as eight bytes. */
function create(p: Process, id: number, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK) || clock(p, id) === undefined) return -Errno.EINVAL;
  const queue = new WaitQueue();
  let expired = 0;
  const timer = new Timer(p, (missed) => {
    expired += missed + 1;
    queue.wake();
  });
  const read = (into: Uint8Array): number => {
    if (into.length < BYTES) fail('EINVAL');
    if (expired === 0) return WOULD_BLOCK;
    new DataView(into.buffer, into.byteOffset, BYTES).setBigUint64(0, BigInt(expired), p.abi.isa.endian === 'little');
    expired = 0;
    return BYTES;
  };
  timerFiles.set(read, {
    clock: id,
    timer,
    reset: () => {
      expired = 0;
    },
  });
  const file = {
    read,
    write: () => fail('EINVAL'),
    poll: () => (expired > 0 ? Poll.In | Poll.ReadNormal : 0),
    subscribe: queue.subscribe,
    close: () => timer.stop(),
  };
  return installAnonymous(p, '[timerfd]', file, flags);
}

function set(p: Process, a: readonly number[], size: number, read: ReadTime, write: WriteTime): number {
  const file = anonymousOf(p, a[0], timerFiles);
  if (a[1] & ~(TIMER_ABSTIME | CANCEL_ON_SET)) return -Errno.EINVAL;
  const interval = read(p, a[2]);
  const value = read(p, a[2] + size);
  if (a[3] !== 0) writeSetting(p, file.timer, a[3], size, write);
  file.reset();
  setTimer(file.timer, value, interval, a[1] & TIMER_ABSTIME ? Number(clock(p, file.clock)) / 1e6 : 0);
  return 0;
}

function get(p: Process, a: readonly number[], size: number, write: WriteTime): number {
  writeSetting(p, anonymousOf(p, a[0], timerFiles).timer, a[1], size, write);
  return 0;
}

export const timerFileCalls: Calls = {
  timerfd_create: partial((p, a) => create(p, a[0], a[1]), 'all run on the host’s monotonic clock, until the process that made them ends'),
  timerfd_settime: (p, a) => set(p, a, 8, readTimespec, writeTimespec),
  timerfd_settime64: (p, a) => set(p, a, 16, readTimespec64, writeTimespec64),
  timerfd_gettime: (p, a) => get(p, a, 8, writeTimespec),
  timerfd_gettime64: (p, a) => get(p, a, 16, writeTimespec64),
};
