import { ANY4, LOOPBACK4, LOOPBACK6 } from './address.ts';

/** IFF_UP, IFF_BROADCAST, IFF_LOOPBACK, IFF_RUNNING */
const [UP, BROADCAST, LOOPBACK, RUNNING] = [1, 2, 8, 0x40];
/** ARPHRD_ETHER, ARPHRD_LOOPBACK */
const [ETHER, LOOP] = [1, 772];

export interface Interface {
  /** From 1 on. */
  readonly index: number;
  readonly name: string;
  readonly address: string;
  /** Bits of the address that are the network's. */
  readonly prefix: number;
  readonly broadcast: string | undefined;
  readonly address6?: string;
  readonly flags: number;
  readonly mtu: number;
  readonly queue: number;
  readonly hardware: { readonly type: number; readonly address: readonly number[]; readonly broadcast: readonly number[] };
}

/** Where a system is, if it is in a network. */
export interface Place {
  readonly address: string | undefined;
  readonly gateway: string | undefined;
}

const LO: Interface = {
  index: 1,
  name: 'lo',
  address: LOOPBACK4,
  prefix: 8,
  broadcast: undefined,
  address6: LOOPBACK6,
  flags: UP | LOOPBACK | RUNNING,
  mtu: 65536,
  queue: 1000,
  hardware: { type: LOOP, address: Array(6).fill(0), broadcast: Array(6).fill(0) },
};

/** The interfaces that a system has: what ioctls and netlink tell. */
export function interfacesOf({ address }: Place): readonly Interface[] {
  if (address === undefined) return [LO];
  const ether: Interface = {
    index: 2,
    name: 'eth0',
    address,
    prefix: 24,
    broadcast: inNetwork(address, 255),
    flags: UP | BROADCAST | RUNNING,
    mtu: 1500,
    queue: 1000,
    hardware: { type: ETHER, address: [0x52, 0x54, 0, 0x12, 0x34, 0x56], broadcast: Array(6).fill(0xff) },
  };
  return [LO, ether];
}

const inNetwork = (address: string, host: number): string => address.replace(/\d+$/, `${host}`);

/** rtnetlink(7): rtm_type, rtm_scope, rtm_table */
export const enum RouteType {
  Unicast = 1,
  Local = 2,
  Broadcast = 3,
}
export const enum Scope {
  Universe = 0,
  Link = 253,
  Host = 254,
}
export const enum Table {
  Main = 254,
  Local = 255,
}

export interface Route {
  readonly to: string;
  readonly prefix: number;
  readonly type: RouteType;
  readonly scope: Scope;
  readonly table: Table;
  /** Index of the interface. */
  readonly through: number;
  readonly gateway?: string | undefined;
  readonly source?: string;
}

/** Where what is sent goes, as its addresses have it: the default one first, as Linux does. */
export function routesOf(place: Place): readonly Route[] {
  const { address: source, gateway } = place;
  const main: Route[] = [];
  const local: Route[] = [
    { to: '127.0.0.0', prefix: 8, ...here(LO.index, LOOPBACK4) },
    { to: LOOPBACK4, prefix: 32, ...here(LO.index, LOOPBACK4) },
    { to: '127.255.255.255', prefix: 32, ...here(LO.index, LOOPBACK4), type: RouteType.Broadcast, scope: Scope.Link },
  ];
  for (const { index: through, prefix } of interfacesOf(place).slice(1)) {
    if (source === undefined) break;
    const common = { type: RouteType.Unicast, table: Table.Main, through };
    main.push({ to: ANY4, prefix: 0, ...common, scope: gateway === undefined ? Scope.Link : Scope.Universe, gateway });
    main.push({ to: inNetwork(source, 0), prefix, ...common, scope: Scope.Link, source });
    local.push({ to: source, prefix: 32, ...here(through, source) });
    local.push({ to: inNetwork(source, 255), prefix: 32, ...here(through, source), type: RouteType.Broadcast, scope: Scope.Link });
  }
  return [...main, ...local, { to: LOOPBACK6, prefix: 128, ...here(LO.index), scope: Scope.Universe }];
}

const here = (through: number, source?: string) => ({
  type: RouteType.Local,
  scope: Scope.Host,
  table: Table.Local,
  through,
  ...(source !== undefined && { source }),
});
