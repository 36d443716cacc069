import { describe, expect, it } from 'vitest';
import { CODE, check, DATA, eflags, machine, STACK, setState, stateLike } from './support.ts';

const TOP = STACK;

describe('stack', () => {
  it('PUSH ESP stores the old ESP', () => void check('54 | push esp', {}, { esp: TOP - 4, [TOP - 4]: TOP }));
  it('POP ESP loads', () => void check('5c | pop esp', { [TOP]: 0x1234 }, { esp: 0x1234 }));
  it('POP computes its address after it has incremented ESP', () =>
    void check('8f 44 24 04 | pop DWORD PTR [esp+0x4]', { [TOP]: 7, [TOP + 8]: 0 }, { esp: TOP + 4, [TOP + 8]: 7 }));
  it('PUSH reads its operand with the old ESP', () =>
    void check('ff 74 24 04 | push DWORD PTR [esp+0x4]', { [TOP + 4]: 7 }, { esp: TOP - 4, [TOP - 4]: 7 }));
  it('PUSH sign-extends a byte', () => void check('6a ff | push 0xffffffff', {}, { esp: TOP - 4, [TOP - 4]: -1 }));
  it('16-bit operands move ESP by two', () =>
    void check('66 50 | push ax; 66 5b | pop bx', { eax: 0x12345678, ebx: 0xaaaaaaaa }, { esp: TOP, ebx: 0xaaaa5678 }));
  it('PUSH of a selector', () => void check('1e | push ds', { ds: 0x7b, [TOP - 4]: -1 }, { [TOP - 4]: 0x7b }));
  it('PUSHA and POPA', () =>
    void check(
      '60 | pusha; 31 c0 | xor eax,eax; 61 | popa',
      { eax: 1, ecx: 2, edx: 3, ebx: 4, ebp: 6, esi: 7, edi: 8 },
      { eax: 1, ecx: 2, edx: 3, ebx: 4, esp: TOP, ebp: 6, esi: 7, edi: 8, [TOP - 4]: 1, [TOP - 20]: TOP, [TOP - 32]: 8 },
    ));
  it('ENTER without nesting', () =>
    void check('c8 10 00 00 | enter 0x10,0x0', { ebp: 0x1111 }, { ebp: TOP - 4, esp: TOP - 20, [TOP - 4]: 0x1111 }));
  it('ENTER copies the frame pointers of the levels outside', () => {
    const outer = TOP + 0x40;
    check(
      'c8 08 00 03 | enter 0x8,0x3',
      { ebp: outer, [outer - 4]: 0xa1, [outer - 8]: 0xa2 },
      { ebp: TOP - 4, esp: TOP - 16 - 8, [TOP - 4]: outer, [TOP - 8]: 0xa1, [TOP - 12]: 0xa2, [TOP - 16]: TOP - 4 },
    );
  });
  it('LEAVE', () => void check('c9 | leave', { ebp: TOP + 8, [TOP + 8]: 0x55 }, { esp: TOP + 12, ebp: 0x55 }));
  it('PUSHF composes what POPF sets', () => {
    const m = machine();
    for (const flags of [0, 0xcd5, 0x841, 0x494, 0x200000, 0x44000]) {
      check('9d | popf; 9c | pushf', { [TOP]: flags }, { esp: TOP, [TOP]: flags | 0x202 });
      expect(eflags(m)).toBe(flags | 0x202);
    }
  });
  it('POPF in user mode keeps IF, IOPL and VM', () => void check('9d | popf; 9c | pushf', { [TOP]: 0x23000 }, { esp: TOP, [TOP]: 0x202 }));
});

describe('faults leave registers as they were', () => {
  const m = machine({ memoryModel: 'checked' });
  const hole = 0x50000;
  const faults: [name: string, program: string, before: Record<string, number>, address: number, access: string][] = [
    ['PUSH', '50', { esp: hole + 4 }, hole, 'write'],
    ['POP', '58', { esp: hole, eax: 5 }, hole, 'read'],
    ['POP to memory', '8f 03', { esp: STACK, ebx: hole }, hole, 'write'],
    ['CALL', 'e8 00 01 00 00', { esp: hole + 4 }, hole, 'write'],
    ['RET', 'c3', { esp: hole }, hole, 'read'],
    ['LEAVE', 'c9', { ebp: hole }, hole, 'read'],
    ['XCHG', '87 03', { ebx: hole, eax: 1 }, hole, 'read'],
    ['ADD to memory', '01 03', { ebx: hole, eax: 1 }, hole, 'read'],
    ['CMPXCHG', '0f b1 0b', { ebx: hole, eax: 1 }, hole, 'read'],
    ['CMOV whose condition does not hold', '0f 44 03', { ebx: hole, eax: 1 }, hole, 'read'],
    ['PUSHA', '60', { esp: hole + 8 }, hole + 4, 'write'],
    ['ENTER', 'c8 10 00 00', { esp: hole + 4, ebp: 9 }, hole, 'write'],
    ['ENTER whose new top of the stack is not there', 'c8 00 30 00', { esp: STACK, ebp: 9 }, STACK - 0x3004, 'write'],
    ['BTS beyond the operand', '0f ab 0b', { ebx: DATA, ecx: (hole - DATA) * 8 }, hole, 'read'],
  ];
  for (const [name, program, before, address, access] of faults) {
    it(name, () => {
      m.put(
        CODE,
        program.split(' ').map((byte) => Number.parseInt(byte, 16)),
      );
      setState(m, { ...before, eflags: 'SPC' });
      m.pc = CODE;
      expect(m.step(1)).toEqual({ kind: 'memory-fault', pc: CODE, address, access });
      expect(stateLike(m, { ...before, eflags: '' })).toEqual({ ...before, eflags: 'SPC' });
    });
  }
});
