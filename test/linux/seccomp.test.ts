import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

describe.each(TARGETS)('seccomp on $name', (target) => {
  const missing = lacks(target) || lacks(processor);

  it.skipIf(missing !== '')(`filters calls as Linux does${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'seccomp', true));
    expect(expected.stdout).toContain('SIGSYS 1: code 1, call 1');
    const { stdout, code } = await runHere(compile(target, 'seccomp', true), {});
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});
