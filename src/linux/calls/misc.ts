import { Errno } from '../errno.ts';
import type { Process } from '../process.ts';
import { type Calls, missing, partial, type Syscall, type SyscallResult } from '../syscall.ts';
import { buffer } from './arguments.ts';
import { readTimespec, readTimespec64 } from './time.ts';

export const RELEASE = '6.1.0-wasmvisor';
export const VERSION = '#1 SMP';

function uname(p: Process, address: number): number {
  const FIELD = 65;
  const fields = ['Linux', p.hostname, RELEASE, VERSION, p.abi.machine, '(none)'];
  const bytes = new Uint8Array(fields.length * FIELD);
  fields.forEach((text, index) => {
    bytes.set(new TextEncoder().encode(text).subarray(0, FIELD - 1), index * FIELD);
  });
  p.memory.write(address, bytes);
  return 0;
}

/** struct sysinfo of 32-bit ABIs, 64 bytes. */
function sysinfo(p: Process, address: number): number {
  p.memory.view(address, 64, 'write').fill(0);
  const { limit } = p.map.options;
  const words = [Number(p.host.monotonic() / 1_000_000_000n), 0, 0, 0, limit, Math.max(0, limit - p.map.used)];
  words.forEach((word, index) => {
    p.memory.setU32(address + index * 4, word);
  });
  p.memory.setU16(address + 40, 1);
  // mem_unit
  p.memory.setU32(address + 52, 1);
  return 0;
}

/** No more than this at a time, so that one call does not take for ever; as getrandom(2) allows. */
const RANDOM_CHUNK = 1 << 25;

function getrandom(p: Process, address: number, length: number, flags: number): number {
  if (flags & ~7 || (flags & 6) === 6) return -Errno.EINVAL;
  const into = buffer(p, address, Math.min(length, RANDOM_CHUNK), 'write');
  const count = into.length;
  const bytes = new Uint8Array(Math.min(count, 65536));
  for (let at = 0; at < count; at += bytes.length) {
    p.host.random(bytes);
    into.set(bytes.subarray(0, Math.min(bytes.length, count - at)), at);
  }
  return count;
}

const enum Futex {
  Wait = 0,
  Wake = 1,
  Requeue = 3,
  CmpRequeue = 4,
  WakeOp = 5,
  LockPi = 6,
  UnlockPi = 7,
  WaitBitset = 9,
  WakeBitset = 10,
  Command = 0x7f,
  ClockRealtime = 0x100,
}

/** There is one thread, so nobody is woken, and whoever waits does so until its time is over or a signal comes. */
function futex(p: Process, a: readonly number[], read: (p: Process, address: number) => number): SyscallResult {
  const [address, operation, value, timeout] = a;
  if (address % 4) return -Errno.EINVAL;
  const command = operation & Futex.Command;
  switch (command) {
    case Futex.Wait:
    case Futex.WaitBitset: {
      if (command === Futex.WaitBitset && a[5] === 0) return -Errno.EINVAL;
      if (p.memory.u32(address) !== value) return -Errno.EAGAIN;
      if (timeout === 0) return waitForEver(p);
      let duration = read(p, timeout);
      if (command === Futex.WaitBitset) {
        const now = operation & Futex.ClockRealtime ? p.host.now() : p.host.monotonic();
        duration -= Number(now) / 1e6;
      }
      return waitFor(p, duration);
    }
    case Futex.Wake:
    case Futex.WakeBitset:
    case Futex.Requeue:
    case Futex.WakeOp:
      p.memory.u32(address);
      return 0;
    case Futex.CmpRequeue:
      return p.memory.u32(address) === a[5] ? 0 : -Errno.EAGAIN;
    case Futex.LockPi:
      if (p.memory.u32(address) !== 0) return -Errno.EDEADLK;
      p.memory.setU32(address, p.pid);
      return 0;
    case Futex.UnlockPi:
      if ((p.memory.u32(address) & 0x3fff_ffff) !== p.pid) return -Errno.EPERM;
      p.memory.setU32(address, 0);
      return 0;
    default:
      return -Errno.ENOSYS;
  }
}

