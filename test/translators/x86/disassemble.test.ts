import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Code } from '../../../src/isa/code.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { bytesOf } from './support.ts';

const disassemble = (bytes: readonly number[], pc: number) => x86.disassemble(Code.of(Uint8Array.from(bytes), pc), pc);

describe('disassembler', () => {
  it.each([
    ['b8 34 12', 'mov ax,0x1234'],
    ['66 b8 78 56 34 12', 'mov eax,0x12345678'],
    ['8b 47 fe', 'mov ax,WORD PTR [bx-0x2]'],
    ['67 8b 44 24 04', 'mov ax,WORD PTR [esp+0x4]'],
    ['c3', 'ret'],
    ['66 c3', 'retd'],
    ['66 9d', 'popfd'],
    ['67 e3 02', 'jecxz 0x8005'],
    ['eb fe', 'jmp 0x8000'],
    ['ea 00 00 00 f0', 'jmp 0xf000:0x0'],
    ['0f 01 17', 'lgdtw [bx]'],
    ['67 32 2c 25 a2 04 00 00', 'addr32 xor ch,BYTE PTR ds:0x4a2'],
  ])('shows 16-bit code: %s is %s', (hex, text) => {
    const bytes = Uint8Array.from(bytesOf(hex));
    expect(x86.disassemble(Code.of(bytes, 0x8000), 0x8000, x86.mode16)).toEqual({ text, length: bytes.length });
  });

  const texts: readonly [hex: string, text: string][] = [
    ['90', 'nop'],
    ['66 90', 'xchg ax,ax'],
    ['f3 90', 'pause'],
    ['f3 c3', 'repz ret'],
    ['65 a1 14 00 00 00', 'mov eax,gs:0x14'],
    ['a1 14 00 00 08', 'mov eax,ds:0x8000014'],
    ['8b 0d 14 00 00 08', 'mov ecx,DWORD PTR ds:0x8000014'],
    ['8d b4 26 00 00 00 00', 'lea esi,[esi+eiz*1+0x0]'],
    ['66 2e 0f 1f 84 00 00 00 00 00', 'nop WORD PTR cs:[eax+eax*1+0x0]'],
    ['8b 04 8d f0 ff ff ff', 'mov eax,DWORD PTR [ecx*4-0x10]'],
    ['67 8b 42 fe', 'mov eax,DWORD PTR [bp+si-0x2]'],
    ['f0 0f b1 0a', 'lock cmpxchg DWORD PTR [edx],ecx'],
    ['0f 8c fa ff ff ff', 'jl 0x1000'],
    ['ff 24 85 00 00 00 08', 'jmp DWORD PTR [eax*4+0x8000000]'],
    ['c8 10 00 01', 'enter 0x10,0x1'],
    ['62 06', 'bound eax,QWORD PTR [esi]'],
    ['66 60', 'pushaw'],
    ['f3 0f 1e fb', 'endbr32'],
    ['0f c7 0e', 'cmpxchg8b QWORD PTR [esi]'],
    ['0f 04', '(bad)'],
    // ModRM.mod of MOV with control and debug registers is ignored: no displacement follows
    ['0f 20 40', 'mov eax,cr0'],
    ['0f 23 85', 'mov dr0,ebp'],
    ['63 08', 'arpl WORD PTR [eax],cx'],
    // prefixes that change nothing, in their order
    ['2e 67 26 40', 'cs addr16 es inc eax'],
    ['f3 f3 aa', 'repz rep stos BYTE PTR es:[edi],al'],
    ['66 dd 20', 'frstorw [eax]'],
    ['67 8b 80 00 80', 'mov eax,DWORD PTR [bx+si-0x8000]'],
    ['f3 0f c2 c1 04', 'cmpneqss xmm0,xmm1'],
    ['0f c2 c1 08', 'cmpps xmm0,xmm1,0x8'],
  ];
  for (const [hex, text] of texts) it(`${hex} is ${text}`, () => expect(disassemble(bytesOf(hex), 0x1000).text).toBe(text));
});

const OBJDUMP = ['i686-linux-gnu-objdump', 'objdump'].find((name) => spawnSync(name, ['--info']).stdout?.includes('elf32-i386'));
const PROGRAMS = new URL('../../../corpus/programs/', import.meta.url).pathname;
const programs = ['x86', 'x86-sse2'].flatMap((isa) => readdirSync(PROGRAMS + isa).map((name) => `${isa}/${name}`));

describe.skipIf(!OBJDUMP)(`objdump agrees${OBJDUMP ? '' : ': skipped, there is no objdump for i386'}`, () => {
  for (const program of programs) {
    it(program, () => {
      const listing = execFileSync(OBJDUMP!, ['-d', '-w', '-M', 'intel', PROGRAMS + program], { encoding: 'utf8', maxBuffer: 1 << 28 });
      let compared = 0;
      const differences: string[] = [];
      for (const line of listing.split('\n')) {
        const match = /^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t([^<#]*)/.exec(line);
        if (!match || match[3].includes('(bad)')) continue;
        const bytes = bytesOf(match[2].trim());
        const text = match[3].trim().replace(/\s+/g, ' ');
        const expected = text.replace(/^(j\w+|call|loop\w*) ([0-9a-f]+)$/, '$1 0x$2');
        const actual = disassemble([...bytes, ...new Array<number>(16).fill(0)], Number.parseInt(match[1], 16));
        compared++;
        if (actual.text !== expected || actual.length !== bytes.length) differences.push(`${match[2]} ${expected} | ${actual.text}`);
      }
      expect(differences).toEqual([]);
      expect(compared).toBeGreaterThan(50);
    });
  }
});
