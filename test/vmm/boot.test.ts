import { describe, expect, test } from 'vitest';
import { placeAcpiTables } from '../../src/vmm/boot/acpi.ts';
import { BootError } from '../../src/vmm/boot/error.ts';
import { loadLinuxMips } from '../../src/vmm/boot/linux-mips.ts';
import { loadLinuxX86, placeInitrd } from '../../src/vmm/boot/linux-x86.ts';
import { loadMultiboot } from '../../src/vmm/boot/multiboot.ts';
import type { PhysicalMemory } from '../../src/vmm/physical-memory.ts';
import { bzImage, elf, kernelMemory, RAM } from './images.ts';

const text = (memory: PhysicalMemory, at: number): string => {
  let result = '';
  for (let i = at; memory.u8(i); i++) result += String.fromCharCode(memory.u8(i));
  return result;
};

describe('Linux/x86 boot protocol', () => {
  test('kernel, command line, initrd, e820 and the way in', () => {
    const memory = kernelMemory();
    const initrd = new Uint8Array(5000).fill(7);
    const { pc, registers } = loadLinuxX86(memory, {
      kernel: bzImage(Uint8Array.of(0xfa, 0xf4)),
      initrd,
      commandLine: 'console=ttyS0',
      ram: RAM,
    });
    expect(pc).toBe(0x1000000);
    expect(memory.u16(pc)).toBe(0xf4fa);
    const zero = registers.esi;
    expect(memory.u32(zero + 0x202)).toBe(0x53726448);
    expect(memory.u8(zero + 0x210)).toBe(0xff);
    expect(text(memory, memory.u32(zero + 0x228))).toBe('console=ttyS0');
    const at = memory.u32(zero + 0x218);
    expect([at % 4096, memory.u32(zero + 0x21c), memory.u8(at), memory.u8(at + 4999)]).toEqual([0, 5000, 7, 7]);
    expect(at).toBeGreaterThan(0x1100000);
    const map = Array.from({ length: memory.u8(zero + 0x1e8) }, (_, i) => [0, 8, 16].map((o) => memory.u32(zero + 0x2d0 + 20 * i + o)));
    expect(map.at(-1)).toEqual([0x100000, RAM - 0x100000, 1]);
    expect(map.some(([start, , type]) => start === 0xf0000 && type === 2)).toBe(true);
  });

  test('a seed is in the list of setup_data, which protocol 2.09 brought', () => {
    const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
    const load = (version: number): readonly [PhysicalMemory, number] => {
      const memory = kernelMemory();
      const { registers } = loadLinuxX86(memory, { kernel: bzImage(Uint8Array.of(0xf4), version), commandLine: '', ram: RAM, seed });
      return [memory, memory.u32(registers.esi + 0x250)];
    };
    const [memory, at] = load(0x209);
    expect([0, 4, 8, 12].map((offset) => memory.u32(at + offset))).toEqual([0, 0, 9, 32]);
    const found = new Uint8Array(32);
    memory.read(at + 16, found);
    expect(found).toEqual(seed);
    expect(load(0x208)[1]).toBe(0);
  });

  test('before protocol 2.10, a kernel lies at 1 MiB, and where newer ones have addresses is its code', () => {
    const { pc } = loadLinuxX86(kernelMemory(), { kernel: bzImage(Uint8Array.of(0xf4), 0x209), commandLine: '', ram: 4 << 20 });
    expect(pc).toBe(0x100000);
  });

  test('refusals say why', () => {
    const load =
      (kernel: Uint8Array, more = {}) =>
      () =>
        loadLinuxX86(kernelMemory(), { kernel, commandLine: '', ram: RAM, ...more });
    expect(load(bzImage(new Uint8Array(4), 0x203))).toThrow(/boot protocol 2\.03/);
    expect(load(bzImage(new Uint8Array(4)), { commandLine: 'x'.repeat(256) })).toThrow(/255 bytes at most; this one has 256/);
    const talkative = bzImage(new Uint8Array(4));
    new DataView(talkative.buffer).setUint32(0x238, 0xffffffff, true);
    expect(load(talkative, { commandLine: 'x'.repeat(0x10000) })).toThrow(/60415 bytes at most/);
    expect(load(bzImage(new Uint8Array(4)), { initrd: new Uint8Array(RAM) })).toThrow(BootError);
    expect(load(bzImage(new Uint8Array(4)), { ram: 16 << 20 })).toThrow(/more than the machine has/);
    const low = bzImage(new Uint8Array(4));
    new DataView(low.buffer).setUint32(0x258, 0xa0000, true);
    expect(load(low)).toThrow(/0xa0000, below 1 MiB/);
  });

  test('an initrd may lie above 2 GiB', () => {
    expect(placeInitrd(Uint8Array.of(1), 1 << 20, 0xc0000000)).toBe(0xbffff000);
  });
});

