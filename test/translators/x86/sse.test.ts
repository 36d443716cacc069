import { describe, expect, it } from 'vitest';
import { X86 } from '../../../translators/x86/state.ts';
import type { Machine } from '../../support/machine.ts';
import { bytesOf, CODE, DATA, machine, setState } from './support.ts';

type Lanes = readonly [number, number, number, number];
const lanes = (...words: Lanes): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
const singles = (...values: Lanes): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const doubles = (low: number, high: number): Uint8Array => new Uint8Array(Float64Array.of(low, high).buffer);

const FLAGS = 0x3f;
const [IE, DE, ZE, OE, UE, PE] = [1, 2, 4, 8, 16, 32];

/** Runs instructions (hexadecimal) from these registers; words of memory by address. */
function run(code: string, registers: Readonly<Record<string, number | Uint8Array>> = {}): Machine {
  const m = machine();
  const bytes = bytesOf(code);
  m.put(CODE, [...bytes, 0xcc]);
  setState(m, {});
  for (const [name, value] of Object.entries(registers)) {
    if (/^\d/.test(name)) m.put(Number(name), typeof value === 'number' ? new Uint8Array(Uint32Array.of(value).buffer) : value);
    else m.set(name, value);
  }
  m.pc = CODE;
  return m;
}
const result = (code: string, registers: Readonly<Record<string, number | Uint8Array>>, name: string): unknown => {
  const m = run(code, registers);
  expect(m.run().kind).toBe('breakpoint');
  return m.get(name);
};
const loadMxcsr = '0f ae 11'; // ldmxcsr [ecx]
/** MXCSR after code that runs with MXCSR loaded. */
const mxcsrAfter = (mxcsr: number, code: string, registers: Readonly<Record<string, Uint8Array>>): number => {
  const m = run(`${loadMxcsr} ${code}`, { ...registers, ecx: DATA, [DATA]: mxcsr });
  expect(m.run().kind).toBe('breakpoint');
  return m.word(X86.MXCSR);
};

describe('SSE3 and SSSE3', () => {
  const at = (code: string, x: Uint8Array, y: Uint8Array): unknown => result(code, { xmm0: x, xmm1: y }, 'xmm0');
  it('HADDPS, HSUBPS and ADDSUBPS', () => {
    expect(at('f2 0f 7c c1', singles(1, 2, 3, 4), singles(10, 20, 30, 40))).toEqual(singles(3, 7, 30, 70));
    expect(at('f2 0f 7d c1', singles(1, 3, 3, 4), singles(10, 20, 30, 50))).toEqual(singles(-2, -1, -10, -20));
    expect(at('f2 0f d0 c1', singles(1, 2, 3, 4), singles(10, 20, 30, 40))).toEqual(singles(-9, 22, -27, 44));
    expect(at('66 0f d0 c1', doubles(1, 2), doubles(10, 20))).toEqual(doubles(-9, 22));
  });
  it('ADDSUBPS rounds each element as MXCSR says', () => {
    // up
    const m = run(`${loadMxcsr} f2 0f d0 c1`, {
      xmm0: singles(1, 1, 0, 0),
      xmm1: singles(2 ** -30, 2 ** -30, 0, 0),
      ecx: DATA,
      [DATA]: 0x5f80,
    });
    expect(m.run().kind).toBe('breakpoint');
    expect(m.get('xmm0')).toEqual(singles(1, 1 + 2 ** -23, 0, 0));
    expect(m.word(X86.MXCSR) & FLAGS).toBe(PE);
  });
  it('MOVDDUP reads eight bytes wherever they lie', () => {
    expect(result('f2 0f 12 01', { ecx: DATA + 4, [DATA + 4]: lanes(1, 2, 3, 4) }, 'xmm0')).toEqual(lanes(1, 2, 1, 2));
  });
  it('PSHUFB clears where the top bit is set', () => {
    expect(at('66 0f 38 00 c1', lanes(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c), lanes(0x80ff_1f7f, 0, 0x0c0d0e0f, 0x100))).toEqual(
      lanes(0x0000_0f0f, 0, 0x0c0d0e0f, 0x00000100),
    );
  });
  it('PMULHRSW wraps at -1 times -1', () => {
    expect(at('66 0f 38 0b c1', lanes(0x8000_8000, 0x4000_7fff, 0, 0), lanes(0x8000_7fff, 0x4000_7fff, 0, 0))).toEqual(
      lanes(0x8000_8001, 0x2000_7ffe, 0, 0),
    );
  });
  it('PALIGNR by more than sixteen takes zeros from above', () => {
    const [x, y] = [lanes(5, 6, 7, 8), lanes(1, 2, 3, 4)];
    expect(at('66 0f 3a 0f c1 04', x, y)).toEqual(lanes(2, 3, 4, 5));
    expect(at('66 0f 3a 0f c1 14', x, y)).toEqual(lanes(6, 7, 8, 0));
    expect(at('66 0f 3a 0f c1 20', x, y)).toEqual(lanes(0, 0, 0, 0));
  });
  it('PSIGNW and PABSD', () => {
    expect(at('66 0f 38 09 c1', lanes(0x8000_0005, 0x0007_0007, 0, 0), lanes(0xffff_0000, 0x0001_8000, 0, 0))).toEqual(
      lanes(0x8000_0000, 0x0007_fff9, 0, 0),
    );
    expect(at('66 0f 38 1e c1', lanes(0, 0, 0, 0), lanes(0x8000_0000, 0xffff_ffff, 5, 0))).toEqual(lanes(0x8000_0000, 1, 5, 0));
  });
});

