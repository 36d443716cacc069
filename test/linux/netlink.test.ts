import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Network } from '../../src/linux/net/outside.ts';
import { compile, lacks, runHere, TARGETS } from './compiled.ts';

// as recorded on the processor (i386, Linux 6.18, in a network of its own with `lo`), but that nothing can be changed
const expected = readFileSync(new URL('./expected/netlink.txt', import.meta.url), 'utf8');

const network: Network = {
  address: '10.0.2.15',
  gateway: '10.0.2.2',
  start: () => Promise.resolve(),
  connect: () => undefined,
  datagrams: () => undefined,
  close() {},
};

describe.each(TARGETS)('netlink on $name', (target) => {
  const missing = lacks(target);
  it.skipIf(missing !== '')(`tells of interfaces, addresses and routes as Linux does${missing}`, { timeout: 300_000 }, async () => {
    const path = compile(target, 'netlink', true);
    const { stdout, code } = await runHere(path, { argv: [path] });
    expect(stdout).toBe(expected);
    expect(code).toBe(0);
  });

  it.skipIf(missing !== '')(`knows the network that a system is in${missing}`, { timeout: 300_000 }, async () => {
    const path = compile(target, 'netlink', true);
    const { stdout } = await runHere(path, { argv: [path, 'briefly'], network });
    const mask = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual([
      'getifaddrs',
      'lo 0x10049 link 1 type 772 00:..:00/-/link 1 type 772 00:..:00 as ioctl',
      'eth0 0x10043 link 2 type 1 52:..:56/-/link 2 type 1 ff:..:ff as ioctl',
      'lo 0x10049 127.0.0.1/255.0.0.0/127.0.0.1 as ioctl',
      'eth0 0x10043 10.0.2.15/255.255.255.0/10.0.2.255 as ioctl',
      `lo 0x10049 ::1/${mask}/- as ioctl`,
      '1 is lo, 1',
      '2 is eth0, 2',
      'route to 192.0.2.1: ok',
      'type 24: family 2 /32 table 254 scope 0 type 1; 1=192.0.2.1 by 2 7=10.0.2.15 5=10.0.2.2',
    ]);
  });
});