test('multiboot: addresses in the header, information structure, module', () => {
  const memory = kernelMemory();
  const kernel = new Uint8Array(0x200);
  const data = new DataView(kernel.buffer);
  const flags = 0x10003;
  [0x1badb002, flags, -(0x1badb002 + flags) >>> 0, 0x200040, 0x200000, 0, 0x201000, 0x200060].forEach((word, i) => {
    data.setUint32(0x40 + 4 * i, word, true);
  });
  kernel[0x60] = 0xf4;
  const { pc, registers } = loadMultiboot(memory, { kernel, initrd: Uint8Array.of(9), commandLine: 'a b', ram: RAM });
  expect([pc, registers.eax, memory.u8(pc)]).toEqual([0x200060, 0x2badb002, 0xf4]);
  const info = registers.ebx;
  expect(memory.u32(info)).toBe(0x24d);
  expect(memory.u32(info + 8)).toBe((RAM >>> 10) - 1024);
  expect(text(memory, memory.u32(info + 16))).toBe('a b');
  const module = memory.u32(info + 24);
  expect(memory.u8(memory.u32(module))).toBe(9);
  expect(memory.u32(memory.u32(info + 48))).toBe(20);
});

describe('Linux for Malta', () => {
  test('kseg0 segments, YAMON’s vectors, initrd', () => {
    const memory = kernelMemory();
    const kernel = elf(8, true, 0x80100000, Uint8Array.of(1, 2, 3, 4));
    const { pc, registers } = loadLinuxMips(memory, {
      kernel,
      initrd: new Uint8Array(70_000).fill(5),
      commandLine: 'console=ttyS0',
      ram: RAM,
      seed: Uint8Array.of(0x0f, 0xa5),
    });
    expect(pc).toBe(0x80100000);
    expect(memory.u32(0x100000)).toBe(0x04030201);
    expect([registers.a0, registers.a3]).toEqual([2, RAM]);
    const pointer = (at: number): number => memory.u32(at & 0x1fffffff) & 0x1fffffff;
    const line = text(memory, pointer(registers.a1 + 4));
    const [, at] = /rd_start=0x8([0-9a-f]+) rd_size=70000 console=ttyS0/.exec(line)!;
    expect(memory.u8(Number.parseInt(at, 16))).toBe(5);
    const names: Record<string, string> = {};
    for (let e = registers.a2; memory.u32(e & 0x1fffffff); e += 8) names[text(memory, pointer(e))] = text(memory, pointer(e + 4));
    expect(names.memsize).toBe(String(RAM));
    expect(names.modetty0).toMatch(/^38400/);
    expect(names.rngseed).toBe('0fa5');
  });

  test('refusals', () => {
    const load = (kernel: Uint8Array) => () => loadLinuxMips(kernelMemory(), { kernel, commandLine: '', ram: RAM });
    expect(load(elf(3, true, 0x80100000, new Uint8Array(4)))).toThrow(/for x86/);
    expect(load(elf(8, true, 0x400000, new Uint8Array(4)))).toThrow(/not in kseg0/);
    expect(load(elf(8, true, 0x9f000000, new Uint8Array(4)))).toThrow(/outside of the machine/);
    expect(load(new Uint8Array(100))).toThrow(/not an ELF/);
  });
});

test('ACPI tables: found, linked and summed as ACPI wants them', () => {
  const at = 0xf0000;
  const bytes = placeAcpiTables(at);
  const data = new DataView(bytes.buffer);
  const sum = (start: number, length: number): number => bytes.subarray(start, start + length).reduce((a, b) => a + b, 0) & 0xff;
  const name = (start: number): string => String.fromCharCode(...bytes.subarray(start, start + 4));
  expect(String.fromCharCode(...bytes.subarray(0, 8))).toBe('RSD PTR ');
  expect(sum(0, 20)).toBe(0);
  const check = (address: number, signature: string): number => {
    const start = address - at;
    expect(name(start)).toBe(signature);
    expect(sum(start, data.getUint32(start + 4, true))).toBe(0);
    return start;
  };
  const rsdt = check(data.getUint32(16, true), 'RSDT');
  const fadt = check(data.getUint32(rsdt + 36, true), 'FACP');
  expect(data.getUint32(fadt + 4, true)).toBe(116);
  check(data.getUint32(fadt + 40, true), 'DSDT');
  const facs = data.getUint32(fadt + 36, true);
  expect([facs % 64, name(facs - at)]).toEqual([0, 'FACS']);
  expect(data.getUint16(fadt + 46, true)).toBe(9);
  expect([data.getUint32(fadt + 56, true), data.getUint32(fadt + 64, true), data.getUint32(fadt + 76, true)]).toEqual([
    0x600, 0x604, 0x608,
  ]);
});
