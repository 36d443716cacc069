// Pages that hold code and data: x86 sees a store to code at once, even one to the very next instruction (SDM volume 3, 11.6).
import { describe, expect, test } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, out } from './kernel.ts';

const SYSTEM = systemModule();
const ROUNDS = 600;
const ENTRY = 0x200060;
/** On the page of the code. */
const COUNT = 0x2001f0;
const SUM = 0x2001f4;

/** inc dword [COUNT] */
const count = [0xff, 0x05, ...little(COUNT)];
/** mov esi, 0; mov ecx, ROUNDS; next: …; dec ecx; jnz next; power off */
const rounds = (...code: number[]): Uint8Array => {
  const back = 0x100 - (code.length + 3);
  return kernel(0xbe, ...little(0), 0xb9, ...little(ROUNDS), ...code, 0x49, 0x75, back, ...out(0xf4, 0), 0xf4);
};
const LOOP = ENTRY + 10;

describe.each(['interpret', 'translate', 'tiered'] as const)('stores to a page of code: %s', (executor) => {
  const run = async (image: Uint8Array) => {
    const options = { machine: 'pc', runtime: SYSTEM, memory: 8 << 20, executor, hotThreshold: 100 } as const;
    const machine = await createMachine({ ...options, kernel: image });
    expect(await machine.run()).toEqual({ reason: 'power-off', code: 1 });
    return machine;
  };

  test('beside the code, they go on', async () => {
    const machine = await run(rounds(...count));
    expect(machine.physical.u32(COUNT)).toBe(ROUNDS);
    expect(machine.vcpu.stats.invalidations).toBeLessThan(20);
    expect(machine.vcpu.stats.blocks).toBeLessThan(40);
  });

  test('to the next instruction, they count at once', async () => {
    // mov [operand], cl; mov al, 0; movzx eax, al; add [SUM], eax
    const operand = LOOP + count.length + 7;
    const next = [0x88, 0x0d, ...little(operand), 0xb0, 0, 0x0f, 0xb6, 0xc0, 0x01, 0x05, ...little(SUM)];
    const machine = await run(rounds(...count, ...next));
    let sum = 0;
    for (let i = 1; i <= ROUNDS; i++) sum += i & 0xff;
    expect([machine.physical.u32(COUNT), machine.physical.u32(SUM)]).toEqual([ROUNDS, sum]);
  });

  test('to the last byte of data and the first of code, they count', async () => {
    const target = 0x2000a0;
    // mov eax, ecx; and al, 1; add al, 0x46; mov ah, al; mov [target - 1], ax; jmp target; target: inc esi or edi; mov [SUM], esi
    const store = [0x89, 0xc8, 0x24, 1, 0x04, 0x46, 0x88, 0xc4, 0x66, 0xa3, ...little(target - 1)];
    const before = [...count, ...store, 0xeb, target - LOOP - count.length - store.length - 2];
    const gap = Array.from({ length: target - LOOP - before.length }, () => 0xf4);
    const machine = await run(rounds(...before, ...gap, 0x46, 0x89, 0x35, ...little(SUM)));
    expect([machine.physical.u32(COUNT), machine.physical.u32(SUM)]).toEqual([ROUNDS, ROUNDS / 2]);
  });

  test('by an interrupt that is delivered, they count', async () => {
    // f at 0:0x7002: nop; nop; retf; retf. What is pushed of EFLAGS, 0x0246, makes it inc si; add cl, bl; retf
    const f = 0x7002;
    const callF = [0x9a, ...little(f)];
    const put = (at: number, value: number): number[] => [0xc7, 0x06, at & 0xff, at >>> 8, value & 0xff, value >>> 8];
    const port = (at: number, ...values: number[]): number[] => values.flatMap((value) => [0xb0, value, 0xe6, at]);
    const handler = 0x100;
    const firmware = new Uint8Array(0x10000).fill(0xf4);
    firmware.set([
      // xor ax, ax; mov ds, ax; mov ss, ax; mov sp, 0x6000; xor si, si
      ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0, 0x60, 0x31, 0xf6],
      ...[...put(f, 0x9090), ...put(f + 2, 0xcbcb), ...put(0x20, handler), ...put(0x22, 0xf000), ...callF],
      // IRQ 0, which is vector 8, once and soon
      ...[...port(0x20, 0x11), ...port(0x21, 8, 4, 1, 0xfe), ...port(0x43, 0x30), ...port(0x40, 0xff, 0)],
      // mov sp, f + 2; xor ax, ax; sti; hlt; mov sp, 0x6000
      ...[0xbc, (f + 2) & 0xff, f >>> 8, 0x31, 0xc0, 0xfb, 0xf4, 0xbc, 0, 0x60],
      // call f; mov ax, si; mov dx, 0xf4; out dx, al; hlt
      ...[...callF, 0x89, 0xf0, 0xba, 0xf4, 0, 0xee, 0xf4],
    ]);
    firmware[handler] = 0xcf;
    firmware.set([0xea, 0, 0, 0, 0xf0], 0xfff0);
    const machine = await createMachine({ machine: 'pc', runtime: SYSTEM, memory: 8 << 20, executor, firmware });
    expect(await machine.run()).toEqual({ reason: 'power-off', code: 3 });
  });
});
