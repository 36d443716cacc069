import { Errno } from '../errno.ts';
import { fail } from '../fs/fail.ts';
import { ANY4 } from '../net/address.ts';
import { type Interface, interfacesOf } from '../net/interfaces.ts';
import type { Process } from '../process.ts';

/** Requests of netdevice(7); the same in all ABIs. */
const enum Request {
  GIFNAME = 0x8910,
  GIFCONF = 0x8912,
  GIFFLAGS = 0x8913,
  GIFADDR = 0x8915,
  GIFBRDADDR = 0x8919,
  GIFNETMASK = 0x891b,
  GIFMETRIC = 0x891d,
  GIFMTU = 0x8921,
  GIFHWADDR = 0x8927,
  GIFINDEX = 0x8933,
  GIFTXQLEN = 0x8942,
}

/** Bytes of a name, and of struct ifreq. */
const [NAME, IFREQ] = [16, 32];
const AF_INET = 2;

const interfaces = (p: Process): readonly Interface[] => interfacesOf(p.system.sockets.place);

const maskOf = (prefix: number): string => [0, 8, 16, 24].map((bit) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - bit)))).join('.');

function writeAddress(p: Process, at: number, host: string): void {
  const bytes = p.memory.view(at, 16, 'write');
  bytes.fill(0);
  bytes.set(host.split('.').map(Number), 4);
  p.memory.setU16(at, AF_INET);
}

function writeName(p: Process, at: number, name: string): void {
  const bytes = p.memory.view(at, NAME, 'write');
  bytes.fill(0);
  bytes.set(new TextEncoder().encode(name));
}

/** struct ifconf: as many interfaces as there is room for, or how much that would be. */
function listInterfaces(p: Process, at: number): number {
  const all = interfaces(p);
  const buffer = p.memory.u32(at + 4);
  const count = buffer === 0 ? all.length : Math.min(all.length, Math.floor(Math.max(0, p.memory.i32(at)) / IFREQ));
  if (buffer !== 0)
    all.slice(0, count).forEach(({ name, address }, n) => {
      writeName(p, buffer + n * IFREQ, name);
      writeAddress(p, buffer + n * IFREQ + NAME, address);
    });
  p.memory.setU32(at, count * IFREQ);
  return 0;
}

/** ioctl of a socket about interfaces; undefined if it is not about them. Nothing can be changed. */
export function interfaceRequest(p: Process, request: number, at: number): number | undefined {
  if (request < Request.GIFNAME || request > 0x899f) return undefined;
  if (request === Request.GIFCONF) return listInterfaces(p, at);
  const all = interfaces(p);
  const data = at + NAME;
  if (request === Request.GIFNAME) {
    writeName(p, at, (all[p.memory.i32(data) - 1] ?? fail('ENODEV')).name);
    return 0;
  }
  const text = new TextDecoder('latin1').decode(p.memory.view(at, NAME, 'read'));
  const index = all.findIndex(({ name }) => name === text.split(/[\0:]/)[0]);
  if (index < 0) return -Errno.ENODEV;
  const { address, prefix, broadcast, flags, mtu, queue, hardware } = all[index];
  switch (request) {
    case Request.GIFADDR:
      writeAddress(p, data, address);
      return 0;
    case Request.GIFNETMASK:
      writeAddress(p, data, maskOf(prefix));
      return 0;
    case Request.GIFBRDADDR:
      writeAddress(p, data, broadcast ?? ANY4);
      return 0;
    case Request.GIFFLAGS:
      p.memory.setU16(data, flags);
      return 0;
    case Request.GIFMTU:
      p.memory.setU32(data, mtu);
      return 0;
    case Request.GIFINDEX:
      p.memory.setU32(data, index + 1);
      return 0;
    case Request.GIFMETRIC:
      p.memory.setU32(data, 0);
      return 0;
    case Request.GIFTXQLEN:
      p.memory.setU32(data, queue);
      return 0;
    case Request.GIFHWADDR:
      p.memory.setU16(data, hardware.type);
      p.memory.write(data + 2, Uint8Array.from(hardware.address));
      return 0;
    default:
      return -Errno.EPERM;
  }
}
