import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { AF } from '../net/address.ts';
import { CAPACITY } from '../net/inbox.ts';
import { NetlinkOption, netlinkAddress } from '../net/netlink.ts';
import type { Socket } from '../net/socket.ts';
import type { Process } from '../process.ts';
import { Level, type SocketOption } from './socket-abi.ts';

const IPV6_V6ONLY = 26;
const SOCK_RAW = 3;
const [LEAST_BUFFER, MOST_BUFFER] = [2304, 2 * CAPACITY];

/** Options of IP, TCP, UDP and IPv6 that may be set, without effect but V6ONLY's, and what they are before. */
const KEPT: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  // TOS TTL RECVOPTS RETOPTS PKTINFO MTU_DISCOVER RECVERR RECVTTL RECVTOS FREEBIND MULTICAST_IF TTL LOOP
  [Level.IP]: { 1: 0, 2: 64, 6: 0, 7: 0, 8: 0, 10: 1, 11: 0, 12: 0, 13: 0, 15: 0, 32: 0, 33: 1, 34: 1 },
  // NODELAY MAXSEG CORK KEEPIDLE KEEPINTVL KEEPCNT SYNCNT LINGER2 DEFER_ACCEPT WINDOW_CLAMP QUICKACK USER_TIMEOUT FASTOPEN
  [Level.TCP]: { 1: 0, 2: 65483, 3: 0, 4: 7200, 5: 75, 6: 9, 7: 6, 8: 60, 9: 0, 10: 0, 12: 1, 18: 0, 23: 0 },
  // CORK
  [Level.UDP]: { 1: 0 },
  // UNICAST_HOPS MULTICAST_IF HOPS LOOP MTU_DISCOVER RECVERR V6ONLY RECVPKTINFO RECVHOPLIMIT RECVTCLASS TCLASS
  [Level.IPV6]: { 16: 64, 17: 0, 18: 1, 19: 1, 23: 1, 25: 0, [IPV6_V6ONLY]: 0, 49: 0, 51: 0, 66: 0, 67: 0 },
  // PKTINFO BROADCAST_ERROR NO_ENOBUFS CAP_ACK EXT_ACK GET_STRICT_CHK
  [Level.NETLINK]: { 3: 0, 4: 0, [NetlinkOption.NO_ENOBUFS]: 0, [NetlinkOption.CAP_ACK]: 0, 11: 0, 12: 0 },
};

const DEFAULTS: Partial<Record<SocketOption, number>> = { SNDBUF: CAPACITY, RCVBUF: CAPACITY, RCVLOWAT: 1, SNDLOWAT: 1 };
/** What is only kept, as a word. */
const PLAIN: ReadonlySet<SocketOption> = new Set([
  'DEBUG',
  'DONTROUTE',
  'BROADCAST',
  'KEEPALIVE',
  'OOBINLINE',
  'NO_CHECK',
  'PRIORITY',
  'BSDCOMPAT',
  'TIMESTAMP',
  'MARK',
  'RCVLOWAT',
  'SNDLOWAT',
  'SNDBUF',
  'RCVBUF',
]);

const key = (level: number, option: number | string): string => `${level}:${option}`;

/** Whether options of that level are for that socket. */
function checkLevel({ family, type }: Socket, level: number, asks = false): void {
  if (family === 'netlink') {
    if (level !== Level.NETLINK) fail('ENOPROTOOPT');
    return;
  }
  const fits =
    (level === Level.IP && family !== 'unix') ||
    (level === Level.IPV6 && family === 'inet6') ||
    level === { stream: Level.TCP, datagram: Level.UDP, sequenced: -1 }[type];
  if (family === 'unix' || !fits) fail(family === 'unix' || (asks && family === 'inet') ? 'EOPNOTSUPP' : 'ENOPROTOOPT');
}

/** struct timeval, or __kernel_sock_timeval, in milliseconds; nothing is no limit. */
function readTimeout(p: Process, address: number, length: number, wide: boolean): number | undefined {
  if (length < (wide ? 16 : 8)) fail('EINVAL');
  const seconds = wide ? BigInt.asIntN(64, p.memory.u64(address)) : BigInt(p.memory.i32(address));
  const micro = wide ? BigInt.asIntN(64, p.memory.u64(address + 8)) : BigInt(p.memory.i32(address + 4));
  if (micro < 0n || micro >= 1_000_000n) fail('EDOM');
  if (seconds < 0n) return 0;
  return seconds === 0n && micro === 0n ? undefined : Number(seconds) * 1000 + Number(micro) / 1000;
}

/** Multicast groups of NETLINK_ROUTE, of which nothing ever comes. */
const MOST_GROUPS = 36;

/** Option of SOL_NETLINK that is about one group. */
function changeMembership(socket: Socket, option: number, group: number): number {
  if (group < 1 || group > MOST_GROUPS) return -Errno.EINVAL;
  const { portId, groups } = netlinkAddress(socket);
  const bit = group <= 32 ? 1 << (group - 1) : 0;
  socket.local = { portId, groups: (option === NetlinkOption.ADD_MEMBERSHIP ? groups | bit : groups & ~bit) >>> 0 };
  return 0;
}

