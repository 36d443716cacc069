import { describe, expect, it } from 'vitest';
import { PagePermission } from '../../../assembly/shared/layout.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { type Machine, makeMachine } from '../../support/machine.ts';

const CODE = 0x20000;
const BUFFER = 0x100000;
const BYTES = 0x80000;
const INT3 = 0xcc;

function machine(code: readonly number[], memoryModel: 'direct' | 'checked' = 'direct'): Machine {
  const m = makeMachine(x86, { memoryModel });
  m.memory.map(BUFFER, BYTES, PagePermission.Read | PagePermission.Write);
  m.put(CODE, [...code, INT3]);
  m.pc = CODE;
  return m;
}
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i * 167 + (i >>> 8) * 13);
const set = (m: Machine, registers: Record<string, number>): void => {
  for (const [name, value] of Object.entries(registers)) m.set(name, value);
};

/** What REP MOVS of `count` elements makes of the bytes, one element after the other. */
function moved(bytes: Uint8Array, to: number, from: number, count: number, size: number, down: boolean): Uint8Array {
  const out = bytes.slice();
  const element = new Uint8Array(size);
  for (let n = 0; n < count; n++) {
    const offset = down ? -n * size : n * size;
    for (let i = 0; i < size; i++) element[i] = out[from + offset + i];
    for (let i = 0; i < size; i++) out[to + offset + i] = element[i];
  }
  return out;
}

describe('REP MOVS', () => {
  for (const [size, code] of [
    [1, [0xf3, 0xa4]],
    [2, [0x66, 0xf3, 0xa5]],
    [4, [0xf3, 0xa5]],
  ] as const) {
    it(`copies as one element of ${size} after the other does, whatever overlaps`, () => {
      const m = machine(code);
      const before = pattern(BYTES);
      // distances at which the areas overlap in every way; the last count is over the limit of one pass
      for (const distance of [0, 1, 2, 3, 4, 5, 7, 16, -1, -3, 1000, 70000]) {
        for (const count of [1, 37, 65536 / size + 99]) {
          for (const down of [false, true]) {
            const label = `distance ${distance}, count ${count}, ${down ? 'down' : 'up'}`;
            m.memory.write(BUFFER, before);
            const from = 0x20000;
            const to = from + distance;
            const step = down ? -size : size;
            set(m, { esi: BUFFER + from, edi: BUFFER + to, ecx: count, df: Number(down) });
            m.pc = CODE;
            expect(m.run().kind, label).toBe('breakpoint');
            expect([m.get('esi'), m.get('edi'), m.get('ecx')], label).toEqual([
              BUFFER + from + count * step,
              BUFFER + to + count * step,
              0,
            ]);
            const expected = moved(before, to, from, count, size, down);
            expect(Buffer.compare(m.memory.view(BUFFER, BYTES, 'read'), expected), label).toBe(0);
          }
        }
      }
    });
  }

  it('costs one instruction a pass of 64 KiB, and stops between passes', () => {
    const m = machine([0xf3, 0xa5]);
    set(m, { esi: BUFFER, edi: BUFFER + 0x40000, ecx: 0x10000 });
    expect(m.run(2)).toEqual({ kind: 'budget', pc: CODE });
    expect([m.get('ecx'), m.get('esi'), m.get('edi')]).toEqual([0x8000, BUFFER + 0x20000, BUFFER + 0x60000]);
    expect(m.run(100).kind).toBe('breakpoint');
    expect(m.get('ecx')).toBe(0);
  });

  it('shows the iterations that were completed when a page denies the next one', () => {
    const m = machine([0xf3, 0xa5], 'checked');
    const before = pattern(0x4000);
    m.memory.write(BUFFER, before);
    m.memory.protect(BUFFER + 0x42000, 0x1000, PagePermission.Read);
    set(m, { esi: BUFFER, edi: BUFFER + 0x40002, ecx: 0x1000 });
    expect(m.run()).toEqual({ kind: 'memory-fault', pc: CODE, address: BUFFER + 0x42000, access: 'write' });
    const done = 0x7ff;
    expect([m.get('ecx'), m.get('esi'), m.get('edi')]).toEqual([0x1000 - done, BUFFER + 4 * done, BUFFER + 0x40002 + 4 * done]);
    expect(m.bytes(BUFFER + 0x40002, 4 * done)).toEqual(before.slice(0, 4 * done));
    expect(m.bytes(BUFFER + 0x40002 + 4 * done, 2)).toEqual(new Uint8Array(2));
  });

  it('faults on what is out of the address space in the direct model too', () => {
    const m = machine([0xf3, 0xa4]);
    set(m, { esi: BUFFER, edi: 0x3fffff8, ecx: 100 });
    expect(m.run()).toEqual({ kind: 'memory-fault', pc: CODE, address: 0x4000000, access: 'write' });
    expect(m.get('ecx')).toBe(92);
  });
});

