// What a guest may reach of the host's network, and the names that it is told.
import { DnsError, dnsReply, parseQuestion } from './dns.ts';
import { type Address, addressText, parseAddress } from './packets.ts';

/** What the guest may reach. At its gateway's address it finds the host's own 127.0.0.1. */
export interface NatRule {
  readonly protocol: 'tcp' | 'udp';
  /** An IPv4 address, or a name, which the guest may then ask for, too. */
  readonly host: string;
  readonly port: number;
}

/** A rule as `tcp:host:port` or `udp:host:port`. Throws RangeError if it is none. */
export function parseNatRule(text: string): NatRule {
  const found = /^(tcp|udp):([a-z0-9.-]+):(\d{1,5})$/i.exec(text);
  const port = Number(found?.[3]);
  if (!found || port < 1 || port > 0xffff) throw new RangeError(`${text}: not tcp:host:port or udp:host:port`);
  return { protocol: found[1].toLowerCase() as NatRule['protocol'], host: found[2].toLowerCase(), port };
}

/** Who is where in a guest's network. */
export const PLACES = { guest: 0x0a00020f, gateway: 0x0a000202, names: 0x0a000203 } as const;
const LOOPBACK = '127.0.0.1';
const MOST_QUESTIONS = 16;

export interface Gate {
  /** Names in rules. */
  readonly names: ReadonlySet<string>;
  /** Where a rule lets the guest go that means this address. */
  allowed(protocol: NatRule['protocol'], to: Address, toPort: number): string | undefined;
  /** What the name server says to a question; undefined: nothing. */
  answer(message: Uint8Array): Promise<Uint8Array | undefined>;
}

export function makeGate(
  rules: readonly NatRule[],
  host: { resolve(name: string): Promise<readonly string[]> },
  onRefused: (name: string) => void = () => {},
): Gate {
  /** Names in rules, by the addresses that the guest was told. */
  const told = new Map<Address, Set<string>>();
  const names = new Set(rules.map((rule) => rule.host).filter((name) => parseAddress(name) === undefined));
  let questions = 0;
  return {
    names,
    allowed(protocol, to, toPort) {
      const text = to === PLACES.gateway ? LOOPBACK : addressText(to);
      const known = told.get(to);
      const rule = rules.find((r) => r.protocol === protocol && r.port === toPort && (r.host === text || known?.has(r.host)));
      return rule && text;
    },
    async answer(message) {
      const asked = message.slice();
      const question = parseQuestion(asked);
      if (!question) return undefined;
      if (!names.has(question.name)) {
        onRefused(question.name);
        return dnsReply(asked, question, DnsError.Refused);
      }
      if (!question.forAddress) return dnsReply(asked, question, []);
      if (questions >= MOST_QUESTIONS) return undefined;
      questions++;
      try {
        const texts = await host.resolve(question.name);
        const found = texts
          .map(parseAddress)
          .filter((address) => address !== undefined)
          .slice(0, 8);
        for (const address of found) told.set(address, (told.get(address) ?? new Set<string>()).add(question.name));
        return dnsReply(asked, question, found.length > 0 ? found : DnsError.Name);
      } catch {
        return dnsReply(asked, question, DnsError.Server);
      } finally {
        questions--;
      }
    },
  };
}
