// An x87 exception while CR0.NE = 0 is IRQ 13 of the board (SDM volume 1, 8.7.2 and appendix D), with NE = 1 it is #MF.
import { expect, test } from 'vitest';
import type { Executor } from '../../src/vcpu/vcpu.ts';
import { createMachine } from '../../src/vmm/machine.ts';
import { System } from '../../translators/x86/system/state.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little } from './kernel.ts';

const SYSTEM = systemModule();
const GDT = 0x300400;
const IDT = 0x300000;
const STACK = 0x310000;
const COUNT = 0x300800;
const CONTROL = 0x300804;
const HANDLERS = [0x300900, 0x300a00];
const [MF, IRQ13] = [16, 0x2d];
/** Zero divide is not masked. */
const CONTROL_WORD = 0x37b;

// mov esp,STACK; fninit; mov dword [CONTROL],…; fldcw [CONTROL]
const setUp = [0xbc, ...little(STACK), 0xdb, 0xe3, 0xc7, 0x05, ...little(CONTROL), ...little(CONTROL_WORD), 0xd9, 0x2d, ...little(CONTROL)];
// sti; fld1; fldz; fdivp; fld1, which waits
const divide = [0xfb, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xd9, 0xe8];
// mov al,[COUNT]; mov dx,0xf4; out dx,al; hlt
const tell = [0xa0, ...little(COUNT), 0x66, 0xba, 0xf4, 0, 0xee, 0xf4];
// mov eax,cr0; or al,0x20; mov cr0,eax
const setNe = [0x0f, 0x20, 0xc0, 0x0c, 0x20, 0x0f, 0x22, 0xc0];
// add byte [COUNT],n; fnclex; then out 0xf0,al, and the ends of interrupt; iretd
const handler = (n: number, ...more: number[]): number[] => [0x80, 0x05, ...little(COUNT), n, 0xdb, 0xe2, ...more, 0xcf];
const endOfInterrupt = [0xe6, 0xf0, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20];

/** What the handlers counted: #MF one, IRQ 13 sixteen. */
async function counted(executor: Executor, ne: boolean): Promise<number | undefined> {
  const machine = await createMachine({
    machine: 'pc',
    runtime: SYSTEM,
    memory: 8 << 20,
    kernel: kernel(...(ne ? setNe : []), ...setUp, ...divide, ...tell),
    executor,
  });
  const { physical, vcpu, board } = machine;
  const port = (at: number) => board.ports.find((range) => range.at === at)!.device;
  for (const [at, base, cascade, mask] of [
    [0x20, 0x20, 4, 0xfb],
    [0xa0, 0x28, 2, 0xdf],
  ]) {
    port(at).write(0, 1, 0x11);
    for (const value of [base, cascade, 1, mask]) port(at).write(1, 1, value);
  }
  [0, 0, 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300].forEach((word, i) => {
    physical.setU32(GDT + 4 * i, word);
  });
  for (const [i, vector] of [MF, IRQ13].entries()) {
    physical.setU32(IDT + 8 * vector, 0x100000 | (HANDLERS[i] & 0xffff));
    physical.setU32(IDT + 8 * vector + 4, (HANDLERS[i] & 0xffff0000) | 0x8e00);
  }
  physical.write(HANDLERS[0], Uint8Array.from(handler(1)));
  physical.write(HANDLERS[1], Uint8Array.from(handler(16, ...endOfInterrupt)));
  vcpu.set32(System.GDTR_BASE, GDT);
  vcpu.set32(System.GDTR_LIMIT, 31);
  vcpu.set32(System.IDTR_BASE, IDT);
  vcpu.set32(System.IDTR_LIMIT, 0x7ff);
  const end = await machine.run();
  return end && (end.code - 1) / 2;
}

test.each([
  ['interpret', false, 16],
  ['interpret', true, 1],
  ['translate', false, 16],
  ['translate', true, 1],
] as const)('%s, NE %s', async (executor, ne, expected) => expect(await counted(executor, ne)).toBe(expected), 300_000);
