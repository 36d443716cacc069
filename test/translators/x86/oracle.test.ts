import { describe, expect, it } from 'vitest';
import { type Case, CODE, DATA_BYTES, type Executor, type Outcome, STACK, STACK_BYTES } from '../../oracle/x86/case.ts';
import { disagreements } from '../../oracle/x86/compare.ts';
import { generate } from '../../oracle/x86/generate.ts';
import { agree, casesOf, executorOf, missing, processor, rowsOf, seed } from '../../oracle/x86/harness.ts';
import { generateSequence } from '../../oracle/x86/sequence.ts';

const GROUPS = ['move', 'arithmetic', 'logic', 'shift', 'bit', 'control', 'stack', 'string', 'bcd', 'misc', 'system'];
const SETS_FLAGS = ['arithmetic', 'logic', 'shift', 'bit', 'bcd', 'string'];

describe.skipIf(missing !== '')(`x86 on the processor itself and interpreted, seed ${seed}${missing && `: ${missing}`}`, () => {
  for (const name of GROUPS) {
    const rows = rowsOf(name);
    it.skipIf(rows.length === 0)(
      `${name}: ${rows.length} rows`,
      async () => agree(casesOf(rows, generate, 25), await executorOf('interpret')),
      300_000,
    );
  }

  const setters = rowsOf(...SETS_FLAGS);
  it.skipIf(setters.length === 0)(
    'flags set by one instruction and read by the next',
    async () => agree(casesOf(setters, generateSequence, 20), await executorOf('interpret')),
    300_000,
  );
});

describe.skipIf(missing !== '')(`x86 on the processor itself and translated, seed ${seed}${missing && `: ${missing}`}`, () => {
  const rows = rowsOf(...GROUPS);
  it.skipIf(rows.length === 0)('all rows', async () => agree(casesOf(rows, generate, 1), await executorOf('translate')), 300_000);

  const setters = rowsOf(...SETS_FLAGS);
  it.skipIf(setters.length === 0)(
    'flags set by one instruction and read by the next',
    async () => agree(casesOf(setters, generateSequence, 3), await executorOf('translate')),
    300_000,
  );
});

/** Instructions on a state that is zero but for ESP. */
const plainCase = (...code: number[]): Case => ({
  regs: Int32Array.of(0, 0, 0, 0, STACK + 0x800, 0, 0, 0),
  eflags: 2,
  eip: CODE + 0x100,
  code: Uint8Array.from(code),
  dataOffset: 0,
  data: new Uint8Array(DATA_BYTES),
  stackOffset: 0x900,
  stack: new Uint8Array(STACK_BYTES),
  threadSegment: false,
});

describe.skipIf(missing !== '')(`the comparison itself${missing && `: ${missing}`}`, () => {
  it('ends an endless loop, and goes on after it', async () => {
    const cases = [plainCase(0xeb, 0xfe), plainCase(0x40)];
    const ends = [{ kind: 'endless' }, { kind: 'breakpoint' }];
    expect(processor!.run(cases).map((o) => o.end)).toMatchObject(ends);
    expect((await executorOf('interpret')).run(cases).map((o) => o.end)).toMatchObject(ends);
  }, 300_000);

  it('reports a wrong register, flag, byte of memory and end, each with the instruction', () => {
    // add eax, 1; push eax
    const c = plainCase(0x83, 0xc0, 0x01, 0x50);
    const wrong = (change: (o: Outcome) => Outcome): string => {
      const executor: Executor = { name: 'wrong', run: (cases) => processor!.run(cases).map(change) };
      const reports = disagreements(
        [c],
        processor!,
        executor,
        () => ({}),
        () => 0,
      );
      expect(reports).toHaveLength(1);
      expect(reports[0]).toContain('83 c0 01 50   add eax,0x1; push eax');
      return reports[0];
    };
    expect(wrong((o) => ({ ...o, regs: o.regs.with(2, 7) }))).toContain('edx: 00000000 | 00000007');
    expect(wrong((o) => ({ ...o, eflags: o.eflags ^ 1 }))).toContain('flags: none | CF');
    expect(wrong((o) => ({ ...o, changes: new Map() }))).toContain('[200107fc]: 01 | unchanged');
    expect(wrong((o) => ({ ...o, end: { kind: 'exception', vector: 6, address: 0 } }))).toContain('| exception 6');
  });
});

describe('RDTSC', () => {
  it('gives the same count interpreted and translated', async () => {
    // mov ecx, 5; again: nop; rdtsc; push eax; rdtsc; push eax; loop again
    const c = plainCase(0xb9, 5, 0, 0, 0, 0x90, 0x0f, 0x31, 0x50, 0x0f, 0x31, 0x50, 0xe2, 0xf7);
    const [interpreted] = (await executorOf('interpret')).run([c]);
    const [translated] = (await executorOf('translate')).run([c]);
    expect(interpreted.end.kind).toBe('breakpoint');
    // 1 + 4 loops of 6 + nop, rdtsc, push, rdtsc
    expect(interpreted.regs[0]).toBe(1 + 4 * 6 + 4);
    expect(translated.regs[0]).toBe(interpreted.regs[0]);
    expect(translated.changes).toEqual(interpreted.changes);
  }, 300_000);
});
