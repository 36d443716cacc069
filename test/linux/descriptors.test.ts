import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

describe.each(TARGETS)('descriptors without files on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  it.skipIf(missing !== '')(`are as Linux has them${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'descriptors', true));
    expect(expected.stdout).toContain('hung up: 1');
    const { stdout, code } = await runHere(compile(target, 'descriptors', true), {});
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});
