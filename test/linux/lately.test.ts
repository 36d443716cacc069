import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runHere, TARGETS } from './compiled.ts';

// as recorded on the processor (i386, Linux 6.18, as root): a container may refuse some of these calls
const expected = readFileSync(new URL('./expected/lately.txt', import.meta.url), 'utf8');
const FILES = ['-D_FILE_OFFSET_BITS=64'];
const folder = mkdtempSync(join(tmpdir(), 'wasmvisor-lately-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(TARGETS)('calls that few programs make on $name', (target) => {
  const missing = lacks(target);
  it.skipIf(missing !== '')(`do what Linux does${missing}`, { timeout: 300_000 }, async () => {
    const path = compile(target, 'lately', true, FILES);
    // in memory, then below a folder of the host's
    const inMemory = await runHere(path, { argv: [path, '/'] });
    expect(inMemory.stdout).toBe(expected);
    const { stdout, code } = await runHere(path, { root: nodeFileSystem('/'), path, argv: [path, folder] });
    expect(stdout).toBe(expected);
    expect(code).toBe(0);
  });
});
