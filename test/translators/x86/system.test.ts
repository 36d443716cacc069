import { describe, expect, it } from 'vitest';
import { makeDescriptor } from '../../../translators/x86/abi.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { UserSegment } from '../../../translators/x86/segments.ts';
import { X86 } from '../../../translators/x86/state.ts';
import { type Machine, makeMachine } from '../../support/machine.ts';

const CODE = 0x20000;
const STACK = 0x30000;
const THREAD = 0x40000;
const INT3 = 0xcc;
const TLS = (UserSegment.FIRST_TLS << 3) | 3;
/** user_desc: seg_32bit, limit_in_pages, useable */
const FLAT_TLS = 0x51;

function machine(...code: number[]): Machine {
  const m = makeMachine(x86);
  m.put(CODE, [...code, INT3]);
  m.put(STACK, new Uint8Array(4096));
  m.put(THREAD, [0x78, 0x56, 0x34, 0x12]);
  m.set('esp', STACK + 0x800);
  m.pc = CODE;
  return m;
}
function setTls(m: Machine, entry: number, base: number, limit: number, flags: number): void {
  makeDescriptor(base, limit, flags).forEach((word, n) => {
    m.setWord(X86.GDT + (UserSegment.FIRST_TLS + entry) * 8 + n * 4, word);
  });
}
const dword = (n: number): number[] => [n & 0xff, (n >>> 8) & 0xff, (n >>> 16) & 0xff, (n >>> 24) & 0xff];
const text = (...words: (number | bigint | Uint8Array)[]): string => String.fromCharCode(...words.flatMap((w) => dword(Number(w))));

describe('CPUID', () => {
  const cpuid = (leaf: number): Machine => {
    const m = machine(0x0f, 0xa2);
    m.set('eax', leaf);
    for (const r of ['ebx', 'ecx', 'edx']) m.set(r, 0xdeadbeef);
    m.run();
    return m;
  };
  it('names its vendor as programs know it', () => {
    const m = cpuid(0);
    expect(text(m.get('ebx'), m.get('edx'), m.get('ecx'))).toBe('GenuineIntel');
    expect(m.get('eax')).toBe(2);
  });
  it('announces a family-6 processor with FPU, TSC, CMPXCHG8B, CMOV, CLFLUSH, MMX, FXSR and SSE to SSSE3', () => {
    const m = cpuid(1);
    expect((Number(m.get('eax')) >>> 8) & 15).toBe(6);
    const bits = [0, 4, 8, 15, 19, 23, 24, 25, 26];
    expect(Number(m.get('edx')) >>> 0).toBe(bits.reduce((word, bit) => word | (1 << bit), 0));
    expect(Number(m.get('ecx')) >>> 0).toBe((1 << 0) | (1 << 9));
    // CLFLUSH lines of 64 bytes
    expect(Number(m.get('ebx')) >>> 8).toBe(8);
  });
  it('gives a brand string, and zeros for what does not exist', () => {
    const words = [0x80000002, 0x80000003, 0x80000004].flatMap((leaf) => ['eax', 'ebx', 'ecx', 'edx'].map((r) => cpuid(leaf).get(r)));
    expect(text(...words).replace(/\0+$/, '')).toBe('wasmvisor virtual processor');
    const caches = cpuid(2);
    expect(['eax', 'ebx', 'ecx', 'edx'].map((r) => caches.get(r))).toEqual([0x2c300001, 0, 0, 0x7d]);
    const m = cpuid(0x12345);
    expect(['eax', 'ebx', 'ecx', 'edx'].map((r) => m.get(r))).toEqual([0, 0, 0, 0]);
  });
});

