import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { describe } from '../fs/file-table.ts';
import { isSocket, type Socket, socketPair } from '../fs/socket.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type Syscall, type SyscallResult } from '../syscall.ts';
import { type Segment, vector } from './arguments.ts';
import { read, write } from './transfer.ts';

const AF_UNIX = 1;
const SOL_SOCKET = { i386: 1, mips: 0xffff };
/** SO_TYPE, SO_ERROR, and what may be set and has no effect (SO_SNDBUF, SO_RCVBUF, SO_PASSCRED, timeouts). */
const OPTIONS = { i386: { type: 3, error: 4 }, mips: { type: 0x1008, error: 0x1007 } };
/** SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET: MIPS has the first two the other way round. */
const TYPES = { i386: { stream: 1, datagram: 2 }, mips: { stream: 2, datagram: 1 } };
const SEQUENCED = 5;
const TYPE_MASK = 0xf;

const Message = { DONTWAIT: 0x40, NOSIGNAL: 0x4000, KNOWN: 0x4040 | 0x20 | 0x80 | 0x8000 | 0x40000000 } as const;

const family = (p: Process): 'i386' | 'mips' => (p.abi.name === 'i386' ? 'i386' : 'mips');

function socketOf(p: Process, fd: number): Socket {
  const { file } = p.files.get(fd);
  return isSocket(file) ? file : fail('ENOTSOCK');
}

function pair(p: Process, domain: number, type: number, protocol: number, address: number): number {
  if (domain !== AF_UNIX) return -Errno.EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== AF_UNIX) return -Errno.EPROTONOSUPPORT;
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  const kind = type & TYPE_MASK;
  const { stream, datagram } = TYPES[family(p)];
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) return -Errno.EINVAL;
  if (![stream, datagram, SEQUENCED].includes(kind)) return -Errno.ESOCKTNOSUPPORT;
  const fds: number[] = [];
  try {
    for (const file of socketPair(p.files.pipes, kind, kind !== stream)) {
      const path = `socket:[${file.inode.stat().inode}]`;
      const description = describe(file.inode, file, { read: true, write: true }, path, { nonblock: (type & O_NONBLOCK) !== 0 });
      fds.push(p.files.install(description, p.limits.nofile.soft, (type & O_CLOEXEC) !== 0));
    }
    fds.forEach((fd, n) => {
      p.memory.setU32(address + 4 * n, fd);
    });
  } catch (error) {
    for (const fd of fds) p.files.close(fd);
    throw error;
  }
  return 0;
}

/** With flags as send and recv have them. */
function transfer(p: Process, how: typeof read, fd: number, segments: readonly Segment[], flags: number): SyscallResult {
  socketOf(p, fd);
  if (flags & ~Message.KNOWN) return -Errno.EOPNOTSUPP;
  return how(p, fd, segments, undefined, { now: (flags & Message.DONTWAIT) !== 0, quiet: (flags & Message.NOSIGNAL) !== 0 });
}

/** struct msghdr: name, its length, iovec, their number, control, its length, flags. */
function message(p: Process, how: typeof read, fd: number, address: number, flags: number): SyscallResult {
  const word = (index: number): number => p.memory.u32(address + 4 * index);
  if (how === write && word(4) !== 0 && word(5) !== 0) return -Errno.EOPNOTSUPP;
  const result = transfer(p, how, fd, vector(p, word(2), word(3)), flags);
  if (how === write) return result;
  const finish = (count: number): number => {
    if (count >= 0) for (const index of [1, 5, 6]) p.memory.setU32(address + 4 * index, 0);
    return count;
  };
  return typeof result === 'number' ? finish(result) : result.then(finish);
}

const one = (address: number, length: number): Segment[] => [{ address, length }];

function shutdown(p: Process, fd: number, how: number): number {
  const socket = socketOf(p, fd);
  if (how > 2) return -Errno.EINVAL;
  socket.shutdown(how !== 1, how !== 0);
  return 0;
}

