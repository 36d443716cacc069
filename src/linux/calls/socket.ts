import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { describe } from '../fs/file-table.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import {
  type Endpoint,
  type Family,
  familyAt,
  type LocalName,
  type NetlinkAddress,
  readEndpoint,
  readLocalName,
  readNetlinkAddress,
  writeAddress,
} from '../net/address.ts';
import { bindNetlink, NETLINK_ROUTE, netlinkAddress, routeDelivery } from '../net/netlink.ts';
import type { Socket, SocketKind } from '../net/socket.ts';
import type { Process } from '../process.ts';
import { type Calls, partial, type Syscall, type SyscallResult } from '../syscall.ts';
import { waitFor } from './arguments.ts';
import { bindLocal, localSocket, ownerOf, socketOf } from './local-name.ts';
import { messageCalls } from './message.ts';
import { Af, Level } from './socket-abi.ts';
import { getOption, setOption } from './socket-option.ts';

const TYPE_MASK = 0xf;
const RAW = 3;
const FAMILIES: ReadonlyMap<number, Family> = new Map([
  [Af.UNIX, 'unix'],
  [Af.INET, 'inet'],
  [Af.INET6, 'inet6'],
  [Af.NETLINK, 'netlink'],
]);

function kindOf(p: Process, domain: number, type: number, protocol: number): SocketKind {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) fail('EINVAL');
  const family = FAMILIES.get(domain) ?? fail('EAFNOSUPPORT');
  const isRaw = (type & TYPE_MASK) === RAW;
  if (family === 'netlink') {
    if (!isRaw && p.abi.sockets.types.get(type & TYPE_MASK) !== 'datagram') fail('ESOCKTNOSUPPORT');
    if (protocol !== NETLINK_ROUTE) fail('EPROTONOSUPPORT');
    return { family, type: 'datagram', protocol, isRaw };
  }
  if (isRaw && family !== 'unix') fail(protocol === 0 ? 'EPROTONOSUPPORT' : 'EPERM');
  const found = p.abi.sockets.types.get(type & TYPE_MASK) ?? fail('ESOCKTNOSUPPORT');
  if (family === 'unix') {
    if (protocol !== 0 && protocol !== Af.UNIX) fail('EPROTONOSUPPORT');
    return { family, type: found, protocol: 0 };
  }
  if (found === 'sequenced') fail('ESOCKTNOSUPPORT');
  const own = found === 'stream' ? Level.TCP : Level.UDP;
  if (protocol !== 0 && protocol !== own) fail('EPROTONOSUPPORT');
  return { family, type: found, protocol: own };
}

function make(p: Process, kind: SocketKind): Socket {
  const { sockets } = p.system;
  if (kind.family !== 'netlink') return sockets.make(kind, ownerOf(p));
  const delivery = routeDelivery(sockets, p.abi.isa.endian === 'little', capable(p, Cap.NetAdmin), p.abi.errno);
  return sockets.make(kind, ownerOf(p), delivery);
}

function install(p: Process, socket: Socket, flags: number): number {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  const description = describe(socket.inode, socket, { read: true, write: true }, socket.path, { nonblock: (flags & O_NONBLOCK) !== 0 });
  return p.files.install(description, p.limits.nofile.soft, (flags & O_CLOEXEC) !== 0);
}

function pair(p: Process, domain: number, type: number, protocol: number, address: number): number {
  const kind = kindOf(p, domain, type, protocol);
  if (kind.family !== 'unix') return -Errno.EOPNOTSUPP;
  const fds: number[] = [];
  try {
    for (const socket of p.system.sockets.pair(kind, ownerOf(p))) fds.push(install(p, socket, type));
    fds.forEach((fd, n) => {
      p.memory.setU32(address + 4 * n, fd);
    });
  } catch (error) {
    for (const fd of fds) p.files.close(fd);
    throw error;
  }
  return 0;
}

/** /proc/sys/net/ipv4/ip_unprivileged_port_start */
const FIRST_FREE_PORT = 1024;

