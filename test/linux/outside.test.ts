import { expect, test } from 'vitest';
import { Sockets } from '../../src/linux/net/connection.ts';
import type { Network, NetworkUser } from '../../src/linux/net/outside.ts';

const OWNER = { pid: 100, uid: 0, gid: 0 };
const FROM = { host: '192.0.2.1', port: 5000 };

test('what comes from outside and finds no memory for sockets left is turned away, or lost', async () => {
  let user: NetworkUser | undefined;
  let receive = (_bytes: Uint8Array): void => {};
  const network: Network = {
    address: '10.0.2.15',
    start: async (given) => {
      user = given;
    },
    connect: () => undefined,
    datagrams(_to, received) {
      receive = received;
      return { send: () => {}, close: () => {} };
    },
    close: () => {},
  };
  const sockets = new Sockets(
    () => {},
    network,
    () => {},
  );
  await sockets.start();
  const server = sockets.make({ family: 'inet', type: 'stream', protocol: 6 }, OWNER);
  sockets.ports.bind(server, { host: '0.0.0.0', port: 80 });
  sockets.listen(server, 5);
  const asks = sockets.make({ family: 'inet', type: 'datagram', protocol: 17 }, OWNER);
  asks.send(Uint8Array.of(1), {}, FROM);

  const stream = { write: () => true, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} };
  const arrive = (): boolean => user!.arrive(80, FROM, () => stream);
  const rest = 64 << 20;
  sockets.budget.take(rest);
  expect(arrive()).toBe(false);
  receive(Uint8Array.of(1));
  expect([server.pending.length, asks.inbox.available]).toEqual([0, 0]);

  sockets.budget.give(rest);
  expect(arrive()).toBe(true);
  receive(Uint8Array.of(1));
  expect([server.pending.length, asks.inbox.available]).toEqual([1, 1]);
});
