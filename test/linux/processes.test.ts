import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../../src/host/node.ts';
import { compile, lacks, runElsewhere, runHere, stopWhenAllWait, TARGETS } from './compiled.ts';

// the processor says what the program prints, for all instruction sets
const processor = TARGETS.find(({ name }) => name === 'i386')!;

describe.each(TARGETS)('processes on $name', (target) => {
  const missing = lacks(target) || lacks(processor);
  const build = (of = target): string => compile(of, 'processes', true);
  const options = (...args: string[]) => {
    const path = build();
    return { root: nodeFileSystem('/'), path, argv: [path, ...args] };
  };
  const run = (args: readonly string[], more: Parameters<typeof runHere>[1] = {}) => runHere(build(), { ...options(...args), ...more });

  it.skipIf(missing !== '')(`are as Linux has them${missing}`, { timeout: 300_000 }, async () => {
    const expected = runElsewhere(processor, build(processor));
    expect(expected.stdout).toContain('bad arguments: ');
    const { stdout, code } = await run([]);
    expect(stdout).toBe(expected.stdout);
    expect(code).toBe(expected.code);
  });

  it.skipIf(missing !== '')(`change a word of common memory at once${missing}`, { timeout: 300_000 }, async () => {
    const { stdout } = await run(['counting'], { executor: 'interpret' });
    expect(stdout).toBe('counted 3000000\n');
  });

  it.skipIf(missing !== '')(`are bounded in number${missing}`, { timeout: 300_000 }, async () => {
    const { stdout, code } = await run(['bomb'], { processLimit: 20, memoryLimit: 96 << 20 });
    expect(stdout).toBe('19 processes, then Resource temporarily unavailable\n19 gone\n');
    expect(code).toBe(0);
  });

  it.skipIf(missing !== '' || target.name === 'mips')(
    `may be many that nobody has waited for${missing}`,
    { timeout: 300_000 },
    async () => {
      const { stdout, code } = await run(['zombies']);
      expect(stdout).toBe('300 ended, 17202\n');
      expect(code).toBe(0);
    },
  );

  it.skipIf(missing !== '')(
    `are killed if there is not the memory for what others have written${missing}`,
    { timeout: 300_000 },
    async () => {
      const { stdout, code } = await run(['hog'], { memoryLimit: 64 << 20 });
      expect(stdout).toBe('too much: child killed: Killed\n');
      expect(code).toBe(0);
    },
  );

  it.skipIf(missing !== '')(`that all wait for each other can be stopped${missing}`, { timeout: 300_000 }, async () => {
    expect(await stopWhenAllWait(build(), options('deadlock'))).toMatchObject({ name: 'SIGKILL', reason: 'signal' });
  });
});