function bind(p: Process, fd: number, address: number, length: number): number {
  const socket = socketOf(p, fd);
  const { family } = socket;
  if (family === 'unix') bindLocal(p, socket, readLocalName(p, address, length));
  else if (family === 'netlink') bindNetlink(p.system.sockets, socket, p.pid, readNetlinkAddress(p, address, length));
  else {
    const endpoint = readEndpoint(p, family, address, length);
    if (endpoint.port > 0 && endpoint.port < FIRST_FREE_PORT && !capable(p, Cap.NetBindService)) return -Errno.EACCES;
    p.system.sockets.ports.bind(socket, endpoint);
  }
  return 0;
}

/** No more where it was, but with its own address. */
function disconnect(socket: Socket): number {
  if (socket.isConnection) return -Errno.EINVAL;
  socket.peer = undefined;
  socket.remote = undefined;
  socket.state = 'new';
  return 0;
}

function connect(p: Process, fd: number, address: number, length: number): SyscallResult {
  const socket = socketOf(p, fd);
  const { nonblock } = p.files.get(fd);
  if (length < 2) return -Errno.EINVAL;
  if (familyAt(p, address, length) === Af.UNSPEC) return disconnect(socket);
  if (socket.family === 'unix') return connectLocal(p, socket, readLocalName(p, address, length) ?? fail('EINVAL'), nonblock);
  if (socket.family === 'netlink') return connectNetlink(p, socket, readNetlinkAddress(p, address, length));
  const to = readEndpoint(p, socket.family, address, length);
  if (socket.isConnection) return connectTcp(p, socket, to, nonblock);
  p.system.sockets.connectUdp(socket, to);
  return 0;
}

function connectNetlink(p: Process, socket: Socket, to: NetlinkAddress): number {
  if ((to.portId !== 0 || to.groups !== 0) && !capable(p, Cap.NetAdmin)) return -Errno.EPERM;
  bindNetlink(p.system.sockets, socket, p.pid, { ...netlinkAddress(socket), portId: 0 });
  socket.remote = to;
  socket.state = 'connected';
  return 0;
}

function connectLocal(p: Process, socket: Socket, name: LocalName, nonblock: boolean): SyscallResult {
  if (socket.isConnection && socket.state !== 'new') return socket.state === 'connected' ? -Errno.EISCONN : -Errno.EINVAL;
  const server = localSocket(p, socket, name);
  if (!socket.isConnection && server.peer && server.peer !== socket) return -Errno.EPERM;
  const attempt = (last: boolean): number => {
    const outcome = p.system.sockets.connectLocal(socket, server);
    return outcome === WOULD_BLOCK && last ? -Errno.EAGAIN : outcome;
  };
  return nonblock ? attempt(true) : waitFor(p, [server], attempt, { milliseconds: socket.timeouts.write });
}

function connectTcp(p: Process, socket: Socket, to: Endpoint, nonblock: boolean): SyscallResult {
  if (socket.state === 'listening' || socket.state === 'connected') {
    const isFirst = socket.connects;
    socket.connects = false;
    return isFirst ? 0 : -Errno.EISCONN;
  }
  if (socket.state === 'connecting' && nonblock) return -Errno.EALREADY;
  if (socket.state === 'new' && socket.connects) return failed(socket);
  if (socket.state === 'new') {
    p.system.sockets.connectTcp(socket, to);
    socket.connects = nonblock;
    if (nonblock) return -Errno.EINPROGRESS;
  }
  const attempt = (last: boolean): number => {
    if (socket.state === 'connecting') return last ? -Errno.EINPROGRESS : WOULD_BLOCK;
    return socket.state === 'new' ? failed(socket) : 0;
  };
  return waitFor(p, [socket], attempt, { milliseconds: socket.timeouts.write });
}

/** Tells why connecting failed; the socket is then as new. */
function failed(socket: Socket): number {
  socket.connects = false;
  socket.shut.reading = false;
  socket.shut.writing = false;
  return -Errno[socket.takeError() ?? 'ECONNABORTED'];
}

