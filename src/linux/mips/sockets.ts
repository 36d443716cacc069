import { byNumber } from '../calls/file-abi.ts';
import type { SocketAbi, SocketOption } from '../calls/socket-abi.ts';

/** arch/mips/include/uapi/asm/socket.h */
const OPTIONS: Record<SocketOption, number> = {
  DEBUG: 1,
  REUSEADDR: 4,
  TYPE: 0x1008,
  ERROR: 0x1007,
  DONTROUTE: 0x10,
  BROADCAST: 0x20,
  SNDBUF: 0x1001,
  RCVBUF: 0x1002,
  SNDBUFFORCE: 31,
  RCVBUFFORCE: 33,
  KEEPALIVE: 8,
  OOBINLINE: 0x100,
  NO_CHECK: 11,
  PRIORITY: 12,
  LINGER: 0x80,
  BSDCOMPAT: 14,
  REUSEPORT: 0x200,
  PASSCRED: 17,
  PEERCRED: 18,
  RCVLOWAT: 0x1004,
  SNDLOWAT: 0x1003,
  RCVTIMEO: 0x1006,
  SNDTIMEO: 0x1005,
  RCVTIMEO_NEW: 66,
  SNDTIMEO_NEW: 67,
  BINDTODEVICE: 25,
  TIMESTAMP: 29,
  ACCEPTCONN: 0x1009,
  MARK: 36,
  PROTOCOL: 0x1028,
  DOMAIN: 0x1029,
};

export const mipsSockets: SocketAbi = {
  SOL_SOCKET: 0xffff,
  types: new Map([
    [1, 'datagram'],
    [2, 'stream'],
    [5, 'sequenced'],
  ]),
  options: byNumber(OPTIONS),
};
