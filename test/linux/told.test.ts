import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;
const FILES = ['-D_FILE_OFFSET_BITS=64'];

describe.each(TARGETS)('files on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  it.skipIf(missing !== '')(`tell by signals, are sealed, locked and mapped as on Linux${missing}`, { timeout: 120_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'told', true, FILES));
    expect(expected.stdout).toContain('unmapped, then read: ');
    const path = compile(target, 'told', true, FILES);
    const { stdout, code } = await runHere(path, { root: nodeFileSystem('/'), path, argv: [path] });
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});