export function setOption(p: Process, socket: Socket, level: number, number: number, address: number, length: number): number {
  if ((length | 0) < 0) return -Errno.EINVAL;
  const word = (): number => (length < 4 ? fail('EINVAL') : p.memory.i32(address));
  if (level !== p.abi.sockets.SOL_SOCKET) {
    checkLevel(socket, level);
    if (level === Level.NETLINK && (number === NetlinkOption.ADD_MEMBERSHIP || number === NetlinkOption.DROP_MEMBERSHIP))
      return changeMembership(socket, number, word());
    if (KEPT[level]?.[number] === undefined) return -Errno.ENOPROTOOPT;
    // some are bytes
    const value = length < 4 && length > 0 ? p.memory.u8(address) : word();
    socket.options.set(key(level, number), value);
    if (level === Level.IPV6 && number === IPV6_V6ONLY) {
      if (socket.local) return -Errno.EINVAL;
      socket.onlyIpv6 = value !== 0;
    }
    return 0;
  }
  const option = p.abi.sockets.options.get(number);
  switch (option) {
    case undefined:
    case 'TYPE':
    case 'ERROR':
    case 'PROTOCOL':
    case 'DOMAIN':
    case 'ACCEPTCONN':
    case 'PEERCRED':
      return -Errno.ENOPROTOOPT;
    case 'REUSEADDR':
      socket.reuseAddress = word() !== 0;
      return 0;
    case 'REUSEPORT':
      socket.reusePort = word() !== 0;
      return 0;
    case 'PASSCRED':
      if (socket.isInternet) return -Errno.EOPNOTSUPP;
      socket.passesCredentials = word() !== 0;
      return 0;
    case 'LINGER':
      if (length < 8) return -Errno.EINVAL;
      socket.linger = p.memory.u32(address) ? p.memory.u32(address + 4) : undefined;
      return 0;
    case 'RCVTIMEO':
    case 'RCVTIMEO_NEW':
      socket.timeouts.read = readTimeout(p, address, length, option === 'RCVTIMEO_NEW');
      return 0;
    case 'SNDTIMEO':
    case 'SNDTIMEO_NEW':
      socket.timeouts.write = readTimeout(p, address, length, option === 'SNDTIMEO_NEW');
      return 0;
    case 'SNDBUF':
    case 'RCVBUF':
    case 'SNDBUFFORCE':
    case 'RCVBUFFORCE': {
      const twice = Math.max(LEAST_BUFFER, Math.min(MOST_BUFFER, word() * 2));
      socket.options.set(key(level, option.slice(0, 6)), twice);
      return 0;
    }
    case 'BINDTODEVICE':
      return -Errno.EPERM;
    default:
      socket.options.set(key(level, option), word());
      return 0;
  }
}

export function getOption(p: Process, socket: Socket, level: number, number: number, address: number, lengthAt: number): number {
  const room = p.memory.i32(lengthAt);
  if (room < 0) return -Errno.EINVAL;
  const give = (...words: readonly number[]): number => {
    const bytes = new Uint8Array(words.length * 4);
    const view = new DataView(bytes.buffer);
    words.forEach((value, n) => {
      view.setInt32(n * 4, value, p.abi.isa.endian === 'little');
    });
    p.memory.write(address, bytes.subarray(0, room));
    p.memory.setU32(lengthAt, Math.min(room, bytes.length));
    return 0;
  };
  if (level !== p.abi.sockets.SOL_SOCKET) {
    checkLevel(socket, level, true);
    if (level === Level.NETLINK && number === NetlinkOption.LIST_MEMBERSHIPS) return give(netlinkAddress(socket).groups, 0);
    const initial = KEPT[level]?.[number];
    if (initial === undefined) return -Errno.ENOPROTOOPT;
    return give(socket.options.get(key(level, number)) ?? initial);
  }
  const option = p.abi.sockets.options.get(number);
  const time = (milliseconds: number | undefined, wide: boolean): number => {
    const [seconds, micro] = [Math.floor((milliseconds ?? 0) / 1000), Math.round(((milliseconds ?? 0) % 1000) * 1000)];
    if (!wide) return give(seconds, micro);
    return p.abi.isa.endian === 'little' ? give(seconds, 0, micro, 0) : give(0, seconds, 0, micro);
  };
  switch (option) {
    case 'TYPE':
      if (socket.isRaw) return give(SOCK_RAW);
      return give([...p.abi.sockets.types].find(([, type]) => type === socket.type)![0]);
    case 'DOMAIN':
      return give(AF[socket.family]);
    case 'PROTOCOL':
      return give(socket.protocol);
    case 'ERROR': {
      const error = socket.takeError();
      return give(error ? p.abi.errno(Errno[error]) : 0);
    }
    case 'ACCEPTCONN':
      return give(Number(socket.state === 'listening'));
    case 'REUSEADDR':
      return give(Number(socket.reuseAddress));
    case 'REUSEPORT':
      return give(Number(socket.reusePort));
    case 'PASSCRED':
      return give(Number(socket.passesCredentials));
    case 'LINGER':
      return give(Number(socket.linger !== undefined), socket.linger ?? 0);
    case 'PEERCRED': {
      const { pid, uid, gid } = socket.peerOwner ?? { pid: 0, uid: -1, gid: -1 };
      return socket.family === 'unix' ? give(pid, uid, gid) : give(0, -1, -1);
    }
    case 'RCVTIMEO':
    case 'RCVTIMEO_NEW':
      return time(socket.timeouts.read, option === 'RCVTIMEO_NEW');
    case 'SNDTIMEO':
    case 'SNDTIMEO_NEW':
      return time(socket.timeouts.write, option === 'SNDTIMEO_NEW');
    default:
      if (!option || !PLAIN.has(option)) return -Errno.ENOPROTOOPT;
      return give(socket.options.get(key(level, option)) ?? DEFAULTS[option] ?? 0);
  }
}
