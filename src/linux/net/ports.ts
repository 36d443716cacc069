import type { SocketType } from '../calls/socket-abi.ts';
import { fail } from '../fs/fail.ts';
import { ANY4, ANY6, type Endpoint, isEndpoint, isIpv4, LOOPBACK4, LOOPBACK6 } from './address.ts';
import type { Socket } from './socket.ts';

/** net.ipv4.ip_local_port_range */
const [FIRST_PORT, PORTS] = [32768, 28232];

const isAny = (host: string): boolean => host === ANY4 || host === ANY6;

/** A host that means this one is given as one of its addresses. */
export const concrete = (host: string): string => (host === ANY4 ? LOOPBACK4 : host === ANY6 ? LOOPBACK6 : host);

/** TCP and UDP ports of this system, and its addresses. */
export class Ports {
  private readonly bound = {
    stream: new Map<number, Socket[]>(),
    datagram: new Map<number, Socket[]>(),
    sequenced: new Map<number, Socket[]>(),
  };
  private next: number;
  /** Its address in a network, if it is in one. */
  own: string | undefined;

  constructor(random: (bytes: Uint8Array<ArrayBuffer>) => void) {
    const bytes = new Uint8Array(2);
    random(bytes);
    this.next = (bytes[0] << 8) | bytes[1];
  }

  /** Whether it is one of this system's addresses. */
  isHere(host: string): boolean {
    return isIpv4(host) ? host.startsWith('127.') || host === ANY4 || host === this.own : host === LOOPBACK6 || host === ANY6;
  }

  /** Any user may have any port, as with net.ipv4.ip_unprivileged_port_start=0. */
  bind(socket: Socket, { host, port }: Endpoint): void {
    if (socket.local) fail('EINVAL');
    if (!this.isHere(host) && !isBroadcast(host)) fail('EADDRNOTAVAIL');
    if (socket.family === 'inet6' && isIpv4(host) && socket.onlyIpv6) fail('EINVAL');
    if (port === 0) {
      this.take(socket, { host, port: this.freePort(socket, host) });
      return;
    }
    if (this.others(socket, host, port).some((other) => !mayShare(socket, other))) fail('EADDRINUSE');
    this.take(socket, { host, port });
  }

  private take(socket: Socket, local: Endpoint): void {
    const ports = this.bound[socket.type];
    const { port } = local;
    socket.local = local;
    ports.set(port, [...(ports.get(port) ?? []), socket]);
    socket.onClose.push(() => {
      const rest = (ports.get(port) ?? []).filter((other) => other !== socket);
      if (rest.length > 0) ports.set(port, rest);
      else ports.delete(port);
    });
  }

  /** Those whose address is also this one's. */
  private others({ type, onlyIpv6, family }: Socket, host: string, port: number): Socket[] {
    return (this.bound[type].get(port) ?? []).filter((other) => {
      const { host: there } = other.local as Endpoint;
      if (host === there) return true;
      const covers = (any: string, isOnly: boolean, one: string): boolean =>
        any === ANY6 ? !isOnly || !isIpv4(one) : any === ANY4 && isIpv4(one);
      return covers(host, onlyIpv6 && family === 'inet6', there) || covers(there, other.onlyIpv6, host);
    });
  }

  private freePort(socket: Socket, host: string): number {
    for (let tries = 0; tries < PORTS; tries++) {
      const port = FIRST_PORT + (this.next++ % PORTS);
      if (this.others(socket, host, port).length === 0) return port;
    }
    return fail('EADDRINUSE');
  }

  /** The address that what is sent from a socket to another comes from. */
  sourceOf({ local }: Socket, to: Endpoint): Endpoint {
    const own = local && isEndpoint(local) ? local : { host: ANY4, port: 0 };
    if (!isAny(own.host)) return own;
    const there = concrete(to.host);
    if (!isIpv4(there)) return { host: there, port: own.port };
    return { host: there.startsWith('127.') ? LOOPBACK4 : (this.own ?? LOOPBACK4), port: own.port };
  }

  /** Gives a socket that connects to `to` an address of its own. */
  bindForSending(socket: Socket, to: Endpoint): void {
    const source = this.sourceOf(socket, to);
    if (!socket.local) this.bind(socket, source);
    else socket.local = source;
  }

  /** An unbound one gets a port. Only one may listen at an address. */
  listen(socket: Socket): void {
    if (!socket.local) this.bind(socket, { host: socket.family === 'inet' ? ANY4 : ANY6, port: 0 });
    const { host, port } = socket.local as unknown as Endpoint;
    const rival = this.others(socket, host, port).find(
      (other) => other !== socket && other.state === 'listening' && !(socket.reusePort && other.reusePort),
    );
    if (rival) fail('EADDRINUSE');
  }

  /** Who listens at, or receives datagrams for, an address of this system's. */
  find(type: SocketType, { host, port }: Endpoint, from?: Endpoint): Socket | undefined {
    const at = concrete(host);
    let best: Socket | undefined;
    let most = -1;
    for (const socket of this.bound[type].get(port) ?? []) {
      if (type === 'stream' && socket.state !== 'listening') continue;
      const { host: there } = socket.local as Endpoint;
      const matches = there === at || (there === ANY4 && isIpv4(at)) || (there === ANY6 && !(isIpv4(at) && socket.onlyIpv6));
      if (!matches) continue;
      const { remote } = socket;
      // one that is connected hears its peer only (udp(7))
      if (type === 'datagram' && remote && isEndpoint(remote) && (remote.port !== from?.port || concrete(remote.host) !== from.host))
        continue;
      const rank = (remote && type === 'datagram' ? 2 : 0) + (isAny(there) ? 0 : 1);
      if (rank > most) [best, most] = [socket, rank];
    }
    return best;
  }
}

const isBroadcast = (host: string): boolean => host === '255.255.255.255';

function mayShare(one: Socket, other: Socket): boolean {
  if (one.reusePort && other.reusePort) return true;
  const both = one.reuseAddress && other.reuseAddress;
  return both && (one.type === 'datagram' || other.state !== 'listening');
}
