import { Cap, capable } from '../capabilities.ts';
import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { type Description, release } from '../fs/file-table.ts';
import type { OpenFile } from '../fs/vfs.ts';
import { type Address, readEndpoint, readLocalName, readNetlinkAddress, writeAddress } from '../net/address.ts';
import type { Enclosed, Received, Sender } from '../net/inbox.ts';
import type { Reading, Socket } from '../net/socket.ts';
import type { Process } from '../process.ts';
import type { Syscall, SyscallResult } from '../syscall.ts';
import { type Segment, vector } from './arguments.ts';
import { localSocket, ownerOf, socketOf } from './local-name.ts';
import { Msg } from './socket-abi.ts';
import { read, write } from './transfer.ts';

/** What the flags may be; EOR, MORE, DONTROUTE and those that ask the kernel for speed have no effect. */
const SEND_FLAGS = Msg.DONTWAIT | Msg.NOSIGNAL | Msg.EOR | Msg.MORE | Msg.DONTROUTE | 0x800 | 0x2000000;
const RECEIVE_FLAGS = Msg.DONTWAIT | Msg.PEEK | Msg.TRUNC | Msg.WAITALL | Msg.NOSIGNAL | Msg.CMSG_CLOEXEC | Msg.WAITFORONE | 0x800;

/** struct msghdr: name, its length, iovec, their number, control, its length, flags. */
const enum Header {
  Name = 0,
  NameLength = 4,
  Vector = 8,
  Count = 12,
  Control = 16,
  ControlLength = 20,
  Flags = 24,
  Size = 28,
}
/** struct mmsghdr: that, and how many bytes it became. */
const MULTIPLE_SIZE = 32;
const MOST_MULTIPLE = 1024;

/** struct cmsghdr: length with it, level, type. */
const CONTROL_HEADER = 12;
const enum Scm {
  Rights = 1,
  Credentials = 2,
}
const MOST_RIGHTS = 253;
const MOST_CONTROL = 20480;

/** A socket as one call uses it. */
const through = (socket: Socket, part: Pick<OpenFile, 'read' | 'write'>, also?: Socket): OpenFile => ({
  inode: socket.inode,
  seekable: false,
  keepsMessages: socket.keepsMessages,
  timeouts: socket.timeouts,
  subscribe(listener) {
    const ends = [socket.subscribe(listener), also?.subscribe(listener)];
    return () => {
      for (const end of ends) end?.();
    };
  },
  ...part,
});

function send(
  p: Process,
  fd: number,
  segments: readonly Segment[],
  flags: number,
  address = 0,
  length = 0,
  enclosed: Enclosed = { sender: ownerOf(p) },
): SyscallResult {
  const socket = socketOf(p, fd);
  if (flags & ~SEND_FLAGS) return -Errno.EOPNOTSUPP;
  const { family } = socket;
  let to: Socket | Address | undefined = socket.peer;
  if (address !== 0 && length !== 0) {
    // a connection has where it goes; TCP does not look at the address
    if (socket.isConnection && family === 'unix') return socket.state === 'connected' ? -Errno.EISCONN : -Errno.EOPNOTSUPP;
    if (family === 'unix') to = localSocket(p, socket, readLocalName(p, address, length) ?? fail('EINVAL'));
    else if (family === 'netlink') to = readNetlinkAddress(p, address, length);
    else to = readEndpoint(p, family, address, length);
  }
  const file = through(
    socket,
    { read: () => fail('EBADF'), write: (bytes) => socket.send(bytes, enclosed, to) },
    to && 'inbox' in to && to !== socket.peer ? to : undefined,
  );
  return write(p, fd, segments, undefined, {
    through: file,
    now: (flags & Msg.DONTWAIT) !== 0,
    quiet: (flags & Msg.NOSIGNAL) !== 0,
  });
}

