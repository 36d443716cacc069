import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { resolve4 } from 'node:dns/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { NetworkHost } from '../devices/net/host-network.ts';
import type { Stream, StreamEvents } from '../devices/net/tcp.ts';

function streamOf(socket: Socket, events: StreamEvents): Stream {
  socket.on('connect', () => events.connected());
  socket.on('data', (bytes) => events.data(bytes));
  socket.on('drain', () => events.drained());
  socket.on('end', () => events.ended());
  socket.on('error', (error: NodeJS.ErrnoException) => events.failed(error.code));
  return {
    write: (bytes) => socket.write(bytes),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

/** This host's sockets, for the network of a guest. */
export const nodeNatHost: NetworkHost = {
  connect: (address, port, events) => streamOf(connect({ host: address, port, allowHalfOpen: true }), events),
  listen(address, port, arrived) {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const from = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
      const accepted = arrived(from, (events) => {
        const stream = streamOf(socket, events);
        socket.resume();
        return stream;
      });
      if (!accepted) socket.resetAndDestroy();
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port }, () => {
        server.on('error', () => {});
        resolve({ port: (server.address() as AddressInfo).port, close: () => void server.close() });
      });
    });
  },
  datagrams(address, port, received) {
    const socket = createSocket('udp4');
    socket.on('message', (bytes, from) => {
      if (from.address === address && from.port === port) received(bytes);
    });
    // an unreachable port is silence to the guest
    socket.on('error', () => {});
    return { send: (bytes) => socket.send(bytes, port, address, () => {}), close: () => void socket.close() };
  },
  resolve: (name) => resolve4(name),
  later(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
  random: (bytes) => randomBytes(bytes),
};