describe('segment registers', () => {
  it('load thread-local entries with their base', () => {
    // mov gs, ax; mov eax, gs:[0]
    const m = machine(0x8e, 0xe8, 0x65, 0xa1, 0, 0, 0, 0);
    setTls(m, 0, THREAD, 0xfffff, FLAT_TLS);
    m.set('eax', TLS);
    expect(m.run().kind).toBe('breakpoint');
    expect([m.get('gs'), m.get('gs_base'), m.get('eax')]).toEqual([TLS, THREAD, 0x12345678]);
  });
  it('may be null but for SS', () => {
    for (const [reg, name] of [
      [0, 'es'],
      [3, 'ds'],
      [4, 'fs'],
      [5, 'gs'],
    ] as const) {
      const m = machine(0x8e, 0xc0 | (reg << 3));
      m.set('eax', 0);
      expect(m.run().kind).toBe('breakpoint');
      expect(m.get(name)).toBe(0);
    }
    expect(machine(0x8e, 0xd0).run()).toEqual({ kind: 'exception', pc: CODE, number: 13, code: 0 });
  });
  it('refuse empty and unknown descriptors with #GP, absent ones with #NP, and keep what they held', () => {
    for (const selector of [TLS, TLS + 8, 0x10, 0x5b, 0x2f]) {
      const m = machine(0x8e, 0xe8);
      m.set('eax', selector);
      expect(m.run(), selector.toString(16)).toEqual({ kind: 'exception', pc: CODE, number: 13, code: selector & 0xfffc });
      expect(m.get('gs')).toBe(0);
    }
    const m = machine(0x8e, 0xe8);
    setTls(m, 0, THREAD, 0xfffff, FLAT_TLS | 0x20);
    m.set('eax', TLS);
    expect(m.run()).toMatchObject({ kind: 'exception', number: 11 });
  });
  it('with bases and limits count for each access', () => {
    // mov es, ax; mov eax, es:[edx]
    for (const [limit, offset, kind] of [
      [3, 0, 'breakpoint'],
      [3, 1, 'exception'],
      [2, 0, 'exception'],
    ] as const) {
      const m = machine(0x8e, 0xc0, 0x26, 0x8b, 0x02);
      setTls(m, 0, THREAD, limit, 1);
      m.set('eax', TLS);
      m.set('edx', offset);
      expect(m.run()).toMatchObject(kind === 'breakpoint' ? { kind } : { kind, number: 13, code: 0, pc: CODE + 2 });
      if (kind === 'breakpoint') expect(m.get('eax')).toBe(0x12345678);
    }
  });
  it('that are null or only to be read fault when they are used so', () => {
    // mov ds|es|fs|gs, ax; mov [edx], eax through it
    for (const [reg, prefix] of [
      [3, 0x3e],
      [0, 0x26],
      [4, 0x64],
      [5, 0x65],
    ])
      for (const [selector, flags] of [
        [0, 0],
        [TLS, 0x51 | 8],
        [TLS, 0x51],
      ]) {
        const m = machine(0x8e, 0xc0 | (reg << 3), prefix, 0x89, 0x02);
        setTls(m, 0, 0, 0xfffff, flags);
        m.set('eax', selector);
        m.set('edx', THREAD);
        const exit = m.run();
        if (selector !== 0 && flags === 0x51) expect(exit.kind).toBe('breakpoint');
        else expect(exit).toMatchObject({ kind: 'exception', number: 13, code: 0, pc: CODE + 2 });
      }
  });
  it('cannot be CS', () => {
    expect(machine(0x8e, 0xc8).run()).toEqual({ kind: 'illegal', pc: CODE });
  });
  it('are popped, with the stack unchanged if that fails', () => {
    const m = machine(0x0f, 0xa9);
    m.put(STACK + 0x800, dword(0x99990000 | TLS));
    expect(m.run()).toMatchObject({ kind: 'exception', number: 13 });
    expect(m.get('esp')).toBe(STACK + 0x800);
    setTls(m, 0, THREAD, 0xfffff, FLAT_TLS);
    m.pc = CODE;
    expect(m.run().kind).toBe('breakpoint');
    expect([m.get('esp'), m.get('gs'), m.get('gs_base')]).toEqual([STACK + 0x804, TLS, THREAD]);
  });
});

