import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExitKind } from '../../../assembly/shared/exit.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { liftBlock } from '../../../src/ir/lift.ts';
import { deadcode } from '../../../src/ir/passes/deadcode.ts';
import { verify } from '../../../src/ir/verify.ts';
import { Code, FetchFault } from '../../../src/isa/code.ts';
import { buildTable, Decoded, decode, NO_ROW, newInsn } from '../../../translators/x86/decode.ts';
import { x86 } from '../../../translators/x86/index.ts';
import { Mandatory, row } from '../../../translators/x86/row.ts';
import { rows, table } from '../../../translators/x86/rows.ts';
import { SEED } from '../../support/fuzz.ts';
import { bytesOf } from './support.ts';

const PC = 0x8048000;
const builder = new Builder(x86.helpers);
const insn = newInsn(NO_ROW);
const decoded = (hex: string): Decoded => decode(table(), insn, Code.of(Uint8Array.from(bytesOf(hex)), PC), PC);
const nothing = () => undefined;

describe('rows', () => {
  it('do not overlap', () => {
    expect(() => buildTable(rows())).not.toThrow();
  });
  it('that overlap are refused', () => {
    expect(() => buildTable([row('88 /r', 'MOV Eb, Gb', nothing), row('88 /1', 'OTHER Eb', nothing)])).toThrow(
      /'MOV Eb, Gb' and 'OTHER Eb' overlap/,
    );
    expect(() => buildTable([row('50+r', 'PUSH Zv', nothing), row('54', 'OTHER', nothing)])).toThrow('overlap');
    expect(() => buildTable([row('CD ib', 'INT Ib', nothing), row('CD /0', 'OTHER Eb', nothing)])).toThrow('overlap');
  });
  it('of one opcode may differ by mandatory prefix', () => {
    const both = buildTable([row('90', 'NOP', nothing), row('F3 90', 'PAUSE', nothing)]);
    expect([0, 1, 2, 3].map((prefix) => both.rows[both.top[(0x90 << 2) | prefix]].text)).toEqual(['NOP', 'NOP', 'PAUSE', 'NOP']);
  });
  it('that contradict themselves are refused', () => {
    expect(() => row('88', 'MOV Eb, Gb', nothing).operands).toThrow('an operand is in ModRM');
    expect(() => row('80 /4', 'AND Eb, Ib', nothing).operands).toThrow('0 immediates');
    expect(() => row('B8', 'MOV Zv, Iz', nothing).operands).toThrow('belong together');
    expect(() => row('88 /r', 'MOV Eb, Xyz', nothing).operands).toThrow('Xyz is not an operand');
    expect(() => row('8D /r r', 'LEA Gv, M', nothing).operands).toThrow('covers no ModRM byte');
  });
  it('decode what they encode', () => {
    const prefixes = {
      [Mandatory.Any]: [],
      [Mandatory.None]: [],
      [Mandatory.P66]: [0x66],
      [Mandatory.PF3]: [0xf3],
      [Mandatory.PF2]: [0xf2],
    };
    for (const r of rows()) {
      const map = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][r.map];
      for (let opcode = r.opcode; opcode < r.opcode + r.opcodes; opcode++) {
        for (const m of r.modrm ? r.modrms : [-1]) {
          const modrm = m < 0 ? [] : m < 8 ? [(m << 3) | 0x80] : [0xc0 | (m - 8)];
          const bytes = [...prefixes[r.mandatory], ...map, opcode, ...modrm, ...new Array<number>(12).fill(0)];
          expect(decode(table(), insn, Code.of(Uint8Array.from(bytes), PC), PC)).toBe(Decoded.Ok);
          expect(`${insn.row.encoding} ${insn.row.text}`).toBe(`${r.encoding} ${r.text}`);
        }
      }
    }
  });
});

