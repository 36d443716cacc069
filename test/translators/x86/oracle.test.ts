import { describe, expect, it } from 'vitest';
import { type Case, CODE, DATA_BYTES, STACK, STACK_BYTES } from '../../oracle/x86/case.ts';
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

describe('RDTSC', () => {
  it('gives the same count interpreted and translated', async () => {
    // mov ecx, 5; again: nop; rdtsc; push eax; rdtsc; push eax; loop again
    const code = Uint8Array.of(0xb9, 5, 0, 0, 0, 0x90, 0x0f, 0x31, 0x50, 0x0f, 0x31, 0x50, 0xe2, 0xf7);
    const c: Case = {
      regs: Int32Array.of(0, 0, 0, 0, STACK + 0x800, 0, 0, 0),
      eflags: 2,
      eip: CODE + 0x100,
      code,
      dataOffset: 0,
      data: new Uint8Array(DATA_BYTES),
      stackOffset: 0x900,
      stack: new Uint8Array(STACK_BYTES),
      threadSegment: false,
    };
    const [interpreted] = (await executorOf('interpret')).run([c]);
    const [translated] = (await executorOf('translate')).run([c]);
    expect(interpreted.end.kind).toBe('breakpoint');
    // 1 + 4 loops of 6 + nop, rdtsc, push, rdtsc
    expect(interpreted.regs[0]).toBe(1 + 4 * 6 + 4);
    expect(translated.regs[0]).toBe(interpreted.regs[0]);
    expect(translated.changes).toEqual(interpreted.changes);
  }, 60_000);
});
