import { expect, test } from 'vitest';
import { Layout, Mmu } from '../../assembly/shared/layout.ts';
import { createRuntime } from '../../src/backend/runtime.ts';
import { Code } from '../../src/isa/code.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';
import { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { memoryOperand } from '../../translators/x86/index.ts';
import { systemModule } from '../support/runtime.ts';

const PC = 0x2ff8;
const memory = new GuestMemory(Layout.FLOOR + (1 << 20), 'little');
const physical = new PhysicalMemory(memory);
physical.map(0, 1 << 20, Layout.WINDOW, true);
memory.data.setUint32(Layout.MMU, Mmu.X86, true);
const { x86_modifies: modifies } = createRuntime(systemModule(), memory).exports as { x86_modifies(pc: number): number };
const code = new Code((page) => memory.bytes.subarray(Layout.WINDOW + page * 4096, Layout.WINDOW + (page + 1) * 4096));

// a page fault's error code depends on it: the runtime says the same as the instruction table
test.each([
  [],
  [0xf0],
  [0x66],
  [0x64, 0x67],
  [0xf2, 0x3e, 0x36],
])('operands in memory that are read and written, after prefixes %j', (...prefixes) => {
  const differ: string[] = [];
  let found = 0;
  for (const map of [[], [0x0f]]) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let reg = 0; reg < 8; reg++) {
        const bytes = [...prefixes, ...map, opcode, reg << 3, 0, 0, 0, 0, 0, 0];
        physical.write(PC, Uint8Array.from(bytes));
        const operand = memoryOperand(code, PC, 0);
        if (!operand) continue;
        if (operand.isModified) found++;
        if (operand.isModified !== (modifies(PC) === 1)) differ.push(bytes.map((byte) => byte.toString(16)).join(' '));
      }
    }
  }
  expect(differ).toEqual([]);
  expect(found).toBeGreaterThan(200);
});
