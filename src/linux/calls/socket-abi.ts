export type SocketType = 'stream' | 'datagram' | 'sequenced';

/** Options of SOL_SOCKET by Linux's names without `SO_`; the two with NEW take 64-bit times. */
export type SocketOption =
  | 'DEBUG'
  | 'REUSEADDR'
  | 'TYPE'
  | 'ERROR'
  | 'DONTROUTE'
  | 'BROADCAST'
  | 'SNDBUF'
  | 'RCVBUF'
  | 'SNDBUFFORCE'
  | 'RCVBUFFORCE'
  | 'KEEPALIVE'
  | 'OOBINLINE'
  | 'NO_CHECK'
  | 'PRIORITY'
  | 'LINGER'
  | 'BSDCOMPAT'
  | 'REUSEPORT'
  | 'PASSCRED'
  | 'PEERCRED'
  | 'RCVLOWAT'
  | 'SNDLOWAT'
  | 'RCVTIMEO'
  | 'SNDTIMEO'
  | 'RCVTIMEO_NEW'
  | 'SNDTIMEO_NEW'
  | 'BINDTODEVICE'
  | 'TIMESTAMP'
  | 'ACCEPTCONN'
  | 'MARK'
  | 'PROTOCOL'
  | 'DOMAIN';

/** Numbers of sockets that differ between ABIs. */
export interface SocketAbi {
  readonly SOL_SOCKET: number;
  readonly types: ReadonlyMap<number, SocketType>;
  readonly options: ReadonlyMap<number, SocketOption>;
}

/** include/linux/socket.h and include/uapi/linux/{in,tcp,un}.h: the same in all ABIs. */
export const enum Af {
  UNSPEC = 0,
  UNIX = 1,
  INET = 2,
  INET6 = 10,
  NETLINK = 16,
}
export const enum Level {
  IP = 0,
  TCP = 6,
  UDP = 17,
  IPV6 = 41,
  NETLINK = 270,
}
export const enum Msg {
  OOB = 1,
  PEEK = 2,
  DONTROUTE = 4,
  CTRUNC = 8,
  TRUNC = 0x20,
  DONTWAIT = 0x40,
  EOR = 0x80,
  WAITALL = 0x100,
  NOSIGNAL = 0x4000,
  MORE = 0x8000,
  WAITFORONE = 0x10000,
  CMSG_CLOEXEC = 0x40000000,
}
