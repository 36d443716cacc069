import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeNat, NAT, type NatHost } from '../../src/devices/net/nat.ts';
import {
  EtherType,
  ethernet,
  type Ipv4,
  ipv4,
  Protocol,
  parseAddress,
  parseIpv4,
  parseTcp,
  parseUdp,
  put16,
  put32,
  type Tcp,
  TcpFlag,
  tcp,
  u16,
  u32,
  udp,
} from '../../src/devices/net/packets.ts';
import { type NatRule, parseNatRule } from '../../src/devices/net/rules.ts';
import type { StreamEvents } from '../../src/devices/net/tcp.ts';
import { fuzz } from '../support/fuzz.ts';

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const SERVER = parseAddress('192.0.2.7')!;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** A network with a host whose sockets the test plays, and what comes to the guest. */
function network(...rules: string[]) {
  const calls: string[] = [];
  const streams: StreamEvents[] = [];
  const timers = new Set<() => void>();
  let accepts = true;
  const host: NatHost = {
    connect(address, port, events) {
      calls.push(`connect ${address}:${port}`);
      streams.push(events);
      return {
        write: (data) => {
          calls.push(`write ${text(data)}`);
          return accepts;
        },
        end: () => void calls.push('end'),
        destroy: () => void calls.push('destroy'),
        pause: () => void calls.push('pause'),
        resume: () => {},
      };
    },
    datagrams: (address, port, received) => ({
      send: (data) => {
        calls.push(`send ${address}:${port} ${text(data)}`);
        received(bytes('pong'));
      },
      close: () => void calls.push('close'),
    }),
    resolve: async (name) => (name === 'example.org' ? ['192.0.2.7'] : []),
    later(_milliseconds, call) {
      timers.add(call);
      return () => void timers.delete(call);
    },
    random: (count) => new Uint8Array(count),
  };
  const nat = makeNat(
    rules.map((rule) => parseNatRule(rule)),
    host,
  );
  const frames: Uint8Array[] = [];
  nat.onFrame = (frame) => void frames.push(frame);
  return {
    nat,
    calls,
    streams,
    timers,
    refuseWrites: () => {
      accepts = false;
    },
    raw: (type: EtherType, body: Uint8Array) => nat.send(ethernet(NAT.mac, MAC, type, body)),
    send: (packet: Ipv4) => nat.send(ethernet(NAT.mac, MAC, EtherType.Ipv4, ipv4(packet))),
    /** The packets that came since the last call. */
    taken: (): Ipv4[] => frames.splice(0).map((frame) => parseIpv4(frame.subarray(14))!),
    frames,
  };
}
type Network = ReturnType<typeof network>;

/** A guest's side of a connection, segment by segment. */
function guestTcp(net: Network, to: number, toPort: number, fromPort = 40000) {
  let sequence = 1000;
  let acknowledged = 0;
  const segment = (flags: number, data = '', more: Partial<Tcp> = {}): void => {
    const body = { fromPort, toPort, sequence, acknowledged, flags, window: 5000, segmentSize: undefined, data: bytes(data), ...more };
    net.send(tcp(NAT.guest, to, body));
    if (more.sequence === undefined) sequence += data.length + (flags & TcpFlag.Syn ? 1 : 0) + (flags & TcpFlag.Fin);
  };
  const received = (): Tcp[] =>
    net.taken().map((packet) => {
      const got = parseTcp(packet)!;
      const end = got.sequence + got.data.length + (got.flags & TcpFlag.Syn ? 1 : 0) + (got.flags & TcpFlag.Fin);
      if (end > acknowledged) acknowledged = end;
      return got;
    });
  return {
    segment,
    received,
    open() {
      segment(TcpFlag.Syn, '', { segmentSize: 1460 });
      sequence = 1001;
      net.streams[net.streams.length - 1]?.connected();
      const [answer] = received();
      segment(TcpFlag.Ack);
      return answer;
    },
  };
}

describe('rules', () => {
  test.each<[string, NatRule]>([
    ['tcp:127.0.0.1:8080', { protocol: 'tcp', host: '127.0.0.1', port: 8080 }],
    ['UDP:Example.org:53', { protocol: 'udp', host: 'example.org', port: 53 }],
  ])('%s', (rule, expected) => expect(parseNatRule(rule)).toEqual(expected));

  test.each(['tcp:host', 'icmp:host:1', 'tcp:host:0', 'tcp:host:65536'])('%s is none', (rule) => {
    expect(() => parseNatRule(rule)).toThrow(RangeError);
  });
});

