import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// qemu-user has no ptrace: the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

describe.each(TARGETS)('ptrace on $name', (target) => {
  const missing = lacks(target) || lacks(processor);

  it.skipIf(missing !== '')(`shows what Linux shows${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'ptrace', true));
    const [all, steps] = expected.stdout.split('== steps\n');
    expect(steps).toContain('stepped through it: 1');
    const path = compile(target, 'ptrace', true);
    const { stdout, code } = await runHere(path, { root: nodeFileSystem('/'), path });
    // MIPS has no single steps
    expect(stdout).toBe(`${all}== steps\n${target.name === 'i386' ? steps : ''}`);
    expect(code).toBe(expected.code);
  });
});
