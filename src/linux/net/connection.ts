import type { ErrnoName } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { SyntheticFileSystem } from '../fs/synthetic.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { ANY4, ANY6, type Endpoint } from './address.ts';
import type { Sender } from './inbox.ts';
import { SocketBudget } from './inbox.ts';
import { concrete, Ports } from './ports.ts';
import { join, Socket, type SocketKind } from './socket.ts';

const SOCKFS_MAGIC = 0x534f434b;
const SOCKFS_DEVICE = 8;
/** net.core.somaxconn, as it was for long. */
const MOST_PENDING = 128;

/** What all sockets of a system share. */
export class Sockets {
  readonly fileSystem = new SyntheticFileSystem('sockfs', SOCKFS_MAGIC);
  readonly budget = new SocketBudget();
  /** Those with names that are no paths, by type and name. */
  readonly abstract = new Map<string, Socket>();
  readonly ports: Ports;
  /** Where those have inodes that have a path. */
  readonly names = new MemoryFileSystem();

  constructor(random: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.fileSystem.device = SOCKFS_DEVICE;
    this.ports = new Ports(random);
  }

  make(kind: SocketKind, owner: Sender): Socket {
    const isInternet = kind.family !== 'unix' && kind.type === 'datagram';
    return new Socket(this.fileSystem, this.budget, kind, owner, isInternet ? this.deliver : undefined);
  }

  private readonly deliver = (socket: Socket, bytes: Uint8Array, to: Endpoint): void => {
    if (!socket.local) this.ports.bind(socket, { host: socket.family === 'inet' ? ANY4 : ANY6, port: 0 });
    if (!this.ports.isHere(to.host)) fail('ENETUNREACH');
    const from = this.ports.sourceOf(socket, to);
    const target = this.ports.find('datagram', to, from);
    if (!target) {
      // ICMP's "port unreachable" is told to who is connected
      if (socket.state === 'connected') socket.error = 'ECONNREFUSED';
    } else if (!target.shut.reading && target.inbox.put(bytes, { from }) !== WOULD_BLOCK) target.wake();
  };

  pair(kind: SocketKind, owner: Sender): readonly [Socket, Socket] {
    const [one, other] = [this.make(kind, owner), this.make(kind, owner)];
    join(one, other);
    return [one, other];
  }

  listen(socket: Socket, backlog: number): void {
    if (!socket.isConnection) fail('EOPNOTSUPP');
    if (socket.state !== 'new' && socket.state !== 'listening') fail('EINVAL');
    if (socket.family !== 'unix') this.ports.listen(socket);
    else if (!socket.local) fail('EINVAL');
    socket.backlog = Math.min(backlog >>> 0, MOST_PENDING);
    socket.state = 'listening';
    socket.wake();
  }

  /** The server's end of a new connection, or why there is none. WOULD_BLOCK: as many as may wait do so already. */
  private arrive(client: Socket, server: Socket | undefined): ErrnoName | typeof WOULD_BLOCK | undefined {
    if (server?.state !== 'listening') return 'ECONNREFUSED';
    if (server.pending.length > server.backlog) return WOULD_BLOCK;
    const accepted = this.make(server, server.owner);
    accepted.local = client.family === 'unix' ? server.local : client.remote;
    accepted.remote = client.local;
    server.enqueue(accepted);
    join(client, accepted);
    return undefined;
  }

  /** The server's end of a connection from outside; false if nobody waits for it. */
  arriveFrom(client: Socket, server: Socket): boolean {
    return this.arrive(client, server) === undefined;
  }

  /** 0, or WOULD_BLOCK while the server has no room. */
  connectLocal(client: Socket, server: Socket): number {
    if (client.type !== server.type) fail('EPROTOTYPE');
    client.remote = server.local;
    client.peerOwner = server.owner;
    if (!client.isConnection) {
      client.peer = server;
      client.state = 'connected';
      client.wake();
      return 0;
    }
    const outcome = this.arrive(client, server);
    if (typeof outcome === 'string') fail(outcome);
    return outcome ?? 0;
  }

  /** Where datagrams go from now on, and come from only. */
  connectUdp(client: Socket, to: Endpoint): void {
    if (!this.ports.isHere(to.host)) fail('ENETUNREACH');
    this.ports.bindForSending(client, to);
    client.remote = { host: concrete(to.host), port: to.port };
    client.state = 'connected';
  }

  /** Starts to connect to a listener of this system; the socket's state and error tell how that went. */
  connectTcp(client: Socket, to: Endpoint): void {
    if (!this.ports.isHere(to.host)) fail('ENETUNREACH');
    this.ports.bindForSending(client, to);
    client.remote = { host: concrete(to.host), port: to.port };
    client.state = 'connecting';
    const server = this.ports.find('stream', to);
    let end: (() => void) | undefined;
    const attempt = (): void => {
      const outcome = client.state === 'connecting' ? this.arrive(client, server) : undefined;
      if (outcome === WOULD_BLOCK) end ??= server!.subscribe(attempt);
      else {
        end?.();
        if (outcome !== undefined) refuse(client, outcome);
      }
    };
    attempt();
  }

  accept(server: Socket): Socket | undefined {
    if (!server.isConnection) fail('EOPNOTSUPP');
    if (server.state !== 'listening') fail('EINVAL');
    return server.dequeue();
  }
}

/** Connecting has failed. */
export function refuse(client: Socket, error: ErrnoName): void {
  client.state = 'new';
  client.remote = undefined;
  client.breakOff(error);
}