/** `told` is given what came, once it is in memory; what it gives is the result. */
function receive(
  p: Process,
  fd: number,
  segments: readonly Segment[],
  flags: number,
  told: (socket: Socket, received: Received | undefined) => void = () => {},
): SyscallResult {
  const socket = socketOf(p, fd);
  if (flags & ~RECEIVE_FLAGS) return flags & Msg.OOB && socket.isInternet ? -Errno.EINVAL : -Errno.EOPNOTSUPP;
  const peek = (flags & Msg.PEEK) !== 0;
  const file = through(socket, {
    read(into) {
      const reading: Reading = { peek };
      const count = socket.receive(into, reading);
      const { received } = reading;
      if (count >= 0) told(socket, received);
      for (const sent of received?.files ?? []) release(sent);
      return received && socket.keepsMessages && flags & Msg.TRUNC ? received.length : count;
    },
    write: () => fail('EBADF'),
  });
  const all = (flags & Msg.WAITALL) !== 0 && !peek && !socket.keepsMessages;
  return read(p, fd, segments, undefined, { through: file, now: (flags & Msg.DONTWAIT) !== 0, all });
}

const one = (address: number, length: number): Segment[] => [{ address, length }];

function recvfrom(p: Process, fd: number, segments: readonly Segment[], flags: number, address: number, length: number): SyscallResult {
  return receive(p, fd, segments, flags, (socket, received) => {
    if (address !== 0) writeSource(p, socket, received, address, length);
  });
}

/** Where a message came from, if it can be told: of connections it is not. */
function writeSource(p: Process, socket: Socket, received: Received | undefined, address: number, length: number): void {
  const from = socket.keepsMessages ? received?.from : socket.family === 'unix' ? socket.remote : undefined;
  if (from) writeAddress(p, socket.family, from, address, length);
  else p.memory.setU32(length, 0);
}

/** The files and the sender that a message is to come with. */
function readControl(p: Process, address: number, length: number): Enclosed {
  if (length > MOST_CONTROL) fail('ENOBUFS');
  const files: Description[] = [];
  let sender: Sender = ownerOf(p);
  for (let at = address; at + CONTROL_HEADER <= address + length; ) {
    const size = p.memory.u32(at);
    if (size < CONTROL_HEADER || at + size > address + length) fail('EINVAL');
    const type = p.memory.u32(at + 8);
    const data = at + CONTROL_HEADER;
    if (p.memory.u32(at + 4) === p.abi.sockets.SOL_SOCKET) {
      if (type === Scm.Rights) {
        const count = (size - CONTROL_HEADER) >>> 2;
        if (files.length + count > MOST_RIGHTS) fail('EINVAL');
        for (let n = 0; n < count; n++) files.push(p.files.get(p.memory.u32(data + n * 4)));
      } else if (type === Scm.Credentials) {
        if (size !== CONTROL_HEADER + 12) fail('EINVAL');
        const [pid, uid, gid] = [0, 4, 8].map((offset) => p.memory.u32(data + offset));
        const { euid, egid } = p.credentials;
        if (!capable(p, Cap.SysAdmin) && (pid !== p.pid || uid !== euid || gid !== egid)) fail('EPERM');
        sender = { pid, uid, gid };
      } else fail('EINVAL');
    }
    at += (size + 3) & ~3;
  }
  return { sender, ...(files.length > 0 && { files }) };
}

function sendmsg(p: Process, fd: number, address: number, flags: number): SyscallResult {
  const word = (offset: Header): number => p.memory.u32(address + offset);
  const { isInternet } = socketOf(p, fd);
  const enclosed = !isInternet ? readControl(p, word(Header.Control), word(Header.Control) ? word(Header.ControlLength) : 0) : undefined;
  const segments = vector(p, word(Header.Vector), word(Header.Count));
  return send(p, fd, segments, flags, word(Header.Name), word(Header.NameLength), enclosed);
}

/** Writes control messages as far as there is room; gives their bytes, and whether something did not fit. */
function writeControl(
  p: Process,
  received: Received,
  address: number,
  room: number,
  flags: number,
  withSender: boolean,
): [number, boolean] {
  let at = 0;
  let isCut = false;
  const put = (type: Scm, bytes: number): number => {
    p.memory.setU32(address + at, CONTROL_HEADER + bytes);
    p.memory.setU32(address + at + 4, p.abi.sockets.SOL_SOCKET);
    p.memory.setU32(address + at + 8, type);
    const data = address + at + CONTROL_HEADER;
    at = Math.min(room, at + ((CONTROL_HEADER + bytes + 3) & ~3));
    return data;
  };
  if (withSender) {
    const { pid = 0, uid = 65534, gid = 65534 } = received.sender ?? {};
    if (room >= CONTROL_HEADER + 12) {
      const data = put(Scm.Credentials, 12);
      [pid, uid, gid].forEach((value, n) => {
        p.memory.setU32(data + n * 4, value);
      });
    } else isCut = true;
  }
  const { files = [] } = received;
  const fit = Math.min(files.length, Math.max(0, (room - at - CONTROL_HEADER) >> 2));
  if (fit < files.length) isCut = true;
  if (fit > 0) {
    const start = put(Scm.Rights, fit * 4);
    files.slice(0, fit).forEach((file, n) => {
      p.memory.setU32(start + n * 4, p.files.install(file, p.limits.nofile.soft, (flags & Msg.CMSG_CLOEXEC) !== 0));
    });
  }
  return [at, isCut];
}