describe('packed integers', () => {
  it('PADDUSB saturates, PADDB wraps', () => {
    const before = { xmm0: lanes(0xff80_01fe, 0, 0, 0), xmm1: lanes(0x0180_0103, 0, 0, 0) };
    expect(result('66 0f dc c1', before, 'xmm0')).toEqual(lanes(0xffff_02ff, 0, 0, 0));
    expect(result('66 0f fc c1', before, 'xmm0')).toEqual(lanes(0x0000_0201, 0, 0, 0));
  });
  it('a shift by the width or more gives zero, an arithmetic one the sign', () => {
    const before = { xmm0: lanes(0x8000_7fff, 0x8000_0000, 1, 2), xmm1: lanes(16, 0, 0, 0) };
    expect(result('66 0f d1 c1', before, 'xmm0')).toEqual(lanes(0, 0, 0, 0));
    expect(result('66 0f e1 c1', before, 'xmm0')).toEqual(lanes(0xffff_0000, 0xffff_0000, 0, 0));
    // the count is 64 bits
    expect(result('66 0f d1 c1', { ...before, xmm1: lanes(1, 1, 0, 0) }, 'xmm0')).toEqual(lanes(0, 0, 0, 0));
  });
  it('PSADBW adds absolute differences', () => {
    expect(
      result('66 0f f6 c1', { xmm0: lanes(0x00ff_0110, 0, 0xffff_ffff, 0xffff_ffff), xmm1: lanes(0xff00_0000, 0, 0, 0) }, 'xmm0'),
    ).toEqual(lanes(0xff + 0xff + 1 + 0x10, 0, 8 * 0xff, 0));
  });
  it('PSLLDQ and PSRLDQ by sixteen and more clear the register', () => {
    const before = { xmm0: lanes(1, 2, 3, 4) };
    expect(result('66 0f 73 f8 04', before, 'xmm0')).toEqual(lanes(0, 1, 2, 3));
    expect(result('66 0f 73 d8 0f', before, 'xmm0')).toEqual(lanes(0, 0, 0, 0));
    expect(result('66 0f 73 f8 ff', before, 'xmm0')).toEqual(lanes(0, 0, 0, 0));
  });
});

describe('MMX', () => {
  it('registers are the significands of the physical x87 registers; EMMS empties them', () => {
    // movd mm3, eax
    const m = run('0f 6e d8', { eax: 0x12345678 });
    m.setWord(X86.FTOP, 5);
    m.run();
    expect(m.word(X86.ST + 3 * 16)).toBe(0x12345678);
    expect(m.word(X86.ST + 3 * 16 + 8)).toBe(0xffff);
    expect([m.word(X86.FTOP), m.word(X86.FTW)]).toEqual([0, 0]);
    const flagsAfter = run('0f 6e d8 0f 77', {});
    flagsAfter.run();
    expect(flagsAfter.word(X86.FTW)).toBe(0xffff);
  });
  it('a pending x87 exception comes first', () => {
    const m = run('0f 6e d8', {});
    m.setWord(X86.FSW, 0x80);
    expect(m.run()).toMatchObject({ kind: 'exception', number: 16, pc: CODE });
  });
});

describe('memory operands of sixteen bytes', () => {
  const gp = { kind: 'exception', number: 13, pc: CODE };
  it.each([
    ['movaps xmm0,[ecx]', '0f 28 01'],
    ['movdqa [ecx],xmm0', '66 0f 7f 01'],
    ['paddd xmm0,[ecx]', '66 0f fe 01'],
    ['addps xmm0,[ecx]', '0f 58 01'],
    ['fxsave [ecx]', '0f ae 01'],
  ])('%s must be aligned', (_, code) => {
    expect(run(code, { ecx: DATA + 8 }).run()).toMatchObject(gp);
    expect(run(code, { ecx: DATA + 16 }).run().kind).toBe('breakpoint');
  });
  it('MOVUPS and scalars need not', () => {
    expect(run('0f 10 01', { ecx: DATA + 1 }).run().kind).toBe('breakpoint');
    expect(run('f2 0f 58 01', { ecx: DATA + 1 }).run().kind).toBe('breakpoint');
  });
});

