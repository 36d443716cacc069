import { describe, it } from 'vitest';
import { generate } from '../../oracle/x86/generate.ts';
import { agree, casesOf, executorOf, missing, rowsOf, seed } from '../../oracle/x86/harness.ts';
import { generateSequence } from '../../oracle/x86/sequence.ts';

const GROUPS = ['move', 'arithmetic', 'logic', 'shift', 'bit', 'control', 'stack', 'string', 'bcd', 'misc', 'system'];
const SETS_FLAGS = ['arithmetic', 'logic', 'shift', 'bit', 'bcd', 'string'];

describe.skipIf(missing !== '')(`x86 on the processor itself and interpreted, seed ${seed}${missing && `: ${missing}`}`, () => {
  for (const name of GROUPS) {
    const rows = rowsOf(name);
    it.skipIf(rows.length === 0)(
      `${name}: ${rows.length} rows`,
      async () => agree(casesOf(rows, generate, 25), await executorOf('interpret')),
      60_000,
    );
  }

  const setters = rowsOf(...SETS_FLAGS);
  it.skipIf(setters.length === 0)(
    'flags set by one instruction and read by the next',
    async () => agree(casesOf(setters, generateSequence, 40), await executorOf('interpret')),
    60_000,
  );
});

describe.skipIf(missing !== '')(`x86 on the processor itself and translated, seed ${seed}${missing && `: ${missing}`}`, () => {
  const rows = rowsOf(...GROUPS);
  it.skipIf(rows.length === 0)('all rows', async () => agree(casesOf(rows, generate, 1), await executorOf('translate')), 60_000);

  const setters = rowsOf(...SETS_FLAGS);
  it.skipIf(setters.length === 0)(
    'flags set by one instruction and read by the next',
    async () => agree(casesOf(setters, generateSequence, 3), await executorOf('translate')),
    60_000,
  );
});