function recvmsg(p: Process, fd: number, address: number, flags: number): SyscallResult {
  const word = (offset: Header): number => p.memory.u32(address + offset);
  return receive(p, fd, vector(p, word(Header.Vector), word(Header.Count)), flags, (socket, received) => {
    const name = word(Header.Name);
    if (name !== 0) writeSource(p, socket, received, name, address + Header.NameLength);
    const room = word(Header.Control) ? word(Header.ControlLength) : 0;
    const withSender = socket.passesCredentials && !socket.isInternet;
    const [used, isCut] = received ? writeControl(p, received, word(Header.Control), room, flags, withSender) : [0, false];
    p.memory.setU32(address + Header.ControlLength, used);
    const isShort = received !== undefined && received.count < received.length;
    const result = (isCut ? Msg.CTRUNC : 0) | (isShort ? Msg.TRUNC : 0) | (socket.type === 'sequenced' && received ? Msg.EOR : 0);
    p.memory.setU32(address + Header.Flags, result | (flags & Msg.CMSG_CLOEXEC));
  });
}

/** Sends or receives several, until one fails or, from the second on, would wait if `once`. */
async function several(
  p: Process,
  how: (p: Process, fd: number, address: number, flags: number) => SyscallResult,
  a: readonly number[],
  isOver: () => boolean = () => false,
): Promise<number> {
  const [fd, address, count] = a;
  let flags = a[3] & ~Msg.WAITFORONE;
  let done = 0;
  try {
    for (; done < Math.min(count, MOST_MULTIPLE) && !(done > 0 && isOver()); done++) {
      const result = await how(p, fd, address + done * MULTIPLE_SIZE, flags);
      if (result < 0) return done || result;
      p.memory.setU32(address + done * MULTIPLE_SIZE + Header.Size, result);
      if (a[3] & Msg.WAITFORONE) flags |= Msg.DONTWAIT;
    }
  } catch (error) {
    if (done === 0) throw error;
  }
  return done;
}

/** The timeout is looked at after each message, as Linux does. */
function recvmmsg(secondsAt: (p: Process, address: number) => number): Syscall {
  return (p, a) => {
    socketOf(p, a[0]);
    const seconds = a[4] === 0 ? undefined : secondsAt(p, a[4]);
    if (seconds !== undefined && seconds < 0) return -Errno.EINVAL;
    const due = seconds === undefined ? undefined : p.host.monotonic() + BigInt(Math.round(seconds * 1e9));
    return several(p, recvmsg, a, () => due !== undefined && p.host.monotonic() >= due);
  };
}

export const messageCalls = {
  send: (p, a) => send(p, a[0], one(a[1], a[2]), a[3]),
  recv: (p, a) => receive(p, a[0], one(a[1], a[2]), a[3]),
  sendto: (p, a) => send(p, a[0], one(a[1], a[2]), a[3], a[4], a[5]),
  recvfrom: (p, a) => recvfrom(p, a[0], one(a[1], a[2]), a[3], a[4], a[5]),
  sendmsg: (p, a) => sendmsg(p, a[0], a[1], a[2]),
  recvmsg: (p, a) => recvmsg(p, a[0], a[1], a[2]),
  sendmmsg: (p, a) => {
    socketOf(p, a[0]);
    return several(p, sendmsg, a);
  },
  recvmmsg: recvmmsg((p, address) => p.memory.i32(address) + p.memory.u32(address + 4) / 1e9),
  recvmmsg_time64: recvmmsg((p, address) => Number(BigInt.asIntN(64, p.memory.u64(address))) + p.memory.u32(address + 8) / 1e9),
} satisfies Record<string, Syscall>;