describe('what a guest finds', () => {
  test('the gateway answers ARP and echo requests', () => {
    const net = network();
    const request = new Uint8Array(28);
    request.set([0, 1, 8, 0, 6, 4, 0, 1, ...MAC]);
    put32(request, 14, NAT.guest);
    put32(request, 24, NAT.gateway);
    net.raw(EtherType.Arp, request);
    const [reply] = net.frames.splice(0);
    expect(u16(reply, 20)).toBe(2);
    expect([...reply.subarray(22, 28)]).toEqual([...NAT.mac]);
    const echo = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 2, 0x61);
    put16(echo, 2, ~(0x0800 + 1 + 2 + 0x6100) & 0xffff);
    net.send({ from: NAT.guest, to: NAT.gateway, protocol: Protocol.Icmp, body: echo });
    const [answer] = net.taken();
    expect([answer.from, answer.to, answer.body[0], answer.body[8]]).toEqual([NAT.gateway, NAT.guest, 0, 0x61]);
  });

  test('DHCP offers and acknowledges the one address', () => {
    const net = network('tcp:example.org:80');
    for (const [type, answer] of [
      [1, 2],
      [3, 5],
    ]) {
      const message = new Uint8Array(244);
      message.set([1, 1, 6, 0, 1, 2, 3, 4]);
      message.set(MAC, 28);
      message.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, 255], 236);
      net.send(udp(0, 0xffffffff, { fromPort: 68, toPort: 67, data: message }));
      const [packet] = net.taken();
      const { data, toPort } = parseUdp(packet)!;
      expect([toPort, data[0], u32(data, 4), u32(data, 16)]).toEqual([68, 2, 0x01020304, NAT.guest]);
      expect([...data.subarray(240, 243)]).toEqual([53, 1, answer]);
    }
  });

  test('the name server knows the names of rules, and no others', async () => {
    const net = network('tcp:example.org:80');
    const ask = async (name: string): Promise<Uint8Array> => {
      const labels = name.split('.').flatMap((label) => [label.length, ...bytes(label)]);
      const data = Uint8Array.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
      net.send(udp(NAT.guest, NAT.names, { fromPort: 5353, toPort: 53, data }));
      await new Promise((resolve) => setTimeout(resolve));
      return parseUdp(net.taken()[0])!.data;
    };
    const known = await ask('example.org');
    expect([known[3] & 15, u16(known, 6), u32(known, known.length - 4)]).toEqual([0, 1, SERVER]);
    expect((await ask('example.com'))[3] & 15).toBe(5);
    // what the name means may be reached from now on
    expect(guestTcp(net, SERVER, 80).open().flags).toBe(TcpFlag.Syn | TcpFlag.Ack);
  });

  test('datagrams go where a rule says, and answers come back', () => {
    const net = network('udp:192.0.2.7:7');
    net.send(udp(NAT.guest, SERVER, { fromPort: 999, toPort: 7, data: bytes('ping') }));
    net.send(udp(NAT.guest, SERVER, { fromPort: 999, toPort: 8, data: bytes('no') }));
    expect(net.calls).toEqual(['send 192.0.2.7:7 ping']);
    const [packet] = net.taken();
    expect([packet.from, text(parseUdp(packet)!.data)]).toEqual([SERVER, 'pong']);
    for (const timer of net.timers) timer();
    expect(net.calls[1]).toBe('close');
  });
});

