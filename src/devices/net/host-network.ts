// The network of a program: what is allowed of it is the host's, over the host's sockets.
import type { Endpoint } from '../../linux/net/address.ts';
import type { Flow, Network, NetworkUser, OpenStream } from '../../linux/net/outside.ts';
import { DNS_PORT } from './dns.ts';
import type { NatHost } from './nat.ts';
import { addressText, parseAddress } from './packets.ts';
import { makeGate, type NatRule, PLACES } from './rules.ts';
import type { Stream } from './tcp.ts';

/** The host's sockets, with those that others connect to. */
export interface NetworkHost extends NatHost {
  /** Listens, and is told of each connection; `arrived` answers false if nobody takes it. Port 0: any. */
  listen(
    address: string,
    port: number,
    arrived: (from: Endpoint, open: OpenStream) => boolean,
  ): Promise<{ readonly port: number; close(): void }>;
}

/** A port of the program's that is reached at one of the host's. */
export interface Published {
  /** Of the host's addresses, which one it is reached at. */
  readonly address: string;
  /** 0: any that is free; a warning tells which. */
  readonly hostPort: number;
  readonly guestPort: number;
}

/** As `[address:]hostPort:guestPort`, an IPv6 address in brackets; without an address, 127.0.0.1. Throws RangeError if it is none. */
export function parsePublished(text: string): Published {
  const found = /^(?:(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\]):)?(\d{1,5}):(\d{1,5})$/i.exec(text);
  const [, address = '127.0.0.1', hostPort, guestPort] = found ?? [];
  const [from, to] = [Number(hostPort), Number(guestPort)];
  const isPort = from <= 0xffff && to >= 1 && to <= 0xffff;
  if (!isPort || (!address.startsWith('[') && parseAddress(address) === undefined))
    throw new RangeError(`${text}: not [hostAddress:]hostPort:guestPort`);
  return { address: address.replace(/[[\]]/g, ''), hostPort: from, guestPort: to };
}

export interface HostNetworkOptions {
  /** What the program may reach; it finds the host's own 127.0.0.1 at 10.0.2.2. */
  readonly allow?: readonly NatRule[];
  readonly publish?: readonly Published[];
  /** `nodeNatHost`, for one. */
  readonly host: NetworkHost;
}

const MOST_STREAMS = 256;
const MOST_FLOWS = 64;
const FLOW_MS = 60_000;

/** A port of the host's cannot be had. `Program.run` rejects with it. */
export class PublishError extends Error {
  override name = 'PublishError';
}

/** A network of the program alone, at 10.0.2.15, with a name server that knows the allowed names. For one program. */
export function makeHostNetwork({ allow = [], publish = [], host }: HostNetworkOptions): Network {
  const streams = new Set<Stream>();
  const flows = new Set<Flow>();
  const servers: { close(): void }[] = [];
  const warned = new Set<string>();
  let user: NetworkUser | undefined;
  const warn = (text: string): void => {
    if (!warned.has(text)) user?.warn(text);
    warned.add(text);
  };
  const gate = makeGate(allow, host, (name) => warn(`the name ${name} is not told; --allow tcp:${name}:<port> would allow it`));

  /** Where a rule lets the program go; else the user is told what would. */
  function allowed(protocol: NatRule['protocol'], to: Endpoint): string | undefined {
    const address = parseAddress(to.host);
    const found = address === undefined ? undefined : gate.allowed(protocol, address, to.port);
    const meant = address === PLACES.gateway ? '127.0.0.1' : to.host;
    if (found === undefined) warn(`${to.host}:${to.port} is not reached; --allow ${protocol}:${meant}:${to.port} would allow it`);
    return found;
  }

  /** Counts a stream until it is destroyed. */
  function counted(stream: Stream): Stream {
    const one: Stream = {
      ...stream,
      destroy() {
        streams.delete(one);
        stream.destroy();
      },
    };
    streams.add(one);
    return one;
  }

  function nameServer(received: (bytes: Uint8Array) => void): Flow {
    return {
      send: (bytes) => void gate.answer(bytes).then((data) => data && received(data)),
      close: () => {},
    };
  }

  return {
    address: addressText(PLACES.guest),
    gateway: addressText(PLACES.gateway),
    nameServer: gate.names.size > 0 ? addressText(PLACES.names) : undefined,
    async start(given) {
      user = given;
      for (const { address, hostPort, guestPort } of publish) {
        const arrived = (from: Endpoint, open: OpenStream): boolean =>
          streams.size < MOST_STREAMS && given.arrive(guestPort, from, (events) => counted(open(events)));
        const server = await host.listen(address, hostPort, arrived).catch((error: Error) => {
          throw new PublishError(`port ${guestPort} cannot be published: ${error.message}`);
        });
        servers.push(server);
        if (hostPort === 0) given.warn(`port ${guestPort} is published at ${address}:${server.port}`);
      }
    },
    connect(to, events) {
      const address = allowed('tcp', to);
      if (address === undefined || streams.size >= MOST_STREAMS) return undefined;
      return counted(host.connect(address, to.port, events));
    },
    datagrams(to, received, closed) {
      if (to.host === addressText(PLACES.names) && to.port === DNS_PORT) return nameServer(received);
      const address = allowed('udp', to);
      if (address === undefined || flows.size >= MOST_FLOWS) return undefined;
      const socket = host.datagrams(address, to.port, received);
      const close = (): void => {
        if (!flows.delete(flow)) return;
        cancel();
        socket.close();
        closed();
      };
      let cancel = host.later(FLOW_MS, close);
      const flow: Flow = {
        send(bytes) {
          cancel();
          cancel = host.later(FLOW_MS, close);
          socket.send(bytes);
        },
        close,
      };
      flows.add(flow);
      return flow;
    },
    close() {
      for (const server of servers) server.close();
      for (const stream of [...streams]) stream.destroy();
      for (const flow of [...flows]) flow.close();
    },
  };
}
