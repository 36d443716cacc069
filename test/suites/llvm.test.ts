import { describe, expect, test } from 'vitest';
import { att } from './llvm-att.ts';
import { canonical, llvm } from './llvm-mips.ts';

// The texts are compared letter by letter, so what these functions lose would be compared by nobody.

describe("our text in AT&T's syntax", () => {
  test.each([
    ['mov DWORD PTR [eax+0x4],ecx', 'movl %ecx,4(%eax)'],
    ['mov WORD PTR [eax+0x4],0x5', 'movw $5,4(%eax)'],
    ['mov BYTE PTR [eax+0x4],0x5', 'movb $5,4(%eax)'],
    ['mov ecx,DWORD PTR [eax+0x4]', 'movl 4(%eax),%ecx'],
    ['sub eax,ebx', 'subl %ebx,%eax'],
    ['lea esi,[esi+eiz*1+0x0]', 'leal (%esi,%eiz),%esi'],
    ['mov eax,DWORD PTR fs:[ecx*4-0x10]', 'movl %fs:-16(,%ecx,4),%eax'],
    ['mov eax,ds:0x8000014', 'movl 134217748,%eax'],
    ['mov eax,gs:0x14', 'movl %gs:20,%eax'],
    ['movzx ecx,WORD PTR [eax]', 'movzwl (%eax),%ecx'],
    ['movzx cx,al', 'movzbw %al,%cx'],
    ['fld TBYTE PTR [eax]', 'fldt (%eax)'],
    ['fadd QWORD PTR [eax]', 'faddl (%eax)'],
    ['fild QWORD PTR [eax]', 'fildll (%eax)'],
    // AT&T's assembler exchanges these two
    ['fsub st(2),st', 'fsubr %st,%st(2)'],
    ['fsubr st(2),st', 'fsub %st,%st(2)'],
    ['fsub st,st(2)', 'fsub %st(2),%st'],
    ['rep movs DWORD PTR es:[edi],DWORD PTR ds:[esi]', 'rep movsl (%esi),%es:(%edi)'],
    ['shl eax,1', 'shll %eax'],
    ['shl eax,cl', 'shll %cl,%eax'],
    ['call DWORD PTR [eax]', 'calll *(%eax)'],
    ['call FWORD PTR [eax]', 'lcalll *(%eax)'],
    ['jmp 0x2:0x1234', 'ljmpl $2,$4660'],
    ['enter 0x10,0x1', 'enter $16,$1'],
    ['out dx,ax', 'outw %ax,%dx'],
    ['cmpxchg8b QWORD PTR [esi]', 'cmpxchg8b (%esi)'],
    ['pshufd xmm1,XMMWORD PTR [eax],0x1b', 'pshufd $27,(%eax),%xmm1'],
  ])('%s', (ours, theirs) => expect(att(ours)).toBe(theirs));
});

describe("LLVM's syntax for MIPS", () => {
  test.each([
    ['addu v0,a0,ra', 0, '$2,$4,$31'],
    ['lw t0,-8(sp)', 0, '$8,-8($29)'],
    ['lwxc1 $f20,t4(t6)', 0, '$f20,$12($14)'],
    ['beq a0,zero,0x18', 0, '$4,$0,24'],
    ['mfc0 v0,c0_watchhi,1', 0x40029801, '$2,$19,1'],
    ['ext v0,v1,0x3,0x5', 0, '$2,$3,3,5'],
  ])('%s', (ours, word, operands) => {
    const text = `${ours.split(' ')[0]} ${operands}`;
    expect(llvm(ours, word)).toBe(text);
    expect(canonical(text)).toBe(text);
  });
  test('names and numbers of registers are the same', () => expect(canonical('addu $v0, $zero, $fp')).toBe('addu $2,$0,$30'));
});
