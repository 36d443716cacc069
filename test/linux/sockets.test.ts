import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

// hosts without IPv6 have no ::1
const interfaces = Object.values(networkInterfaces()).flat();
const loopback = interfaces.some((each) => each?.address === '::1') ? '::1' : '::ffff:127.0.0.1';

describe.each(TARGETS)('sockets on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  it.skipIf(missing !== '')(`are as Linux has them${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'sockets', true), loopback);
    expect(expected.stdout).toContain('served 3, 33');
    const { stdout, code } = await runHere(compile(target, 'sockets', true), { argv: ['sockets', loopback] });
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});
