// The part of DNS (RFC 1035) that answers one question for addresses.
import { type Address, put16, put32, u16 } from './packets.ts';

export const DNS_PORT = 53;

const HEADER = 12;
const TYPE_A = 1;
const CLASS_IN = 1;
const LONGEST_NAME = 253;
const TTL_SECONDS = 60;
const RESPONSE = 0x8180;
export const enum DnsError {
  Format = 1,
  Server = 2,
  Name = 3,
  Refused = 5,
}

export interface Question {
  readonly name: string;
  /** Whether IPv4 addresses are asked for. */
  readonly forAddress: boolean;
  /** Bytes of header and question. */
  readonly size: number;
}

export function parseQuestion(message: Uint8Array): Question | undefined {
  if (message.length < HEADER || message[2] & 0x80 || u16(message, 4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (!(length <= 63) || at + 1 + length > message.length) return undefined;
    if (length === 0) break;
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + length)).toLowerCase());
    at += 1 + length;
  }
  at++;
  const name = labels.join('.');
  if (at + 4 > message.length || name.length > LONGEST_NAME) return undefined;
  return { name, forAddress: u16(message, at) === TYPE_A && u16(message, at + 2) === CLASS_IN, size: at + 4 };
}

export function dnsReply(message: Uint8Array, { size }: Question, answer: readonly Address[] | DnsError): Uint8Array {
  const addresses = typeof answer === 'number' ? [] : answer;
  const reply = new Uint8Array(size + 16 * addresses.length);
  reply.set(message.subarray(0, size));
  put16(reply, 2, RESPONSE | (typeof answer === 'number' ? answer : 0));
  put16(reply, 6, addresses.length);
  put16(reply, 8, 0);
  put16(reply, 10, 0);
  addresses.forEach((address, index) => {
    const at = size + 16 * index;
    // a pointer to the name in the question
    put16(reply, at, 0xc000 | HEADER);
    put16(reply, at + 2, TYPE_A);
    put16(reply, at + 4, CLASS_IN);
    put32(reply, at + 6, TTL_SECONDS);
    put16(reply, at + 10, 4);
    put32(reply, at + 12, address);
  });
  return reply;
}
