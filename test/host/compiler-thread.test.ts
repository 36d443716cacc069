import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { corpusPath, corpusPrograms } from '../../src/cli/corpus.ts';
import { nodeCompiler } from '../../src/host/compiler-thread.ts';
import { nodeHost } from '../../src/host/node-host.ts';
import type { ProgramOptions } from '../../src/linux/program.ts';
import type { BackgroundCompiler } from '../../src/vcpu/compiler.ts';
import { compile, lacks, TARGETS } from '../linux/compiled.ts';
import { runProgram } from '../support/run-program.ts';

const startCompiler = nodeCompiler();
const unbuilt = startCompiler ? '' : ' (skipped: a single processor, or dist/compile-worker.js is missing, which npm run build makes)';

/** The guest's turns of the host last until the thread has answered, so that it does not depend on which is quicker. */
function patient(): Partial<ProgramOptions> {
  const asked = new Set<Promise<void>>();
  return {
    startCompiler() {
      const thread = startCompiler!();
      const compile: BackgroundCompiler['compile'] = (regions, options, name, done) => {
        const answered = new Promise<void>((resolve) =>
          thread.compile(regions, options, name, (compiled) => {
            done(compiled);
            resolve();
          }),
        );
        asked.add(answered);
        void answered.then(() => asked.delete(answered));
      };
      return { ...thread, compile };
    },
    host: {
      ...nodeHost,
      async turn() {
        await nodeHost.turn();
        await Promise.all(asked);
      },
    },
  };
}

const run = (file: string, argv: readonly string[], inBackground = true) =>
  runProgram(new Uint8Array(readFileSync(file)), {
    argv,
    ...(inBackground && patient()),
    executor: inBackground ? 'tiered' : 'translate',
  });

describe('regions compiled on another thread', () => {
  const programs = corpusPrograms().filter(({ name }) => ['quicksort', 'states', 'recursion'].includes(name));
  it.skipIf(unbuilt).each(programs.map((program) => [program.file, program] as const))(
    `run %s${unbuilt}`,
    async (_, program) => {
      const expected = program.runs[1];
      const { stdout, status, stats } = await run(corpusPath(program), [program.name, ...expected.args]);
      expect({ stdout, status }).toEqual({ stdout: expected.stdout, status: { code: 0 } });
      expect(stats.regions).toBeGreaterThan(0);
    },
    300_000,
  );

  const missing = (target: (typeof TARGETS)[number]): string => unbuilt || lacks(target);
  it.each(TARGETS.map((target) => [target.name, target] as const))(
    'tell where they trapped on %s',
    async (_, target) => {
      const why = missing(target);
      if (why) return void console.warn(why);
      const file = compile(target, 'hot_fault');
      const [here, elsewhere] = [await run(file, ['hot_fault']), await run(file, ['hot_fault'], false)];
      expect(here.stats.regions).toBeGreaterThan(0);
      expect(here.status).toMatchObject({ name: 'SIGSEGV', report: { location: { pc: expect.any(Number) } } });
      expect('report' in here.status && here.status.report?.location).toEqual(
        'report' in elsewhere.status && elsewhere.status.report?.location,
      );
    },
    300_000,
  );
});
