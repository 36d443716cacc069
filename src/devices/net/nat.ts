// A network of one guest, its gateway and a name server, which are here: what is allowed goes on over the host's sockets.
import type { NetPort } from '../virtio/net.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT, dhcpReply } from './dhcp.ts';
import { DNS_PORT } from './dns.ts';
import {
  EtherType,
  echoReply,
  ethernet,
  type Ipv4,
  ipv4,
  Protocol,
  parseIpv4,
  parseTcp,
  parseUdp,
  put16,
  put32,
  type Tcp,
  TcpFlag,
  tcp,
  type Udp,
  u16,
  u32,
  udp,
} from './packets.ts';
import { makeGate, type NatRule, PLACES } from './rules.ts';
import { openTcp, type Stream, type StreamEvents, type TcpEnd } from './tcp.ts';

/** The host's sockets. */
export interface NatHost {
  connect(address: string, port: number, events: StreamEvents): Stream;
  /** A socket for one flow of datagrams. */
  datagrams(address: string, port: number, received: (bytes: Uint8Array) => void): { send(bytes: Uint8Array): void; close(): void };
  /** IPv4 addresses; none if there are none. */
  resolve(name: string): Promise<readonly string[]>;
  later(milliseconds: number, call: () => void): () => void;
  random(bytes: number): Uint8Array;
}

export const NAT = { ...PLACES, mac: Uint8Array.of(0x52, 0x55, 10, 0, 2, 2) } as const;
const BROADCAST = 0xffffffff;
const MOST_CONNECTIONS = 64;
const MOST_FLOWS = 64;
const FLOW_MS = 60_000;
const LARGEST_DATAGRAM = 1472;

export interface Nat extends NetPort {
  /** Ends all connections. */
  close(): void;
}

interface Flow {
  readonly socket: { send(bytes: Uint8Array): void; close(): void };
  cancel: () => void;
}

export function makeNat(rules: readonly NatRule[], host: NatHost): Nat {
  const connections = new Map<string, TcpEnd>();
  const flows = new Map<string, Flow>();
  const { names, allowed, answer } = makeGate(rules, host);
  let guestMac: Uint8Array = new Uint8Array(6).fill(0xff);

  const port: Nat = {
    onFrame: () => {},
    send(frame) {
      if (frame.length < 14) return;
      guestMac = frame.slice(6, 12);
      const type = u16(frame, 12);
      if (type === EtherType.Arp) arp(frame.subarray(14));
      else if (type === EtherType.Ipv4) {
        const packet = parseIpv4(frame.subarray(14));
        if (packet) handle(packet);
      }
    },
    close() {
      for (const connection of [...connections.values()]) connection.close();
      for (const [key, flow] of flows) endFlow(key, flow);
    },
  };
  const emit = (type: EtherType, body: Uint8Array): void => port.onFrame(ethernet(guestMac, NAT.mac, type, body));
  const sendPacket = (packet: Ipv4): void => emit(EtherType.Ipv4, ipv4(packet));

  /** RFC 826: gateway and name server have the same hardware address. */
  function arp(body: Uint8Array): void {
    if (body.length < 28 || u16(body, 6) !== 1) return;
    const target = u32(body, 24);
    if (target !== NAT.gateway && target !== NAT.names) return;
    const reply = body.slice(0, 28);
    put16(reply, 6, 2);
    reply.set(NAT.mac, 8);
    put32(reply, 14, target);
    reply.set(body.subarray(8, 18), 18);
    emit(EtherType.Arp, reply);
  }

  function handle(packet: Ipv4): void {
    switch (packet.protocol) {
      case Protocol.Icmp: {
        const reply = packet.to === NAT.gateway || packet.to === NAT.names ? echoReply(packet) : undefined;
        if (reply) sendPacket(reply);
        return;
      }
      case Protocol.Udp: {
        const datagram = parseUdp(packet);
        if (datagram) handleUdp(packet, datagram);
        return;
      }
      case Protocol.Tcp: {
        const segment = parseTcp(packet);
        if (segment) handleTcp(packet, segment);
      }
    }
  }

  function handleUdp({ from, to }: Ipv4, datagram: Udp): void {
    if (datagram.toPort === DHCP_SERVER_PORT && (to === BROADCAST || to === NAT.gateway)) {
      const lease = { guest: NAT.guest, server: NAT.gateway, names: names.size > 0 ? NAT.names : undefined };
      const data = dhcpReply(datagram.data, lease);
      if (data) sendPacket(udp(NAT.gateway, BROADCAST, { fromPort: DHCP_SERVER_PORT, toPort: DHCP_CLIENT_PORT, data }));
      return;
    }
    const reply = (data: Uint8Array): void => sendPacket(udp(to, from, { fromPort: datagram.toPort, toPort: datagram.fromPort, data }));
    if (to === NAT.names && datagram.toPort === DNS_PORT) {
      void answer(datagram.data).then((data) => data && reply(data));
      return;
    }
    const address = allowed('udp', to, datagram.toPort);
    if (address === undefined || from !== NAT.guest) return;
    const key = `${datagram.fromPort} ${to} ${datagram.toPort}`;
    let flow = flows.get(key);
    if (!flow) {
      if (flows.size >= MOST_FLOWS) return;
      const received = (data: Uint8Array): void => {
        // a longer one would need fragments
        if (data.length <= LARGEST_DATAGRAM) reply(data);
      };
      flow = { socket: host.datagrams(address, datagram.toPort, received), cancel: () => {} };
      flows.set(key, flow);
    }
    const current = flow;
    current.cancel();
    current.cancel = host.later(FLOW_MS, () => endFlow(key, current));
    current.socket.send(datagram.data.slice());
  }
  function endFlow(key: string, flow: Flow): void {
    flow.cancel();
    flow.socket.close();
    flows.delete(key);
  }

  function handleTcp({ from, to }: Ipv4, segment: Tcp): void {
    const { fromPort, toPort } = segment;
    const key = `${fromPort} ${to} ${toPort}`;
    const send = (s: Omit<Tcp, 'fromPort' | 'toPort'>): void => sendPacket(tcp(to, from, { ...s, fromPort: toPort, toPort: fromPort }));
    const known = connections.get(key);
    if (known) {
      known.segment(segment);
      return;
    }
    if (segment.flags & TcpFlag.Reset) return;
    const address = allowed('tcp', to, toPort);
    const opens = (segment.flags & (TcpFlag.Syn | TcpFlag.Ack)) === TcpFlag.Syn;
    if (!opens || address === undefined || from !== NAT.guest || connections.size >= MOST_CONNECTIONS) {
      const length = segment.data.length + Number((segment.flags & TcpFlag.Syn) !== 0) + (segment.flags & TcpFlag.Fin);
      send({
        sequence: segment.flags & TcpFlag.Ack ? segment.acknowledged : 0,
        acknowledged: (segment.sequence + length) >>> 0,
        flags: TcpFlag.Reset | TcpFlag.Ack,
        window: 0,
        segmentSize: undefined,
        data: new Uint8Array(0),
      });
      return;
    }
    const end = openTcp(segment, {
      send,
      connect: (events) => host.connect(address, toPort, events),
      later: (milliseconds, call) => host.later(milliseconds, call),
      initialSequence: u32(host.random(4), 0),
      gone: () => connections.delete(key),
    });
    connections.set(key, end);
  }

  return port;
}