describe('decoder', () => {
  it('refuses more than 15 bytes with #GP', () => {
    const prefixes = (n: number): string => new Array(n).fill('66').join(' ');
    expect(decoded(`${prefixes(14)} 90`)).toBe(Decoded.Ok);
    expect(decoded(`${prefixes(15)} 90`)).toBe(Decoded.TooLong);
    expect(decoded(`${prefixes(8)} 81 84 88 00 00 00 00 00 00`)).toBe(Decoded.TooLong);
    const block = liftBlock(x86, builder, Code.of(new Uint8Array(32).fill(0x2e), PC), PC);
    expect(block.terminator).toEqual({ kind: 'exit', exit: ExitKind.Exception, pc: PC, args: [13, 0] });
  });
  it('allows LOCK only where a memory destination is read and written', () => {
    for (const hex of ['f0 01 03', 'f0 87 03', 'f0 0f b1 0b', 'f0 ff 03', 'f0 83 0c 24 00', 'f0 0f ba 2b 01'])
      expect(decoded(hex)).toBe(Decoded.Ok);
    for (const hex of ['f0 01 c3', 'f0 03 03', 'f0 39 03', 'f0 90', 'f0 89 03', 'f0 0f a3 03', 'f0 f7 03 00 00 00 00', 'f0 c1 23 01'])
      expect(decoded(hex)).toBe(Decoded.Illegal);
  });
  it('fetches all that others of an opcode have before it is no instruction', () => {
    for (const hex of ['fe 96 01 02 03 04', '0f ba 1b 3d', 'c7 4e 7e 01 02 03 04', '66 c7 ca 01 02', '8d c0']) {
      expect(decoded(hex)).toBe(Decoded.Illegal);
      expect(() => decoded(hex.slice(0, -3))).toThrow(FetchFault);
    }
    expect(decoded('66 66 66 66 66 66 66 66 66 66 66 fe 96 01 02 03 04')).toBe(Decoded.TooLong);
  });
  it('reads 16-bit and 32-bit memory operands', () => {
    const operand = (hex: string) => {
      expect(decoded(hex)).toBe(Decoded.Ok);
      const { base, index, scale, displacement, length } = insn;
      return { base, index, scale, displacement, length };
    };
    expect(operand('8b 84 8b 00 00 00 80')).toEqual({ base: 3, index: 1, scale: 2, displacement: -0x80000000, length: 7 });
    expect(operand('8b 04 65 10 00 00 00')).toEqual({ base: -1, index: -1, scale: 1, displacement: 16, length: 7 });
    expect(operand('8b 05 10 00 00 00')).toMatchObject({ base: -1, index: -1, displacement: 16 });
    expect(operand('8b 45 fe')).toMatchObject({ base: 5, index: -1, displacement: -2 });
    expect(operand('67 8b 42 fe')).toMatchObject({ base: 5, index: 6, displacement: -2, length: 4 });
    expect(operand('67 8b 06 34 12')).toMatchObject({ base: -1, index: -1, displacement: 0x1234, length: 5 });
  });
  it('reports code that cannot be fetched before it adds an op', () => {
    const block = liftBlock(x86, builder, Code.of(Uint8Array.from([0x40, 0xe8, 0, 0]), PC), PC);
    expect(block.instructions).toBe(1);
    expect(block.terminator).toEqual({ kind: 'goto', pc: PC + 1 });
    expect(() => decoded('81 05 00')).toThrow(FetchFault);
  });
  it('what is no instruction leaves as illegal, without counting', () => {
    const block = liftBlock(x86, builder, Code.of(Uint8Array.from([0x0f, 0x04, 0, 0]), PC), PC);
    expect(block.terminator).toEqual({ kind: 'exit', exit: ExitKind.Illegal, pc: PC, args: [] });
    expect(block.instructions).toBe(0);
  });
  it('wraps at the end of the address space', () => {
    expect(x86.disassemble(Code.of(Uint8Array.from([0xeb, 0]), 0xfffffffe), 0xfffffffe)).toEqual({ text: 'jmp 0x0', length: 2 });
  });
  it('lifts random bytes to IR that verifies, and disassembles them to the same length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
        const code = Code.of(bytes, PC);
        const block = liftBlock(x86, builder, code, PC);
        verify(block, x86.stateSize);
        verify(deadcode(block, { preciseMemory: false }), x86.stateSize);
        if (decode(table(), insn, Code.of(Uint8Array.from([...bytes, ...new Array<number>(16).fill(0)]), PC), PC) === Decoded.Ok)
          expect(x86.disassemble(Code.of(Uint8Array.from([...bytes, ...new Array<number>(16).fill(0)]), PC), PC).length).toBe(insn.length);
      }),
      { ...SEED, numRuns: 3000 },
    );
  });
});
