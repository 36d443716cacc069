import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runElsewhere, runHere, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;
const FILES = ['-D_FILE_OFFSET_BITS=64'];

describe.each(TARGETS)('files on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  it.skipIf(missing !== '')(`tell by signals, are sealed, locked and mapped as on Linux${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, compile(processor, 'told', true, FILES));
    expect(expected.stdout).toContain('unmapped, then read: ');
    const path = compile(target, 'told', true, FILES);
    const { stdout, code } = await runHere(path, { root: nodeFileSystem('/'), path, argv: [path] });
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });
});

describe('a program that asks for ever more', () => {
  it.skipIf(lacks(processor) !== '')(`is refused as Linux would${lacks(processor)}`, { timeout: 300_000 }, async () => {
    const warnings: string[] = [];
    const { stdout, code } = await runHere(compile(processor, 'exhaust', true, FILES), {
      onWarning: (text) => warnings.push(text),
      timeout: 240_000,
    });
    expect(stdout.trim().split('\n')).toEqual([
      'more files: 0',
      'eventfd: 32765, Too many open files in system',
      'the last of 1100 pipes: 8192',
      'the next one: 65536',
      'memory files of 1 MiB: 256, No space left on device',
      'memory files again: 10, no end',
      'inotify: 128, Too many open files',
      'messages: 16, Cannot allocate memory',
      'semaphores: 32, No space left on device',
      'shared memory: 16, Cannot allocate memory',
      'message queues: 9, Too many open files',
      'locks: 8192, No locks available',
      'timers: 1024, Resource temporarily unavailable',
    ]);
    expect(code).toBe(0);
    expect(warnings.length).toBe(100);
  });
});