describe('what user mode may ask about descriptors', () => {
  const ask = (selector: number, ...code: number[]): Machine => {
    const m = machine(...code);
    setTls(m, 0, THREAD, 0x12345, 0x51);
    setTls(m, 1, THREAD, 0x12345, 0x49);
    m.set('ecx', selector);
    m.set('eax', 0x11111111);
    m.set('zf_result', 5);
    m.run();
    return m;
  };
  const zf = (m: Machine): boolean => m.get('zf_result') === 0;
  it('LAR and LSL', () => {
    const lar = [0x0f, 0x02, 0xc1];
    const lsl = [0x0f, 0x03, 0xc1];
    for (const [selector, rights, limit] of [
      [UserSegment.CODE, 0x00cffb00, 0xffffffff],
      [UserSegment.DATA, 0x00cff300, 0xffffffff],
      [TLS, 0x00d1f300, 0x12345fff],
      [TLS + 8, 0x0051f100, 0x12345],
    ]) {
      const m = ask(selector, ...lar);
      expect([zf(m), m.get('eax')], selector.toString(16)).toEqual([true, rights]);
      expect(ask(selector, ...lsl).get('eax')).toBe(limit);
    }
    const m = ask(0x10, ...lar);
    expect([zf(m), m.get('eax')]).toEqual([false, 0x11111111]);
    expect(ask(0, ...lsl).get('eax')).toBe(0x11111111);
  });
  it('VERR and VERW', () => {
    const verr = (selector: number): boolean => zf(ask(selector, 0x0f, 0x00, 0xe1));
    const verw = (selector: number): boolean => zf(ask(selector, 0x0f, 0x00, 0xe9));
    expect([UserSegment.CODE, UserSegment.DATA, TLS, TLS + 8, 0x10, 0].map(verr)).toEqual([true, true, true, true, false, false]);
    expect([UserSegment.CODE, UserSegment.DATA, TLS, TLS + 8, 0x10, 0].map(verw)).toEqual([false, true, true, false, false, false]);
  });
});

describe('RDTSC', () => {
  it('counts instructions completed, itself included', () => {
    // nop; nop; rdtsc; mov ebx, eax; nop; rdtsc
    const m = machine(0x90, 0x90, 0x0f, 0x31, 0x89, 0xc3, 0x90, 0x0f, 0x31);
    m.run();
    expect((Number(m.get('eax')) - Number(m.get('ebx'))) | 0).toBe(3);
  });
});

describe('what is not for user mode', () => {
  const cases: [string, number[]][] = [
    ['MOV CR0', [0x0f, 0x22, 0xc0]],
    ['RDMSR', [0x0f, 0x32]],
    ['RDPMC', [0x0f, 0x33]],
    ['HLT', [0xf4]],
  ];
  for (const [name, code] of cases) {
    it(`${name} is privileged`, () => expect(machine(...code).run()).toEqual({ kind: 'privileged', pc: CODE }));
  }
  // umip.c of Linux
  for (const [name, code, value] of [
    ['SLDT', [0x0f, 0x00, 0xc0], 0],
    ['STR', [0x0f, 0x00, 0xc8], 0x40],
    ['SMSW', [0x0f, 0x01, 0xe0], 0x80050033],
    // sgdt [esp]; mov eax, [esp + 2]
    ['SGDT', [0x0f, 0x01, 0x04, 0x24, 0x8b, 0x44, 0x24, 2], 0xfffe0000],
    ['SIDT', [0x0f, 0x01, 0x0c, 0x24, 0x8b, 0x44, 0x24, 2], 0xffff0000],
  ] as const) {
    it(`${name} gives what Linux makes up`, () => {
      const m = machine(...code);
      m.run();
      expect(Number(m.get('eax')) >>> 0).toBe(value);
    });
  }
  for (const [name, code] of [
    ['SYSENTER', [0x0f, 0x34]],
    ['SYSCALL', [0x0f, 0x05]],
    ['UD2', [0x0f, 0x0b]],
    // as for qemu-user: no program runs under a hypervisor
    ['VMCALL', [0x0f, 0x01, 0xc1]],
    ['VMMCALL', [0x0f, 0x01, 0xd9]],
  ] as const) {
    it(`${name} is illegal`, () => expect(machine(...code).run()).toEqual({ kind: 'illegal', pc: CODE }));
  }
});
