import { describe, expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

const target = TARGETS.find(({ name }) => name === 'i386')!;
const missing = lacks(target);

describe('what a handler is told of a fault on i386', () => {
  it.skipIf(missing)(`is what Linux tells it${missing}`, { timeout: 300_000 }, async () => {
    const file = compile(target, 'fault_info', true);
    const expected = runElsewhere(target, file).stdout;
    expect(expected).toContain('ud2: signal 4 code 2 trap 6');
    for (const executor of ['interpret', 'translate'] as const)
      expect({ executor, stdout: (await runHere(file, { executor })).stdout }).toEqual({ executor, stdout: expected });
  });
});