function accept(p: Process, fd: number, address: number, length: number, flags: number): SyscallResult {
  const { O_CLOEXEC, O_NONBLOCK } = p.abi.open;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -Errno.EINVAL;
  const server = socketOf(p, fd);
  const attempt = (last: boolean): number => {
    const connection = p.system.sockets.accept(server);
    if (!connection) return last ? -Errno.EAGAIN : WOULD_BLOCK;
    const accepted = install(p, connection, flags);
    try {
      if (address !== 0) writeAddress(p, connection.family, connection.remote, address, length);
    } catch (error) {
      p.files.close(accepted);
      throw error;
    }
    return accepted;
  };
  return p.files.get(fd).nonblock ? attempt(true) : waitFor(p, [server], attempt, { milliseconds: server.timeouts.read });
}

function shutdown(p: Process, fd: number, how: number): number {
  const socket = socketOf(p, fd);
  if (socket.family === 'netlink') return -Errno.EOPNOTSUPP;
  if (how > 2) return -Errno.EINVAL;
  socket.shutdown(how !== 1, how !== 0);
  return 0;
}

function peerName(p: Process, fd: number, address: number, length: number): number {
  const socket = socketOf(p, fd);
  if (socket.state !== 'connected' && socket.family !== 'netlink') return -Errno.ENOTCONN;
  writeAddress(p, socket.family, socket.remote, address, length);
  return 0;
}

const calls = {
  socket: (p, a) => install(p, make(p, kindOf(p, a[0], a[1], a[2])), a[1]),
  bind: (p, a) => bind(p, a[0], a[1], a[2]),
  connect: (p, a) => connect(p, a[0], a[1], a[2]),
  listen: (p, a) => {
    p.system.sockets.listen(socketOf(p, a[0]), a[1]);
    return 0;
  },
  accept: (p, a) => accept(p, a[0], a[1], a[2], 0),
  getsockname: (p, a) => {
    const { family, local } = socketOf(p, a[0]);
    writeAddress(p, family, local, a[1], a[2]);
    return 0;
  },
  getpeername: (p, a) => peerName(p, a[0], a[1], a[2]),
  socketpair: (p, a) => pair(p, a[0], a[1], a[2], a[3]),
  ...messageCalls,
  shutdown: (p, a) => shutdown(p, a[0], a[1]),
  setsockopt: (p, a) => setOption(p, socketOf(p, a[0]), a[1], a[2], a[3], a[4]),
  getsockopt: (p, a) => getOption(p, socketOf(p, a[0]), a[1], a[2], a[3], a[4]),
  accept4: (p, a) => accept(p, a[0], a[1], a[2], a[3]),
} satisfies Record<string, Syscall>;

/** socketcall(2), by number from 1 on: the call, and how many arguments it has in memory. */
const NUMBERED: readonly (readonly [call: Syscall, count: number])[] = [
  [calls.socket, 3],
  [calls.bind, 3],
  [calls.connect, 3],
  [calls.listen, 2],
  [calls.accept, 3],
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
  [calls.accept4, 4],
  [calls.recvmmsg, 5],
  [calls.sendmmsg, 4],
];

const NOTES: Partial<Record<keyof typeof calls, string>> = {
  socket:
    'AF_UNIX, AF_INET, AF_INET6; streams and datagrams, of AF_UNIX SOCK_SEQPACKET, too; AF_NETLINK: NETLINK_ROUTE, which tells of links, addresses and routes and changes nothing',
  bind: 'any user may have any port',
  sendmsg: 'no MSG_OOB; of control messages SCM_RIGHTS and SCM_CREDENTIALS',
  recvmsg: 'as sendmsg',
  setsockopt: 'most options have no effect',
  getsockopt: 'no TCP_INFO',
};

export const socketCalls: Calls = {
  ...Object.fromEntries(
    (Object.entries(calls) as [keyof typeof calls, Syscall][]).map(([name, call]) => {
      const note = NOTES[name];
      return [name, note === undefined ? call : partial(call, note)];
    }),
  ),
  socketcall: partial((p, a) => {
    const [call, count] = NUMBERED[a[0] - 1] ?? [() => -Errno.EINVAL, 0];
    const given = Array.from({ length: count }, (_, n) => p.memory.u32(a[1] + 4 * n));
    return call(p, [...given, 0, 0, 0, 0]);
  }, 'as the calls that it makes'),
};
