import { Af } from '../calls/socket-abi.ts';
import { fail } from '../fs/fail.ts';
import { decodeName, encodeName } from '../fs/names.ts';
import type { Process } from '../process.ts';

export type Family = 'unix' | 'inet' | 'inet6' | 'netlink';

/** Name of a local socket: a path, or NUL and any bytes (latin1) that are no path. */
export interface LocalName {
  readonly name: string;
}

/** `host` is an IPv4 address with dots, or an IPv6 address as 32 hexadecimal digits; an IPv4 address within IPv6 is the former. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Address in netlink(7): who (0 is the kernel), and multicast groups by bits. */
export interface NetlinkAddress {
  readonly portId: number;
  readonly groups: number;
}

export type Address = LocalName | Endpoint | NetlinkAddress;
const isLocal = (address: Address): address is LocalName => 'name' in address;
export const isEndpoint = (address: Address): address is Endpoint => 'host' in address;

export const ANY4 = '0.0.0.0';
export const ANY6 = '0'.repeat(32);
export const LOOPBACK4 = '127.0.0.1';
export const LOOPBACK6 = '1'.padStart(32, '0');
const MAPPED = `${'0'.repeat(20)}ffff`;

export const isIpv4 = (host: string): boolean => host.includes('.');

const UNIX_PATH = 2;
const PATH_BYTES = 108;
const INET_SIZE = 16;
const INET6_SIZE = 28;
const NETLINK_SIZE = 12;
/** Without sin6_scope_id, as RFC 2133 had it. */
const INET6_LEAST = 24;
/** sizeof(struct sockaddr_storage) */
const LARGEST = 128;

export const AF: Readonly<Record<Family, Af>> = { unix: Af.UNIX, inet: Af.INET, inet6: Af.INET6, netlink: Af.NETLINK };

/** The address family of a struct sockaddr; EINVAL for lengths that are none. */
export function familyAt(p: Process, address: number, length: number): number {
  if (length > LARGEST) fail('EINVAL');
  return length < 2 ? Af.UNSPEC : p.memory.u16(address);
}

/** sun_path and what follows: undefined if there is nothing in it. */
export function readLocalName(p: Process, address: number, length: number): LocalName | undefined {
  if (length < UNIX_PATH || length > UNIX_PATH + PATH_BYTES || familyAt(p, address, length) !== Af.UNIX) fail('EINVAL');
  const bytes = p.memory.view(address + UNIX_PATH, length - UNIX_PATH, 'read');
  if (bytes.length === 0) return undefined;
  if (bytes[0] === 0) return { name: String.fromCharCode(...bytes) };
  const end = bytes.indexOf(0);
  return { name: decodeName(end < 0 ? bytes.slice() : bytes.slice(0, end)) };
}

/** struct sockaddr_in or sockaddr_in6. */
export function readEndpoint(p: Process, family: 'inet' | 'inet6', address: number, length: number): Endpoint {
  if (length < (family === 'inet' ? INET_SIZE : INET6_LEAST)) fail('EINVAL');
  if (familyAt(p, address, length) !== AF[family]) fail('EAFNOSUPPORT');
  const bytes = p.memory.view(address, length, 'read');
  const port = (bytes[2] << 8) | bytes[3];
  if (family === 'inet') return { host: bytes.subarray(4, 8).join('.'), port };
  const hex = Array.from(bytes.subarray(8, 24), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { host: hex.startsWith(MAPPED) ? bytes.subarray(20, 24).join('.') : hex, port };
}

/** struct sockaddr_nl */
export function readNetlinkAddress(p: Process, address: number, length: number): NetlinkAddress {
  if (length < NETLINK_SIZE || familyAt(p, address, length) !== Af.NETLINK) fail('EINVAL');
  return { portId: p.memory.u32(address + 4), groups: p.memory.u32(address + 8) };
}

function localBytes(name: string): Uint8Array {
  return name.startsWith('\0') ? Uint8Array.from(name, (character) => character.charCodeAt(0)) : encodeName(`${name}\0`);
}

/** As struct sockaddr, from the address on; without a name, only the family. */
function addressBytes(p: Process, family: Family, address: Address | undefined): Uint8Array {
  const path = family === 'unix' && address && isLocal(address) ? localBytes(address.name) : new Uint8Array(0);
  const bytes = new Uint8Array({ unix: UNIX_PATH + path.length, inet: INET_SIZE, inet6: INET6_SIZE, netlink: NETLINK_SIZE }[family]);
  const view = new DataView(bytes.buffer);
  const isLittle = p.abi.isa.endian === 'little';
  view.setUint16(0, AF[family], isLittle);
  if (family === 'unix') bytes.set(path, UNIX_PATH);
  else if (address && isEndpoint(address)) {
    bytes.set([address.port >> 8, address.port & 0xff], 2);
    if (family === 'inet') bytes.set(ipv4Bytes(address.host), 4);
    else bytes.set(ipv6Bytes(address.host), 8);
  } else if (address && !isLocal(address)) {
    view.setUint32(4, address.portId, isLittle);
    view.setUint32(8, address.groups, isLittle);
  }
  return bytes;
}

export const ipv4Bytes = (host: string): number[] => host.split('.').map(Number);

export function ipv6Bytes(host: string): number[] {
  const hex = isIpv4(host)
    ? MAPPED +
      host
        .split('.')
        .map((part) => Number(part).toString(16).padStart(2, '0'))
        .join('')
    : host;
  return hex.match(/../g)!.map((byte) => Number.parseInt(byte, 16));
}

/** Writes as much of the address as there is room for, and its length, to where that room was told. */
export function writeAddress(p: Process, family: Family, address: Address | undefined, at: number, lengthAt: number): void {
  const room = p.memory.i32(lengthAt);
  if (room < 0) fail('EINVAL');
  const bytes = addressBytes(p, family, address);
  p.memory.write(at, bytes.subarray(0, room));
  p.memory.setU32(lengthAt, bytes.length);
}
