import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

// mipsel's numbers are those of mips
describe.each(TARGETS.filter(({ name }) => name !== 'mipsel'))('what happens to files on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  it.skipIf(missing !== '')(`is as Linux has it${missing}`, async ({ skip }) => {
    const there = compile(processor, 'files', true);
    // not each file system has what the program uses
    const folder = ['/dev/shm', tmpdir(), '/var/tmp'].find((each) => runElsewhere(processor, there, each, 'serves').code === 0);
    if (folder === undefined) return skip('no folder with extended attributes for programs that change users');
    const expected = runElsewhere(processor, there, folder);
    expect(expected.stdout).toContain('Text file busy');
    const path = compile(target, 'files', true);
    const identity = { uid: process.getuid!(), gid: process.getgid!() };
    const { stdout, code } = await runHere(path, { root: nodeFileSystem('/'), path, argv: [path, '/dev/shm'], ...identity });
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});
