import { describe, expect, it } from 'vitest';
import { Builder } from '../../../src/ir/builder.ts';
import { liftBlock } from '../../../src/ir/lift.ts';
import { Code } from '../../../src/isa/code.ts';
import type { Exit } from '../../../src/vcpu/exit.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { bytesOf, CODE, check, DATA, machine, STACK, type State, setState, stateLike } from './support.ts';

const builder = new Builder(x86.helpers);
const terminator = (hex: string) => liftBlock(x86, builder, Code.of(Uint8Array.from([...bytesOf(hex), 0xcc]), CODE), CODE).terminator;

function exitOf(hex: string, before: State, after: State = {}): Exit {
  const m = machine();
  m.put(CODE, [...bytesOf(hex), 0xcc]);
  setState(m, before);
  m.pc = CODE;
  const exit = m.step(1);
  expect(stateLike(m, after)).toEqual(after);
  return exit;
}

describe('jumps and calls', () => {
  it('JMP', () => void check('eb 02 | jmp 0x20004', {}, { eip: 0x20004 }));
  it('JMP through memory', () => void check('ff 23 | jmp DWORD PTR [ebx]', { ebx: DATA, [DATA]: 0x20080 }, { eip: 0x20080 }));
  it('a 16-bit jump truncates EIP', () => void check('66 e9 00 01 | jmpw 0x104', {}, { eip: 0x104 }));
  it('CALL', () => void check('e8 fb 00 00 00 | call 0x20100', {}, { eip: 0x20100, esp: STACK - 4, [STACK - 4]: CODE + 5 }));
  it('CALL reads its target before it pushes', () =>
    void check('ff 54 24 fc | call DWORD PTR [esp-0x4]', { [STACK - 4]: 0x20100 }, { eip: 0x20100, [STACK - 4]: CODE + 4 }));
  it('RET', () => void check('c3 | ret', { [STACK]: 0x20100 }, { eip: 0x20100, esp: STACK + 4 }));
  it('RET with a count', () => void check('c2 00 80 | ret 0x8000', { [STACK]: 0x20100 }, { eip: 0x20100, esp: STACK + 0x8004 }));
  it('LOOP', () => {
    check('e2 fe | loop 0x20000', { ecx: 2 }, { ecx: 1, eip: CODE });
    check('e2 fe | loop 0x20000', { ecx: 1 }, { ecx: 0, eip: CODE + 2 });
    check('67 e2 fd | addr16 loop 0x20000', { ecx: 0x10001 }, { ecx: 0x10000, eip: CODE + 3 });
    check('e1 fe | loope 0x20000', { ecx: 2 }, { ecx: 1, eip: CODE + 2 });
    check('e0 fe | loopne 0x20000', { ecx: 2 }, { ecx: 1, eip: CODE });
  });
  it('JECXZ', () => {
    check('e3 02 | jecxz 0x20004', { ecx: 0x10000 }, { eip: CODE + 2 });
    check('67 e3 01 | jcxz 0x20004', { ecx: 0x10000 }, { eip: CODE + 4 });
  });
  it('are the terminators that regions are formed of', () => {
    expect(terminator('e8 fb 00 00 00')).toEqual({ kind: 'call', target: 0x20100, next: 0x20005 });
    expect(terminator('ff d0')).toMatchObject({ kind: 'call-indirect', next: 0x20002 });
    expect(terminator('c3').kind).toBe('return');
    expect(terminator('ff e0').kind).toBe('jump');
    expect(terminator('74 02')).toMatchObject({ kind: 'branch', taken: 0x20004, next: 0x20002 });
    // call next; pop ebx
    expect(terminator('e8 00 00 00 00')).toEqual({ kind: 'goto', pc: 0x20005 });
  });
});

describe('what leaves guest code', () => {
  it('INT 0x80', () => expect(exitOf('cd 80', {})).toEqual({ kind: 'syscall', pc: CODE + 2, at: CODE }));
  it('INT3', () => expect(exitOf('cc', {})).toEqual({ kind: 'breakpoint', pc: CODE, code: 3 }));
  it('INT through a gate that user mode may not use', () =>
    expect(exitOf('cd 21', {})).toEqual({ kind: 'exception', pc: CODE, number: 13, code: 0x21 * 8 + 2 }));
  it('INTO', () => {
    expect(exitOf('ce', { eflags: 'O' })).toMatchObject({ kind: 'exception', number: 4 });
    expect(exitOf('ce', {})).toEqual({ kind: 'budget', pc: CODE + 1 });
  });
  it('BOUND', () => {
    const bounds = { ebx: DATA, [DATA]: -5, [DATA + 4]: 5 };
    for (const inside of [-5, 0, 5]) expect(exitOf('62 03', { ...bounds, eax: inside }).kind).toBe('budget');
    for (const outside of [-6, 6]) expect(exitOf('62 03', { ...bounds, eax: outside })).toMatchObject({ kind: 'exception', number: 5 });
  });
  it('division by zero and a quotient that is too large, registers as they were', () => {
    const kept = { edx: 3, eax: 7 };
    const error = { kind: 'exception', pc: CODE, number: 0, code: 0 };
    expect(exitOf('f7 f3', { ...kept, ebx: 0 }, kept)).toEqual(error);
    expect(exitOf('f7 f3', { ...kept, ebx: 3 }, kept)).toEqual(error);
    expect(exitOf('f7 fb', { ...kept, ebx: 3 }, kept)).toEqual(error);
    expect(exitOf('f7 fb', { edx: -0x80000000, eax: 0, ebx: -1 })).toEqual(error);
    expect(exitOf('f7 fb', { edx: -1, eax: -0x80000000, ebx: -1 })).toEqual(error);
    expect(exitOf('66 f7 fb', { edx: 0x8000, eax: 0, ebx: 0xffff })).toEqual(error);
    expect(exitOf('f6 fb', { eax: 0x8000, ebx: 0xff })).toEqual(error);
    expect(exitOf('f6 f3', { eax: 0x300, ebx: 3 })).toEqual(error);
    expect(exitOf('d4 00', {})).toEqual(error);
  });
  it('CDQ and IDIV of the smallest number by -1', () => {
    const m = machine();
    m.put(CODE, bytesOf('99 f7 fb'));
    setState(m, { eax: 0x80000000, ebx: -1 });
    m.pc = CODE;
    expect(m.step(2)).toEqual({ kind: 'exception', pc: CODE + 1, number: 0, code: 0 });
  });
  it('privileged instructions', () => {
    for (const hex of ['f4', 'fa', 'fb', 'e4 60', 'ec', 'ef']) expect(exitOf(hex, {})).toEqual({ kind: 'privileged', pc: CODE });
  });
  it('a store through CS', () => expect(exitOf('2e 89 03', { ebx: DATA })).toMatchObject({ kind: 'exception', number: 13 }));
});