async function waitForEver(p: Process): Promise<number> {
  p.warn('futex', 'the program waits on a futex that no other thread can wake');
  await p.signals.arrival();
  return -Errno.ERESTARTSYS;
}

async function waitFor(p: Process, milliseconds: number): Promise<number> {
  const end = p.host.monotonic() + BigInt(Math.round(Math.max(0, milliseconds) * 1e6));
  for (;;) {
    const left = Number(end - p.host.monotonic()) / 1e6;
    if (left <= 0) return -Errno.ETIMEDOUT;
    const abort = p.interrupt();
    if (abort.aborted) return -Errno.EINTR;
    await p.host.sleep(left, abort);
  }
}

const refuse =
  (errno: number): Syscall =>
  () =>
    -errno;

/** Socket calls under their own names; none works, there is no network. */
const SOCKET_CALLS = [
  'bind',
  'listen',
  'accept',
  'accept4',
  'connect',
  'getsockname',
  'getpeername',
  'send',
  'recv',
  'sendto',
  'recvfrom',
  'shutdown',
  'setsockopt',
  'getsockopt',
  'sendmsg',
  'recvmsg',
  'sendmmsg',
  'recvmmsg',
  'recvmmsg_time64',
];

/** Whatever these are called with, it is not a socket. */
const notASocket: Syscall = (p, a) => (p.files.has(a[0]) ? -Errno.ENOTSOCK : -Errno.EBADF);
const AF_UNIX = 1;
/** Local sockets fail silently: a C library asks for its name service daemon so whether or not there is one. */
const noSocket: Syscall = (p, [family]) => {
  if (family !== AF_UNIX) p.warn('socket', 'there is no network: socket calls fail with EAFNOSUPPORT');
  return -Errno.EAFNOSUPPORT;
};
const SOCKETCALL_SOCKET = new Set([1, 8]);

export const miscCalls: Calls = {
  uname: (p, a) => uname(p, a[0]),
  sysinfo: (p, a) => sysinfo(p, a[0]),
  sethostname: refuse(Errno.EPERM),
  setdomainname: refuse(Errno.EPERM),
  getrandom: (p, a) => getrandom(p, a[0], a[1], a[2]),
  futex: partial((p, a) => futex(p, a, readTimespec), 'one thread: nobody is woken'),
  futex_time64: partial((p, a) => futex(p, a, readTimespec64), 'one thread: nobody is woken'),
  rseq: partial(refuse(Errno.ENOSYS), 'ENOSYS'),
  socket: partial(noSocket, 'EAFNOSUPPORT'),
  socketpair: partial(noSocket, 'EAFNOSUPPORT'),
  ...Object.fromEntries(SOCKET_CALLS.map((name) => [name, partial(notASocket, 'ENOTSOCK')])),
  socketcall: partial(
    (p, a) => (SOCKETCALL_SOCKET.has(a[0]) ? noSocket(p, [p.memory.u32(a[1])]) : notASocket(p, [p.memory.u32(a[1])])),
    'EAFNOSUPPORT',
  ),
  syslog: refuse(Errno.EPERM),
  reboot: refuse(Errno.EPERM),
  ptrace: refuse(Errno.EPERM),
  init_module: refuse(Errno.EPERM),
  finit_module: refuse(Errno.EPERM),
  delete_module: refuse(Errno.EPERM),
  kexec_load: refuse(Errno.EPERM),
  add_key: missing('no key rings'),
  request_key: missing('no key rings'),
  keyctl: missing('no key rings'),
  bpf: refuse(Errno.EPERM),
  seccomp: refuse(Errno.EINVAL),
  ioprio_get: () => 0,
  ioprio_set: () => 0,
};
