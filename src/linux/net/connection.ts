import type { ErrnoName } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { MemoryFileSystem } from '../fs/memory-fs.ts';
import { SyntheticFileSystem } from '../fs/synthetic.ts';
import { WOULD_BLOCK } from '../fs/vfs.ts';
import { ignoringErrors } from '../memory-map.ts';
import { ANY4, ANY6, type Endpoint, isEndpoint, isIpv4 } from './address.ts';
import { bridge } from './bridge.ts';
import { CAPACITY, type Sender, SocketBudget } from './inbox.ts';
import type { Place } from './interfaces.ts';
import type { Flow, Network, OpenStream } from './outside.ts';
import { concrete, Ports } from './ports.ts';
import { type Deliver, join, refuse, Socket, type SocketKind } from './socket.ts';

const SOCKFS_MAGIC = 0x534f434b;
const SOCKFS_DEVICE = 8;
/** net.core.somaxconn, as it was for long. */
const MOST_PENDING = 128;
const LARGEST_UDP = 65507;

/** What all sockets of a system share. */
export class Sockets {
  readonly fileSystem = new SyntheticFileSystem('sockfs', SOCKFS_MAGIC);
  readonly budget = new SocketBudget();
  /** Those with names that are no paths, by type and name. */
  readonly abstract = new Map<string, Socket>();
  readonly ports: Ports;
  /** Those of netlink(7), by who they are there. */
  readonly netlink = new Map<number, Socket>();
  private readonly flows = new WeakMap<Socket, Map<string, Flow>>();
  /** Where those have inodes that have a path. */
  readonly names = new MemoryFileSystem();

  constructor(
    random: (bytes: Uint8Array<ArrayBuffer>) => void,
    private readonly network: Network | undefined,
    /** Tells the user once per key. */
    private readonly warn: (key: string, text: string) => void,
  ) {
    this.fileSystem.device = SOCKFS_DEVICE;
    this.ports = new Ports(random);
    this.ports.own = network?.address;
  }

  get place(): Place {
    return { address: this.ports.own, gateway: this.network?.gateway };
  }

  /** Until then, nothing comes from outside. */
  async start(): Promise<void> {
    await this.network?.start({ arrive: this.arriveFromOutside, warn: (text) => this.warn(text, text) });
  }

  private readonly arriveFromOutside = (port: number, from: Endpoint, open: OpenStream): boolean => {
    const server = this.ports.find('stream', { host: this.ports.own!, port });
    if (!server) return false;
    const far = this.make(server, server.owner);
    far.local = from;
    far.remote = { host: this.ports.own!, port };
    // what there is no memory for is turned away
    ignoringErrors(() => this.arrive(far, server));
    return far.peer !== undefined && bridge(far.peer, far, open);
  };

  /** The network that an address is in, which is none of this system's. */
  private beyond({ host, port }: Endpoint, isSilent = false): Network {
    if (this.network && isIpv4(host)) return this.network;
    if (!isSilent) {
      const text = isIpv4(host)
        ? `${host}:${port} is not reached: there is no network (--net user; API: network)`
        : 'IPv6 leads nowhere: there is no such network';
      this.warn(text, text);
    }
    return fail('ENETUNREACH');
  }

  make(kind: SocketKind, owner: Sender, deliver?: Deliver): Socket {
    const isInternet = kind.family !== 'unix' && kind.type === 'datagram';
    return new Socket(this.fileSystem, this.budget, kind, owner, deliver ?? (isInternet ? this.deliver : undefined));
  }

  private readonly deliver: Deliver = (socket, bytes, to) => {
    if (bytes.length > LARGEST_UDP) fail('EMSGSIZE');
    if (!to || !isEndpoint(to)) fail('EDESTADDRREQ');
    if (!socket.local) this.ports.bind(socket, { host: socket.family === 'inet' ? ANY4 : ANY6, port: 0 });
    if (!this.ports.isHere(to.host)) {
      this.deliverOutside(socket, bytes, to);
      return;
    }
    const from = this.ports.sourceOf(socket, to);
    const target = this.ports.find('datagram', to, from);
    if (!target) {
      // ICMP's "port unreachable" is told to who is connected
      if (socket.state === 'connected') socket.error = 'ECONNREFUSED';
    } else if (!target.shut.reading && target.inbox.put(bytes, { from }) !== WOULD_BLOCK) target.wake();
  };

  private deliverOutside(socket: Socket, bytes: Uint8Array, to: Endpoint): void {
    const network = this.beyond(to);
    let flows = this.flows.get(socket);
    if (!flows) {
      const made = new Map<string, Flow>();
      flows = made;
      this.flows.set(socket, made);
      socket.onClose.push(() => {
        for (const flow of made.values()) flow.close();
      });
    }
    const key = `${to.host}:${to.port}`;
    let flow = flows.get(key);
    if (!flow) {
      const known = flows;
      const received = (data: Uint8Array): void => {
        const { remote, shut, state } = socket;
        if (state === 'closed' || shut.reading || (remote && isEndpoint(remote) && `${remote.host}:${remote.port}` !== key)) return;
        // what there is no memory for is lost
        ignoringErrors(() => {
          if (data.length <= CAPACITY && socket.inbox.hasRoom && socket.inbox.put(data, { from: to }) !== WOULD_BLOCK) socket.wake();
        });
      };
      flow = network.datagrams(to, received, () => known.delete(key)) ?? fail('EACCES');
      flows.set(key, flow);
    }
    flow.send(bytes.slice());
  }

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
    if (!this.ports.isHere(to.host)) this.beyond(to, true);
    this.ports.bindForSending(client, to);
    client.remote = { host: concrete(to.host), port: to.port };
    client.state = 'connected';
  }

  /** Starts to connect; the socket's state and error tell how that went. */
  connectTcp(client: Socket, to: Endpoint): void {
    const network = this.ports.isHere(to.host) ? undefined : this.beyond(to);
    this.ports.bindForSending(client, to);
    client.remote = { host: concrete(to.host), port: to.port };
    client.state = 'connecting';
    if (network) {
      const far = this.make(client, client.owner);
      if (!bridge(client, far, (events) => network.connect(to, events))) refuse(client, 'ECONNREFUSED');
      return;
    }
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
