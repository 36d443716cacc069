import type { Stream, StreamEvents } from '../../devices/net/tcp.ts';
import type { Endpoint } from './address.ts';

/** Takes what a connection tells, and gives what writes to it. */
export type OpenStream = (events: StreamEvents) => Stream;

/** What a network asks of the system in it. */
export interface NetworkUser {
  /** A connection from outside to a port of the system's; false if nobody takes it. */
  arrive(port: number, from: Endpoint, open: OpenStream): boolean;
  /** A line for the user. */
  warn(text: string): void;
}

/** Datagrams to and from one place. */
export interface Flow {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** The network beyond a system, for what its sockets send to no address of its own. */
export interface Network {
  /** IPv4 address of the system. */
  readonly address: string;
  /** Its gateway, for programs that ask (rtnetlink(7)); undefined: none is needed. */
  readonly gateway?: string | undefined;
  /** What /etc/resolv.conf shows; undefined: what is there. */
  readonly nameServer?: string | undefined;
  /** Before the program runs. */
  start(user: NetworkUser): Promise<void>;
  /** Undefined if it may not be reached. */
  connect(to: Endpoint, events: StreamEvents): Stream | undefined;
  /** `closed` is called once the flow is of no use any more. Undefined if it may not be reached. */
  datagrams(to: Endpoint, received: (bytes: Uint8Array) => void, closed: () => void): Flow | undefined;
  /** After the program's end. */
  close(): void;
}
