import { concat } from '../../isa/bytes.ts';
import { Af } from '../calls/socket-abi.ts';
import type { ErrnoName } from '../errno.ts';
import { ANY4, ipv4Bytes, ipv6Bytes, isIpv4 } from './address.ts';
import { type Interface, interfacesOf, type Place, type Route, RouteType, routesOf, Scope, Table } from './interfaces.ts';

/** Kinds of rtnetlink(7); of each, GET is the third of four types from its first one on. */
const enum Kind {
  Link = 16,
  Address = 20,
  Route = 24,
  Neighbour = 28,
}
const enum Verb {
  Get = 2,
}
/** RTM_BASE, and RTM_MAX as Linux 6.1 has it. */
const [BASE, MOST] = [16, 123];

/** IFLA_, IFA_ and RTA_ of include/uapi/linux/{if_link,if_addr,rtnetlink}.h. */
const enum Ifla {
  ADDRESS = 1,
  BROADCAST = 2,
  IFNAME = 3,
  MTU = 4,
  QDISC = 6,
  TXQLEN = 13,
  OPERSTATE = 16,
  LINKMODE = 17,
  GROUP = 27,
  PROMISCUITY = 30,
  NUM_TX_QUEUES = 31,
  NUM_RX_QUEUES = 32,
  CARRIER = 33,
  ALT_IFNAME = 53,
}
const enum Ifa {
  ADDRESS = 1,
  LOCAL = 2,
  LABEL = 3,
  BROADCAST = 4,
  CACHEINFO = 6,
  FLAGS = 8,
}
const enum Rta {
  DST = 1,
  OIF = 4,
  GATEWAY = 5,
  PRIORITY = 6,
  PREFSRC = 7,
  TABLE = 15,
}

/** struct ifinfomsg and rtmsg; struct rtattr without its data. */
const [LINK_HEADER, ROUTE_HEADER, ATTRIBUTE_HEADER] = [16, 12, 4];
/** IFF_LOWER_UP, IFA_F_PERMANENT, RTM_F_CLONED, RTCF_LOCAL, RTPROT_KERNEL, RTPROT_BOOT */
const [LOWER_UP, PERMANENT, CLONED, LOCAL, KERNEL, BOOT] = [0x10000, 0x80, 0x200, 0x80000000, 2, 3];
/** IF_OPER_UNKNOWN, IF_OPER_UP */
const [UNKNOWN, UP] = [0, 6];
const FOREVER = 0xffffffff;
const AF_BRIDGE = 7;

/** Numbers one after the other: of 8 (b), 16 (h) or 32 bits (i). */
export type Pack = (format: string, ...values: readonly number[]) => Uint8Array;
export function packer(isLittle: boolean): Pack {
  const sizes: Readonly<Record<string, number>> = { b: 1, h: 2, i: 4 };
  return (format, ...values) => {
    const view = new DataView(new ArrayBuffer([...format].reduce((sum, letter) => sum + sizes[letter], 0)));
    let at = 0;
    [...format].forEach((letter, n) => {
      if (letter === 'b') view.setUint8(at, values[n]);
      else if (letter === 'h') view.setUint16(at, values[n], isLittle);
      else view.setUint32(at, values[n], isLittle);
      at += sizes[letter];
    });
    return new Uint8Array(view.buffer);
  };
}

/** To a multiple of four, as messages and attributes lie. */
export const pad = (bytes: Uint8Array): Uint8Array => concat([bytes, new Uint8Array(-bytes.length & 3)]);
const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
const hostBytes = (host: string): Uint8Array => Uint8Array.from(isIpv4(host) ? ipv4Bytes(host) : ipv6Bytes(host));

type Attributes = readonly (readonly [type: number, value: Uint8Array])[];

/** struct rtattr */
const attributes = (pack: Pack, all: Attributes): Uint8Array =>
  concat(all.map(([type, value]) => pad(concat([pack('hh', ATTRIBUTE_HEADER + value.length, type), value]))));

