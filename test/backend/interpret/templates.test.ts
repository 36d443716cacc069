import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BlockInput, TerminatorKind } from '../../../assembly/shared/lowering.ts';
import { Templates } from '../../../src/backend/interpret/templates.ts';
import { createRuntime, type Runtime } from '../../../src/backend/runtime.ts';
import { withTemplates } from '../../../src/build/templates.ts';
import { Block, type Terminator } from '../../../src/ir/block.ts';
import { Builder } from '../../../src/ir/builder.ts';
import { BLOCK_INSTRUCTIONS, BLOCK_OPS, liftBlock } from '../../../src/ir/lift.ts';
import { op } from '../../../src/ir/ops.ts';
import { printBlock } from '../../../src/ir/print.ts';
import { verify } from '../../../src/ir/verify.ts';
import { Code } from '../../../src/isa/code.ts';
import type { Isa } from '../../../src/isa/isa.ts';
import { ISAS } from '../../../src/isas.ts';
import { GuestMemory } from '../../../src/vcpu/guest-memory.ts';
import { runtimeModule } from '../../support/runtime.ts';

const { x86, mips, mipsel } = ISAS;
const ROOT = resolve(import.meta.dirname, '../../..');
const PC = 0x20000;

/** The block that lies in the runtime. */
function blockIn({ ir }: Runtime, pc: number, { helpers }: Isa): Block {
  const input = (word: BlockInput): number => ir.input[word >>> 2];
  const words = [ir.opcodes, ir.a, ir.b, ir.c, ir.d] as const;
  return new Block(
    pc,
    input(BlockInput.BYTES),
    input(BlockInput.INSTRUCTIONS),
    input(BlockInput.LENGTH),
    ...words,
    terminatorIn(input),
    [],
    helpers,
  );
}
function terminatorIn(input: (word: BlockInput) => number): Terminator {
  const first = input(BlockInput.FIRST);
  const [second, third] = [input(BlockInput.SECOND) >>> 0, input(BlockInput.THIRD) >>> 0];
  const kind: TerminatorKind = input(BlockInput.TERMINATOR);
  switch (kind) {
    case TerminatorKind.Goto:
      return { kind: 'goto', pc: first >>> 0 };
    case TerminatorKind.Branch:
      return { kind: 'branch', condition: first, taken: second, next: third };
    case TerminatorKind.Call:
      return { kind: 'call', target: first >>> 0, next: second };
    case TerminatorKind.CallIndirect:
      return { kind: 'call-indirect', target: first, next: second };
    case TerminatorKind.Return:
      return { kind: 'return', target: first };
    case TerminatorKind.Jump:
      return { kind: 'jump', target: first };
    case TerminatorKind.Exit:
      throw new Error('no template exits');
  }
}

/** Gives the block of some code at PC, as it is put together; undefined where it is to be lifted. `next`: where the next page is, if it is. */
function assembler(
  isa: Isa = x86,
  module = runtimeModule(),
  mode = 0,
  next?: number,
): (hex: string, pc?: number, start?: number) => Block | undefined {
  const memory = new GuestMemory(0x30000, isa.endian);
  const pages = (page: number): Uint8Array | undefined => {
    const at = [PC, next][page - (PC >>> 12)];
    if (at === undefined) return undefined;
    const start = GuestMemory.index(at);
    return memory.bytes.subarray(start, start + 0x1000);
  };
  const runtime = createRuntime(module, memory);
  const templates = new Templates(isa, runtime, new Code(pages));
  return (hex, pc = PC, start = 0) => {
    const code = (hex.replaceAll(' ', '').match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
    memory.bytes.set(code, GuestMemory.index(pc));
    if (!templates.assemble(pc + start, mode, BLOCK_INSTRUCTIONS, BLOCK_OPS, true)) return undefined;
    const block = blockIn(runtime, pc + start, isa);
    verify(block, isa.stateSize);
    return block;
  };
}
/** The same ISA, and how many instructions have been lifted to learn their templates. */
function counting(isa: Isa): { readonly isa: Isa; learnt(): number } {
  let count = 0;
  const { templates } = isa;
  if (!templates) throw new Error(`${isa.name} has no templates`);
  const open: typeof templates.open = (...args) => {
    count++;
    return templates.open(...args);
  };
  return { isa: { ...isa, templates: { ...templates, open } }, learnt: () => count };
}
const print = (block: Block | undefined, { registers } = x86): string =>
  block ? printBlock(block, (offset) => registers.find((r) => r.offset === offset)?.name) : '';

const INSN = op('insn');
/** pc and restart of each instruction. */
const insns = (block: Block | undefined): number[][] =>
  Array.from(block?.op ?? [])
    .slice(0, block?.length)
    .flatMap((number, v) => (block && number === INSN ? [[block.a[v], block.c[v]]] : []));

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

  test('go on in the next page if that lies behind this one', () => {
    const code = '05 34 92 00 00 c3'; // add eax,0x9234; ret
    for (const pc of [PC + 0xffd, PC + 0xff5]) {
      const block = assembler(x86, undefined, 0, PC + 0x1000)(code, pc);
      expect(block).toMatchObject({ size: 6, instructions: 2 });
      expect(print(block)).toContain('i32.const 0x9234');
      expect(assembler(x86, undefined, 0, PC + 0x2000)(code, pc)).toBeUndefined();
    }
  });

  test('come with the module, and learning goes on', () => {
    const runtime = readFileSync(`${ROOT}/build/runtime.wasm`);
    const module = new WebAssembly.Module(withTemplates(runtime, 'x86', '# common\nmode 0\n8b43..\nc3\n'));
    const { isa, learnt } = counting(x86);
    const assemble = assembler(isa, module);
    expect(print(assemble('8b 43 f0 c3'))).toContain('i32.const 0xfffffff0');
    expect(learnt()).toBe(0);
    expect(print(assemble('8b 4b f0 c3'))).toContain('set.i32 ecx');
    expect(learnt()).toBe(1);
    // another processor knows it
    expect(print(assembler(isa, module)('8b 4b 70 c3'))).toContain('i32.const 0x70');
    expect(learnt()).toBe(1);
    expect(() => withTemplates(runtime, 'x86', 'mode 0\n0fff\n')).toThrow('0fff');
  });
});

