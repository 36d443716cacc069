// Jumps to other pages, and stacks across two: what a page means changes (SDM volume 3, 4.10.4), and its code may be written (11.6).
import { describe, expect, test } from 'vitest';
import { createMachine } from '../../src/vmm/machine.ts';
import { systemModule } from '../support/runtime.ts';
import { kernel, little, out } from './kernel.ts';

const SYSTEM = systemModule();
const ENTRY = 0x200060;
const DIRECTORY = 0x300000;
const TABLE = 0x302000;
const FIRST = 0x310000;
const SECOND = 0x311000;
/** Virtual, one of the two. */
const PAGE = 0x400000;
const RESULT = 0x320000;
const ROUNDS = 600;

/** mov dword [address], value */
const put = (address: number, value: number): number[] => [0xc7, 0x05, ...little(address), ...little(value)];
/** jmp to */
const jump = (at: number, to: number): number[] => [0xe9, ...little(to - at - 5)];
/** 8 bytes at `address`: inc esi or edi; jmp back */
const code = (address: number, increment: number, back: number): number[] => {
  const bytes = new Uint8Array([increment, ...jump(PAGE + 1, back), 0xf4, 0xf4]);
  const words = new DataView(bytes.buffer);
  return [...put(address, words.getUint32(0, true)), ...put(address + 4, words.getUint32(4, true))];
};

const start = (back: number): number[] => [
  ...[...put(DIRECTORY, 0x83), ...put(DIRECTORY + 4, TABLE | 3), ...put(TABLE, FIRST | 3)],
  ...[...code(FIRST, 0x46, back), ...code(SECOND, 0x47, back)],
  // mov eax, CR4.PSE; mov cr4, eax; mov eax, DIRECTORY; mov cr3, eax
  ...[0xb8, ...little(0x10), 0x0f, 0x22, 0xe0, 0xb8, ...little(DIRECTORY), 0x0f, 0x22, 0xd8],
  // mov eax, cr0; or eax, CR0.PG; mov cr0, eax
  ...[0x0f, 0x20, 0xc0, 0x0d, ...little(0x80000000), 0x0f, 0x22, 0xc0],
  // xor esi, esi; xor edi, edi; mov ecx, ROUNDS
  ...[0x31, 0xf6, 0x31, 0xff, 0xb9, ...little(ROUNDS)],
];
const NEXT = ENTRY + start(0).length;
const BACK = NEXT + 5;
/** next: jmp PAGE; back: dec ecx; test cl, 3; jnz next; change; test ecx, ecx; jnz next; mov [RESULT], esi; mov [RESULT + 4], edi; power off */
const rounds = (...change: number[]): Uint8Array =>
  kernel(
    ...[...start(BACK), ...jump(NEXT, PAGE), 0x49, 0xf6, 0xc1, 3, 0x75, 0x100 - 11],
    ...[...change, 0x85, 0xc9, 0x75, 0x100 - (15 + change.length)],
    ...[0x89, 0x35, ...little(RESULT), 0x89, 0x3d, ...little(RESULT + 4), ...out(0xf4, 0), 0xf4],
  );

/** xor dword [TABLE], FIRST ^ SECOND */
const other = [0x81, 0x35, ...little(TABLE), ...little(FIRST ^ SECOND)];

describe.each(['interpret', 'tiered'] as const)('other pages: %s', (executor) => {
  const run = async (image: Uint8Array) => {
    const machine = await createMachine({ machine: 'pc', runtime: SYSTEM, memory: 8 << 20, executor, hotThreshold: 100, kernel: image });
    expect(await machine.run()).toEqual({ reason: 'power-off', code: 1 });
    return machine.physical;
  };

  test.each([
    ['INVLPG', [...other, 0x0f, 0x01, 0x3d, ...little(PAGE)]],
    ['MOV to CR3', [...other, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8]],
    ['a store to its code', [0x80, 0x35, ...little(FIRST), 1]],
  ])('a jump to a page is one to what it is after %s', async (_, change) => {
    const physical = await run(rounds(...change));
    expect([physical.u32(RESULT), physical.u32(RESULT + 4)]).toEqual([ROUNDS / 2, ROUNDS / 2]);
  });

  test('PUSH and POP across two pages', async () => {
    const esp = RESULT + 0x1002;
    const physical = await run(
      kernel(
        // mov esp, …; jmp to the next: what is a block without OUT is made of templates, which know nothing of ESP
        ...[0xbc, ...little(esp), 0xeb, 0],
        // push 11223344h; push esp; pop ebx; pop edx; push edx; inc dword [esp]; pop dword [esp]; jmp to the next
        ...[0x68, ...little(0x11223344), 0x54, 0x5b, 0x5a, 0x52, 0xff, 0x04, 0x24, 0x8f, 0x04, 0x24, 0xeb, 0],
        // mov [RESULT], esp, ebx, edx; power off
        ...[0x89, 0x25, ...little(RESULT), 0x89, 0x1d, ...little(RESULT + 4), 0x89, 0x15, ...little(RESULT + 8), ...out(0xf4, 0), 0xf4],
      ),
    );
    expect([0, 4, 8].map((at) => physical.u32(RESULT + at))).toEqual([esp, esp - 4, 0x11223344]);
    const stored = new Uint8Array(8);
    physical.read(esp - 4, stored);
    expect([...stored]).toEqual([...little(0x11223345), ...little(0x11223345)]);
  });
});