function linkBody(pack: Pack, { index, name, flags, mtu, queue, hardware }: Interface): Uint8Array {
  const word = (value: number): Uint8Array => pack('i', value);
  const isLoop = index === 1;
  const all: Attributes = [
    [Ifla.IFNAME, text(name)],
    [Ifla.TXQLEN, word(queue)],
    [Ifla.OPERSTATE, pack('b', isLoop ? UNKNOWN : UP)],
    [Ifla.LINKMODE, pack('b', 0)],
    [Ifla.MTU, word(mtu)],
    [Ifla.GROUP, word(0)],
    [Ifla.PROMISCUITY, word(0)],
    [Ifla.NUM_TX_QUEUES, word(1)],
    [Ifla.NUM_RX_QUEUES, word(1)],
    [Ifla.CARRIER, pack('b', 1)],
    [Ifla.QDISC, text('noqueue')],
    [Ifla.ADDRESS, Uint8Array.from(hardware.address)],
    [Ifla.BROADCAST, Uint8Array.from(hardware.broadcast)],
  ];
  return concat([pack('bbhiii', Af.UNSPEC, 0, hardware.type, index, flags | LOWER_UP, 0), attributes(pack, all)]);
}

/** Undefined if it has none of that family. */
function addressBody(pack: Pack, one: Interface, family: Af): Uint8Array | undefined {
  const { index, name, address, prefix, broadcast, address6 } = one;
  const isIpv6 = family === Af.INET6;
  const host = isIpv6 ? address6 : address;
  if (host === undefined) return undefined;
  const bytes = hostBytes(host);
  const scope = index === 1 ? Scope.Host : Scope.Universe;
  const ipv4: Attributes = [
    [Ifa.LOCAL, bytes],
    ...(broadcast === undefined ? [] : ([[Ifa.BROADCAST, hostBytes(broadcast)]] satisfies Attributes)),
    [Ifa.LABEL, text(name)],
  ];
  const all: Attributes = [
    [Ifa.ADDRESS, bytes],
    ...(isIpv6 ? [] : ipv4),
    [Ifa.FLAGS, pack('i', PERMANENT)],
    [Ifa.CACHEINFO, pack('iiii', FOREVER, FOREVER, 0, 0)],
  ];
  return concat([pack('bbbbi', family, isIpv6 ? 128 : prefix, PERMANENT, scope, index), attributes(pack, all)]);
}

/** Those that a dump is of: one, or all. */
const familiesOf = (family: number): readonly Af[] => (family === Af.INET || family === Af.INET6 ? [family] : [Af.INET, Af.INET6]);
const familyOf = ({ to }: Route): Af => (isIpv4(to) ? Af.INET : Af.INET6);

function routeBody(pack: Pack, route: Route): Uint8Array {
  const { to, prefix, type, scope, table, through, gateway, source } = route;
  const protocol = prefix === 0 ? BOOT : KERNEL;
  const family = familyOf(route);
  const all: Attributes = [
    [Rta.TABLE, pack('i', table)],
    ...(prefix === 0 ? [] : ([[Rta.DST, hostBytes(to)]] satisfies Attributes)),
    ...(source === undefined ? [] : ([[Rta.PREFSRC, hostBytes(source)]] satisfies Attributes)),
    ...(gateway === undefined ? [] : ([[Rta.GATEWAY, hostBytes(gateway)]] satisfies Attributes)),
    ...(family === Af.INET ? [] : ([[Rta.PRIORITY, pack('i', 0)]] satisfies Attributes)),
    [Rta.OIF, pack('i', through)],
  ];
  return concat([pack('bbbbbbbbi', family, prefix, 0, 0, table, protocol, scope, type, 0), attributes(pack, all)]);
}