describe('TCP', () => {
  test('what no rule allows is refused', () => {
    const net = network('tcp:127.0.0.1:8080', 'tcp:192.0.2.7:80');
    for (const [to, port] of [
      [NAT.gateway, 8081],
      [SERVER, 8080],
      [parseAddress('127.0.0.1')!, 80],
    ]) {
      const answer = guestTcp(net, to, port).open();
      expect(answer.flags).toBe(TcpFlag.Reset | TcpFlag.Ack);
      expect(answer.acknowledged).toBe(1001);
    }
    expect(net.calls).toEqual([]);
  });

  test('a connection: both ways, and its end', () => {
    const net = network('tcp:127.0.0.1:8080');
    const guest = guestTcp(net, NAT.gateway, 8080);
    expect(guest.open().flags).toBe(TcpFlag.Syn | TcpFlag.Ack);
    guest.segment(TcpFlag.Ack | TcpFlag.Push, 'GET');
    expect(guest.received().at(-1)?.acknowledged).toBe(1004);
    // the same once more, with something new behind it
    guest.segment(TcpFlag.Ack, 'GET /', { sequence: 1001 });
    expect(net.calls).toEqual(['connect 127.0.0.1:8080', 'write GET', 'write  /']);
    expect(guest.received().at(-1)?.acknowledged).toBe(1006);
    // what comes too early is not taken
    guest.segment(TcpFlag.Ack, 'later', { sequence: 2000 });
    expect(guest.received().at(-1)?.acknowledged).toBe(1006);
    const [stream] = net.streams;
    stream.data(bytes('x'.repeat(6000)));
    const pieces = guest.received();
    expect(pieces.map(({ data }) => data.length)).toEqual([1460, 1460, 1460, 620]);
    guest.segment(TcpFlag.Ack, '', { sequence: 1006 });
    expect(guest.received().map(({ data }) => data.length)).toEqual([1000]);
    stream.ended();
    expect(guest.received().at(-1)?.flags).toBe(TcpFlag.Fin | TcpFlag.Ack);
    guest.segment(TcpFlag.Fin | TcpFlag.Ack, '', { sequence: 1006 });
    expect(net.calls.slice(-2)).toEqual(['end', 'destroy']);
  });

  test('what is not acknowledged is sent again, and given up in the end', () => {
    const net = network('tcp:127.0.0.1:8080');
    const guest = guestTcp(net, NAT.gateway, 8080);
    guest.open();
    net.streams[0].data(bytes('data'));
    const fire = (): void => {
      for (const timer of [...net.timers]) {
        net.timers.delete(timer);
        timer();
      }
    };
    fire();
    expect(guest.received().map(({ data }) => text(data))).toEqual(['data', 'data']);
    for (let i = 0; i < 20; i++) fire();
    expect(guest.received().at(-1)?.flags).toBe(TcpFlag.Reset | TcpFlag.Ack);
    expect(net.calls.at(-1)).toBe('destroy');
  });

  test('a host that takes no more closes the window', () => {
    const net = network('tcp:127.0.0.1:8080');
    const guest = guestTcp(net, NAT.gateway, 8080);
    guest.open();
    net.refuseWrites();
    guest.segment(TcpFlag.Ack, 'one');
    guest.segment(TcpFlag.Ack, 'two');
    expect(guest.received().map(({ window, acknowledged }) => [window, acknowledged])).toEqual([
      [0, 1004],
      [0, 1004],
    ]);
    net.streams[0].drained();
    expect(guest.received().map(({ window }) => window)).toEqual([65535]);
  });

  test('a host that refuses resets', () => {
    const net = network('tcp:127.0.0.1:8080');
    const guest = guestTcp(net, NAT.gateway, 8080);
    guest.segment(TcpFlag.Syn);
    net.streams[0].failed();
    expect(guest.received()[0].flags).toBe(TcpFlag.Reset | TcpFlag.Ack);
  });
});

test('hostile frames do no harm', () => {
  const word = fc.integer({ min: 0, max: 0xffff });
  const segment = fc.record({
    fromPort: fc.integer({ min: 1, max: 80 }),
    toPort: fc.constantFrom(8080, 53, 67, 1),
    sequence: fc.nat(0xffffffff),
    acknowledged: fc.nat(0xffffffff),
    flags: fc.nat(63),
    window: word,
    segmentSize: fc.option(word, { nil: undefined }),
    data: fc.uint8Array({ maxLength: 100 }),
  });
  const address = fc.constantFrom<number>(NAT.guest, NAT.gateway, NAT.names, SERVER, 0xffffffff, 0);
  const wellFormed = fc.oneof(
    fc.tuple(address, address, segment).map(([from, to, body]) => tcp(from, to, body)),
    fc.tuple(address, address, segment).map(([from, to, body]) => udp(from, to, body)),
  );
  const event = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    wellFormed.map((packet) => ethernet(NAT.mac, MAC, EtherType.Ipv4, ipv4(packet))),
    fc
      .tuple(fc.constantFrom(EtherType.Ipv4, EtherType.Arp), fc.uint8Array({ maxLength: 200 }))
      .map(([type, body]) => ethernet(NAT.mac, MAC, type, body)),
    fc.tuple(wellFormed, fc.nat(300), fc.nat(255)).map(([packet, at, value]) => {
      const frame = ethernet(NAT.mac, MAC, EtherType.Ipv4, ipv4(packet));
      frame[at % frame.length] = value;
      return frame;
    }),
    fc.constantFrom('connected' as const, 'ended' as const, 'failed' as const, 'drained' as const, 'timers' as const),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const net = network('tcp:127.0.0.1:8080', 'udp:192.0.2.7:1', 'udp:127.0.0.1:67');
      for (const one of events) {
        if (one === 'timers') for (const timer of [...net.timers]) timer();
        else if (typeof one === 'string') net.streams[net.streams.length - 1]?.[one]();
        else net.nat.send(one);
      }
      net.nat.close();
      expect(net.calls.filter((call) => call.startsWith('connect')).length).toBeLessThanOrEqual(events.length);
      for (const call of net.calls)
        expect(call).toMatch(/^(connect 127\.0\.0\.1:8080$|send (192\.0\.2\.7:1|127\.0\.0\.1:67) |write|end|destroy|close|pause)/);
    }),
    fuzz(200),
  );
});
