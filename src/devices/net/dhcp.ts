// The part of DHCP (RFC 2131, options of RFC 2132) that gives one guest its address.
import { type Address, put32, u32 } from './packets.ts';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

const MAGIC = 0x63825363;
const OPTIONS = 240;
const SHORTEST = 300;
const enum Option {
  Mask = 1,
  Router = 3,
  NameServer = 6,
  Lease = 51,
  Type = 53,
  Server = 54,
  End = 255,
}
const enum Message {
  Discover = 1,
  Offer = 2,
  Request = 3,
  Acknowledge = 5,
}
const LEASE_SECONDS = 86_400;

export interface Lease {
  readonly guest: Address;
  readonly server: Address;
  /** Undefined: there is no name server. */
  readonly names: Address | undefined;
}

/** The answer to a client's message, undefined if there is none. */
export function dhcpReply(message: Uint8Array, { guest, server, names }: Lease): Uint8Array | undefined {
  if (message.length < OPTIONS || message[0] !== 1 || message[2] !== 6 || u32(message, 236) !== MAGIC) return undefined;
  const type = messageType(message.subarray(OPTIONS));
  if (type !== Message.Discover && type !== Message.Request) return undefined;
  const reply = new Uint8Array(SHORTEST);
  reply.set([2, 1, 6, 0]);
  reply.set(message.subarray(4, 8), 4);
  reply.set(message.subarray(10, 12), 10);
  put32(reply, 16, guest);
  put32(reply, 20, server);
  reply.set(message.subarray(28, 44), 28);
  put32(reply, 236, MAGIC);
  let at = OPTIONS;
  const option = (code: Option, value: number): void => {
    reply.set([code, 4], at);
    put32(reply, at + 2, value);
    at += 6;
  };
  reply.set([Option.Type, 1, type === Message.Discover ? Message.Offer : Message.Acknowledge], at);
  at += 3;
  option(Option.Server, server);
  option(Option.Lease, LEASE_SECONDS);
  option(Option.Mask, 0xffffff00);
  option(Option.Router, server);
  if (names !== undefined) option(Option.NameServer, names);
  reply[at] = Option.End;
  return reply;
}

function messageType(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length && options[at] !== Option.End; ) {
    if (options[at] === 0) {
      at++;
      continue;
    }
    if (options[at] === Option.Type && options[at + 1] === 1) return options[at + 2];
    at += 2 + (options[at + 1] ?? 0);
  }
  return undefined;
}