/** What a request has after its header, by type; the last of several counts. */
function readAttributes(body: Uint8Array, from: number, isLittle: boolean): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  for (let at = from; at + ATTRIBUTE_HEADER <= body.length; ) {
    const length = view.getUint16(at, isLittle);
    if (length < ATTRIBUTE_HEADER || at + length > body.length) break;
    found.set(view.getUint16(at + 2, isLittle) & 0x3fff, body.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

export interface RouteRequest {
  readonly type: number;
  /** NLM_F_DUMP: of all there are. */
  readonly isDump: boolean;
  /** After struct nlmsghdr. */
  readonly body: Uint8Array;
}

/** Messages of one type, or the error. */
export type Answer = { readonly type: number; readonly bodies: readonly Uint8Array[] } | ErrnoName;

/** The one interface with an index, or with a name. */
function oneLink(pack: Pack, { body }: RouteRequest, all: readonly Interface[], isLittle: boolean): Answer {
  if (body.length < LINK_HEADER) return 'EINVAL';
  const wanted = new DataView(body.buffer, body.byteOffset).getInt32(4, isLittle);
  const given = readAttributes(body, LINK_HEADER, isLittle);
  const bytes = given.get(Ifla.IFNAME) ?? given.get(Ifla.ALT_IFNAME);
  if (wanted <= 0 && !bytes) return 'EINVAL';
  const name = new TextDecoder('latin1').decode(bytes).split('\0')[0];
  const found = all.find((one) => (wanted > 0 ? one.index === wanted : one.name === name));
  return found ? { type: Kind.Link, bodies: [linkBody(pack, found)] } : 'ENODEV';
}

const bitsOf = (host: string): number => ipv4Bytes(host).reduce((sum, byte) => sum * 256 + byte, 0);

/** Where what is sent to an address goes. */
function oneRoute(pack: Pack, { body }: RouteRequest, place: Place, isLittle: boolean): Answer {
  if (body.length < ROUTE_HEADER) return 'EINVAL';
  if (body[0] !== Af.INET) return 'EOPNOTSUPP';
  const bytes = readAttributes(body, ROUTE_HEADER, isLittle).get(Rta.DST) ?? new Uint8Array(4);
  if (bytes.length < 4) return 'EINVAL';
  const to = bytes.subarray(0, 4).join('.');
  const [best] = routesOf(place)
    .filter((route) => isIpv4(route.to) && Math.floor((bitsOf(to) - bitsOf(route.to)) / 2 ** (32 - route.prefix)) === 0)
    .sort((one, other) => other.prefix - one.prefix);
  if (!best) return 'ENETUNREACH';
  const { type, through, gateway, source = place.address ?? ANY4 } = best;
  const all: Attributes = [
    [Rta.TABLE, pack('i', Table.Main)],
    [Rta.DST, hostBytes(to)],
    [Rta.OIF, pack('i', type === RouteType.Local ? 1 : through)],
    [Rta.PREFSRC, hostBytes(source)],
    ...(gateway === undefined ? [] : ([[Rta.GATEWAY, hostBytes(gateway)]] satisfies Attributes)),
  ];
  const flags = CLONED | (type === RouteType.Local ? LOCAL : 0);
  const header = pack('bbbbbbbbi', Af.INET, 32, 0, 0, Table.Main, 0, Scope.Universe, type, flags);
  return { type: Kind.Route, bodies: [concat([header, attributes(pack, all)])] };
}

/** What NETLINK_ROUTE answers. Undefined: nothing. */
export function answerRoute(request: RouteRequest, place: Place, isLittle: boolean, mayChange: boolean): Answer | undefined {
  const { type, isDump, body } = request;
  if (type > MOST) return 'EOPNOTSUPP';
  if (body.length < 1) return undefined;
  if (((type - BASE) & 3) !== Verb.Get) return mayChange ? 'EOPNOTSUPP' : 'EPERM';
  const pack = packer(isLittle);
  const all = interfacesOf(place);
  const kind = type - Verb.Get;
  const family = body[0];
  if (!isDump) {
    if (kind === Kind.Link) return oneLink(pack, request, all, isLittle);
    return kind === Kind.Route ? oneRoute(pack, request, place, isLittle) : 'EOPNOTSUPP';
  }
  switch (kind) {
    case Kind.Link:
      return { type: kind, bodies: family === AF_BRIDGE ? [] : all.map((one) => linkBody(pack, one)) };
    case Kind.Address:
      return { type: kind, bodies: familiesOf(family).flatMap((af) => all.flatMap((one) => addressBody(pack, one, af) ?? [])) };
    case Kind.Route: {
      const routes = routesOf(place).filter((route) => (family !== Af.INET && family !== Af.INET6 ? true : familyOf(route) === family));
      return { type: kind, bodies: routes.map((route) => routeBody(pack, route)) };
    }
    case Kind.Neighbour:
      return { type: kind, bodies: [] };
    default:
      return 'EOPNOTSUPP';
  }
}