describe('floating point', () => {
  it('the first NaN operand is propagated, quieted; an invalid operation gives the default NaN', () => {
    const add = (a: number, b: number): unknown => result('f3 0f 58 c1', { xmm0: lanes(a, 7, 8, 9), xmm1: lanes(b, 0, 0, 0) }, 'xmm0');
    expect(add(0x7f801234, 0xffc00001)).toEqual(lanes(0x7fc01234, 7, 8, 9));
    expect(add(0x3f800000, 0xff800001)).toEqual(lanes(0xffc00001, 7, 8, 9));
    expect(add(0x7f800000, 0xff800000)).toEqual(lanes(0xffc00000, 7, 8, 9));
  });
  it('MINPS and MAXPS give the second operand for NaNs and zeros', () => {
    const before = { xmm0: lanes(0x80000000, 0x7fc00001, 0x3f800000, 0), xmm1: lanes(0, 0x40000000, 0x7f800001, 0x80000000) };
    for (const opcode of ['5d', '5f']) expect(result(`0f ${opcode} c1`, before, 'xmm0')).toEqual(before.xmm1);
  });
  it('UCOMISD sets ZF, PF and CF', () => {
    const flags = (a: number, b: number): unknown => {
      const m = run('66 0f 2e c1 9f', { xmm0: doubles(a, 0), xmm1: doubles(b, 0) });
      m.run();
      return (Number(m.get('eax')) >>> 8) & 0x45;
    };
    expect([flags(1, 2), flags(2, 1), flags(1, 1), flags(1, Number.NaN)]).toEqual([0x01, 0x00, 0x40, 0x45]);
  });
  it('CVTSD2SI rounds to even and gives 0x80000000 for what does not fit; CVTTSD2SI truncates', () => {
    const convert = (code: string, value: number): number => Number(result(code, { xmm1: doubles(value, 0) }, 'eax')) | 0;
    expect([2.5, -2.5, 3.5, 2147483647.4].map((x) => convert('f2 0f 2d c1', x))).toEqual([2, -2, 4, 2147483647]);
    expect([2147483647.5, 1e300, Number.NaN, -2147483648.5].map((x) => convert('f2 0f 2d c1', x) >>> 0)).toEqual(Array(4).fill(0x80000000));
    expect([2.9, -2.9, -2147483648.9].map((x) => convert('f2 0f 2c c1', x))).toEqual([2, -2, -2147483648]);
  });
  it('MXCSR’s rounding, FZ and DAZ', () => {
    const third = (control: number): unknown =>
      result(`${loadMxcsr} f2 0f 5e c1`, { ecx: DATA, [DATA]: control, xmm0: doubles(1, 0), xmm1: doubles(3, 0) }, 'xmm0');
    expect(third(0x1f80)).toEqual(doubles(1 / 3, 0));
    expect(third(0x5f80)).toEqual(doubles(0.33333333333333337, 0));
    const scaled = (control: number, a: number, b: number): unknown =>
      result(`${loadMxcsr} f2 0f 59 c1`, { ecx: DATA, [DATA]: control, xmm0: doubles(a, 0), xmm1: doubles(b, 0) }, 'xmm0');
    expect(scaled(0x1f80, 1e-300, 1e-10)).toEqual(doubles(1e-310, 0));
    expect(scaled(0x9f80, 1e-300, 1e-10)).toEqual(doubles(0, 0));
    expect(scaled(0x1fc0, 1e-310, 1e10)).toEqual(doubles(0, 0));
  });
  it('RCPPS and RSQRTPS come as near as the manual asks', () => {
    const bound = 1.5 * 2 ** -12;
    for (const [code, f] of [
      ['0f 53 c1', (x: number) => 1 / x],
      ['0f 52 c1', (x: number) => 1 / Math.sqrt(x)],
    ] as const) {
      const values = [3, 0.1, 1e20, 12345] as const;
      const got = new Float32Array((result(code, { xmm1: singles(...values) }, 'xmm0') as Uint8Array).slice().buffer);
      values.forEach((x, n) => {
        expect(Math.abs(got[n] / f(x) - 1)).toBeLessThanOrEqual(bound);
      });
    }
  });
});