describe.each([mipsel, mips])('templates of $name', (isa) => {
  /** Instruction words, as they lie in memory. */
  const bytes = (...words: number[]): string =>
    words
      .map(
        (word) =>
          (isa.endian === 'big' ? word : ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0,
      )
      .map((word) => word.toString(16).padStart(8, '0'))
      .join('');
  const NOP = 0;
  const LW = 0x8fa8fff0; // lw t0,-16(sp)
  const ADDIU = 0x25080001; // addiu t0,t0,1

  test('leave immediates and targets open', () => {
    const assemble = assembler(isa);
    const end = (...words: number[]) => assemble(bytes(...words))?.terminator;
    // addiu t0,t0,n
    expect(print(assemble(bytes(ADDIU, 0x03e00008, NOP)), isa)).toContain('i32.const 1');
    expect(print(assemble(bytes(0x2508ff00, 0x03e00008, NOP)), isa)).toContain('i32.const 0xffffff00');
    // ori t0,t0,0xff00; lui t0,0x8765
    expect(print(assemble(bytes(0x3508ff00, 0x03e00008, NOP)), isa)).toContain('i32.const 0xff00');
    expect(print(assemble(bytes(0x3c088765, 0x03e00008, NOP)), isa)).toContain('i32.const 0x87650000');
    expect(end(0x11090004, NOP)).toMatchObject({ kind: 'branch', taken: PC + 20, next: PC + 8 });
    expect(end(0x1509fffe, NOP)).toMatchObject({ kind: 'branch', taken: PC - 4, next: PC + 8 });
    expect(end(0x15090001, NOP)).toEqual({ kind: 'goto', pc: PC + 8 });
    expect(end(0x1000ffff, NOP)).toEqual({ kind: 'goto', pc: PC });
    expect(end(0x14000005, NOP)).toEqual({ kind: 'goto', pc: PC + 8 });
    expect(end(0x08012345, NOP)).toEqual({ kind: 'goto', pc: 0x48d14 });
    expect(end(0x0f812345, NOP)).toEqual({ kind: 'call', target: 0xe048d14, next: PC + 8 });
    expect(end(0x04110004, NOP)).toEqual({ kind: 'call', target: PC + 20, next: PC + 8 });
    expect(end(0x04110001, NOP)).toEqual({ kind: 'goto', pc: PC + 8 });
    expect(end(0x0320f809, NOP)).toMatchObject({ kind: 'call-indirect', next: PC + 8 });
    expect(end(0x03200008, NOP)).toMatchObject({ kind: 'jump' });
    expect(end(0x03e00008, NOP)).toMatchObject({ kind: 'return' });
  });

  test('have the delay slot before the end, and after what the branch reads', () => {
    const assemble = assembler(isa);
    // bnez t0,+4; addiu t0,t0,1
    const block = assemble(bytes(LW, 0x15000004, ADDIU));
    expect(block).toMatchObject({ instructions: 3, size: 12 });
    expect(insns(block).at(-1)).toEqual([PC + 8, PC + 4]);
    // v7 is t0 before the slot
    expect(print(block, isa)).toMatch(/v7 = get\.i32 t0\n.*v9 = i32\.ne v7 .*i32\.add.*set\.i32 t0.*branch v9/s);
    // a branch in it, or what leaves
    for (const slot of [0x10000001, 0x0000000c, 0x0000000d]) expect(assemble(bytes(0x15000004, slot))).toBeUndefined();
    // in system mode its pc is marked
    const system = assembler(isa, runtimeModule(), 16);
    expect(insns(system(bytes(0x15000004, ADDIU))).at(-1)).toEqual([PC + 6, PC]);
  });

  test('are of the bytes that decide', () => {
    const assemble = assembler(isa);
    // sll t0,t0,n; what does nothing
    expect(print(assemble(bytes(0x00084080, 0x03e00008, NOP)), isa)).toContain('i32.const 2');
    expect(print(assemble(bytes(0x000840c0, 0x03e00008, NOP)), isa)).toContain('i32.const 3');
    expect(print(assemble(bytes(0x01094021, 0x03e00008, NOP)), isa)).toContain('i32.add');
    expect(print(assemble(bytes(0x01094023, 0x03e00008, NOP)), isa)).toContain('i32.sub');
    // syscall, break, trap to the kernel, reserved
    for (const word of [0x0000000c, 0x0000000d, 0x42000018, 0x7c000000 | 63]) expect(assemble(bytes(LW, word))).toBeUndefined();
    // near the end of its page
    expect(assemble(bytes(0x03e00008), PC + 0xffc)).toBeUndefined();
    expect(assemble(bytes(LW), PC, 2)).toBeUndefined();
  });

  test('leave registers open, but for r0', () => {
    const { isa: counted, learnt } = counting(isa);
    const assemble = assembler(counted);
    const addu = (d: number, s: number, t: number): string =>
      print(assemble(bytes((s << 21) | (t << 16) | (d << 11) | 0x21, 0x03e00008, NOP)), isa);
    expect(addu(2, 3, 4)).toMatch(/get\.i32 v1\n.*get\.i32 a0\n.*i32\.add.*\n.*set\.i32 v0/);
    const before = learnt();
    expect(addu(31, 29, 31)).toMatch(/get\.i32 sp\n.*get\.i32 ra\n.*i32\.add.*\n.*set\.i32 ra/);
    expect(learnt()).toBe(before);
    expect(addu(2, 0, 4)).toMatch(/get\.i32 a0\n.*set\.i32 v0/);
    expect(addu(0, 3, 4)).not.toContain('set.i32');
    expect(learnt()).toBe(before + 2);
    // not those that a jump goes through: ra means a return
    const jump = (s: number) => assemble(bytes((s << 21) | 8, NOP))?.terminator.kind;
    expect([jump(31), jump(25), jump(31)]).toEqual(['return', 'jump', 'return']);
  });

  test('of likely branches go where lifting has them go, and so do their delay slots', () => {
    const assemble = assembler(isa);
    const lifted = (pc: number, ...words: number[]) => {
      const code = Uint8Array.from(bytes(...words).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
      return liftBlock(isa, new Builder(isa.helpers), Code.of(code, PC), pc);
    };
    // bnezl t0,-8; addiu t0,t0,1
    const words = [0x5500fffe, ADDIU];
    expect(assemble(bytes(...words))).toMatchObject({
      size: 8,
      instructions: 1,
      terminator: { kind: 'branch', taken: PC | 1, next: PC + 8 },
    });
    const slot = assemble(bytes(...words), PC, 1);
    expect(slot).toMatchObject({ size: 7, instructions: 1, terminator: { kind: 'goto', pc: PC - 4 } });
    expect(print(slot, isa)).toBe(print(lifted(PC | 1, ...words), isa));
    // one that is never taken, and always
    expect(assemble(bytes(0x5400fffe, ADDIU))?.terminator).toEqual({ kind: 'goto', pc: PC + 8 });
    expect(assemble(bytes(0x5000fffe, ADDIU))?.terminator).toEqual({ kind: 'goto', pc: PC | 1 });
    // the other branches' are not blocks
    expect(assemble(bytes(0x1500fffe, ADDIU), PC, 1)).toBeUndefined();
  });

  test('come with the module', () => {
    const runtime = readFileSync(`${ROOT}/build/runtime.wasm`);
    const module = new WebAssembly.Module(
      withTemplates(runtime, isa.name as 'mips' | 'mipsel', 'mode 0\n00002124\n0800e003........\n00000000\n'),
    );
    const { isa: counted, learnt } = counting(isa);
    expect(assembler(counted, module)(bytes(ADDIU, 0x03e00008, NOP))).toBeDefined();
    expect(learnt()).toBe(0);
  });
});
