import { expect, it } from 'vitest';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

const target = TARGETS.find(({ name }) => name === 'i386')!;
const missing = lacks(target);

it.skipIf(missing !== '')(`segments and single steps of i386 programs are the processor’s${missing}`, { timeout: 300_000 }, async () => {
  const file = compile(target, 'segments', true, ['-no-pie']);
  const expected = runElsewhere(target, file);
  expect(expected.stdout).toContain('16 steps\n');
  for (const executor of ['interpret', 'tiered'] as const) {
    const { stdout, code } = await runHere(file, { executor });
    expect({ stdout, code }).toEqual(expected);
  }
});
