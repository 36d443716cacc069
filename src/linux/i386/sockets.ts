import { byNumber } from '../calls/file-abi.ts';
import type { SocketAbi, SocketOption } from '../calls/socket-abi.ts';

/** include/uapi/asm-generic/socket.h */
const OPTIONS: Record<SocketOption, number> = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  NO_CHECK: 11,
  PRIORITY: 12,
  LINGER: 13,
  BSDCOMPAT: 14,
  REUSEPORT: 15,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  RCVTIMEO_NEW: 66,
  SNDTIMEO_NEW: 67,
  BINDTODEVICE: 25,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
};

export const i386Sockets: SocketAbi = {
  SOL_SOCKET: 1,
  types: new Map([
    [1, 'stream'],
    [2, 'datagram'],
    [5, 'sequenced'],
  ]),
  options: byNumber(OPTIONS),
};