describe('REP STOS', () => {
  it('fills with any pattern, over several passes', () => {
    for (const [size, code] of [
      [1, [0xf3, 0xaa]],
      [2, [0x66, 0xf3, 0xab]],
      [4, [0xf3, 0xab]],
    ] as const) {
      for (const value of [0, 0x5a5a5a5a, 0x12345678]) {
        const m = machine(code);
        const count = 50_003;
        set(m, { edi: BUFFER + 3, ecx: count, eax: value });
        expect(m.run().kind).toBe('breakpoint');
        const expected = Uint8Array.from({ length: count * size }, (_, i) => value >>> ((i % size) * 8));
        expect(Buffer.compare(m.bytes(BUFFER + 3, count * size), expected)).toBe(0);
        expect([m.bytes(BUFFER, 3), m.bytes(BUFFER + 3 + count * size, 8)]).toEqual([new Uint8Array(3), new Uint8Array(8)]);
        expect([m.get('edi'), m.get('ecx')]).toEqual([BUFFER + 3 + count * size, 0]);
      }
    }
  });
});

describe('REPNE SCAS and REPE CMPS', () => {
  it('find what lies beyond the first pass, at every place in a vector', () => {
    for (const place of [0, 1, 15, 16, 17, 65535, 65536, 65537, 200_000]) {
      const m = machine([0xf2, 0xae]);
      m.memory.view(BUFFER, BYTES, 'write').fill(7);
      m.memory.setU8(BUFFER + place, 0);
      set(m, { edi: BUFFER, ecx: 0xffffffff, eax: 0xffffff00 });
      m.run();
      expect([m.get('edi'), m.get('ecx')], `place ${place}`).toEqual([BUFFER + place + 1, 0xffffffff - place - 1]);
      expect(m.word(X86.ZF_RESULT)).toBe(0);
    }
    for (const place of [0, 3, 4, 16383, 16384, 40_000]) {
      const m = machine([0xf3, 0xa7]);
      m.memory.write(BUFFER, pattern(0x30000));
      m.memory.write(BUFFER + 0x40001, pattern(0x30000));
      m.memory.setU8(BUFFER + 0x40001 + place * 4 + 3, m.memory.u8(BUFFER + place * 4 + 3) ^ 0x80);
      set(m, { esi: BUFFER, edi: BUFFER + 0x40001, ecx: 50_000 });
      m.run();
      expect([m.get('esi'), m.get('ecx')], `place ${place}`).toEqual([BUFFER + place * 4 + 4, 50_000 - place - 1]);
      expect(m.word(X86.ZF_RESULT)).not.toBe(0);
    }
  });

  it('leave flags alone where ECX is zero, and through a fault', () => {
    const m = machine([0xf2, 0xae], 'checked');
    set(m, { ecx: 0, edi: 0, cf: 1, zf_result: 0x77 });
    expect(m.run().kind).toBe('breakpoint');
    expect([m.get('cf'), m.get('zf_result')]).toEqual([1, 0x77]);
    const f = machine([0xf2, 0xae], 'checked');
    set(f, { ecx: 100, edi: BUFFER + BYTES - 10, eax: 0x55, cf: 1, zf_result: 0x77 });
    expect(f.run()).toEqual({ kind: 'memory-fault', pc: CODE, address: BUFFER + BYTES, access: 'read' });
    expect([f.get('cf'), f.get('zf_result'), f.get('ecx'), f.get('edi')]).toEqual([1, 0x77, 90, BUFFER + BYTES]);
  });
});

describe('INS and OUTS', () => {
  it('are privileged', () => {
    for (const opcode of [0x6c, 0x6d, 0x6e, 0x6f]) {
      const m = machine([0xf3, opcode]);
      expect(m.run()).toEqual({ kind: 'privileged', pc: CODE });
    }
  });
});