/** Nameless: only the family. */
function name(p: Process, fd: number, address: number, length: number): number {
  socketOf(p, fd);
  if (p.memory.u32(length) >= 2) p.memory.setU16(address, AF_UNIX);
  p.memory.setU32(length, 2);
  return 0;
}

function getOption(p: Process, fd: number, level: number, option: number, address: number, length: number): number {
  const socket = socketOf(p, fd);
  const { type, error } = OPTIONS[family(p)];
  if (level !== SOL_SOCKET[family(p)]) return -Errno.EOPNOTSUPP;
  if (option !== type && option !== error) return -Errno.ENOPROTOOPT;
  p.memory.setU32(address, option === type ? socket.type : 0);
  p.memory.setU32(length, 4);
  return 0;
}

/** Sockets under their own names; and none but pairs, for there is no network. */
const calls = {
  socketpair: (p, a) => pair(p, a[0], a[1], a[2], a[3]),
  send: (p, a) => transfer(p, write, a[0], one(a[1], a[2]), a[3]),
  recv: (p, a) => transfer(p, read, a[0], one(a[1], a[2]), a[3]),
  sendto: (p, a) => (a[4] === 0 ? transfer(p, write, a[0], one(a[1], a[2]), a[3]) : -Errno.EISCONN),
  recvfrom: (p, a) => transfer(p, read, a[0], one(a[1], a[2]), a[3]),
  sendmsg: (p, a) => message(p, write, a[0], a[1], a[2]),
  recvmsg: (p, a) => message(p, read, a[0], a[1], a[2]),
  shutdown: (p, a) => shutdown(p, a[0], a[1]),
  getsockname: (p, a) => name(p, a[0], a[1], a[2]),
  getpeername: (p, a) => name(p, a[0], a[1], a[2]),
  getsockopt: (p, a) => getOption(p, a[0], a[1], a[2], a[3], a[4]),
  setsockopt: (p, a) => {
    socketOf(p, a[0]);
    return 0;
  },
} satisfies Record<string, Syscall>;

/** What pairs cannot do. */
const refused: Syscall = (p, a) => {
  socketOf(p, a[0]);
  return -Errno.EOPNOTSUPP;
};
/** Local sockets fail silently: a C library asks for its name service daemon so whether or not there is one. */
const noSocket: Syscall = (p, [domain]) => {
  if (domain !== AF_UNIX) p.warn('socket', 'there is no network: socket calls fail with EAFNOSUPPORT');
  return -Errno.EAFNOSUPPORT;
};

/** socketcall(2), by number from 1 on (bind, connect, listen and accept are the second to fifth): the call, and how many arguments it has in memory. */
const NUMBERED: readonly (readonly [call: Syscall, count: number])[] = [
  [noSocket, 3],
  [refused, 3],
  [refused, 3],
  [refused, 2],
  [refused, 3],
  [calls.getsockname, 3],
  [calls.getpeername, 3],
  [calls.socketpair, 4],
  [calls.send, 4],
  [calls.recv, 4],
  [calls.sendto, 6],
  [calls.recvfrom, 6],
  [calls.shutdown, 2],
  [calls.setsockopt, 5],
  [calls.getsockopt, 5],
  [calls.sendmsg, 3],
  [calls.recvmsg, 3],
];

const note = 'pairs of AF_UNIX only; no descriptors in messages, no MSG_PEEK';

export const socketCalls: Calls = {
  socket: partial(noSocket, 'EAFNOSUPPORT'),
  ...Object.fromEntries(
    ['bind', 'listen', 'accept', 'accept4', 'connect', 'sendmmsg', 'recvmmsg', 'recvmmsg_time64'].map((call) => [
      call,
      partial(refused, 'EOPNOTSUPP'),
    ]),
  ),
  ...Object.fromEntries(Object.entries(calls).map(([call, made]) => [call, partial(made, note)])),
  socketcall: partial((p, a) => {
    const [call, count] = NUMBERED[a[0] - 1] ?? [() => -Errno.EINVAL, 0];
    return call(
      p,
      Array.from({ length: count }, (_, n) => p.memory.u32(a[1] + 4 * n)),
    );
  }, note),
};