describe('MXCSR', () => {
  const divide = 'f2 0f 5e c1';
  it('collects flags once it was loaded', () => {
    const flagsAfter = (a: number, b: number): number => mxcsrAfter(0x1f80, divide, { xmm0: doubles(a, 0), xmm1: doubles(b, 0) }) & FLAGS;
    expect(flagsAfter(6, 3)).toBe(0);
    expect(flagsAfter(1, 3)).toBe(PE);
    expect(flagsAfter(1, 0)).toBe(ZE);
    expect(flagsAfter(0, 0)).toBe(IE);
    expect(flagsAfter(5e-324, 1)).toBe(DE);
    expect(flagsAfter(1e300, 1e-300)).toBe(OE | PE);
    expect(flagsAfter(1e-300, 3e20)).toBe(UE | PE);
  });
  it('collects all but DE before, and DE from then on', () => {
    const flagsAfter = (a: number, b: number, code = divide): number => {
      const m = run(code, { ecx: DATA, xmm0: doubles(a, 0), xmm1: doubles(b, 0) });
      m.run();
      return m.word(X86.MXCSR) & FLAGS;
    };
    expect(flagsAfter(1, 0)).toBe(ZE);
    expect(flagsAfter(0, 0)).toBe(IE);
    expect(flagsAfter(1e300, 1e-300)).toBe(OE | PE);
    // maxsd
    const greater = 'f2 0f 5f c1';
    expect([flagsAfter(1, 3), flagsAfter(5e-324, 1, greater)]).toEqual([PE, 0]);
    // stmxcsr [ecx]; fxsave [ecx]
    for (const look of ['0f ae 19', '0f ae 01']) {
      expect([flagsAfter(1, 3, `${look} ${divide}`), flagsAfter(5e-324, 1, `${look} ${greater}`)]).toEqual([PE, DE]);
    }
  });
  it('collects DE with PE set, when WebAssembly’s operation gives the result', () => {
    const tiny = { xmm0: doubles(5e-324, 1), xmm1: doubles(1, 5e-324) };
    const collected = (code: string): number => mxcsrAfter(0x1fa0, code, tiny) & FLAGS;
    // addsd, maxsd, ucomisd, sqrtsd xmm0, xmm0; addpd, cmppd xmm0, xmm1, 1
    for (const code of ['f2 0f 58 c1', 'f2 0f 5f c1', '66 0f 2e c1', 'f2 0f 51 c0', '66 0f 58 c1', '66 0f c2 c1 01'])
      expect(collected(code), code).toBe(DE | PE);
    // sqrtsd xmm0, xmm1; addss of zeros; cvtsd2si
    for (const code of ['f2 0f 51 c1', 'f3 0f 58 d3', 'f2 0f 2d c0']) expect(collected(code), code).toBe(PE);
  });
  it('an unmasked denormal operand is #XM', () => {
    const m = run(`${loadMxcsr} ${divide}`, { ecx: DATA, [DATA]: 0x1ea0, xmm0: doubles(5e-324, 2), xmm1: doubles(1, 0) });
    expect(m.run()).toMatchObject({ kind: 'exception', number: 19, pc: CODE + 3 });
    expect(m.word(X86.MXCSR)).toBe(0x1ea2);
  });
  it('an unmasked exception is #XM, and the destination stays', () => {
    const m = run(`${loadMxcsr} ${divide}`, { ecx: DATA, [DATA]: 0x1d80, xmm0: doubles(1, 2), xmm1: doubles(0, 0) });
    expect(m.run()).toMatchObject({ kind: 'exception', number: 19, pc: CODE + 3 });
    expect(m.get('xmm0')).toEqual(doubles(1, 2));
    expect(m.word(X86.MXCSR)).toBe(0x1d84);
  });
  it('reserved bits are #GP', () => {
    expect(run(loadMxcsr, { ecx: DATA, [DATA]: 0x10000 }).run()).toMatchObject({ kind: 'exception', number: 13 });
  });
});

describe('FXSAVE and FXRSTOR', () => {
  it('keep x87, MMX, XMM and MXCSR', () => {
    // fld1; fxsave [ecx]; fninit; xorps xmm2, xmm2; fxrstor [ecx]
    const m = run('d9 e8 0f ae 01 db e3 0f 57 d2 0f ae 09', { ecx: DATA, xmm2: lanes(1, 2, 3, 4) });
    expect(m.run().kind).toBe('breakpoint');
    expect(m.get('xmm2')).toEqual(lanes(1, 2, 3, 4));
    expect(m.word(X86.FTOP)).toBe(7);
    expect(m.word(X86.FTW)).toBe(0x3fff);
    expect(m.bytes(DATA + 160 + 32, 16)).toEqual(lanes(1, 2, 3, 4));
    expect([m.memory.u16(DATA), m.memory.u8(DATA + 4), m.memory.u32(DATA + 24)]).toEqual([0x37f, 0x80, 0x1f80]);
  });
});
