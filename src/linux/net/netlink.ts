import { concat } from '../../isa/bytes.ts';
import { Errno, type ErrnoName } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { Poll, WOULD_BLOCK } from '../fs/vfs.ts';
import { SyscallError } from '../syscall.ts';
import { isEndpoint, type NetlinkAddress } from './address.ts';
import type { Sockets } from './connection.ts';
import { CAPACITY } from './inbox.ts';
import { type Answer, answerRoute, type Pack, packer, pad } from './rtnetlink.ts';
import type { Deliver, Socket } from './socket.ts';

/** struct nlmsghdr: length, type, flags, sequence number, port. */
const HEADER = 16;
const enum Flag {
  Request = 1,
  Multi = 2,
  Ack = 4,
  Dump = 0x300,
  /** Of an error: without what was in the request. */
  Capped = 0x100,
}
const enum Type {
  Error = 2,
  Done = 3,
  /** Lower ones are netlink's own. */
  Least = 16,
}

/** Options of SOL_NETLINK that have an effect. */
export const enum NetlinkOption {
  ADD_MEMBERSHIP = 1,
  DROP_MEMBERSHIP = 2,
  NO_ENOBUFS = 5,
  LIST_MEMBERSHIPS = 9,
  CAP_ACK = 10,
}

export const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const isSet = ({ options }: Socket, option: NetlinkOption): boolean => (options.get(`${SOL_NETLINK}:${option}`) ?? 0) !== 0;

const KERNEL: NetlinkAddress = { portId: 0, groups: 0 };
/** A datagram from the kernel. */
const FROM_KERNEL = { from: KERNEL, sender: { pid: 0, uid: 0, gid: 0 } };

export const netlinkAddress = ({ local }: Pick<Socket, 'local'>): NetlinkAddress => (local && 'portId' in local ? local : KERNEL);

/** Binds to a port, or to the process's number or another one that is free; groups may be changed later. */
export function bindNetlink({ netlink }: Sockets, socket: Socket, pid: number, { portId, groups }: NetlinkAddress): void {
  const now = netlinkAddress(socket).portId;
  if (now !== 0) {
    if (portId !== 0 && portId !== now) fail('EINVAL');
    socket.local = { portId: now, groups };
    return;
  }
  if (portId !== 0 && netlink.has(portId)) fail('EADDRINUSE');
  let free = portId === 0 ? pid : portId;
  for (let next = 0xfffff000; netlink.has(free); next--) free = next;
  netlink.set(free, socket);
  socket.local = { portId: free, groups };
  socket.onClose.push(() => void netlink.delete(free));
}

/** Puts a datagram of the kernel's into a socket, which learns if there was no room. Tells whether there was. */
export function tellNetlink(socket: Socket, bytes: Uint8Array): boolean {
  if (socket.state === 'closed') return false;
  const isTaken = hasTaken(socket, bytes);
  if (!isTaken && !isSet(socket, NetlinkOption.NO_ENOBUFS)) socket.error = 'ENOBUFS';
  socket.wake(Poll.In | Poll.ReadNormal);
  return isTaken;
}

function hasTaken({ inbox }: Socket, bytes: Uint8Array): boolean {
  try {
    return inbox.put(bytes, FROM_KERNEL) !== WOULD_BLOCK;
  } catch (error) {
    // all sockets together hold too much
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** With its header. */
  readonly bytes: Uint8Array;
}

/** The messages of a datagram, up to one that is not whole. */
function messagesOf(bytes: Uint8Array, isLittle: boolean): Message[] {
  const all: Message[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, isLittle);
    if (length < HEADER || at + length > bytes.length) break;
    const type = view.getUint16(at + 4, isLittle);
    const flags = view.getUint16(at + 6, isLittle);
    all.push({ type, flags, sequence: view.getUint32(at + 8, isLittle), bytes: bytes.slice(at, at + length) });
    at += (length + 3) & ~3;
  }
  return all;
}

/** What NETLINK_ROUTE does with what a socket sends: netlink(7). `mayChange`: its maker had CAP_NET_ADMIN. */
export function routeDelivery(sockets: Sockets, isLittle: boolean, mayChange: boolean, errnoOf: (generic: number) => number): Deliver {
  const pack = packer(isLittle);
  return (socket, bytes, to) => {
    if (bytes.length > CAPACITY - 32) fail('EMSGSIZE');
    if (to && !isEndpoint(to) && 'portId' in to && (to.portId !== 0 || to.groups !== 0)) fail(mayChange ? 'ECONNREFUSED' : 'EPERM');
    if (netlinkAddress(socket).portId === 0) bindNetlink(sockets, socket, socket.owner.pid, netlinkAddress(socket));
    for (const message of messagesOf(bytes, isLittle)) {
      if (!(message.flags & Flag.Request)) continue;
      if (!reply(socket, message).every((datagram) => tellNetlink(socket, datagram))) break;
    }
  };

  function reply(socket: Socket, message: Message): Uint8Array[] {
    const { type, flags, sequence } = message;
    const isDump = (flags & Flag.Dump) === Flag.Dump;
    const header = framing(pack, sequence, netlinkAddress(socket).portId);
    const acknowledge = (error: ErrnoName | undefined): Uint8Array => {
      const isWhole = error !== undefined && !isSet(socket, NetlinkOption.CAP_ACK);
      const code = error === undefined ? 0 : -errnoOf(Errno[error]);
      const about = isWhole ? message.bytes : message.bytes.subarray(0, HEADER);
      return header(Type.Error, isWhole ? 0 : Flag.Capped, concat([pack('i', code), about]));
    };
    const answer: Answer | undefined =
      type < Type.Least
        ? undefined
        : answerRoute({ type, isDump, body: message.bytes.subarray(HEADER) }, sockets.place, isLittle, mayChange);
    if (typeof answer === 'string') return [acknowledge(answer)];
    const parts = answer?.bodies.map((body) => header(answer.type, isDump ? Flag.Multi : 0, body)) ?? [];
    const told = parts.length > 0 ? [concat(parts)] : [];
    // the end of a dump acknowledges it
    if (answer && isDump) return [...told, header(Type.Done, Flag.Multi, pack('i', 0))];
    return flags & Flag.Ack ? [...told, acknowledge(undefined)] : told;
  }
}

/** Messages to a port, in answer to one. */
const framing =
  (pack: Pack, sequence: number, portId: number) =>
  (type: number, flags: number, body: Uint8Array): Uint8Array =>
    pad(concat([pack('ihhii', HEADER + body.length, type, flags, sequence, portId), body]));
