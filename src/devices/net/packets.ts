// Ethernet, IPv4 (RFC 791), ICMP (792), UDP (768) and TCP (9293) on the wire.

export const enum EtherType {
  Ipv4 = 0x0800,
  Arp = 0x0806,
}
export const enum Protocol {
  Icmp = 1,
  Tcp = 6,
  Udp = 17,
}

/** An IPv4 address as a number, most significant byte first. */
export type Address = number;

export const addressText = (a: Address): string => [24, 16, 8, 0].map((shift) => (a >>> shift) & 255).join('.');
/** Undefined if it is not four decimal numbers. */
export function parseAddress(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

export const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];
export const u32 = (bytes: Uint8Array, at: number): number => ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;
export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
export function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value & 0xffff);
}

const ETHERNET = 14;
const IP = 20;
const UDP = 8;
const TCP = 20;

/** The Internet checksum (RFC 1071); zero over what carries its own. */
function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += u16(bytes, i);
  if (bytes.length & 1) sum += bytes[bytes.length - 1] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
/** What the pseudo header adds to the checksum of UDP and TCP. */
const pseudo = (from: Address, to: Address, protocol: Protocol, length: number): number =>
  (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff) + protocol + length;

export interface Ipv4 {
  readonly from: Address;
  readonly to: Address;
  readonly protocol: number;
  readonly body: Uint8Array;
}

/** A packet, undefined if it is malformed, damaged or a fragment. */
export function parseIpv4(bytes: Uint8Array): Ipv4 | undefined {
  if (bytes.length < IP || bytes[0] >>> 4 !== 4) return undefined;
  const header = (bytes[0] & 15) * 4;
  const length = u16(bytes, 2);
  if (header < IP || length < header || length > bytes.length) return undefined;
  if (u16(bytes, 6) & 0x3fff || checksum(bytes.subarray(0, header)) !== 0) return undefined;
  return { from: u32(bytes, 12), to: u32(bytes, 16), protocol: bytes[9], body: bytes.subarray(header, length) };
}

export interface Udp {
  readonly fromPort: number;
  readonly toPort: number;
  readonly data: Uint8Array;
}
export function parseUdp({ from, to, body }: Ipv4): Udp | undefined {
  if (body.length < UDP) return undefined;
  const length = u16(body, 4);
  if (length < UDP || length > body.length) return undefined;
  const datagram = body.subarray(0, length);
  if (u16(body, 6) !== 0 && checksum(datagram, pseudo(from, to, Protocol.Udp, length)) !== 0) return undefined;
  return { fromPort: u16(body, 0), toPort: u16(body, 2), data: datagram.subarray(UDP) };
}

export const enum TcpFlag {
  Fin = 1,
  Syn = 2,
  Reset = 4,
  Push = 8,
  Ack = 16,
}
export interface Tcp {
  readonly fromPort: number;
  readonly toPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  readonly flags: number;
  readonly window: number;
  /** Of a SYN. */
  readonly segmentSize: number | undefined;
  readonly data: Uint8Array;
}
export function parseTcp({ from, to, body }: Ipv4): Tcp | undefined {
  if (body.length < TCP) return undefined;
  const header = (body[12] >>> 4) * 4;
  if (header < TCP || header > body.length) return undefined;
  if (checksum(body, pseudo(from, to, Protocol.Tcp, body.length)) !== 0) return undefined;
  return {
    fromPort: u16(body, 0),
    toPort: u16(body, 2),
    sequence: u32(body, 4),
    acknowledged: u32(body, 8),
    flags: body[13],
    window: u16(body, 14),
    segmentSize: segmentSize(body.subarray(TCP, header)),
    data: body.subarray(header),
  };
}
function segmentSize(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length && options[at] !== 0; ) {
    if (options[at] === 1) {
      at++;
      continue;
    }
    const length = options[at + 1];
    if (!(length >= 2)) return undefined;
    if (options[at] === 2 && length === 4 && at + 4 <= options.length) return u16(options, at + 2);
    at += length;
  }
  return undefined;
}

export function ethernet(to: Uint8Array, from: Uint8Array, type: EtherType, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET + body.length);
  frame.set(to.subarray(0, 6));
  frame.set(from.subarray(0, 6), 6);
  put16(frame, 12, type);
  frame.set(body, ETHERNET);
  return frame;
}
export function ipv4({ from, to, protocol, body }: Ipv4): Uint8Array {
  const packet = new Uint8Array(IP + body.length);
  packet[0] = 0x45;
  put16(packet, 2, packet.length);
  put16(packet, 6, 0x4000);
  packet[8] = 64;
  packet[9] = protocol;
  put32(packet, 12, from);
  put32(packet, 16, to);
  put16(packet, 10, checksum(packet.subarray(0, IP)));
  packet.set(body, IP);
  return packet;
}
export function udp(from: Address, to: Address, { fromPort, toPort, data }: Udp): Ipv4 {
  const body = new Uint8Array(UDP + data.length);
  put16(body, 0, fromPort);
  put16(body, 2, toPort);
  put16(body, 4, body.length);
  body.set(data, UDP);
  put16(body, 6, checksum(body, pseudo(from, to, Protocol.Udp, body.length)) || 0xffff);
  return { from, to, protocol: Protocol.Udp, body };
}
export function tcp(from: Address, to: Address, segment: Tcp): Ipv4 {
  const header = segment.segmentSize === undefined ? TCP : TCP + 4;
  const body = new Uint8Array(header + segment.data.length);
  put16(body, 0, segment.fromPort);
  put16(body, 2, segment.toPort);
  put32(body, 4, segment.sequence);
  put32(body, 8, segment.acknowledged);
  body[12] = (header / 4) << 4;
  body[13] = segment.flags;
  put16(body, 14, segment.window);
  if (segment.segmentSize !== undefined) {
    body[20] = 2;
    body[21] = 4;
    put16(body, 22, segment.segmentSize);
  }
  body.set(segment.data, header);
  put16(body, 16, checksum(body, pseudo(from, to, Protocol.Tcp, body.length)));
  return { from, to, protocol: Protocol.Tcp, body };
}
/** The answer to an echo request; undefined if it is none. */
export function echoReply({ from, to, body }: Ipv4): Ipv4 | undefined {
  if (body.length < 8 || body[0] !== 8 || checksum(body) !== 0) return undefined;
  const reply = body.slice();
  reply[0] = 0;
  put16(reply, 2, 0);
  put16(reply, 2, checksum(reply));
  return { from: to, to: from, protocol: Protocol.Icmp, body: reply };
}
