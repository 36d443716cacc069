import type { SocketType } from '../calls/socket-abi.ts';
import type { ErrnoName } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { release } from '../fs/file-table.ts';
import { SpecialInode, type SyntheticFileSystem } from '../fs/synthetic.ts';
import { Mode, type OpenFile, Poll, type Timeouts, WOULD_BLOCK } from '../fs/vfs.ts';
import { WaitQueue } from '../fs/wait.ts';
import type { Address, Family } from './address.ts';
import { type Enclosed, Inbox, type Received, type Sender, type SocketBudget } from './inbox.ts';

/** What is asked of one read, and what it then tells. */
export interface Reading {
  readonly peek?: boolean;
  received?: Received;
}

export interface SocketKind {
  readonly family: Family;
  readonly type: SocketType;
  readonly protocol: number;
  /** SOCK_RAW, where it is no other than SOCK_DGRAM. */
  readonly isRaw?: boolean;
}

/** Brings a datagram to where it is for, other than to a local socket. */
export type Deliver = (from: Socket, bytes: Uint8Array, to: Address | undefined) => void;

/** A socket; what connects it is in connection.ts. */
export class Socket implements OpenFile {
  readonly inode: SpecialInode;
  readonly seekable = false;
  readonly keepsMessages: boolean;
  readonly timeouts: Timeouts = {};
  readonly family: Family;
  readonly type: SocketType;
  readonly protocol: number;
  readonly isRaw: boolean;
  readonly inbox: Inbox;
  state: 'new' | 'connecting' | 'connected' | 'listening' | 'closed' = 'new';
  local: Address | undefined;
  remote: Address | undefined;
  /** The other end; of datagrams, where they go. */
  peer: Socket | undefined;
  /** Who made the other end (SO_PEERCRED). */
  peerOwner: Sender | undefined;
  /** Nobody has been told yet how connecting went. */
  connects = false;
  /** Nothing more is read, or written, here. */
  readonly shut = { reading: false, writing: false };
  /** Told by the next call. */
  error: ErrnoName | undefined;
  /** Connections that wait for accept(2). */
  readonly pending: Socket[] = [];
  backlog = 0;
  /** Options that are only kept, by level and number. */
  readonly options = new Map<string, number>();
  reuseAddress = false;
  reusePort = false;
  onlyIpv6 = false;
  passesCredentials = false;
  /** SO_LINGER's seconds, if it is on. */
  linger: number | undefined;
  /** What a name, a port or datagrams beyond this system need done at the end. */
  readonly onClose: (() => void)[] = [];
  private readonly queue = new WaitQueue();

  constructor(
    fileSystem: SyntheticFileSystem,
    private readonly budget: SocketBudget,
    kind: SocketKind,
    /** Who made it. */
    readonly owner: Sender,
    private readonly deliver?: Deliver,
  ) {
    this.inode = new SpecialInode(fileSystem, Mode.Socket, 0o777, 0, () => fail('ENXIO'));
    this.family = kind.family;
    this.type = kind.type;
    this.protocol = kind.protocol;
    this.isRaw = kind.isRaw ?? false;
    this.keepsMessages = kind.type !== 'stream';
    this.inbox = new Inbox(budget, this.keepsMessages);
  }

  get isConnection(): boolean {
    return this.type !== 'datagram';
  }
  get isInternet(): boolean {
    return this.family === 'inet' || this.family === 'inet6';
  }
  get path(): string {
    return `socket:[${this.inode.number}]`;
  }

  wake(events?: number): void {
    this.queue.wake(events);
  }

  /** Who sends datagrams waits for what they are sent to, too. */
  subscribe = (listener: (events: number) => void): (() => void) => {
    const ends = [this.queue.subscribe(listener)];
    if (!this.isConnection && this.peer) ends.push(this.peer.queue.subscribe(listener));
    return () => {
      for (const end of ends) end();
    };
  };

  /** The error that waits to be told, which then does so no more. */
  takeError(): ErrnoName | undefined {
    const { error } = this;
    this.error = undefined;
    return error;
  }
  private tellError(): void {
    const error = this.takeError();
    if (error) fail(error);
  }

  read(into: Uint8Array, _position = 0): number {
    const reading: Reading = {};
    const count = this.receive(into, reading);
    for (const file of reading.received?.files ?? []) release(file);
    return count;
  }

  /** Bytes, 0 at the end, or WOULD_BLOCK. */
  receive(into: Uint8Array, reading: Reading): number {
    if (this.isConnection && this.state !== 'connected' && this.inbox.isEmpty && !this.shut.reading) {
      this.tellError();
      if (this.state === 'connecting') return WOULD_BLOCK;
      fail(this.family === 'unix' && this.type === 'stream' ? 'EINVAL' : 'ENOTCONN');
    }
    if (into.length === 0 && !this.keepsMessages) return 0;
    // that something was lost is told before what is left
    if (this.family === 'netlink') this.tellError();
    const received = this.inbox.take(into, reading.peek);
    if (received) {
      reading.received = received;
      if (!reading.peek) {
        this.wake(0);
        if (this.isConnection) this.peer?.wake(Poll.Out);
      }
      return received.count;
    }
    this.tellError();
    return this.shut.reading ? 0 : WOULD_BLOCK;
  }

  write(from: Uint8Array, _position = 0): number {
    return this.send(from);
  }

