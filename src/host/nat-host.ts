import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { resolve4 } from 'node:dns/promises';
import { connect } from 'node:net';
import type { NatHost } from '../devices/net/nat.ts';

/** This host's sockets, for the network of a guest. */
export const nodeNatHost: NatHost = {
  connect(address, port, events) {
    const socket = connect({ host: address, port, allowHalfOpen: true });
    socket.on('connect', () => events.connected());
    socket.on('data', (bytes) => events.data(bytes));
    socket.on('drain', () => events.drained());
    socket.on('end', () => events.ended());
    socket.on('error', () => events.failed());
    return {
      write: (bytes) => socket.write(bytes),
      end: () => void socket.end(),
      destroy: () => void socket.destroy(),
      pause: () => void socket.pause(),
      resume: () => void socket.resume(),
    };
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
