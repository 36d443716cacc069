import { describe, it } from 'vitest';
import { generateFpu } from '../../oracle/x86/fpu.ts';
import { agree, casesOf, executorOf, missing, rowsOf, seed } from '../../oracle/x86/harness.ts';

describe.skipIf(missing !== '')(`x87 on the processor itself, seed ${seed}${missing && `: ${missing}`}`, () => {
  const rows = rowsOf('x87');
  it.skipIf(rows.length === 0)(
    `interpreted: ${rows.length} rows`,
    async () => agree(casesOf(rows, generateFpu, 60), await executorOf('interpret')),
    300_000,
  );
  it.skipIf(rows.length === 0)('translated', async () => agree(casesOf(rows, generateFpu, 2), await executorOf('translate')), 300_000);
});