  /** Bytes sent, or WOULD_BLOCK. `to` is what datagrams are for, if not the connected one. */
  send(from: Uint8Array, enclosed: Enclosed = {}, to: Socket | Address | undefined = this.peer): number {
    if (this.family === 'netlink') return this.sendDatagram(from, enclosed, to);
    if (this.family !== 'unix') this.tellError();
    if (this.shut.writing) fail('EPIPE');
    this.tellError();
    return this.isConnection ? this.sendAlong(from, enclosed) : this.sendDatagram(from, enclosed, to);
  }

  private sendAlong(from: Uint8Array, enclosed: Enclosed): number {
    if (this.state === 'connecting') return WOULD_BLOCK;
    if (this.state !== 'connected') fail(this.family === 'unix' ? 'ENOTCONN' : 'EPIPE');
    const { peer } = this;
    if (!peer || peer.state === 'closed') {
      // TCP learns from what it sends that nobody is there (RFC 9293, 3.10.7.1)
      this.breakOff('EPIPE');
      return from.length;
    }
    const count = peer.inbox.put(from, { sender: this.owner, ...enclosed });
    if (count > 0 || this.keepsMessages) peer.wake(ARRIVAL);
    return count;
  }

  private sendDatagram(from: Uint8Array, enclosed: Enclosed, to: Socket | Address | undefined): number {
    if (this.deliver) {
      this.deliver(this, from, to instanceof Socket ? undefined : (to ?? this.remote));
      return from.length;
    }
    if (!(to instanceof Socket)) fail(this.state === 'connected' ? 'ECONNREFUSED' : 'ENOTCONN');
    if (to.state === 'closed') {
      if (to === this.peer) this.peer = undefined;
      fail('ECONNREFUSED');
    }
    if (to.shut.reading) fail('EPIPE');
    // one that is connected hears only its peer
    if (to.peer && to.peer !== this) fail('EPERM');
    const count = to.inbox.put(from, { from: this.local, sender: this.owner, ...enclosed });
    if (count !== WOULD_BLOCK) to.wake(ARRIVAL);
    return count;
  }

  available(): number {
    if (this.state === 'listening') fail('EINVAL');
    return this.inbox.available;
  }

  poll(): number {
    const { shut, isConnection, state } = this;
    const isInternet = this.family !== 'unix';
    let events = this.error ? Poll.Error : 0;
    if (state === 'listening') return events | (this.pending.length > 0 ? Poll.In | Poll.ReadNormal : 0);
    if (shut.reading && shut.writing) events |= Poll.HangUp;
    if (shut.reading) events |= Poll.In | Poll.ReadNormal | Poll.ReadHangUp;
    if (!this.inbox.isEmpty) events |= Poll.In | Poll.ReadNormal;
    if (isConnection && (state === 'new' || state === 'closed')) events |= Poll.HangUp;
    if (state === 'connecting') return events;
    if ((isInternet && shut.writing) || this.canSend) events |= Poll.Out;
    return events;
  }
  private get canSend(): boolean {
    const { peer } = this;
    return !peer || peer.state === 'closed' || peer.inbox.hasRoom;
  }

  shutdown(reading: boolean, writing: boolean): void {
    const { peer } = this;
    if (this.state === 'listening' && this.family !== 'unix') {
      if (reading) this.stopListening();
      return;
    }
    const isLoose = this.family === 'unix' ? false : this.state !== 'connected';
    if (isLoose && this.isConnection) fail('ENOTCONN');
    this.shut.reading ||= reading;
    this.shut.writing ||= writing;
    if (peer && this.isConnection) {
      if (writing) peer.shut.reading = true;
      if (reading && this.family === 'unix') peer.shut.writing = true;
      peer.wake();
    }
    this.wake();
    if (isLoose) fail('ENOTCONN');
  }

  /** A connection waits to be accepted. */
  enqueue(connection: Socket): void {
    this.budget.take(PENDING_COST);
    this.pending.push(connection);
    this.wake();
  }
  dequeue(): Socket | undefined {
    const connection = this.pending.shift();
    if (!connection) return undefined;
    this.budget.give(PENDING_COST);
    // who could not connect for want of room may
    this.wake();
    return connection;
  }

  private stopListening(): void {
    this.state = 'new';
    for (let connection = this.dequeue(); connection; connection = this.dequeue()) {
      connection.peer?.breakOff('ECONNRESET');
      connection.close();
    }
    this.wake();
  }

  /** The connection is no more. */
  breakOff(error: ErrnoName): void {
    this.error = error;
    this.shut.reading = true;
    this.shut.writing = true;
    this.wake();
  }

  close(): void {
    if (this.state === 'closed') return;
    if (this.state === 'listening') this.stopListening();
    const { peer } = this;
    const wasConnected = this.state === 'connected';
    this.state = 'closed';
    for (const end of this.onClose) end();
    if (peer && this.isConnection && wasConnected) {
      const isReset = !this.inbox.isEmpty || (this.linger === 0 && this.family !== 'unix');
      if (isReset) peer.breakOff('ECONNRESET');
      peer.shut.reading = true;
      if (this.family === 'unix') peer.shut.writing = true;
      peer.wake();
    }
    this.inbox.clear();
    this.wake();
  }
}

/** What waits for the other end. */
const ARRIVAL = Poll.In | Poll.ReadNormal;
/** What a connection that waits takes of the host's memory. */
const PENDING_COST = 2048;

export const isSocket = (file: OpenFile | undefined): file is Socket => file instanceof Socket;

/** Connects two sockets to each other. */
export function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    from.peer = to;
    from.peerOwner = to.owner;
    from.state = 'connected';
  }
  one.wake();
  other.wake();
}

/** Connecting has failed. */
export function refuse(client: Socket, error: ErrnoName): void {
  client.state = 'new';
  client.remote = undefined;
  client.breakOff(error);
}
