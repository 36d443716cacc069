import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Templates } from '../../../src/backend/interpret/templates.ts';
import { createRuntime } from '../../../src/backend/runtime.ts';
import { withTemplates } from '../../../src/build/templates.ts';
import type { Block } from '../../../src/ir/block.ts';
import { BLOCK_INSTRUCTIONS, BLOCK_OPS } from '../../../src/ir/lift.ts';
import { printBlock } from '../../../src/ir/print.ts';
import { verify } from '../../../src/ir/verify.ts';
import { Code } from '../../../src/isa/code.ts';
import type { Isa } from '../../../src/isa/isa.ts';
import { ISAS } from '../../../src/isas.ts';
import { GuestMemory } from '../../../src/vcpu/guest-memory.ts';
import { runtimeModule } from '../../support/runtime.ts';

const { x86 } = ISAS;
const ROOT = resolve(import.meta.dirname, '../../..');
const PC = 0x20000;

/** Gives the block of some code at PC, as it is put together; undefined where it is to be lifted. */
function assembler(isa: Isa = x86, module = runtimeModule()): (hex: string, pc?: number) => Block | undefined {
  const memory = new GuestMemory(0x30000, 'little');
  const pages = (page: number): Uint8Array | undefined => {
    if (page !== PC >>> 12) return undefined;
    const start = GuestMemory.index(PC);
    return memory.bytes.subarray(start, start + 0x1000);
  };
  const templates = new Templates(isa, createRuntime(module, memory), new Code(pages));
  return (hex, pc = PC) => {
    const code = (hex.replaceAll(' ', '').match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
    memory.bytes.set(code, GuestMemory.index(pc));
    const block = templates.block(pc, 0, BLOCK_INSTRUCTIONS, BLOCK_OPS);
    if (block) verify(block, isa.stateSize);
    return block;
  };
}
const print = (block: Block | undefined): string =>
  block ? printBlock(block, (offset) => x86.registers.find((r) => r.offset === offset)?.name) : '';

describe('templates', () => {
  test('leave displacements, immediates and targets open', () => {
    const assemble = assembler();
    // mov eax,[ebx+8]; add ecx,5; sub edx,7; jmp .
    expect(print(assemble('8b 43 08 83 c1 05 83 ea 07 eb fe'))).toContain('goto 0x20009');
    const text = print(assemble('8b 43 f0 83 c1 80 83 ea 01 eb 10'));
    expect(text).toContain('i32.const 0xfffffff0');
    expect(text).toContain('i32.const 0xffffff80');
    expect(text).toMatch(/i32\.const -1\b/);
    expect(text).toContain('goto 0x2001b');
  });

  test('are of the bytes that decide', () => {
    const assemble = assembler();
    const shift = (by: string): string => print(assemble(`c1 e0 ${by} c3`));
    expect(shift('03')).toContain('i32.const 3');
    expect(shift('05')).toContain('i32.const 5');
    // no shift, and no flags
    expect(shift('20')).not.toContain('set.i32 cf');
    expect(shift('03')).toContain('set.i32 cf');
    // cmp eax,imm, 16 and 32 bits
    expect(print(assemble('66 3d 34 92 c3'))).toContain('i32.const 0x9234');
    expect(print(assemble('3d 34 92 00 00 c3'))).toContain('i32.const 0x9234');
  });

  test('end blocks as lifting does', () => {
    const assemble = assembler();
    const end = (hex: string, pc?: number) => assemble(hex, pc)?.terminator;
    expect(end('74 05')).toMatchObject({ kind: 'branch', taken: PC + 7, next: PC + 2 });
    expect(end('0f 85 00 01 00 00', PC + 16)).toMatchObject({ kind: 'branch', taken: PC + 0x116, next: PC + 22 });
    expect(end('e8 10 00 00 00')).toEqual({ kind: 'call', target: PC + 0x15, next: PC + 5 });
    expect(end('e8 00 00 00 00')).toEqual({ kind: 'goto', pc: PC + 5 });
    expect(end('ff d0')).toMatchObject({ kind: 'call-indirect', next: PC + 2 });
    expect(end('ff e0')).toMatchObject({ kind: 'jump' });
    expect(end('c3')).toMatchObject({ kind: 'return' });
    expect(end('f3 a4')).toMatchObject({ kind: 'branch', taken: PC, next: PC + 2 });
    const nops = assemble('90'.repeat(100));
    expect(nops).toMatchObject({
      instructions: BLOCK_INSTRUCTIONS,
      size: BLOCK_INSTRUCTIONS,
      terminator: { kind: 'goto', pc: PC + BLOCK_INSTRUCTIONS },
    });
  });

  test('are not there where an instruction hangs on others, leaves, or is none', () => {
    const assemble = assembler();
    for (const code of ['d9 c0 c3', '0f 6f c1 c3', 'f3 0f 58 c1 c3', 'cd 80', '0f ff', '90 90 d9 c0 c3'])
      expect(assemble(code)).toBeUndefined();
    // near the end of its page
    expect(assemble('90', PC + 0xff8)).toBeUndefined();
  });

  test('come with the module, and learning goes on', () => {
    const runtime = readFileSync(`${ROOT}/build/runtime.wasm`);
    const module = new WebAssembly.Module(withTemplates(runtime, 'x86', '# common\nmode 0\n8b43..\nc3\n'));
    let learnt = 0;
    const isa: Isa = {
      ...x86,
      open(...args) {
        learnt++;
        return x86.open?.(...args);
      },
    };
    const assemble = assembler(isa, module);
    expect(print(assemble('8b 43 f0 c3'))).toContain('i32.const 0xfffffff0');
    expect(learnt).toBe(0);
    expect(print(assemble('8b 4b f0 c3'))).toContain('set.i32 ecx');
    expect(learnt).toBe(1);
    // another processor knows it
    expect(print(assembler(isa, module)('8b 4b 70 c3'))).toContain('i32.const 0x70');
    expect(learnt).toBe(1);
    expect(() => withTemplates(runtime, 'x86', 'mode 0\n0fff\n')).toThrow('0fff');
  });
});
