import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getEflags, setEflags } from '../../../translators/x86/abi.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { bytesOf, CODE, machine, setState } from './support.ts';

const word = fc.oneof(
  fc.constantFrom(0, 1, -1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, -0x80000000, 0x3f800000, 0x7fc00000),
  fc.integer(),
);

/** Instructions on EAX and EBX (AL and BL, AX and BX) after which a condition may be one comparison. */
const setters = [
  '39 d8',
  '38 d8',
  '66 39 d8',
  '01 d8',
  '00 d8',
  '29 d8',
  '66 29 d8',
  '11 d8',
  '19 d8',
  '85 d8',
  '84 d8',
  '21 d8',
  '48',
  '66 48',
]
  .concat([
    '40',
    'fe c8',
    'f7 d8',
    'd3 e0',
    'd3 f8',
    '0f af c3',
    'f7 e3',
    '39 d8 f9',
    '48 f5',
    '39 d8 9e',
    '39 d8 0f a3 d8',
    '39 d8 0f bc c3',
    // movd xmm0,eax; movd xmm1,ebx; ucomiss xmm0,xmm1
    '66 0f 6e c0 66 0f 6e cb 0f 2e c1',
  ])
  .map(bytesOf);

describe('conditions', () => {
  it('are the same whether fused with the instruction before or read from the state', () => {
    const m = machine();
    // setcc of all sixteen conditions to [edi]
    const conditions = Array.from({ length: 16 }, (_, cc) => [0x0f, 0x90 | cc, 0x47, cc]).flat();
    setters.forEach((setter, n) => {
      m.put(CODE + 0x100 * n, [...setter, ...conditions, 0xcc]);
    });
    const state = fc.record({ eax: word, ebx: word, ecx: word, carry: fc.boolean() });
    fc.assert(
      fc.property(fc.nat(setters.length - 1), state, (n, { eax, ebx, ecx, carry }) => {
        const run = (step: (pc: number) => void): Uint8Array => {
          setState(m, { eax, ebx, ecx, edi: 0x30000, eflags: carry ? 'CO' : '' });
          m.pc = CODE + 0x100 * n;
          step(m.pc);
          return m.bytes(0x30000, 16);
        };
        const fused = run(() => expect(m.run().kind).toBe('breakpoint'));
        const read = run(() => {
          for (;;) if (m.step(1).kind !== 'budget') break;
        });
        expect(fused).toEqual(read);
      }),
      { numRuns: 400 },
    );
  });
});

describe('EFLAGS', () => {
  it('composed from the state are what was set', () => {
    const state = new DataView(new ArrayBuffer(X86.SIZE));
    fc.assert(
      fc.property(fc.integer(), (flags) => {
        setEflags(state, flags);
        expect(getEflags(state)).toBe((flags & 0x3f7fd5) | 2);
      }),
    );
  });
});
