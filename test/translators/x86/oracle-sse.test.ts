import { describe, it } from 'vitest';
import { agree, casesOf, executorOf, missing, rowsOf, seed } from '../../oracle/x86/harness.ts';
import { generateSse } from '../../oracle/x86/sse.ts';

describe.skipIf(missing !== '')(`MMX and SSE to SSSE3 on the processor itself, seed ${seed}${missing && `: ${missing}`}`, () => {
  for (const name of ['mmx', 'sse', 'sse2', 'sse3', 'ssse3']) {
    const rows = rowsOf(name);
    it.skipIf(rows.length === 0)(
      `${name} interpreted: ${rows.length} rows`,
      async () => agree(casesOf(rows, generateSse, 60), await executorOf('interpret')),
      300_000,
    );
    it.skipIf(rows.length === 0)(
      `${name} translated`,
      async () => agree(casesOf(rows, generateSse, 3), await executorOf('translate')),
      300_000,
    );
  }
});
