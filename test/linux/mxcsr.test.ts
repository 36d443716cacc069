import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

const target = TARGETS.find(({ name }) => name === 'i386')!;
const missing = lacks(target);

describe.skipIf(missing !== '')(`MXCSR’s flags at a program’s first look${missing}`, () => {
  it('are those of the processor', { timeout: 120_000 }, async () => {
    const file = compile(target, 'mxcsr', true, ['-msse2', '-mfpmath=sse', '-fno-math-errno', '-lm']);
    const expected = runElsewhere(target, file);
    expect(new Set(expected.stdout.split('\n').map((line) => line.split(' ')[1])).size).toBeGreaterThan(6);
    expect((await runHere(file, {})).stdout).toBe(expected.stdout);
  });
});
