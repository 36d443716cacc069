import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, stopWhenAllWait, TARGETS } from './compiled.ts';

const processor = TARGETS.find(({ name }) => name === 'i386')!;

// qemu-user has no robust lists: the processor says what the program prints, for all instruction sets
describe.each(TARGETS)('threads on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  const build = (of = target): string => compile(of, 'threads', true, ['-pthread']);

  it.skipIf(missing !== '')(`are as Linux has them${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, build(processor));
    expect(expected.stdout).toContain('detached: 16000\n');
    expect(expected.stdout).not.toContain('no\n');
    for (const executor of ['interpret', 'tiered'] as const) {
      const { stdout, code } = await runHere(build(), { executor });
      expect(stdout).toBe(expected.stdout);
      expect(code).toBe(expected.code);
    }
  });

  it.skipIf(missing !== '').each(['outlive', 'exit', 'fault'])(
    `end alone or with all others: %s${missing}`,
    { timeout: 300_000 },
    async (how) => {
      const expected = runElsewhere(processor, build(processor), how);
      const { stdout, code } = await runHere(build(), { argv: ['threads', how] });
      expect({ stdout, code }).toEqual(expected);
    },
  );

  it.skipIf(missing !== '')(`that all wait for each other can be stopped${missing}`, { timeout: 300_000 }, async () => {
    expect(await stopWhenAllWait(build(), { argv: ['threads', 'deadlock'] })).toMatchObject({ name: 'SIGKILL', reason: 'signal' });
  });

  it.skipIf(missing !== '')(`are bounded in number${missing}`, { timeout: 300_000 }, async () => {
    const { stdout, code } = await runHere(build(), { argv: ['threads', 'multiply'] });
    expect(stdout).toBe('4096 threads, then Resource temporarily unavailable\n');
    expect(code).toBe(0);
  });
});
