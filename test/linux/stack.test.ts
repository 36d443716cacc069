import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/linux/errno.ts';
import { At, buildStack, type StackContents } from '../../src/linux/stack.ts';
import { SyscallError } from '../../src/linux/syscall.ts';
import { GuestMemory } from '../../src/vcpu/guest-memory.ts';

const TOP = 0x2000_0000;
const contents: StackContents = {
  top: TOP,
  limit: 0x20000,
  argv: ['prog', 'ä', ''],
  env: ['A=1', 'B=2'],
  executable: '/bin/prog',
  platform: 'i686',
  random: Uint8Array.from({ length: 16 }, (_, i) => i),
  auxiliary: [
    [At.PageSize, 4096],
    [At.Entry, 0x8049000],
  ],
};

function build(endian: 'little' | 'big', more: Partial<StackContents> = {}) {
  const memory = new GuestMemory(TOP, endian);
  memory.map(TOP - 0x40000, 0x40000, 3);
  const sp = buildStack(memory, { ...contents, ...more });
  const text = (address: number) => new TextDecoder().decode(memory.cString(address));
  return { memory, sp, text, word: (index: number) => memory.u32(sp + index * 4) };
}

describe.each(['little', 'big'] as const)('the stack of a new program, %s endian', (endian) => {
  it('has argc, argv, envp and the auxiliary vector', () => {
    const { memory, sp, text, word } = build(endian);
    expect(sp % 16).toBe(0);
    expect(word(0)).toBe(3);
    expect([1, 2, 3].map((i) => text(word(i)))).toEqual(['prog', 'ä', '']);
    expect(word(4)).toBe(0);
    expect([5, 6].map((i) => text(word(i)))).toEqual(['A=1', 'B=2']);
    expect(word(7)).toBe(0);
    const auxiliary = new Map<number, number>();
    let at = 8;
    for (; word(at) !== At.Null; at += 2) auxiliary.set(word(at), word(at + 1));
    expect(auxiliary.get(At.PageSize)).toBe(4096);
    expect(auxiliary.get(At.Entry)).toBe(0x8049000);
    expect(text(auxiliary.get(At.ExecFn)!)).toBe('/bin/prog');
    expect(text(auxiliary.get(At.Platform)!)).toBe('i686');
    const random = auxiliary.get(At.Random)!;
    expect([...memory.view(random, 16, 'read')]).toEqual([...contents.random]);
  });

  it('has strings in the order of Linux: those of argv below those of the environment, one after the other', () => {
    const { word } = build(endian);
    expect(word(2) - word(1)).toBe('prog'.length + 1);
    expect(word(5)).toBeGreaterThan(word(3));
    expect(word(6) - word(5)).toBe('A=1'.length + 1);
  });

  it('leaves AT_PLATFORM out where the ABI has none', () => {
    const { word } = build(endian, { platform: '' });
    const keys: number[] = [];
    for (let at = 8; word(at) !== At.Null; at += 2) keys.push(word(at));
    expect(keys).not.toContain(At.Platform);
  });
});

it('is E2BIG when arguments take more than the limit, or one of them is too long', () => {
  const tooBig = (argv: string[], limit: number) => () => build('little', { argv, limit });
  for (const work of [tooBig(['x'.repeat(5000)], 4096), tooBig(new Array(2000).fill(''), 4096), tooBig(['x'.repeat(131072)], 0x40000)]) {
    expect(work).toThrow(SyscallError);
    try {
      work();
    } catch (error) {
      expect((error as SyscallError).errno).toBe(Errno.E2BIG);
    }
  }
});
