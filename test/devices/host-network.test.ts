import { describe, expect, test } from 'vitest';
import { makeHostNetwork, type NetworkHost, type Published, parsePublished } from '../../src/devices/net/host-network.ts';
import { parseNatRule } from '../../src/devices/net/rules.ts';
import type { Stream, StreamEvents } from '../../src/devices/net/tcp.ts';

describe('a published port', () => {
  test.each<[string, Published | undefined]>([
    ['8080:80', { address: '127.0.0.1', hostPort: 8080, guestPort: 80 }],
    ['0.0.0.0:8080:80', { address: '0.0.0.0', hostPort: 8080, guestPort: 80 }],
    ['[::1]:0:80', { address: '::1', hostPort: 0, guestPort: 80 }],
  ])('%s', (text, expected) => expect(parsePublished(text)).toEqual(expected));

  test.each(['80', '8080:0', '70000:80', '1.2.3.400:8080:80', 'localhost:8080:80'])('%s is none', (text) => {
    expect(() => parsePublished(text)).toThrow(RangeError);
  });
});

const silent: StreamEvents = { connected() {}, data() {}, drained() {}, ended() {}, failed() {} };

function network(...rules: string[]) {
  const calls: string[] = [];
  const warnings: string[] = [];
  const stream: Stream = { write: () => true, end() {}, destroy: () => void calls.push('destroy'), pause() {}, resume() {} };
  const host: NetworkHost = {
    connect(address, port) {
      calls.push(`connect ${address}:${port}`);
      return stream;
    },
    async listen(address, port, arrived) {
      calls.push(`listen ${address}:${port}`);
      arrived({ host: '127.0.0.1', port: 5 }, () => stream);
      return { port: 1234, close: () => void calls.push('close') };
    },
    datagrams: (address, port) => ({ send: () => void calls.push(`send ${address}:${port}`), close: () => void calls.push('end of flow') }),
    resolve: async () => ['192.0.2.7'],
    later: () => () => {},
    random: (size) => new Uint8Array(size),
  };
  const made = makeHostNetwork({
    allow: rules.map((rule) => parseNatRule(rule)),
    publish: [{ address: '127.0.0.1', hostPort: 0, guestPort: 80 }],
    host,
  });
  const arrivals: string[] = [];
  const user = {
    arrive: (port: number, from: { host: string; port: number }) => arrivals.push(`${from.host}:${from.port} to ${port}`) > 0,
    warn: (text: string) => void warnings.push(text),
  };
  return { made, user, calls, warnings, arrivals };
}

describe('the network of a program', () => {
  test('lets it reach what is allowed, and tells once what would allow the rest', async () => {
    const { made, user, calls, warnings } = network('tcp:127.0.0.1:80', 'udp:192.0.2.9:53');
    await made.start(user);
    warnings.length = 0;
    expect(made.connect({ host: '10.0.2.2', port: 80 }, silent)).toBeDefined();
    for (let i = 0; i < 2; i++) expect(made.connect({ host: '10.0.2.2', port: 81 }, silent)).toBeUndefined();
    expect(
      made.datagrams(
        { host: '192.0.2.8', port: 53 },
        () => {},
        () => {},
      ),
    ).toBeUndefined();
    made
      .datagrams(
        { host: '192.0.2.9', port: 53 },
        () => {},
        () => {},
      )!
      .send(new Uint8Array(1));
    expect(calls).toEqual(['listen 127.0.0.1:0', 'connect 127.0.0.1:80', 'send 192.0.2.9:53']);
    expect(warnings).toEqual([
      '10.0.2.2:81 is not reached; --allow tcp:127.0.0.1:81 would allow it',
      '192.0.2.8:53 is not reached; --allow udp:192.0.2.8:53 would allow it',
    ]);
    made.close();
    expect(calls.slice(3)).toEqual(['close', 'destroy', 'end of flow']);
  });

  test('brings connections to published ports, and tells where they are', async () => {
    const { made, user, arrivals, warnings } = network();
    await made.start(user);
    expect(arrivals).toEqual(['127.0.0.1:5 to 80']);
    expect(warnings).toEqual(['port 80 is published at 127.0.0.1:1234']);
  });

  test('knows the names of rules only', async () => {
    const { made, user, warnings } = network('tcp:example.org:80');
    await made.start(user);
    expect(made.nameServer).toBe('10.0.2.3');
    expect(network('tcp:192.0.2.1:80').made.nameServer).toBeUndefined();
    warnings.length = 0;
    const ask = async (name: string): Promise<Uint8Array> => {
      const labels = name.split('.').flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
      const question = Uint8Array.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
      return new Promise((resolve) => made.datagrams({ host: '10.0.2.3', port: 53 }, resolve, () => {})!.send(question));
    };
    expect([...(await ask('example.org')).slice(-4)]).toEqual([192, 0, 2, 7]);
    expect(made.connect({ host: '192.0.2.7', port: 80 }, silent)).toBeDefined();
    expect((await ask('example.com'))[3] & 15).toBe(5);
    expect(warnings).toEqual(['the name example.com is not told; --allow tcp:example.com:<port> would allow it']);
  });
});
